"""Map a function written for one fold over all of them: the only file that maps over folds or names
a device.
"""

import os
from pathlib import Path

import jax
import numpy as np
from jax import lax
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from mer_jax.machine import cores


def over_folds(fn, *, at_once, devices, donate=()):
    """Return call(shared, *per_fold): fn(shared, *one_fold) for every fold, in one compiled
    program.

    The leading axis of every per-fold array is split over `devices`; each device takes `at_once`
    folds at a time (vmapped) and goes through its share in a loop. The axis must be a multiple of
    at_once x devices (see `round_up`): a remainder would be treated by another program, with other
    last bits. `donate` numbers arguments of call.
    """
    mesh = _mesh(devices)

    def share(shared, *per_fold):
        return lax.map(
            lambda one: fn(shared, *one), per_fold, batch_size=None if at_once == 1 else at_once
        )

    def call(shared, *per_fold):
        specs = (P(), *(P('fold') for _ in per_fold))
        return jax.shard_map(
            share, mesh=mesh, in_specs=specs, out_specs=P('fold'), check_vma=False
        )(shared, *per_fold)

    return jax.jit(call, donate_argnums=donate)


def padded(tree, length, *, devices):
    """Wrap runs round until there are `length`, and place them on their devices."""
    index = np.arange(length) % len(jax.tree.leaves(tree)[0])
    wrapped = jax.tree.map(lambda a: np.asarray(a)[index], tree)
    return jax.device_put(wrapped, NamedSharding(_mesh(devices), P('fold')))


def replicated(tree, *, devices):
    """Put one copy of every array on each device."""
    return jax.device_put(tree, NamedSharding(_mesh(devices), P()))


def round_up(runs, *, at_once, devices):
    """The least multiple of at_once x devices that holds `runs`."""
    return -(-runs // (at_once * devices)) * at_once * devices


def start(cache: Path) -> None:
    """Before anything touches jax: one CPU device a core, reproducible GPU programs, compiled
    programs kept in `cache`.

    A notebook whose backend is up already keeps the devices it has.
    """
    flags, wanted = os.environ.get('XLA_FLAGS', ''), '--xla_gpu_deterministic_ops=true'
    os.environ['XLA_FLAGS'] = flags if wanted in flags else f'{flags} {wanted}'
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
