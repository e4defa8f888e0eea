"""A function mapped over clips or folds in threads."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import TypeVar

from joblib import Parallel, delayed

from mer_jax import machine
from mer_jax.errors import UserError

Item = TypeVar('Item')
Result = TypeVar('Result')


def mapped(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Map a function over items, in their order.

    Args:
        function: that lets go of Python's lock while it computes.
        items: its arguments.

    Yields:
        The results.

    Raises:
        UserError: the system starts no more threads.
    """
    parallel = Parallel(machine.cores(), prefer='threads', return_as='generator')
    try:
        yield from parallel(delayed(function)(item) for item in items)
    except RuntimeError as error:
        if 'new thread' not in str(error):
            raise
        raise UserError(
            f'{machine.cores()} threads cannot be started ({error}); allow this user more '
            '(ulimit -u), or give the program fewer cores (taskset -c 0)'
        ) from error


def products_in_one_thread() -> AbstractContextManager:
    """Compute each matrix product in one thread, while the context is open.

    Where they are small, threads inside of them wait for each other: a logistic regression takes
    twelve times the processor time. Open it outside of `mapped`, because it holds for the whole
    program.
    """
    from threadpoolctl import threadpool_limits  # here: it belongs to scikit-learn

    return threadpool_limits(1)
