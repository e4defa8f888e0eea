"""Reads the CAS(ME)^2 release: its coding workbook, its image trees, and one clip for each row.

Trees and frame numbers as public projects describe them (all numbers are those of the workbook):
    rawpic/s15/15_0101disgustingteeth/img001.jpg               whole recordings
    longVideoFaceCropped/s15/15_0101disgustingteeth/img_1.jpg  the same, face crops
    selectedpic/s15/disgust1_1/img1195.jpg                     the annotated clips
    cropped/15/disgust1_1/img1195.jpg                          face crops of 341 of the 357
Trees below those names with any other layout are not read.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from mer_jax.errors import UserError
from tfds_builders import annotated, frames, recordings, trees
from tfds_builders.audit import UNWANTED, Row
from tfds_builders.casme_squared import coding
from tfds_builders.clip import Clip

INSTRUCTIONS = (
    'CAS(ME)^2: apply at http://casme.psych.ac.cn/casme/e3 (signed agreement), then unpack '
    'rawpic, selectedpic or '
    'longVideoFaceCropped (rawpic/s15/15_0101disgustingteeth/img001.jpg) into one folder '
    'together with '
    'CAS(ME)^2code_final.xlsx'
)
EMOTIONS = coding.EMOTIONS
FPS = 30.0
OPTIONS = {'macro': ('off', 'on'), 'frames': ('auto', 'raw', 'selected', 'cropped')}
# of the config of whole recordings; the first are the frames that a prediction would be given
RECORDING_OPTIONS = {'frames': ('raw', 'cropped')}
FRAME = r'img_?\d+\.(jpe?g|png|bmp)'
# (kind, whole recordings?): what is read first. The crops of single clips are not complete, so they
# come last.
PREFERENCE = (('cropped', True), ('selected', False), ('raw', True), ('cropped', False))
WORDS = (('crop', 'cropped'), ('select', 'selected'), ('raw', 'raw'))
_VIDEO = re.compile(r'(\d+)_(\d{4})(\D.*)?')
_STRANGE = re.compile(r's\d+_\d+_\d{4}')  # id of a recording whose two folders name two people


def find(manual_dir: Path) -> Path:
    """The deepest folder that holds all workbooks and image trees below `manual_dir`.

    Raises:
      UserError: there is no workbook, or no tree.
    """
    images = _trees(manual_dir) if manual_dir.is_dir() else []
    if not images:
        raise UserError(
            f'{manual_dir} holds no frames as <subject>/<video or clip>/img001.jpg (there is '
            f'{trees.contents(manual_dir, _any_id, EMOTIONS)}); {INSTRUCTIONS}'
        )
    books, _ = _codings(manual_dir)
    folders = [book.path.parent for book in books]
    return trees.common_folder([*folders, *(tree.path for tree, _ in images)])


def read(source: Path, *, options: Mapping[str, str]) -> tuple[list[Clip], list[Row]]:
    """Clips and audit rows of `source`; opens sheets and headers of frames.

    The updated workbook is read where it is there. Micro-expressions only, unless macro='on'.
    Frames: the first of PREFERENCE that is there and is what `frames` says.

    Args:
      source: as `find` returns it.
      options: a value of each name in OPTIONS.

    Raises:
      UserError: a workbook or such frames are missing.
    """
    book, rows = _choose_coding(source)
    tree, whole, others = _choose_tree(_trees(source), options['frames'], source)
    rows += annotated.unread_trees([other for other, _ in others], tree, source)
    annotations, kinds, sheet_rows = _annotations(book)
    folders = _by_clip(tree, whole, annotations, book)
    rows += _unused(tree, folders, source)
    wanted = annotations
    if options['macro'] == 'off':
        wanted = [item for item in annotations if kinds[item.clip] == 'micro']
        reason = f'{UNWANTED}: macro=on takes them too'
        for item in annotations:
            if kinds[item.clip] == 'macro':
                rows.append(Row(item.where, 'dropped', reason, item.clip))
                folders.pop(item.clip, None)
    release = _release(source, tree._replace(clips=folders), book, whole=whole)
    clips, clip_rows = annotated.join(wanted, release)
    clips = [clip._replace(kind=kinds[clip.clip]) for clip in clips]
    return clips, [*rows, *sheet_rows, *clip_rows]


def read_recordings(
    source: Path, *, options: Mapping[str, str]
) -> tuple[list[recordings.LongRecording], list[Row]]:
    """Whole recordings and audit rows of `source`; opens sheets and headers of frames.

    Expressions of both kinds count, because a search finds both.

    Args:
      source: as `find` returns it.
      options: a value of each name in RECORDING_OPTIONS.

    Raises:
      UserError: a workbook or such recordings are missing.
    """
    book, rows = _choose_coding(source)
    candidates, wanted = _trees(source), options['frames']
    whole = [item for item in candidates if item[1]]
    if wanted not in {tree.kind for tree, _ in whole}:
        words = {True: 'whole recordings', False: 'single clips'}
        there = sorted(
            {f'{tree.kind} frames of {words[is_whole]}' for tree, is_whole in candidates}
        )
        raise UserError(
            f'frames={wanted}: there are no such frames of whole recordings in {source}, but '
            f'{", ".join(there)}; {INSTRUCTIONS}'
        )
    tree, _, others = _choose_tree(whole, wanted, source)
    unread = [other for other, _ in others]
    unread += [other for other, is_whole in candidates if not is_whole]
    rows += annotated.unread_trees(unread, tree, source)
    annotations, kinds, sheet_rows = _annotations(book)
    of_recording = defaultdict(list)
    for item, name in zip(annotations, _recording_ids(annotations, book), strict=True):
        of_recording[name].append(item)
    owned, strange = {}, []
    for name, paths in tree.clips.items():
        if _STRANGE.fullmatch(name):
            strange += [_unused_row(path, name, source) for path in paths]
        else:
            owned[name] = paths
    release = _release(source, tree._replace(clips=owned), book, whole=True)
    records, recording_rows = recordings.join(of_recording, kinds, release)
    return records, [*rows, *strange, *sheet_rows, *recording_rows]


def _release(source, tree, book, *, whole):
    """What is the same for all clips, or recordings, of a tree of frames."""
    return annotated.Release(
        'casme_squared',
        source,
        tree,
        whole=whole,
        cropped=tree.kind == 'cropped',
        fps=FPS,
        edition=book.edition,
        corrections={},
        corrected_by='none',
    )


def files(source: Path) -> tuple[list[Path], list[Path]]:
    """The coding workbook, and frames of the annotated intervals in all image trees.

    They decide the content.
    """
    book, _ = _choose_coding(source)
    annotations, _, _ = _annotations(book)
    paths = []
    for tree, whole in _trees(source):
        intervals = defaultdict(list)
        folders = _by_clip(tree, whole, annotations, book)
        for item in annotations:
            for folder in folders.get(item.clip, ()):
                intervals[folder].append((item.onset, item.offset))
        for folder, inside in intervals.items():
            for number, path in frames.numbered(folder):
                # a folder of one clip may be numbered otherwise
                if not whole or any(onset <= number <= offset for onset, offset in inside):
                    paths.append(path)
    return [book.path], paths


def recording_files(source: Path) -> tuple[list[Path], list[Path]]:
    """As `files`, with the first and the last frame of every recording.

    So recordings without an annotation count, and how long each is.
    """
    sheets, paths = files(source)
    ends = set()
    for tree, whole in _trees(source):
        for folders in tree.clips.values() if whole else ():
            for folder in folders:
                numbered = [path for _, path in frames.numbered(folder)]
                ends.update(numbered[:1] + numbered[-1:])
    return sheets, [*paths, *sorted(ends - {*paths})]


def _annotations(book):
    """([Annotation], {clip id: 'micro' or 'macro'}, audit rows) of a workbook."""
    annotations, rows = annotated.read_rows(
        book.records, lambda record: coding.annotation(record, book)
    )
    type_of = {record['where']: record['type'].lower() for record in book.records}
    kinds = {item.clip: coding.KINDS[type_of[item.where]] for item in annotations}
    return annotations, kinds, rows


def _codings(folder):
    """([Coding] of all coding workbooks, the best first; audit rows of the other workbooks);
    UserError if none.
    """
    books, rows = annotated.coding_sheets(folder, _load, 'CAS(ME)^2')
    if not books:
        raise UserError(
            f'{folder} holds no workbook with a column that says micro-expression or '
            f'macro-expression ({annotated.listed(rows)}); {INSTRUCTIONS}'
        )
    best_first = sorted(
        books, key=lambda book: (book.edition == 'updated', len(book.records)), reverse=True
    )
    return best_first, rows


def _load(path):
    book = coding.load(path)
    return book if book.records else None


def _choose_coding(source):
    """(the Coding that is read, audit rows of other workbooks and of contradictions)."""
    (book, *others), rows = _codings(source)
    reason = f'another sheet: {book.path.name} is read'
    for other in others:
        rows.append(Row(annotated.relative(other.path, source), 'ignored', reason))
    return book, [*rows, *book.rows]


def _trees(folder):
    """[(Tree, whole recordings?)] below `folder`; clips are keyed 's15_0101' in recordings,
    's15_disgust1_1' else.
    """

    def kind_of_videos(path: Path, sample: list[Path]) -> str:
        by_name = 'cropped' if '_' in sample[0].name else 'raw'
        return trees.nearest_word(path, folder, WORDS) or by_name

    def kind_of_clips(path: Path, sample: list[Path]) -> str:
        return trees.nearest_word(path, folder, WORDS[:2]) or 'selected'

    videos = trees.find(folder, clip_id=_video_id, frame=FRAME, kind=kind_of_videos)
    clips = trees.find(folder, clip_id=_clip_id, frame=FRAME, kind=kind_of_clips)
    candidates = [(tree, True) for tree in videos] + [(tree, False) for tree in clips]
    return [(tree, whole) for tree, whole in candidates if (tree.kind, whole) in PREFERENCE]


def _choose_tree(candidates, wanted, source):
    """(tree, whole, others) by PREFERENCE, trees alike as one; UserError where none is
    `wanted`.
    """
    of_kind = [item for item in candidates if wanted in ('auto', item[0].kind)]
    if not of_kind:
        there = ', '.join(sorted({tree.kind for tree, _ in candidates})) or 'none'
        raise UserError(
            f'frames={wanted}: there are no such frames in {source}, but {there}; {INSTRUCTIONS}'
        )
    kind, whole = min([(tree.kind, whole) for tree, whole in of_kind], key=PREFERENCE.index)
    others, alike = [], []
    for item in candidates:
        is_alike = (item[0].kind, item[1]) == (kind, whole)
        (alike if is_alike else others).append(item)
    return trees.join([tree for tree, _ in alike]), whole, others


def _subject(name):
    """'s15' or '15' -> 15, -1 for anything else."""
    match = re.fullmatch(r's?0*(\d{1,2})', name, re.IGNORECASE)
    return int(match[1]) if match else -1


def _video_id(subject, name):
    """('s15', '15_0101disgustingteeth') -> 's15_0101'; '' if it is no video.

    's19_23_0502' where the two names are of two people.
    """
    match, owner = _VIDEO.fullmatch(name), _subject(subject)
    if not match or owner < 0:
        return ''
    if int(match[1]) == owner:
        return f's{owner:02d}_{match[2]}'
    return f's{owner:02d}_{match[1]}_{match[2]}'


def _clip_id(subject, name):
    """('s15' or '15', 'disgust1_1') -> 's15_disgust1_1', '' for anything else."""
    owner = _subject(subject)
    return f's{owner:02d}_{name.lower()}' if coding.CLIP.fullmatch(name) and owner >= 0 else ''


def _any_id(subject, name):
    return _video_id(subject, name) or _clip_id(subject, name)


def _by_clip(tree, whole, annotations, book):
    """{clip id: folders} of the annotated clips that have one in `tree`."""
    names = _recording_ids(annotations, book) if whole else [item.clip for item in annotations]
    folders = {}
    for item, name in zip(annotations, names, strict=True):
        if name in tree.clips:
            folders[item.clip] = tree.clips[name]
    return folders


def _recording_ids(annotations, book):
    """The id of the recording of each annotation: 's15_0101'."""
    records = {record['where']: record for record in book.records}
    ids = []
    for item in annotations:
        _, _, video = coding.clip_of(records[item.where], book)
        ids.append(f'{item.subject}_{video}')
    return ids


def _unused(tree, folders, source):
    """Audit rows of the folders of a tree that no row of the sheet names."""
    used = set()
    for paths in folders.values():
        used.update(paths)
    rows = []
    for name, paths in sorted(tree.clips.items()):
        rows += [_unused_row(path, name, source) for path in paths if path not in used]
    return rows


def _unused_row(path, name, source):
    file = annotated.relative(path, source)
    if _STRANGE.fullmatch(name):
        reason = f'whose recording it is cannot be seen: it stands under {path.parent.name}'
        return Row(file, 'dropped', reason)
    return Row(file, 'ignored', 'no row of the sheet names it')
