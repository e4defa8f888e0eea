"""Frames of clips as rows: which clips, which frames, labels, motion without the head; and settings
that do not fit.
"""

import numpy as np
import pytest

from mer_jax.data import loading, sources
from mer_jax.errors import UserError
from mer_jax.settings.sections import Spotting
from mer_jax.spotting import decoders, frames
from tests.mistakes_test import ROOT, mistake
from tests.support.messages import mentions

LABEL = {'label': 'linear', 'steepness': 3.0, 'sigma': 0.0}


def record(
    clip,
    onset,
    apex,
    offset,
    *,
    subject='s01',
    dataset='smic',
    source='annotated',
    fps=100.0,
    missing=(),
    seed=0,
):
    """A record as a data set with the flow of every frame holds it, frames from onset + 1 to two
    after the offset.
    """
    numbers = np.array(
        [n for n in range(onset + 1, max(offset, onset) + 3) if n not in missing], np.int32
    )
    flows = np.random.default_rng(seed).normal(0, 2, (len(numbers), 8, 8, 2)).astype(np.float16)
    return {
        'clip': clip,
        'subject': subject,
        'dataset': dataset,
        'emotion': 'others',
        'edition': '',
        'onset': onset,
        'apex': apex,
        'offset': offset,
        'apex_source': source,
        'fps': fps,
        'flows': flows,
        'flow_frames': numbers,
    }


RECORDS = [
    record('b', 10, 14, 20, seed=1),
    record('a', 3, 5, 9, subject='s02', seed=2),
    record('c', 30, 33, 40, source='estimated', subject='s03', seed=3),
    record('d', 7, 9, 13, missing=(9, 12), seed=4),
]


def load(monkeypatch, *sets, **changed):
    """frames.load of data sets whose records are `sets`, joined as 'set0+set1'."""
    monkeypatch.setattr(
        loading,
        'read',
        lambda source, features, *rest, **more: [
            {key: one[key] for key in features} for one in sets[int(source.name[-1])]
        ],
    )
    data_sets = tuple(sources.Source(f'set{i}', '', '', '') for i in range(len(sets)))
    size, settings = changed.pop('size', 8), Spotting(**LABEL | changed)
    return frames.load(data_sets, sources.BuildOptions(), settings, size=size)


def test_rows_are_the_frames_from_onset_to_offset(monkeypatch):
    """A frame before the onset or after the offset has no label, and one out of order would be
    another clip's.
    """
    found = load(monkeypatch, RECORDS)
    samples, names = found.samples, found.names
    assert (
        names.clips == ('a', 'b', 'c', 'd')
        and names.subjects == ('s01', 's02', 's03')
        and names.classes == ('apex',)
    )
    stored = {one['clip']: one for one in RECORDS}
    for number, clip in enumerate(names.clips):
        own, one = samples.clip == number, stored[clip]
        expected = [
            n
            for n in range(one['onset'], one['offset'] + 1)
            if n == one['onset'] or n in one['flow_frames']
        ]
        assert samples.extras['frame'][own].tolist() == expected
        assert (samples.image[own][0] == 0).all(), 'no flow at the onset'
        for image, frame in zip(samples.image[own][1:], expected[1:], strict=True):
            np.testing.assert_array_equal(
                image, one['flows'][one['flow_frames'].tolist().index(frame)]
            )
        assert {names.subjects[s] for s in samples.subject[own]} == {one['subject']}
    assert (
        samples.image.dtype == np.float16
        and (np.diff(samples.clip) >= 0).all()
        and len(samples.label) == len(samples.extras['frame'])
    )
    assert set(samples.extras) == {'frame', 'target'}


def test_labels_stand_at_their_frames_and_are_unknown_without_an_apex(monkeypatch):
    """The apex that a builder only estimated is no truth: trained on, the spotter would learn the
    estimator.
    """
    found = load(monkeypatch, RECORDS, label='log', steepness=2.0)
    samples, timing = found.samples, found.times
    assert (
        timing.apex.tolist() == [5, 14, -1, 9]
        and timing.onset.tolist() == [3, 10, 30, 7]
        and found.labels == 'log'
    )
    assert timing.offset.tolist() == [9, 20, 40, 13] and timing.fps.tolist() == [100.0] * 4
    for number in range(4):
        own = samples.clip == number
        if timing.apex[number] < 0:
            assert np.isnan(samples.extras['target'][own]).all()
            continue
        expected = decoders.continuous_labels(
            samples.extras['frame'][own],
            *(int(column[number]) for column in timing[:3]),
            label='log',
            steepness=2.0,
            sigma=0.0,
        )
        target = samples.extras['target'][own]
        np.testing.assert_array_equal(target, expected)
        assert target[0] == 0 and (target.max() == 1) == (number != 3), 'frame 9 of d is missing'


