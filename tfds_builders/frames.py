"""Frame files of a clip: their numbers, which of them are whole (headers and tails only), and one
as a grey picture.
"""

import os
import re
import struct
from collections import Counter
from pathlib import Path

import cv2
import numpy as np

from tfds_builders.base import is_litter

SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp')
MOST_PIXELS = 64_000_000
LARGEST = 10**9 - 1  # numbers of more digits are dates and do not fit the int32 of a record
NOT_AN_IMAGE = 'not a JPEG, PNG or BMP picture'
CUT_OFF = 'cut off: its end is missing'
NO_NUMBER = f'its name does not end in a frame number: up to {len(str(LARGEST))} digits'
TAIL = 4096
_SIZED = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # JPEG start-of-frame markers
_SCAN, _END = 0xDA, b'\xff\xd9'


def number(path):
    """Frame number: the integer at the end of the file's stem ('reg_img46.jpg' -> 46); -1 where
    there is none.
    """
    match = re.search(r'([0-9]+)\s*$', Path(path).stem)
    return int(match[1]) if match and int(match[1]) <= LARGEST else -1


def is_frame(name):
    """True for names with the suffix of a picture that no operating system left behind."""
    return name.lower().endswith(SUFFIXES) and not is_litter(name)


def numbered(folder):
    """[(number, path)] of all picture names in `folder`, by number (-1: none), then name; nothing
    is opened.
    """
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if is_frame(entry.name)]
    return sorted((number(name), Path(folder) / name) for name in names)


def listing(folder, *, first=0, last=LARGEST):
    """(files {number: path} ascending, problems [(path, reason)]) of the pictures of `folder`; no
    pixel is decoded.

    Only numbers `first`..`last` are looked at (long recordings). A file with a problem is not in
    `files`: without a number, unreadable, empty, no JPEG, PNG or BMP whatever its suffix, cut off,
    over 64 megapixels, another size than most of its folder, or a number that two whole files of
    that size share. Files with other suffixes are passed over.
    """
    sizes, problems = {}, []
    for at, path in numbered(folder):
        if at < 0:
            problems.append((path, NO_NUMBER))
        elif first <= at <= last:
            try:
                sizes[path] = size(path)
            except (ValueError, OSError) as error:
                problems.append((path, _reason(error)))
    usual = Counter(sizes.values()).most_common(1)[0][0] if sizes else ()
    alike = Counter(number(path) for path in sizes if sizes[path] == usual)
    files = {}
    for path, (height, width) in sizes.items():
        if (height, width) != usual:
            there = f'{height}x{width}, most files of its folder have {usual[0]}x{usual[1]}'
            problems.append((path, f'another number of pixels: {there}'))
        elif alike[number(path)] > 1:
            there = f'{alike[number(path)]} files of the folder have the number {number(path)}'
            problems.append((path, f'several files of one frame number: {there}'))
        else:
            files[number(path)] = path
    return files, problems


def between(files, first, last):
    """((number, path), ...) of the files numbered `first`..`last`, ascending: what a record's
    `frames` holds.
    """
    return tuple((at, files[at]) for at in sorted(files) if first <= at <= last)


def size(path):
    """(height, width) from the header of a whole JPEG, PNG or BMP; ValueError with a reason, or
    OSError.
    """
    if not os.path.isfile(path):  # opening a named pipe would wait for ever
        raise ValueError('not a file')
    with open(path, 'rb') as file:
        return _size(file, os.fstat(file.fileno()).st_size)


def read_gray(path):
    """The picture as uint8 [H, W]; ValueError with a reason, or OSError.

    Colour becomes grey by 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), 16 bits become 8 by division
    by 257, rounded; transparency and the EXIF orientation are passed over: annotators saw the
    pixels as they are stored.
    """
    # a small file may announce 30,000 x 30,000 pixels: judged before decoding
    height, width = size(path)
    try:
        image = cv2.imdecode(np.frombuffer(Path(path).read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        image = None
    if image is None or image.shape[:2] != (height, width):
        raise ValueError('damaged: its pixels cannot be decoded')
    if image.ndim == 3:
        image = cv2.cvtColor(
            image, cv2.COLOR_BGR2GRAY if image.shape[2] == 3 else cv2.COLOR_BGRA2GRAY
        )
    return (
        image
        if image.dtype == np.uint8
        else ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)
    )


def _reason(error):
    return (
        f'cannot be read: {error.strerror or error}' if isinstance(error, OSError) else str(error)
    )


def _size(file, length):
    """(height, width) of an open file of `length` bytes."""
    head = file.read(38)
    if not length:
        raise ValueError('empty file')
    try:
        if head.startswith(b'\xff\xd8\xff'):
            height, width = _jpeg(file, length)
        elif head.startswith(b'\x89PNG\r\n\x1a\n') and head[12:16] == b'IHDR':
            width, height = struct.unpack('>II', head[16:24])
            _find(file, b'IEND\xaeB`\x82', 8, length)
        elif head.startswith(b'BM'):
            height, width = _bmp(head, length)
        else:
            raise ValueError(NOT_AN_IMAGE)
    except struct.error:
        raise ValueError(CUT_OFF) from None
    if not 0 < height * width <= MOST_PIXELS:
        raise ValueError(
            f'too many or no pixels: {height}x{width}; a frame has 1 to '
            f'{MOST_PIXELS // 10**6} million'
        )
    return height, width


def _jpeg(file, length):
    """(height, width) from the start-of-frame segment; walks the segments up to the first scan."""
    found, at = (), 2
    while True:
        file.seek(at)
        mark, kind, step = struct.unpack('>BBH', file.read(4))
        if mark != 0xFF:
            raise ValueError('damaged: its JPEG segments do not follow each other')
        if kind == 0xFF:  # fill byte
            at += 1
            continue
        if kind in _SIZED:
            found = struct.unpack('>xHH', file.read(5))
        if kind == _SCAN:
            break
        at += 2 + step
    if not found:
        raise ValueError('damaged: a JPEG without a size')
    _find(file, _END, at, length)
    return found


def _bmp(head, length):
    """(height, width), after comparing the file's length with what the header announces."""
    start, header = struct.unpack('<10xII', head[:18])
    if header == 12:  # OS/2
        width, height, bits, packing, packed = *struct.unpack('<HH2xH', head[18:26]), 0, 0
    else:
        width, height, bits, packing, packed = struct.unpack('<ii2xHII', head[18:38])
    width, height = max(width, 0), abs(height)  # negative: rows from top to bottom
    rows = packed if packing in (1, 2) else (width * bits + 31) // 32 * 4 * height
    if length < start + rows:
        raise ValueError(CUT_OFF)
    return height, width


def _find(file, end, start, length):
    """ValueError unless the bytes `end` occur from `start` on; the last 4 KiB first, all else only
    where not there.
    """
    for begin in (max(start, length - TAIL), start):
        file.seek(begin)
        if end in file.read():
            return
    raise ValueError(CUT_OFF)
