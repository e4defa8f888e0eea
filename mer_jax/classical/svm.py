"""Support vector machines on features in place of a network's last layer, one fold at a time, on
the host (scikit-learn).

All that is fitted or chosen, standardisation, cost and width of the kernel, sees the fold's
training rows alone: choices are made by groups of its training subjects, each left out in turn.
"""

import warnings
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed
from tqdm import tqdm

from mer_jax import machine
from mer_jax.errors import UserError
from mer_jax.evaluation.metrics import confusion, summary
from mer_jax.folds import protocols
from mer_jax.folds.rows import of_data_set, stored
from mer_jax.runfiles.svms import SupportVectors, SvmArrays, SvmRow, SvmTable
from mer_jax.settings import sections
from mer_jax.training import held_out

NOBODY = -1  # the group of a row that is not of the data set


class Machine(NamedTuple):
    """One fitted support vector machine."""

    cost: float
    gamma: float
    uf1: float  # of the inner folds; NaN where nothing was to choose
    support: np.ndarray  # int32[s]: rows of the data set, n more in the mirror
    dual: np.ndarray  # float32[classes - 1, s]
    intercept: np.ndarray  # float32[pairs of classes]


def answers(blocks, hidden, samples, folds, settings: sections.Head, *, classes: int):
    """(scores float32[R, classes] of the held-out rows in data set order, [Machine] of each run).

    blocks: features [M, N, D] each; hidden: float32[F, N, D], another block that differs from run
    to run, None without one; rows made for a fold (smote, copies) take no part; settings: of
    section head. Runs are fitted side by side. UserError where a network has diverged.
    """
    if hidden is not None and not np.isfinite(hidden).all():
        raise UserError(
            'head: features of the network are not finite, so training diverged; a smaller '
            'learning rate may help'
        )

    group = np.where(of_data_set(samples), samples.subject, NOBODY)

    def one(run):
        train, test = (protocols.rows_of(rows, run) for rows in (folds.train, folds.test))
        own = [hidden[run][None], *blocks] if hidden is not None else blocks
        return decided(
            own,
            samples.label,
            group,
            train[stored(samples, train)],
            test,
            settings,
            classes=classes,
            seed=int(folds.seed[run]),
        )

    found = Parallel(machine.cores(), prefer='threads', return_as='generator')(
        map(delayed(one), range(len(folds.fold)))
    )
    found = list(tqdm(found, desc='support vector machines', total=len(folds.fold), mininterval=1))
    scores = np.zeros((*folds.test.index.shape, classes), np.float32)
    for run, (told, _) in enumerate(found):
        scores[run, : len(told)] = told
    return held_out.gather(scores[:, None], folds), [machines for _, machines in found]


def hidden(learner):
    """The learner, its prediction the last hidden layer [B, D] in place of the output."""
    return learner._replace(
        predict=lambda state, inputs: (learner.predict(state, inputs)[1]['features'], {})
    )


def of_runs(found, folds, count):
    """What every run says of all `count` rows, [R, D] in data set order (see held_out.order) -> [F,
    count, D].
    """
    out = np.zeros((len(folds.fold), count, found.shape[-1]), found.dtype)
    run, row = (
        np.repeat(np.arange(len(folds.fold)), count),
        np.tile(np.arange(count), len(folds.fold)),
    )
    sequence = np.lexsort((run, row, folds.seed[run]))
    out[run[sequence], row[sequence]] = found
    return out


def write(folder, machines, folds, titles) -> None:
    """heads.csv, a line a machine, and heads.npz with each one's support vectors, dual coefficients
    and intercepts.
    """
    rows, arrays = [], {}
    for run, svms in enumerate(machines):
        for place, svm in enumerate(svms, 1):
            row = SvmRow(
                title=titles[folds.fold[run]],
                seed=int(folds.seed[run]),
                place=place,
                cost=svm.cost,
                gamma=svm.gamma,
                inner_uf1=None if np.isnan(svm.uf1) else svm.uf1,
                support_vectors=len(svm.support),
            )
            rows.append(row)
            arrays[run, place] = SupportVectors(svm.support, svm.dual, svm.intercept)
    SvmTable(tuple(rows)).write(folder)
    SvmArrays(arrays).write(folder)


def decided(blocks, label, group, train, test, settings: sections.Head, *, classes: int, seed: int):
    """(scores float32[len(test), classes], [Machine]) of one fold: the mean of the top_k machines
    by UF1 of inner folds.

    blocks: features [M, N, D] each, of the clips and, where M is 2, of their mirror images, which
    train and are predicted too; label, group (subject, or NOBODY): int[N]; train, test: rows of the
    data set; settings: of section head. One value of cost and of gamma spares the inner folds.
    scale, kernel: see `products` and `kernels`.
    """
    costs, gammas = (sorted(set(map(float, values))) for values in (settings.cost, settings.gamma))
    gammas = gammas if settings.kernel == 'rbf' else gammas[:1]
    grid = [(cost, gamma) for gamma in gammas for cost in costs]
    uf1 = np.full(len(grid), np.nan)
    if len(grid) > 1:
        uf1 = _inner(blocks, label, group, train, grid, settings, classes=classes, seed=seed)
    # of equal ones the first: the widest kernel, the least cost
    chosen = np.argsort(-uf1, kind='stable')[: settings.top_k]
    prepared = products(blocks, train, test, scale=settings.scale)
    kernel = settings.kernel
    found = [
        _fitted(prepared, label, train, test, *grid[place], classes=classes, kernel=kernel)
        for place in chosen
    ]
    machines = [
        machine._replace(uf1=float(uf1[place]))
        for place, (_, machine) in zip(chosen, found, strict=True)
    ]
    return np.mean([scores for scores, _ in found], axis=0), machines


