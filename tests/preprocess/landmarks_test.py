"""Landmarks of crops: the template on drawn faces with known ones, tools by stand-ins, tables of
OpenFace.

Neither MediaPipe's nor dlib's model is free to ship, so both packages are played by small fakes
with the same calls.
"""

import sys
import types

import cv2
import numpy as np
import pytest

from mer_jax.errors import UserError
from mer_jax.preprocess import face, landmarks
from mer_jax.preprocess.synthetic import clips
from mer_jax.preprocess.synthetic.landmarks import MIRROR

WHOLE = face.find(np.zeros((96, 96), np.uint8), size=96, cropped=True)


@pytest.fixture(scope='module')
def drawn():
    """Onset frames of drawn faces with their landmarks."""
    made = [
        clips.make(0, number, 0, 'happiness', clips.person(0, number)) for number in range(1, 7)
    ]
    return [(clip.frames[0], clip.landmarks[0].astype(np.float64)) for clip in made]


def large(frame, points, *, width=640, height=480):
    """A drawn face at twice its size in the middle of a larger frame."""
    out = np.full((height, width), 90, np.uint8)
    out[100:356, 200:456] = cv2.resize(frame, (256, 256), interpolation=cv2.INTER_CUBIC)
    return out, points * 2 + 0.5 + (200, 100)


def test_the_mean_shape_is_a_face():
    """A point on the wrong side or in the wrong order would put a mask on the cheek."""
    shape = landmarks.mean_shape()
    np.testing.assert_allclose(shape[36:42].mean(0), (-0.5, 0), atol=1e-9)
    np.testing.assert_allclose(shape[42:48].mean(0), (0.5, 0), atol=1e-9)
    np.testing.assert_allclose(shape[MIRROR], shape * (-1, 1), atol=1e-12)
    assert (np.diff(shape[:17, 0]) > 0).all() and (np.diff(shape[17:27, 0]) > 0).all()
    down = [
        shape[part, 1].mean() for part in (range(17, 27), range(36, 48), [33], range(48, 68), [8])
    ]
    assert (np.diff(down) > 0).all()  # brows, eyes, nose, mouth, chin
    for ring in (range(36, 42), range(42, 48), range(48, 60), range(60, 68)):
        hull = cv2.contourArea(np.float32(shape[list(ring)]), oriented=True)
        assert hull > 0, ring  # all run the same way round


def test_the_template_fits_drawn_faces_in_levelled_crops(drawn):
    """A template fitted at another scale or upside down would leave the face."""
    errors = []
    for frame, points in drawn:
        picture, there = large(frame, points)
        crop = face.find(picture, size=128, cropped=False)
        crops = np.repeat(face.cut(picture, crop)[None], 3, axis=0)
        found = landmarks.locate(crops, source='template', crop=crop)
        assert found.shape == (3, 68, 2) and found.dtype == np.float32
        np.testing.assert_array_equal(found[0], found[2])
        errors.append(np.linalg.norm(found[0] - face.transform(crop.matrix, there), axis=-1))
    errors = np.array(errors)
    assert errors[:, 36:48].mean() < 3 and errors[:, 48:].mean() < 7 and errors.mean() < 7


@pytest.mark.parametrize('shape', [(128, 128), (156, 128), (340, 280)])
def test_the_template_finds_the_eyes_of_a_release_crop(drawn, shape):
    """Eyes guessed from proportions would miss by a tenth of the face; a stretched crop needs a
    stretched template.
    """
    for frame, points in drawn:
        picture = cv2.resize(frame, shape[::-1], interpolation=cv2.INTER_LINEAR)
        crop = face.find(picture, size=128, cropped=True)
        found = landmarks.template(face.cut(picture, crop), crop)
        error = np.linalg.norm(found - points, axis=-1)
        assert error[36:48].mean() < 4.5, error[36:48].mean()


def test_without_any_face_the_template_stands_where_one_is_expected():
    """A crop of nothing must still give points that a mask can be made of."""
    found = landmarks.locate(np.full((2, 96, 96), 100, np.uint8), source='template', crop=WHOLE)
    eyes = np.stack([found[0, 36:42].mean(0), found[0, 42:48].mean(0)])
    np.testing.assert_allclose(eyes, landmarks.EYES_IN_RELEASE * 96 - 0.5, atol=1e-4)


