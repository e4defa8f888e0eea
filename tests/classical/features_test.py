"""What a clip is described by: against scipy, by hand, and against the augmentation that
mirrors.
"""

import jax
import numpy as np
import pytest
from scipy import ndimage

from mer_jax.classical import FEATURES, features
from mer_jax.data.channels import CHANNELS
from mer_jax.errors import UserError
from mer_jax.preprocess import au_regions, descriptors
from mer_jax.training import augment
from tests.conftest import make_samples
from tests.support.messages import mentions

FLOW = ['u', 'v', 'strain']
PHASES = list(CHANNELS['phases'])
DRAW = np.random.default_rng(0)


def fields(*shape):
    return np.random.default_rng(1).normal(0, 2, shape).astype(np.float32)


def faces(count, size=64):
    """Landmarks [count, 68, 2] in pixels, of faces that stand and are turned a little otherwise
    each.
    """
    points = np.zeros((68, 2))
    jaw, ellipse = np.pi * np.arange(17) / 16, 2 * np.pi * np.arange(20) / 20
    points[:17] = np.stack([0.5 - 0.38 * np.cos(jaw), 0.45 + 0.42 * np.sin(jaw)], -1)
    points[17:27] = np.stack(
        [np.r_[np.linspace(0.2, 0.43, 5), np.linspace(0.57, 0.8, 5)], np.full(10, 0.32)], -1
    )
    points[27:31] = np.stack([np.full(4, 0.5), np.linspace(0.4, 0.58, 4)], -1)
    points[31:36] = np.stack([np.linspace(0.43, 0.57, 5), np.full(5, 0.61)], -1)
    for first, across in ((36, 0.33), (42, 0.67)):
        turn = np.pi + 2 * np.pi * np.arange(6) / 6
        points[first : first + 6] = np.stack(
            [across + 0.06 * np.cos(turn), 0.41 + 0.03 * np.sin(turn)], -1
        )
    points[48:] = np.stack([0.5 - 0.13 * np.cos(ellipse), 0.75 + 0.05 * np.sin(ellipse)], -1)
    moved = np.random.default_rng(2).uniform(-0.1, 0.1, (count, 1, 2))
    return (size * (points + moved)).astype(np.float32)


def of(name, image, channels, points=None):
    """The features of one clip."""
    (found,) = features.extract(
        [name],
        image[None],
        None if points is None else points[None],
        channels=channels,
        mirror=False,
    )
    assert found.shape[:2] == (1, 1) and found.dtype == np.float32
    return found[0, 0]


@pytest.mark.parametrize(
    'channels,shape,stretched',
    [
        (FLOW, (9, 9), True),
        (FLOW, (9, 9), False),
        (['v', 'u'], (9, 9), True),
        (PHASES, (9, 9), False),
        (['gray'], (4, 9, 9), True),
        (['magnified', 'on_a', 'off_a'], (9, 9), True),
    ],
)
def test_a_mirror_image_is_that_of_the_augmentation(channels, shape, stretched):
    """A u that keeps its sign is a motion that no face makes: machines would be trained on it, and
    asked with it.
    """
    image = (
        DRAW.integers(0, 256, (*shape, len(channels))).astype(np.uint8)
        if stretched
        else fields(*shape, len(channels))
    )
    samples, _ = make_samples()
    sample = jax.tree.map(lambda a: a[0], samples)._replace(image=image.astype(np.float32))
    wanted = augment.flip(
        jax.random.key(0),
        sample,
        share=1.0,
        u=augment.horizontal_channels(channels),
        in_bytes=stretched,
        partner=np.arange(len(sample.extras['action_units'])),
    ).image
    found = features.mirrored(image, channels)
    assert found.dtype == image.dtype and not np.array_equal(found, image)
    np.testing.assert_array_equal(found.astype(np.float32), wanted)
    np.testing.assert_array_equal(features.mirrored(found, channels), image)


