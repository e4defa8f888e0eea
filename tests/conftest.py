"""Shared by all tests: two CPU devices, caches of their own, and a small experiment made by hand."""

import os
import tempfile

os.environ['MER_JAX_CACHE'] = os.path.join(tempfile.gettempdir(), f'mer_jax_tests_{os.getuid()}')

import jax  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402

from mer_jax.errors import UserError  # noqa: E402
from mer_jax.types import Names, Samples  # noqa: E402

jax.config.update('jax_num_cpu_devices', 2)


def make_samples(*, subjects=5, clips=(7, 4, 5, 3, 6), size=28, channels=3, classes=3, seed=0, datasets=2):
    """Samples and Names of a made-up data set in which a class shows as a brighter patch."""
    draw = np.random.default_rng(seed)
    subject = np.repeat(np.arange(subjects), clips).astype(np.int32)
    count = len(subject)
    label = draw.integers(0, classes, count).astype(np.int32)
    label[:classes] = np.arange(classes)
    image = draw.integers(0, 200, (count, size, size, channels)).astype(np.uint8)
    for k in range(classes):
        image[label == k, 4 * k:4 * k + 6, 4:12] += 55
    dataset = (subject % datasets).astype(np.int32)
    zeros = np.zeros(count, np.int32)
    samples = Samples(image, label, zeros.astype(np.float32), np.full((count, 2), np.nan, np.float32), subject, dataset,
                      np.arange(count, dtype=np.int32), zeros, np.repeat(np.arange(count, dtype=np.int32)[:, None], 2, 1))
    names = Names(tuple('abcdefg'[:classes]), tuple(f's{i}' for i in range(subjects)),
                  tuple(f'set{i}' for i in range(datasets)), tuple(f'clip{i:02d}' for i in range(count)), ('4', '12'))
    return samples, names


@pytest.fixture
def small():
    return make_samples()


@pytest.fixture(scope='session')
def tiny_data():
    """A data folder in which the two tiny synthetic data sets are built once a machine."""
    import tfds_builders

    folder = os.path.join(os.environ['MER_JAX_CACHE'], 'tfds')
    for name in ('synthetic_faces/tiny', 'synthetic_faces/spotting_tiny'):
        try:
            tfds_builders.prepare(name, data_dir=folder, progress=False)
        except UserError:  # built by an older state of the code
            tfds_builders.prepare(name, data_dir=folder, progress=False, rebuild=True)
    return folder
