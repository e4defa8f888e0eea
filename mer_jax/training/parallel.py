"""A function of one fold, mapped to all folds.

Runs (folds x seeds) are the leading axis of every array, [F, ...], which is split over the devices.
Only this file maps compiled code over folds, and assigns arrays to devices.
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

from mer_jax.errors import UserError
from mer_jax.machine import cores
from mer_jax.training import compilation, hosts

Devices = Sequence[jax.Device]
Tree = TypeVar('Tree')  # an array, or tuples and dictionaries of arrays


def over_folds(
    fn: Callable[..., Tree], *, at_once: int, devices: Devices, donate: tuple[int, ...] = ()
) -> Callable[..., Tree]:
    """Map a function of one fold over all folds.

    The result is one jitted program. Each device loops over its share of the folds and computes
    `at_once` of them at a time, by vmap.

    Args:
        fn: (shared, *arrays of one fold) -> arrays of one fold.
        at_once: folds that a device computes side by side.
        devices: over which the folds are split.
        donate: positions of arguments whose memory the result may reuse.

    Returns:
        (shared, *arrays [F, ...]) -> arrays [F, ...]. F must be a multiple of at_once x devices,
        see `round_up`: jax would run a remainder in another program, which rounds differently.
    """
    mesh = _mesh(devices)
    batch_size = None if at_once == 1 else at_once

    def on_one_device(shared: Tree, *per_fold: Tree) -> Tree:
        return lax.map(lambda fold: fn(shared, *fold), per_fold, batch_size=batch_size)

    def on_all_devices(shared: Tree, *per_fold: Tree) -> Tree:
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


def shard_runs(tree: Tree, padded_runs: int, *, devices: Devices) -> Tree:
    """Pad the runs and split them over the devices.

    Args:
        tree: arrays [F, ...] of F runs.
        padded_runs: number of runs in the result; those beyond F repeat the first ones.
        devices: over which the runs are split.

    Returns:
        Arrays [padded_runs, ...].
    """
    runs = len(jax.tree.leaves(tree)[0])
    index = np.arange(padded_runs) % runs
    wrapped = jax.tree.map(lambda array: np.asarray(array)[index], tree)
    return _put(wrapped, NamedSharding(_mesh(devices), P('fold')))


def replicate(tree: Tree, *, devices: Devices) -> Tree:
    """Put one copy of every array on each device."""
    return _put(tree, NamedSharding(_mesh(devices), P()))


def available() -> int:
    """Return the number of devices that can be used: as many on each host."""
    return hosts.count() * min(map(len, _by_host()))


def chosen_devices(number: int) -> list[jax.Device]:
    """Return the devices of a plan, those of the first host first.

    Args:
        number: of devices, a multiple of the number of hosts.
    """
    on_each = number // hosts.count()
    return [device for of_host in _by_host() for device in of_host[:on_each]]


def _by_host():
    devices_of = [[] for _ in range(hosts.count())]
    for device in jax.devices():
        devices_of[device.process_index].append(device)
    return devices_of


def _put(tree, sharding):
    """Put numpy arrays on devices; with several hosts, each puts what its own devices need."""
    if hosts.count() == 1:
        return jax.device_put(tree, sharding)

    def of_hosts(array: np.ndarray) -> jax.Array:
        array = np.asarray(array)
        return jax.make_array_from_callback(array.shape, sharding, array.__getitem__)

    return jax.tree.map(of_hosts, tree)


def round_up(runs: int, *, at_once: int, devices: Devices) -> int:
    """Round up to a multiple of at_once x devices."""
    round_size = at_once * len(devices)
    return -(-runs // round_size) * round_size


def start(cache: Path) -> None:
    """Set up jax, before anything else uses it.

    There will be one CPU device per core, and GPU programs that compute the same bits each time. In
    a notebook that has used jax already, the devices stay as they are.

    Args:
        cache: folder in which jax keeps compiled programs for later runs.

    Raises:
        UserError: the platform that JAX_PLATFORMS asks for is not there.
    """
    flags = os.environ.get('XLA_FLAGS', '')
    deterministic = '--xla_gpu_deterministic_ops=true'
    if deterministic not in flags:
        flags = f'{flags} {deterministic}'
    os.environ['XLA_FLAGS'] = flags
    try:
        jax.config.update('jax_num_cpu_devices', cores())
    except RuntimeError:
        pass  # raised where jax was used already: its devices stay as they are
    try:
        jax.devices()
    except RuntimeError as error:
        reason, platforms = str(error).split('. ')[0], os.environ.get('JAX_PLATFORMS', '')
        raise UserError(
            f'jax finds no devices ({reason}); JAX_PLATFORMS is {platforms!r}; allowed: cpu, or a '
            'platform that is installed here'
        ) from error
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        print(f'compiled programs are not kept for the next run, {cache}: {error.strerror}')
        return
    compilation.remove_cut_programs(cache)
    jax.config.update('jax_compilation_cache_dir', str(cache))
    jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.5)


def _mesh(devices):
    """Return the devices as a mesh with the axis 'fold'."""
    return Mesh(np.asarray(devices), ('fold',))
