"""Candidates for micro-expressions in a recording of any length.

`init`, `step` for every frame, `finish`: a stream works as well as a file, in bounded memory. All
times are in milliseconds, so that 30 and 200 frames a second behave alike.

What is looked for is a motion of the face that comes and goes again: at its apex a cell of the face
has moved both against SPAN ms before and against SPAN ms after. This is the idea of the baselines
of the MEGC challenges (MDMD: Wang, Wu, Qian, Li, Fu 2016; He, Wang, Li, Yap 2020), which compare a
frame with those at both ends of a window. It passes over slow changes: light, drift of the head,
expressions that stay.

- Each cell counts in multiples of its usual motion in the still parts of the recording, plus what
  the head leaves: a nod or turn is not quite affine over a face.
- A blink moves the lids more than all else. While the lids do, the cells about the eyes do not
  count; the mouth and the forehead do. So movement of the lids alone (action units 5, 7, 43 to 46)
  is never a candidate, nor a movement of the brows during a blink unless it reaches the forehead.
- The curve of a candidate is the motion of its cells along their direction at the apex. The
  triangle that fits it best gives onset and offset.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from mer_jax.prediction import motion
from mer_jax.runfiles.prediction_file import CANDIDATE
from tfds_builders.videos import Frame

SPAN = 320.0  # ms on either side of an apex
SMOOTH = 20.0  # ms, standard deviation over time
EDGE = 600.0  # ms on either side of an apex that its triangle is fitted to
MOST = 520.0  # ms that a side of a triangle may last
STEP = 20.0  # ms between the onsets that are tried, and the offsets
SHORTEST = 60.0  # ms from onset to apex, and from apex to offset
APART = 200.0  # ms between two apexes
LATER = EDGE + MOST  # ms that must follow an apex before it is judged
CHUNK = 2_000.0  # ms that are searched at a time
WARM = 8_000.0  # ms that the noise floor is first taken from
WINDOW = 250.0  # ms of a window of the noise floor
WINDOWS = 240  # of them that count
STILL = 0.4  # quantile of the windows that is a still part of the recording
FEW = 16  # windows: a clip as short may have no still part
# The noise of a cell over its jitter from frame to frame, and the floor of the face, as they are in
# drawn recordings of a minute: they stand in for a still part.
OF_JITTER = 0.8
USUAL_FLOOR = 1.0
LEAST_NOISE = 0.02  # pixels of a cell
LEAST_FLOOR = 0.5  # multiples of a cell's noise
CELLS = 16  # cells whose mean is the motion of the face
EYE_CELLS = 4  # and of the lids
LEFT_BY_HEAD = 0.05  # share of the head's motion that may be left in a cell
LIDS = 1.8  # a blink moves the lids so many times as much as the face
LOOK_AGAIN = 250.0  # ms after a frame without a face
CLOSED = 60.0  # ms before and after a blink
ROUND_EYES = 2  # cells round the eyes that a blink moves
CURVE = 100.0  # ms between the points of the curve of motion


@dataclass(frozen=True)
class Options:
    """How candidates are searched."""

    rate: float = 60.0  # frames a second that are looked at, at most
    threshold: float = CANDIDATE  # least strength, in multiples of the noise floor
    longest: float = 500.0  # ms from onset to offset
    fit: float = 0.5  # least share of the curve's variance that its triangle explains


class Candidate(NamedTuple):
    """What may be a micro-expression; numbers of frames."""

    onset: int
    apex: int
    offset: int
    strength: float  # peak of the motion, in multiples of the recording's noise floor


class Sample(NamedTuple):
    """The motion at one frame, since the track began."""

    ms: float
    cells: np.ndarray  # float32[CELLS, CELLS, 2] pixels
    head: np.ndarray  # float64[2, 3]


class Noise(NamedTuple):
    """What windows of the recording are like, the last WINDOWS of them."""

    cells: tuple[np.ndarray, ...] = ()  # motion of each cell, float32[CELLS, CELLS]
    peaks: tuple[float, ...] = ()  # of the face, in multiples of the cells' noise


class State(NamedTuple):
    """All that a search keeps; bounded but for `curve`, ten numbers a second."""

    options: Options
    track: motion.Track | None = None
    samples: tuple[Sample, ...] = ()
    frames: tuple[tuple[int, float], ...] = ()  # number and ms, as far back as `samples`
    searched: float = -np.inf  # ms up to which apexes were judged
    noise: Noise = Noise()
    look: float = -np.inf  # ms from which a face is looked for, where there is none
    last: Candidate | None = None
    curve: tuple[tuple[float, float], ...] = ()  # ms, motion in multiples of the noise floor
    detector: str = ''  # path of the weights of MTCNN; '': Haar


def init(options: Options | None = None, detector: str = '') -> State:
    """Begin a search.

    Args:
        options: None: the defaults.
        detector: path of the weights of MTCNN; '': Haar.
    """
    return State(options or Options(), detector=detector)


def step(state: State, frame: Frame) -> tuple[State, list[Candidate]]:
    """Look at the next frame.

    Args:
        state: as of the frame before.
        frame: the next one, with a time.

    Returns:
        The new state, and the candidates that are certain by now: some seconds behind the frame.
    """
    state = state._replace(frames=(*state.frames, (frame.number, frame.ms)))
    if state.samples and frame.ms - state.samples[-1].ms < 1000 / state.options.rate - 1.5:
        return state, []
    if state.track is None:
        if frame.ms < state.look:
            return state._replace(frames=()), []
        track = motion.begin(frame.gray, frame.ms, state.detector)
        if track is None:
            return state._replace(frames=(), look=frame.ms + LOOK_AGAIN), []
        moved = track.before
    else:
        track, moved = motion.follow(state.track, frame.gray, frame.ms)
        if track is None:
            return _broken(state)
    sample = Sample(frame.ms, moved.cells, moved.head)
    state = state._replace(track=track, samples=(*state.samples, sample))
    return _due(state)


def finish(state: State) -> list[Candidate]:
    """Return the candidates of the last seconds."""
    return ended(state)[1]


def ended(state: State) -> tuple[State, list[Candidate]]:
    """As finish, with the state, whose curve is then whole."""
    if not state.samples:
        return state, []
    return _searched(state, state.samples[-1].ms)


def _broken(state):
    """Begin anew: the face was lost, or the recording was cut."""
    state, candidates = ended(state)
    return state._replace(track=None, samples=(), frames=()), candidates


def _due(state):
    """Search as soon as CHUNK more ms can be judged."""
    first, last = state.samples[0].ms, state.samples[-1].ms
    due = max(state.searched + CHUNK, first + WARM) + LATER
    if last < due:
        return state, []
    state, candidates = _searched(state, last - LATER)
    kept = state.searched - EDGE - MOST
    samples = tuple(sample for sample in state.samples if sample.ms >= kept)
    frames = tuple(frame for frame in state.frames if frame[1] >= kept)
    return state._replace(samples=samples, frames=frames), candidates


class _Movement(NamedTuple):
    """The motion of a buffer, smoothed over time; T samples."""

    ms: np.ndarray  # float64[T]
    cells: np.ndarray  # float[T, CELLS, CELLS, 2]
    there: np.ndarray  # float[T, CELLS, CELLS, 2], against the mean of SPAN before and after
    size: np.ndarray  # float[T, CELLS, CELLS], that came and went again
    head: np.ndarray  # float[T], the same of the head


def _movement(samples):
    ms = np.array([sample.ms for sample in samples])
    weight = np.exp(-0.5 * ((ms[:, None] - ms) / SMOOTH) ** 2)
    weight = (weight / weight.sum(1, keepdims=True)).astype(np.float32)
    cells = np.stack([sample.cells for sample in samples])
    cells = (weight @ cells.reshape(len(ms), -1)).reshape(cells.shape)
    heads = np.stack([sample.head for sample in samples])
    heads = (weight @ heads.reshape(len(ms), -1)).reshape(heads.shape)
    before, after = _at(ms, ms - SPAN), _at(ms, ms + SPAN)
    rise, fall = cells - before(cells), cells - after(cells)
    there = (rise + fall) / 2
    length = np.linalg.norm(there, axis=-1)
    unit = there / np.maximum(length, 1e-9)[..., None]
    size = np.minimum((unit * rise).sum(-1), (unit * fall).sum(-1))
    head = motion.head_shift(heads - (before(heads) + after(heads)) / 2)
    return _Movement(ms, cells, there, np.maximum(size, 0), head)


def _at(ms, times):
    """A function that gives values [T, ...] at other times, between samples and inside of them."""
    place = np.interp(times, ms, np.arange(len(ms)))
    low = np.floor(place).astype(int)
    high = np.minimum(low + 1, len(ms) - 1)
    share = (place - low).astype(np.float32)

    def values(series):
        part = share.reshape(-1, *[1] * (series.ndim - 1))
        return (1 - part) * series[low] + part * series[high]

    return values


def _searched(state, until):
    """Judge the apexes up to a time, and learn the noise of the windows up to it."""
    moved = _movement(state.samples)
    begin = max(state.searched, moved.ms[0])
    windows = _windows(moved.ms, begin, until)
    usual = [np.median(np.linalg.norm(moved.there[rows], axis=-1), axis=0) for rows in windows]
    cells = (*state.noise.cells, *usual)[-WINDOWS:]
    if not cells:
        return state, []
    noise = np.quantile(np.stack(cells), STILL, axis=0)
    if len(cells) < FEW:
        noise = np.minimum(noise, OF_JITTER * _jitter(state.samples))
    noise = np.maximum(noise, LEAST_NOISE)
    place = state.track.place
    face, blinks = _face(moved, noise, place)
    peaks = (*state.noise.peaks, *(float(face[rows].max()) for rows in windows))[-WINDOWS:]
    floor = max(float(np.quantile(peaks, STILL)), LEAST_FLOOR)
    strength = face / (min(floor, USUAL_FLOOR) if len(peaks) < FEW else floor)
    candidates, last = [], state.last
    for index in _peaks(moved.ms, strength, begin, until, state.options.threshold):
        inside = _off_eyes(place) if blinks[index] else place.inside
        times = _interval(moved, index, noise, inside, state.options)
        if times is None:
            continue
        candidate = Candidate(*_numbers(state.frames, times), float(strength[index]))
        if last is None or candidate.onset > last.offset:
            candidates.append(candidate)
            last = candidate
    state = state._replace(
        searched=until,
        noise=Noise(cells, peaks),
        last=last,
        curve=(*state.curve, *_points(moved.ms, strength, begin, until)),
    )
    return state, candidates


def _jitter(samples):
    """Median size of the second difference of each cell over time, [CELLS, CELLS]."""
    cells = np.stack([sample.cells for sample in samples])
    if len(cells) < 3:
        return np.full(cells.shape[1:3], np.inf)
    second = cells[2:] - 2 * cells[1:-1] + cells[:-2]
    return np.median(np.linalg.norm(second, axis=-1), axis=0)


def _windows(ms, begin, until):
    """The rows of each window of WINDOW ms between two times."""
    count = max(round((until - begin) / WINDOW), 1)
    edges = np.linspace(begin, until, count + 1)
    first = np.searchsorted(ms, edges)
    rows = [slice(*pair) for pair in zip(first[:-1], first[1:], strict=True)]
    return [part for part in rows if part.stop > part.start]


def _face(moved, noise, place):
    """Motion of the face in multiples of the cells' noise, and where it blinks, [T] each."""
    usual = noise + LEFT_BY_HEAD * moved.head[:, None, None]
    score = moved.size / usual
    lids = _strongest(moved.size[:, place.eyes], EYE_CELLS)
    lid_score = _strongest(score[:, place.eyes], EYE_CELLS)
    face = _strongest(moved.size[:, place.inside], EYE_CELLS)
    shut = (lids > LIDS * face) & (lid_score > 2 * np.median(lid_score) + 3)
    near = np.abs(moved.ms[:, None] - moved.ms[shut]) <= CLOSED
    blinks = near.any(1)
    open_eyes = _strongest(score[:, place.inside], CELLS)
    closed = _strongest(score[:, _off_eyes(place)], CELLS)
    return np.where(blinks, closed, open_eyes), blinks


