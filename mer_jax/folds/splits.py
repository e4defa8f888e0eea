"""Folds of the Python API: those of a protocol, or of any splitter of scikit-learn."""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from mer_jax.data.arrays import Dataset
from mer_jax.entries import loaded
from mer_jax.errors import UserError
from mer_jax.folds import PROTOCOLS, protocols
from mer_jax.types import Folds, TrainRows


class Splitter(Protocol):
    """What scikit-learn's splitters have in common."""

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterable[Any]:  # noqa: N803
        """Return (training rows, test rows) of each fold."""
        ...


class Split(NamedTuple):
    """One fold.

    Attributes:
        title: the left-out subject, or the number of the fold.
        train: int[n], rows of the data set.
        test: int[m], rows of the data set.
    """

    title: str
    train: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Splits:
    """The folds of an experiment: who trains and who is left out.

    Attributes:
        protocol: what made them; stands in results.
        splits: the folds.
        leaks: a sentence for each way in which training sees tested subjects; none of an honest
            split.
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
        """Every fold for seeds 0 to seeds - 1, seed after seed, as the engine takes them."""
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
    """Leave one subject out: a fold for each subject, which tests all of its rows.

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
    """The folds of an evaluation protocol.

    Args:
        name: loso, lodo, kfold, holdout, random_split, clip_kfold or all_rows. random_split and
            clip_kfold leak, which results say.
        data: what is split.
        folds: of kfold, groups of subjects; of clip_kfold, groups of rows.
        holdout: of holdout, the share of subjects that is tested; of random_split, of rows.
        seed: which random split.

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
    leak = protocols.leak(name)
    return Splits(name, splits, (leak,) if leak else ())


def from_sklearn(splitter: Splitter, data: Dataset) -> Splits:
    """The folds of a splitter of scikit-learn, which gets the subjects as its groups.

    A splitter that puts rows of one subject, or one row, on both sides of a fold is used as it
    is: the leak stands in results.json, in every table and on the report. A row that several
    folds test counts once for each of them, and rows that no fold tests count nothing; the name
    of the protocol in results says how many rows these are. Comparing runs row by row takes
    rows that every seed tests once.

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
            # the subjects are given to every splitter; those that ignore groups need not say so
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
    if not len(split.train):
        raise UserError(f'{name}: leaving out {split.title!r} leaves no row to train on')
    if tests and not len(split.test):
        raise UserError(f'{name}: {split.title!r} tests no row')


def _coverage(splits, count):
    """Rows that are tested more than once or never, in words; '' where there are none."""
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
    """What training sees of the tested subjects and rows, a sentence each."""
    subjects, rows, shared_rows = [], set(), 0
    for split in splits:
        both = np.intersect1d(data.subject[split.train], data.subject[split.test])
        subjects.append(both)
        same = np.intersect1d(split.train, split.test)
        rows.update(same.tolist())
        shared_rows += len(same) > 0
    leaks = []
    people = np.unique(np.concatenate(subjects))
    if len(people):
        affected = sum(len(both) > 0 for both in subjects)
        titles = ', '.join(data.subjects[number] for number in people)
        leaks.append(
            f'{name}: rows of one subject on both sides of {affected} of {len(splits)} folds '
            f'({titles})'
        )
    if rows:
        leaks.append(
            f'{name}: {len(rows)} rows train and are tested in one fold, in {shared_rows} of '
            f'{len(splits)} folds'
        )
    return tuple(leaks)
