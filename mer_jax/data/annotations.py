"""What the sheets say of clips, and what a build did to them, without a network in mind."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mer_jax.data import Record, loading
from mer_jax.data.sources import BuildOptions, Source
from tfds_builders import audit

FEATURES = (*loading.TEXT, 'onset', 'apex', 'offset', 'apex_source', 'fps')

TO_APEX, FROM_APEX, TO_MAGNIFIED = 'onset to apex', 'apex to offset', 'onset to magnified'
TIMES = ('onset to offset', TO_APEX, FROM_APEX)
CHANNELS = ('u', 'v', 'magnitude', 'strain')  # of flow in pixels, and of its strain
MAGNITUDES = 'On-A and Off-A'  # magnitudes as images of bytes (Ruan et al., ACM MM 2022)
IMAGES = ('On-A, apex', 'On-A, magnified', 'Off-A, apex', 'Off-A, magnified')
# What is measured between two frames, and of which channels.
MOTIONS = {
    TO_APEX: CHANNELS,
    FROM_APEX: CHANNELS,
    TO_MAGNIFIED: CHANNELS,
    MAGNITUDES: IMAGES,
}
# Whose faces a data set shows, as publications state it; others do not stand here.
POPULATIONS = {
    'casme2': 'young Chinese people (Koo et al. 2022)',
    'samm': 'people of 13 ethnic groups (Davison et al. 2018; Koo et al. 2022)',
    'frames_csv': 'the people of the table, whom its author knows',
    'synthetic': 'drawn faces',
}


class Annotations(NamedTuple):
    """What is annotated of clips: arrays with a row for each."""

    clip: np.ndarray  # str[N]
    subject: np.ndarray  # str[N]
    dataset: np.ndarray  # str[N]
    emotion: np.ndarray  # str[N], in lower case
    label: np.ndarray  # str[N], the class
    onset: np.ndarray  # int32[N], number of a frame, -1 unknown
    apex: np.ndarray  # int32[N], as onset
    offset: np.ndarray  # int32[N], as onset
    apex_source: np.ndarray  # str[N]: annotated, correction, truth, estimated or unknown
    fps: np.ndarray  # float32[N], 0 unknown
    units: np.ndarray  # float32[N, A], 1 present, 0 absent, NaN where nobody coded them
    unit_names: tuple[str, ...]  # of the columns of units, by number


class Clips(NamedTuple):
    """What is annotated and measured of clips: arrays with a row for each."""

    annotated: Annotations
    times: dict[str, np.ndarray]  # of TIMES -> float64[N], milliseconds, NaN unknown
    position: np.ndarray  # float64[N], of the apex: 0 at the onset, 1 at the offset, NaN unknown
    seen: np.ndarray  # bool[N], whether somebody saw, or drew, the apex
    motion: dict[str, np.ndarray]  # of MOTIONS -> float64[N, C], NaN where it is not stored


def of_records(records: Sequence[Record]) -> Annotations:
    """Return the annotations of records that have a class.

    Args:
        records: with FEATURES and 'class'.
    """

    def column(name: str, dtype: type = np.str_) -> np.ndarray:
        return np.array([record[name] for record in records], dtype)

    unit_names = tuple(loading.unit_columns(records, lateral=False))
    units = [loading.unit_row(record, unit_names, lateral=False) for record in records]
    return Annotations(
        clip=column('clip'),
        subject=column('subject'),
        dataset=column('dataset'),
        emotion=np.char.lower(column('emotion')),
        label=column('class'),
        onset=column('onset', np.int32),
        apex=column('apex', np.int32),
        offset=column('offset', np.int32),
        apex_source=column('apex_source'),
        fps=column('fps', np.float32),
        units=np.array(units, np.float32).reshape(len(records), len(unit_names)),
        unit_names=unit_names,
    )


def build_audit(source: Source, options: BuildOptions) -> tuple[audit.Row, ...]:
    """Return what the build of a data set did with each row and file of its source.

    Args:
        source: the data set.
        options: where it lies, and what it is built with.

    Returns:
        () of a data set that is drawn, which has no source.
    """
    path = Path(loading.prepared(source, options).data_dir) / audit.FILENAME
    return audit.read(path) if path.exists() else ()
