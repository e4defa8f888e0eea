"""Finished spotting runs side by side: the error of every decision, what it gains on answers
without looking and on the reference's own answer, as text, CSV, LaTeX, a page and a picture (no
jax).

Midpoint and fitted fraction stand once a group, as the reference found them: they are the same for
all runs on the same folds.
"""

import textwrap
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mer_jax.data.apexes import BLIND
from mer_jax.evaluation import paired
from mer_jax.evaluation.metrics import number
from mer_jax.report import compare_text as words
from mer_jax.report import page as html
from mer_jax.report import plots_spotting
from mer_jax.report.plots_spotting import TITLES
from mer_jax.report.text import WIDTH, interval, measure, plural
from mer_jax.runfiles.apexes import ApexTable

FIGURES = ('mae', 'interval', 'sd', 'mae_ms', 'interval_ms', 'against')
PLOT_WORDS = (
    'Mean error of every decision. Whiskers: 95 % interval over subjects; a bold figure: the '
    'decision that the run '
    'itself answers by. A hollow mark and †: the run leaks.'
)
METHOD = (
    'Frames (ms) between answer and annotated apex: means over seeds, then over clips; sd: '
    'spread over seeds; *: the decision '
    'that the run itself answers by. 95 % intervals: 2,000 bootstrap draws of subjects. '
    'Differences are negative where the run '
    'is nearer to the apex: to midpoint and fitted fraction on all clips of the run, to the '
    'reference on the clips that every '
    'seed of both tested; p: permutation test that swaps the two answers of a subject; Holm: p '
    'adjusted for all tests against '
    'the reference on that data set. A dash: undefined, or runs that cannot be paired.'
)


class Line(NamedTuple):
    """A line of the table: a decision of a run, or an answer without looking."""

    run: dict | None  # None without looking
    name: str  # of the decision
    figures: dict
    test: dict  # difference to the reference, interval, p, holm; empty where there is none
    leaks: list
    leaky_test: bool


def read(folder) -> list:
    """The rows [ApexRow] that are scored: the clip is left out, its apex known."""
    return [row for row in ApexTable.read(folder).rows if row.left_out and row.apex is not None]


def errors(run) -> dict:
    """{(dataset, subject, clip): {'places': (onset, apex, offset), decision: frames off}}: means
    over seeds, of the clips that every seed of a run tested.
    """
    rows, seeds = {}, {row.seed for row in run.rows}
    for row in run.rows:
        rows.setdefault((row.dataset, row.subject, row.clip), []).append(row)
    return {
        key: {
            'places': (own[0].onset, own[0].apex, own[0].offset),
            **{
                name: float(np.mean([abs(row.answers[name] - row.apex) for row in own]))
                for name in run.results['spotting']
            },
        }
        for key, own in rows.items()
        if len(own) == len(seeds)
    }


def counted(run) -> bool:
    """Whether the rows of a run make the errors that its results tell."""
    blocks = run.results['spotting']
    if not run.rows or blocks.keys() - run.rows[0].answers.keys():
        return False
    found = errors(run).values()
    return all(
        sum(part['clips'] for part in block['per_dataset'].values()) == len(found)
        and block['mae'] is not None
        and np.isclose(np.mean([off[name] for off in found]), block['mae'])
        for name, block in blocks.items()
    )


def group(title, members, names, reference) -> dict:
    """The runs on one data set: title, dataset, reference (a run's title), decision (its own),
    simple and runs.

    simple: {midpoint, fraction: FIGURES} of the reference. A run: as in compare.table, with answer,
    simple {name: mae}, decisions {name: FIGURES} and against {common, decision: {difference to the
    reference's own, interval, p, holm}}.
    """
    first = errors(reference)
    rows = [_row(run, name, first, reference) for run, name in zip(members, names, strict=True)]
    tests = [
        test for row in rows for name, test in (row['against'] or {}).items() if name != 'common'
    ]
    for test, p in zip(
        tests, paired.holm(np.array([test['p'] for test in tests], float)), strict=True
    ):
        test['holm'] = number(p)
    return {
        'title': title,
        'dataset': reference.results['data']['name'],
        'reference': reference.title,
        'decision': reference.results['answer'],
        'simple': _figures(reference, BLIND),
        'runs': rows,
    }


