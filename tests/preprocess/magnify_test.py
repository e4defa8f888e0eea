"""Motion magnification against gratings in closed form and against faces drawn with alpha times the
displacement.
"""

import cv2
import numpy as np
import pytest

from benchmarks import magnification
from mer_jax.errors import UserError
from mer_jax.preprocess import magnify, pyramid

SIZES = [(16, 16), (17, 16), (33, 20), (64, 97), (128, 128)]
# away from the reflected border, where a grating has a kink
INNER = (slice(48, -48), slice(48, -48))
ACTIVE = [name for name in magnify.METHODS if name != 'none']


def picture(shape=(96, 96), seed=0):
    """A smooth random 8-bit picture with structure at several scales."""
    draw = np.random.default_rng(seed)
    layers = [cv2.GaussianBlur(draw.standard_normal(shape), (0, 0), sigma) for sigma in (1.5, 3, 8)]
    return np.clip(128 + 25 * sum(layer / layer.std() for layer in layers), 0, 255).astype(np.uint8)


def grating(wave, angle, shift=0.0, *, size=192, contrast=40.0):
    """128 + contrast * cos along the direction `angle`, moved by `shift` pixels that way,
    float[size, size].
    """
    y, x = np.mgrid[:size, :size]
    along = np.cos(angle) * x + np.sin(angle) * y
    return 128 + contrast * np.cos(2 * np.pi * (along - shift) / wave)


def eight_bit(image):
    return np.rint(image).astype(np.uint8)


@pytest.mark.parametrize('shape', SIZES, ids=str)
@pytest.mark.parametrize('kind', ['uint8', 'float32', 'float64'])
def test_an_untouched_pyramid_gives_back_the_image(shape, kind):
    """A gap between filters or a lost Nyquist frequency would blur or pattern every magnified
    frame.
    """
    image = np.random.default_rng(1).integers(0, 256, shape).astype(kind)
    taken = pyramid.build(image)
    back = pyramid.reconstruct(taken)
    assert back.shape == shape and back.dtype == (np.float64 if kind == 'float64' else np.float32)
    assert np.abs(back - image.astype(float)).max() < (1e-6 if kind != 'float64' else 2e-7) * 255


