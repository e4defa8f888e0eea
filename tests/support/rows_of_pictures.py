"""Search an archive for rows of pictures and features, in any form that a file could hold."""

import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

ROW = 8  # so many neighbouring values are a row
VARIED = 4  # so many of them differ: a border of zeros is no picture
NUMBER = re.compile(r'-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?')
TYPES = (np.uint8, np.float16, np.float32, np.float64)


def rows_of(records: Iterable[dict]) -> Iterator[np.ndarray]:
    """Yield runs of ROW neighbouring values of every picture and feature of records.

    They run along the lines of an array [..., H, W, C] of one channel, and of all channels as they
    lie in memory.
    """
    for record in records:
        for value in record.values():
            if not isinstance(value, np.ndarray) or value.ndim < 2:
                continue
            lines = [value.reshape(len(value), -1)]
            if value.ndim > 2:
                lines.append(np.moveaxis(value, -1, 0).reshape(-1, value.shape[-2]))
            for line in (line for block in lines for line in block):
                for start in range(0, len(line) - ROW + 1, ROW):
                    row = line[start : start + ROW]
                    if len(np.unique(row)) >= VARIED:
                        yield row


def found(path: Path, rows: Iterable[np.ndarray]) -> list[tuple[str, list[float]]]:
    """Return (file, row) of each row that an archive holds.

    Searched are the bytes of the archive and of each file in it, for the row as bytes of TYPES;
    and all numbers in the texts, whatever stands between them, for the row as it is, or divided by
    255, to three digits.
    """
    contents = {'': path.read_bytes()}
    with zipfile.ZipFile(path) as archive:
        contents |= {name: archive.read(name) for name in archive.namelist()}
    windows, texts = {}, {}
    for name, content in contents.items():
        for kind in TYPES:
            width = ROW * np.dtype(kind).itemsize
            windows[name, kind] = {content[i : i + width] for i in range(len(content) - width + 1)}
        numbers = [float(text) for text in NUMBER.findall(content.decode('utf-8', 'replace'))]
        starts = range(len(numbers) - ROW + 1)
        texts[name] = {_rounded(numbers[start : start + ROW]) for start in starts}
    hits = []
    for row in rows:
        keys = {_rounded(row), _rounded(row / 255)}
        for name in contents:
            as_bytes = any(
                row.astype(kind).tobytes() in windows[name, kind] for kind in _kinds(row)
            )
            if as_bytes or keys & texts[name]:
                hits.append((name, row.tolist()))
    return hits


def _kinds(row):
    """The types that hold a row without loss of its values' meaning."""
    return TYPES if row.dtype == np.uint8 else TYPES[1:]


def _rounded(numbers):
    return tuple(float(f'{number:.3g}') for number in numbers)
