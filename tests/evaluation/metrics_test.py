"""metrics: counts, measures and intervals against scikit-learn, matrices done by hand, intervals
against scipy.stats.
"""

import numpy as np
import pytest
from sklearn import metrics as reference

from mer_jax.evaluation import COMPARED, HEADLINE, METRICS, metrics

HAND = np.array([[3, 1, 0], [2, 2, 0], [0, 1, 1]])  # recall 3/4, 1/2, 1/2; precision 3/5, 1/2, 1


def labels(seed, *, rows=200, classes=4, missing=()):
    """Random truth and answers; `missing` classes do not occur in the truth."""
    rng = np.random.default_rng(seed)
    present = [k for k in range(classes) if k not in missing]
    return rng.choice(present, rows), rng.integers(0, classes, rows)


def test_confusion_of_a_hand_written_case():
    """Rows and columns swapped would turn every recall into a precision."""
    found = metrics.confusion([0, 0, 1, 2, 2], [0, 1, 1, 1, 2], classes=3)
    assert found.dtype == np.int64
    assert found.tolist() == [[1, 1, 0], [0, 1, 0], [0, 1, 1]]


@pytest.mark.parametrize('seed', range(3))
def test_confusion_equals_scikit_learn(seed):
    """A wrong cell index would still sum to the right total."""
    label, predicted = labels(seed)
    expected = reference.confusion_matrix(label, predicted, labels=range(4))
    np.testing.assert_array_equal(metrics.confusion(label, predicted, classes=4), expected)


def test_confusions_of_groups_are_those_of_their_rows():
    """Per-subject and per-fold tables would mix rows of other groups."""
    label, predicted = labels(0)
    group = np.random.default_rng(1).integers(0, 5, len(label))
    found = metrics.confusions(label, predicted, group, groups=6, classes=4)
    for g in range(6):
        np.testing.assert_array_equal(
            found[g], metrics.confusion(label[group == g], predicted[group == g], classes=4)
        )


@pytest.mark.parametrize(
    ('label', 'predicted', 'words'),
    [
        ([0, 1], [0], 'one length'),
        ([0, 3], [0, 1], 'label must lie in 0..2'),
        ([0, 1], [0, -1], 'predicted must lie in 0..2'),
        ([0.0, 1.0], [0, 1], 'integers'),
    ],
)
def test_confusion_refuses_wrong_input(label, predicted, words):
    """bincount would count a label of 3 as a cell of the next row, or fail with words about
    bincount.
    """
    with pytest.raises(ValueError, match=words):
        metrics.confusion(label, predicted, classes=3)


def test_summary_of_a_hand_computed_matrix():
    """A mistake shared with scikit-learn's settings (averaging, labels) would pass the comparison
    below.
    """
    found = metrics.summary(HAND)
    f1 = [2 * 3 / (4 + 5), 2 * 2 / (4 + 4), 2 * 1 / (2 + 1)]
    assert found['accuracy'] == pytest.approx(6 / 10)
    assert found['uar'] == pytest.approx((3 / 4 + 1 / 2 + 1 / 2) / 3)
    assert found['precision'] == pytest.approx((3 / 5 + 1 / 2 + 1) / 3)
    assert found['uf1'] == pytest.approx(sum(f1) / 3)
    assert found['weighted_f1'] == pytest.approx((4 * f1[0] + 4 * f1[1] + 2 * f1[2]) / 10)
    assert found['ovr_accuracy'] == pytest.approx((7 / 10 + 6 / 10 + 9 / 10) / 3)


@pytest.mark.parametrize('missing', [(), (2,), (0, 3)])
@pytest.mark.parametrize('seed', range(3))
def test_summary_equals_scikit_learn(seed, missing):
    """UF1 and UAR are what papers quote; classes that the truth lacks are left out of both."""
    label, predicted = labels(seed, rows=60, missing=missing)
    present = np.unique(label)
    found = metrics.summary(metrics.confusion(label, predicted, classes=4))
    at = {'y_true': label, 'y_pred': predicted, 'zero_division': 0}
    assert found['accuracy'] == pytest.approx(reference.accuracy_score(label, predicted))
    assert found['uf1'] == pytest.approx(reference.f1_score(**at, labels=present, average='macro'))
    assert found['uar'] == pytest.approx(
        reference.recall_score(**at, labels=present, average='macro')
    )
    assert found['precision'] == pytest.approx(
        reference.precision_score(**at, labels=present, average='macro')
    )
    assert found['weighted_f1'] == pytest.approx(reference.f1_score(**at, average='weighted'))
    assert found['micro_f1'] == pytest.approx(
        reference.f1_score(**at, labels=range(4), average='micro')
    )
    each = [reference.accuracy_score(label == k, predicted == k) for k in range(4)]
    assert found['ovr_accuracy'] == pytest.approx(np.mean(each))


