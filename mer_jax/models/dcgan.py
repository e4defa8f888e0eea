"""Conditional DC-GAN of Koo, Zulkifley and Kamari, Sensors 22(11):4011 (2022).

They give its layers, not their widths. Architecture after Radford, Metz and Chintala (ICLR 2016)
without batch normalisation: a batch of another mix of classes would move its statistics. At 80
pixels, 2 channels, 3 classes, width 32: 3,351,330 and 179,425 parameters. No classifier, so neither
network stands in models.NETWORKS.
"""

import itertools
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp

from mer_jax.errors import UserError
from mer_jax.models.layers import Conv, dense, patches

# without batch normalisation Radford's normal(0.02) fades from layer to layer
start = nn.initializers.glorot_uniform()


class Generator(nn.Module):
    """(z [B, latent], label int32[B]) -> flow [B, size, size, channels] in -1..1.

    size: pixels a side, a multiple of 8 (UserError else).
    width: features of the last of three transposed convolutions, 8 times as many at size / 8.
    lowering: as in layers.Conv.
    """

    classes: int
    channels: int = 2
    size: int = 80
    width: int = 32
    latent: int = 100
    lowering: str = 'matmul'

    @nn.compact
    def __call__(self, z: jax.Array, label: jax.Array) -> jax.Array:
        if self.size % 8 or self.size < 8:
            raise UserError(f'gan.size is {self.size}; needs a multiple of 8 of at least 8')
        side, width = self.size // 8, self.width
        x = jnp.concatenate([z, jax.nn.one_hot(label, self.classes, dtype=z.dtype)], -1)
        x = leaky(nn.Dense(side * side * 8 * width, kernel_init=start, name='dense')(x))
        x = x.reshape(-1, side, side, 8 * width)
        for number, features in enumerate((4 * width, 2 * width, width), 1):
            x = leaky(ConvTranspose(features, self.lowering, name=f'up{number}')(x))
        last = Narrow(
            self.channels, 3, padding=1, lowering=self.lowering, kernel_init=start, name='conv'
        )
        return jnp.tanh(last(x))


class Discriminator(nn.Module):
    """(flow [B, S, S, C], label int32[B], train) -> logit [B] that the flow is real.

    The label joins as one-hot planes. S: a multiple of 8; train=True drops out before the dense
    layer and needs the rng 'dropout'.
    """

    classes: int
    width: int = 32
    dropout: float = 0.5
    lowering: str = 'matmul'

    @nn.compact
    def __call__(self, flow: jax.Array, label: jax.Array, *, train: bool) -> jax.Array:
        planes = jax.nn.one_hot(label, self.classes, dtype=flow.dtype)[:, None, None]
        x = jnp.concatenate([flow, jnp.broadcast_to(planes, (*flow.shape[:3], self.classes))], -1)
        for number, features in enumerate((self.width, 2 * self.width, 4 * self.width), 1):
            conv = partial(Conv, features, 4, strides=2, padding=1, kernel_init=start)
            x = leaky(conv(lowering=self.lowering, name=f'conv{number}')(x))
        x = nn.Dropout(self.dropout, deterministic=not train)(x.reshape(len(x), -1))
        return nn.Dense(1, kernel_init=start, name='dense')(x)[:, 0]


class ConvTranspose(nn.Module):
    """Transposed convolution 4x4/2 'same', as PyTorch's with padding 1.

    [B, H, W, in] -> [B, 2H, 2W, features]. Parameters: kernel [4, 4, in, features], in PyTorch's
    order of taps (flax's nn.ConvTranspose turns it round), and bias.
    """

    features: int
    lowering: str = 'matmul'

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = self.param('kernel', start, (4, 4, x.shape[-1], self.features))
        bias = self.param('bias', nn.initializers.zeros_init(), (self.features,))
        return transpose_convolve(x, kernel, lowering=self.lowering) + bias


def transpose_convolve(x: jax.Array, kernel: jax.Array, *, lowering: str) -> jax.Array:
    """Transposed convolution 4x4/2 'same'.

    An output pixel sees 2x2 inputs: an even one taps 1 and 3 of each axis, an odd one taps 0 and 2.
    One product of all 2x2 patches with the taps of the four phases beside each other; every phase
    keeps the patches that belong to it.

    Args:
        x: [B, H, W, in].
        kernel: [4, 4, in, out].
        lowering: 'native' by XLA, 'matmul' by products, equal up to rounding.

    Returns:
        [B, 2H, 2W, out].
    """
    if lowering == 'native':
        return jax.lax.conv_transpose(
            x, kernel[::-1, ::-1], (2, 2), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC')
        )
    height, width, features = *x.shape[1:3], kernel.shape[-1]
    # phase -> its taps, from the pixel above (or left) to the one below
    order = jnp.array([[3, 1], [2, 0]])
    # [row phase, row tap, column phase, column tap, in, out]
    phases = kernel[order[:, :, None, None], order]
    phases = phases.transpose(1, 3, 4, 0, 2, 5).reshape(-1, 4 * features)
    x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    y = dense(patches(x, (2, 2), (1, 1), axis=3), phases)
    shape = (height, width, features)
    rows = []
    for row in (0, 1):
        pixels = [_shifted(y, row, column, 2 * row + column, shape) for column in (0, 1)]
        rows.append(jnp.stack(pixels, 3))
    y = jnp.stack([row.reshape(-1, height, 2 * width, features) for row in rows], 2)
    return y.reshape(-1, 2 * height, 2 * width, features)


def _shifted(y, row, column, share, shape):
    """[B, *shape] of y from a row and column on: the features that stand at `share`."""
    height, width, features = shape
    channels = slice(share * features, (share + 1) * features)
    return y[:, row : row + height, column : column + width, channels]


class Narrow(Conv):
    """layers.Conv 3x3 with padding 1 for a layer of few features.

    The product comes first, and the 9 shares of a pixel are shifted and summed, so that 9 x
    features values are moved instead of 9 x channels.
    """

    def __call__(self, x: jax.Array) -> jax.Array:
        if self.lowering == 'native':
            return super().__call__(x)
        kernel, bias = self.parameters(x.shape[-1])
        shape = (*x.shape[1:3], self.features)
        y = dense(x, kernel.transpose(2, 0, 1, 3).reshape(x.shape[-1], -1))
        y = jnp.pad(y, ((0, 0), (1, 1), (1, 1), (0, 0)))
        taps = itertools.product(range(3), range(3))
        return bias + sum(_shifted(y, i, j, 3 * i + j, shape) for i, j in taps)


def leaky(x: jax.Array) -> jax.Array:
    """Leaky ReLU with slope 0.2."""
    return nn.leaky_relu(x, 0.2)
