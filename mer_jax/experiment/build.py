"""From settings to the data, folds, network, learner and plan of an experiment.

run.py puts them together.
"""

import dataclasses
from collections.abc import Mapping
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np

from mer_jax import entries, models
from mer_jax.classical import (
    FEATURES,
    FITTED,
    computed_features,
    features,
    features_of_clips,
    fitted_features,
    has_network,
    heads,
    svm,
    unit_svms,
)
from mer_jax.data import APEX_RULES, apexes, channels, loading, sources, target_units
from mer_jax.errors import UserError
from mer_jax.experiment import TASKS, LearnerEntry, engine, learner_entry, spotter
from mer_jax.experiment import folder as run_folder
from mer_jax.folds import RESAMPLERS, protocols, resampling
from mer_jax.folds.rows import of_data_set
from mer_jax.generation import GanRun
from mer_jax.models import torch_weights, weights_files
from mer_jax.runfiles import files
from mer_jax.runfiles.choices import ChoiceRow
from mer_jax.runfiles.plan import Plan
from mer_jax.settings import sections
from mer_jax.settings.sections import Settings
from mer_jax.spotting import frames
from mer_jax.training import augment, batches, held_out, learners, parallel, plan, scaling
from mer_jax.training.pretrained import Pretrained
from mer_jax.types import Fitted, Folds, FoldState, Learner, Samples, TrainRows


class Experiment(NamedTuple):
    """What an experiment trains on and under which settings."""

    settings: Settings
    data: loading.Data
    folds: Folds  # all runs
    titles: list[str]  # of the folds
    apexes: str = ''  # the spotting run that predicted apexes
    choices: tuple[ChoiceRow, ...] = ()  # of each fold; () where nothing is chosen
    drawn: 'Experiment | None' = None  # the drawn faces of model.pretrain or head.drawn
    pretrained: Pretrained | None = None  # what every run begins with, once it is trained


def experiment(settings: Settings, folder: Path) -> Experiment:
    """Load the data set and split it.

    Images that a file adds and rows of a resampler are among the samples; those of a GAN are not,
    see `with_generated`.

    Args:
        settings: of the experiment.
        folder: of the run, where the spotting run of a config that data.apex names is finished.

    Raises:
        UserError: names the setting or the file that is wrong.
    """
    apex, spotting_run = settings.data.apex, ''
    if apex not in APEX_RULES:
        apex = apexes.read(spotter.folder(apex, folder))
        spotting_run = f'{apex.run} (decoder {apex.decoder}), data.apex={settings.data.apex}'
    data = entries.loaded(TASKS[settings.data.task].load)(settings, apex)
    if learner_entry(settings).regional or settings.augment.replace:
        data = data._replace(samples=augment.with_half_source(data.samples))
    folds, titles = _folds(settings, data)
    if data.apex_annotated is not None and apex not in APEX_RULES:
        folds = protocols.select_apex_per_fold(
            folds, titles, data.samples, data.names, data.apex_annotated, apex
        )
        seen = *data.samples, *folds.train.scaler_rows, *folds.test
        data = data._replace(fingerprint=loading.fingerprint(seen, data.names))
    samples, folds = resampling.extend(folds, data.samples, data.names, titles, settings.balance)
    print(protocols.describe(settings.protocol, folds, titles, samples, data.names))
    if samples is not data.samples:
        fingerprint = loading.fingerprint(samples, data.names)
        data = data._replace(samples=samples, fingerprint=fingerprint)
    return Experiment(settings, data, folds, titles, spotting_run)


def frames_of_clips(settings: Settings, apex: Any) -> loading.Data:
    """Load the data set with a row for each frame.

    Args:
        settings: of the experiment.
        apex: not used here; `clips` takes it.
    """
    data_sets = sources.parse(settings.data.name, settings.data.manual_dir)
    loading.check_inputs(data_sets, channels.parse(settings.data.channels), every_frame=True)
    options, size = build_options(settings.data), settings.data.size
    data = frames.load(data_sets, options, settings.spotting, size=size)
    print(frames.describe(data))
    return data


