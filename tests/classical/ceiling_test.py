"""The ceiling of annotated action units: which clips it scores, and by which folds."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score

from mer_jax.classical import ceiling
from mer_jax.folds import protocols
from mer_jax.settings.sections import Protocol
from mer_jax.training import held_out
from tests.conftest import make_samples


def coded(known=None):
    """Samples whose units tell most classes, their folds, and predictions of a constant."""
    samples, names = make_samples(subjects=6, clips=(7, 4, 5, 3, 6, 5), size=2)
    draw = np.random.default_rng(0)
    units = np.eye(3)[samples.label][:, :2]
    units = np.where(draw.random(units.shape) < 0.2, 1 - units, units).astype(np.float32)
    if known is not None:
        units[~known(samples)] = np.nan
    samples = samples.with_extras(action_units=units)
    folds, _ = protocols.make(samples, names, Protocol(), seeds=2)
    rows = len(held_out.order(folds)[0])
    output = np.tile([0.0, 1.0, 0.5], (rows, 1))
    return samples, names, folds, held_out.predictions(output, samples, folds)


def test_it_is_the_regression_of_scikit_learn_in_the_folds_of_the_run():
    """Fitted to tested clips too, it would be no ceiling but a table of them."""
    samples, names, folds, predictions = coded()
    block = ceiling.ceiling(predictions, samples, folds, names)
    units, label = samples.extras['action_units'], samples.label
    predicted = np.zeros_like(label)
    for subject in range(6):
        train, test = samples.subject != subject, samples.subject == subject
        one = LogisticRegression(class_weight='balanced').fit(units[train], label[train])
        predicted[test] = one.predict(units[test])
    np.testing.assert_allclose(block['metrics']['uf1'], f1_score(label, predicted, average='macro'))
    np.testing.assert_allclose(block['metrics']['accuracy'], accuracy_score(label, predicted))
    np.testing.assert_allclose(block['run_metrics']['accuracy'], np.mean(label == 1))
    assert (block['clips'], block['subjects']) == (30, 6)


def test_clips_of_unknown_units_are_not_scored():
    """Of a composite it must say whose clips it is about, and compare the run on the same."""
    samples, names, folds, predictions = coded(lambda samples: samples.dataset == 1)
    block = ceiling.ceiling(predictions, samples, folds, names)
    known = samples.dataset == 1
    assert block['datasets'] == {'set1': known.sum()} and block['clips'] == known.sum()
    np.testing.assert_allclose(block['run_metrics']['accuracy'], np.mean(samples.label[known] == 1))


def test_without_units_there_is_none():
    """A block of nothing would change every result that there is."""
    for known in (lambda samples: samples.subject > 9, lambda samples: samples.subject == 0):
        samples, names, folds, predictions = coded(known)
        assert ceiling.ceiling(predictions, samples, folds, names) is None
    none = samples.with_extras(action_units=np.zeros((len(samples.label), 0), np.float32))
    assert ceiling.ceiling(predictions, none, folds, names) is None
