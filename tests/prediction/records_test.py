"""Which frames a model was trained on, and which apex it takes."""

import pytest

from mer_jax.prediction import records
from mer_jax.presets import base
from mer_jax.settings import tree

CROPPED, WHOLE, NEITHER = {False}, {True}, set()
# data.name -> the values of --cropped under which the input is another one than in training
CROPS = {
    'casme2/flow': CROPPED,
    'smic/flow': CROPPED,
    'casme_squared/flow': CROPPED,
    'samm/flow': WHOLE,
    'samm/flow,frames=cropped': CROPPED,
    'casme2/flow,frames=raw': WHOLE,
    'casme2/flow,frames=selected': WHOLE,
    'casme2/flow+smic/flow': CROPPED,
    'casme2/flow+samm/flow': NEITHER,
    'synthetic_faces': NEITHER,
}


def settings(**changes):
    return tree.changed(tree.from_nested(base('made').to_dict()), changes)


@pytest.mark.parametrize('name', CROPS)
def test_another_crop_than_in_training_is_named(name):
    """In crops of a release eyes stand wider apart: the flow of another crop is smaller and lies
    elsewhere, and nobody would see it.
    """
    recipe = records.recipe(settings(**{'data.name': name}))
    warned = set()
    for cropped in (False, True):
        if recipe.warnings_for(cropped) != recipe.warnings:
            warned.add(cropped)
    assert warned == CROPS[name]


def test_a_fold_has_the_crop_of_its_data_set():
    """Its held-out clips are predicted as the run did."""
    joined = settings(**{'data.name': 'casme2/flow+samm/flow'})
    assert records.recipe(joined, 'casme2').warnings_for(False)
    assert records.recipe(joined, 'samm').warnings_for(True)