def points_of(image):
    """What the fakes find: a grid of 478 points that moves with the brightness of the first
    pixel.
    """
    index = np.arange(478)
    return np.stack([index % 25 / 50, index // 25 / 50], -1) + image[0, 0] / 1000


def fake_mediapipe(seen):
    """A stand-in for mediapipe 1.x with the classes and calls that are used; black images have no
    face.
    """

    class FaceLandmarker:
        @classmethod
        def create_from_options(cls, options):
            seen['path'] = options.base_options.model_asset_path
            if 'bad' in seen['path']:
                raise RuntimeError('Unable to open\nzip archive.')
            return cls()

        def __enter__(self):
            return self

        def __exit__(self, *error):
            seen['closed'] = True

        def detect(self, image):
            assert (
                image.data.dtype == np.uint8
                and image.data.shape[-1] == 3
                and image.data.flags.c_contiguous
            )
            points = points_of(image.data[..., 0].astype(float))
            found = (
                [[types.SimpleNamespace(x=x, y=y, z=0.0) for x, y in points]]
                if image.data.any()
                else []
            )
            return types.SimpleNamespace(face_landmarks=found)

    vision = types.SimpleNamespace(
        FaceLandmarker=FaceLandmarker,
        FaceLandmarkerOptions=lambda base_options: types.SimpleNamespace(base_options=base_options),
    )
    package = types.ModuleType('mediapipe')
    package.tasks = types.SimpleNamespace(
        vision=vision,
        BaseOptions=lambda model_asset_path: types.SimpleNamespace(
            model_asset_path=model_asset_path
        ),
    )
    package.ImageFormat = types.SimpleNamespace(SRGB=1)
    package.Image = lambda image_format, data: types.SimpleNamespace(
        image_format=image_format, data=data
    )
    return package


def test_mediapipe_points_become_the_68(monkeypatch, tmp_path):
    """Relative coordinates, the mesh's own numbering and missed faces must not reach the caller."""
    seen, model = {}, tmp_path / 'face.task'
    model.write_bytes(b'model')
    monkeypatch.setitem(sys.modules, 'mediapipe', fake_mediapipe(seen))
    crops = np.stack([np.full((96, 96), value, np.uint8) for value in (0, 50, 0, 0, 200)])
    found = landmarks.locate(crops, source=str(model), crop=WHOLE)
    chosen = list(landmarks.FROM_MESH)
    expected = [
        points_of(crops[index].astype(float))[chosen] * 96 - 0.5 for index in (1, 1, 1, 4, 4)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert seen == {'path': str(model), 'closed': True} and found.dtype == np.float32
    with pytest.raises(UserError, match='no face in any of the 2 frames of s01_a'):
        landmarks.locate(crops[2:4], source=model, crop=WHOLE, clip='s01_a')


def test_the_mesh_map_follows_the_contours_of_the_mesh():
    """One wrong vertex of 68 would never be noticed in a mean. The contours are those that
    MediaPipe documents.
    """
    oval = [127, 234, 93, 132, 58, 172, 136, 150, 149, 176, 148, 152]
    oval += [377, 400, 378, 379, 365, 397, 288, 361, 323, 454, 356]
    right_eye = [33, 246, 161, 160, 159, 158, 157, 173, 133, 155, 154, 153, 145, 144, 163, 7]
    left_eye = [362, 398, 384, 385, 386, 387, 388, 466, 263, 249, 390, 373, 374, 380, 381, 382]
    outer = [
        61,
        185,
        40,
        39,
        37,
        0,
        267,
        269,
        270,
        409,
        291,
        375,
        321,
        405,
        314,
        17,
        84,
        181,
        91,
        146,
    ]
    inner = [
        78,
        191,
        80,
        81,
        82,
        13,
        312,
        311,
        310,
        415,
        308,
        324,
        318,
        402,
        317,
        14,
        87,
        178,
        88,
        95,
    ]
    brows, nose = (
        [70, 63, 105, 66, 107, 336, 296, 334, 293, 300],
        [168, 6, 197, 195, 5, 4, 1, 98, 97, 2, 326, 327],
    )
    mesh = landmarks.FROM_MESH
    assert len(set(mesh)) == 68
    for part, contour in [
        (mesh[:17], oval),
        (mesh[17:27], brows),
        (mesh[27:36], nose),
        (mesh[36:42], right_eye),
        (mesh[42:48], left_eye),
        (mesh[48:60], outer),
        (mesh[60:], inner),
    ]:
        places = [contour.index(vertex) for vertex in part]
        assert places == sorted(places)


def fake_dlib(calls, *, parts=68, faces=()):
    """A stand-in for dlib: a predictor that reports its box, and a detector that finds `faces`."""

    class Rectangle:
        def __init__(self, left, top, right, bottom):
            self.edges = (left, top, right, bottom)

        def width(self):
            return self.edges[2] - self.edges[0] + 1

        def height(self):
            return self.edges[3] - self.edges[1] + 1

    class Predictor:
        def __init__(self, path):
            calls.append(path)
            if 'bad' in path:
                raise RuntimeError('Unexpected version\nfound')

        def __call__(self, image, box):
            left, top, right, bottom = box.edges
            return types.SimpleNamespace(
                num_parts=parts,
                part=lambda i: types.SimpleNamespace(x=left + i % 9, y=top + i // 9 + image[0, 0]),
            )

    package = types.ModuleType('dlib')
    package.rectangle, package.shape_predictor = Rectangle, Predictor
    package.get_frontal_face_detector = lambda: (
        lambda image, upsample: [Rectangle(*edges) for edges in faces]
    )
    return package


@pytest.fixture
def predictor(tmp_path):
    """A file that stands for dlib's model, and no predictor left over from another test."""
    landmarks.load_dlib_predictor.cache_clear()
    model = tmp_path / 'shape.dat'
    model.write_bytes(b'model')
    yield model
    landmarks.load_dlib_predictor.cache_clear()


def test_dlib_looks_in_the_largest_face(monkeypatch, predictor):
    """The first box may be a false one; x and y swapped would transpose every face."""
    calls = []
    monkeypatch.setitem(
        sys.modules, 'dlib', fake_dlib(calls, faces=[(0, 0, 9, 9), (20, 10, 80, 70)])
    )
    crops = np.stack([np.full((96, 96), value, np.uint8) for value in (3, 7)])
    for _ in range(2):
        found = landmarks.locate(crops, source=predictor, crop=WHOLE)
    index = np.arange(68)
    expected = [np.stack([20 + index % 9, 10 + index // 9 + value], -1) for value in (3, 7)]
    np.testing.assert_array_equal(found, expected)
    assert calls == [str(predictor)]  # loaded once for all clips


def test_dlib_without_a_detection_looks_where_the_face_must_be(monkeypatch, predictor):
    """Its detector misses faces that fill the crop; the crop itself says where the face is."""
    monkeypatch.setitem(sys.modules, 'dlib', fake_dlib([]))
    found = landmarks.locate(
        np.zeros((1, 100, 100), np.uint8), source=predictor, crop=WHOLE._replace(size=100)
    )
    assert found[0, 0].tolist() == [int(50 - 1.08 * 35), int(34 - 0.43 * 35)]


def test_a_predictor_of_five_points_or_a_broken_one_is_refused(monkeypatch, predictor):
    """dlib also publishes a model of 5 points; its points would be read as a jaw."""
    monkeypatch.setitem(sys.modules, 'dlib', fake_dlib([], parts=5))
    with pytest.raises(UserError, match='5 points.*68'):
        landmarks.locate(np.zeros((1, 96, 96), np.uint8), source=predictor, crop=WHOLE)
    for name, package in (('bad.dat', fake_dlib([])), ('bad.task', fake_mediapipe({}))):
        monkeypatch.setitem(sys.modules, package.__name__, package)
        broken = predictor.with_name(name)
        broken.write_bytes(b'')
        with pytest.raises(UserError, match='bad') as error:
            landmarks.locate(np.zeros((1, 96, 96), np.uint8), source=broken, crop=WHOLE)
        assert '\n' not in str(error.value)


@pytest.mark.parametrize('suffix, package', [('.task', 'mediapipe'), ('.dat', 'dlib')])
def test_a_missing_package_is_one_line_with_the_command(monkeypatch, tmp_path, suffix, package):
    """Neither package is installed with this project."""
    landmarks.load_dlib_predictor.cache_clear()
    model = tmp_path / f'model{suffix}'
    model.write_bytes(b'')
    monkeypatch.setitem(sys.modules, package, None)  # import raises ImportError
    with pytest.raises(UserError, match=f'pip install {package}') as error:
        landmarks.locate(np.zeros((1, 96, 96), np.uint8), source=model, crop=WHOLE)
    assert '\n' not in str(error.value)


def write_csv(path, rows, *, blank=' '):
    """An OpenFace table: rows of (frame, success, points [68, 2]); names after a blank, as version
    2.0 writes them.
    """
    names = [
        'frame',
        'face_id',
        'success',
        *(f'x_{i}' for i in range(68)),
        *(f'y_{i}' for i in range(68)),
    ]
    lines = [f',{blank}'.join(names)]
    for frame, success, points in rows:
        lines.append(', '.join(map(str, [frame, 0, success, *points[:, 0], *points[:, 1]])))
    path.write_text('\n'.join(lines) + '\n')


def test_openface_points_are_mapped_into_the_crop(tmp_path, drawn):
    """Points in frame pixels would lie far outside the crop; row k taken for the k-th number would
    be that of img10 for img9.
    """
    picture, points = large(*drawn[0])
    crop = face.find(picture, size=64, cropped=False)
    # img10, img8, img9: the order of names
    rows = [(row, int(row != 3), points + row) for row in (1, 2, 3)]
    write_csv(tmp_path / 's01_a.csv', rows)
    found = landmarks.locate(
        np.zeros((3, 64, 64), np.uint8),
        source=tmp_path,
        crop=crop,
        clip='s01_a',
        names=('img8.jpg', 'img9.jpg', 'img10.jpg'),
        folder=('img8.jpg', 'img9.jpg', 'img10.jpg'),
    )
    linear, shift = crop.matrix[:, :2].T, crop.matrix[:, 2]
    np.testing.assert_allclose(found[0], (points + 2) @ linear + shift, atol=1e-3)
    # success 0: the nearest frame that has a face
    np.testing.assert_allclose(found[1], (points + 2) @ linear + shift, atol=1e-3)
    np.testing.assert_allclose(found[2], (points + 1) @ linear + shift, atol=1e-3)


@pytest.mark.parametrize(
    'spoil, words',
    [
        (lambda path: path.unlink(), 'does not exist'),
        (lambda path: path.write_text(''), "no column 'frame'"),
        (
            lambda path: path.write_text(path.read_text().replace('x_7,', 'x7,', 1)),
            "no column 'x_7'",
        ),
        (
            lambda path: path.write_text(path.read_text().replace('1.5', 'left', 1)),
            'line 2: could not convert',
        ),
        (
            lambda path: write_csv(path, [(5, 1, np.full((68, 2), 1.5))]),
            "line 2: frame is 5; needs 'frame' from 1 to 1",
        ),
        (
            lambda path: write_csv(path, [(1, 0, np.full((68, 2), 1.5))]),
            'no face in any of the 1 frames of s01_a',
        ),
    ],
)
def test_faulty_openface_tables_are_named(tmp_path, spoil, words):
    """Rows counted otherwise would be taken for other frames without a word."""
    path = tmp_path / 's01_a.csv'
    write_csv(path, [(1, 1, np.full((68, 2), 1.5))])
    spoil(path)
    with pytest.raises(UserError, match='landmarks: ') as error:
        landmarks.locate(
            np.zeros((1, 96, 96), np.uint8),
            source=tmp_path,
            crop=WHOLE,
            clip='s01_a',
            names=('5.jpg',),
            folder=('5.jpg',),
        )
    assert words in str(error.value) and '\n' not in str(error.value)


def test_unknown_sources_and_crops_are_refused(tmp_path):
    """A misspelt path must not fall back to the template in silence."""
    with pytest.raises(UserError, match="nowhere.task' does not exist.*known: 'template'"):
        landmarks.locate(np.zeros((1, 96, 96), np.uint8), source='nowhere.task', crop=WHOLE)
    with pytest.raises(UserError, match='needs uint8'):
        landmarks.locate(np.zeros((1, 64, 64), np.uint8), source='template', crop=WHOLE)
    with pytest.raises(ValueError, match='2 file names for 1 crops'):
        landmarks.locate(
            np.zeros((1, 96, 96), np.uint8), source=tmp_path, crop=WHOLE, clip='a', names=('1', '2')
        )
