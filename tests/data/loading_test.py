"""From TFDS records to samples: labels, channels, sizes, and what is dropped or refused."""

import numpy as np
import pytest

import tfds_builders
from mer_jax import machine
from mer_jax.data import labels, loading, sources
from mer_jax.data.channels import parse
from mer_jax.errors import UserError
from mer_jax.settings.sections import Data
from mer_jax.training import scaling
from tests.support import fake_raw
from tests.support.fake_raw import casme2 as fake_casme2


def record(clip, emotion, *, subject='s01', dataset='smic', units='', known=False, flow=None):
    flow = np.zeros((28, 28, 3), np.uint8) if flow is None else flow
    return {
        'clip': clip,
        'subject': subject,
        'dataset': dataset,
        'emotion': emotion,
        'action_units': units,
        'action_units_known': known,
        'flow': flow,
    }


def load(name, tmp_path, *, manual_dir='', data_dir='', channels='u,v,strain', **changed):
    built = '' if tmp_path is None else str(tmp_path / 'built')
    options = sources.BuildOptions(data_dir=data_dir or built)
    arguments = {key: changed.pop(key) for key in ('apex', 'points') if key in changed}
    return loading.load(
        sources.parse(name, manual_dir),
        options,
        Data(**changed),
        channels=parse(channels),
        **arguments,
    )


def test_published_features_arrive_as_their_files_say(tmp_path):
    """Wrong channel order, order of clips or labels here would train a network on something else
    without any error.
    """
    truth = fake_raw.write_precomputed_flow(tmp_path)
    found = load('precomputed_flow', tmp_path, manual_dir=str(tmp_path), channels='strain,v,u')
    samples, names = found.samples, found.names
    assert list(names.clips) == sorted(truth, key=lambda c: names.clips.index(c)) and len(
        names.clips
    ) == len(truth)
    for row, clip in enumerate(names.clips):
        subject, emotion, rgb = truth[clip]
        # as cv2.imread returns the file
        np.testing.assert_array_equal(samples.image[row], rgb[..., ::-1])
        assert names.subjects[samples.subject[row]] == subject
        assert names.classes[samples.label[row]] == emotion
    assert names.classes == ('negative', 'positive', 'surprise') and samples.image.dtype == np.uint8
    assert found.dropped == [] and names.datasets == ('casme2', 'samm', 'smic')


def test_drawn_labels_are_one_class_a_subject_and_say_so(tiny_data):
    """The control of the audit: a class that follows the emotion would be learnt honestly, and
    unnamed it would be a result.
    """
    settings = {'data_dir': tiny_data, 'size': 28}
    plain, drawn = (
        load('synthetic_faces/tiny', None, random_subject_labels=flag, **settings)
        for flag in (False, True)
    )
    by_subject = [
        set(drawn.samples.label[drawn.samples.subject == subject]) for subject in range(5)
    ]
    assert all(len(classes) == 1 for classes in by_subject) and len(set.union(*by_subject)) > 1
    assert (
        drawn.labels == 'megc3, drawn at random per subject'
        and plain.labels == 'megc3'
        and drawn.fingerprint != plain.fingerprint
    )
    np.testing.assert_array_equal(plain.samples.image, drawn.samples.image)
    assert (
        load('synthetic_faces/tiny', None, random_subject_labels=True, **settings).fingerprint
        == drawn.fingerprint
    )


