"""Support vector machines (SVMs) on features, by scikit-learn.

They replace a network's last layer, or the whole network. All that is fitted or chosen
(standardisation, cost, width of the kernel) sees the training rows of the fold alone. Cost and
width are chosen by an inner cross-validation, which leaves out groups of training subjects.
"""

import itertools
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from tqdm import tqdm

from mer_jax.classical import threads
from mer_jax.errors import UserError
from mer_jax.evaluation.metrics import confusion, summary
from mer_jax.folds import protocols
from mer_jax.folds.rows import of_data_set, stored
from mer_jax.runfiles.svms import SupportVectors, SvmArrays, SvmRow, SvmTable
from mer_jax.settings import sections
from mer_jax.training import held_out
from mer_jax.types import Array, Folds, FoldState, Inputs, Learner, Out, Samples

Fitted = TypeVar('Fitted')

NOBODY = -1  # subject of a row that is no clip of the data set
NEVER = -2.0  # score of a class without training rows, below all other scores


class Clips(NamedTuple):
    """Features and labels of all clips, for the SVMs of a fold."""

    # Each feature, float[M, N, D]: of the clips and, where M is 2, of their mirror images, which
    # train and are predicted as well.
    blocks: Sequence[np.ndarray]
    label: np.ndarray  # int[N]
    subject: np.ndarray  # int[N], or NOBODY
    classes: int
    drawn: int = 0  # so many of the last rows are drawn faces


class Drawn(NamedTuple):
    """Drawn faces, which train beside the clips of every fold."""

    blocks: Sequence[np.ndarray]  # as of Clips
    label: np.ndarray  # int[N]
    units: np.ndarray  # float32[N, A], of the units to detect; NaN for one that is never drawn


class Choice(NamedTuple):
    """What is chosen for one SVM."""

    kernel: str  # 'linear' or 'rbf'
    cost: float
    gamma: float  # of 'rbf'
    drawn: float | None = None  # weight of drawn faces; None without any


class Products(NamedTuple):
    """Inner products of scaled features, float64.

    All rows of the first view come before those of the second.
    """

    train: np.ndarray  # [M * n, M * n], of training rows with each other
    test: np.ndarray  # [M * m, M * n], of test rows with training rows
    test_length: np.ndarray  # [M * m], squared lengths of test rows


class Svm(NamedTuple):
    """One fitted support vector machine."""

    cost: float
    gamma: float
    uf1: float  # of the inner cross-validation; NaN where there was one choice only
    support: np.ndarray  # int32[s], rows of the support vectors; of mirror images, row + N
    dual: np.ndarray  # float32[classes - 1, s]
    intercept: np.ndarray  # float32[pairs of classes]
    training_accuracy: float = np.nan  # on the rows it was fitted to; NaN of inner folds
    drawn: float | None = None  # weight of drawn faces, on whom it has no accuracy
    member: str | None = None  # of a stack, as in head.members; 'ridge' of regressions alone


class Decisions(NamedTuple):
    """What the SVMs of one fold say of its rows, in the mean of the best choices."""

    # float32[n, K], of the training rows that have a subject, each by SVMs of other subjects; None
    # where they were not computed
    train: np.ndarray | None
    test: np.ndarray  # float32[m, K]
    svms: list[Svm]  # the best first


class Stored(NamedTuple):
    """A support vector machine as heads.csv and heads.npz hold it."""

    choice: Choice
    vectors: SupportVectors


class LinearSvm(NamedTuple):
    """A linear support vector machine as weights, without the rows that it was fitted to.

    The scale of the features, fitted to the training rows, is part of the weights.
    """

    weight: np.ndarray  # float64[pairs, D], of pairs of classes: (0, 1), (0, 2), ..., (1, 2), ...
    intercept: np.ndarray  # float64[pairs]
    present: np.ndarray  # int32[k], the classes with training rows


