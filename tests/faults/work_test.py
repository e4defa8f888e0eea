"""Work that must not be lost: unreadable paths, folders that others overwrite, resuming."""

import contextlib
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from tensorboardX.proto import event_pb2

import mer_jax as mj
from mer_jax import cli
from mer_jax.errors import UserError
from mer_jax.experiment import folder as run_folder
from mer_jax.runfiles import files, writing
from mer_jax.runfiles.config import RunConfig
from mer_jax.runfiles.folder import clear, prepare
from mer_jax.runfiles.plan import Plan
from mer_jax.settings import tree
from mer_jax.training import checkpoint, compilation, metrics_log, plan
from mer_jax.training.loop import Chunk

UNREADABLE = {  # a folder below another one -> the character that is named
    'a list [1]/run': '[',
    'study/fold[1': '[',
    'study/fold 1]': ']',
    'all*': '*',
    'what?/run': '?',
    'windows\\run': '\\',
    'copy of gs:/run': 'gs:/',
    'logs:': 'gs:/',
}
READABLE = (
    'a b',
    "anna's",
    'umlaut ü',
    'a{b}',
    'a%20b',
    'a#b:c@d|e',
    '~tilde',
    'new\nline',
    '日本',
)


@pytest.mark.parametrize('name', UNREADABLE)
def test_a_path_that_checkpoints_cannot_be_read_from_is_refused_at_once(name, tmp_path):
    """Hours of training would end in checkpoints that no command can continue or evaluate."""
    with pytest.raises(UserError) as error:
        prepare(tmp_path / name)
    assert repr(UNREADABLE[name]) in str(error.value) and '--workdir' in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('name', READABLE)
def test_other_paths_hold_checkpoints(name, tmp_path):
    """A path is refused only where it must be."""
    states = {'weights': np.arange(6.0).reshape(2, 3)}
    with checkpoint.opened(prepare(tmp_path / name) / files.CHECKPOINTS) as manager:
        checkpoint.save(manager, 1, states)
        again = checkpoint.restore(manager, 1, states)
    np.testing.assert_array_equal(again['weights'], states['weights'])


def test_the_folder_in_which_one_stands_counts(tmp_path, monkeypatch, capsys):
    """A relative workdir is as unreadable as the folder that it lies in."""
    here = tmp_path / 'mail [inbox]'
    here.mkdir()
    monkeypatch.chdir(here)
    assert cli.main(['--config=synthetic_ststnet:quick', '--workdir=run']) == 2
    error = capsys.readouterr().err
    assert "'['" in error and 'Traceback' not in error
    assert not list(here.iterdir())


def test_the_first_checkpoint_is_read_back(tmp_path):
    """A storage that cannot give a checkpoint again must be noticed while little is lost."""
    with checkpoint.opened(tmp_path / '[storage]') as manager:
        with pytest.raises(UserError) as error:
            checkpoint.save(manager, 1, {'weights': np.zeros((2, 3))})
    assert 'cannot be read again' in str(error.value) and '--workdir' in str(error.value)


def test_a_kill_while_the_old_checkpoint_is_deleted_leaves_none_of_it(tmp_path):
    """Orbax deletes it, file by file, after the new one is whole; nothing looked for the rest, and
    half a checkpoint lay in a finished run for ever.
    """
    states = {'weights': np.arange(6.0).reshape(2, 3)}
    with checkpoint.opened(tmp_path) as manager:
        checkpoint.save(manager, 2, states)
    (tmp_path / '1' / 'default').mkdir(parents=True)
    (tmp_path / '1' / 'default' / 'manifest.ocdbt').write_bytes(b'half')
    with checkpoint.opened(tmp_path) as manager:
        again = checkpoint.restore(manager, 2, states)
    np.testing.assert_array_equal(again['weights'], states['weights'])
    assert [path.name for path in tmp_path.iterdir()] == ['2']


