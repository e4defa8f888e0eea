"""Long recordings of drawn faces: expressions, blinks and head motion whose times are exact.

A recording is a plan in milliseconds, drawn at any frame rate: at 30 and at 200 frames a second
the same face moves at the same times. Beside micro-expressions the face shows what must not be
taken for one: blinks with some motion of brows and cheeks, slow expressions, sway, nods and turns
of the head (a turn moves the nose ahead of the cheeks), slow changes of the light, flicker and
camera noise.
"""

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np

from mer_jax.preprocess.synthetic import (
    clips,
    drawing,
    emotions,
    identity,
    landmarks,
    motion,
    muscles,
)
from mer_jax.preprocess.synthetic.brush import SCALE

SIDE = 192  # of a frame in pixels
ZOOM = 1.2  # frame pixels to a pixel of the drawn face, which has 128
APART = 900.0  # ms of rest between two expressions
GRAINS = 2**20  # numbers of noise that a recording's frames draw from
KNOT = 40.0  # ms between the points of the head's path
# (x, y) standard deviation in pixels of the bell by which the nose leads the head
NOSE_BELL = (20.0, 24.0)
# landmarks that move down (or up) when the eyes close: both brows and both lower lids
_WITH_LIDS = (([18, 20], 1.0), ([23, 25], 1.0), ([40, 41], -0.8), ([46, 47], -0.8))


class Event(NamedTuple):
    """One movement of the face; times in ms."""

    kind: str  # 'micro', 'slow' or 'blink'
    onset: float
    apex: float
    hold: float  # how long the apex lasts
    offset: float
    emotion: str
    action_units: str
    bells: np.ndarray  # float64[n, 6], as of muscles.pushes


class Plan(NamedTuple):
    """All that decides a recording."""

    seed: int
    length: float  # ms
    events: tuple[Event, ...]
    pose: np.ndarray  # float64[knots, 3], x and y in face pixels and the angle, each KNOT ms
    light: tuple[float, float, float]  # height, ms and phase of a slow wave of brightness
    style: emotions.Style
    points: np.ndarray  # float[68, 2], landmarks of the face at rest, in face pixels
    drawings: np.ndarray  # float32[n, side, side], the eyes open to closed


def plan(
    seed: int, seconds: float = 60.0, *, micro: int = 7, slow: int = 1, closures: int = 9
) -> Plan:
    """Draw a person and what it does.

    Args:
        seed: of the person and of the movements.
        seconds: how long it is filmed.
        micro: number of micro-expressions of .2 to .48 s.
        slow: number of expressions of more than a second.
        closures: drawings of the face from open to closed eyes, which take most of the time.
    """
    rng = clips.generator(seed, 77)
    face = identity.draw(rng)
    points = landmarks.place(face)
    style = emotions.style(rng)
    length = 1000 * seconds
    events = [*_expressions(rng, points, style, length, micro, slow)]
    events += _blinks(rng, points, length)
    return Plan(
        seed=seed,
        length=length,
        events=tuple(sorted(events, key=lambda event: event.onset)),
        pose=_head(rng, length),
        light=(rng.uniform(0.02, 0.08), rng.uniform(4_000, 15_000), rng.uniform(0, 6)),
        style=style,
        points=points,
        drawings=np.stack(
            [_eyes_closed(face, points, level) for level in np.linspace(0, 1, closures)]
        ),
    )


def still(recording: Plan) -> Plan:
    """The same recording without expressions: what it holds is blinks, head motion and noise."""
    return recording._replace(events=tuple(e for e in recording.events if e.kind == 'blink'))


def micro(recording: Plan, fps: float) -> list[tuple[int, int, int]]:
    """Onset, apex and offset of each micro-expression, as numbers of frames."""
    times = [
        (event.onset, event.apex, event.offset)
        for event in recording.events
        if event.kind == 'micro'
    ]
    return [tuple(round(ms * fps / 1000) for ms in row) for row in times]


