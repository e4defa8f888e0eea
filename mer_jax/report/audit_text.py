"""The files of a leak audit (studies/leak_audit.py): table, CSV, LaTeX and a page with a plot."""

import textwrap
from pathlib import Path

from mer_jax.report import page as html
from mer_jax.report import plots_compare
from mer_jax.report.compare_text import escaped, p_value, signed, signed_interval, small
from mer_jax.report.text import WIDTH, interval, measure, plural
from mer_jax.runfiles import files, writing

MEASURES = {'uf1': 'UF1', 'uar': 'UAR', 'accuracy': 'accuracy'}
WHY = {
    'honest': 'No subject stands on both sides; whatever is fitted or made sees training rows '
    'only; the last epoch counts.',
    'split': 'Clips are split, not subjects: other clips of the tested subject train.',
    'balance': 'Rows are made, and classes counted, before the split: from the tested clips too.',
    'scale': 'The scale of the input is fitted to the tested clips too.',
    'network': 'The network whose features the machines take has trained on the tested clips too.',
    'epoch': 'Each fold answers as it did at the epoch that its left-out subject likes best.',
    'all': 'Every habit above that applies, at once.',
    'control': 'Classes drawn at random, one a subject: no honest protocol can tell them, so '
    'this stands at chance or below.',
    'control_split': 'The same classes with clips split at random: what recognising the person '
    'alone is worth.',
}
METHOD = (
    'Every line is the same experiment with the same seeds. "Adds": minus the honest run, on the '
    'same clips. 95 % intervals: '
    '2,000 bootstrap draws of subjects, the same for both; p: permutation test that swaps both '
    'runs of a subject. Clips split '
    'at random: into so many groups that as large a share of the clips trains as in the honest run.'
)


def write(found: dict, folder) -> None:
    """Write audit.json, .csv, .tex, .html and plots/audit.svg in `folder`; print the table and the
    paths.
    """
    folder = Path(folder)
    (folder / files.PLOTS).mkdir(parents=True, exist_ok=True)
    picture = folder / files.PLOTS / 'audit.svg'
    plots_compare.added(picture, found['lines'])
    writing.write_json(folder / 'audit.json', found)
    writing.write_csv(folder / 'audit.csv', *csv_rows(found))
    writing.write_text(folder / 'audit.tex', latex(found))
    writing.write_text(folder / 'audit.html', page(found, html.data_uri(picture, 'svg+xml')))
    print(text(found))
    for path in [*(folder / f'audit.{kind}' for kind in ('json', 'csv', 'tex', 'html')), picture]:
        print(f'audit: {path}')


def text(found: dict) -> str:
    """The audit for the terminal, at most 100 columns; n/a and the reason where a habit does not
    apply.
    """
    lines = [
        f'leak audit of {found["name"]}: {_size(found)}',
        '',
        f'{"":38}{"UF1":>6} {"95 % interval":15}{"adds":>7} {"95 % interval":17}{"p":>7}',
    ]
    for line in found['lines']:
        title = f'{line["title"]:37} '
        if line['why_not']:
            lines += textwrap.wrap(
                f'{title}   n/a  {line["why_not"]}',
                WIDTH,
                subsequent_indent=' ' * 46,
                drop_whitespace=True,
            )
            continue
        cells = f'{measure(line["metrics"]["uf1"]):>6} {interval(line["intervals"]["uf1"]):15}'
        if line['against']:
            adds = line['against']['uf1']
            cells += (
                f'{signed(adds["difference"]):>7} '
                f'{signed_interval(adds["interval"]):17}{p_value(adds["p"]):>7}'
            )
        lines.append((title + cells).rstrip())
    lines += [
        line
        for leak in _left(found)
        for line in textwrap.wrap(f'the run called honest leaks: {leak}', WIDTH)
    ]
    lines += [
        '',
        f'{"adds to":38}' + ''.join(f'{name:>26}' for name in list(MEASURES.values())[1:]),
    ]
    for line in found['lines']:
        if line.get('against'):
            cells = [
                f'{signed(line["against"][key]["difference"])} '
                f'{signed_interval(line["against"][key]["interval"])}'
                for key in list(MEASURES)[1:]
            ]
            lines.append(f'{line["title"]:38}' + ''.join(f'{cell:>26}' for cell in cells))
    return '\n'.join([*lines, '', *textwrap.wrap(METHOD, WIDTH)])


def csv_rows(found: dict) -> tuple:
    """(header, rows), a row a habit; '' where undefined."""
    rows = []
    for line in found['lines']:
        row = {
            'habit': line['habit'],
            'title': line['title'],
            'applies': 'no' if line['why_not'] else 'yes',
            'why_not': line['why_not'],
            'leaks': '; '.join(line.get('leaks', [])),
            'protocol': line.get('protocol'),
            'seeds': line.get('seeds'),
            'clips': line.get('clips'),
            'subjects': line.get('subjects'),
        }
        for key in MEASURES:
            low, high = line.get('intervals', {}).get(key) or (None, None)
            row |= {key: line.get('metrics', {}).get(key), f'{key}_low': low, f'{key}_high': high}
            adds = (line.get('against') or {}).get(key, {})
            low, high = adds.get('interval') or (None, None)
            row |= {
                f'{key}_adds': adds.get('difference'),
                f'{key}_adds_low': low,
                f'{key}_adds_high': high,
                f'{key}_adds_p': adds.get('p'),
            }
        rows.append(row)
    return list(rows[0]), [
        ['' if value is None else value for value in row.values()] for row in rows
    ]


