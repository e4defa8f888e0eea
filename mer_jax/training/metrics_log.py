"""What a training writes while it runs.

Lines of metrics.jsonl, tensorboard, a progress bar, and the held-out outputs of every epoch.
"""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from tqdm import tqdm

from mer_jax.errors import UserError
from mer_jax.runfiles import files, metrics_log
from mer_jax.runfiles.epoch_outputs import EpochOutputs
from mer_jax.runfiles.metrics_log import EpochRecord, MetricsLog
from mer_jax.training.loop import Chunk

if TYPE_CHECKING:
    from tensorboardX import SummaryWriter


@contextlib.contextmanager
def progress(runs: int, groups: int, epochs: int) -> Iterator[tqdm]:
    """Show a bar over the epochs of all groups of runs, with the time left.

    Args:
        runs: of the experiment.
        groups: that train one after another.
        epochs: of the training; with 0 there is no bar.
    """
    title = f'training {runs} runs'
    if groups > 1:
        title += f' in {groups} groups'
    line = '{desc}: {percentage:3.0f}% epoch {n_fmt}/{total_fmt} '
    line += '[{elapsed}, {remaining} left{postfix}]'
    with tqdm(
        total=groups * epochs,
        desc=title,
        mininterval=1,
        smoothing=0.1,
        disable=epochs == 0,
        bar_format=line,
    ) as bar:
        yield bar


@contextlib.contextmanager
def opened(folder: Path, group: int, bar: tqdm) -> Iterator['Log']:
    """Open the log of one group of runs.

    Args:
        folder: of the run.
        group: number of the group, from 0.
        bar: of `progress`.
    """
    board = _summary_writer(folder / files.TENSORBOARD / f'group_{group}')
    try:
        yield Log(folder, group, bar, board)
    finally:
        board.close()


class Log(NamedTuple):
    """Where the epochs of one group of runs are written."""

    folder: Path  # of metrics.jsonl
    group: int
    bar: tqdm
    board: 'SummaryWriter'

    def cut(self, epoch: int) -> None:
        """Remove the lines behind the checkpoint of `epoch`: those epochs are trained again."""
        metrics_log.cut(self.folder, self.group, epoch)
        self.bar.update(epoch)

    def write(self, chunk: Chunk) -> None:
        """Write one line for each epoch of a chunk."""
        runs, count = next(iter(chunk.logs.values())).shape
        first = chunk.epoch - count + 1
        seconds = chunk.seconds / count
        records = []
        for place in range(count):
            figures = _figures({name: log[:, place] for name, log in chunk.logs.items()})
            records.append(EpochRecord(first + place, self.group, runs, seconds, figures))
        metrics_log.append(self.folder, records)
        for record in records:
            for name in chunk.logs:
                self.board.add_scalar(f'train/{name}', record.figures[name], record.epoch)
        self.bar.set_postfix_str(f'loss {records[-1].figures["loss"]:.3f}', refresh=False)
        self.bar.update(count)


def open_held_out(folder: Path, shape: tuple[int, int, int], *, done: int) -> np.memmap:
    """Open the memory-mapped file of the held-out outputs of every epoch.

    A file with another number of epochs keeps those that both have.

    Args:
        folder: of the run.
        shape: [epochs, R, K].
        done: epochs that are trained already.

    Raises:
        UserError: the file is damaged, or lacks an epoch that is trained already: its outputs
            cannot be computed again.
    """
    path = folder / EpochOutputs.FILE
    old = np.zeros((0, *shape[1:]), np.float32)
    if path.exists():
        old = EpochOutputs.read(folder).values
    if len(old) < done or old.shape[1:] != shape[1:]:
        raise UserError(
            f'{path} has shape {old.shape}, {done} epochs are trained of {shape}; '
            'restore it, or give another --workdir'
        )
    if old.shape != shape:
        resized = np.full(shape, np.nan, np.float32)
        common = min(len(old), len(resized))
        resized[:common] = old[:common]
        EpochOutputs(resized).write(folder)
    return EpochOutputs.opened(folder)


def trained_seconds(folder: Path) -> float:
    """Return the seconds spent in training steps, in all sessions that are part of the result."""
    if not (folder / MetricsLog.FILE).exists():
        return 0.0
    return sum(record.seconds for record in MetricsLog.read(folder).records)


def _figures(logs):
    """Mean, least and largest of each log over the runs of a group."""
    figures = {}
    for name, log in logs.items():
        figures[name] = float(log.mean())
        figures[f'{name}_min'] = float(log.min())
        figures[f'{name}_max'] = float(log.max())
    return figures


def _summary_writer(folder):
    """A SummaryWriter of tensorboardX, without torch.

    tensorboardX imports torch where it is installed: a second, for nothing here.
    """
    without_torch = 'torch' not in sys.modules
    if without_torch:
        sys.modules['torch'] = None  # an import of torch fails
    try:
        from tensorboardX import SummaryWriter
    finally:
        if without_torch:
            del sys.modules['torch']
    return SummaryWriter(folder)
