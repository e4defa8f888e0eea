"""Sheets: cells as typed from real .xlsx, .xls and .csv files, tables found by column names,
damaged workbooks.
"""

import base64
import zlib

import openpyxl
import pytest

from mer_jax.errors import UserError
from tfds_builders import sheets

COLUMNS = {'subject': ('Subject',), 'onset': ('OnsetFrame', 'Onset'), 'units': ('Action Units',)}

# 'Subject ', 'OnsetFrame', 'Action Units' / '01', 261, '4+L10' / '02', empty, 12: written once by
# Python's xlwt.
XLS = (
    b'eNrtWE1oE0EU/mbzH9I0qWmhFUooWLXtoakevNQ1gu1Fa7WIIoIm6YKxNZE0HvSg1ZqjIHhSvBR68VL14g960JsHoaIHQRASBS+eBAUPbdY3b3'
    b'drqjkkoEVlvmXevHlvvp23O29mf14uRcvz97oq+Ak74ULVDMBbYxNUAk4jAvKbplSd2k/FVPinEPDTRHo9eNzywifnUM53BRruup+RBN5TOYYz'
    b'GMvnjPg6YjfHkBIyhmGSArfIEkYnR9XGMsNyA8s73PMJy11sucpymPqWxVEs6WN9O+wsPqL1sC8Med4HzHnLlgTa8Vxm8cVrwurrQbKQTU3/nY'
    b'5udwgLoHkbNXJGITVdRowmcAFfzTjwxVmpT+PKvr52AbJ/W2v31bFf19zALMwTnOAlSsiPLmsRTpw0jGJiGUlekF5rc504mz5lZIrxILA/N2MU'
    b'Rwqp00YISGaK2XwufiiXLc5QFg8mPMD2/r2JQdkYCspdm1d5ZM0qb+HsD5GcRCvrUV4DERpq+fbnV/vS4/pxtszyzm7t/5tkyDBxSTKIHGaPa1'
    b'X2MaOf5WU+60bWu1jGKHOp7h1vt5WROe5zhb29NM42xmt9c42+hfTSpwMPu0sf9K2kL45WzscW3+jz6KHn0STx5TGHATEgbt6QeKQ7tbD3incs'
    b'O3/ZN/xaxI7dtB9yrVhBkNUoS6sl745YbWn2vZJsUYctmC3vxwUtyNFF0eGG7ZNst83W6rA1Zntstsb9h+QzWWvDfemkHe4HglBQUFBQUFBQUF'
    b'BoFILfZq13d/lO6rG/Dnz2f50VKlX1m+S/xUHk6SjSh+ke5Kgu4FxT+dMBj3DOJRrkOP8LJQ7T6AVMIc1xTDWdv/R1J2qvp2Fi5PctoWbHrzYT'
    b'5x8e/zupYM64'
)


def write(path, rows, *, title='Sheet1', more=()):
    """An .xlsx of one sheet of `rows` and, after it, the (title, rows) of `more`."""
    book = openpyxl.Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    for name, lines in more:
        sheet = book.create_sheet(name)
        for row in lines:
            sheet.append(row)
    path.parent.mkdir(parents=True, exist_ok=True)
    book.save(path)
    return path


def test_cells_are_text_as_typed(tmp_path):
    """If this fails, subject '006' becomes 6, unit cell 12 becomes '12.0', or an empty cell and
    'NULL' look alike.
    """
    path = write(
        tmp_path / 'a.xlsx',
        [['006', 12, 12.0, 12.5, None, ' x ', 'NULL', '/'], [], ['12.0']],
        title='T',
    )
    ((name, rows),) = sheets.tables(path)
    assert name == 'T'
    assert rows[0] == ['006', '12', '12', '12.5', '', 'x', 'NULL', '/']
    assert rows[1] == [] or set(rows[1]) == {''}
    assert rows[2][0] == '12.0'


def test_old_workbooks_read_alike(tmp_path):
    """If this fails, CASME2_label_Ver_2.xls (the old binary format) does not read as the .xlsx
    does.
    """
    path = tmp_path / 'a.xls'
    path.write_bytes(zlib.decompress(base64.b64decode(XLS)))
    assert sheets.tables(path) == [
        (
            'Sheet1',
            [['Subject', 'OnsetFrame', 'Action Units'], ['01', '261', '4+L10'], ['02', '', '12']],
        )
    ]
    assert sheets.find_table(path, COLUMNS)[1] == {
        'subject': '02',
        'onset': '',
        'units': '12',
        'row': 3,
    }


