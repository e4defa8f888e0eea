"""How often 95 % intervals cover the truth, on simulated subjects.

  python benchmarks/coverage.py [--samples 4000] [--draws 1000] [--quick]

Subjects are drawn as uneven as those of the data sets: in clips, in classes and in how well they
are recognised. The truth is the score on very many such subjects. `percentile` is the interval of
draws over all subjects, without regard to data sets; `mer_jax` is that of evaluation/bootstrap.py.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np  # noqa: E402

from mer_jax.evaluation import HEADLINE, metrics  # noqa: E402


class DataSet(NamedTuple):
    """The size of a data set, and of its classes: negative, positive, surprise."""

    subjects: int
    clips: tuple[int, int, int]


SMIC = DataSet(16, (70, 51, 43))
CASME2 = DataSet(24, (88, 32, 25))  # of the composite of MEGC2019
SAMM = DataSet(28, (92, 26, 15))
# by number of subjects; 44: the data sets whose features are published
SETTINGS = {
    24: (CASME2,),
    28: (SAMM,),
    44: (SMIC, SAMM),
    68: (SMIC, CASME2, SAMM),
}
UNEVEN = 1.0  # shape of the numbers of clips: the standard deviation is nearly the mean
MIXED = 3.0  # sum of the Dirichlet parameters: most subjects lack a class, or nearly do
SKILL = (1.2, 0.8)  # mean and standard deviation over subjects, added to the logit of the truth
TILT = 0.4  # how far logits follow the shares of the classes, and their noise of each subject


class Subjects(NamedTuple):
    """Simulated subjects of one data set."""

    truth: np.ndarray  # int[S, K], clips of each class
    predicted: np.ndarray  # float64[S, K, K], chance of each prediction by class


def simulate(rng: np.random.Generator, data_set: DataSet, subjects: int) -> Subjects:
    """Draw subjects of a data set.

    Args:
        rng: of the draws.
        data_set: whose size and classes they have.
        subjects: how many.
    """
    total = np.array(data_set.clips)
    shares, mean = total / total.sum(), total.sum() / data_set.subjects
    more = rng.negative_binomial(UNEVEN, UNEVEN / (UNEVEN + mean - 1), subjects)
    truth = rng.multinomial(1 + more, rng.dirichlet(MIXED * shares, subjects))
    classes = len(shares)
    skill = rng.normal(*SKILL, subjects)
    own = TILT * rng.standard_normal((subjects, 1, classes))
    logits = TILT * np.log(shares * classes) + skill[:, None, None] * np.eye(classes) + own
    chances = np.exp(logits)
    return Subjects(truth, chances / chances.sum(-1, keepdims=True))


def true_scores(
    rng: np.random.Generator, data_sets: Sequence[DataSet], subjects: int
) -> np.ndarray:
    """Return the scores (HEADLINE) of many subjects of each data set, weighted by its size."""
    pooled = 0.0
    for data_set in data_sets:
        many = simulate(rng, data_set, subjects)
        expected = np.mean(many.truth[:, :, None] * many.predicted, axis=0)
        pooled = pooled + data_set.subjects * expected
    summary = metrics.summary(pooled)
    return np.array([summary[name] for name in HEADLINE])


def sample(rng: np.random.Generator, data_sets: Sequence[DataSet]) -> tuple[np.ndarray, np.ndarray]:
    """Draw an experiment: confusions [S, 1, K, K], and the number of each subject's data set."""
    cubes, dataset = [], []
    for number, data_set in enumerate(data_sets):
        subjects = simulate(rng, data_set, data_set.subjects)
        cubes.append(rng.multinomial(subjects.truth, subjects.predicted))
        dataset += [number] * data_set.subjects
    return np.concatenate(cubes)[:, None], np.array(dataset)


def percentile(cube: np.ndarray, draws: int, seed: int) -> dict[str, np.ndarray]:
    """Return plain percentile intervals, of draws over all subjects."""
    subjects = len(cube)
    rng = np.random.default_rng(seed)
    times = rng.multinomial(subjects, np.full(subjects, 1 / subjects), size=draws)
    drawn = metrics.measures(metrics.pooled(times, cube[:, 0]))
    return {name: np.nanquantile(drawn[name], [0.025, 0.975]) for name in HEADLINE}


def coverage(
    subjects: int, *, samples: int, draws: int, seed: int = 0, plain: bool = False
) -> dict:
    """Count how often intervals cover the truth.

    Args:
        subjects: a key of SETTINGS.
        samples: number of simulated experiments.
        draws: of the bootstrap.
        seed: of the simulation.
        plain: whether percentile intervals are computed too.

    Returns:
        {method: {'cover': share by metric, 'width': mean by metric, 'seconds': of one call}}.
    """
    data_sets, rng = SETTINGS[subjects], np.random.default_rng(seed)
    truth = true_scores(rng, data_sets, 100_000)
    edges, seconds = {}, {}
    for number in range(samples):
        cube, dataset = sample(rng, data_sets)
        start = time.perf_counter()
        computed = {'mer_jax': metrics.intervals(cube, dataset, draws=draws, seed=number)}
        seconds['mer_jax'] = seconds.get('mer_jax', 0) + time.perf_counter() - start
        if plain:
            start = time.perf_counter()
            computed['percentile'] = percentile(cube, draws, number)
            seconds['percentile'] = seconds.get('percentile', 0) + time.perf_counter() - start
        for method, of_metrics in computed.items():
            edges.setdefault(method, []).append([of_metrics[name] for name in HEADLINE])
    results = {}
    for method, values in edges.items():
        low, high = np.moveaxis(np.array(values), -1, 0)
        results[method] = {
            'cover': np.mean((low <= truth) & (truth <= high), axis=0),
            'width': np.mean(high - low, axis=0),
            'seconds': seconds[method] / samples,
        }
    return results


def main(argv: Sequence[str] | None = None) -> None:
    """Print the coverage of every setting."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument('--samples', type=int, default=4000)
    parser.add_argument('--draws', type=int, default=1000)
    parser.add_argument('--quick', action='store_true')
    flags = parser.parse_args(argv)
    samples, draws = (4, 50) if flags.quick else (flags.samples, flags.draws)
    print(f'{samples} samples, {draws} draws; {", ".join(HEADLINE)}: coverage, then width')
    for subjects in SETTINGS:
        measured = coverage(subjects, samples=samples, draws=draws, plain=True)
        for method, figures in measured.items():
            cover = ' '.join(f'{value:.3f}' for value in figures['cover'])
            width = ' '.join(f'{value:.3f}' for value in figures['width'])
            print(
                f'{subjects} subjects, {method:10}  {cover}   {width}   '
                f'{1000 * figures["seconds"]:.1f} ms',
                flush=True,
            )


if __name__ == '__main__':
    main()
