"""The composition root: config in, files of a run out. Nothing below this file reads config."""

import time
from functools import partial

from mer_jax import quiet  # noqa: F401, before jax

# isort: split
import numpy as np

from mer_jax import audit as auditing
from mer_jax import (
    data,
    features,
    heads,
    outcome,
    parallel,
    parts,
    plan,
    protocol,
    records,
    runs,
    settings,
)
from mer_jax import evaluate as evaluation
from mer_jax import explain as explaining
from mer_jax import grid as searching
from mer_jax import magnet_training as magnifier
from mer_jax import train as training
from mer_jax import workdir as files
from mer_jax.errors import UserError
from mer_jax.models import torch_weights
from mer_jax.overlays import write as draw


def train(config, workdir) -> dict:
    """Train every fold of the experiment, or continue where a killed run stopped; score, write and
    report.
    """
    start = time.perf_counter()
    settings.check(config.to_dict())
    if config.model.name == 'magnet':
        return magnifier.train(
            folder=workdir,
            checkpoint_seconds=config.train.checkpoint_seconds,
            **config.model.magnet,
        )
    parallel.start(plan.cache_folder() / 'xla')
    folder = files.prepare(workdir)
    with files.lock(folder):
        loaded, folds, titles = parts.inputs(config)
        shapes = parts.check_fit(config, loaded, folds, titles, folder)
        runs.enter(folder, config.to_dict(), loaded)
        seconds = {'data': time.perf_counter() - start}
        loaded, folds = parts.generated(config, loaded, folds, titles, folder)
        seconds['generate'] = time.perf_counter() - start - seconds['data']
        runs.write_tables(folder, loaded, folds, titles)
        output, layout = _answers(config, loaded, folds, titles, folder, seconds, shapes)
        return _publish(config, loaded, folds, titles, output, layout, folder, seconds)


def evaluate(config, workdir) -> dict:
    """Score and report a finished run again from its last checkpoint; never trains."""
    settings.check(config.to_dict())
    return train(config, runs.finished(workdir, config.to_dict()))


def report(config, workdir) -> dict:
    """Write report.html and the plots again, from the files of a run alone."""
    return outcome.reported(runs.existing(workdir))


def explain(config, workdir) -> dict:
    """Draw what a finished run looks at in clips that it did not see, and write the report
    again.
    """
    settings.check(config.to_dict())
    explaining.refuse(config.model.name, config.data.channels)
    if config.head.name != 'none':
        raise UserError(
            f'explain: shows what a network looks at, but head.name {config.head.name} answers; '
            'allowed: none'
        )
    folder = runs.finished(workdir, config.to_dict())
    parallel.start(plan.cache_folder() / 'xla')
    with files.lock(folder):
        loaded, folds, titles = parts.inputs(config)
        shapes = parts.check_fit(config, loaded, folds, titles, folder)
        runs.enter(folder, config.to_dict(), loaded)
        loaded, folds = parts.generated(config, loaded, folds, titles, folder)
        layout = parts.layout(config, loaded, folds, folder, shapes)
        learner = parts.learner(config, loaded, folds, layout.lowering)
        learner = learner._replace(
            predict=explaining.predictor(
                parts.model(config, loaded, layout.lowering),
                learner.predict,
                kind=config.explain.aucam,
            )
        )
        found = _train_groups(config, loaded, folds, titles, layout, folder, {}, learner)
        explained = explaining.gathered(found, loaded.samples, folds, config.data.channels)
        for path in draw(
            folder, explained, loaded.names, faces=config.explain.faces, count=config.explain.clips
        ):
            print(f'explain: {path}')
    return outcome.reported(folder)


def audit(config, workdir) -> dict:
    """Train the experiment honestly and under each leaky habit of the literature, and write what
    each adds.
    """
    _check_subjects(config, 'audit')
    return auditing.audit(config.to_dict(), partial(_train_changed, config), workdir)


def grid(config, workdir, text) -> dict:
    """Train every combination of the values in `text`, choose by the validation part, then test the
    choice alone.
    """
    _check_subjects(config, 'grid')
    return searching.grid(config.to_dict(), text, partial(_train_changed, config), workdir)


