"""All runs of an experiment on the devices: compile once, then group after group restore, fit,
predict, save.
"""

import math
import time
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from mer_jax.training import batches, checkpoint, compilation, held_out, loop, parallel
from mer_jax.training.compilation import QUICKLY, Program
from mer_jax.types import Folds


class Programs(NamedTuple):
    """The compiled programs of one plan, for `length` runs at a time, and the data they read."""

    init: Any  # (samples, rows, fold, seed) -> states
    # ((samples, first, count), states, rows, fold, seed) -> (states, logs [F, chunk]); None where
    # no epoch is left
    run: Any
    # (samples, states, index [F, steps, batch]) -> outputs [F, steps, batch, K]; None where no row
    # is held out
    predict: Any
    samples: Any  # on every device once
    devices: list
    length: int
    chunk: int
    seconds: float  # spent compiling


def compiled(
    learner, plan, samples, folds, *, runs, test_batch, chunk, done=False, **settings
) -> Programs:
    """Compile init, train and predict for `runs` runs of `folds`, padded to full rounds of `plan`;
    nothing is trained.

    done: no epoch is left, so that the slowest of them to compile is left out. settings: of
    loop.train_epoch (batch_size, augment, sampler).
    """
    start = time.perf_counter()
    devices = jax.devices()[: plan.devices]
    length = parallel.round_up(runs, at_once=plan.at_once, devices=plan.devices)
    mapped = partial(parallel.over_folds, at_once=plan.at_once, devices=devices)
    shared = parallel.replicated(samples, devices=devices)
    rows, fold, seed, index = place(folds, range(runs), length, test_batch, devices)

    init = mapped(partial(_init, learner=learner))
    states = jax.eval_shape(init, shared, rows, fold, seed)
    states = jax.tree.map(
        lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=rows.index.sharding), states
    )
    wanted = {'init': Program(init, (shared, rows, fold, seed), QUICKLY)}
    if not done:
        run = mapped(
            partial(loop.train_epochs, learner=learner, chunk=chunk, **settings), donate=(1,)
        )
        wanted['run'] = Program(run, ((shared, np.int32(0), np.int32(1)), states, rows, fold, seed))
    if folds.test.index.shape[1]:
        predict = mapped(partial(held_out.predict_rows, learner=learner))
        wanted['predict'] = Program(predict, (shared, states, index))
    ready = compilation.compiled(wanted, 'what predicts' if done else 'the training program')
    return Programs(
        ready['init'],
        ready.get('run'),
        ready.get('predict'),
        shared,
        devices,
        length,
        chunk,
        time.perf_counter() - start,
    )


def place(folds, members, length, test_batch, devices):
    """Training rows, fold, seed and test row batches of the runs `members`, wrapped to `length`, on
    their devices.
    """
    chosen = held_out.subset(folds, list(members))
    per_run = (
        chosen.train,
        chosen.fold,
        chosen.seed,
        batches.prediction_batches(chosen.test, test_batch),
    )
    return parallel.padded(per_run, length, devices=devices)


def seconds_a_round(learner_for, samples, folds, *, memory, plan, **settings) -> float:
    """Seconds that one epoch of one filled round of `plan` takes; infinity where it does not fit in
    `memory` bytes.
    """
    runs = min(plan.at_once * plan.devices, len(folds.fold))
    try:
        programs = compiled(
            learner_for(plan.lowering),
            plan,
            samples,
            folds,
            runs=runs,
            test_batch=settings['batch_size'],
            chunk=1,
            **settings,
        )
        # CPU devices share one memory
        sharing = plan.devices if jax.default_backend() == 'cpu' else 1
        if programs.run.memory_analysis().temp_size_in_bytes * sharing > memory:
            return math.inf
        rows, fold, seed, _ = place(
            folds, range(runs), programs.length, settings['batch_size'], programs.devices
        )
        states = programs.init(programs.samples, rows, fold, seed)
        took = []
        # the first call warms up; the fastest of the others counts on a noisy machine
        for first in range(4):
            start = time.perf_counter()
            states, logs = programs.run(
                (programs.samples, np.int32(first), np.int32(1)), states, rows, fold, seed
            )
            jax.block_until_ready(logs)
            took.append(time.perf_counter() - start)
        return min(took[1:])
    except jax.errors.JaxRuntimeError as error:
        if 'RESOURCE_EXHAUSTED' in str(error):
            return math.inf
        raise


def train_group(
    programs,
    folds: Folds,
    members,
    folder,
    *,
    epochs,
    test_batch,
    prepare,
    started,
    after,
    interval,
):
    """Train the runs `members` to `epochs` from their newest checkpoint in `folder`; returns
    (states, held-out outputs).

    Outputs are [len(members), steps, batch, K], or None where nothing is held out. prepare(states,
    members) -> states imports weights before the first epoch; started(epoch) tells where training
    begins; after(done, logs, seconds, outputs) follows every compiled call. A checkpoint is written
    every `interval` seconds, or after twenty times what writing one takes where that is longer (0:
    after every call); when changes no bit.
    """
    count = len(members)
    rows, fold, seed, index = place(folds, members, programs.length, test_batch, programs.devices)
    own = partial(jax.tree.map, lambda a: np.asarray(a)[:count])

    def outputs(states):
        return own(programs.predict(programs.samples, states, index)) if programs.predict else None

    def run(states, first, number):
        states, logs = programs.run((programs.samples, first, number), states, rows, fold, seed)
        return states, own(logs)

    states = programs.init(programs.samples, rows, fold, seed)
    with checkpoint.opened(folder) as manager:
        done = checkpoint.newest(folder)
        if done >= 0:
            states = parallel.padded(
                checkpoint.restore(manager, done, own(states)),
                programs.length,
                devices=programs.devices,
            )
        else:
            states = parallel.padded(
                prepare(own(states), members), programs.length, devices=programs.devices
            )
            done = 0
        started(done)

        last, cost = time.monotonic(), 0.0

        def behind(states, done, logs, seconds):
            nonlocal last, cost
            after(done, logs, seconds, partial(outputs, states))
            wait = max(interval, 20 * cost) if interval else 0
            if done == epochs or time.monotonic() - last >= wait:
                start = time.monotonic()
                checkpoint.save(manager, done, own(states))
                last = time.monotonic()
                cost = last - start

        states = loop.fit(run, states, done=done, epochs=epochs, chunk=programs.chunk, after=behind)
    return own(states), outputs(states)


def _init(samples, rows, fold, seed, *, learner):
    return loop.init_fold(samples, rows, fold, seed, learner=learner)
