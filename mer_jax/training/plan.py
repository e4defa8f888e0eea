"""The choice of a plan for this machine.

A plan says how convolutions are computed ("lowering"), how many folds a device trains side by side
("at once"), and how many devices are used. Candidates are timed once for each machine, model and
shape of the data; later runs take the winner from a cache.
"""

import hashlib
import json
import math
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import jax
import psutil

from mer_jax import bounded, machine
from mer_jax.errors import UserError, first_line
from mer_jax.runfiles import writing
from mer_jax.runfiles.plan import Plan
from mer_jax.training import hosts
from mer_jax.types import FoldState

# Timing the candidates may take at most this share of the expected time of the training.
_TRIAL_SHARE = 0.1

_NOISE = 0.1  # two timings of one plan differ by up to this share on a busy machine

# A few folds keep a CPU busy; an accelerator needs many.
_FOLDS_AT_ONCE_CPU = (1, 4)
_FOLDS_AT_ONCE_ACCELERATOR = (16, 4, 1)

MOST_CACHED = 10**6  # bytes of the file of a measured plan

# `why` of a candidate; `choose` overwrites it for a trial's winner.
_PINNED = 'pinned by the settings'

TOO_LARGE = 'too large'  # of a plan whose memory no device has


class NoPlan(UserError):
    """Every candidate failed in the trial."""


class Trial(NamedTuple):
    """What the candidates that were tried need."""

    seconds: dict[Plan, float]  # of an epoch of all runs; infinity where a plan failed
    failures: dict[Plan, str]  # TOO_LARGE, or what jax said


class TooLarge(Exception):
    """A plan needs more memory than a device has.

    Attributes:
        share: the memory that it needs, as a multiple of what there is; at least 1.
    """

    def __init__(self, share: float):
        super().__init__(f'it needs {share:.3g} times the memory of a device')
        self.share = share


