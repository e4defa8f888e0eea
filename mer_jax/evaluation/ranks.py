"""Ranks of several systems, with bootstrap intervals over subjects."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from mer_jax.evaluation import metrics

DIGITS = 12  # equal means may differ in their last bits, and a tie must count as one


class Rank(NamedTuple):
    """The rank of a system among several; 1 is the best."""

    rank: float  # the mean of their ranks for systems that tie
    interval: list[float]  # [low, high]; NaN for fewer than two subjects


def ranks(
    cubes: Sequence[ArrayLike],
    group: ArrayLike,
    *,
    metric: str = 'uf1',
    draws: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> list[Rank]:
    """Rank systems that were tested on the same subjects.

    A draw takes subjects with replacement, from each group as many as it has. All systems have the
    same draws. In each draw the metric is computed per seed and averaged over seeds; the largest
    has rank 1. The interval holds the middle share of the ranks of all draws.

    Args:
        cubes: confusions [S, R, K, K] of each system; the number of seeds R may differ.
        group: int[S], the data set of each subject.
        metric: a key of METRICS.
        draws: number of draws.
        seed: of the draws.
        level: share of the draws inside the interval.

    Raises:
        ValueError: systems have other numbers of subjects.
    """
    subjects = {len(np.asarray(cube)) for cube in cubes}
    if subjects != {len(np.asarray(group))}:
        raise ValueError(f'all must have {len(np.asarray(group))} subjects, got {subjects}')
    whole = _ranks(cubes, np.ones((1, len(np.asarray(group)))), metric)[:, 0]
    if len(np.asarray(group)) < 2:
        return [Rank(float(rank), [np.nan, np.nan]) for rank in whole]
    drawn = _ranks(cubes, _draws(np.asarray(group), draws, seed), metric)
    edges = [(1 - level) / 2, (1 + level) / 2]
    return [
        Rank(float(rank), np.quantile(of_draws, edges).tolist())
        for rank, of_draws in zip(whole, drawn, strict=True)
    ]


def _draws(group, draws, seed):
    """How often each subject is drawn, int[draws, S]."""
    rng, times = np.random.default_rng(seed), np.zeros((draws, len(group)), np.int64)
    for number in np.unique(group):
        members = np.flatnonzero(group == number)
        times[:, members] = metrics.draw_subjects(rng, len(members), draws)
    return times


def _ranks(cubes, times, metric):
    """Rank of each system in each draw, float64[systems, draws]."""
    values = []
    for cube in cubes:
        measured = metrics.measures(metrics.pooled(times, cube))[metric]
        values.append(np.round(metrics.nanmean(measured, axis=-1), DIGITS))
    values = np.stack(values)
    better = (values[:, None] < values[None]).sum(1)
    equal = (values[:, None] == values[None]).sum(1)
    return 1 + better + (equal - 1) / 2
