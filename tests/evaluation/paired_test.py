"""paired: differences of two systems against scipy.stats, cases by hand, and simulated systems that
are equally good.
"""

import numpy as np
import pytest
import scipy.stats

from mer_jax.evaluation import bootstrap, metrics, paired


def systems(seed, *, subjects=6, seeds=2, classes=3, skill=2):
    """Confusions [S, R, K, K] of two systems on the same truth."""
    rng = np.random.default_rng(seed)
    return [
        rng.poisson(1.0, (subjects, seeds, classes, classes)) + skill * np.eye(classes, dtype=int)
        for _ in range(2)
    ]


def widened(level, clips):
    """The level at which scipy reads off draws of subjects of one data set."""
    groups = bootstrap.strata(np.zeros(len(clips)))
    return 2 * scipy.stats.norm.cdf(bootstrap.standard_errors(level, groups, clips)) - 1


def gain(first, second, name='uf1'):
    """Second minus first: the measure of confusions [S, R, K, K], averaged over seeds."""
    before, after = (metrics.summary(cube.mean(1).sum(0))[name] for cube in (first, second))
    return after - before


def of_scipy(first, second, name, *, draws, seed=0):
    """(BCa interval, p) of the gain by scipy.stats, which draws and swaps subjects by their
    numbers.
    """
    count = len(first)
    both = np.concatenate([first, second]).mean(1)  # the first system's subjects, then the second's

    def statistic(before, after, axis):
        sums = [both[numbers.astype(int)].sum(-3) for numbers in (before, after)]
        return np.subtract(*(metrics.measures(pooled)[name] for pooled in reversed(sums)))

    numbers = np.arange(count), np.arange(count) + count
    drawn = scipy.stats.bootstrap(
        numbers,
        statistic,
        paired=True,
        vectorized=True,
        method='BCa',
        rng=seed,
        n_resamples=draws,
        confidence_level=widened(0.9, first.sum((1, 2, 3))),
    )
    swapped = scipy.stats.permutation_test(
        numbers, statistic, permutation_type='samples', vectorized=True, rng=seed, n_resamples=draws
    )
    return drawn.confidence_interval, swapped.pvalue


@pytest.mark.parametrize('name', ['uf1', 'accuracy'])
def test_interval_and_p_are_those_of_scipy(name):
    """A draw of its own for each system, or seeds swapped one by one, would give other intervals
    and p values.
    """
    first, second = systems(0, subjects=12)
    # of 4096 swaps: drawn, not all
    found = paired.difference(first, second, draws=2000, level=0.9)[name]
    interval, p = of_scipy(first, second, name, draws=2000)
    width = interval.high - interval.low
    assert found['interval'] == pytest.approx(list(interval), abs=0.08 * width)
    assert found['p'] == pytest.approx(p, abs=0.05) and 0.05 < p < 0.95


def test_few_subjects_are_swapped_in_every_way():
    """Drawn swaps of five subjects would repeat some and miss others: p would depend on the
    seed.
    """
    first, second = systems(1, subjects=5)
    _, expected = of_scipy(first, second, 'uf1', draws=40)  # 32 swaps: all of them
    assert {
        paired.difference(first, second, draws=32, seed=seed)['uf1']['p'] for seed in range(3)
    } == {expected}


def test_exact_p_by_hand():
    """Three subjects of one clip: the second system is right on all, the first on none; 2 of 8
    swaps are as extreme.
    """
    right, wrong = np.array([[1, 0], [0, 0]]), np.array([[0, 1], [0, 0]])
    first, second = (np.stack([one] * 3)[:, None] for one in (wrong, right))
    found = paired.difference(first, second)['accuracy']
    assert found == {'difference': 1.0, 'interval': [1.0, 1.0], 'p': 2 / 8}
    assert paired.difference(second, first)['accuracy']['difference'] == -1.0


def test_exact_swaps_begin_where_draws_would_do():
    """Enumerating 2^60 swaps would never end; sampling below would give a p that all swaps
    do not.
    """
    first, second = systems(2, subjects=60)
    assert 1 / 51 <= paired.difference(first, second, draws=50)['uf1']['p'] <= 1
    np.testing.assert_array_equal(paired.every_swap(2), [[0, 0], [1, 0], [0, 1], [1, 1]])


