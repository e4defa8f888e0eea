"""The programs of a run in plain Python, for debugging.

Folds, steps and operations run one after another and nothing is compiled: a breakpoint or a print
in a network or a loss shows numbers, where compiled code shows only shapes. Batches, keys, logs and
checkpoints are those of a compiled run. The results agree to about 1e-5 with those of a compiled
run, because XLA rounds differently where it joins operations. It is many times slower. GANs are
still compiled.
"""

from collections.abc import Iterator
from functools import partial

import jax
import jax.numpy as jnp

from mer_jax.training import epoch, held_out, parallel
from mer_jax.training.programs import ProgramOptions, Programs
from mer_jax.types import Folds, Learner, Samples


def programs(learner: Learner, samples: Samples, folds: Folds, options: ProgramOptions) -> Programs:
    """Return the programs of a run as loops in Python.

    They use one device, and train one epoch in each call.

    Args:
        learner: of one fold.
        samples: all rows.
        folds: all runs.
        options: as for compile_programs; `chunk` is not used.
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
        padded_runs=options.runs,
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
    for state, run_rows, run_fold, run_seed in _each(states, rows, fold, seed):
        key = epoch.run_key(run_seed, run_fold)
        logs = []
        for number in range(done + 1, done + count + 1):
            epoch_key = jax.random.fold_in(key, number)
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
    """Yield the arguments of one run after another.

    Args:
        stacked: trees of arrays [F, ...].
    """
    for run in range(len(jax.tree.leaves(stacked)[0])):
        yield jax.tree.map(lambda array: array[run], stacked)  # noqa: B023, called at once


def _stack(trees):
    """Return one tree of stacked arrays."""
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)
