"""A drawn face, shown where a licensed face may not be."""

import cv2
import numpy as np

from mer_jax.preprocess import face
from mer_jax.preprocess.landmarks import mean_shape


def schematic(size: int) -> np.ndarray:
    """Lines of a face of no person.

    The mean landmarks, with the eyes where a face crop has them.

    Args:
        size: side in pixels.

    Returns:
        uint8[size, size].
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
    _fill(image, _smooth(points[48:60], closed=True), 205)
    _line(image, points[48:60], 0.024 * unit, closed=True)
    _line(image, points[[48, 60, 61, 62, 63, 64, 54]], 0.02 * unit)
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)


def _skull(image, points, unit):
    """Jaw, forehead and ears."""
    right, left = points[0], points[16]
    t = np.linspace(np.pi, 2 * np.pi, 9)[1:-1]
    middle, across = points[[0, 16]].mean(0), (left[0] - right[0]) / 2
    forehead = middle[None] + np.stack([-np.cos(t + np.pi) * across, np.sin(t) * 0.98 * unit], -1)
    outline = np.concatenate([points[:17], forehead[::-1]])
    t = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    for side, ear in ((-1, right), (1, left)):
        x = side * 0.06 * unit + 0.11 * unit * np.cos(t)
        y = 0.14 * unit + 0.25 * unit * np.sin(t)
        _line(image, ear + np.stack([x, y], -1), 0.022 * unit, ink=130, closed=True)
    _fill(image, _smooth(outline, closed=True), 234)
    _line(image, outline, 0.03 * unit, closed=True, ink=100)


def _eye(image, points, unit):
    """Lids, iris and pupil of an eye of six landmarks."""
    lids = _smooth(points, closed=True)
    _fill(image, lids, 255)
    inside = _fill(np.zeros_like(image), lids, 255) > 127
    iris = image.copy()
    middle = tuple(int(v) for v in np.round(points.mean(0) * 16))
    cv2.circle(iris, middle, round(0.085 * unit * 16), 150, -1, cv2.LINE_AA, 4)
    cv2.circle(iris, middle, round(0.04 * unit * 16), 60, -1, cv2.LINE_AA, 4)
    image[inside] = iris[inside]
    _line(image, points, 0.024 * unit, closed=True)


def _fill(image, outline, gray):
    """`image` with the inside of an outline [n, 2] painted."""
    return cv2.fillPoly(image, [_fixed(outline)], gray, cv2.LINE_AA, 4)


def _line(image, points, width, *, ink=70, closed=False):
    """A smooth line through points [n, 2]."""
    curve = _fixed(_smooth(points, closed))
    cv2.polylines(image, [curve], closed, ink, max(round(width), 1), cv2.LINE_AA, 4)


def _smooth(points, closed=False):
    """Draw a Catmull-Rom curve through points [n, 2].

    It has ten steps from each point to the next.
    """
    before, after = (points[-1:], points[:2]) if closed else (points[:1], points[-1:])
    p = np.concatenate([before, points, after])
    a, b, c, d = (p[i : len(p) - 3 + i, None] for i in range(4))
    t = np.arange(10)[None, :, None] / 10
    square, cubic = 2 * a - 5 * b + 4 * c - d, 3 * (b - c) + d - a
    curve = b + t / 2 * (c - a + t * (square + t * cubic))
    curve = curve.reshape(-1, 2)
    return curve if closed else np.concatenate([curve, points[-1:]])


def _fixed(points):
    """Points as cv2 takes them with 4 binary places."""
    return np.round(np.asarray(points) * 16).astype(np.int32)
