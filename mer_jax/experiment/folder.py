"""The folder of a run: who may begin, continue or read it, and how far it is trained."""

from mer_jax.errors import UserError
from mer_jax.experiment import settings as rules
from mer_jax.folds import protocols
from mer_jax.runfiles import files
from mer_jax.runfiles.config import RunConfig, check_format
from mer_jax.runfiles.dropped import DroppedClip, DroppedTable
from mer_jax.runfiles.folder import absolute, clear
from mer_jax.runfiles.folds import FoldTable
from mer_jax.runfiles.plan import Plan
from mer_jax.settings import tree
from mer_jax.settings.sections import Settings
from mer_jax.training import checkpoint


def enter(folder, settings: Settings, loaded) -> None:
    """Write the settings of a new run; refuse to continue an old one under other settings or other
    data.

    loaded: Data. Raises UserError.
    """
    asked = tree.to_nested(settings)
    new = RunConfig(asked, loaded.fingerprint)
    old = RunConfig.read(folder) if (folder / RunConfig.FILE).exists() else None
    if not begun(folder):
        if old is None or old.data != new.data or rules.differ(old.settings, asked):
            # what a failed start pinned must not refuse the command once it is mended
            clear(folder)
    else:
        rules.check_resume(old.settings, asked, folder)
        if old.data != new.data:
            raise UserError(
                f'{folder} holds a run on other data (data.name {settings.data.name!r} has '
                'changed since); '
                'give another --workdir'
            )
        epoch = newest(folder)
        if epoch > settings.train.epochs:
            raise UserError(
                f'{folder} is trained to epoch {epoch} already; train.epochs is '
                f'{settings.train.epochs}; '
                'allowed: that many or more, or another --workdir'
            )
    new.write(folder)


def write_tables(folder, loaded, folds, titles) -> None:
    """folds.csv, who trains and is tested where, and dropped.csv, which clips are not used
    and why.
    """
    protocols.table(folds, titles, loaded.samples, loaded.names).write(folder)
    DroppedTable(tuple(DroppedClip(*clip) for clip in loaded.dropped)).write(folder)


def existing(folder):
    """The absolute folder of a run that is there; UserError where none is."""
    folder = absolute(folder)
    if not (folder / files.CONFIG).exists():
        raise UserError(f'{folder} holds no run; train first, or name its folder with --workdir')
    check_format(folder)
    return folder


def finished(folder, settings: Settings):
    """The folder of a run that is trained to the end under settings; UserError where it is not."""
    folder = existing(folder)
    if settings.train.epochs:
        rules.check_resume(RunConfig.read(folder).settings, tree.to_nested(settings), folder)
        epoch = trained(folder, settings.train.seeds)
        if epoch != settings.train.epochs:
            raise UserError(
                f'{folder} is trained to epoch {epoch} of {settings.train.epochs}; '
                'finish it first: the same command with the verb train'
            )
    return folder


def begun(folder) -> bool:
    """Whether the folder holds anything trained or scored, which other settings must not
    overwrite.
    """
    return (folder / files.RESULTS).exists() or newest(folder) >= 0


def newest(folder) -> int:
    """The epoch of the newest checkpoint of any group of runs in the folder of a run, or -1."""
    return max((checkpoint.newest(group) for group in folder.glob('checkpoints/*')), default=-1)


def trained(folder, seeds) -> int:
    """The epoch that every group of runs in the folder of a run has reached."""
    if not (folder / files.PLAN).exists():
        return 0
    total = seeds * len(FoldTable.read(folder).rows)
    return reached(folder, -(-total // Plan.read(folder).group))


def reached(folder, groups) -> int:
    """The epoch of which all `groups` of runs have a checkpoint; 0 before the first."""
    newest_of_group = (
        checkpoint.newest(folder / files.CHECKPOINTS / f'group_{number}')
        for number in range(groups)
    )
    return max(0, min(newest_of_group))
