"""At how many pixels action units are detected: F1 of the same drawn clips at several sizes.

Each size is a run of synthetic_action_units, in a folder of its own; runs that are finished are
read. Sizes are compared in pairs, with intervals over subjects.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import command_line  # noqa: E402
from benchmarks.drawn_faces import configured  # noqa: E402
from mer_jax.experiment import run  # noqa: E402
from mer_jax.runfiles import files  # noqa: E402
from mer_jax.settings.sections import Settings  # noqa: E402
from mer_jax.studies import compare, compare_units  # noqa: E402

CONFIG = '--config.'
GROUPED = (f'{CONFIG}protocol.name=kfold', f'{CONFIG}protocol.folds=5')
# what detects -> config and settings; one value of cost and gamma, so that size alone differs
DETECTORS = {
    'svm': (
        'synthetic_action_units:head=svm',
        (
            f'{CONFIG}head.features=gradient+motion',
            f'{CONFIG}head.cost=(2.0,)',
            f'{CONFIG}head.gamma=(0.5,)',
            f'{CONFIG}head.mirror=False',
        ),
    ),
    'net': (
        'synthetic_action_units',
        (
            f'{CONFIG}model.name=ststnet',
            f'{CONFIG}train.epochs=40',
            f'{CONFIG}train.batch_size=32',
            f'{CONFIG}train.optimizer=adam',
            f'{CONFIG}train.learning_rate=1e-3',
            f'{CONFIG}train.at_once=1',
            f'{CONFIG}train.lowering=matmul',
        ),
    ),
}


def settings_of(flags: argparse.Namespace, flow: str, size: int, texts: list[str]) -> Settings:
    """Return the settings of one run."""
    name, changes = DETECTORS[flags.detector]
    faces = f'synthetic_faces/many,clips={flags.clips},size={size},optical_flow={flow}'
    if flags.quick:
        faces = 'synthetic_faces/tiny'
    inputs = (f'{CONFIG}data.name={faces}', f'{CONFIG}data.size={size}')
    return configured(name, (*GROUPED, *changes, *inputs, *texts))


def main(argv: Sequence[str] | None = None) -> None:
    """Train all sizes, and print F1 and its difference to the first size, also by unit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--folder', default='runs/unit_sizes')
    parser.add_argument('--detector', default='svm', choices=DETECTORS)
    parser.add_argument('--clips', type=int, default=600)
    parser.add_argument('--sizes', type=int, nargs='+', default=[28, 56, 112, 224])
    parser.add_argument('--flow', nargs='+', default=['tvl1_short', 'exact'])
    flags, texts = command_line.parse_some(
        parser, argv, folder='unit_sizes', sizes=[14, 28], flow=['tiny']
    )
    for flow in flags.flow:
        folders = []
        for size in flags.sizes:
            folders.append(Path(flags.folder) / f'{flags.detector}_{flow}_{size}')
            if not (folders[-1] / files.RESULTS).exists():
                run.train_settings(settings_of(flags, flow, size, texts), folders[-1])
        runs = compare.read(folders)
        names = [str(size) for size in flags.sizes]
        for row in compare_units.group(flow, runs, names, runs[0])['runs']:
            print(f'{flags.detector}, {flow}, {described(row)}', flush=True)


def described(row: dict) -> str:
    """Return a line of the means of a run, and one of F1 of each unit."""
    values = []
    for metric, title in (('f1', 'F1'), ('average_precision', 'AP')):
        low, high = row['intervals'][metric]
        values.append(f'{title} {row["metrics"][metric]:.3f} [{low:.3f}, {high:.3f}]')
        if row['against']:
            values.append(_difference(row['against'][metric]))
    of_units = []
    for block in row['per_unit']:
        if block['f1'] is None:
            continue
        of_units.append(f'{block["unit"]} {block["f1"]:.3f}')
        if row['against']:
            of_units[-1] += ' ' + _difference(row['against']['per_unit'][block['unit']]['f1'])
    return f'{row["system"]} pixels: {", ".join(values)}\n  {", ".join(of_units)}'


def _difference(test: dict) -> str:
    """Return a difference with its interval and p, corrected for the number of tests."""
    low, high = test['interval'] or (float('nan'), float('nan'))
    return f'({test["difference"]:+.3f} [{low:+.3f}, {high:+.3f}], p {test["holm"]:.3f})'


if __name__ == '__main__':
    main()
