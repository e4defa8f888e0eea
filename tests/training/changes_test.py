"""Changes of key frames and flow: vectors turn with the picture, light reaches gray frames alone,
motion its own channels.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mer_jax.data.channels import CHANNELS
from mer_jax.errors import UserError
from mer_jax.settings.sections import Augment
from mer_jax.training import augment
from mer_jax.training.changes import CHANGES, augmentable

NINE = list(CHANNELS['phases'])
MOVED = [place for place, name in enumerate(NINE) if name in ('u', 'v', 'u2', 'v2')]


def felt(image, seed=0, channels=NINE, **settings):
    key = jax.random.split(jax.random.key(seed))[0]
    image = jnp.asarray(image, jnp.float32)
    return np.asarray(
        augment.jitter_flow(key, image, settings=Augment(**settings), channels=channels)
    )


def clip(seed=0, size=24):
    draw = np.random.default_rng(seed)
    return np.concatenate(
        [draw.uniform(20, 200, (size, size, 3)), draw.normal(size=(size, size, 6))], -1
    )


def inner(image, margin=6):
    return image[margin:-margin, margin:-margin]


def test_a_face_that_opens_evenly_opens_evenly_when_it_is_turned():
    """Pixels turned without their vectors, or vectors the other way round, would swirl: another
    motion than was measured.
    """
    y, x = np.mgrid[:24, :24] - 11.5
    image = np.stack([x, y], -1)
    turned = felt(image, channels=['u', 'v'], rotate=40.0)
    np.testing.assert_allclose(inner(turned), inner(image), atol=1e-4)
    pixels = augment.rotate(np.asarray(image, np.float32), np.deg2rad(30.0), 1.0, (0.0, 0.0))
    assert np.abs(inner(np.asarray(pixels) - image)).max() > 1, 'turning does something to it'


def test_a_shift_turns_by_the_angle_of_the_picture_and_keeps_its_length():
    """The second phase would otherwise point elsewhere than the first; a strain has no direction to
    turn.
    """
    image = np.zeros((24, 24, 9))
    image[..., NINE.index('u')], image[..., NINE.index('v2')], image[..., NINE.index('strain')] = (
        2,
        3,
        5,
    )
    image[4:8, 10:14, 0] = 200  # above the middle
    found = {name: inner(felt(image, rotate=60.0)[..., place]) for place, name in enumerate(NINE)}
    angle = np.arctan2(found['v'], found['u'])
    assert np.ptp(angle) < 1e-4 and 0.01 < abs(angle[0, 0]) <= np.pi / 3
    np.testing.assert_allclose(np.hypot(found['u'], found['v']), 2, rtol=1e-4)
    np.testing.assert_allclose(np.arctan2(found['v2'], found['u2']), angle + np.pi / 2, atol=1e-4)
    np.testing.assert_allclose(found['strain'], 5, rtol=1e-4)
    bright = felt(image, rotate=60.0)[..., 0]
    place = np.array([np.average(axis, weights=bright) for axis in np.mgrid[:24, :24]]) - 11.5
    # the spot above the middle went that way
    np.testing.assert_allclose(np.arctan2(place[1], -place[0]), angle[0, 0], atol=0.1)


@pytest.mark.parametrize(
    'settings,still',
    [
        ({'contrast': 0.5, 'brightness': 0.5}, range(3, 9)),
        ({'flow_scale': 0.5}, range(3)),
        ({'noise': 0.3}, [place for place in range(9) if place not in MOVED]),
    ],
)
def test_light_changes_frames_and_force_changes_motion(settings, still):
    """Motion that grows with the light, or a face that darkens with its motion, is nothing that a
    camera sees.
    """
    image, found = clip(), felt(clip(), **settings)
    for place in range(9):
        same = np.allclose(found[..., place], image[..., place], atol=1e-4)
        assert same == (place in still), NINE[place]


def test_all_motion_of_a_clip_grows_by_one_factor_within_the_share():
    """A second phase that grows apart from the first would tell of another apex."""
    image, factors = clip(), []
    for seed in range(20):
        ratio = felt(image, seed, flow_scale=0.3)[..., 3:] / image[..., 3:]
        assert np.ptp(ratio) < 1e-4 and 0.7 <= ratio.mean() <= 1.3
        factors.append(ratio.mean())
    assert np.ptp(factors) > 0.3


def test_noise_is_as_large_as_asked():
    """In other units it would drown the flow, which is a fraction of a pixel."""
    found = felt(np.zeros((64, 64, 9)), noise=0.05)[..., MOVED]
    assert found.std() == pytest.approx(0.05, rel=0.05) and abs(found.mean()) < 0.005


def test_frames_of_a_clip_light_up_together():
    """A light of its own in each frame would look like motion between them."""
    image = np.repeat(clip()[..., :1], 9, -1)
    found = felt(image, contrast=0.5, brightness=0.5)
    assert np.ptp(found[..., :3], axis=-1).max() == 0 and np.abs(found - image)[..., 0].max() > 1


def test_a_mirror_turns_both_phases():
    """u2 left as it is would let the face move right and come back to the right."""
    image = clip().astype(np.float32)
    u = augment.horizontal_channels(NINE)
    assert [name for name, turns in zip(NINE, u, strict=True) if turns] == ['u', 'u2']
    assert image.shape[-1] == len(u)


@pytest.mark.parametrize(
    'channels,clip_normalise,allowed',
    [
        (['gray'], True, {'flip', 'rotate', 'crop', 'contrast', 'brightness'}),
        (['u', 'v', 'strain'], True, {'flip', 'erase', 'replace'}),
        (['magnified', 'on_a', 'off_a'], False, {'flip', 'replace'}),
        (['u', 'v'], False, {'flip', 'replace', 'rotate', 'noise', 'flow_scale'}),
        (
            NINE,
            False,
            {'flip', 'replace', 'rotate', 'noise', 'flow_scale', 'contrast', 'brightness'},
        ),
    ],
)
def test_what_may_be_changed_follows_from_what_is_seen(channels, clip_normalise, allowed):
    """Vectors stretched to bytes cannot be turned, a flow has no light, noise in bytes is none in
    pixels.
    """
    assert set(augmentable(channels, clip_normalise)) == allowed <= set(CHANGES)


@pytest.mark.parametrize('change', ['rotate', 'noise', 'flow_scale'])
def test_vectors_in_bytes_are_not_changed(change):
    """Published features under input_scaler=standard are bytes, whose 0 is no rest: they would turn
    into another motion.
    """
    settings, names = Augment(**{change: 0.1}), {'names': (), 'channels': ['u', 'v']}
    with pytest.raises(UserError, match=f'{change}.*flow in pixels.*0'):
        augment.compose(settings, **names, in_bytes=True)
    assert augment.compose(settings, **names, in_bytes=False) is not None
