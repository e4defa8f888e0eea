"""Write files so that a kill leaves none half-written."""

import contextlib
import csv
import glob
import io
import json
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np
import psutil

from mer_jax.runfiles import files
from mer_jax.runfiles.shapes import Json

# What `plain` turns into JSON: also numpy arrays and numbers, tuples and paths, nested.
Value = Json | tuple | np.ndarray | np.generic | os.PathLike


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[BinaryIO]:
    """Open a binary file that replaces `path` after the block.

    Where the block fails, the old file stays and no part file is left. Part files of processes that
    were killed while they wrote the same file are removed.
    """
    path = Path(path)
    for unfinished in path.parent.glob(f'.{glob.escape(path.name)}.*{files.PART}'):
        process = unfinished.name.split('.')[-2]
        if process.isdigit() and not psutil.pid_exists(int(process)):
            unfinished.unlink(missing_ok=True)
    part = path.with_name(f'.{path.name}.{os.getpid()}{files.PART}')
    try:
        with open(part, 'wb') as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        _name_file(error, path)
        raise
    finally:
        part.unlink(missing_ok=True)


def _name_file(error, path):
    """Put the file into an error that has none: that of a full disk or a quota."""
    if error.errno and not error.filename:
        error.filename = str(path)


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text in one step."""
    with replacing(path) as file:
        file.write(text.encode())


def write_json(path: str | Path, value: Value) -> None:
    """Write JSON in one step; `plain` converts the values."""
    write_text(path, json_text(value))


def json_text(value: Value) -> str:
    """Return the text of a JSON file; `plain` converts the values."""
    return _pretty(plain(value)) + '\n'


def write_array(path: str | Path, array: np.ndarray) -> None:
    """Write one array as .npy in one step."""
    with replacing(path) as file:
        np.save(file, np.asarray(array), allow_pickle=False)


def write_csv(path: str | Path, header: Sequence, rows: Iterable[Sequence]) -> None:
    """Write a table in one step.

    Raises:
        ValueError: a row has another length than the header.
    """
    rows = list(rows)
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f'{path}: a row has {len(row)} cells, the header {len(header)}')
    write_text(path, csv_text(header, rows))


def with_last(
    columns: Sequence[str], rows: Sequence[list], values: Sequence[float | str | None]
) -> tuple[Sequence[str], list[list]]:
    """Add the last column to a table, where any row has a value of it.

    Args:
        columns: of the table, the last one included.
        rows: cells of all others.
        values: of the last column; None: an empty cell.

    Returns:
        The header, and the rows.
    """
    if all(value is None for value in values):
        return columns[:-1], list(rows)
    last = []
    for value in values:
        is_text = value is None or isinstance(value, str)
        last.append(value or '' if is_text else f'{value:g}')
    return columns, [[*row, cell] for row, cell in zip(rows, last, strict=True)]


def csv_text(header: Sequence, rows: Iterable[Sequence]) -> str:
    """Return the text of a CSV file."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()


def append_jsonl(path: str | Path, records: Iterable[dict]) -> None:
    """Append one line per record; return once they are stored."""
    try:
        with open(path, 'ab') as file:
            file.write(jsonl(records).encode())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        _name_file(error, path)
        raise


def jsonl(records: Iterable[dict]) -> str:
    """Return the records as JSON lines."""
    return ''.join(_dumps(plain(record)) + '\n' for record in records)


def plain(value: Value) -> Json:
    """Return a value in the types of JSON.

    Numpy values become numbers and lists, tuples become lists, paths become text, NaN and
    infinities become None.
    """
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, os.PathLike) else value


def _pretty(value, margin=''):
    """Return indented JSON.

    Whatever fits on one line is on one line; a list of plain values always is.
    """
    line = _dumps(value)
    nested = isinstance(value, dict)
    if isinstance(value, list):
        nested = any(isinstance(item, dict | list) for item in value)
    if len(line) + len(margin) <= 110 or not nested:
        return line
    inner = margin + '  '
    if isinstance(value, dict):
        lines = [f'{inner}{_dumps(key)}: {_pretty(item, inner)}' for key, item in value.items()]
        opening, closing = '{}'
    else:
        lines = [inner + _pretty(item, inner) for item in value]
        opening, closing = '[]'
    body = ',\n'.join(lines)
    return f'{opening}\n{body}\n{margin}{closing}'


def _dumps(value):
    """JSON on one line."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