def latex(found: dict) -> str:
    """A table float for \\usepackage{booktabs}, ready for \\input."""
    lines = [
        r'% needs \usepackage{booktabs}',
        r'\begin{table*}',
        r'\centering',
        r'\small',
        rf'\caption{{Leak audit of {escaped(found["name"])}: {escaped(_size(found))}. '
        rf'{escaped(METHOD)}}}',
        r'\label{tab:audit}',
        r'\begin{tabular}{lcccccc}',
        r'\toprule',
        r'Habit & UF1 & adds & $p$ & UAR adds & Accuracy & adds \\',
        r'\midrule',
    ]
    for line in found['lines']:
        cells = [escaped(line['title'])]
        if line['why_not']:
            cells += [rf'\multicolumn{{6}}{{l}}{{n/a: {escaped(line["why_not"])}}}']
        else:
            adds = [
                f'${signed(one["difference"])}$' + small(f'${signed_interval(one["interval"])}$')
                for one in map((line['against'] or {}).get, MEASURES)
                if one
            ] or ['--'] * 3
            p = escaped(p_value(line['against']['uf1']['p'])) if line['against'] else '--'
            level = [
                measure(line['metrics'][key]) + small(interval(line['intervals'][key]))
                for key in ('uf1', 'accuracy')
            ]
            cells += [level[0], adds[0], p, adds[1], level[1], adds[2]]
        lines.append(' & '.join(cell.replace('–', '--') for cell in cells) + r' \\')
    leaking = [
        rf'\par\smallskip\raggedright\footnotesize The run called honest leaks: {escaped(leak)}'
        for leak in _left(found)
    ]
    return '\n'.join([*lines, r'\bottomrule', r'\end{tabular}', *leaking, r'\end{table*}', ''])


def page(found: dict, picture: str) -> str:
    """A whole HTML document with the plot (data URI)."""
    rows = [[line['title'], *_cells(line)] for line in found['lines']]
    header = [
        'habit',
        *(
            cell
            for name in MEASURES.values()
            for cell in (name, '95 % interval', 'adds', '95 % interval', 'p')
        ),
    ]
    meaning = [
        [
            line['title'],
            WHY[line['habit']],
            line['why_not'] or '; '.join(line['leaks']) or 'no leak',
        ]
        for line in found['lines']
    ]
    title = f'Leak audit of {found["name"]}'
    parts = [
        f'<h1>{html.escape(title)}</h1>',
        html.paragraph(_size(found), 'soft'),
        html.banner(_verdict(found), _left(found)),
        html.section(
            'What each habit adds',
            html.table(header, rows),
            html.figure(picture, '95 % intervals over subjects; a hollow mark: the line leaks.'),
        ),
        html.section(
            'What each line is', html.table(['line', 'meaning', 'leaks in force'], meaning)
        ),
        html.paragraph(METHOD, 'foot'),
    ]
    return html.page(title, parts)


def _verdict(found):
    """The audit in one sentence."""
    by = {line['habit']: line for line in found['lines']}
    honest, together = by['honest'], by['all']
    title = 'Not honest:' if honest['leaks'] else 'Honest'
    told = f'{title} UF1 {measure(honest["metrics"]["uf1"])} {interval(honest["intervals"]["uf1"])}'
    if together['why_not'] or not together['against']:
        return (
            f'{told}; the habits together are not measured '
            f'({together["why_not"] or "they tested no clip in common"})'
        )
    adds = together['against']['uf1']
    return (
        f'{told}; the habits together would claim {measure(together["metrics"]["uf1"])}, '
        f'{signed(adds["difference"])} more'
    )


def _left(found):
    """What leaks in the run that the habits are compared with: weights or images of one file stay
    as they are asked for.
    """
    return found['lines'][0]['leaks']


def _size(found):
    """Clips, subjects and seeds in words."""
    line = found['lines'][0]
    return (
        f'{line["protocol"]}, {plural(line["clips"], "clip")}, '
        f'{plural(line["subjects"], "subject")}, '
        f'{plural(line["seeds"], "seed")}'
    )


def _cells(line):
    """The figures of one line, measure by measure."""
    if line['why_not']:
        return ['n/a', '', '', '', ''] * len(MEASURES)
    cells = []
    for key in MEASURES:
        adds = (line['against'] or {}).get(key)
        cells += [measure(line['metrics'][key]), interval(line['intervals'][key])]
        cells += (
            [signed(adds['difference']), signed_interval(adds['interval']), p_value(adds['p'])]
            if adds
            else ['–', '–', '–']
        )
    return cells
