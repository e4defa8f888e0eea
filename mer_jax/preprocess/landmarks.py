"""68 landmarks (300-W order, 0-based) of face crops.

A template fitted to the eyes, or what a tool of the user's finds. Points are (x, y) in pixels of
the crop, the centre of the first pixel at (0, 0). Nothing is ever downloaded.
"""

import csv
import functools
import importlib
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from mer_jax import bounded
from mer_jax.errors import UserError
from mer_jax.preprocess import face

MOST_TABLE = 64_000_000  # bytes of an OpenFace table; 7,000 frames take as many
MOST_LANDMARKER = 64_000_000  # MediaPipe's has 4 million
MOST_PREDICTOR = 200_000_000  # dlib's has 100 million
SOURCES = (
    "'template', MediaPipe Face Landmarker '*.task', dlib predictor '*.dat', a folder of "
    "OpenFace '<clip>.csv'"
)
# Where the eyes stand in a face crop as wide as the face: a guess from proportions, used where Haar
# finds none.
EYES_IN_RELEASE = np.array([[0.275, 0.34], [0.725, 0.34]])

# One half of a mean adult face at rest, drawn up from rounded means of face measurements: width at
# the cheekbones 2.15 eye distances, nasion to chin 1.85, mouth 0.82, nose 0.5, eye 0.45 (after
# Farkas, Anthropometry of the Head and Face, 1994). Unit: the distance of the eyes; (0, 0) lies
# between them, x to the right of the image, y down.
_HALF = {
    0: (-1.08, 0.05), 1: (-1.07, 0.34), 2: (-1.03, 0.62), 3: (-0.95, 0.90), 4: (-0.82, 1.16),
    5: (-0.65, 1.39), 6: (-0.45, 1.57), 7: (-0.23, 1.68), 8: (0.0, 1.72), 17: (-0.90, -0.27),
    18: (-0.76, -0.39), 19: (-0.57, -0.43), 20: (-0.37, -0.40), 21: (-0.19, -0.34),
    27: (0.0, -0.10), 28: (0.0, 0.11), 29: (0.0, 0.31), 30: (0.0, 0.52), 31: (-0.22, 0.64),
    32: (-0.11, 0.67), 33: (0.0, 0.69), 36: (-0.715, -0.01), 37: (-0.595, -0.075),
    38: (-0.425, -0.075), 39: (-0.265, 0.02), 40: (-0.415, 0.07), 41: (-0.585, 0.07),
    48: (-0.41, 1.06), 49: (-0.26, 0.96), 50: (-0.10, 0.915), 51: (0.0, 0.93), 57: (0.0, 1.20),
    58: (-0.11, 1.19), 59: (-0.27, 1.145), 60: (-0.36, 1.055), 61: (-0.11, 1.035), 62: (0.0, 1.04),
    66: (0.0, 1.05), 67: (-0.11, 1.05),
}  # fmt: skip
# landmark of the half -> its mirror image; itself on the midline
_MIRRORED = {
    0: 16, 1: 15, 2: 14, 3: 13, 4: 12, 5: 11, 6: 10, 7: 9, 8: 8,
    17: 26, 18: 25, 19: 24, 20: 23, 21: 22, 27: 27, 28: 28, 29: 29, 30: 30, 31: 35, 32: 34, 33: 33,
    36: 45, 37: 44, 38: 43, 39: 42, 40: 47, 41: 46, 48: 54, 49: 53, 50: 52, 51: 51, 57: 57, 58: 56,
    59: 55, 60: 64, 61: 63, 62: 62, 66: 66, 67: 65,
}  # fmt: skip

# Vertex of MediaPipe's face mesh that stands for each landmark: jaw, brows, nose, eyes, lips. On
# the jaw 300-W counts even steps from ear to ear; these are the nearest vertices of the mesh's face
# oval.
FROM_MESH = (
    127, 234, 93, 132, 58, 136, 150, 176, 152, 400, 379, 365, 288, 361, 323, 454, 356,
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300, 168, 197, 5, 1, 98, 97, 2, 326, 327,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 81, 13, 311, 308, 402, 14, 178,
)  # fmt: skip


class NoFace(UserError):
    """The landmark tool of the user found no face in a clip."""


