"""Arrows of a flow on a picture."""

import cv2
import numpy as np


def means(field: np.ndarray, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the flow around points that lie on a grid.

    Args:
        field: float[H, W, 2] (right, down).
        step: pixels from a point to the next.

    Returns:
        int[n, 2], the points (x, y); float[n, 2], the mean flow in the square around each.
    """
    points, flows = [], []
    half = step // 2
    for y in range(half, len(field), step):
        for x in range(half, field.shape[1], step):
            around = field[y - half : y + half + 1, x - half : x + half + 1]
            points.append((x, y))
            flows.append(around.reshape(-1, 2).mean(0))
    return np.array(points).reshape(-1, 2), np.array(flows).reshape(-1, 2)


def draw(
    picture: np.ndarray, start: np.ndarray, move: np.ndarray, colour: tuple[int, int, int]
) -> None:
    """Draw an arrow into a picture.

    Args:
        picture: uint8[H, W, 3] RGB, which is changed.
        start: float[2] (x, y) in its pixels.
        move: float[2] from the start to the tip.
        colour: RGB of 0..255.
    """
    points = [tuple(int(value) for value in np.rint(point)) for point in (start, start + move)]
    thickness = max(len(picture) // 160, 1)
    look = {'thickness': thickness, 'line_type': cv2.LINE_AA, 'tipLength': 0.35}
    cv2.arrowedLine(picture, *points, colour, **look)
