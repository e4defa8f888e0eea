"""Flow of drawn faces that show emotions by their prototypes, as far as an estimator sees it.

People, timing, crops and distractors are those of many.py, which shares tables with this module. A
clip depends on (draw, its number) alone. No picture is drawn. What differs from many.py:

1. An emotion shows a prototype, and often one unit more.
2. The units of some clips say nothing of their emotion, so that single units are seen in any.
3. Place, size and direction of each part of a motion vary.
4. Flow, and the error of an estimator, is seen where faces have edges. Smooth skin shows what its
   neighbourhood shows, and less.

Sources are those of published.py. A number without a source is our choice, made before a network
that these clips trained had seen a real clip, and not changed since. That these four differ was
suggested by scores on the published features of SAMM and SMIC; see docs/pretraining.md.
"""

import functools
from collections.abc import Mapping
from typing import NamedTuple

import cv2
import numpy as np

from mer_jax.preprocess import flow
from mer_jax.preprocess.synthetic import (
    distractors,
    exact,
    landmarks,
    many,
    motion,
    muscles,
    published,
)
from mer_jax.preprocess.synthetic.clips import FPS, STEEPEST, generator
from mer_jax.preprocess.synthetic.identity import SIZE

STREAM = 28  # sets these random numbers apart from those of the other drawings
DISTRACTORS, ERROR, SEEN = 2, 3, 4  # last numbers of seeds
# Units of the prototypes of an emotion: combinations of published.PROTOTYPES with other units are
# left out. [FACS], and [YAN] for disgust and repression; no source for leaving out the others.
UNITS = {
    'anger': (4, 7, 23),
    'contempt': (12, 14),
    'disgust': (4, 7, 9, 10),
    'fear': (1, 2, 4, 20),
    'happiness': (6, 12),
    'repression': (15, 17),
    'sadness': (1, 4, 15),
    'surprise': (1, 2, 5, 25, 26),
}
# No source has these three: clips with one unit more, its strength beside those of the prototype,
# and clips whose units say nothing of their emotion.
MORE = 0.3
MORE_STRENGTH = (0.3, 1.1)
ANY = 0.3
MOST = 3  # units of such a clip; 1.25 to 1.70 are the means of the data sets of [CD6ME]
# Variation of each bell of motion; no source. Place as a share of its width and height, logarithm
# of these, logarithm of the length, and direction in radians.
PLACE, WIDTH, LENGTH, DIRECTION = 0.25, 0.2, 0.3, 0.25
COARSE = many.LINE[::2]  # where the largest motion and slope of a clip are looked for
LEAST, LARGEST = 0.7, 3.0  # pixels of 128 by which a clip moves what it moves most, as in many.py
# Contrast of edges beside that of brows and lids, and how it spreads over people and edges (of the
# logarithm); no source.
EDGES = (
    (landmarks.RIGHT_BROW, False, 1.0),
    (landmarks.LEFT_BROW, False, 1.0),
    (landmarks.RIGHT_EYE, True, 1.0),
    (landmarks.LEFT_EYE, True, 1.0),
    (slice(27, 31), False, 0.4),  # bridge of the nose
    (slice(31, 36), False, 0.8),  # its base
    (landmarks.OUTER_LIP, True, 0.7),
    (landmarks.INNER_LIP, True, 0.9),
    (landmarks.JAW, False, 0.3),
)
SPREAD = 0.3
EDGE = 2.0  # width of the bell across an edge, pixels of 128; no source
SKIN = (0.06, 0.5)  # contrast of skin: geometric mean, and spread of its logarithm; no source
# How an estimator fills smooth parts: the width of its neighbourhood in pixels of 128, and the
# contrast at which half of a motion is seen (geometric mean, spread); no source.
NEIGHBOURHOOD = 4.5
HALF = (0.1, 0.5)
FINER = 2  # flow is computed at so many times the side of the features