def _inner(blocks, label, group, train, grid, settings, *, classes, seed):
    """UF1 float[len(grid)] of every choice, each training clip answered by machines that did not
    see its subject; images that were generated for the fold, of no subject, train in every group
    and are not asked.
    """
    # here: loading it takes a second of every run
    from sklearn.model_selection import StratifiedGroupKFold

    train, made = train[group[train] != NOBODY], train[group[train] == NOBODY]
    subjects, clips = len(np.unique(group[train])), np.bincount(label[train]).max()
    # more groups than clips of the largest class cannot be stratified
    count = min(settings.inner_folds, subjects, clips)
    if count < 2:
        raise UserError(
            f'head: {subjects} training subject{"s" * (subjects > 1)} with up to {clips} clips '
            'of a class leave '
            'nobody to choose cost and gamma by; give one value of head.cost and of head.gamma'
        )
    scores = np.zeros((len(grid), len(label), classes), np.float32)
    with warnings.catch_warnings():
        # a class with fewer clips than groups cannot stand in each
        warnings.simplefilter('ignore', UserWarning)
        parts = list(
            StratifiedGroupKFold(count, shuffle=True, random_state=seed).split(
                train, label[train], group[train]
            )
        )
    for rest, aside in parts:
        rest, aside = np.concatenate([train[rest], made]), train[aside]
        prepared = products(blocks, rest, aside, scale=settings.scale)
        for place, (cost, gamma) in enumerate(grid):
            scores[place, aside], _ = _fitted(
                prepared,
                label,
                rest,
                aside,
                cost,
                gamma,
                classes=classes,
                kernel=settings.kernel,
            )
    return np.array(
        [
            summary(confusion(label[train], own[train].argmax(1), classes=classes))['uf1']
            for own in scores
        ]
    )


def products(blocks, train, test, *, scale):
    """Inner products of the scaled features: float64 (training rows [M * n, M * n], test rows with
    these [M * m, M * n], squared lengths of the test rows [M * m]); rows of the first view come
    first.

    scale 'none' leaves features alone; 'features' takes from each its mean over the training rows
    and divides by its standard deviation there; 'blocks' besides lets every block weigh the same,
    whatever its length: the mean squared distance of two training clips is then 2.
    """
    views = len(blocks[0])
    own_own, test_own = (
        np.zeros((views * len(train),) * 2),
        np.zeros((views * len(test), views * len(train))),
    )
    length = np.zeros(views * len(test))
    for block in blocks:
        own, other = (np.concatenate(block[:, rows]).astype(np.float64) for rows in (train, test))
        if scale != 'none':
            mean, spread = own.mean(0), own.std(0)
            # constant in training: it says nothing
            spread = np.where(spread > 1e-6 * np.abs(mean) + 1e-12, spread, np.inf)
            own, other = (own - mean) / spread, (other - mean) / spread
        share = max(1, np.isfinite(spread).sum()) * len(blocks) if scale == 'blocks' else 1
        own_own += own @ own.T / share
        test_own += other @ own.T / share
        length += np.sum(other**2, 1) / share
    return own_own, test_own, length


def kernels(inner_products, kernel, gamma):
    """(training rows with each other, test rows with these): inner products, or of 'rbf' exp(-gamma
    * squared distance).
    """
    own_own, test_own, length = inner_products
    if kernel == 'linear':
        return own_own, test_own
    own = np.diag(own_own)
    return tuple(
        np.exp(-gamma * np.maximum(first[:, None] + own - 2 * both, 0))
        for first, both in ((own, own_own), (length, test_own))
    )


def _fitted(inner_products, label, train, test, cost, gamma, *, classes, kernel):
    """(scores float32[len(test), classes], Machine), mirror images asked too; a class without a
    training row scores -2, which is never the most.
    """
    from sklearn.svm import SVC  # here: loading it takes a second of every run

    own_own, test_own = kernels(inner_products, kernel, gamma)
    views = len(own_own) // len(train)
    known = np.unique(label[train])
    scores = np.full((views * len(test), classes), -2.0)
    if len(known) == 1:  # nothing to tell apart
        scores[:, known] = 1.0
        return scores[: len(test)].astype(np.float32), _machine(
            cost, gamma, [], np.zeros((0, 0)), []
        )
    fitted = SVC(kernel='precomputed', C=cost, class_weight='balanced').fit(
        own_own, np.tile(label[train], views)
    )
    if len(test):  # nobody is held out of a model to ship
        told = fitted.decision_function(test_own)
        scores[:, known] = np.stack([-told, told], -1) if told.ndim == 1 else told
    view, place = np.divmod(fitted.support_, len(train))
    machine = _machine(
        cost, gamma, train[place] + view * len(label), fitted.dual_coef_, fitted.intercept_
    )
    return scores.reshape(views, len(test), classes).mean(0).astype(np.float32), machine


def _machine(cost, gamma, support, dual, intercept):
    return Machine(
        cost,
        gamma,
        np.nan,
        np.asarray(support, np.int32),
        *(np.asarray(a, np.float32) for a in (dual, intercept)),
    )
