"""Whether the user's code is the one that began an evaluation.

Source may not be at hand (a notebook, a console), so that compiled code is compared: that of the
function, of the functions and classes of its module that it names, and plain values.
"""

import functools
import hashlib
import types
from collections.abc import Callable, Iterator
from typing import Any

from mer_jax.foreign import Fit

PLAIN = (bool, int, float, complex, str, bytes, type(None))


def name_of(fit: Fit) -> str:
    """Return the name of a user's function or object."""
    if isinstance(fit, functools.partial):
        return name_of(fit.func)
    return getattr(fit, '__qualname__', type(fit).__qualname__)


def digest(fit: Fit) -> str:
    """Return a digest of the code that `fit` runs, as far as it can be seen.

    Comments and line numbers do not count. Code of other modules does not count either: their
    versions are recorded in results.json.

    Args:
        fit: a function, a method, a partial or an object that can be called.
    """
    text = '\n'.join(_described(fit, home=module_of(fit), seen={}))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def module_of(function: Callable) -> str | None:
    """Return the name of the module that a function, or the class of an object, stands in."""
    if isinstance(function, functools.partial):
        return module_of(function.func)
    return getattr(function, '__module__', None)


def _described(value: Any, home: str | None, seen: dict[int, Any]) -> Iterator[str]:
    """Yield a line for each plain value and each piece of code behind a value.

    `seen` keeps what was described, so that no other value gets the same id.
    """
    if isinstance(value, PLAIN):
        yield f'{type(value).__name__} {value!r}'
        return
    if id(value) in seen:
        return
    seen[id(value)] = value
    describe = functools.partial(_described, home=home, seen=seen)
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
        for item in items:
            yield from describe(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from describe(key)
            yield from describe(item)
    elif isinstance(value, functools.partial):
        yield from describe([value.func, value.args, value.keywords])
    elif isinstance(value, types.MethodType):
        yield from describe([value.__func__, value.__self__])
    elif isinstance(value, types.FunctionType) and value.__module__ == home:
        yield from _of_function(value, describe)
    elif isinstance(value, type) and value.__module__ == home:
        yield f'class {value.__qualname__} {[base.__qualname__ for base in value.__bases__]}'
        for name, item in vars(value).items():
            if not name.startswith('__') or isinstance(item, types.FunctionType):
                yield name
                yield from describe(getattr(item, '__func__', item))
    elif type(value).__module__ == home and not isinstance(value, type | types.FunctionType):
        yield from describe([type(value), getattr(value, '__dict__', {})])
    else:
        yield getattr(value, '__qualname__', type(value).__qualname__)


def _of_function(function, describe):
    """Yield the code of a function, its defaults, what it closes over and what it names."""
    yield from describe([function.__defaults__, function.__kwdefaults__])
    for cell in function.__closure__ or ():
        try:
            yield from describe(cell.cell_contents)
        except ValueError:  # the cell is still empty
            yield 'empty'
    names = list(_of_code(function.__code__))
    yield from names
    for name in dict.fromkeys(names):
        if name in function.__globals__:
            yield from describe(function.__globals__[name])


def _of_code(code):
    """Yield the instructions, names and constants of compiled code, of nested code too."""
    yield code.co_code.hex()
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _of_code(constant)
        elif isinstance(constant, frozenset):
            yield from sorted(map(repr, constant))  # its order differs between processes
        else:
            yield repr(constant)
