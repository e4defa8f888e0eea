"""Batches: their shape, the order of a fold's rows, and the gathering of one batch.

A fold's rows are numbers into Samples. From N on they are rows of its `Resampled`: copies and
mixtures of two rows (SMOTE), which `gather` makes where it is called, so that no image is stored
twice. Only this file knows that.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from mer_jax.types import Inputs, Rows, Samples, TrainRows

# extras that a camera records; all others are annotations or are made from them
RECORDED = ('frame',)


@dataclass(frozen=True)
class BatchOptions:
    """How the rows of a fold reach the learner."""

    batch_size: int  # most rows in a step
    sampler: str = 'shuffle'  # or 'weighted', which draws every class as often
    # (key, sample, donor) -> sample, for one row; None changes nothing
    augment: Callable[[jax.Array, Samples, Samples], Samples] | None = None
    augment_resampled_only: bool = False  # whether rows of the data set stay as they are


def batch_shape(rows: int, batch_size: int) -> tuple[int, int]:
    """Return the steps of an epoch, and the rows of a step.

    All steps are equal and at most `batch_size` long, so that wrapping round repeats fewer rows
    than there are steps.
    """
    steps = max(1, -(-rows // batch_size))
    return steps, -(-rows // steps)


def epoch_order(
    key: jax.Array, label: jax.Array, rows: TrainRows, *, batch_size: int, sampler: str
) -> Callable[[jax.Array], jax.Array]:
    """Draw the order in which an epoch shows the rows of one fold.

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
        count = steps * batch
        order = weighted_order(key, label, rows, count)
    else:
        order = shuffled(key, rows)
        count = jnp.sum(rows.mask > 0)
    return lambda step: order[(step * batch + jnp.arange(batch)) % count]


def shuffled(key: jax.Array, rows: TrainRows) -> jax.Array:
    """Return the rows of a fold in a random order, int32[n]: padding comes last."""
    draw = jax.random.uniform(key, rows.mask.shape)
    return rows.index[jnp.argsort(jnp.where(rows.mask > 0, draw, jnp.inf))]


def weighted_order(key: jax.Array, label: jax.Array, rows: TrainRows, count: int) -> jax.Array:
    """Draw rows of a fold with repetition, every class as likely.

    Args:
        key: of the draw.
        label: int32[N + e] of `labels`.
        rows: of the fold.
        count: rows to draw.

    Returns:
        int32[count], numbers of rows.
    """
    log_share = jnp.log(row_weight(label, rows))
    return rows.index[jax.random.categorical(key, log_share, shape=(count,))]


def row_weight(label: jax.Array, rows: TrainRows | Rows) -> jax.Array:
    """Return weights under which all classes weigh the same.

    Returns:
        float32[n]: one over the number of rows of each row's class, 0 for padding.
    """
    of_row = label[rows.index]
    return rows.mask / jnp.sum((of_row[:, None] == of_row) * rows.mask, 1)


def donors(key: jax.Array, label: jax.Array, rows: TrainRows, batch: jax.Array) -> jax.Array:
    """Draw a row of the same class for each row of a batch.

    Args:
        key: of the draw.
        label: int32[N + e] of `labels`.
        rows: of the fold.
        batch: int32[B], numbers of rows.

    Returns:
        int32[B], rows of the fold, each as likely, the row itself among them.
    """
    same = (label[batch][:, None] == label[rows.index]) & (rows.mask > 0)
    return rows.index[jax.random.categorical(key, jnp.where(same, 0.0, -jnp.inf))]


def labels(samples: Samples, rows: TrainRows) -> jax.Array:
    """Return the labels of all samples, and from N on of a fold's resampled rows, int32[N + e]."""
    return jnp.concatenate([samples.label, samples.label[rows.resampled.row]])


def is_resampled(samples: Samples, index: jax.Array) -> jax.Array:
    """Return whether each row of a batch is a copy or a mixture, bool[B]."""
    return index >= len(samples.label)


def gather(samples: Samples, rows: TrainRows, index: jax.Array) -> Samples:
    """Gather a batch.

    A mixture has the image between its two rows and unknown action units; all else is that of the
    first of its two rows.

    Args:
        samples: all rows.
        rows: of the fold.
        index: int32[B], numbers of rows.

    Returns:
        The rows, [B, ...].
    """
    resampled = rows.resampled
    if not resampled.row.shape[0]:
        return jax.tree.map(lambda array: array[index], samples)
    number = jnp.maximum(index - len(samples.label), 0)
    is_new = is_resampled(samples, index)
    first = jnp.where(is_new, resampled.row[number], index)
    batch = jax.tree.map(lambda array: array[first], samples)
    gap = jnp.where(is_new, resampled.gap[number], 0)
    second = jnp.where(is_new, resampled.neighbour[number], index)
    other = samples.image[second].astype(jnp.float32)
    image = batch.image + _per_row(gap, other.ndim) * (other - batch.image)
    batch = batch._replace(image=image)
    if 'action_units' not in batch.extras:
        return batch
    units = batch.extras['action_units']
    return batch.with_extras(action_units=jnp.where((gap == 0)[:, None], units, jnp.nan))


def inputs(samples: Samples, index: jax.Array) -> Inputs:
    """Return what a network may see of the rows `index`, int32[B]."""
    extras = {name: samples.extras[name][index] for name in RECORDED if name in samples.extras}
    return Inputs(samples.image[index], extras)


def where(chosen: jax.Array, first: Samples, second: Samples) -> Samples:
    """Return the rows of `first` where chosen, bool[B], else those of `second`."""

    def pick(a, b):
        return jnp.where(_per_row(chosen, a.ndim), a, b)

    return jax.tree.map(pick, first, second)


def prediction_batches(rows: Rows, batch_size: int) -> np.ndarray:
    """Cut the rows to predict into batches, because a test set is never one huge batch.

    Args:
        rows: test rows of all folds, [F, m].
        batch_size: most rows in a batch.

    Returns:
        int32[F, steps, batch]; the last row of a fold repeats until its batches are full.
    """
    steps, batch = batch_shape(rows.index.shape[1], batch_size)
    missing = steps * batch - rows.index.shape[1]
    padded = np.pad(rows.index, [(0, 0), (0, missing)], mode='edge')
    return padded.reshape(len(rows.index), steps, batch)


def _per_row(values, dimensions):
    """Values [B] as [B, 1, ..., 1], to be combined with an array of so many dimensions."""
    ones = (1,) * (dimensions - 1)
    return values.reshape(-1, *ones)
