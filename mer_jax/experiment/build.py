"""What an experiment is made of, from its settings: data, folds, network, learner, plan.
run.py puts them together.
"""

import dataclasses
from functools import partial
from operator import attrgetter

import jax
import numpy as np

from mer_jax import entries, models
from mer_jax.classical import FEATURES, features, features_of_clips, has_network, svm
from mer_jax.data import APEX_RULES, apexes, channels, loading, sources
from mer_jax.experiment import TASKS, engine, learner_entry
from mer_jax.experiment import folder as run_folder
from mer_jax.folds import RESAMPLERS, protocols, resampling
from mer_jax.generation import GanRun
from mer_jax.models import torch_weights
from mer_jax.runfiles import files
from mer_jax.settings import sections
from mer_jax.settings.sections import Settings
from mer_jax.spotting import frames
from mer_jax.training import augment, balance, batches, held_out, learners, plan, scaling


def inputs(settings: Settings):
    """The data set, with images that files add to it, and who trains and is held out in
    every run.
    """
    apex = settings.data.apex
    if apex not in APEX_RULES:
        apex = apexes.read(apex)
    loaded = entries.loaded(TASKS[settings.data.task].load)(settings, apex)
    if learner_entry(settings).regional or settings.augment.replace:
        loaded = loaded._replace(samples=augment.with_half_source(loaded.samples))
    folds, titles = _folds(settings, loaded)
    if loaded.apex_annotated is not None and apex not in APEX_RULES:
        folds = protocols.select_apex_per_fold(
            folds, titles, loaded.samples, loaded.names, loaded.apex_annotated, apex
        )
        loaded = loaded._replace(
            fingerprint=loading.fingerprint(
                (*loaded.samples, *folds.train.scaler_rows, *folds.test), loaded.names
            )
        )
    samples, folds = resampling.extend(
        folds, loaded.samples, loaded.names, titles, settings.balance
    )
    print(protocols.describe(settings.protocol.name, folds, titles, samples, loaded.names))
    if samples is not loaded.samples:
        loaded = loaded._replace(
            samples=samples, fingerprint=loading.fingerprint(samples, loaded.names)
        )
    return loaded, folds, titles


def frames_of_clips(settings: Settings, apex):
    """The data set with a row for each frame; apex: without use here."""
    data_sets = sources.parse(settings.data.name, settings.data.manual_dir)
    loading.refuse_inputs(data_sets, channels.parse(settings.data.channels), every_frame=True)
    options, size = build_options(settings.data), settings.data.size
    loaded = frames.load(data_sets, options, settings.spotting, size=size)
    print(frames.describe(loaded))
    return loaded


def clips(settings: Settings, apex):
    """The data set with a row for each clip; apex: of clips without an annotated one."""
    data_sets = sources.parse(settings.data.name, settings.data.manual_dir)
    names = channels.parse(settings.data.channels)
    loading.refuse_inputs(data_sets, names)
    loaded = loading.load(
        data_sets,
        build_options(settings.data),
        settings.data,
        channels=names,
        apex=apex,
        points=any(FEATURES[name].points for name in features_of_clips(settings.head)),
    )
    print(loading.describe(loaded))
    return loaded


def build_options(settings: sections.Data) -> sources.BuildOptions:
    """Where built data sets lie, and what they are built with."""
    return sources.BuildOptions(
        data_dir=settings.data_dir,
        rebuild=settings.rebuild,
        landmarks=settings.landmarks,
        magnet=settings.magnet,
    )


def _folds(settings, loaded):
    trainable = None
    if loaded.times is not None:
        trainable = ~np.isnan(loaded.samples.extras['target'])
    return protocols.make(
        loaded.samples,
        loaded.names,
        settings.protocol,
        seeds=settings.train.seeds,
        scaler_scope=settings.data.scaler_scope,
        trainable=trainable,
    )


def generated(settings: Settings, loaded, folds, titles, folder):
    """The data set and who trains on what with the images of each fold's own GAN, where there is
    one.
    """
    resampler = RESAMPLERS[settings.balance.method]
    if not resampler.trained:
        return loaded, folds
    layout = plan.candidates(
        jax.default_backend(),
        jax.device_count(),
        len(folds.fold),
        lowering=settings.train.lowering,
        at_once=settings.train.at_once or 1,
        use=settings.train.devices,
    )[0]
    samples, folds = entries.loaded(resampler.extend)(
        loaded.samples,
        folds,
        loaded.names,
        titles,
        layout,
        settings.gan,
        run=GanRun(
            folder=folder / files.GAN,
            interval=settings.train.checkpoint_seconds,
            channels=channels.parse(settings.data.channels),
            runs_in_memory=settings.train.runs_in_memory,
        ),
    )
    return loaded._replace(samples=samples), folds


