"""predictions.json and predictions.csv of the verb predict: what a model says of recordings.

The movement stands first; second the class of the training data, or the action units.
docs/prediction_files.md explains every key.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

from mer_jax import entries
from mer_jax.errors import UserError
from mer_jax.runfiles import files, reading, shapes, writing

SCHEMA = 1
REMEDY = 'predict again'
_AS_TEXT = 'mer_jax.report.prediction_tables:text'

# outcomes
CLASS = 'class of the training data'
NOT_CLEAR = 'movement found, class not clear'
NOTHING = 'no micro-expression found'
# of a model of action units, in place of the first two
UNITS = 'action units detected'
NO_UNIT = 'movement found, no action unit detected'
OUTCOMES = (CLASS, NOT_CLEAR, UNITS, NO_UNIT, NOTHING)
# Outcome of a recording with a clip that is not NOTHING, or whose candidates were passed over, as a
# warning then says: that none is left does not mean that nothing moved.
MOVEMENT = 'movement found'

# where the key frames of a clip come from; SPOTTER: onset and offset are given, the apex is that of
# a spotting run
GIVEN, SEARCH, SPOTTER, NONE = 'given', 'search', 'spotter', 'none'
SEARCH_AND_SPOTTER = 'search and spotter'
KEY_FRAMES_FROM = (GIVEN, SEARCH, SPOTTER, SEARCH_AND_SPOTTER, NONE)
SEARCHED = (SEARCH, SEARCH_AND_SPOTTER)
EXPERIMENTAL = 'the search for candidates is experimental'  # in warnings of predictions.csv
AS_TRAINED, APPROXIMATE = 'as trained', 'approximate'
INPUTS = (AS_TRAINED, APPROXIMATE)
LOGITS, DECISIONS = 'logits', 'decision values'  # outputs for action units: of networks, of SVMs
PHASES = ('onset to apex', 'apex to offset')
# A movement is reported if its region moves LEAST pixels of a crop of 128 pixels, and ABOVE_FACE
# times as far as the median pixel of the face. LEAST is our choice. ABOVE_FACE was chosen on drawn
# faces whose head turns: at 2, TV-L1 names movements in 8 of 24 still ones, at 3 in 3, and it loses
# 5 of 102 true ones.
LEAST, ABOVE_FACE = 0.2, 3.0
SIDES = ('left', 'right', 'both', 'middle')

SCORE, PROBABILITY = 'score_', 'probability_'  # begin the columns of a class in predictions.csv
# those of an action unit, by the field that they hold
UNIT_COLUMNS = {
    'present': 'present_',
    'probability': PROBABILITY,
    'output': 'output_',
    'detected_by': 'detected_by_',
}
CONSISTENT = 1e-4  # by which the scores of all classes may differ from 1


LABORATORY = 'laboratory recordings of few subjects'
# {data set that was not recorded in a laboratory: what its clips are}
OTHER_CLIPS = {
    'synthetic_faces': 'drawn faces, not people',
    'frames_csv': 'clips from a table of the user',
}


OF_CLASS = 'the class of the training data that the models give to it'
OF_UNITS = 'the action units that the models detect in it'


def _what_it_is(clips, second=OF_CLASS):
    return (
        f'An estimate by models that were trained on {clips}. It reports movement of the face '
        f'first, and second {second}.'
    )


@dataclass(frozen=True)
class Statement:
    """What the answer is and is not, in sentences."""

    what_it_is: str = _what_it_is(LABORATORY)
    what_it_is_not: str = (
        'It is no lie detector, no diagnosis and no proof of what a person feels or thinks. On '
        'other cameras, light, poses and people it can be wrong more often than its held-out '
        'scores suggest.'
    )
    candidates: str = (
        'The search for candidates in long recordings is experimental: no figures on real long '
        'videos exist yet.'
    )
    law: str = (
        'Regulation (EU) 2024/1689 (AI Act): Article 5(1)(f) prohibits AI systems that infer '
        'emotions in the areas of workplace and education institutions, except for medical or '
        'safety reasons; Annex III, point 1(c), lists emotion recognition as high-risk; Article '
        '50(3) requires deployers to inform the people who are exposed to it.'
    )

    @classmethod
    def of(cls, data: str, *, units: bool = False) -> Self:
        """Return the statement of a model.

        Args:
            data: data.name of its run, such as 'casme2/flow+samm/flow'.
            units: whether it detects action units, and names no class.
        """
        releases = [name.partition('/')[0] for name in data.split('+')]
        clips = dict.fromkeys(OTHER_CLIPS.get(release, LABORATORY) for release in releases)
        return cls(_what_it_is(' and '.join(clips), OF_UNITS if units else OF_CLASS))


CANDIDATE = 2.5  # least strength of a candidate, in multiples of the noise floor


@dataclass(frozen=True)
class KeyFrame:
    """A frame of a recording and its time."""

    frame: int  # number: of a video from 0 on; of a folder as in the file's name
    ms: float | None  # since the first frame of the recording; None where nothing gives times


@dataclass(frozen=True)
class Movement:
    """How one region of the face moves in one phase; the head's motion is removed."""

    words: str  # such as 'left mouth corner up'
    region: str  # such as 'mouth corner'
    side: str  # of SIDES; left and right are the subject's
    phase: str  # of PHASES
    direction: str  # such as 'up and outward'
    pixels: float  # length in pixels of a face crop of 128 pixels
    share: float  # length as a share of the face's width


