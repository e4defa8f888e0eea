"""Whether the maps of a trained network point at what moves: peaks of AU-CAM against true motion.

  python benchmarks/explanation.py [--config=synthetic_dualbranch] [--config.KEY=VALUE ...]
                                   [--workdir=runs/explanation] [--quick]

Trains the run (or takes it, where it is finished), and the same with no epoch at all. In each half
of a drawn face that moves by LEAST pixels or more, the region is the fifth of the half that truly
moves most (head motion taken out). A map hits where its largest value lies in the region; chance is
the region's share, one fifth. Intervals: bootstrap over subjects, paired.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import cv2  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow_datasets as tfds  # noqa: E402

import tfds_builders  # noqa: E402, F401, registers the data sets
from benchmarks import command_line  # noqa: E402
from mer_jax import cli  # noqa: E402
from mer_jax.data import Record  # noqa: E402
from mer_jax.preprocess import flow  # noqa: E402
from mer_jax.runfiles import files  # noqa: E402
from mer_jax.runfiles.config import RunConfig  # noqa: E402

LEAST = 0.5  # pixels of the stored face, 128 pixels a side
SHARE = 0.2


def region(displacement: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """(largest true motion in pixels, bool[2, size / 2, size]): the fifth of each half that moves
    most.
    """
    length = flow.magnitude(flow.without_head(displacement))
    small = cv2.resize(length, (size, size), interpolation=cv2.INTER_AREA).reshape(
        2, size // 2, size
    )
    edges = np.quantile(small, 1 - SHARE, axis=(1, 2), keepdims=True)
    return length.reshape(2, -1).max(1), small > edges


def hits(maps: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """bool[2]: whether the largest value of each half of maps [H, W] lies inside; never where all
    values are equal.
    """
    halves = maps.reshape(2, -1).astype(np.float32)
    at = halves.argmax(1)
    return inside.reshape(2, -1)[[0, 1], at] & (np.ptp(halves, axis=1) > 0)


def explained(arguments: Sequence[str], folder: str) -> dict[str, np.ndarray]:
    """maps.npz of a run, trained and explained where it is not yet."""
    for verb in ('train', 'explain'):
        if code := cli.main([verb, *arguments, f'--workdir={folder}']):
            sys.exit(code)
    with np.load(Path(folder) / files.EXPLAIN / 'maps.npz') as stored:
        return {name: stored[name] for name in stored.files}


def motions(folder: str) -> dict[str, Record]:
    """{clip: record} of the data set that the run in `folder` was trained on."""
    data = RunConfig.read(folder).settings['data']
    records = tfds.data_source(data['name'], split='train', data_dir=data['data_dir'] or None)
    return {record['clip'].decode(): record for record in records}


def interval(
    values: np.ndarray, subjects: np.ndarray, draws: int = 2000
) -> tuple[float, np.ndarray]:
    """(mean, [low, high]): 95 % by drawing subjects, all their halves together."""
    names, place = np.unique(subjects, return_inverse=True)
    total, count = np.bincount(place, values), np.bincount(place)
    drawn = np.random.default_rng(0).integers(0, len(names), (draws, len(names)))
    means = total[drawn].sum(1) / count[drawn].sum(1)
    return values.mean(), np.quantile(means, (0.025, 0.975))


def table(maps: dict[str, np.ndarray], subjects: np.ndarray) -> None:
    """Print the share of hits of each map and its lead over the others."""
    for name, values in maps.items():
        mean, (low, high) = interval(values, subjects)
        print(f'{name:34} {mean:.3f} [{low:.3f}, {high:.3f}]')
    trained = maps['AU-CAM, trained']
    for name, other in [
        ('chance (share of the area)', SHARE),
        ('AU-CAM, untrained', maps['AU-CAM, untrained']),
    ]:
        mean, (low, high) = interval(trained - other, subjects)
        print(f'AU-CAM, trained, over {name:28} {mean:+.3f} [{low:+.3f}, {high:+.3f}]')


def main(argv: Sequence[str] | None = None) -> None:
    """Measure one config."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--config', default='synthetic_dualbranch')
    parser.add_argument('--workdir', default='runs/explanation')
    flags, settings = command_line.parse_some(
        parser,
        argv,
        config='synthetic_dualbranch:quick,ablation=sb',
        workdir='runs/explanation-quick',
    )
    quick = command_line.QUICK_RUN if flags.quick else []
    arguments = [f'--config={flags.config}', *quick, *settings]
    trained = explained(arguments, flags.workdir)
    untrained = explained([*arguments, '--config.train.epochs=0'], f'{flags.workdir}-untrained')
    of_clip = motions(flags.workdir)
    size, rows = trained['au_cam'].shape[1], []
    for number, clip in enumerate(trained['clip']):
        record = of_clip[clip]
        most, inside = region(record['displacement'], size)
        on_a = cv2.resize(record['image'][..., 1], (size, size), interpolation=cv2.INTER_AREA)
        maps = [
            trained['au_cam'][number],
            untrained['au_cam'][number],
            trained['grad_cam'][number],
            on_a,
        ]
        points = np.array([hits(values, inside) for values in maps], float)
        rows += [(record['subject'], *points[:, half]) for half in (0, 1) if most[half] >= LEAST]
    subjects, *columns = zip(*rows, strict=True)
    print(
        f'{len(rows)} halves of {len(trained["clip"])} clips move by {LEAST} pixels or more; '
        f'hits (chance {SHARE})'
    )
    table(
        dict(
            zip(
                ('AU-CAM, trained', 'AU-CAM, untrained', 'Grad-CAM, trained', 'On-A itself'),
                map(np.array, columns),
                strict=True,
            )
        ),
        np.array(subjects),
    )


if __name__ == '__main__':
    main(sys.argv[1:])
