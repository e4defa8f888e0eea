"""Held-out outputs of a spotter -> an answer a clip by every decision, errors in frames and ms, and
what they gain (numpy only).

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
from mer_jax.types import Array


class Answers(NamedTuple):
    """One row for every clip that a run held out (M), seed after seed, then fold after fold."""

    clip: Array  # int32[M], index into Names.clips
    fold: Array  # int32[M]
    seed: Array  # int32[M]
    # bool[M]: the clip's subject is left out in that fold (else the clip cannot train and every
    # fold answers)
    own: Array
    frame: dict  # decision -> int32[M], the number of the frame
    curve: list  # (frame numbers [T], outputs [T]) of each row


def answers(predictions, folds, samples, timing, settings: sections.Spotting) -> Answers:
    """What a spotter and the two simple ways answer for every clip that is held out.

    predictions: rows of `held_out.predictions`, one a frame, output [R, 1]; settings: of section
    spotting. UserError where an output is not finite.
    """
    label = {
        'label': settings.label,
        'steepness': settings.steepness,
        'sigma': settings.sigma,
    }
    finite = np.isfinite(predictions.output).all(-1)
    if not finite.all():
        row = np.argmin(finite)
        raise UserError(
            f'fold {predictions.fold[row]}, seed {predictions.seed[row]}: outputs are not '
            'finite, so training '
            'diverged; a smaller learning rate may help'
        )
    keys = np.stack([predictions.seed, predictions.fold, predictions.clip], 1)
    groups, of_row = np.unique(keys, axis=0, return_inverse=True)
    order = np.lexsort((predictions.frame, of_row.ravel()))
    places = (
        np.split(order, np.cumsum(np.bincount(of_row.ravel(), minlength=len(groups)))[:-1])
        if len(groups)
        else []
    )
    seed, fold, clip = groups.T.reshape(3, -1)
    onset, offset = timing.onset[clip], timing.offset[clip]
    curve = [(predictions.frame[place], predictions.output[place, 0]) for place in places]
    fits = _fits(folds, samples, timing)
    fitted = [fits[key] for key in zip(seed.tolist(), fold.tolist(), strict=True)]
    made = {
        'max': [number[decoders.largest(value)] for number, value in curve],
        'sw_max': [
            number[decoders.window(value, width=settings.window)] for number, value in curve
        ],
        'template': [
            decoders.template(
                number, value, onset=first, offset=last, width=settings.window, prior=prior, **label
            )
            for (number, value), first, last, (_, *prior) in zip(
                curve, onset, offset, fitted, strict=True
            )
        ],
    }
    fraction = np.array([one[0] for one in fitted])
    made |= {
        'midpoint': apexes.middle(onset, offset),
        'fraction': onset + np.round(fraction * (offset - onset)),
    }
    return Answers(
        clip,
        fold,
        seed,
        ~_trained(folds, samples, seed, fold, clip, predictions, timing),
        {name: np.asarray(frames).astype(np.int32) for name, frames in made.items()},
        curve,
    )


def _fits(folds, samples, timing):
    """{(seed, fold): (best fraction, mean and standard deviation of the apex's place)} of that
    run's training clips.
    """
    found = {}
    for seed, fold, index, mask in zip(
        folds.seed, folds.fold, folds.train.index, folds.train.mask, strict=True
    ):
        clip = np.unique(samples.clip[index[mask > 0]])
        onset, apex, offset = timing.onset[clip], timing.apex[clip], timing.offset[clip]
        place = (apex - onset) / (offset - onset)
        found[int(seed), int(fold)] = (
            decoders.fitted_fraction(onset, apex, offset),
            place.mean(),
            max(place.std(), 0.02),
        )
    return found


def score(found: Answers, timing, names, clip_subject, clip_dataset) -> dict:
    """{decision: mae, interval, sd, mae_ms, interval_ms, per_dataset, against} of clips whose apex
    is known; {} of none.

    clip_subject, clip_dataset: int[clips]. Intervals: bootstrap over subjects; against: {midpoint,
    fraction: difference (negative: better), interval, p}, paired by subject (see paired.means).
    """
    known = found.own & (timing.apex[found.clip] >= 0)
    seeds, clips = np.unique(found.seed[known]), np.unique(found.clip[known])
    if not len(clips):
        return {}
    fps = timing.fps[clips]
    subject, dataset = clip_subject[clips], clip_dataset[clips]
    error = {
        name: _errors(found, frames, known, seeds, clips, timing)
        for name, frames in found.frame.items()
    }
    blocks = {}
    for name, each in error.items():
        mean = each.mean(0)
        blocks[name] = {
            **_block(mean, subject, fps),
            'sd': float(each.mean(1).std(ddof=1)) if len(seeds) > 1 else None,
            'per_dataset': {
                names.datasets[d]: {
                    'clips': int(np.sum(dataset == d)),
                    **_block(mean[dataset == d], subject[dataset == d], fps[dataset == d]),
                }
                for d in np.unique(dataset)
            },
            'against': {
                simple: paired.means(error[simple].mean(0), mean, subject)
                for simple in BLIND
                if simple != name
            },
        }
    return blocks


def curves(found: Answers, names, clip_subject, clip_dataset) -> FrameTable:
    """The output of the spotter at every frame of every held-out clip."""
    rows = []
    for clip, fold, seed, (frames, outputs) in zip(
        found.clip, found.fold, found.seed, found.curve, strict=True
    ):
        subject = names.subjects[clip_subject[clip]]
        dataset = names.datasets[clip_dataset[clip]]
        for frame, output in zip(frames, outputs, strict=True):
            row = FrameRow(
                clip=names.clips[clip],
                subject=subject,
                dataset=dataset,
                fold=int(fold),
                seed=int(seed),
                frame=int(frame),
                output=float(output),
            )
            rows.append(row)
    return FrameTable(tuple(rows))


def table(found: Answers, timing, names, titles, clip_subject, clip_dataset) -> ApexTable:
    """Who answers what for which clip, the frame numbers of the clip beside it."""
    rows = []
    for row, (clip, fold, seed, own) in enumerate(
        zip(found.clip, found.fold, found.seed, found.own, strict=True)
    ):
        apex = int(timing.apex[clip])
        rows.append(
            ApexRow(
                clip=names.clips[clip],
                subject=names.subjects[clip_subject[clip]],
                dataset=names.datasets[clip_dataset[clip]],
                fold=int(fold),
                title=titles[fold],
                seed=int(seed),
                left_out=bool(own),
                onset=int(timing.onset[clip]),
                apex=apex if apex >= 0 else None,
                offset=int(timing.offset[clip]),
                answers={name: int(frames[row]) for name, frames in found.frame.items()},
            )
        )
    return ApexTable(tuple(found.frame), tuple(rows))


def _errors(found, frames, known, seeds, clips, timing):
    """float64[seeds, clips]: frames between answer and apex."""
    off = np.full((len(seeds), len(clips)), np.nan)
    place = np.searchsorted(seeds, found.seed[known]), np.searchsorted(clips, found.clip[known])
    off[place] = np.abs(frames[known] - timing.apex[found.clip[known]])
    return off


def _block(error, subject, fps):
    """mae and interval in frames and, where every clip tells its frame rate, in ms."""
    mean, edges = paired.mean(error, subject)
    block = {'mae': mean, 'interval': edges, 'mae_ms': None, 'interval_ms': None}
    if np.all(fps > 0):
        block['mae_ms'], block['interval_ms'] = paired.mean(error * 1000 / fps, subject)
    return block


def _trained(folds, samples, seed, fold, clip, predictions, timing):
    """bool[M]: whether other clips of that subject train in the run, which then holds the clip out
    only for want of an apex.
    """
    subject_of = dict(zip(predictions.clip.tolist(), predictions.subject.tolist(), strict=True))
    seen = {
        (int(s), int(f)): set(samples.subject[index[mask > 0]].tolist())
        for s, f, index, mask in zip(
            folds.seed, folds.fold, folds.train.index, folds.train.mask, strict=True
        )
    }
    return np.array(
        [
            timing.apex[c] < 0 and subject_of[c] in seen[s, f]
            for s, f, c in zip(seed.tolist(), fold.tolist(), clip.tolist(), strict=True)
        ],
        bool,
    )
