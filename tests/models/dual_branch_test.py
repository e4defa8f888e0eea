"""The networks of Ruan et al. 2022 against PyTorch, with the same weights; weights of a published
backbone; precision.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mer_jax import models
from mer_jax.errors import UserError
from mer_jax.models import torch_weights, weights_files
from mer_jax.models.resnet import softmax_over
from mer_jax.training import learners
from tests.support.compiling import quickly
from tests.support.messages import mentions
from tests.support.torch_samer import torch_resnet18, torch_samer

REGIONS = {'dual_branch': ('eyes', 'mouth'), 'single_branch': ('face',)}
STILL = {'dropout': 0.0, 'dropout_dense': 0.0, 'dropout_contrast': 0.0}
NARROW = {'width': 8, 'hidden': 12}
CASES = [
    ('dual_branch', {}),
    ('dual_branch', {'attention': 'paper', 'unstrided_layers': 2, 'awm': False}),
    (
        'dual_branch',
        {'attention': 'sanet', 'unstrided_layers': 1, 'pool': False, 'head_fusion': 'probs'},
    ),
    (
        'dual_branch',
        {'attention': 'off', 'unstrided_layers': 2, 'blocks': 1, 'batch_statistics': 'pooled'},
    ),
    ('single_branch', {'awm': False, 'unstrided_layers': 2, 'groups': 2}),
]


def make(name, classes=3, lowering='matmul', **settings):
    return models.make(name, classes=classes, lowering=lowering, **{**STILL, **NARROW, **settings})


def images(count=4, size=32, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (count, size, size, 3)).astype(np.float32)


def shapes(model, size=32):
    return jax.eval_shape(
        lambda: model.init(jax.random.key(0), jnp.zeros((1, size, size, 3)), train=False)
    )


def randomise(torch, network):
    """Values of the network that leave no part of it without effect: an attention's weights start
    at 0.
    """
    torch.manual_seed(0)
    with torch.no_grad():
        for key, value in network.state_dict().items():
            if 'running' in key:
                value.uniform_(0.5, 1.5)
            elif value.ndim == 1 or 'attention' in key:
                value.uniform_(-1.5, 1.5)
            elif value.ndim > 1:
                value.mul_(2.5)


def tensors(network):
    return {key: value.detach().numpy() for key, value in network.state_dict().items()}


def twins(name, classes=3, size=32, **settings):
    """(PyTorch network, variables) with the same random weights and statistics."""
    torch = pytest.importorskip('torch')
    torch.set_num_threads(1)
    reference = torch_samer(torch.nn, torch)(
        REGIONS[name], classes=classes, **{**NARROW, **settings}
    )
    randomise(torch, reference)
    wanted = shapes(make(name, classes, **settings), size)
    params, stats = torch_weights.convert(
        name, tensors(reference), wanted['params'], wanted['batch_stats'], source='test'
    )
    return reference, {'params': params, 'batch_stats': stats}


def to_torch(image):
    return pytest.importorskip('torch').from_numpy(
        np.ascontiguousarray(image.transpose(0, 3, 1, 2))
    )


def forward(reference, image):
    """(logits, out) of the PyTorch network as numpy arrays of our layout."""
    logits, out = reference(to_torch(image))
    out = {key: value.detach().numpy() for key, value in out.items()}
    out['maps'] = out['maps'].transpose(0, 1, 3, 4, 2)
    return logits.detach().numpy(), {
        **out,
        'weights': out['weights'].reshape(*out['maps'].shape[:2], -1),
    }


def both(model):
    """(variables, image) -> results of evaluation and of training, compiled together."""

    def run(variables, image):
        trained, _ = model.apply(
            variables,
            image,
            train=True,
            mutable=['batch_stats'],
            rngs={'dropout': jax.random.key(0)},
        )
        return model.apply(variables, image, train=False), trained

    return quickly(run)


def assert_equal(got, wanted, atol=1e-4):
    np.testing.assert_allclose(got[0], wanted[0], atol=atol)
    for key, value in wanted[1].items():
        np.testing.assert_allclose(
            got[1][key], value, atol=atol * max(1, np.abs(value).max()), err_msg=key
        )


def loss_of(model, variables, image, label):
    """params -> (sum of the heads' cross-entropies, moved statistics), as the contrastive learner
    has it without alignment.
    """

    def loss(params):
        (_, out), moved = model.apply(
            {**variables, 'params': params},
            image,
            train=True,
            mutable=['batch_stats'],
            rngs={'dropout': jax.random.key(0)},
        )
        return sum(
            learners.cross_entropy(out['heads'][:, i], label) for i in range(len(model.regions))
        ), moved

    return loss


@pytest.mark.parametrize('name,settings', CASES)
def test_a_network_equals_pytorch(name, settings):
    """Order of layers, halves, strides, gates, fusion: any departure from the published network
    shows in logits, maps, features or area weights, in evaluation or in training.
    """
    reference, variables = twins(name, **settings)
    image = images()
    wanted = forward(reference.eval(), image), forward(reference.train(), image)
    # the images differ in their logits: the comparison says something
    assert np.ptp(wanted[0][0], 0).max() > 1e-3
    # which settings do not depend on, and layers alone are compared in both
    lowering = 'native' if settings else 'matmul'
    evaluated, trained = both(make(name, lowering=lowering, **settings))(variables, image)
    assert_equal(evaluated, wanted[0])
    assert_equal(trained, wanted[1])


def test_the_full_width_equals_pytorch():
    """Wide layers take other products than narrow ones; and five classes the published head."""
    settings = {'width': 64, 'hidden': 1024, 'blocks': 1}
    reference, variables = twins('dual_branch', 5, 64, **settings)
    image = images(2, 64)
    model = make('dual_branch', 5, **settings)
    got = quickly(lambda v, x: model.apply(v, x, train=False))(variables, image)
    assert_equal(got, forward(reference.eval(), image))


def test_every_gradient_and_statistic_equals_pytorch():
    """A part that learns nothing drifts under AdamW; a gradient through the area weights' input
    would tie the branches. Running statistics move twice a step, eyes first: pooled, they and every
    gradient are those of another network.
    """
    torch = pytest.importorskip('torch')
    reference, variables = twins('dual_branch', unstrided_layers=2)
    image, label = images(6), np.arange(6) % 3
    heads = reference.train()(to_torch(image))[1]['heads']
    sum(
        torch.nn.functional.cross_entropy(heads[:, i], torch.from_numpy(label)) for i in range(2)
    ).backward()
    given = {key: value.grad.numpy() for key, value in reference.named_parameters()}
    wanted, statistics = torch_weights.convert(
        'dual_branch',
        {**tensors(reference), **given},
        variables['params'],
        variables['batch_stats'],
        source='test',
    )
    loss = loss_of(make('dual_branch', unstrided_layers=2), variables, image, label)
    got, moved = quickly(jax.grad(loss, has_aux=True))(variables['params'])
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5, rtol=1e-5),
        moved['batch_stats'],
        statistics,
    )
    for (path, leaf), other in zip(
        jax.tree.leaves_with_path(got), jax.tree.leaves(wanted), strict=True
    ):
        size = np.abs(other).max()
        assert size > 1e-6, jax.tree_util.keystr(path)
        np.testing.assert_allclose(
            leaf, other, atol=1e-4 * max(size, 1), rtol=1e-3, err_msg=jax.tree_util.keystr(path)
        )


def test_kernels_begin_as_pytorch_draws_them():
    """ResNet's start has no bound; ours cuts at two standard deviations of the normal that it draws
    from. Both have the same variance.
    """
    deviation = (2 / (16 * 49)) ** 0.5  # of He et al. 2015, by outgoing connections

    def drawn(kernels):
        model = make('single_branch', width=16, blocks=1, initial_kernels=kernels)

        @quickly
        def first(key):
            variables = model.init(key, jnp.zeros((1, 32, 32, 3)), train=False)
            return variables['params']['stem']['conv1']['kernel'] / deviation

        return np.asarray(first(jax.random.key(0)))

    for kernels, low, high in (('truncated', 2, 2.3), ('normal', 3, 6)):
        first = drawn(kernels)
        assert first.std() == pytest.approx(1, abs=0.05)
        assert low < np.abs(first).max() < high


@pytest.mark.parametrize(
    'name,classes,count',
    [
        ('dual_branch', 5, 24_313_514),
        ('dual_branch', 3, 24_311_462),
        ('single_branch', 5, 11_447_077),
    ],
)
def test_parameter_counts_are_the_published_ones(name, classes, count):
    """A count that is off by one bias is another network; the parts are those of the released
    model.
    """
    model = models.make(name, classes=classes, lowering='matmul')
    leaves = jax.tree.leaves_with_path(shapes(model, 224)['params'])

    def total(part):
        return sum(leaf.size for path, leaf in leaves if part in jax.tree_util.keystr(path))

    assert total('') == count
    assert total("'stem'") + total("'layer1'") + total("'layer2'") == 683_936
    for region in REGIONS[name]:
        assert total(f"'layer3_{region}'") == 2_100_864 and total(f"'layer4_{region}'") == 8_396_032
        assert total(f"'heads_{region}'") == {5: 266_245, 3: 265_219}[classes]
    assert name == 'single_branch' or (
        total("'area'") == 2_103_296 and total("'attention'") == 7_776
    )


def test_the_softmax_between_groups_is_a_softmax():
    """Its own backward pass must agree with the plain one, and large values must not overflow."""
    x = jnp.asarray(np.random.default_rng(0).normal(0, 60, (2, 3, 12)), jnp.float32)

    def plain(x):
        return jax.nn.softmax(x.reshape(2, 3, 4, 3), 2).reshape(x.shape)

    for got, wanted in zip(
        jax.vjp(lambda v: softmax_over(v, 4), x), jax.vjp(plain, x), strict=True
    ):
        pair = (got(jnp.cos(x))[0], wanted(jnp.cos(x))[0]) if callable(got) else (got, wanted)
        np.testing.assert_allclose(*pair, atol=1e-6)


def test_dropout_acts_in_training_only():
    """Left on, predictions would be random and ask for a key; left off, the published training is
    not run.
    """
    model = models.make('dual_branch', classes=3, lowering='matmul', **NARROW, blocks=1)
    _, variables = twins('dual_branch', blocks=1)

    @quickly
    def trained(key):
        return model.apply(
            variables, images(2), train=True, mutable=['batch_stats'], rngs={'dropout': key}
        )[0]

    (first, out), (second, other) = trained(jax.random.key(1)), trained(jax.random.key(2))
    assert (
        np.abs(first - second).max() > 0 and np.abs(out['contrast'] - other['contrast']).max() > 0
    )
    assert np.abs(out['maps'] - other['maps']).max() > 0
    jax.eval_shape(lambda: model.apply(variables, images(2), train=False))


def test_bfloat16_keeps_parameters_and_statistics_exact():
    """Statistics of half precision would stand still: a tenth of a small step is lost in them."""
    reference, variables = twins('single_branch', unstrided_layers=2, awm=False, blocks=1)
    model, image = make('single_branch', unstrided_layers=2, blocks=1, dtype='bfloat16'), images(16)
    assert all(leaf.dtype == jnp.float32 for leaf in jax.tree.leaves(shapes(model)))
    loss = loss_of(model, variables, image, jnp.arange(16) % 3)
    (_, moved), gradient = quickly(jax.value_and_grad(loss, has_aux=True))(variables['params'])
    assert all(
        leaf.dtype == jnp.float32 and np.isfinite(leaf).all()
        for leaf in jax.tree.leaves((moved, gradient))
    )
    logits, out = quickly(lambda v: model.apply(v, image, train=False))(variables)
    wanted, _ = forward(reference.eval(), image)
    assert logits.dtype == jnp.float32 and out['maps'].dtype == jnp.float32
    assert 0 < np.abs(logits - wanted).max() < 0.1 * np.ptp(wanted)


def test_remat_gives_the_same_gradients():
    """Computing activations again must not draw other dropout or move statistics twice."""
    _, variables = twins('single_branch', unstrided_layers=2, awm=False, blocks=1)
    label = jnp.arange(4) % 3

    def moved_and_gradient(**settings):
        model = make(
            'single_branch',
            lowering='native',
            unstrided_layers=2,
            blocks=1,
            dropout=0.2,
            **settings,
        )
        (_, moved), gradient = quickly(
            jax.value_and_grad(loss_of(model, variables, images(), label), has_aux=True)
        )(variables['params'])
        return moved, gradient

    plain, again = moved_and_gradient(), moved_and_gradient(remat=True)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4 * max(1, np.abs(b).max())),
        again,
        plain,
    )


def backbone(width=8):
    torch = pytest.importorskip('torch')
    network = torch_resnet18(torch.nn, torch, width)
    randomise(torch, network)
    return network.eval()


def start(model):
    """Variables of zeros with a mark in every head, so that what is left alone can be told."""
    found = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes(model))
    found['params'] = {
        key: jax.tree.map(lambda leaf: leaf + 7, value) if 'head' in key else value
        for key, value in found['params'].items()
    }
    return found


def test_a_published_backbone_gives_its_features():
    """ImageNet weights in the wrong place, or in one branch only, would look like a bad start and
    never be noticed.
    """
    network = backbone()
    model = make('dual_branch', attention='off', awm=False)
    begun = start(model)
    params, stats = torch_weights.convert(
        'dual_branch', tensors(network), begun['params'], begun['batch_stats'], source='r.pth'
    )
    assert jax.tree.map(jnp.shape, params) == jax.tree.map(jnp.shape, begun['params'])
    assert jax.tree.map(jnp.shape, stats) == jax.tree.map(jnp.shape, begun['batch_stats'])
    image = images()
    _, out = quickly(lambda v: model.apply(v, image, train=False))(
        {'params': params, 'batch_stats': stats}
    )
    for i, half in enumerate(np.split(image, 2, axis=1)):
        wanted = network.features(to_torch(half)).detach().numpy().transpose(0, 2, 3, 1)
        np.testing.assert_allclose(out['maps'][:, i], wanted, atol=1e-4 * max(1, wanted.max()))


@pytest.mark.parametrize('name', ['dual_branch', 'single_branch'])
def test_a_backbone_leaves_the_rest_at_its_start(tmp_path, name):
    """Every fold and seed has heads of its own: taken from one of them, seeds would say too little
    of chance.
    """
    from safetensors.numpy import save_file

    save_file(
        {key: np.ascontiguousarray(value) for key, value in tensors(backbone()).items()},
        tmp_path / 'r.safetensors',
    )
    begun = start(make(name))
    runs = jax.tree.map(
        lambda leaf: np.stack([leaf, 2 * leaf]), (begun['params'], begun['batch_stats'])
    )
    file = weights_files.WeightsFile(str(tmp_path / 'r.safetensors'))
    params, _ = torch_weights.load_each(name, [file, file], *runs)
    for key in (key for key in params if 'head' in key or key == 'area'):
        jax.tree.map(np.testing.assert_array_equal, params[key], runs[0][key])
    jax.tree.map(
        np.testing.assert_array_equal,
        params['layer4_face' if name == 'single_branch' else 'layer4_eyes']['block0']['attention'],
        runs[0]['layer4_' + REGIONS[name][0]]['block0']['attention'],
    )
    for region in REGIONS[name]:
        assert np.abs(params[f'layer4_{region}']['block1']['conv2']['kernel']).max() > 0


RELEASED = {  # module of the twin -> module of the authors' code
    'stem.conv1': 'base_layers.layers.0',
    'stem.bn1': 'base_layers.layers.1',
    'layer1': 'base_layers.layers.4',
    'layer2': 'base_layers.layers.6',
    **{f'layer3.{region}': f'{region}_branch.layers.0' for region in REGIONS['dual_branch']},
    **{f'layer4.{region}': f'{region}_branch.layers.2' for region in REGIONS['dual_branch']},
    'area.dense1': 'area_weight.0',
    'area.norm1': 'area_weight.1',
    'area.dense2': 'area_weight.4',
    'area.norm2': 'area_weight.5',
}
for region in REGIONS['dual_branch']:
    for number, layer in ((0, 'dense1'), (1, 'norm'), (4, 'dense2')):
        RELEASED[f'heads.{region}.{layer}'] = f'{region}.{number}'
ATTENTION = {
    'channel_weight': 'cweight',
    'channel_bias': 'cbias',
    'pixel_weight': 'sweight',
    'pixel_bias': 'sbias',
    'norm_scale': 'gn.weight',
    'norm_bias': 'gn.bias',
}


def released(tensors):
    """The twin's tensors as the authors' code saves them: its names, attention [1, G, C, 1, 1]."""
    renamed = {}
    for key, value in tensors.items():
        module = next(name for name in RELEASED if key.startswith(f'{name}.'))
        key = RELEASED[module] + key.removeprefix(module)
        if 'attention' in key:
            before, _, leaf = key.partition('attention.')
            key = f'{before}sa.{ATTENTION[leaf]}'
            value = value[None, :, :, None, None] if value.ndim == 2 else value
        renamed[key] = value
    return renamed


def test_files_of_the_released_code_load():
    """Layers are numbers there: one off, and a layer starts from another's weights."""
    reference, variables = twins('dual_branch')
    stored = released(tensors(reference))
    assert stored['eyes_branch.layers.2.1.sa.cweight'].shape == (1, 4, 8, 1, 1)
    begun = start(make('dual_branch'))
    converted = torch_weights.convert(
        'dual_branch', stored, begun['params'], begun['batch_stats'], source='model_best_1.pt'
    )
    jax.tree.map(
        np.testing.assert_array_equal, converted, (variables['params'], variables['batch_stats'])
    )


def test_a_released_file_that_does_not_fit_is_one_short_line(tmp_path):
    """A hundred names of tensors hide which subject's file is wrong."""
    from safetensors.numpy import save_file

    begun = start(make('dual_branch', classes=5))
    runs = jax.tree.map(lambda leaf: leaf[None], (begun['params'], begun['batch_stats']))
    stored = released(tensors(twins('dual_branch')[0]))
    stored = {key: np.ascontiguousarray(value) for key, value in stored.items()}
    save_file(stored, tmp_path / 'three.safetensors')
    del stored['eyes.1.weight']
    narrow = {key: value[:1] for key, value in stored.items() if value.ndim}
    save_file(narrow, tmp_path / 'narrow.safetensors')
    for name, part in (
        ('three', 'eyes.4.bias has shape (3,), needed (5,); and 3 more'),
        ('narrow', 'eyes.1.weight is missing, needed (64,)'),
        ('gone', 'there is no such weights file'),
    ):
        file = weights_files.WeightsFile(str(tmp_path / f'{name}.safetensors'), 'sub07')
        with pytest.raises(UserError) as error:
            torch_weights.load_each('dual_branch', [file], *runs)
        line = str(error.value).replace(str(tmp_path), '')
        assert line.startswith("subject 'sub07': ") and part in line
        assert len(line) < 250 and '\n' not in line


def test_a_backbone_that_does_not_fit_is_told():
    """One line that names the setting, not a hundred shapes; and a network that is deeper is no
    ResNet18.
    """
    given = tensors(backbone())
    begun = start(make('dual_branch', width=16))
    with pytest.raises(UserError) as told:
        torch_weights.convert(
            'dual_branch', given, begun['params'], begun['batch_stats'], source='r.pth'
        )
    assert mentions(
        str(told.value), 'r.pth ... ResNet18 ... 8 ... model.dual_branch.width ... 16 ... 8'
    )
    with pytest.raises(UserError) as told:
        begun = start(make('dual_branch', blocks=1))
        torch_weights.convert(
            'dual_branch', given, begun['params'], begun['batch_stats'], source='r.pth'
        )
    assert mentions(str(told.value), 'r.pth ... ResNet18 ... model.dual_branch.blocks ... 1 ... 2')
    deeper = {**given, 'layer1.2.conv1.weight': given['layer1.1.conv1.weight']}
    begun = start(make('dual_branch'))
    with pytest.raises(UserError, match='is unknown'):
        torch_weights.convert(
            'dual_branch', deeper, begun['params'], begun['batch_stats'], source='r.pth'
        )


def test_only_a_backbone_is_no_leak():
    """Weights of faces would be reported as clean if they were taken for ImageNet's, and the other
    way round.
    """
    given = tensors(backbone())
    assert torch_weights.is_backbone(given)
    # trained further, on whatever
    assert not torch_weights.is_backbone({**given, 'fc.weight': np.zeros((3, 64))})
    assert not torch_weights.is_backbone(
        {key: value for key, value in given.items() if not key.startswith('fc')}
    )
    torch = pytest.importorskip('torch')
    assert not torch_weights.is_backbone(
        tensors(torch_samer(torch.nn, torch)(('face',), classes=3, **NARROW))
    )
