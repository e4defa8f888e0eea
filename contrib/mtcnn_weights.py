"""Convert the weights of PyPI's package mtcnn (licence MIT) for --config.data.detector.

    pip install --no-deps mtcnn && pip install joblib lz4
    python -m contrib.mtcnn_weights mtcnn.safetensors

Neither TensorFlow nor the code of the package is run. Its files are pickles, which can hold any
code, so that only lists of arrays are read. The written file is yours, and under the licence of the
package; it belongs in no repository.
"""

import argparse
import importlib.util
import os
import sys
from pathlib import Path

import numpy as np

from mer_jax.errors import UserError
from mer_jax.preprocess import mtcnn, weights
from mer_jax.preprocess.weights import Tensors

# all that a list of arrays in a file of joblib needs
ALLOWED = {
    ('joblib.numpy_pickle', 'NumpyArrayWrapper'),
    ('numpy', 'dtype'),
    ('numpy', 'ndarray'),
}
LICENCE = 'MIT, Copyright (c) 2019-2024 Iván de Paz Centeno, https://github.com/ipazc/mtcnn'


def package_folder() -> Path:
    """Return the folder of the installed package mtcnn, which is not imported.

    Raises:
        UserError: it is not installed.
    """
    spec = importlib.util.find_spec('mtcnn')
    if spec is None or not spec.submodule_search_locations:
        raise UserError('mtcnn is not installed; pip install --no-deps mtcnn')
    return Path(spec.submodule_search_locations[0])


def arrays(path: str | os.PathLike) -> list[np.ndarray]:
    """Read the list of arrays of a file that joblib compressed with lz4.

    Raises:
        UserError: it cannot be read, or holds anything else.
    """
    try:
        import lz4.frame
        from joblib.numpy_pickle import NumpyUnpickler
    except ImportError as error:
        raise UserError(f'{error.name} is not installed; pip install joblib lz4') from None

    class OnlyArrays(NumpyUnpickler):
        def find_class(self, module, name):
            if (module, name) not in ALLOWED:
                raise UserError(f'{path} holds {module}.{name}; allowed: arrays alone')
            return super().find_class(module, name)

    try:
        with lz4.frame.open(path) as file:
            value = OnlyArrays(str(path), file, ensure_native_byte_order=True).load()
    except UserError:
        raise
    except Exception as error:  # pickle raises anything on damaged bytes
        raise UserError(f'{path} cannot be read: {str(error) or type(error).__name__}') from None
    if not isinstance(value, list) or not all(isinstance(each, np.ndarray) for each in value):
        raise UserError(f'{path} holds {type(value).__name__}; allowed: a list of arrays')
    return value


def converted(folder: str | os.PathLike) -> Tensors:
    """Return the weights of a package by the names of `mtcnn.weight_shapes`.

    Args:
        folder: of the package.

    Raises:
        UserError: the files are missing, damaged or of other networks.
    """
    shapes, tensors = mtcnn.weight_shapes(), {}
    for network in mtcnn.LAYERS:
        path = Path(folder, 'assets', 'weights', f'{network}.lz4')
        names = [name for name in shapes if name.startswith(f'{network}/')]
        values = arrays(path)
        if len(values) != len(names):
            raise UserError(f'{path} holds {len(values)} arrays; allowed: {len(names)}')
        for name, value in zip(names, values, strict=True):
            # slopes of a convolution are stored as [1, 1, channels]
            tensors[name] = value.reshape(-1) if name.endswith('slope') else value
    weights.check(tensors, shapes, source=folder, network='MTCNN')
    return {name: np.ascontiguousarray(value, np.float32) for name, value in tensors.items()}


def main(arguments: list[str]) -> int:
    """Write the weights of the installed package.

    Returns:
        The exit status: 0, or 2 after a line that says what is wrong.
    """
    flags = argparse.ArgumentParser('python -m contrib.mtcnn_weights', description=__doc__)
    flags.formatter_class = argparse.RawDescriptionHelpFormatter
    flags.add_argument('file', help='what is written, FILE.safetensors')
    path = Path(flags.parse_args(arguments).file)
    try:
        if path.suffix != '.safetensors':
            raise UserError(f'{path}: allowed: FILE.safetensors')
        from safetensors.numpy import save_file

        save_file(converted(package_folder()), path, metadata={'licence': LICENCE})
    except (UserError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    print(f'{path}: for --config.data.detector; licence {LICENCE}')
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
