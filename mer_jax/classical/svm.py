"""Support vector machines on features, one fold at a time, on the host (scikit-learn).

They stand in place of a network's last layer, or of the whole network. All that is fitted or
chosen (standardisation, cost, width of the kernel) sees the fold's training rows alone: choices
are made by groups of its training subjects, each left out in turn.
"""

import itertools
import warnings
from collections.abc import Sequence
from pathlib import Path
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
from mer_jax.types import Folds, Learner, Samples

NOBODY = -1  # the subject of a row that is not of the data set
NEVER = -2.0  # score of a class without training rows; no other score is as low


class Clips(NamedTuple):
    """What the SVMs of a fold can see of all clips."""

    # features float[M, N, D] each, of the clips and, where M is 2, of their mirror images, which
    # train and are predicted too
    blocks: Sequence[np.ndarray]
    label: np.ndarray  # int[N]
    subject: np.ndarray  # int[N], or NOBODY
    classes: int


class Choice(NamedTuple):
    """What is chosen for one SVM."""

    kernel: str  # 'linear' or 'rbf'
    cost: float
    gamma: float  # of 'rbf'


class Products(NamedTuple):
    """Inner products of scaled features, float64; rows of the first view come first."""

    train: np.ndarray  # [M * n, M * n], of training rows with each other
    test: np.ndarray  # [M * m, M * n], of test rows with training rows
    test_length: np.ndarray  # [M * m], squared lengths of test rows


class Svm(NamedTuple):
    """One fitted support vector machine."""

    cost: float
    gamma: float
    uf1: float  # of the inner folds; NaN where there was nothing to choose
    support: np.ndarray  # int32[s]: rows of the data set, N more in the mirror
    dual: np.ndarray  # float32[classes - 1, s]
    intercept: np.ndarray  # float32[pairs of classes]


def predict(
    blocks: Sequence[np.ndarray],
    hidden: np.ndarray | None,
    samples: Samples,
    folds: Folds,
    settings: sections.Head,
    *,
    classes: int,
) -> tuple[np.ndarray, list[list[Svm]]]:
    """Fit the SVMs of all runs, and predict the held-out rows.

    Runs are fitted side by side. Copies and mixtures that were made for a fold take no part.

    Args:
        blocks: features of clips, [M, N, D] each.
        hidden: float32[F, N, D], features that differ from run to run; None without a network.
        samples: all rows.
        folds: all runs.
        settings: of section head.
        classes: how many.

    Returns:
        Scores float32[R, classes] in data set order, and the SVMs of each run.

    Raises:
        UserError: features of a network are not finite.
    """
    if hidden is not None and not np.isfinite(hidden).all():
        raise UserError(
            'head: features of the network are not finite, so training diverged; a smaller '
            'learning rate may help'
        )
    subject = np.where(of_data_set(samples), samples.subject, NOBODY)

    def fit_run(run):
        train = protocols.rows_of(folds.train, run)
        train = train[stored(samples, train)]
        test = protocols.rows_of(folds.test, run)
        run_blocks = blocks if hidden is None else [hidden[run][None], *blocks]
        clips = Clips(run_blocks, samples.label, subject, classes)
        return fit_fold(clips, train, test, settings, seed=int(folds.seed[run]))

    runs = len(folds.fold)
    parallel = Parallel(machine.cores(), prefer='threads', return_as='generator')
    fitting = parallel(delayed(fit_run)(run) for run in range(runs))
    scores = np.zeros((*folds.test.index.shape, classes), np.float32)
    svms = []
    progress = tqdm(fitting, desc='support vector machines', total=runs, mininterval=1)
    for run, (run_scores, run_svms) in enumerate(progress):
        scores[run, : len(run_scores)] = run_scores
        svms.append(run_svms)
    return held_out.in_stored_order(scores[:, None], folds), svms


def penultimate(learner: Learner) -> Learner:
    """Return the learner with another prediction: its last hidden layer, [B, D]."""

    def predict_features(state, inputs):
        _, out = learner.predict(state, inputs)
        return out['features'], {}

    return learner._replace(predict=predict_features)


