"""From held-out outputs of a spotter to apexes by every decoder, and their errors (numpy only).

The middle of the clip, and the one fraction that fits a fold's training clips best, always stand
beside the spotter: the middle alone is nearer than the published one (8.39 frames on CASME II
against 10.28). An error is averaged over seeds first, then over clips.
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
    """A row for every clip that a run held out (M), seed after seed, then fold after fold."""

    clip: np.ndarray  # int32[M], index into Names.clips
    fold: np.ndarray  # int32[M]
    seed: np.ndarray  # int32[M]
    # bool[M]: whether the clip's subject is left out in that fold; else the clip cannot train, and
    # every fold predicts its apex
    left_out: np.ndarray
    frame: dict[str, np.ndarray]  # decoder -> int32[M], the number of the frame
    curve: list[tuple[np.ndarray, np.ndarray]]  # frame numbers [T] and outputs [T] of each row


class _Place(NamedTuple):
    """Where apexes lie in the training clips of a run, from 0, the onset, to 1, the offset."""

    fraction: float  # that fits the clips best
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
        predictions: a row for each frame, output [R, 1].
        folds: all runs.
        samples: all rows.
        timing: of the clips.
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
    place_of_run = _places(folds, samples, timing)
    places = [place_of_run[run] for run in zip(seed.tolist(), fold.tolist(), strict=True)]
    fraction = np.array([place.fraction for place in places])
    frame = {name: [] for name in ('max', 'sw_max', 'template')}
    for (numbers, values), first, last, place in zip(
        curves_of_groups, onset, offset, places, strict=True
    ):
        frame['max'].append(numbers[decoders.largest(values)])
        frame['sw_max'].append(numbers[decoders.window_peak(values, width=settings.window)])
        apex = decoders.fit_curve(
            numbers,
            values,
            onset=first,
            offset=last,
            width=settings.window,
            prior=(place.mean, place.deviation),
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
    finite = np.isfinite(predictions.output).all(-1)
    if not finite.all():
        row = np.argmin(finite)
        raise UserError(
            f'fold {predictions.fold[row]}, seed {predictions.seed[row]}: outputs are not '
            'finite, so training diverged; a smaller learning rate may help'
        )


def _curves(predictions, group_of_row, groups):
    """(frame numbers, outputs) of each group of rows, in order of frame."""
    if not groups:
        return []
    order = np.lexsort((predictions.frame, group_of_row))
    ends = np.cumsum(np.bincount(group_of_row, minlength=groups))
    curves_of_groups = []
    for rows in np.split(order, ends[:-1]):
        curves_of_groups.append((predictions.frame[rows], predictions.output[rows, 0]))
    return curves_of_groups


def _places(folds, samples, timing):
    """{(seed, fold): the _Place of apexes in the training clips of that run}."""
    places = {}
    for run, key in enumerate(zip(folds.seed.tolist(), folds.fold.tolist(), strict=True)):
        rows = folds.train.index[run][folds.train.mask[run] > 0]
        clip = np.unique(samples.clip[rows])
        onset, apex, offset = timing.onset[clip], timing.apex[clip], timing.offset[clip]
        place = (apex - onset) / (offset - onset)
        fraction = decoders.fitted_fraction(onset, apex, offset)
        places[key] = _Place(fraction, place.mean(), max(place.std(), 0.02))
    return places


def _subjects_of_clips(predictions, clips):
    subject = np.full(clips, -1)
    subject[predictions.clip] = predictions.subject
    return subject


def _is_trained(folds, samples, seed, fold, subject):
    """bool[M]: whether clips of the subject train in the run, given by its seed and fold."""
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
        timing: of the clips.
        names: of the data sets.
        clip_subject: int[clips], subject of each clip.
        clip_dataset: int[clips], data set of each clip.

    Returns:
        {decoder: block}, {} where no apex is annotated. mae and interval: mean absolute error in
        frames and its interval by bootstrap over subjects; mae_ms and interval_ms: the same in
        milliseconds; sd: over seeds; per_dataset; against: for 'midpoint' and 'fraction' the
        difference (negative: better), interval and p, paired by subject.
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
            **_block(means[name], subject, fps),
            'sd': float(of_seeds.std(ddof=1)) if len(of_seeds) > 1 else None,
            'per_dataset': _per_dataset(means[name], subject, dataset, fps, names),
            'against': _against(name, means, subject),
        }
    return blocks


def _errors(decoded, frames, scored, clips, timing):
    """float64[seeds, clips]: frames between the predicted and the annotated apex."""
    seeds, seed = np.unique(decoded.seed[scored], return_inverse=True)
    clip = decoded.clip[scored]
    errors = np.full((len(seeds), len(clips)), np.nan)
    errors[seed, np.searchsorted(clips, clip)] = np.abs(frames[scored] - timing.apex[clip])
    return errors


def _per_dataset(error, subject, dataset, fps, names):
    blocks = {}
    for number in np.unique(dataset):
        rows = dataset == number
        block = _block(error[rows], subject[rows], fps[rows])
        blocks[names.datasets[number]] = {'clips': int(np.sum(rows)), **block}
    return blocks


def _against(name, means, subject):
    """The decoder against those that do not look at the clip."""
    tests = {}
    for simple in BLIND:
        if simple != name:
            tests[simple] = paired.mean_test(means[simple], means[name], subject)
    return tests


def _block(error, subject, fps):
    """mae and interval in frames and, where every clip has its frame rate, in milliseconds."""
    mean, edges = paired.bootstrap_mean(error, subject)
    block = {'mae': mean, 'interval': edges, 'mae_ms': None, 'interval_ms': None}
    if np.all(fps > 0):
        block['mae_ms'], block['interval_ms'] = paired.bootstrap_mean(error * 1000 / fps, subject)
    return block


def curves(
    decoded: Decoded, names: Names, clip_subject: np.ndarray, clip_dataset: np.ndarray
) -> FrameTable:
    """Return the output of the spotter at every frame of every held-out clip.

    Args:
        decoded: apexes of the held-out clips.
        names: of clips, subjects and data sets.
        clip_subject: int[clips], subject of each clip.
        clip_dataset: int[clips], data set of each clip.
    """
    rows = []
    for place, clip in enumerate(decoded.clip):
        subject = names.subjects[clip_subject[clip]]
        dataset = names.datasets[clip_dataset[clip]]
        for frame, output in zip(*decoded.curve[place], strict=True):
            row = FrameRow(
                clip=names.clips[clip],
                subject=subject,
                dataset=dataset,
                fold=int(decoded.fold[place]),
                seed=int(decoded.seed[place]),
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
    """Return the apex of every held-out clip by each decoder, beside the annotated one.

    Args:
        decoded: apexes of the held-out clips.
        timing: of the clips.
        names: of clips, subjects and data sets.
        titles: of the folds.
        clip_subject: int[clips], subject of each clip.
        clip_dataset: int[clips], data set of each clip.
    """
    rows = []
    for place, clip in enumerate(decoded.clip):
        fold, apex = int(decoded.fold[place]), int(timing.apex[clip])
        row = ApexRow(
            clip=names.clips[clip],
            subject=names.subjects[clip_subject[clip]],
            dataset=names.datasets[clip_dataset[clip]],
            fold=fold,
            title=titles[fold],
            seed=int(decoded.seed[place]),
            left_out=bool(decoded.left_out[place]),
            onset=int(timing.onset[clip]),
            apex=apex if apex >= 0 else None,
            offset=int(timing.offset[clip]),
            predicted={name: int(frames[place]) for name, frames in decoded.frame.items()},
        )
        rows.append(row)
    return ApexTable(tuple(decoded.frame), tuple(rows))
