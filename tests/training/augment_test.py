"""Changes of a training sample: flip, erasing and Region Replacing, each against the rule it
follows.
"""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mer_jax.data import images
from mer_jax.preprocess.regions import action_unit_region
from mer_jax.settings.sections import Augment
from mer_jax.training import augment, batches
from mer_jax.types import Rows, Samples
from tests.support.compiling import quickly

KEYS = jax.random.split(jax.random.key(3), 400)
UNITS = ('L4', 'R4', 'L12', 'R12', '53')
EYES, MOUTH, HEAD = (
    (*range(1, 10), *range(41, 47), *range(61, 70)),
    tuple(range(10, 40)),
    tuple(range(51, 59)),
)


def sample_of(image, units, clip=0):
    """One row of Samples."""
    return Samples(
        jnp.asarray(image),
        jnp.int32(1),
        jnp.int32(0),
        jnp.int32(0),
        jnp.int32(clip),
        {
            'action_units': jnp.asarray(units, jnp.float32),
            'half_source': jnp.array([clip, clip]),
        },
    )


def picture(seed=0, size=8, channels=3):
    return np.random.default_rng(seed).integers(0, 256, (size, size, channels)).astype(np.float32)


def flip(
    sample, *, names=UNITS, channels=('v', 'u', 'strain'), in_bytes=True, share=1.0, key=KEYS[0]
):
    u = np.array([channel == 'u' for channel in channels])
    return augment.flip(
        key, sample, share=share, u=u, partner=augment.mirrored_units(names), in_bytes=in_bytes
    )


@pytest.mark.parametrize('in_bytes', [True, False])
def test_a_flip_undoes_itself(in_bytes):
    """What is not undone was not mirrored: a channel shifted or a unit lost."""
    sample = sample_of(picture(), [1, 0, 0, np.nan, 1])
    once = flip(sample, in_bytes=in_bytes)
    jax.tree.map(np.testing.assert_array_equal, flip(once, in_bytes=in_bytes), sample)
    assert (
        (once.image != sample.image).any()
        and once.clip == sample.clip
        and once.label == sample.label
    )


def test_a_flip_turns_the_sign_of_u_alone():
    """A motion to the left is one to the right in the mirror; v and strain keep their values and
    change their place.
    """
    image = picture()
    for in_bytes, turned in ((True, 255 - image[:, ::-1, 1]), (False, -image[:, ::-1, 1])):
        found = flip(sample_of(image, [0] * 5), in_bytes=in_bytes).image
        np.testing.assert_array_equal(found[..., 1], turned)
        np.testing.assert_array_equal(found[..., ::2], image[:, ::-1, ::2])


def test_a_flip_of_bytes_is_that_of_the_measured_field():
    """Stretching the mirrored motion gives 255 - u and no other byte: the flip needs no measured
    flow.
    """
    field = np.random.default_rng(1).normal(0.3, 1, (9, 9, 2)).astype(np.float32)
    mirrored = np.stack([-field[:, ::-1, 0], field[:, ::-1, 1]], -1)
    found = flip(
        sample_of(images.stretch(field).astype(np.float32), [0] * 5), channels=('u', 'v')
    ).image
    np.testing.assert_allclose(found, images.stretch(mirrored), atol=1)  # rounding of a half
    assert (np.asarray(found) == images.stretch(mirrored)).mean() > 0.99


def test_a_flip_changes_the_sides_of_action_units():
    """A left lip corner in the mirror is a right one; 12 without a side, the head and unknown units
    stay.
    """
    assert [UNITS[i] for i in augment.mirrored_units(UNITS)] == ['R4', 'L4', 'R12', 'L12', '53']
    np.testing.assert_array_equal(augment.mirrored_units(('1', '4', '12')), [0, 1, 2])
    # without a column of its mirror image
    np.testing.assert_array_equal(augment.mirrored_units(('L12',)), [0])
    assert augment.mirrored_units(()).shape == (0,)
    np.testing.assert_array_equal(
        flip(sample_of(picture(), [0, 0, 1, 0, 1])).extras['action_units'], [0, 0, 0, 1, 1]
    )
    assert np.isnan(flip(sample_of(picture(), [np.nan] * 5)).extras['action_units']).all()