def test_pictures_are_resized_in_pixels_of_the_stored_flow(monkeypatch):
    """A network of 75 pixels and one of 28 see the same motion."""
    found, whole = (load(monkeypatch, RECORDS, size=size).samples.image for size in (4, 8))
    assert found.shape[1:] == (4, 4, 2) and found.dtype == np.float16
    np.testing.assert_allclose(
        found, whole.astype(float).reshape(-1, 4, 2, 4, 2, 2).mean((2, 4)), atol=5e-3
    )


def test_the_fingerprint_follows_times_that_no_row_shows(monkeypatch):
    """A run must refuse to go on where a frame rate or an apex has changed since: its errors would
    be others.
    """
    first = load(monkeypatch, RECORDS)
    other = load(monkeypatch, [{**one, 'fps': 200.0} for one in RECORDS])
    assert first.fingerprint != other.fingerprint
    np.testing.assert_array_equal(first.samples.image, other.samples.image)


BAD = [
    record('e', -1, 5, 9),
    record('f', 4, 6, -1),
    record('g', 8, 8, 8),
    record('h', 5, 17, 12),
    record('i', 5, 3, 12),
    record('j', 5, 3, 12, source='estimated'),
    record('k', -1, -1, -1, source='estimated'),
]


def test_clips_that_nobody_can_spot_in_are_dropped_with_their_reason(monkeypatch, capsys):
    """An unknown onset is -1: taken for a frame number it would make a clip of whatever lies before
    the expression.
    """
    found = load(monkeypatch, RECORDS + BAD)
    assert set(found.names.clips) == {'a', 'b', 'c', 'd', 'j'}, (
        'an estimated apex outside is no reason'
    )
    assert {row[0]: row[4] for row in found.dropped} == {
        'e': 'onset or offset is not annotated',
        'f': 'onset or offset is not annotated',
        'k': 'onset or offset is not annotated',
        'g': 'offset 8 is not after onset 8',
        'h': 'apex 17 is not between onset 5 and offset 12',
        'i': 'apex 3 is not between onset 5 and offset 12',
    }
    assert all(row[1:4] == ('s01', 'smic', 'others') for row in found.dropped)
    told = frames.describe(found)
    assert (
        '5 clips of 3 subjects from smic' in told
        and 'dropped 3: onset or offset is not annotated' in told
    )
    # 2/6, 4/10, 2/6
    assert '3 apexes annotated, at 0.356 of the clip in the mean (sd 0.031)' in told


def test_a_composite_is_in_order_of_data_set_and_clip(monkeypatch):
    """Clips and subjects of one name in two data sets are two, and fold tables go by the order."""
    other = [{**one, 'dataset': 'casme2'} for one in RECORDS]
    found = load(monkeypatch, RECORDS, other)
    assert found.names.clips == ('a', 'b', 'c', 'd') * 2 and found.names.datasets == (
        'casme2',
        'smic',
    )
    assert found.names.subjects == ('s01', 's02', 's03') * 2 and set(
        found.samples.subject.tolist()
    ) == set(range(6))
    assert (np.diff(found.samples.dataset) >= 0).all() and len(found.times.apex) == 8
    swapped = load(monkeypatch, other, RECORDS)
    assert swapped.fingerprint == found.fingerprint


def test_what_a_spotter_cannot_train_on_is_an_error(monkeypatch):
    """SMIC alone has frames, but no label; the same clip twice would count double."""
    with pytest.raises(
        UserError,
        match="'set0' has no clip with an annotated apex, which a spotter needs to train; join",
    ):
        load(monkeypatch, [one for one in RECORDS if one['clip'] == 'c'])
    with pytest.raises(UserError, match='has no clip with an annotated apex'):
        load(monkeypatch, BAD[:5])
    with pytest.raises(UserError, match='clip a of smic is in the data twice'):
        load(monkeypatch, RECORDS, RECORDS[1:2])


