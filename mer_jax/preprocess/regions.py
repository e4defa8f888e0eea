"""Regions of a face from its 68 landmarks (300-W order), masks made of them, and the region an
action unit moves.
"""

import cv2
import numpy as np

from mer_jax.errors import UserError

# each with its brow
RIGHT_EYE, LEFT_EYE = (*range(17, 22), *range(36, 42)), (*range(22, 27), *range(42, 48))
MOUTH = tuple(range(48, 68))
REGIONS = {'eyes': (RIGHT_EYE, LEFT_EYE), 'mouth': (MOUTH,)}
MARGIN = 0.05  # by which a hull is grown, as a part of the face's width between landmarks 0 and 16

KEEP = ('none', 'background', 'eyes_mouth')

_ACTION_UNITS = {
    'eyes': {*range(1, 10), *range(41, 47), *range(61, 70)},
    'mouth': {*range(10, 40)},
}


def mask(landmarks, size, *, keep, margin=MARGIN) -> np.ndarray:
    """bool[size, size], True where a pixel stays: the three readings of a 'black mask around eyes
    and mouth'.

    landmarks: [68, 2] (x, y) in pixels of the image. keep names what is blacked: 'none' nothing,
    all True; 'background' all but the eyes with their brows and the mouth; 'eyes_mouth' these.
    Source: Irawan et al. 2024, which says both of the last two. Raises UserError on another word.
    """
    if keep not in KEEP:
        raise UserError(f'mask is {keep!r}; known: {", ".join(KEEP)}')
    if keep == 'none':
        return np.ones((size, size), bool)
    features = region(landmarks, size, 'eyes', margin=margin) | region(
        landmarks, size, 'mouth', margin=margin
    )
    return features if keep == 'background' else ~features


def region(landmarks, size, name, *, margin=MARGIN) -> np.ndarray:
    """bool[size, size] of 'eyes' (two hulls, each with its brow) or 'mouth'; margin in widths of
    the face.
    """
    landmarks = np.asarray(landmarks, np.float64)
    if landmarks.shape != (68, 2) or not np.isfinite(landmarks).all():
        raise UserError(
            f'regions: landmarks are {list(landmarks.shape)} or not finite; needs finite numbers '
            '[68, 2]'
        )
    reach = margin * np.linalg.norm(landmarks[16] - landmarks[0])
    return np.any(
        [near_hull(landmarks[list(points)], size, reach) for points in REGIONS[name]], axis=0
    )


def near_hull(points, size, reach) -> np.ndarray:
    """bool[size, size]: pixels whose centre lies in the convex hull of points [n, 2] or at most
    `reach` from it.
    """
    hull = cv2.convexHull(np.asarray(points, np.float32))[:, 0].astype(np.float64)
    # Only what the hull can reach: over the whole picture the masks of a video take longer than all
    # else of loading it.
    first = np.clip(np.floor(hull.min(0) - reach), 0, size).astype(int)
    last = np.clip(np.ceil(hull.max(0) + reach) + 1, first, size).astype(int)
    pixels = np.stack(
        np.meshgrid(np.arange(first[0], last[0]), np.arange(first[1], last[1])), -1
    ).astype(np.float64)
    left, right = np.ones((2, *pixels.shape[:2]), bool)
    nearest = np.full(pixels.shape[:2], np.inf)
    for start, end in zip(hull, np.roll(hull, -1, axis=0), strict=True):
        edge, offset = end - start, pixels - start
        side = edge[0] * offset[..., 1] - edge[1] * offset[..., 0]
        left, right = left & (side >= 0), right & (side <= 0)
        along = np.clip(offset @ edge / max(edge @ edge, 1e-12), 0, 1)
        nearest = np.minimum(nearest, np.linalg.norm(offset - along[..., None] * edge, axis=-1))
    found = np.zeros((size, size), bool)
    found[first[1] : last[1], first[0] : last[0]] = (nearest <= reach) | (
        (left | right) & (len(hull) > 2)
    )
    return found


def action_unit_region(number) -> str:
    """'eyes' or 'mouth': the half of the face that an action unit moves; '' for head movements and
    what has no half.

    Eyes 1-9, 41-46, 61-69; mouth 10-39. Source: the code of Ruan et al., ACM MM 2022 (eyes 1-9,
    41-44, 61-64; mouth 10-28, 38), extended by other codes of FACS: blink and wink, gaze, jaw,
    cheeks, tongue, nostrils.
    """
    return next((name for name, numbers in _ACTION_UNITS.items() if int(number) in numbers), '')
