"""Reads the coding workbook of CAS(ME)^2: nine columns without a header, and two sheets of naming
rules.

Source: F. Qu, S.-J. Wang, W.-J. Yan, H. Li, S. Wu, X. Fu, "CAS(ME)^2: A Database for Spontaneous
Macro-Expression and Micro-Expression Spotting and Recognition", IEEE Trans. Affective Computing
2018. The coding sheet is known by what its
columns hold: public code spells its name in two ways, and CSV copies have one sheet and further
columns.
"""

import re
from pathlib import Path
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
# a copy may lack the action units
COLUMNS_WITHOUT_UNITS = tuple(column for column in COLUMNS if column != 'units')
TYPE = COLUMNS.index('type')  # by which a sheet is known
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
    """One workbook: its records and its naming rules."""

    path: Path
    records: list[dict]  # by COLUMNS and 'where'
    subjects: dict[int, int]  # participant -> number of the subject's folder: 1 -> 15
    videos: dict[str, str]  # stem of a clip -> code of its video: 'disgust1' -> '0101'
    rows: list[Row]  # audit rows of rules that contradict each other

    @property
    def edition(self) -> str:
        """'original' or 'updated': 215 cells of action units differ; '' for a part of a sheet, or
        one without them.
        """
        units = {record['units'] for record in self.records}
        if units & ORIGINAL:
            return 'original'
        if units == {''}:
            return ''
        return 'updated' if len(self.records) >= ROWS else ''


def load(path: Path) -> Coding:
    """Reads a workbook; its records are [] where no sheet is a coding sheet.

    Raises:
      UserError: it cannot be read.
    """
    coding = Coding(path, [], dict(enumerate(SUBJECTS, 1)), dict(VIDEOS), [])
    rules = []
    for name, rows in sheets.tables(path):
        start, columns = _place(rows)
        if start >= 0 and not coding.records:
            coding.records.extend(_records(rows, start, columns, path.name))
        elif start < 0 and 'rule' in name.lower():
            rules.append((name, rows))
    if coding.records:
        for name, rows in rules:
            _add_rules(name, rows, coding)
    return coding


def clip_of(record: dict, coding: Coding) -> tuple[int, str, str]:
    """Number of the subject's folder, code of the clip, and code of its video.

    Raises:
      ValueError: the record names no clip; the message is the reason.
    """
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
        allowed = f'{min(coding.subjects)} to {max(coding.subjects)}'
        raise ValueError(f'participant is {record["participant"]!r}; must be {allowed}') from None
    return subject, f'{stem}_{match[2]}', coding.videos[stem]


def annotation(record: dict, coding: Coding) -> annotated.Annotation:
    """Annotation of one record; offset 0 (no offset coded) is replaced by the apex.

    Raises:
      ValueError: a cell is wrong; the message is the reason.
    """
    subject, clip, _ = clip_of(record, coding)
    if record['type'].lower() not in KINDS:
        raise ValueError(f'type is {record["type"]!r}; must be {" or ".join(KINDS)}')
    onset = annotated.frame_number('onset', record['onset'])
    offset = annotated.frame_number('offset', record['offset'])
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


def _place(rows):
    """(index of the first column, columns) of a coding sheet; (-1, ()) of another one.

    The column that names micro- and macro-expressions shows where the sheet begins, and that of the
    clip codes, six or five columns before it, whether it has action units.
    """
    type_cells = []
    for row in rows:
        type_cells += [column for column, cell in enumerate(row) if cell.lower() in KINDS]
    if not type_cells:
        return -1, ()
    type_column = max(set(type_cells), key=type_cells.count)
    for columns in (COLUMNS, COLUMNS_WITHOUT_UNITS):
        start = type_column - columns.index('type')
        clip_column = start + columns.index('filename')
        if start >= 0 and any(_is_clip(row, clip_column) for row in rows):
            return start, columns
    start = type_column - TYPE
    return (start, COLUMNS) if start >= 0 else (-1, ())


def _is_clip(row, column):
    return column < len(row) and bool(CLIP.fullmatch(row[column]))


def _records(rows, start, columns, name):
    """Rows as dictionaries; a header above the first row, and empty rows, are left out."""
    end, records = start + len(columns), []
    for number, row in enumerate(rows, 1):
        padded = [*row, *[''] * end]
        record = {'units': '', **dict(zip(columns, padded[start:end], strict=True))}
        is_row = record['type'].lower() in KINDS or CLIP.fullmatch(record['filename'])
        if any(record.values()) and (records or is_row):
            records.append({**record, 'where': f'{name} row {number}'})
    return records


def _add_rules(name, rows, coding):
    """Adds the naming rules of a sheet ('15', 's15', '1' or '0101', 'disgust1') to `coding`, and
    errors to its rows.
    """
    for number, row in enumerate(rows, 1):
        where = f'{coding.path.name} {name} row {number}'
        for index, cell in enumerate(row):
            before = row[index - 1] if index else ''
            after = row[index + 1] if index + 1 < len(row) else ''
            subject = re.fullmatch(r's(\d+)', cell, re.IGNORECASE)
            is_stem = re.fullmatch(r'[a-z]{2,}\d+', cell, re.IGNORECASE)
            if subject and after.isdecimal():
                _add_rule(coding.subjects, int(after), int(subject[1]), where, coding.rows)
            elif is_stem and before.isdecimal():
                _add_rule(coding.videos, cell.lower(), before.zfill(4), where, coding.rows)


def _add_rule(rules, key, value, where, rows):
    """Adds key: value, or an error row where another value is there: frames of another person
    would be read.
    """
    there = rules.setdefault(key, value)
    if there != value:
        reason = f'{key} is {value}, but {there} by other rows or in the release'
        rows.append(Row(where, 'error', reason))