SPOTTING = f'--config={ROOT}/configs/synthetic_spotting.py:quick'
RECOGNITION = f'--config={ROOT}/configs/synthetic_ststnet.py:quick'
RULES = [
    (
        RECOGNITION,
        'data.task=spotting',
        "data.input_scaler ... 'none' ... data.task spotting ... 'p995'",
    ),
    (
        RECOGNITION,
        'train.learner=spotting',
        "train.learner ... 'spotting' ... contrastive, supervised",
    ),
    (RECOGNITION, 'data.task=videos', "data.task ... 'videos' ... recognition, spotting"),
    (
        SPOTTING,
        'train.learner=contrastive',
        "train.learner ... 'contrastive' ... 'supervised'",
    ),
    (
        SPOTTING,
        'data.clip_normalise=True',
        'data.clip_normalise ... True ... data.task spotting ... False',
    ),
    (SPOTTING, 'data.channels=u', "data.channels ... 'u' ... data.task spotting ... 'u,v'"),
    (
        SPOTTING,
        'data.channels=gray',
        "data.channels ... 'gray' ... data.task spotting ... 'u,v'",
    ),
    (
        SPOTTING,
        'spotting.label=cubic',
        "spotting.label ... 'cubic' ... linear, exponential, log, impulse",
    ),
    (
        SPOTTING,
        'spotting.decoder=sw-max',
        "spotting.decoder ... 'sw-max' ... max, sw_max, template",
    ),
    (SPOTTING, 'spotting.window=0', 'spotting.window ... 0 ... 1 to 1000'),
    (SPOTTING, 'spotting.steepness=0', 'spotting.steepness ... 0.0 ... 0.001 to 50'),
    (SPOTTING, 'spotting.sigma=-1', 'spotting.sigma ... -1.0 ... 0 to 1000'),
    (
        SPOTTING,
        'balance.method=smote',
        "balance.method ... 'smote' ... 'none'",
    ),
    (
        SPOTTING,
        'train.sampler=weighted',
        "train.sampler ... 'weighted' ... 'shuffle'",
    ),
    (
        SPOTTING,
        'evaluate.every_epoch=True',
        'evaluate.every_epoch ... True ... False',
    ),
    (
        SPOTTING,
        'data.apex=midpoint',
        "data.apex ... 'midpoint' ... ''",
    ),
    (
        SPOTTING,
        'data.mask=background',
        "data.mask ... 'background' ... 'none'",
    ),
    (SPOTTING, 'augment.flip=0.5', 'augment.flip ... 0.5 ... spotting ... 0'),
]
DATA = [
    (
        SPOTTING,
        'data.name=casme2',
        "flow of every frame ... data.task=spotting ... 'casme2/spotting'",
    ),
    (
        SPOTTING,
        'data.name=casme2/spotting+smic/flow',
        "'smic/flow' ... flow of every frame ... data.task=spotting",
    ),
    (
        SPOTTING,
        'data.name=synthetic_faces/tiny',
        "/tiny' ... flows ... 'synthetic_faces/spotting'",
    ),
    (
        RECOGNITION,
        'data.name=smic/flow --config.data.apex=midpoint --config.data.channels=u,v',
        "'smic/spotting'",
    ),
    (
        RECOGNITION,
        'data.name=smic/spotting --config.data.apex=peak',
        "'smic/spotting' ... strain",
    ),
    (
        RECOGNITION,
        'data.apex=midpoint',
        "'strain,v,u' ... flow of every frame ... u,v",
    ),
    (
        RECOGNITION,
        'data.apex=peak --config.data.channels=u,v',
        "flows ... 'synthetic_faces/s",
    ),
    (
        RECOGNITION,
        'data.apex=peak --config.data.channels=u,v --config.data.mask=eyes_mouth',
        "data.mask ... 'eyes_mouth'",
    ),
    (
        RECOGNITION,
        'data.apex=no/such/run --config.data.channels=u,v',
        'no/such/run ... finished spotting run',
    ),
]
ids = [f'{config.rpartition("/")[2]} {text}' for config, text, _ in RULES + DATA]


@pytest.mark.parametrize('config,text,told', RULES + DATA, ids=ids)
def test_settings_that_do_not_fit_are_told_in_one_line(
    config, text, told, tiny_data, capsys, tmp_path
):
    """Hours of building flow, or a network that trains on labels of 0, begin with such a
    setting.
    """
    where = f'--config.data.data_dir={tiny_data}', f'--workdir={tmp_path}/run'
    line = mistake(capsys, config, *where, *f'--config.{text}'.split())
    assert mentions(line, told), line


@pytest.mark.parametrize('verb', ['audit', 'grid --grid=train.epochs=1', 'explain'])
def test_verbs_of_recognition_refuse_a_spotter_in_one_line(verb, capsys, tmp_path):
    """They score classes: what they would say of frames is made up."""
    line = mistake(capsys, *verb.split(), SPOTTING, f'--workdir={tmp_path}/run')
    assert 'data.task spotting does not have; allowed: recognition' in line
    assert not (tmp_path / 'run').exists()
