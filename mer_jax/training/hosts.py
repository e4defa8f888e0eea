"""Several hosts: processes of jax's distributed runtime that train one experiment together.

All of them run the same code on the same data, and each trains its share of the runs. The first
host alone writes the files of a run, and what depends on its clock is decided by it; what depends
on memory is decided by the host with the least. No training step waits for another host: they meet
after each compiled call. Where there is one host, as nearly always, nothing is exchanged.
"""

import json
import socket
import threading
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from mer_jax import supervisor
from mer_jax.errors import UserError, first_line

Tree = TypeVar('Tree')  # an array, or tuples and dictionaries of arrays
Value = TypeVar('Value')  # what JSON can hold
Result = TypeVar('Result')

LOST = 30  # seconds without a sign of life, after which jax counts a host as lost
SIGN = 60.0  # seconds between two signs of a host for which the others wait
FINISHED = 'finished'
# what errors of a connection hold: of collectives on CPU and GPU, and of jax's own barriers
OF_CONNECTIONS = ('Gloo', 'gloo', 'NCCL', 'Connection', 'Barrier', 'heartbeat', 'Coordination')


class Address(NamedTuple):
    """Where the hosts meet, and which of them this one is."""

    coordinator: str  # HOST:PORT of the first one; '' where the cluster says all three
    hosts: int = 0
    host: int = 0


def join(address: Address) -> None:
    """Meet the other hosts, before anything else uses jax.

    jax ends the process where they do not come within five minutes.

    Args:
        address: of the hosts.

    Raises:
        UserError: no cluster was found, or the address cannot be used.
    """
    if address.coordinator and address.host == 0:
        _check_port(address.coordinator)
    # else a TERM signal, by which schedulers end a job, would end nothing
    jax.config.update('jax_enable_preemption_service', False)
    given = {}
    if address.coordinator:
        given = {
            'coordinator_address': address.coordinator,
            'num_processes': address.hosts,
            'process_id': address.host,
            'cluster_detection_method': 'deactivate',
        }
    try:
        jax.distributed.initialize(**given, heartbeat_timeout_seconds=LOST)
    except (RuntimeError, ValueError, OSError, KeyError) as error:
        if given:
            raise UserError(
                f'--coordinator={address.coordinator}: {first_line(error)}; allowed: the name of '
                'the first host, and a port that is free there'
            ) from error
        raise UserError(
            f'--distributed: no cluster was found ({first_line(error)}); start it by SLURM (srun) '
            'or Open MPI (mpirun), or give --coordinator=HOST:PORT --hosts=COUNT --host=INDEX'
        ) from error


def _check_port(coordinator):
    """Refuse a port that is taken, which ends jaxlib 0.10 by a segmentation fault."""
    port = int(coordinator.rpartition(':')[2])
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    try:
        socket.create_server(('', port), family=family, dualstack_ipv6=both).close()
    except (OSError, OverflowError) as error:
        raise UserError(
            f'--coordinator={coordinator}: port {port} cannot be used here ({error}); allowed: a '
            'port that is free on the first host, above 1023'
        ) from error


def leave() -> None:
    """Wait until all hosts have finished."""
    jax.distributed.shutdown()


def count() -> int:
    """Return the number of hosts."""
    return jax.process_count()


def index() -> int:
    """Return the number of this host, from 0."""
    return jax.process_index()


def is_first() -> bool:
    """Return whether this host writes the files of a run."""
    return index() == 0


def wait() -> None:
    """Wait until all hosts are here."""
    texts('')


def by_first(work: Callable[[], Result]) -> Result | None:
    """Let the first host work while the others wait, for hours where need be.

    A single wait of jax may end after minutes; so the first host gives signs.

    Args:
        work: computes something, without other hosts.

    Returns:
        What it returns; None on the other hosts.
    """
    if count() == 1:
        return work()
    if not is_first():
        while agreed('') != FINISHED:
            pass
        return None
    finished, faults = threading.Event(), []
    signs = threading.Thread(target=_give_signs, args=(finished, faults), daemon=True)
    signs.start()
    try:
        result = work()
    finally:
        finished.set()
        signs.join()
    if faults:
        raise faults[0]
    return result


