"""The neutral face of a drawn person, as a shaded gray image.

It is larger than the frames of a clip.
"""

import cv2
import numpy as np

from mer_jax.preprocess.synthetic import landmarks
from mer_jax.preprocess.synthetic.brush import SCALE, blend, bump, grid, polygon, smooth, stroke
from mer_jax.preprocess.synthetic.identity import SIZE, Identity
from mer_jax.preprocess.synthetic.relief import shading, skin, step


def _draw_eye(picture, face, points, x, y, eye):
    """Eyeball, iris, lash line, crease and bag of one eye."""
    eyelids = points[eye]
    opening = polygon(smooth(eyelids, closed=True), soft=0.3)
    middle = eyelids.mean(0)
    iris_radius = 1.25 * face.eye_open
    radius = np.hypot(x - middle[0], y - middle[1])
    ball = 0.78 - 0.25 * bump(x, y, middle - (0, face.eye_open + 1), face.eye_half, 2.2)
    ball = blend(ball, face.iris, step(iris_radius - radius, 4))
    ball = blend(ball, 0.04, step(0.45 * iris_radius - radius, 5))
    ball = blend(ball, 0.95, bump(x, y, middle + (-0.9, -1.0), 0.7, 0.7))
    picture = blend(picture, ball, opening)
    upper = eyelids[:4]
    lower = eyelids[[3, 4, 5, 0]]
    picture = blend(picture, 0.10, 0.85 * stroke(upper - (0, 0.2), 1.1))
    picture = blend(picture, 0.6 * face.skin, 0.45 * stroke(lower + (0, 0.3), 0.7))
    picture = blend(picture, 0.6 * face.skin, 0.55 * stroke(upper - (0, 2.6), 0.7, soft=0.5))
    bag = stroke(lower + (0, 4.0), 1.0, soft=0.8)
    return blend(picture, 0.72 * face.skin, 3 * face.folds * bag)


def _draw_brow(picture, face, points, brow, hairs):
    """One brow: a band that thins outwards, made of hairs."""
    line = points[brow]
    profile = np.array([0.45, 0.85, 1.0, 1.05, 0.95]) * face.brow_thick
    profile = profile if brow == landmarks.RIGHT_BROW else profile[::-1]
    upper = line - np.stack([0 * profile, profile], -1)
    lower = line + np.stack([0 * profile, 0.9 * profile], -1)
    outline = smooth(np.concatenate([upper, lower[::-1]]), closed=True)
    return blend(picture, face.brow_tone, polygon(outline, soft=0.6) * (0.78 + 0.22 * hairs))


def _draw_mouth(picture, face, points):
    """Lips, the line between them and the shade below."""
    middle = points[[60, 67, 66, 65, 64]]
    upper = np.concatenate([points[48:55], points[[64, 63, 62, 61, 60]]])
    lower = np.concatenate([middle, points[54:60], points[48:49]])
    tone = face.lip_tone * face.skin
    picture = blend(picture, 0.85 * tone, 0.9 * polygon(upper, soft=0.45))
    picture = blend(picture, tone, 0.9 * polygon(lower, soft=0.45))
    line = np.concatenate(
        [points[48:49], (points[61:64] + points[[67, 66, 65]]) / 2, points[54:55]]
    )
    return blend(picture, 0.12, 0.9 * stroke(line, 1.0, soft=0.45))


def _draw_nose(picture, face, points, x, y):
    """Nostrils, wings and the shade under the tip."""
    for side in (-1, 1):
        hole = (face.centre + side * 0.42 * face.nose_half, face.nose_end + 0.2)
        picture = blend(picture, 0.15, 0.85 * bump(x, y, hole, 2.2, 1.2))
        wing = face.centre + side * face.nose_half * np.array([0.92, 1.08, 1.0, 0.75])
        edge = np.stack([wing, face.nose_end + np.array([-6.0, -3.0, -0.5, 0.8])], -1)
        picture = blend(picture, 0.55 * face.skin, 0.5 * stroke(edge, 0.8, soft=0.6))
    return blend(picture, 0.6 * face.skin, 0.35 * bump(x, y, points[33] + (0, 1.0), 6, 1.8))


