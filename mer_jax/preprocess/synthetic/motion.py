"""Motion of a drawn face: time course, head pose and displacement.

And the frames that show it.

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


def time_course(frames: int, onset: int, apex: int, offset: int) -> np.ndarray:
    """Strength of the expression in every frame.

    0 at onset, smooth rise to 1 at apex, decay to 0 at offset.

    Returns:
        float64[frames].
    """
    t = np.arange(frames)
    rise = np.clip((t - onset) / (apex - onset), 0, 1)
    fall = np.clip((offset - t) / (offset - apex), 0, 1)
    return np.where(t <= apex, rise**2 * (3 - 2 * rise), (fall**2 * (3 - 2 * fall)) ** 0.8)


def head_pose(
    rng: np.random.Generator,
    frames: int,
    onset: int,
    *,
    shift: float,
    turn: float,
    window: int = 24,
) -> np.ndarray:
    """Smooth wander of the head, 0 at the onset frame.

    Args:
        rng: draws it.
        frames: of the clip.
        onset: index of the onset frame.
        shift, turn: standard deviations of a frame's pose about its mean, pixels and radians.
        window: frames over which it is smooth.

    Returns:
        float64[frames, 3]: x and y in pixels, angle in radians.
    """
    steps = rng.standard_normal((frames + window, 3))
    kernel = np.hanning(window + 2)[1:-1]
    kernel = kernel / np.linalg.norm(kernel)
    half = window // 2
    smooth = [np.convolve(part, kernel, 'same')[half:-half] for part in steps.T]
    smooth = np.stack(smooth, -1)
    return (smooth - smooth[onset]) * (shift, shift, turn)


def apply_pose(points: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """R(points): rotated about the middle of the picture, then shifted.

    Args:
        points: [..., 2].
        pose: (x, y, angle), pixels and radians.

    Returns:
        float64[..., 2].
    """
    x, y, angle = pose
    cos, sin = np.cos(angle), np.sin(angle)
    rotation = np.array([[cos, sin], [-sin, cos]])
    points = np.asarray(points, np.float64)
    return (points - MIDDLE) @ rotation + (MIDDLE + x, MIDDLE + y)


def undo_pose(points: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """The inverse of `apply_pose`."""
    x, y, angle = pose
    cos, sin = np.cos(angle), np.sin(angle)
    rotation = np.array([[cos, -sin], [sin, cos]])
    points = np.asarray(points, np.float64)
    return (points - (MIDDLE + x, MIDDLE + y)) @ rotation + MIDDLE


def pixels() -> np.ndarray:
    """Coordinates (x, y) of every pixel, float64[SIZE, SIZE, 2]."""
    return np.stack(np.meshgrid(np.arange(SIZE), np.arange(SIZE)), -1).astype(np.float64)


def rest_points(facial: np.ndarray, strength: float, pose: np.ndarray) -> np.ndarray:
    """Return where each pixel of a frame is on the resting face.

    P_t inverted on the pixel grid: X = R^-1(y) - a f(X) is iterated, which converges as
    |grad f| < 1.

    Args:
        facial: f on the pixel grid [SIZE, SIZE, 2].
        strength: a, 0..1.
        pose: (x, y, angle) of the head.

    Returns:
        float32[SIZE, SIZE, 2].
    """
    target = undo_pose(pixels(), pose).astype(np.float32)
    if strength == 0:
        return target
    moved = np.float32(strength) * facial.astype(np.float32)
    rest = target
    for _ in range(ROUNDS):
        rest = target - _sample(moved, rest, cv2.INTER_LINEAR)
    return rest


def film(
    drawing: np.ndarray,
    facial: np.ndarray,
    course: np.ndarray,
    pose: np.ndarray,
    seat: np.ndarray,
) -> np.ndarray:
    """Noise-free frames of a drawing.

    Args:
        drawing: as of drawing.neutral.
        facial: f at the apex [SIZE, SIZE, 2].
        course: strength [T] of the expression.
        pose: [T, 3] of the head.
        seat: (x, y) by which every frame shows the face off its place in the drawing.

    Returns:
        float32[T, SIZE, SIZE].
    """
    frames = []
    for strength, frame_pose in zip(course, pose, strict=True):
        rest = rest_points(facial, strength, frame_pose)
        frames.append(_sample(drawing, SCALE * (rest - np.float32(seat)) + 1, cv2.INTER_CUBIC))
    return np.stack(frames)


def _sample(image, points, interpolation):
    """Return the values of an image at points [H, W, 2].

    Outside of the image its edge is repeated.
    """
    x, y = points[..., 0], points[..., 1]
    return cv2.remap(image, x, y, interpolation, borderMode=cv2.BORDER_REPLICATE)


def expose(
    rng: np.random.Generator, frames: np.ndarray, *, noise: float, flicker: float
) -> np.ndarray:
    """8-bit frames as a camera takes them.

    Args:
        rng: draws noise and flicker.
        frames: float32[T, H, W], noise-free.
        noise: standard deviation of the camera noise in gray levels.
        flicker: standard deviation of the brightness of a frame, relative.

    Returns:
        uint8[T, H, W].
    """
    gain = 1 + flicker * rng.standard_normal((len(frames), 1, 1))
    grains = noise * rng.standard_normal(frames.shape, dtype=np.float32)
    return np.clip(np.rint(frames * gain.astype(np.float32) + grains), 0, 255).astype(np.uint8)
