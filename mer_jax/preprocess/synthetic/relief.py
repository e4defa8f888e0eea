"""The drawn face as a surface: height, light and skin."""

import cv2
import numpy as np

from mer_jax.preprocess.synthetic.brush import SCALE, bump
from mer_jax.preprocess.synthetic.identity import SIZE, Identity


def step(value: np.ndarray, sharpness: float) -> np.ndarray:
    """0 below, 1 above 0, with a soft edge."""
    return 0.5 + 0.5 * np.tanh(0.5 * sharpness * value)


def _nose_ridge(face, x, y):
    """Return the height of the bridge of the nose.

    It rises and widens towards the tip, and ends above the nostrils.
    """
    along = (y - face.eye_height) / (face.nose_end - face.eye_height)
    length = np.clip(along, 0, 1)
    profile = np.exp(-(((x - face.centre) / (3.2 + 2.5 * length)) ** 2))
    return profile * (8.5 * length + 2) * step(along + 0.25, 9) * step(face.nose_end - 1.5 - y, 4)


def relief(face: Identity, points: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Height of the face above the picture plane.

    Skull, brow ridge, sockets, nose, cheeks, lips, chin.

    Args:
        face: the person.
        points: landmarks [68, 2] of the face.
        x, y: where, in pixels.

    Returns:
        Pixels, in the shape of x.
    """
    middle = (face.hairline + face.chin) / 2 - 3
    across = (x - face.centre) / (1.12 * face.half_width)
    down = (y - middle) / (0.66 * (face.chin - face.hairline + 14))
    height = 40 * np.sqrt(np.maximum(1 - across**2 - down**2, 0.02))
    height += _nose_ridge(face, x, y)
    height += 4.0 * bump(x, y, (face.centre, face.nose_end - 4), 5.5, 5)
    for side in (-1, 1):
        eye_x, eye_y = face.centre + side * face.eye_apart, face.eye_height
        wing = (face.centre + side * 0.72 * face.nose_half, face.nose_end - 1.5)
        cheek = (face.centre + side * 0.58 * face.half_width, face.eye_height + 19)
        height += 2.2 * bump(x, y, wing, 3.6, 3.4)
        height += 2.4 * bump(x, y, (eye_x - side * 2, eye_y - face.brow_gap), 16, 6)
        height -= 4.2 * bump(x, y, (eye_x - side * 3, eye_y - 1), 12, 7.5)
        height += 2.6 * bump(x, y, (eye_x, eye_y), 1.05 * face.eye_half, 5.5)
        height += 3.0 * bump(x, y, cheek, 14, 12)
    height += 2.4 * bump(x, y, points[51] + (0, 0.5), face.mouth_half, face.upper_lip)
    height += 3.0 * bump(x, y, points[57] - (0, 1.0), 0.85 * face.mouth_half, face.lower_lip)
    height -= 1.6 * bump(x, y, points[57] + (0, 3.5), 0.8 * face.mouth_half, 3.2)
    return height + 4.0 * bump(x, y, (face.centre, face.chin - 7), 11, 8)


def shading(face: Identity, points: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the Lambert shading 0..1 of the relief.

    Under one lamp and ambient light.

    Arguments as of relief.
    """
    height = cv2.GaussianBlur(relief(face, points, x, y).astype(np.float32), (0, 0), 0.8 * SCALE)
    down, across = np.gradient(height, 1 / SCALE)
    light_x, light_y, light_z = face.light
    steepness = np.sqrt(1 + across**2 + down**2)
    facing = (-across * light_x - down * light_y + light_z) / steepness
    return face.ambient + (1 - face.ambient) * np.maximum(facing, 0)


def skin(face: Identity) -> np.ndarray:
    """Return the texture of the skin, from pores to patches.

    Its values are around 1; a tone is multiplied by it.
    """
    rng = np.random.default_rng(face.texture)
    side = SCALE * SIZE
    texture = np.ones((side, side), np.float32)
    for width, share in ((0.55, 0.7), (1.1, 0.8), (2.4, 0.8), (6.0, 0.9), (14.0, 0.8)):
        noise = rng.standard_normal((side, side), dtype=np.float32)
        layer = cv2.GaussianBlur(noise, (0, 0), width * SCALE)
        texture += face.grain * share * layer / layer.std()
    return texture
