"""Files that announce more than they hold, or hold more than memory: refused before they are read.

benchmarks/hostile_files.py measures what each costs.
"""

import io
import json
import os
import struct
import zipfile

import cv2
import numpy as np
import openpyxl
import pytest

from mer_jax import config_files
from mer_jax.errors import UserError
from mer_jax.folds import resampling
from mer_jax.models import torch_weights
from mer_jax.preprocess import face, landmarks, magnet, mtcnn
from mer_jax.report import page
from mer_jax.runfiles import reading
from mer_jax.runfiles.epoch_outputs import EpochOutputs
from mer_jax.runfiles.gan import GanImages
from tests.conftest import make_samples
from tests.support import archives
from tfds_builders import frames, sheets
from tfds_builders.precomputed_flow import png

SHEET = 'xl/worksheets/sheet1.xml'
MAIN = 'http://schemas.openxmlformats.org/spreadsheetml/2006/main'


def holes(content=b'', size=3 * 10**9):
    """A file that begins with `content`, and otherwise consists of holes."""

    def write(path):
        with open(path, 'wb') as file:
            file.write(content)
            file.truncate(size)

    return write


def picture(suffix, shape=(28, 28, 3), dtype=np.uint8):
    return cv2.imencode(suffix, np.zeros(shape, dtype))[1].tobytes()


def bmp(width, height, size):
    """A BMP of one bit a pixel; what is no header are holes."""
    head = struct.pack('<IIIIiiHHIIiiII', 0, 0, 54, 40, width, height, 1, 1, *[0] * 6)
    return holes(b'BM' + head, size)


def jpeg_of_segments(path):
    """A JPEG of a hundred thousand segments and no picture."""
    path.write_bytes(b'\xff\xd8' + b'\xff\xe0\x00\x02' * 10**5 + b'\xff\xd9')


def workbook(rows, announced=None):
    """An .xlsx of these rows; its directory announces so many bytes of them."""

    def write(path):
        empty = io.BytesIO()
        openpyxl.Workbook().save(empty)
        with zipfile.ZipFile(empty) as source, zipfile.ZipFile(path, 'w', 8) as target:
            for name in source.namelist():
                if name != SHEET:
                    target.writestr(name, source.read(name))
            sheet = f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>'
            target.writestr(SHEET, sheet)
        if announced is not None:
            archives.announce(path, announced, SHEET)

    return write


def npz(size_of_header=None, **shapes):
    """A .npz of headers that announce these shapes; its directory announces so many bytes."""

    def write(path):
        with zipfile.ZipFile(path, 'w') as archive:
            for name, (dtype, shape) in shapes.items():
                archive.writestr(f'{name}.npy', npy_header(dtype, shape))
        if size_of_header is not None:
            archives.announce(path, size_of_header)

    return write


