"""Shapes: which values a file may hold.

A shape is a Text, Number, Flag, Maybe, ListOf, MapOf or Anything. It may also be a dictionary
{key: shape} of the keys that a JSON object must have; the object may have more.
"""

import math
from pathlib import Path
from typing import NamedTuple

from mer_jax.errors import UserError

LARGEST = 2**31 - 1  # whole number: arrays of folds, seeds and frames hold 32 bits
SLACK = 1e-9  # rounding can make a mean of shares slightly larger than 1


class Text(NamedTuple):
    """A text."""

    values: tuple = ()  # the allowed texts; (): any


class Number(NamedTuple):
    """A finite number."""

    least: float = -math.inf  # smallest allowed number
    most: float = math.inf  # largest allowed number
    whole: bool = False  # True: without a fraction


class Flag(NamedTuple):
    """True or false; in a CSV file 1 or 0."""


class Maybe(NamedTuple):
    """A value that may be null, in CSV empty."""

    shape: 'Shape'  # of the value where it is not null


class ListOf(NamedTuple):
    """A list of values of one shape."""

    item: 'Shape'
    length: int | None = None  # None: any length


class MapOf(NamedTuple):
    """A dictionary with any keys and values of one shape."""

    value: 'Shape'


class Anything(NamedTuple):
    """A value that is not checked."""


Shape = Text | Number | Flag | Maybe | ListOf | MapOf | Anything | dict
Json = dict | list | str | float | int | bool | None

COUNT = Number(0, whole=True)
SHARE = Number(0, 1)


def check(value: Json, shape: Shape, path: str | Path, *, remedy: str, key: str = '') -> None:
    """Refuse a JSON value that does not have this shape.

    Args:
        value: as `json` returns it.
        shape: that it must have.
        path: of the file, for the message.
        remedy: what the user can do, the end of the message.
        key: dotted position of the value in the file, such as 'metrics.uf1'.

    Raises:
        UserError: names the file, the key, the value and what is allowed.
    """
    allowed = describe(shape)
    if isinstance(shape, Maybe):
        if value is None:
            return
        shape = shape.shape
    if not _fits(value, shape):
        raise UserError(f'{path}: {key} is {shown(value)}; allowed: {allowed}; {remedy}')
    if isinstance(shape, dict):
        missing = [name for name in shape if name not in value]
        if missing:
            raise UserError(f"{path}: lacks '{_joined(key, missing[0])}'; {remedy}")
    for name, item, inner in _items(value, shape):
        check(item, inner, path, remedy=remedy, key=_joined(key, name))


def shown(value: Json) -> str:
    """Return a wrong value as a message shows it; a long one is cut."""
    try:
        text = repr(value)
    except ValueError:  # a number of more digits than Python prints
        text = 'a number of thousands of digits'
    return text if len(text) < 60 else f'{text[:57]}...'


def parse(text: str, shape: Shape) -> str | float | int | bool | None:
    """Return the value in a cell of a CSV file.

    Raises:
        ValueError: the text does not have this shape.
    """
    if isinstance(shape, Maybe):
        return parse(text, shape.shape) if text else None
    if isinstance(shape, Flag):
        if text not in ('0', '1'):
            raise ValueError(text)
        return text == '1'
    value = text
    if isinstance(shape, Number):
        value = int(text) if shape.whole else float(text)
    if not _fits(value, shape):
        raise ValueError(text)
    return value


def describe(shape: Shape) -> str:
    """Return a shape in words."""
    if isinstance(shape, Maybe):
        return f'{describe(shape.shape)}, or none'
    if isinstance(shape, Number):
        kind, largest = 'a number', shape.most
        if shape.whole:
            kind, largest = 'a whole number', min(shape.most, LARGEST)
        least = f' from {shape.least:g}' if math.isfinite(shape.least) else ''
        most = f' to {largest:.10g}' if math.isfinite(largest) else ''
        return f'{kind}{least}{most}'
    if isinstance(shape, Text):
        return ' or '.join(map(repr, shape.values)) or 'text'
    if isinstance(shape, ListOf):
        return 'a list' if shape.length is None else f'a list of {shape.length}'
    if isinstance(shape, Flag):
        return 'true or false (in a CSV file 1 or 0)'
    return 'a dictionary'


def _fits(value, shape):
    """Whether a value has a shape, apart from its items."""
    if isinstance(shape, Number):
        kind = int if shape.whole else int | float
        if not isinstance(value, kind) or isinstance(value, bool):
            return False
        if isinstance(value, int) and abs(value) > LARGEST:  # may have more digits than a float
            return False
        if not math.isfinite(value):
            return False
        return shape.least - SLACK <= value <= shape.most + SLACK
    if isinstance(shape, Text):
        return isinstance(value, str) and (not shape.values or value in shape.values)
    if isinstance(shape, ListOf):
        return isinstance(value, list) and shape.length in (None, len(value))
    if isinstance(shape, Anything):
        return True
    return isinstance(value, bool if isinstance(shape, Flag) else dict)


def _items(value, shape):
    """Return (name, item, shape) of each item of a value."""
    if isinstance(shape, ListOf):
        return [(str(number), item, shape.item) for number, item in enumerate(value)]
    if isinstance(shape, MapOf):
        return [(name, item, shape.value) for name, item in value.items()]
    if isinstance(shape, dict):
        return [(name, value[name], inner) for name, inner in shape.items()]
    return []


def _joined(key, name):
    return f'{key}.{name}' if key else name
