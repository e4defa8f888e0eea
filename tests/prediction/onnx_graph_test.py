"""What other runtimes compute from a file of ONNX is what jax computes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mer_jax import models
from mer_jax.errors import UserError
from mer_jax.training import scaling
from tests.support.compiling import quickly
from tests.support.networks import CASES

onnx = pytest.importorskip('onnx')
onnxruntime = pytest.importorskip('onnxruntime')
onnx_graph = pytest.importorskip('mer_jax.prediction.onnx_graph')

MEMBERS = 2
LARGEST_BATCH = 7
FLOAT = np.float32


def run(model, images):
    """The outputs of a model, by name."""
    file = model.SerializeToString()
    session = onnxruntime.InferenceSession(file, providers=['CPUExecutionProvider'])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, {'image': images}), strict=True))


def weights_of(network, shape):
    """Made-up weights [MEMBERS, ...] that keep logits near 1, without running an initializer."""
    draw = np.random.default_rng(0)
    keys = {'params': jax.random.key(0), 'dropout': jax.random.key(0)}
    images = jnp.zeros((2, *shape))
    shapes = jax.eval_shape(lambda: network.init(keys, images, train=False))

    def weight(path, leaf):
        values = draw.normal(size=(MEMBERS, *leaf.shape)) / np.sqrt(np.prod(leaf.shape[:-1]) + 1)
        # variances of batch norm are positive
        return (np.abs(values) + 0.5 if path[-1].key == 'var' else values).astype(FLOAT)

    return jax.tree_util.tree_map_with_path(weight, shapes)


@pytest.mark.parametrize('name', CASES)
def test_every_network_gives_the_logits_of_jax(name):
    """A primitive that is translated wrongly gives other answers on other people's machines."""
    case = CASES[name]
    network = models.make(name, classes=3, lowering='native', **case.small_options)
    weights = weights_of(network, case.small)
    images = np.random.default_rng(1).normal(size=(LARGEST_BATCH, *case.small)).astype(FLOAT)

    def predict(weights, images):
        logits = jax.vmap(lambda member: network.apply(member, images, train=False)[0])(weights)
        return {'logits': jnp.moveaxis(logits, 0, 1)}

    expected = np.asarray(quickly(predict)(weights, images)['logits'])
    assert np.ptp(expected, axis=0).min() > 1e-3, 'all rows have the same logits'
    model = onnx_graph.model_of(predict, weights, jax.ShapeDtypeStruct(case.small, FLOAT))
    onnx.checker.check_model(model)
    for rows in (1, 2, LARGEST_BATCH):
        logits = run(model, images[:rows])['logits']
        np.testing.assert_allclose(logits, expected[:rows], atol=1e-5)


HALF = np.linspace(-1, 1, 24, dtype=FLOAT).reshape(4, 6)
# {what: function of images float32[B, 4, 6]}; names are those of numpy
FUNCTIONS = {
    'a product over two axes': lambda x: jnp.einsum('bij,kij->bk', x, jnp.stack([HALF, -HALF])),
    'a product of each row': lambda x: jnp.einsum('bij,bkj->bki', x, x * HALF),
    'a slice with stride': lambda x: x[:, 1::2, ::3],
    'padding, also negative': lambda x: jax.lax.pad(x, 2.0, ((0, 0, 0), (1, 2, 0), (-1, 0, 0))),
    'rows joined and split': lambda x: jnp.split(jnp.concatenate([x, 2 * x]), 2)[1],
    'columns split': lambda x: jnp.split(x, (1, 4), axis=2)[1],
    'stacked': lambda x: jnp.stack([x, x + 1], axis=1),
    'spread over the rows': lambda x: jnp.ones((len(x), 2, 1)) * x[:, :1],
    'a choice': lambda x: jnp.where(x > 0, x, HALF),
    'clipped': lambda x: jnp.clip(x, -0.5, 0.5),
    'powers': lambda x: x**3 + jax.lax.rsqrt(x * x + 1) + jnp.square(x),
    'softmax': lambda x: jax.nn.softmax(x, axis=1),
    'sigmoid': jax.nn.sigmoid,
    'computed again in training': jax.checkpoint(lambda x: jnp.exp(-jnp.abs(x))),
    'exact gelu': lambda x: jax.nn.gelu(x, approximate=False),
    'mean and extremes': lambda x: x.mean(2) + x.max(2) - x.min(2),
    'a reshape that turns axes': lambda x: jax.lax.reshape(x, (len(x), 24), (0, 2, 1)),
}


