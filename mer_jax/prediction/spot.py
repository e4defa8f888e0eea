"""The verb spot: intervals of long recordings, scored as in the MEGC challenges.

The intervals come from the candidate search, or from a table of any software.
"""

import dataclasses
import hashlib
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath

from mer_jax import machine, provenance
from mer_jax.data import recordings as long_recordings
from mer_jax.data import sources
from mer_jax.data.recordings import EXAMPLE, Recordings
from mer_jax.errors import UserError
from mer_jax.evaluation import intervals as measures
from mer_jax.evaluation.metrics import to_json
from mer_jax.experiment import build
from mer_jax.experiment import settings as rules
from mer_jax.report import spot_tables, study
from mer_jax.runfiles.intervals import IntervalRow, IntervalTable
from tfds_builders.recordings import LongRecording
from tfds_builders.videos import open_recording

AS_REPORTED = 'as reported: a table cannot show whether its software was tuned on these recordings'
SEARCH = 'the candidate search'
EXPERIMENTAL = (
    'experimental: the search looks for micro-expressions only, and its settings were chosen on '
    'drawn faces'
)
WRITTEN = (IntervalTable.FILE, 'spot.csv')  # tables that the verb writes
SHOWN = 3  # so many recordings are named


def spot(config: rules.Config, workdir: str | Path, tables: Sequence[str] = ()) -> dict:
    """Score the spotted intervals of all recordings of a data set.

    Args:
        config: its section data names the recordings.
        workdir: folder for intervals.csv and the files of the scores.
        tables: path of a table of intervals; (): the recordings are searched.

    Returns:
        What spot.json holds.

    Raises:
        UserError: names the row that is wrong, the data set that holds no recordings, or the
            user's table that would be written over.
    """
    if len(tables) > 1:
        raise UserError(f'spot takes one FILE.csv, not {len(tables)}')
    path = machine.absolute(tables[0], 'FILE.csv') if tables else None
    rows = IntervalTable.read(path).rows if path else ()
    folder = machine.absolute(workdir, 'workdir')
    _check_tables(folder, path, workdir)
    data = rules.checked(config).data
    data_sets = sources.parse(data.name, data.manual_dir)
    recordings = long_recordings.read(data_sets, build.build_options(data))
    folder.mkdir(parents=True, exist_ok=True)
    if path:
        rows = named(rows, recordings.records, path)
        about = {
            'source': path.name,
            'statement': AS_REPORTED,
            'sha256': hashlib.sha256(path.read_bytes()).hexdigest(),
        }
    else:
        rows, about = searched(recordings)
    scores, rows = scored(recordings.records, rows)
    result = {
        'data': data.name,
        **about,
        'leaks': [],
        **scores,
        'versions': machine.versions() | provenance.code(),
    }
    study.write(spot_tables.study(result), result, folder, plots=())
    IntervalTable(rows).write(folder)
    print(f'spot: {folder / IntervalTable.FILE}')
    return result


def _check_tables(folder, path, workdir):
    """Refuse a folder in which a table of the user would be written over.

    Args:
        folder: for the files of the verb.
        path: of the user's table of intervals, if any.
        workdir: the folder as the user wrote it.
    """
    for name in WRITTEN:
        target = folder / name
        if not target.exists():
            continue
        if path and target.samefile(path):
            raise UserError(f'--workdir={workdir}: {path} would be written over; name another')
        if not (folder / 'spot.json').exists():
            raise UserError(
                f'--workdir={workdir}: holds {name}, which is not of this verb and would be '
                'written over; name another'
            )


def searched(recordings: Recordings) -> tuple[tuple[IntervalRow, ...], dict]:
    """Search all recordings for micro-expressions, one after the other.

    Args:
        recordings: with the folder of their frames.

    Returns:
        (the candidates with ids of their recordings, facts about the search for spot.json).

    Raises:
        UserError: the folder of the frames is not given, or they are crops of faces.
    """
    # Finding faces needs OpenCV, and a table alone does not.
    from mer_jax.prediction import candidates

    if recordings.folder is None:
        raise UserError(f'the search reads frames from the release; name it: {EXAMPLE}')
    if any(record.cropped for record in recordings.records):
        raise UserError(
            'the frames are crops of faces, and the search needs whole frames, in which it follows '
            'the face; take the raw frames (frames=raw), or name a FILE.csv'
        )
    options, rows, warnings = candidates.Options(), [], {}
    for number, record in enumerate(recordings.records, 1):
        source = str(recordings.folder / record.folder)
        with open_recording(source, fps=record.fps, search=True) as frames:
            spotted = _candidates(frames, candidates.init(options), candidates)
            warnings[record.clip] = list(frames.warnings)
        rows += [_row(candidate, record.clip) for candidate in spotted]
        total = len(recordings.records)
        print(
            f'spot: {number} of {total} recordings, {record.clip}: {len(spotted)} candidates',
            file=sys.stderr,
            flush=True,
        )
    about = {
        'source': SEARCH,
        'statement': EXPERIMENTAL,
        'search': dataclasses.asdict(options),
        'warnings': warnings,
    }
    return tuple(rows), about


