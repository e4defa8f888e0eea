"""Losses of the face, several faces and cuts are reported; movements of a face are not."""

import functools

import cv2
import numpy as np
import pytest

from mer_jax.prediction import face_check
from mer_jax.preprocess import mtcnn
from mer_jax.preprocess.synthetic import clips
from tfds_builders.videos import CUT, NO_FACE, SEVERAL_FACES, Frame, Span

EVERY = 8


@functools.cache
def drawn(subject):
    """Frames of a drawn clip on a wall: uint8[T, 160, 320], the face in the left half."""
    person = clips.person(0, subject)
    clip = clips.make(0, subject, 0, 'happiness', person)
    return np.pad(clip.frames, ((0, 0), (16, 16), (16, 176)), constant_values=90)


def spans(frames):
    """What is wrong with frames, numbered from 100 on."""
    state, ended = face_check.init(EVERY), []
    for number, gray in enumerate(frames, 100):
        state, new = face_check.step(state, Frame(number, 0.0, gray))
        ended += new
    return ended + face_check.finish(state)


def with_blink(gray):
    """A frame with both eyes painted over."""
    painted = gray.copy()
    tone = int(np.median(gray[60:110, 50:110]))
    for x in (60, 98):
        cv2.ellipse(painted, (x, 72), (11, 5), 0, 0, 360, tone, -1)
    return painted


def test_a_face_that_moves_is_no_fault():
    """If this fails, every blink makes an answer look doubtful."""
    frames = drawn(1)
    shifted = [np.roll(frame, 3 * number, 1) for number, frame in enumerate(frames[:12])]
    bright = [cv2.convertScaleAbs(frame, alpha=1.4) for frame in frames[:4]]
    assert spans([*frames, with_blink(frames[-1]), *frames[-8:], *bright, *shifted]) == []


def test_a_detector_looks_in_place_of_haar(monkeypatch):
    """If this fails, a turned face that the model's own crop holds is refused as no face."""
    boxes = [(0.0, 0.0, 90.0, 90.0), (100.0, 0.0, 150.0, 50.0), (0.0, 0.0, 20.0, 20.0)]
    faces = [mtcnn.Face(box, 0.9, np.zeros((5, 2))) for box in boxes]
    monkeypatch.setattr(mtcnn, 'read_weights', lambda path: {})
    wall = np.full((160, 320), 90, np.uint8)
    for count, what in ((0, 0), (1, 1), (2, 2), (3, 2)):
        monkeypatch.setattr(mtcnn, 'faces', lambda gray, tensors, n=count: faces[:n])
        assert face_check.count_faces(wall, 'w.safetensors') == what
    assert face_check.count_faces(wall) == 0


def test_a_cut_to_another_person_is_seen():
    """If this fails, two faces make one movement: all of it is the difference between them."""
    first, second = drawn(1)[:20], drawn(2)[:20]
    assert spans([*first, *second, *first]) == [Span(119, 120, CUT), Span(139, 140, CUT)]


def test_a_loss_covers_all_frames_that_may_lack_a_face():
    """Only some frames are looked at: those between the last face and the first loss count too."""
    face = drawn(1)[:20]
    empty = face.copy()
    empty[:, 16:144, 16:144] = 90
    ended = spans([*face, *empty[:20], *face])
    assert [span for span in ended if span.what == NO_FACE] == [Span(120, 139, NO_FACE)]
    one_frame = [*face, empty[0], *face[1:]]
    assert not [span for span in spans(one_frame) if span.what == NO_FACE]


def test_two_faces_are_seen():
    """If this fails, nobody learns that the answer may be about a bystander."""
    both = np.maximum(drawn(1)[:20], np.roll(drawn(2)[:20], 160, 2))
    assert [span.what for span in spans(both)] == [SEVERAL_FACES]
    small = drawn(1)[:20].copy()
    small[:, 50:110, 210:270] = [
        cv2.resize(frame, (60, 60)) for frame in drawn(2)[:20, 16:144, 16:144]
    ]
    assert spans(small) == []  # never the largest


@pytest.mark.parametrize(
    ('what', 'onset', 'offset', 'concerned'),
    [
        (CUT, 100, 119, False),
        (CUT, 119, 120, True),
        (CUT, 120, 130, False),
        (NO_FACE, 110, 119, True),
        (NO_FACE, 120, 130, True),
        (NO_FACE, 121, 130, False),
    ],
)
def test_only_movements_that_a_span_concerns_are_marked(what, onset, offset, concerned):
    """A movement that ends before a cut is sound; one with a frame without a face is not."""
    marks = face_check.concerns([Span(119, 120, what)], onset, offset)
    assert marks == ([what] if concerned else [])
