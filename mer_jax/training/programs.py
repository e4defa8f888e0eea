"""The compiled programs of a training, and their calls.

A run is one fold with one seed. Where the states of all runs do not fit in memory, groups of runs
train one after another, by the same programs.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple, TypeVar

import jax
import numpy as np
import orbax.checkpoint as ocp

from mer_jax.errors import UserError, first_line
from mer_jax.runfiles import files
from mer_jax.runfiles.plan import Plan
from mer_jax.training import (
    batches,
    checkpoint,
    compilation,
    epoch,
    held_out,
    hosts,
    loop,
    parallel,
)
from mer_jax.training.compilation import QUICKLY, Program
from mer_jax.training.plan import TooLarge
from mer_jax.types import Folds, FoldState, Learner, Samples, TrainRows

OUT_OF_MEMORY = ('RESOURCE_EXHAUSTED', 'OUT_OF_MEMORY', 'ut of memory')  # of XLA and of CUDA

Tree = TypeVar('Tree')  # an array, or tuples and dictionaries of arrays


@dataclass(frozen=True)
class ProgramOptions:
    """What the programs of a training are compiled for."""

    batches: batches.BatchOptions
    runs: int  # in memory at a time
    test_batch: int  # most rows that are predicted at a time
    chunk: int = 1  # most epochs in one call of the training program
    # False where no epoch is left: skips the slowest compilation
    trains: bool = True
    trial: bool = False  # True where the programs only show how fast a plan is


class Arrays(NamedTuple):
    """What the programs of a training read: arrays on devices, or their shapes and shardings."""

    samples: Samples  # a copy on every device
    rows: TrainRows  # of the runs, as are all that follow
    fold: jax.Array | jax.ShapeDtypeStruct  # int32[F]
    seed: jax.Array | jax.ShapeDtypeStruct  # int32[F]
    test: jax.Array | jax.ShapeDtypeStruct  # int32[F, steps, batch], rows to predict


class Programs(NamedTuple):
    """The programs of a training, and the data that they read."""

    init: Callable  # (samples, rows, fold, seed) -> states
    # ((samples, epochs done, epochs to train), states, rows, fold, seed)
    # -> (states, logs [F, chunk]); None where no epoch is left
    train: Callable | None
    # (samples, states, index [F, steps, batch]) -> outputs [F, steps, batch, K]; None where no row
    # is held out
    predict: Callable | None
    samples: Samples  # a copy on every device
    devices: list[jax.Device]
    padded_runs: int  # runs in each call: padded to a multiple of at_once x devices
    chunk: int  # most epochs in one call of train
    test_batch: int  # most rows that are predicted at a time
    seconds: float  # spent compiling


class Group(NamedTuple):
    """Runs that train together, and their rows on the devices.

    The members are padded to `programs.padded_runs` by repeating the first ones. What a padding run
    computes is thrown away.
    """

    programs: Programs
    members: np.ndarray  # int[m], positions of the runs in Folds
    rows: TrainRows
    fold: jax.Array  # int32[padded_runs]
    seed: jax.Array  # int32[padded_runs]
    test: jax.Array  # int32[padded_runs, steps, batch], rows to predict


def compile_programs(
    learner: Learner, plan: Plan, samples: Samples, folds: Folds, options: ProgramOptions
) -> Programs:
    """Compile the programs that begin, train and predict.

    Nothing is trained yet.

    Args:
        learner: of one fold.
        plan: how many runs a device trains side by side, and how many devices.
        samples: all rows; a copy is put on every device.
        folds: all runs; the first `options.runs` of them give the shapes.
        options: what the programs are compiled for.
    """
    start = time.perf_counter()
    devices = parallel.chosen_devices(plan.devices)
    padded_runs = parallel.round_up(options.runs, at_once=plan.at_once, devices=devices)
    shared = parallel.replicate(samples, devices=devices)
    members = range(options.runs)
    rows, fold, seed, test = _inputs_on_devices(
        folds, members, padded_runs, options.test_batch, devices
    )

    to_compile = uncompiled(
        learner,
        Arrays(shared, rows, fold, seed, test),
        options,
        at_once=plan.at_once,
        devices=devices,
    )
    compiled = compilation.compile_all(to_compile, _title(options))
    return Programs(
        init=compiled['init'],
        train=compiled.get('train'),
        predict=compiled.get('predict'),
        samples=shared,
        devices=devices,
        padded_runs=padded_runs,
        chunk=options.chunk,
        test_batch=options.test_batch,
        seconds=time.perf_counter() - start,
    )


def uncompiled(
    learner: Learner,
    arrays: Arrays,
    options: ProgramOptions,
    *,
    at_once: int,
    devices: parallel.Devices,
) -> dict[str, Program]:
    """Return the programs of a training before they are compiled.

    Shapes are enough, and so are devices that are not here: a program can be exported, or compiled
    for another machine.

    Args:
        learner: of one fold.
        arrays: what the programs read.
        options: what they are compiled for; `arrays` decide the number of runs and test rows.
        at_once: runs that a device computes side by side.
        devices: over which the runs are split.

    Returns:
        'init', 'train' where options.trains, and 'predict' where rows are held out; see Programs.
    """
    samples, rows, fold, seed, test = arrays
    over_folds = partial(parallel.over_folds, at_once=at_once, devices=devices)
    init = over_folds(partial(_init, learner=learner))
    shapes = jax.eval_shape(init, samples, rows, fold, seed)
    sharding = rows.index.sharding
    states = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding), shapes
    )
    to_compile = {'init': Program(init, (samples, rows, fold, seed), QUICKLY)}
    if options.trains:
        train_one = partial(epoch.train_epoch, learner=learner, options=options.batches)
        one_fold = partial(epoch.train_epochs, train_one=train_one, chunk=options.chunk)
        train = over_folds(one_fold, donate=(1,))
        samples_and_epochs = (samples, np.int32(0), np.int32(1))
        to_compile['train'] = Program(train, (samples_and_epochs, states, rows, fold, seed))
    if test.shape[-1]:
        predict = over_folds(partial(held_out.predict_rows, learner=learner))
        to_compile['predict'] = Program(predict, (samples, states, test))
    return to_compile


def group_on_devices(
    programs: Programs, folds: Folds, members: Sequence[int] | np.ndarray
) -> Group:
    """Put the rows of some runs on the devices.

    Args:
        programs: which will train these runs.
        folds: all runs.
        members: int[m], positions of the runs in `folds`.
    """
    rows, fold, seed, test = _inputs_on_devices(
        folds, members, programs.padded_runs, programs.test_batch, programs.devices
    )
    return Group(programs, np.asarray(members), rows, fold, seed, test)


def init_group(group: Group) -> FoldState:
    """Return the states before the first epoch, on the devices."""
    return group.programs.init(group.programs.samples, group.rows, group.fold, group.seed)


def train_group(
    group: Group, states: FoldState, done: np.int32, count: np.int32
) -> tuple[FoldState, dict[str, np.ndarray]]:
    """Train a group for `count` epochs, in one call.

    Args:
        group: the runs to train.
        states: after epoch `done`. They are donated: do not use them after the call.
        done: epochs that are trained already.
        count: epochs to train, at most programs.chunk.

    Returns:
        The states after the last epoch, on the devices; and the logs on the host, {name: [m,
        chunk]}, whose first `count` columns are these epochs. The other columns are 0.
    """
    programs = group.programs
    samples_and_epochs = (programs.samples, done, count)
    states, logs = programs.train(samples_and_epochs, states, group.rows, group.fold, group.seed)
    return states, to_host(group, logs)


def train_group_in_chunks(
    group: Group, states: FoldState, *, done: int, epochs: int, stops: Sequence[int] = ()
) -> Iterator[loop.Chunk[FoldState]]:
    """Train a group to the end, chunk after chunk.

    Args:
        group: the runs to train.
        states: after epoch `done`. They are donated: do not use them after the call.
        done: epochs that are trained already.
        epochs: epochs of the whole training.
        stops: epochs that must end a chunk, rising.

    Yields:
        The chunks of loop.train_in_chunks.
    """
    longest = group.programs.chunk
    train = partial(train_group, group)
    return loop.train_in_chunks(
        train, states, done=done, epochs=epochs, longest=longest, stops=stops
    )


def predict_group(group: Group, states: FoldState) -> np.ndarray | dict[str, np.ndarray] | None:
    """Predict the test rows of a group.

    Args:
        group: the runs that predict.
        states: of the group, on the devices.

    Returns:
        Arrays [m, steps, batch, ...] on the host, in the structure that learner.predict returns;
        None where no row is held out.
    """
    programs = group.programs
    if programs.predict is None:
        return None
    return to_host(group, programs.predict(programs.samples, states, group.test))


def to_host(group: Group, tree: Tree) -> Tree:
    """Copy arrays to the host, without the padding runs."""
    count = len(group.members)
    return jax.tree.map(lambda array: array[:count], hosts.to_host(tree))


def to_devices(group: Group, tree: Tree) -> Tree:
    """Pad arrays of a group and put them on its devices.

    The inverse of to_host.
    """
    return parallel.shard_runs(tree, group.programs.padded_runs, devices=group.programs.devices)


def restore_group(group: Group, manager: ocp.CheckpointManager, done: int) -> FoldState:
    """Read the states of a group from a checkpoint.

    Args:
        group: the runs whose states are read.
        manager: of the checkpoints of this group.
        done: epoch after which the checkpoint was written.

    Returns:
        The states, on the devices.
    """
    shapes = to_host(group, init_group(group))
    return to_devices(group, checkpoint.restore(manager, done, shapes))


@contextlib.contextmanager
def within_memory(plan: Plan, folder: Path, *, batch: str) -> Iterator[None]:
    """Name the settings to lower where a device has too little memory.

    Args:
        plan: of the training.
        folder: of its checkpoints; where it holds any, the plan cannot change any more.
        batch: the settings with the number of rows that are computed at a time.

    Raises:
        UserError: in place of jax's exception.
    """
    try:
        yield
    except jax.errors.JaxRuntimeError as error:
        if not _is_out_of_memory(error):
            raise
        reason = first_line(error)
        begun = any((folder / files.CHECKPOINTS).glob('group_*/[0-9]*'))
        elsewhere = ', in another --workdir' if begun else ''
        raise UserError(
            f'a device has too little memory for the plan of the run ({reason}); lower '
            f'train.at_once (folds side by side, now {plan.at_once}), train.runs_in_memory (now '
            f'{plan.group}) or {batch}{elsewhere}'
        ) from error


def _is_out_of_memory(error):
    text = str(error)
    return any(words in text for words in OUT_OF_MEMORY)


def seconds_per_round(
    learner_for: Callable[[str], Learner],
    samples: Samples,
    folds: Folds,
    *,
    memory: int,
    plan: Plan,
    options: batches.BatchOptions,
) -> float:
    """Time one epoch of a plan with all devices busy.

    It trains one round: at_once x devices runs, or all runs where there are fewer.

    Args:
        learner_for: returns the learner for a lowering of convolutions.
        samples: all rows.
        folds: all runs.
        memory: bytes that the training may take.
        plan: the plan to time.
        options: how rows reach the learner.

    Returns:
        Seconds of an epoch of the round.

    Raises:
        TooLarge: the round does not fit in memory.
    """
    runs = min(plan.at_once * plan.devices, len(folds.fold))
    program_options = ProgramOptions(options, runs=runs, test_batch=options.batch_size, trial=True)
    try:
        programs = compile_programs(
            learner_for(plan.lowering), plan, samples, folds, program_options
        )
        # CPU devices of a host share one memory.
        sharing = plan.devices // hosts.count() if jax.default_backend() == 'cpu' else 1
        needed = programs.train.memory_analysis().temp_size_in_bytes * sharing
        if needed > memory:
            raise TooLarge(needed / memory)
        return _fastest_epoch(group_on_devices(programs, folds, range(runs)))
    except jax.errors.JaxRuntimeError as error:
        if _is_out_of_memory(error):
            raise TooLarge(1.0) from error
        raise


def _fastest_epoch(group):
    """Return the seconds of the fastest of three epochs.

    An epoch before them warms up. The fastest counts, because other programs on the machine can
    only make an epoch slower. Nothing is exchanged with other hosts, which may have failed here.
    """
    programs = group.programs
    states = init_group(group)
    seconds = []
    for done in range(4):
        start = time.perf_counter()
        samples_and_epochs = (programs.samples, np.int32(done), np.int32(1))
        states, logs = programs.train(
            samples_and_epochs, states, group.rows, group.fold, group.seed
        )
        jax.block_until_ready((states, logs))
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])


def _title(options):
    """Return what is compiled, for the log: a run may compile a trial before its training."""
    if options.trial:
        return 'a short trial, which only measures which plan is fastest here'
    if options.trains:
        return 'the training program'
    return 'the program that predicts (the training is finished)'


def _init(samples, rows, fold, seed, *, learner):
    return epoch.init_fold(samples, rows, fold, seed, learner=learner)


def _inputs_on_devices(folds, members, padded_runs, test_batch, devices):
    """Put rows of some runs on the devices.

    Returns:
        Training rows, fold, seed and test batches, each with a leading axis of `padded_runs`.
    """
    chosen = held_out.subset(folds, list(members))
    test = batches.prediction_batches(chosen.test, test_batch)
    stacked = (chosen.train, chosen.fold, chosen.seed, test)
    return parallel.shard_runs(stacked, padded_runs, devices=devices)