@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16', 'gb18030'])
@pytest.mark.parametrize('delimiter', [',', ';', '\t'])
@pytest.mark.parametrize('end', ['\n', '\r\n', '\r'])
def test_csv_of_any_spreadsheet(tmp_path, encoding, delimiter, end):
    """If this fails, a sheet exported on another system loses its first column (byte-order mark),
    rows or units.
    """
    lines = [
        ['Subject', 'OnsetFrame', 'Action Units'],
        ['006', '261', '"4,L24"'],
        ['007', '12', '4\uff0c7'],
        ['', '', ''],
    ]
    path = tmp_path / 'a.csv'
    path.write_bytes(end.join([delimiter.join(line) for line in lines] + ['']).encode(encoding))
    expected = [
        {'subject': '006', 'onset': '261', 'units': '4,L24', 'row': 2},
        {'subject': '007', 'onset': '12', 'units': '4\uff0c7', 'row': 3},
    ]
    assert sheets.find_table(path, COLUMNS) == expected


def test_header_is_found_by_its_names(tmp_path):
    """If this fails, preamble rows, blank columns, changed case or a doubled column name shift the
    annotations.
    """
    rows = [
        ['Prose about subjects'],
        [],
        ['Subject', 'only this'],
        ['x', 'SUBJECT ', None, 'Onset Frame', 'onsetframe', 'action_units', 'Remarks'],
        [1, '01', None, 46, 99, '4+7', 'note'],
        [None] * 6,
        [2, '02', None, 50, 98],
        [None] * 6 + ['only a remark'],
    ]
    path = write(tmp_path / 'a.xlsx', [['Subject', 'Other']], more=[('Second', rows)])
    assert sheets.find_table(path, COLUMNS) == [
        {'subject': '01', 'onset': '46', 'units': '4+7', 'row': 5},
        {'subject': '02', 'onset': '50', 'units': '', 'row': 7},
    ]


def test_missing_columns(tmp_path):
    """If this fails, a workbook of another kind is read as annotations, or an optional column
    becomes compulsory.
    """
    path = write(tmp_path / 'a.xlsx', [['Subject', 'Onset'], ['01', 46]])
    assert sheets.find_table(path, COLUMNS) == []
    assert sheets.find_table(path, COLUMNS, optional=('units',)) == [
        {'subject': '01', 'onset': '46', 'units': '', 'row': 2}
    ]


def test_content_decides_not_the_name(tmp_path):
    """If this fails, a workbook saved under the wrong suffix is refused though it can be read."""
    good = write(tmp_path / 'a.xlsx', [['Subject', 'OnsetFrame', 'Action Units'], ['01', 1, 4]])
    for name in ('b.xls', 'c.csv'):
        (tmp_path / name).write_bytes(good.read_bytes())
        assert sheets.find_table(tmp_path / name, COLUMNS)[0]['units'] == '4'


@pytest.mark.parametrize(
    'content',
    [b'PK\x03\x04 cut off', b'\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1' + bytes(600), b'\xff\xd8\xff\0'],
)
def test_damaged_workbook_is_one_line(tmp_path, content):
    """If this fails, a damaged or encrypted workbook ends in a traceback of a library, or reads as
    an empty sheet.
    """
    path = tmp_path / 'damaged.xlsx'
    path.write_bytes(content)
    with pytest.raises(UserError, match='damaged.xlsx') as error:
        sheets.tables(path)
    assert '\n' not in str(error.value)


def test_truncated_workbook_and_missing_file(tmp_path):
    """If this fails, a half-copied workbook yields some of its rows."""
    whole = write(
        tmp_path / 'a.xlsx', [['Subject', 'OnsetFrame', 'Action Units']] + [['01', 1, 4]] * 300
    ).read_bytes()
    for length in (len(whole) // 2, len(whole) - 30):
        (tmp_path / 'cut.xlsx').write_bytes(whole[:length])
        with pytest.raises(UserError, match='cut.xlsx'):
            sheets.tables(tmp_path / 'cut.xlsx')
    with pytest.raises(UserError, match='gone.xlsx'):
        sheets.tables(tmp_path / 'gone.xlsx')


def test_workbooks_leave_out_lock_files(tmp_path):
    """If this fails, a sheet that is open in Excel stops the build with its lock file."""
    for name in ('~$a.xlsx', '._a.xlsx', 'a.xlsx', 'b.XLS', 'c.csv', 'd.pdf'):
        (tmp_path / name).write_bytes(b'')
    (tmp_path / 'folder.csv').mkdir()
    assert [path.name for path in sheets.workbooks(tmp_path)] == ['a.xlsx', 'b.XLS', 'c.csv']


def test_whole():
    """If this fails, frame numbers typed as text or as decimals are refused, or '1o3' passes as
    one.
    """
    assert [sheets.whole(text) for text in ('261', '261.0', ' 261 ', '0', '-1', '007')] == [
        261,
        261,
        261,
        0,
        -1,
        7,
    ]
    for text in ('', '/', '261.5', '1o3', '1e3', '2,61', '\u0662', 'nan'):
        with pytest.raises(ValueError, match='whole number'):
            sheets.whole(text)
