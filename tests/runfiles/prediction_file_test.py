"""predictions.json and .csv: what a user's program reads must be whole, and mean one thing."""

import json

import pytest

from mer_jax.errors import UserError
from mer_jax.runfiles import prediction_file as answer
from tests.support import predicted

STILL = predicted.clip(
    strength=0.4,
    movements=(),
    outcome=answer.NOTHING,
    class_of_training_data=None,
    scores=None,
    probabilities=None,
    agreement_of_folds=None,
)
PICTURE = predicted.clip(
    key_frames_from=answer.NONE,
    onset=None,
    apex=None,
    offset=None,
    strength=None,
    movements=(),
    probabilities=None,
    agreement_of_folds=None,
)
ALL = (
    predicted.recording(predicted.clip(), STILL),
    predicted.recording(source='still.mp4', motion=None),
    predicted.recording(PICTURE, source='clip.png', kind='feature picture', fps=None),
)


OF_UNITS = (
    predicted.recording(predicted.unit_clip(), STILL),
    predicted.recording(source='still.mp4', motion=None),
    predicted.recording(predicted.unit_clip(probabilities=(None, None, None)), source='svm.mp4'),
)


@pytest.mark.parametrize(
    ('recordings', 'facts'), [(ALL, {}), (OF_UNITS, predicted.unit_model())], ids=['class', 'units']
)
def test_what_is_read_is_what_was_written(recordings, facts, tmp_path):
    """A value that is lost on the way is lost to every user of the file."""
    content = predicted.predictions(*recordings, **facts)
    content.write(tmp_path)
    assert answer.PredictionFile.read(tmp_path) == content
    rows = answer.PredictionRows.of(content)
    rows.write(tmp_path)
    assert answer.PredictionRows.read(tmp_path) == rows


def test_the_file_of_a_class_has_no_key_of_action_units():
    """Programs that read schema 1 compare the keys of the model with those that they know."""
    assert 'action_units' not in predicted.predictions().to_json()['model']
    content = predicted.predictions(OF_UNITS[0], **predicted.unit_model())
    assert [each['unit'] for each in content.to_json()['model']['action_units']['units']] == [
        'AU4',
        'AU12',
        'AU14',
    ]


@pytest.mark.parametrize(
    ('data', 'named', 'not_named'),
    [
        ('casme2/flow+samm/flow', ['laboratory'], ['drawn', 'table of the user']),
        ('synthetic_faces/three', ['drawn'], ['laboratory', 'table of the user']),
        ('frames_csv/flow', ['table of the user'], ['laboratory', 'drawn']),
        ('casme2/flow+frames_csv/flow', ['laboratory', 'table of the user'], ['drawn']),
    ],
)
def test_the_statement_says_what_the_model_learned_of(data, named, not_named):
    """A model of drawn faces that claims recordings of people is believed about people."""
    text = answer.Statement.of(data).what_it_is
    assert all(word in text for word in named)
    assert not any(word in text for word in not_named)


def test_the_table_has_a_row_for_each_clip_and_each_still_recording():
    """A recording that is missing in the table looks as if it had not been read."""
    rows = answer.PredictionRows.of(predicted.predictions(*ALL)).rows
    assert [row.source for row in rows] == ['interview.mp4'] * 2 + ['still.mp4', 'clip.png']
    assert [row.outcome for row in rows] == [answer.CLASS, *[answer.NOTHING] * 2, answer.CLASS]
    first = rows[0]
    assert (first.onset, first.apex_ms) == (40, 550.0)
    assert first.movements == 'left mouth corner up'  # of onset to apex alone
    assert first.agreement_of_folds == 0.75
    experimental = [answer.EXPERIMENTAL in row.warnings for row in rows]
    assert experimental == [True, True, True, False]  # the last one was not searched for
    assert rows[3].probabilities is None and rows[3].scores['positive'] == 0.85


def test_the_movement_stands_before_the_class(tmp_path):
    """The class is the weaker statement; who reads from the top must not meet it first."""
    predicted.predictions().write(tmp_path)
    content = json.loads((tmp_path / answer.PredictionFile.FILE).read_text())
    assert [*content][:2] == ['schema', 'statement']
    keys = [*content['recordings'][0]['clips'][0]]
    assert keys.index('movements') < keys.index('class_of_training_data')
    assert json.dumps(content).count('2024/1689') == 1
    assert 'lie detector' in content['statement']['what_it_is_not']
    assert 'experimental' in content['statement']['candidates']


