"""The releases' builders on Apache Beam, as a cluster would run them; skips where apache-beam is
not installed.
"""

import numpy as np
import pytest
import tensorflow_datasets as tfds

import tfds_builders
from tests.support.fake_raw import smic


def test_the_direct_runner_builds_the_same_records(tmp_path):
    """The per-clip function must not depend on this process: a cluster's workers have nothing but
    the clip.
    """
    pytest.importorskip('apache_beam')
    truth = smic.write(tmp_path / 'raw')
    plain = tfds_builders.prepare(
        'smic', data_dir=tmp_path / 'plain', manual_dir=truth.folder, progress=False
    )
    builder = tfds_builders.BUILDERS['smic'](data_dir=tmp_path / 'beam')
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(
            manual_dir=truth.folder, try_download_gcs=False, beam_runner='DirectRunner'
        )
    )
    found = list(tfds_builders.records(builder))
    assert [record['clip'] for record in found] == sorted(truth.clips)
    for one, other in zip(found, tfds_builders.records(plain), strict=True):
        for name, value in other.items():
            np.testing.assert_array_equal(one[name], value)
