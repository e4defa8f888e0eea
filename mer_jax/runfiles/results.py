"""results.json: the results of a run of recognition, spotting, or detection of action units.

Values are checked against the shapes below. evaluation/score.py explains the dictionaries of
recognition, spotting/score.py those of spotting, evaluation/units.py those of action units.
"""

from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import ClassVar, Self

from mer_jax.errors import UserError
from mer_jax.evaluation import HEADLINE, OVER_SUBJECTS, UNIT_METRICS
from mer_jax.evaluation.metrics import CLASS_METRICS, METRICS
from mer_jax.runfiles import files, reading, shapes, writing

# `task` of other runs; recognition has no such key
SPOTTING = 'spotting'
ACTION_UNITS = 'action_units'
ANY_NUMBER = shapes.Number()
NOT_NEGATIVE = shapes.Number(0)  # counts of clips too: a mean over seeds may have a fraction
MEASURE = shapes.Maybe(shapes.SHARE)
MEASURES = dict.fromkeys(METRICS, MEASURE)
INTERVALS = dict.fromkeys(METRICS, shapes.Maybe(shapes.ListOf(shapes.SHARE, 2)))
CLIPS = {'clips': NOT_NEGATIVE, 'correct': NOT_NEGATIVE, 'accuracy': shapes.SHARE}
# in the results of every task, before and after the scores
FIRST_KEYS = {
    'name': shapes.Text(),
    'scored': shapes.Text(),
    'protocol': shapes.Text(),
    'leaks': shapes.ListOf(shapes.Text()),
    'folds': shapes.COUNT,
    'seeds': shapes.COUNT,
    'epochs': shapes.COUNT,
    'clips': shapes.COUNT,
}
LAST_KEYS = {
    'plan': shapes.Maybe(shapes.MapOf(shapes.Anything())),
    'data': {'name': shapes.Text(), 'labels': shapes.Text()},
    'seconds': shapes.MapOf(NOT_NEGATIVE),
    'versions': shapes.MapOf(shapes.Text()),
}
MEDIAN_EPOCH = shapes.Maybe(NOT_NEGATIVE)  # over folds, so it may have a fraction
AT_EPOCH = {'metrics': MEASURES, 'epoch': shapes.COUNT}
# Scores if epochs were chosen on the left-out subjects.
ORACLE = {
    'note': shapes.Text(),
    # each run takes the epoch of its best accuracy on the test rows
    'test_best': {'metrics': MEASURES, 'median_epoch': MEDIAN_EPOCH},
    # Two choices of an epoch: best accuracy, for accuracy, micro F1 and one-vs-rest accuracy; best
    # UF1, for all other metrics. median_epochs has the same order.
    'test_best_independent': {
        'metrics': MEASURES,
        'median_epochs': shapes.ListOf(MEDIAN_EPOCH, 2),
    },
    # all runs take the same epoch, that of the best UF1 of all rows
    'best_common_epoch': AT_EPOCH,
    'last': AT_EPOCH,
    'per_epoch': dict.fromkeys(('accuracy', 'uf1', 'uar'), shapes.ListOf(MEASURE)),
}
OF_DATA_SET = {'n': NOT_NEGATIVE, 'subjects': shapes.COUNT, **MEASURES, 'intervals': INTERVALS}
OF_CLASS = dict.fromkeys(CLASS_METRICS, MEASURE) | {'support': shapes.Maybe(NOT_NEGATIVE)}
OF_SEED = {'seed': shapes.COUNT, 'metrics': MEASURES}
OF_SUBJECT = {'dataset': shapes.Text(), 'subject': shapes.Text(), **CLIPS}
OF_FOLD = {'fold': shapes.COUNT, **CLIPS, 'uf1': MEASURE}
# of draws of the folds, see evaluation/score.py
SPREAD = dict.fromkeys(('sd', 'low', 'high', 'sd_seeds', 'sd_training_sets'), MEASURE)
REPEATS = {
    'note': shapes.Text(),
    'draws': shapes.COUNT,
    'seeds': shapes.COUNT,
    'spread': dict.fromkeys(METRICS, SPREAD),
    'per_draw': shapes.ListOf({'draw': shapes.COUNT, 'metrics': MEASURES}),
}
# Annotated action units of the tested clips as inputs: classical/ceiling.py.
CEILING = {
    'note': shapes.Text(),
    'clips': NOT_NEGATIVE,
    'subjects': shapes.COUNT,
    'datasets': shapes.MapOf(NOT_NEGATIVE),
    'metrics': dict.fromkeys(HEADLINE, MEASURE),
    'intervals': dict.fromkeys(HEADLINE, shapes.Maybe(shapes.ListOf(shapes.SHARE, 2))),
    'run_metrics': dict.fromkeys(HEADLINE, MEASURE),
    'run_intervals': dict.fromkeys(HEADLINE, shapes.Maybe(shapes.ListOf(shapes.SHARE, 2))),
}
# {member: its mean weight over folds and seeds}: classical/stack.py.
STACK = shapes.MapOf(NOT_NEGATIVE)
RECOGNITION_SCORES = {
    'metrics': MEASURES,
    'sd': MEASURES,
    'intervals': INTERVALS,
    'per_dataset': shapes.MapOf(OF_DATA_SET),
    'per_class': shapes.MapOf(OF_CLASS),
    'per_seed': shapes.ListOf(OF_SEED),
    'per_subject': shapes.ListOf(OF_SUBJECT),
    'per_fold': shapes.ListOf(OF_FOLD),
    'confusion': shapes.ListOf(shapes.ListOf(shapes.COUNT)),
    'classes': shapes.ListOf(shapes.Text()),
    'oracle_epoch': shapes.Maybe(ORACLE),
}
INTERVAL = shapes.Maybe(shapes.ListOf(NOT_NEGATIVE, 2))
ERROR = {
    'mae': NOT_NEGATIVE,
    'interval': INTERVAL,
    'mae_ms': shapes.Maybe(NOT_NEGATIVE),
    'interval_ms': INTERVAL,
}
GAIN = {
    'difference': ANY_NUMBER,
    'interval': shapes.Maybe(shapes.ListOf(ANY_NUMBER, 2)),
    'p': MEASURE,
}
DECODER = {
    **ERROR,
    'sd': shapes.Maybe(NOT_NEGATIVE),
    'per_dataset': shapes.MapOf({'clips': shapes.COUNT, **ERROR}),
    'against': shapes.MapOf(GAIN),
}
UNIT_MEASURES = dict.fromkeys(UNIT_METRICS, MEASURE)
UNIT_INTERVAL = shapes.Maybe(shapes.ListOf(shapes.SHARE, 2))
UNIT_INTERVALS = dict.fromkeys(UNIT_METRICS, UNIT_INTERVAL)
OF_UNIT = {
    'unit': shapes.Text(),
    'clips': NOT_NEGATIVE,  # in which it is known
    'present': NOT_NEGATIVE,  # which show it
    'subjects': shapes.COUNT,  # who show it
    **UNIT_MEASURES,
    **{f'{name}_interval': UNIT_INTERVAL for name in UNIT_METRICS},
    'most_frequent_f1': MEASURE,
    'most_frequent_macro_f1': MEASURE,
    'chance_average_precision': MEASURE,
    'average_precision_gain_interval': shapes.Maybe(shapes.ListOf(ANY_NUMBER, 2)),  # above chance
}
UNITS_OF_DATA_SET = {
    'clips': NOT_NEGATIVE,
    'subjects': shapes.COUNT,
    'scored_units': shapes.COUNT,  # those that a clip shows, which count in the means
    'metrics': UNIT_MEASURES,
    'intervals': UNIT_INTERVALS,
    'per_unit': shapes.ListOf(OF_UNIT),
}
BOTH_MEANS = {'units': shapes.SHARE, 'data_sets': shapes.SHARE}
UNIT_SCORES = {
    'metrics': UNIT_MEASURES,
    'sd': UNIT_MEASURES,
    'intervals': UNIT_INTERVALS,
    'per_unit': shapes.ListOf(OF_UNIT),
    'per_dataset': shapes.MapOf(UNITS_OF_DATA_SET),
    'dataset_means': shapes.Maybe({'metrics': UNIT_MEASURES, 'intervals': UNIT_INTERVALS}),
    'all_units': shapes.Maybe({'rule': shapes.Text(), 'f1': BOTH_MEANS, 'macro_f1': BOTH_MEANS}),
    # each metric, with `_interval`, `_gain` (of the run above it) and `_gain_interval`
    'baselines': {
        'most_frequent': dict.fromkeys(('f1', 'macro_f1'), MEASURE),
        'chance': {'average_precision': MEASURE},
    },
}


