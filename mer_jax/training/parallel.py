"""Map a function of one fold over all folds: the only file that maps over folds or names devices.

Runs (folds x seeds) stand on the leading axis of every array, which is split over the devices.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import jax
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from mer_jax.machine import cores

Devices = Sequence[jax.Device]
Tree = TypeVar('Tree')  # an array, or tuples and dictionaries of arrays


def over_folds(
    fn: Callable[..., Tree], *, at_once: int, devices: Devices, donate: tuple[int, ...] = ()
) -> Callable[..., Tree]:
    """Map a function of one fold over all folds, in one compiled program.

    Each device takes `at_once` folds at a time and goes through its share in a loop.

    Args:
        fn: (shared, *arrays of one fold) -> arrays of one fold.
        at_once: folds that a device computes side by side, by vmap.
        devices: over which the folds are split.
        donate: numbers of arguments whose memory the result may take.

    Returns:
        (shared, *arrays [F, ...]) -> arrays [F, ...]. F must be a multiple of at_once x devices,
        see `round_up`: jax would treat a remainder by another program, with other last bits.
    """
    mesh = _mesh(devices)
    batch_size = None if at_once == 1 else at_once

    def on_one_device(shared, *per_fold):
        return lax.map(lambda fold: fn(shared, *fold), per_fold, batch_size=batch_size)

    def on_all_devices(shared, *per_fold):
        split = [P('fold') for _ in per_fold]
        mapped = jax.shard_map(
            on_one_device,
            mesh=mesh,
            in_specs=(P(), *split),
            out_specs=P('fold'),
            check_vma=False,
        )
        return mapped(shared, *per_fold)

    return jax.jit(on_all_devices, donate_argnums=donate)


def shard_runs(tree: Tree, length: int, *, devices: Devices) -> Tree:
    """Split the runs over the devices, wrapped round to `length` of them.

    Args:
        tree: arrays [F, ...] of all runs.
        length: runs in the result; those beyond F repeat the first ones.
        devices: over which they are split.
    """
    runs = len(jax.tree.leaves(tree)[0])
    index = np.arange(length) % runs
    wrapped = jax.tree.map(lambda array: np.asarray(array)[index], tree)
    return jax.device_put(wrapped, NamedSharding(_mesh(devices), P('fold')))


def replicate(tree: Tree, *, devices: Devices) -> Tree:
    """Put one copy of every array on each device."""
    return jax.device_put(tree, NamedSharding(_mesh(devices), P()))


def round_up(runs: int, *, at_once: int, devices: Devices) -> int:
    """Return the least multiple of at_once x devices that holds `runs`."""
    round_size = at_once * len(devices)
    return -(-runs // round_size) * round_size


def start(cache: Path) -> None:
    """Set up jax, before anything else touches it.

    One CPU device per core, GPU programs that compute the same bits each time, and compiled
    programs kept in the folder `cache`. A notebook whose backend is up already keeps the devices
    that it has.
    """
    flags = os.environ.get('XLA_FLAGS', '')
    deterministic = '--xla_gpu_deterministic_ops=true'
    if deterministic not in flags:
        flags = f'{flags} {deterministic}'
    os.environ['XLA_FLAGS'] = flags
    try:
        jax.config.update('jax_num_cpu_devices', cores())
    except RuntimeError:
        pass  # raised where a backend is up: its devices serve as they are
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        print(f'compiled programs are not kept for the next run, {cache}: {error.strerror}')
        return
    jax.config.update('jax_compilation_cache_dir', str(cache))
    jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.5)


def _mesh(devices):
    return Mesh(np.asarray(devices), ('fold',))
