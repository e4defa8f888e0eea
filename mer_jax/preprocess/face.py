"""One square crop of the face for a whole clip.

It is taken from the onset frame and puts the eyes at fixed places.

Points are (x, y) in pixels, the centre of the first pixel at (0, 0); edges are counted so that a
frame is (0, 0, W, H).
"""

import functools
import itertools
import threading
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from mer_jax.errors import UserError

# Where the eyes stand in a crop, as shares of its side: the subject's right eye (left in the
# image), then the left one. An eye distance of 0.35 leaves an adult face from the hairline to the
# chin inside, with room for raised brows.
EYES_AT = np.array([[0.325, 0.34], [0.675, 0.34]])
# Where they stand in a Haar box; measured 0.29-0.31 and 0.69-0.70 across on drawn faces, which
# stand a little lower.
EYES_IN_BOX = np.array([[0.30, 0.40], [0.70, 0.40]])

# Haar cascades: the second is tried where the first finds nothing
FACES = ('frontalface_alt2', 'frontalface_default')
EYES = ('eye', 'eye_tree_eyeglasses')
STEEPEST = 20.0  # degrees between the eyes of a frontal face


class Crop(NamedTuple):
    """A square cut out of every frame of a clip."""

    matrix: np.ndarray  # float64[2, 3]: frame point -> crop point
    size: int
    # x0, y0, x1, y1: edges in the frame of the square, or of what surrounds it where it is turned
    box: tuple[float, float, float, float]
    # degrees the line of the eyes falls to the right in the frame; the crop has it level
    angle: float
    # 'haar and eyes' | 'landmarks' | 'detector' | 'haar' | 'release crop' | 'whole frame'
    how: str


def no_landmarks(gray: np.ndarray) -> np.ndarray:
    """float64[0, 2]: this frame has no landmarks."""
    return np.zeros((0, 2))