@pytest.mark.parametrize('share', [0.0, 0.5, 1.0])
def test_a_flip_comes_as_often_as_asked(share):
    """400 draws, 5 standard deviations; never and always exactly."""
    sample = sample_of(picture(), [1, 0, 0, 0, 0])
    found = quickly(
        jax.vmap(lambda key: flip(sample, share=share, key=key).extras['action_units'][1])
    )(KEYS)
    assert abs(float(found.sum()) - 400 * share) <= 5 * math.sqrt(400 * share * (1 - share))


@partial(quickly, static_argnames=('size', 'area', 'ratio'))
def erase(share, spread, *, size, **more):
    one = partial(
        augment.erase, image=jnp.full((size, size, 2), 1e4), share=share, spread=spread, **more
    )
    return jax.vmap(one)(KEYS)


def erased(share=1.0, spread=1.0, *, size=40, **more):
    """400 erased copies [size, size, 2] of a picture of 10000, which noise never is, and which
    pixels of them are noise.
    """
    found = np.asarray(erase(share, spread, size=size, **more))
    return found, (found != 1e4).all(-1)


def test_erasing_changes_one_rectangle_and_nothing_else():
    """Noise outside of it, or in one channel alone, would be another augmentation."""
    found, noise = erased(spread=255.0)
    assert noise.any((1, 2)).all()
    np.testing.assert_array_equal(found == 1e4, np.repeat(~noise[..., None], 2, -1))
    for one in noise:
        tall, wide = one.any(1).sum(), one.any(0).sum()
        assert one.sum() == tall * wide and np.ptp(np.flatnonzero(one.any(1))) == tall - 1
        assert np.ptp(np.flatnonzero(one.any(0))) == wide - 1 and max(tall, wide) < 40


def test_erased_rectangles_are_as_torchvision_draws_them():
    """Areas 0.02 to 0.3 of the picture, drawn evenly; ratios of sides 0.3 to 3.3, drawn evenly on a
    log scale: scale=(0.02, 0.3) of Ruan et al. 2022, whose upper end is not torchvision's default.
    """
    _, noise = erased(spread=255.0, size=200)
    tall, wide = noise.any(2).sum(1), noise.any(1).sum(1)
    area, ratio = tall * wide / 200**2, tall / wide
    margin = 1 / tall + 1 / wide  # sides are rounded to pixels
    assert (area > 0.02 * (1 - margin)).all() and (area < 0.3 * (1 + margin)).all()
    assert (ratio > 0.3 * (1 - margin)).all() and (ratio < 3.3 * (1 + margin)).all()
    spread = (0.3 - 0.02) / math.sqrt(12) / math.sqrt(400)
    # some of the largest and longest do not fit
    assert abs(area.mean() - (0.02 + 0.3) / 2) < 5 * spread + 0.01
    spread = math.log(11) / math.sqrt(12) / math.sqrt(400)
    assert abs(np.log(ratio).mean()) < 5 * spread and area.min() < 0.04 and area.max() > 0.28
    corner = np.array(
        [(np.flatnonzero(one.any(1))[0], np.flatnonzero(one.any(0))[0]) for one in noise]
    )
    share = corner / np.stack([200 - tall, 200 - wide], 1)
    assert (
        share.min() == 0 and share.max() == 1 and (abs(share.mean(0) - 0.5) < 5 * 0.29 / 20).all()
    )


@pytest.mark.parametrize('spread', [1.0, 255.0])
def test_erased_pixels_are_noise_of_the_spread(spread):
    """Noise of another size would be a black rectangle, or one that outshines the face."""
    found, noise = erased(spread=spread)
    values = found[noise] / spread
    assert abs(values.mean()) < 5 / math.sqrt(values.size) and values.std() == pytest.approx(
        1, rel=0.02
    )
    assert np.corrcoef(values.T)[0, 1] == pytest.approx(0, abs=0.03)