def clips(settings: Settings, apex: str | apexes.Spotted) -> loading.Data:
    """Load the data set with a row for each clip.

    Args:
        settings: of the experiment.
        apex: how clips without an annotated apex get one.
    """
    data_sets, names = _inputs(settings)
    data = loading.load(
        data_sets,
        build_options(settings.data),
        settings.data,
        channels=names,
        apex=apex,
        points=_takes_points(settings),
    )
    print(loading.describe(data))
    return data


def units_of_clips(settings: Settings, apex: Any) -> loading.Data:
    """Load the data set with a row for each clip, to detect its action units.

    Args:
        settings: of the experiment.
        apex: not used here; `clips` takes it.
    """
    data_sets, names = _inputs(settings)
    data = loading.load_units(
        data_sets,
        build_options(settings.data),
        settings.data,
        channels=names,
        points=_takes_points(settings),
    )
    print(loading.describe_units(data))
    return data


def _inputs(settings):
    """The data sets and channels of an experiment, which fit each other."""
    data_sets = sources.parse(settings.data.name, settings.data.manual_dir)
    names = channels.parse(settings.data.channels)
    loading.check_inputs(data_sets, names)
    return data_sets, names


def _takes_points(settings):
    """Whether features of clips take landmarks."""
    names = computed_features(settings.head, settings.detectors)
    return any(FEATURES[name].points for name in names)


def build_options(settings: sections.Data) -> sources.BuildOptions:
    """Return where built data sets lie, and what they are built with."""
    return sources.BuildOptions(
        data_dir=settings.data_dir,
        rebuild=settings.rebuild,
        strict=settings.strict,
        landmarks=settings.landmarks,
        detector=settings.detector,
        magnet=settings.magnet,
    )


def _folds(settings, data):
    trainable = None
    if data.times is not None:
        trainable = ~np.isnan(data.samples.extras['target'])
    return protocols.make(
        data.samples,
        data.names,
        settings.protocol,
        seeds=settings.train.seeds,
        scaler_scope=settings.data.scaler_scope,
        trainable=trainable,
    )


def with_generated(experiment: Experiment, folder: Path) -> Experiment:
    """Add the images of each fold's GAN, where the experiment trains GANs.

    Args:
        experiment: of `experiment`.
        folder: of the run; GANs and their images are written there.
    """
    settings, data = experiment.settings, experiment.data
    resampler = RESAMPLERS[settings.balance.method]
    if not resampler.trained:
        return experiment
    # no trial measures GANs; what they compute must not depend on the order of the candidates
    lowering = settings.train.lowering
    plan_of_gans = plan.candidates(
        jax.default_backend(),
        parallel.available(),
        len(experiment.folds.fold),
        lowering='matmul' if lowering == 'auto' else lowering,
        at_once=settings.train.at_once or 1,
        wanted=settings.train.devices,
    )[0]
    gan_run = GanRun(
        folder=folder / files.GAN,
        interval=settings.train.checkpoint_seconds,
        channels=channels.parse(settings.data.channels),
        runs_in_memory=settings.train.runs_in_memory,
    )
    samples, folds = entries.loaded(resampler.extend)(
        data.samples,
        experiment.folds,
        data.names,
        experiment.titles,
        plan_of_gans,
        settings.gan,
        run=gan_run,
    )
    return experiment._replace(data=data._replace(samples=samples), folds=folds)


def check_fit(experiment: Experiment, folder: Path) -> FoldState | None:
    """Check that network, images and weights files fit, before anything is compiled or written.

    Args:
        experiment: of `experiment`.
        folder: of the run; one that holds checkpoints needs no weights file.

    Returns:
        The abstract state of one fold; None without a network.

    Raises:
        UserError: names what does not fit.
    """
    settings, data = experiment.settings, experiment.data
    features.refuse(
        computed_features(settings.head, settings.detectors),
        data.samples.image,
        data.landmarks,
        channels.parse(settings.data.channels),
    )
    if fitted_features(settings.head):
        _check_known(experiment, _target_units(experiment)[1])
    if not has_network(settings.head):
        return None
    plan.check_devices(settings.train.devices, parallel.available())
    # shapes do not depend on how a convolution is computed
    any_learner = learner(experiment, 'matmul')
    shapes = held_out.state_shapes(any_learner, data.samples, experiment.folds.train)
    if settings.model.init_from and run_folder.newest(folder) < 0:
        files_of_folds = weights_of_folds(experiment)
        torch_weights.check(settings.model.name, files_of_folds, shapes.params, shapes.batch_stats)
    return shapes


