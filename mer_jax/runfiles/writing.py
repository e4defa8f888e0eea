"""Writes that a kill cannot leave half done, and JSON that any reader takes."""

import contextlib
import csv
import io
import json
import math
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from mer_jax.runfiles import files


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[BinaryIO]:
    """A binary file that takes the place of `path` when the block ends well, and vanishes when it
    does not.
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


def write_json(path: str | Path, value: Any) -> None:
    """Write JSON in one step: numpy becomes plain numbers and lists, NaN and infinities become
    null.
    """
    write_text(path, _pretty(plain(value)) + '\n')


def write_array(path: str | Path, array: np.ndarray) -> None:
    """Write one array as .npy in one step."""
    with replacing(path) as file:
        np.save(file, np.asarray(array), allow_pickle=False)


def write_csv(path: str | Path, header: Sequence, rows: Iterable[Sequence]) -> None:
    """Write a table in one step; ValueError for a row whose length is not that of the header."""
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
    """The records as JSON lines."""
    return ''.join(_dumps(plain(record)) + '\n' for record in records)


def plain(value: Any) -> Any:
    """What JSON can hold: numpy and tuples become numbers and lists, NaN and infinities None."""
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
    """Indented JSON in which whatever fits on a line, and every list of numbers, stands on one
    line.
    """
    line = _dumps(value)
    nested = (
        isinstance(value, dict)
        or isinstance(value, list)
        and any(isinstance(item, dict | list) for item in value)
    )
    if len(line) + len(margin) <= 110 or not nested:
        return line
    inner = margin + '  '
    if isinstance(value, dict):
        items = [f'{inner}{_dumps(key)}: {_pretty(item, inner)}' for key, item in value.items()]
        return '{\n' + ',\n'.join(items) + f'\n{margin}}}'
    return '[\n' + ',\n'.join(inner + _pretty(item, inner) for item in value) + f'\n{margin}]'


def _dumps(value):
    """JSON on one line."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
