"""Folds of the Python API: equal to the protocols', and honest about what a splitter does."""

import numpy as np
import pytest
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    PredefinedSplit,
    RepeatedStratifiedKFold,
)

from mer_jax import folds
from mer_jax.data.arrays import dataset
from mer_jax.errors import UserError
from mer_jax.folds import protocols
from mer_jax.settings import sections


@pytest.fixture(scope='module')
def data():
    x, y = np.arange(60.0).reshape(20, 3), np.arange(20) % 2
    return dataset(x, y, np.repeat(['a', 'b', 'c', 'd'], (6, 5, 5, 4)))


def equal(first, second):
    """Whether two Folds hold the same rows."""
    for one, other in zip(
        first.train[:2] + first.test, second.train[:2] + second.test, strict=True
    ):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(first.seed, second.seed)


def test_loso_is_that_of_the_protocols_and_of_sklearn(data):
    """Three ways to leave one subject out must be one, or their results cannot be compared."""
    samples, names = data.content.samples, data.content.names
    expected, titles = protocols.make(samples, names, sections.Protocol(), seeds=2)
    splits = folds.loso(data)
    equal(splits.runs(2), expected)
    assert [split.title for split in splits.splits] == titles
    theirs = folds.from_sklearn(LeaveOneGroupOut(), data)
    equal(theirs.runs(2), expected)
    assert [split.title for split in theirs.splits] == titles and not theirs.leaks


def test_protocols_by_name(data):
    """A leak of a protocol is named here as it is in a config."""
    assert len(folds.by_protocol('kfold', data, folds=3)) == 3
    assert folds.by_protocol('random_split', data).leaks
    assert not len(folds.by_protocol('all_rows', data).splits[0].test)
    with pytest.raises(UserError, match='lodo'):
        folds.by_protocol('lodo', data)  # one data set: nothing is left to train on
    with pytest.raises(UserError, match='loso'):
        folds.by_protocol('leave_one_out', data)


def test_leaks_of_a_splitter_are_listed(data):
    """Whoever forgets the groups gets a score that people alone explain; it must say so."""
    honest = folds.from_sklearn(GroupKFold(2), data)
    assert honest.leaks == () and honest.protocol == 'GroupKFold'
    (leak,) = folds.from_sklearn(KFold(4), data).leaks
    assert '4 of 4 folds' in leak and all(name in leak for name in 'abcd')

    class Cheat:
        def split(self, X, y=None, groups=None):  # noqa: N803
            yield np.arange(20), np.arange(5)

    by_subject, by_row = folds.from_sklearn(Cheat(), data).leaks
    assert '(a)' in by_subject and '5 rows' in by_row


def test_rows_tested_often_or_never_are_named(data):
    """A score over some rows, or over some rows twice, is another measure."""
    twice = folds.from_sklearn(RepeatedStratifiedKFold(n_splits=2, n_repeats=2), data)
    assert '20 of 20 rows tested more than once' in twice.protocol
    part = np.where(data.subject == 0, 0, -1)
    assert '14 of 20 rows never tested' in folds.from_sklearn(PredefinedSplit(part), data).protocol


def test_a_splitter_that_fails_is_named(data):
    """scikit-learn's own message says why, but not which argument is wrong."""
    with pytest.raises(UserError, match='splitter: GroupKFold'):
        folds.from_sklearn(GroupKFold(9), data)
    everyone = PredefinedSplit(np.zeros(20))
    with pytest.raises(UserError, match='no row to train on'):
        folds.from_sklearn(everyone, data)
