"""The Python API: train or evaluate, audit, score and compare."""

import hashlib
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from mer_jax import quiet  # noqa: F401, before jax

# isort: split
import numpy as np

from mer_jax import config_files
from mer_jax.data.arrays import Dataset, refuse_units
from mer_jax.errors import UserError
from mer_jax.experiment import engine, leaks, results
from mer_jax.experiment import folder as run_folder
from mer_jax.experiment import run as experiment_run
from mer_jax.experiment.settings import PYTHON
from mer_jax.folds import RESAMPLERS, protocols
from mer_jax.folds.splits import Splits, loso
from mer_jax.foreign import Fit, code, evaluation, preparation
from mer_jax.foreign.preparation import Preparation
from mer_jax.report import action_units_tables, audit_tables, study, text
from mer_jax.runfiles import results as result_files
from mer_jax.runfiles.folder import absolute, entered
from mer_jax.runfiles.results import ACTION_UNITS, RecognitionResults, UnitResults
from mer_jax.settings import sections
from mer_jax.studies import compare as comparing
from mer_jax.studies import python_audit
from mer_jax.training import metrics_log, modules, parallel, plan
from mer_jax.training.batches import BatchOptions

if TYPE_CHECKING:
    from ml_collections import ConfigDict


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes:
        folder: with the files of the run.
    """

    folder: Path


@dataclass(frozen=True)
class Score:
    """The scores of a run; printed, a table.

    UF1, UAR and accuracy are None for a run that detects action units; F1 and average precision of
    units are None for one that recognises classes.

    Attributes:
        results: the content of results.json.
    """

    results: RecognitionResults | UnitResults

    @property
    def uf1(self) -> float | None:
        """F1 averaged over classes (macro F1), mean over seeds."""
        return self.results.metrics.get('uf1')

    @property
    def uar(self) -> float | None:
        """Recall averaged over classes, mean over seeds."""
        return self.results.metrics.get('uar')

    @property
    def accuracy(self) -> float | None:
        """Share of rows predicted right, mean over seeds."""
        return self.results.metrics.get('accuracy')

    @property
    def f1(self) -> float | None:
        """F1 averaged over the action units that a test row shows, mean over seeds."""
        return self.results.metrics.get('f1')

    @property
    def average_precision(self) -> float | None:
        """Average precision averaged over those units, mean over seeds."""
        return self.results.metrics.get('average_precision')

    @property
    def per_unit(self) -> list[dict]:
        """Scores of each action unit, a dictionary each; [] of a run that recognises classes."""
        return self.results.per_unit if isinstance(self.results, UnitResults) else []

    @property
    def intervals(self) -> dict[str, list[float] | None]:
        """95 % intervals, [low, high] by metric, over test subjects, given these trainings."""
        return self.results.intervals

    def __str__(self) -> str:
        if isinstance(self.results, UnitResults):
            return action_units_tables.terminal(self.results.to_json())
        return text.table(self.results.to_json())


@dataclass(frozen=True)
class Comparison:
    """Compared runs, by data set; printed, a table.

    Attributes:
        groups: a dictionary per data set: title, classes (or units), reference and runs. A run has
            metrics, intervals, and `against`, its differences to the reference with interval and p.
        task: of the runs: recognition, action_units or spotting.
    """

    groups: list[dict]
    task: str = comparing.RECOGNITION

    def __str__(self) -> str:
        return study.text(comparing.KINDS[self.task].study({'groups': self.groups}))


class AuditOptions(TypedDict, total=False):
    """Options of `audit`: the first two of a fit, the others of a learner."""

    prepare: Preparation
    processes: int
    epochs: int
    batch_size: int


@dataclass(frozen=True)
class Audit:
    """A leak audit; printed, a table.

    Attributes:
        name: of the method.
        lines: a dictionary for each habit: habit, title, why_not ('' where it applies), metrics,
            intervals, leaks and `against`, what the habit adds, with interval and p.
    """

    name: str
    lines: list[dict]

    def __str__(self) -> str:
        return study.text(audit_tables.study({'name': self.name, 'lines': self.lines}))


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
    """Train all folds and seeds in one compiled program.

    The run is then scored, and its report written. A run that was stopped continues from its last
    checkpoint and ends with the same bits. A finished run is scored again, and continues where
    `epochs` is larger than before. There is no early stopping: the last epoch is the result.

    Args:
        learner: of `supervised`.
        data: of `dataset` or `load`; or of `unit_dataset`, whose action units are detected.
        folds: of `loso`, `folds.by_protocol` or `folds.from_sklearn`, for the same data.
        folder: for the files of the run: config.json, predictions.csv, results.json, report.html,
            checkpoints.
        epochs: passes over the training rows of each fold.
        seeds: trainings of each fold, with different random numbers; results are their mean and
            standard deviation.
        batch_size: largest number of rows per step; the steps of an epoch are equal.

    Raises:
        UserError: an argument is wrong; or the folder holds a run with other settings, and the
            message lists them.

    Examples:
        >>> run = mj.train(learner, data, folds, epochs=2, folder='runs/ststnet')
        >>> sorted(path.name for path in run.folder.glob('*.json'))
        ['calibration.json', 'config.json', 'plan.json', 'results.json']
    """
    return _trained(learner, data, folds, folder, sections.Train(epochs, seeds, batch_size))


def train_config(config: 'ConfigDict', folder: str | Path) -> Run:
    """Train a config, as the verb train does.

    The data set is built first where it is not there yet. The run is what `predict`, the verbs
    explain, pack and export, and `score` and `compare` take. A run that was stopped continues from
    its last checkpoint. Builds use several processes: in a script, call it under
    if __name__ == '__main__':.

    Args:
        config: of `config`; change its settings before.
        folder: for the files of the run.

    Raises:
        UserError: a setting is wrong; or the folder holds a run with other settings, and the
            message lists them.

    Examples:
        >>> settings = mj.config('synthetic_ststnet:quick')
        >>> settings.data.name, settings.train.epochs = 'synthetic_faces/tiny', 1
        >>> trained = mj.train_config(settings, 'runs/drawn')
        >>> (trained.folder / 'report.html').exists()
        True
    """
    path = absolute(folder)
    experiment_run.train(config, path)
    return Run(path)


def evaluate(
    fit: Fit,
    data: Dataset,
    folds: Splits | None = None,
    seeds: int = 1,
    *,
    folder: str | Path,
    prepare: Preparation = preparation.NOTHING,
    processes: int = 1,
) -> Run:
    """Evaluate any code: PyTorch, scikit-learn, Keras or your own.

    `fit` is called once for each fold and seed, with the training rows of the fold alone:
    fit(X, y, subject, seed), X float32[n, ...] as in the data, y int64[n] the indices of the
    classes, subject int64[n] who each row is of (for inner splits; -1: of two subjects, or of
    none), and a seed that follows from the seed and the fold. It returns predict(X), which returns
    classes [n] (indices or names) or scores [n, K] (logits, or probabilities), as an array or a
    tensor. A fit may instead yield such a function after each epoch; the last one is the result,
    and results.json says what choosing the epoch on the left-out subject would have claimed.

    Each fold gets a new copy of `fit`, so that nothing is handed from fold to fold; generators of
    random, numpy and PyTorch are seeded before it. Each finished fold is saved. After an error or a
    kill the same call goes on with the missing ones and ends with the same files. It refuses
    another fit, other data or other folds.

    Args:
        fit: your code.
        data: of `dataset` or `load`.
        folds: of `loso`, `folds.by_protocol` or `folds.from_sklearn`; None: leave one subject out.
        seeds: trainings of each fold; results are their mean and standard deviation.
        folder: for the files of a run: config.json, predictions.csv, results.json, report.html.
        prepare: how rows are balanced and scaled before `fit` receives them; nothing by default.
        processes: how many folds are fitted at a time. 1: in this process, where a debugger works.

    Raises:
        UserError: an argument is wrong; `fit` or `predict` raised an error, whose traceback is a
            note of this one, or returned something else; or the folder holds another run. The line
            names fold, left-out subject and seed.

    Examples:
        >>> from sklearn.svm import SVC
        >>> def fit(x, y, subject, seed):
        ...     svm = SVC(kernel='linear').fit(x.reshape(len(x), -1), y)
        ...     return lambda x: svm.predict(x.reshape(len(x), -1))
        >>> run = mj.evaluate(fit, data, folder='runs/svm')
        >>> sorted(path.name for path in run.folder.glob('*.json'))
        ['calibration.json', 'config.json', 'results.json']
    """
    _check(seeds=seeds, processes=processes)
    if not callable(fit):
        raise UserError(f'fit is {fit!r}; allowed: a function fit(X, y, subject, seed)')
    preparation.check(prepare)
    refuse_units(data, 'evaluate')
    folds = loso(data) if folds is None else folds
    _check_rows(data, folds)
    evaluated = evaluation.Evaluation(fit, data, folds, seeds, prepare)
    with entered(folder) as path:
        evaluation.evaluate(evaluated, path, processes)
    return Run(path)


def audit(
    method: Fit | modules.Supervised,
    data: Dataset,
    folds: Splits | None = None,
    seeds: int = 1,
    *,
    folder: str | Path,
    **options: Unpack[AuditOptions],
) -> Audit:
    """Measure what each leaky habit adds to a method.

    The method is trained without leaks, then with each habit of the literature that applies: clips
    split at random, rows balanced before the split, scaled on all data, the epoch chosen on the
    left-out subject, and all of them together. In the controls each subject has one random class.
    A killed audit continues.

    Args:
        method: a fit, as for `evaluate`, or a learner of `supervised`.
        data: of `dataset` or `load`.
        folds: of the honest run; None, or folds that leak: leave one subject out.
        seeds: trainings of each fold.
        folder: for audit.html, .csv, .tex and .json, and for the folders of the runs.
        **options: of a fit, `prepare` and `processes`, as for `evaluate`; of a learner, `epochs`
            and `batch_size`, as for `train`.

    Raises:
        UserError: an argument is wrong, or the honest run fails. A habit that fails is a line of
            the table that says so.

    Examples:
        >>> audit = mj.audit(fit, data, folder='runs/audit')
        >>> [line['habit'] for line in audit.lines if not line['why_not']]
        ['honest', 'split', 'all', 'control', 'control_split']
    """
    refuse_units(data, 'audit')
    folds = loso(data) if folds is None else folds
    if isinstance(method, modules.Supervised):
        _check_options(options, ('epochs', 'batch_size'))
        if 'epochs' not in options:
            raise UserError('epochs is not given; allowed: a whole number, as epochs=100')
        sizes = sections.Train(options['epochs'], seeds, options.get('batch_size', 64))
        audited = _audited_learner(method, sizes)
    else:
        _check_options(options, ('prepare', 'processes'))
        prepare = options.get('prepare', preparation.NOTHING)
        audited = _audited_fit(method, seeds, prepare, options.get('processes', 1))
    return Audit(**python_audit.audit(audited, data, folds, folder))


def score(run: Run | str | Path) -> Score:
    """Return the scores of a finished run.

    Args:
        run: a run, or its folder; also one of the command line.

    Raises:
        UserError: the folder holds no finished run that recognises classes or detects units.

    Examples:
        >>> score = mj.score(run)
        >>> 0 <= score.uf1 <= 1, len(score.intervals['uar'])
        (True, 2)
    """
    folder = _folder(run)
    content = result_files.read(folder)
    if not isinstance(content, RecognitionResults | UnitResults):
        raise UserError(
            f'{folder}: its task is {content.task}; allowed: a run that recognises classes or '
            'detects action units'
        )
    return Score(content)


def compare(*runs: Run | str | Path, folder: str | Path | None = None) -> Comparison:
    """Compare finished runs with intervals and paired tests.

    Runs on data sets of one name are compared row by row; the first of them is the reference.
    Those that detect action units are compared by mean F1 and average precision, and by unit.

    Args:
        *runs: two or more runs, or their folders.
        folder: for compare.html, .csv, .tex and .json; None writes nothing.

    Raises:
        UserError: a folder holds no finished run, or runs are of two tasks.

    Examples:
        >>> other = mj.train(learner, data, folds, epochs=1, folder='runs/shorter')
        >>> compared = mj.compare(run, other)
        >>> difference = compared.groups[0]['runs'][1]['against']
        >>> sorted(difference['uf1'])
        ['difference', 'holm', 'interval', 'p']
    """
    if not runs:
        raise UserError('runs: none is given; allowed: one or more runs, or their folders')
    loaded = comparing.read([_folder(run) for run in runs])
    table = comparing.table(loaded) if folder is None else comparing.write(loaded, folder)
    return Comparison(table['groups'], comparing.task(loaded[0]))


def config(name: str) -> 'ConfigDict':
    """Return a config by its name.

    Args:
        name: 'NAME' or 'NAME:VARIANT,...'.

    Raises:
        UserError: there is no such config or variant.

    Examples:
        >>> mj.config('megc2019_ststnet:quick').model.name
        'ststnet'
    """
    return config_files.load(name)


def _trained(
    learner: modules.Supervised,
    data: Dataset,
    folds: Splits,
    folder: str | Path,
    sizes: sections.Train,
    scaler_scope: str = 'fold',
    every_epoch: bool = False,
) -> Run:
    """Train a learner; the last two arguments are for an audit."""
    start = time.perf_counter()
    epochs, seeds, batch_size = sizes.epochs, sizes.seeds, sizes.batch_size
    _check(epochs=epochs, seeds=seeds, batch_size=batch_size)
    _check_rows(data, folds)
    learner = _learning(learner, data)
    parallel.start(plan.cache_folder() / 'xla')
    loaded, runs, classes = data.content, folds.runs(seeds), len(data.classes)
    if scaler_scope == 'all':
        runs = protocols.with_scaler_rows(runs, np.arange(len(data)))
    with entered(folder) as path:
        shapes = modules.check(learner, loaded.samples, runs, classes)
        recorded = modules.record(learner, loaded.samples, shapes, classes)
        settings = {'name': path.name, **_settings(learner, data, folds, recorded)}
        settings['train'] |= {'epochs': epochs, 'seeds': seeds, 'batch_size': batch_size}
        if scaler_scope == 'all':
            settings['data'] |= {'scaler_scope': scaler_scope}
        run_folder.begin(path, settings, loaded.fingerprint)
        titles = [split.title for split in folds.splits]
        run_folder.write_tables(path, loaded, runs, titles)
        train_settings = replace(sizes, lowering=learner.lowering)
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
        epoch_outputs, kept = None, ()
        if every_epoch:
            kept = range(1, epochs + 1)
            shape = epochs, int(np.sum(runs.test.mask > 0)), classes
            done = run_folder.newest(path)
            epoch_outputs = metrics_log.open_held_out(path, shape, done=done)
        output = engine.train_runs(
            learner.learner(classes, chosen.lowering),
            loaded.samples,
            runs,
            chosen,
            how,
            path,
            engine.Extras(epoch_outputs=epoch_outputs, epochs=kept, seconds=seconds),
        )
        of_rows = leaks.of_rows(
            sections.Data(input_scaler=learner.scaler, scaler_scope=scaler_scope),
            sections.Balance(scope=learner.balance_scope),
            class_weights=learner.class_weights,
        )
        about = {
            'name': path.name,
            'scored': 'test',
            'protocol': folds.protocol,
            'leaks': [*folds.leaks, *of_rows],
            'folds': len(folds),
            'seeds': seeds,
            'epochs': epochs,
            **results.about_data(data.name, loaded, chosen),
        }
        finished = results.Finished(path, output, loaded, runs, titles, about, seconds)
        if data.of_units:
            results.action_units(finished)
        else:
            results.recognition(finished, every_epoch=every_epoch)
    return Run(path)


def _learning(learner, data):
    """The learner, learning what the data hold: classes or action units."""
    if data.of_units and learner.label_smoothing:
        raise UserError(
            f'label_smoothing is {learner.label_smoothing}, which detectors of action units do not '
            'have; allowed: 0'
        )
    return replace(learner, of_units=data.of_units)


def _audited_fit(fit, seeds, prepare, processes) -> python_audit.Method:
    """What the audit needs to know of a user's function."""
    preparation.check(prepare)

    def train(changed: python_audit.Changed, folder: Path) -> dict:
        scopes = {
            'balance_scope': changed.balance_scope,
            'scaler_scope': changed.scaler_scope,
        }
        run = evaluate(
            fit,
            changed.data,
            changed.folds,
            seeds,
            folder=folder,
            prepare=replace(prepare, **scopes),
            processes=processes,
        )
        return result_files.read(run.folder).to_json()

    resampler = RESAMPLERS[prepare.balance]
    not_balanced = resampler.unaudited
    if not (resampler.fills or not_balanced):
        not_balanced = 'prepare balances nothing; what the code itself does sees training rows only'
    not_scaled = ''
    if prepare.scaler == 'none':
        not_scaled = 'prepare scales nothing; what the code itself does sees training rows only'
    one_epoch = 'fit returns one predict; it may yield one after each epoch instead'
    return python_audit.Method(code.name_of(fit), train, not_balanced, not_scaled, one_epoch)


