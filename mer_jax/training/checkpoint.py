"""Checkpoints: states of runs on disk, written by Orbax.

experiment/engine.py saves and restores those of a run, generation/gan.py those of a GAN. A
checkpoint is whole or absent, also after kill -9.
"""

import contextlib
import shutil
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import jax
import numpy as np
import orbax.checkpoint as ocp

from mer_jax.errors import UserError, first_line
from mer_jax.training import hosts
from mer_jax.types import FoldState


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[ocp.CheckpointManager]:
    """Open the checkpoints in a folder.

    The folder keeps only the newest one. What a kill left of older ones is removed.

    Args:
        folder: of one group of runs.
    """
    options = ocp.CheckpointManagerOptions(
        max_to_keep=1, enable_async_checkpointing=False, cleanup_tmp_directories=True
    )
    absolute = Path(folder).absolute()  # Orbax refuses relative paths
    if hosts.is_first():
        _remove_older(absolute)
    with ocp.CheckpointManager(absolute, options=options) as manager:
        yield manager


def _remove_older(folder):
    """Remove checkpoints before the newest one.

    Orbax deletes the old one, file by file, once the new one is whole; a kill between leaves it.
    """
    last = newest(folder)
    if last < 0:
        return
    for path in folder.iterdir():
        if path.name.isdigit() and int(path.name) < last:
            shutil.rmtree(path, ignore_errors=True)


def newest(folder: Path) -> int:
    """Return the epoch of the newest checkpoint, or -1.

    Args:
        folder: of one group of runs; it need not exist.
    """
    if not Path(folder).is_dir():
        return -1
    # Orbax gives a checkpoint this name once it is whole.
    epochs = [int(path.name) for path in Path(folder).iterdir() if path.name.isdigit()]
    return max(epochs, default=-1)


class Schedule:
    """When to write the next checkpoint.

    The results of a run do not depend on when its checkpoints are written.
    """

    def __init__(self, interval: float):
        """Start to wait for the first checkpoint.

        Args:
            interval: seconds between two checkpoints. The wait is at least 20 times the last
                writing time. 0: a checkpoint is always due.
        """
        self._interval = interval
        self._last = time.monotonic()
        self._cost = 0.0

    def due(self) -> bool:
        """Return whether a checkpoint is due now."""
        wait = 0
        if self._interval:
            wait = max(self._interval, 20 * self._cost)
        return time.monotonic() - self._last >= wait

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Time the writing of a checkpoint, then wait again."""
        start = time.monotonic()
        yield
        self._last = time.monotonic()
        self._cost = self._last - start


def save(manager: ocp.CheckpointManager, epoch: int, states: FoldState) -> None:
    """Write the states of a group of runs.

    The first checkpoint is read back at once, so that a bad disk is noticed before hours of
    training.

    Args:
        manager: of the folder; see `opened`.
        epoch: the last one that these states have trained.
        states: arrays [F, ...].

    Raises:
        UserError: it cannot be written, or the first one cannot be read back.
    """
    first = hosts.agreed(hosts.is_first() and newest(manager.directory) < 0)
    # Host copies, because the memory on the device may be reused while Orbax writes.
    states = jax.tree.map(np.asarray, states)
    content = {'states': states, 'checksum': _checksum(states)}
    try:
        manager.save(epoch, args=ocp.args.StandardSave(content))
    # For a full disk or a quota the storage has its own exceptions.
    except Exception as error:
        hosts.check_lost(error)
        raise UserError(
            f'{manager.directory}: the checkpoint of epoch {epoch} cannot be written '
            f'({first_line(error)}); free space there, then give the same command again'
        ) from error
    if first:
        try:
            restore(manager, epoch, states)
        except UserError as error:
            hosts.check_lost(error.__cause__)
            raise UserError(
                f'{manager.directory / str(epoch)} was just written and cannot be read again '
                f'({first_line(error.__cause__)}); name a --workdir on another disk or path'
            ) from error


def restore(manager: ocp.CheckpointManager, epoch: int, shapes: FoldState) -> FoldState:
    """Read the states of an epoch.

    Args:
        manager: of the folder; see `opened`.
        epoch: of the checkpoint to read.
        shapes: a tree with the shapes and dtypes of the states. Without it Orbax fails where the
            number of devices differs from that of the run that wrote them.

    Returns:
        Arrays [F, ...] on the host.

    Raises:
        UserError: the checkpoint is damaged, or holds other shapes.
    """
    expected = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)
    template = {'states': expected, 'checksum': _checksum(())}
    try:
        content = manager.restore(epoch, args=ocp.args.StandardRestore(template))
        states = content['states']
        if content['checksum'] != _checksum(states):
            raise ValueError('its values are not those that were written')
        # Orbax does not compare the shapes with the template.
        if jax.tree.map(np.shape, states) != jax.tree.map(np.shape, expected):
            raise ValueError('it holds other shapes')
        return states
    # Exception, because a damaged file makes Orbax and its storage raise almost anything.
    except Exception as error:
        hosts.check_lost(error)
        path = manager.directory / str(epoch)
        raise UserError(
            f'{path} cannot be restored ({first_line(error)}); put it back from a copy, or delete '
            'that folder: its runs then train from the first epoch'
        ) from error


def read_runs(
    folder: Path,
    shapes: FoldState,
    *,
    epoch: int,
    runs: int,
    group: int,
    chosen: Sequence[int] | None = None,
) -> FoldState:
    """Read the states of the runs of a training from the checkpoints of its groups.

    Args:
        folder: with a folder group_0, group_1, ... for each group.
        shapes: abstract state of one run.
        epoch: of the checkpoints.
        runs: of the training.
        group: runs in a group.
        chosen: positions of the runs to read, in rising order; None: all.

    Returns:
        Arrays [chosen, ...] on the host; opt_state is ().

    Raises:
        UserError: a checkpoint is damaged.
    """
    chosen = range(runs) if chosen is None else chosen
    read = []
    for number, first in enumerate(range(0, runs, group)):
        count = min(group, runs - first)
        wanted = [position - first for position in chosen if first <= position < first + count]
        if not wanted:
            continue
        of_group = jax.tree.map(
            lambda leaf, count=count: jax.ShapeDtypeStruct((count, *leaf.shape), leaf.dtype), shapes
        )
        with opened(folder / f'group_{number}') as manager:
            states = restore(manager, epoch, of_group)._replace(opt_state=())
        read.append(jax.tree.map(lambda leaf, wanted=wanted: np.asarray(leaf)[wanted], states))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *read)


def _checksum(states):
    """Return the CRC-32 of all bytes.

    Orbax notices a file that is cut short, but not a byte that changed.
    """
    checksum = 0
    for leaf in jax.tree.leaves(states):
        checksum = zlib.crc32(np.ascontiguousarray(leaf), checksum)
    return np.array(checksum, np.uint32)
