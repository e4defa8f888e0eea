"""What an experiment is made of, from its config: data, folds, network, learner, plan.
run.py puts them together.
"""

from dataclasses import replace
from functools import partial

import jax
import numpy as np

from mer_jax import entries, models
from mer_jax.classical import FEATURES, NETWORK, features, svm
from mer_jax.data import apexes, loading, sources
from mer_jax.experiment import LEARNERS, TASKS
from mer_jax.experiment import folder as run_folder
from mer_jax.folds import RESAMPLERS, protocols, resampling
from mer_jax.machine import host, versions
from mer_jax.models import torch_weights
from mer_jax.runfiles import files
from mer_jax.runfiles.config import flat
from mer_jax.spotting import frames
from mer_jax.training import augment, balance, batches, held_out, learners, plan, programs, scaling


def inputs(config):
    """The data set, with images that files add to it, and who trains and is held out in
    every run.
    """
    apex = config.data.apex if config.data.apex in apexes.RULES else apexes.read(config.data.apex)
    loaded = entries.loaded(TASKS[config.data.rows].load)(config, apex)
    if LEARNERS[config.train.learner].regional or config.augment.replace:
        loaded = loaded._replace(samples=augment.with_half_source(loaded.samples))
    folds, titles = _protocol(config, loaded)
    if loaded.known is not None and apex not in apexes.RULES:
        folds = protocols.spotted(folds, titles, loaded.samples, loaded.names, loaded.known, apex)
        loaded = loaded._replace(
            fingerprint=loading.fingerprint(
                (*loaded.samples, *folds.train.scaler_rows, *folds.test), loaded.names
            )
        )
    samples, folds = resampling.extend(
        folds, loaded.samples, loaded.names, titles, **config.balance
    )
    print(protocols.describe(config.protocol.name, folds, titles, samples, loaded.names))
    if samples is not loaded.samples:
        loaded = loaded._replace(
            samples=samples, fingerprint=loading.fingerprint(samples, loaded.names)
        )
    return loaded, folds, titles


def frames_of_clips(config, apex):
    """The data set with a row a frame; apex: without use here."""
    data_sets = sources.parse(config.data.name, config.data.manual_dir)
    channels = sources.channels(config.data.channels)
    loading.refuse_inputs(data_sets, channels, every_frame=True)
    loaded = frames.load(
        data_sets,
        build_options(config),
        size=config.data.size,
        label=config.spotting.label,
        steepness=config.spotting.steepness,
        sigma=config.spotting.sigma,
    )
    print(frames.describe(loaded))
    return loaded


def clips(config, apex):
    """The data set with a row a clip; apex: of clips without an annotated one."""
    data_sets = sources.parse(config.data.name, config.data.manual_dir)
    channels = sources.channels(config.data.channels)
    loading.refuse_inputs(data_sets, channels)
    loaded = loading.load(
        data_sets,
        build_options(config),
        labels=config.data.labels,
        channels=channels,
        size=config.data.size,
        scale=config.data.scale,
        mask=config.data.mask,
        frames=config.data.frames,
        sides=config.data.sides,
        jpeg=config.data.jpeg,
        drawn_labels=config.data.drawn_labels,
        apex=apex,
        points=any(FEATURES[name].points for name in described(config)),
    )
    print(loading.describe(loaded))
    return loaded


def build_options(config) -> sources.BuildOptions:
    """Where built data sets lie, and what they are built with."""
    return sources.BuildOptions(
        data_dir=config.data.data_dir,
        rebuild=config.data.rebuild,
        landmarks=config.data.landmarks,
        magnet=config.data.magnet,
    )


def _protocol(config, loaded):
    return protocols.make(
        config.protocol.name,
        loaded.samples,
        loaded.names,
        folds=config.protocol.folds,
        holdout=config.protocol.holdout,
        seed=config.protocol.seed,
        seeds=config.train.seeds,
        validation=config.protocol.validation,
        scored=config.protocol.scored,
        scale_scope=config.data.scale_scope,
        trains=None if loaded.timing is None else ~np.isnan(loaded.samples.extras['target']),
    )


def generated(config, loaded, folds, titles, folder):
    """The data set and who trains on what with the images of each fold's own GAN, where there is
    one.
    """
    resampler = RESAMPLERS[config.balance.method]
    if not resampler.trained:
        return loaded, folds
    layout = plan.candidates(
        jax.default_backend(),
        jax.device_count(),
        len(folds.fold),
        lowering=config.train.lowering,
        at_once=config.train.at_once or 1,
        use=config.train.devices,
    )[0]
    samples, folds = entries.loaded(resampler.extend)(
        loaded.samples,
        folds,
        loaded.names,
        titles,
        layout,
        folder=folder / files.GAN,
        interval=config.train.checkpoint_seconds,
        channels=sources.channels(config.data.channels),
        group=config.train.group,
        **config.gan,
    )
    return loaded._replace(samples=samples), folds


def check_fit(config, loaded, folds, titles, folder):
    """Abstract state of one fold (None without a network), to be known before anything is compiled
    or written.

    Raises UserError where network, images and weights files do not fit.
    """
    features.refuse(
        described(config),
        loaded.samples.image,
        loaded.points,
        sources.channels(config.data.channels),
    )
    if not features.networked(config.head):
        return None
    shapes = held_out.state_shapes(
        learner(config, loaded, folds, 'matmul'), loaded.samples, folds.train
    )
    if config.model.init_from and not run_folder.begun(folder):
        for path in dict.fromkeys(
            torch_weights.files(config.model.init_from, protocols.titled(folds, titles))
        ):
            torch_weights.convert(
                config.model.name,
                torch_weights.read(path),
                shapes.params,
                shapes.batch_stats,
                source=path,
            )
    return shapes


