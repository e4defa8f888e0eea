"""What a training writes while it runs.

These are lines of metrics.jsonl, the files of tensorboard, a progress bar, and held_out.npy, the
outputs of held-out rows after every epoch.
"""

import contextlib
import functools
import importlib
import math
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import psutil
from tqdm import tqdm

from mer_jax.errors import UserError
from mer_jax.runfiles import files, metrics_log
from mer_jax.runfiles.epoch_outputs import MOST_EPOCHS, EpochOutputs
from mer_jax.runfiles.metrics_log import EpochRecord, MetricsLog
from mer_jax.training.loop import Chunk

if TYPE_CHECKING:
    from tensorboardX.event_file_writer import EventsWriter


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
        def board() -> 'EventsWriter':
            writer = _events_writer(folder, group)
            closing.callback(writer.close)
            return writer

        yield Log(folder, group, bar, board)


class Log(NamedTuple):
    """The log of one group of runs."""

    folder: Path  # of metrics.jsonl
    group: int  # number of the group, from 0
    bar: tqdm
    # opens the tensorboard file when first called: no epoch, no file
    board: Callable[[], 'EventsWriter']

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
        board = self.board()  # before the new lines: it begins with those of metrics.jsonl
        metrics_log.append(self.folder, records)
        _add(board, records)
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


def _events_writer(folder, group):
    """Return a new TensorBoard file of a group, which holds the epochs of metrics.jsonl.

    It replaces those of earlier commands. A kill cuts them anywhere, and they hold epochs that are
    trained again.
    """
    event_file_writer = _tensorboard('event_file_writer')
    board = folder / files.TENSORBOARD / f'group_{group}'
    shutil.rmtree(board, ignore_errors=True)
    board.mkdir(parents=True)
    writer = event_file_writer.EventsWriter(str(board / 'events'))
    if (folder / MetricsLog.FILE).exists():
        records = MetricsLog.read(folder).records
        _add(writer, [record for record in records if record.group == group])
    return writer


def _add(writer, records: Sequence[EpochRecord]):
    """Write the mean of each figure to TensorBoard; all of it is stored afterwards."""
    event_pb2, summary_pb2 = _tensorboard('proto.event_pb2'), _tensorboard('proto.summary_pb2')
    for record in records:
        values = []
        for name, mean in record.figures.items():
            if f'{name}_min' in record.figures:
                mean = math.nan if mean is None else mean
                values.append(summary_pb2.Summary.Value(tag=f'train/{name}', simple_value=mean))
        summary = summary_pb2.Summary(value=values)
        event = event_pb2.Event(wall_time=time.time(), step=record.epoch, summary=summary)
        writer.write_event(event)
    writer.flush()


def _tensorboard(module):
    """Import a module of tensorboardX.

    tensorboardX imports torch where it is installed, which takes a second and is not used here.
    """
    hide_torch = 'torch' not in sys.modules
    if hide_torch:
        sys.modules['torch'] = None  # then `import torch` fails
    try:
        return importlib.import_module(f'tensorboardX.{module}')
    finally:
        if hide_torch:
            del sys.modules['torch']