def predict(
    blocks: Sequence[np.ndarray],
    hidden: np.ndarray | None,
    samples: Samples,
    folds: Folds,
    settings: sections.Head,
    *,
    classes: int,
    drawn: Drawn | None = None,
) -> tuple[np.ndarray, list[list[Svm]]]:
    """Fit the SVMs of all runs, and predict held-out rows.

    Runs are fitted in parallel. Copies and mixtures of a fold (`Resampled`) take no part.

    Args:
        blocks: features of clips, [M, N, D] each.
        hidden: float32[F, N, D], the features of each run's network; None without a network.
        samples: all rows.
        folds: all runs.
        settings: of section head.
        classes: K.
        drawn: faces that train beside the clips; None for none.

    Returns:
        Scores float32[R, K], sorted as held_out.order says; and the SVMs of each run.

    Raises:
        UserError: features are not finite.
    """
    refuse_not_finite(blocks, hidden)

    def fit_run(run: int) -> tuple[np.ndarray, list[Svm]]:
        clips = clips_of_run(blocks, hidden, samples, run, classes=classes)
        if drawn is not None:
            clips = with_drawn(clips, drawn)
        train, test = rows_of_run(samples, folds, run)
        return fit_fold(clips, train, test, settings, seed=int(folds.seed[run]))

    return over_runs(fit_run, folds, width=classes)


def refuse_not_finite(blocks: Sequence[np.ndarray], hidden: np.ndarray | None) -> None:
    """Refuse features that are not finite.

    Args:
        blocks: as in `predict`.
        hidden: as in `predict`.

    Raises:
        UserError: says whose they are.
    """
    if hidden is not None and not np.isfinite(hidden).all():
        raise UserError(
            'head: features of the network are not finite, so training diverged; a smaller '
            'learning rate may help'
        )
    if not all(np.isfinite(block).all() for block in blocks):
        raise UserError('head: features of clips are not finite; build the data set again')


def over_runs(
    fit_run: Callable[[int], tuple[np.ndarray, Fitted]],
    folds: Folds,
    *,
    width: int,
    title: str = 'support vector machines',
) -> tuple[np.ndarray, list[Fitted]]:
    """Fit all runs, in parallel.

    Args:
        fit_run: number of a run -> the scores [m, width] of its test rows, and what was fitted.
        folds: all runs.
        width: scores of a row.
        title: of the progress bar.

    Returns:
        Scores float32[R, width], sorted as held_out.order says; and what was fitted in each run.
    """
    runs = len(folds.fold)
    fitting = threads.mapped(fit_run, range(runs))
    scores = np.zeros((*folds.test.index.shape, width), np.float32)
    fitted = []
    progress = tqdm(fitting, desc=title, total=runs, mininterval=1)
    for run, (run_scores, of_run) in enumerate(progress):
        scores[run, : len(run_scores)] = run_scores
        fitted.append(of_run)
    return held_out.in_stored_order(scores[:, None], folds), fitted


def clips_of_run(
    blocks: Sequence[np.ndarray],
    hidden: np.ndarray | None,
    samples: Samples,
    run: int,
    *,
    classes: int,
) -> Clips:
    """Return what the SVMs of one run can see of all clips.

    Args:
        blocks: as in `predict`.
        hidden: as in `predict`.
        samples: all rows.
        run: number of the run.
        classes: K.
    """
    run_blocks = blocks if hidden is None else [hidden[run][None], *blocks]
    subject = np.where(of_data_set(samples), samples.subject, NOBODY)
    return Clips(run_blocks, samples.label, subject, classes)


def with_drawn(clips: Clips, drawn: Drawn) -> Clips:
    """Return clips with drawn faces as their last rows.

    Args:
        clips: of a run.
        drawn: faces with the same features.
    """
    pairs = zip(clips.blocks, drawn.blocks, strict=True)
    return Clips(
        blocks=[np.concatenate(pair, axis=1) for pair in pairs],
        label=np.concatenate([clips.label, drawn.label]),
        subject=np.concatenate([clips.subject, np.full(len(drawn.label), NOBODY)]),
        classes=clips.classes,
        drawn=len(drawn.label),
    )


