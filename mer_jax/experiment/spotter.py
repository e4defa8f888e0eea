"""The spotting run of a config that data.apex names.

Recognition trains it first, in the folder `spotting` of its run, and then uses it like the folder
of a finished spotting run.
"""

from dataclasses import replace
from pathlib import Path

from mer_jax import config_files, machine
from mer_jax.data import APEX_RULES
from mer_jax.errors import UserError
from mer_jax.experiment import TASKS
from mer_jax.runfiles import files
from mer_jax.settings import sections, tree
from mer_jax.settings.sections import Settings


def is_config(apex: str) -> bool:
    """Return whether data.apex names a config, not a folder.

    Args:
        apex: such as 'smic_spotting:label=log'.
    """
    if apex in APEX_RULES or machine.absolute(apex, 'data.apex').is_dir():
        return False
    try:
        config_files.find(apex.partition(':')[0])
    except UserError:
        return False
    return True


def folder(apex: str, run: Path) -> Path:
    """Return the folder of the spotting run that data.apex names.

    Args:
        apex: a config, or the folder.
        run: the folder of the run of recognition.
    """
    return run / files.SPOTTING if is_config(apex) else Path(apex)


def split(settings: Settings) -> tuple[Settings, Settings]:
    """Return the settings of recognition, and those of the spotting run of its config.

    The spotting run takes data_dir, strict and the landmarks of recognition, and for each data set
    the folder that recognition gives. data.manual_dir may also give a folder for each data set of
    the spotting config; recognition then takes those of its data sets. The protocol is LOSO: each
    fold of recognition needs a spotter that left out the same subject.

    Args:
        settings: of recognition; data.apex names a config.

    Raises:
        UserError: there is no such variant, or it is no spotting config for these data sets.
    """
    # Imports tensorflow_datasets, which takes seconds: too long for a mistake in other settings.
    from mer_jax.data import sources

    spotting = tree.from_nested(config_files.load(settings.data.apex).to_dict())
    task = spotting.data.task
    if task in TASKS and not TASKS[task].by_frame:
        raise UserError(f'its data.task is {task}; name a spotting config')
    recognised, spotted = _releases(settings.data.name), _releases(spotting.data.name)
    missing = sorted({*recognised} - {*spotted})
    if missing:
        raise UserError(
            f'it spots in {spotting.data.name}, without {", ".join(missing)} of data.name; name a '
            'spotting config whose data sets include it'
        )
    folders = settings.data.manual_dir.split('+')
    if len(folders) == len(spotted) > len(recognised):
        folder_of = dict(zip(spotted, folders, strict=True))
        folders = [folder_of[release] for release in recognised]
        settings = _with_data(settings, manual_dir='+'.join(folders))
        folders = [folder_of[release] for release in spotted]
    else:
        parsed = sources.parse(settings.data.name, settings.data.manual_dir)
        folder_of = {source.release: source.folder for source in parsed}
        folders = [folder_of.get(release, '') for release in spotted]
    spotting = _with_data(
        spotting,
        manual_dir='+'.join(folders) if any(folders) else '',
        data_dir=settings.data.data_dir,
        strict=settings.data.strict,
        landmarks=settings.data.landmarks or spotting.data.landmarks,
        detector=settings.data.detector or spotting.data.detector,
    )
    return settings, replace(spotting, protocol=sections.Protocol())


def _with_data(settings, **changes):
    return replace(settings, data=replace(settings.data, **changes))


def _releases(name):
    """Return the releases of data.name in order."""
    return [source.partition('/')[0] for source in name.split('+')]
