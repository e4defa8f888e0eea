"""The table of compared spotting runs (studies/compare_spotting.py).

The baselines come first, then each decoder of each run. The baselines, midpoint and fitted
fraction, do not look at the frames.
"""

import numpy as np

from mer_jax.data.apexes import BLIND
from mer_jax.evaluation import DRAWS, OVER_SUBJECTS
from mer_jax.report.compare_tables import (
    MOST_TILES,
    difference,
    honest,
    leaky_pair,
    notes,
    of_runs,
    reference_of,
)
from mer_jax.report.formats import frames, interval, milliseconds, p_value, plural, signed_frames
from mer_jax.report.page import Tile
from mer_jax.report.plots_spotting import TITLES
from mer_jax.report.study import Study
from mer_jax.report.table import Cell, Column, Note, Row, Table

METHOD = (
    'Errors are distances in frames (or ms) between the predicted and the annotated apex, averaged '
    'over seeds, then over clips; sd is over seeds. A * marks the decoder that the run reports. 95 '
    f'% intervals are {OVER_SUBJECTS}, {DRAWS}. A negative difference means '
    'that the run is nearer to the apex. Differences to the baselines (midpoint, fitted fraction) '
    'are on all clips of the run, those to the reference on the clips that every seed of both runs '
    'tested. p comes from a permutation test that swaps the two predictions of a subject; Holm is '
    'p adjusted for all tests against the reference on that data set. A dash means undefined, or '
    'that the runs cannot be compared.'
)
BASELINES = 'minus the baselines'


def study(result: dict) -> Study:
    """Make the tables and texts of compared spotting runs.

    Args:
        result: the content of compare.json.
    """
    tables = [_table(group) for group in result['groups']]
    return of_runs(result['groups'], tables, METHOD, _headline(result['groups']))


def _headline(groups):
    """The error of each run on each data set."""
    tiles = []
    for group in groups:
        where = f' on {group["dataset"]}' if len(groups) > 1 else ''
        for run in group['runs'][:MOST_TILES]:
            block = run['decisions'][run['answer']]
            edges = interval(block['interval'], 2)
            title = f'mean error in frames, {run["title"]}{where}'
            tiles.append(Tile(title, frames(block['mae']), f'95 % {edges}'))
    return tiles


def _table(group):
    """The runs on one data set: baselines, then each run."""
    reference = reference_of(group)
    rows = []
    for name, block in group['simple'].items():
        # The fraction is fitted to training clips; the midpoint is not fitted.
        leaks = reference['leaks'] if name == 'fraction' else []
        cells = _cells_of_decoder(group, name, block, leaks)
        rows.append(Row(cells | _cells_of_run(reference) | {'run': ''}))
    for run in group['runs']:
        size = ', '.join(plural(run[f'{word}s'], word) for word in ('seed', 'clip', 'subject'))
        heading = Cell(f'{run["title"]}: {run["protocol"]}, {size}', leaky=bool(run['leaks']))
        for name, block in run['decisions'].items():
            cells = _cells_of_decoder(group, name, block, run['leaks']) | _cells_of_run(run)
            rows.append(Row(cells | _cells_of_test(group, run, name), heading))
    title = f'{group["title"]}; reference: {_reference_title(group)}'
    return Table(title, _columns(group), rows, notes(group) + _notes_on_baselines(group))


def _columns(group):
    """The columns of a group, in the order of compare.csv."""
    minus, no_paper = f'minus {_reference_title(group)}', ['text', 'csv', 'html']
    columns = [Column('decoder', 'title', forms=['text', 'latex', 'html'])]
    for key in (
        'dataset run honest leaks system labels protocol seeds clips subjects decision own_answer'
    ).split():
        columns.append(Column(key, key, forms=['csv']))
    columns += [
        Column('frames', 'frames', frames, True),
        Column('sd', 'frames_sd', frames, forms=no_paper),
        Column('ms', 'ms', milliseconds, True, forms=no_paper),
        Column('ms', 'ms_alone', milliseconds, forms=['latex']),
        *(
            Column(key, key, forms=['csv'])
            for key in ('reference', 'reference_decision', 'reference_honest')
        ),
    ]
    for name in BLIND:
        title = f'$\\Delta$ {TITLES[name]}'
        key = f'{name}_difference'
        columns += [
            Column(TITLES[name], key, signed_frames, True, BASELINES, latex=title),
            Column('p', f'{name}_p', p_value, block=BASELINES, forms=no_paper),
        ]
    return columns + [
        Column('frames', 'difference', signed_frames, True, minus, latex=r'$\Delta$ reference'),
        Column('p', 'p', p_value, block=minus, latex='$p$'),
        Column('Holm', 'p_holm', p_value, block=minus),
        Column('clips', 'common_clips', block=minus, forms=['csv', 'html']),
        Column('folder', 'folder', forms=['csv']),
    ]


def _cells_of_decoder(group, name, block, leaks):
    """The error of a decoder, and its differences."""
    reference = reference_of(group)
    cells = {
        'title': Cell(TITLES[name], leaky=bool(leaks)),
        'dataset': group['dataset'],
        'honest': honest(leaks),
        'leaks': '; '.join(leaks),
        'decision': name,
        'own_answer': 'no',
        'frames': Cell(block['mae'], block['interval']),
        'frames_sd': block['sd'],
        'ms': Cell(block['mae_ms'], block['interval_ms']),
        'ms_alone': block['mae_ms'],
        'reference': group['reference'],
        'reference_decision': group['decision'],
        'reference_honest': honest(reference['leaks']),
    }
    for simple, paired in block['against'].items():
        cells[f'{simple}_difference'] = difference(paired, bool(leaks))
        cells[f'{simple}_p'] = paired['p']
    return cells


def _cells_of_run(run):
    """The cells that CSV repeats for a run."""
    keys = ('protocol', 'seeds', 'clips', 'subjects', 'folder')
    return {key: run[key] for key in keys}


def _cells_of_test(group, run, name):
    """The test of a decoder against the reference."""
    reported, against = name == run['answer'], run['against'] or {}
    cells = {
        'title': Cell(TITLES[name] + (' *' if reported else ''), leaky=bool(run['leaks'])),
        'run': run['title'],
        'system': run['system'],
        'labels': run['labels'],
        'own_answer': 'yes' if reported else 'no',
        'common_clips': against.get('common'),
    }
    if name not in against:
        is_reference = run['title'] == group['reference'] and name == group['decision']
        absent = 'reference' if is_reference else '–'
        return cells | {'difference': Cell(None, absent=absent)}
    paired = against[name]
    cells['difference'] = difference(paired, leaky_pair(group, run))
    return cells | {'p': paired['p'], 'p_holm': paired['holm']}


def _reference_title(group):
    """The decoder that every run is compared with."""
    return f'{TITLES[group["decision"]]} of {group["reference"]}'


def _notes_on_baselines(group):
    """Footnotes on runs whose baselines differ from the reference's."""
    footnotes = []
    for run in group['runs']:
        differs = [
            not np.isclose(run['simple'][name], group['simple'][name]['mae']) for name in BLIND
        ]
        if any(differs):
            baselines = ', '.join(f'{TITLES[name]} {frames(run["simple"][name])}' for name in BLIND)
            footnotes.append(
                Note(
                    f'{run["title"]} has other clips or folds; its differences are to the '
                    f'baselines on these: {baselines}'
                )
            )
    return footnotes
