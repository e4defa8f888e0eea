"""The loop over epochs: where its chunks end."""

import numpy as np
import pytest

from mer_jax.training import loop


@pytest.mark.parametrize('done', [0, 2, 5])
def test_a_chunk_ends_at_every_stop_and_no_epoch_is_trained_twice(done):
    """An epoch in the middle of a chunk leaves no state, so that its outputs could not be kept."""
    trained = []

    def train(states, first, count):
        trained.extend(range(first + 1, first + count + 1))
        return states + count, {'loss': np.zeros((1, 64))}

    chunks = list(
        loop.train_in_chunks(train, done, done=done, epochs=40, longest=64, stops=(2, 5, 23, 40))
    )
    ends = [chunk.epoch for chunk in chunks]
    assert {stop for stop in (2, 5, 23, 40) if stop > done} <= {*ends}
    assert trained == list(range(done + 1, 41)) and ends[-1] == 40
    assert all(chunk.states == chunk.epoch for chunk in chunks)
