"""Scores of spotting: apexes by every decoder, and their errors.

Two decoders that do not look at the clip are always scored beside the spotter: the middle of the
clip, and the one fraction of the clip that fits the training clips of the fold best. On CASME II
the middle alone has a mean error of 8.39 frames, the published spotter 10.28. Errors are averaged
over seeds first, then over clips.
"""

from typing import NamedTuple

import numpy as np

from mer_jax.data import apexes
from mer_jax.data.apexes import BLIND
from mer_jax.errors import UserError
from mer_jax.evaluation import paired
from mer_jax.runfiles.apexes import ApexRow, ApexTable
from mer_jax.runfiles.predictions import FrameRow, FrameTable
from mer_jax.settings import sections
from mer_jax.spotting import decoders
from mer_jax.types import Folds, Names, Predictions, Samples, Timing


class Decoded(NamedTuple):
    """The apexes of all held-out clips, by each decoder.

    Of M rows, those of seed 0 come first, and within a seed those of the first fold.
    """

    clip: np.ndarray  # int32[M], index into Names.clips
    fold: np.ndarray  # int32[M]
    seed: np.ndarray  # int32[M]
    # bool[M]. True: the fold leaves the clip out. False: the apex of the clip is not annotated, so
    # that it never trains and every fold predicts it.
    left_out: np.ndarray
    frame: dict[str, np.ndarray]  # {decoder: int32[M], frame number of the apex}
    curve: list[tuple[np.ndarray, np.ndarray]]  # frame numbers [T] and outputs [T] of each row


class _Fractions(NamedTuple):
    """(apex - onset) / (offset - onset) over the training clips of a run."""

    fraction: float  # with the least mean error in frames
    mean: float
    deviation: float


def decode(
    predictions: Predictions,
    folds: Folds,
    samples: Samples,
    timing: Timing,
    settings: sections.Spotting,
) -> Decoded:
    """Find the apex of every held-out clip, by each decoder.

    Args:
        predictions: a row for each frame; its output is [R, 1].
        folds: all runs.
        samples: all rows.
        timing: key frames of the clips.
        settings: of section spotting.

    Raises:
        UserError: an output is not finite.
    """
    _refuse_diverged(predictions)
    keys = np.stack([predictions.seed, predictions.fold, predictions.clip], 1)
    groups, group_of_row = np.unique(keys, axis=0, return_inverse=True)
    seed, fold, clip = groups.T.reshape(3, -1)
    curves_of_groups = _curves(predictions, group_of_row.ravel(), len(groups))
    onset, offset = timing.onset[clip], timing.offset[clip]
    fractions_of_run = _fractions(folds, samples, timing)
    fractions = [fractions_of_run[run] for run in zip(seed.tolist(), fold.tolist(), strict=True)]
    fraction = np.array([of_run.fraction for of_run in fractions])
    frame = {name: [] for name in ('max', 'sw_max', 'template')}
    for (numbers, values), first, last, of_run in zip(
        curves_of_groups, onset, offset, fractions, strict=True
    ):
        frame['max'].append(numbers[decoders.largest(values)])
        frame['sw_max'].append(numbers[decoders.window_peak(values, width=settings.window)])
        apex = decoders.fit_curve(
            numbers,
            values,
            onset=first,
            offset=last,
            width=settings.window,
            prior=(of_run.mean, of_run.deviation),
            label=settings.label,
            steepness=settings.steepness,
            sigma=settings.sigma,
        )
        frame['template'].append(apex)
    frame['midpoint'] = apexes.middle(onset, offset)
    frame['fraction'] = onset + np.round(fraction * (offset - onset))
    subject = _subjects_of_clips(predictions, len(timing.apex))[clip]
    subject_trains = _is_trained(folds, samples, seed, fold, subject)
    return Decoded(
        clip=clip,
        fold=fold,
        seed=seed,
        left_out=~(subject_trains & (timing.apex[clip] < 0)),
        frame={name: np.asarray(frames).astype(np.int32) for name, frames in frame.items()},
        curve=curves_of_groups,
    )


