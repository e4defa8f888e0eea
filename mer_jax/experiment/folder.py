"""The folder of a run: who may use it, and how far the run is trained."""

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from mer_jax.data import loading
from mer_jax.errors import UserError
from mer_jax.experiment import settings as rules
from mer_jax.folds import protocols
from mer_jax.runfiles import files, fold_outputs
from mer_jax.runfiles.config import RunConfig, check_format
from mer_jax.runfiles.dropped import DroppedClip, DroppedTable
from mer_jax.runfiles.folder import absolute, clear, entered
from mer_jax.runfiles.folds import FoldTable
from mer_jax.runfiles.plan import Plan
from mer_jax.settings import tree
from mer_jax.settings.sections import Settings
from mer_jax.training import checkpoint, hosts
from mer_jax.types import Folds

SHARED = 60.0  # seconds after which a file of the first host must be seen by the others


@contextlib.contextmanager
def opened(workdir: str | Path) -> Iterator[Path]:
    """Create and lock the folder of a run, which the first of several hosts does for all.

    Args:
        workdir: as the user names it.

    Yields:
        Its absolute path.

    Raises:
        UserError: no run can be written there, another process trains in it, or the hosts do not
            share it.
    """
    with contextlib.ExitStack() as stack:
        if hosts.is_first():
            folder = stack.enter_context(entered(workdir))
        else:
            folder = absolute(workdir)
        if hosts.count() > 1:
            _check_shared(folder)
        yield folder


def _check_shared(folder):
    """Refuse a folder that the hosts do not share: checkpoints are read by all of them."""
    owner, end = hosts.agreed(os.getpid()), time.monotonic() + SHARED
    lock = folder / files.LOCK
    while not lock.exists() or lock.read_text() != f'{owner}\n':
        if time.monotonic() > end:
            raise UserError(
                f"workdir '{folder}' is not the folder in which host 0 trains; name one with "
                '--workdir on a disk that all hosts share'
            )
        time.sleep(0.5)  # a network drive takes some seconds to show it
    hosts.wait()


def enter(folder: Path, settings: Settings, data: loading.Data) -> None:
    """Write the settings of a new run, or check those of a run that goes on.

    Args:
        folder: of the run.
        settings: of the command.
        data: of the experiment.

    Raises:
        UserError: the folder holds a run under other settings or on other data.
    """
    nested = tree.to_nested(settings)
    if hosts.count() > 1:
        values = {key: repr(value) for key, value in tree.flat(nested).items()}
        of_this_host = (*rules.PATHS, 'data.manual_dir')
        compared = {key: value for key, value in values.items() if key not in of_this_host}
        hosts.check_same(compared, 'give the same command on all hosts')
        of_data = {f'the fingerprint of {settings.data.name}': data.fingerprint}
        hosts.check_same(of_data, 'copy the built data set of one host to the others')
    if hosts.is_first():
        begin(folder, nested, data.fingerprint)
    hosts.wait()


def begin(folder: Path, settings: dict, fingerprint: str) -> None:
    """Do what `enter` does, with nested settings of a config or of Python code.

    Args:
        folder: of the run.
        settings: holds data.name and train.epochs at least.
        fingerprint: of the data.

    Raises:
        UserError: as `enter`.
    """
    new = RunConfig(settings, fingerprint)
    old = RunConfig.read(folder) if (folder / RunConfig.FILE).exists() else None
    if not begun(folder):
        if old is None or old.data != new.data or rules.differ(old.settings, settings):
            # A start that failed before its first checkpoint may have left plan.json and tables;
            # they would refuse the corrected command.
            clear(folder)
    elif old is None:
        raise UserError(
            f'{folder} holds results without a run, as score writes them, or a run without its '
            f'{RunConfig.FILE}; give another --workdir'
        )
    else:
        rules.check_resume(old.settings, settings, folder)
        if old.data != new.data:
            raise UserError(
                f'{folder} holds a run on other data: {_changed_data(old.settings, settings)}; '
                'give another --workdir'
            )
        epoch, epochs = newest(folder), settings['train']['epochs']
        if epoch > epochs:
            raise UserError(
                f'{folder} is trained to epoch {epoch} already; train.epochs is {epochs}; '
                'allowed: that many or more, or another --workdir'
            )
    new.write(folder)


def _changed_data(old, new):
    """Say why the data of a run are others now: another folder or table, or another content."""
    before = old['data'].get('manual_dir', '')
    now = new['data'].get('manual_dir', '')
    if before and now and before != now:
        return f'data.manual_dir was {before!r} and is {now!r}'
    content = f'the content of data.name {new["data"]["name"]!r}'
    before = old['data'].get('action_units', '')
    table = new['data'].get('action_units', '')
    if before != table:
        return f'data.action_units was {before!r} and is {table!r}'
    if table:
        content += f', or of data.action_units {table!r},'
    return f'{content} has changed since'


