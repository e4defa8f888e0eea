"""What each action unit does to a drawn face.

It pushes at landmarks, in the directions that FACS describes.

Source: Ekman, Friesen, Hager, Facial Action Coding System (2002), for which part moves where.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mer_jax.errors import UserError
from mer_jax.preprocess.synthetic.landmarks import MIRROR


class Push(NamedTuple):
    """A bell-shaped field of motion.

    It lies on the subject's right half (left of the image) or on the midline.

    Lengths are in pixels, offset and move are (outward, down).
    """

    landmarks: tuple[int, ...]  # the bell lies at their mean, plus the offset
    offset: tuple[float, float]
    move: tuple[float, float]  # of its centre
    width: tuple[float, float]  # standard deviation across and down
    midline: bool = False


# number of the unit -> its pushes
ACTION_UNITS = {
    1: (Push((20, 21), (0, -1), (-0.1, -1.0), (7.5, 7.0)),
        Push((21,), (-1, -12), (0, -0.35), (9, 8))),
    2: (Push((17, 18), (0, -1), (0.1, -1.0), (7.5, 7.5)), Push((18,), (1, -12), (0, -0.3), (9, 8))),
    4: (Push((19, 20, 21), (-1, 0), (-0.55, 0.8), (9.0, 6.5)),
        Push((21, 27), (0, -3), (-0.25, 0.35), (5, 6))),
    5: (Push((37, 38), (0, 0), (0, -0.8), (7.0, 3.2)),),
    6: (Push((40, 41), (2, 10), (0.05, -0.9), (10.0, 7.0)),
        Push((36,), (5, 1), (-0.3, -0.1), (5, 6))),
    7: (Push((40, 41), (0, 1), (-0.1, -0.7), (7.0, 3.0)),
        Push((37, 38), (0, -1), (0, 0.3), (7, 3))),
    9: (
        Push((31,), (4, -8), (-0.1, -1.0), (6.0, 8.0)),
        Push((21,), (-2, 2), (-0.3, 0.5), (6, 5)),
        Push((50,), (2, -2), (0, -0.4), (7, 4)),
    ),
    10: (Push((49, 50), (1, -1), (0.05, -1.0), (7.5, 4.5)),
         Push((31,), (6, 4), (0.1, -0.6), (6, 6))),
    12: (Push((48,), (0, 0), (0.75, -0.75), (8.5, 7.0)),
         Push((48,), (5, -13), (0.15, -0.4), (10, 8))),
    14: (Push((48,), (1, 0), (0.9, -0.1), (5.0, 5.0)), Push((48,), (10, 0), (-0.35, 0), (5, 7))),
    15: (Push((48,), (0, 1), (0.2, 1.0), (7.0, 6.0)), Push((59,), (3, 5), (0.1, 0.4), (7, 6))),
    17: (Push((8, 57), (0, 0), (0, -1.0), (12.0, 7.0), True),
         Push((57,), (0, 0), (0, -0.4), (13, 4), True)),
    20: (Push((48,), (1, 2), (1.0, 0.15), (9.0, 8.0)), Push((59,), (4, 6), (0.5, 0.1), (8, 7))),
    23: (
        Push((50,), (0, 0), (-0.35, 0.5), (6, 3.0)),
        Push((58,), (0, 0), (-0.35, -0.5), (6, 3.5)),
        Push((48,), (0, 0), (-0.6, 0), (5, 4)),
    ),
    24: (Push((51,), (0, -1), (0, 0.7), (11, 3.2), True),
         Push((57,), (0, 1), (0, -0.8), (11, 3.6), True)),
    25: (Push((51,), (0, 0), (0, -0.35), (10.0, 3.5), True),
         Push((57,), (0, 0), (0, 0.9), (11.0, 4.5), True)),
    26: (Push((8,), (0, -3), (0, 1.0), (26.0, 13.0), True),
         Push((57,), (0, 0), (0, 0.55), (13, 6), True)),
}  # fmt: skip


def pushes(points: np.ndarray, units: Sequence[tuple[int, float, float]]) -> np.ndarray:
    """Bells of motion of action units on a face.

    Args:
        points: landmarks [68, 2] of the face.
        units: (number, right, left): strength of the unit on the subject's right and left half; a
            unit on the midline moves with their mean.

    Returns:
        float64[n, 6]: x, y, dx, dy, width, height, in pixels.

    Raises:
        UserError: a unit that is not drawn.
    """
    bells = []
    for number, right, left in units:
        if number not in ACTION_UNITS:
            raise UserError(
                f'synthetic face: action unit {number} is not drawn; known: '
                f'{", ".join(map(str, ACTION_UNITS))}'
            )
        for push in ACTION_UNITS[number]:
            anchors = np.array(push.landmarks)
            if push.midline:
                bells.append(_bell(points, push, anchors, 1, (right + left) / 2))
            else:
                bells.append(_bell(points, push, anchors, -1, right))
                bells.append(_bell(points, push, MIRROR[anchors], 1, left))
    return np.array(bells, np.float64).reshape(-1, 6)


def _bell(points, push, anchors, outward, strength):
    """Return one push on one side of the face.

    Its outward direction is -1 (left of the image) or 1.
    """
    x, y = points[anchors].astype(np.float64).mean(0)
    (aside, below), (across, down) = push.offset, push.move
    return x + outward * aside, y + below, strength * outward * across, strength * down, *push.width


def displacement(bells: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Facial motion at full strength, the sum of all bells.

    Args:
        bells: float64[n, 6], as of pushes.
        points: [..., 2] (x, y) in pixels.

    Returns:
        float64[..., 2] in pixels.
    """
    points = np.asarray(points, np.float64)
    total = np.zeros_like(points)
    for x, y, dx, dy, width, height in bells:
        across = (points[..., 0] - x) / width
        down = (points[..., 1] - y) / height
        weight = np.exp(-0.5 * (across**2 + down**2))
        total += weight[..., None] * (dx, dy)
    return total
