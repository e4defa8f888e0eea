"""The programs of a run in plain Python: fold after fold, step after step, nothing compiled.

For looking into a network or a loss: a breakpoint or a print there sees numbers, where compiled
programs show only shapes. Batches, keys, logs and checkpoints are those of a compiled run. The
results equal its results to about 1e-5, because XLA rounds differently where it joins operations.
It takes many times as long. GANs are compiled as always.
"""

from collections.abc import Iterator
from functools import partial

import jax
import jax.numpy as jnp

from mer_jax.training import epoch, held_out, parallel
from mer_jax.training.programs import ProgramOptions, Programs
from mer_jax.types import Folds, Learner, Samples


def programs(learner: Learner, samples: Samples, folds: Folds, options: ProgramOptions) -> Programs:
    """Return the programs of a run as loops in Python, on one device.

    Args:
        learner: of one fold.
        samples: all rows.
        folds: all runs.
        options: of the programs; an epoch is a chunk of its own.
    """
    devices = jax.devices()[:1]
    predict = None
    if folds.test.index.shape[1]:
        predict = partial(_predict, learner=learner)
    return Programs(
        init=partial(_init, learner=learner),
        train=partial(_train, learner=learner, options=options.batches),
        predict=predict,
        samples=parallel.replicate(samples, devices=devices),
        devices=devices,
        length=options.runs,
        chunk=1,
        test_batch=options.test_batch,
        seconds=0.0,
    )


@jax.disable_jit()
def _init(samples, rows, fold, seed, *, learner):
    states = [epoch.init_fold(samples, *run, learner=learner) for run in _each(rows, fold, seed)]
    return _stack(states)


@jax.disable_jit()
def _train(shared, states, rows, fold, seed, *, learner, options):
    samples, done, count = shared
    trained = []
    for state, run_rows, number, run_seed in _each(states, rows, fold, seed):
        key = epoch.run_key(run_seed, number)
        logs = []
        for which in range(done + 1, done + count + 1):
            epoch_key = jax.random.fold_in(key, which)
            state, log = epoch.train_epoch(
                state, samples, run_rows, epoch_key, learner=learner, options=options
            )
            logs.append(log)
        trained.append((state, _stack(logs)))
    return _stack(trained)


@jax.disable_jit()
def _predict(samples, states, test, *, learner):
    outputs = []
    for state, index in _each(states, test):
        outputs.append(held_out.predict_rows(samples, state, index, learner=learner))
    return _stack(outputs)


def _each(*stacked) -> Iterator[tuple]:
    """Yield the arguments of one run after the other."""
    for run in range(len(jax.tree.leaves(stacked)[0])):
        yield jax.tree.map(lambda array: array[run], stacked)  # noqa: B023, called at once


def _stack(trees):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)
