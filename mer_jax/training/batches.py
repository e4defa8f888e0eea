"""Batches: which rows a step trains on, and their images.

A row of a fold is an integer. Below N it is a position in Samples; N + i is row i of the fold's
`Resampled`: a copy of a row, or a mixture of two rows (SMOTE). The images of mixtures are
made here, inside the training step, so that no image is stored twice.
"""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from mer_jax.types import Inputs, Rows, Samples, TrainRows

# Extras that are recorded with the images; all others are annotations or are made from them.
RECORDED = ('frame',)


@dataclass(frozen=True)
class BatchOptions:
    """How the rows of a fold reach the learner."""

    batch_size: int  # most rows in a step
    sampler: str = 'shuffle'  # a key of SAMPLERS
    # (key, sample, donor) -> sample, for one row; None: no augmentation
    augment: Callable[[jax.Array, Samples, Samples], Samples] | None = None
    augment_resampled_only: bool = False  # True: only the rows of Resampled are augmented


def batch_shape(rows: int, batch_size: int) -> tuple[int, int]:
    """Return the steps of an epoch and the rows of a step.

    All steps have the same number of rows, at most `batch_size`. To fill the last step, fewer than
    `steps` rows are shown twice.

    Args:
        rows: number of training rows of the fold with the most.
        batch_size: most rows in a step.
    """
    steps = max(1, -(-rows // batch_size))
    return steps, -(-rows // steps)


def epoch_order(
    key: jax.Array, label: jax.Array, rows: TrainRows, *, batch_size: int, sampler: str
) -> Callable[[jax.Array], jax.Array]:
    """Draw the order of a fold's rows in one epoch.

    All folds take the same number of steps. A fold that is shorter than the longest one begins its
    order again at the end. Padding with weight 0 instead would still move the statistics of batch
    norm.

    Args:
        key: of this epoch.
        label: int32[N + e], see `labels`.
        rows: training rows of the fold.
        batch_size: most rows in a step.
        sampler: a key of SAMPLERS.

    Returns:
        A function from the number of a step to the rows of its batch, int32[batch].
    """
    steps, batch = batch_shape(rows.index.shape[0], batch_size)
    order, count = SAMPLERS[sampler](key, label, rows, steps * batch)
    return lambda step: order[(step * batch + jnp.arange(batch)) % count]


def shuffled(key: jax.Array, rows: TrainRows) -> jax.Array:
    """Return the rows of a fold in random order.

    Args:
        key: of the draw.
        rows: training rows of the fold.

    Returns:
        int32[n]; padding comes last.
    """
    draw = jax.random.uniform(key, rows.mask.shape)
    return rows.index[jnp.argsort(jnp.where(rows.mask > 0, draw, jnp.inf))]


def class_by_class(label: jax.Array, rows: TrainRows) -> jax.Array:
    """Return the rows of a fold by class, then by number.

    Args:
        label: int32[N + e], see `labels`.
        rows: training rows of the fold.

    Returns:
        int32[n]; padding comes last.
    """
    of_class = jnp.where(rows.mask > 0, label[rows.index], jnp.iinfo(label.dtype).max)
    return rows.index[jnp.lexsort((rows.index, of_class))]


def weighted_order(key: jax.Array, label: jax.Array, rows: TrainRows, count: int) -> jax.Array:
    """Draw rows of a fold, all classes equally likely.

    A row may be drawn several times.

    Args:
        key: of the draw.
        label: int32[N + e], see `labels`.
        rows: training rows of the fold.
        count: number of rows to draw.

    Returns:
        int32[count], rows of the fold.
    """
    log_weight = jnp.log(row_weight(label, rows))
    return rows.index[jax.random.categorical(key, log_weight, shape=(count,))]


# Samplers: (key, label, rows, number of rows to show) -> (order, count): order[:count] is shown.


def _shuffle(key, label, rows, count):
    return shuffled(key, rows), jnp.sum(rows.mask > 0)


def _weighted(key, label, rows, count):
    return weighted_order(key, label, rows, count), count


def _in_order(key, label, rows, count):
    return class_by_class(label, rows), jnp.sum(rows.mask > 0)


SAMPLERS = {'shuffle': _shuffle, 'weighted': _weighted, 'in_order': _in_order}


def row_weight(label: jax.Array, rows: TrainRows | Rows) -> jax.Array:
    """Return weights whose sum is the same for each class.

    Args:
        label: int32[N + e], see `labels`.
        rows: rows of the fold.

    Returns:
        float32[n]: 1 / (number of rows of the row's class); 0 for padding.
    """
    of_row = label[rows.index]
    return rows.mask / jnp.sum((of_row[:, None] == of_row) * rows.mask, 1)


def donors(key: jax.Array, label: jax.Array, rows: TrainRows, batch: jax.Array) -> jax.Array:
    """Draw a partner of the same class for each row.

    Args:
        key: of the draw.
        label: int32[N + e], see `labels`.
        rows: training rows of the fold.
        batch: int32[B], rows of the fold.

    Returns:
        int32[B], rows of the fold. All rows of the class are equally likely, also the row itself.
    """
    same = (label[batch][:, None] == label[rows.index]) & (rows.mask > 0)
    return rows.index[jax.random.categorical(key, jnp.where(same, 0.0, -jnp.inf))]


def labels(samples: Samples, rows: TrainRows) -> jax.Array:
    """Return the label of each row that a fold may hold.

    Args:
        samples: all N samples.
        rows: training rows of the fold, among them e resampled ones.

    Returns:
        int32[N + e]: labels of the samples, then of the resampled rows.
    """
    return jnp.concatenate([samples.label, samples.label[rows.resampled.row]])


def is_resampled(samples: Samples, index: jax.Array) -> jax.Array:
    """Return which rows are copies or mixtures.

    `stored` in folds/rows.py is the inverse, in numpy.

    Args:
        samples: all N samples.
        index: int32[B], rows of a fold.

    Returns:
        bool[B].
    """
    return index >= len(samples.label)


def gather(samples: Samples, rows: TrainRows, index: jax.Array) -> Samples:
    """Gather the images, labels and extras of a batch.

    The image of a mixture is image[row] + gap * (image[neighbour] - image[row]). Its action units
    are unknown (NaN). All else it takes from `row`.

    Args:
        samples: all samples.
        rows: training rows of the fold.
        index: int32[B], rows of the fold.

    Returns:
        The batch: arrays [B, ...].
    """
    resampled = rows.resampled
    if not resampled.row.shape[0]:
        return jax.tree.map(lambda array: array[index], samples)
    is_new = is_resampled(samples, index)
    i = jnp.maximum(index - len(samples.label), 0)
    row = jnp.where(is_new, resampled.row[i], index)
    batch = jax.tree.map(lambda array: array[row], samples)
    gap = jnp.where(is_new, resampled.gap[i], 0)
    neighbour = jnp.where(is_new, resampled.neighbour[i], index)
    second = samples.image[neighbour].astype(jnp.float32)
    image = batch.image + _per_row(gap, second.ndim) * (second - batch.image)
    batch = batch._replace(image=image)
    if 'action_units' not in batch.extras:
        return batch
    units = batch.extras['action_units']
    return batch.with_extras(action_units=jnp.where((gap == 0)[:, None], units, jnp.nan))


def inputs(samples: Samples, index: jax.Array) -> Inputs:
    """Return what a network may see of some rows.

    Args:
        samples: all samples.
        index: int32[B], positions in samples.
    """
    extras = {name: samples.extras[name][index] for name in RECORDED if name in samples.extras}
    return Inputs(samples.image[index], extras)


def where(chosen: jax.Array, first: Samples, second: Samples) -> Samples:
    """Choose each row from one of two batches.

    Args:
        chosen: bool[B], True: the row of `first`; False: that of `second`.
        first: a batch.
        second: another batch of the same shapes.
    """

    def pick(a: jax.Array, b: jax.Array) -> jax.Array:
        return jnp.where(_per_row(chosen, a.ndim), a, b)

    return jax.tree.map(pick, first, second)


def prediction_batches(rows: Rows, batch_size: int) -> np.ndarray:
    """Cut the rows to predict into batches.

    Args:
        rows: test rows of all runs, [F, m].
        batch_size: most rows in a batch.

    Returns:
        int32[F, steps, batch]; the last batch is filled by repeating the last row.
    """
    steps, batch = batch_shape(rows.index.shape[1], batch_size)
    missing = steps * batch - rows.index.shape[1]
    padded = np.pad(rows.index, [(0, 0), (0, missing)], mode='edge')
    return padded.reshape(len(rows.index), steps, batch)


def _per_row(values, dimensions):
    """Reshape values [B] to [B, 1, ..., 1].

    Args:
        values: [B].
        dimensions: number of axes of the result.
    """
    ones = (1,) * (dimensions - 1)
    return values.reshape(-1, *ones)
