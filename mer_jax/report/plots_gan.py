"""Pictures of what a generator makes beside what it saw: each writes one PNG in one step.

The pictures show flows of real clips: who calls decides whose may be shown (overlays.py knows which
licences forbid it).
"""

import cv2
import numpy as np

from mer_jax.report.plots import saved

INK = '#3c4650'
SHOWN = 8  # images of a class and side
PAIRS = 8  # made images with their nearest training image
SCALE = 99.5  # percentile of the real images' length that is drawn at full brightness


def samples(path, real, made, classes, channels) -> None:
    """For each class a row of real and a row of made images; real, made: (image [n, H, W, C], label
    int[n]).

    classes: names by label; channels: names of the last axis, such as ['strain', 'v', 'u'] (see
    `coloured`).
    """
    full = brightest(real[0], channels)
    rows = [
        (f'{title}\n{side}', np.asarray(image)[np.asarray(label) == number][:SHOWN])
        for number, title in enumerate(classes)
        for side, (image, label) in (('real', real), ('made', made))
    ]
    with saved(path, (0.95 * SHOWN + 1.3, 0.95 * len(rows) + 0.5)) as figure:
        grid = figure.subplots(len(rows), SHOWN, squeeze=False)
        for axes, (title, image) in zip(grid, rows, strict=True):
            _row(axes, title, [coloured(one, channels, full) for one in image])
        figure.suptitle(legend(channels), fontsize=9, color=INK)


def nearest(path, made, neighbours, channels) -> None:
    """The first made images [m, H, W, C] above their nearest training images, neighbours [m, H, W,
    C], in the order given.
    """
    full = brightest(neighbours, channels)
    with saved(path, (0.95 * PAIRS + 1.3, 2.5)) as figure:
        grid = figure.subplots(2, PAIRS, squeeze=False)
        for axes, title, images in zip(
            grid, ('made', 'nearest\nreal'), (made, neighbours), strict=True
        ):
            _row(axes, title, [coloured(one, channels, full) for one in images[:PAIRS]])
        figure.suptitle(legend(channels), fontsize=9, color=INK)


def coloured(image, channels, full) -> np.ndarray:
    """uint8[H, W, 3] RGB of one image [H, W, C]: hue is the direction of the flow (u, v),
    brightness its length over `full`.

    Where u or v is not among the channels, the first channel in grey, 0 in the middle. Bytes: see
    `motion`.
    """
    values = motion(image)
    if not {'u', 'v'} <= set(channels):
        return _grey(values[..., 0] / full)
    u, v = (values[..., channels.index(name)] for name in 'uv')
    length, angle = cv2.cartToPolar(u, v, angleInDegrees=True)
    hsv = np.stack([angle % 360, np.ones_like(length), np.clip(length / full, 0, 1)], -1)
    return np.rint(255 * cv2.cvtColor(hsv.astype(np.float32), cv2.COLOR_HSV2RGB)).astype(np.uint8)


def motion(image) -> np.ndarray:
    """float32[..., H, W, C]: flow as it is; of bytes what each channel differs from its median,
    which stands for no motion, as most of a face is still and a stretched channel has lost its
    zero.
    """
    values = np.asarray(image, np.float32)
    return (
        values - np.median(values, axis=(-3, -2), keepdims=True)
        if np.asarray(image).dtype == np.uint8
        else values
    )


def brightest(images, channels) -> float:
    """The length of flow, or the value of the first channel, that is drawn at full brightness: a
    percentile over images.
    """
    values = motion(images)
    chosen = [channels.index(name) for name in 'uv'] if {'u', 'v'} <= set(channels) else [0]
    return max(float(np.percentile(np.sqrt(np.square(values[..., chosen]).sum(-1)), SCALE)), 1e-6)


def legend(channels) -> str:
    """What the colours mean."""
    if not {'u', 'v'} <= set(channels):
        return f'channel {channels[0]}'
    return (
        'colour: direction of the flow (red right, green-yellow down, cyan left, violet up); '
        'brightness: its length'
    )


def _grey(share):
    """uint8[H, W, 3] of values around 0: black is -1 and white 1."""
    return np.repeat(
        np.rint(255 * (np.clip(share, -1, 1) + 1) / 2).astype(np.uint8)[..., None], 3, -1
    )


def _row(axes, title, pictures):
    """Pictures side by side under no frame, `title` left of the first; places without a picture
    stay empty.
    """
    for place, one in enumerate(axes):
        one.set_axis_off()
        if place < len(pictures):
            one.imshow(pictures[place], interpolation='nearest')
    axes[0].text(
        -0.12,
        0.5,
        title,
        transform=axes[0].transAxes,
        ha='right',
        va='center',
        fontsize=9,
        color=INK,
    )