def check_fit(settings: Settings, loaded, folds, titles, folder):
    """Abstract state of one fold (None without a network), to be known before anything is compiled
    or written.

    Raises UserError where network, images and weights files do not fit.
    """
    features.refuse(
        features_of_clips(settings.head),
        loaded.samples.image,
        loaded.landmarks,
        channels.parse(settings.data.channels),
    )
    if not has_network(settings.head):
        return None
    shapes = held_out.state_shapes(
        learner(settings, loaded, folds, 'matmul'), loaded.samples, folds.train
    )
    if settings.model.init_from and not run_folder.begun(folder):
        for path in dict.fromkeys(
            torch_weights.files(settings.model.init_from, protocols.titles_of_runs(folds, titles))
        ):
            torch_weights.convert(
                settings.model.name,
                torch_weights.read(path),
                shapes.params,
                shapes.batch_stats,
                source=path,
            )
    return shapes


def model(settings: Settings, loaded, lowering):
    """The network with its keyword arguments."""
    return models.make(
        settings.model.name,
        classes=len(loaded.names.classes),
        lowering=lowering,
        **settings.model.options[settings.model.name],
    )


def learner(settings: Settings, loaded, folds, lowering):
    """The network, its optimizer and what is fitted to training rows, bound into three pure
    functions.
    """
    steps, _ = batches.batch_shape(folds.train.index.shape[1], settings.train.batch_size)
    optimizer = learners.optimizer(settings.train, steps=steps)
    weigh = partial(
        balance.fit_class_weight,
        classes=len(loaded.names.classes),
        formula=settings.train.class_weights,
        scope=settings.balance.scope,
    )
    data = settings.data
    scale = partial(scaling.fit_input, scaler=data.input_scaler, subtract_onset=data.subtract_onset)
    entry = learner_entry(settings)
    return entries.loaded(entry.learner)(
        model(settings, loaded, lowering),
        optimizer,
        fit=lambda samples, rows: scale(samples, rows) | weigh(samples, rows),
        scale_input=partial(
            scaling.scale_input,
            value_range=loading.VALUE_RANGES[data.value_range],
            subtract_onset=data.subtract_onset,
        ),
        **options(settings, entry.options),
    )


def options(settings: Settings, names) -> dict:
    """Keyword arguments from {keyword: setting, or section}, as entries name them."""
    return {keyword: attrgetter(name)(settings) for keyword, name in names.items()}


def batch_options(settings: Settings, loaded) -> batches.BatchOptions:
    """How rows reach the learner."""
    change = augment.compose(
        settings.augment,
        names=loaded.names.action_units,
        channels=channels.parse(settings.data.channels),
        stretched=loaded.samples.image.dtype == np.uint8,
    )
    return batches.BatchOptions(
        batch_size=settings.train.batch_size,
        sampler=settings.train.sampler,
        augment=change,
        augment_resampled_only=RESAMPLERS[settings.balance.method].augmented,
    )


def training(settings: Settings, loaded) -> engine.Training:
    """How the runs train."""
    return engine.Training(
        settings.train, batch_options(settings, loaded), test_batch=settings.evaluate.batch_size
    )


def layout(settings: Settings, loaded, folds, folder, shapes) -> plan.Plan:
    """The plan of the run; see engine.choose_plan.

    shapes: abstract state of one fold, of check_fit.
    """
    facts = {
        'model': settings.model.name,
        'keywords': settings.model.options[settings.model.name],
        'batch_size': settings.train.batch_size,
        'optimizer': settings.train.optimizer,
        'learner': learner_entry(settings).learner,
        'augment': dataclasses.asdict(settings.augment),
        'balance': settings.balance.method,
    }
    learner_for = partial(learner, settings, loaded, folds)
    how = training(settings, loaded)
    return engine.choose_plan(learner_for, loaded.samples, folds, how, facts, shapes, folder)


def svm_scores(settings: Settings, loaded, folds, hidden):
    """(outputs [R, K] of SVMs on features, SVMs of each run).

    hidden: [R, D], of each run's network for every row of the data set in data set order, None
    without one.
    """
    samples = loaded.samples
    blocks = features.extract(
        features_of_clips(settings.head),
        samples.image,
        loaded.landmarks,
        channels=channels.parse(settings.data.channels),
        mirror=settings.head.mirror,
    )
    if hidden is not None:
        hidden = svm.by_run(hidden, folds, len(samples.label))
    classes = len(loaded.names.classes)
    return svm.predict(blocks, hidden, samples, folds, settings.head, classes=classes)
