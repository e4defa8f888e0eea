"""calibration: temperatures of known size, whose labels they see, and the error by hand."""

import numpy as np
import pytest
from sklearn import metrics as reference

from mer_jax.evaluation import calibration


def overconfident(seed=0, rows=3000, sharper=4.0):
    """(output [R, 3], label, subject): true log probabilities, multiplied."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1, (rows, 3))
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    label = (rng.random(rows)[:, None] > chances.cumsum(1)).sum(1).clip(0, 2)
    return sharper * logits, label, rng.integers(0, 6, rows)


def test_a_temperature_undoes_overconfidence():
    """Another optimum would leave scores that claim 90 % and are right in 60 %."""
    output, label, subject = overconfident()
    of_rows = calibration.temperatures(output, label, subject)
    assert of_rows == pytest.approx(np.full(len(of_rows), 4.0), rel=0.1)
    assert all(len(np.unique(of_rows[subject == number])) == 1 for number in range(6))
    seed = np.zeros(len(label))
    before = calibration.expected_error(output, label, seed)
    after = calibration.expected_error(output / of_rows[:, None], label, seed)
    assert before > 0.2 and after < 0.04


def test_labels_of_a_subject_do_not_enter_its_temperature():
    """A temperature that saw them would be fitted to the test."""
    output, label, subject = overconfident(rows=200)
    changed = np.where(subject == 2, (label + 1) % 3, label)
    before = calibration.temperatures(output, label, subject)
    after = calibration.temperatures(output, changed, subject)
    assert (before[subject == 2] == after[subject == 2]).all()
    assert (before[subject != 2] != after[subject != 2]).all()
    assert (calibration.temperatures(output, label, np.zeros(200)) == 1).all(), 'no other subject'


def test_outputs_that_are_never_wrong_have_a_temperature():
    """Their likelihood grows without end as the temperature falls."""
    label = np.arange(30) % 3
    value = calibration.fit(3 * np.eye(3)[label], label)
    assert calibration.RANGE[0] <= value < 0.1


def test_error_and_bins_by_hand():
    """Two rows of confidence .6, one right: off by .1. Two of .9, both right: off by .1."""
    scores = np.array([[0.6, 0.4], [0.6, 0.4], [0.1, 0.9], [0.1, 0.9]])
    label = np.array([0, 1, 1, 1])
    error = calibration.expected_error(np.log(scores), label, np.zeros(4))
    assert error == pytest.approx(0.1)
    filled = [one for one in calibration.reliability(np.log(scores), label) if one.rows]
    assert [(one.rows, one.accuracy) for one in filled] == [(2, 0.5), (2, 1.0)]
    assert [one.confidence for one in filled] == pytest.approx([0.6, 0.9])
    assert all(one.low < one.confidence <= one.high for one in filled)
    two_seeds = calibration.expected_error(np.log(scores), label, np.array([0, 0, 1, 1]))
    assert two_seeds == pytest.approx(0.1), 'the mean over seeds'


def test_loss_is_that_of_scikit_learn():
    """A loss in other units, or of other rows, could not be compared with papers."""
    output, label, _ = overconfident(rows=50)
    scores = np.exp(output) / np.exp(output).sum(1, keepdims=True)
    expected = reference.log_loss(label, scores, labels=[0, 1, 2])
    assert calibration.likelihood_loss(output, label) == pytest.approx(expected)


def test_a_class_is_clear_where_predictions_are_right_as_often_as_wrong():
    """A threshold elsewhere would name classes that are mostly wrong, or hide those that are not.
    The share of correct predictions is the confidence itself, so the answer is one half.
    """
    rng = np.random.default_rng(0)
    confidence = rng.uniform(1 / 3, 1, 20000)
    correct = rng.random(20000) < confidence
    assert calibration.clear_from(confidence, correct) == pytest.approx(0.5, abs=0.03)
    shifted = rng.random(20000) < confidence - 0.2
    assert calibration.clear_from(confidence, shifted) == pytest.approx(0.7, abs=0.03)


def test_a_threshold_by_hand():
    """Ties in any order, a lucky row below and the two ends are where a rule goes wrong."""
    confidence = np.array([0.4, 0.5, 0.5, 0.6, 0.6, 0.8])
    # shares 1, 0, 1/2 and 1: the first two blocks pool to 1/3, below one half
    correct = np.array([1, 0, 0, 1, 0, 1], bool)
    for order in (np.arange(6), np.arange(6)[::-1]):
        assert calibration.clear_from(confidence[order], correct[order]) == 0.6
    assert calibration.clear_from(confidence, np.ones(6, bool)) == 0.4
    assert calibration.clear_from(confidence, np.zeros(6, bool)) == np.inf


def test_a_calibrated_model_has_the_temperature_and_threshold_of_the_simulation():
    """Outputs are four times too sharp: undone, confidence is the chance to be right."""
    output, label, _ = overconfident(rows=6000)
    temperature, threshold = calibration.calibrated(output, label, np.arange(len(label)))
    assert temperature == pytest.approx(4, rel=0.1)
    assert threshold == pytest.approx(0.5, abs=0.06)


def test_seeds_of_a_clip_have_one_confidence():
    """Each seed alone is sure, and half of them are wrong: together nothing is clear."""
    label = np.arange(200) % 2
    right, wrong = np.eye(2)[label], np.eye(2)[1 - label]
    output, clip = np.concatenate([right, wrong]), np.tile(np.arange(200), 2)
    temperature, threshold = calibration.calibrated(output, np.tile(label, 2), clip)
    together = calibration.probabilities(np.stack([right, wrong]), temperature)
    np.testing.assert_allclose(together, 0.5)
    assert threshold == pytest.approx(0.5)
