"""Numbers that describe one clip, from what a network would see of it; an SVM (svm.py) decides by
them.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import cv2
import numpy as np
from joblib import Parallel, delayed

from mer_jax import machine
from mer_jax.data.images import ACROSS
from mer_jax.errors import UserError
from mer_jax.preprocess import au_regions, descriptors

NETWORK = 'network'  # among names of features: the last hidden layer of the fold's own network


def networked(head) -> bool:
    """Whether a network is trained under the settings of section `head`: machines may decide by
    what clips alone tell.
    """
    return head['name'] == 'none' or NETWORK in head['features'].split('+')


class Feature(NamedTuple):
    """A kind of features: of(*[H, W] of each channel that it needs[, points]) or of(video[,
    points]) -> float32[D].
    """

    needs: tuple  # of data.channels
    of: Callable
    points: bool = False  # whether landmarks [68, 2] in pixels of the image follow
    # whether flow must be in pixels: stretched to bytes its 0 is lost, and with it every direction
    measured: bool = False


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


def _pixels(*channels):
    image = np.stack(channels, -1).ravel()
    return image / np.float32(255) if image.dtype == np.uint8 else image


def _bands(*fields):
    u, v, u2, v2 = fields
    return np.concatenate([descriptors.bands(np.stack(pair, -1)) for pair in ((u, v), (u2, v2))])


def _au_strain(strain, points):
    return au_regions.region_strain(strain, au_regions.region_masks(points, len(strain)))


def _disgust(strain, points):
    """Of the regions of action units 9 and 10 alone: beside au_strain they weigh twice."""
    regions = sorted({place for unit in (9, 10) for place in au_regions.region_of(unit)})
    return au_regions.region_strain(strain, au_regions.region_masks(points, len(strain))[regions])


def _of_flow(describe, u, v, *rest):
    return describe(np.stack([u, v], -1), *rest)


UV = ('u', 'v')
FEATURES = {
    'pixels': Feature((), _pixels),  # every channel of data.channels
    'motion': Feature(UV, motion),
    'gradient': Feature(UV, gradient),
    'orientation': Feature(UV, orientation),
    'deformation': Feature(('strain',), deformation),
    'hoof': Feature(UV, partial(_of_flow, descriptors.hoof), measured=True),
    'bi_woof': Feature((*UV, 'strain'), partial(_of_flow, descriptors.bi_woof), measured=True),
    # the 48 handcrafted numbers of the hybrid
    'bands': Feature((*UV, 'u2', 'v2'), _bands, measured=True),
    'au_strain': Feature(('strain',), _au_strain, points=True),  # its 40 of strain
    'disgust': Feature(('strain',), _disgust, points=True),
    'lbp_top': Feature(('gray',), descriptors.lbp_top),
    'mdmo': Feature(('gray',), descriptors.mdmo, points=True),
}


def wrong(names, channels, *, stretched) -> list:
    """Why features of these names (NETWORK left out) cannot be made of these channels, or of flow
    `stretched` to bytes; a line each.
    """
    told = []
    for name in names:
        missing = [channel for channel in FEATURES[name].needs if channel not in channels]
        if missing:
            told.append(
                f'head.features {name} takes data.channels {",".join(FEATURES[name].needs)}; '
                f'{missing[0]} is missing'
            )
        elif stretched and FEATURES[name].measured:
            told.append(
                f'head.features {name} takes flow in pixels, not stretched to bytes; allowed: '
                "data.scale 'p995' or "
                "'standard', of data that store it"
            )
    return told


def refuse(names, image, points, channels) -> None:
    """UserError, what is wrong in one line, where `extract` cannot make these features of this data
    set.
    """
    told = wrong(names, channels, stretched=image.dtype == np.uint8)
    told += [
        f'head.features {name} takes landmarks, which the data set does not store'
        for name in names
        if FEATURES[name].points and points is None
    ]
    if told:
        raise UserError('; '.join(told))


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
        np.stack([_one(FEATURES[name], view, points, channels) for view in views]) for name in names
    ]


def _one(feature, image, points, channels):
    own = (
        (image[..., 0],)
        if 'gray' in channels
        else [image[..., channels.index(channel)] for channel in feature.needs or channels]
    )
    return feature.of(*own, *([points] if feature.points else []))


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
