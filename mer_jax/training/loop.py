"""The loop over epochs on the host. Its caller logs, stores and saves after each chunk of them."""

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

CHUNK = 256  # most epochs in one compiled call, and the length of its log
# seconds a compiled call: often enough for a progress bar, seldom enough that entering it costs
# nothing
PACE = 10.0


class Chunk(NamedTuple):
    """The epochs that one compiled call trained."""

    epoch: int  # the last one, counted from 1 and from the start of the training
    states: Any  # behind it; the next call may overwrite them
    logs: dict[str, np.ndarray]  # each [F, count], of `count` epochs
    seconds: float  # all of them took


def fit(
    train: Callable, states, *, done: int, epochs: int, longest: int = CHUNK
) -> Iterator[Chunk]:
    """Train all runs from epoch `done` to `epochs`, and hand out each chunk of epochs.

    A chunk has as many epochs as pass in about PACE seconds. Their number changes no bit of the
    result.

    Args:
        train: (states, done, count) -> (states, logs {name: [F, longest]}), a compiled call that
            trains `count` epochs and may take the memory of the states that it is given.
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
        seconds, done = time.perf_counter() - start, done + count
        yield Chunk(done, states, logs, seconds)
        count = int(np.clip(PACE * count / max(seconds, 1e-6), 1, min(longest, 4 * count)))
