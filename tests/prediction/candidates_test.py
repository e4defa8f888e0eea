"""Candidates for micro-expressions, on a drawn recording of three seconds."""

from collections.abc import Iterable

import numpy as np
import pytest

from mer_jax.evaluation import intervals
from mer_jax.prediction import candidates
from tests.support import drawn_recordings
from tfds_builders.videos import Frame

FPS = 30
FIRST = 500  # number of the first frame


@pytest.fixture(scope='module')
def plan():
    """A smile after a blink."""
    return drawn_recordings.plan(12, 3.0, micro=1, slow=0, closures=2)


def filmed(plan: drawn_recordings.Plan) -> list[Frame]:
    """Its frames, numbered as in a folder that begins late."""
    drawn = drawn_recordings.frames(plan, FPS)
    return [Frame(FIRST + number, ms, gray) for number, ms, gray in drawn]


def search(frames: Iterable[Frame]) -> list[candidates.Candidate]:
    """All candidates of frames."""
    state, results = candidates.init(), []
    for frame in frames:
        state, certain = candidates.step(state, frame)
        results += certain
    return results + candidates.finish(state)


def test_an_expression_is_spotted_and_a_blink_is_not(plan):
    """Nothing else would show that the search works: the verb predicts for what it returns."""
    results = search(filmed(plan))
    (true,) = drawn_recordings.micro(plan, FPS)
    assert len(results) == 1
    spotted = np.array(results[0][:3]) - FIRST
    assert intervals.overlaps([true[::2]], [spotted[::2]]) >= intervals.IOU
    assert abs(spotted[1] - true[1]) <= 2
    assert results[0].strength >= candidates.Options().threshold


def test_a_face_without_expression_has_no_candidate(plan):
    """An answer to noise and blinks is the mistake that the noise floor is there to prevent."""
    assert search(filmed(drawn_recordings.still(plan))) == []


def test_recordings_without_anything_to_search(plan):
    """No frame, one frame, equal frames and no face must end as 'nothing', never in an error."""
    first = next(drawn_recordings.frames(plan, FPS))[2]
    one = Frame(0, 0.0, first)
    assert candidates.finish(candidates.init()) == []
    assert search([one]) == []
    assert search(one._replace(number=number, ms=40.0 * number) for number in range(20)) == []
    black = np.zeros_like(first)
    assert search(Frame(number, 40.0 * number, black) for number in range(20)) == []


def test_a_face_that_is_lost_is_looked_for_again(plan):
    """A search that ends with the first cut would silently pass over the rest of a recording."""
    frames = filmed(plan)
    dark = [frame._replace(gray=np.zeros_like(frame.gray)) for frame in frames[:3]]
    begin = frames[2].ms + 1000 / FPS
    shifted = [frame._replace(ms=frame.ms + begin, number=frame.number + 3) for frame in frames]
    (result,) = search([*dark, *shifted])
    (true,) = drawn_recordings.micro(plan, FPS)
    assert result.apex - 3 - FIRST == pytest.approx(true[1], abs=2)


def test_what_is_kept_is_bounded(plan):
    """A state that grows with the recording would end an hour of a camera in a full memory."""
    gray = next(drawn_recordings.frames(plan, FPS))[2]
    state = candidates.init(candidates.Options(rate=4))
    for number in range(100):
        state, _ = candidates.step(state, Frame(number, 250.0 * number, gray))
    assert state.samples[-1].ms - state.samples[0].ms < 10_000
    assert len(state.frames) == len(state.samples)
