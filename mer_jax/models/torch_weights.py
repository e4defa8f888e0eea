"""Published PyTorch weights into a network: read a file, rename, transpose, check every name and
shape.
"""

import pickle
import re
from pathlib import Path

import jax
import numpy as np

from mer_jax.entries import loaded
from mer_jax.errors import UserError
from mer_jax.models import NETWORKS

_LEAVES = {
    'kernel': 'weight',
    'scale': 'weight',
    'bias': 'bias',
    'mean': 'running_mean',
    'var': 'running_var',
}
# kernels THWIO -> OITHW, HWIO -> OIHW and IO -> OI; nothing else has its axes in another order
_TO_TORCH = {5: (4, 3, 0, 1, 2), 4: (3, 2, 0, 1), 2: (1, 0)}
_TO_FLAX = {5: (2, 3, 4, 1, 0), 4: (2, 3, 1, 0), 2: (1, 0)}


def read(path) -> dict:
    """Tensors of a .safetensors, .pth or .pt file by name, as numpy arrays; a nested state_dict and
    'module.' are unwrapped.

    Only tensors are ever unpickled. Raises UserError for a missing, unreadable or other file, or
    where torch is needed and not installed.
    """
    path = Path(path)
    readers = {'.safetensors': _read_safetensors, '.pth': read_torch, '.pt': read_torch}
    if path.suffix not in readers:
        got = repr(path.suffix) if path.suffix else 'a file without suffix'
        raise UserError(f'{path}: weights come as .safetensors, .pth or .pt, not {got}')
    if not path.is_file():
        raise UserError(f'{path}: there is no such weights file')
    return {
        name.removeprefix('module.'): value for name, value in readers[path.suffix](path).items()
    }


def torch_names(name: str) -> dict:
    """{PyTorch module: flax path} of a weights file for network `name`.

    Where no file was published, the PyTorch names are the flax path with dots: u.conv1, bn1, fc3.
    """
    if not NETWORKS[name].torch_names:
        raise UserError(f"model {name} reads no weights files; allowed: model.init_from ''")
    return loaded(NETWORKS[name].torch_names)


def files(source, titles) -> list:
    """One path a title: '{subject}' in `source` stands for it."""
    return [source.replace('{subject}', title) for title in titles]


def into(name, source, titles, params, batch_stats) -> tuple:
    """(params, batch_stats) with a leading axis, one entry a title, each with the values of its own
    file of `source` by `convert`: what a file does not hold keeps its own start.
    """
    found = {path: read(path) for path in dict.fromkeys(files(source, titles))}
    one = [
        jax.tree.map(lambda leaf, i=i: leaf[i], (params, batch_stats)) for i in range(len(titles))
    ]
    return _stack(
        [
            convert(name, found[path], *start, source=path)
            for path, start in zip(files(source, titles), one, strict=True)
        ]
    )


def start(name, source, titles, states):
    """The stacked `states` of the runs `titles` with published weights, as `into`; as they are
    where `source` is ''.
    """
    if not source:
        return states
    params, batch_stats = into(name, source, titles, states.params, states.batch_stats)
    return states._replace(params=params, batch_stats=batch_stats)


def leak(source) -> str:
    """What one file of weights for every fold may tell of the left-out subjects; '' for a file a
    subject, or ImageNet's.
    """
    if (
        not source
        or '{subject}' in source
        or (Path(source).is_file() and is_backbone(read(source)))
    ):
        return ''
    return (
        'init_from: one file of weights for every fold, which may have been trained on the '
        'left-out subjects'
    )


def is_backbone(tensors: dict) -> bool:
    """Whether these are torchvision's ResNet18 with ImageNet's 1000 classes: weights that saw no
    left-out subject.
    """
    return _is_resnet(tensors) and np.shape(tensors.get('fc.weight'))[:1] == (1000,)


def convert(name: str, tensors: dict, params, batch_stats, *, source) -> tuple:
    """(params, batch_stats) of network `name` with the values of `tensors`; the given ones tell
    names and shapes.

    torchvision's ResNet18 goes into dual_branch and single_branch: its layers 3 and 4 into every
    branch; attention, area weights and heads stay as given, fc is not used. Every missing name,
    unexpected name and differing shape is told in one UserError that names the file `source`.
    """
    given = {
        key: value for key, value in tensors.items() if not key.endswith('num_batches_tracked')
    }
    names = {path: key for key, path in torch_names(name).items()}
    if 'stem/conv1' in names and _is_resnet(given):
        _check_size(name, given, params, source)
        names = _of_resnet(names)
        given = {key: value for key, value in given.items() if not key.startswith('fc.')}
    start = {'params': params, 'batch_stats': batch_stats}
    wanted = _wanted(names, start)
    if wrong := _wrong(given, {key: shape for key, shape, _ in wanted}):
        raise UserError(f'{source} does not fit model {name}: {"; ".join(wrong)}')
    out = {}
    for path, leaf in _leaves(start):
        _put(out, path, leaf)
    for key, _, path in wanted:
        value = np.asarray(given[key])
        _put(
            out,
            path,
            np.array(value.transpose(_order(_TO_FLAX, path, value.ndim)), np.float32, order='C'),
        )
    return out['params'], out.get('batch_stats', {})


