"""What moves in recordings beside coded action units, for drawn faces.

Blinks, gaze and the crop's edge are bells of motion, as of muscles.pushes; the head moves further,
comes nearer and turns out of the plane. Numbers and their sources: published.py.
"""

from typing import NamedTuple

import numpy as np

from mer_jax.preprocess.synthetic import published
from mer_jax.preprocess.synthetic.landmarks import LEFT_EYE, RIGHT_EYE

LID = (7.0, 3.2)  # width and height of the bell of a lid, pixels of 128, as of action unit 5
IRIS = 0.45  # width of the bell of a gaze, of half the eye


class Distractors(NamedTuple):
    """What moves in one clip beside the units."""

    bells: np.ndarray  # float64[n, 6], as of muscles.pushes
    sway: float  # the head's shift and turn, times those without distractors
    stretch: np.ndarray  # float64[2, 2]: a point p from the middle moves by p @ stretch


def draw(rng: np.random.Generator, points: np.ndarray, frame: np.ndarray) -> Distractors:
    """What distracts in one clip.

    Args:
        rng: draws it.
        points: landmarks [68, 2] of the face at rest.
        frame: the crop [4]: left, top, width and height, pixels of 128.
    """
    bells = [*_blink(rng, points), *_gaze(rng, points), *_edge(rng, frame)]
    sway = float(rng.lognormal(*published.SWAY))
    return Distractors(
        bells=np.array(bells, np.float64).reshape(-1, 6),
        sway=sway,
        stretch=sway * rng.normal(0, published.STRETCH, (2, 2)),
    )


def _eyes(points):
    """Landmarks [6, 2] of the eye at the left of the image, and of the other."""
    return points[RIGHT_EYE].astype(np.float64), points[LEFT_EYE].astype(np.float64)


def _blink(rng, points):
    """Both upper lids close or open, by parts of the opening (AU45)."""
    blinks, closes = rng.random(2) < (published.BLINKS, published.CLOSING)
    part = rng.uniform(*published.LIDS)
    sides = rng.uniform(0.8, 1.2, 2)
    if not blinks:
        return []
    bells = []
    for eye, side in zip(_eyes(points), sides, strict=True):
        opening = eye[:, 1].max() - eye[:, 1].min()
        move = opening * part * side * (1 if closes else -1)
        upper = eye[np.argsort(eye[:, 1])[:2]].mean(0)
        bells.append((*upper, 0.0, move, *LID))
    return bells


def _gaze(rng, points):
    """Both eyes turn together."""
    turns = rng.random() < published.GAZES
    degrees = min(rng.exponential(published.SACCADE), 20.0)
    direction = rng.uniform(0, 2 * np.pi)
    if not turns:
        return []
    right, left = _eyes(points)
    radius = published.EYEBALL * (left[:, 0].mean() - right[:, 0].mean())
    move = radius * np.sin(np.radians(degrees))
    across, down = move * np.cos(direction), move * np.sin(direction)
    bells = []
    for eye in (right, left):
        half = np.ptp(eye[:, 0]) / 2
        middle = (eye.min(0) + eye.max(0)) / 2
        bells.append((*middle, across, down, IRIS * half, np.ptp(eye[:, 1]) / 2))
    return bells


def _edge(rng, frame):
    """Hair, ears or what is behind them move along the top or a side of the crop."""
    moves = rng.random() < published.EDGES
    edge, count = rng.integers(3), rng.integers(1, 5)
    along, depth = rng.uniform(0, 1, count), rng.uniform(-0.03, 0.03, count)
    spread = rng.uniform(0.05, 0.16, count), rng.uniform(0.03, 0.07, count)
    directions = rng.uniform(0, 2 * np.pi, count)
    length = rng.lognormal(*published.EDGE_LENGTH) * rng.uniform(0.5, 1.0, count)
    if not moves:
        return []
    left, top, width, height = frame
    move = length * np.cos(directions), length * np.sin(directions)
    if edge == 0:
        x, y = left + along * width, top + depth * height
        return np.stack([x, y, *move, spread[0] * width, spread[1] * height], -1)
    side = left if edge == 1 else left + width
    x, y = side + depth * width, top + along * height
    return np.stack([x, y, *move, spread[1] * width, spread[0] * height], -1)


def crop(rng: np.random.Generator, points: np.ndarray) -> np.ndarray:
    """A crop of one person, wider and narrower than the published ones.

    Args:
        rng: draws it.
        points: landmarks [68, 2] of the face at rest.

    Returns:
        float64[4]: left, top, width and height in pixels of 128.
    """
    right, left = (eye.mean(0) for eye in _eyes(points))
    middle, eyes = (right + left) / 2, left[0] - right[0]
    nose = points[33, 1] - middle[1]
    apart, row, below, aside = (rng.uniform(*limits) for limits in published.LAYOUT)
    width, height = 28 * eyes / apart, 28 * nose / below
    x, y = 13.5 + aside, row
    left_edge = middle[0] + 0.5 - (x + 0.5) / 28 * width
    top_edge = middle[1] + 0.5 - (y + 0.5) / 28 * height
    return np.array([left_edge, top_edge, width, height])
