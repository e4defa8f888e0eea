"""Compare finished runs that detect action units.

Means over units have paired differences to the reference run, with tests by subject, and so has
each unit. What needs no face, always the most frequent units and chance, appears once per data set,
with the figures of the reference run.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mer_jax.evaluation import OVER_SUBJECTS, paired, units
from mer_jax.evaluation.metrics import to_json
from mer_jax.evaluation.units import COMPARED
from mer_jax.report import plots_units
from mer_jax.runfiles.unit_predictions import UnitRow, UnitTable

if TYPE_CHECKING:  # compare imports this module
    from mer_jax.studies.compare import Run

TESTED = ('f1', 'average_precision')
CAPTION = (
    f'Average precision of each unit. Whiskers show 95 % intervals {OVER_SUBJECTS}, ticks what '
    'needs no face. A hollow mark and a † mean that the run leaks.'
)


def read(folder: str | Path) -> list[UnitRow]:
    """Read the held-out rows of a run."""
    return list(UnitTable.read(folder).rows)


def group(title: str, members: Sequence['Run'], names: Sequence[str], reference: 'Run') -> dict:
    """Compare the runs on one data set.

    Args:
        title: of the data set.
        members: the runs, of the same units.
        names: their systems.
        reference: the run that the others are compared with.

    Returns:
        title, dataset, reference (title of the run), units, no_face {metric: value, per_unit} and
        runs. A run is as in compare.table, with metrics, sd and intervals of UNIT_METRICS, per_unit
        and against {common, f1 and average_precision, which are {difference, interval, p, holm},
        per_unit {unit: the same}}. holm of a mean is adjusted for the runs of the group, that of a
        unit for the units of the run.
    """
    rows = [_row(run, name) for run, name in zip(members, names, strict=True)]
    for row, run in zip(rows, members, strict=True):
        row['against'] = None if run is reference else _against(reference, run)
    for metric in TESTED:
        paired.add_holm([row['against'][metric] for row in rows if row['against']])
    return {
        'title': title,
        'dataset': reference.results['data']['name'],
        'reference': reference.title,
        'units': reference.results['units'],
        'no_face': _no_face(reference.results),
        'runs': rows,
    }


def draw(folder: str | Path, table: Mapping[str, list[dict]]) -> dict[Path, str]:
    """Draw units.svg, and differences.svg where a run has a reference.

    Returns:
        {path of a plot: what is seen in it, in words}.
    """
    drawn = {}
    plots = {'units': plots_units.compared, 'differences': plots_units.differences}
    for name, plot in plots.items():
        path = Path(folder) / f'{name}.svg'
        words = plot(path, table['groups'])
        if words:
            drawn[path] = words
    return drawn


def _row(run, name):
    """The figures of one run."""
    results = run.results
    blocks = results['per_dataset'].values()
    return {
        'title': run.title,
        'system': name,
        'folder': str(run.folder),
        'protocol': results['protocol'],
        'labels': results['data']['labels'],
        'leaks': list(results['leaks']),
        'seeds': results['seeds'],
        'clips': to_json(sum(block['clips'] for block in blocks)),
        'subjects': sum(block['subjects'] for block in blocks),
        'metrics': results['metrics'],
        'sd': results['sd'],
        'intervals': results['intervals'],
        'per_unit': results['per_unit'],
    }


def _no_face(results):
    """What the scores of a run are compared with, of means and of each unit."""
    means = {
        metric: results['baselines'][baseline][metric] for metric, (baseline, _) in COMPARED.items()
    }
    per_unit = {}
    for block in results['per_unit']:
        per_unit[block['unit']] = {metric: block[key] for metric, (_, key) in COMPARED.items()}
    return means | {'per_unit': per_unit}


def _against(reference, run):
    """Differences to the reference; None where the runs cannot be compared."""
    truth = [_truth(one) for one in (reference, run)]
    common = sorted(truth[0].keys() & truth[1].keys())
    if not common or any(truth[0][key] != truth[1][key] for key in common):
        return None
    targets = reference.results['units']
    subjects = sorted({key[:2] for key in common})
    shared = units.Shared(
        truth=np.array([truth[0][key] for key in common], float),
        subject=np.array([subjects.index(key[:2]) for key in common]),
        dataset=np.array([dataset for dataset, _ in subjects]),
    )
    outputs = [_outputs(one, common, targets) for one in (reference, run)]
    tests = units.difference(shared, *outputs, targets)
    against = {'common': len(common), 'per_unit': {}}
    for metric in TESTED:
        against[metric] = _test(tests[metric])
        of_units = {
            unit: _test(tests[f'{metric} {unit}'])
            for unit in targets
            if f'{metric} {unit}' in tests
        }
        paired.add_holm(list(of_units.values()))
        for unit, test in of_units.items():
            against['per_unit'].setdefault(unit, {})[metric] = test
    return against


def _key(row):
    """What identifies a clip in all runs."""
    return row.dataset, row.subject, row.clip


def _truth(run):
    """{key: truth of each unit, None where unknown} of clips that every seed tested."""
    seeds, truth = {}, {}
    for row in run.rows:
        seeds.setdefault(_key(row), set()).add(row.seed)
        truth[_key(row)] = tuple(row.truth[unit] for unit in run.results['units'])
    count = len({row.seed for row in run.rows})
    return {key: values for key, values in truth.items() if len(seeds[key]) == count}


def _outputs(run, common, targets):
    """The outputs of a run on common clips, float64[R, N, A]."""
    seeds = sorted({row.seed for row in run.rows})
    number = {key: place for place, key in enumerate(common)}
    outputs = np.zeros((len(seeds), len(common), len(targets)))
    for row in run.rows:
        if _key(row) in number:
            place = seeds.index(row.seed), number[_key(row)]
            outputs[place] = [row.outputs[unit] for unit in targets]
    return outputs


def _test(block):
    """A difference as JSON holds it."""
    edges = block['interval']
    return {
        'difference': to_json(block['difference']),
        'interval': None if np.isnan(edges).any() else edges,
        'p': to_json(block['p']),
    }
