"""Compile the programs of a run side by side, and print how long that takes.

Compiling may take longer than training, so it must not look as if nothing happened.
"""

import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from jax.extend.core import ClosedJaxpr, Jaxpr

# Measured on two cores for the networks here: about 2 ms each.
SECONDS_AN_EQUATION = 0.002
QUICKLY = {'xla_backend_optimization_level': 0}  # ready in a third of the time; for what runs once


class Program(NamedTuple):
    """A function to compile."""

    function: Callable  # that jax.jit returned
    arguments: tuple  # arrays, or their shapes
    options: dict[str, int] = {}  # of the compiler


def compile_all(programs: dict[str, Program], title: str) -> dict[str, Callable]:
    """Compile all programs at once.

    Prints how long it may take and how long it took. Tracing is Python's and goes one after
    another; the compiler works outside of Python's lock.

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
    count = sum(equations(trace.jaxpr) for trace in traced.values())
    expected = max(1, round(SECONDS_AN_EQUATION * count))
    print(f'compiling {title}, about {expected} s the first time', file=sys.stderr, flush=True)
    lowered = {name: trace.lower() for name, trace in traced.items()}
    waiting = {}
    with ThreadPoolExecutor(max(1, len(lowered))) as pool:
        for name, program in lowered.items():
            waiting[name] = pool.submit(program.compile, programs[name].options)
        compiled = {name: future.result() for name, future in waiting.items()}
    print(f'compiled in {time.perf_counter() - start:.1f} s', file=sys.stderr, flush=True)
    return compiled


def equations(jaxpr: 'Jaxpr | ClosedJaxpr') -> int:
    """Count the equations of a jaxpr, those of its loops and inner functions included."""
    jaxpr = getattr(jaxpr, 'jaxpr', jaxpr)  # of a ClosedJaxpr
    count = len(jaxpr.eqns)
    for equation in jaxpr.eqns:
        for value in equation.params.values():
            values = value if isinstance(value, tuple | list) else (value,)
            for inner in values:
                if hasattr(inner, 'eqns') or hasattr(inner, 'jaxpr'):
                    count += equations(inner)
    return count
