"""Layers that stay fast inside a loop.

These are convolutions by matrix products, and pooling. Images are [B, H, W, C] unless said
otherwise.

Why a convolution is a matrix product here: training runs inside loops, lax.map over folds and
lax.scan over steps. On a CPU, XLA has a fast convolution only for inputs in the order NHWC and
kernels in the order HWIO. The gradient of a convolution by its kernel is a convolution in another
order. XLA's pass ConvCanonicalization transposes that gradient into the fast order,
but this pass visits only the entry computation of a program, not the bodies of its loops. There a
plain, slow loop remains (jax issue 12868). Measured with jax 0.10.2 on two cores, by
benchmarks/convolution.py: a step that takes 20 ms outside of a loop takes 540 to 790 ms in one;
with products it takes 6 ms. The gradient of lax.reduce_window is slow in a loop as well, so the
pools here are made of slices.

On a GPU none of this holds: there a plan may choose 'shifted' or 'native' (training/plan.py).
Under lax.map over many folds at a time, the native gradient of a kernel has a trap of its own: it
becomes a convolution of as many groups as folds, whose window is the whole image, and for that
cuDNN has no fast algorithm (jax issue 13800). 'shifted' computes this gradient by products.
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
# Of a network: (logits [B, K], out); models/__init__.py says what `out` holds.
Output = tuple[jax.Array, dict[str, jax.Array]]


def check_image(model: str, image: jax.Array, *, least: int, channels: int = 0) -> None:
    """Refuse an image that a network cannot take.

    Args:
        model: name of the network, for the message.
        image: [B, H, W, C].
        least: least number of pixels of each side.
        channels: number of channels; 0 for any.

    Raises:
        UserError: the image has another shape or too few pixels; names the setting.
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
    """Return PyTorch's initializer of a bias.

    It is uniform within 1 / sqrt(fan_in) of 0.
    """
    limit = fan_in**-0.5
    return lambda key, shape, dtype=jnp.float32: jax.random.uniform(
        key, shape, dtype, -limit, limit
    )


class Conv(nn.Module):
    """2-D convolution with the parameters of nn.Conv.

    These are kernel [kh, kw, in, features] and, with use_bias, bias [features].

    Attributes:
        features: channels of the output.
        kernel_size: of both axes, or a pair for height and width.
        strides: of both axes, or a pair for height and width.
        padding: pixels on each side as in PyTorch (an int, or a pair for height and width), 'SAME'
            or 'VALID'.
        use_bias: whether a bias is added.
        lowering: 'matmul', by products (of patches, Winograd's or of a band, whichever suits the
            shape); 'native', by XLA's convolution; or 'shifted', by XLA's convolution with a
            gradient of the kernel by products of shifted images. Equal up to rounding.
        kernel_init: initializer of the kernel.
        bias_init: initializer of the bias.
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
        """Return kernel and bias; the bias is 0.0 without use_bias.

        Args:
            channels: of the input.
        """
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
    """Convolve images with a kernel.

    Args:
        x: [B, H, W, in].
        kernel: [kh, kw, in, out].
        strides: as in Conv.
        padding: as in Conv.
        lowering: as in Conv.

    Returns:
        [B, H', W', out].
    """
    strides, size = _pair(strides), kernel.shape[:2]
    pads = _pads(padding, x.shape[1:3], size, strides)
    if lowering == 'native':
        return _native(x, kernel, strides, pads)
    x = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    if lowering == 'shifted':
        return _shifted(x, kernel, strides)
    if size == (3, 3) and strides == (1, 1) and x.shape[-1] >= 16:
        large = x.shape[-1] >= 32 and min(x.shape[1:3]) > 10
        return _winograd(x, kernel) if large else _winograd_along(x, kernel)
    overlapping = max(strides) < size[1] / 3 + 1
    inputs, outputs = kernel.shape[2:]
    few_channels = max(inputs, outputs) <= 32 // max(strides)
    if size[1] >= 5 and inputs < 16 and outputs == 32:
        few_channels = False  # measured: patches take half the time of a band
    if overlapping and few_channels and 1 < size[1] <= x.shape[2] - 3 * strides[1]:
        return _band(x, kernel, strides)
    return dense(patches(x, size, strides, axis=3), kernel.reshape(-1, kernel.shape[-1]))


def _native(x, kernel, strides, pads, *, order='NHWC'):
    """Convolve images, whose axes have an order, by XLA's convolution."""
    return jax.lax.conv_general_dilated(
        x, kernel, strides, pads, dimension_numbers=(order, 'HWIO', order)
    )