@pytest.mark.parametrize('share', [0.0, 0.5, 1.0])
def test_erasing_comes_as_often_as_asked(share):
    """Half of the pictures, not half of each."""
    _, noise = erased(share)
    assert abs(noise.any((1, 2)).sum() - 400 * share) <= 5 * math.sqrt(400 * share * (1 - share))


def test_a_picture_that_nothing_fits_stays_whole():
    """torchvision gives up after ten tries; a rectangle cut at the border would have
    another area.
    """
    _, noise = erased(size=8, area=(0.9, 1.0), ratio=(3.0, 3.3))
    assert not noise.any()


NAMES = tuple(map(str, (*EYES, *MOUTH, *HEAD)))
HALVES = np.array(
    [[action_unit_region(name) == half for name in NAMES] for half in ('eyes', 'mouth')]
)


def columns(*numbers):
    """A row of action units in which these numbers moved."""
    assert all(str(number) in NAMES for number in numbers)
    return np.array([int(name) in numbers for name in NAMES], np.float32)


def numbers(sample, row=...):
    units = sample.extras['action_units'][row]
    return {int(name) for name, value in zip(NAMES, units, strict=True) if value == 1}


# the sample: brow 4, gaze 61 (eyes), cheeks 33 (mouth), head 53; the donor: lids 7, 46 (eyes),
# corners 12, 39 (mouth), head 51
SAMPLE, DONOR = (
    sample_of(picture(0), columns(4, 61, 33, 53), clip=3),
    sample_of(picture(1), columns(7, 46, 12, 39, 51), clip=8),
)


def replaced(key=KEYS[0], sample=SAMPLE, donor=DONOR, **more):
    settings = {'share': 1.0, 'halves': HALVES, 'units': 'image', 'region': 'mouth'} | more
    return augment.replace_region(key, sample, donor, **settings)


def test_the_mouth_is_that_of_the_donor():
    """The upper half stays, the lower is the donor's, and both clips are told: WSCL must not pair a
    row with its donor.
    """
    found = replaced()
    np.testing.assert_array_equal(found.image[:4], SAMPLE.image[:4])
    np.testing.assert_array_equal(found.image[4:], DONOR.image[4:])
    assert (
        found.extras['half_source'].tolist() == [3, 8]
        and found.clip == 3
        and found.label == SAMPLE.label
    )


def test_units_are_those_that_the_picture_shows():
    """Eyes of the sample, mouth of the donor, head of the sample: units of a mouth that is gone
    would align what differs.
    """
    assert numbers(replaced()) == {4, 61, 12, 39, 53}
    assert numbers(replaced(units='union')) == {4, 61, 33, 53, 7, 46, 12, 39, 51}


def test_every_unit_goes_with_its_half():
    """Eyes 1-9, 41-46, 61-69; mouth 10-39; the head, 51-58, with the sample."""
    everything = sample_of(picture(1), columns(*EYES, *MOUTH, *HEAD))
    nothing = sample_of(picture(0), columns())
    assert numbers(replaced(sample=nothing, donor=everything)) == set(MOUTH)
    assert numbers(replaced(sample=everything, donor=nothing)) == {*EYES, *HEAD}


def test_either_half_is_replaced_as_often():
    """Where the eyes are replaced, picture, units and parts must all tell the same."""
    found = quickly(jax.vmap(partial(replaced, region='either')))(KEYS)
    eyes = np.asarray(found.image[:, 0] == DONOR.image[0]).all((1, 2))
    mouth = np.asarray(found.image[:, -1] == DONOR.image[-1]).all((1, 2))
    assert (eyes != mouth).all() and abs(eyes.sum() - 200) <= 5 * math.sqrt(100)
    for row in np.flatnonzero(eyes)[:3]:
        assert numbers(found, row) == {7, 46, 33, 53}
        assert found.extras['half_source'][row].tolist() == [8, 3]
        np.testing.assert_array_equal(found.image[row, 4:], SAMPLE.image[4:])
    for row in np.flatnonzero(mouth)[:3]:
        assert numbers(found, row) == {4, 61, 12, 39, 53}
        assert found.extras['half_source'][row].tolist() == [3, 8]


