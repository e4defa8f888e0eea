"""The converter of MTCNN's published weights; the real ones where the package is installed."""

import importlib.util
import pickle

import numpy as np
import pytest
from safetensors.numpy import load_file

from contrib import mtcnn_weights
from mer_jax.errors import UserError
from mer_jax.preprocess import mtcnn
from tests.preprocess.mtcnn_test import random_weights
from tests.support import photograph


def package(folder, tensors):
    """A package's folder of weights, as joblib writes them."""
    joblib = pytest.importorskip('joblib')
    below = folder / 'assets' / 'weights'
    below.mkdir(parents=True)
    for network in mtcnn.LAYERS:
        values = [
            value[None, None] if name.endswith('slope') and 'conv' in name else value
            for name, value in tensors.items()
            if name.startswith(f'{network}/')
        ]
        joblib.dump(values, below / f'{network}.lz4', compress='lz4')
    return folder


class Command:
    """Pickled, it runs a command where it is read."""

    def __reduce__(self):
        return print, ('run',)


def test_weights_come_back_by_name(tmp_path, monkeypatch, capsys):
    """A bias for a slope would still have the right shape, and detect nothing."""
    pytest.importorskip('lz4')
    tensors = random_weights()
    folder = package(tmp_path / 'mtcnn', tensors)
    monkeypatch.setattr(mtcnn_weights, 'package_folder', lambda: folder)
    path = tmp_path / 'w.safetensors'
    assert mtcnn_weights.main([str(path)]) == 0
    assert 'MIT' in capsys.readouterr().out
    stored = mtcnn.read_weights(path)
    assert set(stored) == set(tensors) == set(load_file(path))
    for name, value in tensors.items():
        np.testing.assert_array_equal(stored[name], value)


def test_a_pickle_of_code_is_not_run(tmp_path, capsys):
    """A file of weights from elsewhere would run what it likes."""
    lz4 = pytest.importorskip('lz4.frame')
    path = tmp_path / 'pnet.lz4'
    path.write_bytes(lz4.compress(pickle.dumps([Command()])))
    with pytest.raises(UserError, match='builtins.print'):
        mtcnn_weights.arrays(path)
    assert not capsys.readouterr().out
    path.write_bytes(b'nothing')
    with pytest.raises(UserError, match='cannot be read'):
        mtcnn_weights.arrays(path)


def test_a_package_that_is_not_installed_is_named(monkeypatch, tmp_path, capsys):
    """A traceback of importlib says nothing of pip."""
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    assert mtcnn_weights.main([str(tmp_path / 'w.safetensors')]) == 2
    assert 'pip install' in capsys.readouterr().err
    assert mtcnn_weights.main([str(tmp_path / 'w.npz')]) == 2


@pytest.mark.skipif(not importlib.util.find_spec('mtcnn'), reason='PyPI: mtcnn, joblib, lz4')
def test_the_published_weights_find_a_turned_face(tmp_path):
    """Layers in another order, or images turned, would find no face in any photograph."""
    pytest.importorskip('skimage')
    tensors = mtcnn_weights.converted(mtcnn_weights.package_folder())
    picture = photograph.photograph()
    [upright] = mtcnn.faces(picture, tensors)
    apart = np.linalg.norm(np.diff(photograph.EYES, axis=0))
    assert np.linalg.norm(upright.points[:2] - photograph.EYES, axis=1).max() < 0.1 * apart
    [turned] = mtcnn.faces(photograph.turned(picture, 30), tensors)
    assert turned.score > 0.9