def test_a_mirror_image_leaves_the_clip_alone():
    """Turning its sign in place would train on a clip that is half mirrored."""
    image = fields(5, 5, 3)
    before = image.copy()
    features.mirrored(image, FLOW)
    np.testing.assert_array_equal(image, before)


def test_centred_forgets_where_0_lies_and_how_long_a_vector_is():
    """Published flow is stretched a channel of a clip: what depends on shift or scale would
    describe the stretching.
    """
    u, v = fields(2, 8, 8)
    found = features.centred(u, v)
    np.testing.assert_allclose(features.centred(5 * u + 40, 0.1 * v - 3), found, atol=1e-4)
    np.testing.assert_allclose(np.median(found, (0, 1)), 0, atol=1e-6)
    np.testing.assert_allclose(found.std((0, 1)), 1, rtol=1e-5)
    assert np.abs(features.centred(-u, v)[..., 0] + found[..., 0]).max() < 1e-5, (
        'the direction stays'
    )
    np.testing.assert_array_equal(features.centred(u, np.full_like(u, 7))[..., 1], 0)


@pytest.mark.parametrize(
    'name,channels,sigma', [('motion', ['u', 'v'], 1), ('deformation', ['strain'], 1.5)]
)
def test_smoothed_fields_are_those_of_scipy(name, channels, sigma):
    """Another width of the filter, or none, is another feature than the one that the results are
    told of.
    """
    image = fields(16, 16, len(channels))
    wanted = [
        ndimage.gaussian_filter(plane, sigma, mode='mirror')
        for plane in np.moveaxis(features.centred(*np.moveaxis(image, -1, 0)), -1, 0)
    ]
    np.testing.assert_allclose(of(name, image, channels), np.stack(wanted, -1).ravel(), atol=1e-5)


def test_the_gradient_of_a_linear_field_is_constant():
    """u = 2 x + 3 y and v = -x: axes that change places, or a missing channel, describe another
    deformation.
    """
    y, x = np.mgrid[:24, :24].astype(np.float32)
    u, v = 2 * x + 3 * y, -x
    # borders are mirrored
    right, down = of('gradient', np.stack([u, v], -1), ['u', 'v']).reshape(2, 24, 24, 2)[
        :, 8:-8, 8:-8
    ]
    np.testing.assert_allclose(
        right, np.broadcast_to([2 / u.std(), -1 / v.std()], right.shape), rtol=1e-3
    )
    np.testing.assert_allclose(
        down, np.broadcast_to([3 / u.std(), 0], down.shape), rtol=1e-3, atol=1e-6
    )
    uneven = fields(24, 24, 2)
    shifted = of('gradient', uneven + np.float32([4, -9]), ['u', 'v'])
    np.testing.assert_allclose(
        shifted,
        of('gradient', uneven, ['u', 'v']),
        atol=1e-4,
        err_msg='a head that moves is not seen',
    )


@pytest.mark.parametrize('channel,bins', [('u', (0, 4)), ('v', (2, 6))])
def test_orientation_of_two_opposite_halves(channel, bins):
    """By hand, 7 x 7 cells of 4 x 4 pixels: 16 vectors of length 1 to one side, the middle column
    half and half.
    """
    image = np.zeros((28, 28, 2), np.float32)
    image[..., 'uv'.index(channel)] = np.where(np.arange(28) < 14, 1, -1)
    wanted = np.zeros((7, 7, 8))
    wanted[:, :3, bins[0]] = wanted[:, 4:, bins[1]] = np.sqrt(16)
    wanted[:, 3, bins[0]] = wanted[:, 3, bins[1]] = np.sqrt(8)
    np.testing.assert_allclose(of('orientation', image, ['u', 'v']), wanted.ravel(), rtol=1e-6)


