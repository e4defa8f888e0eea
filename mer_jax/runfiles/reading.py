"""Read JSON, CSV, JSON lines and arrays.

Errors name the file, the row and the key.
"""

import csv
import json
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from mer_jax import bounded
from mer_jax.errors import UserError
from mer_jax.runfiles import shapes

# What numpy and zipfile raise for a damaged file. A size that exceeds memory also counts as damage.
DAMAGED = (
    ValueError,
    KeyError,
    EOFError,
    MemoryError,
    OverflowError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)
# Limits of the files of a run, far above what one writes; a file takes many times its bytes in
# memory.
MOST_JSON = 16_000_000  # bytes
MOST_NESTED = 500_000  # lists and dictionaries in a JSON file
MOST_TEXT = 10**10  # bytes of a table or a log, which are read line by line
MOST_NPZ = 200_000_000  # bytes that the arrays of a .npz file take
REMEDY = 'score the run again: the command that trained it, with the verb evaluate'

Row = TypeVar('Row', bound=tuple)


def read_json(path: str | Path) -> dict:
    """Read the dictionary of a JSON file.

    Raises:
        UserError: the file is missing, or holds no dictionary.
    """
    try:
        text = bounded.read_text(path, MOST_JSON)
        nested = text.count('[') + text.count('{')
        if nested > MOST_NESTED:
            raise ValueError(f'{nested:,} lists and dictionaries; allowed: up to {MOST_NESTED:,}')
        value = json.loads(text)
    except FileNotFoundError:
        raise UserError(f'{path}: no such file') from None
    except (ValueError, RecursionError) as error:
        raise UserError(f'{path}: is not JSON ({error}); delete it or restore it') from None
    if not isinstance(value, dict):
        raise UserError(f'{path}: holds no dictionary; delete it or restore it')
    return value


class Table(NamedTuple):
    """The cells of a CSV file as text."""

    path: Path
    header: list[str]

    def each(self) -> Iterator[list[str]]:
        """Yield the rows; each is as long as the header, and only one is in memory."""
        rows = _rows(self.path)
        next(rows)  # the header
        yield from rows

    @property
    def rows(self) -> list[list[str]]:
        """Return the rows."""
        return list(self.each())


def read_csv(path: str | Path) -> Table:
    """Check that a CSV file is a table, and read its header.

    Raises:
        UserError: it is not a table, or a row has another length than the header.
    """
    path = Path(path)
    rows = _rows(path)
    header = next(rows, None)
    if not header:
        raise UserError(f'{path}: is not a table (it is empty); delete it or restore it')
    for _ in rows:
        pass
    twice = [name for name in header if header.count(name) > 1]
    if twice:
        raise UserError(f"{path}: has two columns '{twice[0]}'; delete it or restore it")
    return Table(path, header)


def _rows(path):
    """Yield the rows of a CSV file; the first is its header."""
    length = None
    try:
        for number, row in enumerate(csv.reader(bounded.lines(path, MOST_TEXT)), 1):
            if length not in (None, len(row)):
                raise UserError(
                    f'{path}, row {number}: number of cells is {len(row)}; allowed: {length}, as '
                    'in the header'
                )
            length = len(row)
            yield row
    except FileNotFoundError:
        raise UserError(f'{path}: no such file') from None
    except (ValueError, csv.Error) as error:
        raise UserError(f'{path}: is not a table ({error}); delete it or restore it') from None


def checked_rows(
    table: Table,
    columns: dict[str, shapes.Shape],
    rest: shapes.Shape | None = None,
    remedy: str = REMEDY,
) -> Iterator[dict]:
    """Check the cells of a table, and yield their values.

    Args:
        table: of `read_csv`.
        columns: {name: shape of its cells}; a column that the table lacks is an error.
        rest: shape of all other columns; None allows no other.
        remedy: what the user can do, the end of the message.

    Yields:
        {column: value} of each row.

    Raises:
        UserError: names the file and the column, or the file, row and value.
    """
    missing = [name for name in columns if name not in table.header]
    if missing:
        raise UserError(f"{table.path}: lacks the column '{missing[0]}'; {remedy}")
    extra = [name for name in table.header if name not in columns]
    if extra and rest is None:
        raise UserError(f"{table.path}: has an unknown column '{extra[0]}'; {remedy}")
    allowed = [columns.get(name, rest) for name in table.header]
    for number, row in enumerate(table.each(), 2):
        record = {}
        for name, text, shape in zip(table.header, row, allowed, strict=True):
            try:
                record[name] = shapes.parse(text, shape)
            except ValueError:
                raise UserError(
                    f'{table.path}, row {number}: {name} is {shapes.shown(text)}; allowed: '
                    f'{shapes.describe(shape)}; {remedy}'
                ) from None
        yield record


def read_rows(
    path: Path, row: type[Row], columns: dict[str, shapes.Shape], remedy: str = REMEDY
) -> tuple[Row, ...]:
    """Read a CSV file whose columns are the fields of its rows.

    Args:
        path: of the file.
        row: makes a row of its cells.
        columns: {name: shape of its cells}, all of them.
        remedy: what the user can do, the end of a message.

    Raises:
        UserError: as `read_csv` and `checked_rows`.
    """
    return tuple(row(**record) for record in checked_rows(read_csv(path), columns, remedy=remedy))


def read_jsonl(path: str | Path) -> list[dict]:
    """Read the records of a JSON-lines file.

    A last line that a kill cut short is left out.

    Raises:
        UserError: another line is damaged.
    """
    records, damaged = [], 0
    try:
        for number, line in enumerate(bounded.lines(path, MOST_TEXT, errors='replace'), 1):
            if damaged:  # and not the last line, which a kill cuts short
                raise UserError(
                    f'{path}, line {damaged}: is not a JSON record; delete the line or start in '
                    'another --workdir'
                )
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                record = None
            if isinstance(record, dict):
                records.append(record)
            else:
                damaged = number
    except ValueError as error:
        raise UserError(f'{path}: is not a log ({error}); start in another --workdir') from None
    return records


def read_array(path: str | Path) -> np.ndarray:
    """Read the array of a .npy file; its values stay on the disk until they are used.

    Raises:
        UserError: the file is missing or damaged.
    """
    array = _loaded(path, mmap_mode='r')
    if not isinstance(array, np.ndarray):
        raise UserError(f'{path} cannot be read (it is not a .npy file); restore it')
    return np.asarray(array)


def read_npz(path: str | Path) -> dict[str, np.ndarray]:
    """Read the arrays of a .npz file.

    Raises:
        UserError: the file is missing or damaged.
    """
    archive = _loaded(path)
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise UserError(f'{path} cannot be read (it is not a .npz file); restore it')
    try:
        with archive:
            bounded.check_archive(archive.zip, MOST_NPZ)
            return dict(archive)
    except DAMAGED as error:
        raise UserError(f'{path} cannot be read ({error}); restore it') from None


def _loaded(path, mmap_mode=None):
    try:
        with np.errstate(over='ignore'):  # of the sizes that a damaged header announces
            return np.load(path, mmap_mode=mmap_mode)
    except FileNotFoundError:
        raise UserError(f'{path}: no such file') from None
    except (OSError, *DAMAGED) as error:
        raise UserError(f'{path} cannot be read ({error}); restore it') from None
