"""The 68 landmarks of a drawn face, in 300-W order (0-based)."""

import numpy as np

from mer_jax.preprocess.synthetic.identity import Identity

# iBUG indices, 0-based; 'right' is the subject's right, which is the left of the image.
JAW = slice(0, 17)
RIGHT_BROW = slice(17, 22)
LEFT_BROW = slice(22, 27)
NOSE = slice(27, 36)
RIGHT_EYE = slice(36, 42)
LEFT_EYE = slice(42, 48)
OUTER_LIP = slice(48, 60)
INNER_LIP = slice(60, 68)

# MIRROR[k]: the landmark on the other side of the face.
MIRROR = np.array([
    *range(16, -1, -1),
    *range(26, 16, -1),
    27, 28, 29, 30, 35, 34, 33, 32, 31,
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65,
])  # fmt: skip


def _jaw(face):
    """Return 17 points from ear to ear: a super-ellipse."""
    angle = np.linspace(0, np.pi, 17)
    ear = face.eye_height + 1
    across = np.cos(angle)
    x = face.centre - face.half_width * np.sign(across) * np.abs(across) ** face.jaw_square
    return np.stack([x, ear + (face.chin - ear) * np.sin(angle) ** 0.9], -1)


def _brow(face):
    """Return 5 points of the brow at the left of the image.

    The outer end is first.
    """
    along = np.linspace(-1, 1, 5)
    arch = face.brow_arch * (1 - (along + 0.15) ** 2)
    x = face.centre - face.eye_apart - 0.5 + face.brow_half * along
    return np.stack([x, face.eye_height - face.brow_gap - arch + 1.0], -1)


def _nose(face):
    """4 points down the bridge, then 5 along the base."""
    top = face.eye_height - 1
    bridge = np.stack([np.full(4, face.centre), np.linspace(top, face.nose_end - 5, 4)], -1)
    across = np.linspace(-1, 1, 5)
    x = face.centre + 0.8 * face.nose_half * across
    base = np.stack([x, face.nose_end + 1.2 - 1.6 * across**2], -1)
    return np.concatenate([bridge, base])


def _eye(face):
    """Return 6 points of the eye at the left of the image.

    From the outer corner along the upper lid.
    """
    along = np.array([-1, -0.35, 0.35, 1, 0.35, -0.35])
    lid = np.array([0, -1, -1, 0, 0.8, 0.8]) * face.eye_open
    x = face.centre - face.eye_apart + face.eye_half * along
    return np.stack([x, face.eye_height + lid + 0.5 * face.eye_slant * along], -1)


def _outer_lip(face):
    """Return 12 points of the outline of the lips.

    From the right corner over the upper lip to the left corner, and back along the lower lip.
    """
    along = np.array([-1, -0.62, -0.24, 0, 0.24, 0.62, 1, 0.6, 0.25, 0, -0.25, -0.6])
    upper = np.array([0, -0.72, -1.05, -0.9, -1.05, -0.72, 0]) * face.upper_lip
    lower = np.array([0.72, 1, 1.03, 1, 0.72]) * face.lower_lip
    y = face.mouth_height - face.mouth_curve * along**2 + np.concatenate([upper, lower])
    return np.stack([face.centre + face.mouth_half * along, y], -1)


def _inner_lip(face):
    """Return 8 points along the closed mouth.

    They are half a pixel above and below its line.
    """
    along = np.array([-0.88, -0.3, 0, 0.3, 0.88, 0.3, 0, -0.3])
    gap = np.array([0, -0.4, -0.3, -0.4, 0, 0.4, 0.4, 0.4])
    y = face.mouth_height - face.mouth_curve * along**2 + gap
    return np.stack([face.centre + face.mouth_half * along, y], -1)


def place(face: Identity) -> np.ndarray:
    """Return the landmarks of a neutral face, float32[68, 2], in pixels."""
    points = np.zeros((68, 2))
    points[JAW], points[NOSE] = _jaw(face), _nose(face)
    points[RIGHT_BROW], points[RIGHT_EYE] = _brow(face), _eye(face)
    points[OUTER_LIP], points[INNER_LIP] = _outer_lip(face), _inner_lip(face)
    for index in (*range(22, 27), *range(42, 48)):
        x, y = points[MIRROR[index]]
        points[index] = 2 * face.centre - x, y
    return points.astype(np.float32)
