"""The table of compared runs (studies/compare.py) as plain text, CSV, LaTeX and a page.

A run that leaks is marked in each of them, and so is a difference to a run that leaks.
"""

import re
import textwrap

from mer_jax.report import page as html
from mer_jax.report.text import WIDTH, interval, measure, plural

FIGURES = {'accuracy': 'accuracy', 'precision': 'precision', 'uar': 'recall', 'uf1': 'F1'}
TESTED = ('uf1', 'accuracy')
MARK = '(!)'  # of a run that leaks, in plain text
TITLE = 28  # columns of a run's title; a longer one stands on a line of its own
MEANS = (
    'Precision, recall (UAR) and F1 (UF1) are averaged over classes; figures are means over seeds.'
)
SPREAD = 'sd: spread over seeds.'
METHOD = (
    '95 % intervals: 2,000 bootstrap draws of subjects. Differences: run minus the reference of '
    'its data set, on the clips '
    'that every seed of both tested; p: permutation test that swaps the two runs of a subject; '
    'Holm: p adjusted for all F1 '
    'tests on that data set. A dash: undefined, or runs that cannot be paired.'
)
ESCAPES = {
    '\\': r'\textbackslash{}',
    '~': r'\textasciitilde{}',
    '^': r'\textasciicircum{}',
    '<': r'\textless{}',
    '>': r'\textgreater{}',
    '|': r'\textbar{}',
} | {sign: f'\\{sign}' for sign in '&%$#_{}'}


def text(table: dict) -> str:
    """The table for the terminal, at most 100 columns."""
    lines = []
    for group in table['groups']:
        lines += [
            *textwrap.wrap(group['title'], WIDTH),
            *_measure_lines(group),
            *_difference_lines(group),
        ]
        lines += [*note_lines(notes(group)), '']
    return '\n'.join(lines + textwrap.wrap(f'{MEANS} {SPREAD} {METHOD}', WIDTH))


def csv_rows(table: dict) -> tuple:
    """(header, rows): one row a run, every figure in full; '' where undefined. `honest`: yes, or no
    where the run leaks.
    """
    rows = [_csv_row(group, run) for group in table['groups'] for run in group['runs']]
    return list(rows[0]), [
        ['' if value is None else value for value in row.values()] for row in rows
    ]


def note_lines(found) -> list:
    """Footnotes (is it a leak, words) as lines of the terminal."""
    return [
        line
        for leaky, note in found
        for line in textwrap.wrap(marked(note, leaky), WIDTH, subsequent_indent='    ')
    ]


def latex(table: dict) -> str:
    """A table float for \\usepackage{booktabs}, ready for \\input."""
    groups = [
        (group['title'], [_latex_row(group, run) for run in group['runs']], notes(group))
        for group in table['groups']
    ]
    head = r'Run & Accuracy & Precision & Recall & F1 & $\Delta$F1 & $p$ (Holm)'
    return latex_float(f'{MEANS} {METHOD}', 'lcccccc', head, groups)


def latex_float(caption: str, columns: str, head: str, groups) -> str:
    """A table float of groups (title, rows in LaTeX, footnotes); the caption is plain text and gets
    what a dagger means.
    """
    caption = (
        escaped(caption).replace('95 \\%', '95\\,\\%')
        + r' $^\dagger$: the run, or its reference, leaks.'
    )
    lines = [
        r'% needs \usepackage{booktabs}',
        r'\begin{table*}',
        r'\centering',
        r'\small',
        f'\\caption{{{caption}}}',
        r'\label{tab:compare}',
        rf'\begin{{tabular}}{{{columns}}}',
        r'\toprule',
        rf'{head} \\',
    ]
    for title, rows, _ in groups:
        lines += [
            r'\midrule',
            rf'\multicolumn{{{len(columns)}}}{{l}}{{\textit{{{escaped(title)}}}}} \\',
            *rows,
        ]
    lines += [r'\bottomrule', r'\end{tabular}']
    below = [
        (r'$^\dagger$ ' if leaky else '') + escaped(note)
        for *_, found in groups
        for leaky, note in found
    ]
    lines += [rf'\par\smallskip\raggedright\footnotesize {note}' for note in below]
    return '\n'.join([*lines, r'\end{table*}', ''])


def page(table: dict, pictures) -> str:
    """A whole HTML document with the given figures (HTML)."""
    sections = [html.section(group['title'], *_tables(group)) for group in table['groups']]
    return document(table, sections, pictures, f'{MEANS} {SPREAD} {METHOD}')