def _refuse_diverged(predictions):
    """Refuse outputs that are not finite."""
    finite = np.isfinite(predictions.output).all(-1)
    if not finite.all():
        row = np.argmin(finite)
        raise UserError(
            f'fold {predictions.fold[row]}, seed {predictions.seed[row]}: outputs are not '
            'finite, so training diverged; a smaller learning rate may help'
        )


def _curves(predictions, group_of_row, groups):
    """Return frame numbers and outputs of each group of rows.

    They are in the order of the frames.
    """
    if not groups:
        return []
    order = np.lexsort((predictions.frame, group_of_row))
    ends = np.cumsum(np.bincount(group_of_row, minlength=groups))
    curves_of_groups = []
    for rows in np.split(order, ends[:-1]):
        curves_of_groups.append((predictions.frame[rows], predictions.output[rows, 0]))
    return curves_of_groups


def _fractions(folds, samples, timing):
    """Return {(seed, fold): the _Fractions of its training clips}."""
    fractions = {}
    for run, key in enumerate(zip(folds.seed.tolist(), folds.fold.tolist(), strict=True)):
        rows = folds.train.index[run][folds.train.mask[run] > 0]
        clip = np.unique(samples.clip[rows])
        onset, apex, offset = timing.onset[clip], timing.apex[clip], timing.offset[clip]
        of_clips = (apex - onset) / (offset - onset)
        fitted = decoders.fitted_fraction(onset, apex, offset)
        # At least 0.02, so that fit_curve does not divide by 0 where all fractions are equal.
        fractions[key] = _Fractions(fitted, of_clips.mean(), max(of_clips.std(), 0.02))
    return fractions


def _subjects_of_clips(predictions, clips):
    """Return the subject of each clip; -1 where it is not predicted."""
    subject = np.full(clips, -1)
    subject[predictions.clip] = predictions.subject
    return subject


def _is_trained(folds, samples, seed, fold, subject):
    """Return whether clips of a subject train in a run, bool[M].

    The run is given by its seed and its fold.
    """
    subjects_of_run = {}
    for run, key in enumerate(zip(folds.seed.tolist(), folds.fold.tolist(), strict=True)):
        rows = folds.train.index[run][folds.train.mask[run] > 0]
        subjects_of_run[key] = set(samples.subject[rows].tolist())
    runs = zip(seed.tolist(), fold.tolist(), subject.tolist(), strict=True)
    return np.array([number in subjects_of_run[s, f] for s, f, number in runs], bool)


def score(
    decoded: Decoded,
    timing: Timing,
    names: Names,
    clip_subject: np.ndarray,
    clip_dataset: np.ndarray,
) -> dict[str, dict]:
    """Score each decoder on the clips whose apex is annotated.

    Args:
        decoded: apexes of the held-out clips.
        timing: key frames of the clips.
        names: names of the data sets.
        clip_subject: int[clips], subject of each clip.
        clip_dataset: int[clips], data set of each clip.

    Returns:
        A dictionary for each decoder; none where no apex is annotated. 'mae' and 'interval': mean
        absolute error in frames, and its interval by bootstrap over test subjects. 'mae_ms' and
        'interval_ms': the same in milliseconds. 'sd': standard deviation of the error over seeds.
        'per_dataset': the same for each data set. 'against': difference to 'midpoint' and to
        'fraction' (negative: better), its interval and p value, paired by subject.
    """
    scored = decoded.left_out & (timing.apex[decoded.clip] >= 0)
    clips = np.unique(decoded.clip[scored])
    if not len(clips):
        return {}
    subject, dataset, fps = clip_subject[clips], clip_dataset[clips], timing.fps[clips]
    errors = {
        name: _errors(decoded, frames, scored, clips, timing)
        for name, frames in decoded.frame.items()
    }
    means = {name: error.mean(0) for name, error in errors.items()}
    blocks = {}
    for name, error in errors.items():
        of_seeds = error.mean(1)
        blocks[name] = {
            **_block(means[name], subject, dataset, fps),
            'sd': float(of_seeds.std(ddof=1)) if len(of_seeds) > 1 else None,
            'per_dataset': _per_dataset(means[name], subject, dataset, fps, names),
            'against': _against(name, means, subject, dataset),
        }
    return blocks


