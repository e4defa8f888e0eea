"""States on disk: the only file that imports Orbax. A checkpoint is whole or absent, also after kill -9."""

import contextlib
from pathlib import Path

import jax
import numpy as np
import orbax.checkpoint as ocp


@contextlib.contextmanager
def opened(folder: Path):
    """A manager of the checkpoints in `folder` (absolute: Orbax refuses others) that keeps the newest one."""
    options = ocp.CheckpointManagerOptions(max_to_keep=1, enable_async_checkpointing=False)
    with ocp.CheckpointManager(Path(folder).absolute(), options=options) as manager:
        yield manager


def newest(folder: Path) -> int:
    """The epoch of the newest whole checkpoint in `folder`, or -1."""
    if not Path(folder).is_dir():
        return -1
    steps = [int(p.name) for p in Path(folder).iterdir() if p.name.isdigit()]  # Orbax renames only what is whole
    return max(steps, default=-1)


def save(manager, epoch: int, states):
    """Write the stacked states, host copies taken first: a donated device buffer may be reused while it is written."""
    manager.save(epoch, args=ocp.args.StandardSave(jax.tree.map(np.asarray, states)))


def restore(manager, epoch: int, shapes):
    """The states of `epoch` as host arrays; `shapes` is their abstract tree, without which another device count fails."""
    template = jax.tree.map(lambda a: np.zeros(a.shape, a.dtype), shapes)
    return manager.restore(epoch, args=ocp.args.StandardRestore(template))
