"""What a network costs: its size, its arithmetic, and the time of its training here."""

import math
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from mer_jax.classical import has_network
from mer_jax.experiment import build, run
from mer_jax.experiment import folder as run_folder
from mer_jax.experiment.build import Experiment
from mer_jax.runfiles.folder import entered
from mer_jax.settings.sections import Settings
from mer_jax.training import held_out, parallel, plan, programs


class Cost(NamedTuple):
    """The cost of a config; None where it has no network."""

    parameters: int | None
    flops: int | None  # of one clip's prediction, see `flops`
    # that its training will take on this machine; 0 for a finished one, infinity where it cannot
    hours: float | None


def of_run(settings: Settings, workdir: str | Path) -> Cost:
    """Open a run as `train` does, and time its training without training it.

    Args:
        settings: of the experiment.
        workdir: the folder of the run; its settings are written there.

    Raises:
        UserError: the settings do not fit the data.
    """
    parallel.start(plan.cache_folder() / 'xla')
    with entered(workdir) as folder:
        experiment, shapes = run.open_run(settings, folder)
        if not has_network(settings.head):
            return Cost(None, None, None)
        size = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes.params))
        arithmetic = flops(experiment)
        done = run_folder.trained(folder, settings.trainings)
        if done == settings.train.epochs:
            return Cost(size, arithmetic, 0.0)
        return Cost(size, arithmetic, hours(experiment, done=done))


def flops(experiment: Experiment) -> int:
    """Count the arithmetic of one clip's prediction.

    Convolutions count as they are defined, not as this machine computes them.
    """
    learner = build.learner(experiment, 'native')
    samples = experiment.data.samples
    state = held_out.state_shapes(learner, samples, experiment.folds.train)
    clip = jax.eval_shape(lambda: held_out.batches.inputs(samples, np.zeros(1, np.int32)))
    return flops_of(learner.predict, state, clip)


def flops_of(function: Callable, *arguments: Any) -> int:
    """Count the arithmetic of a function.

    Two for each multiply-add of its matrix products and convolutions, which stand for nearly all of
    it.

    Args:
        function: of arrays.
        arguments: arrays, or their shapes.
    """
    return 2 * _multiply_adds(jax.make_jaxpr(function)(*arguments).jaxpr)


def hours(experiment: Experiment, *, done: int = 0) -> float:
    """Time a few epochs, and return the hours of those that are left.

    Args:
        experiment: to train; it may be too large for this machine's disk.
        done: epochs that every run is trained already.

    Returns:
        Hours; infinity where this machine cannot train it, as for want of memory.
    """
    epochs, runs = experiment.settings.train.epochs, len(experiment.folds.fold)
    if not epochs:
        return 0.0
    try:
        chosen = build.fastest_plan(experiment)
        of_round = programs.seconds_per_round(
            partial(build.learner, experiment),
            experiment.data.samples,
            experiment.folds,
            memory=plan.free_memory(jax.devices()[0]),
            plan=chosen,
            options=build.training(experiment).batches,
        )
    except (plan.TooLarge, plan.NoPlan):
        return math.inf
    rounds = runs * (epochs - done)
    if not done:  # the choice is made before the first epoch
        rounds += _inner_runs(experiment) * epochs
    if not done and experiment.settings.model.pretrain:
        rounds += _drawn_runs(experiment) * experiment.drawn.settings.train.epochs
    return of_round * rounds / (chosen.at_once * chosen.devices) / 3600


def _inner_runs(experiment):
    """How many runs of a fold the choice by training subjects is worth, by their rows."""
    choose = experiment.settings.choose
    if not choose.groups:
        return 0
    rates = len(choose.learning_rate)
    return len(experiment.titles) * rates * (choose.groups - 1)


def _drawn_runs(experiment):
    """How many runs of a fold the pretraining is worth, by their rows."""
    rows = (each.folds.train.index.shape[1] for each in (experiment.drawn, experiment))
    drawn, of_fold = rows
    return len(experiment.drawn.folds.fold) * drawn / of_fold


def _multiply_adds(jaxpr) -> int:
    """Count the multiply-adds of a program, those of its inner programs too."""
    total = 0
    for equation in jaxpr.eqns:
        name, params = equation.primitive.name, equation.params
        result = equation.outvars[0].aval
        if name == 'dot_general':
            (contracted, _), _ = params['dimension_numbers']
            left = equation.invars[0].aval.shape
            total += result.size * math.prod(left[axis] for axis in contracted)
        elif name == 'conv_general_dilated':
            # a kernel holds the input channels of one group already
            kernel, axes = equation.invars[1].aval.shape, params['dimension_numbers'].rhs_spec
            # A stride of the input's gradient puts zeros between pixels, which are no arithmetic.
            apart = math.prod(params['lhs_dilation'])
            total += result.size * math.prod(kernel) // kernel[axes[0]] // apart
        times = params.get('length', 1) if name == 'scan' else 1
        total += times * sum(map(_multiply_adds, _inner(params)))
    return total


def _inner(params) -> Iterator:
    """The programs among the parameters of an equation."""
    for value in params.values():
        for each in value if isinstance(value, tuple | list) else [value]:
            program = getattr(each, 'jaxpr', each)
            if hasattr(program, 'eqns'):
                yield program