def _off_eyes(place):
    return place.inside & ~ndimage.binary_dilation(place.eyes, iterations=ROUND_EYES)


def _strongest(values, count):
    """Mean of the largest values of each row [T, n]; 0 for rows without a value."""
    if not values.shape[1]:
        return np.zeros(len(values))
    return np.sort(values, axis=1)[:, -count:].mean(1)


def _peaks(ms, strength, begin, until, threshold):
    """Indices of the peaks above the threshold, in the order of time, each the largest nearby."""
    peaks = []
    for index in np.flatnonzero((strength >= threshold) & (ms > begin) & (ms <= until)):
        near = np.abs(ms - ms[index]) <= APART
        if strength[index] == strength[near].max():
            peaks.append(index)
    return peaks


def _interval(moved, index, noise, inside, options):
    """Onset, apex and offset in ms; None where the motion is no micro-expression."""
    weight = np.where(inside & (moved.size[index] > 2 * noise), noise**-2.0, 0)
    pattern = weight[..., None] * moved.there[index]
    size = float((pattern * moved.there[index]).sum())
    if not size:
        return None
    around = np.abs(moved.ms - moved.ms[index]) <= EDGE
    ms = moved.ms[around]
    curve = np.tensordot(moved.cells[around], pattern, 3) / size
    apex = _summit(ms, curve, moved.ms[index])
    onset, offset, explained = _triangle(ms, curve, apex)
    if offset - onset > options.longest or explained < options.fit:
        return None
    return onset, apex, offset