@pytest.mark.parametrize('wave, angle', [(6, 0.0), (10, 0.6), (16, np.pi / 2), (24, 2.5)])
def test_a_grating_has_its_amplitude_and_its_phase_in_the_bands(wave, angle):
    """Phases that do not run at the grating's own pace would be magnified into a motion by another
    factor.

    In closed form: band b is a/2 |H_b| exp(i k x), the squares of all H_b sum to 1, the strongest
    band points along k.
    """
    bands = pyramid.build(grating(wave, angle) - 128).bands
    middle = [band[tuple(slice(3 * n // 8, 5 * n // 8 + 1) for n in band.shape)] for band in bands]
    energy = np.array([np.mean(np.abs(part) ** 2) for part in middle])
    assert energy.sum() == pytest.approx(40**2 / 4, rel=0.02)
    strongest = int(energy.argmax())
    # plus: y points down in pictures, up in the directions of the filters
    apart = (strongest % pyramid.ORIENTATIONS * np.pi / pyramid.ORIENTATIONS + angle) % np.pi
    assert min(apart, np.pi - apart) <= np.pi / pyramid.ORIENTATIONS / 2 + 0.03
    padded = pyramid.padded_shape((192, 192))
    part = middle[strongest]
    for axis, component in enumerate((np.sin(angle), np.cos(angle))):
        spacing = padded[axis] / bands[strongest].shape[axis]
        lines = np.moveaxis(part, axis, 0)
        pace = np.angle((lines[1:] * lines[:-1].conj()).sum())
        assert abs(pace) == pytest.approx(abs(2 * np.pi / wave * component * spacing), abs=0.05)


def test_the_stated_noise_of_a_band_is_what_noise_gives():
    """Trust in a phase is measured against it: too high, and fine motion would be damped away."""
    bands = pyramid.build(np.random.default_rng(3).standard_normal((160, 160))).bands
    fine = 2 * pyramid.ORIENTATIONS  # coarser bands have too few samples for a tight comparison
    measured = [np.sqrt(np.mean(np.abs(band) ** 2)) for band in bands[:fine]]
    np.testing.assert_allclose(measured, pyramid.noise((160, 160))[:fine], rtol=0.06)


@pytest.mark.parametrize('shape', [(15, 40), (40, 40, 3), (40,)], ids=str)
def test_the_pyramid_refuses_what_it_cannot_take_apart(shape):
    """A colour frame would be filtered across its channels."""
    with pytest.raises(UserError, match='needs') as error:
        pyramid.build(np.zeros(shape))
    assert '\n' not in str(error.value)


@pytest.mark.parametrize('alpha', [0.0, 0.5, 3.0, 6.0])
@pytest.mark.parametrize('wave, angle', [(12, 0.0), (16, 0.7), (28, np.pi / 2), (20, 2.2)])
def test_phase_moves_a_grating_by_alpha_times_its_shift(wave, angle, alpha):
    """alpha as the factor of what is added would move it by 1 + alpha times; a wrong sign would
    move it back.

    One wave has no envelope to outrun, so the closed form 128 + 40 cos(k (x - alpha d)) holds for
    any output motion.
    """
    shift = wave / 9
    frames = [eight_bit(grating(wave, angle, d)) for d in (0, shift)]
    found = magnify.magnify(*frames, method='phase', alpha=alpha)
    assert np.abs(found[INNER] - grating(wave, angle, alpha * shift)[INNER]).mean() < 2


def test_phase_takes_more_than_half_a_wave_for_motion_the_other_way():
    """The difference must be wrapped to (-pi, pi]: a shift of 0.6 waves is one of -0.4 waves, in
    closed form.
    """
    wave, shift = 16, 0.6 * 16
    found = magnify.magnify(
        eight_bit(grating(wave, 0)), eight_bit(grating(wave, 0, shift)), method='phase', alpha=1.5
    )
    expected = grating(wave, 0, shift + 0.5 * (shift - wave))
    assert np.abs(found[INNER] - expected[INNER]).mean() < 2


@pytest.mark.parametrize('alpha', [0.0, 3.0, 6.0])
@pytest.mark.parametrize('wave, shift', [(12, 0.1), (20, 0.4)])
def test_eulerian_adds_the_blurred_difference(wave, shift, alpha):
    """apex + (alpha - 1) g (apex - onset) with g = exp(-(k sigma)^2 / 2), what a Gaussian leaves of
    a wave.
    """
    onset, apex = grating(wave, 0), grating(wave, 0, shift)
    left = np.exp(-((2 * np.pi / wave * magnify.BLUR) ** 2) / 2)
    found = magnify.magnify(eight_bit(onset), eight_bit(apex), method='eulerian', alpha=alpha)
    expected = apex + (alpha - 1) * left * (apex - onset)
    # rounding of the two 8-bit frames is magnified too
    assert np.abs(found[INNER] - expected[INNER]).max() <= 1.1 + abs(alpha - 1)


@pytest.mark.parametrize('method', magnify.METHODS)
@pytest.mark.parametrize('shape', SIZES, ids=str)
def test_alpha_one_is_the_apex_frame_itself(method, shape):
    """Magnification switched off must not change a single pixel of any picture size."""
    onset, apex = picture(shape, 1), picture(shape, 2)
    kept = apex.copy()
    found = magnify.magnify(onset, apex, method=method, alpha=1.0)
    np.testing.assert_array_equal(found, kept)
    assert found.dtype == np.uint8 and found is not apex


def test_none_is_the_apex_frame_for_any_alpha():
    """A run without magnification would otherwise depend on a factor that it does not use."""
    apex = picture(seed=2)
    np.testing.assert_array_equal(magnify.magnify(picture(), apex, method='none', alpha=6), apex)


@pytest.mark.parametrize('method', ACTIVE)
def test_alpha_nought_takes_the_motion_out(method):
    """alpha 0 must bring back the onset's place of every feature, not the apex and not twice the
    opposite motion.
    """
    onset, apex, _, _, field = magnification.scene(1, 'face', 0.8, alpha=1, noise=1.0)
    still = magnify.magnify(onset, apex, method=method, alpha=0)
    assert abs(magnification.along(onset, still, field)) < 0.3 * magnification.along(
        onset, apex, field
    )


@pytest.mark.parametrize('kind', ['head', 'face'])
@pytest.mark.parametrize('method', ACTIVE)
@pytest.mark.parametrize('part', [0.6, 1.0])
def test_motion_is_alpha_times_the_true_one_in_the_stated_range(method, kind, part):
    """RANGES is what users decide by: the face drawn with alpha times the displacement is the
    truth.
    """
    output = max(part * magnify.RANGES[method], 0.6)
    gain, _ = magnification.measure(method, kind, output, alpha=6, people=2)
    assert abs(gain - 1) < magnify.TOLERANCE


@pytest.mark.parametrize(
    'method, kind', [('eulerian', 'head'), ('eulerian', 'face'), ('phase', 'head')]
)
def test_motion_falls_short_far_beyond_the_stated_range(method, kind):
    """A stated range that ends too early would keep users from motion that comes out right."""
    gain, _ = magnification.measure(method, kind, 2.5 * magnify.RANGES[method], alpha=6, people=2)
    assert gain < 1 - magnify.TOLERANCE


@pytest.mark.parametrize('kind', ['head', 'face'])
def test_large_motion_needs_phases(kind):
    """At 4 pixels linear magnification paints contours and hardly moves: the reason why there are
    two methods.
    """
    slow, bad = magnification.measure('eulerian', kind, 4.0, alpha=6, people=2)
    fast, good = magnification.measure('phase', kind, 4.0, alpha=6, people=2)
    assert slow < 0.6 < 0.7 < fast
    assert good > bad + 6  # decibels against the face drawn with six times the motion


def test_phase_leaves_a_change_of_light_alone():
    """Light that flickers by 4 % between the frames would come out as one of 24 %, as it does
    linearly.
    """
    onset = picture()
    apex = np.clip(np.rint(onset * 0.96), 0, 255).astype(np.uint8)
    found = magnify.magnify(onset, apex, method='phase', alpha=6).astype(int)
    assert np.abs(found - apex).mean() < 1
    assert (
        np.abs(magnify.magnify(onset, apex, method='eulerian', alpha=6).astype(int) - apex).mean()
        > 15
    )


def test_motion_at_one_edge_does_not_come_out_at_the_other():
    """The Fourier transform joins opposite edges; without the reflected border, motion would wrap
    round.
    """
    onset = picture((64, 96))
    apex = onset.copy()
    apex[:, :12] = np.roll(onset, 1, 1)[:, :12]
    found = magnify.magnify(onset, apex, method='phase', alpha=6).astype(int)
    assert np.abs(found - apex)[:, :12].mean() > 3
    assert np.abs(found - apex)[:, -12:].max() <= 1


def test_two_noisy_pictures_of_one_still_face_stay_still():
    """Phases of flat skin are random; magnified without distrust they would boil."""
    draw = np.random.default_rng(4)
    calm = cv2.GaussianBlur(picture(), (0, 0), 6).astype(float)
    onset, apex = np.clip(
        np.rint(calm + 1.5 * draw.standard_normal((2, *calm.shape))), 0, 255
    ).astype(np.uint8)
    found = magnify.magnify(onset, apex, method='phase', alpha=6)
    assert np.std(found - calm) < 1.5 * 1.3
    assert np.std(magnify.magnify(onset, apex, method='eulerian', alpha=6) - calm) > 1.5 * 1.5


def test_phase_difference_is_a_circular_mean_with_trust_by_amplitude():
    """As plain numbers, phases of pi - 0.2 and -pi + 0.2 average to 0: the largest motion would
    vanish.
    """
    first = np.full((16, 16), 4 + 0j, np.complex64)
    turns = np.where(np.indices((16, 16)).sum(0) % 2, np.pi - 0.2, -np.pi + 0.2)
    angle, trust = magnify.phase_difference(
        first, (first * np.exp(1j * turns)).astype(np.complex64), 0.1
    )
    assert np.abs(angle).min() > np.pi - 0.2 and trust.min() > 0.99
    _, weak = magnify.phase_difference(1e-3 * first, 1e-3 * first, 0.1)
    assert weak.max() < 0.01


@pytest.mark.parametrize(
    'changed, words',
    [
        ({'method': 'phse'}, "method is 'phse'; known: none, eulerian, phase"),
        ({'alpha': -0.1}, 'alpha is -0.1'),
        ({'alpha': float('nan')}, 'alpha is nan'),
        ({'alpha': float('inf')}, 'alpha is inf'),
        ({'apex': np.zeros((32, 31), np.uint8)}, 'equal shapes'),
        ({'onset': np.zeros((32, 32), np.float32)}, 'onset frame is float32[32, 32]'),
        ({'apex': np.zeros((32, 32, 3), np.uint8)}, 'apex frame is uint8[32, 32, 3]'),
        ({'onset': np.zeros((15, 32), np.uint8)}, 'at least 16 pixels'),
    ],
)
def test_mistakes_are_named_in_one_line(changed, words):
    """A negative factor would turn a smile into its opposite; a float frame in 0..1 would come out
    black.
    """
    black = np.zeros((32, 32), np.uint8)
    given = {'onset': black, 'apex': black, 'method': 'phase', 'alpha': 6.0}
    with pytest.raises(UserError) as error:
        magnify.magnify(**(given | changed))
    assert words in str(error.value) and '\n' not in str(error.value)


def test_every_method_states_its_range():
    """A method without a range would be used at any motion."""
    assert magnify.RANGES.keys() == magnify.METHODS.keys()
