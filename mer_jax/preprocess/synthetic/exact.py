"""Flow without a picture: the exact displacement, and an error like an estimator's.

The error's numbers were measured on drawn faces: published.py.
"""

import functools

import cv2
import numpy as np

from mer_jax.preprocess.synthetic import published


@functools.cache
def means(side: int, size: int) -> np.ndarray:
    """Weights of the pixels of a line in each of fewer pixels, as of flow.resize_flow.

    Args:
        side: pixels of the line.
        size: at most as many.

    Returns:
        float64[side, size]; each column sums to 1.
    """
    return cv2.resize(np.eye(side), (size, side), interpolation=cv2.INTER_AREA)


def error(rng: np.random.Generator, size: int) -> np.ndarray:
    """What an estimator of flow is off by: smooth noise, stronger in some clips.

    Args:
        rng: draws it.
        size: side of the features; the error is as large in the face at every size.

    Returns:
        float32[size, size, 2] in pixels of that side.
    """
    length = published.ERROR * rng.lognormal(0, published.ERROR_SPREAD) * size / 28
    total = np.zeros((size, size, 2), np.float32)
    for width, share in published.ERROR_WIDTHS.items():
        noise = rng.standard_normal((size, size, 2), dtype=np.float32)
        smooth = cv2.GaussianBlur(noise, (0, 0), width * size / 28)
        total += smooth * np.float32(np.sqrt(share / np.mean(smooth**2)))
    return np.float32(length) * total