def document(table: dict, sections, pictures, foot: str) -> str:
    """A whole HTML document: how many runs, whether they leak, sections and figures (HTML), and
    what the columns mean.
    """
    runs = [run for group in table['groups'] for run in group['runs']]
    title = f'Comparison of {plural(len(runs), "run")}'
    leaky = [f'{run["title"]}: {leak}' for run in runs for leak in run['leaks']]
    count = sum(bool(run['leaks']) for run in runs)
    words = (
        f'not honest: {plural(count, "run")} of {len(runs)} leak'
        if leaky
        else 'honest: no run leaks'
    )
    parts = [
        f'<h1>{title}</h1>',
        html.banner(words, leaky),
        *sections,
        html.section('Plots', *pictures),
    ]
    return html.page(title, [*parts, html.paragraph(foot, 'foot')])


def leaky_pair(group: dict, run: dict) -> bool:
    """Whether a run, or the reference of its group, leaks: then their difference is no
    honest one.
    """
    return bool(run['leaks'] or reference_of(group)['leaks'])


def p_value(value) -> str:
    """A p value with three decimals, '<0.001' below, a dash for None."""
    return '–' if value is None else '<0.001' if value < 0.0005 else f'{value:.3f}'


def reference_of(group):
    """The run that the others of a group are compared with."""
    return next(run for run in group['runs'] if run['title'] == group['reference'])


def notes(group):
    """Footnotes (is it a leak, words): leaks, other protocols, and the clips of pairs that share
    only some.
    """
    reference = reference_of(group)
    found = [
        (True, f'{run["title"]} leaks: {leak}') for run in group['runs'] for leak in run['leaks']
    ]
    for run in group['runs']:
        against = run['against']
        if run['protocol'] != reference['protocol']:
            found.append(
                (
                    False,
                    f'{run["title"]} is tested by {run["protocol"]}, '
                    f'{reference["title"]} by {reference["protocol"]}',
                )
            )
        if against and {against['common']} != {run['clips'], reference['clips']}:
            found.append(
                (
                    False,
                    f'{run["title"]} and {reference["title"]} are compared on the '
                    f'{against["common"]} clips that '
                    f'every seed of both tested (of {run["clips"]} and {reference["clips"]})',
                )
            )
        elif not against and run is not reference:
            found.append(
                (
                    False,
                    f'{run["title"]} is not compared with {reference["title"]}: they tested no '
                    'clip in common, '
                    'or their annotations of one differ',
                )
            )
    return found


def _titled(title, cells):
    """A line of a title and its cells, the title on a line of its own where it is too long."""
    if len(title) < TITLE:
        return [f'{title:{TITLE}}{cells}']
    return [*textwrap.wrap(title, WIDTH), ' ' * TITLE + cells]


def _measure_lines(group):
    """One line a run: its measures, with the interval and the spread of F1, and its size."""
    head = f'{"accuracy":>9}{"precision":>10}{"recall":>7}{"F1":>7} {"95 % interval":15}'
    head += f'{"sd":>6}{"seeds":>6}{"clips":>6}{"subj":>5}'
    lines = [' ' * TITLE + head]
    for run in group['runs']:
        figures = [measure(run['metrics'][key]) for key in FIGURES]
        cells = ''.join(
            f'{figure:>{width}}' for figure, width in zip(figures, (9, 10, 7, 7), strict=True)
        )
        cells += f' {interval(run["intervals"]["uf1"]):15}{measure(run["sd"]["uf1"]):>6}'
        cells += f'{run["seeds"]:>6}{run["clips"]:>6.5g}{run["subjects"]:>5}'
        lines += _titled(marked(run['title'], run['leaks']), cells)
    return lines


def _difference_lines(group):
    """One line a run that can be paired with the reference: its differences."""
    paired = [run for run in group['runs'] if run['against']]
    if not paired:
        return []
    lines = [
        '',
        *_titled(
            marked(f'minus {group["reference"]}', reference_of(group)['leaks']),
            f'{"F1":>6} {"95 % interval":16}{"p":>7}{"Holm":>8}{"accuracy":>10} '
            f'{"95 % interval":16}{"p":>7}',
        ),
    ]
    for run in paired:
        f1, accuracy = (run['against'][key] for key in TESTED)
        cells = [signed(found['difference']) for found in (f1, accuracy)]
        edges = [f'{signed_interval(found["interval"]):17}' for found in (f1, accuracy)]
        p = [p_value(value) for value in (f1['p'], f1['holm'], accuracy['p'])]
        line = f'{cells[0]:>6} {edges[0]}{p[0]:>6}{p[1]:>8}{cells[1]:>10} {edges[1]}{p[2]:>6}'
        lines += _titled(marked(run['title'], leaky_pair(group, run)), line)
    return lines


