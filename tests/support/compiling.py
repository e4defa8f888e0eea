"""Compilation without LLVM's optimisation, for tests that compile for longer than they compute.

The same program of XLA is ready in a half to a third of the time and computes a few times slower:
of no use where something is trained for many steps.
"""

import contextlib
from functools import partial

import jax

quickly = partial(jax.jit, compiler_options={'xla_backend_optimization_level': 0})


def unoptimised():
    """As `quickly`, for everything that is compiled inside, a whole run say; also a decorator."""
    return _most_optimisations(disabled=True)


def optimised():
    """As a user's, inside of `unoptimised`."""
    return _most_optimisations(disabled=False)


@contextlib.contextmanager
def _most_optimisations(*, disabled):
    before = jax.config.read('jax_disable_most_optimizations')
    jax.config.update('jax_disable_most_optimizations', disabled)
    try:
        yield
    finally:
        jax.config.update('jax_disable_most_optimizations', before)