@pytest.mark.parametrize('what', FUNCTIONS)
def test_every_primitive_means_the_same(what):
    """Networks use few forms of a primitive; another release of jax may trace them to others."""
    images = np.random.default_rng(0).normal(size=(5, 4, 6)).astype(FLOAT)
    model = onnx_graph.model_of(
        lambda _, x: {'out': FUNCTIONS[what](x)}, (), jax.ShapeDtypeStruct((4, 6), FLOAT)
    )
    expected = quickly(FUNCTIONS[what])(images)
    np.testing.assert_allclose(run(model, images)['out'], expected, atol=1e-6)


@pytest.mark.parametrize(
    ('fitted', 'options', 'dtype'),
    [
        ({}, {'value_range': (-1, 1)}, np.uint8),
        ({'scale': np.full(3, 2, FLOAT)}, {'value_range': (0, (1, 2, 3))}, FLOAT),
        ({'mean': HALF[0, :3], 'deviation': np.ones(3, FLOAT)}, {'value_range': (0, 1)}, np.uint8),
        ({}, {'value_range': (0, 1), 'subtract_onset': True}, np.uint8),
    ],
)
def test_the_scaling_of_inputs_is_in_the_graph(fitted, options, dtype):
    """A file that takes images scaled otherwise than in training gives wrong classes, silently."""

    def predict(fitted, images):
        return {'out': scaling.scale_input(images, fitted, **options)}

    images = np.random.default_rng(0).integers(0, 256, (5, 2, 4, 4, 3)).astype(dtype)
    model = onnx_graph.model_of(predict, fitted, jax.ShapeDtypeStruct((2, 4, 4, 3), dtype))
    expected = predict(fitted, images)['out']
    np.testing.assert_allclose(run(model, images)['out'], expected, atol=1e-5)


def test_weights_alone_are_computed_once():
    """Runtimes that need kernels as constants refuse a file in which they are computed."""
    kernel = np.ones((3, 3, 1, 2), FLOAT)

    def predict(kernel, images):
        options = {'dimension_numbers': ('NHWC', 'HWIO', 'NHWC')}
        return {'out': jax.lax.conv_general_dilated(images, kernel * 2, (1, 1), 'SAME', **options)}

    model = onnx_graph.model_of(predict, kernel, jax.ShapeDtypeStruct((6, 6, 1), FLOAT))
    held = {initializer.name for initializer in model.graph.initializer}
    (convolution,) = [node for node in model.graph.node if node.op_type == 'Conv']
    assert convolution.input[1] in held


@pytest.mark.parametrize(
    ('function', 'word'),
    [
        (lambda x: jnp.cumsum(x, axis=1), 'cumsum'),
        (lambda x: x / len(x), '--batch'),
        (lambda x: x[:1] + x, '--batch'),
        (lambda x: x.astype(jnp.bfloat16) * 2, 'bfloat16'),
    ],
)
def test_what_has_no_translation_is_one_line(function, word):
    """A user cannot mend a traceback; one line says which part of the network to replace."""
    image = jax.ShapeDtypeStruct((4, 6), FLOAT)
    with pytest.raises(UserError, match=word) as caught:
        onnx_graph.model_of(lambda _, x: {'out': function(x)}, (), image)
    assert '\n' not in str(caught.value)


def test_weights_that_no_file_can_hold_name_the_remedy():
    """68 networks of 11 million weights exceed a file of protobuf; it fails late and unclearly."""
    weights = np.broadcast_to(FLOAT(0), 2**30)  # takes no memory
    image = jax.ShapeDtypeStruct((4, 6), FLOAT)
    with pytest.raises(UserError, match='4.3 GB.*--fold'):
        onnx_graph.model_of(lambda w, x: {'out': x * w[0]}, weights, image)


def test_a_fixed_batch_may_count_its_rows():
    """Runtimes without open dimensions need a file for one size of batch."""
    image = jax.ShapeDtypeStruct((4, 6), FLOAT)
    model = onnx_graph.model_of(lambda _, x: {'out': x / len(x)}, (), image, 3)
    images = np.ones((3, 4, 6), FLOAT)
    np.testing.assert_allclose(run(model, images)['out'], images / 3)
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 3
