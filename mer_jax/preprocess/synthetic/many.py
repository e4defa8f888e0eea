"""Onset and apex of many drawn faces, with the flow between them.

Every clip depends on (draw, its number) alone: not on how many are drawn, nor on what was drawn
before. Tables of what is drawn, with their sources: published.py.

No source gives the length of the motion in pixels, the wander of the head, noise, skin or the
shapes of faces, their light included: they are drawn as in the other drawings.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from mer_jax.preprocess import flow
from mer_jax.preprocess.synthetic import (
    distractors,
    exact,
    identity,
    landmarks,
    motion,
    muscles,
    published,
)
from mer_jax.preprocess.synthetic.brush import SCALE
from mer_jax.preprocess.synthetic.clips import FPS, STEEPEST, generator
from mer_jax.preprocess.synthetic.drawing import neutral
from mer_jax.preprocess.synthetic.identity import SIZE

# TV-L1 as the published features have it, but stopped early: as near the truth, for a fifth of the
# time (benchmarks/drawing.py). OpenCV's defaults are 5 warps of 10 x 30 iterations.
SHORT = {
    'lambda_': 0.15,
    'scaleStep': 0.5,
    'warps': 1,
    'innnerIterations': 10,
    'outerIterations': 3,
}
LINE = np.arange(SIZE, dtype=np.float64)
STREAM = 27  # sets these random numbers apart from those of the other drawings
UNEQUAL = 0.1  # of the other side, where a unit moves on one side
EXACT = 'exact'  # no picture and no estimator: the truth with an error
# last numbers of seeds: drawings with and without distractors differ in nothing else
PHOTOGRAPH, DISTRACTORS, ERROR = 1, 2, 3
FOLDED = 0.9  # bound on the gradient of units and distractors together


class Kind(NamedTuple):
    """What is drawn, and how flow is measured."""

    draw: int = 0  # another drawing: other people and clips
    size: int = 28  # side of the features in pixels
    optical_flow: str = 'tvl1_short'  # a key of METHODS, or EXACT
    balance: str = 'published'  # of the classes: 'published' or 'even'
    control: str = 'none'  # 'none', 'units' or 'head'
    distractors: str = 'none'  # 'none' or 'eyes'


class Person(NamedTuple):
    """One subject: the face at rest, its crop and its style."""

    points: np.ndarray  # float32[68, 2]
    drawing: np.ndarray | None  # float32, as of drawing.neutral
    crop: np.ndarray  # float64[4]: x0, y0, width, height in pixels of 128
    gain: dict[int, float]  # action unit -> relative strength
    peak: float  # usual largest displacement, pixels of 128
    lean: float  # right half stronger (> 0) or left half
    shift: float  # wander of the head, pixels of 128
    turn: float  # and radians
    noise: float  # of the camera, gray levels
    flicker: float  # of the light, relative


class Expression(NamedTuple):
    """What one clip shows, before it is drawn."""

    word: str  # the class
    action_units: str  # as annotators write them: '6+R12'
    bells: np.ndarray  # float64[n, 6], as of muscles.pushes
    stretch: np.ndarray  # float64[2, 2], as of distractors.Distractors
    pose: np.ndarray  # float64[3]: x, y and angle of the head at the apex
    frame: np.ndarray  # float64[4]: the crop of this clip, as Person.crop
    numbers: tuple[int, int, int]  # of the frames onset, apex and offset, at FPS


class Clip(NamedTuple):
    """One drawn clip. Lengths are in pixels of the features."""

    clip: str
    subject: str
    emotion: str
    action_units: str
    onset: int
    apex: int
    offset: int
    fps: float
    # uint8[2, S, S]: onset and apex, S at least 128 and at least the size; of EXACT uint8[0, S, S]
    frames: np.ndarray
    flow: np.ndarray  # float32[size, size, 3]: u, v, strain
    landmarks: np.ndarray  # float32[2, 68, 2], (x, y) at onset and apex
    displacement: np.ndarray  # float32[size, size, 2]: the truth that flow estimates


@functools.cache
def chances(emotion: str) -> dict[str, float]:
    """Probability of each combination of action units in an emotion.

    Args:
        emotion: of published.EMOTIONS.
    """
    prototypes = published.PROTOTYPES[emotion].split()
    allowed = {unit for combination in prototypes for unit in combination.split('+')}
    observed = published.OBSERVED.get(emotion, {})
    fitting = {key: n for key, n in observed.items() if {*key.split('+')} <= allowed}
    other = {key: n for key, n in observed.items() if key not in fitting}
    rates = unit_rates()
    rarest = {key: min(rates[int(unit)] for unit in key.split('+')) for key in prototypes}
    parts = [_shares(rarest)]
    if sum(fitting.values()) >= published.LEAST:
        parts.append(_shares(fitting))
    weights = [(part, (1 - published.OTHERWISE) / len(parts)) for part in parts]
    weights.append((_shares(other or published.OBSERVED['others']), published.OTHERWISE))
    total = {}
    for part, weight in weights:
        for key, share in part.items():
            total[key] = total.get(key, 0.0) + weight * share
    return total


def class_chances(balance: str) -> dict[str, float]:
    """Probability of each class.

    Args:
        balance: 'published' or 'even'.
    """
    counts = published.CLASSES if balance == 'published' else dict.fromkeys(published.CLASSES, 1)
    return _shares(counts)


@functools.cache
def unit_rates() -> dict[int, float]:
    """Share of clips with each unit, the mean over the data sets that published.py counts."""
    counts = published.UNITS.items()
    rates = {unit: float(np.mean(np.divide(n, published.CLIPS))) for unit, n in counts}
    clips_of_c3 = published.CLIPS[1]
    return rates | {unit: n / clips_of_c3 for unit, n in published.RARE_UNITS.items()}


def _shares(counts: Mapping[str, float]) -> dict[str, float]:
    """Counts divided by their sum."""
    total = sum(counts.values())
    return {key: count / total for key, count in counts.items()}


def _choose(rng: np.random.Generator, shares: Mapping):
    """A key of a table of probabilities."""
    keys = list(shares)
    return keys[int(np.searchsorted(np.cumsum(list(shares.values())), rng.random()))]


def person(kind: Kind, number: int) -> Person:
    """Subject `number` (0..) of a data set."""
    rng = generator(STREAM, kind.draw, number, 0)
    face = identity.draw(rng)
    points = landmarks.place(face)
    crop = _crop(rng, points)
    if kind.distractors != 'none':
        crop = distractors.crop(generator(STREAM, kind.draw, number, 0, DISTRACTORS), points)
    return Person(
        points=points,
        drawing=None if kind.optical_flow == EXACT else neutral(face, points),
        crop=crop,
        gain={unit: float(rng.lognormal(0, 0.25)) for unit in muscles.ACTION_UNITS},
        peak=float(np.clip(rng.lognormal(np.log(1.3), 0.3), 0.9, 2.4)),
        lean=float(np.clip(rng.normal(0, 0.2), -0.45, 0.45)),
        shift=float(rng.uniform(0.2, 0.5)),
        turn=float(rng.uniform(0.002, 0.008)),
        noise=float(rng.uniform(1.2, 2.6)),
        flicker=float(rng.uniform(0.002, 0.008)),
    )


def _crop(rng, points):
    """The part of the drawing that the camera's crop shows, from above the brows to the chin."""
    right, left = points[36:42].mean(0), points[42:48].mean(0)
    width = rng.uniform(*published.CROP) * (left[0] - right[0])
    top = points[17:27, 1].min() - rng.uniform(6, 22)
    bottom = points[8, 1] + rng.uniform(-4, 4)
    middle = (left[0] + right[0]) / 2
    return np.array([middle - width / 2, top, width, bottom - top])


