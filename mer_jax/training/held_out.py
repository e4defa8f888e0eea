"""Held-out outputs: each row by the run that did not see it, scattered back to the order of the
data set.
"""

import jax
import numpy as np
from jax import lax

from mer_jax.training import batches
from mer_jax.types import Predictions


def predict_rows(samples, state, index, *, learner):
    """Outputs of one fold for its rows, [steps, batch, K]; index int32[steps, batch] into
    samples.
    """
    return lax.map(lambda rows: learner.predict(state, batches.inputs(samples, rows))[0], index)


def subset(folds, members):
    """The Folds of the runs `members` alone, on the host."""
    return jax.tree.map(lambda a: np.asarray(a)[members], folds)


def order(folds):
    """(run, place) of every held-out row, seed after seed and in data set order within a seed."""
    run, place = np.nonzero(folds.test.mask > 0)
    rows = folds.test.index[run, place]
    sequence = np.lexsort((run, rows, folds.seed[run]))
    return run[sequence], place[sequence]


def gather(outputs, folds) -> np.ndarray:
    """Outputs [F, steps, batch, ...] -> [R, ...]: real rows only, in the order of `order`."""
    outputs = np.asarray(outputs)
    run, place = order(folds)
    return outputs.reshape(outputs.shape[0], -1, *outputs.shape[3:])[run, place]


def put(total, outputs, folds, rows):
    """`total` with what the runs of `folds` predicted (a tree of [F, steps, batch, ...]) at `rows`,
    bool[R].

    A total of None is made; outputs of None (nothing is held out) leave it.
    """
    if outputs is None:
        return total
    found = jax.tree.map(lambda a: gather(a, folds), outputs)
    if total is None:
        total = jax.tree.map(lambda a: np.zeros((len(rows), *a.shape[1:]), a.dtype), found)
    jax.tree.map(lambda a, b: a.__setitem__(rows, b), total, found)
    return total


def predictions(output, samples, folds) -> Predictions:
    """Attach to each held-out output [R, K] the identity of its row."""
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


def state_shapes(learner, samples, rows):
    """Abstract state of one fold: shapes and dtypes, nothing computed."""
    one = jax.tree.map(lambda a: a[0], rows)
    return jax.eval_shape(learner.init, jax.random.key(0), samples, one)
