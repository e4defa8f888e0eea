"""The learning rate and the number of epochs of each fold, chosen by its training subjects.

The training subjects of a fold form groups. Each group is left out once and predicted, at each
learning rate, after each number of epochs. What is best on all groups together trains the fold. The
subject that the fold tests has no part in it. All of these trainings run in one program, as runs of
the fold axis: the learning rate is data of a run.
"""

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import jax
import numpy as np
import optax

from mer_jax.errors import UserError
from mer_jax.evaluation import metrics
from mer_jax.experiment import build, engine
from mer_jax.experiment.build import Experiment
from mer_jax.folds import protocols, resampling
from mer_jax.runfiles import files, writing
from mer_jax.runfiles.choices import ChoiceRow, ChoiceTable
from mer_jax.runfiles.epoch_outputs import EpochOutputs
from mer_jax.settings import tree
from mer_jax.training import batches, held_out
from mer_jax.types import FoldState

RATE = 'step_size'  # the name of the learning rate in the state of learners.optimizer


def made(experiment: Experiment, shapes: FoldState, folder: Path) -> Experiment:
    """Choose for each fold, and return the experiment with its choices.

    Choices that were made before are read; a choice that was stopped goes on.

    Args:
        experiment: to train.
        shapes: abstract state of one fold.
        folder: of the run; choices.csv is written there.
    """
    if not (folder / files.CHOICES).exists():
        uf1 = _inner_uf1(experiment, shapes, folder / files.CHOICE)
        table(experiment, uf1).write(folder)
        shutil.rmtree(folder / files.CHOICE)
    choices = ChoiceTable.read(folder)
    print(f'choice: {choices.describe()}', flush=True)
    return experiment._replace(choices=tuple(choices.chosen))


def inner(experiment: Experiment) -> Experiment:
    """Return the trainings by which the folds choose: each group at each learning rate.

    They take as many steps an epoch as the fold itself, with smaller batches, so that an epoch
    means the same in both. Their seed is 0.

    Args:
        experiment: to train.
    """
    settings, samples = experiment.settings, experiment.data.samples
    groups = protocols.leave_groups_out(
        experiment.folds, samples, experiment.data.names, settings.choose.groups
    )
    _, groups = resampling.extend(
        groups, samples, experiment.data.names, experiment.titles, settings.balance
    )
    rates = len(settings.choose.learning_rate)
    folds = jax.tree.map(lambda array: np.concatenate([array] * rates), groups)
    rows = experiment.folds.train.index.shape[1]
    steps, _ = batches.batch_shape(rows, settings.train.batch_size)
    smaller = -(-folds.train.index.shape[1] // steps)
    changed = tree.changed(settings, {'train.seeds': 1, 'train.batch_size': smaller})
    return experiment._replace(settings=changed, folds=folds)


def table(experiment: Experiment, uf1: np.ndarray) -> ChoiceTable:
    """Choose the best point of each fold, the first of equals.

    Args:
        experiment: to train.
        uf1: [folds, learning rates, numbers of epochs]; NaN where training diverged.

    Raises:
        UserError: a fold diverged at every learning rate.
    """
    choose, rows = experiment.settings.choose, []
    for title, of_fold in zip(experiment.titles, uf1, strict=True):
        if np.isnan(of_fold).all():
            raise UserError(
                f'fold {title!r}: outputs are not finite at any choose.learning_rate '
                f'({", ".join(map(str, choose.learning_rate))}); allowed: smaller ones too'
            )
        best = np.unravel_index(np.nanargmax(np.round(of_fold, 12)), of_fold.shape)
        for point in np.ndindex(of_fold.shape):
            rate, epochs = point
            rows.append(
                ChoiceRow(
                    title,
                    choose.learning_rate[rate],
                    int(choose.epochs[epochs]),
                    metrics.to_json(of_fold[point]),
                    int(point == best),
                )
            )
    return ChoiceTable(tuple(rows))


def begin(experiment: Experiment) -> Callable[[np.ndarray, FoldState], FoldState]:
    """Return what gives each run the learning rate of its fold, for engine.Extras."""
    rates = np.array([row.learning_rate for row in experiment.choices], np.float32)
    return partial(_with_rates, rates[experiment.folds.fold])


def outputs(experiment: Experiment, folder: Path) -> np.ndarray:
    """Return held-out outputs after the epoch that each fold chose, [R, K].

    Args:
        experiment: trained, with its choices.
        folder: of the run.
    """
    run, _ = held_out.order(experiment.folds)
    epochs = np.array([row.epochs for row in experiment.choices])
    of_row = epochs[experiment.folds.fold[run]]
    return EpochOutputs.read(folder).values[of_row - 1, np.arange(len(run))]


def _with_rates(rates, members, states):
    """Write the learning rate of each run into its state."""
    return states._replace(
        opt_state=optax.tree_utils.tree_set(states.opt_state, **{RATE: rates[members]})
    )


def _inner_uf1(experiment, shapes, folder):
    """UF1 of the training subjects of each fold, [folds, learning rates, numbers of epochs]."""
    folder.mkdir(exist_ok=True)
    choose, trials = experiment.settings.choose, inner(experiment)
    print(
        f'choice: {len(trials.folds.fold)} trainings on training subjects of '
        f'{len(experiment.titles)} folds ({choose.groups} groups, '
        f'{len(choose.learning_rate)} learning rates)',
        flush=True,
    )
    plan = build.choose_plan(trials, shapes, folder)
    learner = build.learner(trials, plan.lowering)
    trainings = len(trials.folds.fold)
    rates = np.float32(choose.learning_rate)
    rate_of_run = np.repeat(rates, trainings // len(rates))
    scores = []
    for epochs in map(int, choose.epochs):
        path = folder / f'outputs_{epochs}.npy'
        if not path.exists():
            how = build.training(trials)
            how = replace(how, settings=replace(how.settings, epochs=epochs))
            extras = engine.Extras(partial(_with_rates, rate_of_run))
            values = engine.train_runs(
                learner, trials.data.samples, trials.folds, plan, how, folder, extras
            )
            writing.write_array(path, values)
        scores.append(_uf1(np.load(path), trials.folds, experiment))
    return np.stack(scores, -1)


def _uf1(values, folds, experiment):
    """UF1 [folds, learning rates] of outputs [R, K]; NaN where one is not finite."""
    choose = experiment.settings.choose
    outer, rates = len(experiment.titles), len(choose.learning_rate)
    run, position = held_out.order(folds)
    rate = run // (outer * choose.groups)
    fold = folds.fold[run] // choose.groups
    number = fold * rates + rate
    classes = len(experiment.data.names.classes)
    label = experiment.data.samples.label[folds.test.index[run, position]]
    counts = metrics.confusions(
        label, values.argmax(-1), number, groups=outer * rates, classes=classes
    )
    uf1 = metrics.measures(counts)['uf1']
    diverged = np.unique(number[~np.isfinite(values).all(-1)])
    uf1[diverged] = np.nan
    return uf1.reshape(outer, rates)
