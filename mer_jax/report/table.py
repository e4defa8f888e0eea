"""One table, written in four forms: text for the terminal, CSV, LaTeX and HTML.

A table is made from a result once. A column states its title, its name in CSV and how its values
are shown. Each renderer shows the columns that list its form.
"""

import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from mer_jax.report import page
from mer_jax.report.formats import DASH, WIDTH, is_undefined, plain

FORMS = ('text', 'csv', 'latex', 'html')
MARK = '(!)'  # of what leaks, in text
DAGGER = '†'  # of what leaks, in HTML
TITLE_WIDTH = 40  # letters of a row's title in text; a longer one stands on a line of its own
GAP = '  '
ESCAPES = {
    '\\': r'\textbackslash{}',
    '~': r'\textasciitilde{}',
    '^': r'\textasciicircum{}',
    '<': r'\textless{}',
    '>': r'\textgreater{}',
    '|': r'\textbar{}',
    DASH: '--',
} | {sign: f'\\{sign}' for sign in '&%$#_{}'}


@dataclass(frozen=True)
class Cell:
    """A value, with its interval where it has one.

    leaky: it is no honest figure, and is marked. absent: shown where the value is None or NaN.
    """

    value: str | int | float | None
    interval: Sequence[float] | None = None
    leaky: bool = False
    absent: str = DASH


@dataclass(frozen=True)
class Column:
    """What the cells of a column are, and how they are shown.

    key: its name in `Row.cells` and in CSV; with `interval`, CSV adds key_low and key_high.
    show: a figure as text. block: text and HTML show the columns of a block as a table of its own;
    the first column stands at the left of each. latex: title in LaTeX, '' for the same.
    """

    title: str
    key: str
    show: Callable[..., str] = plain
    interval: bool = False
    block: str = ''
    forms: Sequence[str] = FORMS
    latex: str = ''


@dataclass(frozen=True)
class Row:
    """The cells of a row by the key of their column.

    heading: rows of one heading stand below it. not_applicable: why the row has no figures.
    """

    cells: Mapping[str, Cell | str | int | float | None]
    heading: Cell | None = None
    not_applicable: str = ''


@dataclass(frozen=True)
class Note:
    """A footnote; `leaky`: it states a leak."""

    words: str
    leaky: bool = False


