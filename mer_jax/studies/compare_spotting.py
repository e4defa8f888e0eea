"""Finished spotting runs side by side: the error of every decision, what it gains on answers
without looking and on the reference's own answer (no jax).

Midpoint and fitted fraction stand once a group, as the reference found them: they are the same for
all runs on the same folds.
"""

from pathlib import Path

import numpy as np

from mer_jax.data.apexes import BLIND
from mer_jax.evaluation import paired
from mer_jax.evaluation.metrics import to_json
from mer_jax.report import plots_spotting
from mer_jax.runfiles.apexes import ApexTable

FIGURES = ('mae', 'interval', 'sd', 'mae_ms', 'interval_ms', 'against')
PLOT_WORDS = (
    'Mean error of every decision. Whiskers: 95 % interval over subjects; a bold figure: the '
    'decision that the run '
    'itself answers by. A hollow mark and †: the run leaks.'
)


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
                name: float(np.mean([abs(row.predicted[name] - row.apex) for row in own]))
                for name in run.results['spotting']
            },
        }
        for key, own in rows.items()
        if len(own) == len(seeds)
    }


def counted(run) -> bool:
    """Whether the rows of a run make the errors that its results tell."""
    blocks = run.results['spotting']
    if not run.rows or blocks.keys() - run.rows[0].predicted.keys():
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
        test['holm'] = to_json(p)
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
            name: paired.mean_test(start, [second[key][name] for key in common], subject)
            for name in decisions
            if not (same and name == own)
        },
    }