def test_fingerprint_follows_the_content(tmp_path):
    """A run must refuse to continue on other pixels; the same build read twice must not."""
    fake_raw.write_precomputed_flow(tmp_path / 'a')
    fake_raw.write_precomputed_flow(tmp_path / 'b', seed=1)
    first, again = (
        load('precomputed_flow', tmp_path / 'a', manual_dir=str(tmp_path / 'a')) for _ in range(2)
    )
    other = load('precomputed_flow', tmp_path / 'b', manual_dir=str(tmp_path / 'b'))
    assert first.fingerprint == again.fingerprint != other.fingerprint
    annotated = []
    for cell in ('4+7', '4', '4A'):
        table = tmp_path / 'units.csv'
        table.write_text(f'clip,action_units\n{first.names.clips[0]},{cell}\n')
        annotated.append(
            load(
                'precomputed_flow',
                tmp_path / 'a',
                manual_dir=str(tmp_path / 'a'),
                action_units=str(table),
            )
        )
    units = [data.samples.extras['action_units'][0].tolist() for data in annotated]
    assert units == [[1, 1], [1], [1]] and annotated[0].names.action_units == ('4', '7')
    assert np.isnan(annotated[0].samples.extras['action_units'][1:]).all()
    prints = [data.fingerprint for data in (first, *annotated)]
    assert len(set(prints)) == 3 and prints[2] == prints[3]


def test_synthetic_labels_units_and_drops(tiny_data, tmp_path):
    """Emotions fold into MEGC's three classes, 'others' is dropped with its reason, units are what
    the clip shows.
    """
    found = load('synthetic_faces/tiny', tmp_path, data_dir=tiny_data)
    five = load('synthetic_faces/tiny', tmp_path, data_dir=tiny_data, labels='five')
    assert (
        five.names.classes == ('disgust', 'happiness', 'others', 'repression', 'surprise')
        and five.dropped == []
    )
    assert len(found.samples.label) + len(found.dropped) == len(five.samples.label)
    assert {(row[3], row[4]) for row in found.dropped} == {
        ('others', 'others has no class in megc3')
    }
    of_clip = dict(
        zip(five.names.clips, (five.names.classes[k] for k in five.samples.label), strict=True)
    )
    coarse = {
        'disgust': 'negative',
        'repression': 'negative',
        'happiness': 'positive',
        'surprise': 'surprise',
    }
    for clip, label in zip(found.names.clips, found.samples.label, strict=True):
        assert found.names.classes[label] == coarse[of_clip[clip]]
    assert (
        np.isin(found.samples.extras['action_units'], (0, 1)).all()
        and found.samples.extras['action_units'].sum() > 0
    )


def test_measured_flow_can_keep_its_magnitude(tiny_data, tmp_path):
    """clip_normalise=False keeps pixels of displacement, not bytes stretched clip by clip."""
    found = load(
        'synthetic_faces/tiny', tmp_path, data_dir=tiny_data, clip_normalise=False, channels='u,v'
    )
    assert found.samples.image.dtype == np.float32 and found.samples.image.shape[1:] == (28, 28, 2)
    assert 0.2 < np.abs(found.samples.image).max() < 8


def test_a_folder_that_nobody_reads_is_an_error(tiny_data, tmp_path):
    """Who gives a folder and forgets data.name would otherwise get results on synthetic faces."""
    with pytest.raises(UserError, match='synthetic_faces/tiny.*data.name'):
        load('synthetic_faces/tiny', tmp_path, data_dir=tiny_data, manual_dir=str(tmp_path))


def test_unknown_action_units_are_not_absent(tmp_path):
    """SMIC has no action units: 0 would claim that none moved."""
    kept, _ = labels.labelled(
        [record('a', 'negative'), record('b', 'surprise', units='1+L2', known=True)], 'megc3'
    )
    for sides, units, moved in (
        (False, ['1', '2'], [1, 1]),
        (True, ['L1', 'R1', 'L2', 'R2'], [1, 1, 1, 0]),
    ):
        assert loading.unit_columns(kept, sides) == units
        assert (
            np.isnan(loading.unit_row(kept[0], units, sides)).all()
            and loading.unit_row(kept[1], units, sides) == moved
        )


def test_an_unknown_emotion_is_an_error_and_never_class_0():
    """The default-label bug of a published system: every unknown label became 'happiness'."""
    with pytest.raises(
        UserError,
        match="clip a of smic.*'angry'.*data.labels 'megc3'.*negative",
    ):
        labels.labelled([record('a', 'angry')], 'megc3')


