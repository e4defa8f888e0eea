"""Reading built data sets: partial decoding, the shared schema, and use by other projects without
TensorFlow.
"""

import subprocess
import sys
import zlib
from pathlib import Path

import pytest
import tensorflow_datasets as tfds

import tfds_builders
from tests.support import fake_raw
from tfds_builders import schema


def prepare(tmp_path):
    fake_raw.write_precomputed_flow(tmp_path / 'raw')
    folders = {'data_dir': tmp_path / 'data', 'manual_dir': tmp_path / 'raw'}
    return tfds_builders.prepare('precomputed_flow', **folders, progress=False)


def test_records_decode_only_what_is_asked_for(tmp_path, monkeypatch):
    """If this fails, reading labels decompresses every video."""
    builder = prepare(tmp_path)
    monkeypatch.setattr(zlib, 'decompress', lambda *_: pytest.fail('decompressed'))
    (first, *_) = tfds_builders.records(builder, ['emotion', 'onset'])
    assert first == {'clip': '006_1_1', 'emotion': 'negative', 'onset': -1}
    with pytest.raises(KeyError):
        next(tfds_builders.records(builder, ['emotoin']))


def test_schema_refuses_a_second_clip():
    """If this fails, an extra feature silently replaces a shared one."""
    with pytest.raises(TypeError, match='multiple values'):
        schema.clip_features((), subject=tfds.features.Text())
    features = schema.clip_features(['fear'], landmarks=tfds.features.Text())
    assert set(schema.UNKNOWN) | {
        'clip',
        'subject',
        'dataset',
        'emotion',
        'units',
        'landmarks',
    } == set(features)


def test_nothing_on_stdout_and_no_bar_without_progress(tmp_path, capfd):
    """If this fails, TFDS's messages about its temporary folder mix with the table a user pipes
    into a file.
    """
    prepare(tmp_path)
    assert capfd.readouterr() == ('', '')


def test_by_tfds_name_without_tensorflow_and_jax(tmp_path):
    """If this fails, another project cannot open the data sets without installing TensorFlow or
    jax.
    """
    raw = tmp_path / 'raw'
    fake_raw.write_precomputed_flow(raw)
    code = (
        'import sys, tensorflow_datasets as tfds, tfds_builders\n'
        f'config = tfds.download.DownloadConfig(manual_dir={str(raw)!r})\n'
        "source = tfds.data_source('precomputed_flow', split='train', "
        f'data_dir={str(tmp_path / "data")!r},\n'
        '    download_and_prepare_kwargs={"download_config": config})\n'
        "assert len(source) == 14 and source[0]['flow'].shape == (28, 28, 3)\n"
        "builder = tfds_builders.prepare('precomputed_flow', "
        f'data_dir={str(tmp_path / "data")!r},\n'
        f'    manual_dir={str(raw)!r})\n'
        'assert len(list(tfds_builders.records(builder))) == 14\n'
        "assert not {'jax', 'tensorflow'} & set(sys.modules)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=root, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_readme_citation_and_tags_are_complete():
    """If this fails, a data set's page is empty, or carries a tag that TFDS does not know."""
    for name, cls in tfds_builders.BUILDERS.items():
        metadata = cls.get_metadata()
        assert metadata.description and metadata.citation is not None, name
        assert metadata.tags and set(metadata.tags) <= set(
            tfds.core.dataset_metadata.valid_tags()
        ), name
