"""The composition root: config in, files of a run out. Nothing below this file reads config."""

import time
from functools import partial

import jax
import numpy as np

from mer_jax import audit as auditing
from mer_jax import (
    augment,
    balance,
    data,
    leaks,
    learners,
    models,
    parallel,
    plan,
    protocol,
    records,
    resampling,
    runs,
    scaling,
    score,
    settings,
)
from mer_jax import evaluate as evaluation
from mer_jax import explain as explaining
from mer_jax import grid as searching
from mer_jax import magnet_training as magnifier
from mer_jax import report as reporting
from mer_jax import train as training
from mer_jax import workdir as files
from mer_jax.errors import UserError
from mer_jax.machine import host, versions
from mer_jax.models import torch_weights
from mer_jax.overlays import write as draw

CHUNK = 256  # most epochs in one compiled call, and the length of its log


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
        _write_tables(loaded, folds, titles, folder)
        layout = _layout(config, loaded, folds, folder)
        learner = _learner(config, loaded, folds, layout.lowering)
        output = _train_groups(config, loaded, folds, titles, layout, folder, seconds, learner)
        return _publish(config, loaded, folds, output, layout, folder, seconds)


def evaluate(config, workdir) -> dict:
    """Score and report a finished run again from its last checkpoint; never trains."""
    settings.check(config.to_dict())
    return train(config, runs.finished(workdir, config.to_dict()))


def report(config, workdir) -> dict:
    """Write report.html and the plots again, from the files of a run alone."""
    folder = runs.existing(workdir)
    print(f'report: {reporting.report(folder)}')
    return files.read_json(folder / files.RESULTS)


def explain(config, workdir) -> dict:
    """Draw what a finished run looks at in clips that it did not see, and write the report again."""
    settings.check(config.to_dict())
    explaining.refuse(config.model.name, config.data.channels)
    folder = runs.finished(workdir, config.to_dict())
    parallel.start(plan.cache_folder() / 'xla')
    with files.lock(folder):
        loaded, folds, titles = _inputs(config)
        runs.enter(folder, config.to_dict(), loaded)
        layout = _layout(config, loaded, folds, folder)
        learner = _learner(config, loaded, folds, layout.lowering)
        learner = learner._replace(predict=explaining.predictor(
            _model(config, loaded, layout.lowering), learner.predict, kind=config.explain.aucam))
        found = _train_groups(config, loaded, folds, titles, layout, folder, {}, learner)
        explained = explaining.gathered(found, loaded.samples, folds, config.data.channels)
        for path in draw(folder, explained, loaded.names, faces=config.explain.faces, count=config.explain.clips):
            print(f'explain: {path}')
    print(f'report: {reporting.report(folder)}')
    return files.read_json(folder / files.RESULTS)


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


def _train_changed(config, changes, folder):
    """Train the experiment with other values of some settings, {'train.epochs': 5}."""
    changed = config.copy_and_resolve_references()
    changed.update_from_flattened_dict(changes)
    return train(changed, folder)


def build(config, workdir) -> dict:
    """Build the data sets of the config, where they are not yet, and say what they hold."""
    settings.check(config.to_dict())
    print(data.build(config.data.name, data_dir=config.data.data_dir, manual_dir=config.data.manual_dir,
                     rebuild=config.data.rebuild, landmarks=config.data.landmarks, magnet=config.data.magnet))
    return {}


def _inputs(config):
    """The data set, with images that files add to it, and who trains and is held out in every run."""
    loaded = _data(config)
    folds, titles = _protocol(config, loaded)
    samples, folds = resampling.extend(folds, loaded.samples, loaded.names, titles, **config.balance)
    print(protocol.describe(config.protocol.name, folds, titles, samples, loaded.names))
    if samples is not loaded.samples:
        loaded = loaded._replace(samples=samples, fingerprint=data.fingerprint(samples, loaded.names))
    return loaded, folds, titles


def _data(config):
    data.refuse_inputs(config.data.name, config.data.channels)
    loaded = data.load(config.data.name, labels=config.data.labels, channels=config.data.channels, size=config.data.size,
                       scale=config.data.scale, mask=config.data.mask, frames=config.data.frames, data_dir=config.data.data_dir,
                       manual_dir=config.data.manual_dir, rebuild=config.data.rebuild, landmarks=config.data.landmarks,
                       magnet=config.data.magnet, sides=config.data.sides, jpeg=config.data.jpeg,
                       drawn_labels=config.data.drawn_labels)
    print(data.describe(loaded))
    return loaded


