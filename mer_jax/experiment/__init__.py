"""From settings to a trained, scored and reported run, and the rules that settings must keep.

TASKS and LEARNERS stand here because what they state is which settings go where.
"""

from typing import NamedTuple

from mer_jax.errors import UserError
from mer_jax.settings.sections import Settings


class LearnerEntry(NamedTuple):
    """How a network learns: all that the program knows about it."""

    learner: str  # 'module:function' of learner(model, optimizer, *, fit, scale_input, **options)
    options: dict[str, str]  # keyword -> setting, or section of settings
    # 'module:function' of fit(samples, rows, *, classes, formula, scope) -> Fitted, from training
    # rows, beside the scale of the input
    fit: str = 'mer_jax.training.balance:fit_class_weight'
    regional: bool = False  # needs a network with a head for each region
    apart: bool = False  # needs outputs that do not depend on each other


class Task(NamedTuple):
    """What an experiment learns: all that the program knows about it."""

    load: str  # 'module:function' of data(settings, apex) -> loading.Data
    # 'module:function' that scores held-out outputs and writes the files of the run, and what it
    # takes: keyword -> setting, or section of settings
    publish: str
    options: dict[str, str]
    report: str  # 'module:function' of report(folder), which writes the page again
    learner: LearnerEntry | None = None  # None: train.learner names it
    by_class: bool = False  # scored by METRICS, which the verbs audit and grid compare
    augments: bool = False  # whether rows can be augmented
    by_frame: bool = False  # whether a row is a frame of a clip
    # head.name -> 'module:function' of what predicts in place of a network (classical/heads.py)
    heads: dict[str, str] = {}
    needs: dict = {}  # setting -> the only value that it takes
    unused: dict = {}  # setting that it has no use for -> its value that is off


KNOWING = 'train, evaluate, report, describe and compare know every task'
TASKS = {  # by data.task
    'recognition': Task(
        'mer_jax.experiment.build:clips',
        'mer_jax.experiment.results:recognition',
        options={'every_epoch': 'evaluate.every_epoch', 'repeat': 'protocol.repeat'},
        report='mer_jax.report.recognition_page:report',
        by_class=True,
        augments=True,
        heads={
            'svm': 'mer_jax.classical.heads:svms',
            'logistic': 'mer_jax.classical.heads:regressions',
            'ridge': 'mer_jax.classical.heads:ridges',
            'stack': 'mer_jax.classical.heads:stacks',
        },
    ),
    'action_units': Task(
        'mer_jax.experiment.build:units_of_clips',
        'mer_jax.experiment.results:action_units',
        options={},
        report='mer_jax.report.action_units_page:report',
        learner=LearnerEntry(
            'mer_jax.training.learners:action_units',
            options={},
            fit='mer_jax.training.balance:fit_unit_weight',
            apart=True,
        ),
        augments=True,
        heads={'svm': 'mer_jax.classical.heads:detectors'},
        unused={
            'augment.replace': 0.0,
            'balance.method': 'none',
            'balance.scope': 'fold',
            'data.apex': '',
            'data.random_subject_labels': False,
            'data.without_class': 'dropped',
            'evaluate.every_epoch': False,
            'protocol.evaluate_on': 'test',
            'train.label_smoothing': 0.0,
            'train.learner': 'supervised',
            'train.sampler': 'shuffle',
        },
    ),
    'spotting': Task(
        'mer_jax.experiment.build:frames_of_clips',
        'mer_jax.experiment.results:spotting',
        options={'settings': 'spotting'},
        report='mer_jax.report.spotting_page:report',
        learner=LearnerEntry(
            'mer_jax.training.learners:spotting', options={'output': 'spotting.output'}
        ),
        by_frame=True,
        needs={
            'data.clip_normalise': False,
            'data.input_scaler': 'p995',
            'data.channels': 'u,v',
        },
        unused={
            'balance.method': 'none',
            'train.learner': 'supervised',
            'train.class_weights': 'none',
            'train.sampler': 'shuffle',
            'data.random_subject_labels': False,
            'train.label_smoothing': 0.0,
            'protocol.evaluate_on': 'test',
            'evaluate.every_epoch': False,
            'model.init_from': '',
            'model.pretrain': '',
            'data.apex': '',
            'data.mask': 'none',
            'data.action_units': '',
        },
    ),
}
LEARNERS = {  # of recognition, by train.learner
    'supervised': LearnerEntry(
        'mer_jax.training.learners:supervised', options={'smoothing': 'train.label_smoothing'}
    ),
    'contrastive': LearnerEntry(
        'mer_jax.training.learners:contrastive',
        options={'smoothing': 'train.label_smoothing', 'settings': 'alignment'},
        regional=True,
    ),
}

# of the drawn faces that model.pretrain names
PRETRAINING = LearnerEntry(
    'mer_jax.training.learners:emotions_and_units', options={'share': 'pretrain.units'}
)


def check_by_class(task: str, verb: str) -> None:
    """Refuse a task that a verb has no scores of.

    Args:
        task: data.task.
        verb: what it does by UF1 or accuracy, such as 'audit: compares UF1'.
    """
    if not TASKS[task].by_class:
        allowed = [name for name, entry in TASKS.items() if entry.by_class]
        raise UserError(
            f'{verb}, which data.task {task} does not have; allowed: {" or ".join(allowed)}; '
            f'{KNOWING}'
        )


def learner_entry(settings: Settings) -> LearnerEntry:
    """How the network of an experiment learns."""
    return TASKS[settings.data.task].learner or LEARNERS[settings.train.learner]