def draw(folder, table: dict) -> list:
    """Write errors.svg into a folder; its path in a list."""
    path = Path(folder) / 'errors.svg'
    plots_spotting.compared(path, table['groups'])
    return [path]


def text(table: dict) -> str:
    """The table for the terminal, at most 100 columns."""
    lines = []
    for one in table['groups']:
        head = (
            f'{one["title"]}; reference: '
            f'{words.marked(_own(one), words.reference_of(one)["leaks"])}'
        )
        lines += [
            *textwrap.wrap(head, WIDTH),
            '',
            *_error_lines(one),
            '',
            *_blind_lines(one),
            *words.note_lines(_notes(one)),
            '',
        ]
    return '\n'.join(lines + textwrap.wrap(METHOD, WIDTH))


def csv_rows(table: dict) -> tuple:
    """(header, rows): a row a decision of a run, first the two answers without looking; every
    figure in full, '' if undefined.
    """
    rows = [_csv_row(one, line) for one in table['groups'] for line in _lines(one)]
    return list(rows[0]), [
        ['' if value is None else value for value in row.values()] for row in rows
    ]


def latex(table: dict) -> str:
    """A table float for \\usepackage{booktabs}, ready for \\input."""
    head = (
        r'Answer & Frames & ms & $\Delta$ midpoint & $\Delta$ fitted fraction & $\Delta$ '
        r'reference & $p$ (Holm)'
    )
    groups = [
        (f'{one["title"]}; reference: {_own(one)}', _latex_rows(one), _notes(one))
        for one in table['groups']
    ]
    return words.latex_float(METHOD, 'lcccccc', head, groups)


def page(table: dict, pictures) -> str:
    """A whole HTML document with the given figures (HTML)."""
    return words.document(
        table,
        [html.section(one['title'], *_tables(one)) for one in table['groups']],
        pictures,
        METHOD,
    )


def _row(run, name, first, reference):
    """The figures of one run; first: errors of the reference."""
    found, blocks = errors(run), run.results['spotting']
    return {
        'title': run.title,
        'system': name,
        'folder': str(run.folder),
        'protocol': run.results['protocol'],
        'labels': run.results['data']['labels'],
        'leaks': list(run.results['leaks']),
        'answer': run.results['answer'],
        'seeds': len({row.seed for row in run.rows}),
        'clips': len(found),
        'subjects': len({key[:2] for key in found}),
        'simple': {simple: blocks[simple]['mae'] for simple in BLIND},
        'decisions': _figures(run, [name for name in blocks if name not in BLIND]),
        'against': _against(
            first,
            found,
            own=reference.results['answer'],
            same=run is reference,
            decisions=[name for name in blocks if name not in BLIND],
        ),
    }


def _figures(run, decisions):
    return {
        name: {key: run.results['spotting'][name][key] for key in FIGURES} for name in decisions
    }


def _against(first, second, *, own, same, decisions):
    """{common, decision: {difference, interval, p}} to the reference's own decision; None where
    runs cannot be paired.
    """
    common = sorted(first.keys() & second.keys())
    if not common or any(first[key]['places'] != second[key]['places'] for key in common):
        return None
    subjects = {subject: place for place, subject in enumerate(sorted({key[:2] for key in common}))}
    subject, start = (
        np.array([subjects[key[:2]] for key in common]),
        [first[key][own] for key in common],
    )
    return {
        'common': len(common),
        **{
            name: paired.means(start, [second[key][name] for key in common], subject)
            for name in decisions
            if not (same and name == own)
        },
    }


def _lines(one):
    """Every line of a group: both answers without looking, then the decisions of each run."""
    reference = words.reference_of(one)
    # a fraction is fitted to training clips
    leaks = {'midpoint': [], 'fraction': reference['leaks']}
    lines = [
        Line(None, name, block, {}, leaks[name], False) for name, block in one['simple'].items()
    ]
    return lines + [
        Line(
            run,
            name,
            block,
            (run['against'] or {}).get(name, {}),
            run['leaks'],
            words.leaky_pair(one, run),
        )
        for run in one['runs']
        for name, block in run['decisions'].items()
    ]


