"""Config in, files of a run out. Of what this file calls, only build.py reads the config too."""

import time

from mer_jax import quiet  # noqa: F401, before jax

# isort: split
import numpy as np

from mer_jax import entries
from mer_jax.classical import features, svm
from mer_jax.data import loading, sources
from mer_jax.experiment import TASKS, build, results, settings
from mer_jax.experiment import folder as run_folder
from mer_jax.folds import protocols
from mer_jax.models import torch_weights
from mer_jax.runfiles.folder import lock, prepare
from mer_jax.training import checkpoint, fold_by_fold, loop, metrics_log, parallel, plan, programs
from mer_jax.training import held_out as evaluation


def train(config, workdir) -> dict:
    """Train every fold of the experiment, or continue where a killed run stopped; score, write and
    report.
    """
    start = time.perf_counter()
    settings.check(config.to_dict())
    parallel.start(plan.cache_folder() / 'xla')
    folder = prepare(workdir)
    with lock(folder):
        loaded, folds, titles = build.inputs(config)
        shapes = build.check_fit(config, loaded, folds, titles, folder)
        run_folder.enter(folder, config.to_dict(), loaded)
        seconds = {'data': time.perf_counter() - start}
        loaded, folds = build.generated(config, loaded, folds, titles, folder)
        seconds['generate'] = time.perf_counter() - start - seconds['data']
        run_folder.write_tables(folder, loaded, folds, titles)
        output, layout = _answers(config, loaded, folds, titles, folder, seconds, shapes)
        return _publish(config, loaded, folds, titles, output, layout, folder, seconds)


def evaluate(config, workdir) -> dict:
    """Score and report a finished run again from its last checkpoint; never trains."""
    settings.check(config.to_dict())
    return train(config, run_folder.finished(workdir, config.to_dict()))


def report(config, workdir) -> dict:
    """Write report.html and the plots again, from the files of a run alone."""
    return results.reported(run_folder.existing(workdir))


def train_changed(config, changes, folder):
    """Train the experiment with other values of some settings, {'train.epochs': 5}."""
    changed = config.copy_and_resolve_references()
    changed.update_from_flattened_dict(changes)
    return train(changed, folder)


def build_data(config, workdir) -> dict:
    """Build the data sets of the config, where they are not yet, and say what they hold."""
    settings.check(config.to_dict())
    data_sets = sources.parse(config.data.name, config.data.manual_dir)
    print(loading.build(data_sets, build.build_options(config)))
    return {}


def _answers(config, loaded, folds, titles, folder, seconds, shapes):
    """(outputs of held-out rows [R, ...] in data set order, plan of the training): of the networks,
    or of machines on features, where without a network there is no plan.
    """
    hidden, layout = None, None
    if features.networked(config.head):
        layout = build.layout(config, loaded, folds, folder, shapes)
        learner = build.learner(config, loaded, folds, layout.lowering)
        if config.head.name == 'none':
            return train_groups(
                config, loaded, folds, titles, layout, folder, seconds, learner
            ), layout
        asked = protocols.asked(folds, len(loaded.samples.label), trains=config.head.scope == 'all')
        hidden = train_groups(
            config, loaded, asked, titles, layout, folder, seconds, svm.hidden(learner)
        )
    output, machines = build.answers(config, loaded, folds, hidden)
    svm.write(folder, machines, folds, titles)
    return output, layout


def train_groups(config, loaded, folds, titles, layout, folder, seconds, learner):
    """Train all runs, as many at a time as memory holds; returns what `learner` predicts of
    held-out rows, [R, ...] in data set order, as a tree.
    """
    total, size = len(folds.fold), layout.group
    run_of_row, _ = evaluation.order(folds)
    output, held_out = None, None
    if config.evaluate.every_epoch and config.train.epochs:
        shape = config.train.epochs, len(run_of_row), len(loaded.names.classes)
        held_out = metrics_log.open_held_out(folder, shape, done=run_folder.newest(folder))
    done = run_folder.trained(folder, config.train.seeds) == config.train.epochs
    ready = _programs(config, loaded, folds, layout, learner, done=done)
    seconds['compile'] = ready.seconds
    with metrics_log.progress(total, -(-total // size), 0 if done else config.train.epochs) as bar:
        for number, first in enumerate(range(0, total, size)):
            members = np.arange(first, min(first + size, total))
            own = evaluation.subset(folds, members)
            rows = np.isin(run_of_row, members)
            group = programs.place(ready, folds, members)
            with (
                checkpoint.opened(folder / 'checkpoints' / f'group_{number}') as manager,
                metrics_log.opened(folder, number, bar) as log,
            ):
                epoch, states = _start(config, group, manager, titles=protocols.titled(own, titles))
                log.cut(epoch)
                schedule = checkpoint.Schedule(config.train.checkpoint_seconds)
                for chunk in programs.fit(group, states, done=epoch, epochs=config.train.epochs):
                    epoch, states = chunk.epoch, chunk.states
                    log.write(chunk)
                    if held_out is not None and rows.any():
                        outputs = programs.predict(group, states)
                        held_out[epoch - 1, rows] = evaluation.gather(outputs, own)
                    if epoch == config.train.epochs or schedule.due():
                        with schedule.writing():
                            checkpoint.save(manager, epoch, programs.to_host(group, states))
            output = evaluation.put(output, programs.predict(group, states), own, rows)
    return output


def _programs(config, loaded, folds, layout, learner, *, done) -> programs.Programs:
    """The programs that train; done: no epoch is left, so that they only predict."""
    feed = {
        'runs': layout.group,
        'test_batch': config.evaluate.batch_size,
        **build.feed(config, loaded),
    }
    if config.train.fold_by_fold:
        return fold_by_fold.programs(learner, loaded.samples, folds, **feed)
    chunk = 1 if config.evaluate.every_epoch else loop.CHUNK
    return programs.compiled(learner, layout, loaded.samples, folds, chunk=chunk, done=done, **feed)


def _start(config, group, manager, *, titles):
    """(epoch, states) that a group begins with: those of its newest checkpoint; else new ones, into
    which the weights of a file are read. titles: of the folds of its runs.
    """
    epoch = checkpoint.newest(manager.directory)
    if epoch >= 0:
        return epoch, programs.restored(group, manager, epoch)
    states = programs.to_host(group, programs.init(group))
    states = torch_weights.start(config.model.name, config.model.init_from, titles, states)
    return 0, programs.to_devices(group, states)


def _publish(config, loaded, folds, titles, output, layout, folder, seconds):
    """Score, write and report the held-out outputs; returns the results."""
    about = results.about(config.name, config.to_dict(), loaded, folds, layout)
    task = TASKS[config.data.rows]
    return entries.loaded(task.publish)(
        folder,
        output,
        loaded,
        folds,
        titles,
        about,
        seconds=seconds,
        **build.options(config, task.options),
    )
