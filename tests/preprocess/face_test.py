"""The face crop of a clip: drawn faces with known landmarks in larger frames, area means by sums
and by OpenCV.
"""

import cv2
import numpy as np
import pytest

from mer_jax.errors import UserError
from mer_jax.preprocess import face
from mer_jax.preprocess.synthetic import clips


def scene(number, *, angle=0.0, scale=2.0, at=(190, 120)):
    """A drawn face, turned by `angle` degrees and enlarged, in a noisy 640 x 480 frame: (frame,
    landmarks in it).
    """
    clip = clips.make(0, number, 0, 'surprise', clips.person(0, number))
    turn = np.deg2rad(angle)
    cosine, sine = scale * np.cos(turn), scale * np.sin(turn)
    matrix = np.array([[cosine, -sine, at[0]], [sine, cosine, at[1]]])
    frame = np.clip(90 + np.random.default_rng(number).normal(0, 3, (480, 640)), 0, 255).astype(
        np.uint8
    )
    cv2.warpAffine(
        clip.frames[0],
        matrix,
        (640, 480),
        dst=frame,
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_TRANSPARENT,
    )
    return frame, face.transform(matrix, clip.landmarks[0].astype(np.float64))


def eyes_of(points):
    return np.stack([points[36:42].mean(0), points[42:48].mean(0)])


@pytest.mark.parametrize(
    'number, angle, scale', [(1, -7, 2.2), (2, 0, 1.6), (3, 8, 2), (4, 5, 2.4), (5, -3, 1.8)]
)
def test_a_drawn_face_is_levelled_with_its_eyes_at_fixed_places(number, angle, scale):
    """A wrong sign of the angle, or swapped eyes, would turn every tilted face further or upside
    down.
    """
    frame, points = scene(number, angle=angle, scale=scale)
    crop = face.find(frame, size=128, cropped=False)
    assert crop.how == 'haar and eyes' and crop.size == 128 and crop.matrix.shape == (2, 3)
    assert abs(crop.angle - angle) < 2.5
    in_crop = face.transform(crop.matrix, points)
    assert np.abs(eyes_of(in_crop) - (face.EYES_AT * 128 - 0.5)).max() < 3.5
    assert (in_crop > 0).all() and (in_crop < 127).all()  # the whole face is inside


def test_known_landmarks_level_exactly():
    """Eyes taken from other points than 36-47 would not end at the fixed places."""
    frame, points = scene(6, angle=11)
    crop = face.find(frame, size=96, cropped=False, landmarks_of=lambda gray: points)
    assert crop.how == 'landmarks' and crop.angle == pytest.approx(11, abs=0.8)
    np.testing.assert_allclose(
        eyes_of(face.transform(crop.matrix, points)), face.EYES_AT * 96 - 0.5, atol=1e-9
    )
    without = face.find(frame, size=96, cropped=False, landmarks_of=face.no_landmarks)
    assert without.how == 'haar and eyes'


def test_the_same_content_is_cut_wherever_it_stands():
    """A crop that depended on the place of the face would show another scale or shift for every
    clip.
    """
    first, second = (scene(7, at=at) for at in ((190, 120), (301, 87)))
    crops = [face.find(frame, size=64, cropped=False) for frame, _ in (first, second)]
    shift = np.array([111, -33])
    np.testing.assert_allclose(
        face.transform(crops[0].matrix, first[1]),
        face.transform(crops[1].matrix, first[1] + shift),
        atol=3,
    )


def test_without_eyes_the_box_is_used_unturned(monkeypatch):
    """A mole or a nostril taken for an eye would turn the crop upside down."""
    frame, points = scene(8)
    monkeypatch.setattr(face, 'eyes', lambda gray, box: np.zeros((0, 2)))
    crop = face.find(frame, size=128, cropped=False)
    assert crop.how == 'haar' and crop.angle == 0
    np.testing.assert_allclose(crop.matrix[[0, 1], [1, 0]], 0, atol=1e-12)
    assert (
        np.abs(eyes_of(face.transform(crop.matrix, points)) - (face.EYES_AT * 128 - 0.5)).max() < 8
    )


