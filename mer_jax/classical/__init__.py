"""Features of clips and support vector machines."""

from collections.abc import Sequence
from typing import NamedTuple

from mer_jax.settings import sections


class Feature(NamedTuple):
    """Numbers that describe a clip: all that the program knows about a kind of them."""

    # 'module:function' of value(*[H, W] of each channel that it needs[, points]), or of
    # value(video uint8[T, H, W][, points]) -> float32[D]
    value: str
    needs: tuple  # of data.channels; () takes every one there is
    points: bool = False  # whether landmarks [68, 2] in pixels of the image follow
    # whether flow must be in pixels: stretched to bytes its 0 is lost, and with it every direction
    measured: bool = False


NETWORK = 'network'  # among names of features: the last hidden layer of the fold's own network
FEATURES = {
    'pixels': Feature('mer_jax.classical.features:pixels', needs=()),
    'motion': Feature('mer_jax.classical.features:motion', needs=('u', 'v')),
    'gradient': Feature('mer_jax.classical.features:gradient', needs=('u', 'v')),
    'orientation': Feature('mer_jax.classical.features:orientation', needs=('u', 'v')),
    'deformation': Feature('mer_jax.classical.features:deformation', needs=('strain',)),
    'hoof': Feature('mer_jax.classical.features:hoof', needs=('u', 'v'), measured=True),
    'bi_woof': Feature(
        'mer_jax.classical.features:bi_woof', needs=('u', 'v', 'strain'), measured=True
    ),
    'bands': Feature(
        'mer_jax.classical.features:bands', needs=('u', 'v', 'u2', 'v2'), measured=True
    ),
    'au_strain': Feature('mer_jax.classical.features:au_strain', needs=('strain',), points=True),
    'disgust': Feature('mer_jax.classical.features:disgust', needs=('strain',), points=True),
    'lbp_top': Feature('mer_jax.preprocess.descriptors:lbp_top', needs=('gray',)),
    'mdmo': Feature('mer_jax.preprocess.descriptors:mdmo', needs=('gray',), points=True),
}


def features_of_clips(head: sections.Head) -> list[str]:
    """The features of clips that an SVM decides by; none where the network predicts."""
    if head.name == 'none':
        return []
    return [name for name in head.features.split('+') if name != NETWORK]


def has_network(head: sections.Head) -> bool:
    """Whether a network is trained: an SVM may decide by features of clips alone."""
    return head.name == 'none' or NETWORK in head.features.split('+')


def missing_input(names: Sequence[str], channels: Sequence[str], *, stretched: bool) -> list[str]:
    """Why features cannot be computed of these channels, a line each.

    Args:
        names: of features of clips.
        channels: of the images.
        stretched: whether flow is stretched to bytes.
    """
    lines = []
    for name in names:
        feature = FEATURES[name]
        missing = [channel for channel in feature.needs if channel not in channels]
        if missing:
            lines.append(
                f'head.features {name} takes data.channels {",".join(feature.needs)}; '
                f'{missing[0]} is missing'
            )
        elif stretched and feature.measured:
            lines.append(
                f'head.features {name} takes flow in pixels, not stretched to bytes; allowed: '
                "data.clip_normalise False with data.input_scaler 'p995' or 'standard', of data "
                'that store it'
            )
    return lines
