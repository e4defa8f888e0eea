"""The training of one fold, written for one; and the host loop that drives all of them, chunk after
chunk.
"""

import time

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from mer_jax.training import batches

CHUNK = 256  # most epochs in one compiled call, and the length of its log
# seconds a compiled call: often enough for a progress bar, seldom enough that entering it costs
# nothing
PACE = 10.0


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
    """One pass over the rows of one fold (Training). Returns the new state and the mean of the step
    logs.

    Every fold takes the same number of steps: see batches.epoch_order. augment(key, sample, donor)
    -> sample changes each row, with augment_made the made rows alone; sampler: one of
    batches.SAMPLERS.
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
                changed = batches.where(batches.is_made(samples, index), changed, batch)
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


def fit(run, states, *, done, epochs, chunk, after):
    """Train all runs from epoch `done` to `epochs`: run(states, done, count) -> (states, logs
    {name: [F, chunk]}).

    A compiled call takes as many epochs (at most `chunk`) as pass in about PACE seconds; how many
    changes no bit of the result. after(states, done, logs {name: [F, count]}, seconds) runs behind
    every call.
    """
    count = 1
    while done < epochs:
        start = time.perf_counter()
        count = min(count, epochs - done)
        states, logs = run(states, np.int32(done), np.int32(count))
        logs = {name: log[:, :count] for name, log in logs.items()}
        seconds, done = time.perf_counter() - start, done + count
        after(states, done, logs, seconds)
        count = int(np.clip(PACE * count / max(seconds, 1e-6), 1, min(chunk, 4 * count)))
    return states
