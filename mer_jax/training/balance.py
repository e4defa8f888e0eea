"""Class weights of the loss, and weights of action units.

They come from training rows only, unless balance.scope=all, a leak, asks for all rows.
"""

import jax
import jax.numpy as jnp

from mer_jax.training import batches
from mer_jax.types import Fitted, Rows, Samples, TrainRows


def _uniform(counts):
    """Weigh all classes alike."""
    return jnp.ones_like(counts)


def _by_largest(counts):
    """n_max / n_c: Ruan et al. 2022, Eq. 6."""
    return counts.max() / counts


def _by_total(counts):
    """n / n_c: Irawan et al. 2024, Eq. 1."""
    return counts.sum() / counts


def _balanced(counts):
    """n / (K n_c), as in scikit-learn.

    K counts the classes that have rows; the mean weight over the rows is 1.
    """
    return counts.sum() / (jnp.sum(counts > 0) * counts)


# Functions from the number of rows of each class, float32[K], to the weight of each.
CLASS_WEIGHTS = {
    'none': _uniform,
    'max': _by_largest,
    'total': _by_total,
    'balanced': _balanced,
}


def class_weight(
    label: jax.Array, rows: Rows | TrainRows, *, classes: int, formula: str
) -> jax.Array:
    """Return the weight of each class in the loss.

    Args:
        label: int32[N], labels of all rows.
        rows: rows that are counted; padding is not.
        classes: K.
        formula: a key of CLASS_WEIGHTS.

    Returns:
        float32[K]; 0 for a class without training rows.
    """
    counts = jnp.zeros(classes).at[label[rows.index]].add(rows.mask)
    return jnp.where(counts > 0, CLASS_WEIGHTS[formula](counts), 0)


def fit_class_weight(
    samples: Samples, rows: TrainRows, *, classes: int, formula: str, scope: str = 'fold'
) -> Fitted:
    """Return the class weights of one fold.

    Args:
        samples: all rows.
        rows: training rows of the fold.
        classes: K.
        formula: a key of CLASS_WEIGHTS.
        scope: 'fold' counts the training rows; 'all' counts the test rows too, which is a leak.

    Returns:
        {'class_weight': float32[K]}, for FoldState.fitted; {} for the formula 'none'.
    """
    if formula == 'none':
        return {}
    label = batches.labels(samples, rows)
    counted = rows
    if scope == 'all':
        counted = Rows(jnp.arange(len(label)), jnp.ones(len(label)))
    return {'class_weight': class_weight(label, counted, classes=classes, formula=formula)}


def fit_unit_weight(
    samples: Samples, rows: TrainRows, *, classes: int, formula: str, scope: str = 'fold'
) -> Fitted:
    """Return the weights of the rows that show each action unit, of one fold.

    The formula, of the two classes absent and present, gives a weight for each of them; that of
    presence relative to that of absence is n_absent / n_present by all but 'none', which is 1. A
    unit that all known training rows show, or none of them, has weight 1.

    Args:
        samples: all rows.
        rows: training rows of the fold; none is resampled.
        classes: A, number of units; not used here.
        formula: a key of CLASS_WEIGHTS.
        scope: for class weights; not used here.

    Returns:
        {'unit_weight': float32[A], 'unit_seen': bool[A], whether a training row shows it}, for
        FoldState.fitted.
    """
    units = samples.extras['action_units'][rows.index]
    in_fold = rows.mask[:, None] > 0
    absent = jnp.sum((units == 0) & in_fold, 0).astype(jnp.float32)
    present = jnp.sum((units == 1) & in_fold, 0).astype(jnp.float32)
    weights = jax.vmap(CLASS_WEIGHTS[formula])(jnp.stack([absent, present], 1))
    both = (absent > 0) & (present > 0)
    ratio = weights[:, 1] / jnp.where(both, weights[:, 0], 1)
    return {'unit_weight': jnp.where(both, ratio, 1), 'unit_seen': present > 0}
