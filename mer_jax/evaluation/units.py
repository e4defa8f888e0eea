"""Scores of detected action units, for results.json.

A unit is detected in a row where its output is above 0. Entries whose truth is unknown (NaN) count
nowhere. A score is computed for each seed on the predictions of all folds together, then averaged
over seeds. A unit that no held-out clip shows has no score and stands in no mean. Scores equal
f1_score and average_precision_score of scikit-learn.
"""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
from scipy import special

from mer_jax.errors import UserError
from mer_jax.evaluation import UNIT_METRICS, bootstrap, paired
from mer_jax.evaluation.metrics import nanmean, spread, to_json
from mer_jax.types import Names, Predictions

HITS, ALARMS, MISSES, REJECTIONS = range(4)  # columns of counts
# what each metric is compared with: {metric: (key in `baselines`, measure of the baseline)}
COMPARED = {
    'f1': ('most_frequent', 'most_frequent_f1'),
    'macro_f1': ('most_frequent', 'most_frequent_macro_f1'),
    'average_precision': ('chance', 'chance_average_precision'),
}
TITLES = 5  # so many folds are named in a note
ALL_UNITS = (
    'The rule of the public code of CD6ME: every target unit counts in every mean, with F1 0 where '
    'no clip shows it; the macro F1 of such a unit is then 1 where it is never predicted.'
)


class Held(NamedTuple):
    """Held-out rows of all seeds, with their truth."""

    predictions: Predictions  # output [R, A]; above 0 the unit is detected
    truth: np.ndarray  # float32[R, A], 1 present, 0 absent, NaN unknown
    most_frequent: np.ndarray  # bool[R, A], what the baseline of the row's fold detects


class _Ranking(NamedTuple):
    """Rows of one seed in which a unit is known, at P thresholds from the largest down.

    The thresholds are the outputs of the rows that show the unit: precision counts at no other.
    """

    subject: np.ndarray  # int[n]
    present: np.ndarray  # bool[n]
    first: np.ndarray  # int[n], the first threshold that detects each row; P: none does
    thresholds: int  # P


class _Table(NamedTuple):
    """What scores are computed from, by subject."""

    dataset: np.ndarray  # int[S], of each subject
    counts: np.ndarray  # int64[S, seeds, A, 4], see HITS
    most_frequent: np.ndarray  # int64[S, seeds, A, 4], of the baseline
    rankings: list[list[_Ranking]]  # [seeds][A]
    clips: float  # rows of a seed


def most_frequent(truth: np.ndarray) -> np.ndarray:
    """Return the units that the baseline detects in every clip.

    They are the most frequent units of the training rows, as many as a training clip shows on
    average, and one at least.

    Args:
        truth: float32[n, A] of training rows, 1 present, 0 absent, NaN unknown.

    Returns:
        bool[A].
    """
    share = np.nan_to_num(nanmean(np.asarray(truth, np.float64), axis=0))
    count = max(1, int(np.floor(share.sum() + 0.5)))
    chosen = np.zeros(len(share), bool)
    chosen[np.argsort(-share, kind='stable')[:count]] = True
    return chosen & (share > 0)


def unit_f1(truth: np.ndarray, detected: np.ndarray) -> np.ndarray:
    """Return F1 of each unit, float64[A]; NaN where no row shows it.

    Args:
        truth: float[n, A], 1 present, 0 absent, NaN unknown.
        detected: bool[n, A].
    """
    counts = _counts(truth, detected, (np.zeros(len(truth), int),), (1,))[0]
    shown = counts[:, HITS] + counts[:, MISSES] > 0
    return np.where(shown, _f1(counts), np.nan)


class Shared(NamedTuple):
    """Clips that two systems tested."""

    truth: np.ndarray  # float32[N, A], 1 present, 0 absent, NaN unknown
    subject: np.ndarray  # int[N], number of the subject
    dataset: np.ndarray  # [S], of each subject


