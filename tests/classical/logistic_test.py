"""Logistic regression as a head: against scikit-learn, and who chooses C."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mer_jax.classical import logistic, svm
from mer_jax.settings.sections import Head
from tests.classical.svm_test import clips, parted


def reference(cost):
    return make_pipeline(StandardScaler(), LogisticRegression(C=cost, class_weight='balanced'))


@pytest.mark.parametrize('classes', [2, 3])
def test_one_choice_is_the_regression_of_scikit_learn(classes):
    """Log probabilities of all classes, standardised on training rows, classes balanced."""
    blocks, label, group = clips(5, 9, classes=classes)
    train, test = parted(group, 2)
    of_clips = svm.Clips(blocks, label, group, classes)
    head = Head('logistic', cost=(0.5,))
    scores, (fitted,) = logistic.fit_fold(of_clips, train, test, head, seed=0)
    x = np.concatenate(blocks, -1)[0].astype(np.float64)
    wanted = reference(0.5).fit(x[train], label[train])
    np.testing.assert_allclose(scores, wanted.predict_log_proba(x[test]), atol=1e-2)
    assert fitted.chosen.training_accuracy == wanted.score(x[train], label[train])


def test_a_class_without_training_rows_is_never_predicted():
    """Its log probability must be a number, below all others."""
    blocks, label, group = clips(5)
    train, test = parted(group, 2)
    head = Head('logistic', cost=(0.5,))
    scores, _ = logistic.fit_fold(svm.Clips(blocks, label, group, 4), train, test, head, seed=0)
    assert np.isfinite(scores).all() and (scores[:, 3] < scores[:, :3].min()).all()
    one = svm.Clips(blocks, np.full_like(label, 1), group, 3)
    scores, _ = logistic.fit_fold(one, train, test, head, seed=0)
    assert (scores.argmax(1) == 1).all()


def test_cost_is_chosen_by_groups_of_training_subjects():
    """A choice by rows of the same subject, or by tested rows, is the leak of nested validation."""
    blocks, label, group = clips(4, 6, each=9)
    train, test = parted(group, 3)
    head = Head('logistic', cost=(1e-4, 0.05, 100.0), inner_folds=3, top_k=3)
    of_clips = svm.Clips(blocks, label, group, 3)
    _, fitted = logistic.fit_fold(of_clips, train, test, head, seed=0)
    x = np.concatenate(blocks, -1)[0].astype(np.float64)
    splits = svm.inner_splits(label[train], group[train], 3, seed=0)
    uf1 = {}
    for cost in head.cost:
        predicted = np.zeros_like(train)
        for kept, left_out in splits:
            assert not {*group[train[kept]]} & {*group[train[left_out]]}
            one = reference(cost).fit(x[train[kept]], label[train[kept]])
            predicted[left_out] = one.predict(x[train[left_out]])
        uf1[cost] = f1_score(label[train], predicted, average='macro')
    chosen = [each.chosen for each in fitted]
    assert {each.cost: pytest.approx(each.uf1) for each in chosen} == uf1
    assert len(set(uf1.values())) > 1
    assert [each.uf1 for each in chosen] == sorted(uf1.values(), reverse=True)