def _give_signs(finished, faults):
    """Meet the others until `finished` is set; what goes wrong is put into `faults`."""
    try:
        while not finished.wait(SIGN):
            agreed('')
        agreed(FINISHED)
    except UserError:
        pass  # of a host that is lost; the next meeting reports it
    except Exception as error:  # else the thread would end unheard, and the others wait for ever
        faults.append(error)


def agreed(value: Value) -> Value:
    """Return the value of the first host.

    Whether a file exists is asked of that host alone, `agreed(is_first() and path.exists())`: a
    network disk would go on telling another that it is missing after it was written.

    Args:
        value: of this host, which JSON can hold.
    """
    if count() == 1:
        return value
    return json.loads(texts(json.dumps(value))[0])


def least(number: int) -> int:
    """Return the least number of all hosts.

    Args:
        number: of this host.
    """
    return min(json.loads(text) for text in texts(json.dumps(number)))


def check_same(values: Mapping[str, str], mend: str) -> None:
    """Refuse hosts whose values differ.

    Args:
        values: of this host, by what they are: {'jax': '0.10.2'}.
        mend: what would be right, for the message.

    Raises:
        UserError: names the host and the first value that differs.
    """
    first, *others = map(json.loads, texts(json.dumps(dict(values))))
    for host, other in enumerate(others, 1):
        for what in {**first, **other}:
            here, there = first.get(what), other.get(what)
            if here != there:
                raise UserError(
                    f'{what} is {there!r} on host {host} and {here!r} on host 0; {mend}'
                )


def texts(text: str) -> list[str]:
    """Return the text of each host."""
    if count() == 1:
        return [text]
    content = np.frombuffer(text.encode(), np.uint8)
    sizes = gathered(np.array([len(content)], np.int32))
    # a power of two, because each length needs a program of its own
    padded = np.zeros((1, 1 << int(sizes.max()).bit_length()), np.uint8)
    padded[0, : len(content)] = content
    rows = gathered(padded)
    return [bytes(row[:size]).decode() for row, size in zip(rows, sizes, strict=True)]


def to_host(tree: Tree) -> Tree:
    """Copy arrays that are split over the devices of all hosts to each host.

    Args:
        tree: arrays [F, ...], split over devices in the order of the hosts.

    Returns:
        numpy arrays [F, ...].
    """
    if count() == 1:
        return jax.tree.map(np.asarray, tree)
    return gathered(jax.tree.map(_local, tree))


def gathered(tree: Tree) -> Tree:
    """Join the arrays of all hosts.

    Args:
        tree: numpy arrays [n, ...] of this host, of the same shapes on each.

    Returns:
        numpy arrays [hosts x n, ...], those of the first host first.

    Raises:
        UserError: another host is lost.
    """
    # One device of each host, so that there is one copy on a host of many devices.
    first_devices = {device.process_index: device for device in reversed(jax.devices())}
    mesh = Mesh(np.array([first_devices[host] for host in range(count())]), ('host',))
    split = NamedSharding(mesh, P('host'))
    try:
        placed = jax.tree.map(
            lambda array: jax.make_array_from_process_local_data(split, array), tree
        )
        copies = jax.jit(_unchanged, out_shardings=NamedSharding(mesh, P()))(placed)
        return jax.tree.map(lambda array: np.asarray(array.addressable_data(0)), copies)
    except (RuntimeError, ValueError) as error:
        check_lost(error)
        raise


def check_lost(error: Exception) -> None:
    """Say in one line that another host is lost, where that is the reason of an error.

    Raises:
        UserError: it is.
    """
    if isinstance(error, OSError):  # of a disk, which may be reached by a network too
        return
    if count() > 1 and any(words in str(error) for words in OF_CONNECTIONS):
        raise UserError(f'{supervisor.GONE}; {supervisor.AGAIN}') from error


def _local(array):
    """Return the part of an array [F, ...] that lies on the devices of this host."""
    shards = {shard.index[0].start or 0: shard.data for shard in array.addressable_shards}
    return np.concatenate([np.asarray(shards[start]) for start in sorted(shards)])


def _unchanged(tree):
    return tree