@pytest.mark.parametrize('subjects', [4, 30])
def test_a_system_against_itself_differs_by_nothing(subjects):
    """A p below 1 here would come from rounding; so would an interval that is not zero."""
    first, _ = systems(3, subjects=subjects)
    for block in paired.difference(first, first).values():
        assert block == {'difference': 0, 'interval': [0, 0], 'p': 1}


def test_systems_with_different_numbers_of_seeds_are_tested():
    """A system of three seeds against one of one seed had no p, although clips are the same."""
    first, second = systems(4)[0], systems(5, seeds=3)[1]
    test = paired.difference(first, second)['uf1']
    assert test['difference'] == pytest.approx(gain(first, second))
    assert test['interval'][0] < test['difference'] < test['interval'][1]
    thrice = paired.difference(np.repeat(first, 3, axis=1), second)['uf1']
    assert 0 < test['p'] <= 1
    assert test['p'] == thrice['p'], 'the same seed three times is one seed'


def test_one_subject_has_a_difference_only():
    """One subject says nothing of others; two swaps would give p = 1 as if something had been
    tested.
    """
    found = paired.difference(*systems(6, subjects=1))['uf1']
    assert np.isfinite(found['difference']) and np.isnan([*found['interval'], found['p']]).all()
    assert np.isnan(paired.difference(*systems(6, subjects=0))['uf1']['difference'])


@pytest.mark.parametrize('shape', [(5, 2, 3, 3), (6, 2, 4, 4), (2, 3, 3)])
def test_other_subjects_or_classes_are_refused(shape):
    """numpy would broadcast, or fail with words about matmul."""
    with pytest.raises(ValueError, match='of the same S and K'):
        paired.difference(systems(0)[0], np.ones(shape))


@pytest.mark.parametrize('subjects', [8, 14])
def test_level_on_systems_that_are_equally_good(subjects):
    """A test that rejects too often makes every new network "significantly better"; one that never
    does is no test.
    """
    rng = np.random.default_rng(0)
    ps = []
    for _ in range(250):
        clips, skill = (
            rng.integers(1, 12, (subjects, 1, 1, 1)),
            rng.uniform(0.3, 0.9, (subjects, 1, 1, 1)),
        )
        # per seed and class
        hits = [rng.binomial(clips, skill, (subjects, 2, 2, 1)) for _ in range(2)]
        cubes = [np.concatenate([hit, clips - hit], -1) for hit in hits]
        cubes = [np.stack([one[..., 0, :], one[..., 1, ::-1]], -2) for one in cubes]
        ps.append([paired.difference(*cubes, draws=256)[name]['p'] for name in ('uf1', 'accuracy')])
    share = np.mean(np.array(ps) <= 0.05, axis=0)
    assert (share >= 0.02).all() and (share <= 0.08).all(), share


def test_a_clear_difference_is_found():
    """A p that is never small would call every gain chance."""
    first, second = systems(0, subjects=20, skill=1)[0], systems(1, subjects=20, skill=6)[1]
    found = paired.difference(first, second)['uf1']
    assert found['p'] == 1 / 2001 and found['interval'][0] > 0


