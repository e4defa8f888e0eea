"""mer_jax: micro-expression recognition in JAX, every fold of an experiment in one compiled
program.

The names of the Python API are loaded on use: `import mer_jax as mj` loads neither jax nor numpy.
The examples of their descriptions begin with these lines:

    >>> import mer_jax as mj
    >>> import numpy as np
    >>> x = np.random.default_rng(0).random((24, 8, 8, 2))
    >>> y = np.arange(24) % 3
    >>> subject = np.repeat(['anna', 'ben', 'cleo', 'dora'], 6)
"""

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mer_jax import folds as folds
    from mer_jax import models as models
    from mer_jax.api import audit as audit
    from mer_jax.api import compare as compare
    from mer_jax.api import config as config
    from mer_jax.api import evaluate as evaluate
    from mer_jax.api import score as score
    from mer_jax.api import train as train
    from mer_jax.api import train_config as train_config
    from mer_jax.data.arrays import dataset as dataset
    from mer_jax.data.arrays import load as load
    from mer_jax.data.arrays import unit_dataset as unit_dataset
    from mer_jax.data.drawn import draw as draw
    from mer_jax.folds.splits import loso as loso
    from mer_jax.foreign.preparation import Preparation as Preparation
    from mer_jax.prediction.pack import load_pack as load_pack
    from mer_jax.prediction.predict import predict as predict
    from mer_jax.training.modules import supervised as supervised

_MODULES = {
    'load': 'mer_jax.data.arrays',
    'dataset': 'mer_jax.data.arrays',
    'unit_dataset': 'mer_jax.data.arrays',
    'draw': 'mer_jax.data.drawn',
    'loso': 'mer_jax.folds.splits',
    'supervised': 'mer_jax.training.modules',
    'train': 'mer_jax.api',
    'train_config': 'mer_jax.api',
    'evaluate': 'mer_jax.api',
    'audit': 'mer_jax.api',
    'Preparation': 'mer_jax.foreign.preparation',
    'predict': 'mer_jax.prediction.predict',
    'load_pack': 'mer_jax.prediction.pack',
    'score': 'mer_jax.api',
    'compare': 'mer_jax.api',
    'config': 'mer_jax.api',
}
_PACKAGES = ('folds', 'models')
__all__ = [  # noqa: F822, loaded on use
    'load',
    'dataset',
    'unit_dataset',
    'draw',
    'loso',
    'folds',
    'models',
    'supervised',
    'train',
    'train_config',
    'evaluate',
    'Preparation',
    'audit',
    'predict',
    'load_pack',
    'score',
    'compare',
    'config',
]


def __getattr__(name: str) -> Any:
    """A name of the Python API, loaded on use."""
    if name in _PACKAGES:
        return importlib.import_module(f'mer_jax.{name}')
    if name not in _MODULES:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    quiet = importlib.import_module('mer_jax.quiet')  # before jax
    module = sys.modules.get(_MODULES[name])
    if module is None:
        with quiet.loading():
            module = importlib.import_module(_MODULES[name])
    return getattr(module, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
