"""Train one fold: one pass over its rows, or as many passes as a compiled call takes."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from mer_jax.training import batches
from mer_jax.types import FoldState, Learner, Samples, TrainRows

Logs = dict[str, jax.Array]


def run_key(seed: jax.Array, fold: jax.Array) -> jax.Array:
    """Return the random key of one run.

    Every random number of a run derives from it by epoch and step and is never carried, so that a
    resumed run draws the same numbers.

    Args:
        seed: int32[].
        fold: int32[], number of the fold.
    """
    return jax.random.fold_in(jax.random.key(seed), fold)


def init_fold(
    samples: Samples, rows: TrainRows, fold: jax.Array, seed: jax.Array, *, learner: Learner
) -> FoldState:
    """Return the state of one fold before its first epoch.

    Args:
        samples: all rows.
        rows: that the fold trains on; whatever the learner fits, it fits to these.
        fold: int32[], number of the fold.
        seed: int32[].
        learner: whose state it is.
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

    Every fold takes the same number of steps; see batches.epoch_order.

    Args:
        state: before the epoch.
        samples: all rows.
        rows: that the fold trains on.
        key: of this epoch.
        learner: which takes the steps.
        options: of its batches.

    Returns:
        The state after the epoch, and the mean of each log over the steps.
    """
    order_key, step_key, augment_key = jax.random.split(key, 3)
    label = batches.labels(samples, rows)
    rows_of_step = batches.epoch_order(
        order_key, label, rows, batch_size=options.batch_size, sampler=options.sampler
    )

    def augmented(batch, index, number):
        keys = jax.random.split(jax.random.fold_in(augment_key, number), len(index) + 1)
        donor = batches.gather(samples, rows, batches.donors(keys[0], label, rows, index))
        changed = jax.vmap(options.augment)(keys[1:], batch, donor)
        if not options.augment_resampled_only:
            return changed
        return batches.where(batches.is_resampled(samples, index), changed, batch)

    def one_step(state, number):
        index = rows_of_step(number)
        batch = batches.gather(samples, rows, index)
        if options.augment:
            batch = augmented(batch, index, number)
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
        shared: all rows, the number of epochs that are done, and the number to train now, at most
            `chunk`. Both numbers are arrays, so that no number of epochs compiles anew.
        state: after the epochs that are done.
        rows: that the fold trains on.
        fold: int32[], number of the fold.
        seed: int32[].
        train_one: train_epoch with its learner and options.
        chunk: length of the logs.

    Returns:
        The state, and the logs [chunk], which are 0 behind the epochs trained now.
    """
    samples, done, count = shared
    key = run_key(seed, fold)

    @jax.jit  # traced once, for the shapes of its logs and for the loop
    def one_epoch(state, samples, rows, key, number):
        return train_one(state, samples, rows, jax.random.fold_in(key, number))

    def body(place, carry):
        state, logs = carry
        # Epochs count from 1: number 0 is the key of init_fold.
        state, log = one_epoch(state, samples, rows, key, done + place + 1)
        return state, jax.tree.map(lambda kept, new: kept.at[place].set(new), logs, log)

    _, shapes = jax.eval_shape(one_epoch, state, samples, rows, key, done)
    logs = jax.tree.map(lambda log: jnp.zeros(chunk, log.dtype), shapes)
    return lax.fori_loop(0, count, body, (state, logs))
