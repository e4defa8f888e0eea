"""Movement of face regions in words: 'inner brows up', 'left mouth corner up and outward'.

It is read from optical flow between key frames of a crop. The head's motion is fitted and removed.
No action unit is concluded from it: action units are reported only by models that have them as
outputs.
"""

from typing import NamedTuple

import cv2
import numpy as np

from mer_jax.preprocess import au_regions, flow
from mer_jax.runfiles.prediction_file import ABOVE_FACE, LEAST, PHASES, Movement

SIZE = 128  # pixels: the side of the crop in whose pixels lengths are given
REACH = 0.045  # radius of the discs of a region, as a share of the face's width; our choice
COMPONENT = np.sin(np.radians(22.5))  # of a direction that is named: eight directions
ROUNDS = 10  # of the head's fit; its weights change little after five


class Region(NamedTuple):
    """Discs at landmarks of one side of the face, or of its middle.

    Each disc lies at the mean of some landmarks (0-based, in 300-W order). Right is the subject's
    right, the left of the picture.
    """

    name: str  # of one side
    plural: str  # of both sides; '' for a region of the middle
    discs: tuple[tuple[int, ...], ...]  # of the right side, or of the middle
    mirrored: tuple[tuple[int, ...], ...] = ()  # of the left side


REGIONS = (
    Region('inner brow', 'inner brows', ((20,), (21,)), ((22,), (23,))),
    Region('outer brow', 'outer brows', ((17,), (18,), (19,)), ((24,), (25,), (26,))),
    Region('upper eyelid', 'upper eyelids', ((37,), (38,)), ((43,), (44,))),
    Region('lower eyelid', 'lower eyelids', ((40,), (41,)), ((46,), (47,))),
    Region('side of the nose', 'sides of the nose', ((31,),), ((35,),)),
    Region('cheek', 'cheeks', ((36, 41, 48, 2),), ((45, 46, 54, 14),)),
    Region('mouth corner', 'mouth corners', ((48,),), ((54,),)),
    Region('upper lip', '', ((50,), (51,), (52,))),
    Region('lower lip', '', ((56,), (57,), (58,))),
    Region('chin', '', ((8, 57),)),
)


class Shift(NamedTuple):
    """The mean motion of a region in the directions of the face, in pixels of SIZE."""

    across: float  # to the subject's left
    up: float

    @property
    def pixels(self) -> float:
        """Return its length."""
        return float(np.hypot(*self))


def between(
    crops: tuple[np.ndarray, np.ndarray, np.ndarray],
    landmarks: np.ndarray,
    *,
    rise: np.ndarray,
    method: str = 'dis',
) -> tuple[Movement, ...]:
    """Return what moves from the onset to the apex, then to the offset.

    Args:
        crops: uint8[S, S] of onset, apex and offset.
        landmarks: [68, 2] (x, y) in pixels of the onset's crop.
        rise: flow [S, S, 2] from onset to apex.
        method: of preprocess.flow, from apex to offset; 'dis' takes a fiftieth of the time of
            'tvl1' and finds shorter movements.

    Returns:
        The movements of each phase, strongest first.
    """
    fall = flow.estimate(*crops[1:], method=method)
    fields = zip(PHASES, (rise, fall), strict=True)
    moved = [of_flow(field, landmarks, phase=phase) for phase, field in fields]
    return moved[0] + moved[1]


def of_flow(field: np.ndarray, landmarks: np.ndarray, *, phase: str) -> tuple[Movement, ...]:
    """Return what moves in a flow, strongest first.

    Args:
        field: flow [S, S, 2] in pixels of a square crop: (right, down) in the picture.
        landmarks: [68, 2] (x, y) in pixels of the crop.
        phase: of PHASES, that the flow shows.

    Raises:
        UserError: landmarks of another shape or not finite.
    """
    points = au_regions.check_landmarks(landmarks, 'movement')
    scale = SIZE / len(field)
    face = _face(points, len(field))
    if not face.any():
        return ()
    own = without_head(field, face) * scale
    least = max(LEAST, ABOVE_FACE * float(np.median(np.linalg.norm(own[face], axis=-1))))
    width = scale * float(np.linalg.norm(points[16] - points[0]))
    moved = []
    for region in REGIONS:
        for side, shift in _sides(region, own, points, least):
            moved.append(_movement(region, side, shift, phase, width))
    return tuple(sorted(moved, key=lambda one: -one.pixels))


