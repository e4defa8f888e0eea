"""The programs of a run in plain Python: fold after fold, step after step, nothing compiled.

For looking into a network or a loss: a breakpoint or a print there sees numbers, where compiled
programs show only shapes. Everything else is that of a real run: batches, keys, logs, checkpoints.
The results equal those of the compiled programs to about 1e-5, because XLA rounds elsewhere where
it joins operations; and they take many times as long. GANs are compiled as always.
"""

from functools import partial

import jax
import jax.numpy as jnp

from mer_jax.training import epoch, held_out, parallel
from mer_jax.training.programs import Programs


def programs(learner, samples, folds, *, runs: int, test_batch: int, **settings) -> Programs:
    """What programs.compiled returns, as loops in Python on one device.

    Args:
        learner: of one fold.
        samples: all rows.
        folds: all runs, of which `runs` are in memory at a time.
        runs: in memory at a time.
        test_batch: rows that are predicted at a time.
        **settings: of epoch.train_epoch (batch_size, augment, sampler).
    """
    devices = jax.devices()[:1]
    return Programs(
        init=partial(_init, learner=learner),
        train=partial(_train, learner=learner, **settings),
        predict=partial(_predict, learner=learner) if folds.test.index.shape[1] else None,
        samples=parallel.replicated(samples, devices=devices),
        devices=devices,
        length=runs,
        chunk=1,
        test_batch=test_batch,
        seconds=0.0,
    )


@jax.disable_jit()
def _init(samples, rows, fold, seed, *, learner):
    states = [
        epoch.init_fold(samples, *one_run, learner=learner) for one_run in _each(rows, fold, seed)
    ]
    return _stacked(states)


@jax.disable_jit()
def _train(shared, states, rows, fold, seed, *, learner, **settings):
    samples, done, count = shared
    trained = []
    for state, rows_of_run, number, seed_of_run in _each(states, rows, fold, seed):
        key, logs = epoch.run_key(seed_of_run, number), []
        for which in range(done + 1, done + count + 1):
            epoch_key = jax.random.fold_in(key, which)
            state, log = epoch.train_epoch(
                state, samples, rows_of_run, epoch_key, learner=learner, **settings
            )
            logs.append(log)
        trained.append((state, _stacked(logs)))
    return _stacked(trained)


@jax.disable_jit()
def _predict(samples, states, test, *, learner):
    outputs = [
        held_out.predict_rows(samples, state, index, learner=learner)
        for state, index in _each(states, test)
    ]
    return _stacked(outputs)


def _each(*stacked):
    """The arguments of one run after the other."""
    for run in range(len(jax.tree.leaves(stacked)[0])):
        yield jax.tree.map(lambda a: a[run], stacked)  # noqa: B023, called at once


def _stacked(trees):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)
