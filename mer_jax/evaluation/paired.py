"""Paired tests of two systems over subjects."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from mer_jax.evaluation import bootstrap, metrics

ROUNDING = 1e-12  # equal means may differ in their last bits, and a tie must count as one
# {name: float64[D]} of the rows of two systems together, each subject of either weighted, float64
# [D, S] and [D, S]
JointStatistic = Callable[[np.ndarray, np.ndarray], Mapping[str, np.ndarray]]


def difference(
    first: ArrayLike,
    second: ArrayLike,
    dataset: ArrayLike | None = None,
    *,
    draws: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, dict]:
    """Subtract each metric of the first system from the second's.

    The confusions of a subject are averaged over the seeds of a system, so that systems with
    different numbers of seeds can be compared. A metric is computed from the mean confusions of all
    subjects: UF1 and UAR may differ in the third digit from means over seeds. The interval is a
    bootstrap over test subjects, given the trainings; both systems have the same draws. p is that
    of a two-sided permutation test. A permutation swaps the two systems of some subjects. All 2^S
    permutations are used where they are no more than `draws`.

    Args:
        first, second: confusions [S, R, K, K] of the same S subjects; the number of seeds R may
            differ.
        dataset: [S], number or name of each subject's data set, within which subjects are drawn;
            None: all are of one.
        draws: number of draws of subjects, and of permutations.
        seed: of the draws.
        level: share of such intervals that should cover the truth.

    Returns:
        {metric: {difference, interval, p}}. interval and p are NaN for fewer than two subjects.

    Raises:
        ValueError: subjects or classes differ.

    Examples:
        paired.difference(before, after, dataset)['uf1']['p']
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    comparable = first.ndim == second.ndim == 4
    if not comparable or _subjects_and_classes(first) != _subjects_and_classes(second):
        raise ValueError(
            f'confusions must be [S, R, K, K] of the same S and K, got {first.shape} and '
            f'{second.shape}'
        )
    first, second = first.mean(1), second.mean(1)

    def statistic(of_first: np.ndarray, of_second: np.ndarray) -> dict[str, np.ndarray]:
        both = metrics.pooled(of_first, first) + metrics.pooled(of_second, second)
        return metrics.measures(both)

    clips = first.sum((1, 2))
    tests = joint_test(statistic, clips, dataset, draws=draws, seed=seed, level=level)
    return {name: tests[name] for name in metrics.METRICS}


def joint_test(
    statistic: JointStatistic,
    clips: ArrayLike,
    dataset: ArrayLike | None = None,
    *,
    draws: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, dict]:
    """Subtract each statistic of the first system from the second's.

    Interval and p are as in `difference`.

    Args:
        statistic: of weights of the subjects of both systems; subjects of the first have weight 0
            where it is that of the second.
        clips: [S], number of clips of each subject.
        dataset: [S], number or name of each subject's data set, within which subjects are drawn;
            None: all are of one.
        draws: number of draws of subjects, and of permutations.
        seed: of the draws.
        level: share of such intervals that should cover the truth.

    Returns:
        {name: {difference, interval, p}}. interval and p are NaN for fewer than two subjects.
    """
    subjects = len(np.asarray(clips))
    if dataset is None:
        dataset = np.zeros(subjects, int)

    def gain(weights: np.ndarray) -> dict[str, np.ndarray]:
        return _gain(statistic, weights, np.zeros_like(weights))

    observed = {name: values[0] for name, values in gain(np.ones((1, subjects))).items()}
    intervals = bootstrap.intervals(gain, dataset, clips, draws=draws, seed=seed, level=level)
    p = dict.fromkeys(observed, np.nan)
    if subjects > 1:
        p = _permute(statistic, observed, subjects, draws, np.random.default_rng(seed))
    return {
        name: {
            'difference': float(observed[name]),
            'interval': intervals[name],
            'p': float(p[name]),
        }
        for name in observed
    }


def _subjects_and_classes(cube):
    subjects, _, *classes = cube.shape
    return subjects, classes


