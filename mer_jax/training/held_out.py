"""Held-out outputs: predict each row by the run that did not train on it, in data set order."""

from collections.abc import Sequence
from typing import TypeVar

import jax
import numpy as np
from jax import lax

from mer_jax.training import batches
from mer_jax.types import Folds, FoldState, Learner, Predictions, Samples, TrainRows

Outputs = TypeVar('Outputs')  # an array, or tuples and dictionaries of arrays


def predict_rows(
    samples: Samples, state: FoldState, index: jax.Array, *, learner: Learner
) -> jax.Array:
    """Predict rows by one fold.

    Args:
        samples: all rows.
        state: of the fold.
        index: int32[steps, batch] into samples.
        learner: which predicts.

    Returns:
        The outputs, [steps, batch, K].
    """
    return lax.map(lambda rows: learner.predict(state, batches.inputs(samples, rows))[0], index)


def subset(folds: Folds, members: Sequence[int] | np.ndarray) -> Folds:
    """Return the runs `members` alone, on the host."""
    return jax.tree.map(lambda array: np.asarray(array)[members], folds)


def order(folds: Folds) -> tuple[np.ndarray, np.ndarray]:
    """Return the order in which held-out rows are stored.

    It goes seed after seed, and in data set order within a seed.

    Returns:
        run: int[R], the run that predicts each row.
        place: int[R], where the row stands among the test rows of that run.
    """
    run, place = np.nonzero(folds.test.mask > 0)
    rows = folds.test.index[run, place]
    sequence = np.lexsort((run, rows, folds.seed[run]))
    return run[sequence], place[sequence]


def gather(outputs: jax.Array | np.ndarray, folds: Folds) -> np.ndarray:
    """Bring outputs into the order of `order`.

    Args:
        outputs: [F, steps, batch, ...], padding included.
        folds: the F runs that made them.

    Returns:
        The outputs of real rows, [R, ...].
    """
    outputs = np.asarray(outputs)
    run, place = order(folds)
    per_run = outputs.reshape(outputs.shape[0], -1, *outputs.shape[3:])
    return per_run[run, place]


def scatter(
    total: Outputs | None, outputs: Outputs | None, folds: Folds, rows: np.ndarray
) -> Outputs | None:
    """Write the outputs of a group of runs into those of all runs.

    Args:
        total: arrays [R, ...] of all runs, changed in place; None before the first group.
        outputs: arrays [F, steps, batch, ...] of the group; None where nothing is held out.
        folds: the runs of the group.
        rows: bool[R], rows that the group predicts.

    Returns:
        The total; None as long as there are no outputs.
    """
    if outputs is None:
        return total
    ordered = jax.tree.map(lambda array: gather(array, folds), outputs)
    if total is None:
        total = jax.tree.map(
            lambda array: np.zeros((len(rows), *array.shape[1:]), array.dtype), ordered
        )
    for target, values in zip(jax.tree.leaves(total), jax.tree.leaves(ordered), strict=True):
        target[rows] = values
    return total


def predictions(output: jax.Array | np.ndarray, samples: Samples, folds: Folds) -> Predictions:
    """Name the row of each held-out output.

    Args:
        output: [R, K], in the order of `order`.
        samples: all rows.
        folds: all runs.
    """
    run, place = order(folds)
    row = folds.test.index[run, place]
    frame = samples.extras.get('frame', np.zeros_like(samples.clip))
    return Predictions(
        clip=samples.clip[row],
        frame=frame[row],
        subject=samples.subject[row],
        dataset=samples.dataset[row],
        label=samples.label[row],
        fold=folds.fold[run],
        seed=folds.seed[run],
        output=np.asarray(output, np.float32),
    )


def state_shapes(learner: Learner, samples: Samples, rows: TrainRows) -> FoldState:
    """Return the shapes and dtypes of one fold's state; nothing is computed.

    Args:
        learner: whose state it is.
        samples: all rows.
        rows: of all runs, [F, ...].
    """
    first = jax.tree.map(lambda array: array[0], rows)
    return jax.eval_shape(learner.init, jax.random.key(0), samples, first)