def weights_of_folds(experiment: Experiment) -> list[weights_files.WeightsFile]:
    """Return the weights file that each fold starts from, where model.init_from names any."""
    data = experiment.data
    subjects = list(protocols.subject_titles(data.samples, data.names).values())
    init_from = experiment.settings.model.init_from
    return weights_files.of_folds(init_from, experiment.titles, subjects)


def model(experiment: Experiment, lowering: str) -> nn.Module:
    """Build the network.

    Args:
        experiment: of `experiment`.
        lowering: how convolutions are computed, see models/layers.py.
    """
    return _model(experiment.settings, len(experiment.data.names.classes), lowering)


def _model(settings, classes, lowering):
    name = settings.model.name
    keywords = settings.model.options[name]
    return models.make(name, classes=classes, lowering=lowering, **keywords)


def learner(experiment: Experiment, lowering: str, *, entry: LearnerEntry | None = None) -> Learner:
    """Bind the network, its optimizer and what is fitted to training rows into pure functions.

    Args:
        experiment: of `experiment`.
        lowering: how convolutions are computed, see models/layers.py.
        entry: how the network learns; None: as the settings say.
    """
    settings = experiment.settings
    rows = experiment.folds.train.index.shape[1]
    steps, _ = batches.batch_shape(rows, settings.train.batch_size)
    classes = len(experiment.data.names.classes)
    return learner_of(settings, classes=classes, steps=steps, lowering=lowering, entry=entry)


def learner_of(
    settings: Settings,
    *,
    classes: int,
    steps: int,
    lowering: str,
    entry: LearnerEntry | None = None,
) -> Learner:
    """Do what `learner` does, without a data set.

    Args:
        settings: of the experiment.
        classes: K.
        steps: of an epoch, for the schedule of the learning rate; no matter in prediction.
        lowering: how convolutions are computed, see models/layers.py.
        entry: as of `learner`.
    """
    data = settings.data
    entry = entry or learner_entry(settings)
    fit_labels = partial(
        entries.loaded(entry.fit),
        classes=classes,
        formula=settings.train.class_weights,
        scope=settings.balance.scope,
    )
    fit_input = partial(
        scaling.fit_input, scaler=data.input_scaler, subtract_onset=data.subtract_onset
    )
    scale_input = partial(
        scaling.scale_input,
        value_range=loading.VALUE_RANGES[data.value_range],
        subtract_onset=data.subtract_onset,
    )

    def fit(samples: Samples, rows: TrainRows) -> Fitted:
        return fit_input(samples, rows) | fit_labels(samples, rows)

    return entries.loaded(entry.learner)(
        _model(settings, classes, lowering),
        learners.optimizer(settings.train, steps=steps, rate_in_state=settings.choose.groups > 0),
        fit=fit,
        scale_input=scale_input,
        **options(settings, entry.options),
    )


def of_classes(experiment: Experiment, learner: Learner) -> Learner:
    """Return the learner, predicting log probabilities of the classes.

    They are the mean over a clip and its mirror image, where head.mirror is on.

    Args:
        experiment: of `experiment`.
        learner: of one fold.
    """
    settings, mirror = experiment.settings, None
    if settings.head.mirror:
        mirror = partial(
            augment.mirrored,
            u=augment.horizontal_channels(channels.parse(settings.data.channels)),
            in_bytes=experiment.data.samples.image.dtype == np.uint8,
        )
    return learners.log_probabilities(learner, mirror=mirror)


def options(settings: Settings, names: Mapping[str, str]) -> dict[str, Any]:
    """Return the keyword arguments that an entry names.

    Args:
        settings: of the experiment.
        names: {keyword: setting, or section of settings}.
    """
    return {keyword: attrgetter(name)(settings) for keyword, name in names.items()}


