"""Pictures of generated images beside real ones.

Each function writes one PNG. The pictures show flow of real clips; the caller decides which may be
shown (overlays.py knows which licences forbid it).
"""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from mer_jax.report.plots import INK, saved

SHOWN = 8  # real and generated images of each class
PAIRS = 8  # synthetic images with their nearest training image
SCALE = 99.5  # percentile of the real images' length that is drawn at full brightness


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
    rows = []
    for number, title in enumerate(classes):
        for side, (image, label) in (('real', real), ('generated', synthetic)):
            of_class = np.asarray(image)[np.asarray(label) == number]
            rows.append((f'{title}\n{side}', of_class[:SHOWN]))
    with saved(path, (0.95 * SHOWN + 1.3, 0.95 * len(rows) + 0.5)) as figure:
        grid = figure.subplots(len(rows), SHOWN, squeeze=False)
        for axes, (title, images) in zip(grid, rows, strict=True):
            _row(axes, title, [coloured(image, channels, full) for image in images])
        figure.suptitle(legend(channels), fontsize=9, color=INK)


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
    with saved(path, (0.95 * PAIRS + 1.3, 2.5)) as figure:
        grid = figure.subplots(2, PAIRS, squeeze=False)
        sides = (('generated', synthetic), ('nearest\nreal', neighbours))
        for axes, (title, images) in zip(grid, sides, strict=True):
            _row(axes, title, [coloured(image, channels, full) for image in images[:PAIRS]])
        figure.suptitle(legend(channels), fontsize=9, color=INK)


def coloured(image: np.ndarray, channels: Sequence[str], full: float) -> np.ndarray:
    """Colour an image by its flow.

    Hue is the direction of the flow, brightness its length. Without u or v, the first channel is
    drawn in grey, 0 in the middle. Bytes are converted by `motion`.

    Args:
        image: [H, W, C].
        channels: names of the last axis.
        full: length that is drawn at full brightness.

    Returns:
        uint8[H, W, 3] RGB.
    """
    values = motion(image)
    if not _has_flow(channels):
        return _grey(values[..., 0] / full)
    u, v = (values[..., channels.index(name)] for name in 'uv')
    length, angle = cv2.cartToPolar(u, v, angleInDegrees=True)
    hsv = np.stack([angle % 360, np.ones_like(length), np.clip(length / full, 0, 1)], -1)
    rgb = cv2.cvtColor(hsv.astype(np.float32), cv2.COLOR_HSV2RGB)
    return np.rint(255 * rgb).astype(np.uint8)


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
    """Return the value at full brightness, a percentile of images.

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


def legend(channels: Sequence[str]) -> str:
    """Return what the colours mean."""
    if not _has_flow(channels):
        return f'channel {channels[0]}'
    return (
        'colour: direction of the flow (red right, green-yellow down, cyan left, violet up); '
        'brightness: its length'
    )


def _grey(share):
    """Draw -1 as black, 1 as white, uint8[H, W, 3]."""
    gray = np.rint(255 * (np.clip(share, -1, 1) + 1) / 2).astype(np.uint8)
    return np.repeat(gray[..., None], 3, -1)


def _row(row, title, pictures):
    """Draw pictures side by side, `title` left of the first."""
    for number, axes in enumerate(row):
        axes.set_axis_off()
        if number < len(pictures):
            axes.imshow(pictures[number], interpolation='nearest')
    first = row[0]
    look = {'ha': 'right', 'va': 'center', 'fontsize': 9, 'color': INK}
    first.text(-0.12, 0.5, title, transform=first.transAxes, **look)
