"""From records to pictures: channels of both halves of a clip, stretching, sizes, JPEG, and where
landmarks lie in them.
"""

import cv2
import numpy as np
import pytest

import tfds_builders
from mer_jax import machine
from mer_jax.data import images
from mer_jax.errors import UserError
from mer_jax.preprocess import regions
from mer_jax.settings.sections import Data
from mer_jax.training import scaling
from mer_jax.types import Rows, TrainRows
from tests.data.loading_test import load
from tests.support import fake_raw
from tests.support.fake_raw import casme2 as fake_casme2

NINE = ('onset', 'apex', 'offset', 'u', 'v', 'strain', 'u2', 'v2', 'strain2')


@pytest.fixture(scope='module')
def tiny_phases(tiny_data):
    """{clip: its record}, with what both halves of the motion are made from."""
    builder = tfds_builders.prepare('synthetic_faces/tiny', data_dir=tiny_data, progress=False)
    return {
        r['clip']: r
        for r in tfds_builders.records(
            builder, ('clip', 'key_frames', 'flow', 'flow_offset', 'landmarks')
        )
    }


def nine(record):
    """Planes by name, written out."""
    planes = {name: record['key_frames'][k] for k, name in enumerate(('onset', 'apex', 'offset'))}
    for k, name in enumerate(('u', 'v', 'strain')):
        planes |= {name: record['flow'][..., k], f'{name}2': record['flow_offset'][..., k]}
    return planes


def colours(record):
    """Planes of the key frames in colour by name."""
    planes = {}
    for frame, image in zip(('onset', 'apex', 'offset'), record['key_frames_rgb'], strict=True):
        planes |= {f'{frame}_r': image[..., 0], f'{frame}_g': image[..., 1]}
        planes[f'{frame}_b'] = image[..., 2]
    return planes


@pytest.mark.parametrize('channels', [','.join(NINE), 'strain2,onset,v', 'offset', 'u2,u'])
def test_both_halves_of_the_motion_arrive_in_the_channels_asked_for(
    channels, tiny_data, tiny_phases, tmp_path
):
    """The way back in the place of the way there, or one key frame for another, trains without any
    error.
    """
    found = load(
        'synthetic_faces/tiny',
        tmp_path,
        data_dir=tiny_data,
        channels=channels,
        size=128,
        clip_normalise=False,
    )
    assert found.samples.image.dtype == np.float32 and found.samples.image.shape[1:] == (
        128,
        128,
        channels.count(',') + 1,
    )
    for clip, image in zip(found.names.clips, found.samples.image, strict=True):
        planes = nine(tiny_phases[clip])
        np.testing.assert_array_equal(
            image, np.stack([planes[name] for name in channels.split(',')], -1)
        )


def test_both_halves_are_averaged_in_their_own_units_and_masked_alike(
    tiny_data, tiny_phases, tmp_path
):
    """Gray in 0..1 beside flow in pixels, or flow made smaller with the picture, would be other
    numbers than are stored; a channel that is not masked shows what the mask hides.
    """
    settings = {'data_dir': tiny_data, 'channels': ','.join(NINE), 'clip_normalise': False}
    small = load('synthetic_faces/tiny', tmp_path, **settings, size=64)
    masked = load('synthetic_faces/tiny', tmp_path, **settings, size=128, mask='background')
    for row, clip in enumerate(small.names.clips):
        whole = np.stack([nine(tiny_phases[clip])[name] for name in NINE], -1).astype(np.float64)
        np.testing.assert_allclose(
            small.samples.image[row], whole.reshape(64, 2, 64, 2, 9).mean((1, 3)), atol=1e-3
        )
        kept = regions.mask(tiny_phases[clip]['landmarks'][0], 128, keep='background')
        np.testing.assert_array_equal(
            masked.samples.image[row], np.where(kept[..., None], whole, 0).astype(np.float32)
        )


def test_stretching_leaves_key_frames_alone(tiny_data, tiny_phases, tmp_path):
    """Stretched each by itself, a key frame that is a little brighter would differ from the next as
    if the face had moved.
    """
    settings = {'data_dir': tiny_data, 'size': 128}
    found = load(
        'synthetic_faces/tiny', tmp_path, channels='apex,strain,u,v,u2', **settings
    ).samples.image
    flow = load('synthetic_faces/tiny', tmp_path, channels='strain,u,v', **settings)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found[..., 1:4], flow.samples.image)
    for clip, image in zip(flow.names.clips, found, strict=True):
        back = tiny_phases[clip]['flow_offset'][..., 0].astype(np.float64)
        np.testing.assert_array_equal(image[..., 0], tiny_phases[clip]['key_frames'][1])
        np.testing.assert_allclose(
            image[..., 4], (back - back.min()) / np.ptp(back) * 255, atol=0.51
        )