def batch_options(experiment: Experiment) -> batches.BatchOptions:
    """Return how rows reach the learner."""
    settings, data = experiment.settings, experiment.data
    change = augment.compose(
        settings.augment,
        names=data.names.action_units,
        channels=channels.parse(settings.data.channels),
        in_bytes=data.samples.image.dtype == np.uint8,
    )
    return batches.BatchOptions(
        batch_size=settings.train.batch_size,
        sampler=settings.train.sampler,
        augment=change,
        augment_resampled_only=RESAMPLERS[settings.balance.method].augmented,
    )


def training(experiment: Experiment) -> engine.Training:
    """Return how the runs train."""
    settings = experiment.settings
    return engine.Training(
        settings.train, batch_options(experiment), test_batch=settings.evaluate.batch_size
    )


def choose_plan(
    experiment: Experiment, shapes: FoldState, folder: Path, *, entry: LearnerEntry | None = None
) -> Plan:
    """Choose the plan of the run; see engine.choose_plan.

    Args:
        experiment: of `experiment`.
        shapes: abstract state of one fold, of `check_fit`.
        folder: of the run; the plan is written there.
        entry: as of `learner`.
    """
    return engine.choose_plan(
        partial(learner, experiment, entry=entry),
        experiment.data.samples,
        experiment.folds,
        training(experiment),
        _plan_facts(experiment.settings),
        shapes,
        folder,
    )


def fastest_plan(experiment: Experiment) -> Plan:
    """Return the fastest plan of an experiment; see engine.fastest_plan.

    Args:
        experiment: of `experiment`.
    """
    return engine.fastest_plan(
        partial(learner, experiment),
        experiment.data.samples,
        experiment.folds,
        training(experiment),
        _plan_facts(experiment.settings),
    )


def _plan_facts(settings):
    """What the speed of a plan depends on, beyond data, folds and machine."""
    return {
        'model': settings.model.name,
        'keywords': settings.model.options[settings.model.name],
        'batch_size': settings.train.batch_size,
        'optimizer': settings.train.optimizer,
        'learner': learner_entry(settings).learner,
        'augment': dataclasses.asdict(settings.augment),
        'balance': settings.balance.method,
    }


def head_scores(experiment: Experiment, hidden: np.ndarray | None) -> heads.Solution:
    """Fit the head of every run, and score its held-out rows.

    Of features that are fitted in each run there is one at most: FITTED has one entry, and a head
    takes one array of each run (heads.Problem), which is that of its network or of this feature.

    Args:
        experiment: of `experiment`.
        hidden: as in `svm_blocks`.
    """
    settings, data = experiment.settings, experiment.data
    blocks, of_runs = svm_blocks(experiment, hidden)
    files_of_feature = ()
    for name in fitted_features(settings.head):
        of_runs, files_of_feature = _fitted_feature(experiment, name)
    problem = heads.Problem(
        blocks,
        of_runs,
        data.samples,
        experiment.folds,
        experiment.titles,
        data.names,
        settings.head,
        _drawn(experiment, settings.head, features_of_clips(settings.head)),
    )
    predict = entries.loaded(TASKS[settings.data.task].heads[settings.head.name])
    solution = predict(problem)
    return solution._replace(files=(*solution.files, *files_of_feature))


def _fitted_feature(experiment, name):
    """(features float32[F, N, D] that each run is fitted to, the files of what was fitted)."""
    settings, data = experiment.settings, experiment.data
    blocks = detector_blocks(settings, data.samples.image, data.landmarks)
    titles, units = _target_units(experiment)
    fit = entries.loaded(FITTED[name].value)
    drawn = _drawn(experiment, settings.detectors, settings.detectors.features.split('+'))
    outputs, fitted = fit(blocks, units, data.samples, experiment.folds, settings.detectors, drawn)
    detectors = [of_run.detectors for of_run in fitted]
    table = unit_svms.table(detectors, experiment.folds, experiment.titles, titles)
    return outputs, (table, unit_svms.arrays(outputs, fitted))