def test_one_vs_rest_accuracy_of_three_classes_is_a_line_in_accuracy():
    """(1 + 2 accuracy) / 3 is the identity by which published tables are read; 299 of 441 right
    reads as 78.5 %.
    """
    label = np.repeat(0, 441)
    predicted = np.where(np.arange(441) < 299, 0, 1)
    found = metrics.summary(metrics.confusion(label, predicted, classes=3))
    assert found['ovr_accuracy'] == pytest.approx((1 + 2 * found['accuracy']) / 3)
    assert round(100 * found['ovr_accuracy'], 1) == 78.5


def test_precision_counts_a_class_never_predicted_as_zero():
    """Leaving the class out, as its undefined precision suggests, would reward a network that never
    risks an answer.
    """
    label, predicted = labels(4)
    predicted[predicted == 1] = 0
    found = metrics.summary(metrics.confusion(label, predicted, classes=4))
    expected = reference.precision_score(label, predicted, average='macro', zero_division=0)
    assert found['precision'] == pytest.approx(expected)


def test_spread_is_that_of_a_sample_over_what_is_known():
    """The spread of all seeds there are, divided by R, understates the spread of seeds to come."""
    assert metrics.spread(np.array([0.5, np.nan, 0.7])) == pytest.approx(np.std([0.5, 0.7], ddof=1))
    assert np.isnan(metrics.spread(np.array([0.5]))) and np.isnan(
        metrics.spread(np.array([np.nan, 0.5]))
    )


def test_class_never_predicted_has_f1_zero_and_an_empty_matrix_is_nan():
    """0/0 counted as 1, or a class skipped because nobody predicted it, would flatter a collapsed
    model.
    """
    found = metrics.summary([[4, 0], [2, 0]])
    assert found['uf1'] == pytest.approx((8 / 10 + 0) / 2)
    assert all(np.isnan(value) for value in metrics.summary(np.zeros((3, 3))).values())


def test_per_class_equals_scikit_learn_and_holds_none_for_undefined():
    """NaN in a JSON file breaks every strict reader of results.json."""
    label, predicted = labels(3)
    predicted[predicted == 1] = 0
    found = metrics.per_class(metrics.confusion(label, predicted, classes=5), 'abcde')
    precision, recall, f1, support = reference.precision_recall_fscore_support(
        label, predicted, labels=range(5), zero_division=0
    )
    for k, title in enumerate('abcd'):
        expected = {'precision': precision[k] if k != 1 else None, 'recall': recall[k], 'f1': f1[k]}
        assert found[title] == pytest.approx({**expected, 'support': support[k]})
    assert found['e'] == {'precision': None, 'recall': None, 'f1': None, 'support': 0}


def test_per_class_of_several_seeds_is_their_mean():
    """F1 of summed seeds differs from the mean of F1, so the class table would not average to the
    UF1 above it.
    """
    pair = np.stack([HAND, HAND.T])
    found = metrics.per_class(pair, 'abc')
    singles = [metrics.per_class(one, 'abc') for one in pair]
    for title in 'abc':
        expected = {name: np.mean([one[title][name] for one in singles]) for name in found[title]}
        assert found[title] == pytest.approx(expected)


def test_intervals_cover_the_estimate_and_do_not_change_between_calls():
    """A random stream shared between calls would give a report other figures each time it
    is made.
    """
    cube = np.random.default_rng(1).poisson(1.0, (30, 3, 3, 3)) + 2 * np.eye(3, dtype=int)
    found = metrics.intervals(cube)
    assert found == metrics.intervals(cube)
    for name, value in metrics.summary(cube.sum((0, 1))).items():
        assert found[name][0] < value < found[name][1]


def test_intervals_of_one_subject_are_undefined():
    """An interval of width zero would claim certainty where nothing is known about other
    subjects.
    """
    assert np.isnan(metrics.intervals(np.ones((1, 1, 2, 2)))['uf1']).all()
    assert np.isnan(metrics.intervals(np.ones((0, 1, 2, 2)))['uf1']).all()


def test_an_entry_is_all_that_a_metric_needs():
    """A metric without a title, or one that its entry cannot compute, would break every report."""
    measured = metrics.measures(np.eye(3)[None])
    assert measured.keys() == METRICS.keys()
    for name, metric in METRICS.items():
        assert measured[name].shape == (1,) and metric.title and metric.explanation, name
        assert metric.best_by in METRICS
    assert set(HEADLINE) | set(COMPARED) <= METRICS.keys()
