"""Annotation sheets (.xlsx, .xls, .csv) as rows of text, exactly as typed.

Tables inside them are found by their column names.
"""

import csv
import io
import re
import statistics
import unicodedata
import warnings
import zipfile
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import openpyxl
import xlrd

from mer_jax import bounded
from mer_jax.errors import UserError

SUFFIXES = ('.xlsx', '.xls', '.csv')
# Limits, far above every release: a small workbook can unpack to gigabytes, and one cell of a row
# or column with a high number stands for all empty ones before it.
MOST_BYTES = 10_000_000  # of a file
MOST_UNPACKED = 20_000_000  # bytes of the members of an .xlsx
MOST_TAGS = 500_000  # in these; openpyxl keeps a row with all its cells in memory
MOST_CELLS = 1_000_000  # rows and cells of all sheets
# letters and marks that show nothing, besides all controls and formats (Unicode Cc and Cf)
FILLERS = '\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0' + ''.join(
    map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))
)
ENCODINGS = ('utf-8-sig', 'gb18030')  # what spreadsheets export; the second from a Chinese system


def workbooks(folder: Path, suffixes: Sequence[str] = SUFFIXES) -> list[Path]:
    """Files directly in `folder` that may hold a sheet, sorted by name.

    Excel's lock files ('~$...xlsx') are left out.

    Args:
      folder: where they lie.
      suffixes: of the files that count.
    """
    try:
        entries = sorted(Path(folder).iterdir())
    except PermissionError:  # 'lost+found' at the top of a disk
        return []
    return [
        path
        for path in entries
        if path.suffix.lower() in suffixes
        and not path.name.startswith(('.', '~$'))
        and path.is_file()
    ]


def tables(path: Path) -> list[tuple[str, list[list[str]]]]:
    """(sheet name, rows) of every sheet of a workbook; row i is row i + 1 of the sheet.

    Whole numbers read as '12', text is only stripped ('006' and 'NULL' stay) and loses characters
    that show nothing, an empty cell is ''.
    A CSV file is one sheet named ''. The content of a file decides what it is, not its name.

    Raises:
      UserError: it cannot be read.
    """
    path = Path(path)
    try:
        content = bounded.read_bytes(path, MOST_BYTES)
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


def clean(text: str) -> str:
    """Text without characters that nobody sees, stripped; every kind of blank becomes ' '.

    Copied from a web page or another program, cells hold zero-width and no-break spaces and byte
    order marks.
    """
    if text.isascii() and text.isprintable():
        return text.strip()
    # Excel stores controls so
    text = re.sub('_x00([01][0-9A-Fa-f])_', lambda match: chr(int(match[1], 16)), text)
    return ''.join(map(_shown, text)).strip()


def _shown(character):
    """A character as it looks."""
    category = unicodedata.category(character)
    if category.startswith('Z') or character in '\t\n\v\f\r\x85':
        return ' '
    return '' if category in ('Cc', 'Cf') or character in FILLERS else character


def lacking(
    path: Path, columns: Mapping[str, Sequence[str]], optional: Collection[str] = ()
) -> str:
    """What a workbook lacks whose header is nearly that of a table, in words.

    Args:
      path: of a workbook without that table.
      columns: as of find_table.
      optional: as of find_table.

    Returns:
      'row 1 lacks the column OffsetFrame'; '' where no row names half of the columns.

    Raises:
      UserError: the workbook cannot be read.
    """
    most, text = len(columns) / 2, ''
    for _, rows in tables(path):
        for number, names in enumerate(rows, 1):
            places = _places(names, columns)
            needed = columns.keys() - {*places, *optional}
            missing = [accepted[0] for column, accepted in columns.items() if column in needed]
            if missing and len(places) > most:
                most, text = len(places), f'row {number} lacks the columns {", ".join(missing)}'
    return text