def locate(
    crops: np.ndarray,
    *,
    source: str | Path,
    crop: face.Crop,
    clip: str = '',
    names: Sequence[str] = (),
    folder: Sequence[str] = (),
) -> np.ndarray:
    """Landmarks of the crops of one clip.

    A frame in which the tool finds no face takes the landmarks of the nearest frame that has some.

    Args:
        crops: uint8[T, size, size].
        source: 'template' (fitted to the eyes of the first crop, the same for all), or a path:
            '*.task' or '*.dat' run on every crop; a folder with OpenFace's '<clip>.csv' in frame
            pixels, one row for each picture of the clip's folder.
        crop: how the crops were cut; maps OpenFace's points.
        clip: name of the clip.
        names: of the files of `crops`, in their order.
        folder: names of all pictures in the clip's folder, in any order.

    Returns:
        float32[T, 68, 2].

    Raises:
        UserError: an unknown or unreadable source, or a package that is missing.
        NoFace: no frame of the clip has a face.
    """
    crops = np.asarray(crops)
    if crops.dtype != np.uint8 or crops.shape[1:] != (crop.size, crop.size) or not len(crops):
        shape = f'{crops.dtype}{list(crops.shape)}'
        raise UserError(f'landmarks: crops are {shape}; needs uint8[T, {crop.size}, {crop.size}]')
    if source == 'template':
        return np.repeat(template(crops[0], crop)[None], len(crops), axis=0).astype(np.float32)
    path = Path(source)
    if path.is_dir():
        if len(names) != len(crops):
            raise ValueError(f'{len(names)} file names for {len(crops)} crops')
        table = _openface(path / f'{clip}.csv', len(folder))
        # OpenFace reads a folder in the order of the bytes of its names: img1, img10, img2
        order = sorted(folder, key=os.fsencode)
        rows = [order.index(name) for name in names]
        points = face.transform(crop.matrix, table[rows])
    elif path.is_file() and path.suffix in _TOOLS:
        points = _TOOLS[path.suffix](path, crops)
    else:
        raise UserError(
            f'landmarks: {str(source)!r} does not exist or is of another kind; known: {SOURCES}'
        )
    no_face = f'{path}: no face in any of the {len(crops)} frames of {clip or "the clip"}'
    return _fill_gaps(points, no_face)


def mean_shape() -> np.ndarray:
    """The template at rest, float64[68, 2].

    Unit: distance of the eyes, which lie at (-0.5, 0) and (0.5, 0).
    """
    shape = np.zeros((68, 2))
    for point, (x, y) in _HALF.items():
        shape[point] = x, y
        shape[_MIRRORED[point]] = -x, y
    return shape


def template(image: np.ndarray, crop: face.Crop) -> np.ndarray:
    """Return the mean shape, moved onto the eyes of a crop.

    The eyes are the crop's fixed places where it was levelled by them; else those that Haar finds;
    else those expected in the face that Haar finds, or in the crop. A release crop is fitted in the
    frame's proportions, then stretched.

    Args:
        image: uint8[size, size].
        crop: how the image was cut.

    Returns:
        float64[68, 2].
    """
    x0, y0, x1, y1 = crop.box
    # the stretch of a release crop; 1 otherwise
    stretch = crop.size / max(round(crop.size * (y1 - y0) / (x1 - x0)), 1)
    share = EYES_IN_RELEASE if crop.how == 'release crop' else face.EYES_AT
    pair = share * (crop.size, crop.size / stretch) - 0.5
    if crop.how not in ('haar and eyes', 'landmarks', 'detector'):
        natural = cv2.resize(
            image, (crop.size, round(crop.size / stretch)), interpolation=cv2.INTER_LINEAR
        )
        pair = _find_eyes(natural, pair)
    right, left = (complex(*point) for point in pair)
    fitted = (right + left) / 2 + (left - right) * (mean_shape() @ (1, 1j))
    return np.stack([fitted.real, (fitted.imag + 0.5) * stretch - 0.5], -1)


def _find_eyes(image, expected):
    """Return the eyes in a crop, float64[2, 2].

    They are those that Haar finds, else those that are expected.
    """
    box = face.largest_face(image)
    if box:
        expected = face.eyes_expected(box)
    else:
        apart = face.EYES_IN_BOX[1, 0] - face.EYES_IN_BOX[0, 0]
        width = (expected[1, 0] - expected[0, 0]) / apart
        corner = expected[0] + 0.5 - face.EYES_IN_BOX[0] * width
        box = (*corner, width, width)
    pair = face.eyes(image, box)
    return pair if len(pair) else expected


def _fill_gaps(points, no_face):
    """Fill frames without landmarks (NaN) from the nearest other frame.

    NoFace with the message `no_face` where no frame has any.
    """
    with_face = np.flatnonzero(np.isfinite(points).all((1, 2)))
    if not len(with_face):
        raise NoFace(f'landmarks: {no_face}')
    distance = np.abs(np.arange(len(points))[:, None] - with_face)
    nearest = with_face[distance.argmin(1)]
    return points[nearest].astype(np.float32)


def _mediapipe(path, crops):
    """Return landmarks [T, 68, 2] by MediaPipe's Face Landmarker.

    NaN where it finds no face.
    """
    mediapipe = _package('mediapipe', path)
    vision = mediapipe.tasks.vision
    base = mediapipe.tasks.BaseOptions(model_asset_path=str(path))
    options = vision.FaceLandmarkerOptions(base_options=base)
    points = np.full((len(crops), 68, 2), np.nan)
    try:
        bounded.check_size(path, MOST_LANDMARKER)
        with vision.FaceLandmarker.create_from_options(options) as landmarker:
            for index, image in enumerate(crops):
                colour = np.ascontiguousarray(np.repeat(image[..., None], 3, axis=-1))
                picture = mediapipe.Image(mediapipe.ImageFormat.SRGB, colour)
                faces = landmarker.detect(picture).face_landmarks
                if faces:
                    mesh = [faces[0][vertex] for vertex in FROM_MESH]
                    shares = np.array([(vertex.x, vertex.y) for vertex in mesh])
                    # there 0 and 1 are the edges of the image
                    points[index] = shares * image.shape[::-1] - 0.5
    except (RuntimeError, ValueError, OSError, MemoryError) as error:
        raise UserError(f'landmarks: {path} is no Face Landmarker: {_line(error)}') from error
    return points


