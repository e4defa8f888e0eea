"""Logistic regression on features, by scikit-learn: a small classifier of few numbers.

It is multinomial, and balanced: classes weigh the same. C is chosen as that of SVMs, by an inner
cross-validation over groups of training subjects.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from mer_jax.classical import svm, threads
from mer_jax.classical.svm import NOBODY, Choice, Clips, Svm
from mer_jax.runfiles.regressions import Regression, RegressionArrays
from mer_jax.settings import sections
from mer_jax.types import Folds, Samples

ABSENT = -50.0  # log probability of a class without training rows
ITERATIONS = 1000  # at most; a few dozen suffice


class Fitted(NamedTuple):
    """One regression of a fold."""

    chosen: Svm  # what was chosen, without support vectors
    regression: Regression


def predict(
    blocks: Sequence[np.ndarray],
    hidden: np.ndarray | None,
    samples: Samples,
    folds: Folds,
    settings: sections.Head,
    *,
    classes: int,
) -> tuple[np.ndarray, list[list[Fitted]]]:
    """Fit all runs, and predict held-out rows; arguments are those of svm.predict.

    Returns:
        Log probabilities float32[R, K], sorted as held_out.order says; and what each run fitted.

    Raises:
        UserError: features are not finite.
    """
    svm.refuse_not_finite(blocks, hidden)

    def fit_run(run: int) -> tuple[np.ndarray, list[Fitted]]:
        clips = svm.clips_of_run(blocks, hidden, samples, run, classes=classes)
        train, test = svm.rows_of_run(samples, folds, run)
        return fit_fold(clips, train, test, settings, seed=int(folds.seed[run]))

    with threads.products_in_one_thread():
        return svm.over_runs(fit_run, folds, width=classes, title='logistic regressions')


def fit_fold(
    clips: Clips, train: np.ndarray, test: np.ndarray, settings: sections.Head, *, seed: int
) -> tuple[np.ndarray, list[Fitted]]:
    """Fit the regressions of one fold, and predict its test rows.

    Args:
        clips: features and labels of all clips.
        train: int[n], training rows of the fold.
        test: int[m], rows to predict.
        settings: of section head; kernel and gamma have no part.
        seed: of the draw of the inner folds.

    Returns:
        Log probabilities float32[m, K], the mean of the top_k best; and these, the best first.
    """
    grid = sorted(set(map(float, settings.cost)))
    uf1 = np.full(len(grid), np.nan)
    if len(grid) > 1:
        uf1 = _inner_uf1(clips, train, grid, settings, seed=seed)
    scores, fitted = [], []
    for number in np.argsort(-uf1, kind='stable')[: settings.top_k]:
        rows = np.concatenate([train, test])
        both, regression = _fit(clips, train, rows, grid[number], settings.scale)
        of_train, of_test = both[: len(train)], both[len(train) :]
        scores.append(of_test)
        accuracy = float(np.mean(of_train.argmax(1) == clips.label[train]))
        chosen = svm.record(Choice('linear', grid[number], 0.0), [], np.zeros((0, 0)), [])
        chosen = chosen._replace(uf1=float(uf1[number]), training_accuracy=accuracy)
        fitted.append(Fitted(chosen, regression))
    return np.mean(scores, axis=0).astype(np.float32), fitted


def arrays(fitted: Sequence[Sequence[Fitted]]) -> RegressionArrays:
    """Return the content of regressions.npz: the regressions of each run."""
    regressions = {}
    for run, of_run in enumerate(fitted):
        for rank, one in enumerate(of_run, 1):
            regressions[run, rank] = one.regression
    return RegressionArrays(regressions)


def stored_scores(
    regressions: Sequence[Regression], blocks: Sequence[np.ndarray], *, classes: int
) -> np.ndarray:
    """Predict rows by regressions as they were fitted.

    Args:
        regressions: of one fold, at least one.
        blocks: features [M, m, D] each, as they were fitted to.
        classes: K.

    Returns:
        Log probabilities float32[m, K], the mean over regressions and the M views.
    """
    features = np.concatenate(blocks, axis=-1).astype(np.float64)
    scores = []
    for weight, intercept, present in regressions:
        of_views = np.full((*features.shape[:2], classes), ABSENT)
        of_views[..., present] = _log_probabilities(features @ weight.T + intercept)
        scores.append(of_views.mean(0))
    return np.mean(scores, axis=0).astype(np.float32)


def _log_probabilities(decision):
    """predict_log_proba of scikit-learn, [..., classes] of decisions [..., 0, 1, or classes]."""
    if not decision.shape[-1]:  # there was nothing to separate
        return np.zeros((*decision.shape[:-1], 1))
    if decision.shape[-1] == 1:
        second = special.expit(decision)
        return np.log(np.concatenate([1 - second, second], axis=-1))
    return np.log(special.softmax(decision, axis=-1))


def balanced(
    features: np.ndarray, label: np.ndarray, rows: np.ndarray, cost: float, *, classes: int
) -> tuple[np.ndarray, Regression]:
    """Fit one balanced regression, and predict rows.

    Args:
        features: [n, D] of training rows.
        label: int[n].
        rows: [m, D], features of rows to predict.
        cost: C, the inverse of the penalty.
        classes: K.

    Returns:
        Log probabilities float64[m, K]; and the regression, of these features.
    """
    from sklearn.linear_model import LogisticRegression  # here: loading it takes a second

    scores = np.full((len(rows), classes), ABSENT)
    present = np.unique(label).astype(np.int32)
    if len(present) == 1:  # there is nothing to separate
        scores[:, present] = 0.0
        return scores, Regression(np.zeros((0, features.shape[1])), np.zeros(0), present)
    regression = LogisticRegression(C=cost, class_weight='balanced', max_iter=ITERATIONS)
    regression.fit(features, label)
    if len(rows):
        scores[:, present] = regression.predict_log_proba(rows)
    return scores, Regression(regression.coef_, regression.intercept_, present)


def _inner_uf1(clips, train, grid, settings, *, seed):
    """Return the UF1 of each cost by cross-validation over groups of subjects."""
    generated = train[clips.subject[train] == NOBODY]
    train = train[clips.subject[train] != NOBODY]
    label, subject = clips.label[train], clips.subject[train]
    scores = np.zeros((len(grid), len(train), clips.classes))
    for kept, left_out in svm.inner_splits(label, subject, settings.inner_folds, seed=seed):
        inner_train = np.concatenate([train[kept], generated])
        for number, cost in enumerate(grid):
            scores[number, left_out], _ = _fit(
                clips, inner_train, train[left_out], cost, settings.scale
            )
    return svm.uf1_of_choices(scores, label)


def _fit(clips, train, rows, cost, scale):
    """Fit one regression.

    Returns:
        Log probabilities [m, K], the mean over views; and the Regression, of features without
        scale.
    """
    train_features, features = svm.scaled(clips.blocks, train, rows, scale=scale)
    views = len(clips.blocks[0])
    label = np.tile(clips.label[train], views)
    scores, regression = balanced(train_features, label, features, cost, classes=clips.classes)
    weight, intercept = svm.without_scale(
        regression.weight, regression.intercept, clips.blocks, train, scale=scale
    )
    mean = scores.reshape(views, len(rows), clips.classes).mean(0)
    return mean, Regression(weight, intercept, regression.present)
