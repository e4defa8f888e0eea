"""Against unequal classes: weights of the loss and of the draw, and how a row made by resampling.py
is read; all see the fold's training rows only.
"""

import jax
import jax.numpy as jnp

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
SAMPLERS = ('shuffle', 'weighted')


def class_weight(label, rows, *, classes, formula):
    """float32[K]: the weight of each class by a formula of CLASS_WEIGHTS; a class without training
    rows gets 0.

    label int32[N] of all samples; rows: of this fold, padding counts nothing.
    """
    counts = jnp.zeros(classes).at[label[rows.index]].add(rows.weight)
    return jnp.where(counts > 0, CLASS_WEIGHTS[formula](counts), 0)


def fit(samples, rows, *, classes, formula, scope='fold'):
    """{'class_weight': float32[K]} of all rows that the fold trains on, {} for the formula 'none'.

    rows: Training. scope 'all' counts every row there is, the tested ones included: a leak.
    """
    if formula == 'none':
        return {}
    label = labels(samples, rows)
    rows = Rows(jnp.arange(len(label)), jnp.ones(len(label))) if scope == 'all' else rows
    return {'class_weight': class_weight(label, rows, classes=classes, formula=formula)}


def labels(samples, rows):
    """int32[N + e]: the labels of all samples and, from N on, of the rows made for a fold (rows:
    Training).
    """
    return jnp.concatenate([samples.label, samples.label[rows.made.row]])


def take(samples, rows, index):
    """The rows `index` of a fold as Samples: rows of the data set, or from N on made ones (rows:
    Training).

    The action units of a mixture are unknown; all but its image and them is that of its first row.
    """
    made = rows.made
    if not made.row.shape[0]:
        return jax.tree.map(lambda a: a[index], samples)
    number, new = jnp.maximum(index - len(samples.label), 0), index >= len(samples.label)
    seen = jax.tree.map(lambda a: a[jnp.where(new, made.row[number], index)], samples)
    gap = jnp.where(new, made.gap[number], 0)
    other = samples.image[jnp.where(new, made.neighbour[number], index)].astype(jnp.float32)
    image = seen.image + gap.reshape(-1, *(1,) * (other.ndim - 1)) * (other - seen.image)
    return seen._replace(
        image=image, action_units=jnp.where((gap == 0)[:, None], seen.action_units, jnp.nan)
    )


def row_weight(label, rows):
    """float32[n]: for each row of the fold one over the rows of its class, 0 for padding: the
    classes weigh the same.
    """
    own = label[rows.index]
    return rows.weight / jnp.sum((own[:, None] == own) * rows.weight, 1)
