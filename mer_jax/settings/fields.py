"""The definition of a setting: default, allowed values, reason."""

import dataclasses
import math
from collections.abc import Iterator
from typing import NamedTuple, TypeVar

Value = str | bool | int | float | tuple
Default = TypeVar('Default', bound=Value)


class Setting(NamedTuple):
    """One setting, or one option of a method."""

    default: Value
    reason: str  # what it is for, in a sentence or two
    choices: tuple = ()  # the allowed values of a text
    entries: str = ''  # the dictionary whose keys are the allowed values: 'PROTOCOLS'
    # beside the keys of entries: a text, or the form of texts that begin alike ('classes:A,B')
    further: tuple[str, ...] = ()
    low: float = 0  # smallest allowed number, also of each number of a tuple
    high: float = math.inf  # largest allowed number
    # whether a run may continue under another value, which does not change its results: folders,
    # how often files are written
    free: bool = False
    # whether it may name a file or folder of this machine, which an archive for others leaves out
    local: bool = False


def field(default: Default, reason: str, **facts: tuple | str | float | bool) -> Default:
    """Define a field of a section of settings.

    Args:
        default: of the setting.
        reason: what it is for.
        **facts: other fields of `Setting`.

    Returns:
        A field of a dataclass; for type checkers, its default.
    """
    setting = Setting(default, reason, **facts)
    return dataclasses.field(default=default, metadata={'setting': setting})


def settings_of(section: type) -> Iterator[tuple[str, Setting]]:
    """Yield (name, setting) of every field of a section."""
    for entry in dataclasses.fields(section):
        if 'setting' in entry.metadata:
            yield entry.name, entry.metadata['setting']


def allowed(setting: Setting, names: tuple[str, ...] = ()) -> str:
    """Return the allowed values of a setting as text.

    Args:
        setting: to describe.
        names: the keys of its entries.
    """
    if names or setting.choices:
        return ', '.join(map(str, (*(names or setting.choices), *setting.further)))
    if isinstance(setting.default, bool):
        return 'True, False'
    if isinstance(setting.default, str):
        return 'a text'
    if isinstance(setting.default, tuple):
        return f'numbers, {_range(setting)}, separated by commas'
    return _range(setting)


def _range(setting):
    if math.isinf(setting.high):
        return f'{_short(setting.low)} or more'
    return f'{_short(setting.low)} to {_short(setting.high)}'


def _short(number):
    return str(number) if isinstance(number, int) else f'{number:g}'


def is_allowed(value: Value, setting: Setting, names: tuple[str, ...] = ()) -> bool:
    """Return whether a setting allows a value."""
    if not _same_type(value, setting.default):
        return False
    if any(_has_form(value, form) for form in setting.further):
        return True
    if names or setting.choices:
        return value in (names or setting.choices)
    if isinstance(value, tuple):
        return bool(value) and all(_in_range(number, setting) for number in value)
    if isinstance(value, bool | str):
        return True
    return _in_range(value, setting)


def _has_form(text, form):
    begin, colon, _ = form.partition(':')
    return text.startswith(begin + colon) if colon else text == form


def _same_type(value, default):
    if isinstance(default, float):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return type(value) is type(default)


def _in_range(value, setting):
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and setting.low <= value <= setting.high
