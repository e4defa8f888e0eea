"""Files that announce more than they hold, disks that are full, devices that are too small."""

import json
import struct

import numpy as np
import pytest

from mer_jax.errors import UserError
from mer_jax.folds import resampling
from mer_jax.runfiles import reading
from mer_jax.training import checkpoint, metrics_log
from tests.conftest import make_samples


def announcing(path, shape, dtype='<f8'):
    """Write a .npy file whose header announces a shape that its content does not have."""
    header = repr({'descr': dtype, 'fortran_order': False, 'shape': shape}).encode()
    header += b' ' * (117 - len(header)) + b'\n'
    path.write_bytes(b'\x93NUMPY\x01\x00' + struct.pack('<H', len(header)) + header + b'\0' * 64)


@pytest.mark.parametrize('shape', [(10**13,), (10**6, 10**6), (2**40, 2**20), (3, 10**12)])
def test_an_array_that_announces_terabytes_is_named(shape, tmp_path):
    """A damaged header ended in a MemoryError of numpy, which names no file."""
    announcing(tmp_path / 'held_out.npy', shape)
    with pytest.raises(UserError, match='held_out.npy cannot be read'):
        reading.read_array(tmp_path / 'held_out.npy')


@pytest.mark.parametrize('content', [b'', b'PK\x03\x04', b'\x93NUMPY', b'{"a": 1}'])
def test_another_file_than_an_archive_is_named(content, tmp_path):
    """Whatever lies at the place of heads.npz, the message says which file it is."""
    (tmp_path / 'heads.npz').write_bytes(content)
    with pytest.raises(UserError, match='heads.npz'):
        reading.read_npz(tmp_path / 'heads.npz')


def test_an_archive_with_a_damaged_member_is_named(tmp_path):
    """zlib's own exception has no file name."""
    path = tmp_path / 'heads.npz'
    np.savez_compressed(path, a=np.arange(1000))
    content = bytearray(path.read_bytes())
    content[60:90] = b'\xff' * 30
    path.write_bytes(bytes(content))
    with pytest.raises(UserError, match='heads.npz cannot be read'):
        reading.read_npz(path)
    samples, names = make_samples()
    with pytest.raises(UserError, match='heads.npz is no .npz file with'):
        resampling.read(path, samples, names)


@pytest.mark.parametrize('text', ['[' * 10**5, '{"a":' * 10**5, '1' * 10**5, '"' + 'x' * 10**5])
def test_json_of_absurd_depth_or_length_is_named(text, tmp_path):
    """Nesting ended in a RecursionError, a number of 100,000 digits in a ValueError of int."""
    (tmp_path / 'results.json').write_text(text)
    with pytest.raises(UserError, match='results.json'):
        reading.read_json(tmp_path / 'results.json')
    (tmp_path / 'metrics.jsonl').write_text(f'{text}\n{json.dumps({"epoch": 1})}\n')
    with pytest.raises(UserError, match='metrics.jsonl, line 1'):
        reading.read_jsonl(tmp_path / 'metrics.jsonl')


class Quota:
    """A checkpoint manager on a disk that is full."""

    def __init__(self, folder):
        self.directory = folder

    def save(self, *args, **keywords):
        raise ValueError('RESOURCE_EXHAUSTED: Disk quota exceeded\nmore of it')


def test_a_full_disk_is_one_line(tmp_path):
    """tensorstore has exceptions of its own, which are no OSError."""
    with pytest.raises(UserError) as error:
        checkpoint.save(Quota(tmp_path), 3, {'weights': np.zeros(2)})
    text = str(error.value)
    assert str(tmp_path) in text and 'epoch 3' in text and 'Disk quota exceeded' in text
    assert '\n' not in text


@pytest.mark.parametrize(
    'epochs,rows,classes',
    [
        (10**7, 10**5, 5),  # no disk holds them
        (3 * 10**5, 6, 3),  # no results.json lists them
        (10**9, 0, 0),  # nothing is held out
    ],
)
def test_outputs_of_too_many_epochs_are_refused(epochs, rows, classes, tmp_path):
    """evaluate.every_epoch with ten million epochs filled the disk before the first one."""
    with pytest.raises(UserError) as error:
        metrics_log.open_held_out(tmp_path, (epochs, rows, classes), done=0)
    assert 'evaluate.every_epoch' in str(error.value) and str(epochs) in str(error.value)
    assert not list(tmp_path.iterdir())