@dataclass(frozen=True)
class Table:
    """Rows under columns, with a title and footnotes."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    notes: Sequence[Note] = ()


def listing(titles: Sequence[str], rows: Sequence[Sequence]) -> Table:
    """A table without marks or intervals, from rows of plain values."""
    columns = [Column(title, str(place)) for place, title in enumerate(titles)]
    keys = [column.key for column in columns]
    return Table('', columns, [Row(dict(zip(keys, row, strict=True))) for row in rows])


def tree_listing(tree: Mapping, titles: Sequence[str] = ('key', 'value')) -> Table:
    """A nested dictionary as a table of dotted keys and values."""
    return listing(titles, list(_leaves(tree, '')))


def text(table: Table) -> str:
    """The table for a terminal: at most 100 columns; what is wider goes on below."""
    lines = textwrap.wrap(table.title, WIDTH)
    first, blocks = _blocks(table, 'text')
    titles = [first.title, *(_row_title(row, first) for row in table.rows)]
    width = max((len(title) for title in titles if len(title) <= TITLE_WIDTH), default=0)
    for number, (block, columns) in enumerate(blocks):
        if lines:
            lines.append('')
        rows = _rows_of(table, columns, with_reasons=number == 0)
        for part in _fitting(rows, columns, WIDTH - width):
            lines += _text_lines(block or first.title, first, rows, part, width)
    for note in table.notes:
        mark = f'{MARK} ' if note.leaky else ''
        lines += textwrap.wrap(f'{mark}{note.words}', WIDTH, subsequent_indent='    ')
    return '\n'.join(line.rstrip() for line in lines)


def csv_rows(tables: Sequence[Table]) -> tuple[list[str], list[list]]:
    """(header, rows) of tables of equal columns: every figure in full, '' where undefined."""
    columns = [column for column in tables[0].columns if 'csv' in column.forms]
    header = []
    for column in columns:
        ends = ('', '_low', '_high') if column.interval else ('',)
        header += [f'{column.key}{end}' for end in ends]
    rows = []
    for row in (row for table in tables for row in table.rows):
        values = []
        for column in columns:
            cell = _cell(row, column)
            values.append(cell.value)
            if column.interval:
                values += cell.interval or (None, None)
        rows.append(['' if is_undefined(value) else value for value in values])
    return header, rows


def latex(tables: Sequence[Table], caption: str, label: str) -> str:
    """A float for \\usepackage{booktabs}, of tables of equal columns below one another."""
    columns = [column for column in tables[0].columns if 'latex' in column.forms]
    head = ' & '.join(column.latex or escaped(column.title) for column in columns)
    caption = escaped(caption).replace('95 \\%', '95\\,\\%')
    lines = [
        r'% needs \usepackage{booktabs}',
        r'\begin{table*}',
        r'\centering',
        r'\small',
        rf'\caption{{{caption} $^\dagger$: it, or what it is compared with, leaks.}}',
        rf'\label{{{label}}}',
        rf'\begin{{tabular}}{{l{"c" * (len(columns) - 1)}}}',
        r'\toprule',
        rf'{head} \\',
    ]
    for table in tables:
        lines += [r'\midrule', *_latex_rows(table, columns)]
    lines += [r'\bottomrule', r'\end{tabular}']
    for note in (note for table in tables for note in table.notes):
        mark = r'$^\dagger$ ' if note.leaky else ''
        lines.append(rf'\par\smallskip\raggedright\footnotesize {mark}{escaped(note.words)}')
    return '\n'.join([*lines, r'\end{table*}', ''])


def html(table: Table) -> Markup:
    """The table as HTML: a table for each of its blocks, then the footnotes."""
    first, blocks = _blocks(table, 'html')
    shown = []
    for number, (title, columns) in enumerate(blocks):
        rows = _rows_of(table, columns, with_reasons=number == 0)
        lines = [
            {
                'heading': heading,
                'not_applicable': row.not_applicable,
                'cells': [_html_cell(row, column) for column in (first, *columns)],
            }
            for heading, row in _with_headings(rows)
        ]
        numeric = [_is_numeric(rows, column) for column in (first, *columns)]
        titles = [column.title for column in (first, *columns)]
        shown.append({'title': title, 'titles': titles, 'numeric': numeric, 'rows': lines})
    return page.render('table.html', blocks=shown, notes=table.notes, dagger=DAGGER)


def escaped(words) -> str:
    """Text that LaTeX prints as it stands."""
    signs = ''.join(map(re.escape, ESCAPES))
    return re.sub(f'[{signs}]', lambda match: ESCAPES[match[0]], str(words))


def _leaves(tree, prefix):
    """(dotted key, value as text) pairs; lists are joined by commas."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f'{prefix}{key}.')
        else:
            values = value if isinstance(value, list) else [value]
            yield f'{prefix}{key}', ', '.join(map(str, values))


def _blocks(table, form):
    """The first column of a form, and (title, its other columns) of each block."""
    first, *others = [column for column in table.columns if form in column.forms]
    titles = dict.fromkeys(column.block for column in others)
    return first, [
        (title, [column for column in others if column.block == title]) for title in titles
    ]


def _rows_of(table, columns, with_reasons):
    """The rows that have a cell in some of the columns, or a reason for having none."""
    return [
        row
        for row in table.rows
        if any(column.key in row.cells for column in columns)
        or (with_reasons and row.not_applicable)
    ]


def _cell(row, column):
    value = row.cells.get(column.key)
    return value if isinstance(value, Cell) else Cell(value)


def _written(cell, column):
    """A cell's value and interval as text; '' for no interval."""
    if is_undefined(cell.value):
        return cell.absent, ''
    value = cell.value if isinstance(cell.value, str) else column.show(cell.value)
    if not column.interval:
        return value, ''
    if cell.interval is None:
        return value, DASH
    low, high = map(column.show, cell.interval)
    return value, f'[{low}, {high}]'


def _is_numeric(rows, column):
    """Whether a column holds figures alone, which are set to the right."""
    cells = [_cell(row, column) for row in rows if not row.not_applicable]
    return all(is_undefined(cell.value) or _is_number(_written(cell, column)[0]) for cell in cells)


def _is_number(words):
    """Whether a text is a number, a p value or a dash."""
    try:
        float(words.strip(f'<{DASH}') or 0)
    except ValueError:
        return False
    return True


def _with_headings(rows):
    """(heading, row) of each row; no heading where it is that of the row before."""
    before = None
    for row in rows:
        yield None if row.heading == before else row.heading, row
        before = row.heading


def _marked(cell, words):
    """Words of the text form, marked where the cell is leaky."""
    return f'{MARK} {words}' if cell.leaky else words


