"""Whole recordings of a release as records: where the frames lie, and every annotated interval.

A record holds no pixels. A prediction reads whole frames, in which it looks for the face itself,
and so must a search whose figures shall hold for a prediction. A minute of CAS(ME)^2 (640x480, 30
frames a second) takes 230 MB as grey PNG; face crops of 128x128 would take 14 MB, but they are not
what a prediction sees. So frames stay where the user unpacked them, and are read from there.
"""

import concurrent.futures
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow_datasets as tfds

from mer_jax import machine
from mer_jax.errors import UserError
from tfds_builders import annotated, audit, frames, numbering, schema, sheets, trees
from tfds_builders.annotated import Annotation, Release
from tfds_builders.audit import Repair, Row

CONFIG = 'recordings'  # the config of a release that holds them
SUMMARY = 'whole recordings: where the frames lie, and every annotated interval; no pixels'
UNKNOWN_APEX = 'it is unknown'


class Interval(NamedTuple):
    """One annotated expression of a recording. Frame numbers are those of the files."""

    clip: str  # unique in its data set: 's15_disgust1_1'
    kind: str  # micro | macro
    emotion: str  # as annotated
    action_units: str  # the cell as it is
    action_units_known: bool
    onset: int
    apex: int  # -1: unknown
    offset: int


class LongRecording(NamedTuple):
    """One recording with all its annotated expressions, by onset; there may be none."""

    clip: str  # its id, unique in its data set: 's15_0101'
    subject: str
    dataset: str
    edition: str  # which sheet
    folder: str  # of the frames, relative to the folder of the release
    cropped: bool  # the frames are the release's face crops
    fps: float
    frame_numbers: np.ndarray  # int32[T], ascending; a number that lacks has no usable file
    intervals: tuple[Interval, ...]


class _Folder(NamedTuple):
    """The folder of a recording."""

    path: Path
    files: dict[int, Path]  # usable frames by number
    problems: list[tuple[Path, str]]


def features(text: type = tfds.features.Text) -> tfds.features.FeaturesDict:
    """Features of a record; the fields of LongRecording and Interval."""
    interval = {name: text() for name in ('clip', 'kind', 'emotion', 'action_units')}
    interval |= {name: np.int32 for name in ('onset', 'apex', 'offset')}
    interval['action_units_known'] = np.bool_
    recording = {name: text() for name in ('clip', 'subject', 'dataset', 'edition', 'folder')}
    recording |= {'cropped': np.bool_, 'fps': np.float32}
    recording['frame_numbers'] = schema.tensor((None,), np.int32)
    recording['intervals'] = tfds.features.Sequence(interval)
    return tfds.features.FeaturesDict(recording)


def example(recording: LongRecording) -> dict:
    """The record of a recording, as `features` stores it."""
    intervals = [interval._asdict() for interval in recording.intervals]
    return {**recording._asdict(), 'intervals': intervals}


def from_record(record: Mapping) -> LongRecording:
    """The recording of a record that `tfds_builders.records` yields."""
    columns = record['intervals']
    intervals = []
    for index in range(len(columns['onset'])):
        cells = {name: _plain(columns[name][index]) for name in Interval._fields}
        intervals.append(Interval(**cells))
    values = {name: record[name] for name in LongRecording._fields}
    values |= {'cropped': bool(record['cropped']), 'fps': float(record['fps'])}
    return LongRecording(**{**values, 'intervals': tuple(intervals)})


def _plain(value):
    """A cell of a stored sequence as str, int or bool."""
    return value.decode() if isinstance(value, bytes) else value.item()


def join(
    annotations: Mapping[str, Sequence[Annotation]], kinds: Mapping[str, str], release: Release
) -> tuple[list[LongRecording], list[Row]]:
    """Recordings with their annotated intervals, and audit rows of annotations and folders.

    Every recording counts, also one without an annotation: a search that finds something there is
    wrong. An interval whose onset or offset has no file moves by at most numbering.MOST_MOVED
    frames; one further outside of its recording is dropped, never guessed.

    Args:
      annotations: {id of a recording: its annotations}, also of recordings that are not there.
      kinds: {clip id: micro or macro}.
      release: its tree holds the folders by id of the recording.

    Raises:
      UserError: the folders are no whole recordings, or are numbered otherwise than the sheet.
    """
    folders, rows = _folders(release)
    _refuse_other(annotations, folders, release)
    intervals = {name: [] for name in folders}
    for name, items in annotations.items():
        for item in items:
            interval, row = _interval(item, kinds[item.clip], folders.get(name), release)
            rows.append(row)
            if interval:
                intervals[name].append(interval)
    recordings = []
    for name, folder in folders.items():
        rows += _rows_of_folder(name, folder, release)
        recordings.append(
            LongRecording(
                clip=name,
                subject=name.partition('_')[0],
                dataset=release.dataset,
                edition=release.edition,
                folder=annotated.relative(folder.path, release.root),
                cropped=release.cropped,
                fps=release.fps,
                frame_numbers=np.array(sorted(folder.files), np.int32),
                intervals=tuple(sorted(intervals[name], key=lambda item: item.onset)),
            )
        )
    return recordings, rows


