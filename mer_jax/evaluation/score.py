"""The tables of a run: predictions in, blocks of results.json out (numpy only; None stands for what
is undefined).

Every figure is computed for each seed on the predictions pooled over folds, then averaged over
seeds; clip counts and supports are counts of one seed (their mean, where seeds test different
rows). `confusion` alone is a sum over seeds.
"""

import numpy as np

from mer_jax.errors import UserError
from mer_jax.evaluation import HEADLINE, METRICS, metrics
from mer_jax.evaluation.metrics import mean, number
from mer_jax.types import Names, Predictions

NOTE = (
    'A leak: these epochs were chosen with the labels of the left-out subjects, as many '
    'published systems do. '
    'Nothing here feeds back into the training or the metrics of this run.'
)


def score(predictions: Predictions, names: Names) -> dict:
    """metrics, sd, intervals, per_dataset, per_class, per_seed, per_subject, per_fold, confusion,
    classes of a run.

    Subjects are keyed by data set and subject. Without predictions (nothing held out) every measure
    is None. UserError where an output is not finite, which means that a fold diverged.
    """
    seeds, subjects, cube = _by_subject(predictions, names)
    pooled = cube.sum(0)
    each = metrics.measures(pooled)
    return {
        'metrics': _means(pooled),
        'sd': {name: number(metrics.spread(each[name])) for name in METRICS},
        'intervals': _intervals(cube),
        'per_dataset': _per_dataset(subjects, cube, names),
        'per_class': metrics.per_class(pooled, names.classes),
        'per_seed': [
            {'seed': int(seed), 'metrics': _means(pooled[i : i + 1])}
            for i, seed in enumerate(seeds)
        ],
        'per_subject': _per_subject(subjects, cube, names),
        'per_fold': _per_fold(predictions, names),
        'confusion': pooled.sum(0).tolist(),
        'classes': list(names.classes),
    }


def oracle(outputs, predictions: Predictions, names: Names) -> dict:
    """What choosing epochs on the left-out subjects would have reported; outputs [E, R, K], rows as
    `predictions`.

    test_best: each fold and seed at the epoch of its best held-out accuracy (ties by the fold's
    UF1, then the earliest). test_best_independent: accuracies from that choice, all other measures
    from a second choice by the fold's UF1 (ties by accuracy, then the earliest). best_common_epoch:
    one epoch for all, by pooled UF1. Epochs count from 1. ValueError where outputs do not fit the
    predictions.
    """
    if outputs.ndim != 3 or not len(outputs) or outputs.shape[1:] != predictions.output.shape:
        raise ValueError(
            f'outputs must be one or more epochs of {predictions.output.shape}, got {outputs.shape}'
        )
    seeds, seed, _, cube = _by_run(outputs, predictions, names)
    every = metrics.measures(cube)
    by_accuracy = _best(every['accuracy'], every['uf1'])
    by_f1 = _best(every['uf1'], every['accuracy'])
    accurate, balanced = (
        _means(_pool(cube, choice, seed, len(seeds))) for choice in (by_accuracy, by_f1)
    )
    chosen = {'accuracy': accurate, 'uf1': balanced}
    mixed = {name: chosen[metric.best_by][name] for name, metric in METRICS.items()}
    curve = _curve(cube, seed, len(seeds))
    common = _best(curve['uf1'][None], curve['accuracy'][None])[0]
    epochs = len(outputs)
    return {
        'note': NOTE,
        'test_best': {'metrics': accurate, 'median_epoch': _median(by_accuracy)},
        'test_best_independent': {
            'metrics': mixed,
            'median_epochs': [_median(by_accuracy), _median(by_f1)],
        },
        'best_common_epoch': {'metrics': _at(curve, common), 'epoch': int(common) + 1},
        'last': {'metrics': _at(curve, epochs - 1), 'epoch': epochs},
        'per_epoch': {
            name: [number(value) for value in curve[name]] for name in METRICS if name in HEADLINE
        },
    }


def best_epoch(outputs, predictions: Predictions, names: Names) -> np.ndarray:
    """int[R]: the epoch (from 0) at which `oracle` has test_best answer each row; outputs [E, R,
    K], rows as `predictions`.
    """
    _, _, run, cube = _by_run(outputs, predictions, names)
    every = metrics.measures(cube)
    return _best(every['accuracy'], every['uf1'])[run]


def _decide(output, predictions):
    """Class of the largest output [..., R]; a NaN would win every argmax and pass for class 0."""
    bad = np.argwhere(~np.isfinite(output).all(-1))
    if len(bad):
        *epoch, row = bad[0]
        where = f'fold {predictions.fold[row]}, seed {predictions.seed[row]}'
        if epoch:
            what = f'held-out outputs of epoch {epoch[0] + 1} are missing or not finite'
            raise UserError(
                f'{where}: {what}; start with evaluate.every_epoch in a new --workdir, or switch '
                'it off'
            )
        raise UserError(
            f'{where}: outputs are not finite, so training diverged; a smaller learning rate '
            'may help'
        )
    return np.argmax(output, -1)