@pytest.mark.parametrize('content', [b'', zlib.compress(b'program' * 99)[:-1], b'\x78no zlib'])
def test_a_compiled_program_that_a_kill_cut_short_goes(content, tmp_path):
    """jax never replaces one: each later run would warn on stderr and compile again."""
    for name, program in (
        ('whole-cache', zlib.compress(b'program' * 99)),
        ('other-cache', b'\x28\xb5\x2f\xfd of another kind'),
    ):
        (tmp_path / name).write_bytes(program)
    (tmp_path / 'cut-cache').write_bytes(content)
    compilation.remove_cut_programs(tmp_path)
    names = {path.name for path in tmp_path.glob('*-cache')}
    assert names == {'whole-cache', 'other-cache'}
    (tmp_path / 'cut-cache').write_bytes(content)  # by the next run that is killed
    compilation.remove_cut_programs(tmp_path)
    assert {path.name for path in tmp_path.glob('*-cache')} == names


def chunk(epoch, count):
    """`count` epochs of two runs that end with an epoch; the loss is its number."""
    loss = np.arange(epoch - count + 1, epoch + 1, dtype=float)
    return Chunk(epoch, None, {'loss': np.stack([loss, loss])}, 0.1)


def points(folder):
    """(tag, epoch, value) of every point that TensorBoard would show of group 0."""
    (path,) = (folder / 'tensorboard' / 'group_0').iterdir()
    content, position, shown = path.read_bytes(), 0, []
    while position < len(content):
        (length,) = struct.unpack('<Q', content[position : position + 8])
        event = event_pb2.Event.FromString(content[position + 12 : position + 12 + length])
        shown += [(value.tag, event.step, value.simple_value) for value in event.summary.value]
        position += length + 16
    return shown


def test_tensorboard_shows_each_epoch_once_after_a_kill(tmp_path):
    """A killed command left a file that ended anywhere, and whose epochs were trained again."""
    with metrics_log.progress(2, 1, 4) as bar:
        with metrics_log.opened(tmp_path, 0, bar) as log:
            log.write(chunk(3, 3))
            three = [('train/loss', epoch, epoch) for epoch in (1, 2, 3)]
            assert points(tmp_path) == three  # all of it before the checkpoint that may follow
        (path,) = (tmp_path / 'tensorboard' / 'group_0').iterdir()
        path.write_bytes(path.read_bytes()[:-5])
        with metrics_log.opened(tmp_path, 0, bar) as log:
            log.cut(2)
            log.write(chunk(4, 2))
    assert points(tmp_path) == [*three, ('train/loss', 4, 4)]


def settings(**changes):
    """Nested settings of a run, with changes {'train.batch_size': 7}."""
    nested = mj.config('synthetic_ststnet:quick').to_dict()
    for key, value in changes.items():
        section, name = key.split('.')
        nested[section][name] = value
    return nested


def trained(folder, name, **changes):
    """A folder of a run that holds one thing that took training."""
    run_folder.begin(folder, settings(**changes), 'print')
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix:
        writing.write_text(path, 'content')
    else:
        path.mkdir()
    return path


@pytest.mark.parametrize(
    'name',
    [
        'checkpoints/group_0/1',
        'checkpoints/group_3/0',
        'gan/checkpoints/group_0/2',
        'gan/checkpoints/group_1/1',
        'gan/images.npy',
        'heads.csv',
        'results.json',
    ],
)
def test_whatever_took_training_is_not_deleted_for_other_settings(name, tmp_path):
    """GANs of many hours were deleted when the command came again with another batch size."""
    path = trained(tmp_path, name)
    config = (tmp_path / RunConfig.FILE).read_bytes()
    with pytest.raises(UserError) as error:
        run_folder.begin(tmp_path, settings(**{'train.batch_size': 7}), 'print')
    assert 'train.batch_size was' in str(error.value) and 'is 7' in str(error.value)
    with pytest.raises(UserError, match='other data'):
        run_folder.begin(tmp_path, settings(), 'another print')
    assert path.exists() and (tmp_path / RunConfig.FILE).read_bytes() == config


