"""Choose how a run is laid out on this machine, and keep the choice for later runs.

A plan says how convolutions are lowered, how many folds a device trains side by side, and how many
devices are used. Candidates are timed once for each machine, model and shape.
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

import jax
import psutil

from mer_jax.errors import UserError
from mer_jax.runfiles.plan import Plan
from mer_jax.types import FoldState

# The trial may take this share of the training; a better plan could not win back more than that.
_SHARE = 0.1

_NOISE = 0.1  # by how much two timings of one plan differ on a busy machine

# A CPU takes folds one by one, or few; an accelerator is filled by many.
_FOLDS_AT_ONCE_CPU = (1, 4)
_FOLDS_AT_ONCE_ACCELERATOR = (16, 4, 1)


def candidates(
    backend: str, devices: int, runs: int, *, lowering: str, at_once: int, use: int
) -> list[Plan]:
    """Return the plans worth a trial.

    On CPU a native convolution inside a loop is tens of times slower, so it is never a candidate
    there.

    Args:
        backend: name of jax's backend, as 'cpu' or 'gpu'.
        devices: that this machine has.
        runs: of the experiment.
        lowering: of convolutions; 'auto' leaves it to the trial.
        at_once: folds that a device trains side by side; 0 leaves it to the trial.
        use: devices to use; 0 leaves it to the trial.

    Returns:
        The plans, most promising first, each once.

    Raises:
        UserError: more devices are to be used than there are.
    """
    if use > devices:
        raise UserError(f'train.devices is {use}; allowed: 0 (all) to the {devices} that are here')
    lowerings = _lowerings(backend, lowering)
    plans = {}  # a dictionary, because it keeps the order and drops what comes twice
    for place, count in enumerate(_device_counts(devices, lowering, at_once, use)):
        runs_per_device = -(-runs // count)
        sides = _folds_at_once(backend, runs_per_device, at_once, most_devices=place == 0)
        for side in sides:
            for name in lowerings:
                plan = Plan(name, min(side, runs_per_device), count, 'pinned by the settings')
                plans[plan] = None
    return list(plans)


def _lowerings(backend, lowering):
    if lowering != 'auto':
        return [lowering]
    if backend == 'cpu':
        return ['matmul']
    return ['matmul', 'native']


def _device_counts(devices, lowering, at_once, use):
    if use:
        return [use]
    if at_once and lowering != 'auto':
        # Only the number of devices is open: not worth a trial and its compilation.
        return [devices]
    return list(dict.fromkeys([devices, 1]))


def _folds_at_once(backend, runs_per_device, at_once, *, most_devices):
    if at_once:
        return [at_once]
    if not most_devices:
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
        measure: returns the seconds of one epoch of one filled round of a plan.
        runs: of the experiment.
        epochs: of the training.

    Returns:
        The only candidate; else the plan that was measured earlier on this machine for the same
        facts; else the one that is measured now.
    """
    if len(plans) == 1:
        return plans[0]
    # A trial that was cut short holds only for trainings of the same length.
    facts_of_length = {**facts, 'epochs': epochs}
    earlier = load_cached(facts) or load_cached(facts_of_length)
    if earlier:
        return earlier
    seconds = benchmark(plans, measure, runs=runs, epochs=epochs)
    timings = ', '.join(f'{describe(plan)} {took:.3g} s' for plan, took in seconds.items())
    winner = fastest(seconds)
    chosen = replace(winner, why=f'measured, an epoch of all {runs} runs: {timings}')
    complete = len(seconds) == len(plans)
    if seconds[winner] < math.inf:
        store(facts if complete else facts_of_length, chosen)
    return chosen


def fastest(seconds: Mapping[Plan, float]) -> Plan:
    """Return the plan that wins a trial.

    An earlier candidate stands unless a later one is faster by more than noise.

    Args:
        seconds: of each plan, in the order of the trial.
    """
    best, *others = seconds
    for plan in others:
        if seconds[plan] < (1 - _NOISE) * seconds[best]:
            best = plan
    return best


def benchmark(
    plans: Sequence[Plan], measure: Callable[[Plan], float], *, runs: int, epochs: int
) -> dict[Plan, float]:
    """Time the candidates, and print each time.

    No further candidate is tried once the trial has taken a tenth of what the training will take.

    Args:
        plans: the candidates, most promising first.
        measure: returns the seconds of one epoch of one filled round of a plan; infinity where it
            does not fit.
        runs: of the experiment.
        epochs: of the training.

    Returns:
        Seconds that an epoch of all runs takes, for each plan that was tried.
    """
    seconds = {}
    start = time.perf_counter()
    for plan in plans:
        rounds = -(-runs // (plan.at_once * plan.devices))
        seconds[plan] = measure(plan) * rounds
        line = f'plan: {describe(plan)}: {seconds[plan]:.3g} s an epoch of all {runs} runs'
        print(line, flush=True)
        trial = time.perf_counter() - start
        if min(seconds.values()) * epochs * _SHARE < trial:
            break
    return seconds


def read_for_resume(folder: Path, devices: int) -> Plan:
    """Return the plan that a run began with.

    Args:
        folder: of the run.
        devices: that this machine has.

    Raises:
        UserError: the plan needs more devices.
    """
    plan = Plan.read(folder)
    if plan.devices > devices:
        raise UserError(
            f'{folder} was begun on {plan.devices} devices and {devices} are here; '
            'continue it where it was begun, or give another --workdir'
        )
    return plan


def describe(plan: Plan) -> str:
    """Return the plan in words, as the log and results.json name it."""
    plural = 's' if plan.devices > 1 else ''
    return f'{plan.lowering}, {plan.at_once} at once on {plan.devices} device{plural}'


def load_cached(facts: Mapping[str, object]) -> Plan | None:
    """Return the plan kept on this machine for these facts.

    None where there is none, or where its file cannot be read: it is then measured again.
    """
    try:
        return Plan(**json.loads(_cache_file(facts).read_text())['plan'])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def store(facts: Mapping[str, object], plan: Plan) -> None:
    """Keep a measured plan for later runs.

    A cache folder that cannot be written costs later runs the trial, and never ends this one.
    """
    path = _cache_file(facts)
    partial = path.with_suffix(f'.{os.getpid()}')
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps({'plan': plan.to_json(), 'facts': facts}, indent=1))
        os.replace(partial, path)
    except OSError as error:
        print(f'plan: not kept for the next run, {path.parent}: {error.strerror}')


def cache_folder() -> Path:
    """Return the folder of measured plans and compiled programs.

    It is MER_JAX_CACHE where that is set, else a folder in the user's cache.
    """
    home = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(os.environ.get('MER_JAX_CACHE') or Path(home) / 'mer_jax')


def group_size(
    plan: Plan, runs: int, *, shapes: FoldState, group: int, device: jax.Device, folder: Path
) -> int:
    """Return how many runs are in memory at a time.

    All of them where a third of the memory holds their states, else as many full rounds of the
    plan as fit. A third, because a state exists up to three times: in use, being updated, and as
    the host copy of a checkpoint.

    Args:
        plan: of the training.
        runs: of the experiment.
        shapes: abstract state of one fold.
        group: runs that the settings want in memory at a time; 0: as many as fit.
        device: the first one that trains.
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
    """Return the bytes that a run may take.

    It is the accelerator's memory where the device reports it, else what the host has free; a
    fifth is left alone.
    """
    stats = device.memory_stats() or {}
    limit = stats.get('bytes_limit', psutil.virtual_memory().available)
    return int(limit * 0.8)


def _cache_file(facts):
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    return cache_folder() / 'plans' / f'{digest[:24]}.json'