def _by_subject(predictions, names):
    """Seeds [R], (data set, subject) pairs [S, 2] and confusions int64[S, R, K, K]."""
    predicted = _decide(predictions.output, predictions)
    seeds, seed = np.unique(predictions.seed, return_inverse=True)
    pairs = np.stack([predictions.dataset, predictions.subject], 1)
    subjects, subject = np.unique(pairs, axis=0, return_inverse=True)
    return (
        seeds,
        subjects,
        _cube(predictions.label, predicted, (subject, seed), (len(subjects), len(seeds)), names),
    )


def _by_run(outputs, predictions, names):
    """Seeds, the seed number of every run [G], the run of every row [R] and confusions int64[G, E,
    K, K] of run and epoch.
    """
    predicted = _decide(outputs, predictions)
    seeds, seed = np.unique(predictions.seed, return_inverse=True)
    runs, run = np.unique(np.stack([seed, predictions.fold], 1), axis=0, return_inverse=True)
    keys = (np.tile(run, len(outputs)), np.repeat(np.arange(len(outputs)), len(run)))
    cube = _cube(
        np.tile(predictions.label, len(outputs)),
        predicted.ravel(),
        keys,
        (len(runs), len(outputs)),
        names,
    )
    return seeds, runs[:, 0], run, cube


def _cube(label, predicted, keys, shape, names):
    """Confusions int64[*shape, K, K] of rows with one number per axis of `shape` in `keys`."""
    group = (
        np.ravel_multi_index([np.ravel(key) for key in keys], shape)
        if len(label)
        else np.zeros(0, int)
    )
    classes = len(names.classes)
    flat = metrics.confusions(label, predicted, group, groups=int(np.prod(shape)), classes=classes)
    return flat.reshape(*shape, classes, classes)


def _means(pooled):
    """{measure: mean over seeds} of pooled confusions [R, K, K]."""
    return {name: number(mean(value, axis=0)) for name, value in metrics.measures(pooled).items()}


def _intervals(cube):
    """{measure: [low, high]} over subjects, None where fewer than two subjects were tested."""
    found = metrics.intervals(cube)
    return {name: None if np.isnan(edges).any() else edges for name, edges in found.items()}


def _per_dataset(subjects, cube, names):
    """{data set: n, subjects, measures, intervals}, in the order of names.datasets, those
    tested.
    """
    blocks = {}
    for index in np.unique(subjects[:, 0]):
        part = cube[subjects[:, 0] == index]
        counts = {'n': _counts(part.sum(0))['clips'], 'subjects': len(part)}
        blocks[names.datasets[index]] = {
            **counts,
            **_means(part.sum(0)),
            'intervals': _intervals(part),
        }
    return blocks


def _counts(pooled):
    """clips, correct and accuracy of one group's confusions [R, K, K], mean over the seeds that
    tested it.
    """
    clips = pooled.sum((-2, -1))
    tested = clips > 0
    correct = np.trace(pooled, axis1=-2, axis2=-1)[tested].mean()
    clips = clips[tested].mean()
    return {'clips': number(clips), 'correct': number(correct), 'accuracy': number(correct / clips)}


def _per_subject(subjects, cube, names):
    """A list of {dataset, subject, clips, correct, accuracy}."""
    titles = [{'dataset': names.datasets[d], 'subject': names.subjects[s]} for d, s in subjects]
    return [{**title, **_counts(part)} for title, part in zip(titles, cube, strict=True)]


def _per_fold(predictions, names):
    """A list of {fold, clips, correct, accuracy, uf1}; this UF1 averages over the classes of that
    fold alone.
    """
    predicted = _decide(predictions.output, predictions)
    seeds, seed = np.unique(predictions.seed, return_inverse=True)
    folds, fold = np.unique(predictions.fold, return_inverse=True)
    cube = _cube(predictions.label, predicted, (fold, seed), (len(folds), len(seeds)), names)
    return [
        {'fold': int(f), **_counts(part), 'uf1': _means(part)['uf1']}
        for f, part in zip(folds, cube, strict=True)
    ]


def _best(first, second):
    """int[G]: earliest epoch of the largest `first` [G, E], ties by `second`, both compared to 12
    digits.
    """
    # equal means may differ in their last bits
    first, second = np.round(first, 12), np.round(second, 12)
    top = first == first.max(-1, keepdims=True)
    return np.argmax(np.where(top, second, -1.0), -1)


def _pool(cube, choice, seed, seeds):
    """Confusions [seeds, K, K] of every run at its chosen epoch."""
    pooled = np.zeros((seeds, *cube.shape[-2:]), np.int64)
    np.add.at(pooled, seed, cube[np.arange(len(cube)), choice])
    return pooled


def _curve(cube, seed, seeds):
    """{measure: float[E]}: all folds at one epoch, mean over seeds."""
    pooled = np.zeros((seeds, *cube.shape[1:]), np.int64)
    np.add.at(pooled, seed, cube)
    return {name: mean(value, axis=0) for name, value in metrics.measures(pooled).items()}


def _at(curve, epoch):
    """The measures of one epoch (counted from 0)."""
    return {name: number(curve[name][epoch]) for name in METRICS}


def _median(choice):
    """Median epoch, counted from 1; None without runs."""
    return number(np.median(choice) + 1) if len(choice) else None