def _protocol(config, loaded):
    return protocol.make(config.protocol.name, loaded.samples, loaded.names, folds=config.protocol.folds,
                         holdout=config.protocol.holdout, seed=config.protocol.seed, seeds=config.train.seeds,
                         validation=config.protocol.validation, scored=config.protocol.scored,
                         scale_scope=config.data.scale_scope)


def _check_fit(config, loaded, folds, titles, folder):
    """Raise UserError, before anything is compiled or written, where network, images and weights files do not fit."""
    shapes = evaluation.state_shapes(_learner(config, loaded, folds, 'matmul'), loaded.samples, folds.train)
    if config.model.init_from and not runs.begun(folder):
        for path in dict.fromkeys(torch_weights.files(config.model.init_from, _titles(folds, titles))):
            torch_weights.convert(config.model.name, torch_weights.read(path), shapes.params, shapes.batch_stats, source=path)


def _write_tables(loaded, folds, titles, folder):
    files.write_csv(folder / files.FOLDS, *protocol.table(folds, titles, loaded.samples, loaded.names))
    files.write_csv(folder / files.DROPPED, ['clip', 'subject', 'dataset', 'emotion', 'reason'], loaded.dropped)


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
    make = learners.supervised
    if config.train.learner == 'contrastive':
        make = partial(learners.contrastive, **config.alignment)
    return make(_model(config, loaded, lowering), optimizer,
                fit=lambda samples, rows: scale(samples, rows) | weigh(samples, rows),
                scale_input=partial(scaling.scale_input, value_range=data.VALUE_RANGES[config.data.value_range],
                                    difference=config.data.difference),
                smoothing=config.train.label_smoothing)


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
                             chunk=1 if config.evaluate.every_epoch else CHUNK, done=done, **_feed(config, loaded))
    seconds['compile'] = programs.seconds
    prepare = lambda states, members: torch_weights.start(  # noqa: E731
        config.model.name, config.model.init_from, _titles(evaluation.subset(folds, members), titles), states)
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


def _titles(folds, titles):
    return [titles[number] for number in folds.fold]


def _publish(config, loaded, folds, output, layout, folder, seconds):
    """Write predictions, results and report from the held-out outputs; print the table. Returns the results."""
    start = time.perf_counter()
    output = np.zeros((0, len(loaded.names.classes))) if output is None else output  # nothing is held out
    predictions = evaluation.predictions(output, loaded.samples, folds)
    scores = score.score(predictions, loaded.names)
    files.write_predictions(folder / files.PREDICTIONS, predictions, loaded.names)
    oracle = _oracle(folder, predictions, loaded.names) if config.evaluate.every_epoch and config.train.epochs else None
    seconds['train'] = records.trained_seconds(folder)
    seconds['evaluate'] = time.perf_counter() - start
    seconds['total'] = sum(seconds.values())
    results = {
        'name': config.name, 'scored': config.protocol.scored,
        'protocol': config.protocol.name + ', validation part' * (config.protocol.scored == 'validation'),
        'leaks': leaks.listed(config.to_dict()),
        'folds': len(folds.fold) // config.train.seeds, 'seeds': config.train.seeds, 'epochs': config.train.epochs,
        'clips': int(np.sum(loaded.samples.clip >= 0)), **scores, 'oracle_epoch': oracle,
        'plan': layout._asdict(), 'seconds': seconds, 'versions': versions(),
        'data': {'name': config.data.name, 'labels': loaded.labels, 'editions': list(loaded.editions),
                 'fingerprint': loaded.fingerprint, 'dropped': len(loaded.dropped)},
    }
    files.write_json(folder / files.RESULTS, results)
    print(reporting.table(results))
    print(f'report: {reporting.report(folder)}')
    return results


def _oracle(folder, predictions, names):
    """The oracle_epoch block; None, and a line that says why, where an epoch on the way left no usable outputs."""
    try:
        return score.oracle(np.load(folder / files.HELD_OUT), predictions, names)
    except UserError as error:
        print(f'oracle_epoch is left out: {error}')
        return None
