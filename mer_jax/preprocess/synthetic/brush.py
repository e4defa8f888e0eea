"""Soft shapes on the drawing surface."""

import cv2
import numpy as np

from mer_jax.preprocess.synthetic.identity import SIZE

SCALE = 3  # drawing pixels to an image pixel; drawing pixel SCALE * x + 1 lies under image pixel x


def grid() -> tuple[np.ndarray, np.ndarray]:
    """Return x and y of all drawing pixels, in image pixels.

    float32[SCALE * SIZE, SCALE * SIZE] each.
    """
    line = (np.arange(SCALE * SIZE, dtype=np.float32) - 1) / SCALE
    x, y = np.meshgrid(line, line)
    return x, y


def polygon(points: np.ndarray, *, soft: float = 0.35) -> np.ndarray:
    """Return the coverage 0..1 of a polygon [n, 2].

    Its edge is `soft` pixels wide.
    """
    canvas = np.zeros((SCALE * SIZE, SCALE * SIZE), np.float32)
    cv2.fillPoly(canvas, [_fixed(points)], 1.0, lineType=cv2.LINE_8, shift=4)
    return cv2.GaussianBlur(canvas, (0, 0), soft * SCALE)


def stroke(points: np.ndarray, width: float, *, soft: float = 0.35) -> np.ndarray:
    """Return the coverage 0..1 of an open line through points [n, 2].

    It is `width` pixels thick.
    """
    canvas = np.zeros((SCALE * SIZE, SCALE * SIZE), np.float32)
    line = [_fixed(smooth(points))]
    thickness = max(1, round(width * SCALE))
    cv2.polylines(canvas, line, False, 1.0, thickness=thickness, lineType=cv2.LINE_8, shift=4)
    return cv2.GaussianBlur(canvas, (0, 0), soft * SCALE)


def _fixed(points):
    """Return points as cv2 takes them.

    In drawing pixels, with 4 binary places.
    """
    return np.round((SCALE * np.asarray(points, np.float64) + 1) * 16).astype(np.int32)


def smooth(points: np.ndarray, *, closed: bool = False, per_edge: int = 8) -> np.ndarray:
    """A Catmull-Rom curve through points [n, 2].

    Args:
        points: [n, 2].
        closed: the last point is joined to the first.
        per_edge: steps from a point to the next.

    Returns:
        float64[m, 2].
    """
    points = np.asarray(points, np.float64)
    first, last = points[:1], points[-1:]
    ring = [last, points, points[:2]] if closed else [first, points, last]
    ring = np.concatenate(ring)
    before, start, end, after = ring[:-3, None], ring[1:-2, None], ring[2:-1, None], ring[3:, None]
    t = np.linspace(0, 1, per_edge, endpoint=False)[None, :, None]
    cubic = 3 * (start - end) + after - before
    square = 2 * before - 5 * start + 4 * end - after
    curve = start + 0.5 * t * (end - before + t * (square + t * cubic))
    return np.concatenate([curve.reshape(-1, 2), first if closed else last])


def bump(
    x: np.ndarray,
    y: np.ndarray,
    centre: tuple[float, float],
    wide: float,
    high: float,
    *,
    power: float = 2,
) -> np.ndarray:
    """A bell of height 1 around a centre.

    Args:
        x, y: where to evaluate it.
        centre: (x, y).
        wide, high: its size across and down, pixels.
        power: of the exponent; larger is flatter, with steeper sides.
    """
    return np.exp(
        -(np.abs((x - centre[0]) / wide) ** power) - np.abs((y - centre[1]) / high) ** power
    )


def blend(picture: np.ndarray, tone: float | np.ndarray, cover: np.ndarray) -> np.ndarray:
    """`tone` over `picture` where `cover` is 1."""
    return picture + (tone - picture) * np.clip(cover, 0, 1)
