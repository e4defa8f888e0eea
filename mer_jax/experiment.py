"""The composition root: config in, files of a run out. Nothing below this file reads config."""

import time
from functools import partial

import jax
import numpy as np

from mer_jax import (
    apexes,
    augment,
    balance,
    data,
    generation,
    learners,
    models,
    outcome,
    parallel,
    plan,
    protocol,
    records,
    resampling,
    runs,
    scaling,
    settings,
    spotting_data,
)
from mer_jax import audit as auditing
from mer_jax import evaluate as evaluation
from mer_jax import explain as explaining
from mer_jax import grid as searching
from mer_jax import magnet_training as magnifier
from mer_jax import train as training
from mer_jax import workdir as files
from mer_jax.errors import UserError
from mer_jax.machine import host, versions
from mer_jax.models import torch_weights
from mer_jax.overlays import write as draw


def train(config, workdir) -> dict:
    """Train every fold of the experiment, or continue where a killed run stopped; score, write and report."""
    start = time.perf_counter()
    settings.check(config.to_dict())
    if config.model.name == 'magnet':
        return magnifier.train(folder=workdir, checkpoint_seconds=config.train.checkpoint_seconds, **config.model.magnet)
    parallel.start(plan.cache_folder() / 'xla')
    folder = files.prepare(workdir)
    with files.lock(folder):
        loaded, folds, titles = _inputs(config)
        _check_fit(config, loaded, folds, titles, folder)
        runs.enter(folder, config.to_dict(), loaded)
        seconds = {'data': time.perf_counter() - start}
        loaded, folds = _generated(config, loaded, folds, titles, folder)
        seconds['generate'] = time.perf_counter() - start - seconds['data']
        runs.write_tables(folder, loaded, folds, titles)
        layout = _layout(config, loaded, folds, folder)
        learner = _learner(config, loaded, folds, layout.lowering)
        output = _train_groups(config, loaded, folds, titles, layout, folder, seconds, learner)
        return _publish(config, loaded, folds, titles, output, layout, folder, seconds)


def evaluate(config, workdir) -> dict:
    """Score and report a finished run again from its last checkpoint; never trains."""
    settings.check(config.to_dict())
    return train(config, runs.finished(workdir, config.to_dict()))


def report(config, workdir) -> dict:
    """Write report.html and the plots again, from the files of a run alone."""
    return outcome.reported(runs.existing(workdir))


def explain(config, workdir) -> dict:
    """Draw what a finished run looks at in clips that it did not see, and write the report again."""
    settings.check(config.to_dict())
    explaining.refuse(config.model.name, config.data.channels)
    folder = runs.finished(workdir, config.to_dict())
    parallel.start(plan.cache_folder() / 'xla')
    with files.lock(folder):
        loaded, folds, titles = _inputs(config)
        runs.enter(folder, config.to_dict(), loaded)
        loaded, folds = _generated(config, loaded, folds, titles, folder)
        layout = _layout(config, loaded, folds, folder)
        learner = _learner(config, loaded, folds, layout.lowering)
        learner = learner._replace(predict=explaining.predictor(
            _model(config, loaded, layout.lowering), learner.predict, kind=config.explain.aucam))
        found = _train_groups(config, loaded, folds, titles, layout, folder, {}, learner)
        explained = explaining.gathered(found, loaded.samples, folds, config.data.channels)
        for path in draw(folder, explained, loaded.names, faces=config.explain.faces, count=config.explain.clips):
            print(f'explain: {path}')
    return outcome.reported(folder)


def audit(config, workdir) -> dict:
    """Train the experiment honestly and under each leaky habit of the literature, and write what each adds."""
    _check_subjects(config, 'audit')
    return auditing.audit(config.to_dict(), partial(_train_changed, config), workdir)


def grid(config, workdir, text) -> dict:
    """Train every combination of the values in `text`, choose by the validation part, then test the choice alone."""
    _check_subjects(config, 'grid')
    return searching.grid(config.to_dict(), text, partial(_train_changed, config), workdir)


def _check_subjects(config, verb):
    settings.check(config.to_dict())
    if config.model.name == 'magnet':
        raise UserError(f'{verb}: model.name magnet is trained on made-up pictures: no subject is left out, nothing can leak')
    if config.data.rows != 'clips':
        raise UserError(f'{verb}: compares UF1, and data.rows {config.data.rows} spots apexes; allowed: clips')


def _train_changed(config, changes, folder):
    """Train the experiment with other values of some settings, {'train.epochs': 5}."""
    changed = config.copy_and_resolve_references()
    changed.update_from_flattened_dict(changes)
    return train(changed, folder)


def build(config, workdir) -> dict:
    """Build the data sets of the config, where they are not yet, and say what they hold."""
    settings.check(config.to_dict())
    print(data.build(config.data.name, **_built(config)))
    return {}


def _built(config):
    """Where built data sets lie, and what they are built with."""
    return {'data_dir': config.data.data_dir, 'manual_dir': config.data.manual_dir, 'rebuild': config.data.rebuild,
            'landmarks': config.data.landmarks, 'magnet': config.data.magnet}


