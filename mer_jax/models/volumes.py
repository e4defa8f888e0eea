"""Convolution and pooling of clips [B, T, H, W, C], over time as well.

On a CPU a native 3-D convolution inside a loop is as slow as a 2-D one (see layers.py). The kt
frames that a kernel sees together are joined along the channels, and a 2-D convolution of layers.py
does the rest. So each frame is copied kt times, where patches would copy it kt * kh * kw times.
"""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from mer_jax.errors import UserError
from mer_jax.models.layers import check_image, convolve, max_pool


def check_video(model: str, video: jax.Array, *, frames: int, least: int) -> None:
    """Refuse a clip that a network cannot take.

    Args:
        model: name of the network, for the message.
        video: [B, T, H, W, C].
        frames: least number of frames.
        least: least number of pixels of each side.

    Raises:
        UserError: it is no clip, or has too few frames or pixels; names the setting.
    """
    if video.ndim != 5:
        raise UserError(
            f'model {model} takes video: --config.data.channels=gray, and data that holds frames'
        )
    if video.shape[1] < frames:
        raise UserError(
            f'model {model} needs {frames} frames or more; data.frames gives {video.shape[1]}'
        )
    check_image(model, video[:, 0], least=least)


class Conv3D(nn.Module):
    """3-D convolution of stride 1 with the parameters of nn.Conv.

    These are kernel [kt, kh, kw, in, features] and bias [features].

    Attributes:
        features: channels of the output.
        kernel_size: (kt, kh, kw).
        padding: 'SAME' or 'VALID'.
        lowering: 'matmul', 'shifted' or 'native' (XLA's); equal up to rounding.
        kernel_init: initializer of the kernel.
    """

    features: int
    kernel_size: tuple[int, int, int]
    padding: str = 'SAME'
    lowering: str = 'matmul'
    kernel_init: Callable = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (*self.kernel_size, x.shape[-1], self.features)
        kernel = self.param('kernel', self.kernel_init, shape)
        bias = self.param('bias', nn.initializers.zeros_init(), (self.features,))
        return convolve_clips(x, kernel, padding=self.padding, lowering=self.lowering) + bias


def convolve_clips(x: jax.Array, kernel: jax.Array, *, padding: str, lowering: str) -> jax.Array:
    """Convolve clips with a kernel, with stride 1.

    Args:
        x: [B, T, H, W, in].
        kernel: [kt, kh, kw, in, out].
        padding: as in Conv3D.
        lowering: as in Conv3D.

    Returns:
        [B, T', H', W', out].
    """
    if lowering == 'native':
        return jax.lax.conv_general_dilated(
            x, kernel, (1, 1, 1), padding, dimension_numbers=('NDHWC', 'DHWIO', 'NDHWC')
        )
    taps, *size, channels, features = kernel.shape
    (pads,) = jax.lax.padtype_to_pads(x.shape[1:2], (taps,), (1,), padding)
    x = jnp.pad(x, ((0, 0), pads, (0, 0), (0, 0), (0, 0)))
    count = x.shape[1] - taps + 1
    joined = jnp.concatenate([x[:, i : i + count] for i in range(taps)], -1)
    flat = jnp.moveaxis(kernel, 0, 2).reshape(*size, taps * channels, features)
    images = joined.reshape(-1, *joined.shape[2:])
    y = convolve(images, flat, strides=1, padding=padding, lowering=lowering)
    return y.reshape(-1, count, *y.shape[1:])


def max_pool_clips(x: jax.Array, window: int) -> jax.Array:
    """Return the largest value of each cube, as PyTorch's MaxPool3d.

    Frames, rows and columns that fill no cube are left out. Of equal values, that of the first
    frame takes the gradient, and within a frame the first in row order.

    Args:
        x: [B, T, H, W, C].
        window: side of a cube.
    """
    y = max_pool(x.reshape(-1, *x.shape[2:]), window, window)
    y = y.reshape(*x.shape[:2], -1, y.shape[-1])
    y = max_pool(y, (window, 1), (window, 1))
    height, width = x.shape[2] // window, x.shape[3] // window
    return y.reshape(len(x), -1, height, width, x.shape[-1])
