"""Soft shapes on the drawing surface: where a polygon, a line or a bell covers it, and how a tone
is laid over.
"""

import cv2
import numpy as np

from mer_jax.preprocess.synthetic.identity import SIZE

SCALE = 3  # drawing pixels to an image pixel; drawing pixel SCALE * x + 1 lies under image pixel x


def grid():
    """x and y of every drawing pixel in image pixels, float32[SCALE * SIZE, SCALE * SIZE] each."""
    line = (np.arange(SCALE * SIZE, dtype=np.float32) - 1) / SCALE
    return np.meshgrid(line, line)


def polygon(points, *, soft=0.35):
    """Coverage 0..1 of a polygon [n, 2] with an edge `soft` pixels wide."""
    canvas = np.zeros((SCALE * SIZE, SCALE * SIZE), np.float32)
    fixed = np.round((SCALE * np.asarray(points, np.float64) + 1) * 16).astype(np.int32)
    cv2.fillPoly(canvas, [fixed], 1.0, lineType=cv2.LINE_8, shift=4)
    return cv2.GaussianBlur(canvas, (0, 0), soft * SCALE)


def stroke(points, width, *, soft=0.35):
    """Coverage 0..1 of an open line through `points`, `width` pixels thick."""
    points = smooth(points)
    canvas = np.zeros((SCALE * SIZE, SCALE * SIZE), np.float32)
    fixed = np.round((SCALE * points + 1) * 16).astype(np.int32)
    cv2.polylines(
        canvas,
        [fixed],
        False,
        1.0,
        thickness=max(1, round(width * SCALE)),
        lineType=cv2.LINE_8,
        shift=4,
    )
    return cv2.GaussianBlur(canvas, (0, 0), soft * SCALE)


def smooth(points, *, closed=False, per_edge=8):
    """A Catmull-Rom curve through `points` [n, 2]."""
    points = np.asarray(points, np.float64)
    ring = np.concatenate(
        [points[-1:], points, points[:2]] if closed else [points[:1], points, points[-1:]]
    )
    before, start, end, after = ring[:-3, None], ring[1:-2, None], ring[2:-1, None], ring[3:, None]
    t = np.linspace(0, 1, per_edge, endpoint=False)[None, :, None]
    cubic = 3 * (start - end) + after - before
    square = 2 * before - 5 * start + 4 * end - after
    curve = start + 0.5 * t * (end - before + t * (square + t * cubic))
    return np.concatenate([curve.reshape(-1, 2), points[:1] if closed else points[-1:]])


def bump(x, y, at, wide, high, *, power=2):
    """A bell of height 1 around `at`."""
    return np.exp(-(np.abs((x - at[0]) / wide) ** power) - np.abs((y - at[1]) / high) ** power)


def blend(picture, tone, cover):
    """`tone` over `picture` where `cover` is 1."""
    return picture + (tone - picture) * np.clip(cover, 0, 1)
