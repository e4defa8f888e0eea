"""Frame files of a clip: their numbers, which of them are whole, and one as a grey picture.

Whether a file is whole is seen by its header and its end; no pixel is decoded.
"""

import os
import re
import struct
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import cv2
import numpy as np

from mer_jax import bounded
from tfds_builders.base import is_litter

SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp')
# An allowed picture costs less than 300 MB of memory: its file and two copies of 8 bytes a pixel
# (16-bit RGBA).
MOST_PIXELS = 10_000_000
LONGEST_SIDE = 16_384
BESIDE_PIXELS = 16_000_000  # bytes of a file that may be no pixels: profiles, a preview
SEGMENTS = 10_000  # before the first scan of a JPEG, of at most 64 KiB each
STRIP = 64  # rows of 16 bits that become bytes at a time
DEPTHS = (8, 10, 12, 14, 16)  # bits of the cameras whose values 16-bit files hold
LARGEST = 10**9 - 1  # numbers of more digits are dates and do not fit the int32 of a record
NOT_AN_IMAGE = 'not a JPEG, PNG or BMP picture'
CUT_OFF = 'cut off: its end is missing'
NO_NUMBER = f'its name does not end in a frame number: up to {len(str(LARGEST))} digits'
TAIL = 4096
OTHERS = 2  # times as many files bear the usual name of a folder as any other
FOREIGN = 'no frame of this clip: most files of its folder are named otherwise'
_SIZED = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # JPEG start-of-frame markers
_SCAN, _END = 0xDA, b'\xff\xd9'


def number(path: Path) -> int:
    """Frame number at the end of a file's stem ('reg_img46.jpg' -> 46); -1 where there is none."""
    match = re.search(r'([0-9]+)\s*$', Path(path).stem)
    return int(match[1]) if match and int(match[1]) <= LARGEST else -1


def is_frame(name: str) -> bool:
    """True for names with the suffix of a picture that no operating system left behind."""
    return name.lower().endswith(SUFFIXES) and not is_litter(name)


def numbered(folder: Path) -> list[tuple[int, Path]]:
    """(number, path) of all pictures in `folder`, by number (-1: none), then name.

    Nothing is opened.
    """
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if is_frame(entry.name)]
    return sorted((number(name), Path(folder) / name) for name in names)


def of_clip(folder: Path) -> tuple[list[tuple[int, Path]], list[Path]]:
    """(number, path) of the pictures of a clip as `numbered`, and pictures that are none of it.

    Other projects store pictures made of a frame beside it: 'image46_1.bmp' is not frame 1. A
    picture is none of the clip where at least OTHERS times as many are named otherwise, and alike.
    """
    entries = numbered(folder)
    names = Counter(_name(path) for number, path in entries if number >= 0)
    (usual, count), *others = names.most_common() or [('', 0)]
    rare = {name for name, often in others if OTHERS * often <= count}
    if not others or len(rare) < len(others):
        return entries, []
    kept = [(number, path) for number, path in entries if number < 0 or _name(path) == usual]
    return kept, [path for number, path in entries if number >= 0 and _name(path) != usual]


def _name(path):
    """What stands before the number of a frame."""
    return path.stem.rstrip().rstrip('0123456789').lower()


def listing(
    folder: Path, *, first: int = 0, last: int = LARGEST
) -> tuple[dict[int, Path], list[tuple[Path, str]]]:
    """The usable pictures of `folder` and the others with their reasons; no pixel is decoded.

    A file cannot be used that has no number, is unreadable, empty, cut off, over MOST_PIXELS,
    larger than its pixels can be, or no JPEG, PNG or BMP (whatever its suffix), that has another
    size than most of its folder, or a number that two whole files of that size share. Files with
    other suffixes, and pictures that are none of the clip by `of_clip`, are passed over.

    Args:
      folder: of one clip, or of a long recording.
      first: numbers below it are not looked at.
      last: numbers above it are not looked at.

    Returns:
      ({number: path} ascending, [(path, reason)]).
    """
    sizes, problems = {}, []
    for frame, path in of_clip(folder)[0]:
        if frame < 0:
            problems.append((path, NO_NUMBER))
        elif first <= frame <= last:
            try:
                sizes[path] = size(path)
            except (ValueError, OSError) as error:
                problems.append((path, _reason(error)))
    usual = Counter(sizes.values()).most_common(1)[0][0] if sizes else ()
    files_of_number = Counter(number(path) for path in sizes if sizes[path] == usual)
    files = {}
    for path, (height, width) in sizes.items():
        frame = number(path)
        if (height, width) != usual:
            there = f'{height}x{width}, most files of its folder have {usual[0]}x{usual[1]}'
            problems.append((path, f'another number of pixels: {there}'))
        elif files_of_number[frame] > 1:
            there = f'{files_of_number[frame]} files of the folder have the number {frame}'
            problems.append((path, f'several files of one frame number: {there}'))
        else:
            files[frame] = path
    return files, problems


