"""Motion of the cells of a face, without that of the head."""

import cv2
import numpy as np
import pytest

from mer_jax.prediction import motion
from mer_jax.preprocess import face
from mer_jax.preprocess.synthetic import clips
from mer_jax.preprocess.synthetic import motion as drawn_motion
from mer_jax.preprocess.synthetic.brush import SCALE

MOUTH = (64.0, 98.0)


@pytest.fixture(scope='module')
def portrait():
    """A drawn face, uint8[384, 384]."""
    return clips.person(3, 1).drawing.astype(np.uint8)


def turned(picture: np.ndarray, *, shift: tuple[float, float], angle: float) -> np.ndarray:
    """The picture as if the head had moved; shift in its pixels, angle in degrees."""
    side = picture.shape[0]
    matrix = cv2.getRotationMatrix2D((side / 2, side / 2), angle, 1)
    matrix[:, 2] += shift
    return cv2.warpAffine(picture, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)


def smiling(picture: np.ndarray) -> np.ndarray:
    """The picture with the mouth raised by 1.5 face pixels."""
    x, y = np.moveaxis(drawn_motion.pixels(), -1, 0)
    bell = np.exp(-(((x - MOUTH[0]) / 14) ** 2) - ((y - MOUTH[1]) / 8) ** 2)
    bell = cv2.resize((1.5 * SCALE * bell).astype(np.float32), picture.shape)
    line = np.arange(picture.shape[0], dtype=np.float32)
    across, down = np.meshgrid(line, line)
    return cv2.remap(picture, across, down + bell, cv2.INTER_LINEAR)


def test_the_head_is_removed_and_the_mouth_stays(portrait):
    """If the head stayed, every nod would be a candidate; if the mouth went too, no smile were."""
    place = motion.view(portrait)
    first = motion.cut(portrait, place.crop)
    moved = turned(smiling(portrait), shift=(4, -3), angle=1.0)
    result = motion.between(first, motion.cut(moved, place.crop), place)
    length = np.linalg.norm(result.cells, axis=-1)
    scale = np.hypot(*place.crop.matrix[:, 0])
    to_crop = face.transform(place.crop.matrix, SCALE * np.array(MOUTH) + 1)
    column, row = (to_crop // motion.CELL).astype(int)
    smile = length[row - 1 : row + 2, column - 1 : column + 2].max()
    assert smile == pytest.approx(1.5 * SCALE * scale, rel=0.5)
    upper = np.arange(motion.CELLS)[:, None] < place.eyes.any(1).argmax()
    assert np.median(length[place.inside & upper]) < 0.15 * smile
    assert motion.head_shift(result.head) > 3 * scale


def test_the_crop_is_that_of_the_builders(portrait):
    """Another sampling of the same square would move the landmarks off the features."""
    big = cv2.resize(portrait, (900, 900), interpolation=cv2.INTER_CUBIC)
    crop = face.find(big, size=motion.SIZE, cropped=False)
    difference = motion.cut(big, crop).astype(float) - face.cut(big, crop)
    assert np.abs(difference).mean() < 1.5


def test_a_cut_loses_the_face(portrait):
    """The flow between two scenes is nonsense, and would stay in the sum of all motion."""
    track = motion.begin(portrait, 0.0)
    assert motion.follow(track, np.flipud(portrait), 40.0) == (None, None)
    assert motion.begin(np.zeros_like(portrait), 0.0) is None


def test_the_crop_follows_the_head(portrait):
    """A head that wanders would leave its cells, and in the end the crop."""
    track = motion.begin(portrait, 0.0)
    for step in range(1, 5):
        moved = turned(portrait, shift=(12 * step, 0), angle=0)
        track, total = motion.follow(track, moved, 40.0 * step)
    scale = np.hypot(*track.place.crop.matrix[:, 0])
    assert total.head[0, 2] == pytest.approx(48 * scale, rel=0.1)
    assert np.median(np.linalg.norm(total.cells[track.place.inside], axis=-1)) < 0.2