def _inputs(config):
    """The data set, with images that files add to it, and who trains and is held out in every run."""
    apex = config.data.apex if config.data.apex in apexes.RULES else apexes.read(config.data.apex)
    loaded = _data(config, apex)
    folds, titles = _protocol(config, loaded)
    if loaded.known is not None and apex not in apexes.RULES:
        folds = protocol.spotted(folds, titles, loaded.samples, loaded.names, loaded.known, apex)
        loaded = loaded._replace(fingerprint=data.fingerprint((*loaded.samples, *folds.train.fit, *folds.test), loaded.names))
    samples, folds = resampling.extend(folds, loaded.samples, loaded.names, titles, **config.balance)
    print(protocol.describe(config.protocol.name, folds, titles, samples, loaded.names))
    if samples is not loaded.samples:
        loaded = loaded._replace(samples=samples, fingerprint=data.fingerprint(samples, loaded.names))
    return loaded, folds, titles


def _data(config, apex):
    data.refuse_inputs(config.data.name, config.data.channels, config.data.rows)
    if config.data.rows != 'clips':
        loaded = spotting_data.load(
            config.data.name, size=config.data.size, still=config.spotting.still, label=config.spotting.label,
            steepness=config.spotting.steepness, sigma=config.spotting.sigma, **_built(config))
        print(spotting_data.describe(loaded))
        return loaded
    loaded = data.load(config.data.name, labels=config.data.labels, channels=config.data.channels, size=config.data.size,
                       scale=config.data.scale, mask=config.data.mask, frames=config.data.frames, sides=config.data.sides,
                       jpeg=config.data.jpeg, drawn_labels=config.data.drawn_labels, apex=apex, **_built(config))
    print(data.describe(loaded))
    return loaded


def _protocol(config, loaded):
    return protocol.make(config.protocol.name, loaded.samples, loaded.names, folds=config.protocol.folds,
                         holdout=config.protocol.holdout, seed=config.protocol.seed, seeds=config.train.seeds,
                         validation=config.protocol.validation, scored=config.protocol.scored,
                         scale_scope=config.data.scale_scope,
                         trains=None if loaded.timing is None else ~np.isnan(loaded.samples.target))


def _check_fit(config, loaded, folds, titles, folder):
    """Raise UserError, before anything is compiled or written, where network, images and weights files do not fit."""
    shapes = evaluation.state_shapes(_learner(config, loaded, folds, 'matmul'), loaded.samples, folds.train)
    if config.model.init_from and not runs.begun(folder):
        for path in dict.fromkeys(torch_weights.files(config.model.init_from, protocol.titled(folds, titles))):
            torch_weights.convert(config.model.name, torch_weights.read(path), shapes.params, shapes.batch_stats, source=path)


def _generated(config, loaded, folds, titles, folder):
    """The data set and who trains on what with the images of each fold's own GAN, where there is one."""
    if config.balance.method != 'gan':
        return loaded, folds
    layout = plan.candidates(jax.default_backend(), jax.device_count(), len(folds.fold), lowering=config.train.lowering,
                             at_once=config.train.at_once or 1, use=config.train.devices)[0]
    samples, folds = generation.extend(
        loaded.samples, folds, loaded.names, titles, layout, folder=folder / files.GAN,
        interval=config.train.checkpoint_seconds, channels=config.data.channels.split(','),
        group=config.train.group, **config.gan)
    return loaded._replace(samples=samples), folds


def _model(config, loaded, lowering):
    return models.make(config.model.name, classes=len(loaded.names.classes), lowering=lowering,
                       **dict(config.model[config.model.name]))


def _learner(config, loaded, folds, lowering):
    """The network, its optimizer and what is fitted to training rows, bound into three pure functions."""
    steps, _ = training.batch_shape(folds.train.index.shape[1], config.train.batch_size)
    optimizer = learners.optimizer(
        config.train.optimizer, learning_rate=config.train.learning_rate, weight_decay=config.train.weight_decay,
        momentum=config.train.momentum, schedule=config.train.schedule, steps=steps, epochs=config.train.epochs)
    weigh = partial(balance.fit, classes=len(loaded.names.classes), formula=config.train.class_weights,
                    scope=config.balance.scope)
    scale = partial(scaling.fit_input, scale=config.data.scale, difference=config.data.difference)
    make = partial(learners.supervised, smoothing=config.train.label_smoothing)
    if config.train.learner == 'contrastive':
        make = partial(learners.contrastive, smoothing=config.train.label_smoothing, **config.alignment)
    if config.train.learner == 'spotting':
        make = partial(learners.spotting, loss=config.spotting.loss, output=config.spotting.output)
    return make(_model(config, loaded, lowering), optimizer,
                fit=lambda samples, rows: scale(samples, rows) | weigh(samples, rows),
                scale_input=partial(scaling.scale_input, value_range=data.VALUE_RANGES[config.data.value_range],
                                    difference=config.data.difference))