def npy_header(dtype, shape):
    file = io.BytesIO()
    header = {'descr': dtype, 'fortran_order': False, 'shape': shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


def tensors(size):
    """A .safetensors file of one tensor of so many bytes, all holes."""
    about = {'dtype': 'F32', 'shape': [size // 4], 'data_offsets': [0, size]}
    text = json.dumps({'fc.weight': about}).encode()
    text += b' ' * (-len(text) % 8)
    return holes(struct.pack('<Q', len(text)) + text, 8 + len(text) + size)


def repeated(path):
    """A .pth in which one number stands for four billion."""
    torch = pytest.importorskip('torch')
    torch.save({'fc.weight': torch.zeros(1, dtype=torch.float16).expand(4 * 10**9)}, path)


def openface(path):
    crop = face.Crop(np.eye(2, 3), 8, (0, 0, 8, 8), 0, 'landmarks')
    clip = {'clip': path.stem, 'names': ['1.png'], 'folder': ['1.png']}
    return landmarks.locate(np.zeros((1, 8, 8), np.uint8), source=path.parent, crop=crop, **clip)


def flow(path):
    return png.read_rgb(path, height=28, width=28)


def generated(path):
    return resampling.read(path, *make_samples())


def pairs(path):
    return reading.read_csv(path).rows


PICTURES = {  # name -> (file, how it is written, who reads it, what the message names)
    'holes behind a PNG': ('1.png', holes(picture('.png')), frames.read_gray, '3.0 GB'),
    'holes behind a small JPEG': (
        '1.jpg', holes(picture('.jpg'), 5 * 10**7), frames.read_gray, '28x28 pixels take',
    ),
    'a BMP of 700 megapixels': (
        '1.bmp', bmp(27_000, 27_000, 92 * 10**6), frames.read_gray, '27000x27000',
    ),
    'a BMP of one endless row': ('1.bmp', bmp(300_000, 1, 10**5), frames.read_rgb, '1x300000'),
    'a PNG of one endless row': (
        '1.png', lambda path: path.write_bytes(picture('.png', (1, 40_000))), frames.read_gray,
        '1x40000',
    ),
    'a JPEG that never begins': ('1.jpg', jpeg_of_segments, frames.read_gray, 'without a scan'),
    'holes behind a flow picture': ('1.png', holes(picture('.png')), flow, '3.0 GB'),
}  # fmt: skip
SHEETS = {
    'a workbook that unpacks to 2 GB': (
        'codes.xlsx', workbook('<row/>', 2 * 10**9), sheets.tables, 'unpacks to 2.0 GB',
    ),
    'a workbook that announces too little': (
        'codes.xlsx', workbook('<row/>' * 10**6, 1000), sheets.tables, 'Bad CRC',
    ),
    'a row of a high number': (
        'codes.xlsx', workbook('<row r="99999999999"/>'), sheets.tables, '20,000 rows and',
    ),
    'cells of a high column': (
        'codes.xlsx', workbook('<row><c r="XFD1"/></row>' * 100), sheets.tables, '20,000 rows',
    ),
    'a million cells in a row': (
        'codes.xlsx', workbook(f'<row>{"<c/>" * 10**6}</row>'), sheets.tables, 'tags',
    ),
    'a workbook of holes': ('codes.xlsx', holes(b'PK\x03\x04'), sheets.tables, '3.0 GB'),
    'a CSV of holes': ('codes.csv', holes(b'Subject,Filename\n'), sheets.tables, '3.0 GB'),
    'a CSV of empty lines': (
        'codes.csv', lambda path: path.write_bytes(b'\n' * 30_000), sheets.tables, 'rows and',
    ),
    'landmarks of holes': ('clip.csv', holes(b'frame,x_0\n'), openface, '3.0 GB'),
    'landmarks in one line': (
        'clip.csv', lambda path: path.write_bytes(b'1,' * 10**6), openface, '1,000,000 characters',
    ),
}  # fmt: skip
RUNS = {
    'JSON of holes': ('results.json', holes(), reading.read_json, '3.0 GB'),
    'JSON of a million dictionaries': (
        'results.json', lambda path: path.write_text(f'[{"{}," * 10**6}0]'), reading.read_json,
        'lists and dictionaries',
    ),
    'a table with holes': ('heads.csv', holes(b'title,seed\n', 10**8), pairs, 'characters'),
    'a table that is a pipe': ('heads.csv', os.mkfifo, pairs, 'not a file'),
    'a log of holes': ('metrics.jsonl', holes(b'{}\n'), reading.read_jsonl, 'characters'),
    'arrays that unpack to 4 GB': (
        'heads.npz', npz(4 * 10**9, a=('<f4', (3,))), reading.read_npz, 'unpacks to 4.0 GB',
    ),
    'outputs of another type': (
        'held_out.npy', holes(npy_header('<f8', (30_000, 12_499))),
        lambda path: EpochOutputs.read(path.parent), 'float32[epochs',
    ),
    'outputs of other rows': (
        'held_out.npy', holes(npy_header('<f4', (7, 10**8, 1)), 2_800_000_128),
        lambda path: EpochOutputs.read(path.parent, 10, 3), '[7, 10, 3]',
    ),
    'images of other sizes': (
        'images.npy', holes(npy_header('|u1', (1, 1, 10**4, 10**5, 3)), 3_000_000_128),
        lambda path: GanImages.read(path.parent, (1, 1, 6, 6, 3)), '[1, 1, 6, 6, 3]',
    ),
    'images of text': (
        'images.npy', lambda path: np.save(path, np.full((1, 1, 2, 2, 3), 'x')),
        lambda path: GanImages.read(path.parent), 'finite numbers',
    ),
    'a picture of a report': (
        'montage.png', holes(picture('.png')), lambda path: page.picture(path, ''), '3.0 GB',
    ),
}  # fmt: skip
WEIGHTS = {
    'weights of holes': ('w.safetensors', tensors(3 * 10**9), torch_weights.read, '3.0 GB'),
    'a pickle of holes': ('w.pth', holes(b'\x80\x02'), torch_weights.read, '3.0 GB'),
    'weights that repeat a number': ('w.pth', repeated, torch_weights.read, 'tensors of 16.0 GB'),
    'weights that unpack to 4 GB': (
        'w.pth', npz(4 * 10**9, a=('<f4', (3,))), torch_weights.read, 'unpacks to 4.0 GB',
    ),
    'a magnifier of holes': ('w.safetensors', tensors(10**8), magnet.read_weights, '100.0 MB'),
    'a detector of holes': ('w.safetensors', tensors(10**8), mtcnn.read_weights, '100.0 MB'),
    'generated images of another size': (
        'x.npz', npz(image=('|u1', (10**6, 60, 60, 3)), label=('<U1', (10**6,))), generated,
        'uint8[1000000, 60, 60, 3]',
    ),
    'generated images with long labels': (
        'x.npz', npz(image=('<f4', (9, 28, 28, 3)), label=('<U100000', (9,))), generated, 'labels',
    ),
    'a config of holes': (
        'mine.py', holes(b'import mer_jax\n'), lambda path: config_files.read(str(path)), '3.0 GB',
    ),
}  # fmt: skip
CASES = PICTURES | SHEETS | RUNS | WEIGHTS


@pytest.mark.parametrize('case', CASES)
def test_a_file_that_would_fill_memory_is_named(case, tmp_path, monkeypatch):
    """One file of no bytes on the disk took all memory, and the kernel killed the program."""
    name, write, read, words = CASES[case]
    path = tmp_path / name
    write(path)
    monkeypatch.setattr(sheets, 'MOST_CELLS', 20_000)  # a million take seconds
    with pytest.raises((UserError, ValueError)) as error:
        read(path)
    text = str(error.value)
    assert words in text and '\n' not in text
    if isinstance(error.value, UserError):
        assert name in text  # those of frames are named by the audit


def test_files_that_fit_are_read(tmp_path):
    """A limit that refuses what every release and run holds would be worse than none."""
    image = np.random.default_rng(0).integers(0, 2**16, (300, 400, 4), np.uint16)
    (tmp_path / '1.png').write_bytes(cv2.imencode('.png', image)[1].tobytes() + bytes(10**6))
    assert frames.read_gray(tmp_path / '1.png').shape == (300, 400)
    workbook('<row><c t="inlineStr"><is><t>a</t></is></c></row>' * 5000)(tmp_path / 'a.xlsx')
    ((_, rows),) = sheets.tables(tmp_path / 'a.xlsx')
    assert rows == [['a']] * 5000
    (tmp_path / 'a.csv').write_text('a,b\n' + '1,2\n' * 50_000)
    assert len(reading.read_csv(tmp_path / 'a.csv').rows) == 50_000
