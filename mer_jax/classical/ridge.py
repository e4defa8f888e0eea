"""Kernel ridge regression on each kind of features by itself, whose scores are averaged.

An SVM on several kinds of features at once adds their distances, so that one kind that is far off
hides that the others agree. Here each kind has a regression of its own. Classes weigh the same.
Width of the kernel and penalty are chosen as those of SVMs, by an inner cross-validation over
groups of training subjects.
"""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy import linalg

from mer_jax.classical import svm, threads
from mer_jax.classical.svm import NEVER, Choice, Clips, Decisions, Svm
from mer_jax.settings import sections
from mer_jax.types import Folds, Samples


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
        Scores float32[R, K], sorted as held_out.order says; and what each run chose.

    Raises:
        UserError: features are not finite.
    """
    svm.refuse_not_finite(blocks, hidden)

    def fit_run(run: int) -> tuple[np.ndarray, list[Svm]]:
        clips = svm.clips_of_run(blocks, hidden, samples, run, classes=classes)
        train, test = svm.rows_of_run(samples, folds, run)
        return fit_fold(clips, train, test, settings, seed=int(folds.seed[run]))

    with threads.products_in_one_thread():
        return svm.over_runs(fit_run, folds, width=classes, title='kernel ridge regressions')


def fit_fold(
    clips: Clips, train: np.ndarray, test: np.ndarray, settings: sections.Head, *, seed: int
) -> tuple[np.ndarray, list[Svm]]:
    """Fit the regressions of one fold, and predict its test rows.

    Args and what is fitted are those of `decide`.

    Returns:
        Scores float32[m, K]; and what was chosen, the best first.
    """
    decisions = decide(clips, train, test, settings, seed=seed, nested=False)
    return decisions.test, decisions.svms


def decide(
    clips: Clips,
    train: np.ndarray,
    test: np.ndarray,
    settings: sections.Head,
    *,
    seed: int,
    nested: bool,
) -> Decisions:
    """Fit the regressions of one fold, and predict its rows by the mean of the top_k best choices.

    Args:
        clips: features and labels of all clips.
        train: int[n], training rows of the fold.
        test: int[m], rows to predict.
        settings: of section head; ridge_cost is the inverse of the penalty.
        seed: of the draw of the inner folds.
        nested: whether training rows are predicted too, each by the regressions of the inner fold
            that leaves its subject out.

    Returns:
        Scores; and what was chosen in place of SVMs, without support vectors.
    """
    grid = svm.choices(of_regressions(settings))
    uf1, inner = np.full(len(grid), np.nan), None
    if len(grid) > 1 or nested:
        score = partial(scores_of, clips, choices=grid, scale=settings.scale)
        rows, inner = svm.scores_by_groups(
            clips, train, score, folds=settings.inner_folds, seed=seed
        )
        uf1 = svm.uf1_of_choices(inner, clips.label[rows])
    best = np.argsort(-uf1, kind='stable')[: settings.top_k]
    rows = np.concatenate([train, test])
    chosen = [grid[number] for number in best]
    both = scores_of(clips, train, rows, chosen, scale=settings.scale)
    fitted = []
    for number, of_rows in zip(best, both, strict=True):
        accuracy = float(np.mean(of_rows[: len(train)].argmax(1) == clips.label[train]))
        kept = svm.record(grid[number], [], np.zeros((0, 0)), [])
        fitted.append(
            kept._replace(uf1=float(uf1[number]), training_accuracy=accuracy, member='ridge')
        )
    of_train = inner[best].mean(0) if nested else None
    return Decisions(of_train, both.mean(0)[len(train) :].astype(np.float32), fitted)


def of_regressions(settings: sections.Head) -> sections.Head:
    """Return settings whose cost and gamma are those of the regressions.

    Args:
        settings: of section head.
    """
    return replace(settings, cost=settings.ridge_cost, gamma=settings.ridge_gamma)


class Regressions(NamedTuple):
    """Regressions of one fold as they were fitted."""

    train: np.ndarray  # int[n], rows that they were fitted to
    present: np.ndarray  # int[P], classes among these rows
    choices: tuple[Choice, ...]
    # [C][B]: of each choice, and of each kind of features, float64[views x n, P]
    duals: tuple[tuple[np.ndarray, ...], ...]


def fit(clips: Clips, train: np.ndarray, choices: Sequence[Choice], *, scale: str) -> Regressions:
    """Fit the regressions of one fold by what it chose.

    Args:
        clips: of the data set.
        train: int[n], rows to fit.
        choices: kernel, cost and gamma.
        scale: as of svm.products.
    """
    present, weight, target = _targets(clips, train)
    of_blocks = []
    with threads.products_in_one_thread():
        for block in clips.blocks:
            inner_products = svm.products([block], train, train[:0], scale=scale)
            duals = []
            for choice in choices:
                kernel, _ = svm.kernels(inner_products, choice.kernel, choice.gamma)
                duals.append(_dual(kernel, 1 / (choice.cost * weight), target))
            of_blocks.append(duals)
    return Regressions(train, present, tuple(choices), tuple(zip(*of_blocks, strict=True)))


def fitted_scores(clips: Clips, rows: np.ndarray, fitted: Regressions, *, scale: str) -> np.ndarray:
    """Predict rows by regressions that are fitted, in the mean of their scores.

    Args:
        clips: of the data set, with rows to predict behind them.
        rows: int[m], rows to predict.
        fitted: the regressions.
        scale: as of svm.products.

    Returns:
        Scores float32[m, K].
    """
    views = len(clips.blocks[0])
    total = np.zeros((len(fitted.choices), views, len(rows), len(fitted.present)))
    with threads.products_in_one_thread():
        for number, block in enumerate(clips.blocks):
            inner_products = svm.products([block], fitted.train, rows, scale=scale)
            for place, choice in enumerate(fitted.choices):
                _, kernel = svm.kernels(inner_products, choice.kernel, choice.gamma)
                total[place] += (kernel @ fitted.duals[place][number]).reshape(total.shape[1:])
    return _of_classes(total, fitted.present, clips).mean(0).astype(np.float32)


def scores_of(
    clips: Clips, train: np.ndarray, rows: np.ndarray, choices: Sequence[Choice], *, scale: str
) -> np.ndarray:
    """Fit regressions by some choices, and predict rows.

    A regression minimises the weighted squared error of 1 minus 1/K for the class of a clip and
    -1/K for the others, plus the squared length of its weights over the cost.

    Args:
        clips: features and labels of all clips.
        train: int[n], rows to fit.
        rows: int[m], rows to predict.
        choices: kernel, cost and gamma.
        scale: as of svm.products, for each kind of features by itself.

    Returns:
        float64[C, m, K], the mean over kinds of features, and over clips and their mirror images.
    """
    views = len(clips.blocks[0])
    present, weight, target = _targets(clips, train)
    total = np.zeros((len(choices), views, len(rows), len(present)))
    for block in clips.blocks:
        inner_products = svm.products([block], train, rows, scale=scale)
        widths = itertools.groupby(range(len(choices)), lambda number: choices[number].gamma)
        for gamma, numbers in widths:
            kernel = choices[0].kernel
            train_kernel, rows_kernel = svm.kernels(inner_products, kernel, gamma)
            for number in numbers:
                dual = _dual(train_kernel, 1 / (choices[number].cost * weight), target)
                total[number] += (rows_kernel @ dual).reshape(total.shape[1:])
    return _of_classes(total, present, clips)


def _targets(clips, train):
    """Return the classes among rows, and weight [views x n] and target [views x n, P] of rows."""
    label = clips.label[train]
    present = np.unique(label)
    count = np.bincount(label, minlength=clips.classes)
    views = len(clips.blocks[0])
    weight = np.tile(len(train) / (len(present) * count[label]), views)
    target = np.tile(np.eye(clips.classes)[label][:, present] - 1 / len(present), (views, 1))
    return present, weight, target


def _of_classes(total, present, clips):
    """Return scores [C, m, K] of sums [C, views, m, P] over kinds of features."""
    of_present = total.mean(1) / len(clips.blocks)
    # a class without training rows is below all others, whose scores have no bound
    scores = np.full((*of_present.shape[:2], clips.classes), min(NEVER, of_present.min() - 1))
    scores[..., present] = of_present
    return scores


def _dual(kernel, penalty, target):
    """Return the coefficients [n, K] of the training rows."""
    matrix = kernel.copy()
    matrix[np.diag_indices(len(matrix))] += penalty
    factor = linalg.cho_factor(matrix, overwrite_a=True, check_finite=False)
    return linalg.cho_solve(factor, target, check_finite=False)