def write_tables(folder: Path, data: loading.Data, folds: Folds, titles: Sequence[str]) -> None:
    """Write folds.csv (who trains and is tested where) and dropped.csv (unused clips and why).

    Args:
        folder: of the run.
        data: of the experiment.
        folds: all runs.
        titles: of the folds.
    """
    if not hosts.is_first():
        return
    table = protocols.table(
        folds, list(titles), data.samples, data.names, multi_label=data.multi_label
    )
    table.write(folder)
    DroppedTable(tuple(DroppedClip(*clip) for clip in data.dropped)).write(folder)


def existing(folder: str | Path) -> Path:
    """Return the absolute folder of a run that is there.

    Raises:
        UserError: there is no run.
    """
    folder = absolute(folder)
    if not (folder / files.CONFIG).exists():
        raise UserError(f'{folder} holds no run; train first, or name its folder with --workdir')
    check_format(folder)
    return folder


def finished(folder: str | Path, settings: Settings) -> Path:
    """Return the absolute folder of a run that is trained to the end.

    Args:
        folder: of the run.
        settings: that it must have been trained under.

    Raises:
        UserError: there is no run, it has other settings, or it is not finished.
    """
    folder = existing(folder)
    refuse_module(folder)
    if settings.train.epochs:
        rules.check_resume(RunConfig.read(folder).settings, tree.to_nested(settings), folder)
        epoch = trained(folder, settings.trainings)
        if epoch != settings.train.epochs:
            raise UserError(
                f'{folder} is trained to epoch {epoch} of {settings.train.epochs}; '
                'finish it first: the same command with the verb train'
            )
    return folder


def refuse_module(folder: Path) -> None:
    """Refuse a run whose network no config can build, because it came from Python code.

    Raises:
        UserError: names the module and what can be done.
    """
    if not (folder / RunConfig.FILE).exists():
        return
    recorded = RunConfig.read(folder).settings
    if rules.PYTHON not in recorded:
        return
    name, function, what = recorded['model']['name'], 'train', 'module'
    if rules.FIT in recorded[rules.PYTHON]:
        function, what = 'evaluate', 'function'
    raise UserError(
        f'{folder} was trained from Python (mer_jax.{function}) with the {what} {name}, which no '
        f'config can build; call mer_jax.{function} with it again, use a verb that reads files '
        'alone (report, compare), or give another --workdir'
    )


def begun(folder: Path) -> bool:
    """Say whether the folder holds anything that took training.

    That is a checkpoint of networks, of GANs, of a pretraining or of a choice, what folds chose,
    images of GANs, SVMs, folds of a user's code, or results; other settings must not overwrite
    them.
    """
    gan = folder / files.GAN
    trained_files = (
        folder / files.RESULTS,
        folder / files.CHOICES,
        folder / files.SVM_TABLE,
        folder / files.DETECTORS,
        gan / files.GAN_IMAGES,
    )
    if any(path.exists() for path in trained_files) or fold_outputs.any_finished(folder):
        return True
    choice = folder / files.CHOICE
    if any(choice.glob('*.npy')):
        return True
    folders = [folder, gan, *choice.glob('*')]
    if (folder / files.CONFIG).exists():  # else it may be that of another run, copied
        folders.append(folder / files.PRETRAINING)
    return any(newest(path) >= 0 for path in folders)


def newest(folder: Path) -> int:
    """Return the epoch of the newest checkpoint of any group of runs, or -1.

    Args:
        folder: of the run, or of its GANs.
    """
    groups = (folder / files.CHECKPOINTS).glob('*')
    return max(map(checkpoint.newest, groups), default=-1)


def trained(folder: Path, trainings: int) -> int:
    """Return the epoch that every run in the folder has reached.

    Args:
        folder: of the run.
        trainings: of each fold, by its settings.
    """
    if not (folder / files.PLAN).exists():
        return 0
    total = trainings * len(FoldTable.read(folder).rows)
    return reached(folder, -(-total // Plan.read(folder).group))


def reached(folder: Path, groups: int) -> int:
    """Return the epoch of which all `groups` of runs have a checkpoint; 0 before the first."""
    newest_of_group = (
        checkpoint.newest(folder / files.CHECKPOINTS / f'group_{number}')
        for number in range(groups)
    )
    return max(0, min(newest_of_group))
