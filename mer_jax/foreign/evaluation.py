"""All folds of the user's code: in processes, saved as they end, and scored as any run."""

import hashlib
import importlib.metadata
import os
import sys
import warnings
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed
from tqdm import tqdm

from mer_jax import machine
from mer_jax.data import loading
from mer_jax.data.arrays import Dataset
from mer_jax.errors import UserError
from mer_jax.experiment import folder as run_folder
from mer_jax.experiment import leaks, results
from mer_jax.experiment.settings import FIT, PYTHON
from mer_jax.folds import resampling
from mer_jax.folds.splits import Splits
from mer_jax.foreign import Fit, code
from mer_jax.foreign.folds import Failure, Job, Shared, pickled, train_fold
from mer_jax.foreign.preparation import Preparation, rows_of_run
from mer_jax.runfiles.epoch_outputs import EpochOutputs
from mer_jax.runfiles.fold_outputs import FoldOutput, path_of
from mer_jax.settings import sections
from mer_jax.training import held_out

LIBRARIES = {  # module: the package whose version results.json records where the module is loaded
    'torch': 'torch',
    'tensorflow': 'tensorflow',
    'keras': 'keras',
    'sklearn': 'scikit-learn',
}


class Evaluation(NamedTuple):
    """What is evaluated, and how."""

    fit: Fit
    data: Dataset
    folds: Splits
    seeds: int
    preparation: Preparation


