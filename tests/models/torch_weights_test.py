"""PyTorch weight files: what is read, how names map, and what a file that does not fit is told."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from mer_jax import models
from mer_jax.errors import UserError
from mer_jax.models import torch_weights
from tests.support.messages import mentions
from tests.support.torch_samer import torch_resnet18

TENSORS = {
    'conv1.weight': np.arange(6, dtype=np.float32).reshape(2, 3),
    'conv1.bias': np.ones(2, np.float32),
}
STSTNET = {  # the released PyTorch code, three classes
    **{f'conv{i}.weight': (width, 3, 3, 3) for i, width in ((1, 3), (2, 5), (3, 8))},
    **{f'conv{i}.bias': (width,) for i, width in ((1, 3), (2, 5), (3, 8))},
    **{
        f'bn{i}.{leaf}': (width,)
        for i, width in ((1, 3), (2, 5), (3, 8))
        for leaf in ('weight', 'bias', 'running_mean', 'running_var')
    },
    **{f'bn{i}.num_batches_tracked': () for i in (1, 2, 3)},
    'fc.weight': (3, 400),
    'fc.bias': (3,),
}


def ststnet(classes=3, channels=3):
    model = models.make('ststnet', classes=classes, lowering='matmul')
    return jax.eval_shape(
        lambda: model.init(jax.random.key(0), jnp.zeros((1, 28, 28, channels)), train=False)
    )


def released():
    draw = np.random.default_rng(0)
    return {key: draw.standard_normal(shape).astype(np.float32) for key, shape in STSTNET.items()}


def told(function, *args, **keywords):
    with pytest.raises(UserError) as error:
        function(*args, **keywords)
    assert '\n' not in str(error.value)
    return str(error.value)


def test_safetensors_are_read(tmp_path):
    """The format without torch: what a machine without PyTorch relies on."""
    save_file(
        {f'module.{key}': value for key, value in TENSORS.items()}, tmp_path / 'w.safetensors'
    )
    got = torch_weights.read(tmp_path / 'w.safetensors')
    assert got.keys() == TENSORS.keys()
    jax.tree.map(np.testing.assert_array_equal, got, TENSORS)


@pytest.mark.parametrize('suffix', ['.pth', '.pt'])
@pytest.mark.parametrize(
    'wrap', [lambda t: t, lambda t: {'state_dict': t, 'epoch': 3}, lambda t: {'model': t}]
)
def test_torch_files_are_read(tmp_path, wrap, suffix):
    """Published checkpoints come bare, nested and from DataParallel."""
    torch = pytest.importorskip('torch')
    torch.save(
        wrap({f'module.{key}': torch.from_numpy(value) for key, value in TENSORS.items()}),
        tmp_path / f'w{suffix}',
    )
    got = torch_weights.read(str(tmp_path / f'w{suffix}'))
    jax.tree.map(np.testing.assert_array_equal, got, TENSORS)


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    """Each mistake with a file is one line that names it, never a traceback."""
    for name in ('broken.safetensors', 'broken.pth', 'weights.h5', 'weights'):
        (tmp_path / name).write_bytes(b'not weights at all')
    assert 'gone.pth' in told(torch_weights.read, tmp_path / 'gone.pth')
    assert 'broken.safetensors' in told(torch_weights.read, tmp_path / 'broken.safetensors')
    assert "not '.h5'" in told(torch_weights.read, tmp_path / 'weights.h5')
    assert 'not a file without suffix' in told(torch_weights.read, tmp_path / 'weights')


def test_a_torch_file_that_cannot_be_read_is_told(tmp_path):
    """A pickle that is no state_dict, or would run code, must not be unpickled."""
    torch = pytest.importorskip('torch')
    (tmp_path / 'broken.pth').write_bytes(b'not weights at all')
    torch.save([1, 2], tmp_path / 'list.pth')
    torch.save(torch.nn.Linear(2, 2), tmp_path / 'module.pth')
    assert 'broken.pth' in told(torch_weights.read, tmp_path / 'broken.pth')
    assert 'module.pth' in told(torch_weights.read, tmp_path / 'module.pth')
    line = told(torch_weights.read, tmp_path / 'list.pth')
    assert 'list.pth' in line and 'state_dict()' in line


def test_missing_torch_is_told(tmp_path, monkeypatch):
    """PyTorch is no requirement: who has only a .pth learns what to do."""
    monkeypatch.setitem(sys.modules, 'torch', None)
    (tmp_path / 'w.pth').write_bytes(b'')
    line = told(torch_weights.read, tmp_path / 'w.pth')
    assert 'pip install torch' in line and '.safetensors' in line


def test_published_ststnet_names_map_exactly():
    """The authors' files must load as they are: names, orientation, statistics."""
    variables, tensors = ststnet(), released()
    params, stats = torch_weights.convert(
        'ststnet', tensors, variables['params'], variables['batch_stats'], source='x.pth'
    )
    assert jax.tree.structure(params) == jax.tree.structure(variables['params'])
    assert jax.tree.structure(stats) == jax.tree.structure(variables['batch_stats'])
    np.testing.assert_array_equal(
        params['conv2']['kernel'][0, 2, 1], tensors['conv2.weight'][:, 1, 0, 2]
    )
    np.testing.assert_array_equal(params['fc']['kernel'], tensors['fc.weight'].T)
    np.testing.assert_array_equal(params['bn3']['scale'], tensors['bn3.weight'])
    np.testing.assert_array_equal(stats['bn1']['var'], tensors['bn1.running_var'])
    assert all(leaf.dtype == np.float32 for leaf in jax.tree.leaves((params, stats)))


