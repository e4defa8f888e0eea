"""Cells with characters that nobody sees, sheets that cannot be read, columns that are missing."""

import csv

import openpyxl
import pytest

from mer_jax.errors import UserError
from tests.faults.releases import Copy
from tfds_builders import sheets
from tfds_builders.casme2 import layout as casme2_layout


def coding_sheet(copy):
    (path,) = [path for path in copy.written.sheets if 'Objective' not in path.name]
    return copy.folder / path.relative_to(copy.written.folder)


def rewrite(copy, change):
    """Writes the coding sheet anew with change(row number from 0, cells) of every row."""
    path = coding_sheet(copy)
    book = openpyxl.load_workbook(path)
    page = book.worksheets[0]
    rows = [list(row) for row in page.iter_rows(values_only=True)]
    path.unlink()  # a hard link of the fake
    page.delete_rows(1, len(rows))
    for number, row in enumerate(rows):
        page.append(change(number, row))
    book.save(path)
    return path


INVISIBLE = {  # name -> what stands around the text of a cell
    'zero-width space': '{}\u200b',
    'byte order mark': '\ufeff{}',
    'no-break space': '\xa0{}\xa0',
    'zero-width joiner and word joiner': '\u200d{}\u2060',
    'direction marks': '\u202a{}\u202c',
    'ideographic space': '{}\u3000',
    'soft hyphen': '\xad{}',
    'line break': '{}\n',
    'narrow no-break space': '{}\u202f',
    'variation selector': '{}\ufe0f',
    'variation selector of ideographs': '{}\U000e0100',
    'direction isolates': '\u2066{}\u2069',
    'figure space': '{}\u2007',
}


@pytest.mark.parametrize(
    'name, case',
    [
        *(('casme2', case) for case in INVISIBLE),
        ('samm', 'no-break space'),
        ('casme_squared', 'byte order mark'),
    ],
)
def test_invisible_characters_in_every_cell(name, case, tmp_path):
    """If this fails, a clip, an emotion or a frame number that looks right is unknown."""
    copy = Copy(tmp_path, name)
    clips, _ = copy.read()
    pattern = INVISIBLE[case]

    def spoil(number, cells):
        return [None if cell is None else pattern.format(cell) for cell in cells]

    rewrite(copy, spoil)
    spoilt, rows = copy.read()
    assert spoilt == clips and not [row for row in rows if row.status == 'error']


def test_invisible_characters_inside_a_cell_and_in_csv(tmp_path):
    """If this fails, "Estimated Emotion" with a no-break space is no column."""
    path = tmp_path / 'a.csv'
    text = 'Subject,Onset\u200bFrame,Action\xa0Units\n\ufeff01,4\u200b6,4\u200b+7\n02,1 000,\n'
    path.write_text(text, encoding='utf-8')
    columns = {'subject': ('Subject',), 'onset': ('OnsetFrame',), 'units': ('Action Units',)}
    first, second = sheets.find_table(path, columns)
    assert (first['subject'], first['onset'], first['units']) == ('01', '46', '4+7')
    with pytest.raises(ValueError, match="'1 000' is not a whole number"):
        sheets.whole(second['onset'])


def test_invisible_characters_in_names_of_folders(tmp_path):
    """If this fails, a clip is lost whose folder is called as in the sheet, as far as one sees."""
    copy = Copy(tmp_path, 'casme2')
    place = copy.place('sub01_EP02_01f')
    place.rename(place.with_name(f'{place.name}\u200b'))
    subject = copy.place('sub17_EP01_06').parent
    subject.rename(subject.with_name(f'{subject.name}\xa0'))
    assert set(copy.read()[0]) == set(copy.clips)


def damaged(path):
    path.write_bytes(b'PK\3\4' + bytes(100))


def encrypted(path):
    path.write_bytes(b'\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1' + bytes(600))


def without(*columns):
    """Takes columns out of a sheet by the words of their names."""

    def change(path):
        book = openpyxl.load_workbook(path)
        page = book.worksheets[0]
        for row in page.iter_rows(max_row=20):
            for cell in row:
                if cell.value in columns:
                    cell.value = 'x'
        path.unlink()
        book.save(path)

    return change


def marked(path):
    """An apostrophe before every cell, by which some programs mark text."""
    book = openpyxl.load_workbook(path)
    for row in book.worksheets[0].iter_rows():
        for cell in row:
            if cell.value is not None:
                cell.value = f"'{cell.value}"
    path.unlink()
    book.save(path)


