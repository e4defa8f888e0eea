"""Train all runs of an experiment; a run is one fold with one seed.

The values come from a config (run.py) or from Python code (api.py).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mer_jax.experiment import folder as run_folder
from mer_jax.machine import host, versions
from mer_jax.runfiles import files
from mer_jax.runfiles.plan import Plan
from mer_jax.settings import sections
from mer_jax.training import (
    checkpoint,
    fold_by_fold,
    held_out,
    hosts,
    loop,
    metrics_log,
    parallel,
    plan,
    programs,
)
from mer_jax.training.batches import BatchOptions
from mer_jax.types import Folds, Learner, Samples


@dataclass(frozen=True)
class Training:
    """How the runs of an experiment train."""

    settings: sections.Train
    batches: BatchOptions
    test_batch: int = sections.Evaluate.batch_size  # rows that are predicted at a time


def choose_plan(
    learner_for: Callable[[str], Learner],
    samples: Samples,
    folds: Folds,
    training: Training,
    facts: dict,
    shapes: Any,
    folder: Path,
) -> Plan:
    """Return how the runs are laid out on this machine's devices.

    A training that goes on keeps its plan. Else the plan is the one that settings pin, one that was
    measured on this machine before, or one that is measured now.

    Args:
        learner_for: lowering -> learner of one fold.
        samples: all rows.
        folds: all runs.
        training: how they train.
        facts: what the speed of a plan depends on, beyond the other arguments. A plan that was
            measured for equal facts is used again.
        shapes: abstract state of one fold.
        folder: of the training; the plan is written there.
    """
    settings = training.settings
    if hosts.agreed(hosts.is_first() and (folder / files.PLAN).exists()):
        return plan.read_for_resume(folder, parallel.available(), settings.devices)
    chosen = fastest_plan(learner_for, samples, folds, training, facts)
    group = plan.group_size(
        chosen,
        len(folds.fold),
        shapes=shapes,
        group=settings.runs_in_memory,
        device=jax.local_devices()[0],
        folder=folder,
    )
    chosen = replace(chosen, group=hosts.least(group))
    if hosts.is_first():
        chosen.write(folder)
    return chosen


def fastest_plan(
    learner_for: Callable[[str], Learner],
    samples: Samples,
    folds: Folds,
    training: Training,
    facts: dict,
) -> Plan:
    """Return the plan that settings pin, or the fastest that was or is now measured here.

    Args:
        learner_for: lowering -> learner of one fold.
        samples: all rows.
        folds: all runs.
        training: how they train.
        facts: as in `choose_plan`.

    Returns:
        The plan; its group is 0, not yet chosen.
    """
    settings = training.settings
    pinned = {
        'lowering': settings.lowering,
        'at_once': settings.at_once,
        'wanted': settings.devices,
    }
    if settings.fold_by_fold:
        pinned |= {'at_once': 1, 'wanted': 1}
        if settings.lowering == 'auto':
            pinned['lowering'] = 'matmul'
    runs = len(folds.fold)
    candidates = plan.candidates(jax.default_backend(), parallel.available(), runs, **pinned)
    measure = partial(
        programs.seconds_per_round,
        learner_for,
        samples,
        folds,
        memory=hosts.least(plan.free_memory(jax.local_devices()[0])),
        options=training.batches,
    )
    chosen = plan.choose(
        candidates,
        facts | _facts(samples, folds, candidates),
        lambda p: measure(plan=p),
        runs=runs,
        epochs=settings.epochs,
    )
    # plan.json has the timings, too
    print(f'plan: {plan.in_words(chosen, runs)} ({chosen.why.partition(",")[0]})', flush=True)
    return chosen


def _facts(samples, folds, candidates):
    """What every measured plan depends on; where one of these differs, it is measured anew."""
    facts = {
        'image': list(samples.image.shape[1:]),
        'rows': folds.train.index.shape[1],
        'runs': len(folds.fold),
        'device': [d.device_kind for d in jax.devices()],
        'machine': host(),
        'candidates': [plan.describe(p) for p in candidates],
        'versions': versions(),
    }
    if hosts.count() > 1:
        facts['hosts'] = hosts.count()
    return facts


@dataclass(frozen=True)
class Extras:
    """What some experiments add to their training."""

    # (positions of the runs of a group, their states on the host) -> the states it begins with
    begin: Callable | None = None
    # [E, R, K]: filled with the outputs of the R held-out rows after each of E epochs; of several
    # hosts, the first alone has it
    epoch_outputs: Any = None
    epochs: Sequence[int] = ()  # these E epochs, rising
    seconds: dict = field(default_factory=dict)  # 'compile' is written here


def train_runs(
    learner: Learner,
    samples: Samples,
    folds: Folds,
    chosen: Plan,
    training: Training,
    folder: Path,
    extras: Extras,
) -> Any:
    """Train all runs, as many at a time as memory holds.

    Each group of runs goes on from its newest checkpoint.

    Args:
        learner: of one fold.
        samples: all rows.
        folds: all runs.
        chosen: the plan of the run.
        training: how they train.
        folder: checkpoints, metrics.jsonl and tensorboard are written there.
        extras: what this experiment adds.

    Returns:
        What `learner` predicts of held-out rows, [R, ...] in the order of held_out.order, as a
        tree; None where nothing is held out.

    Raises:
        UserError: a device has too little memory.
    """
    batch = 'train.batch_size, evaluate.batch_size'
    with programs.within_memory(chosen, folder, batch=batch):
        return _train_groups(learner, samples, folds, chosen, training, folder, extras)


def _train_groups(learner, samples, folds, chosen, training, folder, extras):
    """Do what `train_runs` does."""
    settings = training.settings
    total, size, epochs = len(folds.fold), chosen.group, settings.epochs
    groups = -(-total // size)
    run_of_row, _ = held_out.order(folds)
    position_of_epoch = {epoch: position for position, epoch in enumerate(extras.epochs)}
    done = hosts.agreed(run_folder.reached(folder, groups) == epochs)
    options = programs.ProgramOptions(
        training.batches,
        runs=size,
        test_batch=training.test_batch,
        chunk=1 if len(extras.epochs) == epochs else loop.CHUNK,
        trains=not done,
    )
    if settings.fold_by_fold:
        ready = fold_by_fold.programs(learner, samples, folds, options)
    else:
        ready = programs.compile_programs(learner, chosen, samples, folds, options)
    extras.seconds['compile'] = ready.seconds
    output = None
    with metrics_log.progress(total, groups, 0 if done else epochs) as bar:
        for number, first in enumerate(range(0, total, size)):
            members = np.arange(first, min(first + size, total))
            folds_of_group = held_out.subset(folds, members)
            rows = np.isin(run_of_row, members)
            group = programs.group_on_devices(ready, folds, members)
            with (
                checkpoint.opened(folder / files.CHECKPOINTS / f'group_{number}') as manager,
                metrics_log.opened(folder, number, bar) as log,
            ):
                epoch, states = _start(group, manager, extras.begin)
                if hosts.is_first():
                    log.cut(epoch)
                schedule = checkpoint.Schedule(settings.checkpoint_seconds)
                for chunk in programs.train_group_in_chunks(
                    group, states, done=epoch, epochs=epochs, stops=extras.epochs
                ):
                    epoch, states = chunk.epoch, chunk.states
                    if hosts.is_first():
                        log.write(chunk)
                    if epoch in position_of_epoch and rows.any():
                        outputs = programs.predict_group(group, states)
                        position = position_of_epoch[epoch]
                        if hosts.is_first():
                            extras.epoch_outputs[position, rows] = held_out.in_stored_order(
                                outputs, folds_of_group
                            )
                    if epoch == epochs or hosts.agreed(schedule.due()):
                        with schedule.writing():
                            checkpoint.save(manager, epoch, programs.to_host(group, states))
            output = held_out.scatter(
                output, programs.predict_group(group, states), folds_of_group, rows
            )
    return output


def _start(group, manager, begin):
    """(epoch, states) of the newest checkpoint of a group, or (0, new states)."""
    epoch = hosts.agreed(checkpoint.newest(manager.directory))
    if epoch >= 0:
        return epoch, programs.restore_group(group, manager, epoch)
    states = programs.to_host(group, programs.init_group(group))
    if begin is not None:
        states = begin(group.members, states)
    return 0, programs.to_devices(group, states)
