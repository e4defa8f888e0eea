"""The composition root: config in, files of a run out. Nothing below this file reads config."""

import importlib.metadata
import platform
import time
from functools import partial

import jax
import numpy as np

from mer_jax import checkpoint, data, learners, models, parallel, plan, protocol, records, runs, scaling, score, settings
from mer_jax import evaluate as evaluation
from mer_jax import magnet_training as magnifier
from mer_jax import report as reporting
from mer_jax import train as training
from mer_jax import workdir as files
from mer_jax.errors import UserError
from mer_jax.models import torch_weights

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
        loaded = _data(config)
        folds, titles = _protocol(config, loaded)
        _check_fit(config, loaded, folds, titles, folder)
        _continue(config, loaded, folder)
        seconds = {'data': time.perf_counter() - start}
        _write_tables(loaded, folds, titles, folder)
        layout = _layout(config, loaded, folds, folder)
        output = _train_groups(config, loaded, folds, titles, layout, folder, seconds)
        return _publish(config, loaded, folds, output, layout, folder, seconds)


def evaluate(config, workdir) -> dict:
    """Score and report a finished run again from its last checkpoint; never trains."""
    settings.check(config.to_dict())
    folder = _existing(workdir)
    if config.train.epochs:
        settings.check_resume(files.read_config(folder)['settings'], config.to_dict(), folder)
        epoch = _trained(folder, config.train.seeds)
        if epoch != config.train.epochs:
            raise UserError(f'{folder} is trained to epoch {epoch} of {config.train.epochs}; '
                            'finish it first: the same command with train in place of evaluate')
    return train(config, folder)


def report(config, workdir) -> dict:
    """Write report.html and the plots again, from the files of a run alone."""
    folder = _existing(workdir)
    print(f'report: {reporting.report(folder)}')
    return files.read_json(folder / files.RESULTS)


def build(config, workdir) -> dict:
    """Build the data sets of the config, where they are not yet, and say what they hold."""
    settings.check(config.to_dict())
    print(data.build(config.data.name, data_dir=config.data.data_dir, manual_dir=config.data.manual_dir,
                     rebuild=config.data.rebuild, landmarks=config.data.landmarks, magnet=config.data.magnet))
    return {}


def _data(config):
    data.refuse_inputs(config.data.name, known=('flow',))
    loaded = data.load(config.data.name, labels=config.data.labels, channels=config.data.channels, size=config.data.size,
                       scale=config.data.scale, mask=config.data.mask, frames=config.data.frames, data_dir=config.data.data_dir,
                       manual_dir=config.data.manual_dir, rebuild=config.data.rebuild, landmarks=config.data.landmarks,
                       magnet=config.data.magnet)
    print(data.describe(loaded))
    return loaded


def _protocol(config, loaded):
    folds, titles = protocol.make(config.protocol.name, loaded.samples, loaded.names, folds=config.protocol.folds,
                                  holdout=config.protocol.holdout, seed=config.protocol.seed, seeds=config.train.seeds)
    print(protocol.describe(config.protocol.name, folds, titles, loaded.samples, loaded.names))
    return folds, titles


def _check_fit(config, loaded, folds, titles, folder):
    """Raise UserError, before anything is compiled or written, where network, images and weights files do not fit."""
    shapes = evaluation.state_shapes(_learner(config, loaded, folds, 'matmul'), loaded.samples, folds.train)
    if config.model.init_from and not _begun(folder):
        for path in dict.fromkeys(_weight_files(config.model.init_from, folds.fold, titles)):
            _weights(config.model.name, path, (shapes.params, shapes.batch_stats))


def _continue(config, loaded, folder):
    """Write the settings of a new run; refuse to continue an old one under other settings or other data."""
    note = {'settings': config.to_dict(), 'data': loaded.fingerprint}
    old = files.read_config(folder) if (folder / files.CONFIG).exists() else None
    if not _begun(folder):
        if old != note:
            files.clear(folder)  # what a failed start pinned must not refuse the command once it is mended
    else:
        settings.check_resume(old['settings'], note['settings'], folder)
        if old['data'] != loaded.fingerprint:
            raise UserError(f'{folder} holds a run on other data (data.name {config.data.name!r} has changed since); '
                            'give another --workdir')
        epoch = _newest(folder)
        if epoch > config.train.epochs:
            raise UserError(f'{folder} is trained to epoch {epoch} already; train.epochs is {config.train.epochs}; '
                            'allowed: that many or more, or another --workdir')
    files.write_json(folder / files.CONFIG, note)