@pytest.mark.parametrize(
    'right, left, ratio, good',
    [
        ((0.30, 0.40), (0.70, 0.40), 1.0, True),
        ((0.30, 0.35), (0.70, 0.43), 1.2, True),
        ((0.70, 0.40), (0.30, 0.40), 1.0, False),  # swapped: the crop would stand on its head
        ((0.30, 0.30), (0.70, 0.50), 1.0, False),  # 27 degrees
        ((0.30, 0.40), (0.45, 0.40), 1.0, False),  # both on one side
        ((0.30, 0.60), (0.70, 0.60), 1.0, False),  # nostrils
        ((0.10, 0.40), (0.50, 0.40), 1.0, False),  # beside the middle
        ((0.30, 0.40), (0.70, 0.40), 2.5, False),  # an eye and a whole face
    ],
)
def test_only_plausible_pairs_are_eyes(right, left, ratio, good):
    """Haar also finds eyes in nostrils, brows and corners of the mouth."""
    assert face.plausible_eyes(np.array(right), np.array(left), ratio) == good


def test_without_a_face_the_middle_square_is_taken():
    """A clip without a face must come out and be told, not stop a build of hours."""
    crop = face.find(np.full((48, 80), 100, np.uint8), size=24, cropped=False)
    assert crop.how == 'whole frame' and crop.box == (16, 0, 64, 48) and crop.angle == 0
    corners = np.array([[15.5, -0.5], [63.5, 47.5]])
    np.testing.assert_allclose(face.transform(crop.matrix, corners), [[-0.5, -0.5], [23.5, 23.5]])


def test_a_release_crop_is_taken_whole_whatever_it_shows():
    """A crop that depended on the content would move from clip to clip of one release; a cut would
    lose the chin.
    """
    dark, noise = (
        np.zeros((340, 280), np.uint8),
        np.random.default_rng(0).integers(0, 256, (340, 280), np.uint8),
    )
    crops = [face.find(frame, size=128, cropped=True) for frame in (dark, noise)]
    assert crops[0].how == 'release crop' and crops[0].box == (0, 0, 280, 340)
    np.testing.assert_array_equal(crops[0].matrix, crops[1].matrix)
    corners = np.array([[-0.5, -0.5], [279.5, 339.5]])
    np.testing.assert_allclose(
        face.transform(crops[0].matrix, corners), [[-0.5, -0.5], [127.5, 127.5]]
    )


