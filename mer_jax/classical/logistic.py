"""Logistic regression on features, by scikit-learn: a small classifier of few numbers.

It is multinomial, and balanced: classes weigh the same. C is chosen as that of SVMs, by an inner
cross-validation over groups of training subjects.
"""

from collections.abc import Sequence

import numpy as np

from mer_jax.classical import svm, threads
from mer_jax.classical.svm import NOBODY, Choice, Clips, Svm
from mer_jax.settings import sections
from mer_jax.types import Folds, Samples

ABSENT = -50.0  # log probability of a class without training rows
ITERATIONS = 1000  # at most; a few dozen suffice


def predict(
    blocks: Sequence[np.ndarray],
    hidden: np.ndarray | None,
    samples: Samples,
    folds: Folds,
    settings: sections.Head,
    *,
    classes: int,
) -> tuple[np.ndarray, list[list[Svm]]]:
    """Fit all runs, and predict held-out rows; arguments are those of svm.predict.

    Returns:
        Log probabilities float32[R, K], sorted as held_out.order says; and what each run chose.

    Raises:
        UserError: features are not finite.
    """
    svm.refuse_not_finite(blocks, hidden)

    def fit_run(run: int) -> tuple[np.ndarray, list[Svm]]:
        clips = svm.clips_of_run(blocks, hidden, samples, run, classes=classes)
        train, test = svm.rows_of_run(samples, folds, run)
        return fit_fold(clips, train, test, settings, seed=int(folds.seed[run]))

    with threads.products_in_one_thread():
        return svm.over_runs(fit_run, folds, width=classes, title='logistic regressions')


def fit_fold(
    clips: Clips, train: np.ndarray, test: np.ndarray, settings: sections.Head, *, seed: int
) -> tuple[np.ndarray, list[Svm]]:
    """Fit the regressions of one fold, and predict its test rows.

    Args:
        clips: features and labels of all clips.
        train: int[n], training rows of the fold.
        test: int[m], rows to predict.
        settings: of section head; kernel and gamma have no part.
        seed: of the draw of the inner folds.

    Returns:
        Log probabilities float32[m, K], the mean of the top_k best; and what was chosen, the best
        first.
    """
    grid = sorted(set(map(float, settings.cost)))
    uf1 = np.full(len(grid), np.nan)
    if len(grid) > 1:
        uf1 = _inner_uf1(clips, train, grid, settings, seed=seed)
    scores, fitted = [], []
    for number in np.argsort(-uf1, kind='stable')[: settings.top_k]:
        rows = np.concatenate([train, test])
        both = _fit(clips, train, rows, grid[number], settings.scale)
        of_train, of_test = both[: len(train)], both[len(train) :]
        scores.append(of_test)
        accuracy = float(np.mean(of_train.argmax(1) == clips.label[train]))
        chosen = svm.record(Choice('linear', grid[number], 0.0), [], np.zeros((0, 0)), [])
        fitted.append(chosen._replace(uf1=float(uf1[number]), training_accuracy=accuracy))
    return np.mean(scores, axis=0).astype(np.float32), fitted


def balanced(
    features: np.ndarray, label: np.ndarray, rows: np.ndarray, cost: float, *, classes: int
) -> np.ndarray:
    """Fit one balanced regression, and predict rows.

    Args:
        features: [n, D] of training rows.
        label: int[n].
        rows: [m, D], features of rows to predict.
        cost: C, the inverse of the penalty.
        classes: K.

    Returns:
        Log probabilities float64[m, K].
    """
    from sklearn.linear_model import LogisticRegression  # here: loading it takes a second

    scores = np.full((len(rows), classes), ABSENT)
    present = np.unique(label)
    if len(present) == 1:  # there is nothing to separate
        scores[:, present] = 0.0
    elif len(rows):
        regression = LogisticRegression(C=cost, class_weight='balanced', max_iter=ITERATIONS)
        scores[:, present] = regression.fit(features, label).predict_log_proba(rows)
    return scores


def _inner_uf1(clips, train, grid, settings, *, seed):
    """Return the UF1 of each cost by cross-validation over groups of subjects."""
    generated = train[clips.subject[train] == NOBODY]
    train = train[clips.subject[train] != NOBODY]
    label, subject = clips.label[train], clips.subject[train]
    scores = np.zeros((len(grid), len(train), clips.classes))
    for kept, left_out in svm.inner_splits(label, subject, settings.inner_folds, seed=seed):
        inner_train = np.concatenate([train[kept], generated])
        for number, cost in enumerate(grid):
            scores[number, left_out] = _fit(
                clips, inner_train, train[left_out], cost, settings.scale
            )
    return svm.uf1_of_choices(scores, label)


def _fit(clips, train, rows, cost, scale):
    """Fit one regression; return log probabilities [m, K], the mean over views."""
    train_features, features = svm.scaled(clips.blocks, train, rows, scale=scale)
    views = len(clips.blocks[0])
    label = np.tile(clips.label[train], views)
    scores = balanced(train_features, label, features, cost, classes=clips.classes)
    return scores.reshape(views, len(rows), clips.classes).mean(0)
