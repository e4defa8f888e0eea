"""Formats of figures in tables, plots and messages."""

import math
from collections.abc import Sequence
from functools import partial

from mer_jax.evaluation import HEADLINE, METRICS

WIDTH = 100  # columns of a terminal
DASH = '–'
Value = str | int | float | None  # of a cell
# {key of results.json: (title, explanation)}, those of HEADLINE first
MEASURES = {
    name: (METRICS[name].title, METRICS[name].explanation)
    for name in dict.fromkeys(HEADLINE + (*METRICS,))
}
NAMES_IN_PAPERS = (
    'UF1 and UAR are F1 and recall averaged over classes; papers often call them F1 and recall.'
)


def measure_title(name: str) -> str:
    """Return the title of a metric, such as 'UF1'."""
    return MEASURES[name][0]


def is_undefined(value: Value) -> bool:
    """Return whether a value is None or NaN."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def plain(value: Value) -> str:
    """Format a value: floats with three decimals, None a dash."""
    if is_undefined(value):
        return DASH
    return f'{value:.3f}' if isinstance(value, float) else str(value)


def measure(value: float | None, digits: int = 3) -> str:
    """Format a figure; None becomes a dash."""
    return DASH if is_undefined(value) else f'{value:.{digits}f}'


def rounded(value: Value | bool) -> str:
    """Format a measured quantity: a float with four digits, or as a whole number from 1,000 on."""
    if not isinstance(value, float):
        return str(value)
    return f'{value:.4g}' if abs(value) < 1000 else f'{value:,.0f}'


def signed(value: float | None, digits: int = 3) -> str:
    """Format a difference with its sign; None becomes a dash."""
    return DASH if is_undefined(value) else f'{value:+.{digits}f}'


def interval(edges: Sequence[float] | None, digits: int = 3) -> str:
    """Format [low, high]; None becomes a dash."""
    if edges is None:
        return DASH
    return f'[{measure(edges[0], digits)}, {measure(edges[1], digits)}]'


def p_value(value: float | None) -> str:
    """Format a p value; None becomes a dash.

    It has three decimals; smaller ones become '<0.001'.
    """
    if is_undefined(value):
        return DASH
    return '<0.001' if value < 0.0005 else f'{value:.3f}'


# of errors in frames and in milliseconds
frames = partial(measure, digits=2)
signed_frames = partial(signed, digits=2)
milliseconds = partial(measure, digits=1)


def plural(count: int, word: str) -> str:
    """Return such as '1 seed' or '3 seeds'."""
    return f'{count} {word}' if count == 1 else f'{count} {word}s'


def count_of(value: int | list) -> int:
    """Return a number, given as number or as list."""
    return len(value) if isinstance(value, list) else value