@partial(jax.custom_vjp, nondiff_argnums=(2,))
def _shifted(x, kernel, strides):
    """Convolve padded images, with a kernel's gradient by products."""
    return _native(x, kernel, strides, 'VALID')


def _shifted_forward(x, kernel, strides):
    return _shifted(x, kernel, strides), (x, kernel)


def _shifted_backward(strides, residuals, gradient):
    """Return the gradients of images and kernel.

    Each place of the kernel has seen the images shifted: its gradient is their product with the
    gradient of the output.
    """
    x, kernel = residuals
    _, pull = jax.vjp(lambda x: _native(x, kernel, strides, 'VALID'), x)
    windows = patches(x, kernel.shape[:2], strides, axis=3)
    windows = windows.reshape(-1, windows.shape[-1])
    product = windows.T @ gradient.reshape(len(windows), -1)
    return (*pull(gradient), product.reshape(kernel.shape))


_shifted.defvjp(_shifted_forward, _shifted_backward)


@jax.custom_vjp
def sum_shifted(x: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
    """Convolve images as one sum of shifted images, for few inputs on a GPU.

    Each value of the kernel times the image that it sees, one after another. XLA makes one GPU
    kernel of the sum, and one of all gradients: the images are read once, and no patches are
    written. The batch is the last axis, so that a sum runs along memory.

    Args:
        x: [in, H, W, B], already padded.
        kernel: [kh, kw, in, out].
        bias: [out].

    Returns:
        [out, H', W', B].
    """
    y = bias[:, None, None, None]
    for image, values in zip(_seen(x, kernel), kernel.reshape(-1, len(bias)), strict=True):
        y = y + values[:, None, None, None] * image
    return y


def _seen(x, kernel):
    """Return the image [H', W', B] that each value [kh, kw, in] of a kernel sees."""
    rows, columns = (x.shape[axis] - kernel.shape[axis - 1] + 1 for axis in (1, 2))
    places = np.ndindex(kernel.shape[:3])
    return [x[c, i : i + rows, j : j + columns] for i, j, c in places]


def _sum_shifted_forward(x, kernel, bias):
    return sum_shifted(x, kernel, bias), (x, kernel)


def _sum_shifted_backward(residuals, gradient):
    """Return the gradients of images, kernel and bias.

    That of the bias, and of each value of the kernel, is a sum over all pixels. One reduction adds
    them all, along rows, so that the gradient is read once; then the rows are added.
    """
    x, kernel = residuals
    products = [gradient, *(gradient * image for image in _seen(x, kernel))]
    zeros = [jnp.zeros((), gradient.dtype)] * len(products)
    sums = jax.lax.reduce(products, zeros, _add_each, (2, 3))
    of_bias, *of_kernel = jnp.stack(sums).sum(-1)
    _, pull = jax.vjp(lambda x: _native(x, kernel, (1, 1), 'VALID', order='CHWN'), x)
    return (*pull(gradient), jnp.stack(of_kernel).reshape(kernel.shape), of_bias)


def _add_each(first, second):
    return [a + b for a, b in zip(first, second, strict=True)]


sum_shifted.defvjp(_sum_shifted_forward, _sum_shifted_backward)


def dense(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """Multiply the channels by a matrix: [B, H, W, in] @ [in, out].

    As a product of two matrices, because XLA takes twice as long for the kernel's gradient of
    x @ kernel, where three axes are contracted.
    """
    return (x.reshape(-1, x.shape[-1]) @ kernel).reshape(*x.shape[:-1], -1)


def patches(
    x: jax.Array, size: tuple[int, int], strides: tuple[int, int], *, axis: int
) -> jax.Array:
    """Return every window of an image, flattened into the channels.

    The pixels of a window have the order of a flat kernel [kh, kw, in]. Columns are joined first,
    then rows, which takes kh + kw slices instead of kh * kw.

    Args:
        x: images, already padded, with height and width on axes 1 and 2.
        size: height and width of a window.
        strides: down and to the right.
        axis: of the channels, 0 or 3.
    """
    for space in (2, 1):
        width, stride = size[space - 1], strides[space - 1]
        end = x.shape[space] - width + 1
        shifted = [jax.lax.slice_in_dim(x, i, i + end, stride, space) for i in range(width)]
        x = jnp.concatenate(shifted, axis)
    return x


def _band(x, kernel, strides):
    """Convolve padded images by band matrices.

    Several neighbouring outputs of a row are one product: the pixels that their windows cover,
    times a band matrix that holds the kernel once for each output. A third of the band matrix is
    zero. For few channels this is still faster than to copy every pixel kh * kw times.
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
    """Return how many outputs of a row a band matrix computes.

    It is a divisor of `width` with 32 columns or more, where there is one.
    """
    even = [count for count in (4, 5, 6, 7, 8) if width % count == 0] or [4]
    for count in even:
        if count * features >= 32:
            return count
    return even[-1]


# Winograd's minimal filtering F(2, 3): two neighbouring outputs of three taps from four products
# instead of six.
_TAPS = np.array([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], np.float32)


def _winograd(x, kernel):
    """Convolve padded images with 3x3 kernels by Winograd's algorithm.

    F(2x2, 3x3) of Lavin and Gray 2016: a 2x2 block of outputs takes 16 products instead of 36, and
    16 values where patches need 36. Below 32 channels or up to 8x8 outputs the gain is not worth
    its compilation.
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
    """Convolve padded images with 3x3 kernels by Winograd's algorithm along rows.

    F(2, 3) along axis 2 only: a pair of outputs takes 12 products instead of 18. It is for images
    too small, or channels too few, for blocks of 2x2. One batched product of four trains as fast as
    four products, and takes a third less time to compile.
    """
    width = x.shape[2] - 2
    x = jnp.pad(x, ((0, 0), (0, 0), (0, width % 2), (0, 0)))
    taps = jnp.einsum('js,rscf->jrcf', _TAPS.astype(kernel.dtype), kernel)
    # The windows of the four factors, one after another.
    windows = patches(jnp.concatenate(_four(x, 2)), (3, 1), (1, 1), axis=3)
    flat_windows = windows.reshape(4, -1, windows.shape[-1])
    products = jnp.matmul(flat_windows, taps.reshape(4, -1, taps.shape[-1]))
    products = products.reshape(4, len(x), *windows.shape[1:3], -1)
    return _two(*products, 2)[:, :, :width]


def _four(x, axis):
    """Return the four factors of each pair of outputs along an axis.

    They are sums of pixels 2i to 2i + 3.
    """
    pairs = x.reshape(*x.shape[:axis], -1, 2, *x.shape[axis + 1 :])
    first = jax.lax.index_in_dim(pairs, 0, axis + 1, keepdims=False)
    second = jax.lax.index_in_dim(pairs, 1, axis + 1, keepdims=False)
    count = first.shape[axis] - 1
    pixel = [jax.lax.slice_in_dim(half, 0, count, axis=axis) for half in (first, second)]
    pixel += [jax.lax.slice_in_dim(half, 1, count + 1, axis=axis) for half in (first, second)]
    return pixel[0] - pixel[2], pixel[1] + pixel[2], pixel[2] - pixel[1], pixel[1] - pixel[3]


def _two(a, b, c, d, axis):
    """Return outputs 2i and 2i + 1 along an axis, from four products."""
    pairs = jnp.stack([a + b + c, b - c - d], axis + 1)
    return pairs.reshape(*a.shape[:axis], -1, *a.shape[axis + 1 :])


def _pair(value):
    """Return a number twice, and a pair as it is."""
    return (value, value) if isinstance(value, int) else tuple(value)


def _pads(padding, shape, window, strides):
    """Return the padding (before, after) of each axis."""
    if isinstance(padding, str):
        return jax.lax.padtype_to_pads(shape, window, strides, padding)
    return [(p, p) for p in _pair(padding)]


def max_pool(x: jax.Array, window: Pair, stride: Pair, padding: int = 0) -> jax.Array:
    """Return the largest value of each window, as PyTorch's MaxPool2d.

    Height and width are axes 1 and 2, so that x may be [B, H, W, C] or [C, H, W, B]. Of equal
    values the first in row order takes the gradient; rows and columns that fill no window are left
    out. Overlapping windows are compared along columns first, then along rows, which takes
    2 * window comparisons instead of window * window and gives the same pixel.

    Args:
        x: [., H, W, .].
        window: side in pixels, or a pair for height and width.
        stride: in pixels; a pair only where it equals `window`.
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
    """Return the pooled values, and their positions in their windows.

    A position is uint8 and counts row by row.
    """
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
    """Carry each pooled gradient back to the largest pixel of its window.

    By comparing positions, because a scatter is slow.
    """
    spread = _spread_apart if window == stride else _spread_over
    full = spread(window, stride, index, gradient)
    (top, left), (height, width) = padding, shape
    below = max(top + height - full.shape[1], 0)
    right = max(left + width - full.shape[2], 0)
    full = jnp.pad(full, ((0, 0), (0, below), (0, right), (0, 0)))
    return (full[:, top : top + height, left : left + width],)


def _spread_apart(window, _, index, gradient):
    """Carry gradients back where windows do not overlap.

    Each pixel compares its position in its window with the index.
    """
    a, rows, columns, b = gradient.shape
    position = jnp.arange(window[0] * window[1], dtype=jnp.uint8)
    position = position.reshape(1, 1, window[0], 1, window[1], 1)
    full = jnp.where(index[:, :, None, :, None] == position, gradient[:, :, None, :, None], 0)
    return full.reshape(a, rows * window[0], columns * window[1], b)


def _spread_over(window, stride, index, gradient):
    """Carry gradients back where windows overlap.

    For each position in a window, the gradients that belong there are added.
    """
    total = zero = jnp.zeros((), gradient.dtype)
    for k in range(window[0] * window[1]):
        row, column = divmod(k, window[1])
        # Zeros (before, after, between): neighbouring gradients lie a stride apart.
        rows = (row, window[0] - 1 - row, stride[0] - 1)
        columns = (column, window[1] - 1 - column, stride[1] - 1)
        at_position = jnp.where(index == k, gradient, zero)
        total += jax.lax.pad(at_position, zero, ((0, 0, 0), rows, columns, (0, 0, 0)))
    return total


_max_pool.defvjp(_max_and_index, _spread)


def avg_pool(x: jax.Array, window: int) -> jax.Array:
    """Return the mean of each block of window x window pixels.

    Height and width are axes 1 and 2. Rows and columns that fill no block are left out.
    """
    a, height, width, b = x.shape
    rows, columns = height // window, width // window
    x = x[:, : rows * window, : columns * window]
    return x.reshape(a, rows, window, columns, window, b).mean((2, 4))


def adaptive_avg_pool(x: jax.Array, size: int) -> jax.Array:
    """Pool or stretch images to size x size, as PyTorch's AdaptiveAvgPool2d.

    Each output is the mean over one of near-equal windows; a small image is repeated.
    """
    rows, columns = _averaging(size, x.shape[1]), _averaging(size, x.shape[2])
    return jnp.einsum('bhwc,ih,jw->bijc', x, rows, columns)


def _averaging(size, length):
    """Return the weight of each pixel in each window, [size, length].

    Window i is the mean of pixels floor(i length / size) to ceil((i + 1) length / size) - 1.
    """
    i, pixel = np.arange(size)[:, None], np.arange(length)
    first, end = i * length // size, -(-(i + 1) * length // size)
    inside = (pixel >= first) & (pixel < end)
    return jnp.asarray(inside / inside.sum(1, keepdims=True), jnp.float32)


def local_response_norm(
    x: jax.Array, *, window: int = 5, k: float = 2.0, alpha: float = 1e-4, beta: float = 0.75
) -> jax.Array:
    """Normalise each value by its neighbouring channels.

    Krizhevsky et al. 2012: x / (k + alpha * sum of squares over the window)**beta. PyTorch divides
    alpha by the window, so its LocalResponseNorm(window, alpha=window * alpha) is the same.

    Args:
        x: channels on the last axis.
        window: number of neighbouring channels in the sum.
        k: of the formula.
        alpha: of the formula.
        beta: of the formula.
    """
    apart = np.arange(x.shape[-1])[:, None] - np.arange(x.shape[-1]) + window // 2
    # A sum by a product, and a power by log and exp, take an eighth of the time.
    band = jnp.asarray((apart >= 0) & (apart < window), x.dtype)
    return x * jnp.exp(-beta * jnp.log(k + alpha * dense(x * x, band)))


def flatten(x: jax.Array) -> jax.Array:
    """Flatten maps [B, ..., C] to [B, C * ...], channels first.

    PyTorch flattens in this order, so that published weights of dense layers fit.
    """
    return jnp.moveaxis(x, -1, 1).reshape(len(x), -1)


class BatchAffine(nn.Module):
    """Batch norm as slope and shift, for a caller that applies them later.

    slope * x + shift is what nn.BatchNorm with momentum 0.9 and epsilon 1e-5 returns; parameters
    and statistics have the same names. After pooling there are fewer values to map.
    """

    @nn.compact
    def __call__(
        self, mean: jax.Array, mean_of_squares: jax.Array, *, train: bool
    ) -> tuple[jax.Array, jax.Array]:
        """Return slope and shift, [C] each.

        Args:
            mean: [C], of this batch.
            mean_of_squares: [C], of this batch.
            train: whether the statistics of this batch are used, and move the stored ones.
        """
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
