"""What drawn faces are worth: UF1 against how many are drawn, and how many real subjects train.

Each cell is a run of a config, in a folder of its own; cells that are finished are read. A network
is pretrained on the drawn faces, an SVM learns them beside its clips. A pretraining is shared by
all cells with the same faces.
"""

import argparse
import ast
import itertools
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np  # noqa: E402

import mer_jax as mj  # noqa: E402
from benchmarks import command_line  # noqa: E402
from mer_jax.classical import has_network  # noqa: E402
from mer_jax.experiment import run  # noqa: E402
from mer_jax.experiment import settings as rules  # noqa: E402
from mer_jax.runfiles import files  # noqa: E402
from mer_jax.runfiles.results import RecognitionResults  # noqa: E402
from mer_jax.settings import tree  # noqa: E402
from mer_jax.settings.sections import Settings  # noqa: E402

SET = '--config.'
CONTROL = '{faces},clips={clips},draw={draw},control={control}'


class Cell(NamedTuple):
    """One run of the curve."""

    control: str  # of the drawn faces: none, units or head
    clips: int  # drawn; 0: none
    draw: int  # number of the drawing
    subjects: int  # real training subjects of a fold; 0: all
    seed: int  # of the draw of these subjects

    @property
    def faces(self) -> tuple[str, int, int]:
        """What is drawn."""
        return self.control, self.clips, self.draw


def cells(flags: argparse.Namespace) -> Iterator[Cell]:
    """Yield the cells, each once: without drawn clips there is one drawing, and of all subjects
    there is one draw.
    """
    seen = set()
    for subjects, control, clips in itertools.product(
        flags.subjects, flags.controls, sorted(flags.clips)
    ):
        for draw, seed in itertools.product(range(flags.drawings), range(flags.subject_draws)):
            faces = (control, clips, draw) if clips else ('none', 0, 0)
            cell = Cell(*faces, subjects, seed if subjects else 0)
            if cell not in seen:
                seen.add(cell)
                yield cell


def train(settings: Settings, cell: Cell, flags: argparse.Namespace) -> RecognitionResults:
    """Train a cell, unless it is finished, and return its results."""
    folder = Path(flags.folder) / '_'.join(map(str, cell))
    if (folder / files.RESULTS).exists():
        return RecognitionResults.read(folder)
    changes = {'protocol.train_subjects': cell.subjects, 'protocol.seed': cell.seed}
    if cell.clips:
        network = has_network(settings.head)
        faces = flags.faces
        if flags.many:
            faces = CONTROL.format(faces=faces, **cell._asdict())
        changes['model.pretrain' if network else 'head.drawn'] = faces
        shared = Path(flags.folder) / f'pretraining_{"_".join(map(str, cell.faces))}'
        if network and shared.exists() and not (folder / files.CONFIG).exists():
            shutil.copytree(shared, folder / files.PRETRAINING, dirs_exist_ok=True)
        run.train_settings(checked(settings, changes), folder)
        if network and not shared.exists():
            shutil.copytree(folder / files.PRETRAINING, shared)
    else:
        run.train_settings(checked(settings, changes), folder)
    # the states of the folds of hundreds of runs would fill a disk
    shutil.rmtree(folder / files.CHECKPOINTS, ignore_errors=True)
    return RecognitionResults.read(folder)


def checked(settings: Settings, changes: dict) -> Settings:
    """Return changed settings that keep all rules."""
    settings = tree.changed(settings, changes)
    rules.check(settings)
    return settings


def configured(name: str, texts: Sequence[str]) -> Settings:
    """Return the settings of a config with flags such as --config.train.epochs=5."""
    config = mj.config(name)
    for text in texts:
        key, _, value = text.removeprefix(SET).partition('=')
        try:
            parsed = ast.literal_eval(value)
        except (SyntaxError, ValueError):
            parsed = value
        config.update_from_flattened_dict({key: parsed})
    return rules.checked(config)


def main(argv: Sequence[str] | None = None) -> None:
    """Train all cells, and print a line for each point of the curves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--name', default='megc2019_sssnet', help='of the config')
    parser.add_argument('--folder', default='runs/drawn_faces')
    parser.add_argument('--faces', default='synthetic_faces/many')
    parser.add_argument('--clips', type=int, nargs='+', default=[0, 150, 500, 2000, 8000])
    parser.add_argument('--drawings', type=int, default=3)
    parser.add_argument('--controls', nargs='+', default=['none'], help='none, units, head')
    parser.add_argument('--subjects', type=int, nargs='+', default=[0], help='0: all')
    parser.add_argument('--subject_draws', type=int, default=10)
    flags, texts = command_line.parse_some(
        parser,
        argv,
        name='synthetic_handcrafted:features=flow,quick',
        folder='drawn_faces',
        faces='synthetic_faces/tiny',
        clips=[0, 24],
        drawings=1,
        subjects=[3],
        subject_draws=1,
    )
    flags.many = not flags.quick
    settings = configured(flags.name, texts)
    uf1 = {}
    for cell in cells(flags):
        results = train(settings, cell, flags)
        uf1[cell] = results.metrics['uf1']
        low, high = results.intervals['uf1'] or (np.nan, np.nan)
        print(f'{cell}: UF1 {uf1[cell]:.3f} [{low:.3f}, {high:.3f}]', flush=True)
    for point in dict.fromkeys((cell.subjects, cell.control, cell.clips) for cell in uf1):
        print(line(point, uf1), flush=True)


def line(point: tuple[int, str, int], uf1: dict[Cell, float]) -> str:
    """Describe a point: the mean over drawings and draws of subjects, and its gain over no drawn
    clip with the same subjects.
    """
    subjects, control, clips = point
    of_point = [cell for cell in uf1 if (cell.subjects, cell.control, cell.clips) == point]
    values = np.array([uf1[cell] for cell in of_point])
    text = (
        f'{subjects or "all"} subjects, {clips} drawn clips, control {control}: UF1 '
        f'{values.mean():.3f} ({values.min():.3f} to {values.max():.3f}, {len(values)} runs)'
    )
    without = [uf1.get(Cell('none', 0, 0, subjects, cell.seed)) for cell in of_point]
    if clips and None not in without:
        gains = values - np.array(without)
        text += f'; gain {gains.mean():+.3f} ({gains.min():+.3f} to {gains.max():+.3f})'
    return text


if __name__ == '__main__':
    main()
