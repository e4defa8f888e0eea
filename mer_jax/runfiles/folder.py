"""The folder of a run: created, locked, cleared."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from mer_jax import machine
from mer_jax.errors import UserError
from mer_jax.runfiles import config, files

# what the storage of checkpoints takes for a pattern, or for the beginning of another address
PATTERNS = ('[', ']', '*', '?', '\\', 'gs:/')


def absolute(folder: str | Path, key: str = 'workdir') -> Path:
    """Return the absolute path of a folder, ~ resolved.

    Orbax refuses relative paths.

    Args:
        folder: as the user wrote it.
        key: what names it, for the message.
    """
    return machine.absolute(folder, key)


def prepare(folder: str | Path) -> Path:
    """Create the folder of a run; return its absolute path.

    Raises:
        UserError: no run can be written there, or it holds a run of another format.
    """
    path = check(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"workdir '{path}': cannot be created ({error.strerror}); name another with --workdir"
        ) from None
    return path


def check(folder: str | Path) -> Path:
    """Return the absolute path of a run's folder, which need not exist; write nothing.

    Raises:
        UserError: as `prepare`.
    """
    path = machine.absolute(folder, 'workdir')
    patterns = [pattern for pattern in PATTERNS if pattern in f'{path}/']
    if patterns:
        raise UserError(
            f"workdir '{path}': checkpoints in a folder whose path holds {patterns[0]!r} could "
            'not be read again; name another with --workdir'
        )
    nearest = next(level for level in (path, *path.parents) if os.path.lexists(level))
    if not nearest.is_dir():
        which = 'it' if nearest == path else nearest
        raise UserError(
            f"workdir '{path}': cannot be created ({which} is a file); name another with --workdir"
        )
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UserError(f"workdir '{path}': no permission to write; name another with --workdir")
    if nearest == path:
        _check_content(path)
    return path


def _check_content(path):
    """Refuse a folder in which something else than a run lies."""
    entries = [entry for entry in path.iterdir() if entry.suffix != files.PART]
    # These may exist before the config: the spotting run trains first, and a pretraining may be
    # that of another run, copied.
    early = (files.LOCK, files.SPOTTING, files.PRETRAINING)
    foreign = sorted(entry.name for entry in entries if entry.name not in early)
    if foreign and files.CONFIG not in foreign:
        raise UserError(
            f"workdir '{path}': holds '{foreign[0]}' but no {files.CONFIG}, so it is not the "
            'folder of a run; name an empty --workdir'
        )
    for name in files.FOLDERS:
        if (path / name).exists() and not (path / name).is_dir():
            raise UserError(
                f'{path / name}: is a file, where a run keeps a folder; remove it, or name another '
                '--workdir'
            )
    for name in files.WRITTEN:
        if (path / name).is_dir():
            raise UserError(
                f'{path / name}: is a folder, where a run writes a file; remove it, or name '
                'another --workdir'
            )
    config.check_format(path)


@contextlib.contextmanager
def entered(folder: str | Path) -> Iterator[Path]:
    """Create the folder of a run, and lock it while the block runs.

    Where the block fails before it writes anything, no lock and no empty folder is left.

    Args:
        folder: of the run, as the user names it.

    Yields:
        Its absolute path.

    Raises:
        UserError: no run can be written there, or another process trains in it.
    """
    path = machine.absolute(folder, 'workdir')
    with machine.leaving_no_empty_folders(path):
        path, locked = prepare(folder), False
        try:
            with lock(path):
                locked = True
                yield path
        except BaseException:
            if locked and [entry.name for entry in path.iterdir()] == [files.LOCK]:
                (path / files.LOCK).unlink()
            raise


@contextlib.contextmanager
def lock(folder: str | Path) -> Iterator[None]:
    """Lock the folder for this process while the block runs.

    The lock of a killed process ends with it.

    Raises:
        UserError: another process trains in it.
    """
    with open(Path(folder) / files.LOCK, 'a+', encoding='utf-8') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            owner = file.read().strip() or 'unknown'
            raise UserError(
                f"workdir '{folder}': process {owner} is training in it; wait, or name another "
                'with --workdir'
            ) from None
        except OSError:
            # Some mounted drives have no locks at all; refusing would forbid training there.
            pass
        file.truncate(0)
        file.write(f'{os.getpid()}\n')
        file.flush()
        for unfinished in Path(folder).rglob(f'.*{files.PART}'):
            unfinished.unlink(missing_ok=True)
        yield


def with_plots(folder: Path) -> Path:
    """Create the folder of a study, and its folder of plots, which is returned.

    Raises:
        UserError: the folder cannot be created.
    """
    plots = folder / files.PLOTS
    try:
        plots.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"'{folder}' cannot be created ({error.strerror}); name another with --workdir"
        ) from None
    return plots


def clear(folder: str | Path) -> None:
    """Remove the files of a run that was stopped before its first checkpoint.

    The config comes last: after a kill on the way, a folder without it would belong to no run.
    """
    folders = (files.TENSORBOARD, files.CHECKPOINTS, files.FOLD_OUTPUTS, files.GAN, files.CHOICE)
    for name in folders:
        shutil.rmtree(Path(folder) / name, ignore_errors=True)
    for name in (files.PLAN, files.METRICS, files.EPOCH_OUTPUTS, files.CONFIG):
        (Path(folder) / name).unlink(missing_ok=True)
