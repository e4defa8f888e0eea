"""Batches: their shape, the order of a fold's rows, and the gathering of one batch.

A fold's rows are numbers into Samples. From N on they are rows of its `Resampled`: copies and
mixtures of two rows (SMOTE), which `gather` makes where it is called, so that no image is stored
twice. Only this file knows that.
"""

import jax
import jax.numpy as jnp
import numpy as np

from mer_jax.types import Inputs, Rows, Samples, TrainRows

# extras that a camera records; all others are annotations or are made from them
RECORDED = ('frame',)


def batch_shape(rows: int, batch_size: int) -> tuple[int, int]:
    """The number of steps of an epoch, and of rows in a step.

    All steps are equal and at most `batch_size` long, so that wrapping round repeats fewer rows
    than there are steps.
    """
    steps = max(1, -(-rows // batch_size))
    return steps, -(-rows // steps)


def epoch_order(key, label, rows: TrainRows, *, batch_size: int, sampler: str):
    """The order in which an epoch shows the rows of one fold.

    A fold with fewer rows than the longest wraps round to its first ones, so that no mask and no
    zero weight stands in a training step: zero-weight rows would still move batch statistics.

    Args:
        key: of this epoch and this purpose.
        label: int32[N + e] of `labels`.
        rows: of the fold.
        batch_size: most rows in a step.
        sampler: 'shuffle' or 'weighted', which draws every class as often.

    Returns:
        The function that maps the number of a step to the rows of its batch, int32[batch].
    """
    steps, batch = batch_shape(rows.index.shape[0], batch_size)
    if sampler == 'weighted':
        order, count = weighted_order(key, label, rows, steps * batch), steps * batch
    else:
        order, count = shuffled(key, rows), jnp.sum(rows.mask > 0)
    return lambda step: order[(step * batch + jnp.arange(batch)) % count]


def shuffled(key, rows):
    """The rows of the fold in a fresh order, int32[n]: real rows first, padding last."""
    draw = jax.random.uniform(key, rows.mask.shape)
    return rows.index[jnp.argsort(jnp.where(rows.mask > 0, draw, jnp.inf))]


def weighted_order(key, label, rows, count: int):
    """`count` rows of the fold, int32[count], drawn with repetition, every class as likely."""
    share = jnp.log(row_weight(label, rows))
    return rows.index[jax.random.categorical(key, share, shape=(count,))]


def row_weight(label, rows):
    """float32[n]: one over the number of rows of each row's class, 0 for padding.

    So all classes weigh the same.
    """
    of_row = label[rows.index]
    return rows.mask / jnp.sum((of_row[:, None] == of_row) * rows.mask, 1)


def donors(key, label, rows, batch):
    """For each row of a batch (int32[B]) another row of the fold of the same class, or itself, each
    as likely.
    """
    same = (label[batch][:, None] == label[rows.index]) & (rows.mask > 0)
    return rows.index[jax.random.categorical(key, jnp.where(same, 0.0, -jnp.inf))]


def labels(samples: Samples, rows: TrainRows):
    """int32[N + e]: the labels of all samples and, from N on, of the rows made for a fold."""
    return jnp.concatenate([samples.label, samples.label[rows.resampled.row]])


def is_resampled(samples: Samples, index):
    """bool[B]: whether a row of a batch is a copy or a mixture."""
    return index >= len(samples.label)


def gather(samples: Samples, rows: TrainRows, index) -> Samples:
    """The rows `index`, int32[B], of a fold as Samples [B, ...].

    A mixture has the image between its two rows and unknown action units; all else is that of its
    first row.
    """
    new = rows.resampled
    if not new.row.shape[0]:
        return jax.tree.map(lambda a: a[index], samples)
    number, is_new = jnp.maximum(index - len(samples.label), 0), is_resampled(samples, index)
    first = jax.tree.map(lambda a: a[jnp.where(is_new, new.row[number], index)], samples)
    gap = jnp.where(is_new, new.gap[number], 0)
    other = samples.image[jnp.where(is_new, new.neighbour[number], index)].astype(jnp.float32)
    image = first.image + gap.reshape(-1, *(1,) * (other.ndim - 1)) * (other - first.image)
    first = first._replace(image=image)
    if 'action_units' not in first.extras:
        return first
    units = first.extras['action_units']
    return first.with_extras(action_units=jnp.where((gap == 0)[:, None], units, jnp.nan))


def inputs(samples: Samples, index) -> Inputs:
    """What a network may see of the rows `index`, int32[B], of the data set."""
    extras = {name: samples.extras[name][index] for name in RECORDED if name in samples.extras}
    return Inputs(samples.image[index], extras)


def where(chosen, first, second):
    """Rows of the tree `first` where chosen, bool[B], else of `second`."""

    def pick(a, b):
        return jnp.where(chosen.reshape(-1, *(1,) * (a.ndim - 1)), a, b)

    return jax.tree.map(pick, first, second)


def prediction_batches(rows: Rows, batch_size: int) -> np.ndarray:
    """The rows to predict of all folds as int32[F, steps, batch]; the last row fills up.

    A test set is never one huge batch.
    """
    steps, batch = batch_shape(rows.index.shape[1], batch_size)
    missing = steps * batch - rows.index.shape[1]
    padded = np.pad(rows.index, [(0, 0), (0, missing)], mode='edge')
    return padded.reshape(len(rows.index), steps, batch)