@dataclass(frozen=True)
class ActionUnit:
    """What a model says of an action unit in a clip."""

    unit: str  # such as 'AU12'
    present: bool  # where the probability is above .5; by SVMs, where the output is above 0
    # mean over members of the sigmoid of their outputs; None: by SVMs, whose outputs are no
    # probabilities, and where no member could learn the unit
    probability: float | None
    output: float  # mean over members, see Detection.outputs
    detected_by: int  # members whose output is above 0


@dataclass(frozen=True)
class Agreement:
    """How many of the folds' networks (or SVMs) give the same class.

    They share most of their training clips, so this is not an uncertainty.
    """

    members: int  # networks, or sets of SVMs
    share: float  # of members that give the most frequent class
    votes: dict[str, int]  # {class: members}

    @classmethod
    def of(cls, votes: Mapping[str, int]) -> Self:
        """Return the agreement of votes {class: members}."""
        members = sum(votes.values())
        return cls(members, max(votes.values()) / members, dict(votes))


@dataclass(frozen=True)
class ClipAnswer:
    """What the model says of one clip of a recording."""

    key_frames_from: str  # of KEY_FRAMES_FROM
    onset: KeyFrame | None  # None for an input without frames
    apex: KeyFrame | None
    offset: KeyFrame | None
    strength: float | None  # peak of the motion in multiples of the noise floor; None: not measured
    movements: tuple[Movement, ...]  # strongest first; () for an input without frames
    # of the model, in its order; None: it has no such outputs, or was not asked
    action_units: tuple[ActionUnit, ...] | None
    outcome: str  # of OUTCOMES
    class_of_training_data: str | None  # None where the outcome is not CLASS
    # mean over members of their softmax scores, as in predictions.csv of a run; None: no class was
    # estimated
    scores: dict[str, float] | None
    probabilities: dict[str, float] | None  # calibrated; None: the model is not calibrated
    agreement_of_folds: Agreement | None  # None for one member
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class MotionCurve:
    """The motion of face regions over the time of a recording."""

    ms: tuple[float, ...]
    motion: tuple[float, ...]  # head motion removed, in multiples of the noise floor where known
    noise_floor: float | None  # on the same scale; None: not measured

    @classmethod
    def thinned(
        cls,
        ms: Sequence[float],
        motion: Sequence[float],
        noise_floor: float | None,
        *,
        most: int = 2000,
    ) -> Self:
        """Keep at most `most` points: the largest of each stretch.

        Args:
            ms: time of each point in milliseconds.
            motion: its motion.
            noise_floor: on the same scale.
            most: points to keep.
        """
        stretch = -(-len(motion) // most) if len(motion) else 1
        kept = []
        for first in range(0, len(motion), stretch):
            last = min(first + stretch, len(motion))
            kept.append(max(range(first, last), key=lambda point: motion[point]))
        times = tuple(float(ms[point]) for point in kept)
        return cls(times, tuple(float(motion[point]) for point in kept), noise_floor)


@dataclass(frozen=True)
class RecordingAnswer:
    """What the model says of one input."""

    source: str  # as the user named it
    kind: str  # such as 'video', 'folder of frames', 'camera', 'feature picture'
    fps: float | None  # frames per second; None where there is no time
    width: int  # pixels
    height: int
    frames: int  # that were read
    outcome: str  # MOVEMENT or NOTHING
    clips: tuple[ClipAnswer, ...]
    motion: MotionCurve | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class UnitFacts:
    """What a model learned of an action unit, and how well it detects it."""

    unit: str
    learned_by: int  # members that could learn it; 0: it is never said to be present
    f1: float | None  # on held-out clips; None: none of them shows it
    average_precision: float | None
    chance: float | None  # average precision of a random order of the clips
    above_chance: bool  # whether that is shown, see docs/action_units.md


@dataclass(frozen=True)
class Detection:
    """How well a model detects action units of subjects it had not seen; means over units."""

    f1: float | None  # None where nothing was held out
    f1_interval: tuple[float, float] | None  # 95 %
    average_precision: float | None
    average_precision_interval: tuple[float, float] | None
    outputs: str  # LOGITS or DECISIONS
    units: tuple[UnitFacts, ...]


@dataclass(frozen=True)
class ModelFacts:
    """What the model is, and how well it did on subjects it had not seen."""

    title: str  # of the run
    path: str  # run or pack, as the user named it
    kind: str  # such as 'ststnet' or 'ststnet with SVM'
    fold: str  # the one fold that was used; '' for all
    members: int  # networks, or sets of SVMs
    classes: tuple[str, ...]  # () of a model of action units
    data: str  # names of the data sets that it was trained on
    clips: int
    subjects: int
    protocol: str
    uf1: float | None  # held out; None where nothing was held out
    uf1_interval: tuple[float, float] | None  # 95 %
    uar: float | None
    leaks: tuple[str, ...]  # a sentence for each
    input: str  # of INPUTS
    calibrated: bool  # whether `probabilities` exist
    temperature: float | None  # that divides the outputs; None: not calibrated, or one of each fold
    threshold: float | None  # below this probability there is no class; None: no threshold
    licence: str  # note of the data
    fingerprint: str  # of the data; '' where it has none
    warnings: tuple[str, ...] = ()
    # None, and no key in the file, of a model of classes
    action_units: Detection | None = None


@dataclass(frozen=True)
class ClassCounts:
    """How often a class was right on held-out clips; a clip counts once for each seed."""

    right: int  # predictions of the class that were right
    labelled: int  # predictions of clips of the class
    named: int  # predictions of the class


@dataclass(frozen=True)
class HeldOut:
    """What the held-out clips of a run say of its answers."""

    clips: int
    classes: dict[str, ClassCounts]
    # (log loss of the scores, and after division by temperatures of other subjects), in nats; None:
    # not calibrated
    losses: tuple[float, float] | None

    @property
    def is_better(self) -> bool:
        """Return whether calibration lessens the log loss of held-out clips."""
        return self.losses is not None and self.losses[1] < self.losses[0]


_SCORES = shapes.Maybe(shapes.MapOf(shapes.SHARE))
_TEXTS = shapes.ListOf(shapes.Text())
_KEY_FRAME = shapes.Maybe({'frame': shapes.COUNT, 'ms': shapes.Maybe(shapes.Number(0))})
_MOVEMENT = {
    'words': shapes.Text(),
    'region': shapes.Text(),
    'side': shapes.Text(SIDES),
    'phase': shapes.Text(PHASES),
    'direction': shapes.Text(),
    'pixels': shapes.Number(0),
    'share': shapes.Number(0),
}
_AGREEMENT = {
    'members': shapes.Number(1, whole=True),
    'share': shapes.SHARE,
    'votes': shapes.MapOf(shapes.COUNT),
}
_ACTION_UNIT = {
    'unit': shapes.Text(),
    'present': shapes.Flag(),
    'probability': shapes.Maybe(shapes.SHARE),
    'output': shapes.Number(),
    'detected_by': shapes.COUNT,
}
_CLIP = {
    'key_frames_from': shapes.Text(KEY_FRAMES_FROM),
    'onset': _KEY_FRAME,
    'apex': _KEY_FRAME,
    'offset': _KEY_FRAME,
    'strength': shapes.Maybe(shapes.Number(0)),
    'movements': shapes.ListOf(_MOVEMENT),
    'action_units': shapes.Maybe(shapes.ListOf(_ACTION_UNIT)),
    'outcome': shapes.Text(OUTCOMES),
    'class_of_training_data': shapes.Maybe(shapes.Text()),
    'scores': _SCORES,
    'probabilities': _SCORES,
    'agreement_of_folds': shapes.Maybe(_AGREEMENT),
    'warnings': _TEXTS,
}
_MOTION = {
    'ms': shapes.ListOf(shapes.Number(0)),
    'motion': shapes.ListOf(shapes.Number(0)),
    'noise_floor': shapes.Maybe(shapes.Number(0)),
}
_RECORDING = {
    'source': shapes.Text(),
    'kind': shapes.Text(),
    'fps': shapes.Maybe(shapes.Number(0)),
    'width': shapes.COUNT,
    'height': shapes.COUNT,
    'frames': shapes.COUNT,
    'outcome': shapes.Text((MOVEMENT, NOTHING)),
    'clips': shapes.ListOf(_CLIP),
    'motion': shapes.Maybe(_MOTION),
    'warnings': _TEXTS,
}
_MEASURE = shapes.Maybe(shapes.SHARE)
_EDGES = shapes.Maybe(shapes.ListOf(shapes.SHARE, 2))
_DETECTION = {
    **dict.fromkeys(('f1', 'average_precision'), _MEASURE),
    **dict.fromkeys(('f1_interval', 'average_precision_interval'), _EDGES),
    'outputs': shapes.Text((LOGITS, DECISIONS)),
    'units': shapes.ListOf(
        {
            'unit': shapes.Text(),
            'learned_by': shapes.COUNT,
            **dict.fromkeys(('f1', 'average_precision', 'chance'), _MEASURE),
            'above_chance': shapes.Flag(),
        }
    ),
}
_MODEL = {
    **dict.fromkeys(('title', 'path', 'kind', 'fold', 'data', 'protocol'), shapes.Text()),
    **dict.fromkeys(('members', 'clips', 'subjects'), shapes.COUNT),
    'classes': _TEXTS,
    **dict.fromkeys(('uf1', 'uar', 'threshold'), _MEASURE),
    'uf1_interval': _EDGES,
    'leaks': _TEXTS,
    'input': shapes.Text(INPUTS),
    'calibrated': shapes.Flag(),
    'temperature': shapes.Maybe(shapes.Number(0)),
    **dict.fromkeys(('licence', 'fingerprint'), shapes.Text()),
    'warnings': _TEXTS,
}
SHAPE = {
    'schema': shapes.Number(SCHEMA, SCHEMA, whole=True),
    'statement': {each.name: shapes.Text() for each in fields(Statement)},
    'model': _MODEL,
    'recordings': shapes.ListOf(_RECORDING),
    'versions': shapes.MapOf(shapes.Text()),
}


@dataclass(frozen=True)
class PredictionFile:
    """predictions.json: the answer to all inputs of one command."""

    FILE: ClassVar[str] = files.PREDICTION_FILE

    model: ModelFacts
    recordings: tuple[RecordingAnswer, ...]
    versions: dict[str, str]  # {package: version}
    statement: Statement = Statement()
    schema: int = SCHEMA
    held_out: HeldOut | None = None  # for page and terminal, not in the file; None: unknown

    def to_json(self) -> dict:
        """Return the content as the file holds it; what it is and is not stands first."""
        content = asdict(self)
        if self.model.action_units is None:
            del content['model']['action_units']
        return {key: content[key] for key in SHAPE}

    def __str__(self) -> str:
        """The table that the verb predict prints."""
        return entries.loaded(_AS_TEXT)(self)

    def write(self, folder: str | Path) -> None:
        """Write predictions.json into a folder."""
        writing.write_json(Path(folder) / self.FILE, self.to_json())

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Read the predictions in `folder`.

        Raises:
            UserError: the file is missing, damaged, or of a newer schema.
        """
        path = Path(folder) / cls.FILE
        content = reading.read_json(path)
        schema = content.get('schema')
        if isinstance(schema, int) and schema > SCHEMA:
            raise UserError(
                f'{path}: schema is {shapes.shown(schema)}; this version reads {SCHEMA}; update '
                'mer_jax'
            )
        shapes.check(content, SHAPE, path, remedy=REMEDY)
        detection = content['model'].setdefault('action_units', None)  # only some models have it
        shapes.check(
            detection, shapes.Maybe(_DETECTION), path, remedy=REMEDY, key='model.action_units'
        )
        recordings = []
        for number, record in enumerate(content['recordings']):
            _check_recording(record, content['model'], path, f'recordings.{number}')
            recordings.append(_recording(record))
        return cls(
            model=_model(content['model']),
            recordings=tuple(recordings),
            versions=content['versions'],
            statement=_filled(Statement, content['statement']),
        )


class ClipRow(NamedTuple):
    """A clip of a recording in predictions.csv; '' and None are empty cells."""

    source: str
    onset: int | None  # frame numbers
    apex: int | None
    offset: int | None
    onset_ms: float | None
    apex_ms: float | None
    offset_ms: float | None
    key_frames_from: str
    movements: str  # in words, joined by '; '
    pixels: float | None  # of the strongest movement, of a face crop of 128 pixels
    outcome: str
    class_of_training_data: str
    input: str
    calibrated: bool
    agreement_of_folds: float | None
    warnings: str  # joined by '; '
    scores: dict[str, float] | None
    probabilities: dict[str, float] | None
    action_units: tuple[ActionUnit, ...] | None = None


COLUMNS = {
    'source': shapes.Text(),
    **dict.fromkeys(('onset', 'apex', 'offset'), shapes.Maybe(shapes.COUNT)),
    **dict.fromkeys(('onset_ms', 'apex_ms', 'offset_ms'), shapes.Maybe(shapes.Number(0))),
    'key_frames_from': shapes.Text(KEY_FRAMES_FROM),
    'movements': shapes.Text(),
    'pixels': shapes.Maybe(shapes.Number(0)),
    'outcome': shapes.Text(OUTCOMES),
    'class_of_training_data': shapes.Text(),
    'input': shapes.Text(INPUTS),
    'calibrated': shapes.Flag(),
    'agreement_of_folds': shapes.Maybe(shapes.SHARE),
    'warnings': shapes.Text(),
}


@dataclass(frozen=True)
class PredictionRows:
    """predictions.csv of the verb predict: a row for each clip.

    A recording without a clip has one row whose key frames are empty.
    """

    FILE: ClassVar[str] = files.PREDICTIONS

    classes: tuple[str, ...]
    rows: tuple[ClipRow, ...]
    units: tuple[str, ...] = ()  # of a model of action units

    @classmethod
    def of(cls, content: PredictionFile) -> Self:
        """Return the rows of an answer."""
        rows = []
        for recording in content.recordings:
            for clip in recording.clips or (_no_clip(recording, content.model),):
                rows.append(_row(recording, clip, content.model))
        return cls(content.model.classes, tuple(rows), _units_of(content.model))

    def write(self, folder: str | Path) -> None:
        """Write predictions.csv into a folder; figures have ten digits."""
        header = [*COLUMNS]
        header += [f'{kind}{title}' for kind in (SCORE, PROBABILITY) for title in self.classes]
        header += [f'{kind}{unit}' for kind in UNIT_COLUMNS.values() for unit in self.units]
        rows = []
        for row in self.rows:
            cells = [_cell(value) for value in row[: len(COLUMNS)]]
            for values in (row.scores, row.probabilities):
                cells += [_cell((values or {}).get(title)) for title in self.classes]
            of_units = {each.unit: each for each in row.action_units or ()}
            for field in UNIT_COLUMNS:
                cells += [_cell(getattr(of_units.get(unit), field, None)) for unit in self.units]
            rows.append(cells)
        writing.write_csv(Path(folder) / self.FILE, header, rows)

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Read the rows in `folder`.

        Raises:
            UserError: the file is missing or damaged.
        """
        table = reading.read_csv(Path(folder) / cls.FILE)
        named = [column for column in table.header if column.startswith(SCORE)]
        classes = tuple(column.removeprefix(SCORE) for column in named)
        figures = [f'{kind}{title}' for kind in (SCORE, PROBABILITY) for title in classes]
        columns = COLUMNS | dict.fromkeys(figures, shapes.Maybe(shapes.SHARE))
        first = UNIT_COLUMNS['present']
        named = [column for column in table.header if column.startswith(first)]
        units = tuple(column.removeprefix(first) for column in named)
        for field, kind in UNIT_COLUMNS.items():
            of_field = [f'{kind}{unit}' for unit in units]
            columns |= dict.fromkeys(of_field, _empty_or(_ACTION_UNIT[field]))
        rows = []
        for record in reading.checked_rows(table, columns, remedy=REMEDY):
            figures = {
                'scores': _popped(record, SCORE, classes),
                'probabilities': _popped(record, PROBABILITY, classes),
                'action_units': _popped_units(record, units),
            }
            rows.append(ClipRow(**record, **figures))
        return cls(classes, tuple(rows), units)


def outcome(
    scores: Mapping[str, float],
    probabilities: Mapping[str, float] | None,
    threshold: float | None,
) -> tuple[str, str | None]:
    """Return (outcome, class or None) of a clip whose movement is above the noise floor.

    Args:
        scores: {class: softmax score}.
        probabilities: {class: calibrated probability}; None decides by the scores.
        threshold: below which no class is named; None always names one.
    """
    shown = scores if probabilities is None else probabilities
    title = max(shown, key=shown.__getitem__)
    if threshold is not None and shown[title] < threshold:
        return NOT_CLEAR, None
    return CLASS, title


def _check_recording(record, model, path, key):
    """Refuse a recording whose values contradict each other."""
    for number, clip in enumerate(record['clips']):
        _check_clip(clip, model['classes'], path, f'{key}.clips.{number}')
        _check_units(clip, model['action_units'], path, f'{key}.clips.{number}')
    moved = any(clip['outcome'] != NOTHING for clip in record['clips'])
    expected = MOVEMENT if moved else NOTHING
    if record['outcome'] != expected and record['clips']:
        _contradiction(path, f'{key}.outcome', record['outcome'], repr(expected))
    motion = record['motion']
    if motion and len(motion['ms']) != len(motion['motion']):
        count = len(motion['ms'])
        _contradiction(path, f'{key}.motion.motion', motion['motion'], f'a list of {count}')


def _check_clip(clip, classes, path, key):
    """Refuse a clip whose values contradict each other."""
    title = clip['class_of_training_data']
    named = clip['outcome'] == CLASS
    if named and title not in classes:
        allowed = ' or '.join(map(repr, classes))
        _contradiction(path, f'{key}.class_of_training_data', title, allowed)
    if not named and title is not None:
        _contradiction(path, f'{key}.class_of_training_data', title, 'none by its outcome')
    for name in ('scores', 'probabilities'):
        values = clip[name]
        if values is None:
            continue
        if [*values] != classes:
            _contradiction(path, f'{key}.{name}', values, f'the classes {classes}')
        if abs(sum(values.values()) - 1) > CONSISTENT:
            _contradiction(path, f'{key}.{name}', values, 'numbers whose sum is 1')
    frames = [clip[name] for name in ('onset', 'apex', 'offset')]
    numbers = [frame['frame'] for frame in frames if frame]
    if numbers != sorted(numbers):
        _contradiction(path, f'{key}.offset', numbers, 'onset, apex and offset in this order')


def _check_units(clip, detection, path, key):
    """Refuse a clip whose action units contradict its outcome or the model."""
    units = clip['action_units']
    if detection is None or units is None:
        if units is not None or clip['outcome'] in (UNITS, NO_UNIT):
            _contradiction(path, f'{key}.action_units', units, 'none, as the model and the outcome')
        return
    titles = [each['unit'] for each in units]
    allowed = [each['unit'] for each in detection['units']]
    if titles != allowed:
        _contradiction(path, f'{key}.action_units', titles, f'the units {allowed}')
    expected = UNITS if any(each['present'] for each in units) else NO_UNIT
    if clip['outcome'] != expected:
        _contradiction(path, f'{key}.outcome', clip['outcome'], repr(expected))


def _contradiction(path, key, value, allowed):
    raise UserError(f'{path}: {key} is {shapes.shown(value)}; allowed: {allowed}; {REMEDY}')


def _model(record):
    """Return ModelFacts of its dictionary."""
    detection = record['action_units']
    if detection is not None:
        units = tuple(_filled(UnitFacts, each) for each in detection['units'])
        detection = _filled(Detection, detection | {'units': units})
    return _filled(ModelFacts, record | {'action_units': detection})


def _recording(record):
    """Return a RecordingAnswer of its dictionary."""
    clips = tuple(map(_clip, record['clips']))
    motion = record['motion'] and _filled(MotionCurve, record['motion'])
    return _filled(RecordingAnswer, record | {'clips': clips, 'motion': motion})


def _clip(record):
    """Return a ClipAnswer of its dictionary."""
    content = dict(record)
    for name in ('onset', 'apex', 'offset'):
        content[name] = record[name] and _filled(KeyFrame, record[name])
    content['movements'] = tuple(_filled(Movement, each) for each in record['movements'])
    if record['action_units'] is not None:
        content['action_units'] = tuple(_filled(ActionUnit, one) for one in record['action_units'])
    agreement = record['agreement_of_folds']
    content['agreement_of_folds'] = agreement and _filled(Agreement, agreement)
    return _filled(ClipAnswer, content)


def _filled(kind, record):
    """Return a dataclass of a dictionary: lists become tuples, keys of later editions are left."""
    values = {}
    for each in fields(kind):
        value = record[each.name]
        values[each.name] = tuple(value) if isinstance(value, list) else value
    return kind(**values)


def _units_of(model):
    """Return the names of the action units of a model; () of a model of classes."""
    if model.action_units is None:
        return ()
    return tuple(each.unit for each in model.action_units.units)


def _no_clip(recording, model):
    """Return the clip that stands in predictions.csv for a recording without any."""
    outcome = NOT_CLEAR if model.action_units is None else NO_UNIT
    if recording.outcome == NOTHING:
        outcome = NOTHING
    return ClipAnswer(NONE, None, None, None, None, (), None, outcome, None, None, None, None)


def _row(recording, clip, model):
    """Return the row of a clip."""
    frames = (clip.onset, clip.apex, clip.offset)
    agreement = clip.agreement_of_folds
    searched = clip.key_frames_from in SEARCHED or not recording.clips
    warnings = (EXPERIMENTAL,) if searched else ()
    return ClipRow(
        recording.source,
        *(frame and frame.frame for frame in frames),
        *(frame and frame.ms for frame in frames),
        clip.key_frames_from,
        '; '.join(each.words for each in clip.movements if each.phase == PHASES[0]),
        max((each.pixels for each in clip.movements), default=None),
        clip.outcome,
        clip.class_of_training_data or '',
        model.input,
        model.calibrated,
        agreement and agreement.share,
        '; '.join((*warnings, *recording.warnings, *clip.warnings)),
        clip.scores,
        clip.probabilities,
        clip.action_units,
    )


def _cell(value):
    """Return a value as a cell of predictions.csv."""
    if value is None:
        return ''
    if isinstance(value, bool):
        return int(value)
    return f'{value:.10g}' if isinstance(value, float) else value


def _empty_or(shape):
    """Return the shape of a cell that may be empty."""
    return shape if isinstance(shape, shapes.Maybe) else shapes.Maybe(shape)


def _popped_units(record, units):
    """Take the figures of all action units out of a row; None where they are empty."""
    answers = []
    for unit in units:
        figures = {field: record.pop(f'{kind}{unit}') for field, kind in UNIT_COLUMNS.items()}
        answers.append(ActionUnit(unit, **figures))
    if not answers or answers[0].present is None:
        return None
    return tuple(answers)


def _popped(record, kind, classes):
    """Take the figures of all classes out of a row; None where they are empty."""
    values = {title: record.pop(f'{kind}{title}') for title in classes}
    return None if not values or None in values.values() else values