def holm(ps: ArrayLike) -> np.ndarray:
    """Adjust p values for n tests by Holm's step-down method.

    Args:
        ps: [n]; a NaN stays NaN and does not count as a test.

    Returns:
        float64[n], at most 1.
    """
    ps = np.asarray(ps, np.float64)
    adjusted, tests = np.full(ps.shape, np.nan), np.flatnonzero(~np.isnan(ps))
    order = tests[np.argsort(ps[tests], kind='stable')]
    steps = ps[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted


def add_holm(tests: Sequence[dict]) -> None:
    """Add `holm` to tests of JSON: p, adjusted for all of them.

    Args:
        tests: with p, None where it is undefined.
    """
    adjusted = holm(np.array([test['p'] for test in tests], np.float64))
    for test, p in zip(tests, adjusted, strict=True):
        test['holm'] = metrics.to_json(p)


def _gain(statistic, weights, others):
    """{name: second minus first, float64[D]}, where `others` weight the rows of the other system.

    Args:
        weights, others: of the subjects, [D, S].
    """
    before, after = statistic(weights, others), statistic(others, weights)
    return {name: after[name] - before[name] for name in before}


def _permute(statistic, observed, subjects, draws, rng):
    """{name: p} of the observed differences."""
    swap, exact = _swaps(subjects, draws, rng)
    drawn = _gain(statistic, 1 - swap, swap)
    ps = {}
    for name, gains in drawn.items():
        if np.isnan(observed[name]):
            ps[name] = np.nan
            continue
        extreme = np.sum(np.abs(gains) >= np.abs(observed[name]) - ROUNDING)
        ps[name] = _p_value(extreme, len(swap), exact)
    return ps


def _swaps(subjects, draws, rng):
    """(permutations int[D, S], whether these are all of them).

    1: the two systems of a subject are swapped.
    """
    if 2**subjects <= draws:
        return every_swap(subjects), True
    return rng.integers(0, 2, (draws, subjects)), False


def _p_value(extreme, swaps, exact):
    # The observed order counts as one more draw, so that p is never 0.
    return extreme / swaps if exact else (1 + extreme) / (1 + swaps)


def every_swap(subjects: int) -> np.ndarray:
    """Return every permutation, int[2^S, S]; the first swaps nothing."""
    return np.arange(2**subjects)[:, None] >> np.arange(subjects) & 1


def bootstrap_mean(
    value: ArrayLike,
    subject: ArrayLike,
    dataset: ArrayLike | None = None,
    *,
    draws: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, list[float] | None]:
    """Return a mean and its bootstrap interval over subjects.

    Args:
        value: [n].
        subject: [n], of each value; unique over data sets.
        dataset: [n], of each value; subjects are drawn within it. None: all are of one.
        draws: number of draws of subjects.
        seed: of the draws.
        level: share of such intervals that should cover the truth.

    Returns:
        (mean, [low, high]); the interval is None for fewer than two subjects.
    """
    total, count, first = _by_subject(value, subject)
    if not len(count):
        return np.nan, None
    mean = float(total.sum() / count.sum())
    if len(count) < 2:
        return mean, None
    datasets = np.zeros(len(count), int) if dataset is None else np.asarray(dataset)[first]

    def means(weights: np.ndarray) -> dict[str, np.ndarray]:
        return {'mean': weights @ total / (weights @ count)}

    edges = bootstrap.intervals(means, datasets, count, draws=draws, seed=seed, level=level)
    return mean, edges['mean']


def mean_test(
    first: ArrayLike,
    second: ArrayLike,
    subject: ArrayLike,
    dataset: ArrayLike | None = None,
    *,
    draws: int = 2000,
    seed: int = 0,
) -> dict:
    """Test the difference of the means of two systems.

    Both have values of the same rows, and the same draws of subjects. p is that of a two-sided
    permutation test, as in `difference`.

    Args:
        first, second: [n], a value of each row.
        subject: [n], of each row; unique over data sets.
        dataset: [n], of each row; subjects are drawn within it. None: all are of one.
        draws: number of draws of subjects, and of permutations.
        seed: of the draws.

    Returns:
        {difference, interval, p} of the mean of second minus that of first; interval and p are None
        for fewer than two subjects.
    """
    gain = np.asarray(second, np.float64) - np.asarray(first, np.float64)
    difference, edges = bootstrap_mean(gain, subject, dataset, draws=draws, seed=seed)
    total, count, _ = _by_subject(gain, subject)
    if len(count) < 2:
        return {'difference': difference, 'interval': edges, 'p': None}
    swap, exact = _swaps(len(count), draws, np.random.default_rng(seed))
    rounding = ROUNDING * max(np.abs(total).sum(), 1)
    extreme = np.sum(np.abs((1 - 2 * swap) @ total) >= abs(total.sum()) - rounding)
    p = _p_value(extreme, len(swap), exact)
    return {'difference': difference, 'interval': edges, 'p': float(p)}


def _by_subject(value, subject):
    """Sum and number of values [n] of each subject, float64[S], and its first row, int[S]."""
    _, first, number = np.unique(subject, return_index=True, return_inverse=True)
    total = np.bincount(number, np.asarray(value, np.float64))
    return total, np.bincount(number).astype(np.float64), first
