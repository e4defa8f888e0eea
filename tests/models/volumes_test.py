"""Convolution and pooling over time against PyTorch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mer_jax.models import volumes
from mer_jax.runfiles.plan import LOWERINGS
from tests.models.layers_test import draw, value_and_pull


def to_torch(x):
    """[B, T, H, W, C] -> PyTorch [B, C, T, H, W]."""
    return pytest.importorskip('torch').from_numpy(np.array(np.moveaxis(np.asarray(x), -1, 1)))


def from_torch(x):
    return np.moveaxis(x.detach().numpy(), 1, -1)


@pytest.mark.parametrize('lowering', LOWERINGS)
@pytest.mark.parametrize(
    'shape,kernel,channels,padding',
    [
        ((6, 12, 11), (3, 3, 3), (12, 5), 'SAME'),
        ((5, 9, 8), (3, 3, 3), (1, 6), 'SAME'),
        ((7, 6, 9), (3, 3, 3), (2, 4), 'VALID'),
        ((17, 9, 9), (15, 3, 3), (1, 4), 'VALID'),
        ((5, 7, 6), (5, 1, 3), (3, 4), 'SAME'),
    ],
)
def test_conv3d_equals_pytorch(shape, kernel, channels, padding, lowering):
    """Frames joined in another order than the kernel's would be another convolution; gradients must
    agree as well.
    """
    torch = pytest.importorskip('torch')
    before, after = channels
    x = draw(2, *shape, before)
    conv = volumes.Conv3D(after, kernel, padding, lowering)
    params = {
        'params': {'kernel': draw(*kernel, before, after, seed=1) / 9, 'bias': draw(after, seed=2)}
    }
    y, (moved, dx) = value_and_pull(conv.apply, (params, x), jnp.cos)
    weight = torch.from_numpy(
        np.array(np.asarray(params['params']['kernel']).transpose(4, 3, 0, 1, 2))
    ).requires_grad_()
    bias = torch.from_numpy(np.array(params['params']['bias'])).requires_grad_()
    image = to_torch(x).requires_grad_()
    wanted = torch.nn.functional.conv3d(image, weight, bias, padding=padding.lower())
    np.testing.assert_allclose(y, from_torch(wanted), atol=2e-5)
    wanted.backward(to_torch(jnp.cos(y)))
    np.testing.assert_allclose(dx, from_torch(image.grad), atol=1e-4)
    np.testing.assert_allclose(moved['params']['bias'], bias.grad.numpy(), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(
        moved['params']['kernel'],
        weight.grad.numpy().transpose(2, 3, 4, 1, 0),
        rtol=1e-4,
        atol=3e-4,
    )


@pytest.mark.parametrize('shape', [(6, 8, 10), (7, 9, 11), (3, 3, 4)])
@pytest.mark.parametrize('window', [2, 3])
@pytest.mark.parametrize('ties', [False, True])
def test_max_pool_of_clips_equals_pytorch(shape, window, ties):
    """A frame that fills no cube must be left out, and of equal values (frequent after ReLU) the
    same one learn.
    """
    torch = pytest.importorskip('torch')
    x = draw(2, *shape, 3)
    x = jnp.round(jnp.maximum(x, 0)) if ties else x
    y, (dx,) = value_and_pull(lambda x: volumes.max_pool_clips(x, window), (x,), jnp.cos)
    image = to_torch(x).requires_grad_()
    wanted = torch.nn.functional.max_pool3d(image, window)
    np.testing.assert_array_equal(y, from_torch(wanted))
    wanted.backward(to_torch(jnp.cos(y)))
    np.testing.assert_allclose(dx, from_torch(image.grad), atol=1e-6)


@pytest.mark.parametrize('lowering', LOWERINGS)
def test_clips_are_convolved_the_same_under_vmap_and_map(lowering):
    """Folds are mapped over: frames of one fold must not reach another."""
    x, kernel = draw(2, 2, 4, 6, 5, 2), draw(3, 3, 3, 2, 3, seed=1)

    def one(x):
        return volumes.max_pool_clips(
            volumes.convolve_clips(x, kernel, padding='SAME', lowering=lowering), 2
        )

    wanted = jnp.stack([one(each) for each in x])
    np.testing.assert_allclose(jax.vmap(one)(x), wanted, atol=1e-5)
    np.testing.assert_allclose(jax.jit(lambda x: jax.lax.map(one, x))(x), wanted, atol=1e-5)
