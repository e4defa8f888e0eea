"""Against unequal classes: weights of the loss and of the draw; all see the fold's training rows only."""

import jax.numpy as jnp

# How often a class stands among n rows of K classes decides its weight: c its count, most that of the largest class.
CLASS_WEIGHTS = {
    'none': lambda counts: jnp.ones_like(counts),
    'max': lambda counts: counts.max() / counts,  # Ruan et al. 2022, Eq. 6
    'total': lambda counts: counts.sum() / counts,  # Irawan et al. 2024, Eq. 1
    'balanced': lambda counts: counts.sum() / (jnp.sum(counts > 0) * counts),  # scikit-learn; mean weight 1 over the rows
}
SAMPLERS = ('shuffle', 'weighted')


def class_weight(label, rows, *, classes, formula):
    """float32[K]: the weight of each class by a formula of CLASS_WEIGHTS; a class without training rows gets 0.

    label int32[N] of all samples; rows: of this fold, padding counts nothing.
    """
    counts = jnp.zeros(classes).at[label[rows.index]].add(rows.weight)
    return jnp.where(counts > 0, CLASS_WEIGHTS[formula](counts), 0)


def fit(samples, rows, *, classes, formula):
    """{'class_weight': float32[K]} of the fold's training rows, {} for the formula 'none'."""
    return {} if formula == 'none' else {'class_weight': class_weight(samples.label, rows, classes=classes, formula=formula)}


def row_weight(label, rows):
    """float32[n]: for each row of the fold one over the rows of its class, 0 for padding: the classes weigh the same."""
    own = label[rows.index]
    return rows.weight / jnp.sum((own[:, None] == own) * rows.weight, 1)
