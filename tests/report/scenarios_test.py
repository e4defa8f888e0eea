"""scenarios: which clips are shown, and the pairs of the three scenarios."""

import numpy as np
import pytest

from mer_jax.report.scenarios import choose, scenarios, unit_sets, unit_title
from mer_jax.types import Explained


def rows(*lines):
    """Explained of (subject, label, predicted, action units) a row; units as a string of columns,
    '?' unknown.
    """
    subject, label, predicted, units = zip(*lines, strict=True)
    table = [
        [np.nan] * 5 if unit == '?' else [float(str(i) in unit) for i in range(5)] for unit in units
    ]
    whole = {
        name: np.array(of)
        for name, of in (('subject', subject), ('label', label), ('predicted', predicted))
    }
    empty = dict.fromkeys(Explained._fields)
    return Explained(
        **empty | whole | {'action_units': np.array(table, 'f'), 'clip': np.arange(len(lines))}
    )


def test_each_scenario_shows_what_its_title_says():
    """A pair of one subject under 'two subjects' would be a false picture in a report."""
    pairs = scenarios(
        rows(
            (0, 0, 0, '1'),
            (0, 0, 0, '2'),
            (0, 0, 0, '2'),
            (1, 0, 0, '1'),
            (2, 1, 1, '1'),
            (2, 1, 1, '3'),
        )
    )
    assert pairs == {'subjects': (0, 3), 'clips': (1, 2), 'emotions': (0, 4)}


def test_right_answers_come_before_equal_sets_and_low_numbers():
    """The figure compares maps of answers that were right; wrong ones stand in only where there are
    no others.
    """
    lines = [(0, 0, 1, '1'), (1, 0, 1, '1'), (2, 0, 0, '12'), (3, 0, 0, '1')]
    assert scenarios(rows(*lines))['subjects'] == (2, 3)
    assert scenarios(rows(*lines[:2]))['subjects'] == (0, 1)
    # equal sets before overlapping ones
    assert scenarios(rows(*lines, (4, 0, 0, '1')))['subjects'] == (3, 4)


def test_two_emotions_are_of_two_subjects_where_possible():
    """In one subject a likeness of the maps may be that of the face, which the scenario wants to
    rule out.
    """
    lines = [(0, 0, 0, '1'), (0, 1, 1, '1'), (1, 1, 1, '1')]
    assert scenarios(rows(*lines))['emotions'] == (0, 2)
    assert scenarios(rows(*lines[:2]))['emotions'] == (0, 1)


def test_what_the_rows_cannot_show_is_none():
    """Unknown action units are no agreement, nor are empty sets: such a pair shows nothing in
    common.
    """
    nothing = {'subjects': None, 'clips': None, 'emotions': None}
    assert (
        scenarios(
            rows((0, 0, 0, '?'), (1, 0, 0, '?'), (0, 1, 1, ''), (0, 1, 1, ''), (1, 0, 0, '1'))
        )
        == nothing
    )
    assert scenarios(rows((0, 0, 0, '1'))) == nothing


def test_clips_are_not_shown_twice_while_others_would_do():
    """Three scenarios of the same two clips would hide most of what there is to see."""
    lines = [
        (0, 0, 0, '1'),
        (0, 0, 0, '1'),
        (0, 0, 0, '1'),
        (1, 0, 0, '1'),
        (2, 1, 1, '1'),
        (3, 0, 0, '1'),
    ]
    shown = [row for pair in scenarios(rows(*lines)).values() for row in pair]
    assert len(set(shown)) == 6


@pytest.mark.parametrize('count', [1, 6, 12, 99])
def test_chosen_clips_are_spread_over_classes_and_subjects(count):
    """A report that shows one subject, or only the largest class, tells little of the network."""
    lines = (
        [(i % 5, 0, 0, '1') for i in range(20)]
        + [(i, 1, 0, '1') for i in range(5)]
        + [(i, 2, 2, '1') for i in range(5)]
    )
    explained = rows(*lines)
    chosen = choose(explained, count)
    assert len(chosen) == len(set(chosen)) == min(count, 30)
    if count < 13:
        for of in (explained.label, explained.subject):
            found = np.bincount(of[chosen], minlength=of.max() + 1)
            assert found.max() - found.min() <= 1
    np.testing.assert_array_equal(chosen, choose(explained, count))


def test_wrong_answers_are_chosen_like_right_ones():
    """A choice by the answer would show a network better than its own accuracy."""
    lines = [(i % 4, i % 2, i % 2, '1') for i in range(16)]
    wrong = [(subject, label, 1 - label, unit) for subject, label, _, unit in lines]
    np.testing.assert_array_equal(choose(rows(*lines), 7), choose(rows(*wrong), 7))


def test_sets_of_units_are_ordered_by_number_and_unknown_is_none():
    """'12+4' and '4+12' would be two colours of one set; unknown read as none would claim a face at
    rest.
    """
    table = np.array([[1, 0, 1, 1], [0, 0, 0, 0], [np.nan] * 4, [0, 1, 0, 0]], 'f')
    sets = unit_sets(table, ('12', 'L12', '4', 'R2'))
    assert sets == [('R2', '4', '12'), (), None, ('L12',)]
    assert [unit_title(units) for units in sets] == ['AU R2+4+12', 'no AU', 'AU unknown', 'AU L12']
