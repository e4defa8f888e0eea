"""The learning rate and the number of epochs of each fold, chosen by its training subjects.

The training subjects of a fold form groups. Each group is left out once and predicted, at each
learning rate, after each number of epochs. What is best on all groups together trains the fold. The
subject that the fold tests has no part in it. All groups of all folds train in one program, as runs
of the fold axis. The learning rate is data of a run: it needs no program of its own, and each fold
trains with the one that it chose.
"""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import optax

from mer_jax.errors import UserError
from mer_jax.evaluation import metrics
from mer_jax.experiment import build, engine, pretraining
from mer_jax.experiment import folder as run_folder
from mer_jax.experiment.build import Experiment
from mer_jax.folds import protocols, resampling
from mer_jax.runfiles import files, writing
from mer_jax.runfiles.choices import ChoiceRow, ChoiceTable
from mer_jax.runfiles.epoch_outputs import EpochOutputs
from mer_jax.settings import tree
from mer_jax.training import batches, held_out, hosts, metrics_log
from mer_jax.types import FoldState

RATE = 'step_size'  # the name of the learning rate in the state of learners.optimizer


def choose(experiment: Experiment, shapes: FoldState, folder: Path) -> Experiment:
    """Choose for each fold, and return the experiment with its choices.

    Choices that were made before are read; a choice that was stopped goes on.

    Args:
        experiment: to train.
        shapes: abstract state of one fold.
        folder: of the run; choices.csv is written there.
    """
    if not hosts.agreed(hosts.is_first() and (folder / files.CHOICES).exists()):
        uf1 = _inner_uf1(experiment, shapes, folder / files.CHOICE)
        if hosts.is_first():
            table(experiment, uf1).write(folder)
            shutil.rmtree(folder / files.CHOICE)
        hosts.wait()
    choices = ChoiceTable.read(folder)
    print(f'choice: {choices.describe()}', flush=True)
    return experiment._replace(choices=tuple(choices.chosen))


def inner(experiment: Experiment) -> Experiment:
    """Return the trainings by which the folds choose, one for each group.

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
    rows = experiment.folds.train.index.shape[1]
    steps, _ = batches.batch_shape(rows, settings.train.batch_size)
    smaller = -(-groups.train.index.shape[1] // steps)
    changed = tree.changed(settings, {'train.seeds': 1, 'train.batch_size': smaller})
    return experiment._replace(settings=changed, folds=groups)


def table(experiment: Experiment, uf1: np.ndarray) -> ChoiceTable:
    """Choose the best point of each fold, the first of equals.

    Args:
        experiment: to train.
        uf1: [folds, learning rates, numbers of epochs]; NaN where training diverged.

    Raises:
        UserError: a fold diverged at every learning rate.
    """
    points, rows = experiment.settings.choose, []
    for title, of_fold in zip(experiment.titles, uf1, strict=True):
        if np.isnan(of_fold).all():
            raise UserError(
                f'fold {title!r}: outputs are not finite at any choose.learning_rate '
                f'({", ".join(map(str, points.learning_rate))}); allowed: smaller ones too'
            )
        best = np.unravel_index(np.nanargmax(np.round(of_fold, 12)), of_fold.shape)
        for point in np.ndindex(of_fold.shape):
            rate, epochs = point
            rows.append(
                ChoiceRow(
                    title,
                    points.learning_rate[rate],
                    int(points.epochs[epochs]),
                    metrics.to_json(of_fold[point]),
                    int(point == best),
                )
            )
    return ChoiceTable(tuple(rows))


def begin(experiment: Experiment) -> Callable[[np.ndarray, FoldState], FoldState]:
    """Return what gives each run the learning rate of its fold, for engine.Extras."""
    rates = np.array([row.learning_rate for row in experiment.choices], np.float32)
    return partial(_with_rates, rates[experiment.folds.fold], pretraining.begin(experiment))


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


def _with_rates(rates, begin, members, states):
    """Begin runs, and write the learning rate of each into its state."""
    states = begin(members, states)
    return states._replace(
        opt_state=optax.tree_utils.tree_set(states.opt_state, **{RATE: rates[members]})
    )


def _inner_uf1(experiment, shapes, folder):
    """UF1 of the training subjects of each fold, [folds, learning rates, numbers of epochs]."""
    points, trials = experiment.settings.choose, inner(experiment)
    rates = points.learning_rate
    trainings = len(trials.folds.fold)
    print(
        f'choice: {trainings} trainings on training subjects of {len(experiment.titles)} folds, at '
        f'{len(rates)} learning rates',
        flush=True,
    )
    scores = []
    for number, rate in enumerate(rates):
        path, part = folder / f'outputs_{number}.npy', folder / str(number)
        if not hosts.agreed(hosts.is_first() and path.exists()):
            if hosts.is_first():
                part.mkdir(parents=True, exist_ok=True)
            print(f'choice: learning rate {rate:g}', flush=True)
            same_rate = np.full(trainings, rate, np.float32)
            begins = partial(_with_rates, same_rate, pretraining.begin(trials))
            outputs = _outputs(trials, shapes, begins, part)
            if hosts.is_first():
                writing.write_array(path, outputs)
                # the states of all folds at all rates might not fit on the disk
                shutil.rmtree(part)
            hosts.wait()
        scores.append([_uf1(outputs, trials, points.groups) for outputs in np.load(path)])
    return np.moveaxis(np.array(scores), 2, 0)


def _outputs(trials, shapes, begins, folder):
    """Outputs of the rows left out, after each number of epochs [E, R, K]; on the first host."""
    epochs = [int(number) for number in trials.settings.choose.epochs]
    rows = int(np.sum(trials.folds.test.mask > 0))
    newest = run_folder.newest(folder)
    kept = None
    if hosts.is_first():
        kept = metrics_log.open_held_out(
            folder,
            (len(epochs), rows, len(trials.data.names.classes)),
            done=sum(number <= newest for number in epochs),
        )
    plan = build.choose_plan(trials, shapes, folder)
    learner = build.learner(trials, plan.lowering)
    engine.train_runs(
        learner,
        trials.data.samples,
        trials.folds,
        plan,
        build.training(trials),
        folder,
        engine.Extras(begins, kept, epochs),
    )
    return None if kept is None else np.array(kept)


def _uf1(outputs, trials, groups):
    """UF1 of each fold [folds] of outputs [R, K]; NaN where one is not finite."""
    run, position = held_out.order(trials.folds)
    fold = trials.folds.fold[run] // groups
    label = trials.data.samples.label[trials.folds.test.index[run, position]]
    counts = metrics.confusions(
        label,
        outputs.argmax(-1),
        fold,
        groups=len(trials.titles),
        classes=outputs.shape[-1],
    )
    uf1 = metrics.measures(counts)['uf1']
    uf1[np.unique(fold[~np.isfinite(outputs).all(-1)])] = np.nan
    return uf1
