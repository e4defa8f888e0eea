"""tensorboard/: the figures of a run as TensorBoard reads them.

All of them stand in other files of the run too. TensorBoard draws equal tags of several folders
into one chart, so that group_0, group_0_min and group_0_max show mean and spread over the runs of a
group. The folder held_out has the scores of held-out rows, and the settings as hparams.
"""

import importlib
import math
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mer_jax.runfiles import files, writing
from mer_jax.runfiles.config import RunConfig, by_key
from mer_jax.runfiles.metrics_log import EpochRecord, MetricsLog
from mer_jax.runfiles.results import RecognitionResults, Results, SpottingResults, UnitResults
from mer_jax.settings.tree import all_settings

if TYPE_CHECKING:
    from tensorboardX.event_file_writer import EventsWriter

HELD_OUT = 'held_out'
SPREAD = ('', '_min', '_max')  # endings of folders, and of the figures of metrics.jsonl
MEASURES = ('uf1', 'uar', 'accuracy')
MAIN = ('data', 'protocol', 'model', 'train')  # sections of which runs differ most
TENTHS = np.linspace(0, 1, 11)


class Curves(NamedTuple):
    """The open files of one group of runs."""

    writers: dict[str, 'EventsWriter']  # by the ending of their folder

    def add(self, records: Sequence[EpochRecord]) -> None:
        """Write the figures of epochs; return once they are stored."""
        for ending, writer in self.writers.items():
            for record in records:
                values = {}
                for name in record.figures:
                    if f'{name}_min' in record.figures:
                        values[f'train/{name}'] = record.figures[name + ending]
                _write(writer, record.epoch, _scalars(values))
            writer.flush()

    def close(self) -> None:
        """Close the files."""
        for writer in self.writers.values():
            writer.close()


def curves(folder: str | Path, group: int) -> Curves:
    """Open new files of a group, which hold the epochs of metrics.jsonl.

    They replace those of earlier commands. A kill cuts them anywhere, and they hold epochs that are
    trained again.

    Args:
        folder: of the run.
        group: its number, from 0.
    """
    opened = Curves({ending: _new(folder, f'group_{group}{ending}') for ending in SPREAD})
    if (Path(folder) / files.METRICS).exists():
        records = MetricsLog.read(folder).records
        opened.add([record for record in records if record.group == group])
    return opened


def write_held_out(folder: str | Path, results: Results) -> None:
    """Write the scores of held-out rows, after each epoch where they were measured.

    The spread over folds is a histogram of their accuracy; the settings of config.json are hparams.

    Args:
        folder: of the run.
        results: of the run.
    """
    summaries = _tensorboard('summary')
    scores = held_out_scores(results)
    writer = _new(folder, HELD_OUT)
    for summary in summaries.hparams(_hparams(folder), scores[results.epochs]):
        _write(writer, 0, summary)
    for epoch, values in scores.items():
        _write(writer, epoch, _scalars(values))
    if isinstance(results, RecognitionResults) and results.per_fold:
        shares = np.array([fold['accuracy'] for fold in results.per_fold])
        histogram = summaries.histogram(f'{HELD_OUT}/accuracy_of_folds', shares, TENTHS)
        _write(writer, results.epochs, histogram)
    writer.close()


def held_out_scores(results: Results) -> dict[int, dict[str, float]]:
    """Return the scores of held-out rows that were measured.

    Args:
        results: of the run.

    Returns:
        {epoch: {tag: score}}; the last epoch has the scores of the run.
    """
    curves = {}
    if isinstance(results, SpottingResults):
        last = {}
        if results.spotting:
            last['mean_error_frames'] = results.spotting[results.answer]['mae']
    elif isinstance(results, UnitResults):
        last = results.metrics
    else:
        last = {name: results.metrics[name] for name in MEASURES}
        curves = results.oracle_epoch['per_epoch'] if results.oracle_epoch else {}
    scores = {}
    for name, curve in curves.items():
        for epoch, score in enumerate(curve, 1):
            scores.setdefault(epoch, {})[name] = score
    scores[results.epochs] = last
    tagged = {}
    for epoch, values in scores.items():
        measured = {name: value for name, value in values.items() if value is not None}
        tagged[epoch] = {f'{HELD_OUT}/{name}': value for name, value in measured.items()}
    return tagged


def _hparams(folder):
    """{key: value} of config.json; all of MAIN, of other sections what is not the default."""
    if not (Path(folder) / files.CONFIG).exists():
        return {}
    defaults = {key: writing.plain(entry.default) for key, entry in all_settings({}).items()}
    hparams = {}
    for key, value in by_key(RunConfig.read(folder).settings).items():
        if key.partition('.')[0] in MAIN or value != defaults.get(key):
            # TensorBoard takes no lists
            hparams[key] = value if isinstance(value, bool | int | float) else str(value)
    return hparams


def _new(folder, name):
    """A new file of events in place of those that a folder holds."""
    board = Path(folder) / files.TENSORBOARD / name
    shutil.rmtree(board, ignore_errors=True)
    board.mkdir(parents=True)
    return _tensorboard('event_file_writer').EventsWriter(str(board / 'events'))


def _scalars(values):
    """A summary of {tag: number}; None is shown as NaN."""
    summary_pb2 = _tensorboard('proto.summary_pb2')
    points = []
    for tag, value in values.items():
        number = math.nan if value is None else value
        points.append(summary_pb2.Summary.Value(tag=tag, simple_value=number))
    return summary_pb2.Summary(value=points)


def _write(writer, epoch, summary):
    event_pb2 = _tensorboard('proto.event_pb2')
    writer.write_event(event_pb2.Event(wall_time=time.time(), step=epoch, summary=summary))


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
