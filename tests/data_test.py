"""From TFDS records to samples: labels, channels, sizes, and what is dropped or refused."""

import numpy as np
import pytest

from mer_jax import data, labels
from mer_jax.errors import UserError
from tests import fake_raw


def record(clip, emotion, *, subject='s01', dataset='smic', units='', known=False, flow=None):
    flow = np.zeros((28, 28, 3), np.uint8) if flow is None else flow
    return {'clip': clip, 'subject': subject, 'dataset': dataset, 'emotion': emotion, 'action_units': units,
            'action_units_known': known, 'flow': flow}


def load(name, tmp_path, **changed):
    settings = {'labels': 'megc3', 'channels': 'u,v,strain', 'size': 28, 'scale': 'stretch', 'mask': 'none', 'frames': 16,
                'data_dir': str(tmp_path / 'built'), 'manual_dir': '', 'rebuild': False, 'landmarks': '', 'magnet': ''} | changed
    return data.load(name, **settings)


def test_published_features_arrive_as_their_files_say(tmp_path):
    """Wrong channel order, order of clips or labels here would train a network on something else without any error."""
    truth = fake_raw.write_precomputed_flow(tmp_path)
    found = load('precomputed_flow', tmp_path, manual_dir=str(tmp_path), channels='strain,v,u')
    samples, names = found.samples, found.names
    assert list(names.clips) == sorted(truth, key=lambda c: names.clips.index(c)) and len(names.clips) == len(truth)
    for row, clip in enumerate(names.clips):
        subject, emotion, rgb = truth[clip]
        np.testing.assert_array_equal(samples.image[row], rgb[..., ::-1])  # as cv2.imread returns the file
        assert names.subjects[samples.subject[row]] == subject
        assert names.classes[samples.label[row]] == emotion
    assert names.classes == ('negative', 'positive', 'surprise') and samples.image.dtype == np.uint8
    assert found.dropped == [] and names.datasets == ('casme2', 'samm', 'smic')


def test_fingerprint_follows_the_content(tmp_path):
    """A run must refuse to continue on other pixels; the same build read twice must not."""
    fake_raw.write_precomputed_flow(tmp_path / 'a')
    fake_raw.write_precomputed_flow(tmp_path / 'b', seed=1)
    first, again = (load('precomputed_flow', tmp_path / 'a', manual_dir=str(tmp_path / 'a')) for _ in range(2))
    other = load('precomputed_flow', tmp_path / 'b', manual_dir=str(tmp_path / 'b'))
    assert first.fingerprint == again.fingerprint != other.fingerprint


def test_synthetic_labels_units_and_drops(tiny_data, tmp_path):
    """Emotions fold into MEGC's three classes, 'others' is dropped with its reason, units are what the clip shows."""
    found = load('synthetic_faces/tiny', tmp_path, data_dir=tiny_data)
    five = load('synthetic_faces/tiny', tmp_path, data_dir=tiny_data, labels='five')
    assert five.names.classes == ('disgust', 'happiness', 'others', 'repression', 'surprise') and five.dropped == []
    assert len(found.samples.label) + len(found.dropped) == len(five.samples.label)
    assert {(row[3], row[4]) for row in found.dropped} == {('others', 'others has no class in megc3')}
    of_clip = dict(zip(five.names.clips, (five.names.classes[k] for k in five.samples.label), strict=True))
    coarse = {'disgust': 'negative', 'repression': 'negative', 'happiness': 'positive', 'surprise': 'surprise'}
    for clip, label in zip(found.names.clips, found.samples.label, strict=True):
        assert found.names.classes[label] == coarse[of_clip[clip]]
    assert np.isin(found.samples.action_units, (0, 1)).all() and found.samples.action_units.sum() > 0


def test_measured_flow_can_keep_its_magnitude(tiny_data, tmp_path):
    """scale=p995 needs pixels of displacement, not bytes stretched clip by clip."""
    found = load('synthetic_faces/tiny', tmp_path, data_dir=tiny_data, scale='p995', channels='u,v')
    assert found.samples.image.dtype == np.float32 and found.samples.image.shape[1:] == (28, 28, 2)
    assert 0.2 < np.abs(found.samples.image).max() < 8
    with pytest.raises(UserError, match="data.scale is 'p995', but x stores flow already stretched"):
        data.images([np.zeros((4, 4, 3), np.uint8)], ['u'], 4, 'p995', 'x')


