"""Reads the CASME II release: its coding sheets, its image trees, and one clip for each row of a
sheet.
"""

import re

from mer_jax.errors import UserError
from tfds_builders import annotated, audit, frames, sheets, trees
from tfds_builders.audit import Row
from tfds_builders.casme2 import corrections

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
EMOTIONS = ('happiness', 'disgust', 'repression', 'surprise', 'others', 'sadness', 'fear')
# sadness in 2014, surprise in 2019
RELABELLED = (('24', 'EP07_01'), ('24', 'EP07_04f'), ('24', 'EP10_03'))
EDITIONS = {'sadness': '2014', 'surprise': '2019'}
ROWS = 255  # of both official sheets; circulating lists with more or fewer rows come second
FRAME = r'(reg_)?img_?\d+\.(jpe?g|png|bmp)'
WORDS = (('crop', 'cropped'), ('preprocess', 'cropped'), ('select', 'selected'), ('raw', 'raw'))


def find(manual_dir):
    """The deepest folder that holds all coding sheets and image trees of `manual_dir`; UserError if
    one is missing.
    """
    coding, _ = _sheets(manual_dir)
    found = _trees(manual_dir)
    if not found:
        raise UserError(
            f'{manual_dir} holds no frames as <subject>/<clip>/img46.jpg or reg_img46.jpg; '
            f'{INSTRUCTIONS}'
        )
    return trees.common_folder(
        [*(path.parent for path, _ in coding), *(tree.path for tree in found)]
    )


def read(source, *, options):
    """(clips, audit rows) of the release in `source`, for a value of each name in OPTIONS; opens
    sheets and headers.

    The sheet is the newest, or the asked for, edition; sheets that agree in that, the one of 255
    rows first. Frames are face crops where there are any, else selected, else raw ones, or what
    `frames` says. UserError where a sheet or frames are missing.
    """
    path, records, rows = _sheet(source, options['edition'])
    tree, unread = annotated.choose_tree(
        _trees(source), options['frames'], KINDS, source, INSTRUCTIONS
    )
    rows += unread
    named = [{**record, 'where': f'{path.name} row {record["row"]}'} for record in records]
    annotations, wrong = annotated.read_rows(named, _annotation)
    chosen = corrections.SETS[options['corrections']]
    clips, more = annotated.join(
        [*annotations, *_extra(annotations, options['extra'])],
        annotated.Release(
            'casme2',
            source,
            tree,
            whole=tree.kind == 'raw',
            cropped=tree.kind == 'cropped',
            fps=200.0,
            edition=_edition(records),
            corrections={_clip(*key): apex for key, apex in chosen.items()},
            corrected_by=options['corrections'],
        ),
    )
    return clips, [*rows, *wrong, *more]


def files(source):
    """(coding sheets, frames of all image trees) of `source`: what decides the content."""
    return [path for path, _ in _sheets(source)[0]], trees.frame_files(_trees(source))


def _sheets(folder):
    """([(path, records)] of all coding sheets, audit rows of the other workbooks); UserError where
    there is none.
    """
    coding, rows = annotated.coding_sheets(folder, _load, 'CASME II')
    if not coding:
        names = ', '.join(name for name, *_ in COLUMNS.values())
        seen = ', '.join(row.file for row in rows[:3]) or 'no workbook at all'
        raise UserError(
            f'{folder} holds no sheet with the columns {names} (there is {seen}); {INSTRUCTIONS}'
        )
    return coding, rows


def _load(path):
    """(path, records) of a coding sheet, () of another workbook."""
    records = sheets.find_table(path, COLUMNS)
    return (
        (path, records)
        if any(re.match(r'EP\d', record['filename'], re.IGNORECASE) for record in records)
        else ()
    )


def _sheet(source, wanted):
    """(path, records, audit rows of the other workbooks) of the sheet that is read."""
    coding, rows = _sheets(source)
    ranked = sorted(
        coding,
        key=lambda item: (len(item[1]) == ROWS, _edition(item[1]), len(item[1])),
        reverse=True,
    )
    if wanted != 'newest':
        ranked = [item for item in ranked if _edition(item[1]) == wanted]
    if not ranked:
        there = ', '.join(
            f'{path.name} ({_edition(records) or "unknown edition"})' for path, records in coding
        )
        raise UserError(
            f'edition={wanted}: there is no such sheet in {source}, but {there}; {INSTRUCTIONS}'
        )
    path, records = ranked[0]
    others = [other for other, _ in coding if other != path]
    rows += [
        Row(annotated.relative(other, source), 'ignored', f'{path.name} is read')
        for other in others
    ]
    return path, records, rows


def _edition(records):
    """'2014' or '2019' by the three clips whose label changed; '' where they are missing or
    mixed.
    """
    words = set()
    for record in records:
        subject = record['subject'].lower().removeprefix('sub').lstrip('0')
        if (subject, record['filename']) in RELABELLED:
            words.add(EDITIONS.get(record['emotion'].lower(), ''))
    return words.pop() if len(words) == 1 else ''


def _trees(folder):
    def kind(path, sample):
        return _kind(path, sample, folder)

    found = trees.find(folder, clip_id=_clip, frame=FRAME, kind=kind)
    return [tree for tree in found if any(re.match(r'sub\d\d_ep\d', clip) for clip in tree.clips)]


def _clip(subject, filename):
    """('1', 'EP02_01f') -> 'sub01_EP02_01f', for any way to write the subject; '' where it is none
    of 1..99.
    """
    match = re.fullmatch(r'(?:sub)?0*([1-9]\d?)', subject.strip(), re.IGNORECASE)
    return f'sub{int(match[1]):02d}_{filename.strip()}' if match else ''


def _kind(path, sample, root):
    """Crops bear 'reg_'; else the folder's name tells; else a whole recording starts with
    frame 1.
    """
    if sample[0].name.lower().startswith('reg_'):
        return 'cropped'
    return trees.nearest_word(path, root, WORDS) or (
        'raw' if frames.number(sample[0]) == 1 else 'selected'
    )


def _annotation(record):
    """Annotation of one row; ValueError with a reason."""
    clip = _clip(record['subject'], record['filename'])
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


def _extra(annotations, name):
    """Annotations of the published extra clips that the sheet does not have."""
    known = {annotation.clip for annotation in annotations}
    for key, (onset, apex, offset, emotion) in corrections.EXTRA[name].items():
        clip = _clip(*key)
        if clip not in known:
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
