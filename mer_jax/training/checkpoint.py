"""States on disk: the only file that imports Orbax. A checkpoint is whole or absent, also after
kill -9.
"""

import contextlib
import time
import zlib
from functools import reduce
from pathlib import Path

import jax
import numpy as np
import orbax.checkpoint as ocp

from mer_jax.errors import UserError


@contextlib.contextmanager
def opened(folder: Path):
    """A manager of the checkpoints in `folder` (absolute: Orbax refuses others) that keeps the
    newest one.
    """
    options = ocp.CheckpointManagerOptions(max_to_keep=1, enable_async_checkpointing=False)
    with ocp.CheckpointManager(Path(folder).absolute(), options=options) as manager:
        yield manager


def newest(folder: Path) -> int:
    """The epoch of the newest whole checkpoint in `folder`, or -1."""
    if not Path(folder).is_dir():
        return -1
    # Orbax renames only what is whole
    steps = [int(p.name) for p in Path(folder).iterdir() if p.name.isdigit()]
    return max(steps, default=-1)


class Schedule:
    """Says when the next checkpoint is due; when it is written changes no bit of the result."""

    def __init__(self, interval: float):
        """Begin to wait.

        Args:
            interval: seconds between two checkpoints; twenty times what writing one takes where
                that is longer; 0: a checkpoint is always due.
        """
        self._interval, self._last, self._cost = interval, time.monotonic(), 0.0

    def due(self) -> bool:
        """Whether the time has come."""
        wait = max(self._interval, 20 * self._cost) if self._interval else 0
        return time.monotonic() - self._last >= wait

    @contextlib.contextmanager
    def writing(self):
        """Measure what writing a checkpoint takes, and begin to wait again."""
        start = time.monotonic()
        yield
        self._last = time.monotonic()
        self._cost = self._last - start


def save(manager, epoch: int, states):
    """Write the stacked states, host copies taken first: a donated device buffer may be reused
    while it is written.
    """
    states = jax.tree.map(np.asarray, states)
    manager.save(
        epoch, args=ocp.args.StandardSave({'states': states, 'checksum': _checksum(states)})
    )


def restore(manager, epoch: int, shapes):
    """The states of `epoch` as host arrays; `shapes` is their abstract tree, without which another
    device count fails.

    UserError where the checkpoint is damaged or of other shapes.
    """
    template = jax.tree.map(lambda a: np.zeros(a.shape, a.dtype), shapes)
    template = {'states': template, 'checksum': _checksum(())}
    try:
        found = manager.restore(epoch, args=ocp.args.StandardRestore(template))
        if found['checksum'] != _checksum(found['states']):
            raise ValueError('its values are not those that were written')
        if jax.tree.map(np.shape, found['states']) != jax.tree.map(np.shape, template['states']):
            # Orbax restores what is there, whatever the template says
            raise ValueError('it holds other shapes')
        return found['states']
    # Orbax and its storage raise whatever a damaged file makes of their parsers
    except Exception as error:
        reason = str(error).strip().split('\n')[0][:200]
        raise UserError(
            f'{manager.directory / str(epoch)} cannot be restored ({reason}); put it back from a '
            'copy, '
            'or delete that folder: its runs then train from the first epoch'
        ) from error


def _checksum(states):
    """CRC-32 of every byte: the storage itself notices a file cut short, but not a value that
    changed.
    """
    return np.array(
        reduce(
            lambda crc, leaf: zlib.crc32(np.ascontiguousarray(leaf), crc),
            jax.tree.leaves(states),
            0,
        ),
        np.uint32,
    )
