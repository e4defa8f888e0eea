"""Convolution, pooling and normalisation layers against PyTorch and brute force."""

import re

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mer_jax.errors import UserError
from mer_jax.models import layers
from mer_jax.runfiles.plan import LOWERINGS
from tests.support.compiling import quickly
from tests.support.messages import mentions

CONVOLUTIONS = [  # size, kernel, stride, padding (PyTorch's)
    (9, 3, 1, 1),
    (9, 1, 1, 0),
    (10, 5, 2, 0),
    (23, 11, 4, 2),
    (8, 3, 1, 2),
    (9, (3, 1), (2, 1), (1, 0)),
    (42, 3, 2, 1),
    (70, 5, 1, 2),
]
POOLS = [
    (30, 3, 3, 1),
    (29, 2, 2, 0),
    (15, 3, 2, 0),
    (16, 3, 2, 0),
    (12, 3, 1, 1),
    (11, 2, 3, 0),
    (14, 5, 2, 2),
]


def draw(*shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).standard_normal(shape), jnp.float32)


def value_and_pull(function, x, direction_of):
    """Value of function at x, and its gradient along direction_of(value); compiled once."""

    def both(x):
        y, pull = jax.vjp(function, *x)
        return y, pull(direction_of(y))

    return quickly(both)(x)


def to_torch(x):
    """[B, H, W, C] -> PyTorch [B, C, H, W]."""
    return pytest.importorskip('torch').from_numpy(np.array(np.asarray(x).transpose(0, 3, 1, 2)))


def from_torch(x):
    return x.detach().numpy().transpose(0, 2, 3, 1)