def _feed(config, loaded):
    """How rows reach the learner: settings of train.train_epoch."""
    change = augment.compose(
        **config.augment, names=loaded.names.action_units, channels=config.data.channels.split(','),
        stretched=loaded.samples.image.dtype == np.uint8)
    return {'batch_size': config.train.batch_size, 'sampler': config.train.sampler, 'augment': change,
            'augment_made': config.balance.method == 'augment'}


def _layout(config, loaded, folds, folder) -> plan.Plan:
    """The plan a run began with; else the one pinned by settings, measured on this machine before, or measured now."""
    if (folder / files.PLAN).exists():
        return plan.resumed(folder / files.PLAN, jax.device_count())
    found = plan.candidates(jax.default_backend(), jax.device_count(), len(folds.fold), lowering=config.train.lowering,
                            at_once=config.train.at_once, use=config.train.devices)
    measure = partial(runs.seconds_a_round, partial(_learner, config, loaded, folds), loaded.samples, folds,
                      memory=plan.free_memory(jax.devices()[0]), **_feed(config, loaded))
    chosen = plan.settled(found, _facts(config, loaded, folds, found), lambda p: measure(plan=p),
                          runs=len(folds.fold), epochs=config.train.epochs)
    print(f'plan: {plan.describe(chosen)} ({chosen.why})', flush=True)
    shapes = evaluation.state_shapes(_learner(config, loaded, folds, chosen.lowering), loaded.samples, folds.train)
    chosen = chosen._replace(group=plan.group_size(chosen, len(folds.fold), shapes=shapes, group=config.train.group,
                                                   device=jax.devices()[0], folder=folder))
    files.write_json(folder / files.PLAN, chosen._asdict())
    return chosen


def _facts(config, loaded, folds, found):
    """All that a measured plan depends on: another machine, model, shape, fold count or version measures anew."""
    return {
        'model': config.model.name, 'keywords': config.model[config.model.name].to_dict(),
        'image': list(loaded.samples.image.shape[1:]), 'rows': folds.train.index.shape[1], 'runs': len(folds.fold),
        'batch_size': config.train.batch_size, 'optimizer': config.train.optimizer, 'learner': config.train.learner,
        'augment': config.augment.to_dict(), 'balance': config.balance.method,
        'device': [d.device_kind for d in jax.devices()], 'machine': host(),
        'candidates': [plan.describe(p) for p in found], 'versions': versions(),
    }


def _train_groups(config, loaded, folds, titles, layout, folder, seconds, learner):
    """Train all runs, as many at a time as memory holds; returns what `learner` predicts of held-out rows, [R, ...] in data
    set order, as a tree."""
    total, size = len(folds.fold), layout.group
    run_of_row, _ = evaluation.order(folds)
    output, held_out = None, None
    if config.evaluate.every_epoch and config.train.epochs:
        shape = config.train.epochs, len(run_of_row), len(loaded.names.classes)
        held_out = records.open_held_out(folder / files.HELD_OUT, shape, done=runs.newest(folder))
    done = runs.trained(folder, config.train.seeds) == config.train.epochs
    programs = runs.compiled(learner, layout, loaded.samples, folds, runs=size, test_batch=config.evaluate.batch_size,
                             chunk=1 if config.evaluate.every_epoch else training.CHUNK, done=done, **_feed(config, loaded))
    seconds['compile'] = programs.seconds
    prepare = lambda states, members: torch_weights.start(  # noqa: E731
        config.model.name, config.model.init_from, protocol.titled(evaluation.subset(folds, members), titles), states)
    with records.progress(total, -(-total // size), 0 if done else config.train.epochs) as bar:
        for number, first in enumerate(range(0, total, size)):
            members = np.arange(first, min(first + size, total))
            own = evaluation.subset(folds, members)
            rows = np.isin(run_of_row, members)
            with records.writer(folder, number, bar, own, held_out, rows) as (started, after):
                _, outputs = runs.train_group(
                    programs, folds, members, folder / 'checkpoints' / f'group_{number}', epochs=config.train.epochs,
                    test_batch=config.evaluate.batch_size, prepare=prepare, started=started, after=after,
                    interval=config.train.checkpoint_seconds)
            output = evaluation.put(output, outputs, own, rows)
    return output


def _publish(config, loaded, folds, titles, output, layout, folder, seconds):
    """Score, write and report the held-out outputs; returns the results."""
    about = outcome.about(config.name, config.to_dict(), loaded, folds, layout)
    if loaded.timing is not None:
        return outcome.spotting(folder, output, loaded, folds, titles, about, decision=config.spotting.decision,
                                seconds=seconds, window=config.spotting.window, inside=config.spotting.answer,
                                label=config.spotting.label, steepness=config.spotting.steepness, sigma=config.spotting.sigma)
    return outcome.recognition(folder, output, loaded, folds, about, seconds=seconds,
                               every_epoch=config.evaluate.every_epoch and config.train.epochs > 0)
