"""The training of a network on drawn faces, once before all folds (model.pretrain).

Drawn faces show nobody, so that what they teach may reach every fold: it saw no tested subject. The
network learns their emotions and action units together, whose truth is exact, from inputs that are
made like those of the folds. It trains once for each seed, in the folder `pretraining` of the run.
Every training of that seed then begins with its parameters and batch statistics, also those by
which folds choose; optimizer and scale of the inputs are those of the fold. Outputs that both learn
under one name keep what they learned; all others begin as they were drawn.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mer_jax.data import loading, sources
from mer_jax.experiment import PRETRAINING, build, engine
from mer_jax.experiment import folder as run_folder
from mer_jax.experiment.build import Experiment
from mer_jax.folds import protocols
from mer_jax.models import NETWORKS
from mer_jax.runfiles import files
from mer_jax.runfiles.plan import Plan
from mer_jax.settings import sections
from mer_jax.settings.sections import Settings
from mer_jax.training import augment, checkpoint, held_out, metrics_log, pretrained
from mer_jax.types import FoldState

# settings of section data that make the inputs: equal in both trainings
INPUTS = (
    'data_dir',
    'channels',
    'size',
    'mask',
    'frames',
    'subtract_onset',
    'clip_normalise',
    'input_scaler',
    'value_range',
    'lateral_units',
)
UNIT = 'AU'  # before the number, in the name of an output


def settings_of(settings: Settings) -> Settings:
    """Return the settings of the pretraining of a run.

    Args:
        settings: of the run; model.pretrain names drawn faces.
    """
    model, pretrain = settings.model, settings.pretrain
    options = model.options[model.name] | NETWORKS[model.name].apart
    return Settings(
        name=f'{settings.name}, pretraining',
        data=data_of(settings, model.pretrain),
        protocol=sections.Protocol(name='all_rows'),
        model=replace(
            model, pretrain='', init_from='', options={**model.options, model.name: options}
        ),
        pretrain=pretrain,
        train=replace(
            settings.train,
            epochs=pretrain.epochs,
            learning_rate=pretrain.learning_rate,
            learner='supervised',
            class_weights='none',
            label_smoothing=0.0,
            sampler='shuffle',
        ),
        augment=settings.augment,
        evaluate=sections.Evaluate(batch_size=settings.evaluate.batch_size),
    )


def data_of(settings: Settings, name: str) -> sections.Data:
    """Return the settings by which drawn faces become inputs like those of a run.

    Args:
        settings: of the run.
        name: of the drawn faces.
    """
    return sections.Data(name=name, **{key: getattr(settings.data, key) for key in INPUTS})


def experiment(settings: Settings) -> Experiment:
    """Load the drawn faces of a run's pretraining, all of which train.

    Args:
        settings: of the run.

    Raises:
        UserError: there are no such drawn faces, or they lack an input.
    """
    settings = settings_of(settings)
    data = build.clips(settings, '')
    names = data.names
    outputs = *names.classes, *(f'{UNIT}{unit}' for unit in names.action_units)
    samples = data.samples
    if settings.augment.replace:
        samples = augment.with_half_source(samples)
    folds, titles = protocols.make(samples, names, settings.protocol, seeds=settings.train.seeds)
    data = data._replace(samples=samples, names=names._replace(classes=outputs))
    return Experiment(settings, data, folds, titles)


def trained(experiment: Experiment, folder: Path) -> Experiment:
    """Pretrain the network of an experiment, and return the experiment with it.

    A finished pretraining is read, and one that was stopped goes on.

    Args:
        experiment: to train; unchanged without drawn faces.
        folder: of the run.

    Raises:
        UserError: the folder holds a pretraining on other drawn faces, or with other settings.
    """
    drawn = experiment.drawn
    if drawn is None:
        return experiment
    folder = folder / files.PRETRAINING
    folder.mkdir(exist_ok=True)
    run_folder.enter(folder, drawn.settings, drawn.data)
    shapes = _shapes(drawn)
    plan = build.choose_plan(drawn, shapes, folder, entry=PRETRAINING)
    epochs, seeds = drawn.settings.train.epochs, len(drawn.folds.fold)
    if run_folder.reached(folder, -(-seeds // plan.group)) < epochs:
        print(f'pretraining: {len(drawn.data.samples.label)} drawn clips -> {folder}', flush=True)
        learner = build.learner(drawn, plan.lowering, entry=PRETRAINING)
        how = build.training(drawn)
        samples, folds = drawn.data.samples, drawn.folds
        engine.train_runs(learner, samples, folds, plan, how, folder, engine.Extras())
    states = _states(shapes, plan, seeds, epochs, folder)
    wider = drawn.data._replace(
        names=drawn.data.names._replace(classes=(*drawn.data.names.classes, ''))
    )
    by_output = pretrained.differing(shapes, _shapes(drawn._replace(data=wider)))
    return experiment._replace(
        pretrained=pretrained.Pretrained(
            outputs=drawn.data.names.classes,
            params=states.params,
            batch_stats=states.batch_stats,
            by_output=by_output,
            about=_about(drawn, folder),
        )
    )


def begin(experiment: Experiment) -> Callable[[np.ndarray, FoldState], FoldState]:
    """Return what gives each run its start, for engine.Extras.

    Args:
        experiment: of `trained`; without a pretraining its runs begin as they are.
    """
    if experiment.pretrained is None:
        return _unchanged
    seeds, classes = experiment.folds.seed, experiment.data.names.classes
    of_seed = seeds % experiment.settings.train.seeds  # draws of the folds have seeds of their own
    return partial(_begun, experiment.pretrained, of_seed, classes)


def _unchanged(members, states):
    return states


def _begun(start, seeds, outputs, members, states):
    return pretrained.begin(start, seeds[members], outputs, states)


def _shapes(drawn):
    """Abstract state of one pretraining."""
    # shapes do not depend on how a convolution is computed
    learner = build.learner(drawn, 'matmul', entry=PRETRAINING)
    return held_out.state_shapes(learner, drawn.data.samples, drawn.folds.train)


def _states(shapes: FoldState, plan: Plan, seeds: int, epochs: int, folder: Path) -> FoldState:
    """States after the last epoch, [seeds, ...]; they are read from their checkpoints."""
    read = []
    for number, first in enumerate(range(0, seeds, plan.group)):
        count = min(plan.group, seeds - first)
        of_group = jax.tree.map(
            lambda leaf, count=count: jax.ShapeDtypeStruct((count, *leaf.shape), leaf.dtype), shapes
        )
        with checkpoint.opened(folder / files.CHECKPOINTS / f'group_{number}') as manager:
            read.append(checkpoint.restore(manager, epochs, of_group))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *read)


def _about(drawn, folder) -> dict[str, Any]:
    """What results.json records."""
    settings, data = drawn.settings, drawn.data
    return {
        'name': settings.data.name,
        'clips': len(data.samples.label),
        'outputs': list(data.names.classes),
        'epochs': settings.train.epochs,
        'fingerprint': data.fingerprint,
        'generator': generator(settings.data),
        'seconds': metrics_log.trained_seconds(folder),
    }


def generator(settings: sections.Data) -> str:
    """Return the digest of the code and tables that drew the faces.

    Args:
        settings: of section data, which name drawn faces.
    """
    options = build.build_options(settings)
    digests = []
    for source in sources.parse(settings.name):
        metadata = loading.prepared(source, options).info.metadata
        # data sets other than `many` have one of all that they were built from
        digests.append(metadata.get('generator', metadata['fingerprint']))
    return '+'.join(digests)