def test_a_folder_that_nobody_reads_is_an_error(tiny_data, tmp_path):
    """Who gives a folder and forgets data.name would otherwise get results on synthetic faces."""
    with pytest.raises(UserError, match='synthetic_faces/tiny reads no folder; name the data set that does'):
        load('synthetic_faces/tiny', tmp_path, data_dir=tiny_data, manual_dir=str(tmp_path))


def test_unknown_action_units_are_not_absent(tmp_path):
    """SMIC has no action units: 0 would claim that none moved."""
    kept, _ = labels.labelled([record('a', 'negative'), record('b', 'surprise', units='1+L2', known=True)], 'megc3')
    units = sorted({unit for r in kept for unit in data._units(r)})
    assert units == [1, 2]
    assert np.isnan(data._unit_row(kept[0], units)).all() and data._unit_row(kept[1], units) == [1, 1]


def test_an_unknown_emotion_is_an_error_and_never_class_0():
    """The default-label bug of a published system: every unknown label became 'happiness'."""
    with pytest.raises(UserError, match="clip a of smic: emotion 'angry' is not in data.labels 'megc3'; it knows: negative"):
        labels.labelled([record('a', 'angry')], 'megc3')


def test_a_clip_used_twice_is_an_error():
    """The same clip twice could stand on both sides of a split by clip, and counts double."""
    with pytest.raises(UserError, match='clip a of smic stands twice'):
        labels.labelled([record('a', 'negative'), record('a', 'negative')], 'megc3')
    labels.labelled([record('a', 'negative'), record('a', 'negative', dataset='samm')], 'megc3')


def test_stretch_is_min_to_0_and_max_to_255_per_channel():
    flow = np.stack([np.linspace(-3, 1, 16).reshape(4, 4), np.full((4, 4), 7.0)], -1).astype(np.float32)
    out = data.stretch(flow)
    assert out[..., 0].min() == 0 and out[..., 0].max() == 255 and out.dtype == np.uint8
    np.testing.assert_array_equal(out[..., 0].ravel(), np.round(np.arange(16) / 15 * 255))
    assert (out[..., 1] == 0).all()  # a still channel is no NaN
    bytes_ = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    assert data.stretch(bytes_) is bytes_


def test_resize_averages_when_it_shrinks_and_keeps_constants():
    """Picking single pixels when shrinking 128 to 28 would throw most of the motion away."""
    flow = np.arange(64, dtype=np.float32).reshape(8, 8, 1)
    np.testing.assert_allclose(data.resize(flow, 4)[..., 0], flow[..., 0].reshape(4, 2, 4, 2).mean((1, 3)))
    assert data.resize(np.full((28, 28, 2), 9, np.uint8), 75).shape == (75, 75, 2)
    assert (data.resize(np.full((28, 28, 2), 9, np.uint8), 75) == 9).all()
    assert data.resize(flow, 8) is not None and data.resize(flow, 8).shape == (8, 8, 1)


def test_a_composite_keeps_data_sets_apart(tiny_data, tmp_path):
    """Subjects of one name in two data sets are two people."""
    import shutil

    shutil.copytree(f'{tiny_data}/synthetic_faces', tmp_path / 'built' / 'synthetic_faces')
    fake_raw.write_precomputed_flow(tmp_path)
    found = load('precomputed_flow+synthetic_faces/tiny', tmp_path, manual_dir=str(tmp_path))
    assert 'synthetic' in found.names.datasets and 'smic' in found.names.datasets
    pairs = {(found.samples.dataset[i], found.samples.subject[i]) for i in range(len(found.samples.label))}
    assert len(pairs) == len(found.names.subjects)
    assert found.names.subjects.count('s01') == 2
    assert np.isnan(found.samples.action_units).any() and not np.isnan(found.samples.action_units).all()
