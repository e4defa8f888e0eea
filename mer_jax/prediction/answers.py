"""What a trained model says of a clip: first its movement, then its class or action units."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mer_jax.classical import HEADS, fitted_features, has_network
from mer_jax.data import Record
from mer_jax.errors import UserError
from mer_jax.evaluation import calibration
from mer_jax.experiment import TASKS
from mer_jax.prediction import detected, licences, looks, movement, records, trained
from mer_jax.prediction.clips import ClipFrames
from mer_jax.prediction.records import FIELD, Recipe
from mer_jax.prediction.trained import Trained
from mer_jax.preprocess import face, flow, mtcnn
from mer_jax.report.prediction_page import ClipPictures
from mer_jax.runfiles import prediction_file as answer
from mer_jax.runfiles.prediction_file import ClipAnswer, KeyFrame, ModelFacts
from mer_jax.settings import tree
from mer_jax.settings.sections import Settings
from mer_jax.types import Inputs

NO_EYES = 'the eyes were not found in the onset frame: the crop is that of the face detector alone'
ALL_FRAMES = (
    'the class is that of all frames from onset to offset; the apex only says between which frames '
    'the movement is measured'
)
OTHER_DETECTOR = (
    'faces are found by the weights of --detector, and those that trained the model were found '
    'otherwise, so that crops stand a little differently'
)
HAAR = 'haar'  # how a crop was found without eyes


class Model(NamedTuple):
    """A trained model, and how frames become its inputs."""

    trained: Trained
    recipe: Recipe
    path: str  # run or pack, as the user named it
    fold: str  # '' for all

    @property
    def detector(self) -> str:
        """Return the path of the weights of MTCNN; '': Haar."""
        return self.trained.settings.data.detector


class Answer(NamedTuple):
    """What the model says of a clip, and what is shown of it."""

    clip: ClipAnswer
    pictures: ClipPictures | None  # None of an input without frames
    inputs: Inputs  # of the model


def opened(path: str, fold: str = '') -> Model:
    """Open a run or a pack that recognises classes or detects action units.

    Args:
        path: of the folder of a run, or of a pack.
        fold: title of a fold; '': all.

    Raises:
        UserError: there is no finished run, no such fold, or it spots apexes.
    """
    model = trained.open_trained(path, fold)
    if TASKS[model.settings.data.task].by_frame:
        raise UserError(
            f'--model={path}: it spots apexes; allowed: a run that recognises classes, or detects '
            'action units'
        )
    title = model.members[0][0] if fold else ''
    data_set = title.rpartition('/')[0]
    recipe = records.recipe(model.settings, data_set, model.facts.get('data', {}))
    return Model(model, recipe, path, title)


def with_detector(model: Model, path: str) -> Model:
    """Return a model whose faces are found by MTCNN.

    Args:
        model: of `opened`.
        path: of the weights.

    Raises:
        UserError: the weights cannot be read, or are of another network.
    """
    mtcnn.read_weights(path)
    settings = tree.changed(model.trained.settings, {'data.detector': path})
    warnings = (*model.recipe.warnings, OTHER_DETECTOR)
    return model._replace(
        trained=model.trained._replace(settings=settings),
        recipe=model.recipe._replace(warnings=warnings),
    )


def kinds_of(settings: Settings) -> list[str]:
    """Return what predicts, in words; of a stack its members.

    Args:
        settings: of the run.
    """
    head = settings.head
    network = [settings.model.name] if has_network(head) else []
    if HEADS[head.name].combines:
        titles = [f'{HEADS[name].title}s' for name in head.members.split('+') if name in HEADS]
        return [f'stack of {" and ".join(titles)}' if titles else 'stack', *network]
    title = HEADS[head.name].title
    return [*network, *([title] if title else []), *fitted_features(head)]


def facts(model: Model, *, from_frames: bool, cropped: bool) -> ModelFacts:
    """Return what an answer states about its model.

    Args:
        model: that answers.
        from_frames: whether any input was frames, not published features.
        cropped: whether the frames show the face alone.
    """
    settings, results = model.trained.settings, model.trained.facts
    calibrated = model.trained.calibration
    kinds = kinds_of(settings)
    detects_units = model.trained.learned is not None
    metrics = results.get('metrics', {})
    interval = results.get('intervals', {}).get('uf1')
    warnings = model.recipe.warnings_for(cropped) if from_frames else ()
    licence = results.get('licence') or licences.notes(results.get('datasets', ()))
    return ModelFacts(
        title=model.trained.title,
        path=model.path,
        kind=' with '.join(kinds),
        fold=model.fold,
        members=len(model.trained.members),
        classes=() if detects_units else model.trained.classes,
        data=settings.data.name,
        clips=results.get('clips', 0),
        subjects=results.get('subjects', 0),
        protocol=results.get('protocol', ''),
        uf1=metrics.get('uf1'),
        uf1_interval=interval and tuple(interval),
        uar=metrics.get('uar'),
        leaks=tuple(results.get('leaks', ())),
        input=answer.APPROXIMATE if warnings else answer.AS_TRAINED,
        calibrated=calibrated is not None,
        temperature=calibrated and calibrated.temperature,
        threshold=calibrated and min(calibrated.threshold, 1.0),
        licence='; '.join(licence),
        fingerprint=results.get('data', {}).get('fingerprint', ''),
        warnings=warnings,
        action_units=detected.facts_of(model.trained),
    )


def of_clip(model: Model, clip: ClipFrames, *, name: str, cropped: bool = False) -> Answer:
    """Return what a model says of the frames of a clip.

    Args:
        model: that answers.
        clip: its frames; an apex of -1 is estimated from them.
        name: of the recording, for messages.
        cropped: whether the frames show the face alone.

    Raises:
        NoFaceError: there is no face in the onset frame.
    """
    settings = model.trained.settings
    record = records.make(
        clip.frames,
        clip.key_frames,
        model.recipe,
        name=name,
        cropped=cropped,
        magnet=settings.data.magnet,
        detector=model.detector,
    )
    keys = clip.key_frames._replace(apex=int(record['apex']))
    shown = {key: KeyFrame(number, clip.ms.get(number)) for key, number in keys._asdict().items()}
    crops, points = _crops(record, clip.frames, keys), record['landmarks'][0]
    inputs = records.inputs_of([record], model.recipe, settings)
    rise = record.get(FIELD)
    if rise is None:  # the model takes no flow
        rise = flow.estimate(*crops[:2], method='dis')
    warnings = [NO_EYES] if record['crop'] == HAAR else []
    if model.recipe.of_all_frames:
        warnings.append(ALL_FRAMES)
    pictures = ClipPictures(*crops, np.float32(movement.of_face(rise, points)))
    result = ClipAnswer(
        key_frames_from=answer.GIVEN if clip.strength is None else answer.SEARCH,
        **shown,
        strength=clip.strength,
        movements=movement.between(crops, points, rise=rise),
        **_of_model(model.trained, inputs),
        warnings=tuple(warnings),
    )
    return Answer(result, pictures, inputs)


def with_looks(model: Model, results: Sequence[Answer]) -> list[Answer]:
    """Add where the networks look to the pictures of clips, where they have regions.

    Args:
        model: that answered.
        results: of a recording.
    """
    drawn = [one for one in results if one.pictures is not None]
    if not drawn:
        return list(results)
    image = np.concatenate([one.inputs.image[:1] for one in drawn])
    maps = looks.au_cam(model.trained, Inputs(image, {}))
    if maps is None:
        return list(results)
    pairs = zip(drawn, maps, strict=True)
    return [one._replace(pictures=one.pictures._replace(au_cam=cam)) for one, cam in pairs]


def of_features(model: Model, path: str) -> Answer:
    """Return what a model says of a published feature picture.

    Args:
        model: trained on published features.
        path: of the PNG.

    Raises:
        UserError: the model takes frames, or the picture is another one.
    """
    if not model.recipe.published:
        raise UserError(
            f'{path}: is one picture, and the model was trained on {model.recipe.source.name}; '
            'allowed: a video, or a folder of frames'
        )
    inputs = records.inputs_of([records.published(path)], model.recipe, model.trained.settings)
    clip = ClipAnswer(
        key_frames_from=answer.NONE,
        onset=None,
        apex=None,
        offset=None,
        strength=None,
        movements=(),
        **_of_model(model.trained, inputs),
    )
    return Answer(clip, None, inputs)


def _crops(record: Record, frames, key_frames):
    """Return the crops of onset, apex and offset, uint8[S, S] each."""
    if 'key_frames' in record:
        return tuple(record['key_frames'])
    matrix, size = record['matrix'].astype(np.float64), records.side(record)
    crop = face.Crop(matrix, size, tuple(map(float, record['box'])), 0.0, record['crop'])
    return tuple(face.cut(records.gray(frames[number]), crop) for number in key_frames)


def _of_model(model: Trained, inputs) -> dict:
    """Return the fields of a ClipAnswer on its class, or on its action units."""
    return _of_class(model, inputs) if model.learned is None else detected.fields_of(model, inputs)


def _of_class(model, inputs):
    """Return the fields of a ClipAnswer on its class."""
    outputs = model.scores(inputs)  # [members, rows of the clip, K]
    scores = _by_class(model, outputs, 1.0)
    probabilities, threshold = None, None
    if model.calibration is not None:
        probabilities = _by_class(model, outputs, model.calibration.temperature)
        threshold = model.calibration.threshold
    outcome, title = answer.outcome(scores, probabilities, threshold)
    agreement = None
    if len(outputs) > 1:
        votes = Counter(model.classes[number] for number in outputs.mean(1).argmax(-1))
        agreement = answer.Agreement.of(votes)
    return {
        'outcome': outcome,
        'action_units': None,
        'class_of_training_data': title,
        'scores': scores,
        'probabilities': probabilities,
        'agreement_of_folds': agreement,
    }


def _by_class(model, outputs, temperature):
    """Return {class: mean probability over members, and over the rows of the clip}."""
    mean = calibration.probabilities(outputs, temperature).mean(0)
    return dict(zip(model.classes, map(float, mean), strict=True))