def between(files: Mapping[int, Path], first: int, last: int) -> tuple[tuple[int, Path], ...]:
    """(number, path) of the files numbered `first`..`last`, ascending: `frames` of a Clip."""
    return tuple((frame, files[frame]) for frame in sorted(files) if first <= frame <= last)


def size(path: Path) -> tuple[int, int]:
    """(height, width) from the header of a whole JPEG, PNG or BMP.

    Raises:
      ValueError: it is none; the message is the reason.
      OSError: it cannot be read.
    """
    if not os.path.isfile(path):  # also a link to nowhere
        raise ValueError('not a file')
    length = bounded.check_size(path, _most_bytes(MOST_PIXELS))
    with open(path, 'rb') as file:
        return _size(file, length)


def _most_bytes(pixels):
    """The most bytes that a file of so many pixels may have."""
    return 8 * pixels + BESIDE_PIXELS


def read_gray(path: Path, *, depth: int = 16) -> np.ndarray:
    """Reads a picture as grey uint8 [H, W].

    Colour becomes grey by 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), 16 bits become 8 by division
    by the largest value of `depth` bits, times 255, rounded; transparency and the EXIF orientation
    are passed over: annotators saw the pixels as they are stored.

    Args:
      path: of the picture.
      depth: bits that the values of a 16-bit file fill, as `depth_of` returns it.

    Raises:
      ValueError: it is no whole picture; the message is the reason.
      OSError: it cannot be read.
    """
    image = _decoded(path)
    if image.ndim == 3:
        to_gray = cv2.COLOR_BGR2GRAY if image.shape[2] == 3 else cv2.COLOR_BGRA2GRAY
        image = cv2.cvtColor(image, to_gray)
    return _as_bytes(image, depth)


def read_rgb(path: Path, *, depth: int = 16) -> np.ndarray:
    """Reads a picture in colour as uint8 [H, W, 3]: red, green, blue.

    16 bits become 8 as in `read_gray`; transparency and the EXIF orientation are passed over.

    Args:
      path: of the picture.
      depth: as in `read_gray`.

    Raises:
      ValueError: it is no whole picture, or gray; the message is the reason.
      OSError: it cannot be read.
    """
    image = _decoded(path)
    if is_gray(image):
        raise ValueError('gray, but the setting key_frames=rgb needs colours')
    return _as_bytes(image[..., 2::-1], depth)


def is_gray(image: np.ndarray) -> bool:
    """Whether a picture [H, W] or [H, W, C] holds no colours; three equal channels are none."""
    return image.ndim == 2 or bool((image[..., :1] == image[..., 1:3]).all())