class Kind(NamedTuple):
    """What is drawn."""

    draw: int = 0  # another drawing: other people and clips
    balance: str = 'published'  # of the classes: 'published' or 'even'
    distractors: str = 'none'  # 'none' or 'eyes'


class Expression(NamedTuple):
    """What one clip shows."""

    word: str  # the class
    units: tuple[tuple[int, str], ...]  # each with its side: 'L', 'R' or ''
    bells: np.ndarray  # float64[n, 6], as of muscles.pushes
    stretch: np.ndarray  # float64[2, 2], as of distractors.Distractors
    pose: np.ndarray  # float64[3]: x, y and angle of the head at the apex
    frame: np.ndarray  # float64[4]: the crop, as many.Person.crop
    numbers: tuple[int, int, int]  # of the frames onset, apex and offset, at FPS


@functools.cache
def combinations(emotion: str) -> tuple[str, ...]:
    """Return the combinations of action units of an emotion, each as frequent.

    Args:
        emotion: of published.EMOTIONS.
    """
    allowed = {*map(str, UNITS[emotion])}
    prototypes = published.PROTOTYPES[emotion].split()
    return tuple(text for text in prototypes if allowed.issuperset(text.split('+')))


def person(kind: Kind, number: int) -> many.Person:
    """Subject `number` (0..), who has a face of many.py and no picture.

    Args:
        kind: of the data set.
        number: of the person.
    """
    drawn = many.Kind(draw=kind.draw, optical_flow=many.EXACT, distractors=kind.distractors)
    return many.person(drawn, number)


def choose(rng: np.random.Generator, kind: Kind) -> tuple[str, tuple[tuple[int, str], ...]]:
    """What a clip is to show.

    Args:
        rng: draws it.
        kind: of the data set.

    Returns:
        The class, and its coded action units with their sides: 'L', 'R' or ''.
    """
    word = _choose(rng, many.class_chances(kind.balance))
    if rng.random() < ANY:
        count = rng.integers(1, MOST + 1)
        units = sorted(rng.choice([*muscles.ACTION_UNITS], count, replace=False).tolist())
        return word, tuple((unit, _side(rng, unit)) for unit in units)
    emotion = _choose(rng, published.EMOTIONS[word])
    options = combinations(emotion)
    shown = [int(unit) for unit in options[rng.integers(len(options))].split('+')]
    one_sided = emotion in published.ONE_SIDED
    return word, tuple((unit, _side(rng, unit, always=one_sided)) for unit in shown)


def _choose(rng: np.random.Generator, shares: Mapping[str, float]) -> str:
    """Return a key of a table, by its shares."""
    keys, values = list(shares), np.array(list(shares.values()), np.float64)
    return keys[int(np.searchsorted(np.cumsum(values / values.sum()), rng.random()))]


def _side(rng, unit, *, always=False):
    """Return 'L', 'R' or '' of a unit."""
    one_sided, shown = published.SIDES.get(unit, (0, 1))
    is_one_sided = rng.random() < one_sided / shown
    side = 'R' if rng.random() < published.RIGHT else 'L'
    return side if is_one_sided or always and one_sided else ''