def _own(one):
    """The reference in words."""
    return f'{TITLES[one["decision"]]} of {one["reference"]}'


def _title(line):
    return TITLES[line.name] + (' *' if line.run and line.name == line.run['answer'] else '')


def _notes(one):
    """Footnotes as of compare_text, and where a run's own midpoint or fitted fraction is not the
    one that stands above.
    """
    found = words.notes(one)
    for run in one['runs']:
        if any(not np.isclose(run['simple'][name], one['simple'][name]['mae']) for name in BLIND):
            figures = ', '.join(
                f'{TITLES[name]} {measure(run["simple"][name], 2)}' for name in BLIND
            )
            found.append(
                (
                    False,
                    f'{run["title"]} has other clips or folds; its differences are to the '
                    f'answers there: {figures}',
                )
            )
    return found


def _gain(found):
    """[difference, interval, p, Holm] as written, of what `found` holds; '' where it is empty."""
    if not found:
        return [''] * 4
    return [
        words.signed(found['difference'], 2),
        words.signed_interval(found['interval'], 2),
        *(words.p_value(found.get(key)) for key in ('p', 'holm')),
    ]


def _error_lines(one):
    """A line for both answers without looking and every decision, below one that tells the run."""
    lines = [
        f'{"apex off by":19}{"frames":>7} {"95 %":15}{"sd":>6}{"ms":>7}{"minus ref":>10} '
        f'{"95 %":17}{"p":>6}{"Holm":>7}'
    ]
    told = None
    for line in _lines(one):
        if line.run is not told:
            told = line.run
            size = f'{told["protocol"]}, ' + ', '.join(
                plural(told[f'{key}s'], key) for key in ('seed', 'clip', 'subject')
            )
            lines += textwrap.wrap(f'{words.marked(told["title"], told["leaks"])}: {size}', WIDTH)
        mae, edges, sd, ms = (line.figures[key] for key in ('mae', 'interval', 'sd', 'mae_ms'))
        cells = (
            f'{measure(mae, 2):>7} {interval(edges, 2):15}{measure(sd, 2):>6}{measure(ms, 1):>7}'
        )
        if line.test:
            difference, edges, p, holm = _gain(line.test)
            cells += (
                f'{difference:>10} {edges:17}{p:>6}{holm:>7}' + f' {words.MARK}' * line.leaky_test
            )
        elif told:
            cells += f'{"reference" if told["title"] == one["reference"] else "–":>10}'
        lines.append(f'{"  " * bool(told) + words.marked(_title(line), line.leaks):19}{cells}')
    return lines


def _blind_lines(one):
    """A line a decision: its differences to the answers without looking."""
    lines, told = (
        [f'{"":19}' + ''.join(f'   {"minus " + TITLES[name]:23}{"p":>7}' for name in BLIND)],
        None,
    )
    for line in _lines(one):
        if line.run is not told:
            told = line.run
            lines += textwrap.wrap(words.marked(told['title'], told['leaks']), WIDTH)
        if told:
            gains = [_gain(line.figures['against'][name]) for name in BLIND]
            cells = ''.join(
                f'{difference:>8} {edges:17}{p:>7}' for difference, edges, p, _ in gains
            )
            lines.append(f'  {words.marked(_title(line), line.leaks):17}{cells}')
    return lines


