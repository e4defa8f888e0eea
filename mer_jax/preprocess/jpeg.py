"""One pass through JPEG, as published pictures were stored."""

import cv2
import numpy as np


def round_trip(image: np.ndarray, *, quality: int = 75) -> np.ndarray:
    """Compress an image of three channels once, and decode it.

    As Pillow stores an RGB image by default. JPEG keeps brightness better than colour, so that
    channels which show different things bleed into each other.

    Args:
        image: uint8[H, W, 3]; channel 0 is taken as red.
        quality: 1 to 100; Pillow's default is 75, OpenCV's is 95.

    Returns:
        uint8[H, W, 3].
    """
    blue_first = np.ascontiguousarray(image[..., ::-1])  # the order of OpenCV
    _, encoded = cv2.imencode('.jpg', blue_first, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR)[..., ::-1])