def test_flow_alone_needs_nothing_else(tiny_data, tmp_path, monkeypatch):
    """Published flow of 28 pixels has no key frames: asked for them too, every such run would end;
    and decoding takes time.
    """
    asked, read = [], tfds_builders.records
    monkeypatch.setattr(
        tfds_builders,
        'records',
        lambda builder, names: asked.append(set(names)) or read(builder, names),
    )
    for channels in ('u,v,strain', 'strain,u', 'v'):
        load('synthetic_faces/tiny', tmp_path, data_dir=tiny_data, channels=channels)
    load('synthetic_faces/tiny', tmp_path, data_dir=tiny_data, channels='v,u2')
    both = {'key_frames', 'flow', 'flow_offset', 'landmarks', 'image', 'frames'}
    assert [names & both for names in asked] == 3 * [{'flow'}] + [
        {'key_frames', 'flow', 'flow_offset'}
    ]


@pytest.mark.parametrize('scaler', ['standard', 'p995'])
def test_a_scale_is_fitted_to_each_of_nine_channels(scaler, tiny_data, tmp_path):
    """One scale for gray and flow would leave of the flow a thousandth; one fitted to other rows
    would leak.
    """
    samples = load(
        'synthetic_faces/tiny',
        tmp_path,
        data_dir=tiny_data,
        channels=','.join(NINE),
        clip_normalise=False,
        input_scaler=scaler,
    ).samples
    own = np.flatnonzero(samples.subject != 2)
    rows = TrainRows(own, None, Rows(own, np.ones(len(own), np.float32)), None)
    fitted = scaling.fit_input(samples, rows, scaler=scaler)
    image, seen = samples.image.astype(np.float64), samples.image[own].astype(np.float64)
    found = scaling.scale_input(samples.image, fitted, value_range=(-1.0, 1.0))
    if scaler == 'standard':
        wanted = (image - seen.mean((0, 1, 2))) / seen.std((0, 1, 2))
    else:
        wanted = np.clip(image / np.percentile(np.abs(seen), 99.5, axis=(0, 1, 2)), -1, 1)
    np.testing.assert_allclose(found, wanted, atol=2e-3)
    assert (found.std((0, 1, 2)) > 0.1).all()


def test_landmarks_come_where_asked_for(tiny_data, tiny_phases, tmp_path):
    """Regions of another clip's face, or of the apex, would measure the wrong muscle; unasked, old
    fingerprints must hold.
    """
    settings = {'data_dir': tiny_data, 'channels': 'onset,u', 'size': 128}
    plain, found = (
        load('synthetic_faces/tiny', tmp_path, **settings, points=points)
        for points in (False, True)
    )
    assert (
        plain.landmarks is None
        and found.landmarks.dtype == np.float32
        and plain.fingerprint != found.fingerprint
    )
    np.testing.assert_array_equal(plain.samples.image, found.samples.image)
    for clip, points in zip(found.names.clips, found.landmarks, strict=True):
        np.testing.assert_allclose(points, tiny_phases[clip]['landmarks'][0], atol=1e-4)
    assert load('synthetic_faces/tiny', tmp_path, **settings, mask='background').landmarks is None
    fake_raw.write_precomputed_flow(tmp_path)
    assert (
        load('precomputed_flow', tmp_path, manual_dir=str(tmp_path), points=True).landmarks is None
    )


def test_a_release_gives_both_halves_of_the_motion(tmp_path, monkeypatch):
    """What is trained on real faces must be what was tried on drawn ones: the same features,
    channels and landmarks.
    """
    monkeypatch.setattr(machine, 'cores', lambda: 1)
    truth = fake_casme2.write(tmp_path / 'raw')
    name = 'casme2/flow,key_frames=rgb,optical_flow=farneback'
    # The hybrid of document 001: the apex in colour beside flow.
    every = (*NINE, 'apex_r', 'apex_g', 'apex_b', 'onset_b', 'offset_g')
    settings = {
        'manual_dir': str(truth.folder),
        'labels': 'five',
        'channels': ','.join(every),
        'clip_normalise': False,
    }
    found = load(name, tmp_path, **settings, size=128, points=True)
    builder = tfds_builders.prepare(
        name, data_dir=tmp_path / 'built', manual_dir=truth.folder, progress=False
    )
    stored = {r['clip']: r for r in tfds_builders.records(builder)}
    for clip, image, points in zip(
        found.names.clips, found.samples.image, found.landmarks, strict=True
    ):
        planes = nine(stored[clip]) | colours(stored[clip])
        np.testing.assert_array_equal(image, np.stack([planes[name] for name in every], -1))
        np.testing.assert_allclose(points, stored[clip]['landmarks'][0], atol=1e-4)
        # What the gray frame was made of, in the order of ITU-R BT.601.
        gray = 0.299 * planes['apex_r'] + 0.587 * planes['apex_g'] + 0.114 * planes['apex_b']
        np.testing.assert_allclose(gray, planes['apex'], atol=1.5)
    in_bytes = load(name, tmp_path, **settings | {'clip_normalise': True}, size=128)
    assert in_bytes.samples.image.dtype == np.uint8
    np.testing.assert_array_equal(
        in_bytes.samples.image[..., 9:], found.samples.image[..., 9:].astype(np.uint8)
    )


