"""What this machine offers: its cores, its name, the versions of its packages."""

import importlib.metadata
import os
import platform

from mer_jax import provenance


def cores() -> int:
    """Cores that this process may use."""
    # macOS lacks the first
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()


def versions() -> dict:
    """Python and the packages that decide the bits of a result, by name."""
    found = {'python': platform.python_version()}
    for name in (
        'jax',
        'jaxlib',
        'flax',
        'optax',
        'orbax-checkpoint',
        'numpy',
        'tensorflow-datasets',
    ):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = 'source'
    return found | {'mer_jax': provenance.VERSION}


def host() -> list:
    """Name and kind of this machine."""
    return [platform.node(), platform.machine()]