@dataclass(frozen=True)
class _Results:
    """Reads and writes the results of any task."""

    FILE: ClassVar[str] = files.RESULTS
    SHAPE: ClassVar[dict]

    name: str  # of the config
    scored: str  # the part that is scored: test or validation
    protocol: str
    leaks: list[str]  # a sentence for each leak; empty for an honest run
    folds: int
    seeds: int
    epochs: int
    clips: int  # of the data set

    def to_json(self) -> dict:
        """Return the results as the file holds them."""
        return asdict(self)

    def write(self, folder: str | Path) -> None:
        """Write results.json into the folder of a run."""
        writing.write_json(Path(folder) / self.FILE, self.to_json())

    @classmethod
    def read(cls, folder: str | Path) -> Self:
        """Read the results of the run in `folder`.

        Raises:
            UserError: the file is damaged.
        """
        return cls.checked(*_content(folder))

    @classmethod
    def checked(cls, path: Path, content: dict) -> Self:
        """Check the content of a results.json.

        Raises:
            UserError: a key is missing, unknown, or of another type or range.
        """
        shapes.check(content, cls.SHAPE, path, remedy=reading.REMEDY)
        unknown = content.keys() - {each.name for each in fields(cls)}
        if unknown:
            raise UserError(
                f"{path}: has an unknown key '{min(unknown)}' (not one of {cls.__name__}); "
                f'{reading.REMEDY}'
            )
        return cls(**content)


