"""Zip archives whose directory lies."""

import struct
from pathlib import Path

ENTRY = b'PK\x01\x02'  # begins each entry of the directory, which is the end of an archive
UNPACKED = 24  # where the unpacked size stands in an entry, four bytes


def announce(path: Path, size: int, member: str = '') -> None:
    """Write another unpacked size into the directory of an archive.

    Args:
        path: of the archive.
        size: in bytes.
        member: whose size; '' for the last one.
    """
    content = bytearray(path.read_bytes())
    entry = content.rindex(ENTRY, 0, content.rindex(member.encode()))
    content[entry + UNPACKED : entry + UNPACKED + 4] = struct.pack('<I', size)
    path.write_bytes(bytes(content))