def test_a_run_on_another_table_names_both(tmp_path):
    """Told that data.name had changed, a user looks for a fault in a table that is as it was."""
    trained(tmp_path, 'results.json', **{'data.manual_dir': 'drawn/clips.csv'})
    with pytest.raises(UserError) as error:
        run_folder.begin(tmp_path, settings(**{'data.manual_dir': 'mine.csv'}), 'another print')
    assert 'drawn/clips.csv' in str(error.value) and 'mine.csv' in str(error.value)


@pytest.mark.parametrize('name', ['results.json', 'checkpoints/group_0/1'])
def test_results_without_a_run_are_kept_and_named(name, tmp_path):
    """`score` writes results without a run; training over them ended in a traceback."""
    path = trained(tmp_path, name)
    (tmp_path / RunConfig.FILE).unlink()
    with pytest.raises(UserError, match=RunConfig.FILE):
        run_folder.begin(tmp_path, settings(), 'print')
    assert path.exists() and not (tmp_path / RunConfig.FILE).exists()


@pytest.mark.parametrize('name', ['plan.json', 'metrics.jsonl', 'checkpoints/group_0'])
def test_what_took_no_training_gives_way(name, tmp_path):
    """A start that failed early must not forbid the corrected command."""
    trained(tmp_path, name)
    run_folder.begin(tmp_path, settings(**{'train.batch_size': 7}), 'print')
    assert RunConfig.read(tmp_path).settings['train']['batch_size'] == 7


@pytest.mark.parametrize('calls', range(4))
def test_a_kill_while_an_early_stop_is_cleared_leaves_the_folder_of_a_run(
    calls, tmp_path, monkeypatch
):
    """config.json went first: what was left belonged to no run, and every command refused it."""
    for name in ('plan.json', 'metrics.jsonl'):
        trained(tmp_path, name)
    unlink, left = Path.unlink, [calls]

    def killed_at(path, **options):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        unlink(path, **options)

    with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
        patch.setattr(Path, 'unlink', killed_at)
        clear(tmp_path)
    assert prepare(tmp_path) == tmp_path
    run_folder.begin(tmp_path, settings(**{'train.batch_size': 7}), 'print')


@pytest.mark.parametrize(
    'key,value',
    [
        ('train.devices', 1),
        ('train.checkpoint_seconds', 3.0),
        ('train.epochs', 9),
        ('data.data_dir', '/elsewhere'),
        ('data.rebuild', True),
        ('explain.clips', 3),
    ],
)
def test_settings_that_change_no_result_may_differ_on_resume(key, value, tmp_path):
    """A run that moves to another machine or disk must go on there."""
    trained(tmp_path, 'checkpoints/group_0/1')
    run_folder.begin(tmp_path, settings(**{key: value}), 'print')
    assert tree.flat(RunConfig.read(tmp_path).settings)[key] == value


@pytest.mark.parametrize(
    'begun,available,wanted,used',
    [(4, 4, 0, 4), (4, 2, 0, 2), (64, 1, 0, 1), (2, 4, 0, 2), (4, 4, 2, 2), (1, 4, 3, 3)],
)
def test_a_run_goes_on_with_the_devices_that_are_here(begun, available, wanted, used, tmp_path):
    """A run of a machine with four devices must not be lost where only two are left."""
    Plan('matmul', 3, begun, 'measured', 12).write(tmp_path)
    resumed = plan.read_for_resume(tmp_path, available, wanted)
    assert (resumed.devices, resumed.at_once, resumed.group) == (used, 3, 12)


def test_more_devices_than_there_are_is_a_mistake(tmp_path):
    """Training on fewer devices than asked for would be slower without a word."""
    Plan('matmul', 1, 1, 'measured', 12).write(tmp_path)
    with pytest.raises(UserError, match='train.devices is 5.*2 that are here'):
        plan.read_for_resume(tmp_path, 2, 5)