def find_table(
    path: Path, columns: Mapping[str, Sequence[str]], optional: Collection[str] = ()
) -> list[dict]:
    """The rows of a table, which begins below the first row that names all `columns`.

    Args:
      path: of a workbook.
      columns: the names that a column may have: {'onset': ('OnsetFrame', 'Onset')}. Case, blanks
        and punctuation do not count; of two columns of one name the first is taken.
      optional: columns that may be missing; they read ''.

    Returns:
      dictionaries by column, with 'row', the 1-based row of the sheet. Rows that are empty in all
      columns are left out; [] where no sheet has those columns.

    Raises:
      UserError: the workbook cannot be read.
    """
    for _, rows in tables(path):
        for index, names in enumerate(rows):
            places = _places(names, columns)
            missing = set(columns) - set(places) - set(optional)
            if not missing:
                return _records(rows, index + 1, columns, places)
    return []


def whole(text: str) -> int:
    """The whole number '261', '261.0' or ' 261 '; ValueError with a reason for anything else."""
    if not re.fullmatch(r'\s*[+-]?[0-9]+(\.0*)?\s*', text):
        raise ValueError(f'{text!r} is not a whole number')
    return int(text.strip().partition('.')[0])


def _places(names, columns):
    """{column: index} of the columns that a row of names holds."""
    plain = [_plain(name) for name in names]
    places = {}
    for column, accepted in columns.items():
        for name in map(_plain, accepted):
            if name in plain:
                places.setdefault(column, plain.index(name))
    return places


def _plain(name):
    return re.sub(r'[^0-9a-z]', '', name.lower())


def _records(rows, start, columns, places):
    """Dictionaries by column of the rows from index `start` on."""
    records = []
    for number, row in enumerate(rows[start:], start + 1):
        cells = dict.fromkeys(columns, '')
        for column, place in places.items():
            if place < len(row):
                cells[column] = row[place]
        if any(cells.values()):
            records.append({**cells, 'row': number})
    return records


def _counted(rows: Iterable[Sequence], sheets: Sequence = ()) -> Iterator[Sequence]:
    """The rows; ValueError where they and their cells, with those of `sheets`, are too many."""
    cells = sum(len(before) + sum(map(len, before)) for _, before in sheets)
    for row in rows:
        cells += 1 + len(row)
        if cells > MOST_CELLS:
            raise ValueError(f'more than {MOST_CELLS:,} rows and cells')
        yield row


def _xlsx(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        pieces = bounded.unpacked(archive, MOST_UNPACKED)
        tags = sum(piece.count(b'<') for piece in pieces)
    if tags > MOST_TAGS:
        raise ValueError(f'{tags:,} tags; allowed: up to {MOST_TAGS:,}')
    with warnings.catch_warnings():
        # openpyxl warns of styles and validations, which nobody here reads
        warnings.simplefilter('ignore')
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        sheets = []
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # a size written wrongly by another program would cut rows off
            stored = _counted(sheet.iter_rows(values_only=True), sheets)
            rows = [list(map(_text, row)) for row in stored]
            sheets.append((sheet.title, rows))
    return sheets


def _xls(content):
    book = xlrd.open_workbook(file_contents=content, logfile=io.StringIO(), ragged_rows=True)
    sheets = []
    for sheet in book.sheets():
        stored = _counted(map(sheet.row, range(sheet.nrows)), sheets)
        rows = [list(map(_xls_text, row)) for row in stored]
        sheets.append((sheet.name, rows))
    return sheets


def _xls_text(cell):
    if cell.ctype == xlrd.XL_CELL_ERROR:
        return xlrd.error_text_from_code[cell.value]
    return _text(cell.value)


def _text(value):
    if value is None:
        return ''
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return clean(str(value))


def _csv(content):
    text = _decode(content)
    return max((_cells(text, delimiter) for delimiter in ',;\t'), key=_width)


def _decode(content):
    if content.startswith((b'\xff\xfe', b'\xfe\xff')):
        return content.decode('utf-16')
    if content.lstrip().startswith(b'<'):
        raise ValueError('a page of HTML or XML under the name of a sheet')
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
    return [list(map(clean, row)) for row in _counted(reader)]


def _width(rows):
    # The middle row decides: a comma inside a prose line or an action-unit cell is no delimiter.
    return statistics.median([len(row) for row in rows if row] or [0])
