"""Ten regions of a face, and statistics of strain in them.

A region is where certain action units move the face.
"""

from typing import NamedTuple

import numpy as np

from mer_jax.errors import UserError
from mer_jax.preprocess import regions

# By which copies of brow points go up and of lower-lid points down, as a share of the face's width.
# Our choice: some four tenths of the way from brow to hairline, and from lower lid to wing of the
# nose.
RAISED = 0.10
STATISTICS = ('mean', 'std', 'p95', 'share')


class Region(NamedTuple):
    """The grown convex hull of some landmarks.

    Landmarks are 0-based, in 300-W order; right is the subject's right.
    """

    name: str
    points: tuple[int, ...]  # landmarks
    units: tuple[int, ...]  # action units that move it
    raised: tuple[int, ...] = ()  # landmarks whose copy, RAISED further up, is in the hull too
    lowered: tuple[int, ...] = ()  # and those whose copy lies so much further down


BROW_RIGHT = (17, 18, 19)
BROW_LEFT = (24, 25, 26)
BROWS_INNER = (20, 21, 22, 23)
EYE_RIGHT = tuple(range(36, 42))
EYE_LEFT = tuple(range(42, 48))
EYE_UNITS = (5, 6, 7, 43, 45)
UPPER_LIP_UNITS = (6, 10, 11, 12)
MOUTH = tuple(range(48, 68))
LIP_UNITS = (12, 13, 14, 15, 16, 18, 20, 22, 23, 24, 25, 26, 28)
AU_REGIONS = (
    Region('inner brows', (*BROWS_INNER, 27), (1, 4), raised=BROWS_INNER),
    Region('outer brow, right', BROW_RIGHT, (2,), raised=BROW_RIGHT),
    Region('outer brow, left', BROW_LEFT, (2,), raised=BROW_LEFT),
    Region('eye, right', EYE_RIGHT, EYE_UNITS, lowered=(40, 41)),
    Region('eye, left', EYE_LEFT, EYE_UNITS, lowered=(46, 47)),
    Region('root of the nose', (27, 28, 29, 30, 39, 42, 31, 35), (4, 9)),
    Region('side of the upper lip, right', (31, 48, 2, 40), UPPER_LIP_UNITS),
    Region('side of the upper lip, left', (35, 54, 14, 47), UPPER_LIP_UNITS),
    Region('lips', MOUTH, LIP_UNITS),
    Region('chin', (*range(5, 12), 57), (17, 26, 27)),
)


def region_of(unit: int) -> tuple[int, ...]:
    """Indices into AU_REGIONS of what an action unit moves.

    Returns:
        () for a unit that no region holds (head, tongue, ...).
    """
    return tuple(index for index, region in enumerate(AU_REGIONS) if int(unit) in region.units)


def region_masks(points: np.ndarray, size: int) -> np.ndarray:
    """Where each region of AU_REGIONS lies in an image.

    The regions overlap. Source: anatomy of FACS (Ekman, Friesen, Hager 2002).

    Args:
        points: landmarks [68, 2] (x, y) in pixels of the image.
        size: side of the image in pixels.

    Returns:
        bool[10, size, size]: the hull of each region, grown by 5 % of the face's width; False
        throughout for a region outside the image.

    Raises:
        UserError: points of another shape or not finite.
    """
    points = check_landmarks(points, 'region_masks')
    up = upward(points)
    reach = regions.MARGIN * np.linalg.norm(up)
    masks = []
    for region in AU_REGIONS:
        raised = points[list(region.raised)] + RAISED * up
        lowered = points[list(region.lowered)] - RAISED * up
        hull = np.concatenate([points[list(region.points)], raised, lowered])
        masks.append(regions.near_hull(hull, size, reach))
    return np.stack(masks)


def upward(points: np.ndarray) -> np.ndarray:
    """Return the vector up the face, as long as the face is wide.

    Args:
        points: landmarks [68, 2].

    Returns:
        float64[2], at right angles to the line of landmarks 0 and 16.
    """
    points = np.asarray(points, np.float64)
    across = points[16] - points[0]
    return np.array([across[1], -across[0]])


def check_landmarks(points: np.ndarray, name: str) -> np.ndarray:
    """Points as float64[68, 2].

    Raises:
        UserError: another shape or not finite; begins with `name`.
    """
    points = np.asarray(points, np.float64)
    if points.shape != (68, 2) or not np.isfinite(points).all():
        raise UserError(
            f'{name}: points are {list(points.shape)} or not finite; needs finite numbers [68, 2]'
        )
    return points


def region_strain(strain: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Mean, standard deviation, 95th percentile and share of strain.

    The share is a region's sum over that of all regions together, every pixel once, so that hair
    and background do not count; shares of regions that overlap add up to more than 1. Source: the
    four statistics of the hybrid's 40 numbers, which leaves 'total face strain' open.

    Args:
        strain: magnitude [H, W], from flow.strain.
        masks: bool[n, H, W], from region_masks.

    Returns:
        float32[4 n], region after region; zeros for a region without a pixel and where there is no
        strain.

    Raises:
        UserError: other shapes.
    """
    strain, masks = np.asarray(strain, np.float64), np.asarray(masks)
    if masks.dtype != bool or masks.ndim != 3 or strain.shape != masks.shape[1:]:
        shapes = f'strain is {list(strain.shape)}, masks are {masks.dtype}{list(masks.shape)}'
        raise UserError(f'region_strain: {shapes}; needs [H, W] and bool[n, H, W]')
    total = strain[masks.any(0)].sum()
    statistics = [_statistics(strain[mask], total) for mask in masks]
    return np.concatenate(statistics).astype(np.float32)


def _statistics(values, total):
    if not values.size or total <= 0:
        return np.zeros(len(STATISTICS))
    return np.array([values.mean(), values.std(), np.percentile(values, 95), values.sum() / total])