def test_pixels_are_all_channels():
    """The plainest baseline must see all that is there, bytes as shares of 255, whatever the
    channels are called.
    """
    image = DRAW.integers(0, 256, (5, 5, 3)).astype(np.uint8)
    np.testing.assert_allclose(of('pixels', image, FLOW), image.ravel() / 255, rtol=1e-6)
    video = DRAW.integers(0, 256, (4, 5, 5, 1)).astype(np.uint8)
    np.testing.assert_allclose(of('pixels', video, ['gray']), video.ravel() / 255, rtol=1e-6)
    np.testing.assert_array_equal(of('pixels', fields(5, 5, 9), PHASES), fields(5, 5, 9).ravel())


def test_bands_are_the_motion_to_the_apex_and_then_from_it():
    """By hand: to the right before the apex, downwards after it, a third in each band; however the
    channels are ordered.
    """
    channels = ['v2', 'strain', 'u', 'onset', 'v', 'u2']
    image = np.zeros((9, 9, 6), np.float32)
    image[..., 2] = image[..., 0] = 1
    wanted = np.zeros((2, 3, 8))
    wanted[0, :, 0] = wanted[1, :, 2] = 1 / 3
    np.testing.assert_allclose(of('bands', image, channels), wanted.ravel(), rtol=1e-6)


@pytest.mark.parametrize('name', ['hoof', 'bi_woof', 'bi_woof_centred', 'lbp_top'])
def test_baselines_are_the_descriptors_of_their_channels(name):
    """u and v that change places turn every direction by a quarter."""
    image = fields(40, 40, 3)
    if name == 'lbp_top':
        video = DRAW.integers(0, 256, (12, 40, 40, 1)).astype(np.uint8)
        np.testing.assert_array_equal(of(name, video, ['gray']), descriptors.lbp_top(video[..., 0]))
        return
    strain, v, u = np.moveaxis(image, -1, 0)
    inputs = [np.stack([u, v], -1)] if name == 'hoof' else [np.stack([u, v], -1), strain]
    wanted = getattr(descriptors, name)(*inputs)
    np.testing.assert_array_equal(of(name, image, ['strain', 'v', 'u']), wanted)


def test_regions_are_those_of_the_own_face():
    """With the landmarks of another clip, the strain of an eye would be that of a cheek."""
    image, points = np.abs(fields(3, 64, 64, 1)), faces(3)
    strain, disgust = (
        block[0]
        for block in features.extract(
            ['au_strain', 'disgust'], image, points, channels=['strain'], mirror=False
        )
    )
    assert strain.shape == (3, 40) and disgust.shape == (3, 12)
    for one, own, found, apart in zip(image[..., 0], points, strain, disgust, strict=True):
        masks = au_regions.region_masks(own, 64)
        np.testing.assert_array_equal(found, au_regions.region_strain(one, masks))
        np.testing.assert_array_equal(
            apart.reshape(3, 4)[:, :3], found.reshape(10, 4)[5:8, :3], err_msg='units 9 and 10'
        )
        shares = [one[mask].sum() / one[masks[5:8].any(0)].sum() for mask in masks[5:8]]
        np.testing.assert_allclose(apart.reshape(3, 4)[:, 3], shares, rtol=1e-5)
    turned = features.extract(
        ['au_strain'], image, points[::-1], channels=['strain'], mirror=False
    )[0][0]
    assert np.abs(turned[0] - strain[0]).max() > 1e-3


def test_mdmo_follows_the_own_face():
    """As above, of a video: by the landmarks of its first frame."""
    noise = np.random.default_rng(3).uniform(0, 255, (80, 80))
    texture = ndimage.gaussian_filter(noise, 2, mode='wrap')
    texture = ((texture - texture.min()) / np.ptp(texture) * 255).astype(np.uint8)
    video = np.stack(
        [[np.roll(texture, (s * t, t), (0, 1))[8:72, 8:72] for t in range(3)] for s in (1, -1)]
    )[..., None]
    points = faces(2)
    found = features.extract(['mdmo'], video, points, channels=['gray'], mirror=False)[0][0]
    for one, own, told in zip(video, points, found, strict=True):
        np.testing.assert_array_equal(told, descriptors.mdmo(one[..., 0], own))
    assert not np.array_equal(found[0], descriptors.mdmo(video[0, ..., 0], points[1]))