def candidates(
    backend: str, available: int, runs: int, *, lowering: str, at_once: int, wanted: int
) -> list[Plan]:
    """Return the plans worth a trial.

    A native convolution is no candidate on a CPU: inside the loop over folds it is many times
    slower. On an accelerator it is one only where a fold trains alone: with more side by side the
    gradient of a kernel is slow (see models/layers.py).

    Args:
        backend: name of jax's backend, as 'cpu' or 'gpu'.
        available: devices that this machine has.
        runs: number of runs of the experiment.
        lowering: how convolutions are computed; 'auto' leaves it to the trial.
        at_once: folds that a device trains side by side; 0 leaves it to the trial.
        wanted: devices to use; 0 leaves it to the trial.

    Returns:
        The plans without duplicates, most promising first.

    Raises:
        UserError: more devices are wanted than available.
    """
    check_devices(wanted, available)
    device_counts = _device_counts(available, lowering, at_once, wanted)
    plans = []
    for devices in device_counts:
        runs_per_device = -(-runs // devices)
        is_first = devices == device_counts[0]
        for folds in _at_once_choices(backend, runs_per_device, at_once, is_first):
            side_by_side = min(folds, runs_per_device)
            for name in _lowerings(backend, lowering, side_by_side):
                plans.append(Plan(name, side_by_side, devices, _PINNED))
    return list(dict.fromkeys(plans))


def _lowerings(backend, lowering, at_once):
    """Return the lowerings worth a trial, for one number of folds side by side."""
    if lowering != 'auto':
        return [lowering]
    if backend == 'cpu':
        return ['matmul']
    return ['shifted', 'matmul'] if at_once > 1 else ['native', 'shifted', 'matmul']


def check_devices(wanted: int, available: int) -> None:
    """Refuse more devices than there are.

    Args:
        wanted: train.devices.
        available: number of devices that this machine has.
    """
    if wanted > available:
        raise UserError(
            f'train.devices is {wanted}; allowed: 0 (all) to the {available} that are here'
        )
    if wanted % hosts.count():
        raise UserError(
            f'train.devices is {wanted}, which {hosts.count()} hosts cannot share evenly; allowed: '
            f'0 (all), or a multiple of {hosts.count()}'
        )


def _device_counts(available, lowering, at_once, wanted):
    """Return numbers of devices worth a trial, the largest first."""
    if wanted:
        return [wanted]
    if at_once and lowering != 'auto':
        # Only the number of devices is open: not worth a trial and its compilation.
        return [available]
    return list(dict.fromkeys([available, hosts.count()]))


def _at_once_choices(backend, runs_per_device, at_once, is_first):
    """Return numbers of folds worth a trial, for one number of devices.

    Several are tried only with the largest number of devices.
    """
    if at_once:
        return [at_once]
    if not is_first:
        return [1]
    if backend == 'cpu':
        return list(_FOLDS_AT_ONCE_CPU)
    return [runs_per_device, *_FOLDS_AT_ONCE_ACCELERATOR]


def choose(
    plans: Sequence[Plan],
    facts: Mapping[str, object],
    measure: Callable[[Plan], float],
    *,
    runs: int,
    epochs: int,
) -> Plan:
    """Choose the plan of a training.

    Args:
        plans: the candidates.
        facts: all that the choice depends on; the key under which it is kept.
        measure: returns the seconds that one epoch of a full round of a plan takes; raises
            TooLarge. A round is at_once x devices runs.
        runs: number of runs of the experiment.
        epochs: epochs of the training.

    Returns:
        The candidate where there is only one. Else the winner of an earlier trial for the same
        facts, else that of a trial now.

    Raises:
        NoPlan: every candidate failed.
    """
    if len(plans) == 1:
        return plans[0]
    # With few epochs a trial may stop early. Such a result is kept for this number of epochs only.
    facts_and_epochs = {**facts, 'epochs': epochs}
    earlier = load_cached(facts) or load_cached(facts_and_epochs)
    kept = hosts.agreed(earlier and earlier.to_json())
    if kept:
        return Plan(**kept)
    trial = benchmark(plans, measure, runs=runs, epochs=epochs)
    seconds, failures = trial
    if len(failures) == len(seconds):
        reasons = ', '.join(f'{describe(plan)}: {why}' for plan, why in failures.items())
        raise NoPlan(
            f'this machine can train by no plan ({reasons}); lower train.batch_size, train.at_once '
            'or the size of the network'
        )
    timings = ', '.join(f'{describe(plan)} {_found(plan, trial)}' for plan in trial.seconds)
    chosen = replace(fastest(seconds), why=f'measured, an epoch of all {runs} runs: {timings}')
    complete = len(seconds) == len(plans)
    # other failures may be gone the next time: a GPU may have been busy
    lasting = set(failures.values()) <= {TOO_LARGE}
    if lasting and hosts.is_first():
        store(facts if complete else facts_and_epochs, chosen)
    return chosen


def _found(plan, trial):
    """Return what a trial found of a plan, in words."""
    if plan not in trial.failures:
        return f'{trial.seconds[plan]:.3g} s'
    return TOO_LARGE if trial.failures[plan] == TOO_LARGE else 'failed'


def fastest(seconds: Mapping[Plan, float]) -> Plan:
    """Return the fastest plan of a trial.

    A later candidate replaces an earlier one only where it is faster by more than noise.

    Args:
        seconds: of an epoch under each plan, in the order of the trial.
    """
    best, *others = seconds
    for plan in others:
        if seconds[plan] < (1 - _NOISE) * seconds[best]:
            best = plan
    return best


def benchmark(
    plans: Sequence[Plan], measure: Callable[[Plan], float], *, runs: int, epochs: int
) -> Trial:
    """Time the candidates, and print each time.

    The trial ends once it has taken a tenth of what the training will take. What a plan needs grows
    with the folds side by side: where too many were tried, those that are still too many are left
    out, for to compile them takes minutes.

    Args:
        plans: the candidates, most promising first.
        measure: returns the seconds that one epoch of a full round of a plan takes; raises
            TooLarge.
        runs: number of runs of the experiment.
        epochs: epochs of the training.

    Returns:
        What was found.
    """
    seconds, failures = {}, {}
    share_of_fold = {}  # of memory, by (lowering, devices): known where a plan did not fit
    start = time.perf_counter()
    for plan in plans:
        seconds[plan] = math.inf
        kind = plan.lowering, plan.devices  # devices of a CPU share its memory
        if share_of_fold.get(kind, 0.0) * plan.at_once > 1:
            print(f'plan: left out {describe(plan)}: too little memory', flush=True)
            failures[plan] = TOO_LARGE
            continue
        rounds = -(-runs // (plan.at_once * plan.devices))
        taken, share, failure = _of_all_hosts(_tried(measure, plan))
        if share:
            share_of_fold[kind] = share / plan.at_once
        if failure:
            print(f'plan: tried {describe(plan)}: {failure}', flush=True)
            failures[plan] = TOO_LARGE if share else failure
            continue
        seconds[plan] = taken * rounds
        line = f'plan: tried {describe(plan)}: {seconds[plan]:.3g} s an epoch of all {runs} runs'
        print(line, flush=True)
        spent = time.perf_counter() - start
        training = min(seconds.values()) * epochs
        if hosts.agreed(spent > training * _TRIAL_SHARE):
            break
    return Trial(seconds, failures)


def _tried(measure, plan):
    """Return the seconds of an epoch, the share of memory where it is too much, and what failed."""
    try:
        return measure(plan), 0.0, ''
    except TooLarge as error:
        return 0.0, error.share, str(error)
    except jax.errors.JaxRuntimeError as error:
        # The compiler may have no program for this form, but one for another candidate.
        return 0.0, 0.0, first_line(error) or 'failed'


def _of_all_hosts(tried):
    """Combine what the hosts return of `_tried`: a plan must fit all, and the slowest counts."""
    seconds, shares, failures = zip(*map(json.loads, hosts.texts(json.dumps(tried))), strict=True)
    return max(seconds), max(shares), next(filter(None, failures), '')


def read_for_resume(folder: Path, available: int, wanted: int = 0) -> Plan:
    """Return the plan that a run began with, on the devices that are here.

    The number of devices changes no bit of what a run computes.

    Args:
        folder: of the run.
        available: number of devices that this machine has.
        wanted: devices to use; 0: as many as at the beginning.

    Raises:
        UserError: more devices are wanted than there are.
    """
    check_devices(wanted, available)
    plan = Plan.read(folder)
    devices = min(wanted or plan.devices, available)
    on_each_host = max(1, devices // hosts.count())
    return replace(plan, devices=on_each_host * hosts.count())


def describe(plan: Plan) -> str:
    """Return a plan in words, for the log and results.json."""
    plural = 's' if plan.devices > 1 else ''
    return f'{plan.lowering}, {plan.at_once} at once on {plan.devices} device{plural}'


def in_words(plan: Plan, runs: int) -> str:
    """Return what trains side by side, for the log.

    Args:
        plan: of the training.
        runs: folds times seeds.
    """
    trainings = '1 training' if runs == 1 else f'{runs} trainings (folds times seeds)'
    together = f'{plan.at_once} at a time on one device'
    if plan.devices > 1:
        side_by_side = plan.at_once * plan.devices
        together = f'{side_by_side} side by side: {plan.at_once} on each of {plan.devices} devices'
    return f'{trainings}, {together}; convolutions by {plan.lowering}'


def load_cached(facts: Mapping[str, object]) -> Plan | None:
    """Return the plan that the cache holds for these facts.

    None where it holds none, or where its file cannot be read: a plan is then measured again.
    """
    try:
        content = json.loads(bounded.read_text(_cache_file(facts), MOST_CACHED))['plan']
        # which runs are in memory is chosen later
        return replace(Plan.checked({**content, 'group': 1}), group=0)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, UserError):
        return None


def store(facts: Mapping[str, object], plan: Plan) -> None:
    """Keep a measured plan for later runs.

    Where the cache cannot be written, a line says so and the run goes on; later runs measure again.
    """
    path = _cache_file(facts)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        content = json.dumps({'plan': plan.to_json(), 'facts': facts}, indent=1)
        writing.write_text(path, content)
    except OSError as error:
        print(f'plan: not kept for the next run, {path.parent}: {error.strerror}')


def cache_folder() -> Path:
    """Return the folder of measured plans and compiled programs.

    It is MER_JAX_CACHE where that is set, else a folder in the user's cache.
    """
    given = os.environ.get('MER_JAX_CACHE')
    if given:
        return machine.absolute(given, 'MER_JAX_CACHE')
    caches = os.environ.get('XDG_CACHE_HOME') or machine.home() / '.cache'
    return Path(caches) / 'mer_jax'


def group_size(
    plan: Plan, runs: int, *, shapes: FoldState, group: int, device: jax.Device, folder: Path
) -> int:
    """Return how many runs train together, as one group.

    All runs, if their states fit in a third of the free memory; otherwise as many full rounds of
    the plan as fit. Only a third, because a state exists up to three times: in use, being updated,
    and as the host copy of a checkpoint.

    Args:
        plan: of the training.
        runs: number of runs of the experiment.
        shapes: shapes and dtypes of one fold's state.
        group: runs that the settings want in a group; 0: as many as fit.
        device: the first device that trains.
        folder: of the run; its disk holds the checkpoints.

    Raises:
        UserError: the disk cannot hold the states of all runs.
    """
    leaves = jax.tree.leaves(shapes)
    state_bytes = sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in leaves)
    round_size = plan.at_once * plan.devices
    fits = group or int(free_memory(device) // 3 // state_bytes)
    size = runs
    if fits < runs:
        size = min(runs, max(1, fits // round_size) * round_size)
    # One checkpoint per group, plus one: the old one exists until the new one is written.
    needed = state_bytes * (runs + size)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f'{folder} has {free / 1e9:.1f} GB free, the states of {runs} runs need '
            f'{needed / 1e9:.1f} GB; name a larger disk with --workdir'
        )
    if size < runs:
        megabytes = state_bytes / 1e6
        print(
            f'plan: {size} of {runs} runs at a time, {megabytes:.0f} MB of state each', flush=True
        )
    return size


def free_memory(device: jax.Device) -> int:
    """Return the bytes that a training may use.

    Four fifths of the accelerator's memory, or of the host's free memory for a CPU device.
    """
    stats = device.memory_stats() or {}
    limit = stats.get('bytes_limit', psutil.virtual_memory().available)
    return int(limit * 0.8)


def _cache_file(facts):
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return cache_folder() / 'plans' / f'{digest[:24]}.json'
