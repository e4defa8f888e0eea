"""The folder of a run: who may begin, continue or read it, and how far it is trained."""

from mer_jax.errors import UserError
from mer_jax.experiment import settings
from mer_jax.folds import protocols
from mer_jax.runfiles import files
from mer_jax.training import checkpoint
from mer_jax.training import plan as plans


def enter(folder, asked, loaded) -> None:
    """Write the settings of a new run; refuse to continue an old one under other settings or other
    data.

    asked: nested settings; loaded: Data. Raises UserError.
    """
    note = {'settings': asked, 'data': loaded.fingerprint}
    old = files.read_config(folder) if (folder / files.CONFIG).exists() else None
    if not begun(folder):
        if old is None or old['data'] != note['data'] or settings.differ(old['settings'], asked):
            # what a failed start pinned must not refuse the command once it is mended
            files.clear(folder)
    else:
        settings.check_resume(old['settings'], asked, folder)
        if old['data'] != loaded.fingerprint:
            raise UserError(
                f'{folder} holds a run on other data (data.name {asked["data"]["name"]!r} has '
                'changed since); '
                'give another --workdir'
            )
        epoch = newest(folder)
        if epoch > asked['train']['epochs']:
            raise UserError(
                f'{folder} is trained to epoch {epoch} already; train.epochs is '
                f'{asked["train"]["epochs"]}; '
                'allowed: that many or more, or another --workdir'
            )
    files.write_json(folder / files.CONFIG, note)


def write_tables(folder, loaded, folds, titles) -> None:
    """folds.csv, who trains and is tested where, and dropped.csv, which clips are not used
    and why.
    """
    files.write_csv(
        folder / files.FOLDS, *protocols.table(folds, titles, loaded.samples, loaded.names)
    )
    files.write_csv(
        folder / files.DROPPED,
        ['clip', 'subject', 'dataset', 'emotion', 'reason'],
        loaded.dropped,
    )


def existing(folder):
    """The absolute folder of a run that is there; UserError where none is."""
    folder = files.absolute(folder)
    if not (folder / files.CONFIG).exists():
        raise UserError(f'{folder} holds no run; train first, or name its folder with --workdir')
    files.read_config(folder)
    return folder


def finished(folder, asked):
    """The folder of a run that is trained to the end under nested settings `asked`; UserError where
    it is not.
    """
    folder = existing(folder)
    if asked['train']['epochs']:
        settings.check_resume(files.read_config(folder)['settings'], asked, folder)
        epoch = trained(folder, asked['train']['seeds'])
        if epoch != asked['train']['epochs']:
            raise UserError(
                f'{folder} is trained to epoch {epoch} of {asked["train"]["epochs"]}; '
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
    total = seeds * len(files.read_csv(folder / files.FOLDS))
    groups = -(-total // plans.pinned(folder / files.PLAN).group)
    return max(
        0,
        min(
            checkpoint.newest(folder / 'checkpoints' / f'group_{number}')
            for number in range(groups)
        ),
    )