def test_a_clip_used_twice_is_an_error():
    """The same clip twice could stand on both sides of a split by clip, and counts double."""
    with pytest.raises(UserError, match='clip a of smic'):
        labels.labelled([record('a', 'negative'), record('a', 'negative')], 'megc3')
    labels.labelled([record('a', 'negative'), record('a', 'negative', dataset='samm')], 'megc3')


def test_a_composite_keeps_data_sets_apart(tiny_data, tmp_path):
    """Subjects of one name in two data sets are two people."""
    import shutil

    shutil.copytree(f'{tiny_data}/synthetic_faces', tmp_path / 'built' / 'synthetic_faces')
    fake_raw.write_precomputed_flow(tmp_path)
    found = load('precomputed_flow+synthetic_faces/tiny', tmp_path, manual_dir=str(tmp_path))
    assert 'synthetic' in found.names.datasets and 'smic' in found.names.datasets
    pairs = {
        (found.samples.dataset[i], found.samples.subject[i])
        for i in range(len(found.samples.label))
    }
    assert len(pairs) == len(found.names.subjects)
    assert found.names.subjects.count('s01') == 2
    assert (
        np.isnan(found.samples.extras['action_units']).any()
        and not np.isnan(found.samples.extras['action_units']).all()
    )


SAMER = {'channels': 'magnified,on_a,off_a', 'labels': 'samer3', 'size': 64}


def stored_images(builder):
    """{clip: its stored `image`}."""
    return {r['clip']: r['image'] for r in tfds_builders.records(builder, ('clip', 'image'))}


@pytest.fixture(scope='module')
def tiny_images(tiny_data):
    return stored_images(
        tfds_builders.prepare('synthetic_faces/tiny', data_dir=tiny_data, progress=False)
    )


def test_pictures_arrive_in_the_channels_asked_for(tiny_data, tiny_images, tmp_path):
    """Flow in the place of the face, or channels in another order than named, trains without any
    error.
    """
    size = len(next(iter(tiny_images.values())))
    stored = load('synthetic_faces/tiny', tmp_path, data_dir=tiny_data, **SAMER | {'size': size})
    turned = load(
        'synthetic_faces/tiny',
        tmp_path,
        data_dir=tiny_data,
        **SAMER | {'size': size, 'channels': 'off_a,magnified'},
    )
    assert stored.samples.image.dtype == np.uint8 and stored.samples.image.shape[1:] == (
        size,
        size,
        3,
    )
    for row, clip in enumerate(stored.names.clips):
        np.testing.assert_array_equal(stored.samples.image[row], tiny_images[clip])
        np.testing.assert_array_equal(turned.samples.image[row], tiny_images[clip][..., [2, 0]])
    assert set(stored.samples.extras) == {'action_units'}
    small = load('synthetic_faces/tiny', tmp_path, data_dir=tiny_data, **SAMER).samples.image
    assert small.shape[1:] == (64, 64, 3) and small.dtype == np.uint8
    assert abs(small.mean((0, 1, 2)) - stored.samples.image.mean((0, 1, 2))).max() < 2


def test_sides_of_action_units_have_a_column_each():
    """Without the column of the other side a mirrored 'L12' would stay on the left; 12 without a
    side moved on both.
    """
    cells = ('L12+4', 'R4+?', 'A6+T25', 'ref(9)+1?', '')
    kept, _ = labels.labelled(
        [record(f'c{i}', 'negative', units=cell, known=True) for i, cell in enumerate(cells)],
        'megc3',
    )
    units = loading.unit_columns(kept, True)
    assert units == ['L4', 'R4', 'L6', 'R6', 'L12', 'R12', 'L25', 'R25']
    moved = [
        {unit for unit, value in zip(units, loading.unit_row(r, units, True), strict=True) if value}
        for r in kept
    ]
    assert moved == [{'L4', 'R4', 'L12'}, {'R4'}, {'L6', 'R6', 'L25', 'R25'}, set(), set()]
    assert loading.unit_columns(kept, False) == ['4', '6', '12', '25']


