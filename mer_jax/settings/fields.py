"""What is known about one setting: its default, what it may be, and why it is there."""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

Value = str | bool | int | float | tuple


class Setting(NamedTuple):
    """One setting, or one option of a method."""

    default: Value
    reason: str  # what it is for, in a sentence or two
    choices: tuple = ()  # the allowed values of a text
    entries: str = ''  # the dictionary whose keys are the allowed values: 'PROTOCOLS'
    low: float = 0  # the least of a number, or of each number of a tuple
    high: float = math.inf
    # whether a run may go on under another value: where things lie, how often they are written
    free: bool = False


def field(default: Value, reason: str, **facts) -> Any:
    """A field of a section of settings; facts: those of `Setting`."""
    setting = Setting(default, reason, **facts)
    return dataclasses.field(default=default, metadata={'setting': setting})


def settings_of(section: type) -> Iterator[tuple[str, Setting]]:
    """(name, setting) of every field of a section."""
    for entry in dataclasses.fields(section):
        if 'setting' in entry.metadata:
            yield entry.name, entry.metadata['setting']


def allowed(setting: Setting, names: tuple[str, ...] = ()) -> str:
    """What a setting may be, in words; names: the keys of its entries."""
    if names or setting.choices:
        return ', '.join(map(str, names or setting.choices))
    if isinstance(setting.default, bool):
        return 'True, False'
    if isinstance(setting.default, str):
        return 'a text'
    if isinstance(setting.default, tuple):
        return f'numbers, {_range(setting)}, comma between'
    return _range(setting)


def _range(setting):
    if math.isinf(setting.high):
        return f'{_short(setting.low)} or more'
    return f'{_short(setting.low)} to {_short(setting.high)}'


def _short(number):
    return str(number) if isinstance(number, int) else f'{number:g}'


def is_allowed(value: Value, setting: Setting, names: tuple[str, ...] = ()) -> bool:
    """Whether a value has the type and the range of a setting."""
    if not _same_type(value, setting.default):
        return False
    if names or setting.choices:
        return value in (names or setting.choices)
    if isinstance(value, tuple):
        return bool(value) and all(_in_range(number, setting) for number in value)
    if isinstance(value, bool | str):
        return True
    return _in_range(value, setting)


def _same_type(value, default):
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is type(default)


def _in_range(value, setting):
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and setting.low <= value <= setting.high
