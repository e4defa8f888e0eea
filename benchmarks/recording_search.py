"""Search of long recordings of drawn faces: intervals, apexes and false alarms, beside a plain
threshold on motion; speed.
"""

import argparse
import itertools
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

import cv2  # noqa: E402
import numpy as np  # noqa: E402
from joblib import Parallel, delayed  # noqa: E402

from benchmarks import command_line  # noqa: E402
from mer_jax import machine  # noqa: E402
from mer_jax.evaluation import intervals  # noqa: E402
from mer_jax.prediction import answers, candidates, motion  # noqa: E402
from mer_jax.prediction.clips import ClipFrames  # noqa: E402
from tests.support import drawn_recordings  # noqa: E402
from tests.support.fake_raw import pictures  # noqa: E402
from tfds_builders.clip import KeyFrames  # noqa: E402
from tfds_builders.videos import Frame  # noqa: E402

LAGS = (40.0, 100.0, 200.0)  # ms between the frames that a plain threshold compares
JOINED = 100.0  # ms between two runs above a plain threshold that are one
USUAL = 350.0  # ms from onset to offset round a peak above a plain threshold
MEASURES = ('difference', 'flow', 'face')
SMALL = 96  # side of the frames whose difference is taken


class Curve(NamedTuple):
    """A plain measure of motion over time, for each of LAGS."""

    ms: np.ndarray  # float[T]
    lags: tuple[np.ndarray, ...]  # float[T] each


class Recording(NamedTuple):
    """What was searched in one recording; numbers of frames."""

    fps: float
    minutes: float
    true: list[tuple[int, int, int]]
    during_blink: list[bool]  # of each of `true`
    candidates: list[candidates.Candidate]
    difference: Curve  # mean absolute difference of frames
    flow: Curve  # mean length of the flow, the head's motion included
    face: Curve  # the same over the face, the head's motion removed
    classes: list[tuple[str, str]]  # (shown, predicted) of each hit, where a model is given


def searched(seed: int, fps: float, seconds: float, *, still: bool, model: str = '') -> Recording:
    """Draw a recording and search it.

    Args:
        seed: of the person and the movements.
        fps: frames a second.
        seconds: how long it is.
        still: without expressions.
        model: folder of a run whose classes are the emotions of drawn faces; '': none.
    """
    cv2.setNumThreads(1)
    micro = max(round(7 * seconds / 60), 1)
    plan = drawn_recordings.plan(seed, seconds, micro=micro, slow=round(seconds / 60))
    plan = drawn_recordings.still(plan) if still else plan
    state, results, small = candidates.init(), [], []
    ms, cells, faces = [], [], []
    for frame in drawn_recordings.frames(plan, fps):
        state, certain = candidates.step(state, Frame(*frame))
        results += certain
        if state.samples and (not ms or state.samples[-1].ms > ms[-1]):
            sample = state.samples[-1]
            ms.append(sample.ms)
            cells.append(sample.cells + motion.head_cells(sample.head))
            faces.append(sample.cells[state.track.place.inside])
            small.append(cv2.resize(frame[2], (SMALL, SMALL), interpolation=cv2.INTER_AREA))
    results += candidates.finish(state)
    times = np.array(ms)
    true = drawn_recordings.micro(plan, fps)
    classes = _classes(model, plan, fps, true, results) if model else []
    return Recording(
        fps=fps,
        minutes=seconds / 60,
        true=true,
        during_blink=drawn_recordings.during_blink(plan),
        candidates=results,
        difference=_plain(times, small, _difference),
        flow=_plain(times, cells, _length),
        face=_plain(times, faces, _length),
        classes=classes,
    )