@pytest.mark.parametrize('shape', [(256, 256), (384, 256), (512, 640)])
def test_cut_is_the_area_mean_at_whole_ratios(shape):
    """Sampling without averaging would turn fine texture into false patterns that move:
    false flow.
    """
    frame = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    crop = face.find(frame, size=128, cropped=True)
    found = face.cut(frame, crop)
    assert found.shape == (128, 128) and found.dtype == np.uint8
    reference = cv2.resize(frame.astype(np.float64), (128, 128), interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(found, reference, atol=0.51)


def test_cut_is_close_to_the_area_mean_at_other_ratios():
    """280 x 340 to 128 is the common case of release crops."""
    frame = cv2.GaussianBlur(
        np.random.default_rng(2).integers(0, 256, (340, 280), np.uint8), (0, 0), 1
    )
    found = face.cut(frame, face.find(frame, size=128, cropped=True)).astype(float)
    reference = cv2.resize(frame.astype(np.float64), (128, 128), interpolation=cv2.INTER_AREA)
    assert np.abs(found - reference).mean() < 0.05 * reference.std()
    assert np.corrcoef(found.ravel(), reference.ravel())[0, 1] > 0.99


def test_a_turned_cut_is_the_mean_of_many_samples():
    """A shift by half a pixel in the finer grid would move every crop against its landmarks."""
    y, x = np.mgrid[:200, :200]
    frame = (128 + 60 * np.sin(x / 9.0) * np.cos(y / 13.0)).round().astype(np.uint8)
    crop = face.level_eyes(np.array([[70.0, 80.0], [130.0, 95.0]]), 48, 'haar and eyes')
    back = cv2.invertAffineTransform(crop.matrix)
    fine = (np.arange(48 * 8) + 0.5) / 8 - 0.5
    at = face.transform(back, np.stack(np.meshgrid(fine, fine), -1))
    exact = 128 + 60 * np.sin(at[..., 0] / 9.0) * np.cos(at[..., 1] / 13.0)
    inside = ((at > 0) & (at < 199)).all(-1).reshape(48, 8, 48, 8).all((1, 3))
    assert inside.mean() > 0.5
    reference = exact.reshape(48, 8, 48, 8).mean((1, 3))
    assert np.abs(face.cut(frame, crop) - reference)[inside].max() < 2.5
    assert np.abs(face.cut(frame, crop) - reference)[inside].mean() < 0.6


def test_fine_stripes_come_out_grey():
    """Stripes of one pixel that survive a fourfold reduction are aliases."""
    frame = np.zeros((256, 256), np.uint8)
    frame[:, ::2] = 255
    found = face.cut(frame, face.find(frame, size=50, cropped=True)).astype(float)
    assert np.abs(found - 127.5).max() < 50 and found.std() < 25
    # what sampling alone gives
    assert cv2.resize(frame, (50, 50), interpolation=cv2.INTER_NEAREST).std() > 100


def test_a_frame_of_the_right_size_is_cut_unchanged():
    """Synthetic and ready-made crops would lose sharpness for nothing."""
    frame = np.random.default_rng(3).integers(0, 256, (64, 64), np.uint8)
    np.testing.assert_array_equal(face.cut(frame, face.find(frame, size=64, cropped=True)), frame)


def test_a_crop_over_the_edge_repeats_it():
    """Black outside the frame would be an edge that the flow follows."""
    frame = np.full((60, 60), 200, np.uint8)
    crop = face.level_eyes(np.array([[5.0, 5.0], [45.0, 5.0]]), 32, 'haar and eyes')
    assert crop.box[0] < 0 and crop.box[1] < 0
    assert (face.cut(frame, crop) == 200).all()


@pytest.mark.parametrize(
    'frame', [np.zeros((8, 8)), np.zeros((8, 8, 3), np.uint8), np.zeros((0, 8), np.uint8)]
)
def test_other_than_gray_bytes_is_refused(frame):
    """OpenCV fails on these with a C++ message of several lines."""
    with pytest.raises(UserError, match='needs 8-bit gray') as error:
        face.find(frame, size=8, cropped=True)
    assert '\n' not in str(error.value)


def test_a_release_crop_at_frame_size_is_the_frame():
    """Flow "at the crop's own size" of a resampled frame would not be the published flow."""
    frame = np.random.default_rng(0).integers(0, 256, (83, 61), dtype=np.uint8)
    crop = face.find(frame, size=224, cropped=True)
    np.testing.assert_array_equal(face.cut_at_frame_size(frame, crop), frame)


def test_a_turned_crop_at_frame_size_has_the_pixels_of_the_frame():
    """A crop of another scale would lose small motion, or make it up."""
    frame, points = scene(6, angle=9, scale=2.1)
    crop = face.find(frame, size=224, cropped=False, landmarks_of=lambda gray: points)
    large = face.cut_at_frame_size(frame, crop)
    across = np.linalg.norm(np.diff(eyes_of(points), axis=0)) / np.diff(face.EYES_AT[:, 0])[0]
    assert large.shape == (round(across), round(across))
    # the same part of the face as the crop of the usual size
    shrunk = cv2.resize(large, (56, 56), interpolation=cv2.INTER_AREA).astype(int)
    usual = cv2.resize(face.cut(frame, crop), (56, 56), interpolation=cv2.INTER_AREA)
    assert np.abs(shrunk - usual).mean() < 1.5
