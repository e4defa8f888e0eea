"""Writes annotation tables as .xlsx (cells typed as in reality) or as CSV, with faults of the whole
workbook.
"""

import csv

import openpyxl


def cell(text):
    """An action-unit string as the workbook holds it: a single unit is an integer cell, everything
    else text.
    """
    return int(text) if text.isdigit() else text


def write(path, sheets, *, faults=()):
    """Writes `path` (.xlsx: all sheets; .csv: the first) and returns it.

    sheets: {title: rows}, rows of cell values ('' = blank). Faults: 'damaged', 'no_sheet',
    'semicolons' (CSV).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == '.xlsx':
        _xlsx(path, sheets)
    else:
        write_csv(
            path, next(iter(sheets.values())), separator=';' if 'semicolons' in faults else ','
        )
    if 'damaged' in faults:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    if 'no_sheet' in faults:
        path.unlink()
    return path


def _xlsx(path, sheets):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        page = book.create_sheet(title)
        for row in rows:
            page.append([None if value == '' else value for value in row])
    book.save(path)


def write_csv(path, rows, *, separator=','):
    """Writes rows as CSV as spreadsheet programs export it: byte order mark, CRLF, and ';' in some
    countries.
    """
    with open(path, 'w', newline='', encoding='utf-8-sig') as file:
        csv.writer(file, delimiter=separator).writerows(rows)
    return path


def spoilt(header, rows, faults):
    """(header, rows) after the faults of header and columns."""
    header, rows = list(header), [list(row) for row in rows]
    if 'wrong_header' in faults:
        header = ['Clip name' if name == 'Filename' else name for name in header]
    if 'header_style' in faults:
        header = [f' {name.upper()} ' if name else name for name in header]
    if 'subject_integers' in faults:
        rows = [[int(row[0]), *row[1:]] for row in rows]
    if 'missing_column' in faults:
        drop = next(i for i, name in enumerate(header) if 'offset' in name.lower())
        header, rows = _without(header, drop), [_without(row, drop) for row in rows]
    if 'blank_rows' in faults:
        rows[5:5] = [[''] * len(header)] * 3
    return header, rows


def _without(values, index):
    return values[:index] + values[index + 1 :]
