"""Scores of a recognition run, for results.json.

A score is computed for each seed on the predictions of all folds together, then averaged over
seeds. Numbers of clips are those of one seed (their mean, where seeds test different rows). Only
`confusion` is a sum over seeds. None means undefined.
"""

import numpy as np

from mer_jax.errors import UserError
from mer_jax.evaluation import HEADLINE, METRICS, metrics
from mer_jax.evaluation.metrics import nanmean, to_json
from mer_jax.types import Names, Predictions

NOTE = (
    'A leak: these epochs were chosen with the labels of the left-out subjects, as in many '
    'published systems. '
    'The training and the metrics of this run do not use them.'
)


REPEATS_NOTE = (
    'Each draw divides the subjects into other groups, so that other subjects train. The training '
    'sets of two draws share most of their subjects: the spread is a lower bound of that over '
    'independent training sets.'
)


def score(predictions: Predictions, names: Names, *, draws: int = 1) -> dict:
    """Compute all scores of a recognition run.

    Subjects of two data sets are different even where their names are equal. Without predictions
    (nothing held out) every metric is None.

    Args:
        predictions: of all folds and seeds.
        names: of classes, subjects and data sets.
        draws: how often the folds were drawn (protocol.repeat); each draw has as many seeds, those
            of the first draw come first.

    Returns:
        The entries of results.json with scores: metrics, sd (over seeds) and intervals (95 %, over
        test subjects, given these trainings) of all rows; per_dataset, per_class, per_seed,
        per_subject and per_fold; confusion [K, K] with the truth in rows; classes; repeats, None
        for one draw, else {note, draws, seeds (of a draw), spread, per_draw}. spread is of the
        means over seeds of each draw, {metric: {sd, low, high, sd_seeds (within a draw),
        sd_training_sets (sd without the part of the seeds; None for one seed)}}.

    Raises:
        UserError: an output is not finite, which means that a fold diverged.
    """
    seeds, subjects, cube = _by_subject(predictions, names)
    pooled = cube.sum(0)
    measured = metrics.measures(pooled)
    per_seed = [
        {'seed': int(seed), 'metrics': _means(pooled[i : i + 1])} for i, seed in enumerate(seeds)
    ]
    return {
        'metrics': _means(pooled),
        'sd': {name: to_json(metrics.spread(measured[name])) for name in METRICS},
        'intervals': _intervals(cube, subjects[:, 0]),
        'per_dataset': _per_dataset(subjects, cube, names),
        'per_class': metrics.per_class(pooled, names.classes),
        'per_seed': per_seed,
        'per_subject': _per_subject(subjects, cube, names),
        'per_fold': _per_fold(predictions, names),
        'confusion': pooled.sum(0).tolist(),
        'classes': list(names.classes),
        'repeats': _repeats(measured, draws) if draws > 1 and len(seeds) else None,
    }


def oracle(outputs: np.ndarray, predictions: Predictions, names: Names) -> dict:
    """Score epochs chosen on left-out subjects (a leak).

    test_best: each run (fold and seed) takes the epoch of its best held-out accuracy (ties by its
    UF1, then the earliest). test_best_independent: accuracy, micro F1 and one-vs-rest accuracy of
    that choice, all other metrics of a second choice, by the best UF1 of the run (ties by accuracy,
    then the earliest). best_common_epoch: one epoch for all runs, by the UF1 of all rows. Epochs
    count from 1.

    Args:
        outputs: [E, R, K], held-out outputs after each epoch, rows as `predictions`.
        predictions: after the last epoch.
        names: of the classes.

    Raises:
        ValueError: outputs do not fit the predictions.
    """
    if outputs.ndim != 3 or not len(outputs) or outputs.shape[1:] != predictions.output.shape:
        raise ValueError(
            f'outputs must be one or more epochs of {predictions.output.shape}, got {outputs.shape}'
        )
    seeds, seed, _, cube = _by_run(outputs, predictions, names)
    measured = metrics.measures(cube)
    by_accuracy = _best_epoch(measured['accuracy'], measured['uf1'])
    by_uf1 = _best_epoch(measured['uf1'], measured['accuracy'])
    means = {
        'accuracy': _means(_pool_chosen(cube, by_accuracy, seed, len(seeds))),
        'uf1': _means(_pool_chosen(cube, by_uf1, seed, len(seeds))),
    }
    independent = {name: means[metric.best_by][name] for name, metric in METRICS.items()}
    curve = _curve(cube, seed, len(seeds))
    (common,) = _best_epoch(curve['uf1'][None], curve['accuracy'][None])
    per_epoch = {}
    for name in METRICS:
        if name in HEADLINE:
            per_epoch[name] = [to_json(value) for value in curve[name]]
    epochs = len(outputs)
    return {
        'note': NOTE,
        'test_best': {'metrics': means['accuracy'], 'median_epoch': _median(by_accuracy)},
        'test_best_independent': {
            'metrics': independent,
            'median_epochs': [_median(by_accuracy), _median(by_uf1)],
        },
        'best_common_epoch': {'metrics': _at_epoch(curve, common), 'epoch': int(common) + 1},
        'last': {'metrics': _at_epoch(curve, epochs - 1), 'epoch': epochs},
        'per_epoch': per_epoch,
    }


