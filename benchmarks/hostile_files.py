"""Peak memory of files that are made to exhaust it: holes, archives, headers that announce much.

  python benchmarks/hostile_files.py [--quick]

Each file is read by a new process; what it takes is the peak less what the idle process had before.
The files are made in a temporary folder; most are holes and take no disk. Linux only.
"""

import argparse
import io
import json
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import openpyxl

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.support import archives  # noqa: E402

HOLES = 3 * 10**9  # bytes
ALLOWED = 300  # MB

# {imports} before the idle peak; {read} is an expression of `path`
PROCESS = """
import sys
from pathlib import Path
{imports}
path = Path(sys.argv[1])
def megabytes(name):
    # the peak that getrusage returns begins with that of the parent process
    return int(Path('/proc/self/status').read_text().split(name + ':')[1].split()[0]) / 1024
idle = megabytes('VmRSS')
try:
    {read}
    outcome = 'accepted'
except (ValueError, OSError, UserError) as error:
    outcome = ' '.join(str(error).replace(str(path.parent), '').split())
print(round(megabytes('VmHWM') - idle))
print(outcome)
"""


class File(NamedTuple):
    """A hostile file, and who reads it."""

    name: str
    title: str
    write: Callable[[Path], None]
    imports: str
    read: str  # an expression of `path`


def with_holes(content: bytes = b'', size: int = HOLES) -> Callable[[Path], None]:
    """A file that begins with `content`; the rest are holes."""

    def write(path: Path) -> None:
        with open(path, 'wb') as file:
            file.write(content)
            file.truncate(size)

    return write


def with_text(line: bytes, count: int) -> Callable[[Path], None]:
    """A file of `count` equal lines."""
    return lambda path: path.write_bytes(line * count)


def picture(suffix: str, image: np.ndarray) -> bytes:
    """An image as a file."""
    return cv2.imencode(suffix, image)[1].tobytes()


def bmp_header(side: int) -> bytes:
    """The header of a BMP of side x side pixels of one bit."""
    return b'BM' + struct.pack('<IIIIiiHHIIiiII', 0, 0, 54, 40, side, side, 1, 1, *[0] * 6)


def largest_picture(path: Path) -> None:
    """The costliest picture that is allowed: 16 bits of four channels, and bytes behind its end."""
    image = np.random.default_rng(0).integers(0, 2**16, (2500, 4000, 4), np.uint16)
    content = cv2.imencode('.png', image, [cv2.IMWRITE_PNG_COMPRESSION, 0])[1].tobytes()
    path.write_bytes(content + bytes(15_000_000))


def workbook(
    parts: Callable[[], Iterable[bytes]], announced: int | None = None
) -> Callable[[Path], None]:
    """An .xlsx whose sheet holds these rows; its directory announces so many bytes."""
    member = 'xl/worksheets/sheet1.xml'
    begin = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'

    def write(path: Path) -> None:
        empty = io.BytesIO()
        openpyxl.Workbook().save(empty)
        with zipfile.ZipFile(empty) as source, zipfile.ZipFile(path, 'w', 8) as target:
            for name in source.namelist():
                if name != member:
                    target.writestr(name, source.read(name))
            with target.open(member, 'w', force_zip64=True) as file:
                file.write(begin + b'<sheetData>')
                for part in parts():
                    file.write(part)
                file.write(b'</sheetData></worksheet>')
        if announced is not None:
            archives.announce(path, announced, member)

    return write


def arrays(**shapes: tuple[int, ...]) -> Callable[[Path], None]:
    """A .npz of bytes 0."""

    def write(path: Path) -> None:
        with zipfile.ZipFile(path, 'w', 8) as archive:
            for name, shape in shapes.items():
                with archive.open(f'{name}.npy', 'w', force_zip64=True) as file:
                    header = {'descr': '|u1', 'fortran_order': False, 'shape': shape}
                    np.lib.format.write_array_header_1_0(file, header)
                    left = int(np.prod(shape, dtype=np.int64))
                    while left:
                        file.write(bytes(min(left, 2**20)))
                        left -= min(left, 2**20)

    return write