def _classes(
    model: str,
    plan: drawn_recordings.Plan,
    fps: float,
    true: list[tuple[int, int, int]],
    spotted: list[candidates.Candidate],
) -> list[tuple[str, str]]:
    """(shown, predicted) class of each hit; the clip is the candidate, not the truth."""
    ends = np.array([(each.onset, each.offset) for each in spotted])
    pairs = intervals.matches([(onset, offset) for onset, _, offset in true], ends).pairs
    emotions = [event.emotion for event in plan.events if event.kind == 'micro']
    hits = {spotted[number]: emotions[position] for position, number in pairs}
    wanted = {number for hit in hits for number in range(hit.onset, hit.offset + 1)}
    drawn = drawn_recordings.frames(plan, fps)
    frames = {number: gray for number, _, gray in drawn if number in wanted}
    trained, classes = answers.opened(model), []
    for hit, shown in hits.items():
        keys = KeyFrames(hit.onset, hit.apex, hit.offset)
        of_clip = {number: frames[number] for number in range(hit.onset, hit.offset + 1)}
        clip = ClipFrames(keys, of_clip, {}, hit.strength)
        scores = answers.of_clip(trained, clip, name=f'person {plan.seed}').clip.scores
        classes.append((shown, max(scores, key=scores.__getitem__)))
    return classes


def _difference(before: np.ndarray, after: np.ndarray) -> float:
    return float(cv2.absdiff(before, after).mean())


def _length(before: np.ndarray, after: np.ndarray) -> float:
    return float(np.linalg.norm(after - before, axis=-1).mean())


def _plain(
    ms: np.ndarray, frames: Sequence[np.ndarray], between: Callable[[np.ndarray, np.ndarray], float]
) -> Curve:
    """How much each frame differs from that of a lag before."""
    lags = []
    for lag in LAGS:
        before = np.maximum(np.searchsorted(ms, ms - lag + 1), 0)
        pairs = zip(before, range(len(ms)), strict=True)
        lags.append(np.array([between(frames[first], frames[last]) for first, last in pairs]))
    return Curve(ms, tuple(lags))


def runs(ms: np.ndarray, values: np.ndarray, threshold: float, lag: float) -> np.ndarray:
    """Onset and offset in ms, [n, 2], of the runs above a threshold of at most half a second."""
    spans: list[list[float]] = []
    for time_of, value in zip(ms, values, strict=True):
        if value < threshold:
            continue
        if spans and time_of - spans[-1][1] <= JOINED:
            spans[-1][1] = time_of
        else:
            spans.append([time_of, time_of])
    ends = ((first, max(last - lag, first)) for first, last in spans)
    return np.array([end for end in ends if end[1] - end[0] <= 500]).reshape(-1, 2)


def peaks(ms: np.ndarray, values: np.ndarray, threshold: float, lag: float) -> np.ndarray:
    """Onset and offset in ms, [n, 2]: USUAL round each peak above a threshold."""
    middles = []
    for index in np.flatnonzero(values >= threshold):
        if values[index] == values[np.abs(ms - ms[index]) <= USUAL].max():
            middles.append(ms[index] - lag / 2)
    middle = np.array(middles)
    return np.maximum(np.stack([middle - USUAL / 2, middle + USUAL / 2], -1), 0)


def best_threshold(recordings: Sequence[Recording], measure: str) -> intervals.Counts:
    """Counts of a plain threshold: the threshold, lag and way that are best on these recordings."""
    best = intervals.Counts(0, 0, 1)
    ways = itertools.product(range(len(LAGS)), (runs, peaks), np.linspace(0.5, 0.998, 34))
    for index, way, share in ways:
        counts = []
        for recording in recordings:
            curve = getattr(recording, measure)
            values = curve.lags[index]
            spans = way(curve.ms, values, float(np.quantile(values, share)), LAGS[index])
            counts.append(_matches(recording, np.rint(spans * recording.fps / 1000)).counts)
        total = intervals.added(counts)
        if f1(total) > f1(best):
            best = total
    return best


def f1(counts: intervals.Counts) -> float:
    """F1 of counts, 0 where there is none."""
    return 2 * counts.tp / max(2 * counts.tp + counts.fp + counts.fn, 1)


def _matches(recording: Recording, spotted: np.ndarray) -> intervals.Matches:
    true = [(onset, offset) for onset, _, offset in recording.true]
    return intervals.matches(true, spotted)


