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
    begin(folder, tree.to_nested(settings), loaded.fingerprint)


def begin(folder, settings: dict, fingerprint: str) -> None:
    """As `enter`, with nested settings that need not be those of a config.

    Args:
        folder: of the run.
        settings: holds data.name and train.epochs at least.
        fingerprint: of the data.
    """
    new = RunConfig(settings, fingerprint)
    old = RunConfig.read(folder) if (folder / RunConfig.FILE).exists() else None
    if not begun(folder):
        if old is None or old.data != new.data or rules.differ(old.settings, settings):
            # what a failed start pinned must not refuse the command once it is mended
            clear(folder)
    else:
        rules.check_resume(old.settings, settings, folder)
        if old.data != new.data:
            raise UserError(
                f'{folder} holds a run on other data (data.name {settings["data"]["name"]!r} has '
                'changed since); give another --workdir'
            )
        epoch, epochs = newest(folder), settings['train']['epochs']
        if epoch > epochs:
            raise UserError(
                f'{folder} is trained to epoch {epoch} already; train.epochs is {epochs}; '
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
    refuse_module(folder)
    if settings.train.epochs:
        rules.check_resume(RunConfig.read(folder).settings, tree.to_nested(settings), folder)
        epoch = trained(folder, settings.train.seeds)
        if epoch != settings.train.epochs:
            raise UserError(
                f'{folder} is trained to epoch {epoch} of {settings.train.epochs}; '
                'finish it first: the same command with the verb train'
            )
    return folder


def refuse_module(folder) -> None:
    """Refuse the folder of a run whose network no config can build: a module of Python code."""
    if not (folder / RunConfig.FILE).exists():
        return
    recorded = RunConfig.read(folder).settings
    if rules.PYTHON in recorded:
        raise UserError(
            f'{folder} was trained from Python (mer_jax.train) with the module '
            f'{recorded["model"]["name"]}, which no config can build; call mer_jax.train with it '
            'again, use a verb that reads files alone (report, compare), or give another --workdir'
        )


def begun(folder) -> bool:
    """Whether the folder holds anything trained or scored, which other settings must not
    overwrite.
    """
    return (folder / files.RESULTS).exists() or newest(folder) >= 0


def newest(folder) -> int:
    """The epoch of the newest checkpoint of any group of runs in the folder of a run, or -1."""
    groups = (folder / files.CHECKPOINTS).glob('*')
    return max(map(checkpoint.newest, groups), default=-1)


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