def detector_blocks(
    settings: Settings, image: np.ndarray, landmarks: np.ndarray | None
) -> list[np.ndarray]:
    """Compute the features that detectors of action units learn.

    Args:
        settings: of the experiment.
        image: [N, ...], of clips.
        landmarks: float32[N, 68, 2]; None where no feature takes them.

    Returns:
        [M, N, D] each.
    """
    return features.extract(
        settings.detectors.features.split('+'),
        image,
        landmarks,
        channels=channels.parse(settings.data.channels),
        mirror=settings.detectors.mirror,
    )


def coded(experiment: Experiment) -> unit_svms.Coded:
    """Return the features and action units of all clips, as detectors learn them."""
    settings, data = experiment.settings, experiment.data
    _, units = _target_units(experiment)
    samples = data.samples
    subject = np.where(of_data_set(samples), samples.subject, svm.NOBODY)
    blocks = detector_blocks(settings, samples.image, data.landmarks)
    return unit_svms.Coded(blocks, units, subject)


def _target_units(experiment):
    """(names of the units of data.units that a clip shows, float32[N, A] with NaN unknown)."""
    settings, names = experiment.settings.data, experiment.data.names.action_units
    shown = _unit_titles(experiment)
    columns = [names.index(target) for target in shown]
    units = experiment.data.samples.extras['action_units'][:, columns]
    if not columns or np.isnan(units).all():
        raise UserError(
            f'head.features {experiment.settings.head.features}: no clip of data.name '
            f'{settings.name!r} is known to show a unit of data.units {settings.units!r}; name a '
            'data set with action units, or a table of them: data.action_units=FILE.csv'
        )
    return [f'AU{target}' for target in shown], units


def _unit_titles(experiment):
    """Names of the units of data.units that a clip shows."""
    settings = experiment.settings.data
    targets = target_units.columns(target_units.parse(settings.units), settings.lateral_units)
    return [target for target in targets if target in experiment.data.names.action_units]


def _check_known(experiment, units):
    """Refuse a fold whose training rows have no known unit: it has nothing to detect."""
    for run, fold in enumerate(experiment.folds.fold):
        train, _ = svm.rows_of_run(experiment.data.samples, experiment.folds, run)
        if np.isnan(units[train]).all():
            raise UserError(
                f'fold {experiment.titles[fold]!r}: its training clips have no known action units, '
                f'which head.features {experiment.settings.head.features} is fitted to; allowed: a '
                'protocol.name whose folds train on clips with units'
            )


def _drawn(experiment, section, names):
    """The drawn faces that train SVMs beside clips; None without any.

    Args:
        experiment: of `experiment`.
        section: head or detectors, which says whether any do.
        names: of their features.
    """
    settings, faces = experiment.settings, experiment.drawn
    if not section.drawn:
        return None
    samples = faces.data.samples
    blocks = features.extract(
        names,
        samples.image,
        faces.data.landmarks,
        channels=channels.parse(settings.data.channels),
        mirror=section.mirror,
    )
    titles, drawn = _unit_titles(experiment), faces.data.names.action_units
    units = np.full((len(samples.label), len(titles)), np.nan, np.float32)
    for column, title in enumerate(titles):
        if title in drawn:
            units[:, column] = samples.extras['action_units'][:, drawn.index(title)]
    return svm.Drawn(blocks, samples.label, units)


def svm_blocks(
    experiment: Experiment, hidden: np.ndarray | None
) -> tuple[list[np.ndarray], np.ndarray | None]:
    """Compute the features that SVMs learn.

    Args:
        experiment: of `experiment`.
        hidden: [R, D], of each run's network for every row of the data set in data set order, as
            run.hidden_features returns it; None without a network.

    Returns:
        (blocks of features [M, N, D] of all clips; features [F, N, D] of each run's network, or
        None).
    """
    settings, data = experiment.settings, experiment.data
    samples = data.samples
    blocks = features.extract(
        features_of_clips(settings.head),
        samples.image,
        data.landmarks,
        channels=channels.parse(settings.data.channels),
        mirror=settings.head.mirror,
    )
    if hidden is not None:
        hidden = svm.by_run(hidden, experiment.folds, len(samples.label))
    return blocks, hidden
