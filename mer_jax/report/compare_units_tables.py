"""The table of compared runs that detect action units (studies/compare_units.py).

What needs no face comes first, then each run: its means over units, then each unit.
"""

from mer_jax.evaluation import DRAWS, OVER_SUBJECTS, UNIT_METRICS
from mer_jax.report.action_units_tables import EXPLAINED, titled
from mer_jax.report.compare_tables import (
    MOST_TILES,
    difference,
    honest,
    leaky_pair,
    notes,
    of_runs,
)
from mer_jax.report.formats import measure, p_value, plural, signed
from mer_jax.report.study import Study, tile
from mer_jax.report.table import Cell, Column, Row, Table

MEAN = 'mean over units'
TESTED = {'f1': 'F1', 'average_precision': 'AP'}
METHOD = (
    'F1 and average precision (AP) of each unit, and their means over the units that a held-out '
    f'clip shows, averaged over seeds; sd is over seeds. {EXPLAINED} 95 % intervals are '
    f'{OVER_SUBJECTS}, {DRAWS}, within each data set. A difference is a run minus the reference, '
    'on the clips that every seed of both tested. p comes from a permutation test that swaps the '
    'two runs of a subject. Holm is p adjusted: of a mean for all runs on that data set, of a unit '
    'for all units of the run. A dash means undefined, or that the runs cannot be compared.'
)


def study(result: dict) -> Study:
    """Make the tables and texts of compared runs that detect action units.

    Args:
        result: the content of compare.json.
    """
    tables = [_table(group) for group in result['groups']]
    return of_runs(result['groups'], tables, METHOD, _headline(result['groups']))


def _headline(groups):
    """Mean F1 of each run on each data set."""
    tiles = []
    for group in groups:
        where = f' on {group["dataset"]}' if len(groups) > 1 else ''
        for run in group['runs'][:MOST_TILES]:
            mean, edges = run['metrics']['f1'], run['intervals']['f1']
            tiles.append(tile(f'mean F1, {run["title"]}{where}', mean, edges, bool(run['leaks'])))
    return tiles


def _table(group):
    """The runs on one data set: what needs no face, then each run."""
    no_face = Cell('without a face: always the most frequent units; chance')
    blocks = {MEAN: group['no_face'], **group['no_face']['per_unit']}
    rows = []
    for unit, block in blocks.items():
        scores = {metric: Cell(block[metric], ()) for metric in UNIT_METRICS}
        rows.append(Row(_cells_of_group(group, unit) | scores | {'honest': 'yes'}, no_face))
    for run in group['runs']:
        size = ', '.join(plural(run[f'{word}s'], word) for word in ('seed', 'clip', 'subject'))
        leaky = bool(run['leaks'])
        heading = Cell(f'{run["title"]}: {run["protocol"]}, {size}', leaky=leaky)
        of_run = _cells_of_run(run)
        scores = {
            metric: _score(run['metrics'][metric], run['intervals'][metric], leaky)
            for metric in UNIT_METRICS
        }
        scores['sd'] = run['sd']['f1']
        cells = _cells_of_group(group, MEAN) | of_run | scores
        rows.append(Row(cells | _cells_of_test(group, run, run['against'] or {}), heading))
        per_unit = (run['against'] or {}).get('per_unit', {})
        for block in run['per_unit']:
            scores = {
                metric: _score(block[metric], block[f'{metric}_interval'], leaky)
                for metric in UNIT_METRICS
            }
            cells = _cells_of_group(group, block['unit']) | of_run | scores
            tests = _cells_of_test(group, run, per_unit.get(block['unit'], {}))
            rows.append(Row(cells | tests, heading))
    return Table(
        f'{group["title"]}; reference: {group["reference"]}', _columns(group), rows, notes(group)
    )


def _score(value, edges, leaky):
    """The cell of a score; nothing leaks into a unit that no clip shows."""
    return Cell(value, edges, leaky and value is not None)


def _columns(group):
    """The columns of a group, in the order of compare.csv."""
    no_paper = ['text', 'csv', 'html']
    columns = [Column('unit', 'title', forms=['text', 'latex', 'html'])]
    for key in (
        'dataset run honest leaks system protocol seeds clips subjects unit reference'
    ).split():
        columns.append(Column(key, key, forms=['csv']))
    columns += [
        Column('F1', 'f1', measure, True),
        Column('AP', 'average_precision', measure, True),
        Column('macro F1', 'macro_f1', measure, True, forms=['csv', 'html']),
    ]
    minus = f'minus {group["reference"]}'
    for metric, title in TESTED.items():
        key = f'{metric}_difference'
        columns += [
            Column(title, key, signed, True, minus, latex=f'$\\Delta$ {title}'),
            Column('p', f'{metric}_p', p_value, block=minus, latex='$p$'),
            Column('Holm', f'{metric}_holm', p_value, block=minus, forms=no_paper),
        ]
    return [
        *columns,
        Column('clips', 'common_clips', block=minus, forms=['csv', 'html']),
        Column('folder', 'folder', forms=['csv']),
    ]


def _cells_of_group(group, unit):
    """The unit, and what CSV repeats for a group."""
    return {
        'title': unit if unit == MEAN else titled(unit),
        'unit': '' if unit == MEAN else unit,
        'dataset': group['dataset'],
        'reference': group['reference'],
    }


def _cells_of_run(run):
    """What CSV repeats for a run."""
    keys = ('system', 'protocol', 'seeds', 'clips', 'subjects', 'folder')
    words = {'run': run['title'], 'honest': honest(run['leaks']), 'leaks': '; '.join(run['leaks'])}
    return words | {key: run[key] for key in keys}


def _cells_of_test(group, run, tests):
    """The tests against the reference, of means or of one unit."""
    cells = {}
    for metric in TESTED:
        if metric in tests:
            test = tests[metric]
            cells[f'{metric}_difference'] = difference(test, leaky_pair(group, run))
            cells |= {f'{metric}_p': test['p'], f'{metric}_holm': test['holm']}
    if 'common' in tests:
        cells['common_clips'] = tests['common']
    return cells