def express(kind: Kind, subject: many.Person, number: int, index: int) -> Expression:
    """What clip `index` (0..) of subject `number` shows.

    Args:
        kind: of the data set.
        subject: the person.
        number: of the person.
        index: of the clip within the person.
    """
    rng = generator(STREAM, kind.draw, number, 1 + index)
    word, units = choose(rng, kind)
    moves = [_move(rng, subject, unit, side) for unit, side in units]
    if rng.random() < MORE:
        unit = int(rng.choice([*muscles.ACTION_UNITS]))
        if unit not in dict(units):
            moves.append((unit, *rng.uniform(*MORE_STRENGTH, 2)))
            units = tuple(sorted((*units, (unit, ''))))
    bells = _varied(rng, muscles.pushes(subject.points, moves))
    bells = _scaled(bells, subject.peak * rng.lognormal(0, 0.3))
    seconds = np.clip(rng.normal(*published.SECONDS), 0.2, 0.5)
    rise = int(np.clip(round(FPS * seconds * rng.beta(*published.APEX)), 3, 30))
    onset = int(rng.integers(1, 200))
    pose = motion.head_pose(rng, rise + 1, 0, shift=subject.shift, turn=subject.turn)[rise]
    frame = subject.crop * (1, 1, *rng.uniform(0.97, 1.03, 2)) + (*rng.uniform(-2, 2, 2), 0, 0)
    stretch = np.zeros((2, 2))
    if kind.distractors != 'none':
        others = distractors.draw(
            generator(STREAM, kind.draw, number, 1 + index, DISTRACTORS), subject.points, frame
        )
        bells = np.concatenate([bells, others.bells])
        pose, stretch = pose * others.sway, others.stretch
    return Expression(
        word=word,
        units=units,
        bells=bells,
        stretch=stretch,
        pose=pose,
        frame=frame,
        numbers=(onset, onset + rise, onset + max(round(FPS * seconds), rise + 3)),
    )


def _move(rng, subject, unit, side):
    """Return a unit and its strength on the subject's right and left half."""
    strength = subject.gain[unit] * rng.lognormal(0, 0.2)
    right, left = strength * (1 + subject.lean), strength * (1 - subject.lean)
    if side == 'L':
        right *= many.UNEQUAL
    if side == 'R':
        left *= many.UNEQUAL
    return unit, right, left


def _varied(rng, bells):
    """Return bells elsewhere, of other size, length and direction."""
    count = len(bells)
    size = bells[:, 4:] * np.exp(rng.normal(0, WIDTH, (count, 2)))
    place = bells[:, :2] + rng.normal(0, PLACE, (count, 2)) * bells[:, 4:]
    length = np.exp(rng.normal(0, LENGTH, count))
    angle = rng.normal(0, DIRECTION, count)
    cos, sin = length * np.cos(angle), length * np.sin(angle)
    across, down = bells[:, 2], bells[:, 3]
    moved = np.stack([cos * across - sin * down, sin * across + cos * down], -1)
    return np.concatenate([place, moved, size], axis=1)


def _scaled(bells, size):
    """Return bells whose largest displacement is `size` pixels, and that never fold."""
    field = many.displacement(bells, COARSE, COARSE)
    peak = np.sqrt((field**2).sum(-1).max())
    steepest = max(np.abs(np.diff(field, axis=axis)).max() for axis in (0, 1)) / COARSE[1]
    bells[:, 2:4] *= min(np.clip(size, LEAST, LARGEST) / peak, STEEPEST / steepest)
    return bells


def contrast(
    rng: np.random.Generator, points: np.ndarray, frame: np.ndarray, side: int
) -> np.ndarray:
    """Return how well an estimator sees each pixel of a crop.

    Args:
        rng: draws the contrast of skin and edges.
        points: landmarks [68, 2] of the face at rest.
        frame: the crop [4]: left, top, width and height, pixels of 128.
        side: of the result.

    Returns:
        float32[side, side], about 1 on a strong edge.
    """
    scale = side / frame[2:]
    strengths = rng.lognormal(0, SPREAD, len(EDGES))
    lines = np.zeros((side, side), np.float32)
    for (part, closed, usual), strength in zip(EDGES, strengths, strict=True):
        line = ((points[part] + 0.5 - frame[:2]) * scale - 0.5) * 16
        one = np.zeros_like(lines)
        cv2.polylines(one, [np.round(line).astype(np.int32)], closed, usual * strength, shift=4)
        lines = np.maximum(lines, one)
    widths = EDGE * scale
    blurred = cv2.GaussianBlur(lines, (0, 0), widths[0], sigmaY=widths[1])
    # a straight line of 1 is 1 in its middle again
    edges = blurred * np.float32(np.sqrt(2 * np.pi) * widths.mean())
    patches = rng.standard_normal((side, side), dtype=np.float32)
    patches = cv2.GaussianBlur(patches, (0, 0), NEIGHBOURHOOD * scale.mean() / 2)
    skin = SKIN[0] * np.exp(SKIN[1] * (rng.standard_normal() + patches / patches.std()) / 2)
    return (edges + skin).astype(np.float32)


