"""Outputs of held-out rows: predicted, ordered, and named.

A run predicts the rows of Folds.test. These are its test rows, or its validation rows, or, for SVMs
on features of a network, all rows (protocols.predict_all_rows).
"""

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
    """Predict rows with one fold.

    Args:
        samples: all rows.
        state: of the fold.
        index: int32[steps, batch], positions in samples.
        learner: whose `predict` is called.

    Returns:
        The outputs, [steps, batch, K].
    """

    def predict_batch(rows: jax.Array) -> jax.Array:
        output, _ = learner.predict(state, batches.inputs(samples, rows))
        return output

    return lax.map(predict_batch, index)


def subset(folds: Folds, members: Sequence[int] | np.ndarray) -> Folds:
    """Return some of the runs, on the host.

    Args:
        folds: all runs.
        members: positions of the runs that are wanted.
    """
    return jax.tree.map(lambda array: np.asarray(array)[members], folds)


def order(folds: Folds) -> tuple[np.ndarray, np.ndarray]:
    """Return the order in which held-out outputs are stored.

    All rows of seed 0 come first, then those of seed 1, and so on. Within a seed they have the
    order of the data set.

    Args:
        folds: all runs.

    Returns:
        Two arrays int[R]: for each stored output the position of its run in `folds`, and the
        position of its row among the test rows of that run.
    """
    run, position_in_test = np.nonzero(folds.test.mask > 0)
    rows = folds.test.index[run, position_in_test]
    sequence = np.lexsort((run, rows, folds.seed[run]))
    return run[sequence], position_in_test[sequence]


def in_stored_order(outputs: jax.Array | np.ndarray, folds: Folds) -> np.ndarray:
    """Sort outputs as `order` says, without padding.

    Args:
        outputs: [F, steps, batch, ...], padding included.
        folds: the F runs that predicted them.

    Returns:
        The outputs of real rows, [R, ...].
    """
    outputs = np.asarray(outputs)
    run, position_in_test = order(folds)
    per_run = outputs.reshape(outputs.shape[0], -1, *outputs.shape[3:])
    return per_run[run, position_in_test]


def scatter(
    total: Outputs | None, outputs: Outputs | None, folds: Folds, mask_of_outputs: np.ndarray
) -> Outputs | None:
    """Copy the outputs of a group into those of all runs.

    Args:
        total: arrays [R, ...] of all runs, changed in place; None before the first group.
        outputs: arrays [F, steps, batch, ...] of the group; None where no row is held out.
        folds: the runs of the group.
        mask_of_outputs: bool[R], which of the R outputs the group predicts.

    Returns:
        The total; None as long as there are no outputs.
    """
    if outputs is None:
        return total
    ordered = jax.tree.map(lambda array: in_stored_order(array, folds), outputs)
    count = len(mask_of_outputs)
    if total is None:
        total = jax.tree.map(
            lambda array: np.zeros((count, *array.shape[1:]), array.dtype), ordered
        )
    for target, values in zip(jax.tree.leaves(total), jax.tree.leaves(ordered), strict=True):
        target[mask_of_outputs] = values
    return total


def predictions(output: jax.Array | np.ndarray, samples: Samples, folds: Folds) -> Predictions:
    """Attach clip, subject, label, fold and seed to outputs.

    Args:
        output: [R, K], sorted as `order` says.
        samples: all rows.
        folds: all runs.
    """
    run, position_in_test = order(folds)
    row = folds.test.index[run, position_in_test]
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
    """Return the shapes and dtypes of one fold's state.

    Nothing is computed.

    Args:
        learner: whose state it is.
        samples: all rows.
        rows: training rows of all runs, [F, ...].
    """
    first = jax.tree.map(lambda array: array[0], rows)
    return jax.eval_shape(learner.init, jax.random.key(0), samples, first)