def difference(
    shared: Shared,
    first: np.ndarray,
    second: np.ndarray,
    units: Sequence[str],
    *,
    draws: int = 2000,
) -> dict[str, dict]:
    """Subtract each score of the first system from the second's, with tests by subject.

    Interval and p are as in paired.difference. Systems may have outputs of other scales, so the
    average precision of a permutation ranks the clips by their rank among those of their system.
    Systems of different numbers of seeds are joined seed by seed, the fewer ones again and again.

    Args:
        shared: the clips of both.
        first, second: outputs float[R, N, A] of R seeds; above 0 a unit is detected.
        units: the names of the outputs.
        draws: number of draws of subjects, and of permutations.

    Returns:
        {metric: {difference, interval, p}} of means over units, and the same for each unit that a
        clip shows under 'metric unit'.
    """
    table = _joined(shared, first, second)
    shown = _shown(table)

    def statistic(of_first: np.ndarray, of_second: np.ndarray) -> dict[str, np.ndarray]:
        measured = _scores(table, np.concatenate([of_first, of_second], axis=1))
        values = {}
        for metric in UNIT_METRICS:
            values[metric] = _mean(measured[metric])
            for unit in shown:
                values[f'{metric} {units[unit]}'] = nanmean(measured[metric][..., unit], axis=-1)
        return values

    clips = np.bincount(shared.subject, minlength=len(shared.dataset))
    return paired.joint_test(statistic, clips, shared.dataset, draws=draws)


def score(held: Held, names: Names) -> dict:
    """Compute all scores of a run that detects action units.

    Subjects of two data sets are different even where their names are equal. Without predictions
    every score is None.

    Args:
        held: predictions of all folds and seeds, their truth, and the baseline.
        names: `classes` are the units, one for each output.

    Returns:
        The entries of results.json with scores: metrics (UNIT_METRICS, means over units), sd (over
        seeds), intervals (95 %, over test subjects, given these trainings); per_unit; per_dataset;
        dataset_means, the mean over data sets of their means over units, and all_units, the means
        by the rule of CD6ME (both None for one data set); baselines.

    Raises:
        UserError: an output is not finite, which means that a fold diverged.
    """
    _refuse_infinite(held.predictions)
    table = _table(held, slice(None))
    of_data_set = {
        int(dataset): _table(held, held.predictions.dataset == dataset)
        for dataset in np.unique(held.predictions.dataset)
    }
    observed = _observed(table)
    edges = _intervals(table, names.classes)
    several = len(of_data_set) > 1
    return {
        'metrics': _means(observed),
        'sd': {name: to_json(spread(nanmean(observed[name], axis=-1))) for name in UNIT_METRICS},
        'intervals': {name: edges.get(name) for name in UNIT_METRICS},
        'per_unit': _per_unit(table, observed, edges, names.classes),
        'per_dataset': {
            names.datasets[dataset]: _of_data_set(part, names.classes)
            for dataset, part in of_data_set.items()
        },
        'dataset_means': _dataset_means(table, of_data_set) if several else None,
        'all_units': _all_units(table, of_data_set) if several else None,
        'baselines': _baselines(observed, edges),
    }


def unseen(trained: Mapping[str, np.ndarray], names: Names) -> dict[str, list[str]]:
    """Return the units that a fold cannot learn, because no training clip shows them.

    Args:
        trained: truth of the training rows float32[n, A] of each fold, by its title.
        names: `classes` are the units.

    Returns:
        {unit: titles of the folds}, for units of which there are any.
    """
    folds = {}
    for column, unit in enumerate(names.classes):
        titles = [title for title, truth in trained.items() if not (truth[:, column] == 1).any()]
        if titles:
            folds[unit] = titles
    return folds


def notes(
    truth: np.ndarray, dataset: np.ndarray, unseen: Mapping[str, Sequence[str]], names: Names
) -> list[str]:
    """Say which units are not scored or cannot be learned, one sentence for each reason.

    Args:
        truth: float32[N, A] of all rows of the data, 1 present, 0 absent, NaN unknown.
        dataset: int[N], of each row.
        unseen: of `unseen`.
        names: of units and data sets.
    """
    units_of_text, several = {}, len(np.unique(dataset)) > 1
    for column, unit in enumerate(names.classes):
        showing = np.unique(dataset[truth[:, column] == 1])
        titles = unseen.get(unit, ())
        texts = []
        if not len(showing):
            texts.append('no clip shows it, so that it has no score and stands in no mean')
        elif several and len(showing) == 1:
            texts.append(f'{names.datasets[showing[0]]} alone shows it')
        if len(showing) and titles:
            folds = ', '.join(titles[:TITLES]) + (', ...' if len(titles) > TITLES else '')
            texts.append(
                f'no training clip of {len(titles)} of the folds ({folds}) shows it; they can '
                'predict it absent alone'
            )
        for text in texts:
            units_of_text.setdefault(text, []).append(unit)
    return [f'{", ".join(units)}: {text}.' for text, units in units_of_text.items()]


def _refuse_infinite(predictions):
    bad = np.flatnonzero(~np.isfinite(predictions.output).all(-1))
    if len(bad):
        raise UserError(
            f'fold {predictions.fold[bad[0]]}, seed {predictions.seed[bad[0]]}: outputs are not '
            'finite, so training diverged; a smaller learning rate may help'
        )


