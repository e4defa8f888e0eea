"""Layers that stay fast inside a loop over folds: convolution by matrix products, and pooling.

Images are [B, H, W, C] unless said otherwise. A native convolution inside lax.scan or lax.map is
tens of times slower on a CPU than patches and a matrix product, and so is the gradient of
reduce_window; hence the layers here.
"""

from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike

from mer_jax.errors import UserError

Pair = int | tuple[int, int]  # for height and width
Padding = Pair | str  # pixels on each side, 'SAME' or 'VALID'
Output = tuple[jax.Array, dict[str, jax.Array]]  # of a network: logits [B, K], out


def check_image(model: str, image: jax.Array, *, least: int, channels: int = 0) -> None:
    """Check what a network is given.

    Args:
        model: name of the network.
        image: [B, H, W, C].
        least: pixels a side that it needs.
        channels: that it needs; 0 for any.

    Raises:
        UserError: another shape, or fewer pixels.
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


def torch_bias(fan_in: int) -> Callable:
    """Initializer of a bias as in PyTorch: uniform within 1 / sqrt(fan_in)."""
    limit = fan_in**-0.5
    return lambda key, shape, dtype=jnp.float32: jax.random.uniform(
        key, shape, dtype, -limit, limit
    )


class Conv(nn.Module):
    """2-D convolution with the parameters of nn.Conv.

    These are kernel [kh, kw, in, features] and, with use_bias, bias [features].

    features: channels of the output.
    kernel_size, strides: of both axes, or one for height and one for width.
    padding: pixels on each side as in PyTorch (an int, or one for height and one for width), 'SAME'
        or 'VALID'.
    lowering: 'matmul' (products of patches, Winograd's or a band's, by shape) or 'native' (XLA's);
        equal up to rounding.
    dtype: of the computation; the parameters are float32.
    """

    features: int
    kernel_size: Pair
    strides: Pair = 1
    padding: Padding = 'SAME'
    use_bias: bool = True
    lowering: str = 'matmul'
    kernel_init: Callable = nn.initializers.lecun_normal()
    bias_init: Callable = nn.initializers.zeros_init()
    dtype: DTypeLike = 'float32'

    @nn.compact
    def parameters(self, channels: int) -> tuple[jax.Array, jax.Array | float]:
        """(kernel, bias) for images of so many channels; bias is 0.0 without use_bias."""
        shape = (*_pair(self.kernel_size), channels, self.features)
        kernel = self.param('kernel', self.kernel_init, shape)
        if not self.use_bias:
            return kernel, 0.0
        return kernel, self.param('bias', self.bias_init, (self.features,))

    def __call__(self, x: jax.Array) -> jax.Array:
        kernel, bias = self.parameters(x.shape[-1])
        kernel, bias = jnp.asarray(kernel, self.dtype), jnp.asarray(bias, self.dtype)
        x = jnp.asarray(x, self.dtype)
        y = convolve(x, kernel, strides=self.strides, padding=self.padding, lowering=self.lowering)
        return y + bias


def convolve(
    x: jax.Array, kernel: jax.Array, *, strides: Pair, padding: Padding, lowering: str
) -> jax.Array:
    """2-D convolution, by matrix products or XLA's.

    Args:
        x: [B, H, W, in].
        kernel: [kh, kw, in, out].
        strides, padding, lowering: as in Conv.

    Returns:
        [B, H', W', out].
    """
    strides, size = _pair(strides), kernel.shape[:2]
    pads = _pads(padding, x.shape[1:3], size, strides)
    if lowering == 'native':
        return jax.lax.conv_general_dilated(
            x, kernel, strides, pads, dimension_numbers=('NHWC', 'HWIO', 'NHWC')
        )
    x = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    if size == (3, 3) and strides == (1, 1) and x.shape[-1] >= 16:
        large = x.shape[-1] >= 32 and min(x.shape[1:3]) > 10
        return _winograd(x, kernel) if large else _winograd_along(x, kernel)
    overlapping = max(strides) < size[1] / 3 + 1
    few_channels = max(kernel.shape[2:]) <= 32 // max(strides)
    if overlapping and few_channels and 1 < size[1] <= x.shape[2] - 3 * strides[1]:
        return _band(x, kernel, strides)
    return dense(patches(x, size, strides, axis=3), kernel.reshape(-1, kernel.shape[-1]))


def dense(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """[B, H, W, in] @ [in, out], as a product of two matrices.

    XLA takes twice as long for the kernel's gradient of x @ kernel, where three axes are
    contracted.
    """
    return (x.reshape(-1, x.shape[-1]) @ kernel).reshape(*x.shape[:-1], -1)


def patches(
    x: jax.Array, size: tuple[int, int], strides: tuple[int, int], *, axis: int
) -> jax.Array:
    """Every window of an image, its pixels laid along the channels.

    In the order of a flat kernel [kh, kw, in]. Columns first, then rows: kh + kw slices instead of
    kh * kw.

    Args:
        x: spatial axes 1 and 2, already padded.
        size, strides: of the windows, height and width.
        axis: of the channels (0 or 3).
    """
    for space in (2, 1):
        width, stride = size[space - 1], strides[space - 1]
        end = x.shape[space] - width + 1
        shifted = [jax.lax.slice_in_dim(x, i, i + end, stride, space) for i in range(width)]
        x = jnp.concatenate(shifted, axis)
    return x


def _band(x, kernel, strides):
    """Every window of padded x, several neighbouring outputs of a row at a time.

    One product of what their windows cover with a band matrix that holds the kernel once for each
    of them. A third of the band matrix is zero, yet for few channels this beats copying every pixel
    kh * kw times, and its product is wide enough for the processor.
    """
    rows, columns, _, features = kernel.shape
    step = strides[1]
    height = (x.shape[1] - rows) // strides[0] + 1
    width = (x.shape[2] - columns) // step + 1
    count = _outputs_at_once(width, features)
    tiles, covered = -(-width // count), (count - 1) * step + columns
    offset = np.arange(columns)[:, None] + step * np.arange(count)
    place = np.eye(covered, dtype=np.float32)[offset]
    band = jnp.einsum('jqn,ijcf->incqf', place.astype(kernel.dtype), kernel)
    band = band.reshape(-1, count * features)
    end = (tiles - 1) * count * step + covered
    x = jnp.pad(x, ((0, 0), (0, 0), (0, max(end - x.shape[2], 0)), (0, 0)))
    starts = [i * count * step for i in range(tiles)]
    x = jnp.stack([jax.lax.slice_in_dim(x, i, i + covered, axis=2) for i in starts], 2)
    x = patches(x.reshape(*x.shape[:3], -1), (rows, 1), (strides[0], 1), axis=3)
    return dense(x, band).reshape(-1, height, tiles * count, features)[:, :, :width]


def _outputs_at_once(width, features):
    """How many outputs of a row of `width` a band serves: 32 columns or more where that divides."""
    even = [count for count in (4, 5, 6, 7, 8) if width % count == 0] or [4]
    for count in even:
        if count * features >= 32:
            return count
    return even[-1]


# Winograd's minimal filtering F(2, 3): two neighbouring outputs of three taps from four products
# instead of six.
_TAPS = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], np.float32)


def _winograd(x, kernel):
    """Every 3x3 window of padded x, by 16 products a 2x2 block of outputs instead of 36.

    F(2x2, 3x3) of Lavin and Gray 2016. Needs 16 values a block where patches need 36; below 32
    channels or up to 8x8 outputs the gain is not worth its compilation.
    """
    height, width = (n - 2 for n in x.shape[1:3])
    x = jnp.pad(x, ((0, 0), (0, height % 2), (0, width % 2), (0, 0)))
    taps = _TAPS.astype(kernel.dtype)
    taps = jnp.einsum('ir,js,rscf->ijcf', taps, taps, kernel)
    rows = []
    for row, row_taps in zip(_four(x, 1), taps, strict=True):
        factors = zip(_four(row, 2), row_taps, strict=True)
        rows.append(_two(*[dense(factor, tap) for factor, tap in factors], 2))
    return _two(*rows, 1)[:, :height, :width]


def _winograd_along(x, kernel):
    """Every 3x3 window of padded x, by 12 products a pair of outputs instead of 18.

    F(2, 3) along axis 2 only, for pictures too small, or channels too few, for blocks of 2x2. Its
    four products are one batched product: the same time in training, and a third less to compile
    than four apart.
    """
    width = x.shape[2] - 2
    x = jnp.pad(x, ((0, 0), (0, 0), (0, width % 2), (0, 0)))
    taps = jnp.einsum('js,rscf->jrcf', _TAPS.astype(kernel.dtype), kernel)
    # of the four factors, in turn
    windows = patches(jnp.concatenate(_four(x, 2)), (3, 1), (1, 1), axis=3)
    flat_windows = windows.reshape(4, -1, windows.shape[-1])
    products = jnp.matmul(flat_windows, taps.reshape(4, -1, taps.shape[-1]))
    products = products.reshape(4, len(x), *windows.shape[1:3], -1)
    return _two(*products, 2)[:, :, :width]


def _four(x, axis):
    """The four factors of each pair of outputs along `axis`: from pixels 2i to 2i + 3."""
    pairs = x.reshape(*x.shape[:axis], -1, 2, *x.shape[axis + 1 :])
    first = jax.lax.index_in_dim(pairs, 0, axis + 1, keepdims=False)
    second = jax.lax.index_in_dim(pairs, 1, axis + 1, keepdims=False)
    count = first.shape[axis] - 1
    pixel = [jax.lax.slice_in_dim(half, 0, count, axis=axis) for half in (first, second)]
    pixel += [jax.lax.slice_in_dim(half, 1, count + 1, axis=axis) for half in (first, second)]
    return pixel[0] - pixel[2], pixel[1] + pixel[2], pixel[2] - pixel[1], pixel[1] - pixel[3]


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


def max_pool(x: jax.Array, window: Pair, stride: Pair, padding: int = 0) -> jax.Array:
    """Largest value of each window over axes 1 and 2, as PyTorch's MaxPool2d.

    So [B, H, W, C] and [C, H, W, B] alike. Of equal values the first in row order takes the
    gradient; rows and columns that fill no window are left out. Overlapping windows go columns
    first, then rows: 2 * window comparisons instead of window * window, and the same pixel wins,
    the leftmost of the topmost row that holds the largest value.

    Args:
        x: [., H, W, .].
        window, stride: pixels; pairs only where they are equal.
        padding: pixels on each side.

    Returns:
        [., H', W', .].
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
    rows, columns = (
        (shape[axis] + 2 * padding[axis] - window[axis]) // stride[axis] + 1 for axis in (0, 1)
    )
    x = jnp.pad(x, ((0, 0), *((p, p) for p in padding), (0, 0)), constant_values=-jnp.inf)
    best, index = None, None
    for k in range(window[0] * window[1]):
        row, column = divmod(k, window[1])
        here = x[
            :,
            row : row + (rows - 1) * stride[0] + 1 : stride[0],
            column : column + (columns - 1) * stride[1] + 1 : stride[1],
        ]
        if k == 0:
            best, index = here, jnp.zeros(here.shape, jnp.uint8)
        else:
            index = jnp.where(here > best, jnp.uint8(k), index)
            best = jnp.maximum(best, here)
    return best, index


def _spread(window, stride, padding, shape, index, gradient):
    """Carry each pooled gradient back to the largest pixel, by comparing places: no scatter."""
    spread = _spread_apart if window == stride else _spread_over
    full = spread(window, stride, index, gradient)
    (top, left), (height, width) = padding, shape
    below = max(top + height - full.shape[1], 0)
    right = max(left + width - full.shape[2], 0)
    full = jnp.pad(full, ((0, 0), (0, below), (0, right), (0, 0)))
    return (full[:, top : top + height, left : left + width],)


def _spread_apart(window, _, index, gradient):
    """Windows that do not overlap: each pixel compares its place with the index."""
    a, rows, columns, b = gradient.shape
    place = jnp.arange(window[0] * window[1], dtype=jnp.uint8)
    place = place.reshape(1, 1, window[0], 1, window[1], 1)
    full = jnp.where(index[:, :, None, :, None] == place, gradient[:, :, None, :, None], 0)
    return full.reshape(a, rows * window[0], columns * window[1], b)


def _spread_over(window, stride, index, gradient):
    """Overlapping windows: the sum over places in a window of the gradients that belong there."""
    total = zero = jnp.zeros((), gradient.dtype)
    for k in range(window[0] * window[1]):
        row, column = divmod(k, window[1])
        # (before, after, between) two gradients, which lie a stride apart
        rows = (row, window[0] - 1 - row, stride[0] - 1)
        columns = (column, window[1] - 1 - column, stride[1] - 1)
        at_place = jnp.where(index == k, gradient, zero)
        total += jax.lax.pad(at_place, zero, ((0, 0, 0), rows, columns, (0, 0, 0)))
    return total


_max_pool.defvjp(_max_and_index, _spread)


def avg_pool(x: jax.Array, window: int) -> jax.Array:
    """Mean of each window x window block over axes 1 and 2.

    Rows and columns that fill no block are left out.
    """
    a, height, width, b = x.shape
    rows, columns = height // window, width // window
    x = x[:, : rows * window, : columns * window]
    return x.reshape(a, rows, window, columns, window, b).mean((2, 4))


def adaptive_avg_pool(x: jax.Array, size: int) -> jax.Array:
    """[B, H, W, C] -> [B, size, size, C], as PyTorch's AdaptiveAvgPool2d.

    By means over near-equal windows, or by repetition.
    """
    rows, columns = _averaging(size, x.shape[1]), _averaging(size, x.shape[2])
    return jnp.einsum('bhwc,ih,jw->bijc', x, rows, columns)


def _averaging(size, length):
    """[size, length]: the weights of the pixels of each window.

    Window i averages the pixels floor(i length / size) to ceil((i + 1) length / size) - 1.
    """
    i, pixel = np.arange(size)[:, None], np.arange(length)
    first, end = i * length // size, -(-(i + 1) * length // size)
    inside = (pixel >= first) & (pixel < end)
    return jnp.asarray(inside / inside.sum(1, keepdims=True), jnp.float32)


def local_response_norm(
    x: jax.Array, *, window: int = 5, k: float = 2.0, alpha: float = 1e-4, beta: float = 0.75
) -> jax.Array:
    """x / (k + alpha * sum of squares over neighbouring channels)**beta.

    The formula of Krizhevsky et al. 2012, as in TensorFlow and MatConvNet: PyTorch divides its
    alpha by the window, so its LocalResponseNorm(window, alpha=window * alpha) is the same.

    Args:
        x: channels on the last axis.
        window: channels that are summed.
        k, alpha, beta: of the formula.
    """
    apart = np.arange(x.shape[-1])[:, None] - np.arange(x.shape[-1]) + window // 2
    # the sum as a product, and log: an eighth of the time
    band = jnp.asarray((apart >= 0) & (apart < window), x.dtype)
    return x * jnp.exp(-beta * jnp.log(k + alpha * dense(x * x, band)))


def flatten(x: jax.Array) -> jax.Array:
    """[B, ..., C] -> [B, C * ...], channels first.

    So published dense weights fit without a permutation.
    """
    return jnp.moveaxis(x, -1, 1).reshape(len(x), -1)


class BatchAffine(nn.Module):
    """The map x -> slope * x + shift that nn.BatchNorm makes of given batch statistics.

    With momentum 0.9 and epsilon 1e-5; parameters and statistics are named as in nn.BatchNorm. For
    a caller that can apply the map later, to fewer values.
    """

    @nn.compact
    def __call__(
        self, mean: jax.Array, mean_of_squares: jax.Array, *, train: bool
    ) -> tuple[jax.Array, jax.Array]:
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
