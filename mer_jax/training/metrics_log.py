"""What a training writes while it runs.

These are lines of metrics.jsonl, the files of tensorboard, a progress bar, and held_out.npy, the
outputs of held-out rows after every epoch.
"""

import contextlib
import functools
import math
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import psutil
from tqdm import tqdm

from mer_jax.errors import UserError
from mer_jax.runfiles import board, metrics_log
from mer_jax.runfiles.epoch_outputs import MOST_EPOCHS, EpochOutputs
from mer_jax.runfiles.metrics_log import EpochRecord, MetricsLog
from mer_jax.training.loop import Chunk


@contextlib.contextmanager
def progress(runs: int, groups: int, epochs: int) -> Iterator[tqdm]:
    """Show a progress bar with the time left.

    It counts the epochs of all groups of runs.

    Args:
        runs: number of runs of the experiment.
        groups: number of groups, which train one after another.
        epochs: epochs of the training; 0: there is no bar.
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
        folder: of the experiment.
        group: number of the group, from 0.
        bar: the one that `progress` shows.
    """
    with contextlib.ExitStack() as closing:

        @functools.cache
        def curves() -> board.Curves:
            opened = board.curves(folder, group)
            closing.callback(opened.close)
            return opened

        yield Log(folder, group, bar, curves)


class Log(NamedTuple):
    """The log of one group of runs."""

    folder: Path  # of metrics.jsonl
    group: int  # number of the group, from 0
    bar: tqdm
    # opens the files of tensorboard when first called: no epoch, no file
    curves: Callable[[], board.Curves]

    def cut(self, epoch: int) -> None:
        """Remove the lines of epochs that are trained again, and begin the bar behind the others.

        Args:
            epoch: of the checkpoint from which the group continues; later lines are removed.
        """
        metrics_log.cut(self.folder, self.group, epoch)
        self.bar.update(epoch)

    def write(self, chunk: Chunk) -> None:
        """Write one line for each epoch of a chunk."""
        runs, count = next(iter(chunk.logs.values())).shape
        first = chunk.epoch - count + 1
        seconds = chunk.seconds / count
        records = []
        for i in range(count):
            figures = _figures({name: log[:, i] for name, log in chunk.logs.items()})
            records.append(EpochRecord(first + i, self.group, runs, seconds, figures))
        curves = self.curves()  # before the new lines: it begins with those of metrics.jsonl
        metrics_log.append(self.folder, records)
        curves.add(records)
        self.bar.set_postfix_str(f'loss {records[-1].figures["loss"]:.3f}', refresh=False)
        self.bar.update(count)


def open_held_out(folder: Path, shape: tuple[int, int, int], *, done: int) -> np.memmap:
    """Open held_out.npy, memory-mapped for writing.

    If the file has another number of epochs, it is resized; common epochs are kept.

    Args:
        folder: of the experiment.
        shape: epochs, held-out rows and classes: [epochs, R, K].
        done: epochs that are trained already.

    Raises:
        UserError: it would not fit on the disk or into memory, or has too many epochs; or the file
            is damaged, or lacks an epoch that is trained already, whose outputs cannot be computed
            again.
    """
    path = folder / EpochOutputs.FILE
    needed = math.prod(shape) * np.dtype(np.float32).itemsize
    free = min(shutil.disk_usage(folder).free, psutil.virtual_memory().available)
    if needed > free:
        raise UserError(
            f'evaluate.every_epoch keeps {needed / 1e9:,.1f} GB of outputs of train.epochs '
            f'{shape[0]}, but {free / 1e9:,.1f} GB are free; allowed: fewer epochs, or '
            'evaluate.every_epoch False'
        )
    if shape[0] > MOST_EPOCHS:
        raise UserError(
            f'evaluate.every_epoch scores each of train.epochs {shape[0]}; allowed: up to '
            f'{MOST_EPOCHS}, or evaluate.every_epoch False'
        )
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
    return EpochOutputs.open_memmap(folder)


def trained_seconds(folder: Path) -> float:
    """Return the seconds that the training took.

    Sessions that were killed count as well, up to the checkpoint from which the run continued.

    Args:
        folder: of the experiment.
    """
    if not (folder / MetricsLog.FILE).exists():
        return 0.0
    return sum(record.seconds for record in MetricsLog.read(folder).records)


def _figures(logs):
    """Return mean, least and largest value of each log.

    Args:
        logs: {name: array [F]}, a value for each run of the group.
    """
    figures = {}
    for name, log in logs.items():
        figures[name] = float(log.mean())
        figures[f'{name}_min'] = float(log.min())
        figures[f'{name}_max'] = float(log.max())
    return figures
