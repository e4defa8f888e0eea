"""Reads the CASME II release: its coding sheets and its image trees.

Each row of the sheet that is read becomes one clip.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from mer_jax.errors import UserError
from tfds_builders import annotated, audit, frames, sheets, trees
from tfds_builders.audit import Row
from tfds_builders.casme2 import corrections
from tfds_builders.clip import Clip

INSTRUCTIONS = (
    'CASME II: apply at http://casme.psych.ac.cn/casme/e2 (signed agreement), then unpack '
    'CASME2_RAW_selected or the '
    'cropped frames (Cropped/sub01/EP02_01f/reg_img46.jpg) into one folder together with '
    'CASME2-coding-20190701.xlsx '
    '(or -20140508.xlsx)'
)
KINDS = ('cropped', 'selected', 'raw')
OPTIONS = {
    'edition': ('newest', '2014', '2019'),
    'frames': ('auto', 'raw', 'selected', 'cropped'),
    'corrections': tuple(corrections.SETS),
    'extra': tuple(corrections.EXTRA),
}
COLUMNS = {
    'subject': ('Subject',),
    'filename': ('Filename',),
    'onset': ('OnsetFrame',),
    'apex': ('ApexFrame',),
    'offset': ('OffsetFrame',),
    'action_units': ('Action Units',),
    'emotion': ('Estimated Emotion',),
}
OPTIONAL = ('action_units',)  # unknown where the sheet has no such column
EMOTIONS = ('happiness', 'disgust', 'repression', 'surprise', 'others', 'sadness', 'fear')
# sadness in 2014, surprise in 2019
RELABELLED = (('24', 'EP07_01'), ('24', 'EP07_04f'), ('24', 'EP10_03'))
EDITIONS = {'sadness': '2014', 'surprise': '2019'}
ROWS = 255  # of both official sheets; circulating lists with more or fewer rows come second
FRAME = r'(reg_)?img_?\d+\.(jpe?g|png|bmp)'
WORDS = (('crop', 'cropped'), ('preprocess', 'cropped'), ('select', 'selected'), ('raw', 'raw'))


class Sheet(NamedTuple):
    """One coding sheet."""

    path: Path
    records: list[dict]  # by column of COLUMNS, and 'row'

    @property
    def edition(self) -> str:
        """'2014' or '2019' by the three clips whose label changed; '' if they are missing or
        mixed.
        """
        editions = set()
        for record in self.records:
            subject = record['subject'].lower().removeprefix('sub').lstrip('0')
            if (subject, record['filename']) in RELABELLED:
                editions.add(EDITIONS.get(record['emotion'].lower(), ''))
        return editions.pop() if len(editions) == 1 else ''


def find(manual_dir: Path) -> Path:
    """The deepest folder that holds all coding sheets and image trees of `manual_dir`.

    Raises:
      UserError: there is no sheet, or no tree.
    """
    coding, _ = _sheets(manual_dir)
    images = _trees(manual_dir)
    if not images:
        raise UserError(
            f'{manual_dir} holds no frames as <subject>/<clip>/img46.jpg or reg_img46.jpg (there '
            f'is {trees.contents(manual_dir, _clip_id, EMOTIONS)}); {INSTRUCTIONS}'
        )
    folders = [sheet.path.parent for sheet in coding]
    return trees.common_folder([*folders, *(tree.path for tree in images)])


def read(source: Path, *, options: Mapping[str, str]) -> tuple[list[Clip], list[Row]]:
    """Clips and audit rows of the release in `source`; opens sheets and headers of frames.

    The sheet is the newest, or that of the edition in the options; of sheets that agree in that,
    the one of 255 rows. Frames are face crops where there are any, else selected, else raw ones, or
    what `frames` says.

    Args:
      source: as `find` returns it.
      options: a value of each name in OPTIONS.

    Raises:
      UserError: such a sheet or such frames are missing.
    """
    sheet, rows = _choose_sheet(source, options['edition'])
    tree, unread = annotated.choose_tree(
        _trees(source), options['frames'], KINDS, source, INSTRUCTIONS
    )
    records = [
        {**record, 'where': f'{sheet.path.name} row {record["row"]}'} for record in sheet.records
    ]
    annotations, sheet_rows = annotated.read_rows(records, _annotation)
    published = corrections.SETS[options['corrections']]
    release = annotated.Release(
        'casme2',
        source,
        tree,
        whole=tree.kind == 'raw',
        cropped=tree.kind == 'cropped',
        fps=200.0,
        edition=sheet.edition,
        corrections={_clip_id(*key): key_frames for key, key_frames in published.items()},
        corrected_by=options['corrections'],
    )
    annotations += _extra_annotations(annotations, options['extra'])
    clips, clip_rows = annotated.join(annotations, release)
    return clips, [*rows, *unread, *sheet_rows, *clip_rows]


def files(source: Path) -> tuple[list[Path], list[Path]]:
    """Coding sheets, and frames of all image trees, of `source`: what decides the content."""
    coding, _ = _sheets(source)
    return [sheet.path for sheet in coding], trees.frame_files(_trees(source))


def _sheets(folder):
    """([Sheet], audit rows of the other workbooks); UserError where there is no coding sheet."""
    coding, rows = annotated.coding_sheets(folder, _load, 'CASME II')
    if not coding:
        needed = [name for column, (name, *_) in COLUMNS.items() if column not in OPTIONAL]
        names = ', '.join(needed)
        raise UserError(
            f'{folder} holds no sheet with the columns {names} ({annotated.listed(rows)}); '
            f'{INSTRUCTIONS}'
        )
    return coding, rows


def _load(path):
    """The Sheet in a workbook, None if it is no coding sheet; UserError where it is nearly one."""
    records = sheets.find_table(path, COLUMNS, OPTIONAL)
    is_clip = re.compile(r'EP\d', re.IGNORECASE).match
    if any(is_clip(record['filename']) for record in records):
        return Sheet(path, records)
    annotated.refuse_names(records, 'CASME II', 'EP02_01f')
    if lacking := sheets.lacking(path, COLUMNS, OPTIONAL):
        raise UserError(f'no coding sheet of CASME II: {lacking}')
    return None


def _choose_sheet(source, wanted):
    """(the Sheet that is read, audit rows of the other workbooks)."""
    coding, rows = _sheets(source)
    candidates = [sheet for sheet in coding if wanted in ('newest', sheet.edition)]
    if not candidates:
        names = [f'{sheet.path.name} ({sheet.edition or "unknown edition"})' for sheet in coding]
        raise UserError(
            f'edition={wanted}: there is no such sheet in {source}, but {", ".join(names)}; '
            f'{INSTRUCTIONS}'
        )
    best = max(candidates, key=_rank)
    for sheet in coding:
        if sheet is not best:
            file = annotated.relative(sheet.path, source)
            rows.append(Row(file, 'ignored', f'another sheet: {best.path.name} is read'))
    return best, rows


def _rank(sheet):
    return len(sheet.records) == ROWS, sheet.edition, len(sheet.records)


def _trees(folder):
    def kind(path: Path, sample: list[Path]) -> str:
        return _kind(path, sample, folder)

    candidates = trees.find(folder, clip_id=_clip_id, frame=FRAME, kind=kind)
    is_clip = re.compile(r'sub\d\d_ep\d').match
    return [tree for tree in candidates if any(map(is_clip, tree.clips))]


def _clip_id(subject, filename):
    """('1', 'EP02_01f') -> 'sub01_EP02_01f', for any way to write the subject; '' where it is none
    of 1..99.
    """
    match = re.fullmatch(r'(?:sub)?0*([1-9]\d?)', subject.strip(), re.IGNORECASE)
    return f'sub{int(match[1]):02d}_{filename.strip()}' if match else ''


def _kind(path, sample, root):
    """What a tree holds: crops bear 'reg_'; else the folder's name decides; else a whole recording
    starts with frame 1.
    """
    if sample[0].name.lower().startswith('reg_'):
        return 'cropped'
    first = 'raw' if frames.number(sample[0]) == 1 else 'selected'
    return trees.nearest_word(path, root, WORDS) or first


def _annotation(record):
    """Annotation of one row; ValueError with a reason."""
    clip = _clip_id(record['subject'], record['filename'])
    if not clip:
        raise ValueError(f'Subject is {record["subject"]!r}; must be 01 to 26')
    if not record['filename']:
        raise ValueError('Filename is empty')
    return annotated.Annotation(
        where=record['where'],
        clip=clip,
        subject=clip.partition('_')[0],
        emotion=annotated.emotion(record['emotion'], EMOTIONS),
        action_units=record['action_units'],
        onset=annotated.frame_number('OnsetFrame', record['onset']),
        apex=record['apex'],
        offset=annotated.frame_number('OffsetFrame', record['offset']),
    )


def _extra_annotations(annotations, name):
    """Annotations of the published extra clips that the sheet does not have."""
    in_sheet = {annotation.clip for annotation in annotations}
    for key, (onset, apex, offset, emotion) in corrections.EXTRA[name].items():
        clip = _clip_id(*key)
        if clip not in in_sheet:
            reason = f'not in the sheet: as published in {corrections.EXTRA_SOURCE}'
            published = f'{onset}/{apex}/{offset} {emotion}'
            yield annotated.Annotation(
                where=f'extra={name}',
                clip=clip,
                subject=clip.partition('_')[0],
                emotion=emotion,
                action_units='',
                onset=onset,
                apex=str(apex),
                offset=offset,
                apex_source='correction',
                repairs=(audit.Repair(reason, '', published),),
            )