def _candidates(frames, state, search):
    """All candidates of a recording."""
    spotted = []
    for frame in frames:
        state, certain = search.step(state, frame)
        spotted += certain
    return [*spotted, *search.finish(state)]


def _row(candidate, name):
    return IntervalRow(
        recording=name,
        onset=candidate.onset,
        offset=candidate.offset,
        apex=candidate.apex,
        kind='micro',  # what is searched; half a second in frames may be a frame longer
        strength=candidate.strength,
    )


def named(
    rows: Sequence[IntervalRow], recordings: Sequence[LongRecording], path: Path
) -> tuple[IntervalRow, ...]:
    """Return the rows of a table with the ids of their recordings.

    A recording may be called by its id, by its folder, or by both folders.

    Args:
        rows: as in the table.
        recordings: of the data set.
        path: of the table.

    Raises:
        UserError: names a row with a recording or frame that is not there, or that stands twice.
    """
    by_name = {}
    for recording in recordings:
        folder = PurePath(recording.folder)
        for name in (recording.clip, folder.name, '/'.join(folder.parts[-2:])):
            by_name[name.lower()] = recording
    first, kept = {}, []
    for number, row in enumerate(rows, 2):
        where = f'{path}, row {number}'
        recording = by_name.get(row.recording.strip().lower())
        if recording is None:
            examples = ', '.join(item.clip for item in recordings[:SHOWN])
            raise UserError(
                f'{where}: recording is {row.recording!r}; allowed: such as {examples}, or its '
                f'folder, {PurePath(recordings[0].folder).name}'
            )
        _check_frames(row, recording, where)
        row = row._replace(recording=recording.clip, clip='')
        earlier = first.setdefault((row.recording, row.onset, row.offset, row.kind), number)
        if earlier != number:
            raise UserError(f'{where}: the same interval as in row {earlier}; allowed: once')
        kept.append(row)
    return tuple(kept)


def _check_frames(row, recording, where):
    """Refuse an interval outside of its recording: its frames are numbered otherwise."""
    first, last = int(recording.frame_numbers[0]), int(recording.frame_numbers[-1])
    for name, number in (('onset', row.onset), ('offset', row.offset)):
        if not first <= number <= last:
            raise UserError(
                f'{where}: {name} is {number}; allowed: {first} to {last}, the numbers of the '
                f'files of {recording.clip}'
            )


def scored(
    recordings: Sequence[LongRecording], rows: Sequence[IntervalRow]
) -> tuple[dict, tuple[IntervalRow, ...]]:
    """Score spotted intervals over all recordings.

    Args:
        recordings: all that were searched, also those in which nothing was spotted.
        rows: with ids of recordings; an empty kind is that of the length.

    Returns:
        (counts and scores for spot.json, the rows with their kind and the expression they hit).
    """
    counts, blocks, missed, scored_rows = [], [], [], []
    for recording in recordings:
        spotted = [_with_kind(row, recording) for row in rows if row.recording == recording.clip]
        of_kinds = {}
        for kind in measures.KINDS:
            candidates = [row for row in spotted if row.kind == kind]
            annotated = [item for item in recording.intervals if item.kind == kind]
            matches = measures.matches(
                [(item.onset, item.offset) for item in annotated],
                [(row.onset, row.offset) for row in candidates],
            )
            of_kinds[kind] = matches.counts
            hits = {index: annotated[number].clip for number, index in matches.pairs}
            for index, row in enumerate(candidates):
                scored_rows.append(row._replace(clip=hits.get(index, '')))
            left = [item for item in annotated if item.clip not in hits.values()]
            missed += [_missed(item, recording) for item in left]
        counts.append(of_kinds)
        total = measures.added(of_kinds.values())
        about = {'recording': recording.clip, 'subject': recording.subject}
        blocks.append({**about, 'frames': len(recording.frame_numbers), **total._asdict()})
    scores = {kind: _block(total) for kind, total in measures.over_recordings(counts).items()}
    result = {
        'recordings': len(recordings),
        'subjects': len({recording.subject for recording in recordings}),
        'iou': measures.IOU,
        'micro_seconds': measures.MICRO_SECONDS,
        'scores': scores,
        'per_recording': blocks,
        'missed': missed,
    }
    scored_rows.sort(key=lambda row: (row.recording, row.onset, row.offset))
    return result, tuple(scored_rows)


def _with_kind(row, recording):
    kind = row.kind or measures.kind_of(row.onset, row.offset, fps=recording.fps)
    return row._replace(kind=kind)


def _missed(item, recording):
    """An annotated expression that nothing hits, for spot.json."""
    keys = ('clip', 'kind', 'onset', 'offset', 'emotion')
    return {'recording': recording.clip} | {key: getattr(item, key) for key in keys}


def _block(counts: measures.Counts) -> Mapping[str, int | float | None]:
    """Counts and scores of a kind; null where a score has no denominator."""
    scores = measures.precision_recall_f1(counts)._asdict()
    return {
        'annotated': counts.tp + counts.fn,
        'spotted': counts.tp + counts.fp,
        **counts._asdict(),
        **{name: to_json(value) for name, value in scores.items()},
    }
