"""What annotated action units are worth: a ceiling for recognisers that detect them.

A logistic regression maps the annotated units to the class, in the folds of the run: it learns from
training clips with known units, and predicts tested clips by their annotation. It is no recogniser,
because no one has annotations of new clips.
"""

import numpy as np

from mer_jax.classical import logistic, svm, threads
from mer_jax.evaluation import HEADLINE
from mer_jax.evaluation.score import score
from mer_jax.training import held_out
from mer_jax.types import Folds, Names, Predictions, Samples

NOTE = (
    'A ceiling, not a recogniser: it uses the annotated action units of the tested clips. A '
    'balanced logistic regression maps them to the class; it learns from the training clips of '
    'each fold whose units are known.'
)
COST = 1.0  # C


def ceiling(predictions: Predictions, samples: Samples, folds: Folds, names: Names) -> dict | None:
    """Score annotated action units, and beside them the run on the same clips.

    Args:
        predictions: of the run, all folds and seeds.
        samples: all rows, with action units.
        folds: all runs.
        names: of classes, data sets and units.

    Returns:
        The entry `ceiling` of results.json: note; clips (of one seed) that are scored, subjects,
        and datasets, {name: clips}; metrics and intervals of the annotated units; run_metrics and
        run_intervals, of the run on these clips. None where no tested clip has known units, or no
        fold that tests one trains on others.
    """
    units = samples.extras.get('action_units', np.zeros((len(samples.label), 0)))
    known = np.isfinite(units).all(1) & (units.shape[1] > 0)
    if not known.any():
        return None
    with threads.products_in_one_thread():
        outputs = _outputs(units, known, samples, folds, names)
    outputs = held_out.in_stored_order(outputs, folds)
    scored = np.isfinite(outputs).all(1)
    if not scored.any():
        return None
    of_run = Predictions(*(np.asarray(column)[scored] for column in predictions))
    of_units = of_run._replace(output=outputs[scored].astype(np.float32))
    blocks = {'': score(of_units, names), 'run_': score(of_run, names)}
    figures = {}
    for prefix, block in blocks.items():
        for key in ('metrics', 'intervals'):
            figures[prefix + key] = {name: block[key][name] for name in HEADLINE}
    per_dataset = blocks['']['per_dataset']
    return {
        'note': NOTE,
        'clips': sum(block['n'] for block in per_dataset.values()),
        'subjects': sum(block['subjects'] for block in per_dataset.values()),
        'datasets': {name: block['n'] for name, block in per_dataset.items()},
        **figures,
    }


def _outputs(units, known, samples, folds, names):
    """Log probabilities [F, 1, m, K] of test rows by their annotated units; NaN of all others."""
    outputs = np.full((*folds.test.index.shape, len(names.classes)), np.nan)
    of_rows = {}  # of each training set, which seeds share
    for run in range(len(folds.fold)):
        train, test = svm.rows_of_run(samples, folds, run)
        train, position = train[known[train]], np.flatnonzero(known[test])
        if not len(train) or not len(position):
            continue
        rows = test[position]
        key = train.tobytes(), rows.tobytes()
        if key not in of_rows:
            of_rows[key], _ = logistic.balanced(
                units[train],
                samples.label[train],
                units[rows],
                COST,
                classes=len(names.classes),
            )
        outputs[run, position] = of_rows[key]
    return outputs[:, None]
