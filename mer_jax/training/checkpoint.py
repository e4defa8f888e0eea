"""States on disk: the only file that imports Orbax.

A checkpoint is whole or absent, also after kill -9.
"""

import contextlib
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
import orbax.checkpoint as ocp

from mer_jax.errors import UserError
from mer_jax.types import FoldState


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[ocp.CheckpointManager]:
    """Open the checkpoints in a folder; only the newest one is kept."""
    options = ocp.CheckpointManagerOptions(max_to_keep=1, enable_async_checkpointing=False)
    absolute = Path(folder).absolute()  # Orbax refuses relative paths
    with ocp.CheckpointManager(absolute, options=options) as manager:
        yield manager


def newest(folder: Path) -> int:
    """Return the epoch of the newest whole checkpoint in a folder, or -1."""
    if not Path(folder).is_dir():
        return -1
    # Orbax gives a checkpoint this name once it is whole.
    epochs = [int(path.name) for path in Path(folder).iterdir() if path.name.isdigit()]
    return max(epochs, default=-1)


class Schedule:
    """Says when the next checkpoint is due; that moment does not change the result."""

    def __init__(self, interval: float):
        """Begin to wait.

        Args:
            interval: seconds between two checkpoints; twenty times what writing one takes where
                that is longer; 0: a checkpoint is always due.
        """
        self._interval = interval
        self._last = time.monotonic()
        self._cost = 0.0

    def due(self) -> bool:
        """Return whether it is time for a checkpoint."""
        wait = 0
        if self._interval:
            wait = max(self._interval, 20 * self._cost)
        return time.monotonic() - self._last >= wait

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Measure what writing a checkpoint takes, and begin to wait again."""
        start = time.monotonic()
        yield
        self._last = time.monotonic()
        self._cost = self._last - start


def save(manager: ocp.CheckpointManager, epoch: int, states: FoldState) -> None:
    """Write the states of all runs of a group.

    Args:
        manager: of the folder.
        epoch: after which the states are.
        states: arrays with a leading F.
    """
    # Host copies first: a donated device buffer may be used again while it is written.
    states = jax.tree.map(np.asarray, states)
    content = {'states': states, 'checksum': _checksum(states)}
    manager.save(epoch, args=ocp.args.StandardSave(content))


def restore(manager: ocp.CheckpointManager, epoch: int, shapes: FoldState) -> FoldState:
    """Read the states of an epoch, as arrays on the host.

    Args:
        manager: of the folder.
        epoch: whose checkpoint is read.
        shapes: their abstract tree, without which Orbax fails under another number of devices.

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
        # Orbax restores what is there, whatever the template says.
        if jax.tree.map(np.shape, states) != jax.tree.map(np.shape, expected):
            raise ValueError('it holds other shapes')
        return states
    # Orbax and its storage raise whatever a damaged file makes of their parsers.
    except Exception as error:
        reason = str(error).strip().split('\n')[0][:200]
        path = manager.directory / str(epoch)
        raise UserError(
            f'{path} cannot be restored ({reason}); put it back from a copy, or delete that '
            'folder: its runs then train from the first epoch'
        ) from error


def _checksum(states):
    """CRC-32 of all bytes; the storage notices a file cut short, but not a value that changed."""
    checksum = 0
    for leaf in jax.tree.leaves(states):
        checksum = zlib.crc32(np.ascontiguousarray(leaf), checksum)
    return np.array(checksum, np.uint32)