def _check_subjects(config, verb):
    settings.check(config.to_dict())
    if config.model.name == 'magnet':
        raise UserError(
            f'{verb}: model.name magnet is trained on made-up pictures: no subject is left out, '
            'nothing can leak'
        )
    if config.data.rows != 'clips':
        raise UserError(
            f'{verb}: compares UF1, and data.rows {config.data.rows} spots apexes; allowed: clips'
        )


def _train_changed(config, changes, folder):
    """Train the experiment with other values of some settings, {'train.epochs': 5}."""
    changed = config.copy_and_resolve_references()
    changed.update_from_flattened_dict(changes)
    return train(changed, folder)


def build(config, workdir) -> dict:
    """Build the data sets of the config, where they are not yet, and say what they hold."""
    settings.check(config.to_dict())
    print(data.build(config.data.name, **parts.built(config)))
    return {}


def _answers(config, loaded, folds, titles, folder, seconds, shapes):
    """(outputs of held-out rows [R, ...] in data set order, plan of the training): of the networks,
    or of machines on features, where without a network there is no plan.
    """
    hidden, layout = None, None
    if features.networked(config.head):
        layout = parts.layout(config, loaded, folds, folder, shapes)
        learner = parts.learner(config, loaded, folds, layout.lowering)
        if config.head.name == 'none':
            return _train_groups(
                config, loaded, folds, titles, layout, folder, seconds, learner
            ), layout
        asked = protocol.asked(folds, len(loaded.samples.label), trains=config.head.scope == 'all')
        hidden = _train_groups(
            config, loaded, asked, titles, layout, folder, seconds, heads.hidden(learner)
        )
    output, machines = parts.answers(config, loaded, folds, hidden)
    heads.write(folder, machines, folds, titles)
    return output, layout


def _train_groups(config, loaded, folds, titles, layout, folder, seconds, learner):
    """Train all runs, as many at a time as memory holds; returns what `learner` predicts of
    held-out rows, [R, ...] in data set order, as a tree.
    """
    total, size = len(folds.fold), layout.group
    run_of_row, _ = evaluation.order(folds)
    output, held_out = None, None
    if config.evaluate.every_epoch and config.train.epochs:
        shape = config.train.epochs, len(run_of_row), len(loaded.names.classes)
        held_out = records.open_held_out(folder / files.HELD_OUT, shape, done=runs.newest(folder))
    done = runs.trained(folder, config.train.seeds) == config.train.epochs
    programs = runs.compiled(
        learner,
        layout,
        loaded.samples,
        folds,
        runs=size,
        test_batch=config.evaluate.batch_size,
        chunk=1 if config.evaluate.every_epoch else training.CHUNK,
        done=done,
        **parts.feed(config, loaded),
    )
    seconds['compile'] = programs.seconds
    prepare = lambda states, members: torch_weights.start(  # noqa: E731
        config.model.name,
        config.model.init_from,
        protocol.titled(evaluation.subset(folds, members), titles),
        states,
    )
    with records.progress(total, -(-total // size), 0 if done else config.train.epochs) as bar:
        for number, first in enumerate(range(0, total, size)):
            members = np.arange(first, min(first + size, total))
            own = evaluation.subset(folds, members)
            rows = np.isin(run_of_row, members)
            with records.writer(folder, number, bar, own, held_out, rows) as (started, after):
                _, outputs = runs.train_group(
                    programs,
                    folds,
                    members,
                    folder / 'checkpoints' / f'group_{number}',
                    epochs=config.train.epochs,
                    test_batch=config.evaluate.batch_size,
                    prepare=prepare,
                    started=started,
                    after=after,
                    interval=config.train.checkpoint_seconds,
                )
            output = evaluation.put(output, outputs, own, rows)
    return output


def _publish(config, loaded, folds, titles, output, layout, folder, seconds):
    """Score, write and report the held-out outputs; returns the results."""
    about = outcome.about(config.name, config.to_dict(), loaded, folds, layout)
    if loaded.timing is not None:
        return outcome.spotting(
            folder,
            output,
            loaded,
            folds,
            titles,
            about,
            decision=config.spotting.decision,
            seconds=seconds,
            window=config.spotting.window,
            inside=config.spotting.answer,
            label=config.spotting.label,
            steepness=config.spotting.steepness,
            sigma=config.spotting.sigma,
        )
    return outcome.recognition(
        folder,
        output,
        loaded,
        folds,
        about,
        seconds=seconds,
        every_epoch=config.evaluate.every_epoch and config.train.epochs > 0,
    )
