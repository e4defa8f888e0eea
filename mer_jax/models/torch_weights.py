"""Published PyTorch weights into a network: read, rename, transpose, check names and shapes."""

import functools
import math
import os
import pickle
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import jax
import numpy as np

from mer_jax import bounded
from mer_jax.entries import loaded
from mer_jax.errors import UserError
from mer_jax.models import NETWORKS, weights_files
from mer_jax.models.weights_files import WeightsFile
from mer_jax.types import Array, FoldState

# what a damaged file raises beside the exceptions of its library
UNREADABLE = (OSError, TypeError, KeyError, AttributeError, ValueError, MemoryError)
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

MOST_BYTES = 270_000_000  # of a file of unknown weights: AlexNet of ImageNet has 244 million
BACKBONE_BYTES = 60_000_000  # ResNet18 of ImageNet has 47 million
BESIDE_NETWORK = 50_000_000  # bytes of a file beside those of the network: layers that it lacks

Tensors = dict[str, np.ndarray]  # by the names of a file
Tree = Mapping[str, 'Tree | Array']  # parameters or batch statistics, as flax nests them


def read(path: str | Path, most: int = MOST_BYTES) -> Tensors:
    """Tensors of a .safetensors, .pth or .pt file by name.

    A nested state_dict and 'module.' are unwrapped. Only tensors are ever unpickled.

    Args:
        path: of the file.
        most: bytes that the file and its tensors may have.

    Raises:
        UserError: a missing, unreadable or other file, or torch is needed and not installed.
    """
    path = Path(path)
    if path.suffix not in ('.safetensors', '.pth', '.pt'):
        suffix = repr(path.suffix) if path.suffix else 'a file without suffix'
        raise UserError(f'{path}: weights come as .safetensors, .pth or .pt, not {suffix}')
    if not path.is_file():
        raise UserError(f'{path}: there is no such weights file')
    if path.suffix == '.safetensors':
        tensors = _read_safetensors(path, most)
    else:
        tensors = read_torch(path, most=most)
    return {name.removeprefix('module.'): value for name, value in tensors.items()}


def torch_names(name: str) -> dict[str, str]:
    """{PyTorch module: flax path} of a weights file for network `name`.

    Where no file was published, the PyTorch names are the flax path with dots: u.conv1, bn1, fc3.
    """
    if not NETWORKS[name].torch_names:
        raise UserError(f"model {name} reads no weights files; allowed: model.init_from ''")
    return loaded(NETWORKS[name].torch_names)


def load_each(
    name: str, files: Sequence[WeightsFile], params: Tree, batch_stats: Tree
) -> tuple[Tree, Tree]:
    """Stacked parameters with the published weights of each run.

    What a file does not hold keeps the run's start.

    Args:
        name: of the network.
        files: of the runs.
        params, batch_stats: of the runs, stacked.

    Returns:
        (params, batch_stats), stacked.

    Raises:
        UserError: as `read` and `convert`; names the subject of the file.
    """
    # one file at a time: those of all folds together are as large as the states
    read_once = functools.lru_cache(maxsize=1)(read)
    most = _bytes((params, batch_stats)) // max(len(files), 1) + BESIDE_NETWORK
    converted = []
    for i, file in enumerate(files):
        start = jax.tree.map(lambda leaf, i=i: leaf[i], (params, batch_stats))
        with _naming_subject(file):
            converted.append(convert(name, read_once(file.path, most), *start, source=file.path))
    return jax.tree.map(lambda *leaves: np.stack(leaves), *converted)


def initialise(name: str, files: Sequence[WeightsFile], states: FoldState) -> FoldState:
    """Stacked states with the weights of each run's file, as load_each."""
    params, batch_stats = load_each(name, files, states.params, states.batch_stats)
    return states._replace(params=params, batch_stats=batch_stats)


def check(name: str, files: Sequence[WeightsFile], params: Tree, batch_stats: Tree) -> None:
    """Check that every file can be read and fits a network.

    Args:
        name: of the network.
        files: of the runs.
        params, batch_stats: of one run, or their shapes.

    Raises:
        UserError: as load_each.
    """
    most = _bytes((params, batch_stats)) + BESIDE_NETWORK
    for file in dict.fromkeys(files):
        with _naming_subject(file):
            convert(name, read(file.path, most), params, batch_stats, source=file.path)


def _bytes(variables):
    """Bytes of the leaves of a tree, or of their shapes."""
    return sum(4 * math.prod(leaf.shape) for leaf in jax.tree.leaves(variables))


