"""Long recordings of a data set, and where their frames lie."""

from pathlib import Path
from typing import NamedTuple

from mer_jax.data import loading
from mer_jax.data.sources import BuildOptions, Source
from mer_jax.errors import UserError
from tfds_builders import records
from tfds_builders.recordings import CONFIG, LongRecording, from_record

EXAMPLE = '--data=casme_squared/recordings --manual_dir=FOLDER'


class Recordings(NamedTuple):
    """The recordings of a data set, by id."""

    records: tuple[LongRecording, ...]
    folder: Path | None  # that the folders of the records lie in; None: the release is not given


def read(data_sets: tuple[Source, ...], options: BuildOptions) -> Recordings:
    """Read the recordings of a data set, which is built where it is not yet.

    Args:
        data_sets: data.name, parsed.
        options: where it is stored, and what it is built with.

    Raises:
        UserError: it holds no recordings, or is more than one data set.
    """
    (source, *others) = data_sets
    if others or source.input != CONFIG:
        names = '+'.join(item.name for item in data_sets)
        raise UserError(
            f'data.name {names!r} holds no whole recordings; name one data set that does: {EXAMPLE}'
        )
    builder = loading.prepared(source, options)
    stored = tuple(from_record(record) for record in records(builder))
    folder = builder.source(Path(source.folder).expanduser()) if source.folder else None
    return Recordings(stored, folder)
