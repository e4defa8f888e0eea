"""Answers of the verb predict, made by the product's dataclasses."""

from mer_jax.runfiles import prediction_file as answer

CLASSES = ('negative', 'positive', 'surprise')


def movement(words='left mouth corner up', *, phase=answer.PHASES[0], pixels=1.25):
    return answer.Movement(words, 'mouth corner', 'left', phase, 'up', pixels, pixels / 97)


def clip(**changes):
    """A clip of a smile, whose class is clear."""
    values = {
        'key_frames_from': answer.SEARCH,
        'onset': answer.KeyFrame(40, 400.0),
        'apex': answer.KeyFrame(55, 550.0),
        'offset': answer.KeyFrame(70, 700.0),
        'strength': 4.5,
        'movements': (movement(), movement('left mouth corner down', phase=answer.PHASES[1])),
        'action_units': None,
        'outcome': answer.CLASS,
        'class_of_training_data': 'positive',
        'scores': {'negative': 0.1, 'positive': 0.85, 'surprise': 0.05},
        'probabilities': {'negative': 0.2, 'positive': 0.7, 'surprise': 0.1},
        'agreement_of_folds': answer.Agreement.of({'positive': 51, 'negative': 17}),
        'warnings': ('the face is turned by 20 degrees',),
    }
    return answer.ClipAnswer(**values | changes)


def recording(*clips, **changes):
    """A video with these clips."""
    moved = any(each.outcome != answer.NOTHING for each in clips)
    values = {
        'source': 'interview.mp4',
        'kind': 'video',
        'fps': 100.0,
        'width': 640,
        'height': 480,
        'frames': 200,
        'outcome': answer.MOVEMENT if moved else answer.NOTHING,
        'clips': clips,
        'motion': answer.MotionCurve((0.0, 10.0, 20.0), (0.4, 0.6, 2.5), 1.0),
        'warnings': (),
    }
    return answer.RecordingAnswer(**values | changes)


def model(**changes):
    """A calibrated network of all folds."""
    values = {
        'title': 'megc2019_ststnet',
        'path': 'runs/megc2019_ststnet',
        'kind': 'ststnet',
        'fold': '',
        'members': 68,
        'classes': CLASSES,
        'data': 'casme2+samm+smic',
        'clips': 442,
        'subjects': 68,
        'protocol': 'loso',
        'uf1': 0.71,
        'uf1_interval': (0.62, 0.79),
        'uar': 0.7,
        'leaks': (),
        'input': answer.AS_TRAINED,
        'calibrated': True,
        'temperature': 2.5,
        'threshold': 0.55,
        'licence': 'research only',
        'fingerprint': 'abc',
        'warnings': (),
    }
    return answer.ModelFacts(**values | changes)


def detection(*, outputs=answer.LOGITS, learned=68):
    """What a model knows of three action units, of which it could not learn the last."""
    units = (
        answer.UnitFacts('AU4', learned, 0.71, 0.8, 0.3, above_chance=True),
        answer.UnitFacts('AU12', learned - 1, 0.4, 0.5, 0.4, above_chance=False),
        answer.UnitFacts('AU14', 0, None, None, None, above_chance=False),
    )
    return answer.Detection(0.5, (0.4, 0.6), 0.6, (0.5, 0.7), outputs, units)


def unit_model(**changes):
    """Facts of a model of action units, as changes of `model`."""
    values = {
        'classes': (),
        'uf1': None,
        'uf1_interval': None,
        'uar': None,
        'calibrated': False,
        'temperature': None,
        'threshold': None,
        'action_units': detection(),
    }
    return values | changes


def unit_clip(*, probabilities=(0.9, 0.2, None), **changes):
    """A clip that shows AU4; probabilities of the units of `detection`, None each for SVMs."""
    drawn = (('AU4', 2.2, 60), ('AU12', -1.4, 9), ('AU14', -0.7, 0))  # unit, output, detected by
    units = []
    for (title, output, members), probability in zip(drawn, probabilities, strict=True):
        units.append(answer.ActionUnit(title, output > 0, probability, output, members))
    values = {
        'action_units': tuple(units),
        'outcome': answer.UNITS,
        'class_of_training_data': None,
        'scores': None,
        'probabilities': None,
        'agreement_of_folds': None,
    }
    return clip(**values | changes)


def predictions(*recordings, **changes):
    """The answer of one command."""
    recordings = recordings or (recording(clip()),)
    return answer.PredictionFile(model(**changes), recordings, {'mer_jax': '1.0', 'jax': '0.10.2'})
