"""Reads the SAMM release of micro-expression clips: its coding sheet and its image tree.

Each row of the sheet becomes one clip.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from mer_jax.errors import UserError
from tfds_builders import annotated, audit, sheets, trees
from tfds_builders.audit import Row
from tfds_builders.clip import Clip
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
OPTIONAL = ('duration', 'action_units')  # units are unknown where the sheet has no such column
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


def find(manual_dir: Path) -> Path:
    """The deepest folder that holds all coding sheets and image trees of `manual_dir`.

    Raises:
      UserError: there is no sheet, or no tree.
    """
    coding, others = _sheets(manual_dir)
    images = _trees(manual_dir)
    if not images or not coding:
        _refuse_long(manual_dir, others)
        missing = (
            'holds no frames as <subject>/<clip>/006_05562.jpg (there is '
            f'{trees.contents(manual_dir, _clip_on_disk, EMOTIONS)})'
        )
        if images:
            missing = _no_sheet(others)
        raise UserError(f'{manual_dir} {missing}; {INSTRUCTIONS}')
    folders = [path.parent for path, _ in coding]
    return trees.common_folder([*folders, *(tree.path for tree in images)])


def read(source: Path, *, options: Mapping[str, str]) -> tuple[list[Clip], list[Row]]:
    """Clips and audit rows of the release in `source`; opens sheets and headers of frames.

    Of several sheets the one of 159 rows comes first. Frames are the released ones where there are
    any, else crops that a user made, or what `frames` says.

    Args:
      source: as `find` returns it.
      options: a value of each name in OPTIONS.

    Raises:
      UserError: a sheet or such frames are missing.
    """
    find(source)
    coding, rows = _sheets(source)
    path, records = max(coding, key=lambda sheet: (len(sheet[1]) == ROWS, len(sheet[1])))
    for other, _ in coding:
        if other != path:
            file = annotated.relative(other, source)
            rows.append(Row(file, 'ignored', f'another sheet: {path.name} is read'))
    tree, unread = annotated.choose_tree(
        _trees(source), options['frames'], KINDS, source, INSTRUCTIONS
    )
    rows += unread
    for video in _long_trees(source):
        rows.append(Row(annotated.relative(video, source), 'ignored', LONG))
    records = [{**record, 'where': f'{path.name} row {record["row"]}'} for record in records]
    annotations, sheet_rows = annotated.read_rows(records, _annotation)
    published = corrections.SETS[options['corrections']]
    release = annotated.Release(
        'samm',
        source,
        tree,
        whole=False,
        cropped=tree.kind == 'cropped',
        fps=200.0,
        edition='',
        corrections={clip: key_frames for (_, clip), key_frames in published.items()},
        corrected_by=options['corrections'],
    )
    clips, clip_rows = annotated.join(annotations, release)
    return clips, [*rows, *sheet_rows, *clip_rows]


def files(source: Path) -> tuple[list[Path], list[Path]]:
    """Coding sheets, and frames of all image trees, of `source`: what decides the content."""
    coding, _ = _sheets(source)
    return [path for path, _ in coding], trees.frame_files(_trees(source))


def _sheets(folder):
    """([(path, records)] of all coding sheets, audit rows of the other workbooks)."""
    return annotated.coding_sheets(folder, _load, 'SAMM')


def _load(path):
    """(path, records) of a coding sheet, () of another workbook; UserError for that of the long
    videos.
    """
    records = sheets.find_table(path, COLUMNS, OPTIONAL)
    if any(re.fullmatch(CLIP, record['filename']) for record in records):
        return path, records
    if sheets.find_table(path, LONG_COLUMNS):
        raise UserError(LONG)
    annotated.refuse_names(records, 'SAMM', '006_1_2')
    if lacking := sheets.lacking(path, COLUMNS, OPTIONAL):
        raise UserError(f'no coding sheet of SAMM: {lacking}')
    return ()


def _no_sheet(others):
    needed = [name for column, (name,) in COLUMNS.items() if column not in OPTIONAL]
    return f'holds no sheet with the columns {", ".join(needed)} ({annotated.listed(others)})'


def _long_trees(folder):
    """Folders that hold long videos as 006_1/006_1_0001.jpg."""
    is_video = re.compile(LONG_VIDEO).fullmatch
    tree_paths = []
    for path in trees.folders(folder):
        if any(is_video(inner.name) for inner in trees.inside(path)):
            tree_paths.append(path)
    return tree_paths


def _refuse_long(folder, others):
    """UserError where `folder` holds SAMM Long Videos and not (all of) the micro-expression
    clips.
    """
    paths = [row.file for row in others if row.reason == LONG]
    paths += [str(path) for path in _long_trees(folder)]
    if paths:
        raise UserError(
            f'{paths[0]} in {folder} is of {LONG}; the clips and their own sheet are needed; '
            f'{INSTRUCTIONS}'
        )


def _trees(folder):
    def kind(path: Path, sample: list[Path]) -> str:
        return trees.nearest_word(path, folder, (('crop', 'cropped'),)) or 'released'

    candidates = trees.find(folder, clip_id=_clip_on_disk, frame=FRAME, kind=kind)
    return [tree for tree in candidates if any(map(_clip_id, tree.clips))]


def _clip_on_disk(subject, name):
    """('006', '006_1_2') -> '006_1_2'; a folder with another name keeps it; '' where that is no
    subject of SAMM.
    """
    return (_clip_id(name) or name) if re.fullmatch(r'\d{1,3}', subject) else ''


def _clip_id(name):
    """'006_1_2' or '6_1_2' -> '006_1_2', '' for anything else."""
    match = re.fullmatch(CLIP, name.strip())
    return f'{int(match[1]):03d}_{match[2]}_{match[3]}' if match else ''


def _annotation(record):
    """Annotation of one row; ValueError with a reason."""
    clip = _clip_id(record['filename'])
    if not clip:
        raise ValueError(f'Filename is {record["filename"]!r}; must be as 006_1_2')
    subject = clip.partition('_')[0]
    if record['subject'].zfill(3) != subject:
        raise ValueError(
            f'Subject {record["subject"]!r} and Filename {record["filename"]!r} contradict '
            'each other'
        )
    onset = annotated.frame_number('Onset Frame', record['onset'])
    offset = annotated.frame_number('Offset Frame', record['offset'])
    return annotated.Annotation(
        where=record['where'],
        clip=clip,
        subject=subject,
        emotion=annotated.emotion(record['emotion'], EMOTIONS),
        action_units=record['action_units'],
        onset=onset,
        apex=record['apex'],
        offset=offset,
        repairs=_duration_repair(record['duration'], offset - onset + 1),
    )


def _duration_repair(cell, frames):
    """The repair that says where Duration contradicts onset and offset.

    () where it agrees or is not given.
    """
    try:
        agrees = not cell or sheets.whole(cell) == frames
    except ValueError:
        agrees = False
    if agrees:
        return ()
    reason = 'Duration contradicts onset and offset: it is not used'
    return (audit.Repair(reason, cell, str(frames)),)