def during_blink(recording: Plan) -> list[bool]:
    """Whether each micro-expression overlaps a blink."""
    blinks = [event for event in recording.events if event.kind == 'blink']
    overlaps = []
    for event in recording.events:
        if event.kind == 'micro':
            overlaps.append(any(_overlap(event, blink) for blink in blinks))
    return overlaps


def _overlap(first, second):
    return first.onset < second.offset and second.onset < first.offset


def frames(recording: Plan, fps: float) -> Iterator[tuple[int, float, np.ndarray]]:
    """Yield number, ms and gray uint8[SIDE, SIDE] of each frame."""
    rng = clips.generator(recording.seed, 78, round(fps))
    fields = [_field(event, recording) for event in recording.events]
    lead = _bell_at(recording.points[30], NOSE_BELL)
    grains = rng.standard_normal(GRAINS, dtype=np.float32)
    for number in range(int(recording.length * fps / 1000)):
        ms = 1000 * number / fps
        picture = _draw(recording, ms, fields, lead)
        yield number, ms, _expose(rng, grains, recording, ms, picture)


def _eyes_closed(face, points, level):
    """The drawing of a face whose upper lids have come down by a share of the eyes."""
    closed = points.copy()
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        closed[upper] += level * 0.94 * (points[lower] - points[upper])
    return drawing.neutral(face, closed)


def _expressions(rng, points, style, length, micro, slow):
    """Draw expressions that do not overlap, each with a rest before and after it."""
    kinds = rng.permutation(['micro'] * micro + ['slow'] * slow)
    drawn = [_expression(rng, points, style, kind) for kind in kinds]
    durations = np.array([event.offset for event in drawn])
    free = length - durations.sum() - APART * (len(drawn) + 1)
    if free < 0:
        raise ValueError(f'{len(drawn)} expressions need more than {length / 1000:g} s')
    gaps = APART + free * rng.dirichlet(np.ones(len(drawn) + 1))
    starts = np.cumsum(gaps[:-1]) + np.concatenate([[0], np.cumsum(durations)[:-1]])
    for event, start in zip(drawn, starts, strict=True):
        yield event._replace(onset=start, apex=event.apex + start, offset=event.offset + start)


def _expression(rng, points, style, kind):
    """An expression that begins at 0 ms."""
    emotion = str(rng.choice(emotions.EMOTIONS))
    action_units, bells = clips.facial(rng, points, style, emotion)
    if kind == 'micro':
        span = float(np.clip(rng.normal(10 * style.length, 40), 200, 480))
        return Event(
            kind,
            0.0,
            span * rng.triangular(0.35, 0.45, 0.65),
            0.0,
            span,
            emotion,
            action_units,
            bells,
        )
    rise, hold, fall = rng.uniform(350, 800), rng.uniform(700, 2_000), rng.uniform(400, 900)
    return Event(kind, 0.0, rise, hold, rise + hold + fall, emotion, action_units, bells)


def _blinks(rng, points, length):
    """Draw blinks some 4 s apart; brows and cheeks move a little with the lids."""
    start, events = rng.uniform(300, 3_000), []
    while start < length - 500:
        closing, opening = rng.uniform(70, 120), rng.uniform(100, 220)
        size = rng.uniform(0.1, 0.5)
        bells = [(*points[anchors].mean(0), 0, down * size, 9, 5) for anchors, down in _WITH_LIDS]
        apex = start + closing
        events.append(
            Event('blink', start, apex, 20.0, apex + 20 + opening, '', '45', np.array(bells))
        )
        start += rng.uniform(2_000, 6_000)
    return events