def test_stretch_is_min_to_0_and_max_to_255_per_channel():
    """A channel that is still would become NaN, and published bytes would be stretched twice."""
    flow = np.stack([np.linspace(-3, 1, 16).reshape(4, 4), np.full((4, 4), 7.0)], -1).astype(
        np.float32
    )
    out = images.stretch(flow)
    assert out[..., 0].min() == 0 and out[..., 0].max() == 255 and out.dtype == np.uint8
    np.testing.assert_array_equal(out[..., 0].ravel(), np.round(np.arange(16) / 15 * 255))
    assert (out[..., 1] == 0).all()  # a still channel is no NaN
    bytes_ = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    assert images.stretch(bytes_) is bytes_


def test_resize_averages_when_it_shrinks_and_keeps_constants():
    """Picking single pixels when shrinking 128 to 28 would throw most of the motion away."""
    flow = np.arange(64, dtype=np.float32).reshape(8, 8, 1)
    np.testing.assert_allclose(
        images.resize(flow, 4)[..., 0], flow[..., 0].reshape(4, 2, 4, 2).mean((1, 3))
    )
    assert images.resize(np.full((28, 28, 2), 9, np.uint8), 75).shape == (75, 75, 2)
    assert (images.resize(np.full((28, 28, 2), 9, np.uint8), 75) == 9).all()
    assert images.resize(flow, 8) is not None and images.resize(flow, 8).shape == (8, 8, 1)


@pytest.mark.parametrize('size', [28, 64, 75, 150])
def test_nine_channels_are_resized_as_one(size):
    """OpenCV averages four channels at most: a fifth would end the run, or stand in another's
    place.
    """
    picture = np.random.default_rng(0).normal(0, 100, (128, 128, 9)).astype(np.float32)
    found = images.resize(picture, size)
    assert found.shape == (size, size, 9) and found.dtype == np.float32
    way = cv2.INTER_AREA if size < 128 else cv2.INTER_LINEAR
    for k in range(9):
        np.testing.assert_allclose(
            found[..., k],
            cv2.resize(picture[..., k].copy(), (size, size), interpolation=way),
            atol=1e-3,
        )


def test_bytes_have_no_magnitude():
    """input_scaler=p995 divides by pixels of displacement, which a published picture has lost."""
    settings = Data(size=4, clip_normalise=False, input_scaler='p995')
    with pytest.raises(UserError, match="data.input_scaler.*'p995'.* x .*flow in pixels"):
        images.images([np.zeros((4, 4, 3), np.uint8)], ['u'], settings, 'x')


@pytest.mark.parametrize(
    'stored,side,size',
    [
        ('phases', 128, 64),
        ('flow', 128, 28),
        ('image', 224, 75),
        ('frames', 128, 200),
        ('flows', 128, 75),
    ],
)
def test_landmarks_lie_where_the_resized_picture_shows_them(stored, side, size):
    """Half a pixel of 28 is two of 128, the width of an eyelid: a region would measure its
    neighbour.
    """
    at = np.random.default_rng(0).uniform(0.3 * side, 0.7 * side, (68, 2)).astype(np.float32)
    y, x = np.mgrid[:side, :side]
    shape = {'frames': (5, side, side), 'flows': (75, 75, 2)}.get(stored, (side, side, 3))
    record = {
        'flow' if stored == 'phases' else stored: np.zeros(shape),
        'landmarks': np.stack([at, 0 * at, 0 * at]),
    }
    found = images.points([record], stored, size)
    assert found.shape == (1, 68, 2) and found.dtype == np.float32
    for point, wanted in zip(found[0, ::9], at[::9], strict=True):
        spot = np.exp(-((x - wanted[0]) ** 2 + (y - wanted[1]) ** 2) / 50).astype(np.float32)[
            ..., None
        ]
        shown = images.resize(spot, size)[..., 0]
        rows, columns = np.mgrid[:size, :size]
        np.testing.assert_allclose(
            point,
            [(shown * columns).sum() / shown.sum(), (shown * rows).sum() / shown.sum()],
            atol=0.02,
        )
