"""Which frames a model was trained on, and which apex it takes."""

import numpy as np
import pytest

from mer_jax.prediction import answers, clips, records, trained
from mer_jax.presets import base
from mer_jax.settings import tree
from tfds_builders.clip import KeyFrames
from tfds_builders.frames_csv import layout

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


@pytest.mark.parametrize(
    ('edition', 'warned'),
    [(layout.EDITIONS[True], False), (layout.EDITIONS[False], True), ('whole frames', True)],
)
def test_a_run_on_a_table_says_whether_its_frames_were_cropped(edition, warned):
    """A renamed edition, or one of an earlier build, would warn of no other crop any more."""
    own = settings(**{'data.name': 'frames_csv/flow'})
    recipe = records.recipe(own, about={'editions': [f'frames_csv {edition}']})
    assert (recipe.warnings_for(True) != recipe.warnings) == warned
    assert (recipe.warnings_for(False) != recipe.warnings) != warned


@pytest.mark.parametrize(
    ('name', 'about', 'expected'),
    [
        ('smic/flow', {'default_apex_by': 'registered'}, 'registered'),
        ('smic/flow', {}, 'mean'),
        ('smic/flow,apex_by=registered', {}, 'registered'),
        ('smic/flow,apex_by=mean', {'default_apex_by': 'registered'}, 'mean'),
        ('precomputed_flow', {'default_apex_by': 'registered'}, 'registered'),
        ('synthetic_faces', {}, 'mean'),
    ],
)
def test_a_missing_apex_is_estimated_as_when_the_run_was_trained(name, about, expected):
    """A run of an earlier version would take other frames of a new clip than it did."""
    run = settings(**{'data.name': name})
    assert records.recipe(run, about=about).options['apex_by'] == expected


def test_uncropped_frames_are_not_said_to_be_taken_whole():
    """'Whole frames' was read as 'taken whole', which is what cropped frames are."""
    assert 'whole' not in layout.EDITIONS[False] and 'face is looked for' in layout.EDITIONS[False]


SPOTTING = {
    'data.name': 'casme2/spotting,optical_flow=dis',
    'data.channels': 'u,v',
    'data.clip_normalise': False,
    'data.input_scaler': 'p995',
}
NUMBERS = (1, 3, 4, 6, 8, 9)  # of a folder with gaps


def moving():
    """{number: frame} of a texture that moves most in the last frame but one."""
    texture = np.random.default_rng(0).normal(size=(160, 160))
    for _ in range(3):
        texture = (texture + np.roll(texture, 1, 0) + np.roll(texture, 1, 1)) / 2
    values = np.clip(128 + 20 * texture, 0, 255).astype(np.uint8)
    frames = {}
    for number, shift in zip(NUMBERS, (0, 1, 1, 1, 4, 1), strict=True):
        frames[number] = values[16:144, 16:144].copy()
        frames[number][80:] = np.roll(values, shift, 1)[96:144, 16:144]
    return frames


def test_the_apex_that_is_shown_is_the_one_that_is_used():
    """The class would be that of one frame, and pictures and movement beside it of another."""
    run = settings(**SPOTTING, **{'data.apex': 'midpoint'})
    recipe = records.recipe(run)
    record = records.make(moving(), KeyFrames(1, -1, 9), recipe, name='a', cropped=True)
    assert record['apex'] == 4, 'there is no frame 5'
    given = records.make(moving(), KeyFrames(1, 4, 9), recipe, name='a', cropped=True)
    images = [records.inputs_of([one], recipe, run).image for one in (record, given)]
    np.testing.assert_array_equal(*images)


@pytest.mark.parametrize('rule', ['every_frame', 'peak'])
def test_a_class_of_all_frames_is_called_so(rule):
    """An apex stands beside it, on which it does not depend."""
    run = settings(**SPOTTING, **{'data.apex': rule})
    model = trained.Trained(
        title='made',
        settings=run,
        classes=('a', 'b'),
        image_shape=trained.image_shape(run),
        dtype='float32',
        members=(('a', 0),),
        scores=lambda inputs: np.zeros((1, len(inputs.image), 2), np.float32),
        calibration=None,
        facts={},
    )
    clip = clips.ClipFrames(KeyFrames(1, 8, 9), moving(), {}, None)
    opened = answers.Model(model, records.recipe(run), 'made', '')
    result = answers.of_clip(opened, clip, name='a', cropped=True)
    counted = {'every_frame': len(NUMBERS) - 1, 'peak': 1}
    assert len(result.inputs.image) == counted[rule]
    assert result.clip.warnings == ((answers.ALL_FRAMES,) if rule == 'every_frame' else ())
