"""The training of one fold, for one epoch or several."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from mer_jax.training import batches
from mer_jax.types import FoldState, Learner, Logs, Samples, TrainRows


def run_key(seed: jax.Array, fold: jax.Array) -> jax.Array:
    """Return the random key of one run.

    The keys of epochs and steps are derived from it by their numbers. No key is carried from step
    to step, so that a resumed run draws the same numbers.

    Args:
        seed: int32[], of the run.
        fold: int32[], number of the fold.
    """
    return jax.random.fold_in(jax.random.key(seed), fold)


def init_fold(
    samples: Samples, rows: TrainRows, fold: jax.Array, seed: jax.Array, *, learner: Learner
) -> FoldState:
    """Return the state of one fold before its first epoch.

    Args:
        samples: all rows.
        rows: training rows of the fold; whatever the learner fits, it fits to these.
        fold: int32[], number of the fold.
        seed: int32[], of the run.
        learner: whose `init` is called.
    """
    return learner.init(jax.random.fold_in(run_key(seed, fold), 0), samples, rows)


def train_epoch(
    state: FoldState,
    samples: Samples,
    rows: TrainRows,
    key: jax.Array,
    *,
    learner: Learner,
    options: batches.BatchOptions,
) -> tuple[FoldState, Logs]:
    """Train one fold for one epoch.

    All folds take the same number of steps; see batches.epoch_order.

    Args:
        state: before the epoch.
        samples: all rows.
        rows: training rows of the fold.
        key: of this epoch.
        learner: whose `step` is called.
        options: how rows reach the learner.

    Returns:
        The state after the epoch, and the mean of each log over the steps.
    """
    order_key, step_key, augment_key = jax.random.split(key, 3)
    label = batches.labels(samples, rows)
    rows_of_step = batches.epoch_order(
        order_key, label, rows, batch_size=options.batch_size, sampler=options.sampler
    )

    def augment(batch: Samples, index: jax.Array, number: jax.Array) -> Samples:
        keys = jax.random.split(jax.random.fold_in(augment_key, number), len(index) + 1)
        donor = batches.gather(samples, rows, batches.donors(keys[0], label, rows, index))
        changed = jax.vmap(options.augment)(keys[1:], batch, donor)
        if not options.augment_resampled_only:
            return changed
        return batches.where(batches.is_resampled(samples, index), changed, batch)

    def one_step(state: FoldState, number: jax.Array) -> tuple[FoldState, Logs]:
        index = rows_of_step(number)
        batch = batches.gather(samples, rows, index)
        if options.augment:
            batch = augment(batch, index, number)
        return learner.step(state, batch, jax.random.fold_in(step_key, number))

    steps, _ = batches.batch_shape(rows.index.shape[0], options.batch_size)
    state, logs = lax.scan(one_step, state, jnp.arange(steps))
    return state, jax.tree.map(jnp.mean, logs)


def train_epochs(
    shared: tuple[Samples, jax.Array, jax.Array],
    state: FoldState,
    rows: TrainRows,
    fold: jax.Array,
    seed: jax.Array,
    *,
    train_one: Callable[..., tuple[FoldState, Logs]],
    chunk: int,
) -> tuple[FoldState, Logs]:
    """Train one fold for several epochs.

    Args:
        shared: what all folds share: samples; the number of epochs that are done; the number of
            epochs to train now, at most `chunk`. Both numbers are arrays: another number then needs
            no new compilation.
        state: after the epochs that are done.
        rows: training rows of the fold.
        fold: int32[], number of the fold.
        seed: int32[], of the run.
        train_one: train_epoch with its learner and options bound.
        chunk: length of the logs.

    Returns:
        The state; and the logs {name: [chunk]}: first the epochs trained now, then zeros.
    """
    samples, done, count = shared
    key = run_key(seed, fold)

    @jax.jit  # so that it is traced once, for the shapes of its logs and for the loop
    def one_epoch(
        state: FoldState, samples: Samples, rows: TrainRows, key: jax.Array, number: jax.Array
    ) -> tuple[FoldState, Logs]:
        return train_one(state, samples, rows, jax.random.fold_in(key, number))

    def body(i: jax.Array, carry: tuple[FoldState, Logs]) -> tuple[FoldState, Logs]:
        state, logs = carry
        # Epochs count from 1, because init_fold derives its key with number 0.
        state, log = one_epoch(state, samples, rows, key, done + i + 1)
        return state, jax.tree.map(lambda values, value: values.at[i].set(value), logs, log)

    _, shapes = jax.eval_shape(one_epoch, state, samples, rows, key, done)
    logs = jax.tree.map(lambda log: jnp.zeros(chunk, log.dtype), shapes)
    return lax.fori_loop(0, count, body, (state, logs))
