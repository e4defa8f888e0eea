"""Eyes and mouth of a face, and the action units there.

They are found from its 68 landmarks in 300-W order.
"""

import cv2
import numpy as np

from mer_jax.errors import UserError

# each with its brow
RIGHT_EYE = (*range(17, 22), *range(36, 42))
LEFT_EYE = (*range(22, 27), *range(42, 48))
MOUTH = tuple(range(48, 68))
REGIONS = {'eyes': (RIGHT_EYE, LEFT_EYE), 'mouth': (MOUTH,)}
# by which a hull is grown, as a share of the face's width between landmarks 0 and 16
MARGIN = 0.05

KEEP = ('none', 'background', 'eyes_mouth')

_ACTION_UNITS = {
    'eyes': {*range(1, 10), *range(41, 47), *range(61, 70)},
    'mouth': {*range(10, 40)},
}


def mask(landmarks: np.ndarray, size: int, *, keep: str, margin: float = MARGIN) -> np.ndarray:
    """Return the pixels that a mask around eyes and mouth keeps.

    Source: Irawan et al. 2024, whose text allows both 'background' and 'eyes_mouth'.

    Args:
        landmarks: [68, 2] (x, y) in pixels of the image.
        size: side of the image in pixels.
        keep: what is blacked: 'none' nothing; 'background' all but the eyes with their brows and
            the mouth; 'eyes_mouth' these.
        margin: by which a hull is grown, in widths of the face.

    Returns:
        bool[size, size], True where a pixel stays.

    Raises:
        UserError: another word for `keep`, or other landmarks.
    """
    if keep not in KEEP:
        raise UserError(f'mask is {keep!r}; known: {", ".join(KEEP)}')
    if keep == 'none':
        return np.ones((size, size), bool)
    eyes = region(landmarks, size, 'eyes', margin=margin)
    mouth = region(landmarks, size, 'mouth', margin=margin)
    features = eyes | mouth
    return features if keep == 'background' else ~features


def region(landmarks: np.ndarray, size: int, name: str, *, margin: float = MARGIN) -> np.ndarray:
    """Pixels of the eyes or the mouth.

    Args:
        landmarks: [68, 2] (x, y) in pixels of the image.
        size: side of the image in pixels.
        name: 'eyes' (two hulls, each with its brow) or 'mouth'.
        margin: by which a hull is grown, in widths of the face.

    Returns:
        bool[size, size].

    Raises:
        UserError: landmarks of another shape or not finite.
    """
    landmarks = np.asarray(landmarks, np.float64)
    if landmarks.shape != (68, 2) or not np.isfinite(landmarks).all():
        raise UserError(
            f'regions: landmarks are {list(landmarks.shape)} or not finite; needs finite numbers '
            '[68, 2]'
        )
    reach = margin * np.linalg.norm(landmarks[16] - landmarks[0])
    hulls = [near_hull(landmarks[list(points)], size, reach) for points in REGIONS[name]]
    return np.any(hulls, axis=0)


def near_hull(points: np.ndarray, size: int, reach: float) -> np.ndarray:
    """Pixels whose centre lies in or near a convex hull.

    Args:
        points: [n, 2] (x, y), whose hull it is.
        size: side of the image in pixels.
        reach: largest distance from the hull in pixels.

    Returns:
        bool[size, size].
    """
    hull = cv2.convexHull(np.asarray(points, np.float32))[:, 0].astype(np.float64)
    # Only what the hull can reach: over the whole picture the masks of a video take longer than all
    # else of loading it.
    first = np.clip(np.floor(hull.min(0) - reach), 0, size).astype(int)
    last = np.clip(np.ceil(hull.max(0) + reach) + 1, first, size).astype(int)
    grid = np.meshgrid(np.arange(first[0], last[0]), np.arange(first[1], last[1]))
    pixels = np.stack(grid, -1).astype(np.float64)
    left_of_all, right_of_all = np.ones((2, *pixels.shape[:2]), bool)
    distance = np.full(pixels.shape[:2], np.inf)
    for start, end in zip(hull, np.roll(hull, -1, axis=0), strict=True):
        edge, offset = end - start, pixels - start
        side = edge[0] * offset[..., 1] - edge[1] * offset[..., 0]
        left_of_all &= side >= 0
        right_of_all &= side <= 0
        along = np.clip(offset @ edge / max(edge @ edge, 1e-12), 0, 1)
        to_edge = np.linalg.norm(offset - along[..., None] * edge, axis=-1)
        distance = np.minimum(distance, to_edge)
    inside = (left_of_all | right_of_all) & (len(hull) > 2)
    near = np.zeros((size, size), bool)
    near[first[1] : last[1], first[0] : last[0]] = (distance <= reach) | inside
    return near


def action_unit_region(number: int) -> str:
    """The half of the face that an action unit moves.

    Eyes 1-9, 41-46, 61-69; mouth 10-39. Source: the code of Ruan et al., ACM MM 2022 (eyes 1-9,
    41-44, 61-64; mouth 10-28, 38), extended by other codes of FACS: blink and wink, gaze, jaw,
    cheeks, tongue, nostrils.

    Returns:
        'eyes' or 'mouth'; '' for head movements and what has no half.
    """
    for name, numbers in _ACTION_UNITS.items():
        if int(number) in numbers:
            return name
    return ''
