"""How figures are written in tables, plots and messages."""

import math
from functools import partial

from mer_jax.evaluation import HEADLINE, METRICS

WIDTH = 100  # columns of a terminal
DASH = '–'
# key of results.json: (title, words), those first that every table shows
MEASURES = {
    name: (METRICS[name].title, METRICS[name].explanation)
    for name in dict.fromkeys(HEADLINE + (*METRICS,))
}
NAMES_IN_PAPERS = (
    'UF1 and UAR are F1 and recall averaged over classes; papers often call them F1 and recall.'
)


def measure_title(name: str) -> str:
    """The title of a measure, as 'UF1' of 'uf1'."""
    return MEASURES[name][0]


def is_undefined(value) -> bool:
    """Whether a value is None or NaN."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def plain(value) -> str:
    """A value as people read it: floats with three decimals, a dash for None."""
    if is_undefined(value):
        return DASH
    return f'{value:.3f}' if isinstance(value, float) else str(value)


def measure(value: float | None, digits: int = 3) -> str:
    """A figure with so many decimals, a dash for None."""
    return DASH if is_undefined(value) else f'{value:.{digits}f}'


def signed(value: float | None, digits: int = 3) -> str:
    """A difference with its sign, a dash for None."""
    return DASH if is_undefined(value) else f'{value:+.{digits}f}'


def interval(edges, digits: int = 3) -> str:
    """[low, high] with so many decimals, a dash for None."""
    if edges is None:
        return DASH
    return f'[{measure(edges[0], digits)}, {measure(edges[1], digits)}]'


def p_value(value: float | None) -> str:
    """A p value with three decimals, '<0.001' below, a dash for None."""
    if is_undefined(value):
        return DASH
    return '<0.001' if value < 0.0005 else f'{value:.3f}'


# errors in frames and in milliseconds
frames = partial(measure, digits=2)
signed_frames = partial(signed, digits=2)
milliseconds = partial(measure, digits=1)


def plural(count: int, word: str) -> str:
    """'1 seed', '3 seeds'."""
    return f'{count} {word}' if count == 1 else f'{count} {word}s'


def count_of(value) -> int:
    """A number of things, given as number or as list."""
    return len(value) if isinstance(value, list) else value