@dataclass(frozen=True)
class RecognitionResults(_Results):
    """results.json of a run that recognises classes.

    The dictionaries are explained in evaluation/score.py.
    """

    SHAPE: ClassVar[dict] = {**FIRST_KEYS, **RECOGNITION_SCORES, **LAST_KEYS}

    metrics: dict[str, float | None]  # {metric: mean over seeds}
    sd: dict[str, float | None]  # over seeds
    intervals: dict[str, list[float] | None]  # {metric: [low, high]}, 95 %
    intervals_are: str = field(default=OVER_SUBJECTS, kw_only=True)  # for readers of the file
    per_dataset: dict[str, dict]
    per_class: dict[str, dict]
    per_seed: list[dict]
    per_subject: list[dict]
    per_fold: list[dict]
    confusion: list[list[int]]  # [classes, classes], rows are the truth; summed over seeds
    classes: list[str]
    # of shape REPEATS; None for one draw of the folds
    repeats: dict | None = field(default=None, kw_only=True)
    # of shape CEILING; None, and no key in the file, where no action units are annotated
    ceiling: dict | None = field(default=None, kw_only=True)
    # of shape STACK; None, and no key in the file, where none was fitted
    stack: dict[str, float] | None = field(default=None, kw_only=True)
    # learning rate and epochs that folds chose by training subjects, in words; '' for no choice
    choice: str = field(default='', kw_only=True)
    oracle_epoch: dict | None  # of shape ORACLE; None where epochs were not evaluated
    plan: dict | None  # None where nothing was trained
    data: dict
    seconds: dict[str, float]  # {step: seconds}
    versions: dict[str, str]  # {package: version}

    @classmethod
    def checked(cls, path: Path, content: dict) -> Self:
        """Check the content; also optional blocks, and that the confusion matrix is square."""
        results = super().checked(path, content)
        size = len(results.classes)
        square = shapes.ListOf(shapes.ListOf(shapes.COUNT, size), size)
        shapes.check(results.confusion, square, path, remedy=reading.REMEDY, key='confusion')
        # Not in SHAPE, because older files lack them.
        for key, shape in (('repeats', REPEATS), ('ceiling', CEILING), ('stack', STACK)):
            value = getattr(results, key)
            shapes.check(value, shapes.Maybe(shape), path, remedy=reading.REMEDY, key=key)
        return results

    def to_json(self) -> dict:
        """Return the results as the file holds them."""
        content = super().to_json()
        for key in ('ceiling', 'stack'):
            if content[key] is None:
                del content[key]
        return content