def _as_bytes(image, depth):
    if image.dtype == np.uint8:
        return image
    largest = 2**depth - 1
    scaled = np.empty(image.shape, np.uint8)
    for top in range(0, len(image), STRIP):  # 32 bits of all pixels would take twice the picture
        strip = image[top : top + STRIP].astype(np.uint32)
        scaled[top : top + STRIP] = np.minimum((strip * 255 + largest // 2) // largest, 255)
    return scaled


def is_deep(path: Path) -> bool:
    """Whether a file is a PNG of 16 bits, by its header."""
    with open(path, 'rb') as file:
        head = file.read(25)
    return head.startswith(b'\x89PNG\r\n\x1a\n') and head[24:] == b'\x10'


def largest_value(path: Path) -> int:
    """The largest value of a picture's colours; 0 where its pixels cannot be decoded."""
    try:
        image = _decoded(path)
    except (ValueError, OSError):
        return 0
    return int(image[..., :3].max() if image.ndim == 3 else image.max())


def depth_of(largest: int) -> int:
    """The least of DEPTHS whose values go up to `largest`.

    Cameras of 10, 12 or 14 bits are stored in files of 16: scaled by 16, their frames are black.
    """
    return min(depth for depth in DEPTHS if largest < 2**depth)


def _decoded(path):
    """The pixels of a file as they are stored."""
    # before reading: a small file may announce 30,000 x 30,000 pixels, a large one consist of holes
    height, width = size(path)
    try:
        image = cv2.imdecode(np.frombuffer(Path(path).read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        image = None
    if image is None or image.shape[:2] != (height, width):
        raise ValueError('damaged: its pixels cannot be decoded')
    return image


def _reason(error):
    if isinstance(error, OSError):
        return f'cannot be read: {error.strerror or error}'
    return str(error)


def _size(file, length):
    """(height, width) of an open file of `length` bytes."""
    head = file.read(38)
    if not length:
        raise ValueError('empty file')
    end, begin = b'', 0  # bytes that end a whole file, and where their search begins
    try:
        if head.startswith(b'\xff\xd8\xff'):
            height, width, begin = _jpeg(file)
            end = _END
        elif head.startswith(b'\x89PNG\r\n\x1a\n') and head[12:16] == b'IHDR':
            width, height = struct.unpack('>II', head[16:24])
            end, begin = b'IEND\xaeB`\x82', 8
        elif head.startswith(b'BM'):
            height, width = _bmp(head, length)
        else:
            raise ValueError(NOT_AN_IMAGE)
    except struct.error:
        raise ValueError(CUT_OFF) from None
    _check_pixels(height, width, length)
    if end:
        _require(file, end, begin, length)
    return height, width


def _check_pixels(height, width, length):
    """ValueError where a header announces too many pixels, or fewer than the file has bytes for."""
    if not 0 < height * width <= MOST_PIXELS or max(height, width) > LONGEST_SIDE:
        raise ValueError(
            f'too many or no pixels: {height}x{width}; a frame has 1 to '
            f'{MOST_PIXELS // 10**6} million'
        )
    most = _most_bytes(height * width)
    if length > most:
        raise ValueError(
            f'{bounded.in_words(length)} large, but {height}x{width} pixels take up to '
            f'{bounded.in_words(most)}'
        )


def _jpeg(file):
    """(height, width, position of the first scan); walks the segments up to there."""
    height_width, at = (), 2
    for _ in range(SEGMENTS):
        file.seek(at)
        mark, kind, step = struct.unpack('>BBH', file.read(4))
        if mark != 0xFF:
            raise ValueError('damaged: its JPEG segments do not follow each other')
        if kind == 0xFF:  # fill byte
            at += 1
            continue
        if kind in _SIZED:
            height_width = struct.unpack('>xHH', file.read(5))
        if kind == _SCAN:
            break
        at += 2 + step
    else:
        raise ValueError('damaged: a JPEG without a scan')
    if not height_width:
        raise ValueError('damaged: a JPEG without a size')
    return (*height_width, at)


def _bmp(head, length):
    """(height, width), after comparing the file's length with what the header announces."""
    start, header = struct.unpack('<10xII', head[:18])
    if header == 12:  # OS/2
        width, height, bits = struct.unpack('<HH2xH', head[18:26])
        packing, packed = 0, 0
    else:
        width, height, bits, packing, packed = struct.unpack('<ii2xHII', head[18:38])
    width, height = max(width, 0), abs(height)  # negative: rows from top to bottom
    rows = packed if packing in (1, 2) else (width * bits + 31) // 32 * 4 * height
    if length < start + rows:
        raise ValueError(CUT_OFF)
    return height, width


def _require(file, end, start, length):
    """ValueError unless the bytes `end` occur from `start` on."""
    # the last 4 KiB first: whole files are read no further
    for begin in (max(start, length - TAIL), start):
        file.seek(begin)
        if end in file.read():
            return
    raise ValueError(CUT_OFF)
