"""Reads the SAMM release of micro-expression clips: its coding sheet, its image tree, one clip for
each row.
"""

import re

from mer_jax.errors import UserError
from tfds_builders import annotated, audit, sheets, trees
from tfds_builders.audit import Row
from tfds_builders.samm import corrections

INSTRUCTIONS = (
    'SAMM: apply at https://helward.mmu.ac.uk/STAFF/M.Yap/dataset.php (signed agreement), then '
    'unpack the clips '
    '(SAMM/006/006_1_2/006_05562.jpg) into one folder together with SAMM_Micro_FACS_Codes_v2.xlsx'
)
# crops are made by users, no two alike: only where nothing else is there
KINDS = ('released', 'cropped')
OPTIONS = {'frames': ('auto', *KINDS), 'corrections': tuple(corrections.SETS)}
COLUMNS = {
    'subject': ('Subject',),
    'filename': ('Filename',),
    'onset': ('Onset Frame',),
    'apex': ('Apex Frame',),
    'offset': ('Offset Frame',),
    'duration': ('Duration',),
    'action_units': ('Action Units',),
    'emotion': ('Estimated Emotion',),
}
LONG_COLUMNS = {
    'filename': ('Filename',),
    'onset': ('Onset',),
    'offset': ('Offset',),
    'type': ('Type',),
}
EMOTIONS = ('Anger', 'Contempt', 'Disgust', 'Fear', 'Happiness', 'Sadness', 'Surprise', 'Other')
ROWS = 159  # of the official sheet
# subject, inducement, index: neither an action unit nor an emotion
CLIP = r'0*(\d{1,3})_(\d+)_(\d+)'
FRAME = r'(\d{1,3}_)?\d+\.(jpe?g|png|bmp)'
LONG_VIDEO = r'\d{3}_\d+'
LONG = (
    'SAMM Long Videos, where frame numbers differ from those of the clips by a constant of '
    'each video'
)


def find(manual_dir):
    """The deepest folder that holds all coding sheets and image trees of `manual_dir`; UserError if
    one is missing.
    """
    coding, others = _sheets(manual_dir)
    found = _trees(manual_dir)
    if not found or not coding:
        _refuse_long(manual_dir, others)
        missing = (
            _no_sheet(others) if found else 'holds no frames as <subject>/<clip>/006_05562.jpg'
        )
        raise UserError(f'{manual_dir} {missing}; {INSTRUCTIONS}')
    return trees.common_folder(
        [*(path.parent for path, _ in coding), *(tree.path for tree in found)]
    )


def read(source, *, options):
    """(clips, audit rows) of the release in `source`, for a value of each name in OPTIONS; opens
    sheets and headers.

    Of several sheets the one of 159 rows comes first. Frames are the released ones where there are
    any, else crops that a user made, or what `frames` says. UserError where a sheet or frames are
    missing.
    """
    find(source)
    coding, rows = _sheets(source)
    path, records = max(coding, key=lambda item: (len(item[1]) == ROWS, len(item[1])))
    for other in (other for other, _ in coding if other != path):
        rows.append(Row(annotated.relative(other, source), 'ignored', f'{path.name} is read'))
    tree, unread = annotated.choose_tree(
        _trees(source), options['frames'], KINDS, source, INSTRUCTIONS
    )
    rows += unread
    rows += [
        Row(annotated.relative(video, source), 'ignored', LONG) for video in _long_trees(source)
    ]
    named = [{**record, 'where': f'{path.name} row {record["row"]}'} for record in records]
    annotations, wrong = annotated.read_rows(named, _annotation)
    chosen = corrections.SETS[options['corrections']]
    clips, more = annotated.join(
        annotations,
        annotated.Release(
            'samm',
            source,
            tree,
            whole=False,
            cropped=tree.kind == 'cropped',
            fps=200.0,
            edition='',
            corrections={clip: apex for (_, clip), apex in chosen.items()},
            corrected_by=options['corrections'],
        ),
    )
    return clips, [*rows, *wrong, *more]