UNREADABLE = {  # name -> (release, how its sheet is spoilt, what the message says of it)
    'damaged': ('casme2', damaged, 'cannot be read as a spreadsheet'),
    'encrypted': ('casme2', encrypted, 'without a password'),
    'damaged SAMM': ('samm', damaged, 'cannot be read as a spreadsheet'),
    'damaged CAS(ME)^2': ('casme_squared', damaged, 'cannot be read as a spreadsheet'),
    'binary': ('casme_squared', lambda path: path.write_bytes(b'\0\1\2\3'), 'neither a workbook'),
    'a column': ('casme2', without('OffsetFrame'), 'row 1 lacks the columns OffsetFrame'),
    'two columns': (
        'samm', without('Apex Frame', 'Filename'), 'row 14 lacks the columns Filename, Apex Frame',
    ),
    'empty': ('casme2', lambda path: path.write_bytes(b''), 'no coding sheet of CASME II'),
    'a page of a mail program': (
        'casme2', lambda path: path.write_bytes(b'\r\n<html><table><tr><td>Subject'), 'HTML or XML',
    ),
    'names with a visible mark': ('casme2', marked, "cells, such as \"'EP02_01f\", are not like"),
    'names of another release': ('samm', marked, 'are not like 006_1_2'),
}  # fmt: skip


@pytest.mark.parametrize('case', UNREADABLE)
def test_why_there_is_no_sheet(case, tmp_path):
    """If this fails, a user whose sheet is there reads that there is none, and not why."""
    name, spoil, words = UNREADABLE[case]
    copy = Copy(tmp_path, name)
    path = coding_sheet(copy)
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    spoil(path)
    with pytest.raises(UserError, match='holds no (sheet|workbook)') as error:
        copy.read()
    text = str(error.value)
    assert words in text and path.name in text and '\n' not in text


@pytest.mark.parametrize('suffix', ['.ods', '.numbers', '.xlsb', '.docx'])
def test_a_sheet_of_another_program_is_named(suffix, tmp_path):
    """If this fails, a user whose sheet lies there in another format reads that there is none."""
    copy = Copy(tmp_path, 'samm')
    path = coding_sheet(copy)
    path.rename(path.with_suffix(suffix))
    with pytest.raises(UserError, match=f'{path.stem}{suffix}: .*save {suffix} as .xlsx'):
        copy.read()


def without_cell(column):
    return lambda number, cells: cells[:column] + cells[column + 1 :]


UNITLESS = {  # name -> (release, how its sheet is changed)
    'CASME II': ('casme2', without_cell(7)),
    'CASME II, another name': (
        'casme2', lambda number, cells: ['AU' if c == 'Action Units' else c for c in cells],
    ),
    'SAMM': ('samm', without_cell(8)),
    'CAS(ME)^2': ('casme_squared', without_cell(5)),
    'CAS(ME)^2 with an index': (
        'casme_squared', lambda number, cells: [number, *without_cell(5)(number, cells)],
    ),
    'CAS(ME)^2 without self-reports': (
        'casme_squared', lambda number, cells: without_cell(5)(number, cells[:-1]),
    ),
}  # fmt: skip


@pytest.mark.parametrize('case', UNITLESS)
def test_action_units_are_optional(case, tmp_path):
    """If this fails, a sheet without that column is no sheet, or its clips count as motionless."""
    name, change = UNITLESS[case]
    copy = Copy(tmp_path, name)
    clips, _ = copy.read()
    rewrite(copy, change)
    spoilt, rows = copy.read()
    assert not [row for row in rows if row.status == 'error'] and set(spoilt) == set(clips)
    for clip, read in spoilt.items():
        assert (read.action_units, read.action_units_known) == ('', False)
        edition = '' if name == 'casme_squared' else read.edition
        whole = clips[clip]._replace(action_units='', action_units_known=False, edition=edition)
        assert read == whole


def test_action_units_are_optional_in_a_csv_file(tmp_path):
    """If this fails, a list of clips as many projects publish it cannot be used."""
    copy = Copy(tmp_path, 'casme2')
    coding_sheet(copy).unlink()
    with open(copy.folder / 'list.csv', 'w', newline='') as file:
        writer = csv.writer(file)
        columns = casme2_layout.COLUMNS.items()
        writer.writerow([names[0] for column, names in columns if column != 'action_units'])
        for own in copy.clips.values():
            name = own.clip.partition('_')[2]
            key_frames = own.onset, own.apex, own.offset
            writer.writerow([own.subject, name, *key_frames, own.emotion])
    clips, _ = copy.read()
    assert set(clips) == set(copy.clips)
    assert not any(clip.action_units_known for clip in clips.values())
