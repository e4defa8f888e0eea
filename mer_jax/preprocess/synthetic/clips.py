"""Clips of drawn faces with their exact truth, each from its own generator: (seed, subject, number
of the clip).
"""

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
    drawing: np.ndarray  # float32, see drawing.neutral
    style: emotions.Style


class Job(NamedTuple):
    """A clip yet to be rendered: all that decides its content."""

    seed: int
    number: int  # of the subject, from 1
    index: int  # of the clip within the subject, from 0
    emotion: str
    varied: bool  # timing: see varied_timing


class Clip(NamedTuple):
    """One rendered clip; frame k of `frames` has the number first_frame + k. Key frames: onset,
    apex, offset.
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
    # float32[SIZE, SIZE, 2], facial and head motion together: pixel x of the onset frame is found
    # at x + displacement(x) in the apex frame
    displacement: np.ndarray
    # float32[T], pixels by which the expression (without the head) moves what it moves most, in
    # each frame
    moved: np.ndarray
    clean: np.ndarray  # float32[2, SIZE, SIZE], onset and apex without noise and flicker


def generator(*entropy):
    """A numpy Generator for whole numbers; the same numbers always give the same stream."""
    return np.random.Generator(np.random.PCG64(entropy))


def person(seed, number):
    """Subject `number` (1..) of a data set with `seed`."""
    rng = generator(seed, number, 0)
    face = identity.draw(rng)
    points = landmarks.place(face)
    return Person(points, neutral(face, points), emotions.style(rng))


def facial(rng, points, style, emotion):
    """Action units and bells of one expression, scaled to micro size: about 1-3 pixels at the peak,
    never folding.
    """
    action_units, moves = emotions.express(rng, style, emotion)
    bells = muscles.pushes(points, moves)
    field = muscles.displacement(bells, motion.pixels())
    peak = np.linalg.norm(field, axis=-1).max()
    steepest = max(np.abs(np.gradient(field, axis=axis)).max() for axis in (0, 1))
    wanted = np.clip(style.peak * rng.lognormal(0, 0.3), 0.7, 3.0)
    bells[:, 2:4] *= min(wanted / peak, STEEPEST / steepest)
    return action_units, bells


def timing(rng, length):
    """Indices (onset, apex, offset) and the count of frames: under 0.5 s, the apex at 35-65 % of
    it, rest around it.
    """
    lead, tail = rng.integers(3, 7, 2)
    span = int(np.clip(rng.normal(length, 4), 20, 48))
    apex = lead + round(span * rng.triangular(0.35, 0.45, 0.65))
    return int(lead), int(apex), int(lead + span), int(lead + span + tail + 1)


def varied_timing(rng, length):
    """As timing, at twice the frame rate, and as uneven as CASME II's clips: some 67 frames, the
    apex at 0.515 of them in the mean and off the middle by an eighth of them (an eighth of 67
    frames is 8).
    """
    lead, tail = rng.integers(3, 7, 2)
    span = int(np.clip(rng.normal(2 * length, 12), 30, 99))
    apex = lead + int(np.clip(round(span * rng.beta(4.7, 4.4)), 3, span - 3))
    return int(lead), int(apex), int(lead + span), int(lead + span + tail + 1)


def make(seed, number, index, emotion, subject, *, varied=False):
    """The Clip `index` (0..) of a Person, from the generator of (seed, number, index) alone."""
    rng = generator(seed, number, 1 + index)
    style, seat = subject.style, rng.uniform(-2.5, 2.5, 2)  # where the head is in this clip
    points = subject.points + seat
    action_units, bells = facial(rng, points, style, emotion)
    onset, apex, offset, count = (varied_timing if varied else timing)(rng, style.length)
    first = int(rng.integers(1, 200))
    course = motion.time_course(count, onset, apex, offset)
    pose = motion.head_pose(
        rng, count, onset, shift=style.shift, turn=style.turn, window=48 if varied else 24
    )
    field, light = muscles.displacement(bells, motion.pixels()), rng.uniform(0.92, 1.05)
    clean = np.float32(light) * motion.film(subject.drawing, field, course, pose, seat)
    key_points = [points, motion.turned(points + muscles.displacement(bells, points), pose[apex])]
    return Clip(
        clip=f's{number:02d}_{emotion}_{index:02d}',
        subject=f's{number:02d}',
        emotion=emotion,
        action_units=action_units,
        first_frame=first,
        onset=first + onset,
        apex=first + apex,
        offset=first + offset,
        fps=FPS * (2 if varied else 1),
        frames=motion.exposed(rng, clean, noise=style.noise, flicker=style.flicker),
        landmarks=np.stack([*key_points, motion.turned(points, pose[offset])]).astype(np.float32),
        displacement=(motion.turned(motion.pixels() + field, pose[apex]) - motion.pixels()).astype(
            np.float32
        ),
        moved=(course * np.linalg.norm(field, axis=-1).max()).astype(np.float32),
        clean=clean[[onset, apex]],
    )


def jobs(plan, *, seed):
    """A Job for every clip of PLANS[plan], subject after subject, but for the emotions of
    NOT_DRAWN.
    """
    every = [
        Job(seed, number, index, emotion, plan in VARIED)
        for number, counts in enumerate(PLANS[plan].values(), 1)
        for index, emotion in enumerate(np.repeat(emotions.EMOTIONS, counts).tolist())
    ]
    return [job for job in every if job.emotion not in NOT_DRAWN.get(plan, ())]


def render(job):
    """The Clip of a Job, the same whatever was rendered before it; safe to call from several
    threads.
    """
    return make(
        job.seed,
        job.number,
        job.index,
        job.emotion,
        _person(job.seed, job.number),
        varied=job.varied,
    )


# a face takes longer to draw than its clip; more than any plan has subjects
_person = lru_cache(maxsize=128)(person)


def clips(plan, *, seed):
    """Every Clip of PLANS[plan], one after another; ids 's01_happiness_03' are unique."""
    return map(render, jobs(plan, seed=seed))