def evaluate(evaluation: Evaluation, folder: Path, processes: int) -> None:
    """Fit and predict all folds, score them, and write the files of a run.

    Folds that are finished are not fitted again.

    Args:
        evaluation: what is evaluated.
        folder: of the run, locked.
        processes: how many folds are fitted at a time; 1: in this process.

    Raises:
        UserError: names what is wrong; finished folds are kept.
    """
    data, splits, seeds = evaluation.data, evaluation.folds, evaluation.seeds
    preparation, loaded = evaluation.preparation, data.content
    fit = pickled(evaluation.fit, 'fit')
    titles = [split.title for split in splits.splits]
    samples, folds = resampling.extend(
        splits.runs(seeds), loaded.samples, loaded.names, titles, preparation.of_balance
    )
    if samples is not loaded.samples:  # images of a file
        fingerprint = loading.fingerprint(samples, loaded.names)
        loaded = loaded._replace(samples=samples, fingerprint=fingerprint)
    run_folder.begin(folder, {'name': folder.name, **settings(evaluation)}, loaded.fingerprint)
    run_folder.write_tables(folder, loaded, folds, titles)
    shared = Shared(
        fit=fit,
        samples=_as_floats(samples),
        classes=loaded.names.classes,
        scaler=preparation.scaler,
        folder=folder,
        threads=0 if processes == 1 else max(1, machine.cores() // processes),
        parent=0 if processes == 1 else os.getpid(),
    )
    _fit_missing(_jobs(folds, titles, preparation, len(data)), shared, processes)
    output, seconds = _collected(folds, loaded.names, folder)
    epochs = len(output)
    if epochs > 1:
        EpochOutputs(output).write(folder)
    about = {
        'name': folder.name,
        'scored': 'test',
        'protocol': splits.protocol,
        'leaks': [*splits.leaks, *_leaks(preparation)],
        'folds': len(splits),
        'seeds': seeds,
        'epochs': epochs if epochs > 1 else 0,
        **results.about_data(data.name, loaded, None),
    }
    about['versions'] |= _versions()
    finished = results.Finished(folder, output[-1], loaded, folds, titles, about, {'fit': seconds})
    results.recognition(finished, every_epoch=epochs > 1)


def settings(evaluation: Evaluation) -> dict[str, dict]:
    """Return the settings of an evaluation for config.json.

    Args:
        evaluation: what is evaluated.
    """
    data, folds = evaluation.data, evaluation.folds
    rows = [(split.train.tolist(), split.test.tolist()) for split in folds.splits]
    prepared = evaluation.preparation.to_settings()
    name = code.name_of(evaluation.fit)
    return {
        'data': {'name': data.name, 'labels': data.content.labels, **prepared['data']},
        'protocol': {
            'name': folds.protocol,
            'rows': hashlib.sha256(repr(rows).encode()).hexdigest(),
        },
        'model': {'name': name},
        'train': {'epochs': 0, 'seeds': evaluation.seeds},
        'balance': prepared['balance'],
        PYTHON: {FIT: code.digest(evaluation.fit)},
    }


def _as_floats(samples):
    """Return what folds need of the rows, images as float32."""
    return samples._replace(image=np.asarray(samples.image, np.float32), extras={})


def _jobs(folds, titles, preparation, count):
    """Return a job for each fold and seed."""
    scaler_rows = np.arange(count) if preparation.scaler_scope == 'all' else None
    jobs = []
    for run, (fold, seed) in enumerate(zip(folds.fold, folds.seed, strict=True)):
        rows = rows_of_run(folds, run, scaler_rows)
        jobs.append(Job(titles[fold], int(fold), int(seed), rows))
    return jobs


def _fit_missing(jobs, shared, processes):
    """Fit the folds that are not finished."""
    missing = [job for job in jobs if not path_of(shared.folder, job.seed, job.fold).exists()]
    if not missing:
        return
    finished = len(jobs) - len(missing)
    if finished:
        print(f'{finished} of {len(jobs)} folds are finished already', flush=True)
    trained = (train_fold(shared, job) for job in missing)
    if processes > 1:
        parallel = Parallel(min(processes, len(missing)), 'loky', return_as='generator')
        trained = parallel(delayed(train_fold)(shared, job) for job in missing)
    bar = tqdm(trained, desc='folds', total=len(jobs), initial=finished, mininterval=1)
    try:
        failure = next((outcome for outcome in bar if outcome is not None), None)
    except BrokenProcessPool:
        failure = Failure(
            'a process ended while it fitted a fold (out of memory, or a crash in a library); '
            f'processes is {processes}, fewer may help',
            '',
        )
    finally:
        bar.close()
        with warnings.catch_warnings():
            warnings.filterwarnings('ignore', message='.*tasks which were still being processed')
            trained.close()
    if failure is not None:
        _refuse(failure, jobs, shared.folder)


def _refuse(failure, jobs, folder):
    """Raise the error of a fold, with the traceback of the user's code as a note."""
    done = sum(path_of(folder, job.seed, job.fold).exists() for job in jobs)
    error = UserError(
        f'{failure.line}; {done} of {len(jobs)} folds are finished and kept in {folder}'
    )
    if failure.trace:
        error.add_note(f'\nThe traceback of your code:\n{failure.trace}')
    raise error


def _collected(folds, names, folder):
    """Return outputs float32[epochs, R, K] in the order of held_out.order, and seconds.

    A fold that ended after fewer epochs than others keeps its last outputs.
    """
    pairs = zip(folds.seed.tolist(), folds.fold.tolist(), strict=True)
    outputs = [FoldOutput.read(folder, seed, fold) for seed, fold in pairs]
    run, position = held_out.order(folds)
    epochs = max(len(output.values) for output in outputs)
    collected = np.zeros((epochs, len(run), len(names.classes)), np.float32)
    for number, output in enumerate(outputs):
        epoch = np.minimum(np.arange(epochs), len(output.values) - 1)
        chosen = run == number
        collected[:, chosen] = output.values[epoch][:, position[chosen]]
    return collected, sum(output.seconds for output in outputs)


def _leaks(preparation):
    """Return the leaks that a preparation switches on."""
    data = sections.Data(input_scaler=preparation.scaler, scaler_scope=preparation.scaler_scope)
    return leaks.of_rows(data, preparation.of_balance, class_weights='none')


def _versions():
    """Return the versions of the libraries that the user's code has loaded here."""
    versions = {}
    for module, package in LIBRARIES.items():
        if module in sys.modules:
            versions[package] = importlib.metadata.version(package)
    return versions