@contextmanager
def _naming_subject(file: WeightsFile) -> Iterator[None]:
    """Put the left-out subject before the mistake of its file."""
    try:
        yield
    except UserError as error:
        if not file.subject:
            raise
        raise UserError(f'subject {file.subject!r}: {error}') from None


def leak(source: str) -> str:
    """What weights to start from may carry of the left-out subjects.

    Returns:
        '' without weights, for a file per subject (but that of an epoch chosen by the subject), and
        for ImageNet's.
    """
    if not source or weights_files.placeholder(source):
        return weights_files.leak(source)
    small = Path(source).is_file() and os.path.getsize(source) <= BACKBONE_BYTES
    if small and is_backbone(read(source)):
        return ''
    return (
        'init_from: one file of weights for every fold, which may have been trained on the '
        'left-out subjects'
    )


def is_backbone(tensors: Tensors) -> bool:
    """Whether these are torchvision's ResNet18 with ImageNet's 1000 classes.

    Such weights saw no left-out subject.
    """
    return _is_resnet(tensors) and np.shape(tensors.get('fc.weight'))[:1] == (1000,)


def convert(
    name: str, tensors: Tensors, params: Tree, batch_stats: Tree, *, source: str | Path
) -> tuple[Tree, Tree]:
    """Parameters and batch statistics of a network with the values of a file.

    torchvision's ResNet18 goes into dual_branch and single_branch: its layers 3 and 4 into every
    branch; attention, area weights and heads stay as given, fc is not used. A file of the authors'
    own code may name modules otherwise (`released` of the network's entry).

    Args:
        name: of the network.
        tensors: of the file.
        params, batch_stats: of the network; they give names and shapes.
        source: of the tensors, for messages.

    Returns:
        (params, batch_stats).

    Raises:
        UserError: gives the first missing name, the first unknown one and the first other shape.
    """
    tensors = {
        key: value for key, value in tensors.items() if not key.endswith('num_batches_tracked')
    }
    names, leaves = _names_in(name, tensors)
    tensors = {key: _without_ones(value) for key, value in tensors.items()}
    if 'stem/conv1' in names and _is_resnet(tensors):
        _check_size(name, tensors, params, source)
        names = _of_resnet(names)
        tensors = {key: value for key, value in tensors.items() if not key.startswith('fc.')}
    start = {'params': params, 'batch_stats': batch_stats}
    expected = _expected(names, leaves, start)
    errors = _errors(tensors, {key: shape for key, shape, _ in expected})
    if any(errors):
        raise UserError(f'{source} does not fit model {name}: {_shortened(errors)}')
    out = {}
    for path, leaf in _leaves(start):
        _put(out, path, leaf)
    for key, _, path in expected:
        value = np.asarray(tensors[key])
        value = value.transpose(_order(_TO_FLAX, path, value.ndim))
        _put(out, path, np.array(value, np.float32, order='C'))
    return out['params'], out.get('batch_stats', {})


def _names_in(name, tensors):
    """({flax path: PyTorch module}, {flax leaf: PyTorch leaf}) of a network, as a file has them."""
    modules, leaves = torch_names(name), _LEAVES
    if NETWORKS[name].released:
        released = loaded(NETWORKS[name].released)
        if f'{next(iter(released.modules))}.weight' in tensors:
            modules, leaves = released.modules, _LEAVES | released.leaves
    return {path: key for key, path in modules.items()}, leaves


def _without_ones(value):
    """Remove the axes of length 1 of a scale or shift; other tensors stay as they are.

    Released attention stores [1, G, C, 1, 1], the channel norm of HTNet [1, C, 1, 1]. No kernel of
    a network here has one output and a single pixel.
    """
    value = np.asarray(value)
    has_ones = value.ndim in (4, 5) and value.shape[0] == 1 and value.shape[-2:] == (1, 1)
    return value.reshape(value.shape[1:-2]) if has_ones else value


def _is_resnet(tensors):
    """Whether the names are torchvision's of a ResNet18, with or without its last layer."""
    needed = {
        'conv1.weight',
        'layer1.1.conv2.weight',
        'layer4.0.downsample.0.weight',
        'layer4.1.conv2.weight',
    }
    of_larger = {'layer1.0.conv3.weight', 'layer1.2.conv1.weight'}
    return needed <= tensors.keys() and not of_larger & tensors.keys()


def _of_resnet(names):
    """Flax path -> torchvision's name, of all that a ResNet18 holds.

    Every branch has the same name there.
    """
    return {
        path: re.sub(r'^stem\.|(?<=layer\d)\.[a-z]+', '', key)
        for path, key in names.items()
        if key.startswith(('stem', 'layer')) and not key.endswith('attention')
    }


