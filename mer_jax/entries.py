"""What the entries of a method share: it names its code as text, which is loaded on use."""

import importlib
from typing import Any


def loaded(target: str) -> Any:
    """The object of 'module:name', as 'mer_jax.folds.protocols:loso'."""
    module, name = target.split(':')
    return getattr(importlib.import_module(module), name)
