"""Features of one clip, which SVMs learn (svm.py).

They are computed of the image or clip that a network would see.
"""

from collections.abc import Sequence
from functools import partial

import cv2
import numpy as np

from mer_jax.classical import FEATURES, Feature, missing_input, threads
from mer_jax.data.channels import ACROSS
from mer_jax.entries import loaded
from mer_jax.errors import UserError
from mer_jax.preprocess import au_regions, descriptors

ALL_REGIONS = tuple(range(len(au_regions.AU_REGIONS)))
DISGUST_REGIONS = tuple(sorted({*au_regions.region_of(9), *au_regions.region_of(10)}))


def centred(*fields: np.ndarray) -> np.ndarray:
    """Return channels minus their median, over their standard deviation.

    Published flow is stretched, channel by channel and clip by clip, so that neither its zero nor
    its unit is known. But most of a face is still, so the median is near the zero.

    Args:
        *fields: [H, W] of each channel.

    Returns:
        float32[H, W, C].
    """
    image = np.stack(fields, -1).astype(np.float32)
    spread = image.std((0, 1))
    return (image - np.median(image, (0, 1))) / np.where(spread > 0, spread, 1)


def motion(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return the centred flow, smoothed by sigma 1; u and v are [H, W]."""
    return _smooth(centred(u, v), 1).ravel()


def gradient(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return the derivatives of the centred flow to the right and downwards.

    The flow is smoothed by sigma 2 before. A shift of the head has no effect.

    Args:
        u: [H, W], flow to the right.
        v: [H, W], flow downwards.
    """
    field = _smooth(centred(u, v), 2)
    right = np.gradient(field, axis=1)
    down = np.gradient(field, axis=0)
    return np.concatenate([right.ravel(), down.ravel()])


def orientation(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return how the centred flow is directed in 7x7 cells.

    Lengths are summed by cell and by eight directions; the feature is the root of the sums.
    """
    return np.sqrt(descriptors.orientations(centred(u, v), cells=7))


def deformation(strain: np.ndarray) -> np.ndarray:
    """Return the centred strain [H, W], smoothed by sigma 1.5."""
    return _smooth(centred(strain), 1.5).ravel()


def _smooth(image, sigma):
    return cv2.GaussianBlur(image, (0, 0), sigma).reshape(image.shape)


def pixels(*channels: np.ndarray) -> np.ndarray:
    """Return all values of all channels [H, W]; bytes over 255."""
    image = np.stack(channels, -1).ravel()
    return image / np.float32(255) if image.dtype == np.uint8 else image


def hoof(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return descriptors.hoof of the flow."""
    return descriptors.hoof(np.stack([u, v], -1))


def bi_woof(u: np.ndarray, v: np.ndarray, strain: np.ndarray) -> np.ndarray:
    """Return descriptors.bi_woof of the flow and its strain."""
    return descriptors.bi_woof(np.stack([u, v], -1), strain)


def bi_woof_centred(u: np.ndarray, v: np.ndarray, strain: np.ndarray) -> np.ndarray:
    """Return our form of bi_woof: see descriptors.bi_woof_centred."""
    return descriptors.bi_woof_centred(np.stack([u, v], -1), strain)


def bands(u: np.ndarray, v: np.ndarray, u2: np.ndarray, v2: np.ndarray) -> np.ndarray:
    """Return orientations in bands: the 48 handcrafted numbers of the hybrid.

    Args:
        u: [H, W], flow to the right, from onset to apex.
        v: [H, W], flow downwards, from onset to apex.
        u2: [H, W], flow to the right, from apex to offset.
        v2: [H, W], flow downwards, from apex to offset.
    """
    to_apex = descriptors.bands(np.stack([u, v], -1))
    from_apex = descriptors.bands(np.stack([u2, v2], -1))
    return np.concatenate([to_apex, from_apex])


def au_strain(strain: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return strain in regions of action units: 40 numbers of the hybrid.

    Args:
        strain: [H, W].
        points: [68, 2], landmarks (x, y) in pixels.
    """
    return au_regions.region_strain(strain, au_regions.region_masks(points, len(strain)))


def disgust(strain: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return strain in the regions of action units 9 and 10.

    Arguments are those of au_strain. Used beside it, these regions count twice.
    """
    masks = au_regions.region_masks(points, len(strain))
    return au_regions.region_strain(strain, masks[list(DISGUST_REGIONS)])


def refuse(
    names: Sequence[str], image: np.ndarray, points: np.ndarray | None, channels: Sequence[str]
) -> None:
    """Refuse features that `extract` cannot compute.

    Arguments are those of `extract`.

    Raises:
        UserError: what each of them lacks.
    """
    lines = missing_input(names, channels, stretched=image.dtype == np.uint8)
    for name in names:
        if FEATURES[name].points and points is None:
            lines.append(f'head.features {name} takes landmarks, which the data set does not store')
    if lines:
        raise UserError('; '.join(lines))


def extract(
    names: Sequence[str],
    image: np.ndarray,
    points: np.ndarray | None,
    *,
    channels: Sequence[str],
    mirror: bool,
) -> list[np.ndarray]:
    """Compute features of all clips, in parallel.

    Args:
        names: of features, keys of FEATURES.
        image: [N, H, W, C], or videos [N, T, H, W, 1].
        points: float32[N, 68, 2], landmarks in pixels; None where no feature needs them.
        channels: names of the C channels.
        mirror: whether the mirror image of each clip is described too.

    Returns:
        float32[M, N, D] of each feature; M is 2 with `mirror`, else 1.

    Raises:
        UserError: a feature lacks a channel, landmarks or lengths of flow.
    """
    refuse(names, image, points, channels)
    describe = partial(_describe, names, channels=channels, mirror=mirror)
    landmarks = [None] * len(image) if points is None else points
    clips = zip(image, landmarks, strict=True)
    described = threads.mapped(lambda clip: describe(*clip), clips)
    return [np.stack(block, 1).astype(np.float32) for block in zip(*described, strict=True)]


def _describe(names, image, points, *, channels, mirror):
    """Return each feature of one clip, [M, D]."""
    views = [image, mirrored(image, channels)] if mirror else [image]
    blocks = []
    for name in names:
        values = [_value(FEATURES[name], view, points, channels) for view in views]
        blocks.append(np.stack(values))
    return blocks


def _value(feature: Feature, image, points, channels):
    """Return a feature of a clip or of its mirror image, float32[D]."""
    if 'gray' in channels:
        planes = [image[..., 0]]
    else:
        needs = feature.needs or channels
        planes = [image[..., channels.index(channel)] for channel in needs]
    landmarks = [points] if feature.points else []
    return loaded(feature.value)(*planes, *landmarks)


def mirrored(image: np.ndarray, channels: Sequence[str]) -> np.ndarray:
    """Return the mirror image of [..., H, W, C].

    Flow to the right becomes flow to the left, 255 - u where it is stretched to bytes.

    Args:
        image: of any dtype, which stays.
        channels: names of the C channels.
    """
    image = np.array(image[..., ::-1, :])
    for place, channel in enumerate(channels):
        if channel in ACROSS:
            u = image[..., place]
            image[..., place] = 255 - u if image.dtype == np.uint8 else -u
    return image
