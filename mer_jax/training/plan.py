"""How a run is laid out on this machine: which lowering, how many folds at once, how many devices;
measured, then kept.
"""

import hashlib
import json
import math
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import jax
import psutil

from mer_jax.errors import UserError
from mer_jax.runfiles.plan import Plan

# of the training that the trial may cost; beyond it a better plan could not repay being found
_SHARE = 0.1

_NOISE = 0.1  # by how much two timings of one plan differ on a busy machine


def candidates(backend, devices, runs, *, lowering, at_once, use):
    """Plans worth a trial, most promising first; settings that are not 0 or 'auto' pin their part.

    On CPU a native convolution inside a loop is tens of times slower, so it is never a candidate
    there. UserError where more devices are to be used than there are.
    """
    if use > devices:
        raise UserError(f'train.devices is {use}; allowed: 0 (all) to the {devices} that are here')
    lowerings = (
        [lowering]
        if lowering != 'auto'
        else ['matmul']
        if backend == 'cpu'
        else ['matmul', 'native']
    )
    # then nothing is left that is worth a trial and its compilation
    pinned = at_once and lowering != 'auto'
    counts = [min(use or devices, devices)] if use or pinned else list(dict.fromkeys([devices, 1]))
    found = []
    for count in counts:
        share = -(-runs // count)
        sides = [1, 4] if backend == 'cpu' else [share, 16, 4, 1]
        sides = [at_once] if at_once else sides if count == counts[0] else [1]
        found += [
            Plan(low, min(side, share), count, 'pinned by the settings')
            for side in sides
            for low in lowerings
        ]
    return list(dict.fromkeys(found))


def settled(found, facts, measure, *, runs, epochs) -> Plan:
    """The only candidate, the one measured earlier on this machine for the same facts, or the one
    measured now.
    """
    if len(found) == 1:
        return found[0]
    # a trial cut short answers for trainings of this length only
    short = facts | {'epochs': epochs}
    earlier = remembered(facts) or remembered(short)
    if earlier:
        return earlier
    seconds = measured(found, measure, runs=runs, epochs=epochs)
    told = ', '.join(f'{describe(plan)} {s:.3g} s' for plan, s in seconds.items())
    why = f'measured, an epoch of all {runs} runs: {told}'
    best = replace(fastest(seconds), why=why)
    if seconds[fastest(seconds)] < math.inf:
        remember(facts if len(seconds) == len(found) else short, best)
    return best


def fastest(seconds: dict) -> Plan:
    """The plan that wins a trial; an earlier candidate stands unless a later one beats it by more
    than noise does.
    """
    best, *others = seconds
    for plan in others:
        best = plan if seconds[plan] < (1 - _NOISE) * seconds[best] else best
    return best


def measured(found, measure, *, runs, epochs) -> dict:
    """{plan: seconds of an epoch of all runs}; measure(plan) -> seconds of one filled round,
    infinity where it does not fit.

    No further candidate is tried once the trial has taken a tenth of what the training will.
    """
    seconds, start = {}, time.perf_counter()
    for plan in found:
        rounds = -(-runs // (plan.at_once * plan.devices))
        seconds[plan] = measure(plan) * rounds
        print(
            f'plan: {describe(plan)}: {seconds[plan]:.3g} s an epoch of all {runs} runs', flush=True
        )
        if min(seconds.values()) * epochs * _SHARE < time.perf_counter() - start:
            break
    return seconds


def resumed(folder: Path, devices: int) -> Plan:
    """The plan that the run in `folder` began with; UserError where it needs more than the
    `devices` that are here.
    """
    chosen = Plan.read(folder)
    if chosen.devices > devices:
        raise UserError(
            f'{folder} was begun on {chosen.devices} devices and {devices} are here; '
            'continue it where it was begun, or give another --workdir'
        )
    return chosen


def describe(plan) -> str:
    """The plan in words, as it stands in the log and in results.json."""
    return (
        f'{plan.lowering}, {plan.at_once} at once on {plan.devices} '
        f'device{"s" if plan.devices > 1 else ""}'
    )


def remembered(facts: dict):
    """The plan measured earlier on this machine for the same facts, or None; an unreadable note is
    measured anew.
    """
    try:
        return Plan(**json.loads(_note(facts).read_text())['plan'])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def remember(facts: dict, plan: Plan) -> None:
    """Keep a measured plan for later runs; a read-only cache folder costs the measurement, never
    the run.
    """
    note = _note(facts)
    partial = note.with_suffix(f'.{os.getpid()}')
    try:
        note.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps({'plan': plan.to_json(), 'facts': facts}, indent=1))
        os.replace(partial, note)
    except OSError as error:
        print(f'plan: not kept for the next run, {note.parent}: {error.strerror}')


def cache_folder() -> Path:
    """Where this machine keeps measured plans and compiled programs: MER_JAX_CACHE, else the user's
    cache folder.
    """
    home = os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache'
    return Path(os.environ.get('MER_JAX_CACHE') or Path(home) / 'mer_jax')


def group_size(plan, runs, *, shapes, group, device, folder) -> int:
    """How many runs are held at a time: all where a third of the memory holds their states, else
    full rounds of the plan.

    A state exists up to three times: in use, being updated, and as the host copy of a checkpoint.
    Raises UserError where the disk of `folder` cannot hold the states of all runs.
    """
    a_run = sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(shapes))
    round_size = plan.at_once * plan.devices
    fits = group or int(free_memory(device) // 3 // a_run)
    size = min(runs, max(1, fits // round_size) * round_size)
    size = runs if fits >= runs else size
    needed, free = a_run * (runs + size), shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f'{folder} has {free / 1e9:.1f} GB free, the states of {runs} runs need '
            f'{needed / 1e9:.1f} GB; '
            'name a larger disk with --workdir'
        )
    if size < runs:
        print(
            f'plan: {size} of {runs} runs at a time, {a_run / 1e6:.0f} MB of state each', flush=True
        )
    return size


def free_memory(device) -> int:
    """Bytes that a run may take: of the accelerator where it tells, else of the host; a fifth is
    left alone.
    """
    stats = device.memory_stats() or {}
    return int(stats.get('bytes_limit', psutil.virtual_memory().available) * 0.8)


def _note(facts):
    name = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:24]
    return cache_folder() / 'plans' / f'{name}.json'
