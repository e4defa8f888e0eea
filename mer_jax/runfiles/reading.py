"""Read JSON, CSV, JSON lines and arrays.

Errors name the file, the row and the key.
"""

import csv
import json
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mer_jax.errors import UserError
from mer_jax.runfiles import shapes

# What numpy and zipfile raise for a damaged file. A size that exceeds memory also counts as damage.
DAMAGED = (
    ValueError,
    KeyError,
    EOFError,
    MemoryError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)
REMEDY = 'score the run again: the command that trained it, with the verb evaluate'


def read_json(path: str | Path) -> dict:
    """Read the dictionary of a JSON file.

    Raises:
        UserError: the file is missing, or holds no dictionary.
    """
    try:
        value = json.loads(Path(path).read_text(encoding='utf-8'))
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
    rows: list[list[str]]  # each as long as the header


def read_csv(path: str | Path) -> Table:
    """Read the cells of a CSV file.

    Raises:
        UserError: it is not a table, or a row has another length than the header.
    """
    path = Path(path)
    try:
        with open(path, newline='', encoding='utf-8') as file:
            rows = list(csv.reader(file))
    except FileNotFoundError:
        raise UserError(f'{path}: no such file') from None
    except (ValueError, csv.Error) as error:
        raise UserError(f'{path}: is not a table ({error}); delete it or restore it') from None
    if not rows:
        raise UserError(f'{path}: is not a table (it is empty); delete it or restore it')
    header, *rows = rows
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise UserError(
                f'{path}, row {number}: number of cells is {len(row)}; allowed: {len(header)}, as '
                'in the header'
            )
    return Table(path, header, rows)


def checked_rows(
    table: Table,
    columns: dict[str, shapes.Shape],
    rest: shapes.Shape | None = None,
    remedy: str = REMEDY,
) -> list[dict]:
    """Check the cells of a table, and return their values.

    Args:
        table: of `read_csv`.
        columns: {name: shape of its cells}; a column that the table lacks is an error.
        rest: shape of all other columns; None allows no other.
        remedy: what the user can do, the end of the message.

    Returns:
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
    records = []
    for number, row in enumerate(table.rows, 2):
        record = {}
        for name, text, shape in zip(table.header, row, allowed, strict=True):
            try:
                record[name] = shapes.parse(text, shape)
            except ValueError:
                raise UserError(
                    f'{table.path}, row {number}: {name} is {text!r}; allowed: '
                    f'{shapes.describe(shape)}; {remedy}'
                ) from None
        records.append(record)
    return records


def read_jsonl(path: str | Path) -> list[dict]:
    """Read the records of a JSON-lines file.

    A last line that a kill cut short is left out.

    Raises:
        UserError: another line is damaged.
    """
    lines = Path(path).read_text(encoding='utf-8', errors='replace').splitlines()
    records = []
    for number, line in enumerate(lines, 1):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if isinstance(record, dict):
            records.append(record)
        elif number < len(lines):
            raise UserError(
                f'{path}, line {number}: is not a JSON record; delete the line or start in '
                'another --workdir'
            )
    return records


def read_array(path: str | Path) -> np.ndarray:
    """Read the array of a .npy file.

    Raises:
        UserError: the file is missing or damaged.
    """
    array = _loaded(path)
    if not isinstance(array, np.ndarray):
        raise UserError(f'{path} cannot be read (it is not a .npy file); restore it')
    return array


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
            return dict(archive)
    except DAMAGED as error:
        raise UserError(f'{path} cannot be read ({error}); restore it') from None


def _loaded(path):
    try:
        return np.load(path)
    except FileNotFoundError:
        raise UserError(f'{path}: no such file') from None
    except DAMAGED as error:
        raise UserError(f'{path} cannot be read ({error}); restore it') from None
