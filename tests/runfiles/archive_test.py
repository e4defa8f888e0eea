"""archive: equal bytes for equal contents, and what anyone may send is read without harm."""

import zipfile
import zlib

import pytest

from mer_jax.errors import UserError
from mer_jax.runfiles import archive, files

TEXTS = {files.RESULTS: '{}\n', files.PREDICTIONS: 'clip\n', archive.README: 'read\n'}


def written(path, **texts):
    """Write an archive."""
    archive.write(path, {**TEXTS, **texts}, {'data_sets': []})
    return path


def test_equal_contents_are_equal_bytes_and_come_back(tmp_path):
    """Two people who send the same result must be able to see that it is the same."""
    first, second = written(tmp_path / 'a.zip'), written(tmp_path / 'b.zip')
    assert first.read_bytes() == second.read_bytes()
    with archive.unpacked(first) as folder:
        texts = {path.name: path.read_text() for path in folder.iterdir()}
        assert texts.pop(archive.ABOUT) and texts == TEXTS
    assert not folder.exists()
    assert zipfile.ZipFile(first).namelist()[0] == archive.README


def repacked(path, change, compression=zipfile.ZIP_DEFLATED):
    """Write the archive's files again after change({name: bytes})."""
    with zipfile.ZipFile(path) as old:
        contents = {name: old.read(name) for name in old.namelist()}
    change(contents)
    with zipfile.ZipFile(path, 'w', compression) as new:
        for name, content in contents.items():
            new.writestr(name, content)


@pytest.mark.parametrize(
    'change,word',
    [
        (lambda c: c.update({'../outside.txt': b'x'}), 'outside'),
        (lambda c: c.update({'/etc/passwd': b'x'}), 'passwd'),
        (lambda c: c.update({'checkpoints/0': b'x'}), 'checkpoints'),
        (lambda c: c.pop(archive.ABOUT), archive.ABOUT),
        (lambda c: c.update({files.RESULTS: b'{"metrics": 1}'}), files.RESULTS),
        (lambda c: c.pop(files.PREDICTIONS), files.PREDICTIONS),
        (lambda c: c.update({archive.ABOUT: b'{"format": 9, "sha256": {}}'}), 'format 9'),
        (lambda c: c.update({archive.ABOUT: b'no json'}), 'format'),
    ],
)
def test_a_foreign_or_changed_archive_is_one_line(tmp_path, change, word):
    """It comes by mail: a name may point anywhere, and a figure may have been altered."""
    path = written(tmp_path / 'a.zip')
    repacked(path, change)
    with pytest.raises(UserError, match=word) as error, archive.unpacked(path):
        pass
    assert str(path) in str(error.value) and '\n' not in str(error.value)
    assert [entry.name for entry in tmp_path.iterdir()] == ['a.zip']


def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    """Some kilobytes may unpack to more than the disk holds."""
    path = written(tmp_path / 'a.zip', **{files.FOLDS: '0' * 100_000})
    monkeypatch.setattr(archive, 'MOST_BYTES', 50_000)
    with pytest.raises(UserError, match='100,'), archive.unpacked(path):
        pass
    repacked(path, lambda contents: None, zipfile.ZIP_BZIP2)
    with pytest.raises(UserError, match='method'), archive.unpacked(path):
        pass


def test_a_file_that_is_no_whole_archive_is_one_line(tmp_path):
    """A broken download ends in zlib.error, BadZipFile or EOFError, which name no file."""
    path = written(tmp_path / 'a.zip', **{files.FOLDS: ''.join(map(str, range(5000)))})
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[200:260] = zlib.compress(b'x' * 99)[:60].ljust(60, b'y')
    for content in (b'', b'text', whole[: len(whole) // 2], whole[1000:], bytes(damaged)):
        path.write_bytes(content)
        with pytest.raises(UserError, match=r'a\.zip'), archive.unpacked(path):
            pass
