"""Numbers that describe one clip, from what a network would see of it; an SVM (svm.py) decides by
them.
"""

from functools import partial

import cv2
import numpy as np
from joblib import Parallel, delayed

from mer_jax import machine
from mer_jax.classical import FEATURES, Feature, missing_input
from mer_jax.data.channels import ACROSS
from mer_jax.entries import loaded
from mer_jax.errors import UserError
from mer_jax.preprocess import au_regions, descriptors


def centred(*fields):
    """[H, W, C]: each channel less its median, in units of its standard deviation.

    Published features are stretched a channel of a clip, so neither their 0 nor their length is
    known; most of a face rests.
    """
    image = np.stack(fields, -1).astype(np.float32)
    spread = image.std((0, 1))
    return (image - np.median(image, (0, 1))) / np.where(spread > 0, spread, 1)


def motion(u, v):
    """The centred flow, smoothed over a pixel."""
    return _smooth(centred(u, v), 1).ravel()


def gradient(u, v):
    """How the centred flow, smoothed over two pixels, changes to the right and downwards; a shift
    of the head leaves no trace.
    """
    field = _smooth(centred(u, v), 2)
    return np.concatenate([np.gradient(field, axis=axis).ravel() for axis in (1, 0)])


def orientation(u, v):
    """Roots of the lengths of the centred flow, summed by 7x7 cells and eight directions."""
    return np.sqrt(descriptors.orientations(centred(u, v), cells=7))


def deformation(strain):
    """The centred strain, smoothed over a pixel and a half."""
    return _smooth(centred(strain), 1.5).ravel()


def _smooth(image, sigma):
    return cv2.GaussianBlur(image, (0, 0), sigma).reshape(image.shape)


def pixels(*channels):
    """Every value of every channel, bytes as shares of 255."""
    image = np.stack(channels, -1).ravel()
    return image / np.float32(255) if image.dtype == np.uint8 else image


def hoof(u, v):
    """Orientations of the flow, weighted by its length: see descriptors.hoof."""
    return descriptors.hoof(np.stack([u, v], -1))


def bi_woof(u, v, strain):
    """Orientations of the flow, weighted by its length and the strain: see descriptors.bi_woof."""
    return descriptors.bi_woof(np.stack([u, v], -1), strain)


def bands(u, v, u2, v2):
    """Orientations in bands, to the apex and from it: the 48 handcrafted numbers of the hybrid."""
    halves = (np.stack([u, v], -1), np.stack([u2, v2], -1))
    return np.concatenate([descriptors.bands(half) for half in halves])


def au_strain(strain, points):
    """Strain in the regions of action units: the 40 numbers of strain of the hybrid."""
    return au_regions.region_strain(strain, au_regions.region_masks(points, len(strain)))


def disgust(strain, points):
    """Strain in the regions of action units 9 and 10 alone: beside au_strain they weigh twice."""
    regions = sorted({place for unit in (9, 10) for place in au_regions.region_of(unit)})
    return au_regions.region_strain(strain, au_regions.region_masks(points, len(strain))[regions])


def refuse(names, image, points, channels) -> None:
    """Refuse features that `extract` cannot compute of this data set.

    Raises:
        UserError: what each of them lacks.
    """
    lines = missing_input(names, channels, stretched=image.dtype == np.uint8)
    lines += [
        f'head.features {name} takes landmarks, which the data set does not store'
        for name in names
        if FEATURES[name].points and points is None
    ]
    if lines:
        raise UserError('; '.join(lines))


def extract(names, image, points, *, channels, mirror) -> list:
    """[M, N, D] float32 of each of `names` (NETWORK left out), of image [N, H, W, C] or video [N,
    T, H, W, 1].

    M: the clip as it is, with `mirror` its mirror image as well; points: float32[N, 68, 2] in
    pixels, None where no feature needs them. Clips are described side by side. UserError where a
    feature lacks a channel, landmarks or lengths of flow.
    """
    refuse(names, image, points, channels)
    describe = partial(_described, names, channels=channels, mirror=mirror)
    found = Parallel(machine.cores(), prefer='threads')(
        delayed(describe)(one, None if points is None else points[row])
        for row, one in enumerate(image)
    )
    return [np.stack(block, 1).astype(np.float32) for block in zip(*found, strict=True)]


def _described(names, image, points, *, channels, mirror):
    """[M, D] of each of `names`, of one clip."""
    views = [image, mirrored(image, channels)] if mirror else [image]
    return [
        np.stack([_value(FEATURES[name], view, points, channels) for view in views])
        for name in names
    ]


def _value(feature: Feature, image, points, channels):
    """float32[D] of one view of a clip."""
    if 'gray' in channels:
        planes = [image[..., 0]]
    else:
        needs = feature.needs or channels
        planes = [image[..., channels.index(channel)] for channel in needs]
    landmarks = [points] if feature.points else []
    return loaded(feature.value)(*planes, *landmarks)


def mirrored(image, channels):
    """The mirror image of [..., H, W, C]: flow to the right becomes flow to the left, 255 - u where
    it is stretched to bytes.
    """
    image = np.array(image[..., ::-1, :])
    for place, channel in enumerate(channels):
        if channel in ACROSS:
            image[..., place] = (
                255 - image[..., place] if image.dtype == np.uint8 else -image[..., place]
            )
    return image
