"""The loop over epochs on the host, as a generator: its caller logs and saves after each chunk."""

import time
from collections.abc import Callable, Iterator
from typing import Generic, NamedTuple, TypeVar

import jax
import numpy as np

CHUNK = 256  # most epochs in one compiled call, and the length of its log
# Seconds of a compiled call: often enough for a progress bar, seldom enough that entering it costs
# nothing.
PACE = 10.0

States = TypeVar('States')  # FoldState of all runs, or what another training changes


class Chunk(NamedTuple, Generic[States]):
    """The epochs that one compiled call trained."""

    epoch: int  # the last one, counted from 1 and from the start of the training
    states: States  # after it; the next call may overwrite them
    logs: dict[str, np.ndarray]  # each [F, count], of `count` epochs
    seconds: float  # that all of them took


def fit(
    train: Callable[[States, np.int32, np.int32], tuple[States, dict[str, jax.Array]]],
    states: States,
    *,
    done: int,
    epochs: int,
    longest: int = CHUNK,
) -> Iterator[Chunk[States]]:
    """Train all runs, and yield each chunk of epochs.

    A chunk has as many epochs as pass in about PACE seconds. How many they are does not change the
    result.

    Args:
        train: (states, done, count) -> (states, logs {name: [F, longest]}); trains `count` epochs
            and may overwrite the states that it is given.
        states: after epoch `done`.
        done: epochs that are trained already.
        epochs: epochs in all.
        longest: most epochs in a chunk.

    Yields:
        The chunks, the last one with epoch `epochs`; none where no epoch is left.
    """
    count = 1
    while done < epochs:
        start = time.perf_counter()
        count = min(count, epochs - done)
        states, logs = train(states, np.int32(done), np.int32(count))
        logs = {name: np.asarray(log)[:, :count] for name, log in logs.items()}
        seconds = time.perf_counter() - start
        done += count
        yield Chunk(done, states, logs, seconds)
        fitting = PACE * count / max(seconds, 1e-6)
        count = int(np.clip(fitting, 1, min(longest, 4 * count)))
