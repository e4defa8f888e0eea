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

from mer_jax.errors import UserError
from tfds_builders import annotated, frames, trees
from tfds_builders.audit import Row
from tfds_builders.casme_squared import coding

INSTRUCTIONS = (
    'CAS(ME)^2: apply at http://casme.psych.ac.cn/casme/e3 (signed agreement), then unpack '
    'rawpic, selectedpic or '
    'longVideoFaceCropped (rawpic/s15/15_0101disgustingteeth/img001.jpg) into one folder '
    'together with '
    'CAS(ME)^2code_final.xlsx'
)
EMOTIONS = coding.EMOTIONS
OPTIONS = {'macro': ('off', 'on'), 'frames': ('auto', 'raw', 'selected', 'cropped')}
FRAME = r'img_?\d+\.(jpe?g|png|bmp)'
# (kind, whole recordings?): what is read first. The crops of single clips are not complete, so they
# come last.
PREFERENCE = (('cropped', True), ('selected', False), ('raw', True), ('cropped', False))
WORDS = (('crop', 'cropped'), ('select', 'selected'), ('raw', 'raw'))
_VIDEO = re.compile(r'(\d+)_(\d{4})(\D.*)?')


def find(manual_dir):
    """The deepest folder that holds all workbooks and image trees below `manual_dir`; UserError
    where one misses.
    """
    found = _trees(manual_dir) if manual_dir.is_dir() else []
    if not found:
        raise UserError(
            f'{manual_dir} holds no frames as <subject>/<video or clip>/img001.jpg; {INSTRUCTIONS}'
        )
    books, _ = _codings(manual_dir)
    return trees.common_folder(
        [*(book.path.parent for book in books), *(tree.path for tree, _ in found)]
    )


def read(source, *, options):
    """(clips, audit rows) of `source`, for a value of each name in OPTIONS; opens sheets and file
    headers.

    The updated workbook is read where it is there. Micro-expressions only, unless macro='on'.
    Frames: the first of PREFERENCE that is there and is what `frames` says. UserError where a
    workbook or such frames are missing.
    """
    book, rows = _coding(source)
    tree, whole, others = _choose(_trees(source), options['frames'], source)
    rows += annotated.unread_trees([other for other, _ in others], tree, source)
    annotations, wrong = annotated.read_rows(
        book.records, lambda record: coding.annotation(record, book)
    )
    records = {record['where']: record for record in book.records}
    kinds = {item.clip: coding.KINDS[records[item.where]['type'].lower()] for item in annotations}
    left_out = [
        item for item in annotations if kinds[item.clip] == 'macro' and options['macro'] == 'off'
    ]
    folders = _by_clip(tree, whole, annotations, records, book)
    used = {path for paths in folders.values() for path in paths}
    unused = [
        (path, name)
        for name, paths in sorted(tree.clips.items())
        for path in paths
        if path not in used
    ]
    rows += [_unused(path, name, source) for path, name in unused]
    rows += [
        Row(item.where, 'dropped', 'macro-expression: macro=on takes them too', item.clip)
        for item in left_out
    ]
    gone = {item.clip for item in left_out}
    clips, more = annotated.join(
        [item for item in annotations if item.clip not in gone],
        annotated.Release(
            'casme_squared',
            source,
            tree._replace(clips={clip: folders[clip] for clip in folders if clip not in gone}),
            whole=whole,
            cropped=tree.kind == 'cropped',
            fps=30.0,
            edition=book.edition,
            corrections={},
            corrected_by='none',
        ),
    )
    return [clip._replace(kind=kinds[clip.clip]) for clip in clips], [*rows, *wrong, *more]


def files(source):
    """(the coding workbook, frames of the annotated intervals in all image trees): what decides the
    content.
    """
    book, _ = _coding(source)
    annotations, _ = annotated.read_rows(
        book.records, lambda record: coding.annotation(record, book)
    )
    records, found = {record['where']: record for record in book.records}, []
    for tree, whole in _trees(source):
        intervals = defaultdict(list)
        folders = _by_clip(tree, whole, annotations, records, book)
        for item in annotations:
            for folder in folders.get(item.clip, ()):
                intervals[folder].append((item.onset, item.offset))
        for folder, wanted in intervals.items():
            found += [
                path
                for number, path in frames.numbered(folder)
                if any(first <= number <= last for first, last in wanted)
            ]
    return [book.path], found


