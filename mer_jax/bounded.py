"""Read foreign files within limits: their size is judged before anything is read.

A file of holes takes no disk and may be larger than memory; so may what a small archive unpacks to.
"""

import os
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

LONGEST_LINE = 10**6  # characters of a line of text
PIECE = 2**18  # bytes


def check_size(path: str | Path, most: int) -> int:
    """Refuse what is no file, or too large a one, before it is opened.

    Args:
        path: of the file. Opening a named pipe would wait for ever.
        most: bytes that it may have.

    Returns:
        Its bytes.

    Raises:
        ValueError: the message is the reason.
        OSError: it is not there.
    """
    about = os.stat(path)
    if not stat.S_ISREG(about.st_mode):
        raise ValueError('not a file')
    if about.st_size > most:
        raise ValueError(f'{in_words(about.st_size)} large; allowed: up to {in_words(most)}')
    return about.st_size


def read_bytes(path: str | Path, most: int) -> bytes:
    """Read a file of at most `most` bytes; raises what `check_size` raises."""
    check_size(path, most)
    return Path(path).read_bytes()


def read_text(path: str | Path, most: int) -> str:
    """Read UTF-8 text of at most `most` bytes.

    Raises:
        ValueError: what `check_size` raises, or it is no UTF-8; the message is the reason.
        OSError: it is not there.
    """
    return read_bytes(path, most).decode()


def lines(
    path: str | Path, most: int, *, encoding: str = 'utf-8', errors: str = 'strict'
) -> Iterator[str]:
    """Yield the lines of a text, ends included; only one is in memory.

    Args:
        path: of the file.
        most: bytes that it may have.
        encoding: of the text.
        errors: what becomes of bytes that are no text, as `open` takes it.

    Raises:
        ValueError: what `check_size` raises, it is no text, or a line is longer than LONGEST_LINE.
        OSError: it is not there.
    """
    check_size(path, most)
    with open(path, newline='', encoding=encoding, errors=errors) as file:
        number = 0
        while line := file.readline(LONGEST_LINE + 1):
            number += 1
            if len(line) > LONGEST_LINE:
                raise ValueError(f'line {number} has more than {LONGEST_LINE:,} characters')
            yield line


def check_archive(archive: zipfile.ZipFile, most: int) -> None:
    """Refuse a zip archive that announces more than `most` bytes, before unpacking it.

    What it announces may be less than its members hold: read them in pieces, which end there.

    Args:
        archive: opened for reading.
        most: bytes that its members may have together.

    Raises:
        ValueError: the message is the reason.
    """
    total = sum(member.file_size for member in archive.infolist())
    if total > most:
        raise ValueError(f'unpacks to {in_words(total)}; allowed: up to {in_words(most)}')


def unpacked(archive: zipfile.ZipFile, most: int) -> Iterator[bytes]:
    """Yield what a zip archive holds, in pieces; afterwards its directory is known to be true.

    Args:
        archive: opened for reading.
        most: bytes that its members may have together.

    Raises:
        ValueError: they have more; the message is the reason.
        zipfile.BadZipFile: a member is damaged, or holds more than the directory announces.
    """
    check_archive(archive, most)
    for member in archive.infolist():
        with archive.open(member) as file:
            while piece := file.read(PIECE):  # all at once it would unpack more than is announced
                yield piece


def in_words(size: int) -> str:
    """Return a number of bytes as '12.3 MB'."""
    if size < 10**9:
        return f'{size / 10**6:,.1f} MB'
    return f'{size / 10**9:,.1f} GB'
