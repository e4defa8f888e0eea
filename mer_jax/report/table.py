"""Tables in five forms: text, CSV, LaTeX, HTML and Markdown.

A column states its title, its name in CSV, its format, and the forms that show it.
"""

import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from markupsafe import Markup

from mer_jax.report import page
from mer_jax.report.formats import DASH, WIDTH, Value, is_undefined, plain

FORMS = ('text', 'csv', 'latex', 'html')  # Markdown has the columns of HTML
MARK = '(!)'  # marks leaks in text
DAGGER = '†'  # marks leaks in HTML
TITLE_WIDTH = 40  # letters of the title of a row in text; a longer one has its own line
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
    """A value, with its interval where it has one."""

    value: Value
    interval: Sequence[float] | None = None  # None: undefined, a dash; (): none is expected
    leaky: bool = False  # marked as a figure with a leak
    absent: str = DASH  # shown where the value is None or NaN


@dataclass(frozen=True)
class Column:
    """The title and format of a column."""

    title: str
    key: str  # in `Row.cells` and in CSV
    show: Callable[..., str] = plain  # formats a value
    interval: bool = False  # whether cells have one; in CSV columns key_low and key_high
    # text and HTML show the columns of each block as a separate table, with the first column of all
    # at its left
    block: str = ''
    forms: Sequence[str] = FORMS
    latex: str = ''  # title in LaTeX; '' for `title`


@dataclass(frozen=True)
class Row:
    """The cells of a row, by column key."""

    cells: Mapping[str, Cell | Value]
    heading: Cell | None = None  # above all rows that have the same
    # why the row has no figures; stands in the first block, where it has none there
    not_applicable: str = ''


@dataclass(frozen=True)
class Note:
    """A footnote."""

    text: str
    leaky: bool = False  # whether it states a leak


@dataclass(frozen=True)
class Table:
    """Rows under columns, with a title and footnotes."""

    title: str
    columns: Sequence[Column]
    rows: Sequence[Row]
    notes: Sequence[Note] = ()


def listing(titles: Sequence[str], rows: Sequence[Sequence]) -> Table:
    """Make a table without marks or intervals."""
    columns = [Column(title, str(number)) for number, title in enumerate(titles)]
    keys = [column.key for column in columns]
    return Table('', columns, [Row(dict(zip(keys, row, strict=True))) for row in rows])


def tree_listing(
    tree: Mapping, titles: Sequence[str] = ('key', 'value'), show: Callable[..., str] = str
) -> Table:
    """Make a table of a nested dictionary, each value formatted by `show`."""
    return listing(titles, list(_leaves(tree, '', show)))


def text(table: Table) -> str:
    """Format a table for the terminal, at most 100 columns.

    Columns that do not fit follow below.
    """
    lines = textwrap.wrap(table.title, WIDTH)
    first, blocks = _blocks(table, 'text')
    titles = [first.title, *(_row_title(row, first) for row in table.rows)]
    width = max((len(title) for title in titles if len(title) <= TITLE_WIDTH), default=0)
    for block, columns, rows in blocks:
        if lines:
            lines.append('')
        for part in _fitting(rows, columns, WIDTH - width):
            shown = [row for row in rows if row.not_applicable or _has_cell(row, part)]
            lines += _text_lines(block or first.title, first, shown, part, width)
    for note in table.notes:
        mark = f'{MARK} ' if note.leaky else ''
        lines += textwrap.wrap(f'{mark}{note.text}', WIDTH, subsequent_indent='    ')
    return '\n'.join(line.rstrip() for line in lines)


