"""intervals: the measures of the MEGC spotting challenges."""

import itertools
import math

import numpy as np
import pytest

from mer_jax.evaluation import intervals
from mer_jax.evaluation.intervals import Counts, matches, overlaps, precision_recall_f1


def test_frames_of_both_ends_count():
    """Without the last frame, 10 of 20 frames would be 9 of 19: below .5, a hit less."""
    assert overlaps([[1, 20]], [[1, 10], [11, 20], [21, 30], [20, 39]]).tolist() == [
        [0.5, 0.5, 0, 1 / 39]
    ]
    assert matches([[1, 20]], [[1, 10]]).counts == Counts(1, 0, 0)
    assert matches([[1, 20]], [[1, 9]]).counts == Counts(0, 1, 1)


@pytest.mark.parametrize(
    'annotated,spotted,counts',
    [
        ([[1, 20]], [[1, 10], [11, 20]], (1, 1, 0)),  # an expression counts once
        ([[1, 10], [11, 20]], [[1, 20]], (1, 0, 1)),  # a spotted interval counts once
        ([], [[1, 20]], (0, 1, 0)),
        ([[1, 20]], [], (0, 0, 1)),
        ([], [], (0, 0, 0)),
        # the largest overlap first would leave [0, 11] without a pair
        ([[0, 11], [4, 15]], [[3, 14], [8, 19]], (2, 0, 0)),
    ],
)
def test_true_positives_by_hand(annotated, spotted, counts):
    """More true positives than intervals would make precision or recall exceed 1."""
    assert matches(annotated, spotted).counts == counts


def test_pairs_are_the_most_that_any_choice_has():
    """A count that depended on the order of a file could be improved by sorting it."""
    rng = np.random.default_rng(0)
    for _ in range(50):
        onset = rng.integers(0, 30, 9)
        drawn = np.stack([onset, onset + rng.integers(3, 15, 9)], 1)
        annotated, spotted = drawn[:4], drawn[4:]
        hits = overlaps(annotated, spotted) >= 0.3
        choices = itertools.permutations(range(5), 4)
        most = max(sum(hits[row, column] for row, column in enumerate(order)) for order in choices)
        paired = matches(annotated, spotted, iou=0.3)
        assert paired.counts == (most, 5 - most, 4 - most)
        assert all(hits[pair] for pair in paired.pairs) and len(paired.pairs) == most


def test_the_published_table_of_the_baseline():
    """He et al., FG 2020, table III, CAS(ME)^2: the counts and what follows from them."""
    recordings = [
        {'macro': Counts(100, 1400, 190), 'micro': Counts(0, 14, 6)},
        {'macro': Counts(9, 14, 1), 'micro': Counts(21, 5000, 30)},
    ]
    totals = intervals.over_recordings(recordings)
    scores = {kind: precision_recall_f1(counts) for kind, counts in totals.items()}
    assert totals['overall'] == (130, 6428, 227)
    assert np.allclose(scores['macro'], (0.0716, 0.3633, 0.1196), atol=6e-5)
    assert np.allclose(scores['micro'], (0.0042, 0.3684, 0.0082), atol=6e-5)
    assert np.allclose(scores['overall'], (0.0198, 0.3641, 0.0376), atol=6e-5)


def test_what_has_no_denominator_is_not_zero():
    """0 would say that a method missed expressions that are not there."""
    scores = precision_recall_f1(Counts(0, 0, 0))
    assert all(map(math.isnan, scores))
    assert precision_recall_f1(Counts(0, 0, 3))[1:] == (0, 0)


def test_half_a_second_separates_the_kinds():
    """At 30 frames a second 16 frames last half a second, as in the baseline of MEGC 2020."""
    kinds = [intervals.kind_of(1, offset, fps=30) for offset in (16, 17)]
    assert kinds == ['micro', 'macro']


def test_an_interval_that_runs_backwards_is_refused():
    """Its length would be negative, and its overlap anything."""
    with pytest.raises(ValueError, match='spotted.* 3 .* 9'):
        matches([[1, 5]], [[9, 3]])
