"""All runs of an experiment on the devices: programs that are compiled once, and the groups of runs
that they train one after another.
"""

import math
import time
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import numpy as np

from mer_jax.training import batches, checkpoint, compilation, epoch, held_out, loop, parallel
from mer_jax.training.compilation import QUICKLY, Program
from mer_jax.types import Folds


class Programs(NamedTuple):
    """The compiled programs of one plan, for `length` runs at a time, and the data they read."""

    init: Any  # (samples, rows, fold, seed) -> states
    # ((samples, first, count), states, rows, fold, seed) -> (states, logs [F, chunk]); None where
    # no epoch is left
    train: Any
    # (samples, states, index [F, steps, batch]) -> outputs [F, steps, batch, K]; None where no row
    # is held out
    predict: Any
    samples: Any  # on every device once
    devices: list
    length: int
    chunk: int
    test_batch: int  # rows that are predicted at a time
    seconds: float  # spent compiling


class Group(NamedTuple):
    """Runs that are in memory together, on the devices, wrapped round to the length of the
    programs.
    """

    programs: Programs
    members: np.ndarray  # int[m], numbers of the runs
    rows: Any  # TrainRows
    fold: Any  # int32[length]
    seed: Any  # int32[length]
    test: Any  # int32[length, steps, batch], rows to predict


def compiled(
    learner, plan, samples, folds, *, runs, test_batch, chunk, done=False, **settings
) -> Programs:
    """Compile init, train and predict for `runs` runs of `folds`, padded to full rounds of `plan`;
    nothing is trained.

    done: no epoch is left, so that the slowest of them to compile is left out. settings: of
    epoch.train_epoch (batch_size, augment, sampler).
    """
    start = time.perf_counter()
    devices = jax.devices()[: plan.devices]
    length = parallel.round_up(runs, at_once=plan.at_once, devices=plan.devices)
    mapped = partial(parallel.over_folds, at_once=plan.at_once, devices=devices)
    shared = parallel.replicated(samples, devices=devices)
    rows, fold, seed, test = _shards(folds, range(runs), length, test_batch, devices)

    init = mapped(partial(_init, learner=learner))
    states = jax.eval_shape(init, shared, rows, fold, seed)
    states = jax.tree.map(
        lambda a: jax.ShapeDtypeStruct(a.shape, a.dtype, sharding=rows.index.sharding), states
    )
    wanted = {'init': Program(init, (shared, rows, fold, seed), QUICKLY)}
    if not done:
        train = mapped(
            partial(epoch.train_epochs, learner=learner, chunk=chunk, **settings), donate=(1,)
        )
        arguments = (shared, np.int32(0), np.int32(1)), states, rows, fold, seed
        wanted['train'] = Program(train, arguments)
    if folds.test.index.shape[1]:
        predict = mapped(partial(held_out.predict_rows, learner=learner))
        wanted['predict'] = Program(predict, (shared, states, test))
    ready = compilation.compiled(wanted, 'what predicts' if done else 'the training program')
    return Programs(
        ready['init'],
        ready.get('train'),
        ready.get('predict'),
        shared,
        devices,
        length,
        chunk,
        test_batch,
        time.perf_counter() - start,
    )


def place(programs: Programs, folds: Folds, members) -> Group:
    """Put the runs `members` of `folds` on the devices, wrapped round to the programs' length."""
    shards = _shards(folds, members, programs.length, programs.test_batch, programs.devices)
    return Group(programs, np.asarray(members), *shards)


def init(group: Group):
    """The states of a group before its first epoch, on the devices."""
    return group.programs.init(group.programs.samples, group.rows, group.fold, group.seed)


def train(group: Group, states, done, count):
    """Train a group for `count` epochs, at most programs.chunk, behind epoch `done`.

    Returns:
        The states, and the logs {name: [m, chunk]}, on the host and 0 from `count` on.
    """
    programs = group.programs
    states, logs = programs.train(
        (programs.samples, done, count), states, group.rows, group.fold, group.seed
    )
    return states, to_host(group, logs)


def fit(group: Group, states, *, done: int, epochs: int) -> Iterator[loop.Chunk]:
    """Train a group from epoch `done` to `epochs`; see loop.fit."""
    return loop.fit(
        partial(train, group), states, done=done, epochs=epochs, longest=group.programs.chunk
    )


def predict(group: Group, states):
    """What the runs of a group predict of their test rows, on the host.

    Returns:
        A tree of [m, steps, batch, ...], or None where nothing is held out.
    """
    programs = group.programs
    if programs.predict is None:
        return None
    return to_host(group, programs.predict(programs.samples, states, group.test))


def to_host(group: Group, tree):
    """Arrays of a group as numpy, without the runs that wrap round."""
    return jax.tree.map(lambda a: np.asarray(a)[: len(group.members)], tree)


def to_devices(group: Group, tree):
    """Arrays of a group on its devices, wrapped round: the inverse of to_host."""
    return parallel.padded(tree, group.programs.length, devices=group.programs.devices)


def restored(group: Group, manager, done: int):
    """The states of a group from its checkpoint of epoch `done`, on the devices."""
    return to_devices(group, checkpoint.restore(manager, done, to_host(group, init(group))))


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
        if programs.train.memory_analysis().temp_size_in_bytes * sharing > memory:
            return math.inf
        group = place(programs, folds, range(runs))
        states, took = init(group), []
        # the first call warms up; the fastest of the others counts on a noisy machine
        for done in range(4):
            start = time.perf_counter()
            states, _ = train(group, states, np.int32(done), np.int32(1))
            took.append(time.perf_counter() - start)
        return min(took[1:])
    except jax.errors.JaxRuntimeError as error:
        if 'RESOURCE_EXHAUSTED' in str(error):
            return math.inf
        raise


def _init(samples, rows, fold, seed, *, learner):
    return epoch.init_fold(samples, rows, fold, seed, learner=learner)


def _shards(folds, members, length, test_batch, devices):
    """Training rows, fold, seed and test batches of the runs `members` on their devices."""
    chosen = held_out.subset(folds, list(members))
    test = batches.prediction_batches(chosen.test, test_batch)
    return parallel.padded((chosen.train, chosen.fold, chosen.seed, test), length, devices=devices)
