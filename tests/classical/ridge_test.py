"""Kernel ridge regression as a head: against scikit-learn, and who chooses its settings."""

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics import f1_score
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

from mer_jax.classical import ridge, svm
from mer_jax.settings.sections import Head
from tests.classical.svm_test import clips, parted


def reference(blocks, label, train, rows, cost, gamma):
    """The mean over kinds of features of what scikit-learn predicts."""
    weight = compute_sample_weight('balanced', label[train])
    target = np.eye(label.max() + 1)[label[train]] - 1 / len(set(label[train]))
    total = 0
    for block in blocks:
        x = StandardScaler().fit(block[0][train].astype(np.float64)).transform(block[0])
        one = KernelRidge(alpha=1 / cost, kernel='rbf', gamma=gamma)
        total = total + one.fit(x[train], target, sample_weight=weight).predict(x[rows])
    return total / len(blocks)


def test_each_kind_of_features_has_the_regression_of_scikit_learn():
    """Another weight of classes or penalty, or one kernel of all kinds, gives other scores."""
    blocks, label, group = clips(5, 9)
    assert len(blocks) > 1
    train, test = parted(group, 2)
    head = Head('ridge', ridge_cost=(0.5,), ridge_gamma=(0.02,))
    of_clips = svm.Clips(blocks, label, group, 3)
    scores, (fitted,) = ridge.fit_fold(of_clips, train, test, head, seed=0)
    expected = reference(blocks, label, train, test, 0.5, 0.02)
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    of_train = reference(blocks, label, train, train, 0.5, 0.02)
    assert fitted.training_accuracy == np.mean(of_train.argmax(1) == label[train])


def test_mirror_images_train_and_answer_too():
    """An image and its mirror image that are two views of one clip have one score."""
    blocks, label, group = clips(5)
    train, test = parted(group, 2)
    head = Head('ridge', ridge_cost=(0.5,), ridge_gamma=(0.02,))
    mirrored = [np.concatenate([block, -block]) for block in blocks]
    both, _ = ridge.fit_fold(svm.Clips(mirrored, label, group, 3), train, test, head, seed=0)
    swapped = [block[::-1] for block in mirrored]
    again, _ = ridge.fit_fold(svm.Clips(swapped, label, group, 3), train, test, head, seed=0)
    np.testing.assert_allclose(both, again, atol=1e-5)
    alone, _ = ridge.fit_fold(svm.Clips(blocks, label, group, 3), train, test, head, seed=0)
    assert not np.allclose(both, alone, atol=1e-3)


def test_a_class_without_training_rows_is_never_predicted():
    """Its score must be a number, below all others."""
    blocks, label, group = clips(5)
    train, test = parted(group, 2)
    head = Head('ridge', ridge_cost=(0.5,), ridge_gamma=(0.02,))
    scores, _ = ridge.fit_fold(svm.Clips(blocks, label, group, 4), train, test, head, seed=0)
    assert np.isfinite(scores).all() and (scores[:, 3] < scores[:, :3].min()).all()
    one = svm.Clips(blocks, np.full_like(label, 1), group, 3)
    scores, _ = ridge.fit_fold(one, train, test, head, seed=0)
    assert (scores.argmax(1) == 1).all()


def test_cost_and_width_are_chosen_by_groups_of_training_subjects():
    """A choice by rows of the same subject, or by tested rows, is the leak of nested validation."""
    blocks, label, group = clips(4, 6, each=9)
    train, test = parted(group, 3)
    head = Head('ridge', ridge_cost=(1e-3, 10.0), ridge_gamma=(0.01, 1.0), inner_folds=3, top_k=4)
    of_clips = svm.Clips(blocks, label, group, 3)
    _, fitted = ridge.fit_fold(of_clips, train, test, head, seed=0)
    uf1 = {}
    for cost in head.ridge_cost:
        for gamma in head.ridge_gamma:
            predicted = np.zeros_like(train)
            for kept, left_out in svm.inner_splits(label[train], group[train], 3, seed=0):
                rows = train[kept], train[left_out]
                scores = reference(blocks, label, *rows, cost, gamma)
                predicted[left_out] = scores.argmax(1)
            uf1[cost, gamma] = f1_score(label[train], predicted, average='macro')
    assert {(each.cost, each.gamma): pytest.approx(each.uf1) for each in fitted} == uf1
    assert len(set(uf1.values())) > 1
    noisy = [block.copy() for block in blocks]
    for block in noisy:
        block[:, test] = 1e3
    changed = np.where(np.isin(np.arange(len(label)), test), 0, label)
    _, after = ridge.fit_fold(svm.Clips(noisy, changed, group, 3), train, test, head, seed=0)
    assert [each[:3] for each in after] == [each[:3] for each in fitted], 'noise reached the choice'
