"""Ranks of several systems, by cases that can be checked by hand."""

import numpy as np
import pytest

from mer_jax.evaluation import ranks


def cube(*correct):
    """Confusions of two classes: each subject has one clip of each, so many of them correct."""
    by_count = {2: [[1, 0], [0, 1]], 1: [[1, 0], [1, 0]], 0: [[0, 1], [1, 0]]}
    return np.array([[by_count[count]] for count in correct])


def test_ranks_and_intervals_by_hand():
    """With two subjects all draws can be listed: (2, 0), (1, 1) and (0, 2) with 1/4, 1/2, 1/4."""
    perfect, first, second = cube(2, 2), cube(2, 0), cube(0, 2)
    best, *others = ranks.ranks([perfect, first, second], np.zeros(2), draws=4000)
    # first and second have UF1 0.5 on both subjects: they share ranks 2 and 3
    assert [best.rank, *(other.rank for other in others)] == [1, 2.5, 2.5]
    # where the first subject is drawn twice, `first` is as good as perfect: ranks 1.5, 1.5 and 3
    assert best.interval == [1, 1.5]
    assert [other.interval for other in others] == [[1.5, 3]] * 2


def test_draws_are_made_within_each_data_set():
    """Subjects of a data set are equal: every draw within it is the data, and no rank can move."""
    systems = [cube(2, 2, 0, 0), cube(1, 1, 2, 2)]
    within = ranks.ranks(systems, ['a', 'a', 'b', 'b'])
    assert [rank.interval for rank in within] == [[2, 2], [1, 1]]
    across = ranks.ranks(systems, ['a'] * 4)
    assert [rank.interval for rank in across] == [[1, 2], [1, 2]]


def test_a_rank_is_of_the_mean_over_seeds_and_needs_two_subjects():
    """Systems with other numbers of seeds are ranked; one subject says nothing about others."""
    two_seeds = np.concatenate([cube(2), cube(0)], axis=1)
    better, worse = ranks.ranks([cube(2), two_seeds], [0])
    assert (better.rank, worse.rank) == (1, 2) and np.isnan(better.interval).all()
    with pytest.raises(ValueError, match='1 subjects'):
        ranks.ranks([cube(2), cube(2, 2)], [0])
