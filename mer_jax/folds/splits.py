"""Folds of the Python API.

They are made by a protocol, or by a splitter of scikit-learn.
"""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from mer_jax.data.arrays import Dataset
from mer_jax.entries import loaded
from mer_jax.errors import UserError
from mer_jax.folds import PROTOCOLS, leaves_subjects_out, people, protocols
from mer_jax.types import Folds, TrainRows


class Splitter(Protocol):
    """A splitter of scikit-learn, or an object like one."""

    def split(
        self,
        X: np.ndarray,  # noqa: N803
        y: np.ndarray | None = None,
        groups: np.ndarray | None = None,
    ) -> Iterable[tuple[np.ndarray, np.ndarray]]:
        """Return (training rows, test rows) for each fold."""
        ...


class Split(NamedTuple):
    """One fold.

    Attributes:
        title: the left-out subject, or another name of the fold.
        train: int[n], rows of the data set that train.
        test: int[m], rows of the data set that are tested.
    """

    title: str
    train: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Splits:
    """The folds of an experiment: who trains and who is left out.

    Attributes:
        protocol: name of the protocol or of the splitter, for results.
        splits: the folds.
        leaks: a sentence for each way in which training sees tested subjects; empty for honest
            folds.
    """

    protocol: str
    splits: tuple[Split, ...]
    leaks: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.splits)

    def __repr__(self) -> str:
        leaks = f', leaks: {"; ".join(self.leaks)}' if self.leaks else ''
        unit = 'fold' if len(self) == 1 else 'folds'
        return f'Splits({self.protocol}, {len(self)} {unit}{leaks})'

    def runs(self, seeds: int) -> Folds:
        """Return the runs of all folds: all of seed 0, then all of seed 1.

        Args:
            seeds: number of seeds.
        """
        count = len(self.splits)
        train = protocols.pad_rows([split.train for split in self.splits] * seeds)
        return Folds(
            fold=np.tile(np.arange(count, dtype=np.int32), seeds),
            seed=np.repeat(np.arange(seeds, dtype=np.int32), count),
            train=TrainRows(
                *train, scaler_rows=train, resampled=protocols.nothing_resampled(count * seeds)
            ),
            test=protocols.pad_rows([split.test for split in self.splits] * seeds),
        )


def loso(data: Dataset) -> Splits:
    """Leave one subject out: each fold tests one subject.

    Args:
        data: what is split.

    Raises:
        UserError: a fold would have no row to train on.

    Examples:
        >>> folds = mj.loso(data)
        >>> len(folds), folds.splits[0].title
        (4, 'anna')
    """
    return by_protocol('loso', data)


def by_protocol(
    name: str, data: Dataset, *, folds: int = 5, holdout: float = 0.2, seed: int = 0
) -> Splits:
    """Return the folds of an evaluation protocol.

    Args:
        name: a key of mj.folds.PROTOCOLS, such as loso or kfold. Where it leaks, as random_split
            does, or as data sets do that may share people, results say so.
        data: what is split.
        folds: number of groups, for protocols that make groups of subjects or of rows.
        holdout: share of the subjects or rows that is tested, for protocols of one fold.
        seed: seed of the random draw, for protocols that draw.

    Raises:
        UserError: an unknown name, or a fold would have no row to train on.

    Examples:
        >>> mj.folds.by_protocol('kfold', data, folds=2)
        Splits(kfold, 2 folds)
    """
    if name not in PROTOCOLS:
        raise UserError(f'name is {name!r}; allowed: {", ".join(PROTOCOLS)}')
    protocol = PROTOCOLS[name]
    samples, names = data.content.samples, data.content.names
    masks = loaded(protocol.split)(samples, names, folds=folds, holdout=holdout, seed=seed)
    splits = tuple(
        Split(title, np.flatnonzero(~test), np.flatnonzero(test)) for title, test in masks
    )
    for split in splits:
        _check(split, name, tests=protocol.tests)
    leaks = [protocols.leak(name)]
    if leaves_subjects_out(name):
        leaks.append(people.leak(names.datasets))
    return Splits(name, splits, tuple(filter(None, leaks)))


