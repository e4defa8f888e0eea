"""What other projects use of a release through TFDS alone: configs with settings, classes of
emotions.
"""

import pickle
from pathlib import Path

import pytest
import tensorflow_datasets as tfds

import tfds_builders
from mer_jax import machine
from mer_jax.errors import UserError
from tests.support.fake_raw import casme2, casme_squared, samm, smic
from tfds_builders import audit, fingerprint

CONFIG = 'flow,corrections=mimicking,optical_flow=farneback'
WRITERS = {'casme2': casme2, 'samm': samm, 'casme_squared': casme_squared}


@pytest.fixture(autouse=True)
def one_process(monkeypatch):
    """Small builds: starting processes would take longer than the work."""
    monkeypatch.setattr(machine, 'cores', lambda: 1)


def download(folder):
    config = tfds.download.DownloadConfig(manual_dir=folder, try_download_gcs=False)
    return {'download_config': config}


@pytest.mark.parametrize(
    'text', ['flow,edition=2014', 'samer,magnifier=none,alpha=4', 'samer,alpha=4,magnifier=none']
)
def test_tfds_makes_the_builder_that_prepare_makes(text, tmp_path):
    """If this fails, other projects cannot name a setting, or build it to another place."""
    builder = tfds.builder('casme2', config=text, data_dir=tmp_path)
    expected = tfds_builders.BUILDERS['casme2'].parse_config(text)
    assert builder.builder_config.options == expected.options
    assert Path(builder.data_dir) == tmp_path / 'casme2' / expected.name / str(builder.version)
    again = pickle.loads(pickle.dumps(builder))
    assert again.made_by() == builder.made_by()


def test_user_files_are_builder_arguments(tmp_path):
    """If this fails, weights that decide the content are left out of the name or the digests."""
    weights = tmp_path / 'mine.safetensors'
    weights.write_bytes(b'1')
    kwargs = {'config': 'samer,magnifier=magnet', 'data_dir': tmp_path / 'data'}
    builder = tfds.builder('samm', magnet=str(weights), **kwargs)
    assert builder.builder_config.name == 'samer,magnifier=magnet,magnet=mine'
    before = builder.made_by()
    assert pickle.loads(pickle.dumps(builder)).made_by() == before
    weights.write_bytes(b'2')
    assert builder.made_by() != before
    with pytest.raises(UserError, match='weights'):
        tfds.builder('samm', **kwargs)


def test_a_detector_changes_only_the_builds_that_name_it(tmp_path):
    """If this fails, every data set on every disk must be built again for a setting that is off."""
    weights = tmp_path / 'mtcnn.safetensors'
    weights.write_bytes(b'1')
    plain, other = (
        tfds.builder('samm', config='flow', data_dir=tmp_path / 'data', **files)
        for files in ({}, {'detector': str(weights)})
    )
    assert plain.builder_config.name == 'flow'
    assert other.builder_config.name == 'flow,detector=mtcnn'
    differing = fingerprint.differing(plain.made_by(), other.made_by())
    code = {'code of mer_jax.preprocess.mtcnn', 'code of mer_jax.preprocess.weights'}
    assert set(differing) == code | {'setting detector', 'setting config'}
    assert set(differing) & set(plain.made_by()) == {'setting config'}


@pytest.mark.parametrize(
    'text, part', [('flow,edtion=2014', 'edtion'), ('flow,edition=2015', '2015'), ('flwo', 'flwo')]
)
def test_tfds_names_a_setting_that_does_not_exist(text, part, tmp_path):
    """If this fails, a mistyped setting is left out in silence."""
    with pytest.raises(UserError, match=part):
        tfds.builder('casme2', config=text, data_dir=tmp_path)


def test_a_config_with_settings_as_a_data_source(tmp_path):
    """If this fails, another project cannot build, read or read again a config with settings."""
    truth = casme2.write(tmp_path / 'raw', size='tiny')
    where = {'split': 'train', 'data_dir': tmp_path / 'data', 'builder_kwargs': {'config': CONFIG}}
    built = tfds.data_source('casme2', download_and_prepare_kwargs=download(truth.folder), **where)
    again = tfds.data_source('casme2', download=False, **where)
    builder = tfds_builders.prepare(
        f'casme2/{CONFIG}', data_dir=tmp_path / 'data', manual_dir=truth.folder, progress=False
    )
    texts = {record['clip']: record['emotion'] for record in tfds_builders.records(builder)}
    assert texts == {clip.clip: clip.emotion for clip in truth.clips.values()}
    emotion = builder.info.features['emotion']
    assert emotion.names == list(builder.LAYOUT.EMOTIONS)
    for source in (built, again):
        classes = {record['clip'].decode(): record['emotion'] for record in source}
        assert {clip: emotion.int2str(label) for clip, label in classes.items()} == texts


@pytest.mark.parametrize('name', sorted(WRITERS))
def test_an_emotion_outside_of_the_list_stops_the_build(name, tmp_path):
    """If this fails, a class is guessed, or the user does not learn which row is wrong."""
    clip = list(WRITERS[name].write(tmp_path / 'whole', size='tiny').clips.values())[-1]
    faults = {clip.clip: ('unknown_emotion',)}
    truth = WRITERS[name].write(tmp_path / 'raw', size='tiny', faults=faults)
    with pytest.raises(UserError, match=f"row {clip.row}': emotion is 'bored'"):
        tfds_builders.prepare(
            name, data_dir=tmp_path / 'data', manual_dir=truth.folder, progress=False
        )
    assert 'bored' in (tmp_path / 'data' / name / 'flow' / audit.FILENAME).read_text()


def test_smic_refuses_a_folder_that_is_no_emotion(tmp_path):
    """If this fails, clips under a fourth emotion vanish or get one of the three."""
    truth = smic.write(tmp_path / 'raw', size='tiny')
    clip = next(iter(truth.clips.values()))
    clip.folder.parent.rename(clip.folder.parent.with_name('neutral'))
    with pytest.raises(UserError, match="neutral': 'neutral' is no emotion"):
        tfds_builders.prepare(
            'smic', data_dir=tmp_path / 'data', manual_dir=truth.folder, progress=False
        )
