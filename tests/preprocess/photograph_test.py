"""A photograph before the network: the drawn faces share what draws them, a real one does not."""

import cv2
import numpy as np
import pytest

from mer_jax.preprocess import face, flow
from tests.support import photograph
from tests.support.photograph import BROWS, EYES, MOUTH

pytest.importorskip('skimage', reason='scikit-image holds the photograph (requirements-dev.txt)')
SIZE = 128
APEX = 3  # number of the frame
# of the motion where it is strong, by its mean error
SHARE_LOST = {'tvl1': 0.4, 'farneback': 0.3, 'dis': 0.6}
LARGEST_JITTER = 4  # pixels of the crop
MUSCLES = {'brows': BROWS, 'mouth': MOUTH}


@pytest.fixture(scope='module')
def picture():
    return photograph.photograph()


@pytest.fixture(scope='module')
def crop(picture):
    """Where the face is found in the onset frame."""
    return face.find(picture, size=SIZE, cropped=False)


@pytest.fixture(scope='module')
def video(picture):
    """Frames of a short video in which brows and mouth move, uint8[7, 512, 512]."""
    return photograph.video(picture, BROWS + MOUTH, count=7, apex=APEX)


@pytest.fixture(scope='module')
def pairs(picture, crop):
    """{muscles: uint8[2, SIZE, SIZE]}, the crops of onset and apex."""
    cropped = {}
    for name, muscles in MUSCLES.items():
        frames = [photograph.moved(picture, muscles, share, seed=share) for share in (0, 1)]
        cropped[name] = np.stack([face.cut(frame, crop) for frame in frames])
    return cropped


def true_motion(crop, muscles):
    """float64[SIZE, SIZE, 2]: how each pixel of the crop of the onset moves until the apex."""
    at = np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE)), -1).astype(np.float64)
    in_frame = face.transform(cv2.invertAffineTransform(crop.matrix), at)
    return photograph.displacement(muscles, in_frame) @ crop.matrix[:, :2].T


def test_the_face_of_a_photograph_is_found(crop):
    """Cascades that see drawn faces alone would cut every recording in its middle."""
    assert crop.how == 'haar and eyes'
    eyes = face.transform(crop.matrix, EYES)
    wanted = face.EYES_AT * SIZE - 0.5
    assert np.linalg.norm(eyes - wanted, axis=1).max() < 0.1 * np.ptp(wanted[:, 0])


def test_an_expression_moves_the_crop_by_little(video, crop):
    """A crop that follows a brow would take its motion for the head's: a clip with another onset
    must be cut nearly alike.
    """
    corners = np.array([[0, 0], [SIZE - 1, 0], [0, SIZE - 1], [SIZE - 1, SIZE - 1]])
    back = face.transform(cv2.invertAffineTransform(crop.matrix), corners)
    for frame in video[::2]:
        again = face.find(frame, size=SIZE, cropped=False)
        assert again.how == crop.how
        assert np.abs(face.transform(again.matrix, back) - corners).max() < LARGEST_JITTER


# name -> (share of the light, noise in gray levels, degrees clockwise)
SEEN = {
    'half the light': (0.5, 0, 0),
    'a quarter of the light': (0.25, 0, 0),
    'noise': (1, 10, 0),
    'turned a little': (1, 0, 5),
    'turned back': (1, 0, -15),
}
LOST = {'an eighth of the light': (0.125, 0, 0), 'turned': (1, 0, 20), 'turned far': (1, 0, 40)}


@pytest.mark.parametrize('light, noise, degrees', (SEEN | LOST).values(), ids=SEEN | LOST)
def test_what_is_dim_noisy_or_turned_is_found_or_said_to_be_lost(light, noise, degrees, picture):
    """A crop beside the face that says that it is one of the face would train unseen."""
    changed = photograph.turned(picture, degrees) if degrees else picture
    changed = photograph.moved(changed, (), 0.0, light=light, noise=noise, seed=0)
    crop = face.find(changed, size=SIZE, cropped=False)
    if (light, noise, degrees) in SEEN.values():
        assert crop.how == 'haar and eyes'
    if crop.how == 'whole frame':
        return
    (ax, ay), (bx, by) = EYES
    tilt = np.degrees(np.arctan2(by - ay, bx - ax))
    assert abs(crop.angle - tilt - degrees) < 3


@pytest.mark.parametrize('method', flow.METHODS)
@pytest.mark.parametrize('name', MUSCLES)
def test_flow_is_the_known_motion_of_the_skin(name, method, pairs, crop):
    """Skin has less texture than drawn faces: flow that smooths a brow away, or points elsewhere,
    would leave nothing to recognise.
    """
    truth = true_motion(crop, MUSCLES[name])
    measured = flow.estimate(*pairs[name], method=method)
    length = np.linalg.norm(truth, axis=-1)
    error = np.linalg.norm(measured - truth, axis=-1)
    moving, still = length > 0.5 * length.max(), length < 0.02 * length.max()
    assert 2 < length.max() < 3
    assert error[moving].mean() < SHARE_LOST[method] * length[moving].mean()
    assert error[still].mean() < 0.1
    assert np.corrcoef(measured.ravel(), truth.ravel())[0, 1] > 0.9


def test_the_frame_that_moves_most_is_the_apex(video, crop):
    """Releases without an apex, and recordings, are given it by this motion."""
    onset, *others = [face.cut(frame, crop) for frame in video]
    assert 1 + flow.strongest(onset, others, method='farneback') == APEX
    assert 1 + flow.apex(onset, others) == APEX
