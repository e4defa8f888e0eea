"""Annotation sheets (.xlsx, .xls, .csv) as rows of text, exactly as typed, and tables found by
their column names.
"""

import csv
import io
import re
import statistics
import warnings
from pathlib import Path

import openpyxl
import xlrd

from mer_jax.errors import UserError

SUFFIXES = ('.xlsx', '.xls', '.csv')
ENCODINGS = ('utf-8-sig', 'gb18030')  # what spreadsheets export; the second from a Chinese system


def workbooks(folder):
    """Files directly in `folder` that may hold a sheet, sorted by name; none of Excel's lock files
    ('~$...xlsx').
    """
    try:
        entries = sorted(Path(folder).iterdir())
    except PermissionError:  # 'lost+found' at the top of a disk
        return []
    return [
        path
        for path in entries
        if path.suffix.lower() in SUFFIXES
        and not path.name.startswith(('.', '~$'))
        and path.is_file()
    ]


def tables(path):
    """[(sheet name, rows)] of a workbook; a row is a list of str, row i of the list is row i + 1 of
    the sheet.

    Whole numbers read as '12', text is only stripped ('006' and 'NULL' stay), an empty cell is ''.
    A CSV file is one sheet named ''. What the file is, its content says and not its name. Raises
    UserError where it cannot be read.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
        if content.startswith(b'PK'):
            return _xlsx(content)
        if content.startswith(b'\xd0\xcf\x11\xe0'):
            return _xls(content)
        return [('', _csv(content))]
    except Exception as error:  # a damaged workbook raises anything, from KeyError to BadZipFile
        reason = ' '.join(str(error).split()) or type(error).__name__
        raise UserError(
            f'{path} cannot be read as a spreadsheet ({reason}); unpack it again from the '
            'release, or save it as .xlsx '
            'without a password'
        ) from error


def find_table(path, columns, optional=()):
    """Rows below the first row of a workbook that holds all the `columns`: dicts by column, and
    'row', the 1-based row.

    `columns` maps a column to the names it may bear ({'onset': ('OnsetFrame', 'Onset')}); case,
    blanks and punctuation of a name do not count, of two columns of one name the first is taken.
    Columns in `optional` may be missing; they read ''. Rows that are empty in all columns are left
    out. Returns [] where no sheet has those columns; UserError as `tables`.
    """
    for _, rows in tables(path):
        for index, names in enumerate(rows):
            places = _places(names, columns)
            if all(column in places or column in optional for column in columns):
                return _records(rows, index + 1, columns, places)
    return []


def whole(text):
    """int of '261', '261.0' or ' 261 '; ValueError with a reason for anything else."""
    if not re.fullmatch(r'\s*[+-]?[0-9]+(\.0*)?\s*', text):
        raise ValueError(f'{text!r} is not a whole number')
    return int(text.strip().partition('.')[0])


def _places(names, columns):
    """Index of each column that a row of names holds."""
    plain = [_plain(name) for name in names]
    found = {
        column: [plain.index(name) for name in map(_plain, accepted) if name in plain]
        for column, accepted in columns.items()
    }
    return {column: indices[0] for column, indices in found.items() if indices}


def _plain(name):
    return re.sub(r'[^0-9a-z]', '', name.lower())


def _records(rows, start, columns, places):
    found = []
    for number, row in enumerate(rows[start:], start + 1):
        places_here = {column: place for column, place in places.items() if place < len(row)}
        cells = {
            column: row[places_here[column]] if column in places_here else '' for column in columns
        }
        if any(cells.values()):
            found.append({**cells, 'row': number})
    return found


def _xlsx(content):
    with warnings.catch_warnings():
        # openpyxl warns of styles and validations, which nobody here reads
        warnings.simplefilter('ignore')
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        sheets = []
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # a size written wrongly by another program would cut rows off
            rows = sheet.iter_rows(values_only=True)
            sheets.append((sheet.title, [[_text(value) for value in row] for row in rows]))
    return sheets


def _xls(content):
    book = xlrd.open_workbook(file_contents=content, logfile=io.StringIO())
    return [
        (
            sheet.name,
            [[_xls_text(cell) for cell in sheet.row(index)] for index in range(sheet.nrows)],
        )
        for sheet in book.sheets()
    ]


def _xls_text(cell):
    return (
        xlrd.error_text_from_code[cell.value]
        if cell.ctype == xlrd.XL_CELL_ERROR
        else _text(cell.value)
    )


def _text(value):
    if value is None:
        return ''
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _csv(content):
    text = _decode(content)
    return max((_cells(text, delimiter) for delimiter in ',;\t'), key=_width)


def _decode(content):
    if content.startswith((b'\xff\xfe', b'\xfe\xff')):
        return content.decode('utf-16')
    if b'\0' in content:
        raise ValueError('neither a workbook nor text')
    for encoding in ENCODINGS:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise ValueError('text of an unknown encoding; UTF-8 is read')


def _cells(text, delimiter):
    reader = csv.reader(io.StringIO(text, newline=''), delimiter=delimiter)
    return [[cell.strip() for cell in row] for row in reader]


def _width(rows):
    # The middle row decides: a comma inside a prose line or an action-unit cell is no delimiter.
    return statistics.median([len(row) for row in rows if row] or [0])