def by_run(outputs: np.ndarray, folds: Folds, count: int) -> np.ndarray:
    """Bring the outputs for every row from data set order into that of the runs.

    Args:
        outputs: [R, D], see held_out.order; each run predicts all rows.
        folds: all runs.
        count: N, rows of the data set.

    Returns:
        [F, N, D].
    """
    runs = len(folds.fold)
    ordered = np.zeros((runs, count, outputs.shape[-1]), outputs.dtype)
    run = np.repeat(np.arange(runs), count)
    row = np.tile(np.arange(count), runs)
    sequence = np.lexsort((run, row, folds.seed[run]))
    ordered[run[sequence], row[sequence]] = outputs
    return ordered


def write(folder: Path, svms: list[list[Svm]], folds: Folds, titles: list[str]) -> None:
    """Write heads.csv, a line per SVM, and heads.npz, with the support vectors of each.

    Args:
        folder: of the run.
        svms: of each run.
        folds: all runs.
        titles: of the folds.
    """
    rows, arrays = [], {}
    for run, run_svms in enumerate(svms):
        for place, svm in enumerate(run_svms, 1):
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


def fit_fold(
    clips: Clips, train: np.ndarray, test: np.ndarray, settings: sections.Head, *, seed: int
) -> tuple[np.ndarray, list[Svm]]:
    """Fit the SVMs of one fold, and predict its test rows.

    The top_k SVMs by UF1 of inner folds predict, in the mean of their scores. Where cost and gamma
    have one value each, there are no inner folds.

    Args:
        clips: of the data set.
        train: int[n], rows that the fold trains on.
        test: int[m], rows to predict.
        settings: of section head.
        seed: of the inner folds.

    Returns:
        Scores float32[m, classes], and the SVMs, the best first.
    """
    grid = _grid(settings)
    uf1 = np.full(len(grid), np.nan)
    if len(grid) > 1:
        uf1 = _inner_uf1(clips, train, grid, settings, seed=seed)
    # Of equal ones the first: the widest kernel, the least cost.
    best = np.argsort(-uf1, kind='stable')[: settings.top_k]
    inner_products = products(clips.blocks, train, test, scale=settings.scale)
    scores, svms = [], []
    for place in best:
        svm_scores, svm = _fit(inner_products, clips, train, test, grid[place])
        scores.append(svm_scores)
        svms.append(svm._replace(uf1=float(uf1[place])))
    return np.mean(scores, axis=0), svms


def _grid(settings):
    """The choices to try: from wide to narrow kernels, and from low to high cost."""
    costs = sorted(set(map(float, settings.cost)))
    gammas = sorted(set(map(float, settings.gamma)))
    if settings.kernel != 'rbf':
        gammas = gammas[:1]
    pairs = itertools.product(gammas, costs)
    return [Choice(settings.kernel, cost, gamma) for gamma, cost in pairs]


def _inner_uf1(clips, train, grid, settings, *, seed):
    """UF1 of every choice, float[len(grid)], by SVMs that did not see the predicted subject.

    Images that were generated for the fold belong to no subject: they train in every inner fold
    and are not predicted.
    """
    # Imported here: loading it takes a second, in every run.
    from sklearn.model_selection import StratifiedGroupKFold

    generated = train[clips.subject[train] == NOBODY]
    train = train[clips.subject[train] != NOBODY]
    label, subject = clips.label[train], clips.subject[train]
    folds = _inner_folds(label, subject, settings)
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A class with fewer clips than groups cannot stand in each.
        warnings.simplefilter('ignore', UserWarning)
        splits = list(splitter.split(train, label, subject))
    scores = np.zeros((len(grid), len(clips.label), clips.classes), np.float32)
    for kept, left_out in splits:
        inner_train = np.concatenate([train[kept], generated])
        inner_test = train[left_out]
        inner_products = products(clips.blocks, inner_train, inner_test, scale=settings.scale)
        for place, choice in enumerate(grid):
            scores[place, inner_test], _ = _fit(
                inner_products, clips, inner_train, inner_test, choice
            )
    uf1 = []
    for choice_scores in scores:
        predicted = choice_scores[train].argmax(1)
        uf1.append(summary(confusion(label, predicted, classes=clips.classes))['uf1'])
    return np.array(uf1)


