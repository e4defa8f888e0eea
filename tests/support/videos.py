"""Writes small videos, and spoils them as phones, cut copies and bad disks do."""

import struct
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

FPS = 50


def noise(count: int, height: int, width: int) -> np.ndarray:
    """Soft random pictures that shift by a pixel a frame: uint8[count, height, width]."""
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (height, width + count)).astype(np.uint8)
    picture = cv2.GaussianBlur(picture, (0, 0), 2)
    return np.stack([picture[:, number : number + width] for number in range(count)])


def write(path: Path, frames: np.ndarray, *, fps: float = FPS, codec: str = 'MJPG') -> Path:
    """Write frames [T, H, W] or [T, H, W, 3] as a video."""
    height, width = frames.shape[1:3]
    parameters = [cv2.VIDEOWRITER_PROP_IS_COLOR, int(frames.ndim == 4)]
    if frames.dtype == np.uint16:
        parameters += [cv2.VIDEOWRITER_PROP_DEPTH, cv2.CV_16U]
    code = cv2.VideoWriter_fourcc(*codec)
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, fps, (width, height), parameters)
    assert writer.isOpened(), f'{codec} in {path.suffix}'
    for frame in frames:
        writer.write(frame)
    writer.release()
    return path


def write_jpegs(
    path: Path,
    frames: Sequence[np.ndarray],
    *,
    fps: float = FPS,
    order: Sequence[int] | None = None,
) -> Path:
    """Write an AVI of frames [H, W] as they are: other writers make odd sizes even.

    order: indices of the frames, in which each may come often; it is compressed once.
    """
    height, width = frames[0].shape
    jpegs = [cv2.imencode('.jpg', frame)[1].reshape(1, -1) for frame in frames]
    code = cv2.VideoWriter_fourcc(*'MJPG')
    parameters = [cv2.VIDEOWRITER_PROP_RAW_VIDEO, 1]
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, fps, (width, height), parameters)
    for index in range(len(frames)) if order is None else order:
        writer.write(jpegs[index])
    writer.release()
    return path


def overwrite(path: Path, begin: float, end: float) -> Path:
    """Write noise over a share of a file, such as .4 to .5."""
    content = bytearray(path.read_bytes())
    first, last = round(begin * len(content)), round(end * len(content))
    content[first:last] = np.random.default_rng(1).bytes(last - first)
    path.write_bytes(content)
    return path


def cut_off(path: Path, share: float) -> Path:
    """Keep the beginning of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: round(share * len(content))])
    return path


def cut_off_beginning(path: Path, share: float) -> Path:
    """Keep the end of an MPEG transport stream, which can be cut between any two packets."""
    content, packet = path.read_bytes(), 188
    path.write_bytes(content[round(share * len(content) / packet) * packet :])
    return path


def announce(path: Path, count: int) -> Path:
    """Make the header of an AVI announce another number of frames."""
    content = bytearray(path.read_bytes())
    struct.pack_into('<I', content, content.index(b'strh') + 40, count)  # its dwLength
    path.write_bytes(content)
    return path


def turn(path: Path) -> Path:
    """Mark an MP4 as taken by a phone that was held upright: shown turned by 90 degrees."""
    content = bytearray(path.read_bytes())
    at = content.index(b'tkhd') + 44
    struct.pack_into('>9i', content, at, 0, 65536, 0, -65536, 0, 0, 0, 0, 2**30)
    path.write_bytes(content)
    return path


def with_intervals(path: Path, milliseconds: Sequence[int]) -> Path:
    """Give each frame of an MP4 another duration."""
    content = bytearray(path.read_bytes())
    scale = struct.unpack_from('>I', content, content.index(b'mdhd') + 16)[0]
    rows = b''.join(struct.pack('>II', 1, round(ms * scale / 1000)) for ms in milliseconds)
    table = struct.pack('>I4sII', 16 + len(rows), b'stts', 0, len(milliseconds)) + rows
    begin = content.index(b'stts') - 4
    length = struct.unpack_from('>I', content, begin)[0]
    content[begin : begin + length] = table
    for box in (b'moov', b'trak', b'mdia', b'minf', b'stbl'):  # what the table lies in
        at = content.index(box) - 4
        size = struct.unpack_from('>I', content, at)[0]
        struct.pack_into('>I', content, at, size + len(table) - length)
    if b'edts' in content:  # would end the video where it ended before
        at = content.index(b'edts')
        content[at : at + 4] = b'free'
    path.write_bytes(content)
    return path