def test_what_does_not_fit_is_one_line():
    """Names and shapes that differ: file, key, got and needed of the first of each kind."""
    variables, tensors = ststnet(classes=4, channels=2), released()
    del tensors['bn2.running_mean']
    tensors['extra.weight'] = np.zeros((1, 2), np.float32)
    line = told(
        torch_weights.convert,
        'ststnet',
        tensors,
        variables['params'],
        variables['batch_stats'],
        source='x.pth',
    )
    for part in (
        'x.pth ... ststnet',
        'bn2.running_mean ... missing ... (5,)',
        'extra.weight ... (1, 2)',
        'conv1.weight ... (3, 3, 3, 3) ... (3, 2, 3, 3)',
        'and 4 more',
    ):
        assert mentions(line, part), line


def test_a_backbone_with_another_stem_is_told():
    """ImageNet's 7x7/2 stem looks at colours: put into a 3x3 one for flow it would be no start at
    all, and fail with a trace.
    """
    torch = pytest.importorskip('torch')
    tensors = {
        key: value.numpy() for key, value in torch_resnet18(torch.nn, torch, 8).state_dict().items()
    }
    model = models.make('hybrid_cnn', classes=4, lowering='matmul', width=8)
    variables = jax.eval_shape(
        lambda: model.init(jax.random.key(0), jnp.zeros((1, 16, 16, 9)), train=False)
    )
    line = told(
        torch_weights.convert,
        'hybrid_cnn',
        tensors,
        variables['params'],
        variables['batch_stats'],
        source='r.pth',
    )
    assert mentions(line, 'r.pth ... hybrid_cnn ... conv1.weight ... (8, 3, 7, 7) ... (8, 9, 3, 3)')


READING = [name for name, entry in sorted(models.NETWORKS.items()) if entry.torch_names]


@pytest.mark.parametrize('name', READING)
def test_every_module_of_a_network_has_one_torch_name(name):
    """A module without a name could not be loaded; two names for one would lose a tensor."""
    shape = (75, 75, 2) if name in ('alexnet', 'vggm', 'ocnet') else (28, 28, 2)
    shape = (17, 32, 32, 1) if name in ('cnn3d', 'microexpstcnn') else shape
    model = models.make(name, classes=3, lowering='matmul')
    variables = jax.eval_shape(
        lambda: model.init(jax.random.key(0), jnp.zeros((1, *shape)), train=False)
    )
    paths = {
        '/'.join(key.key for key in path[:-1])
        for path, _ in jax.tree.leaves_with_path(variables['params'])
    }
    assert sorted(torch_weights.torch_names(name).values()) == sorted(paths)