def csv_rows(tables: Sequence[Table]) -> tuple[list[str], list[list]]:
    """Return (header, rows) of tables of equal columns.

    Figures have all digits; undefined ones are ''.
    """
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
    """Format tables of equal columns as one LaTeX float.

    It needs \\usepackage{booktabs}.
    """
    columns = [column for column in tables[0].columns if 'latex' in column.forms]
    head = ' & '.join(column.latex or escaped(column.title) for column in columns)
    caption = escaped(caption).replace('95 \\%', '95\\,\\%')
    lines = [
        r'% needs \usepackage{booktabs}',
        r'\begin{table*}',
        r'\centering',
        r'\small',
        rf'\caption{{{caption} $^\dagger$: the run, or its reference, leaks.}}',
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
        lines.append(rf'\par\smallskip\raggedright\footnotesize {mark}{escaped(note.text)}')
    return '\n'.join([*lines, r'\end{table*}', ''])


def html(table: Table) -> Markup:
    """Format a table as HTML: its blocks, then its footnotes."""
    first, blocks = _blocks(table, 'html')
    shown = []
    for title, columns, rows in blocks:
        lines = [
            {
                'heading': heading,
                'below_heading': row.heading is not None,
                'not_applicable': row.not_applicable,
                'cells': [_html_cell(row, column) for column in (first, *columns)],
            }
            for heading, row in _with_headings(rows)
        ]
        numeric = [_is_numeric(rows, column) for column in (first, *columns)]
        titles = [column.title for column in (first, *columns)]
        shown.append({'title': title, 'titles': titles, 'numeric': numeric, 'rows': lines})
    return page.render('table.html', blocks=shown, notes=table.notes, dagger=DAGGER)


def markdown(table: Table) -> str:
    """Format a table as Markdown: its blocks, then its footnotes."""
    first, blocks = _blocks(table, 'html')
    pieces = []
    for title, columns, rows in blocks:
        shown = (first, *columns)
        sides = ['---:' if _is_numeric(rows, column) else '---' for column in shown]
        lines = [[column.title for column in shown], sides]
        for row in rows:
            cells = [_markdown_cell(row, column) for column in shown]
            if row.not_applicable:
                reason = f'n/a: {row.not_applicable}'
                cells = [cells[0], reason, *[''] * (len(columns) - 1)]
            lines.append(cells)
        if title:
            pieces.append(f'**{title}**')
        pieces.append('\n'.join(map(_markdown_line, lines)))
    for note in table.notes:
        pieces.append(f'{DAGGER} {note.text}' if note.leaky else note.text)
    return '\n\n'.join(pieces)


def escaped(text: Value) -> str:
    """Escape text for LaTeX."""
    signs = ''.join(map(re.escape, ESCAPES))
    return re.sub(f'[{signs}]', lambda match: ESCAPES[match[0]], str(text))


def _leaves(tree, prefix, show):
    """(dotted key, text) pairs; lists are joined."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _leaves(value, f'{prefix}{key}.', show)
        else:
            values = value if isinstance(value, list) else [value]
            yield f'{prefix}{key}', ', '.join(map(show, values))


def _blocks(table, form):
    """The first column, and (title, columns, rows) of each block that has rows.

    The first block is shown in any case, and says why a row has no figures.
    """
    first, *others = [column for column in table.columns if form in column.forms]
    blocks = []
    for title in dict.fromkeys(column.block for column in others):
        columns = [column for column in others if column.block == title]
        rows = _rows_of(table, columns, with_reasons=not blocks)
        if rows or not blocks:
            blocks.append((title, columns, rows))
    return first, blocks


def _rows_of(table, columns, with_reasons):
    """Rows with a cell in these columns, or with a reason why they have none."""
    rows = []
    for row in table.rows:
        if _has_cell(row, columns):
            rows.append(replace(row, not_applicable=''))
        elif with_reasons and row.not_applicable:
            rows.append(row)
    return rows


def _has_cell(row, columns):
    """Whether a row has a cell in some of these columns."""
    return any(column.key in row.cells for column in columns)


def _cell(row, column):
    value = row.cells.get(column.key)
    return value if isinstance(value, Cell) else Cell(value)


def _written(cell, column):
    """Value and interval as text; '' for none."""
    if is_undefined(cell.value):
        return cell.absent, ''
    value = cell.value if isinstance(cell.value, str) else column.show(cell.value)
    if not column.interval:
        return value, ''
    if cell.interval is None:
        return value, DASH
    if not cell.interval:
        return value, ''
    low, high = map(column.show, cell.interval)
    return value, f'[{low}, {high}]'


def _is_numeric(rows, column):
    """Whether a column holds only figures; these align right."""
    cells = [_cell(row, column) for row in rows if not row.not_applicable]
    return all(is_undefined(cell.value) or _is_number(_written(cell, column)[0]) for cell in cells)


def _is_number(text):
    """Whether text is a number or a dash."""
    try:
        float(text.strip(f'<{DASH}').replace(',', '') or 0)
    except ValueError:
        return False
    return True


def _with_headings(rows):
    """(heading, row) of each row; a repeated heading is None."""
    before = None
    for row in rows:
        yield None if row.heading == before else row.heading, row
        before = row.heading


def _marked(cell, text):
    """Mark text where the cell leaks."""
    return f'{MARK} {text}' if cell.leaky else text


def _row_title(row, first):
    """The title of a row, indented below headings."""
    cell = _cell(row, first)
    indent = '  ' if row.heading else ''
    return indent + _marked(cell, _written(cell, first)[0])


def _text_cell(row, column, room):
    """A cell in text, cut to a line."""
    cell = _cell(row, column)
    text = _marked(cell, ' '.join(filter(None, _written(cell, column))))
    return text if len(text) <= room - len(GAP) else text[: room - len(GAP) - 1] + '…'


def _column_width(rows, column, room):
    """Width of a column with its gap."""
    cells = [_text_cell(row, column, room) for row in rows if not row.not_applicable]
    return min(room, len(GAP) + max(map(len, [column.title, *cells])))


def _fitting(rows, columns, room):
    """Group columns so that each group fits on a line.

    A figure with an interval and the columns after it (its p value) stay together if they fit.
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
    """Header and rows of columns that fit."""
    room, header, lines_of_rows = WIDTH - width, '', [''] * len(rows)
    for column in columns:
        wide = _column_width(rows, column, room) - len(GAP)
        side = '>' if _is_numeric(rows, column) else '<'
        header += f'{GAP}{column.title[:wide]:{side}{wide}}'
        for number, row in enumerate(rows):
            lines_of_rows[number] += f'{GAP}{_text_cell(row, column, room):{side}{wide}}'
    lines = _titled(title, width, header)
    for (heading, row), cells in zip(_with_headings(rows), lines_of_rows, strict=True):
        if heading:
            lines += textwrap.wrap(_marked(heading, str(heading.value)), WIDTH)
        reason = []
        if row.not_applicable:
            wrapped = textwrap.wrap(f'n/a  {row.not_applicable}', room - len(GAP))
            cells, *reason = [GAP + line for line in wrapped]
        lines += _titled(_row_title(row, first), width, cells)
        lines += [' ' * width + line for line in reason]
    return lines


def _titled(title, width, cells):
    """Put cells beside or below a title."""
    if len(title) <= width:
        return [f'{title:{width}}{cells}']
    return [*textwrap.wrap(title, WIDTH), ' ' * width + cells]


def _latex_rows(table, columns):
    """The title, headings and rows of a table."""
    lines, span = [], len(columns)
    if table.title:
        lines.append(rf'\multicolumn{{{span}}}{{l}}{{\textit{{{escaped(table.title)}}}}} \\')
    for heading, row in _with_headings(table.rows):
        if heading:
            lines.append(rf'\multicolumn{{{span}}}{{l}}{{{_latex_heading(heading)}}} \\')
        cells = [_latex_cell(row, column) for column in columns]
        if row.not_applicable:
            reason = f'n/a: {escaped(row.not_applicable)}'
            cells = [cells[0], rf'\multicolumn{{{span - 1}}}{{l}}{{{reason}}}']
        indent = r'\quad ' if row.heading else ''
        lines.append(rf'{indent}{" & ".join(cells)} \\')
    return lines


def _latex_heading(cell):
    return escaped(cell.value) + (r'$^\dagger$' if cell.leaky else '')


def _latex_cell(row, column):
    """A figure, its dagger, and its interval in small type."""
    cell = _cell(row, column)
    value, edges = _written(cell, column)
    with_sign = value.startswith(('+', '-')) and _is_number(value)
    mark = r'^\dagger' if cell.leaky else ''
    if with_sign:
        text = f'${value}{mark}$'
    else:
        text = escaped(value) + (f'${mark}$' if mark else '')
    if not edges:
        return text
    edges = f'${edges}$' if with_sign and edges != DASH else escaped(edges)
    return rf'{text} {{\scriptsize {edges}}}'


def _markdown_cell(row, column):
    """A figure, its dagger, and its interval."""
    cell = _cell(row, column)
    text = ' '.join(filter(None, _written(cell, column)))
    return f'{DAGGER} {text}' if cell.leaky else text


def _markdown_line(cells):
    """A row of a Markdown table."""
    shown = [text.replace('|', '\\|') for text in cells]
    return f'| {" | ".join(shown)} |'


def _html_cell(row, column):
    """(leaky, value, interval) of a cell."""
    cell = _cell(row, column)
    return cell.leaky, *_written(cell, column)
