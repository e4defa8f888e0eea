"""The Python API: train a learner on a data set under folds, score and compare runs."""

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mer_jax import quiet  # noqa: F401, before jax

# isort: split
import numpy as np

from mer_jax import config_files
from mer_jax.data.arrays import Dataset
from mer_jax.errors import UserError
from mer_jax.experiment import engine, results
from mer_jax.experiment import folder as run_folder
from mer_jax.experiment.settings import PYTHON
from mer_jax.folds.splits import Splits
from mer_jax.report import compare_tables, study, text
from mer_jax.runfiles import results as result_files
from mer_jax.runfiles.folder import absolute, lock, prepare
from mer_jax.runfiles.results import RecognitionResults
from mer_jax.settings import sections
from mer_jax.studies import compare as comparing
from mer_jax.training import modules, parallel, plan
from mer_jax.training.batches import BatchOptions

if TYPE_CHECKING:
    from ml_collections import ConfigDict


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        folder: holds the files that every verb reads.
    """

    folder: Path


@dataclass(frozen=True)
class Score:
    """The measures of a run; printed, it is the table that the run ended with.

    Attributes:
        results: all of results.json.
    """

    results: RecognitionResults

    @property
    def uf1(self) -> float | None:
        """F1 averaged over classes (macro F1), mean over seeds."""
        return self.results.metrics['uf1']

    @property
    def uar(self) -> float | None:
        """Recall averaged over classes, mean over seeds."""
        return self.results.metrics['uar']

    @property
    def accuracy(self) -> float | None:
        """Share of rows predicted right, mean over seeds."""
        return self.results.metrics['accuracy']

    @property
    def intervals(self) -> dict[str, list[float] | None]:
        """{measure: [low, high]}, 95 % bootstrap intervals over subjects."""
        return self.results.intervals

    def __str__(self) -> str:
        return text.table(self.results.to_json())


@dataclass(frozen=True)
class Comparison:
    """Runs side by side, by data set; printed, it is a table.

    Attributes:
        groups: a dictionary for each data set: title, classes, reference, and of each run its
            metrics, intervals, and `against`: its difference to the reference with interval and p.
    """

    groups: list[dict]

    def __str__(self) -> str:
        return study.text(compare_tables.study({'groups': self.groups}))


def train(
    learner: modules.Supervised,
    data: Dataset,
    folds: Splits,
    *,
    folder: str | Path,
    epochs: int,
    seeds: int = 1,
    batch_size: int = 64,
) -> Run:
    """Train every fold for every seed in one compiled program; score, and write the report.

    A run that was stopped goes on from its last checkpoint and ends at the same bits. A finished
    run is scored again, and trains on where epochs is larger than before. There is no early
    stopping: the last state is the result.

    Args:
        learner: of `supervised`.
        data: of `dataset` or `load`.
        folds: of `loso`, `folds.by_protocol` or `folds.from_sklearn`, for the same data.
        folder: of the run: config.json, predictions.csv, results.json, report.html, checkpoints.
        epochs: passes over the training rows of each fold.
        seeds: trainings of every fold; results are their mean and spread.
        batch_size: most rows in a step; an epoch is cut into equal steps.

    Raises:
        UserError: names the argument; or the folder holds a run of something else, and the
            message lists what differs.

    Examples:
        >>> run = mj.train(learner, data, folds, epochs=2, folder='runs/ststnet')
        >>> sorted(path.name for path in run.folder.glob('*.json'))
        ['config.json', 'plan.json', 'results.json']
    """
    start = time.perf_counter()
    _check(epochs=epochs, seeds=seeds, batch_size=batch_size)
    _check_rows(data, folds)
    parallel.start(plan.cache_folder() / 'xla')
    path, loaded, runs = prepare(folder), data.content, folds.runs(seeds)
    classes = len(data.classes)
    with lock(path):
        shapes = modules.check(learner, loaded.samples, runs, classes)
        recorded = modules.record(learner, loaded.samples, shapes, classes)
        settings = {'name': path.name, **_settings(learner, data, folds, recorded)}
        settings['train'] |= {'epochs': epochs, 'seeds': seeds, 'batch_size': batch_size}
        run_folder.begin(path, settings, loaded.fingerprint)
        titles = [split.title for split in folds.splits]
        run_folder.write_tables(path, loaded, runs, titles)
        train_settings = sections.Train(epochs, seeds, batch_size, lowering=learner.lowering)
        how = engine.Training(train_settings, BatchOptions(batch_size))
        seconds = {'data': time.perf_counter() - start}
        chosen = engine.choose_plan(
            lambda lowering: learner.learner(classes, lowering),
            loaded.samples,
            runs,
            how,
            settings['model'] | recorded | {'batch_size': batch_size},
            shapes,
            path,
        )
        output = engine.train_runs(
            learner.learner(classes, chosen.lowering),
            loaded.samples,
            runs,
            chosen,
            how,
            path,
            engine.Extras(seconds=seconds),
        )
        about = {
            'name': path.name,
            'scored': 'test',
            'protocol': folds.protocol,
            'leaks': list(folds.leaks),
            'folds': len(folds),
            'seeds': seeds,
            'epochs': epochs,
            **results.about_data(data.name, loaded, chosen),
        }
        finished = results.Finished(path, output, loaded, runs, titles, about, seconds)
        results.recognition(finished, every_epoch=False)
    return Run(path)


def score(run: Run | str | Path) -> Score:
    """The measures of a finished run, of `train` or of the command line.

    Args:
        run: a run, or its folder.

    Raises:
        UserError: the folder holds no finished run of recognition.

    Examples:
        >>> score = mj.score(run)
        >>> 0 <= score.uf1 <= 1, len(score.intervals['uar'])
        (True, 2)
    """
    folder = _folder(run)
    content = result_files.read(folder)
    if not isinstance(content, RecognitionResults):
        raise UserError(f'{folder}: spots apexes; allowed: a run that recognises classes')
    return Score(content)


def compare(*runs: Run | str | Path, folder: str | Path | None = None) -> Comparison:
    """Compare finished runs: measures, intervals over subjects, and paired tests.

    Runs are paired row by row where their data sets have one name; the first of them is the
    reference.

    Args:
        *runs: two or more runs, or their folders.
        folder: where compare.html, .csv, .tex and .json are written; None writes nothing.

    Raises:
        UserError: a folder holds no finished run, or runs are of two kinds.

    Examples:
        >>> other = mj.train(learner, data, folds, epochs=1, folder='runs/shorter')
        >>> compared = mj.compare(run, other)
        >>> difference = compared.groups[0]['runs'][1]['against']
        >>> sorted(difference['uf1'])
        ['difference', 'holm', 'interval', 'p']
    """
    if not runs:
        raise UserError('runs: none is given; allowed: one or more runs, or their folders')
    read = comparing.read([str(_folder(run)) for run in runs])
    if any(run.results.get('task') for run in read):
        raise UserError('runs spot apexes; compare them with the verb compare')
    table = comparing.table(read) if folder is None else comparing.write(read, folder)
    return Comparison(table['groups'])


def config(name: str) -> 'ConfigDict':
    """A config by its name, with its variants: 'NAME:VARIANT,...'.

    Raises:
        UserError: there is no such config or variant.

    Examples:
        >>> mj.config('megc2019_ststnet:quick').model.name
        'ststnet'
    """
    return config_files.load(name)


def _folder(run: Any) -> Path:
    return run.folder if isinstance(run, Run) else absolute(run)


def _check(**counts):
    """Whole numbers from 1, of epochs from 0."""
    for name, value in counts.items():
        least = 0 if name == 'epochs' else 1
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
            raise UserError(f'{name} is {value!r}; allowed: a whole number from {least}')


def _check_rows(data, folds):
    """Folds name rows of this data set."""
    last = max(
        int(rows.max()) for split in folds.splits for rows in (split.train, split.test) if len(rows)
    )
    if last >= len(data):
        raise UserError(
            f'folds: names row {last}, but data has {len(data)} rows; allowed: folds of this data'
        )


def _settings(learner, data, folds, recorded) -> dict:
    """What config.json says of the run: all that decides its bits, sizes apart."""
    rows = [(split.train.tolist(), split.test.tolist()) for split in folds.splits]
    return {
        'data': {'name': data.name, 'labels': data.content.labels},
        'protocol': {
            'name': folds.protocol,
            'rows': hashlib.sha256(repr(rows).encode()).hexdigest(),
        },
        'model': {'name': learner.name},
        'train': {
            'class_weights': learner.class_weights,
            'label_smoothing': learner.label_smoothing,
            'scaler': learner.scaler,
        },
        PYTHON: recorded,
    }
