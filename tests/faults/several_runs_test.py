"""Audit and grid: whatever would stop a later training is refused before the first one."""

import contextlib
import itertools

import pytest

from mer_jax import cli
from mer_jax.errors import UserError
from mer_jax.presets import base
from mer_jax.runfiles import files, writing
from mer_jax.runfiles.config import RunConfig
from mer_jax.runfiles.metrics_log import EpochRecord
from mer_jax.settings.tree import changed, from_nested
from mer_jax.studies import grid, leak_audit
from mer_jax.training import metrics_log
from tests.studies.grid_test import results

GRID = 'train.epochs=5,6;train.batch_size=8,9'  # 001 to 004


class FirstTrainingError(Exception):
    """Raised in place of the first training."""


def train(changes, folder):
    raise FirstTrainingError(folder.name)


def known():
    """Settings that a grid can choose in."""
    config = base('x')
    config.protocol.validation = 0.1
    return from_nested(config.to_dict())


def begin(study, folder):
    if study == 'grid':
        return grid.grid(known(), GRID, train, folder)
    return leak_audit.audit(known(), train, folder)


IN_THE_WAY = {  # name -> (study, what lies below its folder, a file or a folder, what is named)
    'a file as a run': ('grid', '003', 'file', '003'),
    'a file as the tested run': ('grid', 'chosen', 'file', 'chosen'),
    'a file in a run': ('grid', f'002/{files.PLOTS}', 'file of a run', f'002/{files.PLOTS}'),
    'a folder in a run': ('grid', f'004/{files.RESULTS}', 'folder of a run', files.RESULTS),
    'something else than a run': ('grid', '004/holidays.jpg', 'file', 'holidays.jpg'),
    'a folder as the table': ('grid', 'grid.csv', 'folder', 'grid.csv'),
    'a file as a habit': ('audit', 'control_split', 'file', 'control_split'),
    'a file in a habit': ('audit', f'split/{files.CHECKPOINTS}', 'file of a run', 'split'),
    'a file as the plots': ('audit', files.PLOTS, 'file', files.PLOTS),
    'a folder as the page': ('audit', 'audit.html', 'folder', 'audit.html'),
}


@pytest.mark.parametrize('case', IN_THE_WAY)
def test_what_lies_in_the_way_is_named_before_the_first_training(case, tmp_path):
    """If this fails, an audit stops after hours, at the third of five runs or at its table."""
    study, place, kind, words = IN_THE_WAY[case]
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    if 'of a run' in kind:
        RunConfig({}, 'print').write(path.parent)
    if kind.startswith('folder'):
        path.mkdir()
    else:
        writing.write_text(path, 'content')
    with pytest.raises(UserError, match=words) as error:
        begin(study, tmp_path)
    assert str(tmp_path) in str(error.value) and '\n' not in str(error.value)


def long_folder(folder):
    """A folder in which the path of a run is longer than the system takes."""
    return folder.joinpath(*itertools.repeat('x' * 200, 25))


REFUSED = {  # name -> (grid, change of the folder, what is named)
    'the last value of the last key': ('train.epochs=5;train.optimizer=adam,smg', None, 'smg'),
    'a pair of values': ('data.clip_normalise=True,False', None, 'data.input_scaler'),
    'a path that is too long': (GRID, long_folder, 'this path has'),
    'a pattern in the path': (GRID, lambda folder: folder / 'a[1]', "'\\['"),
    'a file above': (GRID, lambda folder: folder / 'file' / 'grid', 'is a file'),
}


@pytest.mark.parametrize('case', REFUSED)
def test_all_runs_of_a_grid_are_checked_before_the_first(case, tmp_path):
    """If this fails, a mistyped last value is reported after all others are trained."""
    text, change, words = REFUSED[case]
    writing.write_text(tmp_path / 'file', '')
    folder = change(tmp_path) if change else tmp_path / 'grid'
    with pytest.raises(UserError, match=words):
        grid.grid(known(), text, train, folder)
    assert [path.name for path in tmp_path.iterdir()] == ['file']


