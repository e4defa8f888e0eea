"""Write files in one step, which a kill cannot leave half done."""

import contextlib
import csv
import io
import json
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mer_jax.runfiles import files
from mer_jax.runfiles.shapes import Json

# What the program wants to write: JSON, numpy, tuples and paths, within each other.
Value = Json | tuple | np.ndarray | np.generic | os.PathLike


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[BinaryIO]:
    """Open a binary file that takes the place of `path` when the block ends well.

    Where the block fails, nothing is left of it.
    """
    path = Path(path)
    part = path.with_name(f'.{path.name}.{os.getpid()}{files.PART}')
    try:
        with open(part, 'wb') as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write UTF-8 text in one step."""
    with replacing(path) as file:
        file.write(text.encode())


def write_json(path: str | Path, value: Value) -> None:
    """Write JSON in one step; see `plain` for what becomes of its values."""
    write_text(path, _pretty(plain(value)) + '\n')


def write_array(path: str | Path, array: np.ndarray) -> None:
    """Write one array as .npy in one step."""
    with replacing(path) as file:
        np.save(file, np.asarray(array), allow_pickle=False)


def write_csv(path: str | Path, header: Sequence, rows: Iterable[Sequence]) -> None:
    """Write a table in one step.

    Raises:
        ValueError: a row has another length than the header.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(header)
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f'{path}: a row of {len(row)} under a header of {len(header)} columns')
        writer.writerow(row)
    write_text(path, text.getvalue())


def append_jsonl(path: str | Path, records: Iterable[dict]) -> None:
    """Append records, a line each, and wait until they are on disk."""
    with open(path, 'ab') as file:
        file.write(jsonl(records).encode())
        file.flush()
        os.fsync(file.fileno())


def jsonl(records: Iterable[dict]) -> str:
    """Return the records as JSON lines."""
    return ''.join(_dumps(plain(record)) + '\n' for record in records)


def plain(value: Value) -> Json:
    """Return a value as JSON can hold it.

    Numpy becomes plain numbers and lists, tuples become lists, paths text, NaN and infinities None.
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
    """Indented JSON; whatever fits on a line stands on one line, and so does a list of numbers."""
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
