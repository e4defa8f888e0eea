"""ResNet18 (He et al. 2016) with shuffle attention (Zhang and Yang 2021).

The attention of Ruan et al. 2022 differs from the published one: each group has its own weights,
and in their released code the gates are a softmax over the groups instead of a sigmoid.
"""

from collections.abc import Callable
from functools import partial, reduce

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from mer_jax.models.layers import Conv, max_pool

Norm = Callable[[str, bool, DTypeLike], nn.Module]  # (name, train, dtype) -> layer

# torchvision's start for a network with ReLU, without the values beyond two standard deviations
fan_out = nn.initializers.variance_scaling(2, 'fan_out', 'truncated_normal')


class ShuffleAttention(nn.Module):
    """Shuffle attention: half of each group gated by channel, half by pixel.

    It keeps the shape [B, H, W, C]; C must be a multiple of 2 * groups.

    Attributes:
        kind: 'released' (weights per group, softmax over groups), 'paper' (weights per group,
            sigmoid) or 'sanet' (the same weights for all groups, sigmoid).
        groups: number of groups of channels.
    """

    kind: str = 'released'
    groups: int = 4

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        batch, *_, channels = x.shape
        by_channel, by_pixel = self._affine(x)
        slope, shift = (
            jnp.stack(halves, -2).reshape(batch, 1, 1, channels)
            for halves in zip(by_channel, by_pixel, strict=True)
        )
        logits = (slope * x.astype(jnp.float32) + shift).astype(x.dtype)
        if self.kind == 'released':
            gate = softmax_over(logits, self.groups)
        else:
            gate = jax.nn.sigmoid(logits)
        y = x * gate
        # the groups exchange their channels
        return jnp.swapaxes(y.reshape(*x.shape[:-1], 2, -1), -1, -2).reshape(x.shape)

    def _affine(self, x):
        """Return (slope, shift) of the gates' logits, for both halves of each group.

        The half gated by channel comes first. Each array is [B, groups, C / (2 * groups)]. The half
        gated by pixel is normalised first: each channel of each image over its pixels.
        """
        half = x.shape[-1] // (2 * self.groups)
        shape = (1 if self.kind == 'sanet' else self.groups, half)
        zeros, ones = nn.initializers.zeros_init(), nn.initializers.ones_init()
        channel_weight = self.param('channel_weight', zeros, shape)
        channel_bias = self.param('channel_bias', ones, shape)
        pixel_weight = self.param('pixel_weight', zeros, shape)
        pixel_bias = self.param('pixel_bias', ones, shape)
        scale = self.param('norm_scale', ones, (half,))
        bias = self.param('norm_bias', zeros, (half,))
        x = x.astype(jnp.float32)
        mean = x.mean((1, 2))
        var = jnp.square(x - mean[:, None, None]).mean((1, 2))
        mean, var = (v.reshape(len(x), self.groups, 2, half) for v in (mean, var))
        slope = jax.lax.rsqrt(var[:, :, 1] + 1e-5) * scale * pixel_weight
        return (
            (jnp.zeros_like(slope), mean[:, :, 0] * channel_weight + channel_bias),
            (slope, bias * pixel_weight + pixel_bias - mean[:, :, 1] * slope),
        )


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def softmax_over(x: jax.Array, groups: int) -> jax.Array:
    """Return the softmax over groups, for each position in a group.

    By slices: a reshape to [..., groups, n] leaves rows of few channels, on which a CPU is up to
    six times as slow.

    Args:
        x: [..., groups * n].
        groups: number of groups of the last axis.
    """
    powers = jnp.exp(x - _repeated(jnp.maximum, x, groups))
    return powers / _repeated(jnp.add, powers, groups)


def _repeated(operation, x, groups):
    """Reduce the groups by an operation, and repeat the result for each."""
    return jnp.concatenate([reduce(operation, jnp.split(x, groups, -1))] * groups, -1)


def _softmax_forward(x, groups):
    y = softmax_over(x, groups)
    return y, y


def _softmax_backward(groups, y, gradient):
    # Without the barrier XLA computes the gradient anew for each group.
    weighted = y * jax.lax.optimization_barrier(gradient)
    return (weighted - y * _repeated(jnp.add, weighted, groups),)


softmax_over.defvjp(_softmax_forward, _softmax_backward)


def norm(name: str, train: bool, dtype: DTypeLike) -> nn.BatchNorm:
    """Return batch norm with PyTorch's defaults.

    Its statistics are float32, whatever the dtype.

    Args:
        name: of the layer.
        train: whether it uses the statistics of the batch.
        dtype: of the computation.
    """
    return nn.BatchNorm(
        use_running_average=not train, momentum=0.9, epsilon=1e-5, dtype=dtype, name=name
    )


