"""Settings in, files of a run out."""

import contextlib
import io
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mer_jax import quiet  # noqa: F401, before jax

# isort: split
import numpy as np

from mer_jax import entries
from mer_jax.classical import combines_network, has_network, svm
from mer_jax.data import loading, sources
from mer_jax.errors import UserError
from mer_jax.experiment import (
    TASKS,
    build,
    choice,
    drawn,
    engine,
    leaks,
    pretraining,
    results,
    spotter,
)
from mer_jax.experiment import folder as run_folder
from mer_jax.experiment import settings as rules
from mer_jax.experiment.build import Experiment
from mer_jax.folds import protocols
from mer_jax.machine import versions
from mer_jax.models import torch_weights
from mer_jax.runfiles import files
from mer_jax.runfiles.config import RunConfig
from mer_jax.runfiles.folder import absolute
from mer_jax.runfiles.plan import Plan
from mer_jax.settings import tree
from mer_jax.settings.sections import Settings
from mer_jax.training import held_out, hosts, metrics_log, parallel, plan
from mer_jax.types import FoldState, Learner


def train(config: rules.Config, workdir: str | Path) -> dict:
    """Train, score and report every fold of an experiment.

    A run that was killed continues from its last checkpoint.

    Args:
        config: settings, nested.
        workdir: the folder of the run.

    Returns:
        The content of results.json; {} on all hosts but the first.

    Raises:
        UserError: names what is wrong.
    """
    return train_settings(rules.checked(config), workdir)


def train_settings(settings: Settings, workdir: str | Path) -> dict:
    """Do what `train` does, of settings that keep all rules."""
    parallel.start(plan.cache_folder() / 'xla')
    with run_folder.opened(workdir) as folder:
        run_folder.refuse_module(folder)
        if spotter.is_config(settings.data.apex):
            settings, spotting = spotter.split(settings)
            train_spotter(settings, spotting, folder)
        start = time.perf_counter()
        experiment, shapes = open_run(settings, folder)
        seconds = {'data': time.perf_counter() - start}
        if settings.model.pretrain:
            experiment = pretraining.trained(experiment, folder)
            seconds['pretrain'] = time.perf_counter() - start - seconds['data']
        experiment = build.with_generated(experiment, folder)
        seconds['generate'] = time.perf_counter() - start - sum(seconds.values())
        run_folder.write_tables(folder, experiment.data, experiment.folds, experiment.titles)
        scores, chosen = _held_out_scores(experiment, shapes, folder, seconds)
        results = hosts.by_first(lambda: _publish(experiment, scores, chosen, folder, seconds))
        return results or {}


def join_hosts(coordinator: str, count: int, index: int) -> int:
    """Meet the other hosts of a run, before anything uses jax.

    Args:
        coordinator: HOST:PORT of the first one; '' where the cluster says all three.
        count: number of hosts.
        index: of this one, from 0.

    Returns:
        The index of this host.

    Raises:
        UserError: they cannot meet, or run other versions.
    """
    hosts.join(hosts.Address(coordinator, count, index))
    parallel.start(plan.cache_folder() / 'xla')
    hosts.check_same(versions(), 'install the same versions on all hosts')
    return hosts.index()


def leave_hosts() -> None:
    """Wait until all hosts have finished."""
    hosts.leave()


def train_spotter(settings: Settings, spotting: Settings, folder: Path) -> None:
    """Train the spotting run whose apexes recognition uses, unless it is finished.

    Args:
        settings: of recognition.
        spotting: of the spotting run.
        folder: of the run of recognition, or of several that share the spotting run.

    Raises:
        UserError: names what is wrong, in either settings, before anything is trained.
    """
    apex, spotting_folder = settings.data.apex, folder / files.SPOTTING
    of_spotting = leaks.listed(spotting)
    if of_spotting:
        raise UserError(f'data.apex is {apex!r}, which leaks: {"; ".join(of_spotting)}')
    scored = hosts.is_first() and (spotting_folder / files.RESULTS).exists()
    if hosts.agreed(scored and _trained_to_end(spotting, spotting_folder)):
        return
    # What recognition would refuse must not cost a training of the spotter first.
    at_midpoint = tree.changed(settings, {'data.apex': 'midpoint'})
    build.check_fit(build.experiment(at_midpoint, folder), folder)
    print(f'apexes: training {apex} by loso -> {spotting_folder}', flush=True)
    train_settings(spotting, spotting_folder)


def _trained_to_end(settings, folder):
    """Whether the run is trained; UserError where its settings are others."""
    config = RunConfig.read(folder)
    rules.check_resume(config.settings, tree.to_nested(settings), folder)
    return run_folder.trained(folder, settings.trainings) == settings.train.epochs


