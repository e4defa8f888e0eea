"""What this machine offers; imports nothing of ours."""

import importlib.metadata
import os
import platform


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
        'mer_jax',
    ):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = 'source'
    return found


def host() -> list:
    """Name and kind of this machine."""
    return [platform.node(), platform.machine()]