def _csv_row(group, run):
    """{column: figure} of one run."""
    row = {
        'dataset': group['dataset'],
        'labels': group['labels'],
        'run': run['title'],
        'honest': 'no' if run['leaks'] else 'yes',
        'leaks': '; '.join(run['leaks']),
        'system': run['system'],
        'protocol': run['protocol'],
        'seeds': run['seeds'],
        'clips': run['clips'],
        'subjects': run['subjects'],
    }
    for key, title in FIGURES.items():
        name, (low, high) = title.lower(), run['intervals'][key] or (None, None)
        row |= {
            name: run['metrics'][key],
            f'{name}_low': low,
            f'{name}_high': high,
            f'{name}_sd': run['sd'][key],
        }
    row |= {
        'reference': group['reference'],
        'reference_honest': 'no' if reference_of(group)['leaks'] else 'yes',
        'common_clips': (run['against'] or {}).get('common'),
    }
    for key in TESTED:
        name, found = FIGURES[key].lower(), run['against'][key] if run['against'] else {}
        low, high = found.get('interval') or (None, None)
        row |= {
            f'{name}_difference': found.get('difference'),
            f'{name}_difference_low': low,
            f'{name}_difference_high': high,
            f'{name}_p': found.get('p'),
        }
    held = run['against']['uf1']['holm'] if run['against'] else None
    return row | {'f1_p_holm': held, 'folder': run['folder']}


def _latex_row(group, run):
    """One run."""
    cells = [escaped(run['title']) + (r'$^\dagger$' if run['leaks'] else '')]
    cells += [
        measure(run['metrics'][key]) + small(interval(run['intervals'][key])) for key in FIGURES
    ]
    found = run['against']['uf1'] if run['against'] else {}
    mark = r'^\dagger' if leaky_pair(group, run) else ''
    if found:
        cells += [
            f'${signed(found["difference"])}{mark}$'
            + small(f'${signed_interval(found["interval"])}$'),
            f'{escaped(p_value(found["p"]))} ({escaped(p_value(found["holm"]))})',
        ]
    else:
        cells += ['reference' if run['title'] == group['reference'] else '--', '--']
    return ' & '.join(cell.replace('–', '--') for cell in cells) + r' \\'


def small(edges):
    """An interval in small type behind its figure."""
    return rf' {{\scriptsize {edges}}}'


def escaped(words):
    """Text that LaTeX prints as it stands."""
    return re.sub(r'[\\~^<>|&%$#_{}]', lambda found: ESCAPES[found[0]], str(words))


def _tables(group):
    """The tables of one data set as HTML, its notes below."""
    size = [
        [
            daggered(run['title'], run['leaks']),
            run['protocol'],
            *(run[key] for key in ('seeds', 'clips', 'subjects')),
            measure(run['sd']['uf1']),
            measure(run['sd']['accuracy']),
        ]
        for run in group['runs']
    ]
    rows = [
        [
            daggered(run['title'], run['leaks']),
            *(
                cell
                for key in FIGURES
                for cell in (measure(run['metrics'][key]), interval(run['intervals'][key]))
            ),
        ]
        for run in group['runs']
    ]
    pieces = [
        html.table(
            ['run', *(cell for title in FIGURES.values() for cell in (title, '95 % interval'))],
            rows,
        )
    ]
    paired = [run for run in group['runs'] if run['against']]
    header = ['run', 'F1', '95 % interval', 'p', 'Holm', 'accuracy', '95 % interval', 'p', 'clips']
    if paired:
        caption = f'Difference to {daggered(group["reference"], reference_of(group)["leaks"])}'
        pieces.append(
            html.table(header, [_difference_cells(group, run) for run in paired], caption=caption)
        )
    pieces += [
        html.paragraph(daggered(note, leaky), 'warning' if leaky else 'soft')
        for leaky, note in notes(group)
    ]
    runs = html.table(
        ['run', 'protocol', 'seeds', 'clips', 'subjects', 'sd of F1', 'sd of accuracy'], size
    )
    return [*pieces, html.details('Runs', runs)]


def _difference_cells(group, run):
    """A run against its reference."""
    f1, accuracy = (run['against'][key] for key in TESTED)
    return [
        daggered(run['title'], leaky_pair(group, run)),
        signed(f1['difference']),
        signed_interval(f1['interval']),
        p_value(f1['p']),
        p_value(f1['holm']),
        signed(accuracy['difference']),
        signed_interval(accuracy['interval']),
        p_value(accuracy['p']),
        run['against']['common'],
    ]


def marked(title, leaky):
    """A title for plain text, marked where it leaks."""
    return f'{MARK} {title}' if leaky else title


def daggered(title, leaky):
    """A title for a page, marked where it leaks."""
    return f'† {title}' if leaky else title


def signed(value, digits: int = 3):
    """A difference with its sign and so many decimals, a dash for None."""
    return '–' if value is None else f'{value:+.{digits}f}'


def signed_interval(edges, digits: int = 3):
    """[low, high] with signs, a dash for None."""
    return '–' if edges is None else f'[{signed(edges[0], digits)}, {signed(edges[1], digits)}]'