def test_every_feature_is_extracted_in_order_and_each_clip_by_itself(monkeypatch):
    """A row that changes with its neighbours, or with how many cores there are, would show training
    a tested clip.
    """
    image, points = np.abs(fields(5, 64, 64, 9)), faces(5)
    names = [name for name in FEATURES if name not in ('lbp_top', 'mdmo', 'deformation')]
    draw = np.random.default_rng(4)
    for own in (names, [str(name) for name in draw.permutation(names)]):
        found = features.extract(own, image, points, channels=PHASES, mirror=False)
        assert len(found) == len(own)
        for name, block in zip(own, found, strict=True):
            alone = [of(name, one, PHASES, where) for one, where in zip(image, points, strict=True)]
            assert (
                block.shape == (1, 5, len(alone[0]))
                and len({row.tobytes() for row in block[0]}) == 5
            )
            np.testing.assert_array_equal(block[0], alone)
    monkeypatch.setattr(features.threads.machine, 'cores', lambda: 1)
    for block, again in zip(
        found, features.extract(own, image, points, channels=PHASES, mirror=False), strict=True
    ):
        np.testing.assert_array_equal(block, again)


def test_mirror_images_stand_behind_the_clips():
    """[M, N, D]: the axis of the images and that of the clips must not change places, nor a mirror
    image be that of another.
    """
    image = fields(4, 28, 28, 3)
    for name, block in zip(
        ('orientation', 'deformation'),
        features.extract(['orientation', 'deformation'], image, None, channels=FLOW, mirror=True),
        strict=True,
    ):
        assert len(block) == 2 and block.shape[1] == 4
        for row, one in enumerate(image):
            np.testing.assert_array_equal(block[0, row], of(name, one, FLOW))
            np.testing.assert_array_equal(
                block[1, row], of(name, features.mirrored(one, FLOW), FLOW)
            )


def test_a_flow_to_the_right_is_one_to_the_left_in_the_mirror():
    """By hand: the histogram of the mirror image has its cells and its directions exchanged, and
    nothing else.
    """
    found = features.extract(
        ['hoof'], fields(1, 25, 25, 2), None, channels=['u', 'v'], mirror=True
    )[0].reshape(2, 5, 5, 8)
    np.testing.assert_allclose(found[1], found[0][:, ::-1, [4, 3, 2, 1, 0, 7, 6, 5]], atol=1e-5)


MISTAKES = [
    (
        ['hoof'],
        ['strain', 'u'],
        np.float32,
        'head.features hoof ... u,v',
    ),
    (
        ['pixels', 'deformation'],
        ['u', 'v'],
        np.float32,
        'head.features deformation ... strain',
    ),
    (
        ['bands'],
        FLOW,
        np.float32,
        'head.features bands ... u,v,u2,v2',
    ),
    (
        ['lbp_top'],
        FLOW,
        np.float32,
        'head.features lbp_top ... gray',
    ),
    (
        ['orientation', 'hoof'],
        FLOW,
        np.uint8,
        'head.features hoof ... flow in pixels ... data.',
    ),
    (
        ['au_strain'],
        FLOW,
        np.float32,
        'head.features au_strain ... landmarks',
    ),
]


@pytest.mark.parametrize(
    'names,channels,kind,told', MISTAKES, ids=[told[14:40] for *_, told in MISTAKES]
)
def test_what_cannot_be_described_is_told_in_one_line(names, channels, kind, told):
    """Directions of stretched flow all lie in one quarter, and nobody would see it; a missing
    channel would be a traceback.
    """
    with pytest.raises(UserError) as error:
        features.extract(
            names, np.zeros((2, 16, 16, len(channels)), kind), None, channels=channels, mirror=False
        )
    assert mentions(str(error.value), told) and '\n' not in str(error.value)