def _head(rng, length):
    """Sway of the head with nods, turns and shifts of posture, float64[knots, 3]."""
    knots = int(length / KNOT) + 4
    pose = np.zeros((knots, 3))
    for ms, size in ((500, 0.25), (2_000, 0.8)):
        window = round(ms / KNOT)
        steps = motion.head_pose(rng, knots, 0, shift=size, turn=0.006 * size, window=window)
        pose += steps
    time = KNOT * np.arange(knots)
    for start in np.arange(rng.uniform(2_000, 8_000), length, 9_000):
        ms = rng.uniform(350, 900)
        wave = np.clip((time - start) / ms, 0, 1)
        returns = rng.random() < 0.6  # a nod; else the head stays where it went
        course = np.sin(np.pi * wave) ** 2 if returns else wave**2 * (3 - 2 * wave)
        pose += course[:, None] * rng.normal(0, (3.0, 3.0, 0.03))
    return pose


def _pose(recording, ms):
    """The head's pose at a time, by a cubic B-spline through the knots."""
    place = ms / KNOT
    first = int(place)
    u = place - first
    weights = np.array(
        [(1 - u) ** 3, 3 * u**3 - 6 * u**2 + 4, -3 * u**3 + 3 * u**2 + 3 * u + 1, u**3]
    )
    return weights / 6 @ recording.pose[first : first + 4]


def strength(event: Event, ms: float) -> float:
    """How much of a movement is to be seen at a time, 0 to 1."""
    rise = np.clip((ms - event.onset) / (event.apex - event.onset), 0, 1)
    end = event.apex + event.hold
    fall = np.clip((event.offset - ms) / (event.offset - end), 0, 1)
    if ms <= end:
        return float(rise**2 * (3 - 2 * rise))
    return float((fall**2 * (3 - 2 * fall)) ** 0.8)


def _field(event, recording):
    return muscles.displacement(event.bells, motion.pixels()).astype(np.float32)


def _bell_at(middle, wide):
    x, y = np.moveaxis(motion.pixels(), -1, 0)
    return np.exp(-0.5 * (((x - middle[0]) / wide[0]) ** 2 + ((y - middle[1]) / wide[1]) ** 2))


def _draw(recording, ms, fields, lead):
    """A frame without noise, float32[SIDE, SIDE]."""
    x, y, angle = _pose(recording, ms)
    moved = (lead[..., None] * (0.12 * x, 0.12 * y)).astype(np.float32)
    closure, facial = 0.0, False
    for event, field in zip(recording.events, fields, strict=True):
        if event.onset <= ms <= event.offset:
            share = strength(event, ms)
            moved += np.float32(share) * field
            facial = True
            if event.kind == 'blink':
                closure = max(closure, share)
    line = (np.arange(SIDE, dtype=np.float32) - (SIDE - 1) / 2) / ZOOM
    across, down = np.meshgrid(line - np.float32(x), line - np.float32(y))
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    middle = np.float32(motion.MIDDLE)
    target = np.stack([cos * across + sin * down, cos * down - sin * across], -1) + middle
    rest = target
    for _ in range(5 if facial else 2):  # of the inversion, as in motion.rest_points
        rest = target - _sample(moved, rest, cv2.INTER_LINEAR)
    picture = recording.drawings[round(closure * (len(recording.drawings) - 1))]
    return _sample(picture, SCALE * rest + 1, cv2.INTER_LINEAR)


def _sample(image, points, interpolation):
    return cv2.remap(
        image, points[..., 0], points[..., 1], interpolation, borderMode=cv2.BORDER_REPLICATE
    )


def _expose(rng, grains, recording, ms, clean):
    """The frame as a camera takes it, uint8[SIDE, SIDE]."""
    height, period, phase = recording.light
    gain = 1 + height * np.sin(2 * np.pi * ms / period + phase)
    gain *= 1 + recording.style.flicker * rng.standard_normal()
    start = rng.integers(GRAINS - clean.size)
    grain = grains[start : start + clean.size].reshape(clean.shape)
    noisy = np.float32(gain) * clean + np.float32(recording.style.noise) * grain
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
