"""Pictures of generated images beside real ones.

Each function writes one PNG. The pictures show flow of real clips; the caller decides which may be
shown (overlays.py knows which licences forbid it).
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import matplotlib
import numpy as np

from mer_jax.report import arrows, picture_grid
from mer_jax.report.picture_grid import Bar, Group
from mer_jax.report.style import SIGNED, ink_on, ramp, shade

SHOWN = 8  # real and generated images of each class
PAIRS = 8  # synthetic images with their nearest training image
SCALE = 99.5  # percentile of the real images' length that has the brightest colour
SIDE = 168  # pixels of a drawn image
ARROWS = 7  # in a line of an image
SHORTEST = 0.2  # of the length with the brightest colour; a shorter flow has no arrow


def samples(
    path: str | Path,
    real: tuple[np.ndarray, np.ndarray],
    synthetic: tuple[np.ndarray, np.ndarray],
    classes: Sequence[str],
    channels: Sequence[str],
) -> None:
    """Draw real and generated images of each class.

    Args:
        path: of the picture.
        real, synthetic: (image [n, H, W, C], label int[n]).
        classes: names by label.
        channels: names of the last axis, such as ['strain', 'v', 'u'] (see `coloured`).
    """
    full = brightest(real[0], channels)
    groups = []
    for number, title in enumerate(classes):
        for side, (image, label) in (('real', real), ('generated', synthetic)):
            of_class = np.asarray(image)[np.asarray(label) == number][:SHOWN]
            row = [coloured(one, channels, full) for one in of_class]
            groups.append(Group(f'{title}, {side}', [], [], [row] if row else []))
    picture_grid.draw(path, groups, [bar(channels)])


def nearest(
    path: str | Path, synthetic: np.ndarray, neighbours: np.ndarray, channels: Sequence[str]
) -> None:
    """Draw generated images above their nearest training images.

    Args:
        path: of the picture.
        synthetic, neighbours: images [m, H, W, C], in the same order.
        channels: names of the last axis.
    """
    full = brightest(neighbours, channels)
    groups = []
    for start in range(0, min(len(synthetic), PAIRS), picture_grid.IN_LINE):
        for title, images in (('generated', synthetic), ('nearest real', neighbours)):
            shown = images[start : start + picture_grid.IN_LINE]
            row = [coloured(image, channels, full) for image in shown]
            groups.append(Group(title, [], [], [row]))
    picture_grid.draw(path, groups, [bar(channels)])


def coloured(image: np.ndarray, channels: Sequence[str], full: float) -> np.ndarray:
    """Colour an image by the length of its flow, with arrows for its direction.

    Without u or v, the first channel is drawn in colours of values around 0. Bytes are converted by
    `motion`.

    Args:
        image: [H, W, C].
        channels: names of the last axis.
        full: length that has the brightest colour.

    Returns:
        uint8[SIDE, SIDE, 3] RGB.
    """
    values = motion(image)
    if not _has_flow(channels):
        share = np.clip(values[..., 0] / full, -1, 1)
        return _enlarged(matplotlib.colormaps[SIGNED]((share + 1) / 2)[..., :3])
    field = values[..., [channels.index(name) for name in 'uv']] / full
    picture = _enlarged(shade(np.hypot(*np.moveaxis(field, -1, 0))))
    step = max(len(field) // ARROWS, 1)
    scale = SIDE / len(field)
    for point, flow in zip(*arrows.means(field, step), strict=True):
        if np.hypot(*flow) >= SHORTEST:
            start = (point + 0.5) * scale
            ink = matplotlib.colors.to_rgb(ink_on(shade(np.hypot(*flow))))
            arrows.draw(picture, start, flow * step * scale, tuple(255 * part for part in ink))
    return picture


def _enlarged(colours):
    """A picture of SIDE pixels of float[H, W, 3] of 0..1."""
    picture = np.rint(255 * colours).astype(np.uint8)
    return cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_NEAREST)


def _has_flow(channels):
    return {'u', 'v'} <= set(channels)


def motion(image: np.ndarray) -> np.ndarray:
    """Return motion, float32[..., H, W, C].

    Flow stays as it is. Bytes, whose zero is lost by stretching, are taken minus the median of
    their channel, because most of a face does not move.
    """
    values = np.asarray(image, np.float32)
    if np.asarray(image).dtype != np.uint8:
        return values
    return values - np.median(values, axis=(-3, -2), keepdims=True)


def brightest(images: np.ndarray, channels: Sequence[str]) -> float:
    """Return the value of the brightest colour, a percentile of images.

    Args:
        images: [n, H, W, C].
        channels: names of the last axis.

    Returns:
        A length of the flow, or a value of the first channel.
    """
    values = motion(images)
    chosen = [channels.index(name) for name in 'uv'] if _has_flow(channels) else [0]
    length = np.sqrt(np.square(values[..., chosen]).sum(-1))
    return max(float(np.percentile(length, SCALE)), 1e-6)


def bar(channels: Sequence[str]) -> Bar:
    """Return the colour bar of `coloured`."""
    if not _has_flow(channels):
        return Bar(ramp(SIGNED), f'below to above 0: channel {channels[0]}')
    return Bar(ramp(), 'still to fast: length of the flow; arrows: direction')