def _folders(release):
    """({id: _Folder} of the recordings that hold frames, rows of the others)."""
    rows, first = [], {}
    for name, paths in sorted(release.tree.clips.items()):
        first[name] = paths[0]
        shown = annotated.relative(paths[0], release.root)
        reason = f'the same recording as {shown}; one of the two must go'
        rows += [Row(annotated.relative(path, release.root), 'error', reason) for path in paths[1:]]
    # Headers of hundreds of thousands of files: waiting for the disk, not computing.
    with concurrent.futures.ThreadPoolExecutor(machine.cores()) as executor:
        listings = list(executor.map(frames.listing, first.values()))
    folders = {}
    for (name, path), (files, problems) in zip(first.items(), listings, strict=True):
        if files:
            folders[name] = _Folder(path, dict(sorted(files.items())), problems)
            continue
        reason = f'no frames in the folder of this recording: there is {trees.contents(path)}'
        rows.append(Row(annotated.relative(path, release.root), 'dropped', reason, name))
    return folders, rows


def _refuse_other(annotations, folders, release):
    """UserError where the folders hold something else than whole recordings."""
    numbers = []
    for name in annotations.keys() & folders.keys():
        path, files, _ = folders[name]
        for item in annotations[name]:
            there = tuple(files)
            numbers.append(numbering.Numbers(item.clip, path, item.onset, item.offset, there))
    numbers.sort()
    if not numbering.are_recordings(numbers):
        clip = next(item for item in numbers if item.is_exact)
        shown = annotated.relative(clip.folder, release.root)
        raise UserError(
            f'{release.dataset}: the folders hold single clips, not whole recordings: {shown} has '
            f'exactly the {clip.length} frames from onset to offset of {clip.clip}'
        )
    numbering.refuse_other(numbers, recordings=True, dataset=release.dataset, root=release.root)


def _interval(item, kind, folder, release):
    """(Interval or None, its audit row)."""
    if folder is None:
        tree = annotated.relative(release.tree.path, release.root)
        reason = f'no frames of its recording: none in {tree}'
        return None, Row(item.where, 'dropped', reason, item.clip)
    damaged = {frames.number(path): reason for path, reason in folder.problems}
    damaged = {number: why for number, why in damaged.items() if number not in folder.files}
    try:
        onset, offset, repairs = annotated.interval(item, folder.files, damaged)
    except ValueError as error:
        return None, Row(item.where, 'dropped', str(error), item.clip)
    apex, apex_repairs = _apex(item.apex, onset, offset, folder.files)
    repairs = [*item.repairs, *repairs, *apex_repairs]
    interval = Interval(
        clip=item.clip,
        kind=kind,
        emotion=item.emotion,
        action_units=item.action_units,
        action_units_known=annotated.has_units(item.action_units),
        onset=onset,
        apex=apex,
        offset=offset,
    )
    return interval, audit.repaired(item.where, repairs, item.clip)


def _apex(cell, onset, offset, files):
    """(apex, repairs) of a cell; -1 where it names no frame of the interval."""
    try:
        number = sheets.whole(cell)
    except ValueError:
        number = -1
    if onset < number <= offset and number in files:
        return number, []
    reason = f'apex is no usable frame after the onset: {UNKNOWN_APEX}'
    return -1, [Repair(reason, cell, '-1')]


def _rows_of_folder(name, folder, release):
    """Audit rows of a recording: its folder, and files in it that cannot be used."""
    shown, numbers = annotated.relative(folder.path, release.root), list(folder.files)
    missing = annotated.missing_frames(min(1, numbers[0]), numbers[-1], numbers)
    rows = [audit.repaired(shown, missing, name)]
    for path, reason in folder.problems:
        rows.append(Row(annotated.relative(path, release.root), 'dropped', reason, name))
    return rows