def best_epoch(outputs: np.ndarray, predictions: Predictions, names: Names) -> np.ndarray:
    """Return the epoch of test_best, int[R], from 0.

    Args:
        outputs: [E, R, K], held-out outputs after each epoch, rows as `predictions`.
        predictions: after the last epoch.
        names: of the classes.
    """
    _, _, run, cube = _by_run(outputs, predictions, names)
    measured = metrics.measures(cube)
    return _best_epoch(measured['accuracy'], measured['uf1'])[run]


def _decide(output, predictions):
    """Class of the largest output, int[..., R].

    Outputs must be finite: a NaN would win every argmax.
    """
    bad = np.argwhere(~np.isfinite(output).all(-1))
    if len(bad):
        *epoch, row = bad[0]
        where = f'fold {predictions.fold[row]}, seed {predictions.seed[row]}'
        if epoch:
            what = f'held-out outputs of epoch {epoch[0] + 1} are missing or not finite'
            raise UserError(
                f'{where}: {what}; train with evaluate.every_epoch in a new --workdir, or switch '
                'it off'
            )
        raise UserError(
            f'{where}: outputs are not finite, so training diverged; a smaller learning rate '
            'may help'
        )
    return np.argmax(output, -1)


def _repeats(measured, draws):
    """The spread of scores [D * S] over D draws of the folds, with S seeds each."""
    spread, means = {}, {}
    for name, values in measured.items():
        of_draws = values.reshape(draws, -1)
        means[name] = nanmean(of_draws, axis=1)
        spread[name] = _spread_of_draws(of_draws, means[name])
    per_draw = [
        {'draw': draw, 'metrics': {name: to_json(values[draw]) for name, values in means.items()}}
        for draw in range(draws)
    ]
    seeds = len(next(iter(measured.values()))) // draws
    return {
        'note': REPEATS_NOTE,
        'draws': draws,
        'seeds': seeds,
        'spread': spread,
        'per_draw': per_draw,
    }


def _spread_of_draws(of_draws, means):
    """{sd, low, high, sd_seeds, sd_training_sets} of scores [D, S] and their means [D].

    One-way analysis of variance: the variance of the means is that of the training sets, and one
    S-th of that of the seeds.
    """
    sd, seeds = metrics.spread(means), of_draws.shape[1]
    variances = [metrics.spread(values) ** 2 for values in of_draws]
    of_seeds = float(nanmean(np.array(variances), axis=0))
    of_training_sets = np.maximum(sd**2 - of_seeds / seeds, 0)
    return {
        'sd': to_json(sd),
        'low': to_json(np.min(means)),
        'high': to_json(np.max(means)),
        'sd_seeds': to_json(np.sqrt(of_seeds)),
        'sd_training_sets': to_json(np.sqrt(of_training_sets)),
    }


def _by_subject(predictions, names):
    """Seeds, (data set, subject) pairs, confusions [S, R, K, K]."""
    predicted = _decide(predictions.output, predictions)
    seeds, seed = np.unique(predictions.seed, return_inverse=True)
    pairs = np.stack([predictions.dataset, predictions.subject], 1)
    subjects, subject = np.unique(pairs, axis=0, return_inverse=True)
    shape = (len(subjects), len(seeds))
    cube = _confusions(predictions.label, predicted, (subject, seed), shape, names)
    return seeds, subjects, cube


def _by_run(outputs, predictions, names):
    """Confusions of each run (fold and seed) and epoch.

    Returns:
        Seeds, the seed number of every run [G], the run of every row [R] and confusions int64[G, E,
        K, K].
    """
    predicted = _decide(outputs, predictions)
    seeds, seed = np.unique(predictions.seed, return_inverse=True)
    runs, run = np.unique(np.stack([seed, predictions.fold], 1), axis=0, return_inverse=True)
    epochs = len(outputs)
    label = np.tile(predictions.label, epochs)
    keys = (np.tile(run, epochs), np.repeat(np.arange(epochs), len(run)))
    cube = _confusions(label, predicted.ravel(), keys, (len(runs), epochs), names)
    return seeds, runs[:, 0], run, cube


