"""AU-CAM of new clips: the mean over networks, and only where networks have regions."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest

from mer_jax import config_files
from mer_jax.prediction import looks, trained
from mer_jax.settings import tree
from mer_jax.types import Inputs

SIZE = 32
INPUTS = Inputs(np.full((2, SIZE, SIZE, 3), (10, 10, 10), np.uint8), {})


class State(NamedTuple):
    number: np.ndarray


@pytest.fixture
def model(monkeypatch):
    """Seven networks whose map is their number times the brightness of the clip.

    The real maps are tested with the verb explain; compiling them takes longer than all here.
    """

    def predictor(network, predict, *, kind):
        def explain(state, inputs):
            return {'au_cam': jnp.full((1, 2, 4, 4), state.number * inputs.image.mean())}, {}

        return explain

    monkeypatch.setattr(looks.maps, 'predictor', predictor)
    settings = tree.from_nested(config_files.load('synthetic_dualbranch').to_dict())
    return trained.Trained(
        title='small',
        settings=settings,
        classes=('a', 'b', 'c'),
        image_shape=(SIZE, SIZE, 3),
        dtype='uint8',
        members=tuple((f'fold {number}', 0) for number in range(7)),
        scores=None,
        calibration=None,
        facts={},
        states=State(np.arange(7.0)),
    )


def test_maps_are_means_over_networks_and_follow_the_clip(model):
    """A map that is the same for every clip, or of one network alone, explains nothing."""
    images = INPUTS.image * np.uint8([1, 2]).reshape(2, 1, 1, 1)
    cams = looks.au_cam(model, Inputs(images, {}))
    assert cams.shape == (2, SIZE, SIZE)
    np.testing.assert_allclose(
        cams[0], 10 * np.mean([0, 2, 4, 6]), rtol=1e-5
    )  # spread over all members
    np.testing.assert_allclose(cams[1], 2 * cams[0], rtol=1e-5)


def test_networks_without_regions_and_svms_have_none(model):
    """A map of what does not predict, or of a network without regions, would mislead.

    A pack of SVMs holds no rows, so its `svms` are None as those of a network are.
    """
    for key, value in (('head.name', 'svm'), ('model.name', 'ststnet')):
        other = tree.changed(model.settings, {key: value})
        assert looks.au_cam(model._replace(settings=other), INPUTS) is None, key
