"""How near estimated apexes are to the truth of drawn clips, and what they cost.

Two drawings: the clips of synthetic_faces, and the expressions of drawn recordings, with blinks,
nods, turns and slow light, at several frame rates. `mean` and `registered` are the values of the
setting `apex_by`. Then records of the input `flow` a second of one core's time.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from scipy import stats  # noqa: E402

from benchmarks import building, command_line  # noqa: E402
from mer_jax.preprocess import face, flow  # noqa: E402
from mer_jax.preprocess.synthetic import clips, emotions  # noqa: E402
from tests.support import drawn_recordings  # noqa: E402
from tfds_builders import inputs  # noqa: E402

WAYS = {
    'mean': partial(flow.strongest, steady=True),
    'mean of DIS': partial(flow.strongest, method='dis', steady=True),
    'registered': flow.apex,
    'middle': lambda onset, frames: (len(frames) + 1) // 2 - 1,
}
SEED = 11  # of all people; `registered` was chosen on others, of seed 7
NEAR = 0.02  # seconds: an apex as near counts as right


class Case(NamedTuple):
    """A clip from onset to offset."""

    frames: np.ndarray  # uint8[T, 128, 128]
    apex: int  # index of the true one


def film(person: int, *, varied: bool = False, head: float = 1, noise: float = 1) -> Case:
    """Draw a clip of a person as synthetic_faces does.

    Args:
        person: number of the person.
        varied: 200 frames a second, apexes as uneven as those of CASME II; else 100.
        head: times as far as usual that its head moves.
        noise: times the usual camera noise.
    """
    subject = clips.person(SEED, person)
    style = subject.style
    style = style._replace(
        shift=head * style.shift, turn=head * style.turn, noise=noise * style.noise
    )
    emotion = emotions.EMOTIONS[person % len(emotions.EMOTIONS)]
    clip = clips.make(SEED, person, 0, emotion, subject._replace(style=style), varied=varied)
    first, last = clip.onset - clip.first_frame, clip.offset - clip.first_frame
    return Case(clip.frames[first : last + 1], clip.apex - clip.onset)


def record(person: int, *, fps: float, size: int = 128) -> Case:
    """Draw the expression of a short recording, cut to `size` pixels."""
    plan = drawn_recordings.plan(1000 * SEED + person, 2.6, micro=1, slow=0, closures=5)
    [(onset, apex, offset)] = drawn_recordings.micro(plan, fps)
    shown = []
    for number, _, frame in drawn_recordings.frames(plan, fps):
        if number >= onset:
            shown.append(frame)
        if number == offset:
            break
    crop = face.find(shown[0], size=size, cropped=True)
    return Case(np.stack([face.cut(frame, crop) for frame in shown]), apex - onset)


# name -> (frames a second, how a clip of a person is drawn)
CONDITIONS: dict[str, tuple[float, Callable[[int], Case]]] = {
    'recordings, 30 fps': (30, partial(record, fps=30)),
    'clips, 100 fps': (100, film),
    'recordings, 100 fps': (100, partial(record, fps=100)),
    'clips, 200 fps': (200, partial(film, varied=True)),
    'clips, head x 3': (100, partial(film, head=3)),
    'clips, noise x 2': (100, partial(film, noise=2)),
    'recordings, 200 fps': (200, partial(record, fps=200)),
    'recordings, 100 fps, 224 pixels': (100, partial(record, fps=100, size=224)),
}


def errors(
    draw: Callable[[int], Case], people: int, ways: Sequence[str], step: int
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """Return {way: frames off the true apex, of each person} and {way: ms a frame}.

    Args:
        draw: draws the clip of a person.
        people: how many.
        ways: keys of WAYS.
        step: each so many-th frame is looked at.
    """
    off = {way: [] for way in ways}
    seconds, count = dict.fromkeys(ways, 0.0), 0
    for person in range(1, people + 1):
        case = draw(person)
        onset, *others = case.frames[::step]
        count += len(others)
        for way in ways:
            start = time.process_time()
            found = step * (WAYS[way](onset, others) + 1)
            seconds[way] += time.process_time() - start
            off[way].append(found - case.apex)
    return (
        {way: np.array(values) for way, values in off.items()},
        {way: 1000 * total / count for way, total in seconds.items()},
    )


def lines(
    name: str, fps: float, off: dict[str, np.ndarray], costs: dict[str, float]
) -> Iterator[str]:
    """Yield a line for each way, with its error less that of the first way.

    Args:
        name: of the condition.
        fps: frames a second.
        off: frames off the true apex by way, of each person.
        costs: ms a frame by way.
    """
    first = next(iter(off))
    for way, values in off.items():
        error = np.abs(values)
        text = (
            f'{name} | {way} | off by {error.mean():.2f} frames | within {1000 * NEAR:g} ms '
            f'{np.mean(error / fps <= NEAR + 1e-9):.2f} | {costs[way]:.1f} ms a frame'
        )
        if way != first:
            less = error - np.abs(off[first])
            half = stats.t.ppf(0.975, max(len(less) - 1, 1)) * stats.sem(less)
            apart = np.abs(values - off[first])
            text += (
                f' | against {first} {less.mean():+.2f} [{less.mean() - half:+.2f}, '
                f'{less.mean() + half:+.2f}] | {apart.mean():.1f} frames from its answer'
            )
        yield text


def speeds(count: int, length: int, rounds: int) -> dict[str, float]:
    """Return {apex: records of `flow` a second of one core}, in turn.

    Args:
        count: of made-up clips, 280x340 in colour.
        length: frames of each.
        rounds: the median of them counts.
    """
    allowed = inputs.options_of('flow', colour=True)
    options = {name: values[0] for name, values in allowed.items()}
    seconds = {way: [] for way in ('annotated', *inputs.APEX_BY)}
    with tempfile.TemporaryDirectory() as folder:
        annotated = building.write(folder, count, length)
        for _ in range(rounds):
            for way, of_rounds in seconds.items():
                start = time.process_time()
                for clip in annotated:
                    inputs.make(
                        clip if way == 'annotated' else clip._replace(apex=-1),
                        kind='flow',
                        options={**options, 'apex_by': way},
                        files={'landmarks': '', 'detector': '', 'magnet': ''},
                    )
                of_rounds.append((time.process_time() - start) / count)
    return {way: 1 / statistics.median(values) for way, values in seconds.items()}


def main(argv: Sequence[str] | None = None) -> None:
    """Print errors by condition and way, then the speed of building."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--people', type=int, default=8, help='of each condition, a clip each')
    parser.add_argument('--conditions', default='', help='a part of the names of those to look at')
    parser.add_argument('--ways', default=','.join(WAYS), help='the first is compared with')
    parser.add_argument(
        '--step', type=int, default=1, help='each so many-th frame is looked at, in less time'
    )
    parser.add_argument('--clips', type=int, default=3, help='of the speed of building')
    parser.add_argument('--length', type=int, default=34, help='frames a clip, as those of SMIC')
    parser.add_argument('--rounds', type=int, default=2)
    flags = command_line.parse(
        parser,
        argv,
        people=2,
        conditions='noise',
        ways='registered,middle',
        clips=1,
        length=3,
        rounds=1,
    )
    cv2.setNumThreads(1)
    for name, (fps, draw) in CONDITIONS.items():
        if flags.conditions not in name:
            continue
        off, costs = errors(draw, flags.people, flags.ways.split(','), flags.step)
        print(*lines(name, fps, off, costs), sep='\n', flush=True)
    if not flags.clips:
        return
    for way, speed in speeds(flags.clips, flags.length, flags.rounds).items():
        print(f'apex {way}: {speed:.2f} clips of {flags.length} frames a second of one core')


if __name__ == '__main__':
    main()
