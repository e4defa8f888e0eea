"""Support vector machines (SVMs) that detect action units.

A fold has one binary, balanced SVM for each unit. All of them share their kernels, and what is
chosen: cost, width and weight of drawn faces are those of the best mean F1 over units in an inner
cross-validation, which leaves out groups of training subjects. A choice for each unit would rest on
the few clips that show a rare one. Rows of which a unit is unknown take no part in its SVM.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mer_jax.classical import svm, threads
from mer_jax.classical.svm import NOBODY, Choice
from mer_jax.evaluation.metrics import nanmean
from mer_jax.evaluation.units import unit_f1
from mer_jax.folds.rows import of_data_set
from mer_jax.runfiles.detectors import DetectorArrays, DetectorRow, DetectorTable, UnitSvms
from mer_jax.settings import sections
from mer_jax.types import Folds, Samples

ABSENT = -1.0  # output of a unit that too few training rows show
TITLE = 'detectors of action units'
FEWEST_PRESENT = 2  # training rows that must show a unit


class Coded(NamedTuple):
    """Features and action units of all clips, for the SVMs of a fold."""

    blocks: Sequence[np.ndarray]  # as in svm.Clips
    units: np.ndarray  # float32[N, A], 1 present, 0 absent, NaN unknown
    subject: np.ndarray  # int[N], or NOBODY
    drawn: int = 0  # so many of the last rows are drawn faces


class Detector(NamedTuple):
    """The SVM of one unit, or the reason why there is none."""

    unit: int  # column of the unit
    clips: int  # training rows of which the unit is known
    present: int  # of these, rows that show it
    choice: Choice | None  # None: too few training rows show it, or all do
    inner_f1: float  # F1 of the inner cross-validation; NaN without one
    support_vectors: int


class Fitted(NamedTuple):
    """What one fold fitted."""

    detectors: list[Detector]  # of each unit, choice after choice
    svms: list[UnitSvms]  # of each choice


class Detected(NamedTuple):
    """Outputs of the detectors of one fold; above 0 a unit is present."""

    train: np.ndarray  # float32[n, A], each by detectors that did not see its subject
    test: np.ndarray  # float32[m, A]
    fitted: Fitted


class UnitSvm(NamedTuple):
    """The fitted SVM of one unit."""

    position: np.ndarray  # int[s], of the support vectors in the kernels of training rows
    dual: np.ndarray  # float64[s]
    intercept: float


def predict(
    blocks: Sequence[np.ndarray],
    hidden: np.ndarray | None,
    samples: Samples,
    folds: Folds,
    settings: sections.Head,
    *,
    classes: int,
    drawn: svm.Drawn | None = None,
) -> tuple[np.ndarray, list[Fitted]]:
    """Fit the detectors of all runs, and predict held-out rows.

    Args:
        blocks: features of clips, [M, N, D] each.
        hidden: float32[F, N, D], the features of each run's network; None without a network.
        samples: all rows, with action units.
        folds: all runs.
        settings: of section head.
        classes: A, the number of units.
        drawn: faces that train beside the clips; None for none.

    Returns:
        Outputs float32[R, A], sorted as held_out.order says; and what each run fitted.

    Raises:
        UserError: features are not finite.
    """
    svm.refuse_not_finite(blocks, hidden)
    units = samples.extras['action_units']

    def fit_run(run: int) -> tuple[np.ndarray, Fitted]:
        clips = svm.clips_of_run(blocks, hidden, samples, run, classes=classes)
        train, test = svm.rows_of_run(samples, folds, run)
        coded = with_drawn(Coded(clips.blocks, units, clips.subject), drawn)
        detected = fit_fold(coded, train, test, settings, seed=int(folds.seed[run]), nested=False)
        return detected.test, detected.fitted

    with threads.products_in_one_thread():
        return svm.over_runs(fit_run, folds, width=classes, title=TITLE)


def outputs_of_runs(
    blocks: Sequence[np.ndarray],
    units: np.ndarray,
    samples: Samples,
    folds: Folds,
    settings: sections.Detectors,
    drawn: svm.Drawn | None = None,
) -> tuple[np.ndarray, list[Fitted]]:
    """Return detector outputs as features of clips, fitted in each run.

    Args:
        blocks: features of clips, [M, N, D] each.
        units: float32[N, A], the target units, NaN unknown.
        samples: all rows.
        folds: all runs.
        settings: of section detectors.
        drawn: faces that train beside the clips; None for none.

    Returns:
        float32[F, N, A]: of training rows by detectors that did not see their subject, of test rows
        by those of all training rows, 0 of rows that take no part in a run; and what each run
        fitted.
    """
    svm.refuse_not_finite(blocks, None)
    subject = np.where(of_data_set(samples), samples.subject, NOBODY)
    coded = with_drawn(Coded(blocks, units, subject), drawn)
    outputs = np.zeros((len(folds.fold), *units.shape), np.float32)

    def fit_run(run: int) -> tuple[np.ndarray, Fitted]:
        train, test = svm.rows_of_run(samples, folds, run)
        detected = fit_fold(coded, train, test, settings, seed=int(folds.seed[run]), nested=True)
        outputs[run, train] = detected.train
        outputs[run, test] = detected.test
        return detected.test, detected.fitted

    with threads.products_in_one_thread():
        _, fitted = svm.over_runs(fit_run, folds, width=units.shape[1], title=TITLE)
    return outputs, fitted


def has_known_unit(coded: Coded, train: np.ndarray) -> np.ndarray:
    """Return which training rows detectors are fitted to: clips with a known unit.

    Args:
        coded: features and action units of all clips.
        train: int[n], training rows of a fold.

    Returns:
        bool[n].
    """
    return ~np.isnan(coded.units[train]).all(1) & (coded.subject[train] != NOBODY)


def stored_outputs(
    coded: Coded,
    train: np.ndarray,
    svms: Sequence[UnitSvms],
    blocks: Sequence[np.ndarray],
    settings: sections.Head | sections.Detectors,
) -> np.ndarray:
    """Detect the units of new clips by SVMs as they were fitted.

    Args:
        coded: features and action units of the data set, without drawn faces.
        train: int[n], training rows of the fold.
        svms: of the fold, at least one.
        blocks: features of the new clips, [M, m, D] each.
        settings: how they were fitted.

    Returns:
        float32[m, A], the mean over choices.
    """
    count = len(coded.units)
    both = [np.concatenate(pair, axis=1) for pair in zip(coded.blocks, blocks, strict=True)]
    new = np.arange(count, count + blocks[0].shape[1])
    of_clips = train[has_known_unit(coded, train)]
    inner_products = svm.products(both, of_clips, new, scale=settings.scale)
    position = np.zeros(count, int)
    position[of_clips] = np.arange(len(of_clips))
    outputs = []
    for one in svms:
        _, kernel = svm.kernels(inner_products, settings.kernel, float(one.gamma))
        view, row = np.divmod(one.support, count)
        columns = view * len(of_clips) + position[row]
        decision = np.full((len(kernel), len(one.count)), ABSENT)
        first = np.concatenate([[0], np.cumsum(one.count)])
        for unit in np.flatnonzero(one.count):
            part = slice(first[unit], first[unit + 1])
            decision[:, unit] = kernel[:, columns[part]] @ one.dual[part] + one.intercept[unit]
        of_views = decision.reshape(-1, len(new), len(one.count))
        outputs.append(of_views.mean(0).astype(np.float32))
    return np.mean(outputs, axis=0).astype(np.float32)


def with_drawn(coded: Coded, drawn: svm.Drawn | None) -> Coded:
    """Return clips with drawn faces as their last rows.

    Args:
        coded: of a run.
        drawn: faces with the same features and units; None for none.
    """
    if drawn is None:
        return coded
    pairs = zip(coded.blocks, drawn.blocks, strict=True)
    return Coded(
        blocks=[np.concatenate(pair, axis=1) for pair in pairs],
        units=np.concatenate([coded.units, drawn.units]),
        subject=np.concatenate([coded.subject, np.full(len(drawn.units), NOBODY)]),
        drawn=len(drawn.units),
    )


def fit_fold(
    coded: Coded,
    train: np.ndarray,
    test: np.ndarray,
    settings: sections.Head | sections.Detectors,
    *,
    seed: int,
    nested: bool,
) -> Detected:
    """Fit the detectors of one fold, and predict its rows.

    The outputs are the mean of the top_k best choices.

    Args:
        coded: features and action units of all clips.
        train: int[n], training rows of the fold; drawn faces train beside them.
        test: int[m], rows to predict.
        settings: how the SVMs are fitted.
        seed: of the draw of the inner folds.
        nested: whether training rows are predicted too, each by detectors of other subjects: those
            of the inner folds, or of all training rows for a subject without a known unit. Where
            not, `train` of the result is of zeros.

    Raises:
        UserError: there are too few training subjects to choose by, or to predict.
    """
    known = has_known_unit(coded, train)
    of_clips, others = train[known], train[~known]
    grid = svm.choices(settings, drawn=coded.drawn > 0)
    of_train = np.zeros((len(train), coded.units.shape[1]), np.float32)
    f1 = np.full((len(grid), coded.units.shape[1]), np.nan)
    best = [0]
    if len(grid) > 1 or nested:
        inner = _inner_outputs(coded, of_clips, train, grid, settings, seed=seed)
        f1 = np.array([unit_f1(coded.units[of_clips], of_rows[known] > 0) for of_rows in inner])
        mean = np.nan_to_num(nanmean(f1, axis=-1))
        # Of equal choices the first one: the widest kernel, then the lowest cost.
        best = np.argsort(-mean, kind='stable')[: settings.top_k]
        of_train = inner[best].mean(0)
    # Subjects without a known unit trained no detector, so all detectors may predict them.
    apart = ~np.isin(coded.subject[others], coded.subject[of_clips])
    apart |= coded.subject[others] == NOBODY
    rows = np.concatenate([others[apart], test])
    with_faces = _with_faces(coded, of_clips)
    inner_products = svm.products(
        coded.blocks, with_faces, rows, scale=settings.scale, drawn=coded.drawn
    )
    outputs, detectors, svms = [], [], []
    for number in best:
        of_choice, of_units = _fit_units(
            svm.kernels(inner_products, grid[number].kernel, grid[number].gamma),
            coded.units[with_faces],
            grid[number],
            coded.drawn,
        )
        outputs.append(of_choice)
        detectors += _detectors(
            coded.units[with_faces], coded.drawn, grid[number], f1[number], of_units
        )
        svms.append(_stored(of_units, grid[number].gamma, with_faces, len(coded.units)))
    mean_output = np.mean(outputs, axis=0).astype(np.float32)
    of_train[np.flatnonzero(~known)[apart]] = mean_output[: apart.sum()]
    of_test = mean_output[apart.sum() :]
    return Detected(of_train.astype(np.float32), of_test, Fitted(detectors, svms))


def _inner_outputs(coded, fitted_rows, train, grid, settings, *, seed):
    """Return outputs of training rows by detectors of other subjects, [len(grid), n, A].

    An inner fold leaves out a group of subjects. Rows of subjects without a known unit stay 0.
    """
    units = coded.units[fitted_rows]
    outputs = np.zeros((len(grid), len(train), units.shape[1]), np.float32)
    splits = svm.inner_splits(
        rarest(units), coded.subject[fitted_rows], settings.inner_folds, seed=seed
    )
    for kept, left_out in splits:
        inner_train = _with_faces(coded, fitted_rows[kept])
        left_out_subjects = np.unique(coded.subject[fitted_rows[left_out]])
        position = np.flatnonzero(np.isin(coded.subject[train], left_out_subjects))
        inner_products = svm.products(
            coded.blocks, inner_train, train[position], scale=settings.scale, drawn=coded.drawn
        )
        for gamma in dict.fromkeys(choice.gamma for choice in grid):
            matrices = svm.kernels(inner_products, settings.kernel, gamma)
            for number, choice in enumerate(grid):
                if choice.gamma == gamma:
                    outputs[number, position], _ = _fit_units(
                        matrices, coded.units[inner_train], choice, coded.drawn
                    )
    return outputs


def _with_faces(coded, rows):
    """Return training rows and, last, those of drawn faces."""
    return np.concatenate([rows, np.arange(len(coded.units) - coded.drawn, len(coded.units))])


def rarest(units: np.ndarray) -> np.ndarray:
    """Return the rarest unit that each row shows, by which groups of rows are made alike.

    Args:
        units: float32[n, A], 1 present, 0 absent, NaN unknown.

    Returns:
        int[n], column of the unit; A where a row shows none.
    """
    count = np.nansum(units, axis=0)
    of_row = np.where(units == 1, count, np.inf)
    return np.where(np.isfinite(of_row).any(1), of_row.argmin(1), units.shape[1])


def _fit_units(matrices, units, choice, drawn):
    """Fit the SVM of each unit to shared kernels.

    Args:
        matrices: kernels [M * n, M * n] of training rows, [M * m, M * n] of rows to predict.
        units: float32[n, A] of the training rows.
        choice: cost, and weight of the drawn faces.
        drawn: so many of the last rows are drawn faces.

    Returns:
        Outputs float32[m, A], the mean over the M views; and the SVM of each unit, None without.
    """
    from sklearn.svm import SVC  # here: loading it takes a second, in every run

    train_kernel, test_kernel = matrices
    views = len(train_kernel) // len(units)
    outputs = np.full((len(test_kernel), units.shape[1]), ABSENT)
    of_units: list[UnitSvm | None] = []
    for column, unit in enumerate(_seen(units, choice, drawn).T):
        if not is_learnable(unit):
            of_units.append(None)
            continue
        known = ~np.isnan(unit)
        rows = np.flatnonzero(np.tile(known, views))
        kernel, label = train_kernel[np.ix_(rows, rows)], np.tile(unit, views)[rows].astype(int)
        if choice.drawn:
            svc = SVC(kernel='precomputed', C=choice.cost)
            faces = int(known[len(unit) - drawn :].sum())
            weight = svm.row_weights(unit[known].astype(int), faces, choice.drawn)
            svc.fit(kernel, label, sample_weight=np.tile(weight, views))
        else:
            svc = SVC(kernel='precomputed', C=choice.cost, class_weight='balanced')
            svc.fit(kernel, label)
        of_units.append(UnitSvm(rows[svc.support_], svc.dual_coef_[0], float(svc.intercept_[0])))
        if len(test_kernel):
            outputs[:, column] = svc.decision_function(test_kernel[:, rows])
    of_views = outputs.reshape(views, -1, units.shape[1])
    return of_views.mean(0).astype(np.float32), of_units


def _stored(of_units, gamma, train, count):
    """Return the SVMs of all units as detectors.npz holds them; count: rows of the data set."""
    fitted = [one for one in of_units if one is not None]
    counts = [0 if one is None else len(one.dual) for one in of_units]
    position = np.concatenate([np.zeros(0, int), *(one.position for one in fitted)])
    view, place = np.divmod(position, len(train))
    return UnitSvms(
        gamma=np.float64(gamma),
        count=np.array(counts, np.int32),
        support=(train[place] + view * count).astype(np.int32),
        dual=np.concatenate([np.zeros(0), *(one.dual for one in fitted)]),
        intercept=np.array([0.0 if one is None else one.intercept for one in of_units]),
    )


def _seen(units, choice, drawn):
    """Return the units that SVMs learn: drawn faces of weight 0 have no known ones."""
    if choice.drawn == 0:
        units = units.copy()
        units[len(units) - drawn :] = np.nan
    return units


def is_learnable(unit: np.ndarray) -> bool:
    """Return whether enough training rows show a unit, and any does not.

    Args:
        unit: float32[n], 1 present, 0 absent, NaN unknown.
    """
    return bool(np.sum(unit == 1) >= FEWEST_PRESENT and np.any(unit == 0))


def _detectors(units, drawn, choice, f1, of_units):
    """Return what was fitted for each unit."""
    detectors = []
    seen = _seen(units, choice, drawn)
    for column, unit in enumerate(units[: len(units) - drawn].T):
        detectors.append(
            Detector(
                unit=column,
                clips=int(np.sum(~np.isnan(unit))),
                present=int(np.sum(unit == 1)),
                choice=choice if is_learnable(seen[:, column]) else None,
                inner_f1=float(f1[column]),
                support_vectors=0 if of_units[column] is None else len(of_units[column].dual),
            )
        )
    return detectors


def arrays(outputs: np.ndarray, fitted: Sequence[Fitted]) -> DetectorArrays:
    """Return the content of detectors.npz.

    Args:
        outputs: float32[F, N, A], of `outputs_of_runs`.
        fitted: what each run fitted.
    """
    svms = {}
    for run, of_run in enumerate(fitted):
        for rank, one in enumerate(of_run.svms, 1):
            svms[run, rank] = one
    return DetectorArrays(outputs, svms)


def table(
    detectors: list[list[Detector]], folds: Folds, titles: Sequence[str], units: Sequence[str]
) -> DetectorTable:
    """Return the content of detectors.csv, a row for each unit of each run.

    Args:
        detectors: of each run.
        folds: all runs.
        titles: of the folds.
        units: names of the units.
    """
    rows = []
    for run, of_run in enumerate(detectors):
        for number, detector in enumerate(of_run):
            choice = detector.choice
            rows.append(
                DetectorRow(
                    title=titles[folds.fold[run]],
                    seed=int(folds.seed[run]),
                    unit=units[detector.unit],
                    place=number // len(units) + 1,
                    clips=detector.clips,
                    present=detector.present,
                    cost=choice and choice.cost,
                    gamma=choice and choice.gamma,
                    inner_f1=None if np.isnan(detector.inner_f1) else detector.inner_f1,
                    support_vectors=detector.support_vectors,
                    drawn_weight=choice and choice.drawn,
                )
            )
    return DetectorTable(tuple(rows))
