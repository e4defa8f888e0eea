"""Compilation without LLVM's optimisation, for tests that compile for longer than they compute.

The same program of XLA is ready in a half to a third of the time and computes a few times slower: of no use where something
is trained for many steps.
"""

import contextlib
from functools import partial

import jax

quickly = partial(jax.jit, compiler_options={'xla_backend_optimization_level': 0})


@contextlib.contextmanager
def unoptimised():
    """As `quickly`, for everything that is compiled inside, a whole run say; also a decorator."""
    jax.config.update('jax_disable_most_optimizations', True)
    try:
        yield
    finally:
        jax.config.update('jax_disable_most_optimizations', False)


@contextlib.contextmanager
def optimised():
    """As a user's, inside of `unoptimised`."""
    jax.config.update('jax_disable_most_optimizations', False)
    try:
        yield
    finally:
        jax.config.update('jax_disable_most_optimizations', True)
