"""ResNet18 (He et al. 2016) in parts, with shuffle attention (Zhang and Yang 2021) in every block.

The attention of Ruan et al. 2022 differs from the published one: every group has weights of its
own, and in the released code the gates of the groups are a softmax over the groups instead of a
sigmoid each.
"""

from collections.abc import Callable
from functools import partial, reduce
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from mer_jax.models.layers import Conv, max_pool

# torchvision's start for a network with ReLU
fan_out = nn.initializers.variance_scaling(2, 'fan_out', 'truncated_normal')


class ShuffleAttention(nn.Module):
    """[B, H, W, C] -> the same shape, C a multiple of 2 * groups: half of each group gated by
    channel, half by pixel.

    kind: 'released' (weights a group, softmax over groups), 'paper' (weights a group, sigmoid),
    'sanet' (one set of weights, sigmoid).
    """

    kind: str = 'released'
    groups: int = 4

    @nn.compact
    def __call__(self, x):
        batch, *_, channels = x.shape
        slope, shift = (
            jnp.stack(parts, -2).reshape(batch, 1, 1, channels)
            for parts in zip(*self._affine(x), strict=True)
        )
        gate = softmax_over if self.kind == 'released' else lambda v, _: jax.nn.sigmoid(v)
        y = x * gate((slope * x.astype(jnp.float32) + shift).astype(x.dtype), self.groups)
        # the groups exchange what they found
        return jnp.swapaxes(y.reshape(*x.shape[:-1], 2, -1), -1, -2).reshape(x.shape)

    def _affine(self, x):
        """(slope, shift) [B, groups, C / (2 * groups)] of the gates' argument: for the half by
        channel, then by pixel.

        By pixel it is a group normalisation with one channel a group, so every channel of every
        image over its pixels.
        """
        half = x.shape[-1] // (2 * self.groups)
        shape = (1 if self.kind == 'sanet' else self.groups, half)
        zeros, ones = nn.initializers.zeros_init(), nn.initializers.ones_init()
        channel, pixel = (
            (self.param(f'{name}_weight', zeros, shape), self.param(f'{name}_bias', ones, shape))
            for name in ('channel', 'pixel')
        )
        scale, bias = (
            self.param('norm_scale', ones, (half,)),
            self.param('norm_bias', zeros, (half,)),
        )
        x = x.astype(jnp.float32)
        mean = x.mean((1, 2))
        var = jnp.square(x - mean[:, None, None]).mean((1, 2))
        mean, var = (v.reshape(len(x), self.groups, 2, half) for v in (mean, var))
        slope = jax.lax.rsqrt(var[:, :, 1] + 1e-5) * scale * pixel[0]
        return (
            (jnp.zeros_like(slope), mean[:, :, 0] * channel[0] + channel[1]),
            (slope, bias * pixel[0] + pixel[1] - mean[:, :, 1] * slope),
        )


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def softmax_over(x, groups):
    """Softmax between the groups of the last axis, [..., groups * n], every place of a group by
    itself.

    By slices: a reshape to [..., groups, n] leaves rows of few channels, on which a CPU is up to
    six times as slow.
    """
    powers = jnp.exp(x - _repeated(jnp.maximum, x, groups))
    return powers / _repeated(jnp.add, powers, groups)


def _repeated(operation, x, groups):
    return jnp.concatenate([reduce(operation, jnp.split(x, groups, -1))] * groups, -1)


def _softmax_kept(x, groups):
    y = softmax_over(x, groups)
    return y, y


def _softmax_back(groups, y, gradient):
    # else XLA computes all that led to it anew for every group
    moved = y * jax.lax.optimization_barrier(gradient)
    return (moved - y * _repeated(jnp.add, moved, groups),)


softmax_over.defvjp(_softmax_kept, _softmax_back)


class Block(nn.Module):
    """Basic block: two 3x3 convolutions, attention before the residual sum; a 1x1 convolution where
    the shape changes.

    apart: returns the two terms of the sum, (x, what attention passed), before the ReLU.
    """

    features: int
    stride: int
    attention: str
    groups: int
    lowering: str
    dtype: Any
    apart: bool = False

    @nn.compact
    def __call__(self, x, train: bool):
        def conv(x, name, size, stride):
            return Conv(
                self.features,
                size,
                stride,
                size // 2,
                use_bias=False,
                lowering=self.lowering,
                dtype=self.dtype,
                kernel_init=fan_out,
                name=name,
            )(x)

        y = nn.relu(norm('bn1', train, self.dtype)(conv(x, 'conv1', 3, self.stride)))
        y = norm('bn2', train, self.dtype)(conv(y, 'conv2', 3, 1))
        if self.attention != 'off':
            y = ShuffleAttention(self.attention, self.groups, name='attention')(y)
        if self.stride != 1 or x.shape[-1] != self.features:
            x = norm('bn_skip', train, self.dtype)(conv(x, 'conv_skip', 1, self.stride))
        return (x, y) if self.apart else nn.relu(x + y)


class Stage(nn.Module):
    """`count` blocks, the first with the stride; with apart the last block returns the terms of its
    sum.

    block: Block with what all blocks of a network share.
    """

    block: Callable
    features: int
    stride: int
    count: int
    apart: bool = False

    @nn.compact
    def __call__(self, x, train: bool):
        for number in range(self.count):
            stride, apart = (
                self.stride if number == 0 else 1,
                self.apart and number == self.count - 1,
            )
            x = self.block(self.features, stride, apart=apart, name=f'block{number}')(x, train)
        return x


class Stem(nn.Module):
    """7x7/2 convolution, batch norm, ReLU, max-pool 3x3/2; for small pictures without `pool`, or
    with another convolution.
    """

    features: int
    pool: bool
    lowering: str
    dtype: Any
    kernel: int = 7
    stride: int = 2

    @nn.compact
    def __call__(self, x, train: bool):
        x = Conv(
            self.features,
            self.kernel,
            self.stride,
            self.kernel // 2,
            use_bias=False,
            lowering=self.lowering,
            dtype=self.dtype,
            kernel_init=fan_out,
            name='conv1',
        )(x)
        x = nn.relu(norm('bn1', train, self.dtype)(x))
        return max_pool(x, 3, 2, 1) if self.pool else x


def norm(name, train, dtype):
    """Batch normalisation with PyTorch's defaults; statistics in float32 whatever the activations
    are.
    """
    return nn.BatchNorm(
        use_running_average=not train, momentum=0.9, epsilon=1e-5, dtype=dtype, name=name
    )


_TORCH_BLOCK = {
    'conv1': 'conv1',
    'bn1': 'bn1',
    'conv2': 'conv2',
    'bn2': 'bn2',
    'attention': 'attention',
    'downsample.0': 'conv_skip',
    'downsample.1': 'bn_skip',
}


def torch_stage(torch_name: str, path: str, *, skips: bool) -> dict:
    """{PyTorch module: flax path} of two residual blocks.

    Without skips the first block changes no shape and has no 1x1 convolution.
    """
    return {
        f'{torch_name}.{i}.{name}': f'{path}/block{i}/{part}'
        for i in (0, 1)
        for name, part in _TORCH_BLOCK.items()
        if (skips and i == 0) or 'skip' not in part
    }