def choose(rng: np.random.Generator, kind: Kind) -> tuple[str, str, tuple[tuple[int, str], ...]]:
    """What a clip is to show.

    Args:
        rng: draws it.
        kind: of the data set.

    Returns:
        The class, the emotion, and its coded action units with their sides: 'L', 'R' or ''.
    """
    word = _choose(rng, class_chances(kind.balance))
    emotion = _choose(rng, _shares(published.EMOTIONS[word]))
    units = [int(unit) for unit in _choose(rng, chances(emotion)).split('+')]
    if kind.control == 'units':
        units = sorted(exchanged(kind.draw).get(unit, unit) for unit in units)
    return word, emotion, tuple((unit, _side(rng, unit, emotion)) for unit in units)


def express(kind: Kind, subject: Person, number: int, index: int) -> Expression:
    """What clip `index` (0..) of subject `number` shows.

    It does not depend on the size of the features.

    Args:
        kind: of the data set.
        subject: the person.
        number: of the person.
        index: of the clip within the person.
    """
    rng = generator(STREAM, kind.draw, number, 1 + index)
    word, _, coded = choose(rng, kind)
    moves = [_move(rng, subject, unit, side) for unit, side in coded]
    # drawn in any case: what follows is the same whether a unit escapes the coders or not
    uncoded, right, left = _choose(rng, _shares(unit_rates())), *rng.uniform(0.3, 1.1, 2)
    if rng.random() < published.UNCODED and uncoded not in dict(coded):
        moves.append((uncoded, right, left))
    bells = _scaled(muscles.pushes(subject.points, moves), subject.peak * rng.lognormal(0, 0.3))
    if kind.control == 'head':
        bells[:, 2:4] = 0
    seconds = np.clip(rng.normal(*published.SECONDS), 0.2, 0.5)
    rise = int(np.clip(round(FPS * seconds * rng.beta(*published.APEX)), 3, 30))
    onset = int(rng.integers(1, 200))
    pose = motion.head_pose(rng, rise + 1, 0, shift=subject.shift, turn=subject.turn)[rise]
    # a crop follows a detector, which is off by a few pixels
    frame = subject.crop * (1, 1, *rng.uniform(0.97, 1.03, 2)) + (*rng.uniform(-2, 2, 2), 0, 0)
    stretch = np.zeros((2, 2))
    if kind.distractors != 'none':
        others = distractors.draw(
            generator(STREAM, kind.draw, number, 1 + index, DISTRACTORS), subject.points, frame
        )
        bells = _joined(bells, others.bells)
        pose, stretch = pose * others.sway, others.stretch
    return Expression(
        word=word,
        action_units='+'.join(f'{side}{unit}' for unit, side in coded),
        bells=bells,
        stretch=stretch,
        pose=pose,
        frame=frame,
        numbers=(onset, onset + rise, onset + max(round(FPS * seconds), rise + 3)),
    )


