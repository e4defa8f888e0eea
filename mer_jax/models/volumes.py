"""Convolution and pooling over time as well: clips are [B, T, H, W, C].

On a CPU a native 3-D convolution inside a loop over folds is as slow as a 2-D one. Frames that a
kernel sees together are joined along the channels, so that the 2-D lowerings of layers.py
(Winograd's, a band's, patches) do the rest; every frame is then held kt times over, not kt * kh *
kw times.
"""

from collections.abc import Callable

import flax.linen as nn
import jax
import jax.numpy as jnp

from mer_jax.errors import UserError
from mer_jax.models.layers import check_image, convolve, max_pool


def check_video(model: str, video: jax.Array, *, frames: int, least: int) -> None:
    """Check what a network of clips is given.

    Args:
        model: name of the network.
        video: [B, T, H, W, C].
        frames: that it needs.
        least: pixels a side that it needs.

    Raises:
        UserError: no video, fewer frames or fewer pixels.
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

    padding: 'SAME' or 'VALID'.
    lowering: 'matmul' or 'native' (XLA's); equal up to rounding.
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
    """3-D convolution of stride 1, by matrix products or XLA's.

    Args:
        x: [B, T, H, W, in].
        kernel: [kt, kh, kw, in, out].
        padding, lowering: as in Conv3D.

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
    y = convolve(images, flat, strides=1, padding=padding, lowering='matmul')
    return y.reshape(-1, count, *y.shape[1:])


def max_pool_clips(x: jax.Array, window: int) -> jax.Array:
    """Largest value of each cube of frames, rows and columns, as PyTorch's MaxPool3d.

    What fills no cube is left out, and of equal values the first frame's, then the first in row
    order, takes the gradient.

    Args:
        x: [B, T, H, W, C].
        window: side of a cube.
    """
    y = max_pool(x.reshape(-1, *x.shape[2:]), window, window)
    y = y.reshape(*x.shape[:2], -1, y.shape[-1])
    y = max_pool(y, (window, 1), (window, 1))
    height, width = x.shape[2] // window, x.shape[3] // window
    return y.reshape(len(x), -1, height, width, x.shape[-1])
