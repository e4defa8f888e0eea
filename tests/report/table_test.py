"""The four renderers of a Table, on small tables made by hand."""

import csv
import math
import re

import pytest

from mer_jax.report import table
from mer_jax.report.formats import measure, p_value, signed
from mer_jax.report.table import Cell, Column, Note, Row, Table
from mer_jax.runfiles import writing
from tests.support.pages import Page

NASTY = r'50%_of {a}&b$#~^\x<y>|z'
ESCAPED = (
    r'50\%\_of \{a\}\&b\$\#\textasciitilde{}\textasciicircum{}\textbackslash{}x\textless{}y'
    r'\textgreater{}\textbar{}z'
)
COLUMNS = (
    Column('run', 'run'),
    Column('honest', 'honest', forms=['csv']),
    Column('UF1', 'uf1', measure, interval=True),
    Column('seeds', 'seeds', forms=['text', 'csv', 'html']),
    Column('UF1', 'gain', signed, True, 'minus a', latex=r'$\Delta$UF1'),
    Column('p', 'p', p_value, block='minus a', latex='$p$'),
)


def small(*rows, title='two runs', notes=()):
    return Table(title, COLUMNS, rows, notes)


def honest_run(name='a', **cells):
    return Row({'run': name, 'honest': 'yes', 'uf1': Cell(0.5, [0.25, 0.75]), 'seeds': 3} | cells)


def leaky_run(name='b'):
    gain = Cell(-0.125, [-0.25, 0.0], leaky=True)
    cells = {'run': Cell(name, leaky=True), 'honest': 'no', 'gain': gain, 'p': 0.0001}
    return honest_run(name, **cells)


PLAIN = small(honest_run(), leaky_run(), notes=[Note('b leaks: a split', leaky=True)])


def test_markdown_has_the_figures_of_the_page_and_escapes_bars():
    """A bar in a name would begin a column of its own."""
    assert table.markdown(small(honest_run(), leaky_run('b|c'))).splitlines() == [
        '| run | UF1 | seeds |',
        '| --- | ---: | ---: |',
        '| a | 0.500 [0.250, 0.750] | 3 |',
        '| † b\\|c | 0.500 [0.250, 0.750] | 3 |',
        '',
        '**minus a**',
        '',
        '| run | UF1 | p |',
        '| --- | ---: | ---: |',
        '| † b\\|c | † -0.125 [-0.250, +0.000] | <0.001 |',
    ]


def test_a_row_says_why_it_has_no_figures_only_where_it_has_none():
    """What is true of a row that was not run, such as its size, would be hidden by the reason."""
    not_run = Row({'run': 'c', 'gain': 0.5}, not_applicable='too large')
    lines = table.text(small(honest_run(), not_run)).splitlines()
    assert [line for line in lines if line.startswith('c')] == [
        'c    n/a  too large',
        'c    +0.500 –  –',
    ]


def test_text_shows_each_block_below_the_other():
    """A reader of the terminal must see every figure beside the run that it is of."""
    assert table.text(PLAIN).splitlines() == [
        'two runs',
        '',
        'run                     UF1  seeds',
        'a      0.500 [0.250, 0.750]      3',
        '(!) b  0.500 [0.250, 0.750]      3',
        '',
        'minus a',
        '                               UF1       p',
        '(!) b  (!) -0.125 [-0.250, +0.000]  <0.001',
        '(!) b leaks: a split',
    ]


@pytest.mark.parametrize('length', [3, 40, 41, 99, 100, 250])
def test_text_fits_a_terminal_whatever_the_titles(length):
    """A wrapped line makes a table unreadable; a cut title makes two runs look like one."""
    names = ['x' * length + end for end in 'ab']
    note = Note('word ' * 60)
    text = table.text(small(*map(leaky_run, names), title='long ' * 50, notes=[note]))
    assert max(map(len, text.splitlines())) <= 100
    joined = re.sub(r'\n', '', text)
    assert all(joined.count(name) == 2 for name in names)
    assert joined.count('0.500 [0.250, 0.750]') == joined.count('<0.001') == 2


@pytest.mark.parametrize('length', [20, 60, 120])
def test_text_of_many_or_wide_columns_fits_a_terminal(length):
    """A grid over many settings has more columns than a terminal."""
    titles = [f'setting {place} {"w" * length}' for place in range(7)]
    text = table.text(table.listing(titles, [['v' * length] * 7, list(range(7))]))
    assert max(map(len, text.splitlines())) <= 100
    assert all(f'setting {place}' in text for place in range(7))


def test_a_p_value_stays_beside_its_difference():
    """A p value on a line of its own could be that of any figure."""
    columns = [Column('run', 'run')]
    for name in 'abcd':
        columns += [Column(name, name, signed, True), Column(f'p {name}', f'p{name}', p_value)]
    cells = {name: Cell(0.1, [0.0, 0.2]) for name in 'abcd'} | {f'p{name}': 0.5 for name in 'abcd'}
    lines = table.text(Table('', columns, [Row({'run': 'r'} | cells)])).splitlines()
    headers = [line for line in lines if line.startswith('run')]
    assert len(headers) > 1
    for line in headers:
        titles = re.split(' {2,}', line)[1:]
        assert titles[1::2] == [f'p {name}' for name in titles[::2]]