def seen(truth: np.ndarray, weight: np.ndarray, width: float, half: float) -> np.ndarray:
    """Return the flow that an estimator sees of a displacement.

    It is the mean over a neighbourhood, in which edges count; and less where few are near.

    Args:
        truth: float32[S, S, 2].
        weight: float32[S, S], of `contrast`.
        width: of the neighbourhood in pixels.
        half: contrast at which half of the motion is seen.

    Returns:
        float32[S, S, 2].
    """
    total = cv2.GaussianBlur(truth * weight[..., None], (0, 0), width)
    near = cv2.GaussianBlur(weight, (0, 0), width)
    return total / (near + half)[..., None]


def clips_of(kind: Kind, number: int, count: int) -> list[many.Clip]:
    """Draw the first `count` clips of subject `number`.

    Args:
        kind: of the data set.
        number: of the person, from 0.
        count: of clips.
    """
    subject = person(kind, number)
    return [render(kind, subject, number, index) for index in range(count)]


def render(kind: Kind, subject: many.Person, number: int, index: int) -> many.Clip:
    """Compute one clip of a person.

    Args:
        kind: of the data set.
        subject: the person.
        number: of the person.
        index: of the clip within the person.
    """
    shown = express(kind, subject, number, index)
    size = many.Kind().size
    flow_, truth = _flow(kind, subject, shown, (number, index))
    left, top, width, height = shown.frame
    moved = subject.points + muscles.displacement(shown.bells, subject.points)
    moved = moved + (subject.points - motion.MIDDLE) @ shown.stretch
    points = np.stack([subject.points, motion.apply_pose(moved, shown.pose)])
    to_features = np.array([size / width, size / height])
    onset, apex, offset = shown.numbers
    name = f'd{kind.draw}_p{number:05d}'
    return many.Clip(
        clip=f'{name}_{index}',
        subject=name,
        emotion=shown.word,
        action_units='+'.join(f'{side}{unit}' for unit, side in shown.units),
        onset=onset,
        apex=apex,
        offset=offset,
        fps=FPS,
        frames=np.zeros((0, SIZE, SIZE), np.uint8),
        flow=flow_,
        landmarks=((points + 0.5 - (left, top)) * to_features - 0.5).astype(np.float32),
        displacement=truth,
    )


def _flow(kind, subject, shown, clip):
    """Return the features, float32[28, 28, 3], and the truth, float32[28, 28, 2]."""
    size = many.Kind().size
    side = FINER * size
    left, top, width, height = shown.frame
    steps = (np.arange(side) + 0.5) / side
    x, y = left + steps * width - 0.5, top + steps * height - 0.5
    pixels = np.stack(np.meshgrid(x, y), -1)
    field = many.displacement(shown.bells, x, y) + (pixels - motion.MIDDLE) @ shown.stretch
    truth = motion.apply_pose(pixels + field, shown.pose) - pixels
    truth = (truth * (side / shown.frame[2:])).astype(np.float32)
    rng = generator(STREAM, kind.draw, clip[0], 1 + clip[1], SEEN)
    weight = contrast(rng, subject.points, shown.frame, side)
    half = np.float32(HALF[0] * rng.lognormal(0, HALF[1]))
    rng = generator(STREAM, kind.draw, clip[0], 1 + clip[1], ERROR)
    width = NEIGHBOURHOOD * side / np.sqrt(width * height)
    flow_ = flow.resize_flow(seen(truth + exact.error(rng, side), weight, width, half), size)
    return np.dstack([flow_, flow.strain(flow_)]), flow.resize_flow(truth, size)
