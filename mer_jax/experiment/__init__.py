"""From settings to a trained, scored and reported run, and the rules that settings must keep.

TASKS and LEARNERS stand here because what they state is which settings go where.
"""

from typing import NamedTuple


class Task(NamedTuple):
    """What an experiment answers, by what its rows are: all that the program knows about it."""

    name: str  # in messages, and `task` of results.json, which recognition leaves out
    load: str  # 'module:function' of data(config, apex) -> loading.Data
    # 'module:function' that scores held-out outputs and writes the files of the run, and the
    # settings that it takes: keyword -> setting
    publish: str
    options: dict
    report: str  # 'module:function' of report(folder), which writes the page again
    by_class: bool = False  # scored by METRICS, which the verbs audit and grid compare
    augments: bool = False  # whether rows can be augmented
    needs: dict = {}  # setting -> the only value that it takes
    unused: dict = {}  # setting that it has no use for -> its value that is off


class LearnerEntry(NamedTuple):
    """How a network learns: all that the program knows about it."""

    learner: str  # 'module:function' of learner(model, optimizer, *, fit, scale_input, **options)
    rows: str  # the key of its task
    options: dict  # keyword -> setting
    regional: bool = False  # needs a network with a head a region


TASKS = {  # by data.rows
    'clips': Task(
        'recognition',
        'mer_jax.experiment.build:clips',
        'mer_jax.experiment.results:recognition',
        options={'every_epoch': 'evaluate.every_epoch'},
        report='mer_jax.report.recognition_page:report',
        by_class=True,
        augments=True,
    ),
    'frames': Task(
        'spotting',
        'mer_jax.experiment.build:frames_of_clips',
        'mer_jax.experiment.results:spotting',
        options={
            'decision': 'spotting.decision',
            'window': 'spotting.window',
            'label': 'spotting.label',
            'steepness': 'spotting.steepness',
            'sigma': 'spotting.sigma',
        },
        report='mer_jax.report.spotting_page:report',
        needs={'data.scale': 'p995', 'data.channels': 'u,v'},
        unused={
            'balance.method': 'none',
            'train.class_weights': 'none',
            'train.sampler': 'shuffle',
            'data.drawn_labels': False,
            'train.label_smoothing': 0.0,
            'protocol.scored': 'test',
            'evaluate.every_epoch': False,
            'model.init_from': '',
            'data.apex': '',
            'data.mask': 'none',
        },
    ),
}
LEARNERS = {  # by train.learner
    'supervised': LearnerEntry(
        'mer_jax.training.learners:supervised',
        rows='clips',
        options={'smoothing': 'train.label_smoothing'},
    ),
    'contrastive': LearnerEntry(
        'mer_jax.training.learners:contrastive',
        rows='clips',
        options={
            'smoothing': 'train.label_smoothing',
            'share': 'alignment.share',
            'form': 'alignment.form',
            'temperature': 'alignment.temperature',
        },
        regional=True,
    ),
    'spotting': LearnerEntry(
        'mer_jax.training.learners:spotting',
        rows='frames',
        options={'output': 'spotting.output'},
    ),
}
