"""Parse the settings that name data sets."""

from collections.abc import Sequence
from typing import NamedTuple

import tfds_builders
from mer_jax import machine
from mer_jax.data import labels
from mer_jax.errors import UserError


class Source(NamedTuple):
    """One data set of an experiment."""

    name: str  # of TFDS, with its settings: 'casme2/flow,edition=2014'
    release: str  # the name of the data set: 'casme2'
    # what was built of the release: flow, video, samer or spotting; '' for a data set that holds
    # more than one of them
    input: str
    # with the release as its authors ship it, or the user's table; '': it is already built
    folder: str


class BuildOptions(NamedTuple):
    """Where data sets are, and how to build them."""

    data_dir: str = ''  # '': TFDS_DATA_DIR, else ~/tensorflow_datasets
    rebuild: bool = False
    strict: bool = False  # refuse a build that drops more than a tenth of the clips
    landmarks: str = ''  # file of a landmark model
    detector: str = ''  # file with weights of a face detector; '': Haar
    magnet: str = ''  # file with weights of the learned magnifier


def parse(name: str, manual_dir: str = '') -> tuple[Source, ...]:
    """Parse the settings data.name and data.manual_dir.

    Args:
        name: one data set, or several joined by '+': 'casme2/flow+samm/flow'.
        manual_dir: one folder for all of them, or one for each, joined by '+'. Of frames_csv a
            table in place of a folder.

    Raises:
        UserError: the numbers differ, or no data set is built from a folder.
    """
    names = name.split('+')
    own = [source for source in names if source.partition('/')[0] == labels.OWN]
    if len(own) > 1:
        raise UserError(
            f'data.name is {name!r}; {labels.OWN} stands there {len(own)} times; allowed: once, '
            'with one table of all clips, so that a subject of both is one person'
        )
    folders = _folders(names, manual_dir)
    parsed = []
    for source, folder in zip(names, folders, strict=True):
        release, _, _ = source.partition('/')
        parsed.append(Source(source, release, tfds_builders.release_input(source), folder))
    return tuple(parsed)


def joined(sources: Sequence[Source]) -> str:
    """Return the text of data.name that was parsed."""
    return '+'.join(source.name for source in sources)


def _folders(names, manual_dir):
    """The folder of each data set."""
    if manual_dir and not any(map(tfds_builders.reads_folder, names)):
        raise UserError(
            f'data.manual_dir is {manual_dir!r}, but {"+".join(names)} reads no folder; name a '
            'data set that does with --config.data.name, or leave data.manual_dir out'
        )
    folders = manual_dir.split('+')
    # The name of one folder may contain a '+'.
    if len(folders) == 1 or machine.absolute(manual_dir, 'data.manual_dir').exists():
        return [manual_dir] * len(names)
    if len(folders) != len(names):
        raise UserError(
            f'data.manual_dir names {len(folders)} folders for the {len(names)} data sets of '
            f"{'+'.join(names)!r}; give one for each, in that order ('A+B'), or one for all"
        )
    return folders
