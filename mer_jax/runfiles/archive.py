"""The archive of `reproduce`: what a run measured, without pictures, features and weights.

It is a zip file of texts. Equal contents give equal bytes.
"""

import contextlib
import hashlib
import re
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from mer_jax.errors import UserError
from mer_jax.runfiles import files, reading, writing

SUFFIX = '.reproduce.zip'
FORMAT = 1
README = 'README.txt'
ABOUT = 'archive.json'  # format, digests of the other files, and the data sets
# files of a run that hold neither pictures nor features nor weights
RUN_FILES = (
    files.CONFIG,
    files.RESULTS,
    files.PREDICTIONS,
    files.APEXES,
    files.FOLDS,
    files.DROPPED,
    files.METRICS,
    files.SVM_TABLE,
    files.DETECTORS,
    files.CALIBRATION,
    files.CHOICES,
)
LEAK_AUDIT = ('leak_audit.json', 'leak_audit.csv')
BUILD_AUDIT = 'build_audit_{}.csv'  # of a data set
NAMES = re.compile(
    '|'.join(
        [
            *map(re.escape, (README, ABOUT, *RUN_FILES, *LEAK_AUDIT)),
            BUILD_AUDIT.format(r'[\w.-]{1,100}').replace('.csv', r'\.csv'),
        ]
    )
)
DATE = (
    1980,
    1,
    1,
    0,
    0,
    0,
)  # the first that a zip file can hold; a real one would change the bytes
MOST_BYTES = 500_000_000
MOST_FILES = 50
WRITTEN_BY = 'an archive that the verb reproduce wrote'


def write(path: str | Path, texts: Mapping[str, str], about: Mapping) -> None:
    """Write an archive in one step.

    Args:
        path: of the archive.
        texts: {name: content} of its files, but for archive.json.
        about: the content of archive.json beside format and digests.
    """
    digests = {name: _digest(text.encode()) for name, text in sorted(texts.items())}
    index = {'format': FORMAT, **about, 'sha256': digests}
    contents = {**texts, ABOUT: writing.json_text(index)}
    order = sorted(contents, key=lambda name: (name != README, name))
    with writing.replacing(path) as file, zipfile.ZipFile(file, 'w') as archive:
        for name in order:
            entry = zipfile.ZipInfo(name, DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            entry.create_system = 3  # of every system alike
            archive.writestr(entry, contents[name].encode(), compresslevel=9)


@contextlib.contextmanager
def unpacked(path: str | Path) -> Iterator[Path]:
    """Check an archive, and unpack it into a folder that is removed after the block.

    Args:
        path: of the archive, which anyone may have written.

    Raises:
        UserError: it is damaged, changed, too large, or holds anything that `write` does not write.
    """
    contents = _contents(Path(path))
    with tempfile.TemporaryDirectory(prefix='mer_jax_') as folder:
        for name, content in contents.items():
            (Path(folder) / name).write_bytes(content)
        _check_digests(Path(path), Path(folder), contents)
        yield Path(folder)


def _contents(path):
    """{name: bytes} of all files."""
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            _check_entries(path, entries)
            return {entry.filename: archive.read(entry) for entry in entries}
    except FileNotFoundError:
        raise UserError(f'{path}: no such file') from None
    except zipfile.BadZipFile:
        raise UserError(f'{path}: is damaged or no zip file; allowed: {WRITTEN_BY}') from None
    # OSError: a place before the file; RuntimeError: encrypted
    except (EOFError, NotImplementedError, OSError, RuntimeError, ValueError, zlib.error) as error:
        raise UserError(f'{path}: cannot be read ({error}); allowed: {WRITTEN_BY}') from None


def _check_entries(path, entries):
    names = [entry.filename for entry in entries]
    foreign = [name for name in names if not NAMES.fullmatch(name)]
    if foreign:
        raise UserError(f'{path}: holds {foreign[0][:80]!r}; allowed: {WRITTEN_BY}')
    if ABOUT not in names or len({*names}) < len(names) or len(names) > MOST_FILES:
        raise UserError(
            f'{path}: has {len(names)} files, with {ABOUT} {names.count(ABOUT)} times; allowed: '
            f'{WRITTEN_BY}'
        )
    # Those of other methods may unpack to more than they say.
    methods = {entry.compress_type for entry in entries}
    if not methods <= {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise UserError(f'{path}: is compressed by another method; allowed: {WRITTEN_BY}')
    size = sum(entry.file_size for entry in entries)
    if size > MOST_BYTES:
        raise UserError(f'{path}: unpacks to {size:,} bytes; allowed: {MOST_BYTES:,}')


def _check_digests(path, folder, contents):
    try:
        about = reading.read_json(folder / ABOUT)
    except UserError:
        about = {}
    digests, version = about.get('sha256'), about.get('format')
    if version != FORMAT or not isinstance(digests, dict):
        raise UserError(f'{path}: has format {version!r}; allowed: {FORMAT}, {WRITTEN_BY}')
    now = {name: _digest(content) for name, content in contents.items() if name != ABOUT}
    changed = [name for name in {*now, *digests} if now.get(name) != digests.get(name)]
    if changed:
        raise UserError(
            f'{path}: its {min(changed)} is not the one that was written; allowed: {WRITTEN_BY}'
        )


def _digest(content):
    return hashlib.sha256(content).hexdigest()
