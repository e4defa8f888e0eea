"""The folder of a run: what refused commands and kills leave, and names that do not fit."""

import itertools
import math

import pytest

import tfds_builders
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


@pytest.mark.parametrize(
    'sizes',
    [
        {'train.epochs': 100, 'train.seeds': 90, 'train.batch_size': 80, 'protocol.seed': 70},
        {'train.epochs': 1000},  # one more than there are numbers of folders
    ],
)
def test_a_grid_of_billions_is_counted_and_not_listed(sizes, monkeypatch):
    """Listing the combinations took all memory before the first was checked."""
    monkeypatch.setattr(itertools, 'product', None)
    axes = []
    for key, size in sizes.items():
        axes.append(f'{key}={",".join(str(number) for number in range(1, size + 1))}')
    with pytest.raises(UserError, match=str(math.prod(sizes.values()))):
        grid.combinations(';'.join(axes), known())


def test_a_flag_that_a_verb_needs_is_asked_for(capsys):
    """'--runs belongs to the verb compare, and compare needs it' left out what to write."""
    assert cli.main(['compare']) == 2
    assert 'compare needs --runs=FOLDER' in capsys.readouterr().err
    assert cli.main(['grid', '--config=synthetic_ststnet:quick']) == 2
    assert 'grid needs --grid=' in capsys.readouterr().err


PATHS = {  # key -> arguments that name a file or folder by it, with {} in place of the name
    'workdir': ['report', '--config=synthetic_ststnet:quick', '--workdir={}'],
    'data.landmarks': ['--config=casme2_ststnet', '--config.data.landmarks=a/{}'],
    'data.magnet': ['--config=casme2_ststnet', '--config.data.magnet={}.safetensors'],
    'data.detector': ['--config=casme2_ststnet', '--config.data.detector={}.safetensors'],
    'data.action_units': ['--config=casme2_ststnet', '--config.data.action_units={}.csv'],
    'data.apex': ['--config=casme2_ststnet', '--config.data.apex={}/b'],
    'model.init_from': ['--config=casme2_ststnet', '--config.model.init_from={}.pth'],
    'balance.file': ['--config=casme2_ststnet', '--config.balance.file={}'],
    '--config': ['--config={}.py:quick'],
    'runs': ['compare', '--runs=a,{}'],
    'RUN': ['diff', '{}', '{}'],
}


@pytest.mark.parametrize('key', PATHS)
def test_every_path_names_its_key_where_a_name_is_too_long(key, capsys, tmp_path, monkeypatch):
    """'File name too long' did not say which of the paths of a command it meant."""
    monkeypatch.chdir(tmp_path)
    assert cli.main([argument.format(LONG) for argument in PATHS[key]]) == 2
    error = capsys.readouterr().err
    assert f"{key} '" in error and '255' in error and error.count('\n') == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('flag', ['--workdir=', '--config.data.data_dir=/'])
def test_a_path_that_is_too_long_as_a_whole_names_its_key(flag, capsys, tmp_path, monkeypatch):
    """Each name in it is short, and the first checkpoint would be longer than the system takes."""
    monkeypatch.chdir(tmp_path)
    deep = '/'.join(itertools.repeat('x' * 200, 20))
    assert cli.main(['--config=synthetic_ststnet:quick', flag + deep]) == 2
    error = capsys.readouterr().err
    key = flag.partition('=')[0].removeprefix('--config.').removeprefix('--')
    assert key in error and 'bytes' in error and 'nearer to the top' in error and len(error) < 300
    assert not list(tmp_path.iterdir())


def test_a_landmark_model_whose_name_makes_the_name_of_the_build_too_long():
    """The folder of a build bears the names of its files; the disk refused it, without a key."""
    parse = tfds_builders.BUILDERS['casme2'].parse_config
    files_of_user = {'landmarks': f'/models/{"y" * 245}.csv', 'detector': '', 'magnet': ''}
    with pytest.raises(UserError, match='data.landmarks.*255'):
        parse('flow', files_of_user)


EMPTY = '--config.data.manual_dir={}/empty'
REFUSED = {  # commands that are refused, with {} in place of the folder in which they run
    'a build of an empty folder': ['build', '--config=casme2_ststnet', EMPTY],
    'a build of other features': ['build', '--config=megc2019_ststnet', EMPTY],
    'a description of it': ['describe', '--config=casme2_ststnet', EMPTY, '--workdir=a/b'],
    'a description without a folder': ['describe', '--config=samm_ststnet', '--workdir=w'],
    'an audit of it': ['audit', '--config=smic_ststnet', EMPTY, '--workdir=w'],
    'a training on it': ['--config=casme_squared_ststnet', EMPTY, '--workdir=w/v'],
    'a report of nothing': ['report', '--config=synthetic_ststnet:quick', '--workdir=w'],
    'a comparison with nothing': ['compare', '--runs=empty,nothing', '--workdir=w/x'],
}


@pytest.mark.parametrize('case', REFUSED)
def test_a_refused_command_leaves_nothing(case, capsys, tmp_path, monkeypatch):
    """Locks, empty folders of data and of plots were left wherever a command was mistyped."""
    (tmp_path / 'empty').mkdir()
    monkeypatch.chdir(tmp_path)
    arguments = [argument.format(tmp_path) for argument in REFUSED[case]]
    if '--config=' in arguments[1]:
        arguments.append('--config.data.data_dir=data')
    assert cli.main(arguments) == 2
    assert capsys.readouterr().err.count('\n') == 1
    assert [path.name for path in tmp_path.rglob('*')] == ['empty']