def _begun(folder):
    """Whether the folder holds anything trained or scored, which other settings must not overwrite."""
    return (folder / files.RESULTS).exists() or _newest(folder) >= 0


def _newest(folder):
    """The epoch of the newest checkpoint of any group of runs, or -1."""
    return max((checkpoint.newest(group) for group in folder.glob('checkpoints/*')), default=-1)


def _trained(folder, seeds):
    """The epoch that every group of runs has reached."""
    if not (folder / files.PLAN).exists():
        return 0
    runs_in_all = seeds * len(files.read_csv(folder / files.FOLDS))
    groups = -(-runs_in_all // _pinned(folder / files.PLAN).group)
    return max(0, min(checkpoint.newest(folder / 'checkpoints' / f'group_{g}') for g in range(groups)))


def _write_tables(loaded, folds, titles, folder):
    files.write_csv(folder / files.FOLDS, *protocol.table(folds, titles, loaded.samples, loaded.names))
    files.write_csv(folder / files.DROPPED, ['clip', 'subject', 'dataset', 'emotion', 'reason'], loaded.dropped)


def _learner(config, loaded, folds, lowering):
    """The network, its optimizer and its input scaling, bound into three pure functions."""
    keywords = dict(config.model[config.model.name])
    model = models.make(config.model.name, classes=len(loaded.names.classes), lowering=lowering, **keywords)
    steps, _ = training.batch_shape(folds.train.index.shape[1], config.train.batch_size)
    optimizer = learners.optimizer(
        config.train.optimizer, learning_rate=config.train.learning_rate, weight_decay=config.train.weight_decay,
        momentum=config.train.momentum, schedule=config.train.schedule, steps=steps * config.train.epochs)
    return learners.supervised(
        model, optimizer, fit_input=partial(scaling.fit_input, scale=config.data.scale),
        scale_input=partial(scaling.scale_input, value_range=data.VALUE_RANGES[config.data.value_range]))


def _layout(config, loaded, folds, folder) -> plan.Plan:
    """The plan a run began with; else the one pinned by settings, measured on this machine before, or measured now."""
    if (folder / files.PLAN).exists():
        chosen = _pinned(folder / files.PLAN)
        if chosen.devices > jax.device_count():
            raise UserError(f'{folder} was begun on {chosen.devices} devices and {jax.device_count()} are here; '
                            'continue it where it was begun, or give another --workdir')
        return chosen
    if config.train.devices > jax.device_count():
        raise UserError(f'train.devices is {config.train.devices}; allowed: 0 (all) to the {jax.device_count()} that are here')
    found = plan.candidates(jax.default_backend(), jax.device_count(), len(folds.fold), lowering=config.train.lowering,
                            at_once=config.train.at_once, use=config.train.devices)
    measure = partial(runs.seconds_a_round, partial(_learner, config, loaded, folds), loaded.samples, folds,
                      batch_size=config.train.batch_size, memory=plan.free_memory(jax.devices()[0]))
    chosen = plan.settled(found, _facts(config, loaded, folds, found), lambda p: measure(plan=p),
                          runs=len(folds.fold), epochs=config.train.epochs)
    print(f'plan: {plan.describe(chosen)} ({chosen.why})', flush=True)
    shapes = evaluation.state_shapes(_learner(config, loaded, folds, chosen.lowering), loaded.samples, folds.train)
    chosen = chosen._replace(group=plan.group_size(chosen, len(folds.fold), shapes=shapes, group=config.train.group,
                                                   device=jax.devices()[0], folder=folder))
    files.write_json(folder / files.PLAN, chosen._asdict())
    return chosen


def _pinned(path) -> plan.Plan:
    """The plan in a file; UserError where it holds none."""
    noted = files.read_json(path)
    try:
        chosen = plan.Plan(**noted)
        if chosen.lowering in ('matmul', 'native') and min(chosen.at_once, chosen.devices, chosen.group) >= 1:
            return chosen
    except TypeError:
        pass  # other keys, or text where a number belongs
    raise UserError(f'{path} holds no plan (lowering, at_once, devices, why, group); restore it or give another --workdir')


def _facts(config, loaded, folds, found):
    """All that a measured plan depends on: another machine, model, shape, fold count or version measures anew."""
    return {
        'model': config.model.name, 'keywords': config.model[config.model.name].to_dict(),
        'image': list(loaded.samples.image.shape[1:]), 'rows': folds.train.index.shape[1], 'runs': len(folds.fold),
        'batch_size': config.train.batch_size, 'optimizer': config.train.optimizer,
        'device': [d.device_kind for d in jax.devices()], 'machine': [platform.node(), platform.machine()],
        'candidates': [plan.describe(p) for p in found], 'versions': _versions(),
    }


def _train_groups(config, loaded, folds, titles, layout, folder, seconds):
    """Train all runs, as many at a time as memory holds; returns held-out outputs float32[R, K] in data set order."""
    learner = _learner(config, loaded, folds, layout.lowering)
    total, classes = len(folds.fold), len(loaded.names.classes)
    size = layout.group
    run_of_row, _ = evaluation.order(folds)
    output = np.zeros((len(run_of_row), classes), np.float32)
    held_out = None
    if config.evaluate.every_epoch and config.train.epochs:
        held_out = records.open_held_out(folder / files.HELD_OUT, (config.train.epochs, *output.shape),
                                         done=_newest(folder))
    programs = runs.compiled(learner, layout, loaded.samples, folds, runs=size, batch_size=config.train.batch_size,
                             test_batch=config.evaluate.batch_size,
                             chunk=1 if config.evaluate.every_epoch else CHUNK)
    seconds['compile'] = programs.seconds
    prepare = partial(_import_weights, config.model.name, config.model.init_from, folds, titles)
    with records.progress(total, -(-total // size), config.train.epochs) as bar:
        for number, first in enumerate(range(0, total, size)):
            members = np.arange(first, min(first + size, total))
            own = evaluation.subset(folds, members)
            rows = np.isin(run_of_row, members)
            with records.writer(folder, number, bar, own, held_out, rows) as (started, after):
                _, outputs = runs.train_group(
                    programs, folds, members, folder / 'checkpoints' / f'group_{number}', epochs=config.train.epochs,
                    test_batch=config.evaluate.batch_size, prepare=prepare, started=started, after=after,
                    interval=config.train.checkpoint_seconds)
            output[rows] = evaluation.gather(outputs, own) if len(output) else 0
    return output


def _import_weights(name, source, folds, titles, states, members):
    """Put published PyTorch weights into the stacked states: one file for all runs, or one a left-out subject."""
    if not source:
        return states
    one = jax.tree.map(lambda a: a[0], (states.params, states.batch_stats))
    each = [_weights(name, path, one) for path in _weight_files(source, folds.fold[members], titles)]
    params, batch_stats = jax.tree.map(lambda *a: np.stack(a), *each)
    return states._replace(params=params, batch_stats=batch_stats)


def _weight_files(source, numbers, titles):
    return [source.replace('{subject}', titles[number]) for number in numbers]


def _weights(name, path, one):
    return torch_weights.convert(name, torch_weights.read(path), *one, source=path)


def _publish(config, loaded, folds, output, layout, folder, seconds):
    """Write predictions, results and report from the held-out outputs; print the table. Returns the results."""
    start = time.perf_counter()
    predictions = evaluation.predictions(output, loaded.samples, folds)
    scores = score.score(predictions, loaded.names)
    files.write_predictions(folder / files.PREDICTIONS, predictions, loaded.names)
    oracle = _oracle(folder, predictions, loaded.names) if config.evaluate.every_epoch and config.train.epochs else None
    seconds['train'] = records.trained_seconds(folder)
    seconds['evaluate'] = time.perf_counter() - start
    seconds['total'] = sum(seconds.values())
    leaks = [protocol.LEAKS[config.protocol.name]] if config.protocol.name in protocol.LEAKS else []
    if config.model.init_from and '{subject}' not in config.model.init_from:
        leaks.append('init_from: one file of weights for every fold, which may have been trained on the left-out subjects')
    results = {
        'name': config.name, 'protocol': config.protocol.name, 'leaks': leaks,
        'folds': len(folds.fold) // config.train.seeds, 'seeds': config.train.seeds, 'epochs': config.train.epochs,
        'clips': len(loaded.samples.label), **scores, 'oracle_epoch': oracle,
        'plan': layout._asdict(), 'seconds': seconds, 'versions': _versions(),
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


def _existing(workdir):
    """The folder of a run that is there."""
    folder = files.absolute(workdir)
    if not (folder / files.CONFIG).exists():
        raise UserError(f'{folder} holds no run; train first, or name its folder with --workdir')
    files.read_config(folder)
    return folder


def _versions():
    names = ('jax', 'jaxlib', 'flax', 'optax', 'orbax-checkpoint', 'numpy', 'tensorflow-datasets', 'mer_jax')
    found = {'python': platform.python_version()}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = 'source'
    return found
