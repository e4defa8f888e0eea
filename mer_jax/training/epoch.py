"""The training of one fold: a pass over its rows, and as many passes as a compiled call takes."""

import jax
import jax.numpy as jnp
from jax import lax

from mer_jax.training import batches


def run_key(seed, fold):
    """The key of one run: every random number of it derives from here by epoch and step and is
    never carried.
    """
    return jax.random.fold_in(jax.random.key(seed), fold)


def train_epoch(
    state,
    samples,
    rows,
    key,
    *,
    learner,
    batch_size,
    augment=None,
    sampler='shuffle',
    augment_made=False,
):
    """One pass over the rows of one fold (TrainRows). Returns the new state and the mean of the
    logs of its steps.

    Every fold takes the same number of steps: see batches.epoch_order. augment(key, sample, donor)
    -> sample changes each row, with augment_made the made rows alone; sampler: as
    of batches.epoch_order.
    """
    order_key, step_key, change_key = jax.random.split(key, 3)
    label = batches.labels(samples, rows)
    rows_of_step = batches.epoch_order(
        order_key, label, rows, batch_size=batch_size, sampler=sampler
    )

    def one_step(state, number):
        index = rows_of_step(number)
        batch = batches.gather(samples, rows, index)
        if augment:
            keys = jax.random.split(jax.random.fold_in(change_key, number), len(index) + 1)
            donor = batches.gather(samples, rows, batches.donors(keys[0], label, rows, index))
            changed = jax.vmap(augment)(keys[1:], batch, donor)
            if augment_made:
                changed = batches.where(batches.is_resampled(samples, index), changed, batch)
            batch = changed
        return learner.step(state, batch, jax.random.fold_in(step_key, number))

    steps, _ = batches.batch_shape(rows.index.shape[0], batch_size)
    state, logs = lax.scan(one_step, state, jnp.arange(steps))
    return state, jax.tree.map(jnp.mean, logs)


def train_epochs(shared, state, rows, fold, seed, *, chunk, **settings):
    """Epochs first+1 .. first+count of one fold, count <= chunk; shared is (samples, first, count),
    settings of train_epoch.

    Returns (state, logs [chunk]); entries from `count` on are 0. `count` is an array: no length of
    chunk compiles anew.
    """
    samples, first, count = shared
    key = run_key(seed, fold)

    @jax.jit  # traced once for the shapes of its logs and for the loop
    def one_epoch(state, samples, rows, key, number):
        return train_epoch(state, samples, rows, jax.random.fold_in(key, number), **settings)

    def body(done, carry):
        state, logs = carry
        # number 0 is the key of init
        state, log = one_epoch(state, samples, rows, key, first + done + 1)
        return state, jax.tree.map(lambda kept, new: kept.at[done].set(new), logs, log)

    shapes = jax.eval_shape(one_epoch, state, samples, rows, key, first)[1]
    return lax.fori_loop(
        0, count, body, (state, jax.tree.map(lambda a: jnp.zeros(chunk, a.dtype), shapes))
    )


def init_fold(samples, rows, fold, seed, *, learner):
    """The state of one fold before its first epoch; what it fits, it fits on its training rows."""
    return learner.init(jax.random.fold_in(run_key(seed, fold), 0), samples, rows)
