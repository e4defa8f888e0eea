"""Settings in, files of a run out."""

import time

from mer_jax import quiet  # noqa: F401, before jax

# isort: split
import numpy as np

from mer_jax import entries
from mer_jax.classical import has_network, svm
from mer_jax.data import loading, sources
from mer_jax.experiment import TASKS, build, results
from mer_jax.experiment import folder as run_folder
from mer_jax.experiment import settings as rules
from mer_jax.folds import protocols
from mer_jax.models import torch_weights
from mer_jax.runfiles.folder import lock, prepare
from mer_jax.settings import tree
from mer_jax.settings.sections import Settings
from mer_jax.training import checkpoint, fold_by_fold, loop, metrics_log, parallel, plan, programs
from mer_jax.training import held_out as evaluation


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
        loaded, folds, titles = build.inputs(settings)
        shapes = build.check_fit(settings, loaded, folds, titles, folder)
        run_folder.enter(folder, settings, loaded)
        seconds = {'data': time.perf_counter() - start}
        loaded, folds = build.generated(settings, loaded, folds, titles, folder)
        seconds['generate'] = time.perf_counter() - start - seconds['data']
        run_folder.write_tables(folder, loaded, folds, titles)
        output, layout = _answers(settings, loaded, folds, titles, folder, seconds, shapes)
        return _publish(settings, loaded, folds, titles, output, layout, folder, seconds)


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
    total, size = len(folds.fold), layout.group
    run_of_row, _ = evaluation.order(folds)
    output, held_out = None, None
    if settings.evaluate.every_epoch and settings.train.epochs:
        shape = settings.train.epochs, len(run_of_row), len(loaded.names.classes)
        held_out = metrics_log.open_held_out(folder, shape, done=run_folder.newest(folder))
    done = run_folder.trained(folder, settings.train.seeds) == settings.train.epochs
    ready = _programs(settings, loaded, folds, layout, learner, done=done)
    seconds['compile'] = ready.seconds
    with metrics_log.progress(
        total, -(-total // size), 0 if done else settings.train.epochs
    ) as bar:
        for number, first in enumerate(range(0, total, size)):
            members = np.arange(first, min(first + size, total))
            own = evaluation.subset(folds, members)
            rows = np.isin(run_of_row, members)
            group = programs.place(ready, folds, members)
            with (
                checkpoint.opened(folder / 'checkpoints' / f'group_{number}') as manager,
                metrics_log.opened(folder, number, bar) as log,
            ):
                epoch, states = _start(
                    settings, group, manager, titles=protocols.titles_of_runs(own, titles)
                )
                log.cut(epoch)
                schedule = checkpoint.Schedule(settings.train.checkpoint_seconds)
                for chunk in programs.fit(group, states, done=epoch, epochs=settings.train.epochs):
                    epoch, states = chunk.epoch, chunk.states
                    log.write(chunk)
                    if held_out is not None and rows.any():
                        outputs = programs.predict(group, states)
                        held_out[epoch - 1, rows] = evaluation.gather(outputs, own)
                    if epoch == settings.train.epochs or schedule.due():
                        with schedule.writing():
                            checkpoint.save(manager, epoch, programs.to_host(group, states))
            output = evaluation.scatter(output, programs.predict(group, states), own, rows)
    return output


def _programs(settings, loaded, folds, layout, learner, *, done) -> programs.Programs:
    """The programs that train; done: no epoch is left, so that they only predict."""
    options = programs.ProgramOptions(
        build.batch_options(settings, loaded),
        runs=layout.group,
        test_batch=settings.evaluate.batch_size,
        chunk=1 if settings.evaluate.every_epoch else loop.CHUNK,
        trains=not done,
    )
    if settings.train.fold_by_fold:
        return fold_by_fold.programs(learner, loaded.samples, folds, options)
    return programs.compile_programs(learner, layout, loaded.samples, folds, options)


def _start(settings, group, manager, *, titles):
    """(epoch, states) that a group begins with: those of its newest checkpoint; else new ones, into
    which the weights of a file are read. titles: of the folds of its runs.
    """
    epoch = checkpoint.newest(manager.directory)
    if epoch >= 0:
        return epoch, programs.restored(group, manager, epoch)
    states = programs.to_host(group, programs.init(group))
    states = torch_weights.start(settings.model.name, settings.model.init_from, titles, states)
    return 0, programs.to_devices(group, states)


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
