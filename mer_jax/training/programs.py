"""The compiled programs of a training, and the groups of runs that they train in turn."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, TypeVar

import jax
import numpy as np
import orbax.checkpoint as ocp

from mer_jax.runfiles.plan import Plan
from mer_jax.training import batches, checkpoint, compilation, epoch, held_out, loop, parallel
from mer_jax.training.compilation import QUICKLY, Program
from mer_jax.types import Folds, FoldState, Learner, Samples, TrainRows

Tree = TypeVar('Tree')  # an array, or tuples and dictionaries of arrays


@dataclass(frozen=True)
class ProgramOptions:
    """What the programs of a training are compiled for."""

    batches: batches.BatchOptions
    runs: int  # in memory at a time
    test_batch: int  # rows that are predicted at a time
    chunk: int = 1  # most epochs in one call
    # False where no epoch is left: the program that trains is the slowest to compile
    trains: bool = True


class Programs(NamedTuple):
    """The compiled programs of one plan, and the data that they read."""

    init: Callable  # (samples, rows, fold, seed) -> states
    # ((samples, done, count), states, rows, fold, seed) -> (states, logs [F, chunk]); None where
    # no epoch is left
    train: Callable | None
    # (samples, states, index [F, steps, batch]) -> outputs [F, steps, batch, K]; None where no row
    # is held out
    predict: Callable | None
    samples: Samples  # a copy on every device
    devices: list[jax.Device]
    length: int  # runs that the programs take, those that fill the last round included
    chunk: int  # most epochs in one call of train
    test_batch: int  # rows that are predicted at a time
    seconds: float  # spent compiling


class Group(NamedTuple):
    """Runs that are in memory together, on the devices.

    Behind the members, the first ones repeat until there are as many runs as the programs take.
    """

    programs: Programs
    members: np.ndarray  # int[m], numbers of the runs
    rows: TrainRows
    fold: jax.Array  # int32[length]
    seed: jax.Array  # int32[length]
    test: jax.Array  # int32[length, steps, batch], rows to predict


def compile_programs(
    learner: Learner, plan: Plan, samples: Samples, folds: Folds, options: ProgramOptions
) -> Programs:
    """Compile what initialises, trains and predicts; nothing is trained.

    Args:
        learner: of one fold.
        plan: of the training.
        samples: all rows; put on every device.
        folds: all runs; the first ones give the shapes.
        options: of the programs.
    """
    start = time.perf_counter()
    devices = jax.devices()[: plan.devices]
    length = parallel.round_up(options.runs, at_once=plan.at_once, devices=devices)
    over_folds = partial(parallel.over_folds, at_once=plan.at_once, devices=devices)
    shared = parallel.replicate(samples, devices=devices)
    members = range(options.runs)
    rows, fold, seed, test = _shard(folds, members, length, options.test_batch, devices)

    init = over_folds(partial(_init, learner=learner))
    abstract = jax.eval_shape(init, shared, rows, fold, seed)
    sharding = rows.index.sharding
    states = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding), abstract
    )
    needed = {'init': Program(init, (shared, rows, fold, seed), QUICKLY)}
    if options.trains:
        train_one = partial(epoch.train_epoch, learner=learner, options=options.batches)
        one_fold = partial(epoch.train_epochs, train_one=train_one, chunk=options.chunk)
        train = over_folds(one_fold, donate=(1,))
        counted = (shared, np.int32(0), np.int32(1))
        needed['train'] = Program(train, (counted, states, rows, fold, seed))
    if folds.test.index.shape[1]:
        predict = over_folds(partial(held_out.predict_rows, learner=learner))
        needed['predict'] = Program(predict, (shared, states, test))
    title = 'the training program' if options.trains else 'what predicts'
    ready = compilation.compile_all(needed, title)
    return Programs(
        init=ready['init'],
        train=ready.get('train'),
        predict=ready.get('predict'),
        samples=shared,
        devices=devices,
        length=length,
        chunk=options.chunk,
        test_batch=options.test_batch,
        seconds=time.perf_counter() - start,
    )


def place(programs: Programs, folds: Folds, members: Sequence[int] | np.ndarray) -> Group:
    """Put some runs on the devices.

    Args:
        programs: that will train them.
        folds: all runs.
        members: numbers of the runs.
    """
    shards = _shard(folds, members, programs.length, programs.test_batch, programs.devices)
    return Group(programs, np.asarray(members), *shards)


def init(group: Group) -> FoldState:
    """Return the states of a group before its first epoch, on the devices."""
    return group.programs.init(group.programs.samples, group.rows, group.fold, group.seed)


def train(
    group: Group, states: FoldState, done: np.int32, count: np.int32
) -> tuple[FoldState, dict[str, np.ndarray]]:
    """Train a group for some epochs.

    Args:
        group: of runs.
        states: after epoch `done`; their memory is used again.
        done: epochs that are trained already.
        count: epochs to train, at most programs.chunk.

    Returns:
        The states on the devices, and the logs {name: [m, chunk]} on the host, which are 0 behind
        the epochs trained now.
    """
    programs = group.programs
    counted = (programs.samples, done, count)
    states, logs = programs.train(counted, states, group.rows, group.fold, group.seed)
    return states, to_host(group, logs)


def fit(
    group: Group, states: FoldState, *, done: int, epochs: int
) -> Iterator[loop.Chunk[FoldState]]:
    """Train a group from epoch `done` to `epochs`; see loop.fit."""
    longest = group.programs.chunk
    return loop.fit(partial(train, group), states, done=done, epochs=epochs, longest=longest)


def predict(group: Group, states: FoldState) -> np.ndarray | dict[str, np.ndarray] | None:
    """Predict the test rows of a group.

    Returns:
        Arrays [m, steps, batch, ...] on the host, in the structure that the learner predicts; None
        where nothing is held out.
    """
    programs = group.programs
    if programs.predict is None:
        return None
    return to_host(group, programs.predict(programs.samples, states, group.test))


def to_host(group: Group, tree: Tree) -> Tree:
    """Return arrays of a group as numpy, without the runs that repeat."""
    count = len(group.members)
    return jax.tree.map(lambda array: np.asarray(array)[:count], tree)


def to_devices(group: Group, tree: Tree) -> Tree:
    """Put arrays of a group on its devices: the inverse of to_host."""
    return parallel.shard_runs(tree, group.programs.length, devices=group.programs.devices)


def restored(group: Group, manager: ocp.CheckpointManager, done: int) -> FoldState:
    """Return the states of a group from its checkpoint of epoch `done`, on the devices."""
    shapes = to_host(group, init(group))
    return to_devices(group, checkpoint.restore(manager, done, shapes))


def seconds_a_round(
    learner_for: Callable[[str], Learner],
    samples: Samples,
    folds: Folds,
    *,
    memory: int,
    plan: Plan,
    options: batches.BatchOptions,
) -> float:
    """Time one epoch of one filled round of a plan.

    Args:
        learner_for: returns the learner for a lowering of convolutions.
        samples: all rows.
        folds: all runs.
        memory: bytes that the training may take.
        plan: to be timed.
        options: of the batches.

    Returns:
        Seconds; infinity where the round does not fit in memory.
    """
    runs = min(plan.at_once * plan.devices, len(folds.fold))
    program_options = ProgramOptions(options, runs=runs, test_batch=options.batch_size)
    try:
        programs = compile_programs(
            learner_for(plan.lowering), plan, samples, folds, program_options
        )
        # CPU devices share one memory.
        sharing = plan.devices if jax.default_backend() == 'cpu' else 1
        if programs.train.memory_analysis().temp_size_in_bytes * sharing > memory:
            return math.inf
        return _fastest_epoch(place(programs, folds, range(runs)))
    except jax.errors.JaxRuntimeError as error:
        if 'RESOURCE_EXHAUSTED' in str(error):
            return math.inf
        raise


def _fastest_epoch(group):
    """Seconds of the fastest of three epochs, on a machine that is noisy; a first one warms up."""
    states = init(group)
    seconds = []
    for done in range(4):
        start = time.perf_counter()
        states, _ = train(group, states, np.int32(done), np.int32(1))
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])


def _init(samples, rows, fold, seed, *, learner):
    return epoch.init_fold(samples, rows, fold, seed, learner=learner)


def _shard(folds, members, length, test_batch, devices):
    """Training rows, fold, seed and test batches of the runs `members`, on their devices."""
    chosen = held_out.subset(folds, list(members))
    test = batches.prediction_batches(chosen.test, test_batch)
    stacked = (chosen.train, chosen.fold, chosen.seed, test)
    return parallel.shard_runs(stacked, length, devices=devices)
