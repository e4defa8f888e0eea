"""A drawn person: sizes and positions of features, tones, light, marks."""

from typing import NamedTuple

import numpy as np

SIZE = 128  # side of the image that all lengths refer to


class Identity(NamedTuple):
    """One drawn person.

    Lengths are in pixels, tones in 0..1; `texture` is the seed of the skin.
    """

    centre: float  # x of the midline
    half_width: float  # of the face at the cheekbones
    chin: float  # y
    jaw_square: float  # 0.6 square .. 1 elliptic
    hairline: float  # y at the midline
    eye_height: float  # y of the eyes
    eye_apart: float  # midline to the middle of an eye
    eye_half: float  # half its width
    eye_open: float  # half its height
    eye_slant: float  # outer corner above the inner one
    brow_gap: float  # brow above the eye
    brow_half: float
    brow_thick: float
    brow_arch: float
    nose_end: float  # y of its base
    nose_half: float
    mouth_height: float  # y
    mouth_half: float
    mouth_curve: float  # corners above the middle
    upper_lip: float
    lower_lip: float
    skin: float
    hair: float
    brow_tone: float
    lip_tone: float  # relative to the skin
    iris: float
    light: tuple[float, ...]  # unit vector towards the light, x right, y down, z to the viewer
    ambient: float
    grain: float  # strength of the skin texture
    folds: float  # strength of the drawn wrinkles
    moles: tuple[tuple[float, float, float], ...]  # ((x, y, radius), ...)
    texture: int


def _light(rng):
    """Draw a unit vector towards a lamp.

    The lamp is above the face, somewhat to the left or right.
    """
    side, up = rng.uniform(-0.55, 0.55), rng.uniform(0.25, 0.6)
    vector = np.array([side, -up, 1.0])
    return tuple((vector / np.linalg.norm(vector)).tolist())


def _moles(rng):
    """Draw up to four small dark spots."""
    moles = []
    for _ in range(int(rng.integers(0, 5))):
        x, y = rng.uniform(28, 100), rng.uniform(22, 112)
        moles.append((float(x), float(y), float(rng.uniform(0.6, 1.3))))
    return tuple(moles)


def draw(rng: np.random.Generator) -> Identity:
    """Draw a random person.

    The same state of the generator gives the same person.
    """
    eye_height = rng.uniform(48, 53)
    nose_end = eye_height + rng.uniform(24, 29)
    mouth_height = nose_end + rng.uniform(13, 16)
    skin = rng.uniform(0.42, 0.82)
    hair = rng.uniform(0.06, 0.35)
    return Identity(
        centre=rng.uniform(62, 65),
        half_width=rng.uniform(43, 50),
        chin=mouth_height + rng.uniform(20, 25),
        jaw_square=rng.uniform(0.65, 0.95),
        hairline=rng.uniform(8, 18),
        eye_height=eye_height,
        eye_apart=rng.uniform(19.5, 23),
        eye_half=rng.uniform(7.5, 9.5),
        eye_open=rng.uniform(2.6, 3.8),
        eye_slant=rng.uniform(-0.5, 1.2),
        brow_gap=rng.uniform(9.5, 13),
        brow_half=rng.uniform(10, 13),
        brow_thick=rng.uniform(1.2, 2.4),
        brow_arch=rng.uniform(0.8, 3.2),
        nose_end=nose_end,
        nose_half=rng.uniform(7.5, 10.5),
        mouth_height=mouth_height,
        mouth_half=rng.uniform(14, 19),
        mouth_curve=rng.uniform(-1.0, 1.2),
        upper_lip=rng.uniform(2.4, 4.2),
        lower_lip=rng.uniform(3.4, 5.6),
        skin=skin,
        hair=hair,
        brow_tone=min(hair + rng.uniform(0, 0.12), 0.6 * skin),
        lip_tone=rng.uniform(0.6, 0.78),
        iris=rng.uniform(0.1, 0.3),
        light=_light(rng),
        ambient=rng.uniform(0.35, 0.5),
        grain=rng.uniform(0.025, 0.05),
        folds=rng.uniform(0.03, 0.14),
        moles=_moles(rng),
        texture=int(rng.integers(2**31)),
    )