def _is_resnet(tensors):
    """Whether the names are torchvision's of a ResNet18, with or without its last layer."""
    wanted = {
        'conv1.weight',
        'layer1.1.conv2.weight',
        'layer4.0.downsample.0.weight',
        'layer4.1.conv2.weight',
    }
    return (
        wanted <= tensors.keys()
        and 'layer1.0.conv3.weight' not in tensors
        and 'layer1.2.conv1.weight' not in tensors
    )


def _of_resnet(names):
    """Flax path -> torchvision's name, of all that a ResNet18 holds: every branch has the same name
    there.
    """
    return {
        path: re.sub(r'^stem\.|(?<=layer\d)\.[a-z]+', '', key)
        for path, key in names.items()
        if key.startswith(('stem', 'layer')) and not key.endswith('attention')
    }


def _check_size(name, given, params, source):
    theirs, own = len(given['conv1.weight']), params['stem']['conv1']['kernel'].shape[-1]
    if theirs != own:
        raise UserError(
            f'{source} holds a ResNet18 of width {theirs}; model.{name}.width is {own}: set it '
            f'to {theirs}'
        )
    if 'block1' not in params['layer1']:
        raise UserError(f'{source} holds a ResNet18; model.{name}.blocks is 1: set it to 2')


def _wrong(given, wanted):
    """What stands between the tensors given and the shapes wanted, both by name."""
    wrong = [
        f'{key} is missing, needed {shape}' for key, shape in wanted.items() if key not in given
    ]
    wrong += [
        f'{key} {np.shape(value)} is unknown' for key, value in given.items() if key not in wanted
    ]
    wrong += [
        f'{key} has shape {np.shape(given[key])}, needed {shape}'
        for key, shape in wanted.items()
        if key in given and np.shape(given[key]) != shape
    ]
    return wrong + [
        f'{key} holds NaN or infinity'
        for key in wanted
        if key in given and not np.all(np.isfinite(given[key]))
    ]


def _wanted(names, variables):
    """(PyTorch key, its shape, path of the leaf) for every leaf whose module is in `names`: flax
    path -> PyTorch module.
    """
    wanted = []
    for path, leaf in _leaves(variables):
        module = names.get('/'.join(path[1:-1]))
        if module is not None:
            shape = tuple(leaf.shape[i] for i in _order(_TO_TORCH, path, leaf.ndim))
            wanted.append((f'{module}.{_LEAVES.get(path[-1], path[-1])}', shape, path))
    return wanted


def _leaves(tree, path=()):
    for key, value in tree.items():
        yield from (
            _leaves(value, (*path, key)) if isinstance(value, dict) else [((*path, key), value)]
        )


def _order(orders, path, ndim):
    """The axes of a leaf in the other framework's order: only kernels differ."""
    return orders[ndim] if path[-1] == 'kernel' else tuple(range(ndim))


def _put(tree, path, value):
    for key in path[:-1]:
        tree = tree.setdefault(key, {})
    tree[path[-1]] = value


def _read_safetensors(path):
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, TypeError, KeyError, AttributeError) as error:
        raise UserError(f'{path} cannot be read as .safetensors: {_line(error)}') from None


def read_torch(path, wrappers=('state_dict', 'model')) -> dict:
    """Tensors of a PyTorch file by name, taken out of dictionaries of these names; UserError as
    `read`.
    """
    try:
        import torch
    except ImportError:
        raise UserError(
            f'{path} needs PyTorch to be read: pip install torch, or convert it to .safetensors'
        ) from None
    try:
        found = torch.load(path, weights_only=True, map_location='cpu')
    except pickle.UnpicklingError:  # what torch says of it is a page of advice on unsafe loading
        raise UserError(
            f'{path} cannot be read as PyTorch weights: it holds more than tensors, or is '
            'another kind of file; '
            'save model.state_dict()'
        ) from None
    except (RuntimeError, OSError, EOFError, ValueError, KeyError) as error:
        raise UserError(f'{path} cannot be read as PyTorch weights: {_line(error)}') from None
    for wrapper in wrappers:
        if isinstance(found, dict) and isinstance(found.get(wrapper), dict):
            found = found[wrapper]
    if not isinstance(found, dict) or not all(_is_dense(torch, *item) for item in found.items()):
        raise UserError(f'{path} holds no dictionary of tensors; save model.state_dict()')
    return {key: value.detach().float().numpy() for key, value in found.items()}


def _is_dense(torch, key, value):
    """Whether a name and a tensor of real numbers that numpy can hold."""
    plain = isinstance(key, str) and isinstance(value, torch.Tensor)
    return (
        plain
        and value.layout == torch.strided
        and value.device.type == 'cpu'
        and not value.is_complex()
    )


def _line(error):
    return str(error).strip().split('\n')[0]


def _stack(each):
    return jax.tree.map(lambda *leaves: np.stack(leaves), *each)