def _check_size(name, tensors, params, source):
    stored = len(tensors['conv1.weight'])
    width = params['stem']['conv1']['kernel'].shape[-1]
    if stored != width:
        raise UserError(
            f'{source} holds a ResNet18 of width {stored}; model.{name}.width is {width}: set it '
            f'to {stored}'
        )
    if 'block1' not in params['layer1']:
        raise UserError(f'{source} holds a ResNet18; model.{name}.blocks is 1: set it to 2')


def _errors(tensors, shapes):
    """What stands between tensors and the shapes expected, both by name: a list for each kind."""
    missing, reshaped, broken = [], [], []
    for key, shape in shapes.items():
        if key not in tensors:
            missing.append(f'{key} is missing, needed {shape}')
            continue
        if np.shape(tensors[key]) != shape:
            reshaped.append(f'{key} has shape {np.shape(tensors[key])}, needed {shape}')
        if not np.all(np.isfinite(tensors[key])):
            broken.append(f'{key} holds NaN or infinity')
    unknown = [
        f'{key} {np.shape(value)} is unknown' for key, value in tensors.items() if key not in shapes
    ]
    return missing, unknown, reshaped, broken


def _shortened(errors):
    """The first error of each kind, and how many more there are."""
    texts = [of_kind[0] for of_kind in errors if of_kind]
    more = sum(map(len, errors)) - len(texts)
    if more:
        texts.append(f'and {more} more')
    return '; '.join(texts)


def _expected(names, leaves, variables):
    """(PyTorch key, its shape, path of the leaf) for every leaf whose module is in `names`.

    names: flax path -> PyTorch module; leaves: flax leaf -> PyTorch leaf.
    """
    expected = []
    for path, leaf in _leaves(variables):
        module = names.get('/'.join(path[1:-1]))
        if module is not None:
            shape = tuple(leaf.shape[axis] for axis in _order(_TO_TORCH, path, leaf.ndim))
            expected.append((f'{module}.{leaves.get(path[-1], path[-1])}', shape, path))
    return expected


def _leaves(tree, path=()):
    """(path, leaf) of a tree of dictionaries, in order."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value


def _order(orders, path, ndim):
    """The axes of a leaf in the other framework's order: only kernels differ."""
    return orders[ndim] if path[-1] == 'kernel' else tuple(range(ndim))


def _put(tree, path, value):
    for key in path[:-1]:
        tree = tree.setdefault(key, {})
    tree[path[-1]] = value


def _read_safetensors(path, most):
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        bounded.check_size(path, most)
        return load_file(path)
    except (SafetensorError, *UNREADABLE) as error:
        raise UserError(f'{path} cannot be read as .safetensors: {_line(error)}') from None


def read_torch(
    path: Path, wrappers: Sequence[str] = ('state_dict', 'model'), *, most: int = MOST_BYTES
) -> Tensors:
    """Tensors of a PyTorch file by name.

    Args:
        path: of the file.
        wrappers: names of dictionaries that they are taken out of.
        most: bytes that the tensors may have.

    Raises:
        UserError: as `read`.
    """
    try:
        bounded.check_size(path, most)
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                bounded.check_archive(archive, most)
    except (ValueError, OSError, zipfile.BadZipFile) as error:
        raise UserError(f'{path} cannot be read as PyTorch weights: {_line(error)}') from None
    try:
        import torch
    except ImportError:
        raise UserError(
            f'{path} needs PyTorch to be read: pip install torch, or convert it to .safetensors'
        ) from None
    try:
        tensors = torch.load(path, weights_only=True, map_location='cpu')
    except pickle.UnpicklingError:  # torch's message is a page of advice on unsafe loading
        raise UserError(
            f'{path} cannot be read as PyTorch weights: it holds more than tensors, or is '
            'another kind of file; '
            'save model.state_dict()'
        ) from None
    except Exception as error:  # a damaged pickle raises anything, from IndexError to TarError
        raise UserError(f'{path} cannot be read as PyTorch weights: {_line(error)}') from None
    for wrapper in wrappers:
        if isinstance(tensors, dict) and isinstance(tensors.get(wrapper), dict):
            tensors = tensors[wrapper]
    if not isinstance(tensors, dict) or not all(
        _is_dense(torch, *item) for item in tensors.items()
    ):
        raise UserError(f'{path} holds no dictionary of tensors; save model.state_dict()')
    needed = 4 * sum(value.numel() for value in tensors.values())
    if needed > most:  # a tensor that repeats one number is small in its file
        raise UserError(
            f'{path} announces tensors of {bounded.in_words(needed)}; allowed: up to '
            f'{bounded.in_words(most)}'
        )
    return {key: value.detach().float().numpy() for key, value in tensors.items()}


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