def find(
    gray: np.ndarray,
    *,
    size: int,
    cropped: bool,
    landmarks_of: Callable[[np.ndarray], np.ndarray] = no_landmarks,
    eyes_of: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Crop:
    """The crop of a clip, from its onset frame alone.

    So the crop does not move with the face. Without a plausible pair of eyes the Haar box is used
    unturned ('haar'); without a face the largest square in the middle of the frame ('whole frame',
    which the user must learn of).

    Args:
        gray: onset frame uint8[H, W].
        size: side of the crop in pixels.
        cropped: the frame is a release's face crop and is taken whole, stretched to the square:
            nothing is cut off, a face fills the same share of it whatever the size of the crop, and
            the result depends on H and W alone.
        landmarks_of: (gray) -> landmarks float[68, 2] in frame pixels, or [0, 2] without any; they
            give the eyes in place of Haar.
        eyes_of: (gray) -> eyes of the largest face, float[2, 2] in frame pixels, or [0, 2] without
            a face, such as `mtcnn.eyes`; in place of Haar.

    Raises:
        UserError: the frame is not 8-bit gray.
    """
    gray = _check_frame(gray)
    height, width = gray.shape
    if cropped:
        return _upright(0, 0, width, height, size, 'release crop')
    points = np.asarray(landmarks_of(gray), np.float64)
    if len(points):
        pair = np.stack([points[36:42].mean(0), points[42:48].mean(0)])
        return level_eyes(pair, size, 'landmarks')
    pair, how = _haar_eyes(gray) if eyes_of is None else (eyes_of(gray), 'detector')
    if len(pair):
        return level_eyes(pair, size, how)
    side = min(height, width)
    return _upright((width - side) // 2, (height - side) // 2, side, side, size, 'whole frame')


def _haar_eyes(gray):
    """(eyes of the largest face that Haar finds [2, 2] or [0, 2], how they were found)."""
    box = largest_face(gray)
    if not box:
        return np.zeros((0, 2)), ''
    pair = eyes(gray, box)
    if len(pair):
        return pair, 'haar and eyes'
    return eyes_expected(box), 'haar'


def cut(gray: np.ndarray, crop: Crop) -> np.ndarray:
    """The crop of one frame.

    The mean over each crop pixel's area where it shrinks, else bilinear. What lies outside the
    frame repeats the frame's edge.

    Args:
        gray: frame uint8[H, W].
        crop: where to cut.

    Returns:
        uint8[size, size].
    """
    gray = _check_frame(gray)
    # samples for each crop pixel and axis: fewer than one for every frame pixel would alias
    fine = np.maximum(1, np.ceil(_frame_pixels(crop) - 1e-6)).astype(int)
    sampled = _warped(gray, crop, fine)
    area = sampled.reshape(crop.size, fine[1], crop.size, fine[0]).mean((1, 3))
    return np.clip(np.rint(area), 0, 255).astype(np.uint8)


def cut_at_frame_size(gray: np.ndarray, crop: Crop) -> np.ndarray:
    """The crop of one frame, in as many pixels as the frame has there.

    A crop that is neither turned nor scaled, such as a release's, is copied as it is.

    Args:
        gray: frame uint8[H, W].
        crop: where to cut.

    Returns:
        uint8[h, w]; the sides are rounded, and are equal but for a crop of the release.
    """
    gray = _check_frame(gray)
    sides = np.maximum(np.rint(crop.size * _frame_pixels(crop)), 1)
    sampled = _warped(gray, crop, sides / crop.size)
    return np.clip(np.rint(sampled), 0, 255).astype(np.uint8)


def _frame_pixels(crop):
    """How many pixels of the frame a pixel of the crop spans, (across, down)."""
    return np.hypot(*cv2.invertAffineTransform(crop.matrix)[:, :2])


def _warped(gray, crop, scale):
    """float32: the crop, sampled bilinearly in `scale` (across, down) times as many pixels."""
    around, corner = _around(gray, crop.box)
    matrix = crop.matrix * scale[:, None]
    matrix[:, 2] += (scale - 1) / 2 + matrix[:, :2] @ corner
    return cv2.warpAffine(
        around.astype(np.float32),
        matrix,
        tuple(round(side) for side in crop.size * scale),
        borderMode=cv2.BORDER_REPLICATE,
    )


def _around(gray, box):
    """Return what a frame shows in a box, and its first pixel (x, y).

    Two pixels around the box belong to it.
    """
    limit = np.array(gray.shape[::-1])
    start = np.clip(np.floor(box[:2]).astype(int) - 2, 0, limit - 1)
    end = np.clip(np.ceil(box[2:]).astype(int) + 2, start + 1, limit)
    return gray[start[1] : end[1], start[0] : end[0]], start


def transform(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points [..., 2] through an affine matrix [2, 3]."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def eyes_expected(box: tuple[float, ...]) -> np.ndarray:
    """Return where the eyes usually are in a Haar box.

    Args:
        box: (x, y, w, h).

    Returns:
        float64[2, 2], the subject's right eye first.
    """
    return np.array(box[:2]) + EYES_IN_BOX * box[2:] - 0.5


def eyes(gray: np.ndarray, box: tuple[float, ...]) -> np.ndarray:
    """Return the centres of the eyes that Haar finds.

    Of all plausible pairs in the upper part of the box the one nearest to where eyes are expected.

    Args:
        gray: frame uint8[H, W].
        box: (x, y, w, h) of the face.

    Returns:
        float64[2, 2], the subject's right eye first; float64[0, 2] where there is no such pair.
    """
    x, y, width, height = (round(float(edge)) for edge in box)
    left, top = max(x, 0), max(y, 0)
    upper = gray[top : max(y + round(0.65 * height), top), left : max(x + width, left)]
    if not upper.size:
        return np.zeros((0, 2))
    least = max(round(0.12 * width), 1)
    for name in EYES:
        boxes = _detect(name, upper, neighbours=3, least=least)
        centres = boxes[:, :2] + boxes[:, 2:] / 2 + (left, top)
        in_box = (centres - (x, y)) / (width, height)
        pairs = []
        for i, j in itertools.product(range(len(boxes)), repeat=2):
            if plausible_eyes(in_box[i], in_box[j], boxes[i, 2] / boxes[j, 2]):
                pairs.append((np.sum((in_box[[i, j]] - EYES_IN_BOX) ** 2), i, j))
        if pairs:
            _, i, j = min(pairs)
            return centres[[i, j]] - 0.5
    return np.zeros((0, 2))


def plausible_eyes(right: np.ndarray, left: np.ndarray, ratio: float) -> bool:
    """Return whether two points can be a pair of eyes.

    Args:
        right, left: (x, y) in units of the face box.
        ratio: width of the right eye's box to that of the left.
    """
    across, down = left - right
    return (
        0.28 < across < 0.55
        and abs(np.degrees(np.arctan2(down, across))) < STEEPEST
        and 0.22 < min(right[1], left[1])
        and max(right[1], left[1]) < 0.55
        and 0.38 < (right[0] + left[0]) / 2 < 0.62
        and 0.5 < ratio < 2
    )


def largest_face(gray: np.ndarray) -> tuple[float, ...]:
    """The largest face that Haar finds.

    Args:
        gray: frame uint8[H, W].

    Returns:
        (x, y, w, h), of equal ones the first from the top left; () where there is none.
    """
    boxes = faces(gray).tolist()
    return tuple(max(boxes, key=lambda box: (box[2], -box[1], -box[0]))) if boxes else ()


def faces(gray: np.ndarray) -> np.ndarray:
    """The faces that Haar finds, of at least a fifth of the shorter side.

    Args:
        gray: frame uint8[H, W].

    Returns:
        Boxes (x, y, w, h), float64[n, 4], of the first cascade of FACES that finds any.
    """
    boxes = np.zeros((0, 4))
    for name in FACES:
        boxes = _detect(name, gray, neighbours=5, least=max(min(gray.shape) // 5, 1))
        if len(boxes):
            break
    return boxes


def _detect(name, gray, *, neighbours, least):
    """Return Haar boxes (x, y, w, h), float64[n, 4].

    They are sorted, because OpenCV's order depends on its threads.
    """
    cascade = _cascade(name, threading.get_ident())
    boxes = cascade.detectMultiScale(
        np.ascontiguousarray(gray), 1.1, neighbours, minSize=(least, least)
    )
    return np.array(sorted(map(tuple, boxes)), np.float64).reshape(-1, 4)


@functools.cache
def _cascade(name, thread):
    # per thread: detectMultiScale writes into its cascade
    if not hasattr(cv2, 'data') or not hasattr(cv2, 'CascadeClassifier'):
        raise UserError(
            f'face: OpenCV {cv2.__version__} has no Haar cascades; '
            'opencv-contrib-python-headless <5 has'
        )
    cascade = cv2.CascadeClassifier(f'{cv2.data.haarcascades}haarcascade_{name}.xml')
    if cascade.empty():
        raise UserError(
            f'face: haarcascade_{name}.xml is missing; install '
            'opencv-contrib-python-headless>=4.10,<5'
        )
    return cascade


def level_eyes(pair: np.ndarray, size: int, how: str) -> Crop:
    """Return the crop that brings a pair of eyes to EYES_AT.

    It shifts, turns and scales.

    Args:
        pair: centres of the eyes [2, 2] in frame pixels, the subject's right eye first.
        size: side of the crop in pixels.
        how: the eyes were found, for Crop.how.
    """
    (ax, ay), (bx, by) = pair
    goal = EYES_AT * size - 0.5
    turn = complex(*(goal[1] - goal[0])) / complex(bx - ax, by - ay)
    linear = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    matrix = np.column_stack([linear, goal[0] - linear @ (ax, ay)])
    corners = np.array([[0, 0], [size, 0], [0, size], [size, size]]) - 0.5
    edges = transform(cv2.invertAffineTransform(matrix), corners) + 0.5
    box = (*map(float, edges.min(0)), *map(float, edges.max(0)))
    angle = float(np.degrees(np.arctan2(by - ay, bx - ax)))
    return Crop(matrix, size, box, angle, how)


def _upright(x, y, width, height, size, how):
    """Return the Crop of an upright rectangle of the frame."""
    across, down = size / width, size / height
    matrix = np.array([[across, 0, (0.5 - x) * across - 0.5], [0, down, (0.5 - y) * down - 0.5]])
    box = (float(x), float(y), float(x + width), float(y + height))
    return Crop(matrix, size, box, 0.0, how)


def _check_frame(gray):
    gray = np.asarray(gray)
    if gray.dtype != np.uint8 or gray.ndim != 2 or not gray.size:
        raise UserError(
            f'face: a frame is {gray.dtype}{list(gray.shape)}; needs 8-bit gray, uint8[H, W]'
        )
    return gray