def test_sides_are_loaded_where_asked_for(tiny_data, tmp_path):
    """The setting must reach the samples, two columns for each one without it."""
    plain, sides = (
        load('synthetic_faces/tiny', tmp_path, data_dir=tiny_data, lateral_units=sides)
        for sides in (False, True)
    )
    assert sides.names.action_units == tuple(
        f'{s}{n}' for n in plain.names.action_units for s in 'LR'
    )
    both = sides.samples.extras['action_units'].reshape(len(plain.samples.label), -1, 2)
    np.testing.assert_array_equal(both.max(-1), plain.samples.extras['action_units'])


def test_the_imagenet_range_is_torchvisions():
    """Weights trained on ImageNet expect (x / 255 - mean) / std, channel by channel."""
    image = np.random.default_rng(0).integers(0, 256, (2, 4, 4, 3)).astype(np.uint8)
    mean, spread = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    found = scaling.scale_input(image, {}, value_range=loading.VALUE_RANGES['imagenet'])
    np.testing.assert_allclose(found, (image / 255 - mean) / spread, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    'name,channels,told',
    [
        (
            'casme2',
            'on_a',
            "data.name 'casme2'.*on_a.*'casme2/samer'",
        ),
        (
            'casme2/samer,target=apex',
            'u,v',
            "u,v.*'casme2/flow'.*u,v,strain; magnified,on_a",
        ),
        ('samm/samer+smic', 'magnified', "data.name 'smic'.*magnified"),
        (
            'samm/samer',
            'onset,u2',
            "onset,u2.*'samm/flow'.*u,v,strain; .*; onset,apex,offset,u",
        ),
        ('smic/video', 'strain2', "data.name 'smic/video'.*strain2.*'smic/flow'"),
        ('casme2/flow', 'apex_r,u', "data.name 'casme2/flow'.*apex_r.*key_frames=rgb"),
        ('synthetic_faces/tiny', 'onset_b', 'synthetic_faces/tiny.*onset_b.*gray'),
        (
            'casme2/flow,key_frames=rgb+samm/flow',
            'u,apex_g',
            "data.name 'samm/flow'.*apex_g.*SAMM",
        ),
    ],
)
def test_an_input_that_lacks_the_channels_is_refused_before_it_is_built(name, channels, told):
    """The wrong input of a release takes hours to build, and is refused then."""
    with pytest.raises(UserError, match=told):
        loading.check_inputs(sources.parse(name), parse(channels))


def test_an_input_that_has_the_channels_is_not_refused(tmp_path):
    """A rule that refuses what would do is worse than none."""
    for name, channels in (
        ('casme2', 'u,v,strain'),
        ('casme2/samer,target=apex', 'off_a'),
        ('synthetic_faces', 'u'),
        ('synthetic_faces/tiny', 'on_a'),
        ('precomputed_flow', 'strain'),
        ('smic+samm/flow', 'v'),
        ('casme2+samm/flow', 'apex,u2,onset'),
        ('casme2/flow,key_frames=rgb', 'apex_r,offset_b,u,apex'),
    ):
        loading.check_inputs(sources.parse(name), parse(channels))
    fake_raw.write_precomputed_flow(tmp_path)
    with pytest.raises(UserError, match="'precomputed_flow'.* image.*'synthetic_faces'"):
        load('precomputed_flow', tmp_path, manual_dir=str(tmp_path), channels='magnified')
    with pytest.raises(UserError, match="'precomputed_flow'.* key_frames.*'synthetic_faces'"):
        load('precomputed_flow', tmp_path, manual_dir=str(tmp_path), channels='onset,u')


