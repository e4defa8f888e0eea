"""The apex of a clip by a spotting run, whose outputs are made up here."""

import numpy as np
import pytest

from mer_jax.prediction import clips, records, spotter, trained
from mer_jax.presets import base
from mer_jax.settings import tree
from tests.support.fake_raw import casme2
from tfds_builders import frames
from tfds_builders.clip import KeyFrames


def settings(**changes):
    values = {
        'data.task': 'spotting',
        'data.name': 'casme2/spotting,optical_flow=dis',
        'data.channels': 'u,v',
        'data.clip_normalise': False,
        'data.input_scaler': 'p995',
        'data.labels': 'five',
        'spotting.window': 3,
    }
    return tree.changed(tree.from_nested(base('made').to_dict()), values | changes)


def test_the_apex_is_where_the_outputs_are_largest(tmp_path):
    """A decoder that counted from another frame would shift every apex, and so every flow."""
    clip = casme2.write(tmp_path).clips['sub05_EP12_03f']
    images = {n: frames.read_gray(path) for n, path in frames.listing(clip.folder)[0].items()}
    seen = []

    def motion(inputs):
        seen.append(inputs.image)
        size = np.abs(inputs.image).mean((1, 2, 3))
        return np.stack([size, 2 * size])[..., None]

    run = settings()
    model = trained.Trained(
        'made', run, ('apex',), trained.image_shape(run), 'float32', (('a', 0),), motion, None, {}
    )
    spotting = spotter.Spotter(model, records.recipe(run))
    asked = clips.ClipFrames(KeyFrames(clip.onset, -1, clip.offset), images, {}, None)
    found = spotter.with_apex(spotting, asked, name=clip.clip, cropped=True)
    assert abs(found.key_frames.apex - clip.apex) <= 1
    assert found.key_frames[::2] == asked.key_frames[::2]
    [image] = seen
    assert image.shape == (clip.offset - clip.onset + 1, 28, 28, 2)
    assert not image[0].any() and image[1:].any()


def test_an_apex_at_the_onset_is_the_next_frame_that_exists():
    """Folders are numbered with gaps, and a frame that is not there has no picture."""
    run = settings(**{'spotting.decoder': 'max'})
    model = trained.Trained(
        title='made',
        settings=run,
        classes=('apex',),
        image_shape=trained.image_shape(run),
        dtype='float32',
        members=(('a', 0),),
        scores=lambda inputs: -np.arange(len(inputs.image), dtype=np.float32)[None, :, None],
        calibration=None,
        facts={},
    )
    draw = np.random.default_rng(0)
    images = {n: draw.integers(0, 256, (128, 128), np.uint8) for n in (10, 20, 30)}
    clip = clips.ClipFrames(KeyFrames(10, -1, 30), images, {}, None)
    spotting = spotter.Spotter(model, records.recipe(run))
    spotted = spotter.with_apex(spotting, clip, name='folder', cropped=True)
    assert spotted.key_frames == KeyFrames(10, 20, 30)


JOINED = {  # data sets -> whether a recording must take the way of one of them
    'casme2/flow+smic/flow': False,
    'casme2/samer+samm/samer': True,
    'casme2/samer,target=apex+samm/samer,target=apex': False,
    'casme2/flow+samm/flow,optical_flow=dis': True,
    'casme2/flow,edition=2014+samm/flow': False,
}


@pytest.mark.parametrize('name', JOINED)
def test_data_sets_that_are_computed_differently_are_named(name):
    """A recording is of none of them; which way it took must stand in the answer."""
    channels = 'magnified,on_a,off_a' if 'samer' in name else 'u,v,strain'
    run = settings(**{'data.task': 'recognition', 'data.name': name, 'data.channels': channels})
    assert bool(records.recipe(run).warnings) == JOINED[name]
    assert records.recipe(run, 'samm').source.release in ('samm', 'casme2')
    assert not records.recipe(run, 'samm').warnings or 'samm' not in name
