"""Reads the coding workbook of CAS(ME)^2: nine columns without a header, and two sheets of naming
rules.

Source: F. Qu, S.-J. Wang, W.-J. Yan, H. Li, S. Wu, X. Fu, "CAS(ME)^2: A Database for Spontaneous
Macro-Expression and Micro-Expression Spotting and Recognition", IEEE Trans. Affective Computing
2018. The coding sheet is known by what its
columns hold: public code spells its name in two ways, and CSV copies have one sheet and further
columns.
"""

import re
from typing import NamedTuple

from tfds_builders import annotated, sheets
from tfds_builders.audit import Repair, Row

COLUMNS = (
    'participant',
    'filename',
    'onset',
    'apex',
    'offset',
    'units',
    'emotion',
    'type',
    'report',
)
TYPE = 7  # column of COLUMNS by which a sheet is known
EMOTIONS = ('negative', 'positive', 'surprise', 'others')
KINDS = {'micro-expression': 'micro', 'macro-expression': 'macro'}
# of 1..22
SUBJECTS = (15, 16, 19, 20, 21, 22, 23, 24, 25, 26, 27, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 40)
VIDEOS = {
    'disgust1': '0101',
    'disgust2': '0102',
    'anger1': '0401',
    'anger2': '0402',
    'happy1': '0502',
    'happy2': '0503',
    'happy3': '0505',
    'happy4': '0507',
    'happy5': '0508',
}
ROWS = 357  # of both official workbooks
ORIGINAL = {'45+62', '4+7+15+42'}  # action units that the updated workbook no longer has
CLIP = re.compile(r'([a-z]+\d+)_(\d+)', re.IGNORECASE)


class Coding(NamedTuple):
    """One workbook: `records` (dicts by COLUMNS and 'where'), naming rules, and audit rows of rules
    that contradict.
    """

    path: object
    records: list
    subjects: dict  # participant -> number of the subject's folder: 1 -> 15
    videos: dict  # stem of a clip -> code of its video: 'disgust1' -> '0101'
    rows: list

    @property
    def edition(self):
        """'original' or 'updated' (215 cells of action units differ, nothing else); '' for a part
        of a sheet.
        """
        if any(record['units'] in ORIGINAL for record in self.records):
            return 'original'
        return 'updated' if len(self.records) >= ROWS else ''


def load(path):
    """Coding of a workbook; its records are [] where no sheet is a coding sheet. UserError as
    sheets.tables.
    """
    found = Coding(path, [], dict(enumerate(SUBJECTS, 1)), dict(VIDEOS), [])
    tables = sheets.tables(path)
    coded = [(rows, _type_column(rows)) for _, rows in tables]
    for rows, column in coded:
        if column >= TYPE and not found.records:
            found.records.extend(_records(rows, column - TYPE, path.name))
    for (name, rows), (_, column) in zip(tables, coded, strict=True):
        if column < TYPE and found.records and 'rule' in name.lower():
            _rules(name, rows, found)
    return found


def clip_of(record, coding):
    """(number of the subject's folder, clip code, code of its video); ValueError with a reason."""
    match = CLIP.fullmatch(record['filename'])
    if not match:
        raise ValueError(f'clip code is {record["filename"]!r}; must be as disgust1_2')
    stem = match[1].lower()
    if stem not in coding.videos:
        raise ValueError(
            f'clip code is {record["filename"]!r}; known videos: {", ".join(coding.videos)}'
        )
    try:
        subject = coding.subjects[sheets.whole(record['participant'])]
    except (KeyError, ValueError):
        known = f'{min(coding.subjects)} to {max(coding.subjects)}'
        raise ValueError(f'participant is {record["participant"]!r}; must be {known}') from None
    return subject, f'{stem}_{match[2]}', coding.videos[stem]


def annotation(record, coding):
    """Annotation of one record, offset 0 (no offset coded) replaced by the apex; ValueError with a
    reason.
    """
    subject, clip, _ = clip_of(record, coding)
    if record['type'].lower() not in KINDS:
        raise ValueError(f'type is {record["type"]!r}; must be {" or ".join(KINDS)}')
    onset, offset = (annotated.frame_number(name, record[name]) for name in ('onset', 'offset'))
    repairs = ()
    if offset == 0:
        offset = annotated.frame_number('apex of a row without offset', record['apex'])
        repairs = (Repair('offset is 0: the apex is taken', '0', str(offset)),)
    return annotated.Annotation(
        where=record['where'],
        clip=f's{subject:02d}_{clip}',
        subject=f's{subject:02d}',
        emotion=annotated.emotion(record['emotion'], EMOTIONS),
        action_units=record['units'],
        onset=onset,
        apex=record['apex'],
        offset=offset,
        repairs=repairs,
    )


def _type_column(rows):
    """Index of the column that names micro- and macro-expressions, -1 where there is none."""
    columns = [column for row in rows for column, cell in enumerate(row) if cell.lower() in KINDS]
    return max(set(columns), key=columns.count) if columns else -1


def _records(rows, start, name):
    """Rows as dictionaries; a header above the first row, and empty rows, are left out."""
    found = []
    for number, row in enumerate(rows, 1):
        cells = [*row, *[''] * (start + len(COLUMNS))][start : start + len(COLUMNS)]
        header = not found and cells[TYPE].lower() not in KINDS and not CLIP.fullmatch(cells[1])
        if any(cells) and not header:
            found.append(
                {**dict(zip(COLUMNS, cells, strict=True)), 'where': f'{name} row {number}'}
            )
    return found


def _rules(name, rows, coding):
    """Adds the naming rules of a sheet ('15', 's15', '1' or '0101', 'disgust1') to `coding`, and
    errors to its rows.
    """
    for number, row in enumerate(rows, 1):
        where = f'{coding.path.name} {name} row {number}'
        for before, cell, after in zip(['', *row], row, [*row[1:], ''], strict=False):
            subject, stem = (
                re.fullmatch(r's(\d+)', cell, re.I),
                re.fullmatch(r'[a-z]{2,}\d+', cell, re.I),
            )
            if subject and after.isdecimal():
                _agree(coding.subjects, int(after), int(subject[1]), where, coding.rows)
            elif stem and before.isdecimal():
                _agree(coding.videos, cell.lower(), before.zfill(4), where, coding.rows)


def _agree(known, key, value, where, rows):
    """Adds key: value, or an error row where the key is known otherwise: frames of another person
    would be read.
    """
    if known.setdefault(key, value) != value:
        rows.append(
            Row(
                where,
                'error',
                f'{key} is {value}, but {known[key]} by other rows or in the release',
            )
        )
