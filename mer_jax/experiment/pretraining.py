"""The training of a network on drawn faces, once before all folds (model.pretrain).

Drawn faces show nobody, so that what they teach may reach every fold: it saw no tested subject. The
network learns their emotions and action units together, whose truth is exact, from inputs that are
made like those of the folds. It trains once for each seed (a stack may take several networks of a
seed: pretrain.networks), in the folder `pretraining` of the run. Every training of that seed then
begins with its parameters and batch statistics, also those by
which folds choose; optimizer and scale of the inputs are those of the fold. Outputs that both learn
under one name keep what they learned; all others begin as they were drawn.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from mer_jax.errors import UserError
from mer_jax.experiment import PRETRAINING, build, drawn, engine
from mer_jax.experiment import folder as run_folder
from mer_jax.experiment.build import Experiment
from mer_jax.models import NETWORKS
from mer_jax.runfiles import files
from mer_jax.runfiles.plan import Plan
from mer_jax.settings import sections
from mer_jax.settings.sections import Settings
from mer_jax.training import augment, checkpoint, held_out, hosts, metrics_log, pretrained
from mer_jax.types import Folds, FoldState

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
        data=drawn.data_of(settings, model.pretrain),
        protocol=drawn.ALL_ROWS,
        model=replace(
            model, pretrain='', init_from='', options={**model.options, model.name: options}
        ),
        pretrain=pretrain,
        train=replace(
            settings.train,
            epochs=pretrain.epochs,
            seeds=settings.train.seeds * pretrain.networks,
            learning_rate=pretrain.learning_rate,
            learner='supervised',
            class_weights='none',
            label_smoothing=0.0,
            sampler='shuffle',
        ),
        augment=settings.augment,
        evaluate=sections.Evaluate(batch_size=settings.evaluate.batch_size),
    )


def experiment(settings: Settings) -> Experiment:
    """Load the drawn faces of a run's pretraining, all of which train.

    Args:
        settings: of the run.

    Raises:
        UserError: there are no such drawn faces, or they lack an input.
    """
    loaded = drawn.experiment(settings_of(settings))
    samples, names = loaded.data.samples, loaded.data.names
    outputs = *names.classes, *(f'{UNIT}{unit}' for unit in names.action_units)
    if settings.augment.replace:
        samples = augment.with_half_source(samples)
    data = loaded.data._replace(samples=samples, names=names._replace(classes=outputs))
    return loaded._replace(data=data)


def check_taught(faces: Experiment, classes: Sequence[str]) -> None:
    """Refuse classes of a run that its drawn faces do not show.

    A stack takes the outputs of the pretraining as they are.

    Args:
        faces: of `experiment`.
        classes: of the run.

    Raises:
        UserError: the network would guess a class.
    """
    taught = faces.data.names.classes
    missing = [name for name in classes if name not in taught]
    if missing:
        raise UserError(
            f'model.pretrain is {faces.settings.data.name!r}, whose faces are {", ".join(taught)}, '
            f'and a class of this run is {missing[0]}; allowed with a stack: other data.labels'
        )


def trained(experiment: Experiment, folder: Path) -> Experiment:
    """Pretrain the network of an experiment, and return the experiment with it.

    A finished pretraining is read, and one that was stopped goes on.

    Args:
        experiment: to train; unchanged without model.pretrain.
        folder: of the run.

    Raises:
        UserError: the folder holds a pretraining on other drawn faces, or with other settings.
    """
    if not experiment.settings.model.pretrain:
        return experiment
    faces = experiment.drawn
    folder = folder / files.PRETRAINING
    if hosts.is_first():
        folder.mkdir(exist_ok=True)
    run_folder.enter(folder, faces.settings, faces.data)
    shapes = _shapes(faces)
    plan = build.choose_plan(faces, shapes, folder, entry=PRETRAINING)
    epochs, seeds = faces.settings.train.epochs, len(faces.folds.fold)
    if hosts.agreed(run_folder.reached(folder, -(-seeds // plan.group)) < epochs):
        print(f'pretraining: {len(faces.data.samples.label)} drawn clips -> {folder}', flush=True)
        learner = build.learner(faces, plan.lowering, entry=PRETRAINING)
        how = build.training(faces)
        samples, folds = faces.data.samples, faces.folds
        engine.train_runs(learner, samples, folds, plan, how, folder, engine.Extras())
    states = checkpoint.read_runs(
        folder / files.CHECKPOINTS, shapes, epoch=epochs, runs=seeds, group=plan.group
    )
    names = faces.data.names
    wider = faces.data._replace(names=names._replace(classes=(*names.classes, '')))
    by_output = pretrained.differing(shapes, _shapes(faces._replace(data=wider)))
    return experiment._replace(
        pretrained=pretrained.Pretrained(
            outputs=names.classes,
            params=states.params,
            batch_stats=states.batch_stats,
            by_output=by_output,
            about=_about(faces, folder),
        )
    )


def finished(
    settings: Settings, folder: Path, outputs: Sequence[str], shapes: Callable[[int], FoldState]
) -> pretrained.Pretrained:
    """Read the finished pretraining of a run, without its drawn faces.

    Args:
        settings: of `settings_of`.
        folder: of the run.
        outputs: what each output learned, as results.json records it.
        shapes: number of outputs -> abstract state of one pretraining.

    Raises:
        UserError: a checkpoint is missing or damaged.
    """
    folder, of_outputs = folder / files.PRETRAINING, shapes(len(outputs))
    states = checkpoint.read_runs(
        folder / files.CHECKPOINTS,
        of_outputs,
        epoch=settings.train.epochs,
        runs=settings.trainings,
        group=Plan.read(folder).group,
    )
    return pretrained.Pretrained(
        outputs=tuple(outputs),
        params=states.params,
        batch_stats=states.batch_stats,
        by_output=pretrained.differing(of_outputs, shapes(len(outputs) + 1)),
        about={},
    )


def begin(experiment: Experiment) -> Callable[[np.ndarray, FoldState], FoldState]:
    """Return what gives each run its start, for engine.Extras.

    Args:
        experiment: of `trained`; without a pretraining its runs begin as they are.
    """
    if experiment.pretrained is None:
        return _unchanged
    seeds, classes = experiment.folds.seed, experiment.data.names.classes
    # draws of the folds have seeds of their own
    settings = experiment.settings
    of_seed = seeds % (settings.train.seeds * settings.pretrain.networks)
    return partial(_begun, experiment.pretrained, of_seed, classes)


def for_each_network(folds: Folds, networks: int) -> Folds:
    """Return each run once for each network of its seed, one after another.

    Args:
        folds: all runs.
        networks: of a seed.
    """
    repeated = jax.tree.map(lambda leaf: np.repeat(leaf, networks, axis=0), folds)
    network = np.tile(np.arange(networks, dtype=np.int32), len(folds.seed))
    return repeated._replace(seed=repeated.seed * np.int32(networks) + network)


def _unchanged(members, states):
    return states


def _begun(start, seeds, outputs, members, states):
    return pretrained.begin(start, seeds[members], outputs, states)


def _shapes(faces):
    """Abstract state of one pretraining."""
    # shapes do not depend on how a convolution is computed
    learner = build.learner(faces, 'matmul', entry=PRETRAINING)
    return held_out.state_shapes(learner, faces.data.samples, faces.folds.train)


def _about(faces, folder) -> dict[str, Any]:
    """What results.json records."""
    return {
        **drawn.about(faces),
        'outputs': list(faces.data.names.classes),
        'epochs': faces.settings.train.epochs,
        'seconds': metrics_log.trained_seconds(folder),
    }
