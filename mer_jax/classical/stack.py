"""Stacking: SVMs, kernel ridge regressions and a network that drawn faces trained, combined.

A fold fits one weight of 0 or more for each member, and an offset for each class, by the balanced
log loss of its training rows. Or the weights are equal, and nothing is fitted but the spread of the
scores (head.combine). Scores of SVMs and regressions are those of inner folds, which leave their
subject out, and the network saw drawn faces alone. So no member was fitted to the rows that it is
weighed on. A network that the fold trained would look better on them than it is.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import optimize, special

from mer_jax.classical import NETWORK, ridge, svm, threads
from mer_jax.classical.svm import NOBODY, Svm
from mer_jax.runfiles.stacks import Stack, StackArrays, StackRow, StackTable
from mer_jax.settings import sections
from mer_jax.types import Folds, Samples

TITLES = {'svm': 'SVMs', 'ridge': 'regressions', NETWORK: 'network'}  # of head.members
REAL = {'svm': svm.decide, 'ridge': ridge.decide}  # that are fitted to clips
RIDGE = 0.02  # our choice, which was not tuned
ITERATIONS = 500  # at most; a few dozen suffice


class OfFold(NamedTuple):
    """What one fold fitted."""

    svms: list[Svm]  # also the choices of ridge regressions, which have no support vectors
    stack: Stack


def predict(
    blocks: Sequence[np.ndarray],
    outputs: np.ndarray | None,
    samples: Samples,
    folds: Folds,
    settings: sections.Head,
    *,
    classes: int,
) -> tuple[np.ndarray, list[OfFold]]:
    """Fit members and combination of all runs, and predict held-out rows.

    Args:
        blocks: features of clips, [M, N, D] each.
        outputs: float32[F, N, K], log probabilities by the network of each run; None without one.
        samples: all rows.
        folds: all runs.
        settings: of section head.
        classes: K.

    Returns:
        Log probabilities float32[R, K], sorted as held_out.order says; and what each run fitted.

    Raises:
        UserError: features are not finite.
    """
    svm.refuse_not_finite(blocks, outputs)

    def fit_run(run: int) -> tuple[np.ndarray, OfFold]:
        clips = svm.clips_of_run(blocks, None, samples, run, classes=classes)
        train, test = svm.rows_of_run(samples, folds, run)
        seed = int(folds.seed[run])
        rows = train[clips.subject[train] != NOBODY]
        of_train, of_test, svms = [], [], []
        for name in settings.members.split('+'):
            if name in REAL:
                decisions = REAL[name](clips, train, test, settings, seed=seed, nested=True)
                svms += [one._replace(member=name) for one in decisions.svms]
                of_train.append(decisions.train)
                of_test.append(decisions.test)
            else:
                of_train.append(outputs[run, rows])
                of_test.append(outputs[run, test])
        members = np.stack(of_train)
        if settings.combine == 'fitted':
            stack = fit(members, clips.label[rows])
        else:
            stack = equal(members)
        return combined(stack, np.stack(of_test)), OfFold(svms, stack)

    with threads.products_in_one_thread():
        return svm.over_runs(fit_run, folds, width=classes, title='stacks')


def fit(scores: np.ndarray, label: np.ndarray) -> Stack:
    """Fit weights and offsets to training rows.

    The loss is the mean over classes of their mean log loss, and a ridge toward equal weights and
    offsets of 0.

    Args:
        scores: [M, n, K] of members that were not fitted to these rows.
        label: int[n].
    """
    members, _, classes = scores.shape
    spread = _spread(scores)
    scaled = scores.astype(np.float64) / spread[:, None, None]
    count = np.bincount(label, minlength=classes)
    of_row = 1 / (np.count_nonzero(count) * count[label])
    target = np.eye(classes)[label]

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        weight, offset = values[:members], values[members:]
        log_p = special.log_softmax(np.tensordot(weight, scaled, 1) + offset, axis=1)
        error = of_row[:, None] * (np.exp(log_p) - target)
        unequal = weight - weight.mean()
        penalty = RIDGE * (np.sum(unequal**2) + np.sum(offset**2))
        slope = np.concatenate([np.sum(error * scaled, axis=(1, 2)), error.sum(0)])
        slope += 2 * RIDGE * np.concatenate([unequal, offset])
        return penalty - np.sum(of_row * np.sum(log_p * target, axis=1)), slope

    start = np.concatenate([np.full(members, 1 / members), np.zeros(classes)])
    bounds = [(0, None)] * members + [(None, None)] * classes
    options = {'maxiter': ITERATIONS}
    solution = optimize.minimize(
        loss, start, jac=True, bounds=bounds, method='L-BFGS-B', options=options
    )
    return Stack(solution.x[:members], spread, solution.x[members:])


def equal(scores: np.ndarray) -> Stack:
    """Return weights of 1 over the spread of the scores, and no offset.

    Args:
        scores: [M, n, K] of members that were not fitted to these rows.
    """
    members, _, classes = scores.shape
    return Stack(np.ones(members), _spread(scores), np.zeros(classes))


def _spread(scores):
    """Return the root mean square of the scores of each member around their mean over classes."""
    scores = scores.astype(np.float64)
    around_mean = scores - scores.mean(2, keepdims=True)
    spread = np.sqrt(np.mean(around_mean**2, axis=(1, 2)))
    return np.where(spread > 0, spread, 1.0)


def combined(stack: Stack, scores: np.ndarray) -> np.ndarray:
    """Return log probabilities float32[m, K] of rows.

    Args:
        stack: fitted.
        scores: [M, m, K] of its members.
    """
    total = np.tensordot(stack.weight / stack.spread, scores.astype(np.float64), 1)
    return special.log_softmax(total + stack.offset, axis=1).astype(np.float32)


def table(
    fitted: Sequence[OfFold],
    folds: Folds,
    titles: Sequence[str],
    *,
    members: Sequence[str],
    classes: Sequence[str],
) -> StackTable:
    """Return the content of stacks.csv.

    Args:
        fitted: what each run fitted.
        folds: all runs.
        titles: of the folds.
        members: as in head.members.
        classes: names.
    """
    rows = []
    for run, (_, stack) in enumerate(fitted):
        title, seed = titles[folds.fold[run]], int(folds.seed[run])
        for name, weight in zip(members, stack.weight, strict=True):
            rows.append(StackRow(title, seed, 'weight', TITLES[name], float(weight)))
        for name, offset in zip(classes, stack.offset, strict=True):
            rows.append(StackRow(title, seed, 'offset', name, float(offset)))
    return StackTable(tuple(rows))


def arrays(fitted: Sequence[OfFold]) -> StackArrays:
    """Return the content of stacks.npz: the combination of each run."""
    return StackArrays({(run, 1): of_fold.stack for run, of_fold in enumerate(fitted)})
