"""Layers that stay fast inside a loop over folds: convolution by matrix products, and pooling.

Images are [B, H, W, C] unless said otherwise. A native convolution inside lax.scan or lax.map is
tens of times slower on a CPU than patches and a matrix product, and so is the gradient of
reduce_window; hence the layers here.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from mer_jax.errors import UserError


def check_image(model: str, image, *, least: int, channels: int = 0) -> None:
    """Raise UserError where image [B, H, W, C] is under `least` pixels a side or, if `channels` >
    0, has other channels.
    """
    if image.ndim != 4:
        raise UserError(
            f'model {model} takes pictures, not video; name other channels with '
            '--config.data.channels'
        )
    _, height, width, got = image.shape
    if channels and got != channels:
        raise UserError(f'model {model} takes {channels} channels (u,v); data.channels gives {got}')
    if min(height, width) < least:
        raise UserError(
            f'model {model} needs images of {least}x{least} pixels or more; data.size gives '
            f'{height}x{width}'
        )


# PyTorch's default for convolutions and dense layers: uniform within 1 / sqrt(fan in), kernel and
# bias alike. A network published in PyTorch with a small learning rate stays near where it starts,
# so the start is part of the system.
torch_kernel = nn.initializers.variance_scaling(1 / 3, 'fan_in', 'uniform')


def torch_bias(fan_in: int):
    """Initializer of a bias as in PyTorch: uniform within 1 / sqrt(fan_in)."""
    return lambda key, shape, dtype=jnp.float32: jax.random.uniform(
        key, shape, dtype, -(fan_in**-0.5), fan_in**-0.5
    )


class Conv(nn.Module):
    """2-D convolution with the parameters of nn.Conv: kernel [kh, kw, in, features] and, with
    use_bias, bias [features].

    padding: pixels on each side as in PyTorch (an int, or one for height and one for width), 'SAME'
    or 'VALID'.
    lowering: 'matmul' (products of patches, Winograd's or a band's, by shape) or 'native' (XLA's);
    equal up to rounding.
    dtype: of the computation; the parameters are float32.
    """

    features: int
    kernel_size: Any
    strides: Any = 1
    padding: Any = 'SAME'
    use_bias: bool = True
    lowering: str = 'matmul'
    kernel_init: Callable = nn.initializers.lecun_normal()
    bias_init: Callable = nn.initializers.zeros_init()
    dtype: Any = 'float32'

    @nn.compact
    def parameters(self, channels: int):
        """(kernel, bias) for images of so many channels; bias is 0.0 without use_bias."""
        shape = (*_pair(self.kernel_size), channels, self.features)
        kernel = self.param('kernel', self.kernel_init, shape)
        return kernel, self.param(
            'bias', self.bias_init, (self.features,)
        ) if self.use_bias else 0.0

    def __call__(self, x):
        kernel, bias = jax.tree.map(
            lambda a: jnp.asarray(a, self.dtype), self.parameters(x.shape[-1])
        )
        x = jnp.asarray(x, self.dtype)
        return (
            convolve(x, kernel, strides=self.strides, padding=self.padding, lowering=self.lowering)
            + bias
        )


def convolve(x, kernel, *, strides, padding, lowering):
    """[B, H, W, in] and kernel [kh, kw, in, out] -> [B, H', W', out]; settings as in Conv."""
    strides, size = _pair(strides), kernel.shape[:2]
    pads = _pads(padding, x.shape[1:3], size, strides)
    if lowering == 'native':
        return jax.lax.conv_general_dilated(
            x, kernel, strides, pads, dimension_numbers=('NHWC', 'HWIO', 'NHWC')
        )
    x = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    if size == (3, 3) and strides == (1, 1) and x.shape[-1] >= 16:
        wide = x.shape[-1] >= 32 and min(x.shape[1:3]) > 10
        return _winograd(x, kernel) if wide else _winograd_along(x, kernel)
    if (
        max(strides) < size[1] / 3 + 1
        and max(kernel.shape[2:]) <= 32 // max(strides)
        and 1 < size[1] <= x.shape[2] - 3 * strides[1]
    ):
        return _tiled(x, kernel, strides)
    return dense(patches(x, size, strides, axis=3), kernel.reshape(-1, kernel.shape[-1]))


def dense(x, kernel):
    """[B, H, W, in] @ [in, out], as a product of two matrices: XLA takes twice as long for the
    kernel's gradient of x @ kernel, where three axes are contracted.
    """
    return (x.reshape(-1, x.shape[-1]) @ kernel).reshape(*x.shape[:-1], -1)


def patches(x, size, strides, *, axis):
    """Every window of `size`, its pixels laid along the channel axis in the order of a flat kernel
    [kh, kw, in].

    x: spatial axes 1 and 2, already padded; axis: that of the channels (0 or 3). Columns first,
    then rows: kh + kw slices instead of kh * kw.
    """
    for space in (2, 1):
        width, stride = size[space - 1], strides[space - 1]
        last = x.shape[space] - width
        x = jnp.concatenate(
            [jax.lax.slice_in_dim(x, i, i + last + 1, stride, space) for i in range(width)], axis
        )
    return x


def _tiled(x, kernel, strides):
    """Every window of padded x, some neighbouring outputs of a row at a time: one product of what
    those windows cover with a band matrix that holds the kernel once for each of them.

    A third of the band matrix is zero, yet for few channels this beats copying every pixel kh * kw
    times, and its product is wide enough for the processor.
    """
    height, width = (
        (n - k) // s + 1 for n, k, s in zip(x.shape[1:3], kernel.shape[:2], strides, strict=True)
    )
    rows, columns, _, features = kernel.shape
    step, even = strides[1], [n for n in (4, 5, 6, 7, 8) if width % n == 0] or [4]
    count = next((n for n in even if n * features >= 32), even[-1])
    tiles, covered = -(-width // count), (count - 1) * step + columns
    place = np.eye(covered, dtype=np.float32)[np.arange(columns)[:, None] + step * np.arange(count)]
    band = jnp.einsum('jqn,ijcf->incqf', place.astype(kernel.dtype), kernel).reshape(
        -1, count * features
    )
    last = (tiles - 1) * count * step + covered
    x = jnp.pad(x, ((0, 0), (0, 0), (0, max(last - x.shape[2], 0)), (0, 0)))
    x = jnp.stack(
        [
            jax.lax.slice_in_dim(x, i * count * step, i * count * step + covered, axis=2)
            for i in range(tiles)
        ],
        2,
    )
    x = patches(x.reshape(*x.shape[:3], -1), (rows, 1), (strides[0], 1), axis=3)
    return dense(x, band).reshape(-1, height, tiles * count, features)[:, :, :width]


# Winograd's minimal filtering F(2, 3): two neighbouring outputs of three taps from four products
# instead of six.
_TAPS = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], np.float32)


def _winograd(x, kernel):
    """Every 3x3 window of padded x, by 16 products a 2x2 block of outputs instead of 36: F(2x2,
    3x3) of Lavin and Gray 2016.

    Needs 16 values a block where patches need 36; below 32 channels or up to 8x8 outputs the gain
    is not worth its compilation.
    """
    height, width = (n - 2 for n in x.shape[1:3])
    x = jnp.pad(x, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)))
    taps = jnp.einsum('ir,js,rscf->ijcf', *2 * [_TAPS.astype(kernel.dtype)], kernel)
    rows = []
    for row, row_taps in zip(_four(x, 1), taps, strict=True):
        parts = [dense(part, tap) for part, tap in zip(_four(row, 2), row_taps, strict=True)]
        rows.append(_two(*parts, 2))
    return _two(*rows, 1)[:, :height, :width]


def _winograd_along(x, kernel):
    """Every 3x3 window of padded x, by 12 products a pair of outputs instead of 18: F(2, 3) along
    axis 2 only.

    For pictures too small, or channels too few, for blocks of 2x2. Its four products are one
    batched product: the same time in training, and a third less to compile than four apart.
    """
    width = x.shape[2] - 2
    x = jnp.pad(x, ((0, 0), (0, 0), (0, width % 2), (0, 0)))
    taps = jnp.einsum('js,rscf->jrcf', _TAPS.astype(kernel.dtype), kernel)
    # of the four factors, one after another
    windows = patches(jnp.concatenate(_four(x, 2)), (3, 1), (1, 1), axis=3)
    products = jnp.matmul(
        windows.reshape(4, -1, windows.shape[-1]), taps.reshape(4, -1, taps.shape[-1])
    )
    return _two(*products.reshape(4, len(x), *windows.shape[1:3], -1), 2)[:, :, :width]


def _four(x, axis):
    """The four factors of each pair of outputs along `axis`: from pixels 2i to 2i + 3, for
    every i.
    """
    pairs = x.reshape(*x.shape[:axis], -1, 2, *x.shape[axis + 1 :])
    first, second = (jax.lax.index_in_dim(pairs, i, axis + 1, keepdims=False) for i in range(2))
    here, beyond = (
        [
            jax.lax.slice_in_dim(half, i, half.shape[axis] - 1 + i, axis=axis)
            for half in (first, second)
        ]
        for i in range(2)
    )
    return here[0] - beyond[0], here[1] + beyond[0], beyond[0] - here[1], here[1] - beyond[1]


def _two(a, b, c, d, axis):
    """Outputs 2i and 2i + 1 along `axis` from the four products."""
    pairs = jnp.stack([a + b + c, b - c - d], axis + 1)
    return pairs.reshape(*a.shape[:axis], -1, *a.shape[axis + 1 :])


def _pair(value):
    return (value, value) if isinstance(value, int) else tuple(value)


def _pads(padding, shape, window, strides):
    if isinstance(padding, str):
        return jax.lax.padtype_to_pads(shape, window, strides, padding)
    return [(p, p) for p in _pair(padding)]


def max_pool(x, window, stride, padding: int = 0):
    """Largest value of each window over axes 1 and 2 (so [B, H, W, C] and [C, H, W, B] alike), as
    PyTorch's MaxPool2d.

    Of equal values the first in row order takes the gradient; rows and columns that fill no window
    are left out. Overlapping windows go columns first, then rows: 2 * window comparisons instead of
    window * window, and the same pixel wins, the leftmost of the topmost row that holds the largest
    value.
    """
    if window == stride:
        return _max_pool(x, _pair(window), _pair(stride), _pair(padding), x.shape[1:3])
    x = _max_pool(x, (1, window), (1, stride), (0, padding), x.shape[1:3])
    return _max_pool(x, (window, 1), (stride, 1), (padding, 0), x.shape[1:3])


@partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3, 4))
def _max_pool(x, window, stride, padding, shape):
    return _max_and_index(x, window, stride, padding, shape)[0]


def _max_and_index(x, window, stride, padding, shape):
    """The pooled values, and where in its window each stood: uint8, row by row."""
    counts = [
        (n + 2 * p - w) // s + 1 for n, p, w, s in zip(shape, padding, window, stride, strict=True)
    ]
    x = jnp.pad(x, ((0, 0), *((p, p) for p in padding), (0, 0)), constant_values=-jnp.inf)
    best, index = None, None
    for k in range(window[0] * window[1]):
        rows, columns = (
            slice(i, i + (n - 1) * s + 1, s)
            for i, n, s in zip(divmod(k, window[1]), counts, stride, strict=True)
        )
        here = x[:, rows, columns]
        index = (
            jnp.zeros(here.shape, jnp.uint8)
            if k == 0
            else jnp.where(here > best, jnp.uint8(k), index)
        )
        best = here if k == 0 else jnp.maximum(best, here)
    return best, index


def _spread(window, stride, padding, shape, index, gradient):
    """Carry each pooled gradient back to the pixel that was largest, by comparing places: no
    scatter.
    """
    full = (_spread_apart if window == stride else _spread_over)(window, stride, index, gradient)
    short = [
        max(p + n - have, 0) for p, n, have in zip(padding, shape, full.shape[1:3], strict=True)
    ]
    full = jnp.pad(full, ((0, 0), (0, short[0]), (0, short[1]), (0, 0)))
    return (full[:, padding[0] : padding[0] + shape[0], padding[1] : padding[1] + shape[1]],)


def _spread_apart(window, _, index, gradient):
    """Windows that do not overlap: each pixel compares its own place with the index."""
    a, rows, columns, b = gradient.shape
    place = jnp.arange(window[0] * window[1], dtype=jnp.uint8).reshape(
        1, 1, window[0], 1, window[1], 1
    )
    full = jnp.where(index[:, :, None, :, None] == place, gradient[:, :, None, :, None], 0)
    return full.reshape(a, rows * window[0], columns * window[1], b)


def _spread_over(window, stride, index, gradient):
    """Overlapping windows: for each place in a window, the gradients that belong there, stride
    apart; their sum.
    """
    total = zero = jnp.zeros((), gradient.dtype)
    for k in range(window[0] * window[1]):
        sides = [
            (i, w - 1 - i, s - 1)
            for i, w, s in zip(divmod(k, window[1]), window, stride, strict=True)
        ]
        total += jax.lax.pad(
            jnp.where(index == k, gradient, zero), zero, ((0, 0, 0), *sides, (0, 0, 0))
        )
    return total


_max_pool.defvjp(_max_and_index, _spread)


def avg_pool(x, window: int):
    """Mean of each window x window block over axes 1 and 2; rows and columns that fill no block are
    left out.
    """
    a, height, width, b = x.shape
    rows, columns = height // window, width // window
    return (
        x[:, : rows * window, : columns * window]
        .reshape(a, rows, window, columns, window, b)
        .mean((2, 4))
    )


def adaptive_avg_pool(x, size: int):
    """[B, H, W, C] -> [B, size, size, C] by means over near-equal windows, or by repetition, as
    PyTorch's AdaptiveAvgPool2d.
    """
    return jnp.einsum(
        'bhwc,ih,jw->bijc', x, _averaging(size, x.shape[1]), _averaging(size, x.shape[2])
    )


def _averaging(size, length):
    """[size, length]: row i averages the pixels floor(i length / size) to ceil((i + 1) length /
    size) - 1.
    """
    i, pixel = np.arange(size)[:, None], np.arange(length)
    inside = (pixel >= i * length // size) & (pixel < -(-(i + 1) * length // size))
    return jnp.asarray(inside / inside.sum(1, keepdims=True), jnp.float32)


def local_response_norm(x, *, window=5, k=2.0, alpha=1e-4, beta=0.75):
    """x / (k + alpha * sum of squares over `window` neighbouring channels)**beta, last axis.

    The formula of Krizhevsky et al. 2012, as in TensorFlow and MatConvNet: PyTorch divides its
    alpha by the window, so its LocalResponseNorm(window, alpha=window * alpha) is the same.
    """
    apart = np.arange(x.shape[-1])[:, None] - np.arange(x.shape[-1]) + window // 2
    # the sum as a product, and log: an eighth of the time
    band = jnp.asarray((apart >= 0) & (apart < window), x.dtype)
    return x * jnp.exp(-beta * jnp.log(k + alpha * dense(x * x, band)))


def flatten(x):
    """[B, ..., C] -> [B, C * ...], channels first, so that published dense weights fit without a
    permutation.
    """
    return jnp.moveaxis(x, -1, 1).reshape(len(x), -1)


class BatchAffine(nn.Module):
    """The map x -> slope * x + shift that nn.BatchNorm (momentum 0.9, epsilon 1e-5) makes of given
    batch statistics.

    Parameters and statistics are named as in nn.BatchNorm. For a caller that can apply the map
    later, to fewer values.
    """

    @nn.compact
    def __call__(self, mean, mean_of_squares, *, train: bool):
        """mean, mean_of_squares: [C] of this batch; returns (slope, shift), [C] each."""
        scale = self.param('scale', nn.initializers.ones_init(), mean.shape)
        bias = self.param('bias', nn.initializers.zeros_init(), mean.shape)
        stored_mean = self.variable('batch_stats', 'mean', jnp.zeros, mean.shape)
        stored_var = self.variable('batch_stats', 'var', jnp.ones, mean.shape)
        var = jnp.maximum(mean_of_squares - mean * mean, 0.0)
        if not train:
            mean, var = stored_mean.value, stored_var.value
        elif not self.is_initializing():
            stored_mean.value = 0.9 * stored_mean.value + 0.1 * mean
            stored_var.value = 0.9 * stored_var.value + 0.1 * var
        slope = scale * jax.lax.rsqrt(var + 1e-5)
        return slope, bias - mean * slope