def _audited_learner(learner, sizes) -> python_audit.Method:
    """What the audit needs to know of a learner."""

    def train_changed(changed: python_audit.Changed, folder: Path) -> dict:
        run = _trained(
            replace(learner, balance_scope=changed.balance_scope),
            changed.data,
            changed.folds,
            folder,
            sizes,
            scaler_scope=changed.scaler_scope,
            every_epoch=sizes.epochs > 0,
        )
        return result_files.read(run.folder).to_json()

    weighted, scaled = learner.class_weights != 'none', learner.scaler != 'none'
    return python_audit.Method(
        learner.name,
        train_changed,
        not_balanced='' if weighted else 'nothing is balanced (class_weights none)',
        not_scaled='' if scaled else 'nothing is scaled (scaler none)',
        one_epoch='nothing is trained (epochs 0)',
    )


def _check_options(options, allowed):
    """Refuse options that the method has no use for."""
    for name in options:
        if name not in allowed:
            raise UserError(f'{name} is no option of this audit; allowed: {", ".join(allowed)}')


def _folder(run: Run | str | Path) -> Path:
    return run.folder if isinstance(run, Run) else absolute(run)


def _check(**counts):
    """Refuse counts below 1, epochs below 0."""
    for name, value in counts.items():
        least = 0 if name == 'epochs' else 1
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
            raise UserError(f'{name} is {value!r}; allowed: a whole number, {least} or more')


def _check_rows(data, folds):
    """Refuse folds of another data set."""
    last = max(
        int(rows.max()) for split in folds.splits for rows in (split.train, split.test) if len(rows)
    )
    if last >= len(data):
        raise UserError(
            f'folds: has row {last}, but data has {len(data)} rows; allowed: folds of this data'
        )


def _settings(learner, data, folds, recorded) -> dict:
    """The settings of a run for config.json, without its sizes."""
    rows = [(split.train.tolist(), split.test.tolist()) for split in folds.splits]
    task = {'task': ACTION_UNITS} if data.of_units else {}
    return {
        'data': {'name': data.name, 'labels': data.content.labels, **task},
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