@pytest.mark.parametrize(
    ('probabilities', 'threshold', 'expected'),
    [
        ({'a': 0.6, 'b': 0.4}, 0.55, (answer.CLASS, 'a')),
        ({'a': 0.5, 'b': 0.5}, 0.55, (answer.NOT_CLEAR, None)),
        ({'a': 0.5, 'b': 0.5}, None, (answer.CLASS, 'a')),
        (None, 0.55, (answer.CLASS, 'b')),
    ],
)
def test_no_class_below_the_threshold(probabilities, threshold, expected):
    """Calibrated probabilities decide where there are any; a doubtful class is not named."""
    assert answer.outcome({'a': 0.1, 'b': 0.9}, probabilities, threshold) == expected


def test_a_thinned_curve_keeps_its_peaks():
    """An hour of motion is drawn from few points; a peak between them would vanish."""
    motion = [0.0] * 90_000
    motion[12_345] = 7.0
    curve = answer.MotionCurve.thinned(range(90_000), motion, 1.0)
    assert len(curve.ms) <= 2000 and max(curve.motion) == 7.0
    assert curve.ms[curve.motion.index(7.0)] == 12_345
    assert answer.MotionCurve.thinned([], [], None).ms == ()


def edited(folder, change, content=None):
    """Write predictions, and change their JSON."""
    (content or predicted.predictions()).write(folder)
    path = folder / answer.PredictionFile.FILE
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def in_clip(**values):
    """Change the only clip."""
    return lambda content: content['recordings'][0]['clips'][0].update(values)


CONTRADICTIONS = {
    'a newer schema': (lambda content: content.update(schema=2), 'schema'),
    'no statement': (lambda content: content.pop('statement'), 'statement'),
    "a class that is not the model's": (
        in_clip(class_of_training_data='joy'),
        'recordings.0.clips.0.class_of_training_data',
    ),
    'a class that is not clear': (in_clip(outcome=answer.NOT_CLEAR), 'class_of_training_data'),
    'scores of other classes': (in_clip(scores={'joy': 1.0}), 'recordings.0.clips.0.scores'),
    'probabilities without sum 1': (
        in_clip(probabilities=dict.fromkeys(predicted.CLASSES, 0.9)),
        'recordings.0.clips.0.probabilities',
    ),
    'an offset before the onset': (in_clip(offset={'frame': 3, 'ms': 30.0}), '[40, 55, 3]'),
    'a recording without its movement': (
        lambda content: content['recordings'][0].update(outcome=answer.NOTHING),
        'recordings.0.outcome',
    ),
    'a curve of two lengths': (
        lambda content: content['recordings'][0]['motion'].update(ms=[0.0]),
        'recordings.0.motion',
    ),
    'an unknown phase': (
        lambda content: content['recordings'][0]['clips'][0]['movements'][0].update(phase='x'),
        'movements.0.phase',
    ),
}


@pytest.mark.parametrize('case', CONTRADICTIONS)
def test_a_contradiction_is_refused(tmp_path, case):
    """Whoever changed the file by hand must not get a page that says two things."""
    change, key = CONTRADICTIONS[case]
    edited(tmp_path, change)
    with pytest.raises(UserError) as caught:
        answer.PredictionFile.read(tmp_path)
    assert answer.PredictionFile.FILE in str(caught.value) and key in str(caught.value)
    assert '\n' not in str(caught.value)


UNIT_CONTRADICTIONS = {
    'no unit where one is present': (in_clip(outcome=answer.NO_UNIT), 'clips.0.outcome'),
    'units of another model': (
        lambda content: content['model']['action_units']['units'].pop(),
        'clips.0.action_units',
    ),
    'units of a model of classes': (
        lambda content: content['model'].pop('action_units'),
        'clips.0.action_units',
    ),
    'a model without its scores': (
        lambda content: content['model']['action_units'].pop('f1'),
        'model.action_units.f1',
    ),
}


@pytest.mark.parametrize('case', UNIT_CONTRADICTIONS)
def test_a_contradiction_of_units_is_refused(tmp_path, case):
    """A unit of another model would stand beside the scores of this one."""
    change, key = UNIT_CONTRADICTIONS[case]
    content = predicted.predictions(OF_UNITS[0], **predicted.unit_model())
    edited(tmp_path, change, content)
    with pytest.raises(UserError) as caught:
        answer.PredictionFile.read(tmp_path)
    assert answer.PredictionFile.FILE in str(caught.value) and key in str(caught.value)
