"""Reads a small PNG of one exact size and kind; its header is checked before it is decoded."""

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np

from mer_jax import bounded

SIGNATURE = b'\x89PNG\r\n\x1a\n'
MOST_BYTES = 4_000_000  # of a file: its pixels take some kilobytes
KINDS = {0: 'grey', 2: 'RGB', 3: 'palette', 4: 'grey with alpha', 6: 'RGBA'}


def read_rgb(path: Path, *, height: int, width: int) -> np.ndarray:
    """Reads a PNG as uint8 [height, width, 3] in RGB order.

    Raises:
      ValueError: it is another picture, or damaged; the message is the reason.
      OSError: it cannot be read.
    """
    wanted = f'must be a {height}x{width} 8-bit RGB PNG'
    bounded.check_size(path, MOST_BYTES)
    with open(path, 'rb') as file:
        head = file.read(26)
        # A file may announce 30,000 x 30,000 pixels: the header is judged before any pixel is
        # decoded.
        _check_header(head, height, width, wanted)
        data = head + file.read()
    _check_chunks(data, wanted)
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if image is None:
        raise ValueError(f'damaged: its pixels cannot be decoded; {wanted}')
    if image.shape != (height, width, 3) or image.dtype != np.uint8:
        raise ValueError(f'decodes to {image.shape} {image.dtype} (transparency?); {wanted}')
    return np.ascontiguousarray(image[:, :, ::-1])  # OpenCV returns BGR


def _check_header(head, height, width, wanted):
    if not head.startswith(SIGNATURE) or head[12:16] != b'IHDR' or len(head) < 26:
        raise ValueError(f'not a PNG, or cut off in its header; {wanted}')
    got_width, got_height, depth, kind = struct.unpack('>IIBB', head[16:26])
    if (got_height, got_width) != (height, width):
        raise ValueError(f'{got_height}x{got_width} pixels; {wanted}')
    if (depth, kind) != (8, 2):
        raise ValueError(f'{depth}-bit {KINDS.get(kind, "unknown")}; {wanted}')


def _check_chunks(data, wanted):
    """Decoders fill up what is missing of a cut file: every chunk must be whole, with its checksum,
    up to IEND.
    """
    at, name = len(SIGNATURE), b''
    while name != b'IEND':
        length, name = struct.unpack('>I4s', data[at : at + 8].ljust(8, b'\0'))
        end = at + 8 + length
        checksum = int.from_bytes(data[end : end + 4], 'big')
        if len(data) < end + 4 or zlib.crc32(data[at + 4 : end]) != checksum:
            raise ValueError(f'cut off or damaged after {min(at, len(data))} bytes; {wanted}')
        at = end + 4
