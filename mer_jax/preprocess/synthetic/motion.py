"""From muscles to frames: time course, head pose, the exact displacement, and the pictures that
obey it.

A point X of the face at rest stands in frame t at P_t(X) = R_t(X + a_t f(X)): f is the facial
displacement at the apex, a_t in 0..1 the time course, R_t a rotation about the middle of the
picture and a shift. At the onset a_t = 0 and R_t is the identity, so a pixel x of the onset frame
moves by P_apex(x) - x until the apex.
"""

import cv2
import numpy as np

from mer_jax.preprocess.synthetic.brush import SCALE
from mer_jax.preprocess.synthetic.identity import SIZE

MIDDLE = (SIZE - 1) / 2
# of the fixed-point inversion; an error shrinks by the field's gradient (0.6 at most) each round
ROUNDS = 7


def time_course(frames, onset, apex, offset):
    """Strength float64[frames] of the expression: 0 at onset, smooth rise to 1 at apex, decay to 0
    at offset.
    """
    t = np.arange(frames)
    rise = np.clip((t - onset) / (apex - onset), 0, 1)
    fall = np.clip((offset - t) / (offset - apex), 0, 1)
    return np.where(t <= apex, rise**2 * (3 - 2 * rise), (fall**2 * (3 - 2 * fall)) ** 0.8)


def head_pose(rng, frames, onset, *, shift, turn, window=24):
    """Smooth wander float64[frames, 3] of the head (x, y in pixels, angle in radians), 0 at the
    onset frame.

    shift, turn: standard deviations of one frame's pose about its mean; window: frames over which
    it is smooth.
    """
    steps, half = rng.standard_normal((frames + window, 3)), window // 2
    kernel = np.hanning(window + 2)[1:-1]
    smooth = np.stack(
        [
            np.convolve(part, kernel / np.linalg.norm(kernel), 'same')[half:-half]
            for part in steps.T
        ],
        -1,
    )
    return (smooth - smooth[onset]) * (shift, shift, turn)


def turned(points, pose):
    """R(points): points [..., 2] rotated about the middle of the picture by pose[2], then shifted
    by pose[:2].
    """
    x, y, angle = pose
    cos, sin = np.cos(angle), np.sin(angle)
    return (np.asarray(points, np.float64) - MIDDLE) @ np.array([[cos, sin], [-sin, cos]]) + (
        MIDDLE + x,
        MIDDLE + y,
    )


def turned_back(points, pose):
    """The inverse of `turned`."""
    x, y, angle = pose
    cos, sin = np.cos(angle), np.sin(angle)
    return (np.asarray(points, np.float64) - (MIDDLE + x, MIDDLE + y)) @ np.array(
        [[cos, -sin], [sin, cos]]
    ) + MIDDLE


def pixels():
    """Coordinates (x, y) of every pixel, float64[SIZE, SIZE, 2]."""
    return np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE)), -1).astype(np.float64)


def rest_points(facial, strength, pose):
    """Where each pixel of a frame stood on the face at rest, float32[SIZE, SIZE, 2]: P_t inverted
    on the pixel grid.

    facial: f on the pixel grid [SIZE, SIZE, 2]; X = R^-1(y) - a f(X) is iterated, which converges
    as |grad f| < 1.
    """
    target = turned_back(pixels(), pose).astype(np.float32)
    if strength == 0:
        return target
    moved = np.float32(strength) * facial.astype(np.float32)
    rest = target
    for _ in range(ROUNDS):
        rest = target - cv2.remap(
            moved, rest[..., 0], rest[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
    return rest


def film(drawing, facial, course, pose, seat):
    """Noise-free frames float32[T, SIZE, SIZE] of a drawing (see drawing.neutral) for course [T]
    and pose [T, 3].

    facial: f at the apex [SIZE, SIZE, 2]. seat: (x, y) by which every frame shows the face off its
    place in the drawing.
    """
    frames = []
    for strength, place in zip(course, pose, strict=True):
        at = SCALE * (rest_points(facial, strength, place) - np.float32(seat)) + 1
        frames.append(
            cv2.remap(
                drawing, at[..., 0], at[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
            )
        )
    return np.stack(frames)


def exposed(rng, frames, *, noise, flicker):
    """8-bit frames: each brightened by its own 1 + N(0, flicker), with camera noise of `noise` gray
    levels a pixel.
    """
    gain = 1 + flicker * rng.standard_normal((len(frames), 1, 1))
    grains = noise * rng.standard_normal(frames.shape, dtype=np.float32)
    return np.clip(np.rint(frames * gain.astype(np.float32) + grains), 0, 255).astype(np.uint8)
