"""The drawn face as a surface: its height, the light on it, and the texture of its skin."""

import cv2
import numpy as np

from mer_jax.preprocess.synthetic.brush import SCALE, bump
from mer_jax.preprocess.synthetic.identity import SIZE


def step(value, sharpness):
    """0 below, 1 above 0, with a soft edge."""
    return 0.5 + 0.5 * np.tanh(0.5 * sharpness * value)


def _nose_ridge(face, x, y):
    """The bridge, which rises and widens towards the tip and ends above the nostrils."""
    along = (y - face.eye_height) / (face.nose_end - face.eye_height)
    length = np.clip(along, 0, 1)
    profile = np.exp(-(((x - face.centre) / (3.2 + 2.5 * length)) ** 2))
    return profile * (8.5 * length + 2) * step(along + 0.25, 9) * step(face.nose_end - 1.5 - y, 4)


def relief(face, points, x, y):
    """Height of the face above the picture plane in pixels: skull, brow ridge, sockets, nose,
    cheeks, lips, chin.
    """
    middle = (face.hairline + face.chin) / 2 - 3
    inside = (
        1
        - ((x - face.centre) / (1.12 * face.half_width)) ** 2
        - ((y - middle) / (0.66 * (face.chin - face.hairline + 14))) ** 2
    )
    height = 40 * np.sqrt(np.maximum(inside, 0.02))
    height += _nose_ridge(face, x, y)
    height += 4.0 * bump(x, y, (face.centre, face.nose_end - 4), 5.5, 5)
    for side in (-1, 1):
        eye = (face.centre + side * face.eye_apart, face.eye_height)
        height += 2.2 * bump(
            x, y, (face.centre + side * 0.72 * face.nose_half, face.nose_end - 1.5), 3.6, 3.4
        )
        height += 2.4 * bump(x, y, (eye[0] - side * 2, eye[1] - face.brow_gap), 16, 6)
        height -= 4.2 * bump(x, y, (eye[0] - side * 3, eye[1] - 1), 12, 7.5)
        height += 2.6 * bump(x, y, eye, 1.05 * face.eye_half, 5.5)
        height += 3.0 * bump(
            x, y, (face.centre + side * 0.58 * face.half_width, face.eye_height + 19), 14, 12
        )
    height += 2.4 * bump(x, y, points[51] + (0, 0.5), face.mouth_half, face.upper_lip)
    height += 3.0 * bump(x, y, points[57] - (0, 1.0), 0.85 * face.mouth_half, face.lower_lip)
    height -= 1.6 * bump(x, y, points[57] + (0, 3.5), 0.8 * face.mouth_half, 3.2)
    return height + 4.0 * bump(x, y, (face.centre, face.chin - 7), 11, 8)


def shading(face, points, x, y):
    """Lambert shading 0..1 of the relief under one lamp and ambient light."""
    height = cv2.GaussianBlur(relief(face, points, x, y).astype(np.float32), (0, 0), 0.8 * SCALE)
    down, across = np.gradient(height, 1 / SCALE)
    facing = (-across * face.light[0] - down * face.light[1] + face.light[2]) / np.sqrt(
        1 + across**2 + down**2
    )
    return face.ambient + (1 - face.ambient) * np.maximum(facing, 0)


def skin(face):
    """Multiplicative skin texture around 1, from pores to patches."""
    rng = np.random.default_rng(face.texture)
    side = SCALE * SIZE
    texture = np.ones((side, side), np.float32)
    for width, share in ((0.55, 0.7), (1.1, 0.8), (2.4, 0.8), (6.0, 0.9), (14.0, 0.8)):
        layer = cv2.GaussianBlur(
            rng.standard_normal((side, side), dtype=np.float32), (0, 0), width * SCALE
        )
        texture += face.grain * share * layer / layer.std()
    return texture
