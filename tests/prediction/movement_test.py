"""Movement in words: the region and direction that a known motion of a drawn face has."""

import cv2
import numpy as np
import pytest

from mer_jax.errors import UserError
from mer_jax.prediction import movement
from mer_jax.preprocess import flow, landmarks
from mer_jax.preprocess.synthetic import motion, muscles
from mer_jax.runfiles.prediction_file import PHASES

RISE, FALL = PHASES
POINTS = landmarks.mean_shape() * 44.8 + (63.5, 43.0)  # eyes as the builders' crops have them
POSE = np.array([2.1, -1.4, 0.02])  # a head that moves further than the face


def field(*units, pose=POSE, pixels=1.5):
    """Flow of action units (number, right, left) at this peak, and of the head."""
    facial = muscles.displacement(muscles.pushes(POINTS, units), motion.pixels())
    peak = np.linalg.norm(facial, axis=-1).max()
    moved = motion.pixels() + facial * (pixels / peak if peak else 0)
    return motion.apply_pose(moved, pose) - motion.pixels()


@pytest.mark.parametrize(
    ('unit', 'words'),
    [
        ((1, 1, 1), 'inner brows up'),
        ((2, 0, 1), 'left outer brow up'),
        ((4, 1, 1), 'inner brows down and inward'),
        ((5, 1, 1), 'upper eyelids up'),
        ((6, 1, 1), 'cheeks up'),
        ((9, 1, 1), 'sides of the nose up'),
        ((12, 1, 1), 'mouth corners up and outward'),
        ((12, 0, 1), 'left mouth corner up and outward'),
        ((15, 1, 0), 'right mouth corner down'),
        ((17, 1, 1), 'chin up'),
        ((25, 1, 1), 'lower lip down'),
    ],
)
def test_what_moves_most_is_named_first(unit, words):
    """A wrong side or direction is a wrong answer, however good the class is."""
    moved = movement.of_flow(field(unit), POINTS, phase=RISE)
    assert moved[0].words == words and moved[0].phase == RISE
    assert [one.pixels for one in moved] == sorted((one.pixels for one in moved), reverse=True)
    assert 0.7 < moved[0].pixels < 1.5  # the mean of a region is below the peak


@pytest.mark.parametrize('pose', [np.zeros(3), POSE, (6.0, 3.0, -0.05)])
def test_the_motion_of_the_head_is_no_movement_of_the_face(pose):
    """A nod would move every region."""
    assert movement.of_flow(field(pose=pose), POINTS, phase=RISE) == ()
    still = movement.of_flow(field((12, 0, 1), pose=np.zeros(3)), POINTS, phase=RISE)
    moving = movement.of_flow(field((12, 0, 1), pose=pose), POINTS, phase=RISE)
    assert moving[0].words == still[0].words
    assert moving[0].pixels == pytest.approx(still[0].pixels, abs=0.1)


def test_lengths_are_those_of_a_crop_of_128_pixels():
    """The same movement in a larger crop must not look stronger."""
    small = movement.of_flow(field((1, 1, 1)), POINTS, phase=RISE)[0]
    large = cv2.resize(2 * field((1, 1, 1)), (256, 256), interpolation=cv2.INTER_LINEAR)
    twice = movement.of_flow(large, 2 * POINTS + 0.5, phase=RISE)[0]
    assert twice.words == small.words
    assert twice.pixels == pytest.approx(small.pixels, rel=0.05)
    assert twice.share == pytest.approx(small.share, rel=0.05)
    width = np.linalg.norm(POINTS[16] - POINTS[0])
    assert small.share == pytest.approx(small.pixels / width)


def test_a_mirrored_face_moves_on_the_other_side():
    """Left is the subject's left; in the picture it is on the right."""
    flipped = field((12, 0, 1), pose=np.zeros(3))[:, ::-1] * (-1, 1)
    moved = movement.of_flow(flipped, (127, 0) + POINTS[order()] * (-1, 1), phase=RISE)
    assert moved[0].words == 'right mouth corner up and outward'


def order():
    """Landmarks of the mirrored face, in 300-W order."""
    mirrored = landmarks.mean_shape() * (-1, 1)
    distance = np.linalg.norm(mirrored[:, None] - landmarks.mean_shape()[None], axis=-1)
    return distance.argmin(0)


def test_a_turned_face_has_its_directions_with_it():
    """Up is towards the forehead, not towards the top of the picture."""
    turned = np.rot90(field((1, 1, 1), pose=np.zeros(3)))  # counter-clockwise in the picture
    turned = np.stack([turned[..., 1], -turned[..., 0]], -1)
    points = np.stack([POINTS[:, 1], 127 - POINTS[:, 0]], -1)
    assert movement.of_flow(turned, points, phase=RISE)[0].words == 'inner brows up'


def test_frames_give_both_phases():
    """What went up until the apex comes down after it; still frames have no movement."""
    rng = np.random.default_rng(0)
    texture = cv2.GaussianBlur(rng.uniform(0, 255, (128, 128)).astype(np.float32), (0, 0), 2)
    texture = cv2.normalize(texture, None, 30, 220, cv2.NORM_MINMAX)
    onto = (motion.pixels() - field((17, 1, 1), pose=np.zeros(3))).astype(np.float32)
    onset = texture.astype(np.uint8)
    apex = cv2.remap(texture, onto, None, cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)
    rise = flow.dis(onset, apex)
    moved = movement.between((onset, apex, onset), POINTS, rise=rise)
    first = {phase: next(one for one in moved if one.phase == phase) for phase in PHASES}
    assert first[RISE].words == 'chin up' and first[FALL].words == 'chin down'
    still = np.zeros((128, 128, 2))
    given = movement.between((onset, apex, onset), POINTS, rise=still)
    assert {one.phase for one in given} == {FALL}
    assert movement.between((onset, onset, onset), POINTS, rise=still) == ()


def test_landmarks_outside_of_the_picture_or_none():
    """A face at the edge of a frame is answered; landmarks that are no numbers are refused."""
    assert movement.of_flow(field(), POINTS + 500, phase=RISE) == ()
    assert movement.of_flow(field((2, 1, 1)), POINTS - (60, 0), phase=RISE) is not None
    with pytest.raises(UserError, match='movement'):
        movement.of_flow(field(), np.full((68, 2), np.nan), phase=RISE)