def model(config, loaded, lowering):
    """The network with its keyword arguments."""
    return models.make(
        config.model.name,
        classes=len(loaded.names.classes),
        lowering=lowering,
        **dict(config.model[config.model.name]),
    )


def learner(config, loaded, folds, lowering):
    """The network, its optimizer and what is fitted to training rows, bound into three pure
    functions.
    """
    steps, _ = batches.batch_shape(folds.train.index.shape[1], config.train.batch_size)
    optimizer = learners.optimizer(
        config.train.optimizer,
        learning_rate=config.train.learning_rate,
        weight_decay=config.train.weight_decay,
        momentum=config.train.momentum,
        schedule=config.train.schedule,
        steps=steps,
        epochs=config.train.epochs,
    )
    weigh = partial(
        balance.fit,
        classes=len(loaded.names.classes),
        formula=config.train.class_weights,
        scope=config.balance.scope,
    )
    scale = partial(scaling.fit_input, scale=config.data.scale, difference=config.data.difference)
    entry = LEARNERS[config.train.learner]
    return entries.loaded(entry.learner)(
        model(config, loaded, lowering),
        optimizer,
        fit=lambda samples, rows: scale(samples, rows) | weigh(samples, rows),
        scale_input=partial(
            scaling.scale_input,
            value_range=loading.VALUE_RANGES[config.data.value_range],
            difference=config.data.difference,
        ),
        **options(config, entry.options),
    )


def options(config, names) -> dict:
    """Keyword arguments from {keyword: setting}, as entries name them."""
    values = flat(config.to_dict())
    return {keyword: values[setting] for keyword, setting in names.items()}


def feed(config, loaded):
    """How rows reach the learner: settings of epoch.train_epoch."""
    change = augment.compose(
        **config.augment,
        names=loaded.names.action_units,
        channels=sources.channels(config.data.channels),
        stretched=loaded.samples.image.dtype == np.uint8,
    )
    return {
        'batch_size': config.train.batch_size,
        'sampler': config.train.sampler,
        'augment': change,
        'augment_made': RESAMPLERS[config.balance.method].augmented,
    }


def layout(config, loaded, folds, folder, shapes) -> plan.Plan:
    """The plan a run began with; else the one pinned by settings, measured on this machine before,
    or measured now.

    shapes: abstract state of one fold, of check_fit.
    """
    if (folder / files.PLAN).exists():
        return plan.resumed(folder, jax.device_count())
    pinned = {
        'lowering': config.train.lowering,
        'at_once': config.train.at_once,
        'use': config.train.devices,
    }
    if config.train.fold_by_fold:
        pinned |= {'at_once': 1, 'use': 1}
        if config.train.lowering == 'auto':
            pinned['lowering'] = 'matmul'
    found = plan.candidates(jax.default_backend(), jax.device_count(), len(folds.fold), **pinned)
    measure = partial(
        programs.seconds_a_round,
        partial(learner, config, loaded, folds),
        loaded.samples,
        folds,
        memory=plan.free_memory(jax.devices()[0]),
        **feed(config, loaded),
    )
    chosen = plan.settled(
        found,
        _facts(config, loaded, folds, found),
        lambda p: measure(plan=p),
        runs=len(folds.fold),
        epochs=config.train.epochs,
    )
    print(f'plan: {plan.describe(chosen)} ({chosen.why})', flush=True)
    chosen = replace(
        chosen,
        group=plan.group_size(
            chosen,
            len(folds.fold),
            shapes=shapes,
            group=config.train.group,
            device=jax.devices()[0],
            folder=folder,
        ),
    )
    chosen.write(folder)
    return chosen


def _facts(config, loaded, folds, found):
    """All that a measured plan depends on: another machine, model, shape, fold count or version
    measures anew.
    """
    return {
        'model': config.model.name,
        'keywords': config.model[config.model.name].to_dict(),
        'image': list(loaded.samples.image.shape[1:]),
        'rows': folds.train.index.shape[1],
        'runs': len(folds.fold),
        'batch_size': config.train.batch_size,
        'optimizer': config.train.optimizer,
        'learner': config.train.learner,
        'augment': config.augment.to_dict(),
        'balance': config.balance.method,
        'device': [d.device_kind for d in jax.devices()],
        'machine': host(),
        'candidates': [plan.describe(p) for p in found],
        'versions': versions(),
    }


def described(config) -> list:
    """Names of the features of clips that machines decide by; none where the network answers."""
    return [
        name
        for name in config.head.features.split('+')
        if config.head.name != 'none' and name != NETWORK
    ]


def answers(config, loaded, folds, hidden):
    """(outputs [R, K] of machines on features, machines of each run); hidden: [R, D], of each run's
    network for every row of the data set in data set order, None without one.
    """
    samples = loaded.samples
    blocks = features.extract(
        described(config),
        samples.image,
        loaded.points,
        channels=sources.channels(config.data.channels),
        mirror=config.head.mirror,
    )
    if hidden is not None:
        hidden = svm.of_runs(hidden, folds, len(samples.label))
    return svm.answers(
        blocks,
        hidden,
        samples,
        folds,
        classes=len(loaded.names.classes),
        kernel=config.head.kernel,
        scale=config.head.scale,
        costs=svm.numbers(config.head.cost),
        gammas=svm.numbers(config.head.gamma),
        inner=config.head.inner,
        best=config.head.best,
    )
