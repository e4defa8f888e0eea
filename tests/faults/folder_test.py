"""The folder of a run: what refused commands and kills leave, and names that do not fit."""

import itertools

import pytest

from mer_jax import cli, machine
from mer_jax.errors import UserError
from mer_jax.presets import base
from mer_jax.runfiles import files, writing
from mer_jax.runfiles.config import RunConfig
from mer_jax.runfiles.folder import entered, lock, prepare
from mer_jax.settings.tree import from_nested
from mer_jax.studies import grid

LONG = 'x' * 300


@pytest.mark.parametrize('name', ['run', 'deep/er/run'])
def test_a_refused_start_leaves_nothing(name, tmp_path):
    """Ten mistyped commands left ten folders with a lock in each."""
    with pytest.raises(UserError, match='a mistake'), entered(tmp_path / name):
        raise UserError('a mistake')
    assert not list(tmp_path.iterdir())


def test_a_refused_start_keeps_what_was_there(tmp_path):
    """An empty folder that the user made is the user's, and so is every file in it."""
    (tmp_path / 'empty').mkdir()
    with pytest.raises(UserError), entered(tmp_path / 'empty'):
        raise UserError('a mistake')
    assert (tmp_path / 'empty').is_dir() and not list((tmp_path / 'empty').iterdir())
    RunConfig({}, 'print').write(tmp_path)
    with pytest.raises(UserError), entered(tmp_path):
        raise UserError('a mistake')
    assert (tmp_path / RunConfig.FILE).exists()


def test_a_start_that_wrote_something_keeps_it(tmp_path):
    """A crash in the middle of a training must leave what the same command continues from."""
    with pytest.raises(ZeroDivisionError), entered(tmp_path / 'run') as folder:
        RunConfig({}, 'print').write(folder)
        raise ZeroDivisionError
    assert (tmp_path / 'run' / RunConfig.FILE).exists()


def test_the_lock_of_another_process_stays(tmp_path):
    """Who is refused because another trains there must not take its lock away."""
    with lock(tmp_path), pytest.raises(UserError, match='is training'), entered(tmp_path):
        pass
    assert (tmp_path / files.LOCK).exists()


@pytest.mark.parametrize('below', ['', 'gan', 'explain', 'plots'])
def test_half_written_files_of_a_kill_are_removed(below, tmp_path):
    """They stayed for ever below the first level, and looked like results."""
    path = tmp_path / below / f'.images.npy.123{files.PART}'
    path.parent.mkdir(exist_ok=True)
    writing.write_text(path, 'half')
    kept = path.with_name('images.npy')
    writing.write_text(kept, 'whole')
    with lock(tmp_path):
        assert not path.exists() and kept.exists()


@pytest.mark.parametrize('name', files.FOLDERS)
def test_a_file_where_a_folder_belongs_is_named_at_once(name, tmp_path):
    """It was noticed when the first checkpoint, or the report of a whole training, was written."""
    RunConfig({}, 'print').write(tmp_path)
    writing.write_text(tmp_path / name, '')
    with pytest.raises(UserError, match=f'{name}: is a file'):
        prepare(tmp_path)


@pytest.mark.parametrize(
    'flag',
    [
        f'--workdir=runs/{LONG}',
        f'--config.data.data_dir=/{LONG}/data',
        f'--config.data.data_dir={"ü" * 200}',
    ],
)
def test_a_name_that_no_disk_takes_names_its_key(flag, capsys, tmp_path, monkeypatch):
    """'File name too long' did not say which of four paths, nor how long is too long."""
    monkeypatch.chdir(tmp_path)
    assert cli.main(['--config=synthetic_ststnet:quick', flag]) == 2
    error = capsys.readouterr().err
    assert flag.partition('=')[0].removeprefix('--config.').removeprefix('--') in error
    assert '255' in error and error.count('\n') == 1
    assert not list(tmp_path.iterdir())


def test_a_name_of_255_bytes_is_taken():
    """A limit that is one too low would refuse paths that work."""
    assert machine.absolute(f'/{"x" * 255}', 'workdir').name == 'x' * 255
    with pytest.raises(UserError, match='256 bytes'):
        machine.absolute(f'/{"x" * 256}', 'workdir')


def known():
    """Settings that a grid can choose in."""
    config = base('x')
    config.protocol.validation = 0.1
    return from_nested(config.to_dict())


@pytest.mark.parametrize(
    'text,mistake',
    [
        ('train.epochs=5;train.epochs=6', 'train.epochs twice'),
        ('train.epochs=5,6,5', 'train.epochs has the value 5 twice'),
        ('train.learning_rate=0.1,1e-1', 'train.learning_rate has the value 0.1 twice'),
        ('train.epochs=5;train.seeds=1,2;train.epochs=5', 'train.epochs twice'),
    ],
)
def test_what_a_grid_would_train_twice_is_refused(text, mistake):
    """The second training of a value took the place of another, or an hour, without a word."""
    with pytest.raises(UserError, match=mistake):
        grid.combinations(text, known())


def test_a_grid_of_billions_is_counted_and_not_listed(monkeypatch):
    """Listing the combinations took all memory before the first was checked."""
    monkeypatch.setattr(itertools, 'product', None)
    values = ','.join(str(number) for number in range(1, 101))
    keys = ('train.epochs', 'train.seeds', 'train.batch_size', 'protocol.seed', 'explain.clips')
    with pytest.raises(UserError, match=str(100 ** len(keys))):
        grid.combinations(';'.join(f'{key}={values}' for key in keys), known())


def test_a_flag_that_a_verb_needs_is_asked_for(capsys):
    """'--runs belongs to the verb compare, and compare needs it' left out what to write."""
    assert cli.main(['compare']) == 2
    assert 'compare needs --runs=FOLDER' in capsys.readouterr().err
    assert cli.main(['grid', '--config=synthetic_ststnet:quick']) == 2
    assert 'grid needs --grid=' in capsys.readouterr().err