def _move(rng, subject, unit, side):
    """A unit and its strength on the subject's right and left half."""
    strength = subject.gain[unit] * rng.lognormal(0, 0.2)
    right, left = strength * (1 + subject.lean), strength * (1 - subject.lean)
    if side == 'L':
        right *= UNEQUAL
    if side == 'R':
        left *= UNEQUAL
    return unit, right, left


@functools.cache
def exchanged(draw: int) -> dict[int, int]:
    """Stand-ins of the control 'units' for the frequent units, which then fit no emotion.

    Args:
        draw: another drawing has another exchange.
    """
    units = sorted(published.UNITS)
    order = generator(STREAM, draw).permutation(len(units))
    return {unit: units[place] for unit, place in zip(units, order, strict=True)}


def _side(rng, unit, emotion):
    """'L', 'R' or '' of a unit."""
    one_sided, shown = published.SIDES.get(unit, (0, 1))
    alone = emotion in published.ONE_SIDED and unit in published.SIDES
    is_one_sided = rng.random() < one_sided / shown
    side = 'R' if rng.random() < published.RIGHT else 'L'
    return side if alone or is_one_sided else ''


def _scaled(bells, size):
    """Bells whose largest displacement is `size` pixels, 0.7 to 3, and that never fold."""
    across, down = _components(bells, LINE, LINE)
    peak = np.sqrt((across**2 + down**2).max())
    bells[:, 2:4] *= min(np.clip(size, 0.7, 3.0) / peak, STEEPEST / _slope(across, down))
    return bells


