"""The compilation of several programs at the same time, and programs kept for later runs.

Compiling may take longer than the training, so lines on stderr say how long it will take, and how
long it took.
"""

import sys
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from jax.extend.core import ClosedJaxpr, Jaxpr

# Time to compile one equation of a jaxpr, measured on two cores for the networks here.
SECONDS_PER_EQUATION = 0.002
# Compiles in a third of the time, to a slower program: for programs that run once.
QUICKLY = {'xla_backend_optimization_level': 0}
ZLIB = 0x78  # first byte of a program that jax keeps on disk


class Program(NamedTuple):
    """A function to compile."""

    function: Callable  # returned by jax.jit
    arguments: tuple  # arrays, or their shapes and dtypes
    options: dict[str, int] = {}  # for XLA's compiler


def compile_all(programs: dict[str, Program], title: str) -> dict[str, Callable]:
    """Compile all programs at the same time.

    Tracing is Python code and goes one after another. XLA's compiler then runs in threads, because
    it releases Python's lock.

    Args:
        programs: functions by name.
        title: what is compiled, for the message: 'the training program'.

    Returns:
        The compiled functions by the same names.
    """
    start = time.perf_counter()
    traced = {
        name: program.function.trace(*program.arguments) for name, program in programs.items()
    }
    count = sum(equations(trace.jaxpr) for trace in traced.values())
    expected = max(1, round(SECONDS_PER_EQUATION * count))
    print(
        f'compiling {title}, about {expected} s (kept for later runs)', file=sys.stderr, flush=True
    )
    lowered = {name: trace.lower() for name, trace in traced.items()}
    futures = {}
    with ThreadPoolExecutor(max(1, len(lowered))) as pool:
        for name, program in lowered.items():
            futures[name] = pool.submit(program.compile, programs[name].options)
        compiled = {name: future.result() for name, future in futures.items()}
    print(f'compiled in {time.perf_counter() - start:.1f} s', file=sys.stderr, flush=True)
    return compiled


def equations(jaxpr: 'Jaxpr | ClosedJaxpr') -> int:
    """Count the equations of a jaxpr.

    Those of its loops and inner functions count too.
    """
    jaxpr = getattr(jaxpr, 'jaxpr', jaxpr)  # a ClosedJaxpr holds its Jaxpr
    count = len(jaxpr.eqns)
    for equation in jaxpr.eqns:
        for value in equation.params.values():
            values = value if isinstance(value, tuple | list) else (value,)
            for inner in values:
                if hasattr(inner, 'eqns') or hasattr(inner, 'jaxpr'):
                    count += equations(inner)
    return count


def remove_cut_programs(cache: Path) -> None:
    """Remove compiled programs of which a kill left only the beginning.

    jax writes them in place and never replaces one: it would warn of it and compile again in every
    later run. What is older than the last look is not read again.

    Args:
        cache: folder in which jax keeps compiled programs.
    """
    looked = cache / '.checked'
    try:
        since = looked.stat().st_mtime_ns if looked.exists() else 0
        looked.touch()
        for path in cache.glob('*-cache'):
            if path.stat().st_mtime_ns >= since and not _is_whole(path.read_bytes()):
                path.unlink()
    except OSError:
        pass  # of another user, or another process has removed it


def _is_whole(program):
    """Whether a compiled program, as jax stores it, was written to its end."""
    if program and program[0] != ZLIB:
        return True  # of a jax that compresses otherwise
    stream = zlib.decompressobj()
    try:
        stream.decompress(program)
    except zlib.error:
        return False
    return stream.eof
