"""A face of no person, drawn from the mean landmarks: stands where a licensed face may not be
shown.
"""

import cv2
import numpy as np

from mer_jax.preprocess import face
from mer_jax.preprocess.landmarks import mean_shape


def schematic(size) -> np.ndarray:
    """uint8[size, size]: lines of a face of no person, the mean landmarks with the eyes where a
    face crop has them.
    """
    big = 4 * max(size, 128)  # drawn large and shrunk: lines of cv2 are jagged below a few pixels
    eyes = face.EYES_AT * big - 0.5
    unit = eyes[1, 0] - eyes[0, 0]
    points = eyes.mean(0) + mean_shape() * unit
    image = np.full((big, big), 246, np.uint8)
    _skull(image, points, unit)
    for brow in (points[17:22], points[22:27]):
        _line(image, brow, 0.055 * unit)
    for corner in (36, 42):
        _eye(image, points[corner : corner + 6], unit)
    _line(image, points[27:31], 0.016 * unit, ink=150)
    _line(image, points[31:36], 0.024 * unit)
    cv2.fillPoly(image, [_fixed(_smooth(points[48:60], closed=True))], 205, cv2.LINE_AA, 4)
    _line(image, points[48:60], 0.024 * unit, closed=True)
    _line(image, points[[48, 60, 61, 62, 63, 64, 54]], 0.02 * unit)
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)


def _skull(image, points, unit):
    """Jaw, forehead and ears."""
    t = np.linspace(np.pi, 2 * np.pi, 9)[1:-1]
    middle, across = points[[0, 16]].mean(0), (points[16, 0] - points[0, 0]) / 2
    forehead = middle[None] + np.stack([-np.cos(t + np.pi) * across, np.sin(t) * 0.98 * unit], -1)
    outline = np.concatenate([points[:17], forehead[::-1]])
    for side, ear in ((-1, points[0]), (1, points[16])):
        t = np.linspace(0, 2 * np.pi, 12, endpoint=False)
        ring = ear + np.stack(
            [side * 0.06 * unit + 0.11 * unit * np.cos(t), 0.14 * unit + 0.25 * unit * np.sin(t)],
            -1,
        )
        _line(image, ring, 0.022 * unit, ink=130, closed=True)
    cv2.fillPoly(image, [_fixed(_smooth(outline, closed=True))], 234, cv2.LINE_AA, 4)
    _line(image, outline, 0.03 * unit, closed=True, ink=100)


def _eye(image, points, unit):
    """Lids, iris and pupil of an eye of six landmarks."""
    lids = _smooth(points, closed=True)
    cv2.fillPoly(image, [_fixed(lids)], 255, cv2.LINE_AA, 4)
    inside = cv2.fillPoly(np.zeros_like(image), [_fixed(lids)], 255, cv2.LINE_AA, 4) > 127
    iris = image.copy()
    middle = tuple(int(v) for v in np.round(points.mean(0) * 16))
    cv2.circle(iris, middle, round(0.085 * unit * 16), 150, -1, cv2.LINE_AA, 4)
    cv2.circle(iris, middle, round(0.04 * unit * 16), 60, -1, cv2.LINE_AA, 4)
    image[inside] = iris[inside]
    _line(image, points, 0.024 * unit, closed=True)


def _line(image, points, width, *, ink=70, closed=False):
    """A smooth line through points [n, 2]."""
    cv2.polylines(
        image, [_fixed(_smooth(points, closed))], closed, ink, max(round(width), 1), cv2.LINE_AA, 4
    )


def _smooth(points, closed=False):
    """Catmull-Rom curve through points [n, 2], ten steps from each to the next."""
    ends = (points[-1:], points[:2]) if closed else (points[:1], points[-1:])
    p = np.concatenate([ends[0], points, ends[1]])
    a, b, c, d = (p[i : len(p) - 3 + i, None] for i in range(4))
    t = np.arange(10)[None, :, None] / 10
    curve = b + t / 2 * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))
    curve = curve.reshape(-1, 2)
    return curve if closed else np.concatenate([curve, points[-1:]])


def _fixed(points):
    """Points as cv2 takes them with 4 binary places."""
    return np.round(np.asarray(points) * 16).astype(np.int32)
