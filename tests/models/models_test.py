"""Every network against the same network written in PyTorch, with the same weights;
dual_branch_test has those with regions.
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from mer_jax import models
from mer_jax.errors import UserError
from mer_jax.models import torch_weights
from mer_jax.runfiles.plan import LOWERINGS
from tests.support.compiling import quickly
from tests.support.messages import mentions
from tests.support.networks import CASES, WITHOUT_REGIONS
from tests.support.torch_networks import torch_networks

VGGM = models.NETWORKS['vggm'].options
PATHS, MERGES = VGGM['path'].choices, VGGM['merge'].choices
DROPPING = [name for name in WITHOUT_REGIONS if 'dropout' in models.NETWORKS[name].options]
IMAGE = np.random.default_rng(0).uniform(-1, 1, (2, 31, 31, 2)).astype(np.float32)


FOUR_TOKENS = {'patch': 7}  # of HTNet with two levels: 2x2 patches in a block


def make(name, lowering='matmul', **settings):
    """The network without dropout; those that are wide narrow, to be quick."""
    still = {
        option: 0.0
        for option in ('dropout', 'dropout_dense', 'dropout_contrast')
        if option in models.NETWORKS[name].options
    }
    narrow = CASES[name].odd_options
    return models.make(name, classes=3, lowering=lowering, **{**still, **narrow, **settings})


def shape_of(name):
    """The shape of one image on which a network is compared with PyTorch."""
    return CASES[name].odd or CASES[name].small


def images(name, count=4, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (count, *shape_of(name))).astype(np.float32)


def shapes(name, **settings):
    """Variables of a network as shapes: nothing is computed."""
    model = make(name, **settings)
    return jax.eval_shape(
        lambda: model.init(jax.random.key(0), jnp.zeros((1, *shape_of(name))), train=False)
    )


def random_variables(name, **settings):
    """Variables of a network with He-sized kernels and everything else near 1, drawn by numpy (init
    takes long to compile).
    """
    draw = np.random.default_rng(0)

    def value(leaf):
        if leaf.ndim == 1:
            return draw.uniform(0.5, 1.5, leaf.shape).astype(np.float32)
        return draw.standard_normal(leaf.shape, np.float32) * np.float32(
            (2 / np.prod(leaf.shape[:-1])) ** 0.5
        )

    return jax.tree.map(value, shapes(name, **settings))


def twins(name, scale=2.5, **settings):
    """(PyTorch network, JAX network, variables) with the same random weights and statistics, no
    batch-norm slope positive throughout; kernels are scaled up so that the logits tell inputs
    apart.
    """
    torch = pytest.importorskip('torch')
    torch.set_num_threads(1)
    torch.manual_seed(0)
    references = torch_networks(torch.nn, torch)
    if name not in references:
        pytest.skip(f'{name} is not in tests/support/torch_networks.py')
    reference = references[name](**settings)
    with torch.no_grad():
        for key, value in reference.state_dict().items():
            if 'running' in key:
                value.uniform_(0.5, 1.5)
            elif 'bn' in key and 'weight' in key:
                value.uniform_(-1.5, 1.5)
            elif value.ndim > 1:
                value.mul_(scale)
    model = make(name, **settings)
    variables = shapes(name, **settings)
    tensors = {key: value.numpy() for key, value in reference.state_dict().items()}
    skips = {
        key.partition('.')[0]: tensors.pop(key) for key in list(tensors) if key.startswith('skip')
    }
    params, stats = torch_weights.convert(
        name, tensors, variables['params'], variables.get('batch_stats', {}), source='test'
    )
    for key, kernel in skips.items():  # no file of weights has them
        params[key] = {'kernel': kernel.transpose(2, 3, 1, 0)}
    return reference, model, {'params': params, 'batch_stats': stats}


def forward(reference, image):
    torch = pytest.importorskip('torch')
    return reference(torch.from_numpy(np.ascontiguousarray(np.moveaxis(image, -1, 1))))


@pytest.mark.parametrize(
    'name,settings',
    [
        *((name, {}) for name in WITHOUT_REGIONS),
        ('cnn3d', {'head': 'gap'}),
        ('cnn3d', {'head': 'flatten'}),
        ('hybrid_cnn', {'blocks': 1}),
    ],
)
def test_a_network_equals_pytorch(name, settings):
    """Layer order, padding, pooling, flattening: any departure from the published network shows in
    the logits, and a wrong use of batch statistics in those of training; the lowerings must not
    differ either.
    """
    reference, model, variables = twins(name, **settings)
    image = images(name)
    wanted = forward(reference.eval(), image).detach().numpy()
    # the images differ in their logits: the comparison says something
    assert np.ptp(wanted, 0).max() > 1e-3
    trained = forward(reference.train(), image).detach().numpy()
    # The lowering changes convolutions alone, and training all but these: two of four programs do.
    net = make(name, 'native', **settings)
    logits, _ = quickly(lambda v, x: net.apply(v, x, train=False))(variables, image)
    np.testing.assert_allclose(logits, wanted, atol=1e-4)
    net = make(name, 'matmul', **settings)
    (logits, _), _ = quickly(
        lambda v, x: net.apply(
            v, x, train=True, mutable=['batch_stats'], rngs={'dropout': jax.random.key(0)}
        )
    )(variables, image)
    np.testing.assert_allclose(logits, trained, atol=1e-4)


@pytest.mark.parametrize(
    'path,merge',
    [(path, merge) for path in PATHS if path != 'none' for merge in MERGES],
)
def test_a_short_path_of_vggm_equals_pytorch(path, merge):
    """What a path goes round, how its sizes are matched, where it joins and in which order the
    channels stand: an average pool of another stride, or a join after the normalisation, would
    still train and carry the paper's name.
    """
    reference, model, variables = twins('vggm', width=12, path=path, merge=merge)
    image = images('vggm')
    wanted = forward(reference.eval(), image).detach().numpy()
    assert np.ptp(wanted, 0).max() > 1e-3
    # compiles in less time; the projection is all that a lowering adds here
    net = model.clone(lowering='native')
    logits, _ = quickly(lambda v, x: net.apply(v, x, train=False))(variables, image)
    np.testing.assert_allclose(logits, wanted, atol=1e-4)


@pytest.mark.parametrize('dropped', [0, 1, 2, 3])
def test_ocnet_drops_at_the_end_of_so_many_units(dropped):
    """The paper's Table 7 compares these: a setting that moved nothing would give all its rows the
    same network, and dropout before the pool of unit 3 would keep more than was asked.
    """
    model, seen = make('ocnet', width=4, dropout_units=dropped), []

    def watch(call, args, keywords, context):
        kind = type(context.module).__name__
        if context.method_name == '__call__' and kind in ('Conv', 'BatchNorm', 'Dropout'):
            seen.append((kind, args[0].shape[1]))
        return call(*args, **keywords)

    with nn.intercept_methods(watch):
        jax.eval_shape(lambda: model.init(jax.random.key(0), IMAGE, train=False))
    units = [
        [('Conv', 31), ('BatchNorm', 31)],
        [('Conv', 31), ('BatchNorm', 31)],
        [('Conv', 31)],
        [('Conv', 15)],
        [('Conv', 7)],
    ]
    for unit, size in zip(units[:dropped], (31, 31, 15), strict=False):
        unit.append(('Dropout', size))
    assert seen == sum(units, [])


@pytest.mark.parametrize('dropped', [0, 1])
def test_ocnet_drops_by_chance_where_it_drops(dropped):
    """With no unit dropped the paper's first row is trained without chance; with one, dropout must
    reach the logits.
    """
    model, variables = (
        make('ocnet', 'native', width=4, dropout_units=dropped, dropout=0.9),
        random_variables('ocnet', width=4),
    )

    @quickly
    def logits(key):
        return model.apply(
            variables, IMAGE, train=True, mutable=['batch_stats'], rngs={'dropout': key}
        )[0][0]

    assert (np.abs(logits(jax.random.key(1)) - logits(jax.random.key(2))).max() > 0) == (
        dropped == 1
    )


@pytest.mark.parametrize('name', ['ststnet', 'ocnet'])
def test_batch_statistics_move_as_in_pytorch(name):
    """Statistics of training reach evaluation; PyTorch stores the unbiased variance, Flax the
    biased one.
    """
    reference, model, variables = twins(name)
    image = images(name)
    _, moved = quickly(
        lambda v, x: model.apply(
            v, x, train=True, mutable=['batch_stats'], rngs={'dropout': jax.random.key(0)}
        )
    )(variables, image)
    before = {key: value.clone() for key, value in reference.state_dict().items()}
    forward(reference.train(), image)
    count = len(image) * {'ststnet': 30 * 30, 'ocnet': 31 * 31}[name]
    for bn, stats in moved['batch_stats'].items():
        after = reference.state_dict()
        np.testing.assert_allclose(stats['mean'], after[f'{bn}.running_mean'].numpy(), atol=1e-4)
        new = (
            (after[f'{bn}.running_var'] - 0.9 * before[f'{bn}.running_var']).numpy()
            * (count - 1)
            / count
        )
        np.testing.assert_allclose(
            stats['var'], 0.9 * before[f'{bn}.running_var'].numpy() + new, atol=1e-4
        )


@pytest.mark.parametrize('lowering', LOWERINGS)
def test_ststnet_gradient_equals_pytorch(lowering):
    """Batch norm after pooling, shared patches and the pool's own backward pass are exact, negative
    slopes included.
    """
    torch = pytest.importorskip('torch')
    reference, _, variables = twins('ststnet')
    image, label = images('ststnet', 7), np.arange(7) % 3
    torch.nn.functional.cross_entropy(
        forward(reference.train(), image), torch.from_numpy(label)
    ).backward()
    wanted, _ = torch_weights.convert(
        'ststnet',
        {key: value.grad.numpy() for key, value in reference.named_parameters()}
        | {key: value.numpy() for key, value in reference.named_buffers()},
        variables['params'],
        variables['batch_stats'],
        source='test',
    )

    def loss_of(params):
        net = make('ststnet', lowering)
        (logits, _), _ = net.apply(
            {**variables, 'params': params},
            image,
            train=True,
            mutable=['batch_stats'],
            rngs={'dropout': jax.random.key(0)},
        )
        return optax.softmax_cross_entropy_with_integer_labels(logits, label).mean()

    got = quickly(jax.grad(loss_of))(variables['params'])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4), got, wanted)


@pytest.mark.parametrize(
    'name,settings', [('sssnet', {}), ('rcn_a', {}), ('htnet', {}), ('htnet', FOUR_TOKENS)]
)
def test_outputs_and_gradients_equal_pytorch(name, settings):
    """A gradient that stops at the attention of RCN-A, misses one of the two uses of its
    convolution, or goes to another pixel of a pool would train another network.

    HTNet as published has a softmax over one token in every attention layer, so that queries and
    keys never learn; a config that calls this attention must not hide it. With four tokens they do.
    """
    torch = pytest.importorskip('torch')
    reference, model, variables = twins(name, scale=1, **settings)
    softmaxes = [layer for layer in reference.modules() if isinstance(layer, torch.nn.Softmax)]
    seen = []
    for layer in softmaxes:
        layer.register_forward_hook(lambda layer, scores, weights: seen.append(weights))
    image, label = images(name, 7), np.arange(7) % 3
    logits = forward(reference.train(), image)
    torch.nn.functional.cross_entropy(logits, torch.from_numpy(label)).backward()
    gradients = {key: value.grad.numpy() for key, value in reference.named_parameters()}
    statistics = {key: value.numpy() for key, value in reference.named_buffers()}
    wanted, _ = torch_weights.convert(
        name, gradients | statistics, variables['params'], variables['batch_stats'], source='test'
    )

    def loss_of(params):
        (ours, _), _ = model.apply(
            {**variables, 'params': params},
            image,
            train=True,
            mutable=['batch_stats'],
            rngs={'dropout': jax.random.key(0)},
        )
        return optax.softmax_cross_entropy_with_integer_labels(ours, label).mean(), ours

    got, ours = quickly(jax.grad(loss_of, has_aux=True))(variables['params'])
    np.testing.assert_allclose(ours, logits.detach().numpy(), atol=1e-5)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), got, wanted)
    if name == 'htnet':
        tokens = 4 if settings else 1
        assert {weights.shape[-2:] for weights in seen} == {(tokens, tokens)}
        for query, key, value in gradients_of_attention(got):
            assert np.abs(value).max() > 1e-6
            assert (np.abs(query).max() > 0, np.abs(key).max() > 0) == (tokens > 1, tokens > 1)


def gradients_of_attention(gradient):
    """Yield the gradients by queries, keys and values of every attention layer of HTNet."""
    for path, leaf in jax.tree.leaves_with_path(gradient):
        if path[-2].key == 'qkv':
            yield np.split(np.asarray(leaf), 3, axis=-1)


@pytest.mark.parametrize('name', CASES)
def test_parameter_counts_are_the_published_ones(name):
    """A count that is off by one bias is another network."""
    assert parameters(name, CASES[name].published) == CASES[name].parameters


@pytest.mark.parametrize(
    'name,shape,settings,count',
    [
        ('alexnet', (75, 75, 3), {}, 57_016_131),
        ('cnn3d', CASES['cnn3d'].published, {'head': 'gap'}, 350_659),
        ('cnn3d', CASES['cnn3d'].published, {'head': 'flatten'}, 8_722_883),
        ('cnn3d', CASES['cnn3d'].published, {'arch': 'literal'}, 227_600_643),
        ('microexpstcnn', (96, 64, 64, 1), {}, 44_241_667),
        *(
            ('vggm', CASES['vggm'].published, {'classes': 1, 'path': path}, count)
            for path, count in (
                ('none', 6_606_241),
                ('v1', 6_619_041),
                ('v2', 7_048_609),
                ('v3', 6_615_457),
                ('v4', 7_070_625),
            )
        ),
        ('ocnet', CASES['ocnet'].published, {'width': 16}, 442_307),
        ('htnet', (28, 28, 3), {'dim': 256}, 139_582_982),
        ('sssnet', (28, 28, 3), {}, 169_603),
        ('rcn_a', (60, 60, 3), {'width': 64}, 51_139),
        ('rcn_a', (28, 28, 3), {'width': 64, 'grid': 7}, 55_747),
        ('hybrid_cnn', CASES['hybrid_cnn'].published, {'classes': 4}, 11_238_468),
        ('hybrid_cnn', (64, 64, 3), {'classes': 4}, 11_235_012),
        (
            'vggm',
            CASES['vggm'].published,
            {'classes': 1, 'path': 'v4', 'merge': 'sum'},
            6_606_241 + 2 * 96 + 96 * 256,
        ),
    ],
)
def test_parameter_counts_of_other_settings(name, shape, settings, count):
    """A paper that leaves its layers open is read in one way: by these counts."""
    assert parameters(name, shape, **settings) == count


def parameters(name, shape, classes=3, **settings):
    model = models.make(name, classes=classes, lowering='matmul', **settings)
    variables = jax.eval_shape(
        lambda: model.init(jax.random.key(0), jnp.zeros((1, *shape)), train=False)
    )
    return sum(leaf.size for leaf in jax.tree.leaves(variables['params']))


@pytest.mark.parametrize('name', WITHOUT_REGIONS)
def test_every_parameter_learns_and_dropout_acts_in_training_only(name):
    """A parameter whose gradient is always zero drifts under Adam; NaN in one fold goes unnoticed
    among many. Dropout left on would make predictions random (and ask for a key); left off, the
    published training is not run.
    """
    options = {'dropout': 0.5} if name in DROPPING else {}
    model, image = make(name, **options), images(name)
    variables = random_variables(name)

    def loss_of(params, key):
        (logits, out), _ = model.apply(
            {**variables, 'params': params},
            image,
            train=True,
            mutable=['batch_stats'],
            rngs={'dropout': key},
        )
        loss = optax.softmax_cross_entropy_with_integer_labels(logits, jnp.arange(4) % 3).mean()
        return loss, (logits, out)

    learn = quickly(jax.grad(loss_of, has_aux=True))
    gradient, (logits, out) = learn(variables['params'], jax.random.key(0))
    for path, leaf in jax.tree.leaves_with_path(gradient):
        key = '/'.join(part.key for part in path)
        learns = np.abs(leaf).max() > 1e-9 or key in CASES[name].without_gradient
        assert np.isfinite(leaf).all() and learns, key
    assert out['features'].ndim == 2 and len(out['features']) == len(image)
    assert all(np.isfinite(value).all() for value in out.values())
    if name in DROPPING:
        _, (other, _) = learn(variables['params'], jax.random.key(1))
        assert np.abs(logits - other).max() > 0
        jax.eval_shape(lambda: model.apply(variables, image, train=False))


@pytest.mark.parametrize('name', ['ststnet', 'offapexnet'])
def test_folds_stay_apart_under_vmap_and_map(name):
    """Several folds in one program give what each gives alone."""
    model, image = make(name), images(name)
    variables = random_variables(name)
    folds = jax.tree.map(lambda leaf: jnp.stack([leaf, 1.5 * leaf]), variables)

    def one(variables):
        (logits, _), _ = model.apply(
            variables,
            image,
            train=True,
            mutable=['batch_stats'],
            rngs={'dropout': jax.random.key(0)},
        )
        return logits

    wanted = jnp.stack(
        [quickly(one)(jax.tree.map(lambda leaf, i=i: leaf[i], folds)) for i in range(2)]
    )
    np.testing.assert_allclose(
        quickly(jax.vmap(one))(folds), wanted, atol=1e-6 * float(jnp.abs(wanted).max())
    )
    np.testing.assert_allclose(
        quickly(lambda folds: jax.lax.map(one, folds))(folds), wanted, atol=1e-5
    )


def test_dual_inception_has_no_dropout_unless_asked():
    """The source has none: half of the hidden layer was left out."""
    default = models.NETWORKS['dual_inception'].options['dropout'].default
    model, image = make('dual_inception', dropout=default), images('dual_inception', 1)
    variables = shapes('dual_inception')
    # a network that drops asks for a key
    jax.eval_shape(lambda variables: model.apply(variables, image, train=True), variables)
    assert models.DualInception(classes=3).dropout == default


def test_the_hybrid_network_saves_memory_without_other_results():
    """In bfloat16 its parameters and statistics would stand still, and the loss would be coarse;
    activations that are computed again must give the same gradients.
    """
    variables, image = random_variables('hybrid_cnn', blocks=1), images('hybrid_cnn')

    def moved_and_gradient(**settings):
        model = make('hybrid_cnn', 'native', blocks=1, **settings)

        def loss_of(params):
            (logits, _), moved = model.apply(
                {**variables, 'params': params}, image, train=True, mutable=['batch_stats']
            )
            return jnp.square(logits - 1).mean(), (moved, logits)

        return quickly(jax.grad(loss_of, has_aux=True))(variables['params'])

    plain, again = moved_and_gradient(), moved_and_gradient(remat=True)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5 * max(1, np.abs(b).max())),
        again,
        plain,
    )
    half = moved_and_gradient(dtype='bfloat16')
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(half))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(half))
    logits, wanted = half[1][1], plain[1][1]
    assert 0 < np.abs(logits - wanted).max() < 0.1 * np.ptp(wanted)


def test_the_features_of_the_hybrid_network_are_what_its_last_layer_sees():
    """An SVM on other features, before the ReLU or of another size, would not be the published
    system.
    """
    model, variables = make('hybrid_cnn', blocks=1), random_variables('hybrid_cnn', blocks=1)
    logits, out = quickly(lambda v, x: model.apply(v, x, train=False))(
        variables, images('hybrid_cnn')
    )
    last = variables['params']['dense2']
    assert (
        out['features'].shape == (4, 128)
        and out['features'].min() == 0
        and np.ptp(out['features'], 0).max() > 1e-3
    )
    np.testing.assert_allclose(
        logits, out['features'] @ last['kernel'] + last['bias'], rtol=1e-4, atol=1e-4
    )


def test_an_unknown_name_lists_all_names():
    """A typing error is mended from the message alone."""
    with pytest.raises(UserError) as raised:
        models.make('ststnt', classes=3, lowering='matmul')
    assert "model.name is 'ststnt'" in str(raised.value)
    assert all(name in str(raised.value) for name in models.NETWORKS)


@pytest.mark.parametrize(
    'name,size,channels,message',
    [
        ('offapexnet', 28, 3, 'offapexnet ... 2 ... u,v ... data.channels ... 3'),
        (
            'dual_inception',
            28,
            1,
            'dual_inception ... 2 ... u,v ... data.channels ... 1',
        ),
        (
            'alexnet',
            62,
            2,
            'alexnet ... 63x63 ... data.size ... 62x62',
        ),
        ('vggm', 74, 2, 'vggm ... 75x75 ... data.size ... 74x74'),
        ('ocnet', 14, 2, 'ocnet ... 15x15 ... data.size ... 14x14'),
        (
            'dual_branch',
            15,
            3,
            'dual_branch ... 16x16 ... data.size ... 15x15',
        ),
        (
            'dual_branch',
            17,
            3,
            'dual_branch ... data.size ... 17 ... even',
        ),
        (
            'single_branch',
            7,
            3,
            'single_branch ... 8x8 ... data.size ... 7x7',
        ),
        (
            'hybrid_cnn',
            7,
            9,
            'hybrid_cnn ... 8x8 ... data.size ... 7x7',
        ),
        (
            'offapexnet',
            3,
            2,
            'offapexnet ... 4x4 ... data.size ... 3x3',
        ),
        (
            'dual_inception',
            3,
            2,
            'dual_inception ... 4x4 ... data.size ... 3x3',
        ),
        ('ststnet', 1, 3, 'ststnet ... 2x2 ... data.size ... 1x1'),
        ('htnet', 27, 3, 'htnet ... 28x28 ... data.size ... 27x27'),
        ('sssnet', 15, 3, 'sssnet ... 16x16 ... data.size ... 15x15'),
        ('rcn_a', 7, 3, 'rcn_a ... 8x8 ... data.size ... 7x7'),
    ],
)
def test_an_image_that_does_not_fit_is_refused(name, size, channels, message):
    """The user reads which setting to change, before anything is compiled; one pixel more is
    enough.
    """
    model = make(name)

    def init(size, channels):
        return jax.eval_shape(
            lambda: model.init(jax.random.key(0), jnp.zeros((1, size, size, channels)), train=False)
        )

    with pytest.raises(UserError) as raised:
        init(size, channels)
    assert mentions(str(raised.value), message), raised.value
    if 'data.size' in message:
        init(size + 1, channels)


@pytest.mark.parametrize(
    'name,shape,message',
    [
        (
            'ststnet',
            (8, 28, 28, 1),
            'ststnet ... pictures, not video ... --config.data.channels',
        ),
        (
            'cnn3d',
            (28, 28, 3),
            'cnn3d ... video ... --config.data.channels=gray',
        ),
        ('cnn3d', (7, 32, 32, 1), 'cnn3d ... 8 ... data.frames ... 7'),
        (
            'cnn3d',
            (8, 31, 31, 1),
            'cnn3d ... 32x32 ... data.size ... 31x31',
        ),
        (
            'microexpstcnn',
            (16, 9, 9, 1),
            'microexpstcnn ... 17 ... data.frames ... 16',
        ),
        (
            'microexpstcnn',
            (17, 4, 4, 1),
            'microexpstcnn ... 5x5 ... data.size ... 4x4',
        ),
    ],
)
def test_a_clip_that_does_not_fit_is_refused(name, shape, message):
    """Pictures for a network of clips, or the other way round, would end in a message about
    axes.
    """
    with pytest.raises(UserError) as raised:
        parameters(name, shape)
    assert mentions(str(raised.value), message), raised.value
    if 'data.size' in message or 'data.frames' in message:
        parameters(
            name,
            (shape[0] + ('data.frames' in message), shape[1] + 1, shape[2] + 1, 1),
        )
