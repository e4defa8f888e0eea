"""What libraries print for their developers stays away from the user's terminal."""

import logging
import os
import struct
import sys
import time
import warnings
import zlib

import cv2
import numpy as np
import pytest
import tqdm
from absl import logging as absl_logging

import tfds_builders
from mer_jax import cli, machine, quiet
from mer_jax.errors import UserError
from tests.faults.releases import Copy

QUICK = '--config=synthetic_ststnet:quick'


def chunk(name, content, checksum=0):
    """A chunk of a PNG; `checksum` is added to the right one."""
    total = (zlib.crc32(name + content) + checksum) % 2**32
    return struct.pack('>I', len(content)) + name + content + struct.pack('>I', total)


def png(*between, rows=28):
    """A grey PNG of 28 x 28 with chunks before its pixels, of which `rows` rows are there."""
    pixels = b''.join(b'\0' + bytes(range(28)) for _ in range(rows))
    header = struct.pack('>IIBBBBB', 28, 28, 8, 0, 0, 0, 0)
    content = [chunk(b'IHDR', header), *between, chunk(b'IDAT', zlib.compress(pixels))]
    return b'\x89PNG\r\n\x1a\n' + b''.join(content) + chunk(b'IEND', b'')


def damaged_jpeg():
    content = bytearray(cv2.imencode('.jpg', np.arange(784, dtype=np.uint8).reshape(28, 28))[1])
    content[-40:-20] = b'\xff\x41' * 10
    return bytes(content)


DECODED = {  # name -> a picture of which a library prints
    'a broken profile': png(chunk(b'iCCP', b'x\0\0' + zlib.compress(b'profile'))),
    'a wrong checksum of a text': png(chunk(b'tEXt', b'a\0b', 1)),
    'an unknown chunk': png(chunk(b'ABCD', b'x')),
    'too few rows': png(rows=9),
    'too many rows': png(rows=60),
    'a damaged JPEG': damaged_jpeg(),
}


@pytest.mark.parametrize('case', DECODED)
def test_decoders_print_nothing(case, capfd):
    """If this fails, 'libpng warning' for every picture hides the one line that matters."""
    picture = np.frombuffer(DECODED[case], np.uint8)
    cv2.imdecode(picture, cv2.IMREAD_UNCHANGED)
    assert capfd.readouterr().err  # what a user would read
    with quiet.decoders():
        cv2.imdecode(picture, cv2.IMREAD_UNCHANGED)
        print('shown', file=sys.stderr)
    os.write(quiet.STDERR, b'after\n')
    assert capfd.readouterr().err == 'shown\nafter\n'


def test_a_bar_and_a_line_of_ours_are_shown_while_decoders_are_quiet(capfd, monkeypatch):
    """If this fails, a build of an hour shows nothing."""
    with open(os.dup(quiet.STDERR), 'w') as stream:
        monkeypatch.setattr(sys, 'stderr', stream)
        with quiet.decoders():
            for _ in tqdm.tqdm(range(3), desc='clips'):
                os.write(quiet.STDERR, b'libpng')
        assert sys.stderr is stream
    error = capfd.readouterr().err
    assert 'clips: 100%' in error and 'libpng' not in error


def test_a_closed_stream_is_no_mistake(monkeypatch):
    """If this fails, a service without stderr cannot build."""

    def closed(_):
        raise OSError('Bad file descriptor')

    monkeypatch.setattr(os, 'dup', closed)
    with quiet.decoders():
        pass


def test_a_build_of_damaged_pictures_prints_lines_of_ours_only(tmp_path, capfd, monkeypatch):
    """If this fails, 'libpng error: ...' stands between the lines of a build."""
    monkeypatch.setattr(machine, 'cores', lambda: 1)
    copy = Copy(tmp_path, 'casme2')
    first, second = sorted(copy.clips)[:2]
    for path in [*copy.files(first), *copy.files(second)]:
        path.unlink()
        path.with_suffix('.png').write_bytes(png(chunk(b'tEXt', b'a\0b', 1)))
    builder = tfds_builders.prepare(
        'casme2/video', data_dir=tmp_path / 'data', manual_dir=copy.folder, progress=False
    )
    assert capfd.readouterr().err == ''
    assert builder.info.splits['train'].num_examples == 12


def noisy(arguments):
    """Stands in for a verb in which libraries log and warn."""
    logging.getLogger('orbax').warning('Sharding info not provided when restoring.')
    absl_logging.warning('Using custom data configuration default')
    absl_logging.error('a developer reads this')
    warnings.warn('invalid value encountered in divide', RuntimeWarning, stacklevel=1)
    warnings.warn('torch.load with weights_only=False', FutureWarning, stacklevel=1)
    if 'fail' in arguments:
        raise UserError('one line')


@pytest.mark.parametrize('arguments', [['fail'], []])
def test_log_lines_and_warnings_of_libraries_are_not_printed(arguments, capfd, monkeypatch):
    """If this fails, a user reads lines of orbax, absl or torch and takes them for a failure."""
    monkeypatch.setattr(cli, '_start', noisy)
    assert cli.main(arguments) == (2 if arguments else 0)
    assert capfd.readouterr().err == ('error: one line\n' if arguments else '')
    assert not logging.root.manager.disable


def test_debug_shows_what_libraries_print(monkeypatch, recwarn):
    """If this fails, nobody can look for the cause of a failure."""
    monkeypatch.setattr(cli, '_start', noisy)
    cli.main(['--debug'])
    assert {str(item.message)[:12] for item in recwarn} == {'invalid valu', 'torch.load w'}


def test_a_slow_start_says_that_it_loads(capsys):
    """Two minutes without a line looked like a program that hangs; a fast start needs none."""
    with quiet.loading(seconds=0.01):
        time.sleep(0.3)
    assert capsys.readouterr().err.count('loading') == 1
    with quiet.loading(seconds=0.2):
        pass
    time.sleep(0.3)
    assert capsys.readouterr().err == ''