def _confusions(label, predicted, keys, shape, names):
    """Confusions [*shape, K, K]; keys: indices of the rows."""
    group = np.zeros(0, int)
    if len(label):
        group = np.ravel_multi_index([np.ravel(key) for key in keys], shape)
    classes = len(names.classes)
    flat = metrics.confusions(label, predicted, group, groups=int(np.prod(shape)), classes=classes)
    return flat.reshape(*shape, classes, classes)


def _means(pooled):
    """{metric: mean over seeds} of confusions [R, K, K]."""
    measured = metrics.measures(pooled)
    return {name: to_json(nanmean(value, axis=0)) for name, value in measured.items()}


def _intervals(cube, dataset):
    """{metric: [low, high]}; None for fewer than two subjects."""
    intervals = metrics.intervals(cube, dataset)
    return {name: None if np.isnan(edges).any() else edges for name, edges in intervals.items()}


def _per_dataset(subjects, cube, names):
    """{data set: {n, subjects, metrics, intervals}}."""
    blocks = {}
    for index in np.unique(subjects[:, 0]):
        of_dataset = cube[subjects[:, 0] == index]
        pooled = of_dataset.sum(0)
        blocks[names.datasets[index]] = {
            'n': _counts(pooled)['clips'],
            'subjects': len(of_dataset),
            **_means(pooled),
            'intervals': _intervals(of_dataset, np.full(len(of_dataset), index)),
        }
    return blocks


def _counts(pooled):
    """{clips, correct, accuracy} of confusions [R, K, K].

    Averaged over the seeds that test any clip.
    """
    clips = pooled.sum((-2, -1))
    tested = clips > 0
    correct = np.trace(pooled, axis1=-2, axis2=-1)[tested].mean()
    clips = clips[tested].mean()
    return {
        'clips': to_json(clips),
        'correct': to_json(correct),
        'accuracy': to_json(correct / clips),
    }


def _per_subject(subjects, cube, names):
    """A list of {dataset, subject, clips, correct, accuracy}."""
    rows = []
    for (dataset, subject), confusions in zip(subjects, cube, strict=True):
        title = {'dataset': names.datasets[dataset], 'subject': names.subjects[subject]}
        rows.append(title | _counts(confusions))
    return rows


def _per_fold(predictions, names):
    """A list of {fold, clips, correct, accuracy, uf1}.

    This UF1 averages over the classes of that fold alone.
    """
    predicted = _decide(predictions.output, predictions)
    seeds, seed = np.unique(predictions.seed, return_inverse=True)
    folds, fold = np.unique(predictions.fold, return_inverse=True)
    shape = (len(folds), len(seeds))
    cube = _confusions(predictions.label, predicted, (fold, seed), shape, names)
    return [
        {'fold': int(number), **_counts(confusions), 'uf1': _means(confusions)['uf1']}
        for number, confusions in zip(folds, cube, strict=True)
    ]


def _best_epoch(first, second):
    """Epoch of the largest `first` [G, E], int[G].

    Ties are decided by `second`, then by the earliest.
    """
    # Equal means may differ in their last bits.
    first, second = np.round(first, 12), np.round(second, 12)
    top = first == first.max(-1, keepdims=True)
    return np.argmax(np.where(top, second, -1.0), -1)


def _pool_chosen(cube, epoch, seed, seeds):
    """Confusions [seeds, K, K] at the chosen epochs [G]."""
    pooled = np.zeros((seeds, *cube.shape[-2:]), np.int64)
    np.add.at(pooled, seed, cube[np.arange(len(cube)), epoch])
    return pooled


def _curve(cube, seed, seeds):
    """{metric: float[E]} of all folds, averaged over seeds."""
    pooled = np.zeros((seeds, *cube.shape[1:]), np.int64)
    np.add.at(pooled, seed, cube)
    return {name: nanmean(value, axis=0) for name, value in metrics.measures(pooled).items()}


def _at_epoch(curve, epoch):
    """The metrics of one epoch (counted from 0)."""
    return {name: to_json(curve[name][epoch]) for name in METRICS}


def _median(epochs):
    """Median epoch, counted from 1; None without runs."""
    return to_json(np.median(epochs) + 1) if len(epochs) else None
