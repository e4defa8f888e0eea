"""The action units that data.task=action_units detects, in one clip and over the data."""

import itertools
import math
from collections.abc import Sequence

from mer_jax.data import Record
from mer_jax.errors import UserError
from mer_jax.preprocess import action_units

SIDES = ('L', 'R')
LARGEST = 46  # codes above it are of head, eyes and gross behaviour


def parse(text: str) -> tuple[int, ...]:
    """Parse the setting data.units: '1+2+12' becomes (1, 2, 12).

    Raises:
        UserError: it is no list of different action units.
    """
    parts = [part.strip() for part in text.split('+')]
    numbers = [int(part) for part in parts if part.isdecimal()]
    in_range = all(0 < number <= LARGEST for number in numbers)
    if len(numbers) < len(parts) or len({*numbers}) < len(numbers) or not in_range:
        raise UserError(
            f'data.units is {text!r}; allowed: numbers of action units from 1 to {LARGEST}, each '
            "once, + between, such as '1+4+12'"
        )
    return tuple(numbers)


def columns(numbers: Sequence[int], lateral: bool) -> tuple[str, ...]:
    """Return the names of the targets: '12', or 'L12' and 'R12'.

    Args:
        numbers: of `parse`.
        lateral: whether each unit has two targets, left and right.
    """
    sides = SIDES if lateral else ('',)
    return tuple(f'{side}{number}' for number, side in itertools.product(numbers, sides))


def row(record: Record, names: Sequence[str]) -> list[float]:
    """Return 1, 0 or NaN (unknown) per target of a clip.

    A unit that the coder doubts ('12?'), or that is one of several alternatives ('12 or 14'), is
    unknown. A unit of reference, which shows from the first frame on, is no movement: 0.

    Args:
        record: with action_units and action_units_known.
        names: of `columns`.
    """
    if not record['action_units_known']:
        return [math.nan] * len(names)
    units = [unit for unit in action_units.parse(record['action_units']) if not unit.reference]
    numbers_of_group = {}
    for unit in units:
        numbers_of_group.setdefault(unit.group, set()).add(unit.number)
    present, doubted = set(), set()
    for unit in units:
        is_sure = unit.certain and len(numbers_of_group[unit.group]) == 1
        sides = (unit.side,) if unit.side in SIDES else SIDES
        of_unit = {str(unit.number), *(f'{side}{unit.number}' for side in sides)}
        (present if is_sure else doubted).update(of_unit)
    values = []
    for name in names:
        value = float(name in present)
        values.append(math.nan if name in doubted - present else value)
    return values


def why_dropped(record: Record, targets: Sequence[float]) -> str:
    """Return why a clip has no part in the task; '' where it has.

    Args:
        record: with kind, or none for 'micro'.
        targets: of `row`.
    """
    kind = record.get('kind', 'micro')
    if kind != 'micro':
        return f'action units of micro-expressions are detected, this is a {kind}-expression'
    if all(map(math.isnan, targets)):
        return 'no action unit of data.units is known'
    return ''