def test_what_is_undefined_is_a_dash_or_empty(tmp_path):
    """'nan' or 'None' among figures stops whoever reads the file, or is read as a name."""
    undefined = honest_run('a', uf1=Cell(math.nan), seeds=None, gain=Cell(0.5), p=math.nan)
    result = small(undefined, title='')
    header, (row,) = table.csv_rows([result])
    assert row == ['a', 'yes', '', '', '', '', 0.5, '', '', '']
    forms = table.text(result), table.latex([result], 'words', 'tab:x'), table.html(result)
    for text in forms:
        assert 'nan' not in text.lower() and 'none' not in text.lower()
    assert '–' in forms[0] and '–' in forms[2]
    assert '–' not in forms[1] and 'a & -- & ' in forms[1]


def test_csv_gives_floats_back_bit_for_bit(tmp_path):
    """Rounded figures cannot be tested again; another column's would be plotted as if right."""
    third, low, high = 1 / 3, 0.1 + 0.2, 2 / 7
    tables = [PLAIN, small(honest_run(uf1=Cell(third, [low, high])))]
    writing.write_csv(tmp_path / 'table.csv', *table.csv_rows(tables))
    with open(tmp_path / 'table.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == [
        'run', 'honest', 'uf1', 'uf1_low', 'uf1_high', 'seeds', 'gain', 'gain_low', 'gain_high', 'p'
    ]  # fmt: skip
    assert [row['honest'] for row in rows] == ['yes', 'no', 'yes']
    values = [float(rows[2][key]) for key in ('uf1', 'uf1_low', 'uf1_high')]
    assert values == [third, low, high]
    assert rows[0]['gain'] == '' and float(rows[1]['gain_high']) == 0.0


def test_latex_prints_names_as_they_stand_and_whole_rows():
    """One raw percent sign in a run's name swallows the rest of its row."""
    result = small(honest_run(NASTY), leaky_run(NASTY), title=NASTY, notes=[Note(NASTY, True)])
    lines = table.latex([result, result], f'{NASTY}, 95 % interval', 'tab:x').splitlines()
    assert sum(ESCAPED in line for line in lines) == 1 + 2 * 4
    body = lines[lines.index(r'\toprule') + 1 : lines.index(r'\bottomrule')]
    rows = [line for line in body if line != r'\midrule' and 'multicolumn' not in line]
    assert len(rows) == 1 + 4
    assert all(len(re.findall(r'(?<!\\)&', line)) == 3 for line in rows)
    assert r'\begin{tabular}{lccc}' in lines and r'95\,\% interval' in '\n'.join(lines)
    assert rf'{ESCAPED}$^\dagger$ & 0.500' in rows[2]
    assert r'$-0.125^\dagger$ {\scriptsize $[-0.250, +0.000]$} & \textless{}0.001' in rows[2]
    for line in (re.sub(r'\\[&%$#_{}\\,]', '', line) for line in lines[1:]):
        assert line.count('{') == line.count('}') and line.count('$') % 2 == 0


def test_html_shows_names_as_they_stand():
    """Names come from files: markup in one would run in the reader's browser."""
    rows = honest_run(NASTY), leaky_run(NASTY)
    page = Page(table.html(small(*rows, notes=[Note(NASTY, leaky=True)])))
    assert page.text.count(NASTY) == 2 + 1 + 1  # both runs, one of them in both blocks, the note
    assert page.text.count(f'† {NASTY}') == 3 and '† -0.125' in page.text
    assert [tag for tag, _ in page.tags].count('table') == 2
    figures = [attrs for tag, attrs in page.tags if attrs.get('scope') == 'col']
    assert [attrs.get('class') for attrs in figures] == [None, 'n', 'n', None, 'n', 'n']


def test_a_row_that_does_not_apply_gives_its_reason():
    """An empty row reads as a result that was lost."""
    reason = 'nothing is balanced ' * 8
    result = small(honest_run(), Row({'run': 'b'}, not_applicable=reason))
    text, tex = table.text(result), table.latex([result], '', 'tab:x')
    page = Page(table.html(result))
    for words in (text, tex, page.text):
        assert ' '.join(words.split()).count(reason.strip()) == 1 and 'n/a' in words
    assert max(map(len, text.splitlines())) <= 100
    assert r'b & \multicolumn{3}{l}{n/a: nothing' in tex
    assert ('td', {'colspan': '2'}) in page.tags
    assert table.csv_rows([result])[1][1] == ['b', *[''] * 9]


def test_a_heading_stands_once_above_its_rows():
    """Three decisions of one run must not look like those of three."""
    rows = [
        Row({'run': name, 'uf1': 0.5}, heading=Cell(of, leaky=of == 'second'))
        for of in ('first', 'second')
        for name in 'ab'
    ]
    result = small(*rows)
    text, tex, page = table.text(result), table.latex([result], '', 'x'), table.html(result)
    lines = [line.split('  ')[0] for line in text.splitlines()]
    assert lines.count('first') == lines.count('(!) second') == 1
    assert tex.count('first') == page.count('first') == 1
    assert r'{second$^\dagger$} \\' in tex and '† second' in page
    assert tex.count(r'\quad ') == 4


def test_a_nested_dictionary_becomes_dotted_keys():
    """Settings that are shown as Python dictionaries cannot be searched for by their key."""
    result = table.tree_listing({'train': {'epochs': 3, 'sizes': [1, 2]}, 'name': 'x'})
    keys = [tuple(row.cells.values()) for row in result.rows]
    assert keys == [('train.epochs', '3'), ('train.sizes', '1, 2'), ('name', 'x')]
