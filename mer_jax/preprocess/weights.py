"""Weights of networks that run here without jax, from .safetensors files."""

import functools
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mer_jax import bounded
from mer_jax.errors import UserError

Tensors = dict[str, np.ndarray]  # weights by name


def of_file(
    path: str | os.PathLike,
    check_tensors: Callable[[Tensors, Path], None],
    *,
    most_bytes: int,
    missing: str,
) -> Tensors:
    """Weights of a .safetensors file by name, float32.

    They stay in memory while the file is unchanged: a data set asks for them at every clip.

    Args:
        path: of the file.
        check_tensors: (tensors, path of the file) -> None, or UserError where they do not fit; a
            function of a module, the same at each call.
        most_bytes: a larger file is refused unread.
        missing: what is not there and how to get it, for the message.

    Raises:
        UserError: the file is missing, unreadable or of another network.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f'{path}: there is no such {missing}')
    stat = os.stat(path)
    return _checked(path, stat.st_mtime_ns, stat.st_size, check_tensors, most_bytes)


@functools.lru_cache(maxsize=4)
def _checked(path, changed, size, check_tensors, most_bytes):
    """Read and check weights anew where the file has changed."""
    tensors = read(path, most_bytes)
    check_tensors(tensors, path)
    return {name: np.asarray(value, np.float32) for name, value in tensors.items()}


def read(path: str | os.PathLike, most_bytes: int) -> Tensors:
    """Read the tensors of a .safetensors file, by name.

    Args:
        path: of the file.
        most_bytes: a larger file is refused unread.

    Raises:
        UserError: the file cannot be read.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        bounded.check_size(path, most_bytes)
        return load_file(path)
    except (SafetensorError, OSError, TypeError, KeyError, AttributeError, ValueError) as error:
        raise UserError(
            f'{path} cannot be read as .safetensors: {str(error).splitlines()[0]}'
        ) from None


def check(
    tensors: Tensors,
    shapes: dict[str, tuple[int, ...]],
    *,
    source: str | os.PathLike,
    network: str,
) -> None:
    """Check names, shapes and values of the weights of a file.

    Raises:
        UserError: other names or shapes than `shapes`, NaN or infinity; names `source` and the
            first layer that differs.
    """
    missing, reshaped, broken = [], [], []
    for name, shape in shapes.items():
        if name not in tensors:
            missing.append(f'layer {name} is missing, needed {list(shape)}')
            continue
        if np.shape(tensors[name]) != tuple(shape):
            actual = list(np.shape(tensors[name]))
            reshaped.append(f'layer {name} has shape {actual}, needed {list(shape)}')
        if not np.all(np.isfinite(tensors[name])):
            broken.append(f'layer {name} holds NaN or infinity')
    unknown = [
        f'layer {name} {list(np.shape(value))} is unknown'
        for name, value in tensors.items()
        if name not in shapes
    ]
    errors = missing + unknown + reshaped + broken
    if errors:
        more = f' (and {len(errors) - 1} more differences)' if len(errors) > 1 else ''
        raise UserError(f'{source} does not fit {network}: {errors[0]}{more}')