def test_frames_of_drawn_clips_run_from_onset_to_offset(tiny_data, tmp_path):
    """The still frames around a clip would be most of what a 3-D network sees."""
    settings = {'data_dir': tiny_data, 'channels': 'gray', 'size': 128, 'frames': 5}
    loaded = load('synthetic_faces/tiny', tmp_path, **settings)
    features = ('clip', 'frames', 'first_frame', 'onset', 'offset')
    stored = {
        record['clip']: record
        for record in loading.read(
            sources.parse('synthetic_faces/tiny')[0],
            features,
            sources.BuildOptions(data_dir=tiny_data),
        )
    }
    for row, clip in enumerate(loaded.names.clips):
        record = stored[clip]
        whole = record['frames'][
            record['onset'] - record['first_frame'] : record['offset'] - record['first_frame'] + 1
        ]
        assert len(whole) < len(record['frames'])
        np.testing.assert_array_equal(
            loaded.samples.image[row, [0, 2, 4], ..., 0],
            whole[[0, round((len(whole) - 1) / 2), -1]],
        )
    masked = load('synthetic_faces/tiny', tmp_path, **settings, mask='background').samples.image
    assert (
        0.3 < (masked == 0).mean() < 0.95
        and ((masked == 0) | (masked == loaded.samples.image)).all()
    )


def test_a_release_gives_the_same_channels(tmp_path, monkeypatch):
    """casme2/samer as built from frames on disk: size 224 untouched, onset to magnified apex in the
    second channel.
    """
    monkeypatch.setattr(machine, 'cores', lambda: 1)
    truth = fake_casme2.write(tmp_path / 'raw')
    found = load(
        'casme2/samer,magnifier=none',
        tmp_path,
        manual_dir=str(truth.folder),
        **SAMER | {'labels': 'five', 'size': 224},
    )
    builder = tfds_builders.prepare(
        'casme2/samer,magnifier=none',
        data_dir=tmp_path / 'built',
        manual_dir=truth.folder,
        progress=False,
    )
    stored = stored_images(builder)
    assert found.samples.image.shape[1:] == (224, 224, 3)
    for row, clip in enumerate(found.names.clips):
        np.testing.assert_array_equal(found.samples.image[row], stored[clip])
    assert found.labels == 'five' and len(found.names.action_units) > 3


def load_units(name, folder, *, manual_dir='', **changed):
    return loading.load_units(
        sources.parse(name, str(manual_dir)),
        sources.BuildOptions(data_dir=str(folder)),
        Data(**changed),
        channels=('u', 'v', 'strain'),
    )


def test_units_are_targets_and_emotions_are_not_needed(tiny_data):
    """A clip that is dropped for its emotion, or a unit in another column, trains on less or on
    something else.
    """
    data = load_units('synthetic_faces/tiny', tiny_data, units='12+4+30')
    clips = load('synthetic_faces/tiny', None, data_dir=tiny_data, labels='five')
    assert data.names.classes == ('AU12', 'AU4', 'AU30') and data.multi_label
    assert data.names.clips == clips.names.clips and data.dropped == []
    coded = dict(zip(clips.names.action_units, clips.samples.extras['action_units'].T, strict=True))
    units = data.samples.extras['action_units']
    np.testing.assert_array_equal(units[:, 0], coded['12'])
    np.testing.assert_array_equal(units[:, 1], coded['4'])
    assert not units[:, 2].any() and 'AU30 0' in loading.describe_units(data)
    np.testing.assert_array_equal(data.samples.image, clips.samples.image)


def test_clips_without_units_are_dropped_with_their_reason(tmp_path):
    """As clips without any unit they would teach that nothing moves."""
    fake_raw.write_precomputed_flow(tmp_path)
    with pytest.raises(UserError, match='data.action_units=FILE.csv'):
        load_units('precomputed_flow', tmp_path / 'built', manual_dir=tmp_path)
    names = load('precomputed_flow', tmp_path, manual_dir=str(tmp_path)).names
    table = tmp_path / 'units.csv'
    table.write_text(f'clip,action_units\n{names.clips[1]},4+12?\n{names.clips[2]},\n')
    data = load_units(
        'precomputed_flow', tmp_path / 'built', manual_dir=tmp_path, action_units=str(table)
    )
    assert data.names.clips == names.clips[1:2] and len(data.dropped) == len(names.clips) - 1
    assert {row[4] for row in data.dropped} == {'no action unit of data.units is known'}
    units = dict(zip(data.names.classes, data.samples.extras['action_units'][0], strict=True))
    assert units['AU4'] == 1 and units['AU1'] == 0 and np.isnan(units['AU12'])