UNFIT = {  # a grid of a tiny data set -> what is named
    'protocol.folds=2,50': 'protocol.folds is 50, more than the 4 subjects',
    'train.epochs=1,2;model.name=ststnet,cnn3d': 'model.name=cnn3d: ',
    'protocol.name=kfold,lodo': "leaving out 'synthetic' leaves no row",
    'model.init_from=,nothing.pth': 'nothing.pth: there is no such',
    'train.devices=1,64': 'train.devices is 64',
    'protocol.evaluate_on=test,validation': "'protocol.evaluate_on' is not a setting",
}


@pytest.mark.parametrize('text', UNFIT)
def test_values_that_do_not_fit_the_data_are_named_first(text, tiny_data, tmp_path, capsys):
    """If this fails, the last value of a grid is refused after all others were trained."""
    arguments = [
        'grid',
        '--config=synthetic_ststnet:quick',
        '--config.protocol.name=kfold',
        '--config.protocol.folds=2',
        '--config.protocol.validation=0.2',
        f'--config.data.data_dir={tiny_data}',
        f'--workdir={tmp_path / "grid"}',
    ]
    assert cli.main([*arguments, f'--grid={text}']) == 2
    shown = capsys.readouterr()
    assert UNFIT[text] in shown.err and shown.err.count('\n') == 1 and 'grid: 1' not in shown.out
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('study,first', [('grid', '001'), ('audit', 'honest')])
def test_a_study_in_a_free_folder_begins(study, first, tmp_path):
    """If this fails, a check refuses what could be trained."""
    (tmp_path / 'notes.txt').write_text('of the user')
    with pytest.raises(FirstTrainingError, match=first):
        begin(study, tmp_path)


@pytest.mark.parametrize(
    'text,folders',
    [
        ('train.epochs=5,6,7', ['001', '002', '003', 'chosen']),
        (f'data.manual_dir=/{"a" * 190},/{"b" * 190}', ['001', '002', 'chosen']),
    ],
)
def test_folders_of_a_grid_are_short_and_numbered(text, folders, tmp_path):
    """If this fails, a few keys with long values give a name that no disk takes."""
    trained = []

    def quick(changes, folder):
        trained.append(folder.name)
        return results(0.5)

    grid.grid(known(), text, quick, tmp_path)
    assert trained == folders


@pytest.mark.parametrize('changes,most', [({}, 5), ({'balance.method': 'oversample'}, 7)])
def test_an_audit_prints_which_training_of_how_many_runs(changes, most, tmp_path, capsys):
    """If this fails, a user cannot tell an hour from a night."""
    with pytest.raises(FirstTrainingError):
        leak_audit.audit(changed(known(), changes), train, tmp_path)
    line = capsys.readouterr().out
    assert f'training 1 of {most} at most, honest' in line and line.count('\n') == 1


@pytest.mark.parametrize('flags', [[], ['--runs='], ['--workdir=x'], ['--runs'], ['--published']])
def test_compare_without_runs_asks_for_them(flags, capsys, tmp_path, monkeypatch):
    """If this fails, a user reads of flags that belong to verbs, and not what to write."""
    monkeypatch.chdir(tmp_path)
    assert cli.main(['compare', *flags]) == 2
    error = capsys.readouterr().err
    assert '--runs=FOLDER,FOLDER' in error and error.count('\n') == 1
    assert not list(tmp_path.iterdir())


class Bar:
    """A progress bar that nobody sees."""

    def update(self, count):
        pass

    def set_postfix_str(self, text, refresh):
        pass


@pytest.mark.parametrize('cut_at', [0, 3])
def test_a_log_that_gets_no_epoch_writes_nothing_for_tensorboard(cut_at, tmp_path):
    """If this fails, every `evaluate` and `explain` leaves an empty curve in TensorBoard."""
    metrics = [EpochRecord(epoch, 0, 5, 0.1, {'loss': 1.0}) for epoch in range(1, cut_at + 1)]
    with contextlib.ExitStack() as stack:
        if metrics:
            metrics_log.metrics_log.append(tmp_path, metrics)
        log = stack.enter_context(metrics_log.opened(tmp_path, 0, Bar()))
        log.cut(cut_at)
    assert not (tmp_path / files.TENSORBOARD).exists()
