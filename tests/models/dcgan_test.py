"""The networks of the conditional GAN against PyTorch: counts, values, gradients, both
lowerings.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mer_jax.errors import UserError
from mer_jax.models import dcgan
from tests.models.layers_test import draw, from_torch, to_torch, value_and_pull
from tests.support.compiling import quickly

CLASSES, CHANNELS, SIZE, WIDTH, LATENT = 3, 2, 16, 4, 7
LABEL = np.array([2, 0, 1, 2, 0], np.int32)


def generator(lowering='matmul'):
    return dcgan.Generator(CLASSES, CHANNELS, SIZE, WIDTH, LATENT, lowering)


def discriminator(lowering='matmul', dropout=0.0):
    return dcgan.Discriminator(CLASSES, WIDTH, dropout, lowering)


def count(module, *inputs, **keywords):
    shapes = jax.eval_shape(lambda key: module.init(key, *inputs, **keywords), jax.random.key(0))
    return sum(leaf.size for leaf in jax.tree.leaves(shapes))


def judge(network, params, flow):
    return network.apply({'params': params}, flow, LABEL, train=False)


def start(network, *inputs, **keywords):
    """Parameters of about the usual size, biases included; drawn by numpy, as an initializer takes
    seconds to compile.
    """
    shapes = jax.eval_shape(partial(network.init, **keywords), jax.random.key(0), *inputs)['params']
    return jax.tree.map(
        lambda a: draw(*a.shape, seed=a.size) * (np.prod(a.shape[:-1]) / 2 + 10) ** -0.5, shapes
    )


def twin_generator(torch, params, size=SIZE, width=WIDTH):
    """The same network in PyTorch, with `params` of dcgan.Generator."""
    nn = torch.nn

    class Twin(nn.Module):
        def __init__(self):
            super().__init__()
            self.dense = nn.Linear(
                params['dense']['kernel'].shape[0], params['dense']['kernel'].shape[1]
            )
            for i in (1, 2, 3):
                self.add_module(
                    f'up{i}', nn.ConvTranspose2d(16 * width >> i, 8 * width >> i, 4, 2, 1)
                )
            self.conv = nn.Conv2d(width, params['conv']['bias'].shape[0], 3, padding=1)

        def forward(self, z, label):
            hot = nn.functional.one_hot(label, self.dense.in_features - z.shape[1]).to(z)
            x = nn.functional.leaky_relu(self.dense(torch.cat([z, hot], 1)), 0.2)
            x = x.view(-1, size // 8, size // 8, 8 * width).movedim(-1, 1)
            for up in (self.up1, self.up2, self.up3):
                x = nn.functional.leaky_relu(up(x), 0.2)
            return torch.tanh(self.conv(x))

    return loaded(
        torch,
        Twin(),
        params,
        {'dense': (1, 0), 'conv': (2, 3, 1, 0)} | {f'up{i}': (2, 3, 0, 1) for i in (1, 2, 3)},
    )


def twin_discriminator(torch, params, size=SIZE, width=WIDTH):
    """The same network in PyTorch, with `params` of dcgan.Discriminator; without dropout."""
    nn = torch.nn

    class Twin(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(params['conv1']['kernel'].shape[2], width, 4, 2, 1)
            self.conv2, self.conv3 = (
                nn.Conv2d(width, 2 * width, 4, 2, 1),
                nn.Conv2d(2 * width, 4 * width, 4, 2, 1),
            )
            self.dense = nn.Linear(size * size // 64 * 4 * width, 1)

        def forward(self, x, label):
            hot = nn.functional.one_hot(label, self.conv1.in_channels - x.shape[1]).to(x)[
                :, :, None, None
            ]
            x = torch.cat([x, hot.expand(-1, -1, *x.shape[2:])], 1)
            for conv in (self.conv1, self.conv2, self.conv3):
                x = nn.functional.leaky_relu(conv(x), 0.2)
            return self.dense(x.movedim(1, -1).flatten(1))[:, 0]

    return loaded(
        torch, Twin(), params, {'dense': (1, 0)} | {f'conv{i}': (2, 3, 1, 0) for i in (1, 2, 3)}
    )


def loaded(torch, twin, params, orders):
    """The PyTorch module with these parameters; orders: {layer: axes of its weight in our
    order}.
    """
    twin.orders = orders
    for name, order in orders.items():
        weight = np.array(params[name]['kernel']).transpose(np.argsort(order))
        getattr(twin, name).weight.data = torch.from_numpy(np.ascontiguousarray(weight))
        getattr(twin, name).bias.data = torch.from_numpy(np.array(params[name]['bias']))
    return twin


def assert_gradients(twin, gradient):
    """Gradients that PyTorch left in a twin equal those of our parameters."""
    for name, order in twin.orders.items():
        layer = getattr(twin, name)
        np.testing.assert_allclose(
            gradient[name]['kernel'],
            layer.weight.grad.numpy().transpose(order),
            rtol=1e-4,
            atol=1e-4,
        )
        np.testing.assert_allclose(
            gradient[name]['bias'], layer.bias.grad.numpy(), rtol=1e-4, atol=1e-4
        )


def test_counts_at_the_papers_size():
    """Another count is another network than the one that the documentation names."""
    label = jnp.zeros(1, jnp.int32)
    assert count(dcgan.Generator(3), jnp.zeros((1, 100)), label) == 3_351_330
    assert count(dcgan.Discriminator(3), jnp.zeros((1, 80, 80, 2)), label, train=False) == 179_425


def test_a_size_that_three_doublings_do_not_reach_is_refused():
    """Without the check it would silently draw 72 pixels where 75 are asked for."""
    with pytest.raises(UserError, match='75; needs a multiple of 8'):
        count(dcgan.Generator(3, size=75), jnp.zeros((1, 100)), jnp.zeros(1, jnp.int32))


@pytest.mark.parametrize('lowering', ['matmul', 'native'])
def test_transposed_convolution_equals_pytorch(lowering):
    """A tap in the wrong phase shifts the picture by a pixel; height and width differ so that an
    exchange shows.
    """
    torch = pytest.importorskip('torch')
    x, kernel = draw(2, 5, 3, 6), draw(4, 4, 6, 5, seed=1) / 5
    y, (dx, moved) = value_and_pull(
        lambda x, k: dcgan.transpose_convolve(x, k, lowering=lowering), (x, kernel), jnp.cos
    )
    image = to_torch(x).requires_grad_()
    weight = torch.from_numpy(np.array(np.asarray(kernel).transpose(2, 3, 0, 1))).requires_grad_()
    wanted = torch.nn.functional.conv_transpose2d(image, weight, stride=2, padding=1)
    np.testing.assert_allclose(y, from_torch(wanted), atol=2e-5)
    wanted.backward(to_torch(jnp.cos(y)))
    np.testing.assert_allclose(dx, from_torch(image.grad), atol=1e-4)
    np.testing.assert_allclose(moved, weight.grad.numpy().transpose(2, 3, 0, 1), atol=1e-4)


@pytest.mark.parametrize('lowering', ['matmul', 'native'])
def test_generator_equals_pytorch(lowering):
    """Any layer of another kind, order or slope shows in the picture or in a gradient."""
    torch = pytest.importorskip('torch')
    z = draw(5, LATENT)
    params = start(generator(), z, LABEL)
    y, (moved, dz) = value_and_pull(
        lambda p, z: generator(lowering).apply({'params': p}, z, LABEL), (params, z), jnp.cos
    )
    twin, given = twin_generator(torch, params), torch.from_numpy(np.array(z)).requires_grad_()
    wanted = twin(given, torch.from_numpy(LABEL).long())
    assert y.shape == (5, SIZE, SIZE, CHANNELS)
    np.testing.assert_allclose(y, from_torch(wanted), atol=1e-4)
    wanted.backward(to_torch(jnp.cos(y)))
    np.testing.assert_allclose(dz, given.grad.numpy(), atol=1e-4)
    assert_gradients(twin, moved)


@pytest.mark.parametrize('lowering', ['matmul', 'native'])
def test_discriminator_equals_pytorch(lowering):
    """As for the generator; the gradient with respect to the flow is all that the generator learns
    from.
    """
    torch = pytest.importorskip('torch')
    flow = draw(5, SIZE, SIZE, CHANNELS)
    params = start(discriminator(), flow, LABEL, train=False)
    y, (moved, dflow) = value_and_pull(
        lambda p, x: judge(discriminator(lowering), p, x), (params, flow), jnp.cos
    )
    twin, given = twin_discriminator(torch, params), to_torch(flow).requires_grad_()
    wanted = twin(given, torch.from_numpy(LABEL).long())
    np.testing.assert_allclose(y, wanted.detach().numpy(), atol=1e-4)
    wanted.backward(torch.from_numpy(np.array(jnp.cos(y))))
    np.testing.assert_allclose(dflow, from_torch(given.grad), atol=1e-4)
    assert_gradients(twin, moved)


def test_jit_and_vmap_equal_the_plain_call():
    """Folds run under both: a branch on a value, or a mean over the batch, would change what a fold
    gets.
    """
    z, flow = draw(5, LATENT), draw(5, SIZE, SIZE, CHANNELS)
    g, d = start(generator(), z, LABEL), start(discriminator(), flow, LABEL, train=False)

    def both(z, flow, lowering='matmul'):
        return generator(lowering).apply({'params': g}, z, LABEL), judge(
            discriminator(lowering), d, flow
        )

    plain = both(z, flow, 'native')
    one, many = quickly(
        lambda z, flow: (
            both(z, flow),
            jax.vmap(both)(jnp.stack([z[::-1], z]), jnp.stack([flow[::-1], flow])),
        )
    )(z, flow)
    for wanted, got, mapped in zip(plain, one, many, strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-5)
        np.testing.assert_allclose(mapped[1], wanted, atol=1e-5)


def test_dropout_drops_in_training_only():
    """A discriminator without dropout memorises a fold's few hundred images; one that drops while
    judging is noise.
    """
    flow = draw(5, SIZE, SIZE, CHANNELS)
    network, still = (discriminator('native', dropout) for dropout in (0.5, 0.0))
    params = start(network, flow, LABEL, train=False)
    one, other = (
        network.apply(
            {'params': params}, flow, LABEL, train=True, rngs={'dropout': jax.random.key(i)}
        )
        for i in (0, 1)
    )
    assert not np.allclose(one, other)
    np.testing.assert_array_equal(judge(network, params, flow), judge(still, params, flow))