def _dlib(path, crops):
    """[T, 68, 2] of every crop by dlib's predictor.

    In the largest face that dlib finds, else where the template lies.
    """
    dlib, predictor = _package('dlib', path), load_dlib_predictor(str(path))
    detector = dlib.get_frontal_face_detector()
    points = np.zeros((len(crops), 68, 2))
    for index, image in enumerate(crops):
        image = np.ascontiguousarray(image)
        boxes = [*detector(image, 1)] or [dlib.rectangle(*_box_of_shape(image.shape[0]))]
        largest = max(boxes, key=lambda box: box.width() * box.height())
        shape = predictor(image, largest)
        if shape.num_parts != 68:
            raise UserError(
                f'landmarks: {path} gives {shape.num_parts} points; needs a predictor of 68'
            )
        landmarks = [shape.part(number) for number in range(68)]
        points[index] = [(point.x, point.y) for point in landmarks]
    return points


@functools.lru_cache(maxsize=1)
def load_dlib_predictor(path: str) -> Callable:
    """Load dlib's shape predictor from a file.

    It is loaded once for all clips, because the file has 100 MB.
    """
    try:
        bounded.check_size(path, MOST_PREDICTOR)
        return _package('dlib', path).shape_predictor(path)
    except (RuntimeError, ValueError, OSError, MemoryError) as error:
        raise UserError(f'landmarks: {path} is no dlib shape predictor: {_line(error)}') from error


def _box_of_shape(size):
    """Return the box of the template in a levelled crop.

    Left, top, right and bottom, from the brows to the chin.
    """
    eyes = face.EYES_AT * size
    points = eyes.mean(0) + mean_shape() * (eyes[1, 0] - eyes[0, 0])
    return tuple(int(edge) for edge in (*points.min(0), *points.max(0)))


def _openface(path, files):
    """Return landmarks [files, 68, 2] in frame pixels, in order of the rows.

    OpenFace counts the rows from 1. They are NaN where the column 'success' is 0.
    """
    rows = _csv(path)
    _, header = next(rows, (0, []))
    names = [f'{axis}_{point}' for point in range(68) for axis in 'xy']
    missing = [name for name in ('frame', *names) if name not in header]
    if missing:
        raise UserError(
            f'landmarks: {path} has no column {missing[0]!r}; needs frame, x_0..x_67, y_0..y_67'
        )
    needed = (
        f"needs 'frame' from 1 to {files}, one row for each of the {files} files of the clip's "
        'folder, as OpenFace writes them in the order of the names: img1, img10, img2'
    )
    columns = [header.index(name) for name in names]
    landmarks = []
    for line, row in rows:
        cells = dict(zip(header, row, strict=False))
        try:
            if len(row) < len(header) or any(row[len(header) :]):
                raise ValueError(f'{len(row)} cells below {len(header)} names of columns')
            points = np.array([float(row[column]) for column in columns]).reshape(68, 2)
            if 'success' in header and float(cells['success']) == 0:
                points = np.full((68, 2), np.nan)
            elif not np.isfinite(points).all():
                raise ValueError('a point is not finite')
            frame = float(cells['frame'])
        except (ValueError, LookupError) as error:
            raise UserError(
                f'landmarks: {path} line {line}: {_line(error)}; needs numbers only'
            ) from error
        landmarks.append(points)
        if len(landmarks) > files:
            count = len(landmarks) + sum(1 for _ in rows)
            raise UserError(f'landmarks: {path} has {count} rows; {needed}')
        if frame != len(landmarks):
            raise UserError(f'landmarks: {path} line {line}: frame is {cells["frame"]}; {needed}')
    if len(landmarks) != files:
        raise UserError(f'landmarks: {path} has {len(landmarks)} rows; {needed}')
    return np.stack(landmarks)


def _csv(path):
    """Yield the lines of a CSV file as (line number, cells); the first is the header.

    Blank lines are left out.
    """
    if not path.is_file():
        raise UserError(
            f'landmarks: {path} does not exist; a folder of OpenFace results has one '
            '<clip>.csv per clip'
        )
    text = bounded.lines(path, MOST_TABLE, encoding='utf-8-sig', errors='replace')
    try:
        for number, row in enumerate(csv.reader(text), 1):
            if row:
                yield number, [cell.strip() for cell in row]
    except (ValueError, csv.Error) as error:
        raise UserError(
            f'landmarks: {path} is no table ({_line(error)}); OpenFace writes a row for each frame'
        ) from error


def _package(name, path):
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UserError(
            f'landmarks: {path} needs the package {name}: pip install {name}'
        ) from error


def _line(error):
    return re.sub(r'\s+', ' ', str(error)).strip()


_TOOLS = {'.task': _mediapipe, '.dat': _dlib}
