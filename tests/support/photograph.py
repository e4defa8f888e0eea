"""A real face that moves as a test says: scikit-image's photograph of an astronaut, moved by known
displacement fields.

The picture, of Eileen Collins, is NASA's and in the public domain. It is read from the installed
package and enters no file of the project.
"""

from typing import NamedTuple

import cv2
import numpy as np

# Centres of the eyes in the photograph, (x, y) in pixels, set by hand; her right eye first.
EYES = np.array([[203.7, 99.9], [246.3, 102.6]])


class Muscle(NamedTuple):
    """A patch of skin that moves as one, most at its centre."""

    centre: tuple[float, float]  # (x, y) in pixels of the photograph
    motion: tuple[float, float]  # (right, down) in pixels, at the apex
    width: float  # standard deviation of the Gaussian, in pixels


# Both brows rise a little, the inner parts more; the left corner of the mouth goes up and out.
BROWS = (Muscle((203.0, 86.0), (0.3, -2.2), 9.0), Muscle((246.0, 88.0), (-0.3, -2.2), 9.0))
MOUTH = (Muscle((246.0, 142.0), (2.0, -1.2), 8.0),)


def photograph() -> np.ndarray:
    """Return the photograph in gray, uint8[512, 512]."""
    from skimage import data

    return cv2.cvtColor(data.astronaut(), cv2.COLOR_RGB2GRAY)


def displacement(muscles: tuple[Muscle, ...], points: np.ndarray) -> np.ndarray:
    """Return how points [..., 2] of the face at rest move until the apex, float64[..., 2]."""
    total = np.zeros(np.shape(points))
    for muscle in muscles:
        squared = np.sum((points - np.array(muscle.centre)) ** 2, axis=-1, keepdims=True)
        total += np.exp(-squared / (2 * muscle.width**2)) * np.array(muscle.motion)
    return total


def time_course(count: int, apex: int) -> np.ndarray:
    """Return the share of the motion in each frame, float64[count]: 1 at the apex."""
    number = np.arange(count)
    rising = number / apex
    falling = (count - 1 - number) / (count - 1 - apex)
    return np.sin(np.pi / 2 * np.minimum(rising, falling)) ** 2


def moved(
    picture: np.ndarray,
    muscles: tuple[Muscle, ...],
    share: float,
    *,
    light: float = 1.0,
    noise: float = 1.0,
    seed: int,
) -> np.ndarray:
    """Return one frame: the picture moved by a share of the displacement, with the camera's noise.

    Args:
        picture: uint8[H, W], the face at rest.
        muscles: what moves.
        share: of the motion at the apex.
        light: factor of the gray levels.
        noise: standard deviation, in gray levels.
        seed: of the noise.
    """
    height, width = picture.shape
    at = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float64)
    source = at
    for _ in range(4):  # the point at rest that comes to stand here
        source = at - share * displacement(muscles, source)
    x, y = np.moveaxis(source.astype(np.float32), -1, 0)
    frame = cv2.remap(picture, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    frame = light * frame + np.random.default_rng(seed).normal(0, noise, frame.shape)
    return np.clip(np.rint(frame), 0, 255).astype(np.uint8)


def video(picture: np.ndarray, muscles: tuple[Muscle, ...], *, count: int, apex: int) -> np.ndarray:
    """Return frames uint8[count, H, W] that begin and end at rest, with noise of its own each."""
    frames = []
    for number, share in enumerate(time_course(count, apex)):
        frames.append(moved(picture, muscles, share, seed=number))
    return np.stack(frames)


def turned(picture: np.ndarray, degrees: float) -> np.ndarray:
    """Return the picture turned in its plane about the face, clockwise."""
    centre = EYES.mean(0) + (0, 20)
    matrix = cv2.getRotationMatrix2D(tuple(map(float, centre)), -degrees, 1)
    side = picture.shape[::-1]
    return cv2.warpAffine(
        picture, matrix, side, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
    )
