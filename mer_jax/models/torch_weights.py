"""Published PyTorch weights into a network: read a file, rename, transpose, check every name and shape."""

import pickle
from pathlib import Path

import numpy as np

from mer_jax.errors import UserError

_BLOCK = ('one', 'three_in', 'three', 'five_in', 'five', 'pool')

# PyTorch module -> flax path, per network. ststnet: the authors' released names; alexnet: torchvision's; the others have no
# published file, so the PyTorch names are those of the flax path with dots: u.conv1, v.block2.three_in, bn1, fc3.
NAMES = {
    'alexnet': {
        'features.0': 'conv1', 'features.3': 'conv2', 'features.6': 'conv3', 'features.8': 'conv4', 'features.10': 'conv5',
        'classifier.1': 'fc1', 'classifier.4': 'fc2', 'classifier.6': 'fc3',
    },
    'dual_inception': {
        **{f'{s}.block{i}.{name}': f'{s}/block{i}/{name}' for s in 'uv' for i in (1, 2) for name in _BLOCK},
        'fc1': 'fc1', 'fc2': 'fc2',
    },
    'ocnet': {
        'conv1': 'conv1', 'bn1': 'bn1', 'conv2': 'conv2', 'bn2': 'bn2', 'conv3': 'conv3', 'conv4': 'conv4', 'conv5': 'conv5',
        'fc1': 'fc1', 'fc2': 'fc2', 'fc3': 'fc3',
    },
    'offapexnet': {
        'u.conv1': 'u/conv1', 'u.conv2': 'u/conv2', 'v.conv1': 'v/conv1', 'v.conv2': 'v/conv2',
        'fc1': 'fc1', 'fc2': 'fc2', 'fc3': 'fc3',
    },
    'ststnet': {
        'conv1': 'conv1', 'conv2': 'conv2', 'conv3': 'conv3', 'bn1': 'bn1', 'bn2': 'bn2', 'bn3': 'bn3', 'fc': 'fc',
    },
    'vggm': {
        'conv1': 'conv1', 'conv2': 'conv2', 'conv3': 'conv3', 'conv4': 'conv4', 'conv5': 'conv5',
        'fc1': 'fc1', 'fc2': 'fc2', 'fc3': 'fc3',
    },
}
_LEAVES = {'kernel': 'weight', 'scale': 'weight', 'bias': 'bias', 'mean': 'running_mean', 'var': 'running_var'}
_TO_TORCH = {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}  # kernels HWIO -> OIHW and IO -> OI
_TO_FLAX = {4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}


def read(path) -> dict:
    """Tensors of a .safetensors, .pth or .pt file by name, as numpy arrays; a nested state_dict and 'module.' are unwrapped.

    Only tensors are ever unpickled. Raises UserError for a missing, unreadable or other file, or where torch is needed
    and not installed.
    """
    path = Path(path)
    readers = {'.safetensors': _read_safetensors, '.pth': read_torch, '.pt': read_torch}
    if path.suffix not in readers:
        got = repr(path.suffix) if path.suffix else 'a file without suffix'
        raise UserError(f'{path}: weights come as .safetensors, .pth or .pt, not {got}')
    if not path.is_file():
        raise UserError(f'{path}: there is no such weights file')
    return {name.removeprefix('module.'): value for name, value in readers[path.suffix](path).items()}


def convert(name: str, tensors: dict, params, batch_stats, *, source) -> tuple:
    """(params, batch_stats) of network `name` with the values of `tensors`; the given ones tell names and shapes.

    Every missing name, unexpected name and differing shape is told in one UserError that names the file `source`.
    """
    wanted = _wanted(NAMES[name], {'params': params, 'batch_stats': batch_stats})
    given = {key: value for key, value in tensors.items() if not key.endswith('num_batches_tracked')}
    wrong = [f'{key} is missing, needed {shape}' for key, (shape, _) in wanted.items() if key not in given]
    wrong += [f'{key} {np.shape(value)} is unknown' for key, value in given.items() if key not in wanted]
    wrong += [f'{key} has shape {np.shape(given[key])}, needed {shape}'
              for key, (shape, _) in wanted.items() if key in given and np.shape(given[key]) != shape]
    wrong += [f'{key} holds NaN or infinity' for key in wanted.keys() & given.keys() if not np.all(np.isfinite(given[key]))]
    if wrong:
        raise UserError(f'{source} does not fit model {name}: {"; ".join(wrong)}')
    out = {'params': {}, 'batch_stats': {}}
    for key, (_, path) in wanted.items():
        value = np.asarray(given[key])
        _put(out, path, np.array(value.transpose(_TO_FLAX[value.ndim]), np.float32, order='C'))
    return out['params'], out['batch_stats']


def _wanted(names, variables):
    """PyTorch key -> (its shape, path of the leaf in variables)."""
    modules = {path: name for name, path in names.items()}
    wanted = {}
    for path, leaf in _leaves(variables):
        shape = tuple(leaf.shape[i] for i in _TO_TORCH[leaf.ndim])
        wanted[f'{modules["/".join(path[1:-1])]}.{_LEAVES[path[-1]]}'] = shape, path
    return wanted


def _leaves(tree, path=()):
    for key, value in tree.items():
        yield from _leaves(value, (*path, key)) if isinstance(value, dict) else [((*path, key), value)]


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
    """Tensors of a PyTorch file by name, taken out of dictionaries of these names; UserError as `read`."""
    try:
        import torch
    except ImportError:
        raise UserError(f'{path} needs PyTorch to be read: pip install torch, or convert it to .safetensors') from None
    try:
        found = torch.load(path, weights_only=True, map_location='cpu')
    except pickle.UnpicklingError:  # what torch says of it is a page of advice on unsafe loading
        raise UserError(f'{path} cannot be read as PyTorch weights: it holds more than tensors, or is another kind of file; '
                        'save model.state_dict()') from None
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
    return plain and value.layout == torch.strided and value.device.type == 'cpu' and not value.is_complex()


def _line(error):
    return str(error).strip().split('\n')[0]