class NormApart(nn.Module):
    """Batch normalisation of several batches, each by its own statistics.

    [sets * B, H, W, C] -> the same shape. As PyTorch takes one batch after the other: the running
    statistics move once for each, in order, and their variance is the unbiased one. Parameters and
    statistics are named as in nn.BatchNorm.

    sets: batches, one behind the other.
    train: by the statistics of x, which move the running ones; else by these.
    dtype: of the result; statistics are float32 in any case.
    """

    sets: int
    train: bool
    dtype: DTypeLike

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = x.shape[-1:]
        scale = self.param('scale', nn.initializers.ones_init(), shape)
        bias = self.param('bias', nn.initializers.zeros_init(), shape)
        stored_mean = self.variable('batch_stats', 'mean', jnp.zeros, shape)
        stored_var = self.variable('batch_stats', 'var', jnp.ones, shape)
        apart = x.reshape(self.sets, -1, *x.shape[1:]).astype(jnp.float32)
        if self.train:
            mean = apart.mean((1, 2, 3))
            var = jnp.maximum(jnp.square(apart).mean((1, 2, 3)) - mean * mean, 0.0)
        else:
            mean, var = (stored.value[None] for stored in (stored_mean, stored_var))
        if self.train and not self.is_initializing():
            count = apart.size // mean.size
            unbiased = var * (count / max(count - 1, 1))
            for number in range(self.sets):
                stored_mean.value = 0.9 * stored_mean.value + 0.1 * mean[number]
                stored_var.value = 0.9 * stored_var.value + 0.1 * unbiased[number]
        slope = jax.lax.rsqrt(var + 1e-5) * scale
        slope, mean = (values[:, None, None, None] for values in (slope, mean))
        return ((apart - mean) * slope + bias).astype(self.dtype).reshape(x.shape)


def norm_apart(name: str, train: bool, dtype: DTypeLike, *, sets: int) -> NormApart:
    """As norm, for so many batches one behind the other, each by its own statistics."""
    return NormApart(sets, train, dtype, name=name)


class Block(nn.Module):
    """Basic block: two 3x3 convolutions, attention, residual sum.

    Where the shape changes, a 1x1 convolution matches the input to the sum.

    Attributes:
        features: channels of the output.
        stride: of the first convolution.
        attention: kind of ShuffleAttention, or 'off'.
        groups: of ShuffleAttention.
        lowering: as in layers.Conv.
        dtype: of the computation.
        apart: return the two terms of the sum, (input, output of the attention), instead of its
            ReLU.
        norm: makes its normalisations.
        kernel_init: of the convolutions.
    """

    features: int
    stride: int
    attention: str
    groups: int
    lowering: str
    dtype: DTypeLike
    apart: bool = False
    norm: Norm = norm
    kernel_init: Callable = fan_out

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array | tuple[jax.Array, jax.Array]:
        conv = partial(
            Conv,
            self.features,
            use_bias=False,
            lowering=self.lowering,
            dtype=self.dtype,
            kernel_init=self.kernel_init,
        )
        y = conv(3, self.stride, 1, name='conv1')(x)
        y = nn.relu(self.norm('bn1', train, self.dtype)(y))
        y = conv(3, 1, 1, name='conv2')(y)
        y = self.norm('bn2', train, self.dtype)(y)
        if self.attention != 'off':
            y = ShuffleAttention(self.attention, self.groups, name='attention')(y)
        if self.stride != 1 or x.shape[-1] != self.features:
            x = conv(1, self.stride, 0, name='conv_skip')(x)
            x = self.norm('bn_skip', train, self.dtype)(x)
        return (x, y) if self.apart else nn.relu(x + y)


class Stage(nn.Module):
    """Several blocks, the first of which has the stride.

    Attributes:
        block: Block with the arguments that all blocks of a network share.
        features: channels of the output.
        stride: of the first block.
        count: number of blocks.
        apart: the last block returns the two terms of its sum.
    """

    block: Callable[..., Block]
    features: int
    stride: int
    count: int
    apart: bool = False

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array | tuple[jax.Array, jax.Array]:
        for number in range(self.count):
            stride = self.stride if number == 0 else 1
            apart = self.apart and number == self.count - 1
            x = self.block(self.features, stride, apart=apart, name=f'block{number}')(x, train)
        return x


class Stem(nn.Module):
    """The first layers: 7x7/2 convolution, batch norm, ReLU, max-pool 3x3/2.

    Attributes:
        features: channels of the output.
        pool: whether the max-pool is there; for small images it is not.
        lowering: as in layers.Conv.
        dtype: of the computation.
        kernel: side of the convolution's kernel, in pixels.
        stride: of the convolution, in pixels.
        norm: makes its normalisation.
        kernel_init: of the convolution.
    """

    features: int
    pool: bool
    lowering: str
    dtype: DTypeLike
    kernel: int = 7
    stride: int = 2
    norm: Norm = norm
    kernel_init: Callable = fan_out

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        x = Conv(
            self.features,
            self.kernel,
            self.stride,
            padding=self.kernel // 2,
            use_bias=False,
            lowering=self.lowering,
            dtype=self.dtype,
            kernel_init=self.kernel_init,
            name='conv1',
        )(x)
        x = nn.relu(self.norm('bn1', train, self.dtype)(x))
        return max_pool(x, 3, 2, 1) if self.pool else x


_TORCH_BLOCK = {
    'conv1': 'conv1',
    'bn1': 'bn1',
    'conv2': 'conv2',
    'bn2': 'bn2',
    'attention': 'attention',
    'downsample.0': 'conv_skip',
    'downsample.1': 'bn_skip',
}


def torch_stage(torch_name: str, path: str, *, skips: bool) -> dict[str, str]:
    """Return {PyTorch module: flax path} of a stage of two blocks.

    Args:
        torch_name: name of the stage in PyTorch.
        path: flax path of the stage.
        skips: whether the first block changes the shape, so that it has a 1x1 convolution.
    """
    names = {}
    for i in (0, 1):
        for torch_module, module in _TORCH_BLOCK.items():
            if 'skip' not in module or (skips and i == 0):
                names[f'{torch_name}.{i}.{torch_module}'] = f'{path}/block{i}/{module}'
    return names