def open_run(settings: Settings, folder: Path) -> tuple[Experiment, FoldState | None]:
    """Load an experiment, and let its run enter its folder.

    Args:
        settings: of the experiment.
        folder: of the run, locked.

    Returns:
        The experiment, and the abstract state of one fold (None without a network).

    Raises:
        UserError: names what is wrong; nothing is written then.
    """
    if spotter.is_config(settings.data.apex):
        settings, _ = spotter.split(settings)
    experiment = build.experiment(settings, folder)
    shapes = build.check_fit(experiment, folder)
    if settings.model.pretrain:
        experiment = experiment._replace(drawn=pretraining.experiment(settings))
        if combines_network(settings.head):
            pretraining.check_taught(experiment.drawn, experiment.data.names.classes)
    entered_with = experiment.data
    if drawn.svm_faces(settings):
        faces = drawn.of_svms(settings, experiment.data.names.classes)
        experiment = experiment._replace(drawn=faces)
        # SVMs have no folder of their own that would notice other faces
        both = f'{entered_with.fingerprint}+{faces.data.fingerprint}'
        entered_with = entered_with._replace(fingerprint=both)
    run_folder.enter(folder, settings, entered_with)
    return experiment, shapes


def evaluate(config: rules.Config, workdir: str | Path) -> dict:
    """Score and report a finished run again from its last checkpoint; never trains.

    Args and Returns are those of `train`.
    """
    settings = rules.checked(config)
    folder = run_folder.finished(workdir, settings)
    if spotter.is_config(settings.data.apex):
        run_folder.finished(folder / files.SPOTTING, spotter.split(settings)[1])
    return train_settings(settings, folder)


def report(config: rules.Config, workdir: str | Path) -> dict:
    """Write report.html and the plots again, from the files of a run alone.

    Args:
        config: not used: the files hold all that is needed.
        workdir: the folder of the run.

    Returns:
        The content of results.json.
    """
    return results.reported(run_folder.existing(workdir))


def train_changed(
    settings: Settings, shared: str | Path, changes: Mapping[str, Any], folder: str | Path
) -> dict:
    """Train the experiment with other values of some settings.

    Args:
        settings: of the experiment.
        shared: the folder of all runs with changed settings; a spotting run that data.apex names as
            config is trained there, once for all.
        changes: {'train.epochs': 5}.
        folder: of the run.

    Returns:
        The content of results.json.
    """
    changed = tree.changed(settings, changes)
    rules.check(changed)
    if spotter.is_config(changed.data.apex):
        changed, spotting = spotter.split(changed)
        train_spotter(changed, spotting, absolute(shared))
        changed = tree.changed(changed, {'data.apex': str(absolute(shared) / files.SPOTTING)})
    return train_settings(changed, folder)


def check_changed(settings: Settings, changes: Mapping[str, Any], folder: str | Path) -> None:
    """Check what `train_changed` would refuse; train nothing.

    Args:
        settings: of the experiment.
        changes: {'train.epochs': 5}.
        folder: of the run, which need not exist.

    Raises:
        UserError: names what is wrong with these values.
    """
    changed = tree.changed(settings, changes)
    rules.check(changed)
    if spotter.is_config(changed.data.apex):  # its apexes are not there yet
        changed, _ = spotter.split(changed)
        changed = tree.changed(changed, {'data.apex': 'midpoint'})
    parallel.start(plan.cache_folder() / 'xla')
    with contextlib.redirect_stdout(io.StringIO()):
        build.check_fit(build.experiment(changed, Path(folder)), Path(folder))


def build_data(config: rules.Config) -> dict:
    """Build the data sets of the config where they are not yet built, and print what they hold."""
    settings = rules.checked(config)
    needed = [settings]
    if spotter.is_config(settings.data.apex):
        needed = spotter.split(settings)
    for data in (each.data for each in needed):
        data_sets = sources.parse(data.name, data.manual_dir)
        print(loading.build(data_sets, build.build_options(data)))
    return {}


def _held_out_scores(experiment, shapes, folder, seconds):
    """(scores of held-out rows [R, ...] in data set order, plan of the training or None).

    The scores are those of the networks, or of SVMs on features; SVMs alone have no plan.
    """
    settings = experiment.settings
    if settings.head.name == 'none':
        if settings.choose.groups:
            start = time.perf_counter()
            experiment = choice.choose(experiment, shapes, folder)
            seconds['choose'] = time.perf_counter() - start
        chosen = build.choose_plan(experiment, shapes, folder)
        learner = build.learner(experiment, chosen.lowering)
        scores = train_groups(experiment, chosen, learner, folder, seconds)
        if experiment.choices and hosts.is_first():
            scores = choice.outputs(experiment, folder)
        return scores, chosen
    hidden, chosen = None, None
    if has_network(settings.head):
        hidden, chosen = hidden_features(experiment, shapes, folder, seconds)
    return hosts.by_first(lambda: _scores_of_head(experiment, hidden, folder)), chosen