@pytest.mark.parametrize('lowering', LOWERINGS)
@pytest.mark.parametrize('size,kernel,stride,padding', CONVOLUTIONS)
def test_conv_equals_pytorch(size, kernel, stride, padding, lowering):
    """A wrong slice, padding or kernel order would make published weights useless; gradients must
    agree as well.
    """
    torch = pytest.importorskip('torch')
    x = draw(2, size, size, 4)
    conv = layers.Conv(5, kernel, stride, padding, lowering=lowering)
    # drawn by numpy, as an initializer takes seconds to compile
    shapes = jax.eval_shape(conv.init, jax.random.key(0), x)
    params = jax.tree.map(
        lambda a: draw(*a.shape, seed=a.ndim) / np.prod(a.shape[:-1]) ** 0.5, shapes
    )
    y, (moved, dx) = value_and_pull(conv.apply, (params, x), jnp.cos)
    weight = torch.from_numpy(
        np.array(np.asarray(params['params']['kernel']).transpose(3, 2, 0, 1))
    ).requires_grad_()
    bias = torch.from_numpy(np.array(params['params']['bias'])).requires_grad_()
    image = to_torch(x).requires_grad_()
    wanted = torch.nn.functional.conv2d(image, weight, bias, stride, padding)
    np.testing.assert_allclose(y, from_torch(wanted), atol=2e-5)
    wanted.backward(to_torch(jnp.cos(y)))
    np.testing.assert_allclose(dx, from_torch(image.grad), atol=1e-4)
    np.testing.assert_allclose(moved['params']['bias'], bias.grad.numpy(), rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(
        moved['params']['kernel'], weight.grad.numpy().transpose(2, 3, 1, 0), rtol=1e-4, atol=2e-4
    )


@pytest.mark.parametrize('shape,size', [((3, 9, 8, 5), (3, 3)), ((1, 7, 12, 4), (5, 2))])
def test_a_sum_of_shifted_images_equals_the_native_convolution(shape, size):
    """STSTNet on a GPU: a value of the kernel on another pixel, or a sum over the rows that leaves
    one out, would train another network there than here.
    """
    x, kernel, bias = draw(*shape), draw(*size, shape[0], 6, seed=1), draw(6, seed=2)

    def native(x, kernel, bias):
        y = layers.convolve(
            x.transpose(3, 1, 2, 0), kernel, strides=1, padding='VALID', lowering='native'
        )
        return (y + bias).transpose(3, 1, 2, 0)

    (y, got), (wanted, pulled) = (
        value_and_pull(function, (x, kernel, bias), jnp.cos)
        for function in (layers.sum_shifted, native)
    )
    np.testing.assert_allclose(y, wanted, atol=1e-5)
    for a, b in zip(got, pulled, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('lowering,largest', [('native', 9), ('shifted', 3)])
def test_shifted_has_no_convolution_with_a_window_of_the_whole_image(lowering, largest):
    """Over many folds at once, cuDNN takes many times as long for such a one."""

    def gradients(x, kernel):
        y, pull = jax.vjp(
            lambda *x: layers.convolve(*x, strides=1, padding=1, lowering=lowering), x, kernel
        )
        return pull(y)

    folds = jax.vmap(gradients)
    text = jax.jit(folds).lower(draw(4, 2, 9, 9, 3), draw(4, 3, 3, 3, 5)).as_text('hlo')
    windows = re.findall(r'window={size=(\d+)x', text)
    assert max(map(int, windows)) == largest


@pytest.mark.parametrize(
    'shape,padding',
    [((10, 11), 1), ((9, 8), 1), ((11, 10), 'VALID'), ((8, 9), (2, 1)), ((10, 10), 0)],
)
@pytest.mark.parametrize('channels', [16, 32])  # along one axis, and along both
def test_winograd_equals_the_native_lowering(shape, padding, channels):
    """Even and odd sizes end in whole and cut blocks; a wrong factor would spoil value, kernel
    gradient or input gradient.
    """
    x, kernel = draw(2, *shape, channels), draw(3, 3, channels, 5, seed=1) / 17
    (y, got), (wanted, pulled) = (
        value_and_pull(
            lambda x, kernel, lowering=lowering: layers.convolve(
                x, kernel, strides=1, padding=padding, lowering=lowering
            ),
            (x, kernel),
            jnp.cos,
        )
        for lowering in ('matmul', 'native')
    )
    np.testing.assert_allclose(y, wanted, atol=2e-5)
    for a, b in zip(got, pulled, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)


def test_winograd_computes_no_input_gradient_in_vain():
    """Nobody reads the gradient of a first layer's input: a third of the time of the layer would be
    wasted.
    """

    def products(*wanted):
        def gradients(*x):
            y, pull = jax.vjp(
                lambda *x: layers.convolve(*x, strides=1, padding=1, lowering='matmul'), *x
            )
            return y, [pull(jnp.cos(y))[i] for i in wanted]

        return (
            quickly(gradients)
            .lower(draw(2, 12, 12, 32), draw(3, 3, 32, 5))
            .compile()
            .as_text()
            .count(' dot(')
        )

    assert products(0, 1) - products(1) == 16


@pytest.mark.parametrize('padding', ['SAME', 'VALID'])
@pytest.mark.parametrize('stride', [1, 2])
def test_conv_is_interchangeable_with_nn_conv(padding, stride):
    """Parameter names, shapes, first values and result are those of nn.Conv, so that checkpoints
    and code fit both.
    """
    x = draw(2, 9, 10, 3)
    own = layers.Conv(4, (3, 3), stride, padding)
    theirs = nn.Conv(4, (3, 3), (stride, stride), padding)

    @quickly
    def both(key):
        params = theirs.init(key, x)
        return params, own.init(key, x), own.apply(params, x), theirs.apply(params, x)

    params, found, output, wanted = both(jax.random.key(3))
    for a, b in zip(
        jax.tree.leaves_with_path(params), jax.tree.leaves_with_path(found), strict=True
    ):
        assert a[0] == b[0]
        np.testing.assert_array_equal(a[1], b[1])
    np.testing.assert_allclose(output, wanted, atol=1e-5)


def test_conv_without_bias_has_none():
    """A bias before batch norm never learns and drifts under Adam."""
    params = jax.eval_shape(
        layers.Conv(4, 3, use_bias=False).init, jax.random.key(0), draw(1, 5, 5, 2)
    )
    assert set(params['params']) == {'kernel'}


@pytest.mark.parametrize('ties', [False, True])
@pytest.mark.parametrize('size,window,stride,padding', POOLS)
def test_max_pool_equals_pytorch(size, window, stride, padding, ties):
    """A wrong pool, or a gradient given to another of equal values (frequent after ReLU), departs
    from published training.
    """
    torch = pytest.importorskip('torch')
    x = draw(3, size, size + 1, 2)
    x = jnp.round(jnp.maximum(x, 0)) if ties else x
    y, (dx,) = value_and_pull(lambda x: layers.max_pool(x, window, stride, padding), (x,), jnp.cos)
    image = to_torch(x).requires_grad_()
    wanted = torch.nn.functional.max_pool2d(image, window, stride, padding)
    np.testing.assert_array_equal(y, from_torch(wanted))
    wanted.backward(to_torch(jnp.cos(y)))
    np.testing.assert_allclose(dx, from_torch(image.grad), atol=1e-6)


def test_max_pool_passes_on_what_is_not_finite():
    """A pool that swallows NaN would hide a diverged training."""
    y = layers.max_pool(jnp.full((1, 4, 4, 1), 1.0).at[0, 1, 2, 0].set(jnp.nan), 2, 2)
    assert np.isnan(y[0, 0, 1, 0]) and np.isfinite(y).sum() == 3


@pytest.mark.parametrize(
    'function',
    [
        lambda x: layers.max_pool(x, 3, 2),
        lambda x: layers.max_pool(x, 2, 2),
        lambda x: layers.avg_pool(x, 2),
        lambda x: layers.adaptive_avg_pool(x, 3),
        lambda x: layers.local_response_norm(x),
        layers.flatten,
        *(
            lambda x, n=n, lowering=lowering: layers.convolve(
                jnp.tile(x, n),
                draw(3, 3, 6 * n, 4, seed=5) / 18,
                strides=1,
                padding=1,
                lowering=lowering,
            )
            for n, lowering in ((3, 'matmul'), (6, 'matmul'), (1, 'shifted'))
        ),
    ],
)
def test_layers_are_the_same_under_jit_and_vmap(function):
    """Folds are mapped over: a layer that reads the wrong axis there would mix folds."""
    x = draw(2, 3, 9, 9, 6)

    def value_and_gradient(x):
        y, pull = jax.vjp(function, x)
        return y, pull(jnp.cos(y))[0]

    alone = quickly(value_and_gradient)
    wanted = [alone(one) for one in x]
    for mapped in quickly(
        lambda x: (jax.vmap(value_and_gradient)(x), jax.lax.map(value_and_gradient, x))
    )(x):
        for got, parts in zip(mapped, zip(*wanted, strict=True), strict=True):
            np.testing.assert_allclose(got, jnp.stack(parts), atol=1e-5)
            assert np.isfinite(got).all()


def test_avg_pool_equals_pytorch():
    """Odd sizes leave their last row and column out, as in PyTorch."""
    torch = pytest.importorskip('torch')
    x = draw(2, 7, 10, 3)
    np.testing.assert_allclose(
        layers.avg_pool(x, 2), from_torch(torch.nn.functional.avg_pool2d(to_torch(x), 2)), atol=1e-6
    )


@pytest.mark.parametrize('size', [1, 2, 5, 6, 7, 13])
def test_adaptive_avg_pool_equals_pytorch(size):
    """Stretching 1x1 to 6x6 is what AlexNet does to small images."""
    torch = pytest.importorskip('torch')
    x = draw(2, size, size + 1, 3)
    wanted = torch.nn.functional.adaptive_avg_pool2d(to_torch(x), 6)
    np.testing.assert_allclose(layers.adaptive_avg_pool(x, 6), from_torch(wanted), atol=1e-6)


def test_local_response_norm_equals_pytorch():
    """PyTorch divides alpha by the window; ours is the paper's formula and does not."""
    torch = pytest.importorskip('torch')
    x = 30 * draw(2, 4, 4, 8)
    wanted = torch.nn.functional.local_response_norm(to_torch(x), 5, alpha=5e-4, beta=0.75, k=2.0)
    np.testing.assert_allclose(
        layers.local_response_norm(x), from_torch(wanted), rtol=1e-5, atol=1e-5
    )


def test_flatten_puts_channels_first():
    """Published dense weights expect this order."""
    x = draw(2, 3, 4, 5)
    np.testing.assert_array_equal(
        layers.flatten(x)[1, :13], np.asarray(x)[1].transpose(2, 0, 1).ravel()[:13]
    )


def test_batch_affine_equals_nn_batch_norm():
    """Same parameters, outputs and stored statistics as nn.BatchNorm, in training and after."""
    x = 3 * draw(4, 5, 5, 6) + 1
    norm, affine = nn.BatchNorm(momentum=0.9, epsilon=1e-5), layers.BatchAffine()
    variables = norm.init(jax.random.key(0), x, use_running_average=True)
    variables['params'] = {'scale': draw(6, seed=1), 'bias': draw(6, seed=2)}
    moments = x.mean((0, 1, 2)), (x * x).mean((0, 1, 2))
    made = affine.init(jax.random.key(0), *moments, train=True)
    assert jax.tree.structure(made) == jax.tree.structure(variables)
    # init leaves statistics as they are
    np.testing.assert_array_equal(made['batch_stats']['mean'], np.zeros(6))
    wanted, stored = norm.apply(variables, x, use_running_average=False, mutable=['batch_stats'])
    (slope, shift), own = affine.apply(variables, *moments, train=True, mutable=['batch_stats'])
    np.testing.assert_allclose(slope * x + shift, wanted, atol=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), own, stored)
    variables = {**variables, **own}
    slope, shift = affine.apply(variables, *moments, train=False)
    np.testing.assert_allclose(
        slope * x + shift, norm.apply(variables, x, use_running_average=True), atol=1e-5
    )


@pytest.mark.parametrize(
    'size,channels,message',
    [
        ((28, 28), 3, 'net ... 2 ... u,v ... data.channels ... 3'),
        ((28, 27), 2, 'net ... 28x28 ... data.size ... 28x27'),
    ],
)
def test_a_wrong_image_is_told_in_one_line(size, channels, message):
    """Without the check a user sees a shape error from deep inside."""
    with pytest.raises(UserError) as told:
        layers.check_image('net', jnp.zeros((1, *size, channels)), least=28, channels=2)
    assert mentions(str(told.value), message), told.value