def _codings(folder):
    """([Coding] of all coding workbooks, the best first; audit rows of the other workbooks);
    UserError if none.
    """
    books, rows = annotated.coding_sheets(folder, _load, 'CAS(ME)^2')
    if not books:
        seen = ', '.join(row.file for row in rows[:3]) or 'no workbook at all'
        raise UserError(
            f'{folder} holds no workbook whose eighth column says micro-expression or '
            'macro-expression '
            f'(there is {seen}); {INSTRUCTIONS}'
        )
    return sorted(
        books, key=lambda book: (book.edition == 'updated', len(book.records)), reverse=True
    ), rows


def _load(path):
    book = coding.load(path)
    return book if book.records else ()


def _coding(source):
    """(Coding that is read, audit rows of all that was found besides or contradicts itself)."""
    (book, *others), rows = _codings(source)
    rows += [
        Row(annotated.relative(other.path, source), 'ignored', f'{book.path.name} is read')
        for other in others
    ]
    return book, [*rows, *book.rows]


def _trees(folder):
    """[(Tree, whole recordings?)] below `folder`; clips are keyed 's15_0101' in recordings,
    's15_disgust1_1' else.
    """

    def kind(path, sample):
        return trees.nearest_word(path, folder, WORDS) or (
            'cropped' if '_' in sample[0].name else 'raw'
        )

    def kind_of_clips(path, sample):
        return trees.nearest_word(path, folder, WORDS[:2]) or 'selected'

    videos = trees.find(folder, clip_id=_video_id, frame=FRAME, kind=kind)
    clips = trees.find(folder, clip_id=_clip_id, frame=FRAME, kind=kind_of_clips)
    found = [*((tree, True) for tree in videos), *((tree, False) for tree in clips)]
    return [(tree, whole) for tree, whole in found if (tree.kind, whole) in PREFERENCE]


def _choose(found, wanted, source):
    """(tree, whole, others) by PREFERENCE, of two alike the one with more folders; UserError where
    none is `wanted`.
    """

    def rank(item):
        return PREFERENCE.index((item[0].kind, item[1])), -len(item[0].clips)

    ranked = sorted((item for item in found if wanted in ('auto', item[0].kind)), key=rank)
    if not ranked:
        there = ', '.join(sorted({tree.kind for tree, _ in found})) or 'none'
        raise UserError(
            f'frames={wanted}: there are no such frames in {source}, but {there}; {INSTRUCTIONS}'
        )
    return *ranked[0], [item for item in found if item is not ranked[0]]


def _subject(name):
    """'s15' or '15' -> 15, -1 for anything else."""
    match = re.fullmatch(r's?0*(\d{1,2})', name, re.IGNORECASE)
    return int(match[1]) if match else -1


def _video_id(subject, name):
    """('s15', '15_0101disgustingteeth') -> 's15_0101'; 's19_23_0502' where the two name two people;
    '' if no video.
    """
    match, owner = _VIDEO.fullmatch(name), _subject(subject)
    if not match or owner < 0:
        return ''
    return (
        f's{owner:02d}_{match[2]}'
        if int(match[1]) == owner
        else f's{owner:02d}_{match[1]}_{match[2]}'
    )


def _clip_id(subject, name):
    """('s15' or '15', 'disgust1_1') -> 's15_disgust1_1', '' for anything else."""
    return (
        f's{_subject(subject):02d}_{name.lower()}'
        if coding.CLIP.fullmatch(name) and _subject(subject) >= 0
        else ''
    )


def _by_clip(tree, whole, annotations, records, book):
    """{clip id: folders} of the annotated clips that have one in `tree`."""
    found = {}
    for item in annotations:
        _, _, video = coding.clip_of(records[item.where], book)
        name = f'{item.subject}_{video}' if whole else item.clip
        if name in tree.clips:
            found[item.clip] = tree.clips[name]
    return found


def _unused(path, name, source):
    """Audit row of a folder that no row of the sheet names."""
    file = annotated.relative(path, source)
    if re.fullmatch(r's\d+_\d+_\d{4}', name):
        return Row(
            file,
            'dropped',
            f'whose recording it is cannot be seen: it stands under {path.parent.name}',
        )
    return Row(file, 'ignored', 'no row of the sheet names it')
