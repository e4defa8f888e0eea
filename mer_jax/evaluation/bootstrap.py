"""Bootstrap intervals over test subjects, given the trainings.

A draw takes subjects with replacement, within each data set; the trained networks stay as they are.
So an interval says how far a figure would move with other test subjects. It does not say how far it
would move with other training subjects or other seeds.

docs/statistics.md gives sources and the measured coverage.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

FEW = 40  # below so many subjects the interval is BCa
# {name: float64[D]} of D weightings of the subjects, float64[D, S]
Statistic = Callable[[np.ndarray], Mapping[str, np.ndarray]]
SMALL = 1e-9


class Strata(NamedTuple):
    """Subjects by data set: draws never mix two data sets."""

    group: np.ndarray  # int[S], group of each subject, from 0
    sizes: np.ndarray  # int[groups], number of subjects


def strata(dataset: ArrayLike) -> Strata:
    """Group the subjects that are drawn together.

    Where a data set has one subject only, all subjects are drawn together: a draw of one among one
    never changes, as if that subject stood for its data set without error.

    Args:
        dataset: [S], number or name of each subject's data set.
    """
    _, numbers, sizes = np.unique(dataset, return_inverse=True, return_counts=True)
    if len(sizes) and sizes.min() < 2:
        numbers, sizes = np.zeros(len(numbers), int), np.array([len(numbers)])
    return Strata(numbers, sizes)


def draw_subjects(rng: np.random.Generator, groups: Strata, draws: int) -> np.ndarray:
    """Draw subjects with replacement within their groups.

    Args:
        rng: of the draws.
        groups: of the subjects.
        draws: D.

    Returns:
        How often each subject is drawn, int64[D, S].
    """
    times = np.zeros((draws, len(groups.group)), np.int64)
    for number, size in enumerate(groups.sizes):
        members = groups.group == number
        times[:, members] = rng.multinomial(size, np.full(size, 1 / size), size=draws)
    return times


def intervals(
    statistic: Statistic,
    dataset: ArrayLike,
    clips: ArrayLike,
    *,
    draws: int = 2000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, list[float]]:
    """Compute the bootstrap interval of each statistic.

    From 40 subjects on it is the percentile interval, below that the BCa interval (Efron, JASA 82,
    1987), which corrects the bias and the skewness of the draws. Both are widened for a small
    number of subjects, see `standard_errors`.

    Args:
        statistic: computed from weights of the subjects. A NaN is left out.
        dataset: [S], of each subject; draws stay within it.
        clips: [S], number of clips (or other values) of each subject.
        draws: number of draws.
        seed: of the draws.
        level: share of such intervals that should cover the truth.

    Returns:
        {name: [low, high]}; NaN for fewer than two subjects.
    """
    groups = strata(dataset)
    subjects = len(groups.group)
    observed = statistic(np.ones((1, subjects)))
    if subjects < 2:
        return {name: [np.nan, np.nan] for name in observed}
    drawn = statistic(draw_subjects(np.random.default_rng(seed), groups, draws))
    few = subjects < FEW
    left_out = statistic(1 - np.eye(subjects)) if few else {}
    half_width = standard_errors(level, groups, clips)
    edges = {}
    for name, values in drawn.items():
        bias, skewness = 0.0, 0.0
        if few:
            estimate = observed[name][0]
            bias = _bias(values, estimate)
            without = np.where(np.isnan(left_out[name]), estimate, left_out[name])
            skewness = _skewness(without, groups)
        z = bias + np.array([-half_width, half_width])
        shares = special.ndtr(bias + z / np.maximum(1 - skewness * z, SMALL))
        edges[name] = np.nanquantile(values, shares).tolist()
    return edges


def standard_errors(level: float, groups: Strata, clips: ArrayLike) -> float:
    """Return how many standard errors of the draws an interval reaches to each side.

    That is 1.96 for many subjects. Draws of n subjects vary less than samples do, by n - 1 to n,
    and the normal quantile does not know that their variance is estimated from few. So the quantile
    is that of a t interval: the "expanded percentile interval" of Hesterberg, "What teachers should
    know about the bootstrap", The American Statistician 69, 2015. Subjects with very different
    numbers of clips count as fewer: n is the effective number (sum of clips)^2 / sum of clips^2
    (Carter, Schnepel and Steigerwald, "Asymptotic behavior of a t-test robust to cluster
    heterogeneity", Review of Economics and Statistics 99, 2017). Data sets are joined as variances
    are, which grow with the sum of clips^2 (Satterthwaite, Biometrics Bulletin 2, 1946).

    Args:
        level: share of intervals that should cover the truth.
        groups: of the subjects.
        clips: [S], number of clips of each subject.
    """
    clips = np.asarray(clips, np.float64)
    if not clips.any():
        clips = np.ones(len(clips))
    variance = np.bincount(groups.group, clips**2)
    total = np.bincount(groups.group, clips)
    effective = np.divide(total**2, variance, out=np.ones(len(total)), where=variance > 0)
    freedom_of_group = np.maximum(effective - 1, 1)
    freedom = variance.sum() ** 2 / np.sum(variance**2 / freedom_of_group)
    widening = np.sqrt(np.sum(variance * (1 + 1 / freedom_of_group)) / variance.sum())
    return float(widening * special.stdtrit(freedom, (1 + level) / 2))


def _bias(values, estimate):
    """The share of draws below the estimate, as a normal quantile; ties count half."""
    values = values[~np.isnan(values)]
    if not len(values):
        return 0.0
    share = (np.mean(values < estimate) + np.mean(values <= estimate)) / 2
    least = 1 / (2 * len(values))
    return float(special.ndtri(np.clip(share, least, 1 - least)))


def _skewness(left_out, groups):
    """The acceleration of BCa, from values without each subject [S].

    With groups: Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 5.3.
    """
    third, second = 0.0, 0.0
    for number, size in enumerate(groups.sizes):
        values = left_out[groups.group == number]
        influence = (size - 1) * (values.mean() - values)
        third += np.sum(influence**3) / size**3
        second += np.sum(influence**2) / size**2
    # Leave-one-out values that are equal up to rounding have no skewness.
    return third / (6 * second**1.5) if second > SMALL**2 else 0.0
