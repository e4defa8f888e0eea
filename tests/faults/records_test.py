"""Damaged files of a built data set name the file, and say that it is to be rebuilt."""

import shutil

import pytest

import tfds_builders
from mer_jax.errors import UserError
from tests.support import fake_raw

INFO, ABOUT, RECORDS = 'dataset_info.json', 'metadata.json', 'array_record-00000-of-00001'


@pytest.fixture(scope='module')
def built(tmp_path_factory):
    """A folder of data sets that holds one of 8 clips."""
    folder = tmp_path_factory.mktemp('built')
    subjects = {'006': (2, 1, 0), 's01': (1, 0, 1), 'sub01': (1, 1, 1)}
    fake_raw.write_precomputed_flow(folder / 'raw', subjects=subjects)
    tfds_builders.prepare(
        'precomputed_flow',
        data_dir=folder / 'data',
        manual_dir=folder / 'raw' / 'norm_u_v_os',
        progress=False,
    )
    return folder / 'data'


def flipped(begin):
    """Eight bytes from `begin` on change; the size stays."""

    def spoil(path):
        content = bytearray(path.read_bytes())
        for index in range(begin, begin + 8):
            content[index] ^= 0xFF
        path.write_bytes(bytes(content))

    return spoil


def replaced(old, new):
    return lambda path: path.write_text(path.read_text().replace(old, new, 1))


def empty(path):
    """Zeros as after a power cut: the size stays."""
    path.write_bytes(bytes(path.stat().st_size))


def holes(path):
    with open(path, 'ab') as file:
        file.truncate(3 * 10**9)


CASES = {  # name -> (damaged file, how, what else the message names)
    'a chunk in the middle': (RECORDS, flipped(14_000), 'hash mismatch'),
    'the first record': (RECORDS, flipped(100), 'hash mismatch'),
    'the index at the end': (RECORDS, flipped(65_540), 'hash mismatch'),
    'zeros only': (RECORDS, empty, 'hash mismatch'),
    'cut off': (RECORDS, lambda path: path.write_bytes(path.read_bytes()[:40]), '131072 bytes'),
    'shard gone': (RECORDS, lambda path: path.unlink(), 'is missing'),
    'a folder in place of a shard': (
        RECORDS, lambda path: (path.unlink(), path.mkdir()), 'is missing',
    ),
    'a clip less counted': (INFO, replaced('"8"', '"7"'), 'holds 8 clips'),
    'a second shard counted': (INFO, replaced('"8"', '"4", "4"'), '00000-of-00002'),
    'a split of another name': (INFO, replaced('"train"', '"test"'), INFO),
    'no text': (INFO, flipped(2000), INFO),
    'a list': (INFO, lambda path: path.write_text('[]'), INFO),
    'nothing about the build': (ABOUT, lambda path: path.write_text('{}'), ABOUT),
    'sizes that are no numbers': (ABOUT, replaced('131072', '"x"'), "'sizes'"),
    'metadata of 3 GB': (ABOUT, holes, '3.0 GB'),
    'metadata gone': (ABOUT, lambda path: path.unlink(), ABOUT),
}  # fmt: skip


@pytest.mark.parametrize('case', CASES)
def test_a_damaged_data_set_is_named(case, built, tmp_path):
    """A flipped bit ended in a traceback of Riegeli; a wrong count lost a clip without a word."""
    name, spoil, words = CASES[case]
    data_dir = shutil.copytree(built, tmp_path / 'data')
    folder = data_dir / 'precomputed_flow' / '2.0.0'
    spoil(next(path for path in folder.iterdir() if path.name.endswith(name)))
    with pytest.raises(UserError) as error:
        builder = tfds_builders.prepare('precomputed_flow', data_dir=data_dir, progress=False)
        list(tfds_builders.records(builder))
    text = str(error.value)
    assert words in text and str(folder) in text and '\n' not in text
    assert 'rebuild with --config.data.rebuild=True' in text


def test_features_are_those_of_the_code(built, tmp_path):
    """features.json is for other readers; without it the data set must still be read."""
    data_dir = shutil.copytree(built, tmp_path / 'data')
    (data_dir / 'precomputed_flow' / '2.0.0' / 'features.json').unlink()
    builder = tfds_builders.prepare('precomputed_flow', data_dir=data_dir, progress=False)
    assert len(list(tfds_builders.records(builder))) == 8
