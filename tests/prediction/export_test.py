"""A file of ONNX holds a whole model, and is kept only where it predicts as jax does."""

import json

import jax
import numpy as np
import pytest

from mer_jax.errors import UserError
from mer_jax.evaluation.calibration import Calibrated, probabilities
from mer_jax.prediction import export, trained
from mer_jax.presets import base
from mer_jax.settings import tree
from mer_jax.types import Inputs

onnx = pytest.importorskip('onnx')
onnxruntime = pytest.importorskip('onnxruntime')

CLASSES = ('negative', 'positive', 'surprise')
MEMBERS = (('s01', 0), ('s02', 0), ('s01', 1))
LEAK = 'scaler fitted to all clips'


def opened():
    """A model as open_trained returns it, with made-up weights of STSTNet and fitted scales."""
    draw = np.random.default_rng(0)
    settings = tree.changed(
        tree.from_nested(base('made_up').to_dict()),
        {'model.name': 'ststnet', 'data.size': 28, 'data.channels': 'u,v,strain'},
    )
    shapes = trained.state_shapes(settings, len(CLASSES))
    states = jax.tree.map(
        lambda leaf: np.abs(draw.normal(size=(len(MEMBERS), *leaf.shape)) / 4).astype(leaf.dtype),
        shapes._replace(opt_state=()),
    )
    return trained.Trained(
        title='made_up',
        settings=settings,
        classes=CLASSES,
        image_shape=trained.image_shape(settings),
        dtype=trained.dtype(settings),
        members=MEMBERS,
        scores=trained.network_scores(trained.learner(settings, len(CLASSES)), states),
        calibration=Calibrated(2.5, 0.6),
        facts={'leaks': [LEAK], 'clips': 24},
        states=states,
    )


@pytest.fixture(scope='module')
def model():
    return opened()


@pytest.fixture(scope='module')
def exported(model, tmp_path_factory):
    """What the verb returns, run on that model in place of a run."""
    path = tmp_path_factory.mktemp('export') / 'model.onnx'
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, 'settings_of', lambda path: model.settings)
        patch.setattr(trained, 'open_trained', lambda path, fold: model)
        return export.export('runs/made_up', 'onnx', '', '', [str(path)])


def test_a_file_gives_the_calibrated_answer_of_all_folds(model, exported):
    """A user of the file would otherwise see the sure answers of one network."""
    images = np.random.default_rng(1).integers(0, 256, (3, *model.image_shape)).astype(model.dtype)
    session = onnxruntime.InferenceSession(str(exported.path))
    names = ('probabilities', 'logits', 'member_logits')
    scores, mean, members = session.run(names, {'image': images})
    logits = model.scores(Inputs(images, {}))
    assert np.ptp(logits, axis=0).max() > 0.1, 'the members are alike'
    np.testing.assert_allclose(scores, probabilities(logits, 2.5), atol=1e-5)
    np.testing.assert_allclose(members, np.moveaxis(logits, 0, 1), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(mean, members.mean(1), rtol=1e-4, atol=1e-5)


def test_a_file_states_what_it_is(model, exported):
    """A file travels without its run: classes, input, leaks and limits must go with it."""
    file = onnx.load(exported.path)
    onnx.checker.check_model(file)
    stated = {entry.key: entry.value for entry in file.metadata_props}
    assert json.loads(stated['classes']) == [*CLASSES]
    assert json.loads(stated['leaks']) == [LEAK]
    assert json.loads(stated['temperature']) == 2.5
    assert json.loads(stated['input'])['shape'] == list(model.image_shape)
    assert len(json.loads(stated['members'])) == len(MEMBERS)
    assert 'drawn faces' in stated['what_it_is'] and 'drawn faces' in file.doc_string


def test_costs_are_those_of_the_file(model, exported):
    """Whoever chooses a model for a small machine reads these figures."""
    assert exported.parameters == 1683 and exported.members == len(MEMBERS)
    # 3x3 convolutions of 3 channels to 16, each at 30x30 pixels, and a dense layer of 400 to 3
    assert exported.flops == len(MEMBERS) * 2 * (30 * 30 * 9 * 3 * 16 + 400 * 3)
    assert exported.size == exported.path.stat().st_size
    assert exported.clip_ms > 0 and exported.peak_mb > exported.size / 1e6


def test_a_file_that_predicts_otherwise_is_not_kept(model, tmp_path, monkeypatch):
    """A wrong file is worse than none: nothing would show that it is wrong."""

    def scores(inputs):
        return model.scores(inputs) + np.float32([0, 0.01, 0])

    monkeypatch.setattr(export, 'settings_of', lambda path: model.settings)
    monkeypatch.setattr(trained, 'open_trained', lambda path, fold: model._replace(scores=scores))
    path = tmp_path / 'model.onnx'
    path.write_text('an older file')
    with pytest.raises(UserError, match='differs from jax'):
        export.export('runs/made_up', 'onnx', '', '', [str(path)])
    assert [*tmp_path.iterdir()] == [path] and path.read_text() == 'an older file'