def _csv_row(one, line):
    """{column: figure} of one line."""
    run, reference, block = line.run or {}, words.reference_of(one), line.figures
    row = {
        'dataset': one['dataset'],
        'run': run.get('title'),
        'honest': 'no' if line.leaks else 'yes',
        'leaks': '; '.join(line.leaks),
        **{key: run.get(key) for key in ('system', 'labels')},
        **{key: (line.run or reference)[key] for key in ('protocol', 'seeds', 'clips', 'subjects')},
        'decision': line.name,
        'own_answer': 'yes' if line.name == run.get('answer') else 'no',
    }
    for title, key, edges in (('frames', 'mae', 'interval'), ('ms', 'mae_ms', 'interval_ms')):
        low, high = block[edges] or (None, None)
        row |= {title: block[key], f'{title}_low': low, f'{title}_high': high}
    row |= {
        'frames_sd': block['sd'],
        'reference': one['reference'],
        'reference_decision': one['decision'],
        'reference_honest': 'no' if reference['leaks'] else 'yes',
        'common_clips': (run.get('against') or {}).get('common'),
    }
    for title, found in {
        **{f'{name}_': block['against'].get(name, {}) for name in BLIND},
        '': line.test,
    }.items():
        low, high = found.get('interval') or (None, None)
        row |= {
            f'{title}difference': found.get('difference'),
            f'{title}difference_low': low,
            f'{title}difference_high': high,
            f'{title}p': found.get('p'),
        }
    return row | {'p_holm': line.test.get('holm'), 'folder': (line.run or reference)['folder']}


def _latex_rows(one):
    """A row a line, those of a run below its title."""
    rows, told = [], None
    for line in _lines(one):
        dagger = r'^\dagger' if line.leaks else ''
        if line.run is not told:
            told = line.run
            title = words.escaped(told['title']) + (f'${dagger}$' if dagger else '')
            rows.append(rf'\multicolumn{{7}}{{l}}{{{title}}} \\')
        block, cells = (
            line.figures,
            [
                r'\quad ' * bool(told)
                + _title(line).replace(' *', '$^*$')
                + f'${dagger}$' * bool(dagger)
            ],
        )
        cells += [
            measure(block['mae'], 2) + words.small(interval(block['interval'], 2)),
            measure(block['mae_ms'], 1),
        ]
        for found, mark in [
            *((block['against'].get(name), dagger) for name in BLIND),
            (line.test, r'^\dagger' if line.leaky_test else ''),
        ]:
            difference, edges, *p = _gain(found)
            cells.append(f'${difference}{mark}$' + words.small(f'${edges}$') if found else '--')
        cells.append('{} ({})'.format(*map(words.escaped, p)) if line.test else '--')
        rows.append(
            ' & '.join(cell.replace('$–$', '--').replace('–', '--') for cell in cells) + r' \\'
        )
    return rows


def _tables(one):
    """The tables of one data set as HTML, its notes below."""
    errors_of, tested, blind = [], [], []
    for line in _lines(one):
        titles = [
            words.daggered(line.run['title'] if line.run else '', leaky)
            for leaky in (line.leaks, line.leaky_test)
        ]
        name, block = _title(line), line.figures
        errors_of.append(
            [
                titles[0],
                name,
                measure(block['mae'], 2),
                interval(block['interval'], 2),
                measure(block['sd'], 2),
                measure(block['mae_ms'], 1),
                interval(block['interval_ms'], 2),
            ]
        )
        tested += (
            [[titles[1], name, *_gain(line.test), line.run['against']['common']]]
            if line.test
            else []
        )
        if line.run:
            blind.append(
                [
                    titles[0],
                    name,
                    *(cell for simple in BLIND for cell in _gain(block['against'][simple])[:3]),
                ]
            )
    columns = ['run', 'decision']
    pieces = [html.table([*columns, 'frames', '95 %', 'sd', 'ms', '95 %'], errors_of)]
    if tested:
        caption = f'Difference to {words.daggered(_own(one), words.reference_of(one)["leaks"])}'
        pieces.append(
            html.table([*columns, 'frames', '95 %', 'p', 'Holm', 'clips'], tested, caption=caption)
        )
    header = [*columns, *(cell for name in BLIND for cell in (TITLES[name], '95 %', 'p'))]
    pieces.append(html.table(header, blind, caption='Difference to the answers without looking'))
    pieces += [
        html.paragraph(words.daggered(note, leaky), 'warning' if leaky else 'soft')
        for leaky, note in _notes(one)
    ]
    keys = ('protocol', 'labels', 'seeds', 'clips', 'subjects')
    size = [
        [words.daggered(run['title'], run['leaks']), *(run[key] for key in keys)]
        for run in one['runs']
    ]
    return [*pieces, html.details('Runs', html.table(['run', *keys], size))]