def from_sklearn(splitter: Splitter, data: Dataset) -> Splits:
    """Return the folds of a splitter of scikit-learn.

    The splitter gets the subjects as its groups. If it puts a row, or rows of one subject, on both
    sides of a fold, it is still used, but results.json, every table and the report name the leak. A
    row that several folds test counts once for each of them; a row that no fold tests is not
    scored. The name of the protocol in results says how many rows are tested more than once or
    never. Comparing runs row by row works only if each row is tested exactly once per seed.

    Args:
        splitter: such as GroupKFold(5), StratifiedGroupKFold(5), LeavePGroupsOut(2).
        data: what is split.

    Raises:
        UserError: the splitter fails, or a fold has no row to train on or to test.

    Examples:
        >>> from sklearn.model_selection import GroupKFold, KFold
        >>> mj.folds.from_sklearn(GroupKFold(2), data)
        Splits(GroupKFold, 2 folds)
        >>> leaky = mj.folds.from_sklearn(KFold(4, shuffle=True, random_state=0), data)
        >>> print(leaky.leaks[0])
        KFold: rows of one subject on both sides of 4 of 4 folds (anna, ben, cleo, dora)
    """
    name = type(splitter).__name__
    try:
        with warnings.catch_warnings():
            # A splitter that ignores groups warns that it does.
            warnings.filterwarnings('ignore', message='The groups parameter is ignored')
            pairs = list(splitter.split(np.zeros((len(data), 1)), data.y, data.subject))
    except (ValueError, TypeError) as error:
        raise UserError(f'splitter: {name} cannot split these rows: {error}') from error
    splits = []
    for number, (train, test) in enumerate(pairs, 1):
        train, test = np.asarray(train), np.asarray(test)
        people = np.unique(data.subject[test])
        title = data.subjects[people[0]] if len(people) == 1 else f'fold {number}'
        splits.append(Split(title, train, test))
        _check(splits[-1], name)
    if not splits:
        raise UserError(f'splitter: {name} makes no fold; allowed: one or more')
    return Splits(name + _coverage(splits, len(data)), tuple(splits), _leaks(name, splits, data))


def _check(split, name, *, tests=True):
    """Refuse a fold without training rows or test rows."""
    if not len(split.train):
        raise UserError(f'{name}: leaving out {split.title!r} leaves no row to train on')
    if tests and not len(split.test):
        raise UserError(f'{name}: {split.title!r} tests no row')


def _coverage(splits, count):
    """Describe rows that are tested more than once or never.

    The text is empty where each row is tested once.
    """
    tested = np.zeros(count, int)
    for split in splits:
        np.add.at(tested, split.test, 1)
    notes = []
    if (tested > 1).any():
        notes.append(f'{np.sum(tested > 1)} of {count} rows tested more than once')
    if (tested == 0).any():
        notes.append(f'{np.sum(tested == 0)} of {count} rows never tested')
    return ''.join(f', {note}' for note in notes)


def _leaks(name, splits, data):
    """Return a sentence for each way in which training sees test rows.

    A subject's rows, or even one row, may be in both training and test of a fold.
    """
    subjects_on_both_sides, rows_on_both_sides = set(), set()
    folds_sharing_subjects, folds_sharing_rows = 0, 0
    for split in splits:
        subjects = np.intersect1d(data.subject[split.train], data.subject[split.test])
        subjects_on_both_sides.update(subjects.tolist())
        folds_sharing_subjects += len(subjects) > 0
        rows = np.intersect1d(split.train, split.test)
        rows_on_both_sides.update(rows.tolist())
        folds_sharing_rows += len(rows) > 0
    leaks = []
    if subjects_on_both_sides:
        titles = ', '.join(data.subjects[number] for number in sorted(subjects_on_both_sides))
        leaks.append(
            f'{name}: rows of one subject on both sides of {folds_sharing_subjects} of '
            f'{len(splits)} folds ({titles})'
        )
    elif shared := people.leak(data.content.names.datasets):
        leaks.append(shared)
    if rows_on_both_sides:
        leaks.append(
            f'{name}: {len(rows_on_both_sides)} rows train and are tested in one fold, in '
            f'{folds_sharing_rows} of {len(splits)} folds'
        )
    return tuple(leaks)
