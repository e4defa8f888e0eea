"""Confusion matrices, UF1, UAR, other metrics, and confidence intervals.

An undefined metric (its denominator is 0) is NaN here, and null in the files of a run.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from mer_jax.entries import loaded
from mer_jax.evaluation import METRICS, bootstrap

CLASS_METRICS = ('precision', 'recall', 'f1', 'support')


def confusion(label: ArrayLike, predicted: ArrayLike, *, classes: int) -> np.ndarray:
    """Count one confusion matrix.

    Args:
        label, predicted: int[n], class of each clip.
        classes: K.

    Returns:
        int64[K, K], rows truth and columns predicted.

    Raises:
        ValueError: unequal lengths or a class outside 0..K-1.
    """
    group = np.zeros(len(label), int)
    return confusions(label, predicted, group, groups=1, classes=classes)[0]


def confusions(
    label: ArrayLike, predicted: ArrayLike, group: ArrayLike, *, groups: int, classes: int
) -> np.ndarray:
    """Count a confusion matrix for each group of clips.

    Args:
        label, predicted: int[n], class of each clip.
        group: int[n], number of the group of each clip.
        groups: G.
        classes: K.

    Returns:
        int64[G, K, K], rows truth and columns predicted.

    Raises:
        ValueError: unequal lengths, a class outside 0..K-1 or a group outside 0..G-1.
    """
    label, predicted, group = np.asarray(label), np.asarray(predicted), np.asarray(group)
    if not label.shape == predicted.shape == group.shape or label.ndim != 1:
        shapes = f'{label.shape}, {predicted.shape}, {group.shape}'
        raise ValueError(
            f'label, predicted and group must be vectors of one length, got shapes {shapes}'
        )
    _check_range('label', label, classes)
    _check_range('predicted', predicted, classes)
    _check_range('group', group, groups)
    cell = (group.astype(np.int64) * classes + label) * classes + predicted
    counts = np.bincount(cell.astype(np.int64), minlength=groups * classes**2)
    return counts.reshape(groups, classes, classes)


def summary(confusion: ArrayLike) -> dict[str, float]:
    """Return the metrics of one confusion matrix [K, K]."""
    return {name: float(value) for name, value in measures(confusion).items()}


class Counts(NamedTuple):
    """Numbers of clips in confusion matrices [..., K, K], float64."""

    hits: np.ndarray  # [..., K], of each class and predicted as it
    truth: np.ndarray  # [..., K], of each class
    predicted: np.ndarray  # [..., K], predicted as each class
    total: np.ndarray  # [...]


def measures(confusion: ArrayLike) -> dict[str, np.ndarray]:
    """Compute all METRICS of confusion matrices [..., K, K], float64[...]."""
    counts = _counts(confusion)
    return {name: loaded(metric.value)(counts) for name, metric in METRICS.items()}


def accuracy(counts: Counts) -> np.ndarray:
    """Share of clips classified correctly; equal to micro F1."""
    return _ratio(counts.hits.sum(-1), counts.total)


def uf1(counts: Counts) -> np.ndarray:
    """F1 averaged over the classes that occur in the truth."""
    return nanmean(class_f1(counts), axis=-1)


def uar(counts: Counts) -> np.ndarray:
    """Recall averaged over the classes that occur in the truth."""
    return nanmean(class_recall(counts), axis=-1)


def precision(counts: Counts) -> np.ndarray:
    """Precision averaged over the classes that occur in the truth.

    A class that is never predicted has precision 0, as in scikit-learn with zero_division=0.
    """
    per_class = np.nan_to_num(class_precision(counts))
    return nanmean(np.where(counts.truth > 0, per_class, np.nan), axis=-1)


def weighted_f1(counts: Counts) -> np.ndarray:
    """F1 of the classes, weighted by their clips."""
    return _ratio(np.nansum(class_f1(counts) * counts.truth, axis=-1), counts.total)


def ovr_accuracy(counts: Counts) -> np.ndarray:
    """One-vs-rest accuracy averaged over all K classes.

    For three classes it is (1 + 2 accuracy) / 3.
    """
    total = counts.total[..., None]
    return _ratio(total - counts.truth - counts.predicted + 2 * counts.hits, total).mean(-1)


def class_precision(counts: Counts) -> np.ndarray:
    """Precision [..., K]; NaN for classes never predicted."""
    return _ratio(counts.hits, counts.predicted)


def class_recall(counts: Counts) -> np.ndarray:
    """Recall [..., K]; NaN for a class without clips."""
    return _ratio(counts.hits, counts.truth)


def class_f1(counts: Counts) -> np.ndarray:
    """F1 [..., K]; NaN for a class without clips."""
    f1 = _ratio(2 * counts.hits, counts.truth + counts.predicted)
    return np.where(counts.truth > 0, f1, np.nan)


def class_measures(confusion: ArrayLike) -> dict[str, np.ndarray]:
    """Compute CLASS_METRICS of confusion matrices [..., K, K], float64[..., K]."""
    counts = _counts(confusion)
    return {
        'precision': class_precision(counts),
        'recall': class_recall(counts),
        'f1': class_f1(counts),
        'support': counts.truth,
    }


def per_class(confusion: ArrayLike, classes: Sequence[str]) -> dict[str, dict]:
    """Compute CLASS_METRICS of every class, for results.json.

    Args:
        confusion: [K, K], or [R, K, K] for the mean over seeds.
        classes: names.

    Returns:
        {class: {precision, recall, f1, support}}; None where undefined.
    """
    counts = np.asarray(confusion)
    measured = class_measures(counts.reshape(-1, *counts.shape[-2:]))
    means = {name: nanmean(values, axis=0) for name, values in measured.items()}
    rows = {}
    for k, title in enumerate(classes):
        rows[title] = {name: to_json(means[name][k]) for name in CLASS_METRICS}
    return rows


def intervals(
    confusions: ArrayLike,
    dataset: ArrayLike | None = None,
    *,
    draws: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, list[float]]:
    """Compute bootstrap intervals over subjects, given the trainings.

    A draw takes as many subjects of each data set as there are, with replacement, each with all its
    seeds. It sums their confusions, computes the metric for each seed, and averages over seeds. A
    class that has no clip in a draw does not count in that draw. bootstrap.intervals says how the
    interval is read off the draws.

    Args:
        confusions: [S, R, K, K]: S subjects, R seeds.
        dataset: [S], number or name of each subject's data set; None: all are of one.
        draws: number of draws.
        seed: of the draws.
        level: share of such intervals that should cover the truth.

    Returns:
        {metric: [low, high]}; NaN for fewer than two subjects.
    """
    cube = np.asarray(confusions, np.float64)

    def means(weights: np.ndarray) -> dict[str, np.ndarray]:
        measured = measures(pooled(weights, cube))
        return {name: nanmean(values, axis=-1) for name, values in measured.items()}

    if dataset is None:
        dataset = np.zeros(len(cube), int)
    clips = cube.sum((1, 2, 3))
    return bootstrap.intervals(means, dataset, clips, draws=draws, seed=seed, level=level)


def pooled(weights: ArrayLike, cube: ArrayLike) -> np.ndarray:
    """Sum confusions over subjects, weighted, D times.

    Args:
        weights: [D, S].
        cube: confusions [S, ..., K, K].

    Returns:
        float64[D, ..., K, K].
    """
    return np.tensordot(np.asarray(weights, np.float64), np.asarray(cube, np.float64), 1)


def spread(values: ArrayLike) -> float:
    """Return the sample standard deviation of a vector.

    NaN values are left out; NaN for fewer than two values.
    """
    values = np.asarray(values)
    defined = values[~np.isnan(values)]
    return float(np.std(defined, ddof=1)) if len(defined) > 1 else np.nan


def nanmean(values: np.ndarray, axis: int) -> np.ndarray:
    """Average along an axis, ignoring NaN."""
    defined = ~np.isnan(values)
    return _ratio(np.where(defined, values, 0.0).sum(axis), defined.sum(axis))


def to_json(value: float) -> int | float | None:
    """Return an int (where whole) or float; None for NaN."""
    value = float(value)
    if np.isnan(value):
        return None
    return int(value) if value.is_integer() else value


def _counts(confusion) -> Counts:
    matrices = np.asarray(confusion, np.float64)
    truth = matrices.sum(-1)
    hits = np.diagonal(matrices, axis1=-2, axis2=-1)
    return Counts(hits, truth, matrices.sum(-2), truth.sum(-1))


def _ratio(above, below):
    """above / below, NaN where below is 0."""
    above, below = np.asarray(above, np.float64), np.asarray(below, np.float64)
    above, below = np.broadcast_arrays(above, below)
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)


def _check_range(what, values, limit):
    """ValueError unless every value is a whole number in 0..limit-1."""
    if values.size == 0:
        return
    if not np.issubdtype(values.dtype, np.integer):
        raise ValueError(f'{what} must hold integers, got {values.dtype}')
    if values.min() < 0 or values.max() >= limit:
        raise ValueError(f'{what} must lie in 0..{limit - 1}, got {values.min()}..{values.max()}')