def test_unknown_units_stay_unknown():
    """SMIC has no units: a mixture with a clip of it knows one half, and may not claim that nothing
    moved in the other.
    """
    unknown = DONOR.with_extras(action_units=jnp.full(len(NAMES), jnp.nan))
    found = np.asarray(replaced(donor=unknown).extras['action_units'])
    np.testing.assert_array_equal(np.isnan(found), HALVES[1])
    found = np.asarray(replaced(sample=unknown, donor=SAMPLE).extras['action_units'])
    np.testing.assert_array_equal(np.isnan(found), ~HALVES[1])
    for pair in ((unknown, DONOR), (DONOR, unknown)):
        assert np.isnan(
            replaced(sample=pair[0], donor=pair[1], units='union').extras['action_units']
        ).all()


@pytest.mark.parametrize('share', [0.0, 0.5, 1.0])
def test_regions_are_replaced_as_often_as_asked(share):
    """What is not replaced stays as it was, units and parts included."""
    found = quickly(jax.vmap(partial(replaced, share=share)))(KEYS)
    changed = np.asarray(found.extras['half_source'][:, 1] == 8)
    assert abs(changed.sum() - 400 * share) <= 5 * math.sqrt(400 * share * (1 - share))
    np.testing.assert_array_equal((found.image[:, -1] == DONOR.image[-1]).all((1, 2)), changed)
    np.testing.assert_array_equal(
        (found.extras['action_units'] == SAMPLE.extras['action_units']).all(1), ~changed
    )


CLIP = np.random.default_rng(5).uniform(1, 255, (3, 12, 10, 1)).astype(np.float32)


@pytest.mark.parametrize(
    'degrees,side,corner',
    [
        (0, 1, (0, 0)),
        (90, 1, (0, 0)),
        (-13, 1, (0, 0)),
        (0, 0.8, (0.2, 0.05)),
        (15, 0.9, (0.1, 0.0)),
    ],
)
def test_a_turned_window_equals_opencv(degrees, side, corner):
    """A window off by half a pixel, or turned about a corner, would move every face; OpenCV rounds
    to 1/32 of a pixel.
    """
    cv2 = pytest.importorskip('cv2')
    _, height, width, _ = CLIP.shape
    # picture -> window
    turn = cv2.getRotationMatrix2D((width / 2 - 0.5, height / 2 - 0.5), degrees, 1)
    y, x = (
        n * (side * (np.arange(n) + 0.5) / n + start) - 0.5
        for n, start in zip((height, width), corner, strict=True)
    )
    grid = np.stack([*np.meshgrid(x, y), np.ones((height, width))], -1) @ turn.T
    found = np.asarray(
        augment.rotate(jnp.asarray(CLIP), math.radians(degrees), side, jnp.array(corner))
    )
    for frame, got in zip(CLIP[..., 0], found[..., 0], strict=True):
        smooth = cv2.remap(
            frame,
            *np.moveaxis(grid.astype(np.float32), -1, 0),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
        )
        np.testing.assert_allclose(got, smooth, atol=255 / 16)
    if degrees == 90:
        square = jnp.asarray(CLIP[:, :10])
        turned = augment.rotate(square, math.radians(90), 1.0, jnp.zeros(2))
        assert any(np.allclose(turned, np.rot90(square, k, axes=(1, 2)), atol=0.05) for k in (1, 3))


def test_frames_of_a_clip_move_and_light_up_together():
    """A draw a frame would make motion where there is none."""
    still = jnp.asarray(np.repeat(CLIP[:1], 3, 0))
    for change in map(
        quickly,
        (
            partial(augment.rotate_and_crop, angle=15, crop=0.1),
            partial(augment.jitter_light, contrast=0.3, brightness=0.3),
        ),
    ):
        found = np.asarray(change(KEYS[0], still))
        np.testing.assert_array_equal(found[0], found[1])
        assert np.abs(found - still).max() > 1
        assert len({float(change(key, still).sum()) for key in KEYS[:5]}) == 5


