"""Figures of a data set against counts by hand and against scipy."""

import numpy as np
import pytest
from scipy.stats.contingency import association

from mer_jax.studies import dataset_figures as figures


def test_counts_are_those_of_the_pairs():
    """A transposed table would give each class the clips of another."""
    datasets, label = np.array(['a', 'b', 'a', 'a']), np.array(['x', 'y', 'y', 'x'])
    table = figures.counts(datasets, label, ('a', 'b'), ('x', 'y', 'z'))
    assert table.tolist() == [[2, 1, 0], [0, 1, 0]]


def test_a_summary_leaves_unknown_values_out():
    """A NaN that counts as 0 shortens every duration."""
    summary = figures.summary(np.array([1.0, np.nan, 3.0, 5.0]))
    assert summary['clips'] == 3 and summary['mean'] == 3 and summary['median'] == 3
    assert summary['sd'] == 2 and (summary['least'], summary['largest']) == (1, 5)
    nothing = figures.summary(np.array([np.nan]))
    assert nothing['clips'] == 0 and np.isnan(nothing['mean'])
    assert np.isnan(figures.summary(np.array([4.0]))['sd'])


def test_times_are_milliseconds_and_unknown_ones_are_not_guessed():
    """-1 is no frame: a duration from it would be as long as the recording."""
    first, last = np.array([10, -1, 10, 10, 20]), np.array([30, 30, 30, -1, 10])
    fps = np.array([200.0, 200.0, 0.0, 200.0, 200.0])
    times = figures.milliseconds(first, last, fps)
    assert times[0] == 100 and np.isnan(times[1:]).all()


def test_the_apex_lies_between_onset_and_offset():
    """An apex outside its clip (a misprint of the sheets) has no place in it."""
    onset, offset = np.array([10, 10, 10, 10]), np.array([30, 30, 30, 10])
    place = figures.position(onset, np.array([15, 9, -1, 10]), offset)
    assert place[0] == 0.25 and np.isnan(place[1:]).all()


def test_pairs_count_clips_and_pass_over_those_that_nobody_coded():
    """Unknown is not absent: it must not lower a count, nor raise one."""
    units = np.array([[1, 1, 0], [1, 0, 0], [np.nan] * 3], np.float32)
    assert figures.pairs(units).tolist() == [[2, 1, 0], [1, 1, 0], [0, 0, 0]]


def test_motion_is_the_mean_length_of_the_flow():
    """A mean that lets left and right cancel would say that nothing moves."""
    flow = np.zeros((2, 2, 3))
    flow[0, 0] = 3, -4, -0.5
    flow[1, 1] = -3, 4, 0.5
    assert np.allclose(figures.motion(flow), [1.5, 2, 2.5, 0.25])
    assert len(figures.motion(flow[..., :2])) == 3


@pytest.mark.parametrize(
    'table', [[[10, 5, 1], [2, 8, 9]], [[4, 0], [0, 6]], [[3, 0, 5], [4, 0, 2]]]
)
def test_association_is_that_of_scipy(table):
    """V says how far classes and data sets go together; a class without a clip must not count."""
    table = np.array(table)
    expected = association(table[:, table.any(0)], method='cramer')
    assert np.isclose(figures.cramers_v(table), expected)


def test_one_data_set_has_no_association():
    """0 would say that classes and data sets have nothing to do with each other."""
    assert np.isnan(figures.cramers_v(np.array([[3, 4]])))


def test_rules_are_right_for_their_most_frequent_class():
    """The rule by subject is what a leaky split can learn; it must not be below the majority."""
    table = np.array([[3, 1], [0, 4]])
    assert figures.rule_accuracy(table) == 7 / 8
    assert figures.rule_accuracy(table.sum(0, keepdims=True)) == 5 / 8


def test_the_typical_clip_is_nearest_to_the_median_of_its_group():
    """The example of a class must not come from another one, nor be its extreme."""
    values = np.array([0.0, 100.0, 5.0, 1.0, 9.0])
    assert figures.typical(values, np.array([True, False, True, False, True])) == 2
    assert figures.typical(np.full(3, np.nan), np.array([False, True, True])) == 1