@dataclass(frozen=True)
class SpottingResults(_Results):
    """results.json of a run that spots apexes.

    The dictionaries are explained in spotting/score.py.
    """

    SHAPE: ClassVar[dict] = {
        **FIRST_KEYS,
        'task': shapes.Text((SPOTTING,)),
        'answer': shapes.Text(),
        'spotting': shapes.MapOf(DECODER),
        **LAST_KEYS,
    }

    task: str  # SPOTTING
    answer: str  # the decoder whose error counts as the error of the run
    spotting: dict[str, dict]  # {decoder: errors}; empty where nothing was scored
    intervals_are: str = field(default=OVER_SUBJECTS, kw_only=True)  # for readers of the file
    plan: dict | None
    data: dict
    seconds: dict[str, float]  # {step: seconds}
    versions: dict[str, str]  # {package: version}

    @classmethod
    def checked(cls, path: Path, content: dict) -> Self:
        """Check the content; also that `answer` names a scored decoder."""
        results = super().checked(path, content)
        if results.spotting and results.answer not in results.spotting:
            raise UserError(
                f'{path}: answer is {results.answer!r}; allowed: '
                f'{" or ".join(map(repr, results.spotting))}; {reading.REMEDY}'
            )
        return results


@dataclass(frozen=True)
class UnitResults(_Results):
    """results.json of a run that detects action units.

    The dictionaries are explained in evaluation/units.py.
    """

    SHAPE: ClassVar[dict] = {
        **FIRST_KEYS,
        'task': shapes.Text((ACTION_UNITS,)),
        'units': shapes.ListOf(shapes.Text()),
        **UNIT_SCORES,
        'unseen': shapes.MapOf(shapes.ListOf(shapes.Text())),
        'notes': shapes.ListOf(shapes.Text()),
        **LAST_KEYS,
    }

    task: str  # ACTION_UNITS
    units: list[str]  # the targets, such as 'AU12', in the order of the outputs
    metrics: dict[str, float | None]  # {metric: mean over units and seeds}
    sd: dict[str, float | None]  # over seeds
    intervals: dict[str, list[float] | None]  # {metric: [low, high]}, 95 %
    intervals_are: str = field(default=OVER_SUBJECTS, kw_only=True)  # for readers of the file
    per_unit: list[dict]
    per_dataset: dict[str, dict]
    dataset_means: dict | None  # None for one data set
    all_units: dict | None  # by the rule of CD6ME; None for one data set
    baselines: dict[str, dict]
    # {unit: titles of the folds of which no training clip shows it; they predict it absent}
    unseen: dict[str, list[str]]
    notes: list[str]  # on units that are rare or not scored, a sentence each
    plan: dict | None  # None where nothing was trained
    data: dict
    seconds: dict[str, float]  # {step: seconds}
    versions: dict[str, str]  # {package: version}


Results = RecognitionResults | SpottingResults | UnitResults
BY_TASK = {SPOTTING: SpottingResults, ACTION_UNITS: UnitResults}  # of `task` in the file


def read(folder: str | Path) -> Results:
    """Read the results of a run of any task.

    Raises:
        UserError: the file is damaged.
    """
    path, content = _content(folder)
    kind = BY_TASK.get(content.get('task'), RecognitionResults)
    return kind.checked(path, content)


def _content(folder):
    """Return (path of results.json, its dictionary)."""
    path = Path(folder) / files.RESULTS
    if not path.exists():
        raise UserError(
            f'{folder} holds no {files.RESULTS}; train first: python -m mer_jax '
            f'--config=<config> --workdir={folder}'
        )
    return path, reading.read_json(path)
