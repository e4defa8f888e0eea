"""Counts and measures of recognition: confusion matrices, UF1, UAR, and intervals over subjects
(numpy only).

UF1 and UAR: See et al., "MEGC 2019 - the second facial micro-expressions grand challenge", FG 2019.
A measure whose denominator is empty is NaN here; files of a run hold null in its place.
"""

import numpy as np

METRICS = ('accuracy', 'uf1', 'uar', 'precision', 'weighted_f1', 'micro_f1', 'ovr_accuracy')
CLASS_METRICS = ('precision', 'recall', 'f1', 'support')


def confusion(label, predicted, *, classes: int) -> np.ndarray:
    """int64[K, K], rows truth and columns predicted; ValueError for unequal lengths or a class
    outside 0..K-1.
    """
    return confusions(label, predicted, np.zeros(len(label), int), groups=1, classes=classes)[0]


def confusions(label, predicted, group, *, groups: int, classes: int) -> np.ndarray:
    """int64[G, K, K], one confusion matrix for each group number of `group` [n]; ValueError as
    `confusion`.
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
    return np.bincount(cell.astype(np.int64), minlength=groups * classes**2).reshape(
        groups, classes, classes
    )


def summary(confusion) -> dict:
    """The measures of one confusion matrix [K, K] as floats (see `measures`); NaN where it is
    empty.
    """
    return {name: float(value) for name, value in measures(confusion).items()}


def measures(confusion) -> dict:
    """The measures of confusion matrices [..., K, K], each float64[...], one for each name of
    METRICS.

    uf1, uar, precision: F1, recall and precision averaged over the classes that occur in the truth,
    where a class that is never predicted has precision 0, as in scikit-learn with zero_division=0.
    weighted_f1: F1 weighted by the truth.
    micro_f1: F1 of the summed counts, which equals accuracy. ovr_accuracy: one-vs-rest accuracy
    averaged over all K classes, (1 + 2 accuracy) / 3 for three classes; some papers print these
    last two as "F1" and "accuracy".
    """
    counts = np.asarray(confusion, np.float64)
    each = class_measures(counts)
    hits, truth, predicted, total = _margins(counts)
    accuracy = _ratio(hits.sum(-1), total)
    one_vs_rest = _ratio(total[..., None] - truth - predicted + 2 * hits, total[..., None])
    return {
        'accuracy': accuracy,
        'uf1': mean(each['f1'], axis=-1),
        'uar': mean(each['recall'], axis=-1),
        'precision': mean(np.where(truth > 0, np.nan_to_num(each['precision']), np.nan), axis=-1),
        'weighted_f1': _ratio(np.nansum(each['f1'] * truth, axis=-1), total),
        'micro_f1': accuracy,
        'ovr_accuracy': one_vs_rest.mean(-1),
    }


def class_measures(confusion) -> dict:
    """precision, recall, f1, support of every class of confusion matrices [..., K, K], each
    float64[..., K].

    Precision is NaN for a class never predicted; recall and f1 are NaN for a class that the truth
    does not hold.
    """
    hits, truth, predicted, _ = _margins(np.asarray(confusion, np.float64))
    f1 = np.where(truth > 0, _ratio(2 * hits, truth + predicted), np.nan)
    return {
        'precision': _ratio(hits, predicted),
        'recall': _ratio(hits, truth),
        'f1': f1,
        'support': truth,
    }


def per_class(confusion, classes) -> dict:
    """{class: {precision, recall, f1, support}} of [K, K], or their mean over seeds of [R, K, K];
    None if undefined.
    """
    counts = np.asarray(confusion)
    each = class_measures(counts.reshape(-1, *counts.shape[-2:]))
    means = {name: mean(values, axis=0) for name, values in each.items()}
    return {
        title: {name: number(means[name][k]) for name in CLASS_METRICS}
        for k, title in enumerate(classes)
    }


def intervals(confusions, *, draws: int = 2000, seed: int = 0, level: float = 0.95) -> dict:
    """{measure: [low, high]}: percentile bootstrap over subjects, of the mean over seeds.

    confusions [S, R, K, K]: S subjects, R seeds; NaN for fewer than two subjects. A draw takes S
    subjects with replacement, keeps the seeds of a subject together, pools, and averages the
    measure over seeds; a class that a draw lacks is left out of that draw.
    """
    cube = np.asarray(confusions, np.float64)
    subjects = len(cube)
    if subjects < 2:
        return {name: [np.nan, np.nan] for name in METRICS}
    times = np.random.default_rng(seed).multinomial(
        subjects, np.full(subjects, 1 / subjects), size=draws
    )
    edges = [(1 - level) / 2, (1 + level) / 2]
    drawn = {name: mean(values, axis=-1) for name, values in measures(pooled(times, cube)).items()}
    return {
        name: [float(edge) for edge in np.nanquantile(values, edges)]
        for name, values in drawn.items()
    }


def pooled(weights, cube) -> np.ndarray:
    """float64[D, R, K, K]: confusions [S, R, K, K] summed over subjects, D times, each subject
    weighted by `weights` [D, S].
    """
    return np.tensordot(np.asarray(weights, np.float64), np.asarray(cube, np.float64), 1)


def spread(values) -> float:
    """Sample standard deviation of a vector over what is not NaN; NaN for fewer than two values."""
    known = np.asarray(values)[~np.isnan(values)]
    return float(np.std(known, ddof=1)) if len(known) > 1 else np.nan


def mean(values, axis: int) -> np.ndarray:
    """Mean along an axis over what is not NaN; NaN where nothing is left."""
    known = ~np.isnan(values)
    return _ratio(np.where(known, values, 0.0).sum(axis), known.sum(axis))


def number(value):
    """A plain int (where whole) or float for JSON; None for NaN."""
    value = float(value)
    if np.isnan(value):
        return None
    return int(value) if value.is_integer() else value


def _margins(counts):
    """Hits, truth and predicted counts [..., K] and the total [...] of confusion matrices."""
    truth = counts.sum(-1)
    return np.diagonal(counts, axis1=-2, axis2=-1), truth, counts.sum(-2), truth.sum(-1)


def _ratio(above, below):
    """above / below, NaN where below is 0."""
    above, below = np.broadcast_arrays(np.asarray(above, np.float64), np.asarray(below, np.float64))
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)


def _check_range(what, values, limit):
    """ValueError unless every value is a whole number in 0..limit-1."""
    if values.size == 0:
        return
    if not np.issubdtype(values.dtype, np.integer):
        raise ValueError(f'{what} must hold integers, got {values.dtype}')
    if values.min() < 0 or values.max() >= limit:
        raise ValueError(f'{what} must lie in 0..{limit - 1}, got {values.min()}..{values.max()}')
