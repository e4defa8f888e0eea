"""The page and table of a run that detects action units."""

import textwrap
from pathlib import Path

from mer_jax import provenance
from mer_jax.evaluation import OVER_SUBJECTS
from mer_jax.report import page
from mer_jax.report import table as tables
from mer_jax.report.formats import WIDTH, interval, measure, plural, rounded
from mer_jax.report.table import Cell, Column, Row, Table, tree_listing
from mer_jax.report.text import honesty
from mer_jax.runfiles import files, writing
from mer_jax.runfiles.results import UnitResults


def table(results: dict) -> str:
    """Format the result for the terminal, at most 100 columns."""
    lines = textwrap.wrap(f'{results["name"]}: {_size(results)}', WIDTH)
    lines += textwrap.wrap(_verdict(results), WIDTH)
    for leak in results['leaks']:
        lines += textwrap.wrap(f'leak: {leak}', WIDTH, subsequent_indent='      ')
    lines += ['', tables.text(_units(results))]
    for note in results['notes']:
        lines += textwrap.wrap(note, WIDTH, subsequent_indent='    ')
    lines.append(f'95 % intervals are {OVER_SUBJECTS}.')
    return '\n'.join(lines)


def report(folder: str | Path) -> Path:
    """Write report.html, a single file.

    Args:
        folder: of the run.

    Returns:
        The path of report.html.

    Raises:
        UserError: the folder holds no results of action units.
    """
    folder = Path(folder)
    results = UnitResults.read(folder).to_json()
    keys = ('plan', 'seconds', 'data', 'versions')
    blocks = {key: results[key] for key in keys if results.get(key)}
    text = page.render(
        'spotting.html',
        title=f'{results["name"]}: action units',
        name=results['name'],
        size=_size(results),
        verdict=_verdict(results),
        leaks=results['leaks'],
        code=provenance.describe(results['versions']),
        errors=None,
        training=None,
        settings=None,
        run=tables.html(_units(results)) + tables.html(tree_listing(blocks, show=rounded)),
        plots=files.PLOTS,
    )
    path = folder / files.REPORT
    writing.write_text(path, text)
    return path


def _size(results):
    runs = f'{plural(results["folds"], "fold")}, {plural(results["seeds"], "seed")}'
    rest = f'{plural(results["epochs"], "epoch")}, {plural(results["clips"], "clip")}'
    return f'action units, {results["protocol"]}, {runs}, {rest}'


def _verdict(results):
    """Mean F1 in one line, beside that of the most frequent units."""
    edges = results['intervals']['f1']
    shown = f' {interval(edges)}' if edges else ''
    return (
        f'Mean F1 over units {measure(results["metrics"]["f1"])}{shown}, of the most frequent '
        f'units {measure(results["baselines"]["most_frequent"]["f1"])}; '
        f'{honesty(results["leaks"])}'
    )


def _units(results):
    """F1 and average precision of each unit."""
    columns = [
        Column('unit', 'unit'),
        Column('present', 'present', rounded),
        Column('F1', 'f1', measure, interval=True),
        Column('frequent', 'most_frequent_f1', measure),
        Column('AP', 'average_precision', measure, interval=True),
        Column('chance', 'chance_average_precision', measure),
    ]
    rows = []
    for block in results['per_unit']:
        cells = dict(block)
        for name in ('f1', 'average_precision'):
            cells[name] = Cell(block[name], block[f'{name}_interval'])
        rows.append(Row(cells))
    return Table('', columns, rows)