def _errors(decoded, frames, scored, clips, timing):
    """Return the error of each apex in frames, float64[seeds, clips]."""
    seeds, seed = np.unique(decoded.seed[scored], return_inverse=True)
    clip = decoded.clip[scored]
    errors = np.full((len(seeds), len(clips)), np.nan)
    errors[seed, np.searchsorted(clips, clip)] = np.abs(frames[scored] - timing.apex[clip])
    return errors


def _per_dataset(error, subject, dataset, fps, names):
    """Return the errors of each data set."""
    blocks = {}
    for number in np.unique(dataset):
        rows = dataset == number
        block = _block(error[rows], subject[rows], dataset[rows], fps[rows])
        blocks[names.datasets[number]] = {'clips': int(np.sum(rows)), **block}
    return blocks


def _against(name, means, subject, dataset):
    """Compare a decoder with those that do not look at the clip."""
    tests = {}
    for simple in BLIND:
        if simple != name:
            tests[simple] = paired.mean_test(means[simple], means[name], subject, dataset)
    return tests


def _block(error, subject, dataset, fps):
    """Return the mean error and its interval.

    In frames and, where all clips have a frame rate, in milliseconds.
    """
    mean, edges = paired.bootstrap_mean(error, subject, dataset)
    block = {'mae': mean, 'interval': edges, 'mae_ms': None, 'interval_ms': None}
    if np.all(fps > 0):
        in_ms = error * 1000 / fps
        block['mae_ms'], block['interval_ms'] = paired.bootstrap_mean(in_ms, subject, dataset)
    return block


def curves(
    decoded: Decoded, names: Names, clip_subject: np.ndarray, clip_dataset: np.ndarray
) -> FrameTable:
    """Return the outputs for all frames of held-out clips.

    Args:
        decoded: apexes of the held-out clips.
        names: of clips, subjects and data sets.
        clip_subject: int[clips], subject of each clip.
        clip_dataset: int[clips], data set of each clip.
    """
    rows = []
    for i, clip in enumerate(decoded.clip):
        subject = names.subjects[clip_subject[clip]]
        dataset = names.datasets[clip_dataset[clip]]
        for frame, output in zip(*decoded.curve[i], strict=True):
            row = FrameRow(
                clip=names.clips[clip],
                subject=subject,
                dataset=dataset,
                fold=int(decoded.fold[i]),
                seed=int(decoded.seed[i]),
                frame=int(frame),
                output=float(output),
            )
            rows.append(row)
    return FrameTable(tuple(rows))


def table(
    decoded: Decoded,
    timing: Timing,
    names: Names,
    titles: list[str],
    clip_subject: np.ndarray,
    clip_dataset: np.ndarray,
) -> ApexTable:
    """Return the apexes of held-out clips by each decoder.

    Args:
        decoded: apexes of the held-out clips.
        timing: of the clips.
        names: names of clips, subjects and data sets.
        titles: titles of the folds.
        clip_subject: int[clips], subject of each clip.
        clip_dataset: int[clips], data set of each clip.
    """
    rows = []
    for i, clip in enumerate(decoded.clip):
        fold, apex = int(decoded.fold[i]), int(timing.apex[clip])
        row = ApexRow(
            clip=names.clips[clip],
            subject=names.subjects[clip_subject[clip]],
            dataset=names.datasets[clip_dataset[clip]],
            fold=fold,
            title=titles[fold],
            seed=int(decoded.seed[i]),
            left_out=bool(decoded.left_out[i]),
            onset=int(timing.onset[clip]),
            apex=apex if apex >= 0 else None,
            offset=int(timing.offset[clip]),
            predicted={name: int(frames[i]) for name, frames in decoded.frame.items()},
        )
        rows.append(row)
    return ApexTable(tuple(decoded.frame), tuple(rows))