def test_holm_by_hand():
    """Without the running maximum a larger p could end below a smaller one; a NaN counted as test
    would cost power.
    """
    nan = np.nan
    np.testing.assert_allclose(paired.holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(paired.holm([0.04, nan, 0.02]), [0.04, nan, 0.04])
    np.testing.assert_allclose(paired.holm([0.6, 0.7]), [1, 1])
    assert paired.holm([]).shape == (0,) and np.isnan(paired.holm([nan])).all()


def values(seed, *, subjects=7):
    """(values [n], subject [n]) of subjects with unequal numbers of values."""
    rng = np.random.default_rng(seed)
    subject = np.repeat(rng.permutation(subjects) + 3, rng.integers(1, 6, subjects))
    return rng.normal(8, 4, len(subject)) + subject, subject.tolist()


def test_a_mean_and_its_interval_are_those_of_scipy():
    """A bootstrap over values instead of subjects takes clips of one face for independent: the
    interval is too narrow.
    """
    value, subject = values(0, subjects=12)
    groups = [value[np.equal(subject, number)] for number in np.unique(subject)]
    drawn = scipy.stats.bootstrap(
        (np.arange(12),),
        lambda numbers: np.mean(np.concatenate([groups[n] for n in numbers])),
        vectorized=False,
        method='BCa',
        rng=0,
        n_resamples=2000,
        confidence_level=widened(0.8, [len(group) for group in groups]),
    )
    expected = list(drawn.confidence_interval)
    mean, edges = paired.bootstrap_mean(value, subject, level=0.8)
    assert mean == pytest.approx(np.mean(value))
    assert edges == pytest.approx(expected, abs=0.08 * (expected[1] - expected[0]))
    assert paired.bootstrap_mean(value, subject) == paired.bootstrap_mean(value, subject), (
        'drawn alike each time'
    )


def test_subjects_of_a_mean_are_drawn_within_their_data_set():
    """Two data sets of different difficulty: draws over both would vary their shares."""
    value, subject = values(0, subjects=12)
    dataset = np.where(np.less(subject, 9), 'smic', 'samm')
    value = np.where(dataset == 'smic', value + 100, value)
    width = {
        case: np.ptp(paired.bootstrap_mean(value, subject, of_case)[1])
        for case, of_case in (('apart', dataset), ('together', None))
    }
    assert width['apart'] < width['together'] / 2


def test_a_difference_of_means_is_that_of_scipy():
    """Swapping clips one by one would call a difference certain that one subject alone makes."""
    (first, subject), (noise, _) = values(1), values(2)
    second = first + np.resize(noise - noise.mean(), len(first)) + 0.5
    found = paired.mean_test(first, second, subject)
    assert found['difference'] == pytest.approx(np.mean(second - first))
    assert found['interval'] == paired.bootstrap_mean(second - first, subject)[1]
    sums = [
        np.array([value[np.equal(subject, number)].sum() for number in np.unique(subject)])
        for value in (first, second)
    ]
    expected = scipy.stats.permutation_test(
        sums,
        lambda before, after: np.sum(after - before),
        permutation_type='samples',
        vectorized=False,
        n_resamples=200,
    )
    assert found['p'] == expected.pvalue
    assert {paired.mean_test(first, second, subject, seed=seed)['p'] for seed in range(3)} == {
        found['p']
    }, 'all 128 swaps'
    turned = paired.mean_test(second, first, subject)
    assert turned['difference'] == -found['difference'] and turned['p'] == found['p']


def test_swaps_of_many_subjects_are_drawn():
    """All swaps of 26 subjects are 67 million; a drawn p is never 0."""
    rng = np.random.default_rng(0)
    subject, first = np.arange(26), rng.normal(0, 1, 26)
    assert (
        paired.mean_test(first, first + 5 + rng.normal(0, 0.1, 26), subject, draws=500)['p']
        == 1 / 501
    )
    equal = paired.mean_test(first, first, subject, draws=500)
    assert equal == {'difference': 0, 'interval': [0, 0], 'p': 1}


def test_exact_p_of_means_by_hand():
    """Three subjects that all gain: of 8 swaps the one that is seen and its mirror image are as
    extreme.
    """
    found = paired.mean_test([1, 1, 1, 1], [0, 0, -1, 0], ['a', 'a', 'b', 'c'])
    assert found['difference'] == -1.25 and found['p'] == 2 / 8


def test_one_subject_has_a_mean_and_nothing_else():
    """An interval of one subject would be a point, and look certain."""
    assert paired.bootstrap_mean([2, 4], [5, 5]) == (3, None)
    assert paired.mean_test([1, 2], [2, 4], [5, 5]) == {
        'difference': 1.5,
        'interval': None,
        'p': None,
    }
    mean, edges = paired.bootstrap_mean([], np.zeros(0, int))
    assert np.isnan(mean) and edges is None