def of_face(field: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """Return a flow without the motion of the head, for pictures.

    Args:
        field: flow [S, S, 2].
        landmarks: [68, 2] (x, y) in pixels of the crop.

    Returns:
        float64[S, S, 2]; zero outside of the face.
    """
    face = _face(au_regions.check_landmarks(landmarks, 'movement'), len(field))
    if not face.any():
        return np.zeros_like(field, np.float64)
    return without_head(field, face) * face[..., None]


def without_head(field: np.ndarray, face: np.ndarray) -> np.ndarray:
    """Return a flow without the motion of the head.

    That is the shift, turn and scaling (a similarity) that fit most pixels of the face: least
    squares, whose weights fall with the residual (Cauchy), begun at the median.

    Args:
        field: flow [H, W, 2].
        face: bool[H, W], pixels of the face.

    Returns:
        float64[H, W, 2].
    """
    rows, columns = np.nonzero(face)
    place = columns + 1j * rows
    middle = place.mean()
    place = place - middle
    motion = field[rows, columns, 0].astype(np.float64) + 1j * field[rows, columns, 1]
    shift, turn = complex(np.median(motion.real), np.median(motion.imag)), 0j
    for _ in range(ROUNDS):
        residual = np.abs(motion - shift - turn * place)
        weight = 1 / (1 + (residual / max(1.5 * np.median(residual), 1e-6)) ** 2)
        total = weight.sum()
        from_middle = place - (weight * place).sum() / total
        mean = (weight * motion).sum() / total
        spread = (weight * np.abs(from_middle) ** 2).sum()
        turn = (weight * from_middle.conj() * (motion - mean)).sum() / max(spread, 1e-12)
        shift = mean - turn * (weight * place).sum() / total
    height, width = face.shape
    grid = np.arange(width)[None, :] + 1j * np.arange(height)[:, None] - middle
    head = shift + turn * grid
    return np.asarray(field, np.float64) - np.stack([head.real, head.imag], -1)


def _face(points, size):
    """Pixels of the face: between the brows and the chin, bool[S, S]."""
    hull = cv2.convexHull(np.rint(points).astype(np.int32))
    return cv2.fillConvexPoly(np.zeros((size, size), np.uint8), hull, 1).astype(bool)


def _sides(region, field, points, least):
    """Return (side, Shift) of each side of a region that moves; one where both move alike."""
    if not region.mirrored:
        shift = _shift(field, points, region.discs)
        return [('middle', shift)] if shift.pixels >= least else []
    shifts = {
        'right': _shift(field, points, region.discs),
        'left': _shift(field, points, region.mirrored),
    }
    moved = [(side, shift) for side, shift in shifts.items() if shift.pixels >= least]
    words = {_direction(side, shift) for side, shift in moved}
    if len(moved) == 2 and len(words) == 1:
        right, left = shifts['right'], shifts['left']
        # outward counts as to the left, as on the left side
        return [('both', Shift((left.across - right.across) / 2, (left.up + right.up) / 2))]
    return moved


def _shift(field, points, discs):
    """Return the mean motion of discs as a Shift; zero outside of the picture."""
    up = au_regions.upward(points)
    width = np.linalg.norm(up)
    up = up / width
    across = (points[16] - points[0]) / width
    inside = np.zeros(field.shape[:2], bool)
    for landmarks in discs:
        _add_disc(inside, points[list(landmarks)].mean(0), REACH * width)
    if not inside.any():
        return Shift(0.0, 0.0)
    mean = field[inside].mean(0)
    return Shift(float(mean @ across), float(mean @ up))


def _add_disc(inside, centre, radius):
    """Set the pixels of a disc in bool[S, S]; only its neighbourhood is looked at."""
    first = np.maximum(np.floor(centre - radius), 0).astype(int)
    last = np.maximum(np.ceil(centre + radius), -1).astype(int) + 1
    box = inside[first[1] : last[1], first[0] : last[0]]
    y, x = np.mgrid[first[1] : first[1] + box.shape[0], first[0] : first[0] + box.shape[1]]
    box |= np.hypot(x - centre[0], y - centre[1]) <= radius


def _direction(side, shift):
    """Return the direction of a shift in words, such as 'up and outward'."""
    words = []
    if abs(shift.up) >= COMPONENT * shift.pixels:
        words.append('up' if shift.up > 0 else 'down')
    if abs(shift.across) >= COMPONENT * shift.pixels:
        words.append(_across(side, shift.across > 0))
    return ' and '.join(words)


def _across(side, to_left):
    """Return the word for a motion across the face."""
    if side == 'middle':
        return "to the subject's left" if to_left else "to the subject's right"
    outward = to_left == (side != 'right')
    return 'outward' if outward else 'inward'


def _movement(region, side, shift, phase, width):
    """Return a Movement; `width` is that of the face in pixels of SIZE."""
    direction = _direction(side, shift)
    names = {'middle': region.name, 'both': region.plural}
    name = names.get(side, f'{side} {region.name}')
    return Movement(
        words=f'{name} {direction}',
        region=region.name,
        side=side,
        phase=phase,
        direction=direction,
        pixels=shift.pixels,
        share=shift.pixels / width,
    )
