"""Weights of the classes in the loss, counted among the fold's training rows only."""

import jax.numpy as jnp

from mer_jax.training import batches
from mer_jax.types import Rows

# How often a class stands among n rows of K classes decides its weight: c its count, most that of
# the largest class.
CLASS_WEIGHTS = {
    'none': lambda counts: jnp.ones_like(counts),
    'max': lambda counts: counts.max() / counts,  # Ruan et al. 2022, Eq. 6
    'total': lambda counts: counts.sum() / counts,  # Irawan et al. 2024, Eq. 1
    # scikit-learn; mean weight 1 over the rows
    'balanced': lambda counts: counts.sum() / (jnp.sum(counts > 0) * counts),
}


def class_weight(label, rows, *, classes, formula):
    """float32[K]: the weight of each class by a formula of CLASS_WEIGHTS; a class without training
    rows gets 0.

    label int32[N] of all samples; rows: of this fold, padding counts nothing.
    """
    counts = jnp.zeros(classes).at[label[rows.index]].add(rows.mask)
    return jnp.where(counts > 0, CLASS_WEIGHTS[formula](counts), 0)


def fit(samples, rows, *, classes, formula, scope='fold'):
    """{'class_weight': float32[K]} of all rows that the fold trains on, {} for the formula 'none'.

    rows: TrainRows. scope 'all' counts every row there is, the tested ones included: a leak.
    """
    if formula == 'none':
        return {}
    label = batches.labels(samples, rows)
    rows = Rows(jnp.arange(len(label)), jnp.ones(len(label))) if scope == 'all' else rows
    return {'class_weight': class_weight(label, rows, classes=classes, formula=formula)}
