"""The loop over epochs: several are trained by each compiled call.

It runs on the host, as a generator: its caller logs and saves after each chunk of epochs.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from mer_jax.training import hosts
from mer_jax.types import Logs

CHUNK = 256  # most epochs in one compiled call, and the length of its log
# Seconds that a compiled call should take: short for the progress bar, long enough to hide the cost
# of a call.
PACE = 10.0

States = TypeVar('States')  # what training changes: FoldState, or that of another training


class Chunk(NamedTuple, Generic[States]):
    """The epochs that one compiled call trained."""

    epoch: int  # number of the last of these epochs; the training begins with epoch 1
    states: States  # after that epoch; the next call may overwrite them
    logs: dict[str, np.ndarray]  # {name: [F, count]}, a column for each of these epochs
    seconds: float  # of all these epochs together


def train_in_chunks(
    train: Callable[[States, np.int32, np.int32], tuple[States, Logs]],
    states: States,
    *,
    done: int,
    epochs: int,
    longest: int = CHUNK,
    stops: Sequence[int] = (),
) -> Iterator[Chunk[States]]:
    """Train to the end, chunk after chunk.

    The first chunk is one epoch; the others have as many epochs as take about PACE seconds. The
    result does not depend on how many these are.

    Args:
        train: (states, done, count) -> (states, logs {name: [F, longest]}); trains `count` epochs
            and may overwrite the states that it is given.
        states: after epoch `done`.
        done: epochs that are trained already.
        epochs: epochs of the whole training.
        longest: most epochs in a chunk.
        stops: epochs that must end a chunk, rising.

    Yields:
        The chunks; the last one ends with epoch `epochs`. Nothing, where no epoch is left.
    """
    count = 1
    while done < epochs:
        start = time.perf_counter()
        nearest = next((stop for stop in stops if stop > done), epochs)
        count = min(count, nearest - done)
        states, logs = train(states, np.int32(done), np.int32(count))
        logs = {name: np.asarray(log)[:, :count] for name, log in logs.items()}
        seconds = time.perf_counter() - start
        done += count
        yield Chunk(done, states, logs, seconds)
        # as long on all hosts, whose clocks differ
        epochs_in_pace = PACE * count / max(hosts.agreed(seconds), 1e-6)
        # A single timing may be wrong: a chunk is at most four times as long as the last one.
        count = int(np.clip(epochs_in_pace, 1, min(longest, 4 * count)))
