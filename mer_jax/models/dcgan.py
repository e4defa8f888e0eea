"""Conditional DC-GAN (Koo, Zulkifley and Kamari, Sensors 22(11):4011, 2022).

The paper gives its layers, not their widths. The layers follow Radford, Metz and Chintala (ICLR
2016), by default without their batch norm, whose statistics depend on the mix of classes in a
batch. For 80 pixels, 2 channels, 3 classes and width 32, generator and discriminator have 3,351,330
and 179,425 parameters. They are no classifiers, so models.NETWORKS has no entry for them.
"""

import itertools
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp

from mer_jax.errors import UserError
from mer_jax.models.layers import Conv, dense, patches

# Not Radford's normal(0.02), under which, without batch norm, values fade from layer to layer.
start = nn.initializers.glorot_uniform()


class Generator(nn.Module):
    """From (z [B, latent], label int32[B]) to images of flow in -1..1.

    Attributes:
        classes: their number, K.
        channels: of the images.
        size: pixels per side, a multiple of 8; another one raises UserError.
        width: features after the last of three transposed convolutions; before the first there are
            8 times as many.
        latent: length of z.
        lowering: as in layers.Conv.
        batch_norm: after every layer but the last.
    """

    classes: int
    channels: int = 2
    size: int = 80
    width: int = 32
    latent: int = 100
    lowering: str = 'matmul'
    batch_norm: bool = False

    @nn.compact
    def __call__(self, z: jax.Array, label: jax.Array, *, train: bool = False) -> jax.Array:
        if self.size % 8 or self.size < 8:
            raise UserError(f'gan.size is {self.size}; needs a multiple of 8 of at least 8')
        side, width = self.size // 8, self.width
        x = jnp.concatenate([z, jax.nn.one_hot(label, self.classes, dtype=z.dtype)], -1)
        x = nn.Dense(side * side * 8 * width, kernel_init=start, name='dense')(x)
        x = x.reshape(-1, side, side, 8 * width)
        if self.batch_norm:
            x = norm('dense_norm', train)(x)
        x = leaky(x)
        for number, features in enumerate((4 * width, 2 * width, width), 1):
            x = ConvTranspose(features, self.lowering, name=f'up{number}')(x)
            if self.batch_norm:
                x = norm(f'up{number}_norm', train)(x)
            x = leaky(x)
        last = Narrow(
            self.channels, 3, padding=1, lowering=self.lowering, kernel_init=start, name='conv'
        )
        return jnp.tanh(last(x))


class Discriminator(nn.Module):
    """From (flow [B, S, S, C], label int32[B]) to the logit [B] that the flow is real.

    The label joins as one-hot planes. S is a multiple of 8.

    Attributes:
        classes: their number, K.
        width: features of the first of three convolutions; each further one doubles them.
        dropout: before the dense layer.
        lowering: as in layers.Conv.
        batch_norm: after the second and the third convolution.
        output: 'logit', one output; or 'softmax' over two outputs, real and generated, whose
            difference is the logit.
    """

    classes: int
    width: int = 32
    dropout: float = 0.5
    lowering: str = 'matmul'
    batch_norm: bool = False
    output: str = 'logit'

    @nn.compact
    def __call__(self, flow: jax.Array, label: jax.Array, *, train: bool) -> jax.Array:
        planes = jax.nn.one_hot(label, self.classes, dtype=flow.dtype)[:, None, None]
        x = jnp.concatenate([flow, jnp.broadcast_to(planes, (*flow.shape[:3], self.classes))], -1)
        for number, features in enumerate((self.width, 2 * self.width, 4 * self.width), 1):
            conv = partial(Conv, features, 4, strides=2, padding=1, kernel_init=start)
            x = conv(lowering=self.lowering, name=f'conv{number}')(x)
            if self.batch_norm and number > 1:
                x = norm(f'conv{number}_norm', train)(x)
            x = leaky(x)
        x = nn.Dropout(self.dropout, deterministic=not train)(x.reshape(len(x), -1))
        if self.output == 'softmax':
            both = nn.Dense(2, kernel_init=start, name='dense')(x)
            return both[:, 0] - both[:, 1]
        return nn.Dense(1, kernel_init=start, name='dense')(x)[:, 0]


class ConvTranspose(nn.Module):
    """Transposed convolution 4x4/2 'same', as PyTorch's with padding 1.

    [B, H, W, in] -> [B, 2H, 2W, features]. Parameters are the kernel [4, 4, in, features], its rows
    and columns in PyTorch's order (that of nn.ConvTranspose is the reverse), and the bias.

    Attributes:
        features: channels of the output.
        lowering: as in layers.Conv.
    """

    features: int
    lowering: str = 'matmul'

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        kernel = self.param('kernel', start, (4, 4, x.shape[-1], self.features))
        bias = self.param('bias', nn.initializers.zeros_init(), (self.features,))
        return transpose_convolve(x, kernel, lowering=self.lowering) + bias


def transpose_convolve(x: jax.Array, kernel: jax.Array, *, lowering: str) -> jax.Array:
    """Convolve images transposed, 4x4/2 'same'.

    An output pixel sees 2x2 inputs, along each axis through taps 1 and 3 of the kernel where its
    number is even, else through taps 0 and 2. These four phases (row even or odd, column even or
    odd) are computed by one product of all 2x2 patches with their four kernels side by side.

    Args:
        x: [B, H, W, in].
        kernel: [4, 4, in, out].
        lowering: as in layers.Conv.

    Returns:
        [B, 2H, 2W, out].
    """
    if lowering == 'native':
        return jax.lax.conv_transpose(
            x, kernel[::-1, ::-1], (2, 2), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC')
        )
    height, width, features = *x.shape[1:3], kernel.shape[-1]
    # The taps of each phase, first that of the pixel above (or left).
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
    """Return the features of one tap or phase, [B, *shape], shifted by rows and columns.

    `share` is its number among the features of y.
    """
    height, width, features = shape
    channels = slice(share * features, (share + 1) * features)
    return y[:, row : row + height, column : column + width, channels]


class Narrow(Conv):
    """layers.Conv 3x3 with padding 1, for few features.

    The product comes first, then its 9 results for each pixel are shifted and added. So 9 x
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


def norm(name: str, train: bool) -> nn.BatchNorm:
    """Return batch norm, of batch statistics in training."""
    return nn.BatchNorm(use_running_average=not train, momentum=0.9, epsilon=1e-5, name=name)


def leaky(x: jax.Array) -> jax.Array:
    """Leaky ReLU with slope 0.2."""
    return nn.leaky_relu(x, 0.2)