def array_header(dtype: str, shape: tuple[int, ...]) -> bytes:
    """The header of a .npy file."""
    file = io.BytesIO()
    header = {'descr': dtype, 'fortran_order': False, 'shape': shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


def tensor_header(size: int) -> bytes:
    """The header of a .safetensors file of one tensor."""
    about = {'dtype': 'F32', 'shape': [size // 4], 'data_offsets': [0, size]}
    text = json.dumps({'conv1.weight': about}).encode()
    text += b' ' * (-len(text) % 8)
    return struct.pack('<Q', len(text)) + text


ERRORS = 'from mer_jax.errors import UserError\n'
FRAMES = f'{ERRORS}from tfds_builders import frames'
FLOW = f'{ERRORS}from tfds_builders.precomputed_flow import png'
SHEETS = f'{ERRORS}from tfds_builders import sheets'
READING = f'{ERRORS}from mer_jax.runfiles import reading'
LANDMARKS = (
    f'{ERRORS}import numpy as np\nfrom mer_jax.preprocess import face, landmarks\n'
    'image = np.zeros((1, 64, 64), np.uint8)\n'
    "crop = face.Crop(np.eye(2, 3), 64, (0, 0, 64, 64), 0, 'landmarks')"
)
TORCH = f'{ERRORS}from mer_jax.models import torch_weights'
MAGNET = f'{ERRORS}from mer_jax.preprocess import magnet'
IMAGES = (
    f'{ERRORS}import numpy as np\nfrom mer_jax.folds import resampling\n'
    'from mer_jax.types import Names, Samples\n'
    'samples = Samples(np.zeros((1, 28, 28, 3), np.uint8), *[np.zeros(1, int)] * 4, {})'
)
CHUNK = b'<row><c t="inlineStr"><is><t>' + b'x' * 10**6 + b'</t></is></c></row>'
SMALL = np.zeros((28, 28, 3), np.uint8)
GRAY = 'frames.read_gray(path)'
TABLES = 'sheets.tables(path)'
OPENFACE = (
    'landmarks.locate(image, source=path.parent, crop=crop, clip=path.stem, '
    "names=['1.png'], folder=['1.png'])"
)
TABLE = 'list(reading.read_csv(path).each())'
JSON = 'reading.read_json(path)'

FILES = (
    File('results.json', '3 GB of holes', with_holes(), READING, JSON),
    File('predictions.csv', '3 GB of holes', with_holes(b'clip,subject\n'), READING, TABLE),
    File('metrics.jsonl', '3 GB of holes', with_holes(), READING, 'reading.read_jsonl(path)'),
    File('nested.json', '15 MB of {}', with_text(b'[{},{}],\n', 10**6), READING, JSON),
    File('line.csv', 'one line of 120 MB', with_text(b'x' * 1000, 120_000), READING, TABLE),
    File('lines.csv', '120 MB of empty lines', with_text(b'\n', 120 * 10**6), READING, TABLE),
    File(
        'held_out.npy',
        'announces 8 TB',
        with_holes(array_header('<f8', (10**12,)), 10**6),
        READING,
        'reading.read_array(path)',
    ),
    File(
        'holes.npy',
        '3 GB of holes of another type',
        with_holes(array_header('<f8', (HOLES // 8 - 16,))),
        f'{ERRORS}from mer_jax.runfiles.epoch_outputs import EpochOutputs',
        "path.rename(path.with_name('held_out.npy')), EpochOutputs.read(path.parent)",
    ),
    File('heads.npz', 'unpacks to 2 GB', arrays(a=(2 * 10**9,)), READING, 'reading.read_npz(path)'),
    File(
        'images.npz',
        'images of 2 GB and one label',
        arrays(image=(850_000, 28, 28, 3), label=(1,)),
        IMAGES,
        "resampling.read(path, samples, Names(('a',), (), (), (), ()))",
    ),
    File('frame1.png', '3 GB of holes', with_holes(picture('.png', SMALL)), FRAMES, GRAY),
    File('frame2.jpg', '3 GB of holes', with_holes(picture('.jpg', SMALL)), FRAMES, GRAY),
    File('frame3.bmp', '27,000 x 27,000', with_holes(bmp_header(27_000), 92 * 10**6), FRAMES, GRAY),
    File('frame4.png', 'the largest allowed', largest_picture, FRAMES, GRAY),
    File('frame5.png', 'the same in colour', largest_picture, FRAMES, 'frames.read_rgb(path)'),
    File(
        'flow.png',
        '3 GB of holes',
        with_holes(picture('.png', SMALL)),
        FLOW,
        'png.read_rgb(path, height=28, width=28)',
    ),
    File('codes1.xlsx', 'unpacks to 2 GB', workbook(lambda: [CHUNK] * 2000), SHEETS, TABLES),
    File(
        'codes2.xlsx',
        'unpacks to 1 GB, announces 15 MB',
        workbook(lambda: [CHUNK] * 1000, announced=15_000_000),
        SHEETS,
        TABLES,
    ),
    File(
        'codes3.xlsx',
        'one row of number 99,999,999,999',
        workbook(lambda: [b'<row r="99999999999"/>']),
        SHEETS,
        TABLES,
    ),
    File(
        'codes4.xlsx',
        'a row of 4.9 million empty cells',
        workbook(lambda: [b'<row>', b'<c/>' * 4_900_000, b'</row>']),
        SHEETS,
        TABLES,
    ),
    File('codes5.xlsx', '3 GB of holes', with_holes(b'PK\x03\x04'), SHEETS, TABLES),
    File('codes6.csv', '3 GB of holes', with_holes(b'Subject,Filename\n'), SHEETS, TABLES),
    File('codes7.csv', '9.9 MB of empty lines', with_text(b'\n', 9_900_000), SHEETS, TABLES),
    File('openface1.csv', '3 GB of holes', with_holes(b'frame,x_0\n'), LANDMARKS, OPENFACE),
    File(
        'openface2.csv',
        '60 MB of empty lines',
        with_text(b'\n', 60 * 10**6),
        LANDMARKS,
        OPENFACE,
    ),
    File(
        'weights1.safetensors',
        '3 GB of holes',
        with_holes(tensor_header(HOLES), HOLES + len(tensor_header(HOLES))),
        TORCH,
        'torch_weights.read(path)',
    ),
    File(
        'weights2.pth', '3 GB of holes', with_holes(b'\x80\x02'), TORCH, 'torch_weights.read(path)'
    ),
    File(
        'weights3.pth', 'unpacks to 2 GB', arrays(a=(2 * 10**9,)), TORCH, 'torch_weights.read(path)'
    ),
    File(
        'magnet.safetensors',
        '3 GB of holes',
        with_holes(tensor_header(HOLES), HOLES + len(tensor_header(HOLES))),
        MAGNET,
        'magnet.read_weights(path)',
    ),
)


def measured(file: File, folder: Path) -> tuple[int, str]:
    """(MB that reading the file takes above the idle process, how it was refused)."""
    path = folder / file.name
    file.write(path)
    code = PROCESS.format(imports=file.imports, read=file.read)
    done = subprocess.run(
        [sys.executable, '-c', code, str(path)], cwd=ROOT, capture_output=True, text=True
    )
    for left in folder.iterdir():
        left.unlink()
    if done.returncode:
        return -1, done.stderr.strip().splitlines()[-1]
    megabytes, outcome = done.stdout.strip().split('\n')
    return int(megabytes), outcome


def main(argv: list[str] | None = None) -> None:
    """Print a table: file, peak, how it was refused."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--quick', action='store_true', help='two files of a run only')
    arguments = parser.parse_args(argv)
    most = 0
    with tempfile.TemporaryDirectory() as folder:
        for file in FILES[:2] if arguments.quick else FILES:
            megabytes, outcome = measured(file, Path(folder))
            most = max(most, megabytes)
            print(f'{file.name:22}{file.title:36}{megabytes:5} MB  {outcome[:160]}', flush=True)
    print(f'the most: {most} MB; allowed: {ALLOWED} MB')


if __name__ == '__main__':
    main()