def _table(held, rows):
    """The table of some of the rows."""
    predictions = held.predictions
    truth = held.truth[rows]
    output = predictions.output[rows]
    seeds = np.unique(predictions.seed)
    seed = np.searchsorted(seeds, predictions.seed[rows])
    pairs = np.stack([predictions.dataset[rows], predictions.subject[rows]], 1)
    subjects, subject = np.unique(pairs, axis=0, return_inverse=True)
    subject = subject.reshape(-1)
    groups = len(subjects), len(seeds)
    rankings = []
    for number in range(len(seeds)):
        of_seed = seed == number
        columns = zip(truth[of_seed].T, output[of_seed].T, strict=True)
        rankings.append([_ranking(subject[of_seed], *column) for column in columns])
    return _Table(
        dataset=subjects[:, 0],
        counts=_counts(truth, output > 0, (subject, seed), groups),
        most_frequent=_counts(truth, held.most_frequent[rows], (subject, seed), groups),
        rankings=rankings,
        clips=len(seed) / max(len(seeds), 1),
    )


def _joined(shared, first, second):
    """The table of two systems; subjects of the second follow those of the first."""
    subjects = len(shared.dataset)
    subject = np.concatenate([shared.subject, shared.subject + subjects])
    truth = np.concatenate([shared.truth, shared.truth])
    ranks = [_ranks(output, shared.truth) for output in (first, second)]
    pairs = math.lcm(len(first), len(second))
    counts, rankings = [], []
    for pair in range(pairs):
        seeds = pair % len(first), pair % len(second)
        output = np.concatenate([first[seeds[0]], second[seeds[1]]])
        ranked = np.concatenate([ranks[0][seeds[0]], ranks[1][seeds[1]]])
        counts.append(_counts(truth, output > 0, (subject,), (2 * subjects,)))
        rankings.append(
            [_ranking(subject, *column) for column in zip(truth.T, ranked.T, strict=True)]
        )
    joined = np.stack(counts, axis=1)
    return _Table(
        dataset=np.concatenate([shared.dataset, shared.dataset]),
        counts=joined,
        most_frequent=np.zeros_like(joined),
        rankings=rankings,
        clips=len(shared.subject),
    )


def _ranks(output, truth):
    """The rank of each output among the clips in which the unit is known, float64[R, N, A]."""
    from scipy import stats  # here: loading it takes .4 s, in every run and report

    known = np.where(np.isnan(truth), np.nan, output)
    return stats.rankdata(known, axis=1, nan_policy='omit')


def _counts(truth, detected, keys, groups):
    """Counts int64[*groups, A, 4]; keys: indices of the rows."""
    kinds = np.zeros((*truth.shape, 4), np.int64)
    kinds[..., HITS] = (truth == 1) & detected
    kinds[..., ALARMS] = (truth == 0) & detected
    kinds[..., MISSES] = (truth == 1) & ~detected
    kinds[..., REJECTIONS] = (truth == 0) & ~detected
    counts = np.zeros((*groups, truth.shape[1], 4), np.int64)
    np.add.at(counts, keys, kinds)
    return counts


def _ranking(subject, truth, output):
    """The ranking of one unit, from columns of its rows."""
    known = ~np.isnan(truth)
    present = truth[known] == 1
    falling = -output[known]
    thresholds = np.unique(falling[present])
    first = np.searchsorted(thresholds, falling)
    return _Ranking(subject[known], present, first, len(thresholds))


def _measures(table, weights):
    """{measure: float64[D, seeds, A]} for weights of the subjects [D, S]; NaN where undefined.

    They are the scores, and what they are compared with.
    """
    counts = np.tensordot(weights, table.most_frequent.astype(np.float64), 1)
    present = counts[..., HITS] + counts[..., MISSES]
    known, showing = table.counts.sum(-1), table.counts[..., HITS] + table.counts[..., MISSES]
    chance = np.full(present.shape, np.nan)
    for seed, unit in np.ndindex(present.shape[1:]):
        of_subjects = showing[:, seed, unit], known[:, seed, unit]
        chance[:, seed, unit] = random_precision(weights, *of_subjects)
    baselines = {
        'most_frequent_f1': _f1(counts),
        'most_frequent_macro_f1': _macro_f1(counts),
        'chance_average_precision': chance,
    }
    return _scores(table, weights) | _where_shown(baselines, present)