def _scores_of_head(experiment, hidden, folder):
    """Scores of held-out rows by the head, whose files are written."""
    predicted = build.head_scores(experiment, hidden)
    for file in predicted.files:
        file.write(folder)
    return predicted.scores


def hidden_features(
    experiment: Experiment, shapes: FoldState, folder: Path, seconds: dict
) -> tuple[np.ndarray, Plan]:
    """Compute the features of each run's network for all rows.

    A finished training is not repeated. A stack takes log probabilities in place of features.

    Args:
        experiment: that has a network.
        shapes: abstract state of one fold.
        folder: of the run.
        seconds: the time that compiling takes is written there.

    Returns:
        (last hidden layer [R, D] in data set order, or log probabilities [R, K]; plan of the
        training).
    """
    settings, count = experiment.settings, len(experiment.data.samples.label)
    folds, networks = experiment.folds, settings.pretrain.networks
    experiment = experiment._replace(folds=pretraining.for_each_network(folds, networks))
    chosen = build.choose_plan(experiment, shapes, folder)
    learner = build.learner(experiment, chosen.lowering)
    all_rows = protocols.predict_all_rows(
        experiment.folds, count, train_on_held_out=settings.head.scope == 'all'
    )
    if combines_network(settings.head):
        learner = build.of_classes(experiment, learner)
    else:
        learner = svm.penultimate(learner)
    hidden = train_groups(experiment._replace(folds=all_rows), chosen, learner, folder, seconds)
    if networks > 1:
        hidden = _mean_of_networks(hidden, folds, all_rows, count)
    return hidden, chosen


def _mean_of_networks(outputs, folds, of_networks, count):
    """Outputs [R, K] in data set order, the mean over the networks of each run."""
    by_run = svm.by_run(outputs, of_networks, count)
    mean = by_run.reshape(len(folds.fold), -1, *by_run.shape[1:]).mean(1)
    all_rows = protocols.predict_all_rows(folds, count, train_on_held_out=False)
    return held_out.in_stored_order(mean[:, None], all_rows)


def train_groups(
    experiment: Experiment, chosen: Plan, learner: Learner, folder: Path, seconds: dict
) -> Any:
    """Train all runs, as many at a time as memory holds.

    Args:
        experiment: its folds name the rows that are predicted.
        chosen: the plan of the run.
        learner: of one fold.
        folder: of the run.
        seconds: the time that compiling takes is written there.

    Returns:
        What `learner` predicts of held-out rows, [R, ...] in data set order, as a tree.
    """
    settings, folds = experiment.settings, experiment.folds
    epoch_outputs = None
    if settings.evaluate.every_epoch and settings.train.epochs:
        rows = int(np.sum(folds.test.mask > 0))
        shape = settings.train.epochs, rows, len(experiment.data.names.classes)
        done = run_folder.newest(folder)
        if hosts.is_first():
            epoch_outputs = metrics_log.open_held_out(folder, shape, done=done)

    def with_weights(members: np.ndarray, states: FoldState) -> FoldState:
        weights = build.weights_of_folds(experiment)
        of_runs = [weights[fold] for fold in folds.fold[members]]
        return torch_weights.initialise(settings.model.name, of_runs, states)

    begin = with_weights if settings.model.init_from else None
    if experiment.pretrained:
        begin = pretraining.begin(experiment)
    if experiment.choices:
        begin = choice.begin(experiment)
    kept = range(1, settings.train.epochs + 1) if settings.evaluate.every_epoch else ()
    extras = engine.Extras(begin, epoch_outputs, kept, seconds)
    how = build.training(experiment)
    return engine.train_runs(learner, experiment.data.samples, folds, chosen, how, folder, extras)


def _publish(experiment, scores, chosen, folder, seconds):
    """Score, write and report the held-out outputs; returns the results."""
    task = TASKS[experiment.settings.data.task]
    finished = results.Finished(
        folder=folder,
        output=scores,
        data=experiment.data,
        folds=experiment.folds,
        titles=experiment.titles,
        about=results.about(experiment, chosen),
        seconds=seconds,
    )
    publish = entries.loaded(task.publish)
    return publish(finished, **build.options(experiment.settings, task.options))