def test_amounts_stay_within_what_is_asked():
    """Degrees taken for radians, or a crop of 10 % that keeps 10 %, would leave no face; 10 % of
    each side is up to 19 % of the area, which the paper's 10 % is of.
    """
    ramp, flat = (
        jnp.asarray(np.mgrid[:64, :64].astype(np.float32)[1][..., None] + 1),
        jnp.full((4, 4, 1), 100.0),
    )
    cropped, turned, light = (
        np.asarray(found)[..., 0]
        for found in quickly(
            jax.vmap(
                lambda key: (
                    augment.rotate_and_crop(key, ramp, angle=0, crop=0.1),
                    augment.rotate_and_crop(key, ramp, angle=15, crop=0),
                    augment.jitter_light(key, flat, contrast=0, brightness=0.3),
                )
            )
        )(KEYS)
    )
    steps = np.diff(cropped[:, 32, 8:56], axis=1)
    assert steps.min() > 0.9**0.5 - 1e-3 and steps.max() < 1.001
    assert np.ptp(steps.mean(1)) > 0.045
    angle = np.degrees(
        np.arctan2(turned[:, 40, 32] - turned[:, 24, 32], turned[:, 32, 40] - turned[:, 32, 24])
    )
    assert 14 < angle.max() <= 15.01 and -15.01 <= angle.min() < -14
    assert 70 <= light.min() < 72 and 128 < light.max() <= 130


def test_contrast_is_about_the_mean_of_the_face():
    """The black of a mask would pull the mean down, and turn grey itself."""
    image = jnp.array([0.0, 100, 140, 120]).reshape(2, 2, 1)
    found = np.asarray(
        quickly(jax.vmap(lambda key: augment.jitter_light(key, image, contrast=0.3, brightness=0)))(
            KEYS
        )
    ).reshape(-1, 4)
    assert (found[:, 0] == 0).all()
    np.testing.assert_allclose(found[:, 3], 120, atol=1e-3)
    factor = (found[:, 2] - 120) / 20
    np.testing.assert_allclose(found[:, 1], 120 - 20 * factor, atol=1e-3)
    assert 0.7 <= factor.min() < 0.72 and 1.28 < factor.max() <= 1.301
    bright = augment.jitter_light(KEYS[0], jnp.full((2, 2, 1), 254.0), contrast=0, brightness=1)
    assert 0 <= np.asarray(bright).min() and np.asarray(bright).max() <= 255


def test_donors_are_training_rows_of_the_class():
    """A row of the left-out subject as a donor would put its face into training; every other must
    come as often.
    """
    label = jnp.array([0, 1, 0, 1, 0, 0, 1, 2, 0])
    # 4, 6 are others', 8 is padding
    rows = Rows(jnp.array([0, 1, 2, 3, 5, 7, 0, 8]), jnp.array([1, 1, 1, 1, 1, 1, 0, 0.0]))
    batch = jnp.array([0, 1, 7, 5, 3])
    allowed = [{0, 2, 5}, {1, 3}, {7}, {0, 2, 5}, {1, 3}]
    drawn = np.asarray(quickly(jax.vmap(lambda key: batches.donors(key, label, rows, batch)))(KEYS))
    for column, own in zip(drawn.T, allowed, strict=True):
        counts = np.bincount(column, minlength=9)[sorted(own)]
        assert (
            set(column) == own
            and (abs(counts - 400 / len(own)) <= 5 * math.sqrt(400 / len(own))).all()
        )


ON = {'flip': 0.5, 'erase': 0.5, 'replace': 0.5}


def composed(*, channels=('u', 'v'), in_bytes=True, **changed):
    settings = Augment(**ON | changed)
    return augment.compose(settings, names=UNITS, channels=channels, in_bytes=in_bytes)


def test_nothing_on_is_none():
    """A change that changes nothing would still cost a copy of every batch."""
    assert composed(flip=0.0, erase=0.0, replace=0.0) is None


