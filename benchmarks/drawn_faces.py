"""What drawn faces are worth: UF1 against how many are drawn, and how many real subjects train.

Each cell is a run of a config, in a folder of its own; cells that are finished are read. A network
is pretrained on the drawn faces, an SVM learns them beside its clips. A pretraining is shared by
all cells with the same faces. --rule scores a rule by the signs of flow, which learns at most one
threshold.
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
from mer_jax.classical.features import centred  # noqa: E402
from mer_jax.evaluation import bootstrap, metrics  # noqa: E402
from mer_jax.experiment import build, run  # noqa: E402
from mer_jax.experiment import settings as rules  # noqa: E402
from mer_jax.report import style  # noqa: E402
from mer_jax.runfiles import files  # noqa: E402
from mer_jax.runfiles.predictions import PredictionTable  # noqa: E402
from mer_jax.runfiles.results import RecognitionResults  # noqa: E402
from mer_jax.settings import tree  # noqa: E402
from mer_jax.settings.sections import Settings  # noqa: E402

SET = '--config.'
CONTROL = '{faces},clips={clips},draw={draw},control={control}'
# Where landmarks of 120 drawn people lie in the mean, pixels of 28: (rows, columns) of the brows,
# the two corners of the mouth and the chin. Fixed before the rule scored any clip.
SIDE = 28
BROWS = ((slice(2, 7), slice(4, 24)),)
CORNERS = ((slice(19, 23), slice(7, 11)), (slice(19, 23), slice(17, 21)))
CHIN = ((slice(24, 28), slice(10, 18)),)
# what counts as movement, in standard deviations of the vertical flow of a clip
THRESHOLDS = (0.0, 0.25, 0.5, 1.0, 1.5)
RULE_CLASSES = ('negative', 'positive', 'surprise')


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
    folder = folder_of(cell, flags)
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


def folder_of(cell: Cell, flags: argparse.Namespace) -> Path:
    """Return the folder of the run of a cell."""
    return Path(flags.folder) / '_'.join(map(str, cell))


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
    parser.add_argument('--rule', action='store_true', help='score the rule, train nothing')
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
    if flags.rule:
        print_rule(settings, Path(flags.folder))
        return
    confusions, datasets = {}, np.zeros(0)
    for cell in cells(flags):
        results = train(settings, cell, flags)
        confusions[cell], datasets = by_subject(PredictionTable.read(folder_of(cell, flags)))
        low, high = results.intervals['uf1'] or (np.nan, np.nan)
        print(f'{cell}: UF1 {results.metrics["uf1"]:.3f} [{low:.3f}, {high:.3f}]', flush=True)
    points = []
    for which in dict.fromkeys((cell.subjects, cell.control, cell.clips) for cell in confusions):
        points.append(measured(which, confusions, datasets))
        print(line(points[-1]), flush=True)
    draw(points, Path(flags.folder) / 'curve.svg')


def by_subject(table: PredictionTable) -> tuple[np.ndarray, np.ndarray]:
    """Return confusions [S, R, K, K] of the subjects and seeds of a run, and their data sets [S].

    Subjects are sorted, so that all runs of a curve have the same order.
    """
    subjects = sorted({(row.dataset, row.subject) for row in table.rows})
    seeds, classes = max(row.seed for row in table.rows) + 1, len(table.classes)
    counts = np.zeros((len(subjects), seeds, classes, classes), int)
    for row in table.rows:
        subject = subjects.index((row.dataset, row.subject))
        label, predicted = table.classes.index(row.label), table.classes.index(row.predicted)
        counts[subject, row.seed, label, predicted] += 1
    return counts, np.array([dataset for dataset, _ in subjects])


class Point(NamedTuple):
    """A point of the curves: all runs with as many subjects and clips."""

    subjects: int
    control: str
    clips: int
    uf1: np.ndarray  # of each run
    interval: list[float]  # of their mean, over tested subjects
    gain: np.ndarray  # of each run over that with its subjects and no drawn clip; [] without one
    gain_interval: list[float]


def measured(
    which: tuple[int, str, int], confusions: dict[Cell, np.ndarray], datasets: np.ndarray
) -> Point:
    """Return a point: its runs differ in drawing and in the draw of training subjects.

    Args:
        which: subjects, control and clips.
        confusions: [S, R, K, K] of each cell.
        datasets: [S], of the subjects.
    """
    subjects, control, clips = which
    of_point = [c for c in confusions if (c.subjects, c.control, c.clips) == which]
    after = np.concatenate([confusions[cell] for cell in of_point], 1)
    interval = metrics.intervals(after, datasets)['uf1']
    without = [Cell('none', 0, 0, subjects, cell.seed) for cell in of_point]
    gains, gain_interval = np.zeros(0), []
    if clips and all(cell in confusions for cell in without):
        before = np.concatenate([confusions[cell] for cell in without], 1)

        def gain(weights: np.ndarray) -> dict[str, np.ndarray]:
            both = metrics.pooled(weights, after), metrics.pooled(weights, before)
            return {'uf1': (uf1(both[0]) - uf1(both[1])).mean(-1)}

        gains = uf1(after.sum(0)) - uf1(before.sum(0))
        gain_interval = bootstrap.intervals(gain, datasets, after.sum((1, 2, 3)))['uf1']
    return Point(*which, uf1(after.sum(0)), interval, gains, gain_interval)


def line(point: Point) -> str:
    """Describe a point in a line."""
    text = (
        f'{point.subjects or "all"} subjects, {point.clips} drawn clips, control {point.control}: '
        f'UF1 {described(point.uf1, point.interval)}'
    )
    if len(point.gain):
        text += f'; gain {described(point.gain, point.gain_interval, "+")}'
    return text


def draw(points: Sequence[Point], path: Path) -> None:
    """Draw UF1 against drawn clips, a line for each number of subjects and each control.

    A bar is the 95 % interval over tested subjects; small dots are the runs.
    """
    with style.saved(path, height=3.4) as figure:
        axes = figure.subplots()
        sizes = sorted({point.clips for point in points})
        lines = list(dict.fromkeys((point.subjects, point.control) for point in points))
        for number, (subjects, control) in enumerate(lines):
            of_line = [p for p in points if (p.subjects, p.control) == (subjects, control)]
            colour = style.COLOURS[number % len(style.COLOURS)]
            x = [sizes.index(p.clips) + 0.08 * (number - (len(lines) - 1) / 2) for p in of_line]
            y = [p.uf1.mean() for p in of_line]
            title = f'{subjects or "all"} subjects'
            if control != 'none':
                title += f', control {control}'
            axes.plot(x, y, 'o-', color=colour, label=title)
            for place, point in zip(x, of_line, strict=True):
                axes.plot([place, place], point.interval, color=colour, linewidth=1)
                axes.plot(
                    np.full(len(point.uf1), place), point.uf1, '.', color=colour, markersize=4
                )
        axes.set_xticks(range(len(sizes)), [f'{size:,}' for size in sizes])
        axes.set(xlabel='drawn clips', ylabel='UF1')
        style.light_grid(axes)
        figure.legend(loc='outside upper left')


def uf1(confusions: np.ndarray) -> np.ndarray:
    """Return UF1 of each of the confusions [..., K, K]."""
    return metrics.measures(confusions)['uf1']


def described(values: np.ndarray, interval: Sequence[float], sign: str = '') -> str:
    """Return a mean with its interval over subjects and its spread over runs."""
    low, high = interval
    spread = f'{values.min():{sign}.3f} to {values.max():{sign}.3f}, {len(values)} runs'
    return f'{values.mean():{sign}.3f} [{low:{sign}.3f}, {high:{sign}.3f}] ({spread})'


def raised(v: np.ndarray) -> np.ndarray:
    """Return how far brows, corners of the mouth and chin move up.

    Args:
        v: [N, 28, 28], flow downwards; stretched or in pixels.

    Returns:
        float[N, 3], in standard deviations of the flow of the clip.
    """
    moved = []
    for flow in v:
        up = -centred(flow)[..., 0]
        means = []
        for boxes in (BROWS, CORNERS, CHIN):
            means.append(np.mean([up[box].mean() for box in boxes]))
        moved.append(means)
    return np.array(moved)


def by_signs(moved: np.ndarray, threshold: float) -> np.ndarray:
    """Name the class of clips by FACS, from which way three regions move.

    Action units 1 and 2 raise the brows and 26 drops the jaw: surprise. 12 raises the corners of
    the mouth: positive. All else is negative: 4 lowers the brows, 15 the corners.

    Args:
        moved: [N, 3], as of `raised`.
        threshold: below which a region is still.

    Returns:
        int[N], index in RULE_CLASSES.
    """
    brows, corners, chin = np.where(np.abs(moved) > threshold, np.sign(moved), 0).T
    surprise = (brows > 0) | ((brows == 0) & (chin < 0))
    return np.where(surprise, 2, np.where(corners > 0, 1, 0))


def print_rule(settings: Settings, folder: Path) -> None:
    """Print UF1 of the rule, by signs alone and with a threshold fitted to training rows."""
    experiment = build.experiment(settings, folder)
    samples, folds = experiment.data.samples, experiment.folds
    if experiment.data.names.classes != RULE_CLASSES or samples.image.shape[1] != SIDE:
        sys.exit(f'--rule wants {SIDE}x{SIDE} pixels and the classes {", ".join(RULE_CLASSES)}')
    v = samples.image[..., settings.data.channels.split(',').index('v')]
    moved, label = raised(v), np.asarray(samples.label)
    answers = np.stack([by_signs(moved, threshold) for threshold in THRESHOLDS])
    fitted = np.zeros_like(label)
    chosen = []
    for fold in range(len(folds.fold)):
        train = folds.train.index[fold][folds.train.mask[fold] > 0]
        test = folds.test.index[fold][folds.test.mask[fold] > 0]
        counts = [metrics.confusion(label[train], a[train], classes=3) for a in answers]
        best = int(np.argmax(uf1(np.stack(counts))))
        chosen.append(THRESHOLDS[best])
        fitted[test] = answers[best][test]
    _, first, subject = np.unique(samples.subject, return_index=True, return_inverse=True)
    for title, predicted in (('signs alone', answers[0]), ('fitted threshold', fitted)):
        counts = metrics.confusions(label, predicted, subject, groups=len(first), classes=3)
        low, high = metrics.intervals(counts[:, None], samples.dataset[first])['uf1']
        print(f'rule, {title}: UF1 {uf1(counts.sum(0)):.3f} [{low:.3f}, {high:.3f}]')
    counts = {threshold: chosen.count(threshold) for threshold in sorted(set(chosen))}
    print(f'folds that chose each threshold: {counts}')


if __name__ == '__main__':
    main()
