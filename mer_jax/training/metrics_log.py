"""What a training writes while it runs: metrics lines, tensorboard, a progress bar, held-out
outputs of every epoch.
"""

import contextlib
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from mer_jax.errors import UserError
from mer_jax.runfiles import files, metrics_log
from mer_jax.runfiles.epoch_outputs import EpochOutputs
from mer_jax.runfiles.metrics_log import EpochRecord, MetricsLog
from mer_jax.training.loop import Chunk


@contextlib.contextmanager
def progress(runs, groups, epochs):
    """A bar over the epochs of all groups of runs, with the time left; off where there is nothing
    to train.
    """
    told = f'training {runs} runs' + (f' in {groups} groups' if groups > 1 else '')
    with tqdm(
        total=groups * epochs,
        desc=told,
        mininterval=1,
        smoothing=0.1,
        disable=epochs == 0,
        bar_format='{desc}: {percentage:3.0f}% epoch {n_fmt}/{total_fmt} [{elapsed}, {remaining} '
        'left{postfix}]',
    ) as bar:
        yield bar


@contextlib.contextmanager
def opened(folder, group, bar):
    """The Log of one group of runs: metrics.jsonl and tensorboard in `folder`, and the bar."""
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
    board: Any  # a SummaryWriter

    def cut(self, epoch: int) -> None:
        """Remove what was written behind the checkpoint of `epoch`, from which training goes on:
        those epochs are trained again.
        """
        metrics_log.cut(self.folder, self.group, epoch)
        self.bar.update(epoch)

    def write(self, chunk: Chunk) -> None:
        """Write one line for each epoch of a chunk."""
        runs, count = next(iter(chunk.logs.values())).shape
        records = [
            _record(
                chunk.epoch - count + 1 + place,
                self.group,
                runs,
                chunk.seconds / count,
                {name: log[:, place] for name, log in chunk.logs.items()},
            )
            for place in range(count)
        ]
        metrics_log.append(self.folder, records)
        for record in records:
            for name in chunk.logs:
                self.board.add_scalar(f'train/{name}', record.figures[name], record.epoch)
        self.bar.set_postfix_str(f'loss {records[-1].figures["loss"]:.3f}', refresh=False)
        self.bar.update(count)


def open_held_out(folder, shape, *, done):
    """The memory-mapped file of held-out outputs [epochs, R, K]; one with other epochs keeps what
    it has in common.

    UserError where it is damaged or lacks epochs up to `done`: these are trained already and their
    outputs gone.
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
        grown = np.full(shape, np.nan, np.float32)
        common = min(len(old), len(grown))
        grown[:common] = old[:common]
        EpochOutputs(grown).write(folder)
    return EpochOutputs.opened(folder)


def trained_seconds(folder) -> float:
    """Seconds spent in training steps, over all sessions of the run that are part of its result."""
    if not (folder / MetricsLog.FILE).exists():
        return 0.0
    return sum(record.seconds for record in MetricsLog.read(folder).records)


def _record(epoch, group, runs, seconds, logs):
    """One record of metrics.jsonl: mean, least and largest over the runs of a group."""
    figures = {}
    for name, log in logs.items():
        figures |= {
            name: float(log.mean()),
            f'{name}_min': float(log.min()),
            f'{name}_max': float(log.max()),
        }
    return EpochRecord(epoch, group, runs, seconds, figures)


def _summary_writer(folder):
    """A SummaryWriter of tensorboardX, which would load torch, where it is installed: a second, for
    nothing here.
    """
    without = 'torch' not in sys.modules
    if without:
        sys.modules['torch'] = None  # an import of torch fails
    try:
        from tensorboardX import SummaryWriter
    finally:
        if without:
            del sys.modules['torch']
    return SummaryWriter(folder)
