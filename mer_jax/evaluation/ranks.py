"""Ranks of several systems, with bootstrap intervals over subjects."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from mer_jax.evaluation import bootstrap, metrics

DIGITS = 12  # equal means may differ in their last bits, and a tie must count as one


class Rank(NamedTuple):
    """The rank of a system among several; 1 is the best."""

    rank: float  # the mean of their ranks for systems that tie
    interval: list[float]  # [low, high]; NaN for fewer than two subjects


def ranks(
    cubes: Sequence[ArrayLike],
    dataset: ArrayLike,
    *,
    metric: str = 'uf1',
    draws: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> list[Rank]:
    """Rank systems that were tested on the same subjects.

    All systems have the same draws of subjects, see bootstrap.draw_subjects. In each draw the
    metric is computed per seed and averaged over seeds; the largest has rank 1. The interval holds
    the middle share of the ranks of all draws.

    Args:
        cubes: confusions [S, R, K, K] of each system; the number of seeds R may differ.
        dataset: [S], number or name of each subject's data set, within which subjects are drawn.
        metric: a key of METRICS.
        draws: number of draws.
        seed: of the draws.
        level: share of the draws inside the interval.

    Raises:
        ValueError: systems have other numbers of subjects.
    """
    groups = bootstrap.strata(dataset)
    subjects = len(groups.group)
    if {len(np.asarray(cube)) for cube in cubes} != {subjects}:
        raise ValueError(f'every system must have {subjects} subjects, as dataset')
    whole = _ranks(cubes, np.ones((1, subjects)), metric)[:, 0]
    if subjects < 2:
        return [Rank(float(rank), [np.nan, np.nan]) for rank in whole]
    times = bootstrap.draw_subjects(np.random.default_rng(seed), groups, draws)
    edges = [(1 - level) / 2, (1 + level) / 2]
    return [
        Rank(float(rank), np.quantile(of_draws, edges).tolist())
        for rank, of_draws in zip(whole, _ranks(cubes, times, metric), strict=True)
    ]


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