def _draw_marks(picture, face, points, x, y):
    """Nasolabial folds, forehead lines and moles."""
    for side, corner in ((-1, 48), (1, 54)):
        start = (face.centre + side * (face.nose_half + 1.5), face.nose_end - 3)
        end = points[corner] + (side * 4.5, -1.0)
        bend = ((start[0] + end[0]) / 2 + side * 2.0, (start[1] + end[1]) / 2 - 1.0)
        fold = stroke([start, bend, end], 1.0, soft=0.8)
        picture = blend(picture, 0.6 * face.skin, 4 * face.folds * fold)
    aside = np.array([-20, -10, 0, 10, 20])
    for row in (0.4, 0.62):
        level = face.hairline + row * (face.eye_height - face.brow_gap - 4 - face.hairline)
        wave = np.stack([face.centre + aside, level + 1.2 * (aside / 20) ** 2], -1)
        picture = blend(picture, 0.7 * face.skin, 2 * face.folds * stroke(wave, 0.8, soft=0.7))
    for left, top, radius in face.moles:
        picture = blend(picture, 0.35 * face.skin, 0.8 * bump(x, y, (left, top), radius, radius))
    return picture


def _head(face, points):
    """Return the coverage of the visible skin of the head.

    It ends at the jaw line and at the hairline.
    """
    widths = np.array([1.0, 0.93, 0.66, 0.3])
    heights = face.hairline + np.array([0, 17, 4.5, 0.5])
    heights[0] = face.eye_height - 10
    left = np.stack([face.centre + widths * face.half_width, heights], -1)
    right = left[::-1] * (-1, 1) + (2 * face.centre, 0)
    outline = np.concatenate([points[landmarks.JAW], left, right])
    return polygon(smooth(outline, closed=True), soft=0.8)


def _surroundings(picture, face, points, x, y, hairs):
    """Background, neck, hair and ears round the face."""
    behind = 0.36 - 0.0006 * y
    throat = bump(x, y, (face.centre, 150), 0.7 * face.half_width, 46, power=6)
    neck = 0.5 * face.skin * (0.8 + 0.002 * np.abs(x - face.centre))
    behind = blend(behind, neck, 1.3 * throat)
    top = (face.centre, face.eye_height - 6)
    skull = bump(x, y, top, 1.12 * face.half_width, face.eye_height + 4, power=5)
    above_ears = step(face.eye_height + 8 - y, 0.35)
    behind = blend(behind, face.hair * (0.75 + 0.5 * hairs), 2.2 * skull * above_ears)
    for side in (-1, 1):
        middle = (face.centre + side * (face.half_width + 1.5), face.eye_height + 10)
        ear = bump(x, y, middle, 4.2, 10, power=4)
        outwards = x - face.centre - side * face.half_width
        behind = blend(behind, face.skin * (0.62 - 0.02 * side * outwards), 1.6 * ear)
    return blend(behind, picture, _head(face, points))


def neutral(face: Identity, points: np.ndarray) -> np.ndarray:
    """A face at rest, without noise.

    Args:
        face: the person.
        points: landmarks [68, 2] of the face.

    Returns:
        Gray 0..255, float32[SCALE * SIZE, SCALE * SIZE].
    """
    x, y = grid()
    side = SCALE * SIZE
    rng = np.random.default_rng(face.texture + 1)
    strands = rng.standard_normal((side, side), dtype=np.float32)
    hairs = cv2.GaussianBlur(strands, (0, 0), 0.9, sigmaY=4)
    hairs = np.clip(0.5 + 0.35 * hairs / hairs.std(), 0, 1)
    picture = face.skin * skin(face)
    picture = _draw_marks(picture, face, points, x, y)
    picture = _draw_nose(picture, face, points, x, y)
    picture = _draw_mouth(picture, face, points)
    for eye, brow in (
        (landmarks.RIGHT_EYE, landmarks.RIGHT_BROW),
        (landmarks.LEFT_EYE, landmarks.LEFT_BROW),
    ):
        picture = _draw_eye(picture, face, points, x, y, eye)
        picture = _draw_brow(picture, face, points, brow, hairs)
    picture = picture * shading(face, points, x, y) * 1.08
    picture = _surroundings(picture, face, points, x, y, hairs)
    picture = cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 0.45 * SCALE)
    return np.clip(255 * picture, 0, 255)
