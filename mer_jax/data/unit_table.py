"""A table of action units, for clips whose data set has none (data.action_units)."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mer_jax import machine
from mer_jax.data import Record
from mer_jax.errors import UserError
from mer_jax.preprocess import action_units
from tfds_builders import annotated, sheets

SETTING = 'data.action_units'
OPTIONAL = ('dataset',)
COLUMNS = {
    'clip': ('clip',),
    'action_units': ('action_units', 'AU', 'AUs'),
    'dataset': ('dataset', 'data set'),
}
SHOWN = 3  # so many clips are named


class Row(NamedTuple):
    """One row of the table."""

    number: int  # in the sheet, the header is 1
    clip: str
    dataset: str  # '': whichever data set has the clip
    units: str  # as the coding sheet writes them; '' for a clip that nobody coded


class UnitTable(NamedTuple):
    """A table of action units, checked."""

    path: str  # '': there is none
    rows: tuple[Row, ...]


def read(path: str | Path) -> UnitTable:
    """Read and check a table with the columns clip, action_units and perhaps dataset.

    Args:
        path: of a CSV file or a workbook; '' for none.

    Raises:
        UserError: names the file and the row of what is wrong.
    """
    if not path:
        return UnitTable('', ())
    path = machine.absolute(path, SETTING)
    if not path.exists():
        raise UserError(f'{SETTING}: {path}: no such file')
    if path.is_dir():
        raise UserError(f'{SETTING}: {path} is a folder; name a CSV file')
    try:
        records = sheets.find_table(path, COLUMNS, OPTIONAL)
    except UserError as error:
        reason = str(error).partition('; unpack')[0]
        raise UserError(f'{SETTING}: {reason}; save it as CSV (UTF-8)') from None
    if not records:
        raise UserError(
            f'{SETTING}: {path} holds no row below a header; its first row must name the columns '
            'clip and action_units, and may name dataset'
        )
    rows, first = [], {}
    for record in records:
        row = _row(path, record)
        key = row.dataset, row.clip
        if key in first:
            raise UserError(
                f'{path}, row {row.number}: clip {row.clip!r} stands in row {first[key]} already; '
                'allowed: each clip once'
            )
        first[key] = row.number
        rows.append(row)
    return UnitTable(str(path), tuple(rows))


def _row(path, record):
    """Return one row, with its cells checked."""
    number, clip = record['row'], record['clip']
    if not clip:
        raise UserError(f'{path}, row {number}: clip is empty; allowed: the name of a clip')
    cell = record['action_units']
    is_decimal = re.search(r'[0-9]\.[0-9]', cell)
    if annotated.has_units(cell) and (is_decimal or not action_units.parse(cell)):
        raise UserError(
            f'{path}, row {number}: action_units is {cell!r}; allowed: action units such as 6+12, '
            'or empty for a clip that nobody coded'
        )
    return Row(number, clip, record['dataset'].lower(), cell)


def annotate(records: Sequence[Record], table: UnitTable) -> tuple[list[Record], str]:
    """Give action units to records that have none.

    Args:
        records: with clip, dataset, action_units and action_units_known.
        table: of `read`.

    Returns:
        The records; and in words what the table gave, '' without one.

    Raises:
        UserError: the table does not fit the records.
    """
    path, rows = table
    if not path:
        return list(records), ''
    row_of = _matched(path, rows, records)
    if not row_of:
        raise UserError(
            f'{path}: names no clip of the data; it names {_first_of_table(rows)}, the data '
            f'{_first_of_data(records)}; allowed: the names of the data'
        )
    changed, coded = [], 0
    for position, record in enumerate(records):
        row = row_of.get(position)
        if row is not None and annotated.has_units(row.units):
            record = {**record, 'action_units': row.units, 'action_units_known': True}
            coded += 1
        changed.append(record)
    name, unmatched = os.path.basename(path), len(rows) - len(row_of)
    text = f'action units of {coded} of {len(records)} clips from {name}'
    if unmatched:
        text += f', of whose {len(rows)} rows {unmatched} name no clip of the data'
    return changed, text


def _matched(path, rows, records):
    """Return {position of a record: its row}; refuse what has two of them."""
    positions = {}
    for position, record in enumerate(records):
        positions.setdefault(record['clip'], []).append(position)
    row_of = {}
    for row in rows:
        matches = []
        for position in positions.get(row.clip, ()):
            if row.dataset in ('', records[position]['dataset']):
                matches.append(position)
        if not matches:
            continue
        where = f'{path}, row {row.number}: clip {row.clip!r}'
        if len(matches) > 1:
            names = ', '.join(records[position]['dataset'] for position in matches)
            raise UserError(f'{where} is in {names}; add a column dataset that says which is meant')
        (position,) = matches
        record = records[position]
        if record['action_units_known']:
            raise UserError(
                f'{where} is annotated by {record["dataset"]} itself, as '
                f'{record["action_units"]!r}; allowed: clips without action units; delete the row'
            )
        if position in row_of:
            raise UserError(
                f'{where} stands in row {row_of[position].number} already; allowed: each clip once'
            )
        row_of[position] = row
    return row_of


def _first_of_table(rows):
    """Return the first clips of the table, in words."""
    return ', '.join(repr(row.clip) for row in rows[:SHOWN])


def _first_of_data(records):
    """Return the first clip of each data set, in words."""
    first = {}
    for record in records:
        first.setdefault(record['dataset'], record['clip'])
    return ', '.join(f'{clip!r} of {dataset}' for dataset, clip in first.items())
