"""Compiles the programs of a run side by side, and says so before and after: compiling may take
longer than training.
"""

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

# Measured on two cores for the networks here; about 2 ms each.
SECONDS_AN_EQUATION = 0.002
QUICKLY = {'xla_backend_optimization_level': 0}  # ready in a third of the time; for what runs once


class Program(NamedTuple):
    """A function to compile."""

    function: Callable  # what jax.jit returned
    arguments: tuple  # arrays, or their shapes
    options: dict = {}  # of the compiler


def compiled(programs: dict[str, Program], title: str) -> dict[str, Any]:
    """Compile all `programs` at once and print how long it may take, and how long it took.

    Tracing is Python's and goes one after another; the compiler works outside of Python's lock.

    Args:
        programs: the functions by name.
        title: what is compiled, as in 'the training program'.

    Returns:
        The compiled functions, under the names of `programs`.
    """
    start = time.perf_counter()
    traced = {
        name: program.function.trace(*program.arguments) for name, program in programs.items()
    }
    expected = SECONDS_AN_EQUATION * sum(equations(one.jaxpr) for one in traced.values())
    print(
        f'compiling {title}, about {max(1, round(expected))} s the first time',
        file=sys.stderr,
        flush=True,
    )
    lowered = {name: one.lower() for name, one in traced.items()}
    with ThreadPoolExecutor(max(1, len(lowered))) as pool:
        waiting = {
            name: pool.submit(one.compile, programs[name].options) for name, one in lowered.items()
        }
        done = {name: one.result() for name, one in waiting.items()}
    print(f'compiled in {time.perf_counter() - start:.1f} s', file=sys.stderr, flush=True)
    return done


def equations(jaxpr) -> int:
    """How many equations a jaxpr has, those of its loops and inner functions included."""
    jaxpr = getattr(jaxpr, 'jaxpr', jaxpr)  # of a ClosedJaxpr
    count = len(jaxpr.eqns)
    for equation in jaxpr.eqns:
        for value in equation.params.values():
            for inner in value if isinstance(value, tuple | list) else (value,):
                count += (
                    equations(inner) if hasattr(inner, 'eqns') or hasattr(inner, 'jaxpr') else 0
                )
    return count
