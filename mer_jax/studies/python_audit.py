"""The leak audit of Python code: of a user's fit, or of a learner.

Habits are those of leak_audit.py, so far as they concern folds, rows and epochs.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mer_jax.data.arrays import Dataset, with_random_labels
from mer_jax.folds import splits
from mer_jax.runfiles import files
from mer_jax.settings.fields import Value
from mer_jax.settings.sections import SCOPES
from mer_jax.studies import leak_audit
from mer_jax.studies.leak_audit import Trial


class Changed(NamedTuple):
    """One run of the audit: what differs from the honest one."""

    data: Dataset
    folds: splits.Splits
    balance_scope: str = SCOPES[0]
    scaler_scope: str = SCOPES[0]


class Method(NamedTuple):
    """What is audited."""

    name: str
    train: Callable[[Changed, Path], dict]  # trains one run; returns its results
    not_balanced: str  # why nothing can be balanced before the split; '' where it can
    not_scaled: str  # why nothing can be scaled on all data; '' where it can
    one_epoch: str  # what to say where outputs of the epochs were not kept


def audit(method: Method, data: Dataset, folds: splits.Splits, folder: str | Path) -> dict:
    """Train a method honestly and with each habit; write and print the audit.

    Args:
        method: what is audited.
        data: of the experiment.
        folds: of the honest run; where they leak or test nothing, one subject is left out instead.
        folder: where the files and runs go.

    Returns:
        The content of audit.json, as leak_audit.audit.
    """
    folder = leak_audit.prepared(folder)
    tests = any(len(split.test) for split in folds.splits)
    honest = folds if tests and not folds.leaks else splits.loso(data)

    def train(changes: dict[str, Value], path: Path) -> dict:
        return method.train(_changed(data, honest, changes), path)

    count = groups(honest, len(data))
    most = leak_audit.trainings(trials(method, count, ''))
    leak_audit.train_honest(train, folder, most)
    one_epoch = '' if (folder / 'honest' / files.EPOCH_OUTPUTS).exists() else method.one_epoch
    to_try = trials(method, count, one_epoch)
    return leak_audit.measured(method.name, to_try, train, folder)


def groups(folds: splits.Splits, count: int) -> int:
    """Return in how many groups clips are split so that the same share trains.

    Args:
        folds: of the honest run.
        count: number of rows.
    """
    tested = np.mean([len(split.test) for split in folds.splits])
    return max(2, round(count / tested))


def trials(method: Method, count: int, one_epoch: str) -> list[Trial]:
    """List the lines of the audit, the honest one first.

    Args:
        method: what is audited.
        count: number of groups of clips that are split at random.
        one_epoch: why no epoch can be chosen; '' where one can.
    """
    split = {'protocol.name': 'clip_kfold', 'protocol.folds': count}
    drawn = {'data.random_subject_labels': True}
    habits = [
        Trial('honest', {}),
        Trial('split', split),
        Trial('balance', {'balance.scope': 'all'}, why_not=method.not_balanced),
        Trial('scale', {'data.scaler_scope': 'all'}, why_not=method.not_scaled),
        Trial('network', {}, why_not='nothing is trained before what predicts'),
        Trial('epoch', {}, best_epoch=not one_epoch, why_not=one_epoch),
    ]
    return [
        *habits,
        leak_audit.together(habits),
        Trial('control', drawn),
        Trial('control_split', split | drawn),
        Trial('frames', {}, why_not='a row is a clip'),
        Trial('first_class', {}, why_not='every row has a class'),
    ]


def _changed(data, folds, changes):
    """Return the data, folds and scopes of a line."""
    if 'protocol.name' in changes:
        folds = splits.by_protocol(changes['protocol.name'], data, folds=changes['protocol.folds'])
    if changes.get('data.random_subject_labels'):
        data = with_random_labels(data)
    honest = SCOPES[0]
    return Changed(
        data,
        folds,
        balance_scope=changes.get('balance.scope', honest),
        scaler_scope=changes.get('data.scaler_scope', honest),
    )