def rows_of_run(samples: Samples, folds: Folds, run: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows that the SVMs of one run are fitted to, and those that they predict.

    Args:
        samples: all rows.
        folds: all runs.
        run: number of the run.

    Returns:
        int[n], without copies and mixtures; int[m].
    """
    train = protocols.rows_of(folds.train, run)
    return train[stored(samples, train)], protocols.rows_of(folds.test, run)


def penultimate(learner: Learner) -> Learner:
    """Return the learner, predicting its last hidden layer [B, D]."""

    def predict_features(state: FoldState, inputs: Inputs) -> tuple[Array, Out]:
        _, out = learner.predict(state, inputs)
        return out['features'], {}

    return learner._replace(predict=predict_features)


def by_run(outputs: np.ndarray, folds: Folds, count: int) -> np.ndarray:
    """Sort outputs by run: the inverse of held_out.order.

    Args:
        outputs: [R, D], sorted as held_out.order says, where each run predicts all rows.
        folds: all runs.
        count: N, number of rows of the data set.

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


def table(svms: list[list[Svm]], folds: Folds, titles: Sequence[str]) -> SvmTable:
    """Return the content of heads.csv, a line for each SVM.

    Args:
        svms: of each run.
        folds: all runs.
        titles: of the folds.
    """
    rows = []
    for run, run_svms in enumerate(svms):
        for rank, svm in enumerate(run_svms, 1):
            row = SvmRow(
                title=titles[folds.fold[run]],
                seed=int(folds.seed[run]),
                place=rank,
                cost=svm.cost,
                gamma=svm.gamma,
                inner_uf1=None if np.isnan(svm.uf1) else svm.uf1,
                support_vectors=len(svm.support),
                training_accuracy=svm.training_accuracy,
                drawn_weight=svm.drawn,
                member=svm.member,
            )
            rows.append(row)
    return SvmTable(tuple(rows))


def arrays(svms: list[list[Svm]]) -> SvmArrays:
    """Return the content of heads.npz: the support vectors of the SVMs of each run."""
    vectors = {}
    for run, run_svms in enumerate(svms):
        for rank, svm in enumerate(run_svms, 1):
            vectors[run, rank] = SupportVectors(svm.support, svm.dual, svm.intercept)
    return SvmArrays(vectors)


def fit_fold(
    clips: Clips, train: np.ndarray, test: np.ndarray, settings: sections.Head, *, seed: int
) -> tuple[np.ndarray, list[Svm]]:
    """Fit the SVMs of one fold, and predict its test rows.

    Args and what is fitted are those of `decide`.

    Returns:
        Scores float32[m, K]; and the SVMs, the best first.
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
    """Fit the SVMs of one fold, and predict its rows.

    The scores are the mean of the top_k SVMs by the UF1 of an inner cross-validation. Where cost
    and gamma have one value each, there is no such choice.

    Args:
        clips: features and labels of all clips.
        train: int[n], training rows of the fold; drawn faces train beside them.
        test: int[m], rows to predict.
        settings: of section head.
        seed: of the draw of the inner folds.
        nested: whether training rows are predicted too, each by the SVMs of the inner fold that
            leaves its subject out.
    """
    grid = choices(settings, drawn=clips.drawn > 0)
    of_clips = train
    if clips.drawn:
        train = np.concatenate([train, np.arange(len(clips.label) - clips.drawn, len(clips.label))])
    uf1, inner = np.full(len(grid), np.nan), None
    if len(grid) > 1 or nested:
        score = partial(_scores_of, clips, grid=grid, scale=settings.scale)
        rows, inner = scores_by_groups(clips, train, score, folds=settings.inner_folds, seed=seed)
        uf1 = uf1_of_choices(inner, clips.label[rows])
    # Of choices with equal UF1 the first one: the widest kernel, then the lowest cost.
    best = np.argsort(-uf1, kind='stable')[: settings.top_k]
    inner_products = products(clips.blocks, train, test, scale=settings.scale, drawn=clips.drawn)
    scores, svms = [], []
    for number in best:
        svm_scores, svm = _fit(inner_products, clips, train, test, grid[number])
        scores.append(svm_scores)
        of_training, _ = _fit(_training_alone(inner_products), clips, train, train, grid[number])
        right = of_training.argmax(1) == clips.label[train]
        accuracy = float(np.mean(right[: len(of_clips)]))
        svms.append(svm._replace(uf1=float(uf1[number]), training_accuracy=accuracy))
    of_train = inner[best].mean(0) if nested else None
    return Decisions(of_train, np.mean(scores, axis=0), svms)


def predict_by(
    clips: Clips, train: np.ndarray, test: np.ndarray, choices: Sequence[Choice], *, scale: str
) -> np.ndarray:
    """Fit SVMs of given choices, and predict rows in the mean of their scores.

    Args:
        clips: of the data set; rows to predict may stand behind its labelled ones.
        train: int[n], rows that the SVMs are fitted to.
        test: int[m], rows to predict.
        choices: of the SVMs.
        scale: as of products.

    Returns:
        Scores float32[m, classes].
    """
    inner_products = products(clips.blocks, train, test, scale=scale)
    scores = [_fit(inner_products, clips, train, test, choice)[0] for choice in choices]
    return np.mean(scores, axis=0)


def _training_alone(inner_products):
    """Products with the training rows in place of the test rows."""
    train = inner_products.train
    return Products(train, train, np.diag(train))


def choices(settings: sections.Head | sections.Detectors, *, drawn: bool = False) -> list[Choice]:
    """Return the choices to try.

    They go from wide to narrow kernels, for each from low to high cost, and for each from low to
    high weight of drawn faces.

    Args:
        settings: of the SVMs.
        drawn: whether drawn faces train beside the clips.
    """
    costs = sorted(set(map(float, settings.cost)))
    gammas = sorted(set(map(float, settings.gamma)))
    if settings.kernel != 'rbf':
        gammas = gammas[:1]
    pairs = itertools.product(gammas, costs)
    grid = [Choice(settings.kernel, cost, gamma) for gamma, cost in pairs]
    if not drawn:
        return grid
    weights = sorted(set(map(float, settings.drawn_weight)))
    return [choice._replace(drawn=weight) for choice in grid for weight in weights]


def scores_by_groups(
    clips: Clips,
    train: np.ndarray,
    score: Callable[[np.ndarray, np.ndarray], np.ndarray],
    *,
    folds: int,
    seed: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Predict training rows by each choice, in a cross-validation.

    An inner fold leaves out a group of training subjects. Generated images and drawn faces have no
    subject: they train in every inner fold and are not predicted.

    Args:
        clips: features and labels of all clips.
        train: int[n], training rows of the fold.
        score: (rows that train, rows to predict) -> [C, m, K], scores of m rows by C choices.
        folds: inner folds.
        seed: of their draw.

    Returns:
        int[n'], the training rows that have a subject; their scores [C, n', K].
    """
    generated = train[clips.subject[train] == NOBODY]
    train = train[clips.subject[train] != NOBODY]
    splits = inner_splits(clips.label[train], clips.subject[train], folds, seed=seed)
    parts = []
    for kept, left_out in splits:
        parts.append(score(np.concatenate([train[kept], generated]), train[left_out]))
    order = np.argsort(np.concatenate([left_out for _, left_out in splits]))
    return train, np.concatenate(parts, axis=1)[:, order]


def _scores_of(clips, train, test, grid, *, scale):
    """float32[len(grid), m, K]: fit SVMs by each choice, and predict test rows."""
    inner_products = products(clips.blocks, train, test, scale=scale, drawn=clips.drawn)
    fitted = [_fit(inner_products, clips, train, test, choice) for choice in grid]
    return np.array([scores for scores, _ in fitted], np.float32)


def uf1_of_choices(scores: np.ndarray, label: np.ndarray) -> np.ndarray:
    """Return the UF1 of each of C choices, float64[C].

    Args:
        scores: [C, n, K], of rows by each choice.
        label: int[n].
    """
    uf1 = []
    for of_choice in scores:
        counts = confusion(label, of_choice.argmax(1), classes=scores.shape[-1])
        uf1.append(summary(counts)['uf1'])
    return np.array(uf1)


def inner_splits(
    label: np.ndarray, subject: np.ndarray, folds: int, *, seed: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Divide training rows into groups of subjects, with classes in similar shares.

    Args:
        label: int[n].
        subject: int[n].
        folds: number of groups, or fewer where the rows allow no more.
        seed: of the draw.

    Returns:
        (rows kept, rows left out) of each group.

    Raises:
        UserError: the rows cannot be divided.
    """
    # Imported here: loading it takes a second, in every run.
    from sklearn.model_selection import StratifiedGroupKFold

    groups = _inner_folds(label, subject, folds)
    splitter = StratifiedGroupKFold(groups, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # scikit-learn warns where a class has fewer clips than there are groups.
        warnings.simplefilter('ignore', UserWarning)
        return list(splitter.split(label, label, subject))


def _inner_folds(label, subject, most):
    """Return how many inner folds the training rows allow."""
    subjects = len(np.unique(subject))
    clips = np.bincount(label).max()
    # StratifiedGroupKFold refuses more groups than the largest class has clips.
    folds = min(most, subjects, clips)
    if folds < 2:
        plural = 's' if subjects > 1 else ''
        raise UserError(
            f'head: {subjects} training subject{plural} with up to {clips} clips of a class leave '
            'nobody to choose cost and gamma by; give one value of head.cost and of head.gamma'
        )
    return folds


def products(
    blocks: Sequence[np.ndarray],
    train: np.ndarray,
    test: np.ndarray,
    *,
    scale: str,
    drawn: int = 0,
) -> Products:
    """Return the inner products of scaled features.

    Args:
        blocks: features [M, N, D] each.
        train: int[n], training rows; the scale is fitted to them.
        test: int[m], rows to predict.
        scale: 'none' leaves features as they are. 'features' standardises each by its mean and its
            standard deviation over the training rows. 'blocks' also divides each block by its
            length, so that all blocks count the same; the mean squared distance of two training
            clips is then 2.
        drawn: so many of the last training rows are drawn faces, which the scale is not fitted to.
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
        fitted = train_features
        if drawn:
            fitted = np.concatenate(block[:, train[:-drawn]]).astype(np.float64)
        mean, spread, share = _fit_scale(fitted, scale, len(blocks))
        train_features = (train_features - mean) / spread
        test_features = (test_features - mean) / spread
        total.train[:] += train_features @ train_features.T / share
        total.test[:] += test_features @ train_features.T / share
        total.test_length[:] += np.sum(test_features**2, 1) / share
    return total


def scaled(
    blocks: Sequence[np.ndarray], train: np.ndarray, rows: np.ndarray, *, scale: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return scaled features, all rows of the first view before those of the second.

    Their inner products are those of `products`.

    Args:
        blocks: features [M, N, D] each.
        train: int[n], training rows; the scale is fitted to them.
        rows: int[m], rows to predict.
        scale: as of `products`.

    Returns:
        float64[M * n, D] and float64[M * m, D], all blocks side by side.
    """
    of_train, of_rows = [], []
    for block in blocks:
        train_features = np.concatenate(block[:, train]).astype(np.float64)
        features = np.concatenate(block[:, rows]).astype(np.float64)
        mean, spread, share = _fit_scale(train_features, scale, len(blocks))
        of_train.append((train_features - mean) / spread / np.sqrt(share))
        of_rows.append((features - mean) / spread / np.sqrt(share))
    return np.concatenate(of_train, axis=1), np.concatenate(of_rows, axis=1)


def without_scale(
    weight: np.ndarray,
    intercept: np.ndarray,
    blocks: Sequence[np.ndarray],
    train: np.ndarray,
    *,
    scale: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Return weights of features as they are, of weights of scaled features.

    Args:
        weight: float64[k, D], of all blocks side by side, scaled as by `scaled`.
        intercept: float64[k].
        blocks: features [M, N, D] each.
        train: int[n], training rows; the scale is fitted to them.
        scale: as of `products`.

    Returns:
        Weights float64[k, D] and intercepts float64[k], by which features have the same decisions.
    """
    first, weights = 0, []
    for block in blocks:
        features = np.concatenate(block[:, train]).astype(np.float64)
        mean, spread, share = _fit_scale(features, scale, len(blocks))
        width = block.shape[-1]
        of_block = weight[:, first : first + width] / (spread * np.sqrt(share))
        intercept = intercept - np.sum(of_block * mean, axis=1)
        weights.append(of_block)
        first += width
    return np.concatenate(weights, axis=1), intercept


def _fit_scale(features, scale, blocks):
    """Return mean and spread of each feature, and what inner products are divided by."""
    if scale == 'none':
        return 0.0, 1.0, 1
    mean, spread = _mean_and_spread(features)
    share = 1
    if scale == 'blocks':
        share = max(1, np.isfinite(spread).sum()) * blocks
    return mean, spread, share


def _mean_and_spread(features):
    """Return mean and standard deviation of each feature.

    The deviation is infinite where a feature is constant: it then counts as 0.
    """
    mean, spread = features.mean(0), features.std(0)
    varies = spread > 1e-6 * np.abs(mean) + 1e-12
    return mean, np.where(varies, spread, np.inf)


def kernels(inner_products: Products, kernel: str, gamma: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the kernels of training rows, and of test rows with them.

    Args:
        inner_products: of the rows.
        kernel: 'linear': the inner products; 'rbf': exp(-gamma * squared distance).
        gamma: of 'rbf'.
    """
    if kernel == 'linear':
        return inner_products.train, inner_products.test
    train_length = np.diag(inner_products.train)

    def rbf(length: np.ndarray, both: np.ndarray) -> np.ndarray:
        return np.exp(-gamma * np.maximum(length[:, None] + train_length - 2 * both, 0))

    return (
        rbf(train_length, inner_products.train),
        rbf(inner_products.test_length, inner_products.test),
    )


def _fit(inner_products, clips, train, test, choice):
    """Fit one SVM.

    Returns:
        Scores float32[m, K] of the test rows, the mean over their views; and the Svm.
    """
    from sklearn.svm import SVC  # here: loading it takes a second, in every run

    if choice.drawn == 0:
        inner_products, train = _without_drawn(inner_products, train, clips.drawn)
    train_kernel, test_kernel = kernels(inner_products, choice.kernel, choice.gamma)
    views = len(train_kernel) // len(train)
    present = np.unique(clips.label[train])
    scores = np.full((views * len(test), clips.classes), NEVER)
    if len(present) == 1:  # there is nothing to separate
        scores[:, present] = 1.0
        return scores[: len(test)].astype(np.float32), record(choice, [], np.zeros((0, 0)), [])
    label = np.tile(clips.label[train], views)
    if choice.drawn:
        svc = SVC(kernel='precomputed', C=choice.cost)
        weight = row_weights(clips.label[train], clips.drawn, choice.drawn)
        svc.fit(train_kernel, label, sample_weight=np.tile(weight, views))
    else:
        svc = SVC(kernel='precomputed', C=choice.cost, class_weight='balanced')
        svc.fit(train_kernel, label)
    if len(test):  # protocol all_rows tests none
        decision = svc.decision_function(test_kernel)
        if decision.ndim == 1:  # of two classes
            decision = np.stack([-decision, decision], -1)
        scores[:, present] = decision
    view, position = np.divmod(svc.support_, len(train))
    support = train[position] + view * len(clips.label)
    mean = scores.reshape(views, len(test), clips.classes).mean(0)
    return mean.astype(np.float32), record(choice, support, svc.dual_coef_, svc.intercept_)


def _without_drawn(inner_products, train, drawn):
    """Return products and training rows without the drawn faces, which come last in each view."""
    count = len(train) - drawn
    kept = np.tile(np.arange(len(train)) < count, len(inner_products.train) // len(train))
    # where training rows are predicted, as for their accuracy, they stay among these
    products_of_clips = inner_products._replace(
        train=inner_products.train[np.ix_(kept, kept)], test=inner_products.test[:, kept]
    )
    return products_of_clips, train[:count]


def row_weights(label: np.ndarray, drawn: int, weight: float) -> np.ndarray:
    """Return weights of training rows by which all classes count the same.

    It is what class_weight='balanced' gives, where a drawn face counts as `weight` of a clip.

    Args:
        label: int[n], of the rows.
        drawn: so many of the last rows are drawn faces.
        weight: of a drawn face.
    """
    weights = np.ones(len(label))
    weights[len(label) - drawn :] = weight
    of_class = np.bincount(label, weights)
    present = np.count_nonzero(of_class)
    return weights * weights.sum() / (present * of_class[label])


def linear(clips: Clips, train: np.ndarray, stored: Stored, *, scale: str) -> LinearSvm:
    """Return a linear SVM as weights.

    Args:
        clips: of the data set.
        train: int[n], rows that it was fitted to.
        stored: the SVM as it was fitted; its kernel is 'linear'.
        scale: as of products.
    """
    present = np.unique(clips.label[train]).astype(np.int32)
    width = sum(block.shape[-1] for block in clips.blocks)
    if len(present) == 1:  # there was nothing to separate
        return LinearSvm(np.zeros((0, width)), np.zeros(0), present)
    columns, of_pairs = _coefficients(clips, train, stored.vectors, present)
    intercept, weights = stored.vectors.intercept.astype(np.float64), []
    for block in clips.blocks:
        features = np.concatenate(block[:, train]).astype(np.float64)
        mean, spread, share = _fit_scale(features, scale, len(clips.blocks))
        weight = of_pairs @ ((features - mean) / spread)[columns] / (spread * share)
        intercept = intercept - np.sum(weight * mean, axis=1)
        weights.append(weight)
    return LinearSvm(np.concatenate(weights, axis=1), intercept, present)


def _coefficients(clips, train, vectors, present):
    """Return the support vectors of an SVM among its training rows, and their coefficients.

    Args:
        clips: of the data set.
        train: int[n], training rows.
        vectors: the SVM as it was fitted.
        present: int[k], classes of the training rows, two or more.

    Returns:
        int[s], positions among all views of the training rows; float64[pairs, s].
    """
    position = np.zeros(len(clips.label), int)
    position[train] = np.arange(len(train))
    view, row = np.divmod(vectors.support, len(clips.label))
    counts = [np.sum(clips.label[row] == number) for number in present]
    of_pairs = _of_pairs(vectors.dual.astype(np.float64), counts)
    return view * len(train) + position[row], of_pairs


def _of_pairs(dual, counts):
    """Sort the coefficients of scikit-learn's SVC by pairs of classes.

    Args:
        dual: [k - 1, s]: for a support vector of class i, the row of class j is j below i, else
            j - 1.
        counts: [k], support vectors of each class, which follow each other.

    Returns:
        [pairs, s]; for two classes those of the decision for the second one.
    """
    if len(counts) == 2:
        return dual
    first = np.concatenate([[0], np.cumsum(counts)])
    pairs = []
    for i, j in itertools.combinations(range(len(counts)), 2):
        row = np.zeros(dual.shape[1])
        row[first[i] : first[i + 1]] = dual[j - 1, first[i] : first[i + 1]]
        row[first[j] : first[j + 1]] = dual[i, first[j] : first[j + 1]]
        pairs.append(row)
    return np.array(pairs)


def linear_scores(svm: LinearSvm, blocks: Sequence[np.ndarray], *, classes: int) -> np.ndarray:
    """Return the scores of clips by a linear SVM.

    Of more than two classes a score is the number of pairs that a class wins, and a fraction by how
    far it wins them: decision_function of scikit-learn's SVC.

    Args:
        svm: the SVM.
        blocks: features [M, N, D] each, as it was fitted to.
        classes: K.

    Returns:
        float32[N, K], the mean over the M views.
    """
    features = np.concatenate(blocks, axis=-1).astype(np.float64)
    decision = features @ svm.weight.T + svm.intercept
    return _of_decisions(decision, svm.present, classes).mean(0).astype(np.float32)


def stored_scores(
    clips: Clips, rows: tuple[np.ndarray, np.ndarray], svms: Sequence[Stored], *, scale: str
) -> np.ndarray:
    """Predict rows by SVMs as they were fitted, in the mean of their scores.

    To fit them again would give nearly the same: libsvm stops at a tolerance.

    Args:
        clips: of the data set; rows to predict may stand behind its labelled ones.
        rows: int[n], rows that the SVMs were fitted to; int[m], rows to predict.
        svms: at least one.
        scale: as of products.

    Returns:
        Scores float32[m, classes].
    """
    train, test = rows
    inner_products = products(clips.blocks, train, test, scale=scale)
    views, present = len(clips.blocks[0]), np.unique(clips.label[train])
    scores = []
    for choice, vectors in svms:
        _, kernel = kernels(inner_products, choice.kernel, choice.gamma)
        decision = np.zeros((len(kernel), 0))
        if len(present) > 1:
            columns, of_pairs = _coefficients(clips, train, vectors, present)
            decision = kernel[:, columns] @ of_pairs.T + vectors.intercept
        of_svm = _of_decisions(decision, present, clips.classes)
        scores.append(of_svm.reshape(views, len(test), clips.classes).mean(0))
    return np.mean(scores, axis=0).astype(np.float32)


def _of_decisions(decision, present, classes):
    """Return scores [..., K] of decisions [..., pairs]: decision_function of scikit-learn's SVC."""
    count = len(present)
    scores = np.full((*decision.shape[:-1], classes), NEVER)
    if count == 1:  # there was nothing to separate
        scores[..., present] = 1.0
    elif count == 2:
        scores[..., present] = np.concatenate([-decision, decision], axis=-1)
    else:
        votes, sums = np.zeros((2, *decision.shape[:-1], count))
        for number, (i, j) in enumerate(itertools.combinations(range(count), 2)):
            wins = decision[..., number] >= 0
            votes[..., i] += wins
            votes[..., j] += ~wins
            sums[..., i] += decision[..., number]
            sums[..., j] -= decision[..., number]
        scores[..., present] = votes + sums / (3 * (np.abs(sums) + 1))
    return scores


def record(choice: Choice, support: ArrayLike, dual: ArrayLike, intercept: ArrayLike) -> Svm:
    """Return what is kept of a fitted classifier.

    Args:
        choice: that it was fitted with.
        support: as in Svm.
        dual: as in Svm.
        intercept: as in Svm.
    """
    return Svm(
        choice.cost,
        choice.gamma,
        np.nan,
        np.asarray(support, np.int32),
        np.asarray(dual, np.float32),
        np.asarray(intercept, np.float32),
        drawn=choice.drawn,
    )
