"""Clips of drawn faces, with all that is exactly known of them.

Each has a random generator of its own.

The generator is seeded with (seed, subject, number of the clip).
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from mer_jax.preprocess.synthetic import emotions, identity, landmarks, motion, muscles
from mer_jax.preprocess.synthetic.drawing import neutral
from mer_jax.preprocess.synthetic.plans import NOT_DRAWN, PLANS, VARIED

FPS = 100.0  # twice as many in plans of VARIED
# bound on the gradient of the facial displacement; at 1 the face would fold over itself
STEEPEST = 0.6


class Person(NamedTuple):
    """One subject: the face at rest and its style."""

    points: np.ndarray  # float32[68, 2]
    drawing: np.ndarray  # float32, as of drawing.neutral
    style: emotions.Style


class Job(NamedTuple):
    """All that decides the content of a clip, before it is drawn."""

    seed: int
    number: int  # of the subject, from 1
    index: int  # of the clip within the subject, from 0
    emotion: str
    varied: bool  # timing as of varied_timing


class Clip(NamedTuple):
    """One rendered clip.

    Frame k of `frames` has the number first_frame + k. Key frames: onset, apex, offset.
    """

    clip: str
    subject: str
    emotion: str
    action_units: str
    first_frame: int
    onset: int
    apex: int
    offset: int
    fps: float
    frames: np.ndarray  # uint8[T, SIZE, SIZE], with camera noise and flicker
    landmarks: np.ndarray  # float32[3, 68, 2] (x, y) in the key frames
    # float32[SIZE, SIZE, 2], facial and head motion together: pixel x of the onset frame is at
    # x + displacement(x) in the apex frame
    displacement: np.ndarray
    # float32[T], pixels by which the expression (without the head) moves what it moves most, in
    # each frame
    moved: np.ndarray
    clean: np.ndarray  # float32[2, SIZE, SIZE], onset and apex without noise and flicker


class Timing(NamedTuple):
    """The key frames of a clip, and its length in frames."""

    onset: int
    apex: int
    offset: int
    frames: int


def generator(*entropy: int) -> np.random.Generator:
    """Return a random generator that whole numbers determine."""
    return np.random.Generator(np.random.PCG64(entropy))


def person(seed: int, number: int) -> Person:
    """Subject `number` (1..) of a data set with `seed`."""
    rng = generator(seed, number, 0)
    face = identity.draw(rng)
    points = landmarks.place(face)
    return Person(points, neutral(face, points), emotions.style(rng))


def facial(
    rng: np.random.Generator, points: np.ndarray, style: emotions.Style, emotion: str
) -> tuple[str, np.ndarray]:
    """Return action units and motion of one micro-expression.

    About 1-3 pixels at the peak, never folding.

    Args:
        rng: draws the expression.
        points: landmarks [68, 2] of the face.
        style: how the person expresses.
        emotion: which.

    Returns:
        The action units as annotators write them, and bells as of muscles.pushes.
    """
    action_units, moves = emotions.express(rng, style, emotion)
    bells = muscles.pushes(points, moves)
    field = muscles.displacement(bells, motion.pixels())
    peak = np.linalg.norm(field, axis=-1).max()
    steepest = max(np.abs(np.gradient(field, axis=axis)).max() for axis in (0, 1))
    size = np.clip(style.peak * rng.lognormal(0, 0.3), 0.7, 3.0)
    bells[:, 2:4] *= min(size / peak, STEEPEST / steepest)
    return action_units, bells


def timing(rng: np.random.Generator, length: float) -> Timing:
    """Draw the key frames of a clip under 0.5 s.

    The face rests before and after.

    The apex lies at 35-65 % of it.

    Args:
        rng: draws them.
        length: usual frames from onset to offset.
    """
    lead, tail = rng.integers(3, 7, 2)
    span = int(np.clip(rng.normal(length, 4), 20, 48))
    rise = round(span * rng.triangular(0.35, 0.45, 0.65))
    return _timing(lead, rise, span, tail)


def varied_timing(rng: np.random.Generator, length: float) -> Timing:
    """Draw key frames as uneven as those of CASME II.

    As timing, at twice the frame rate.

    Those have some 67 frames, with the apex at 0.515 of them in the mean and off the middle by an
    eighth of them (an eighth of 67 frames is 8).
    """
    lead, tail = rng.integers(3, 7, 2)
    span = int(np.clip(rng.normal(2 * length, 12), 30, 99))
    rise = int(np.clip(round(span * rng.beta(4.7, 4.4)), 3, span - 3))
    return _timing(lead, rise, span, tail)


def _timing(lead, rise, span, tail):
    """Return the key frames of four lengths in frames.

    Before the onset, to the apex, to the offset and after it.
    """
    return Timing(int(lead), int(lead + rise), int(lead + span), int(lead + span + tail + 1))


def make(
    seed: int, number: int, index: int, emotion: str, subject: Person, *, varied: bool = False
) -> Clip:
    """Draw a clip of a person.

    It depends on (seed, number, index) alone.

    Args:
        seed: of the data set.
        number: of the subject, from 1.
        index: of the clip within the subject, from 0.
        emotion: that it shows.
        subject: the person.
        varied: timing as of varied_timing.
    """
    rng = generator(seed, number, 1 + index)
    style = subject.style
    seat = rng.uniform(-2.5, 2.5, 2)  # where the head is in this clip
    points = subject.points + seat
    action_units, bells = facial(rng, points, style, emotion)
    draw_timing = varied_timing if varied else timing
    onset, apex, offset, count = draw_timing(rng, style.length)
    first = int(rng.integers(1, 200))
    course = motion.time_course(count, onset, apex, offset)
    pose = motion.head_pose(
        rng, count, onset, shift=style.shift, turn=style.turn, window=48 if varied else 24
    )
    pixels = motion.pixels()
    field = muscles.displacement(bells, pixels)
    light = rng.uniform(0.92, 1.05)
    clean = np.float32(light) * motion.film(subject.drawing, field, course, pose, seat)
    at_apex = points + muscles.displacement(bells, points)
    key_points = [
        points,
        motion.apply_pose(at_apex, pose[apex]),
        motion.apply_pose(points, pose[offset]),
    ]
    displacement = motion.apply_pose(pixels + field, pose[apex]) - pixels
    return Clip(
        clip=f's{number:02d}_{emotion}_{index:02d}',
        subject=f's{number:02d}',
        emotion=emotion,
        action_units=action_units,
        first_frame=first,
        onset=first + onset,
        apex=first + apex,
        offset=first + offset,
        fps=2 * FPS if varied else FPS,
        frames=motion.expose(rng, clean, noise=style.noise, flicker=style.flicker),
        landmarks=np.stack(key_points).astype(np.float32),
        displacement=displacement.astype(np.float32),
        moved=(course * np.linalg.norm(field, axis=-1).max()).astype(np.float32),
        clean=clean[[onset, apex]],
    )


def jobs(plan: str, *, seed: int) -> list[Job]:
    """A job for every clip of PLANS[plan], subject after subject.

    The emotions of NOT_DRAWN are left out.
    """
    left_out = NOT_DRAWN.get(plan, ())
    drawn = []
    for number, counts in enumerate(PLANS[plan].values(), 1):
        shown = np.repeat(emotions.EMOTIONS, counts).tolist()
        for index, emotion in enumerate(shown):
            if emotion not in left_out:
                drawn.append(Job(seed, number, index, emotion, plan in VARIED))
    return drawn


def render(job: Job) -> Clip:
    """Draw the clip of a job.

    It does not depend on what was drawn before.

    Safe to call from several threads.
    """
    subject = _person(job.seed, job.number)
    return make(job.seed, job.number, job.index, job.emotion, subject, varied=job.varied)


# a face takes longer to draw than its clip; more than any plan has subjects
_person = lru_cache(maxsize=128)(person)


def clips(plan: str, *, seed: int) -> Iterator[Clip]:
    """Yield all clips of PLANS[plan].

    Their ids, such as 's01_happiness_03', are unique.
    """
    return map(render, jobs(plan, seed=seed))