def _scores(table, weights):
    """{metric: float64[D, seeds, A]} for weights of the subjects [D, S]; NaN where undefined."""
    counts = np.tensordot(weights, table.counts.astype(np.float64), 1)
    present = counts[..., HITS] + counts[..., MISSES]
    ranked = [[_average_precision(one, weights) for one in row] for row in table.rankings]
    precision = np.full(present.shape, np.nan)
    if table.rankings:
        precision = np.moveaxis(np.array(ranked), -1, 0)
    scores = {'f1': _f1(counts), 'macro_f1': _macro_f1(counts), 'average_precision': precision}
    return _where_shown(scores, present)


def _where_shown(measured, present):
    """Measures, NaN where no clip shows the unit."""
    return {name: np.where(present > 0, value, np.nan) for name, value in measured.items()}


def _f1(counts):
    """F1 of presence, float64[...]."""
    twice = 2 * counts[..., HITS]
    return _ratio(twice, twice + counts[..., ALARMS] + counts[..., MISSES])


def _macro_f1(counts):
    """Mean of the F1 of presence and that of absence, float64[...].

    As in scikit-learn: a class that neither occurs nor is predicted does not count.
    """
    absent = counts[..., [REJECTIONS, MISSES, ALARMS, HITS]]
    return nanmean(np.stack([_f1(counts), _f1(absent)]), axis=0)


def _average_precision(ranking, weights):
    """Average precision float64[D] for weights of the subjects [D, S]."""
    if not ranking.thresholds:
        return np.full(len(weights), np.nan)
    every = np.ones(len(ranking.subject), bool)
    hits = weights @ _detected(ranking, ranking.present, weights.shape[1])
    precision = _ratio(hits, weights @ _detected(ranking, every, weights.shape[1]))
    gained = np.diff(hits, axis=1, prepend=0)
    return _ratio(np.sum(gained * np.nan_to_num(precision), axis=1), hits[:, -1])


def _detected(ranking, rows, subjects):
    """How many of the rows of each subject every threshold detects, float64[S, P]."""
    counts = np.zeros((subjects, ranking.thresholds + 1))
    np.add.at(counts, (ranking.subject[rows], ranking.first[rows]), 1)
    return np.cumsum(counts[:, :-1], axis=1)


def random_precision(weights: np.ndarray, present: np.ndarray, clips: np.ndarray) -> np.ndarray:
    """Return the average precision that a random order has on average, float64[D].

    It is above the share of clips that show the unit, far above where these are few: of one such
    clip among 18 that is first by luck in 1 of 18 orders, with a precision of 1, second in as many,
    with 1/2, and so on, which is 0.19 and not 0.06. A clip that counts several times stands in one
    place of the order, so that draws with replacement have more chance than the clips themselves.

    Args:
        weights: float64[D, S], how often the clips of each subject count.
        present: [S], clips of each subject that show the unit.
        clips: [S], clips of each subject in which it is known.
    """
    total = (weights @ clips)[:, None]
    shown = (weights @ present)[:, None]
    different = ((weights > 0) @ clips)[:, None]
    counting = (weights > 0) & (present > 0)
    # of the clips before one of this subject: their mean weight, and the share that shows the unit
    rest = np.where(counting, total - weights, 1)
    share = np.where(rest > 0, (shown - weights) / np.maximum(rest, 1), 1)
    steps = weights * (different - 1) / np.maximum(rest, 1)
    steps = np.where(counting & (steps > 0), steps, 1)
    places = special.digamma(different + steps) - special.digamma(steps)
    precision = share + (1 - share) * steps * places / np.maximum(different, 1)
    hits = np.sum(np.where(counting, weights * present * precision, 0), axis=1)
    return _ratio(hits, shown[:, 0])


def _observed(table):
    """{measure: float64[seeds, A]}."""
    measured = _measures(table, np.ones((1, len(table.dataset))))
    return {name: values[0] for name, values in measured.items()}


def _mean(values):
    """Mean over units of each seed, then over seeds: [..., seeds, A] -> [...]."""
    return nanmean(nanmean(values, axis=-1), axis=-1)


def _means(observed):
    """{metric: mean over units and seeds}."""
    return {name: to_json(_mean(observed[name])) for name in UNIT_METRICS}


def _shown(table):
    """The units that some row shows, int[U]."""
    present = table.counts[..., HITS] + table.counts[..., MISSES]
    return np.flatnonzero(present.sum((0, 1)) > 0)


