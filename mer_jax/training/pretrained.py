"""A network that was trained before the folds, and how they begin with it."""

from typing import Any, NamedTuple

import jax
import numpy as np

from mer_jax.types import Array, FoldState


class Pretrained(NamedTuple):
    """Trained networks, one for each of S seeds."""

    outputs: tuple[str, ...]  # what each output of the network learned: 'negative', 'AU12'
    params: Any  # arrays [S, ...] on the host
    batch_stats: Any  # arrays [S, ...] on the host
    # of each leaf of params: whether its last axis is that of the outputs
    by_output: Any
    about: dict[str, Any]  # for results.json: on what they were trained, and how long


def differing(first: FoldState, second: FoldState) -> Any:
    """Return which parameters have other shapes in two networks.

    Args:
        first: abstract state of a network.
        second: that of the same network with another number of outputs.

    Returns:
        A tree of bool: whether the last axis of a parameter is that of the outputs.
    """
    return jax.tree.map(lambda a, b: a.shape != b.shape, first.params, second.params)


def begin(
    pretrained: Pretrained, seed: np.ndarray, outputs: tuple[str, ...], states: FoldState
) -> FoldState:
    """Return states of runs that begin with pretrained parameters.

    An output that the pretraining did not learn keeps the weights it was drawn with, and so does
    the optimizer.

    Args:
        pretrained: of the same network.
        seed: int[m], of the runs; of fewer pretrained seeds, each serves several.
        outputs: what each output of the runs learns.
        states: [m, ...], on the host.
    """
    common = [name for name in outputs if name in pretrained.outputs]
    into = [outputs.index(name) for name in common]
    source = [pretrained.outputs.index(name) for name in common]

    def of_runs(leaf: Array) -> Array:
        return np.asarray(leaf)[seed % len(leaf)]

    def begun(fresh: Array, trained: Array, by_output: bool) -> Array:
        if not by_output:
            return of_runs(trained)
        mixed = np.array(fresh)
        mixed[..., into] = of_runs(trained)[..., source]
        return mixed

    return states._replace(
        params=jax.tree.map(begun, states.params, pretrained.params, pretrained.by_output),
        batch_stats=jax.tree.map(of_runs, pretrained.batch_stats),
    )
