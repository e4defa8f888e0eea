"""Made images against real ones: numbers by hand, what tells them apart, copies; and their
pictures.
"""

import cv2
import numpy as np
import pytest

from mer_jax.generation import quality
from mer_jax.report import arrows, plots_gan

CHANNELS = ['strain', 'v', 'u']


def images(count, *, seed, shift=0.0, scale=1.0):
    """Smooth fields [n, 12, 12, 3] of one distribution, and labels of three classes."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(size=(count, 3, 3, 3)).astype(np.float32)
    fine = np.stack([cv2.resize(one, (12, 12), interpolation=cv2.INTER_LINEAR) for one in coarse])
    return scale * (fine + 0.1 * rng.normal(size=fine.shape)).astype(np.float32) + np.float32(
        shift
    ), np.arange(count) % 3


def test_statistics_by_hand():
    """Numbers under a wrong name would call a faint or a noisy generator a faithful one."""
    image = np.zeros((3, 2, 2, 1), np.float32)
    image[0, :, :, 0] = [[3, -3], [3, -3]]
    image[2] = 1
    told = quality.statistics(
        (image, np.array([0, 0, 1])), (image[:1], np.array([1])), classes=('a', 'b')
    )
    real = told['a']['real']
    assert (real['count'], real['level'], real['level_sd']) == (2, 1.5, 1.5)
    # two steps of 6 and two of 0; and none
    assert (real['roughness'], real['roughness_sd']) == (1.5, 1.5)
    assert (real['energy'], real['energy_sd']) == (18, 18)
    np.testing.assert_allclose(real['energy_quantiles'], np.percentile([0, 36], quality.QUANTILES))
    assert told['b']['real']['energy'] == 4 and told['b']['made']['energy'] == 36
    assert told['a']['made']['count'] == 0 and np.isnan(told['a']['made']['level'])
    assert quality.numbers(np.full((1, 2, 2, 1), 255, np.uint8))['energy'] == 4


def test_roughness_of_bytes_does_not_wrap():
    """A difference of bytes is 255 where it is -1: a smooth image would count as noise."""
    image = np.array([[[[1], [0]], [[1], [0]]]], np.uint8)
    assert quality.roughness(image) == 0.5


def test_two_halves_of_one_distribution_are_not_told_apart():
    """A part of the classifier fitted on what it is tested with would tell them apart, and condemn
    every generator.
    """
    found = quality.two_sample(images(150, seed=0), images(150, seed=1), seed=0)
    assert found['rows'] == 150
    assert abs(found['made']['auc'] - 0.5) < 0.12 and abs(found['made']['accuracy'] - 0.5) < 0.12
    assert abs(found['chance']['auc'] - 0.5) < 0.1 and found['chance']['auc_sd'] < 0.15


def test_shifted_images_are_told_apart():
    """The test must find a difference that is there, while the level of chance stays where
    it is.
    """
    found = quality.two_sample(images(120, seed=0), images(90, seed=1, shift=0.5), seed=0)
    assert found['rows'] == 90
    assert found['made']['auc'] > 0.9 and found['made']['accuracy'] > 0.85
    assert abs(found['chance']['auc'] - 0.5) < 0.12


def test_shares_of_the_classes_do_not_tell():
    """Real classes are unequal and made ones are not: without matching, the mix alone would give
    the made ones away.
    """
    image, label = images(300, seed=0)
    image += 2 * (label == 0)[:, None, None, None]
    other, other_label = images(150, seed=1)
    other += 2 * (other_label == 0)[:, None, None, None]
    few = (label != 0) | (np.arange(300) < 60)
    found = quality.two_sample((image[few], label[few]), (other, other_label), seed=0)
    assert found['rows'] == 120 and abs(found['made']['auc'] - 0.5) < 0.15


def test_too_few_images_give_nan():
    """A class of one clip must not end a run."""
    found = quality.two_sample(images(3, seed=0), images(1, seed=1), seed=0)
    assert np.isnan(found['made']['auc']) and np.isnan(found['chance']['auc'])


def test_copies_are_found_and_fresh_draws_are_not():
    """A generator that repeats its fold's clips adds nothing to them, and would look best in every
    other number.
    """
    real, _ = images(120, seed=0)
    rows = np.array([5, 17, 80])
    copied, pairs = quality.memorised(real, real[rows] + np.float32(1e-4))
    assert copied['copies'] == 1 and copied['ratio'] < 0.01
    assert sorted(map(tuple, pairs.tolist())) == [(0, 5), (1, 17), (2, 80)]
    fresh, pairs = quality.memorised(real, images(200, seed=1)[0])
    assert fresh['copies'] < 0.05 and 0.85 < fresh['ratio'] < 1.15
    assert fresh['made'] == pytest.approx(fresh['ratio'] * fresh['real'])


def test_distances_by_hand():
    """The nearest pair is shown as a picture: another image there would hide a copy."""
    real = np.array([0, 10, 30], np.float32).reshape(3, 1, 1, 1)
    made = np.array([12, 29, 0], np.float32).reshape(3, 1, 1, 1)
    told, pairs = quality.memorised(real, made)
    assert told['made'] == 1 and told['real'] == 10 and told['ratio'] == 0.1
    assert pairs.tolist() == [[2, 0], [1, 2], [0, 1]]
    with pytest.raises(ValueError, match='two real images'):
        quality.memorised(real[:1], made)


def test_colours_show_the_length_and_arrows_the_direction():
    """u and v exchanged, or a sign turned, would show every face moving elsewhere."""
    flow = np.zeros((14, 14, 3), np.float32)
    flow[:, 7:, 2] = 1  # the right half moves right
    image = plots_gan.coloured(flow, CHANNELS, 1.0).astype(int)
    slow, fast = image[:, :80].reshape(-1, 3), image[:, 90:].reshape(-1, 3)
    assert (slow == (68, 1, 84)).all()  # viridis starts here, and no arrow is drawn
    assert (np.median(fast, axis=0) == (253, 231, 37)).all()  # and ends here
    dark = np.argwhere(image[:, 90:].sum(-1) < 250)
    assert len(dark) > 50 and np.ptp(np.unique(dark[:, 0])) > 90
    down = plots_gan.coloured(flow[..., [0, 2, 1]], CHANNELS, 1.0)
    assert not np.array_equal(down, image)
    assert plots_gan.coloured(flow[..., :1], ['strain'], 1.0).shape == image.shape


def test_arrows_point_where_the_flow_goes():
    """An arrow turned by a sign or by exchanged axes would show a smile going down."""
    field = np.zeros((9, 9, 2))
    field[6:, 6:] = (2, -1)
    points, means = arrows.means(field, 3)
    assert points[-1].tolist() == [7, 7] and means[-1].tolist() == [2, -1]
    assert not means[:-1].any()


@pytest.mark.parametrize(
    'channels,dtype',
    [(CHANNELS, np.float32), (['u', 'v', 'strain'], np.uint8), ([*'xyz'], np.uint8)],
)
def test_pictures_are_drawn(tmp_path, channels, dtype):
    """Few images, a class without any, or bytes must not end a run whose training took hours."""
    real, label = images(20, seed=0)
    made, _ = images(5, seed=1)
    if dtype == np.uint8:
        real, made = ((np.clip(30 * x + 127, 0, 255)).astype(np.uint8) for x in (real, made))
    plots_gan.samples(
        tmp_path / 'samples.png',
        (real, label),
        (made, np.zeros(5, int)),
        ('one', 'two', 'three'),
        channels,
    )
    plots_gan.nearest(tmp_path / 'nearest.png', made, real[:5], channels)
    for name in ('samples', 'nearest'):
        picture = cv2.imread(str(tmp_path / f'{name}.png'))
        assert picture is not None and picture.std() > 5