def _summit(ms, curve, middle):
    """The time of the strongest motion near another, between samples by a parabola."""
    near = np.flatnonzero(np.abs(ms - middle) <= APART / 2)
    top = int(near[np.argmax(curve[near])])
    if not 0 < top < len(ms) - 1:
        return float(ms[top])
    bend, slope, _ = np.polyfit(ms[top - 1 : top + 2] - ms[top], curve[top - 1 : top + 2], 2)
    if bend >= 0:
        return float(ms[top])
    shift = -slope / (2 * bend)
    return float(np.clip(ms[top] + shift, ms[top - 1], ms[top + 1]))


def _triangle(ms, curve, apex):
    """The triangle on a straight line that fits a curve best, by least squares.

    Returns:
        Its onset and offset in ms, and the share of the variance about the line that it explains.
    """
    sides = np.arange(SHORTEST, MOST + STEP / 2, STEP)
    onset, offset = (side.ravel() for side in np.meshgrid(apex - sides, apex + sides))
    rise = (ms - onset[:, None]) / (apex - onset)[:, None]
    fall = (offset[:, None] - ms) / (offset - apex)[:, None]
    shapes = np.clip(np.minimum(rise, fall), 0, 1)
    line = np.linalg.qr(np.stack([np.ones_like(ms), (ms - apex) / EDGE], -1))[0]
    shapes -= (shapes @ line) @ line.T
    rest = curve - line @ (line.T @ curve)
    energy = np.maximum((shapes**2).sum(1), 1e-12)
    explained = np.maximum(shapes @ rest, 0) ** 2 / energy / max(float(rest @ rest), 1e-12)
    best = int(np.argmax(explained))
    first, last = max(onset[best], ms[0]), min(offset[best], ms[-1])
    return float(first), float(last), float(explained[best])


def _numbers(frames, times):
    """The numbers of the frames nearest to times in ms."""
    ms = np.array([time for _, time in frames])
    return tuple(frames[int(np.argmin(np.abs(ms - time)))][0] for time in times)


def _points(ms, strength, begin, until):
    """Points of the curve of motion: the largest of each CURVE ms."""
    for start in np.arange(begin, until, CURVE):
        rows = (ms >= start) & (ms < min(start + CURVE, until))
        if rows.any():
            yield float(start), float(strength[rows].max())