def _inner_folds(label, subject, settings):
    """How many inner folds the training rows allow."""
    subjects = len(np.unique(subject))
    clips = np.bincount(label).max()
    # More groups than clips of the largest class cannot be stratified.
    folds = min(settings.inner_folds, subjects, clips)
    if folds < 2:
        plural = 's' if subjects > 1 else ''
        raise UserError(
            f'head: {subjects} training subject{plural} with up to {clips} clips of a class leave '
            'nobody to choose cost and gamma by; give one value of head.cost and of head.gamma'
        )
    return folds


def products(
    blocks: Sequence[np.ndarray], train: np.ndarray, test: np.ndarray, *, scale: str
) -> Products:
    """Return the inner products of scaled features.

    Args:
        blocks: features [M, N, D] each.
        train: int[n], rows to which the scale is fitted.
        test: int[m], rows.
        scale: 'none' leaves features alone. 'features' takes from each its mean over the training
            rows and divides by its standard deviation there. 'blocks' besides lets every block
            weigh the same, whatever its length: the mean squared distance of two training clips is
            then 2.
    """
    views = len(blocks[0])
    total = Products(
        train=np.zeros((views * len(train), views * len(train))),
        test=np.zeros((views * len(test), views * len(train))),
        test_length=np.zeros(views * len(test)),
    )
    for block in blocks:
        train_features = np.concatenate(block[:, train]).astype(np.float64)
        test_features = np.concatenate(block[:, test]).astype(np.float64)
        spread = None
        if scale != 'none':
            mean, spread = _mean_and_spread(train_features)
            train_features = (train_features - mean) / spread
            test_features = (test_features - mean) / spread
        share = 1
        if scale == 'blocks':
            share = max(1, np.isfinite(spread).sum()) * len(blocks)
        total.train[:] += train_features @ train_features.T / share
        total.test[:] += test_features @ train_features.T / share
        total.test_length[:] += np.sum(test_features**2, 1) / share
    return total


def _mean_and_spread(features):
    """Mean and standard deviation of each feature; infinity where it is constant in training."""
    mean, spread = features.mean(0), features.std(0)
    varies = spread > 1e-6 * np.abs(mean) + 1e-12
    return mean, np.where(varies, spread, np.inf)


def kernels(inner_products: Products, kernel: str, gamma: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the kernel of training rows with each other, and of test rows with these.

    Args:
        inner_products: of the rows.
        kernel: 'linear': the inner products; 'rbf': exp(-gamma * squared distance).
        gamma: of 'rbf'.
    """
    if kernel == 'linear':
        return inner_products.train, inner_products.test
    train_length = np.diag(inner_products.train)

    def rbf(length, both):
        return np.exp(-gamma * np.maximum(length[:, None] + train_length - 2 * both, 0))

    return (
        rbf(train_length, inner_products.train),
        rbf(inner_products.test_length, inner_products.test),
    )


def _fit(inner_products, clips, train, test, choice):
    """Scores float32[m, classes] of the test rows, in the mean over their views, and the Svm."""
    from sklearn.svm import SVC  # here: loading it takes a second, in every run

    train_kernel, test_kernel = kernels(inner_products, choice.kernel, choice.gamma)
    views = len(train_kernel) // len(train)
    present = np.unique(clips.label[train])
    scores = np.full((views * len(test), clips.classes), NEVER)
    if len(present) == 1:  # there is nothing to separate
        scores[:, present] = 1.0
        return scores[: len(test)].astype(np.float32), _svm(choice, [], np.zeros((0, 0)), [])
    svc = SVC(kernel='precomputed', C=choice.cost, class_weight='balanced')
    svc.fit(train_kernel, np.tile(clips.label[train], views))
    if len(test):  # nobody is held out of a model to ship
        decision = svc.decision_function(test_kernel)
        if decision.ndim == 1:  # of two classes
            decision = np.stack([-decision, decision], -1)
        scores[:, present] = decision
    view, place = np.divmod(svc.support_, len(train))
    support = train[place] + view * len(clips.label)
    mean = scores.reshape(views, len(test), clips.classes).mean(0)
    return mean.astype(np.float32), _svm(choice, support, svc.dual_coef_, svc.intercept_)


def _svm(choice, support, dual, intercept):
    return Svm(
        choice.cost,
        choice.gamma,
        np.nan,
        np.asarray(support, np.int32),
        np.asarray(dual, np.float32),
        np.asarray(intercept, np.float32),
    )