def files(source):
    """(coding sheets, frames of all image trees) of `source`: what decides the content."""
    return [path for path, _ in _sheets(source)[0]], trees.frame_files(_trees(source))


def _sheets(folder):
    """([(path, records)] of all coding sheets, audit rows of the other workbooks)."""
    return annotated.coding_sheets(folder, _load, 'SAMM')


def _load(path):
    """(path, records) of a coding sheet, () of another workbook; UserError for that of the long
    videos.
    """
    records = sheets.find_table(path, COLUMNS, optional=('duration',))
    if any(re.fullmatch(CLIP, record['filename']) for record in records):
        return path, records
    if sheets.find_table(path, LONG_COLUMNS):
        raise UserError(LONG)
    return ()


def _no_sheet(others):
    names = ', '.join(name for column, (name,) in COLUMNS.items() if column != 'duration')
    seen = ', '.join(row.file for row in others[:3]) or 'no workbook at all'
    return f'holds no sheet with the columns {names} (there is {seen})'


def _long_trees(folder):
    """Folders that hold long videos as 006_1/006_1_0001.jpg."""
    return [
        path
        for path in trees.folders(folder)
        if any(re.fullmatch(LONG_VIDEO, inner.name) for inner in trees.inside(path))
    ]


def _refuse_long(folder, others):
    """UserError where `folder` holds SAMM Long Videos and not (all of) the micro-expression
    clips.
    """
    seen = [row.file for row in others if row.reason == LONG] + [
        str(path) for path in _long_trees(folder)
    ]
    if seen:
        raise UserError(
            f'{seen[0]} in {folder} is of {LONG}; the clips and their own sheet are needed; '
            f'{INSTRUCTIONS}'
        )


def _trees(folder):
    def kind(path, _):
        return trees.nearest_word(path, folder, (('crop', 'cropped'),)) or 'released'

    found = trees.find(folder, clip_id=_clip_on_disk, frame=FRAME, kind=kind)
    return [tree for tree in found if any(_clip(clip) for clip in tree.clips)]


def _clip_on_disk(subject, name):
    """('006', '006_1_2') -> '006_1_2'; a folder with another name keeps it; '' where that is no
    subject of SAMM.
    """
    return (_clip(name) or name) if re.fullmatch(r'\d{1,3}', subject) else ''


def _clip(name):
    """'006_1_2' or '6_1_2' -> '006_1_2', '' for anything else."""
    match = re.fullmatch(CLIP, name.strip())
    return f'{int(match[1]):03d}_{match[2]}_{match[3]}' if match else ''


def _annotation(record):
    """Annotation of one row; ValueError with a reason."""
    clip = _clip(record['filename'])
    if not clip:
        raise ValueError(f'Filename is {record["filename"]!r}; must be as 006_1_2')
    subject = clip.partition('_')[0]
    if record['subject'].zfill(3) != subject:
        raise ValueError(
            f'Subject {record["subject"]!r} and Filename {record["filename"]!r} contradict '
            'each other'
        )
    onset, offset = (
        annotated.frame_number('Onset Frame', record['onset']),
        annotated.frame_number('Offset Frame', record['offset']),
    )
    return annotated.Annotation(
        where=record['where'],
        clip=clip,
        subject=subject,
        emotion=annotated.emotion(record['emotion'], EMOTIONS),
        action_units=record['action_units'],
        onset=onset,
        apex=record['apex'],
        offset=offset,
        repairs=_checksum(record['duration'], offset - onset + 1),
    )


def _checksum(cell, frames):
    """The repair that says where Duration contradicts onset and offset; () where it agrees or is
    not given.
    """
    try:
        agrees = not cell or sheets.whole(cell) == frames
    except ValueError:
        agrees = False
    reason = 'Duration contradicts onset and offset: it is not used'
    return () if agrees else (audit.Repair(reason, cell, str(frames)),)
