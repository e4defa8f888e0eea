"""Two systems on the same subjects: their difference, its interval, and whether chance explains it
(numpy only).
"""

import numpy as np

from mer_jax.evaluation import metrics

ROUNDING = 1e-12  # equal means may differ in their last bits, and a tie must count as one


def difference(first, second, *, draws: int = 2000, seed: int = 0, level: float = 0.95) -> dict:
    """{measure: {difference, interval, p}}: second minus first, on confusions [S, R, K, K] of the
    same S subjects.

    The seeds R may differ; figures are pooled over subjects per seed, then averaged over seeds.
    interval: percentile bootstrap over subjects, one draw for both systems. p: two-sided
    permutation test, in which chance swaps the two systems of each subject with all its seeds; all
    2^S swaps where they are no more than `draws`. NaN: interval and p of fewer than two subjects, p
    of unequal R. ValueError where subjects or classes differ.
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if (
        first.ndim != 4
        or second.ndim != 4
        or (len(first), *first.shape[2:]) != (len(second), *second.shape[2:])
    ):
        raise ValueError(
            f'both must be [S, R, K, K] of the same S and K, got {first.shape} and {second.shape}'
        )
    subjects, rng = len(first), np.random.default_rng(seed)
    whole = np.ones((1, subjects))
    observed = {
        name: values[0]
        for name, values in _gain(
            metrics.pooled(whole, first), metrics.pooled(whole, second)
        ).items()
    }
    edges, p = _undefined([np.nan, np.nan]), _undefined(np.nan)
    if subjects > 1:
        times = rng.multinomial(subjects, np.full(subjects, 1 / subjects), size=draws)
        drawn = _gain(metrics.pooled(times, first), metrics.pooled(times, second))
        edges = {
            name: np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2])
            for name, values in drawn.items()
        }
    if subjects > 1 and first.shape == second.shape:
        p = _permuted(first, second, observed, draws, rng)
    return {
        name: {
            'difference': float(observed[name]),
            'interval': [float(edge) for edge in edges[name]],
            'p': float(p[name]),
        }
        for name in metrics.METRICS
    }


def holm(ps) -> np.ndarray:
    """p values [n] adjusted for n tests by Holm's step-down method, at most 1; a NaN stays NaN and
    is no test.
    """
    ps = np.asarray(ps, np.float64)
    adjusted, tests = np.full(ps.shape, np.nan), np.flatnonzero(~np.isnan(ps))
    order = tests[np.argsort(ps[tests], kind='stable')]
    steps = ps[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return adjusted


def _undefined(value):
    """The same value for every measure."""
    return dict.fromkeys(metrics.METRICS, value)


def _gain(first, second):
    """{measure: float64[D]}: mean over seeds of pooled confusions [D, R, K, K], second
    minus first.
    """
    before, after = metrics.measures(first), metrics.measures(second)
    return {
        name: metrics.mean(after[name], axis=-1) - metrics.mean(before[name], axis=-1)
        for name in metrics.METRICS
    }


def _permuted(first, second, observed, draws, rng):
    """{measure: p} of the observed differences."""
    exact = 2 ** len(first) <= draws
    swap = _every_swap(len(first)) if exact else rng.integers(0, 2, (draws, len(first)))
    drawn = _gain(
        metrics.pooled(1 - swap, first) + metrics.pooled(swap, second),
        metrics.pooled(swap, first) + metrics.pooled(1 - swap, second),
    )
    extreme = {
        name: np.sum(np.abs(drawn[name]) >= np.abs(observed[name]) - ROUNDING) for name in drawn
    }
    p = {
        name: count / len(swap) if exact else (1 + count) / (1 + draws)
        for name, count in extreme.items()
    }
    return {name: np.nan if np.isnan(observed[name]) else value for name, value in p.items()}


def _every_swap(subjects):
    """int[2^S, S]: every way to swap some subjects; the first swaps none."""
    return np.arange(2**subjects)[:, None] >> np.arange(subjects) & 1


def mean(value, subject, *, draws: int = 2000, seed: int = 0, level: float = 0.95):
    """(mean of value [n], its percentile interval over subjects [n]); the interval is None for
    fewer than two subjects.
    """
    total, count = _by_subject(value, subject)
    if len(count) < 2:
        return float(total.sum() / count.sum()) if len(count) else np.nan, None
    times = np.random.default_rng(seed).multinomial(
        len(count), np.full(len(count), 1 / len(count)), size=draws
    )
    edges = np.quantile(times @ total / (times @ count), [(1 - level) / 2, (1 + level) / 2])
    return float(total.sum() / count.sum()), [float(edge) for edge in edges]


def means(first, second, subject, *, draws: int = 2000, seed: int = 0) -> dict:
    """{difference, interval, p}: mean of second less that of first [n], of the same rows, with one
    draw of subjects for both.

    p: two-sided permutation test that swaps both for whole subjects, all 2^S ways where they are no
    more than `draws`; None for fewer than two subjects.
    """
    gain = np.asarray(second, np.float64) - np.asarray(first, np.float64)
    difference, edges = mean(gain, subject, draws=draws, seed=seed)
    total, count = _by_subject(gain, subject)
    if len(count) < 2:
        return {'difference': difference, 'interval': edges, 'p': None}
    exact = 2 ** len(count) <= draws
    swap = (
        _every_swap(len(count))
        if exact
        else np.random.default_rng(seed).integers(0, 2, (draws, len(count)))
    )
    extreme = np.sum(
        np.abs((1 - 2 * swap) @ total) >= abs(total.sum()) - ROUNDING * max(np.abs(total).sum(), 1)
    )
    return {
        'difference': difference,
        'interval': edges,
        'p': float(extreme / len(swap) if exact else (1 + extreme) / (1 + draws)),
    }


def _by_subject(value, subject):
    """Sum and count float64[S] of value [n] for each subject."""
    _, number = np.unique(subject, return_inverse=True)
    return np.bincount(number, np.asarray(value, np.float64)), np.bincount(number).astype(
        np.float64
    )
