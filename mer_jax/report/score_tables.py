"""The scores of a table of predictions that other software wrote."""

import textwrap
from collections.abc import Sequence

from mer_jax.evaluation import HEADLINE
from mer_jax.report import recognition_tables
from mer_jax.report.formats import (
    NAMES_IN_PAPERS,
    WIDTH,
    interval,
    measure,
    measure_title,
    plural,
    rounded,
)
from mer_jax.report.study import Study, tile
from mer_jax.report.table import Cell, Column, Note, Row, Table, listing, text

AS_REPORTED = 'as reported by its authors; a table cannot show whether its training leaked'
METHOD = (
    f'{NAMES_IN_PAPERS} Scores are means over seeds. 95 % bootstrap intervals over subjects, given '
    'these trainings.'
)


def verdict(results: dict) -> str:
    """Return UF1 with its interval, and that leaks are unknown."""
    uf1, edges = results['metrics']['uf1'], results['intervals']['uf1']
    score = f'UF1 {measure(uf1)} {interval(edges)}' if edges else f'UF1 {measure(uf1)}'
    return f'{score}; {AS_REPORTED}'


def size(results: dict) -> str:
    """Return clips, subjects, data sets and seeds as text."""
    return (
        f'{plural(results["clips"], "clip")} of {plural(len(results["per_subject"]), "subject")} '
        f'of {" + ".join(results["per_dataset"])}, {plural(results["seeds"], "seed")}'
    )


def measures(results: dict) -> Table:
    """UF1, UAR and accuracy with intervals, overall and of each data set."""
    columns = [
        Column('clips of', 'dataset'),
        *(Column(measure_title(name), name, measure, interval=True) for name in HEADLINE),
        Column('clips', 'clips', '{:.5g}'.format),
        Column('subjects', 'subjects'),
    ]
    rows = []
    for title, block in results['per_dataset'].items():
        cells = {name: Cell(block[name], block['intervals'][name]) for name in HEADLINE}
        cells |= {'dataset': title, 'clips': block['n'], 'subjects': block['subjects']}
        rows.append(Row(cells))
    if len(rows) > 1:
        metrics, edges = results['metrics'], results['intervals']
        cells = {name: Cell(metrics[name], edges[name]) for name in HEADLINE}
        cells |= {'clips': results['clips'], 'subjects': len(results['per_subject'])}
        rows.insert(0, Row(cells | {'dataset': 'all data sets'}))
    return Table('', columns, rows)


def study(results: dict, checks: Sequence[str]) -> Study:
    """Make the page of the scores of a table.

    Args:
        results: the content of results.json.
        checks: what was checked and what could not be, a sentence each.
    """
    summed = ', counts over all seeds' if results['seeds'] > 1 else ''
    headline = measures(results)
    counts = [
        [name, *row] for name, row in zip(results['classes'], results['confusion'], strict=True)
    ]
    keys = ('subject', 'dataset', 'clips')
    subjects = [
        [*(block[key] for key in keys), rounded(block['correct']), block['accuracy']]
        for block in results['per_subject']
    ]
    tables = [
        Table('Scores', headline.columns, headline.rows, [Note(check) for check in checks[1:]]),
        _titled('All metrics', recognition_tables.measures(results)),
        _titled('Classes', recognition_tables.classes(results)),
        _titled(
            f'Confusion (rows: truth, columns: prediction{summed})',
            listing(['', *results['classes']], counts),
        ),
        _titled(
            'Subjects', listing(['subject', 'data set', 'clips', 'correct', 'accuracy'], subjects)
        ),
    ]
    return Study(
        name='score',
        title=f'Scores of {results["name"]}',
        size=f'{size(results)}; {checks[0]}',
        verdict=verdict(results),
        leaks=[],
        tables=tables,
        method=METHOD,
        headline=[
            tile(measure_title(name), results['metrics'][name], results['intervals'][name])
            for name in HEADLINE
        ],
    )


def terminal(results: dict, checks: Sequence[str]) -> str:
    """Format the scores and the checks for the terminal, at most 100 columns.

    Args:
        results: the content of results.json.
        checks: as in `study`; the first, on clips and labels, stands above the scores.
    """
    lines = [
        *textwrap.wrap(f'{results["name"]}: {size(results)}', WIDTH),
        *textwrap.wrap(verdict(results), WIDTH),
        *textwrap.wrap(checks[0], WIDTH),
        '',
        text(measures(results)),
        '',
    ]
    counts = recognition_tables.confusion(results)
    if counts is not None:
        summed = ', sum over all seeds' if results['seeds'] > 1 else ''
        lines += [f'confusion (rows: truth, columns: prediction{summed})', text(counts), '']
    for check in checks[1:]:
        lines += textwrap.wrap(check, WIDTH, initial_indent='- ', subsequent_indent='  ')
    return '\n'.join([*lines, '', *textwrap.wrap(METHOD, WIDTH)])


def _titled(title, table):
    return Table(title, table.columns, table.rows, table.notes)