def line(recordings: Sequence[Recording]) -> str:
    """A row of the table."""
    counts, errors, blinking = [], [], [0, 0]
    for recording in recordings:
        spotted = np.array([(each.onset, each.offset) for each in recording.candidates])
        matched = _matches(recording, spotted)
        counts.append(matched.counts)
        for true, number in matched.pairs:
            off = recording.candidates[number].apex - recording.true[true][1]
            errors.append(abs(off) * 1000 / recording.fps)
            blinking[0] += recording.during_blink[true]
        blinking[1] += sum(recording.during_blink)
    total = intervals.added(counts)
    scores = intervals.precision_recall_f1(total)
    plain = [f1(best_threshold(recordings, measure)) for measure in MEASURES]
    error = f'{np.mean(errors):.0f} ms' if errors else '-'
    return (
        f'| {recordings[0].fps:g} | {total.tp + total.fn} | {scores.precision:.2f} | '
        f'{scores.recall:.2f} | {scores.f1:.2f} | {error} | {blinking[0]} of {blinking[1]} | '
        f'{plain[0]:.2f} | {plain[1]:.2f} | {plain[2]:.2f} |'
    )


def right(recordings: Sequence[Recording]) -> str:
    """How many hits have the class that was drawn."""
    pairs = [pair for recording in recordings for pair in recording.classes]
    count = sum(shown == predicted for shown, predicted in pairs)
    usual = Counter(shown for shown, _ in pairs).most_common(1)[0][1]
    return f'{count} of {len(pairs)} hits (the most frequent class: {usual})'


def alarms(recordings: Sequence[Recording]) -> str:
    """False alarms of still faces."""
    count = sum(len(recording.candidates) for recording in recordings)
    minutes = sum(recording.minutes for recording in recordings)
    return f'{count} in {minutes:g} minutes at {recordings[0].fps:g} frames a second'


def clip(length: int) -> list[Frame]:
    """Frames of 640x480 of a face that moves once, at 100 frames a second."""
    middle = length // 2 + 1
    frames = []
    for number in range(length):
        strength = pictures.strength(number + 1, 1, middle, length)
        gray = pictures.moving_face(
            0, (480, 640), emotion='surprise', strength=strength, channels=1
        )
        frames.append(Frame(number, 10.0 * number, gray))
    return frames


def run(frames: Iterable[Frame]) -> float:
    """Processor seconds that the search of frames takes."""
    start, state = time.process_time(), candidates.init()
    for frame in frames:
        state, _ = candidates.step(state, frame)
    candidates.finish(state)
    return time.process_time() - start


def main(argv: Sequence[str] | None = None) -> None:
    """Print a table by frame rate, false alarms of still faces, and the speed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--seeds', default='101,102,103,104,105,106', help='of the recordings')
    parser.add_argument('--fps', default='100,30,60,200')
    parser.add_argument('--seconds', type=float, default=60.0, help='of a recording')
    parser.add_argument('--frames', type=int, default=200, help='of the clip for speed')
    parser.add_argument('--jobs', type=int, default=machine.cores())
    parser.add_argument('--model', default='', help='folder of a run, for the classes of hits')
    flags = command_line.parse(parser, argv, seeds='101', fps='30', seconds=3.0, frames=20, jobs=1)
    seeds = [int(seed) for seed in flags.seeds.split(',')]
    rates = [float(rate) for rate in flags.fps.split(',')]
    pool = Parallel(flags.jobs)
    work = delayed(searched)
    print(f'drawn faces, {len(seeds)} persons, {flags.seconds:g} s each')
    print(
        '| fps | expressions | precision | recall | F1 | apex off by | during a blink | '
        'F1 of a threshold on frame difference | on flow | on flow without the head |'
    )
    print('|---|---|---|---|---|---|---|---|---|---|')
    moving = []
    for rate in rates:
        jobs = [work(seed, rate, flags.seconds, still=False, model=flags.model) for seed in seeds]
        moving.append(pool(jobs))
        print(line(moving[-1]), flush=True)
    if flags.model:
        for rate, recordings in zip(rates, moving, strict=True):
            print(f'class of the hits at {rate:g} frames a second: {right(recordings)}', flush=True)
    still = pool(work(seed, rates[0], flags.seconds, still=True) for seed in seeds)
    print(f'drawn faces without expressions, false alarms: {alarms(still)}', flush=True)
    frames = clip(flags.frames)
    seconds = run(frames)
    print(f'{flags.frames} frames of 640x480 searched in {seconds:.2f} s of processor time')


if __name__ == '__main__':
    main()