def _joined(units, others):
    """Both bells, with the others less long where together they would fold."""
    total = np.concatenate([units, others])
    coarse = LINE[::2]
    while len(others) and _slope(*_components(total, coarse, coarse)) / 2 > FOLDED:
        total[len(units) :, 2:4] *= 0.8
    return total


def _slope(*fields):
    """The largest difference of neighbours in any of several fields [H, W]."""
    steps = [np.diff(field, axis=axis) for field in fields for axis in (0, 1)]
    return max(max(step.max(), -step.min()) for step in steps)


def displacement(bells: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Facial motion on a grid, as muscles.displacement; a bell is a product of two curves.

    Args:
        bells: float64[n, 6], as of muscles.pushes.
        x, y: coordinates of the columns [W] and of the rows [H], pixels of 128.

    Returns:
        float64[H, W, 2] in pixels of 128.
    """
    return np.stack(_components(bells, x, y), -1)


def _components(bells, x, y, across=None, down=None):
    """Both components [H, W] of displacement; where given, of means by weights of x and of y."""
    columns = np.exp(-0.5 * ((x - bells[:, 0, None]) / bells[:, 4, None]) ** 2)
    rows = np.exp(-0.5 * ((y - bells[:, 1, None]) / bells[:, 5, None]) ** 2)
    if across is not None:
        columns, rows = columns @ across, rows @ down
    return [(rows.T * bells[:, axis]) @ columns for axis in (2, 3)]


def clips_of(kind: Kind, number: int, count: int) -> list[Clip]:
    """Draw the first `count` clips of subject `number`.

    Args:
        kind: of the data set.
        number: of the person, from 0.
        count: of clips.
    """
    subject = person(kind, number)
    return [render(kind, subject, number, index) for index in range(count)]


def render(kind: Kind, subject: Person, number: int, index: int) -> Clip:
    """Draw one clip of a person.

    Args:
        kind: of the data set.
        subject: the person.
        number: of the person.
        index: of the clip within the person.
    """
    shown = express(kind, subject, number, index)
    if kind.optical_flow == EXACT:
        frames, flow_, truth = _computed(kind, shown, (number, index))
    else:
        frames, flow_, truth = _drawn(kind, subject, shown, (number, index))
    left, top, width, height = shown.frame
    moved = subject.points + muscles.displacement(shown.bells, subject.points)
    moved = moved + (subject.points - motion.MIDDLE) @ shown.stretch
    points = np.stack([subject.points, motion.apply_pose(moved, shown.pose)])
    to_features = np.array([kind.size / width, kind.size / height])
    onset, apex, offset = shown.numbers
    name = f'd{kind.draw}_m{number:05d}'
    return Clip(
        clip=f'{name}_{index}',
        subject=name,
        emotion=shown.word,
        action_units=shown.action_units,
        onset=onset,
        apex=apex,
        offset=offset,
        fps=FPS,
        frames=frames,
        flow=flow_,
        landmarks=((points + 0.5 - (left, top)) * to_features - 0.5).astype(np.float32),
        displacement=truth,
    )


def _lines(frame, side):
    """Coordinates of the columns and rows of a crop of `side` pixels."""
    left, top, width, height = frame
    steps = np.arange(side) + 0.5
    return left + steps * width / side - 0.5, top + steps * height / side - 0.5


def _drawn(kind, subject, shown, clip):
    """Frames, the features that are measured on them, and the truth."""
    rng = generator(STREAM, kind.draw, clip[0], 1 + clip[1], PHOTOGRAPH)
    side = max(SIZE, kind.size)
    x, y = _lines(shown.frame, side)
    pixels = np.stack(np.meshgrid(x, y), -1)
    to_frame = side / shown.frame[2:]
    field = displacement(shown.bells, x, y)
    if shown.stretch.any():
        field += (pixels - motion.MIDDLE) @ shown.stretch
    truth = motion.apply_pose(pixels + field, shown.pose) - pixels
    light = rng.uniform(0.92, 1.05)
    at_apex = _rest(field, motion.undo_pose(pixels, shown.pose), (x[0], y[0]), to_frame)
    clean = np.stack([_photograph(subject.drawing, points) for points in (pixels, at_apex)])
    frames = motion.expose(
        rng, np.float32(light) * clean, noise=subject.noise, flicker=subject.flicker
    )
    measured = features(frames, size=kind.size, method=kind.optical_flow)
    return frames, measured, flow.resize_flow((truth * to_frame).astype(np.float32), kind.size)


def _computed(kind, shown, clip):
    """As _drawn, without frames; means over pixels of curves are quicker than of fields."""
    side = max(SIZE, kind.size)
    x, y = _lines(shown.frame, side)
    weights = exact.means(side, kind.size)
    field = np.stack(_components(shown.bells, x, y, weights, weights), -1)
    pixels = np.stack(np.meshgrid(x @ weights, y @ weights), -1)
    field += (pixels - motion.MIDDLE) @ shown.stretch
    truth = motion.apply_pose(pixels + field, shown.pose) - pixels
    truth = (truth * (kind.size / shown.frame[2:])).astype(np.float32)
    rng = generator(STREAM, kind.draw, clip[0], 1 + clip[1], ERROR)
    flow_ = truth + exact.error(rng, kind.size)
    frames = np.zeros((0, side, side), np.uint8)
    return frames, np.dstack([flow_, flow.strain(flow_)]), truth


def features(frames: Sequence[np.ndarray], *, size: int, method: str) -> np.ndarray:
    """Flow and strain from onset to apex, of a smaller side.

    Args:
        frames: uint8[2, S, S].
        size: at most S.
        method: of the flow, a key of METHODS.

    Returns:
        float32[size, size, 3], u and v in pixels of that side, and strain.
    """
    measured = METHODS[method](*frames)
    strain = cv2.resize(flow.strain(measured), (size, size), interpolation=cv2.INTER_AREA)
    return np.dstack([flow.resize_flow(measured, size), strain])


def tvl1_short(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """As flow.tvl1, stopped early.

    Args:
        first, second: uint8[H, W], onset first.

    Returns:
        float32[H, W, 2].
    """
    return cv2.optflow.DualTVL1OpticalFlow_create(**SHORT).calc(first, second, None)


METHODS = {'tvl1_short': tvl1_short, **flow.METHODS}


def _rest(field, target, first, to_frame):
    """Where each pixel of the apex frame is on the resting face, as motion.rest_points."""
    facial, target = field.astype(np.float32), target.astype(np.float32)
    origin, scale = np.float32(first), np.float32(to_frame)
    rest = target
    for _ in range(motion.ROUNDS):
        at = (rest - origin) * scale
        rest = target - _sample(facial, at, cv2.INTER_LINEAR)
    return rest


def _photograph(drawing, points):
    """The drawing at points of 128."""
    return _sample(drawing, np.float32(SCALE) * points.astype(np.float32) + 1, cv2.INTER_CUBIC)


def _sample(image, points, interpolation):
    """Values of an image at points [H, W, 2]; outside of it its edge is repeated."""
    x, y = points[..., 0], points[..., 1]
    return cv2.remap(image, x, y, interpolation, borderMode=cv2.BORDER_REPLICATE)
