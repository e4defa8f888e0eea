"""Settings in, files of a run out."""

import time

from mer_jax import quiet  # noqa: F401, before jax

# isort: split
import numpy as np

from mer_jax import entries
from mer_jax.classical import has_network, svm
from mer_jax.data import loading, sources
from mer_jax.experiment import TASKS, build, engine, results
from mer_jax.experiment import folder as run_folder
from mer_jax.experiment import settings as rules
from mer_jax.folds import protocols
from mer_jax.models import torch_weights
from mer_jax.runfiles.folder import lock, prepare
from mer_jax.settings import tree
from mer_jax.settings.sections import Settings
from mer_jax.training import metrics_log, parallel, plan


def train(config: rules.Config, workdir) -> dict:
    """Train every fold of the experiment, or continue where a killed run stopped; score, write and
    report.
    """
    return train_settings(rules.checked(config), workdir)


def train_settings(settings: Settings, workdir) -> dict:
    """The same, of settings that keep all rules."""
    start = time.perf_counter()
    parallel.start(plan.cache_folder() / 'xla')
    folder = prepare(workdir)
    with lock(folder):
        run_folder.refuse_module(folder)
        loaded, folds, titles, shapes = open_run(settings, folder)
        seconds = {'data': time.perf_counter() - start}
        loaded, folds = build.generated(settings, loaded, folds, titles, folder)
        seconds['generate'] = time.perf_counter() - start - seconds['data']
        run_folder.write_tables(folder, loaded, folds, titles)
        output, layout = _answers(settings, loaded, folds, titles, folder, seconds, shapes)
        return _publish(settings, loaded, folds, titles, output, layout, folder, seconds)


def open_run(settings: Settings, folder):
    """The data set, the folds and their titles, and the abstract state of one fold, once the folder
    has taken the run.

    folder: of the run, locked. Raises UserError before anything is written.
    """
    loaded, folds, titles = build.inputs(settings)
    shapes = build.check_fit(settings, loaded, folds, titles, folder)
    run_folder.enter(folder, settings, loaded)
    return loaded, folds, titles, shapes


def evaluate(config: rules.Config, workdir) -> dict:
    """Score and report a finished run again from its last checkpoint; never trains."""
    settings = rules.checked(config)
    return train_settings(settings, run_folder.finished(workdir, settings))


def report(config: rules.Config, workdir) -> dict:
    """Write report.html and the plots again, from the files of a run alone."""
    return results.reported(run_folder.existing(workdir))


def train_changed(settings: Settings, changes, folder) -> dict:
    """Train the experiment with other values of some settings, {'train.epochs': 5}."""
    changed = tree.changed(settings, changes)
    rules.check(changed)
    return train_settings(changed, folder)


def build_data(config: rules.Config) -> dict:
    """Build the data sets of the config, where they are not yet, and print what they hold."""
    data = rules.checked(config).data
    data_sets = sources.parse(data.name, data.manual_dir)
    print(loading.build(data_sets, build.build_options(data)))
    return {}


def _answers(settings, loaded, folds, titles, folder, seconds, shapes):
    """(outputs of held-out rows [R, ...] in data set order, plan of the training): of the networks,
    or of SVMs on features, where without a network there is no plan.
    """
    hidden, layout = None, None
    if has_network(settings.head):
        layout = build.layout(settings, loaded, folds, folder, shapes)
        learner = build.learner(settings, loaded, folds, layout.lowering)
        if settings.head.name == 'none':
            return train_groups(
                settings, loaded, folds, titles, layout, folder, seconds, learner
            ), layout
        asked = protocols.predict_all_rows(
            folds, len(loaded.samples.label), leak=settings.head.scope == 'all'
        )
        hidden = train_groups(
            settings, loaded, asked, titles, layout, folder, seconds, svm.penultimate(learner)
        )
    output, machines = build.svm_scores(settings, loaded, folds, hidden)
    svm.write(folder, machines, folds, titles)
    return output, layout


def train_groups(settings, loaded, folds, titles, layout, folder, seconds, learner):
    """Train all runs, as many at a time as memory holds; returns what `learner` predicts of
    held-out rows, [R, ...] in data set order, as a tree.
    """
    epoch_outputs = None
    if settings.evaluate.every_epoch and settings.train.epochs:
        rows = int(np.sum(folds.test.mask > 0))
        shape = settings.train.epochs, rows, len(loaded.names.classes)
        done = run_folder.newest(folder)
        epoch_outputs = metrics_log.open_held_out(folder, shape, done=done)

    def with_weights(folds_of_group, states):
        of_runs = protocols.titles_of_runs(folds_of_group, titles)
        return torch_weights.initialise(
            settings.model.name, settings.model.init_from, of_runs, states
        )

    extras = engine.Extras(with_weights, epoch_outputs, seconds)
    how = build.training(settings, loaded)
    return engine.train_runs(learner, loaded.samples, folds, layout, how, folder, extras)


def _publish(settings, loaded, folds, titles, output, layout, folder, seconds):
    """Score, write and report the held-out outputs; returns the results."""
    about = results.about(settings, loaded, folds, layout)
    task = TASKS[settings.data.task]
    return entries.loaded(task.publish)(
        folder,
        output,
        loaded,
        folds,
        titles,
        about,
        seconds=seconds,
        **build.options(settings, task.options),
    )
