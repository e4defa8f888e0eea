"""Ten regions of a face, each with the action units that move it, and statistics of strain
in them.
"""

from typing import NamedTuple

import numpy as np

from mer_jax.errors import UserError
from mer_jax.preprocess import regions

# By which copies of brow points go up and of lower-lid points down, as a part of the face's width.
# Our choice: some four tenths of the way from brow to hairline, and from lower lid to wing of the
# nose.
RAISED = 0.10
STATISTICS = ('mean', 'std', 'p95', 'share')


class Region(NamedTuple):
    """One region: landmarks (0-based, 300-W order) whose convex hull, grown, it is; right is the
    subject's right.
    """

    name: str
    points: tuple
    units: tuple  # action units that move it
    raised: tuple = ()  # landmarks of which the hull also holds a copy RAISED further up the face
    lowered: tuple = ()  # and so much further down


AU_REGIONS = (
    Region('inner brows', (20, 21, 22, 23, 27), (1, 4), raised=(20, 21, 22, 23)),
    Region('outer brow, right', (17, 18, 19), (2,), raised=(17, 18, 19)),
    Region('outer brow, left', (24, 25, 26), (2,), raised=(24, 25, 26)),
    Region('eye, right', tuple(range(36, 42)), (5, 6, 7, 43, 45), lowered=(40, 41)),
    Region('eye, left', tuple(range(42, 48)), (5, 6, 7, 43, 45), lowered=(46, 47)),
    Region('root of the nose', (27, 28, 29, 30, 39, 42, 31, 35), (4, 9)),
    Region('side of the upper lip, right', (31, 48, 2, 40), (6, 10, 11, 12)),
    Region('side of the upper lip, left', (35, 54, 14, 47), (6, 10, 11, 12)),
    Region('lips', tuple(range(48, 68)), (12, 13, 14, 15, 16, 18, 20, 22, 23, 24, 25, 26, 28)),
    Region('chin', (*range(5, 12), 57), (17, 26, 27)),
)  # fmt: skip


def region_of(unit) -> tuple:
    """Indices into AU_REGIONS of the regions that an action unit moves; () for a unit that none
    holds (head, tongue, ...).
    """
    return tuple(index for index, region in enumerate(AU_REGIONS) if int(unit) in region.units)


def region_masks(points, size) -> np.ndarray:
    """bool[10, size, size], True where a pixel is in a region of AU_REGIONS: its hull, grown by 5 %
    of the face's width.

    points: [68, 2] (x, y) in pixels of the image. The regions overlap; one outside the image is
    False throughout. Raises UserError on points of another shape or not finite. Source: anatomy of
    FACS (Ekman, Friesen, Hager 2002).
    """
    points, up = landmarks(points, 'region_masks'), upward(points)
    hulls = [
        np.concatenate([points[list(region.points)], points[list(region.raised)] + RAISED * up,
                        points[list(region.lowered)] - RAISED * up])
        for region in AU_REGIONS
    ]  # fmt: skip
    reach = regions.MARGIN * np.linalg.norm(up)
    return np.stack([regions.near_hull(hull, size, reach) for hull in hulls])


def upward(points) -> np.ndarray:
    """float64[2]: the vector (x, y) up the face, at right angles to the line of landmarks 0 and 16
    and as long as it.
    """
    across = np.asarray(points, np.float64)[16] - np.asarray(points, np.float64)[0]
    return np.array([across[1], -across[0]])


def landmarks(points, name) -> np.ndarray:
    """Points as float64[68, 2], or UserError that begins with `name`."""
    points = np.asarray(points, np.float64)
    if points.shape != (68, 2) or not np.isfinite(points).all():
        raise UserError(
            f'{name}: points are {list(points.shape)} or not finite; needs finite numbers [68, 2]'
        )
    return points


def region_strain(strain, masks) -> np.ndarray:
    """Mean, standard deviation, 95th percentile and share of strain in each region: float32[4 n],
    region after region.

    strain: magnitude [H, W], from flow.strain. masks: bool[n, H, W], from region_masks. The share
    is a region's sum over that of all regions together, every pixel once, so that hair and
    background do not count; shares of regions that overlap add up to more than 1. Zeros for a
    region without a pixel and where there is no strain. Raises UserError on
    other shapes. Source: the four statistics of the hybrid's 40 numbers, which leaves 'total face
    strain' open.
    """
    strain, masks = np.asarray(strain, np.float64), np.asarray(masks)
    if masks.dtype != bool or masks.ndim != 3 or strain.shape != masks.shape[1:]:
        got = f'strain is {list(strain.shape)}, masks are {masks.dtype}{list(masks.shape)}'
        raise UserError(f'region_strain: {got}; needs [H, W] and bool[n, H, W]')
    total = strain[masks.any(0)].sum()
    return np.concatenate([_statistics(strain[mask], total) for mask in masks]).astype(np.float32)


def _statistics(values, total):
    if not values.size or total <= 0:
        return np.zeros(len(STATISTICS))
    return np.array([values.mean(), values.std(), np.percentile(values, 95), values.sum() / total])
