"""Search an archive for rows of pictures and features, in any form that a file could hold."""

import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

ROW = 8  # so many neighbouring values are a row
VARIED = 4  # so many of them differ: a border of zeros is no picture
NUMBER = re.compile(r'-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?')
TYPES = (np.uint8, np.float16, np.float32, np.float64)


def rows_of(records: Iterable[dict]) -> Iterator[np.ndarray]:
    """Yield the rows [n, ROW] of every picture and feature of records.

    A row is a run of neighbouring values along the lines of an array [..., H, W, C]: of one
    channel, and of all channels as they lie in memory.
    """
    for record in records:
        for value in record.values():
            if not isinstance(value, np.ndarray) or value.ndim < 2:
                continue
            blocks = [value.reshape(len(value), -1)]
            if value.ndim > 2:
                blocks.append(np.moveaxis(value, -1, 0).reshape(-1, value.shape[-2]))
            for block in blocks:
                width = block.shape[1] // ROW * ROW
                rows = np.ascontiguousarray(block[:, :width]).reshape(-1, ROW)
                values_of_row = 1 + np.count_nonzero(np.diff(np.sort(rows, 1), axis=1), axis=1)
                yield rows[values_of_row >= VARIED]


def rows_in(path: Path, blocks: Iterable[np.ndarray]) -> list[tuple[str, list[float]]]:
    """Return (file, row) of each row that an archive holds.

    Searched are the bytes of the archive and of each file in it, for the row as bytes of TYPES;
    and all numbers in the texts, whatever stands between them, for the row as it is, or divided by
    255, to three digits.

    Args:
        path: of the archive.
        blocks: of `rows_of`.
    """
    contents = {'': path.read_bytes()}
    with zipfile.ZipFile(path) as archive:
        contents |= {name: archive.read(name) for name in archive.namelist()}
    file_of = {}  # {row in one of the forms: the file that holds it}
    for name, content in contents.items():
        for kind in TYPES:
            width = ROW * np.dtype(kind).itemsize
            for start in range(len(content) - width + 1):
                file_of[kind, content[start : start + width]] = name
        texts = NUMBER.findall(content.decode('utf-8', 'replace'))
        numbers = np.array([float(text) for text in texts])
        if len(numbers) >= ROW:
            windows = sliding_window_view(_rounded(numbers), ROW)
            file_of |= {('text', window.tobytes()): name for window in windows}
    hits = []
    for rows in blocks:
        forms = [('text', _rounded(rows)), ('text', _rounded(rows / 255))]
        # A byte holds no fraction.
        kinds = TYPES if rows.dtype == np.uint8 else TYPES[1:]
        with np.errstate(over='ignore'):
            forms += [(kind, rows.astype(kind)) for kind in kinds]
        for kind, values in forms:
            for row, original in zip(values, rows, strict=True):
                if (kind, row.tobytes()) in file_of:
                    hits.append((file_of[kind, row.tobytes()], original.tolist()))
    return hits


def _rounded(numbers):
    """Three digits and the exponent of numbers, as one int64 each."""
    numbers = np.asarray(numbers, np.float64)
    size = np.abs(numbers)
    plain = (size > 1e-99) & (size < 1e99)
    exponent = np.floor(np.log10(size, out=np.zeros_like(size), where=plain))
    digits = np.round(np.where(plain, numbers, 0) * 10.0 ** (2 - exponent))
    carried = np.abs(digits) >= 1000
    digits, exponent = np.where(carried, digits / 10, digits), exponent + carried
    return (digits * 1000 + exponent).astype(np.int64)