def _statistic(weights, table, units, shown):
    """{measure: mean over units} and {'measure unit': of one unit}, float64[D] each."""
    values = {}
    measured = _measures(table, weights)
    for metric, (_, baseline) in COMPARED.items():
        means = _mean(measured[metric])
        values[metric] = means
        values[baseline] = _mean(measured[baseline])
        values[f'{metric}_gain'] = means - values[baseline]
        for unit in shown:
            values[f'{metric} {units[unit]}'] = nanmean(measured[metric][..., unit], axis=-1)
    gain = measured['average_precision'] - measured['chance_average_precision']
    for unit in shown:
        values[f'gain {units[unit]}'] = nanmean(gain[..., unit], axis=-1)
    return values


def _intervals(table, units):
    """{name of _statistic: [low, high] or None}; {} where no unit is shown."""
    shown = _shown(table)
    if not len(shown):
        return {}
    statistic = partial(_statistic, table=table, units=units, shown=shown)
    return _edges(statistic, table)


def _edges(statistic, table):
    edges = bootstrap.intervals(statistic, table.dataset, table.counts.sum((1, 2, 3)))
    return {name: None if np.isnan(pair).any() else pair for name, pair in edges.items()}


def _per_unit(table, observed, edges, units):
    """A list of {unit, clips, present, subjects, and each metric with interval and baseline}."""
    seeds = max(table.counts.shape[1], 1)
    known = table.counts.sum((0, 1, 3)) / seeds
    of_subjects = (table.counts[..., HITS] + table.counts[..., MISSES]).sum(1)
    present, subjects = of_subjects.sum(0) / seeds, (of_subjects > 0).sum(0)
    rows = []
    for column, unit in enumerate(units):
        row = {'unit': unit, 'clips': to_json(known[column]), 'present': to_json(present[column])}
        row['subjects'] = int(subjects[column])
        row['average_precision_gain_interval'] = edges.get(f'gain {unit}')
        for metric, (_, baseline) in COMPARED.items():
            row[metric] = to_json(nanmean(observed[metric][:, column], axis=0))
            row[f'{metric}_interval'] = edges.get(f'{metric} {unit}')
            row[baseline] = to_json(nanmean(observed[baseline][:, column], axis=0))
        rows.append(row)
    return rows


def _of_data_set(table, units):
    """Scores of one data set: {clips, subjects, scored_units, metrics, intervals, per_unit}."""
    observed, edges = _observed(table), _intervals(table, units)
    return {
        'clips': to_json(table.clips),
        'subjects': len(table.dataset),
        'scored_units': len(_shown(table)),
        'metrics': _means(observed),
        'intervals': {name: edges.get(name) for name in UNIT_METRICS},
        'per_unit': _per_unit(table, observed, edges, units),
    }


def _dataset_means(table, of_data_set):
    """Means over data sets of their means over units, with intervals."""

    def statistic(weights: np.ndarray) -> dict[str, np.ndarray]:
        measured = []
        for dataset, part in of_data_set.items():
            measured.append(_measures(part, weights[:, table.dataset == dataset]))
        values = {}
        for name in UNIT_METRICS:
            means = np.array([_mean(of_part[name]) for of_part in measured])
            values[name] = nanmean(means, axis=0)
        return values

    observed = statistic(np.ones((1, len(table.dataset))))
    return {
        'metrics': {name: to_json(values[0]) for name, values in observed.items()},
        'intervals': _edges(statistic, table),
    }


def _all_units(table, of_data_set):
    """The means of CD6ME: {rule, f1 and macro_f1: {units, data_sets}}."""
    block = {'rule': ALL_UNITS}
    for metric, value in (('f1', _f1), ('macro_f1', _macro_f1)):
        of_parts = []
        for part in (table, *of_data_set.values()):
            of_parts.append(np.nan_to_num(value(part.counts.sum(0))).mean())
        block[metric] = {'units': to_json(of_parts[0]), 'data_sets': to_json(np.mean(of_parts[1:]))}
    return block


def _baselines(observed, edges):
    """{baseline: {metric, its interval, by how much the run is above it, the interval of that}}."""
    blocks = {'most_frequent': {}, 'chance': {}}
    for metric, (title, baseline) in COMPARED.items():
        value = _mean(observed[baseline])
        blocks[title] |= {
            metric: to_json(value),
            f'{metric}_interval': edges.get(baseline),
            f'{metric}_gain': to_json(_mean(observed[metric]) - value),
            f'{metric}_gain_interval': edges.get(f'{metric}_gain'),
        }
    return blocks


def _ratio(above, below):
    """above / below, NaN where below is 0."""
    return np.divide(above, below, out=np.full(np.shape(below), np.nan), where=below > 0)