@pytest.mark.parametrize('off', sorted(ON))
def test_what_is_off_never_happens(off):
    """An augmentation that cannot be switched off cannot be compared."""
    change = quickly(
        jax.vmap(
            composed(**{name: 0.0 if name == off else 1.0 for name in ON}), in_axes=(0, None, None)
        )
    )
    sample = sample_of(np.full((8, 8, 2), 7), [1, 0, 0, 0, 0], clip=3)
    donor = sample_of(np.full((8, 8, 2), 7), [0, 0, 0, 1, 0], clip=8)
    found = change(KEYS[:20], sample, donor)
    signs = np.isin(np.asarray(found.image[..., 0]), (7, 248)).all((1, 2))
    assert found.image.dtype == np.float32
    assert (np.asarray(found.extras['half_source'][:, 1]) == (3 if off == 'replace' else 8)).all()
    assert (np.asarray(found.extras['action_units'][:, 0]) == (1 if off == 'flip' else 0)).all()
    # some noise falls into the halves that nobody sees
    assert signs.all() if off == 'erase' else signs.mean() < 0.5


def test_a_clip_is_changed_as_asked():
    """Amounts that never reach the change would train without the augmentation that results.json
    claims.
    """
    change = composed(
        flip=0.0, erase=0.0, replace=0.0, rotate=15.0, contrast=0.3, channels=['gray']
    )
    sample = sample_of(CLIP, [0, 0, 0, 0, 1])
    found = change(KEYS[0], sample, sample).image
    own = jax.random.split(jax.random.split(KEYS[0], 4)[2], 3)[0]  # the draw of the angle
    angle = jnp.deg2rad(jax.random.uniform(own, minval=-15, maxval=15))
    turned = augment.rotate(jnp.asarray(CLIP), angle, 1.0, jnp.zeros(2))
    assert (np.asarray(turned == 0) == np.asarray(found == 0)).all() and np.abs(
        found - turned
    ).max() > 1
    back = np.corrcoef(np.asarray(turned[turned > 0]), np.asarray(found[turned > 0]))[0, 1]
    assert back > 0.95


def test_all_together_under_vmap_and_jit():
    """Bytes in, float32 out, every row by its own key; the donor is flipped on its own before its
    mouth is used.
    """
    change, count = composed(), 40
    draw = np.random.default_rng(0)
    image = draw.integers(0, 256, (count, 8, 8, 2)).astype(np.uint8)
    units = (draw.random((count, 5)) < 0.4).astype(np.float32)
    zeros, clip = np.zeros(count, np.int32), np.arange(count, dtype=np.int32)
    rows = augment.with_half_source(
        Samples(image, zeros, zeros, zeros, clip, {'action_units': units})
    )
    np.testing.assert_array_equal(rows.extras['half_source'], np.stack([clip, clip], 1))
    rows = jax.tree.map(jnp.asarray, rows)
    donors = jax.tree.map(lambda a: a[::-1], rows)
    found = quickly(jax.vmap(change))(KEYS[:count], rows, donors)
    assert (
        found.image.shape == (count, 8, 8, 2)
        and found.image.dtype == np.float32
        and np.isfinite(found.image).all()
    )
    one = quickly(change)(KEYS[5], *jax.tree.map(lambda a: a[5], (rows, donors)))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a[5], b, rtol=1e-5, atol=1e-4), found, one)
    assert set(np.unique(found.extras['half_source'][:, 1] == rows.clip)) == {False, True}
    both = composed(flip=0.5, erase=0.0, replace=1.0)
    mixed = quickly(jax.vmap(both, in_axes=(0, None, None)))(
        KEYS[:60], *jax.tree.map(lambda a: a[0], (rows, donors))
    )
    upper = np.asarray(mixed.image[:, :4, :, 1] == rows.image[0, :4, :, 1]).all((1, 2))
    lower = np.asarray(mixed.image[:, 4:, :, 1] == donors.image[0, 4:, :, 1]).all((1, 2))
    assert len({(bool(a), bool(b)) for a, b in zip(upper, lower, strict=True)}) == 4, (
        'both flips by one draw'
    )