def _row_title(row, first):
    """What stands at the left of a row in text, indented below a heading."""
    cell = _cell(row, first)
    indent = '  ' if row.heading else ''
    return indent + _marked(cell, _written(cell, first)[0])


def _text_cell(row, column, room):
    """A cell in text, cut where a line has no room for it and a gap."""
    cell = _cell(row, column)
    words = _marked(cell, ' '.join(filter(None, _written(cell, column))))
    return words if len(words) <= room - len(GAP) else words[: room - len(GAP) - 1] + '…'


def _column_width(rows, column, room):
    """Letters of a column and the gap before it, at most the room of a line."""
    cells = [_text_cell(row, column, room) for row in rows if not row.not_applicable]
    return min(room, len(GAP) + max(map(len, [column.title, *cells])))


def _fitting(rows, columns, room):
    """The columns in groups that fit beside the titles of the rows.

    A figure with an interval and what stands behind it (its p value) stay together where they fit.
    """
    together = [[]]
    for column in columns:
        if column.interval:
            together.append([])
        together[-1].append(column)
    groups, left = [[]], room
    for part in together:
        wide = sum(_column_width(rows, column, room) for column in part) > room
        for piece in [[column] for column in part] if wide else [part]:
            width = sum(_column_width(rows, column, room) for column in piece)
            if width > left and groups[-1]:
                groups.append([])
                left = room
            groups[-1] += piece
            left -= width
    return groups


def _text_lines(title, first, rows, columns, width):
    """A header and a line for each row, of columns that fit."""
    room, header, lines_of_rows = WIDTH - width, '', [''] * len(rows)
    for column in columns:
        wide = _column_width(rows, column, room) - len(GAP)
        side = '>' if _is_numeric(rows, column) else '<'
        header += f'{GAP}{column.title[:wide]:{side}{wide}}'
        for place, row in enumerate(rows):
            lines_of_rows[place] += f'{GAP}{_text_cell(row, column, room):{side}{wide}}'
    lines = _titled(title, width, header)
    for (heading, row), cells in zip(_with_headings(rows), lines_of_rows, strict=True):
        if heading:
            lines += textwrap.wrap(_marked(heading, str(heading.value)), WIDTH)
        reason = []
        if row.not_applicable:
            words = textwrap.wrap(f'n/a  {row.not_applicable}', room - len(GAP))
            cells, *reason = [GAP + line for line in words]
        lines += _titled(_row_title(row, first), width, cells)
        lines += [' ' * width + line for line in reason]
    return lines


def _titled(title, width, cells):
    """A title before its cells, on a line of its own where it is too long."""
    if len(title) <= width:
        return [f'{title:{width}}{cells}']
    return [*textwrap.wrap(title, WIDTH), ' ' * width + cells]


def _latex_rows(table, columns):
    """The title of a table, then its rows below their headings."""
    lines, span = [], len(columns)
    if table.title:
        lines.append(rf'\multicolumn{{{span}}}{{l}}{{\textit{{{escaped(table.title)}}}}} \\')
    for heading, row in _with_headings(table.rows):
        if heading:
            lines.append(rf'\multicolumn{{{span}}}{{l}}{{{_latex_words(heading)}}} \\')
        cells = [_latex_cell(row, column) for column in columns]
        if row.not_applicable:
            reason = f'n/a: {escaped(row.not_applicable)}'
            cells = [cells[0], rf'\multicolumn{{{span - 1}}}{{l}}{{{reason}}}']
        indent = r'\quad ' if row.heading else ''
        lines.append(rf'{indent}{" & ".join(cells)} \\')
    return lines


def _latex_words(cell):
    return escaped(cell.value) + (r'$^\dagger$' if cell.leaky else '')


def _latex_cell(row, column):
    """A figure, its dagger, and its interval in small type."""
    cell = _cell(row, column)
    value, edges = _written(cell, column)
    with_sign = value.startswith(('+', '-')) and _is_number(value)
    mark = r'^\dagger' if cell.leaky else ''
    if with_sign:
        words = f'${value}{mark}$'
    else:
        words = escaped(value) + (f'${mark}$' if mark else '')
    if not edges:
        return words
    edges = f'${edges}$' if with_sign and edges != DASH else escaped(edges)
    return rf'{words} {{\scriptsize {edges}}}'


def _html_cell(row, column):
    """(is it leaky, value, interval) of a cell."""
    cell = _cell(row, column)
    return cell.leaky, *_written(cell, column)
