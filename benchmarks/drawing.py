"""Drawn clips a second a core, as before and by synthetic_faces/many, how near the truth each
estimator of flow comes, and what kind of error it makes.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import command_line  # noqa: E402
from mer_jax.preprocess.synthetic import clips, many, published  # noqa: E402
from mer_jax.preprocess.synthetic import exact as errors  # noqa: E402
from tfds_builders.synthetic_faces import synthetic_faces_dataset_builder as builder  # noqa: E402

SEED = 27  # of people that no config draws


def main(argv: Sequence[str] | None = None) -> None:
    """Print clips a second of each way, and lines for each size and estimator."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--people', type=int, default=12)
    parser.add_argument('--clips', type=int, default=published.CLIPS_A_PERSON, help='of each')
    parser.add_argument('--sizes', default='28,56,112,224')
    flags = command_line.parse(parser, argv, rounds=1, people=2, clips=2, sizes='28')
    cv2.setNumThreads(1)
    compare_speed(flags.rounds, flags.clips)
    for distractors in ('none', 'eyes'):
        exact_speed(many.Kind(optical_flow=many.EXACT, distractors=distractors), flags.rounds)
    for size in map(int, flags.sizes.split(',')):
        compare_estimators(size, flags.people, flags.clips)


def compare_speed(rounds: int, count: int) -> None:
    """Print clips a second of processor time, before and after in turn.

    Args:
        rounds: each draws one person with its clips, either way.
        count: clips of a person.
    """
    rates, shares = [], []
    for number in range(rounds):
        before = _seconds(_draw_before, number, count)
        after = _seconds(many.clips_of, many.Kind(), number, count)
        face = _seconds(many.person, many.Kind(), number)
        rates.append(count / np.array([before, after]))
        shares.append(face / after)
    before, after = np.median(rates, 0)
    ratios = [new / old for old, new in rates]
    print(
        f'clips a second a core: {before:.2f} before, {after:.1f} by many; ratio '
        f'{np.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f}); '
        f'{np.median(shares):.0%} of it draws the face at rest',
        flush=True,
    )


def exact_speed(kind: many.Kind, rounds: int) -> None:
    """Print clips a second of processor time without pictures.

    Args:
        kind: of the data set.
        rounds: of 10 people with 8 clips each.
    """
    many.clips_of(kind, 0, 1)
    rates = []
    for round_ in range(rounds):
        seconds = sum(_seconds(many.clips_of, kind, 10 * round_ + n, 8) for n in range(10))
        rates.append(80 / seconds)
    print(
        f'exact, distractors={kind.distractors}: {np.median(rates):.0f} clips a second a core '
        f'({min(rates):.0f} to {max(rates):.0f})',
        flush=True,
    )


def _draw_before(number, count):
    """Records of a person's clips, as the other configs draw and measure them."""
    for index in range(count):
        job = clips.Job(SEED, 1 + number, index, 'happiness', varied=False)
        builder.example(job, kind='default')


def _seconds(function: Callable, *arguments: object) -> float:
    """Seconds of processor time of a call."""
    start = time.process_time()
    function(*arguments)
    return time.process_time() - start


def compare_estimators(size: int, people: int, count: int) -> None:
    """Print how near the truth each estimator comes on the same clips.

    Args:
        size: of the features.
        people: who are drawn.
        count: clips of each.
    """
    drawn = []
    for number in range(people):
        kind = many.Kind(draw=1, size=size, optical_flow='dis')
        drawn += many.clips_of(kind, number, count)
    for method in many.METHODS:
        start = time.process_time()
        fields = [many.features(clip.frames, size=size, method=method) for clip in drawn]
        seconds = time.process_time() - start
        pairs = zip(fields, drawn, strict=True)
        scores = [_score(field[..., :2], clip.displacement) for field, clip in pairs]
        error, correlation = np.mean(scores, 0)
        print(
            f'{size}x{size} {method}: off by {error:.3f} of the motion, correlation '
            f'{correlation:.3f}, {1000 * seconds / len(drawn):.1f} ms a clip',
            flush=True,
        )
        print(f'  {_errors([f[..., :2] for f in fields], [c.displacement for c in drawn])}')
    if size < 128:
        exact = [truth + _model(index, size) for index, truth in enumerate(_truths(drawn))]
        print(f'{size}x{size} exact:\n  {_errors(exact, _truths(drawn))}', flush=True)


def _truths(drawn):
    return [clip.displacement for clip in drawn]


def _model(index, size):
    """The error that `exact` adds."""
    return errors.error(clips.generator(SEED, index), size)


def _errors(fields, truths):
    """What is left of flow, divided by the share of the truth that it sees, as text."""
    flows, truths = (np.array(f) - np.mean(f, (1, 2), keepdims=True) for f in (fields, truths))
    gains = np.sum(flows * truths, (1, 2, 3)) / np.sum(truths**2, (1, 2, 3))
    left = flows / gains[:, None, None, None] - truths
    length, motion = (np.log(np.mean(f**2, (1, 2, 3))) / 2 for f in (left, truths))
    alike = []
    for lag in (1, 2, 3, 4, 6, 8):
        across, down = left[:, :, lag:] * left[:, :, :-lag], left[:, lag:] * left[:, :-lag]
        alike.append(f'{(across.mean() + down.mean()) / 2 / np.mean(left**2):.2f}')
    return (
        f'sees {gains.mean():.2f} of the truth (spread {gains.std():.2f}); error '
        f'{np.exp(length.mean()):.4f} pixels, spread of its logarithm {length.std():.2f}, '
        f'correlation with that of the motion {np.corrcoef(length, motion)[0, 1]:.2f}; alike '
        f'1, 2, 3, 4, 6 and 8 pixels apart {", ".join(alike)}'
    )


def _score(field, truth):
    """Mean error over mean length of the truth, and the mean correlation of u and v with it."""
    error = np.linalg.norm(field - truth, axis=-1).mean() / np.linalg.norm(truth, axis=-1).mean()
    pairs = [(field[..., axis].ravel(), truth[..., axis].ravel()) for axis in (0, 1)]
    return error, np.mean([np.corrcoef(*pair)[0, 1] for pair in pairs])


if __name__ == '__main__':
    main()
