"""Motion of the cells of a face between two frames, without that of the head.

The square crop of a face is divided into CELLS x CELLS cells. The flow from a reference frame
gives the motion of each cell; what is nearly affine over the face is the head's and is removed, by
a robust fit, because an expression moves only some of the face. Sources: blocks as in MDMD (Wang,
Wu, Qian, Li, Fu 2016); removal of the head's motion as in most baselines of MEGC, which take that
of the nose alone (He 2021), while a fit to the whole face also removes turns and approach.
"""

from typing import NamedTuple

import cv2
import numpy as np

from mer_jax.preprocess import au_regions, face, landmarks, mtcnn, regions

SIZE = 128  # of the crop in pixels
CELLS = 16  # along a side
CELL = SIZE // CELLS
EYE_MARGIN = 0.05  # by which the hull of an eye is grown, in widths of the face
FITS = 6  # rounds of the robust fit
LEAST_SCALE = 0.04  # pixels: a residual as small is no outlier
MOVED = 2.0  # pixels that the head moves until the reference is taken anew
OLD = 1_500.0  # ms until it is
LOOK = 10_000.0  # ms until the face is looked for again
OFF = 8.0  # pixels by which the eyes are then off their place in the crop where it is cut anew
ALIKE = 0.5  # least correlation of a crop with the reference: below it the face is lost, or cut
LOST = 40.0  # pixels: no head moves as far between two frames


class View(NamedTuple):
    """A face crop, and which of its cells show what."""

    crop: face.Crop
    inside: np.ndarray  # bool[CELLS, CELLS], cells of the face, the eyes left out
    eyes: np.ndarray  # bool[CELLS, CELLS], cells of the eyes, with their lids
    regions: np.ndarray  # bool[10, CELLS, CELLS], as au_regions.AU_REGIONS


class Motion(NamedTuple):
    """What moved since the reference frame, in pixels of the crop."""

    cells: np.ndarray  # float32[CELLS, CELLS, 2], without the head
    head: np.ndarray  # float64[2, 3], affine: centre of the crop as origin -> motion there


def view(gray: np.ndarray, detector: str = '') -> View | None:
    """Find the face in a frame.

    Args:
        gray: uint8[H, W].
        detector: path of the weights of MTCNN; '': Haar.

    Returns:
        The crop and its cells; None where there is no face.
    """
    crop = face.find(gray, size=SIZE, cropped=False, eyes_of=mtcnn.eyes_by(detector))
    if crop.how == 'whole frame':
        return None
    return of_crop(cut(gray, crop), crop)


def of_crop(image: np.ndarray, crop: face.Crop) -> View:
    """Return which cells of a crop show what, by the template of 68 landmarks.

    Args:
        image: uint8[SIZE, SIZE], the crop.
        crop: how it was cut.
    """
    points = landmarks.template(image, crop)
    up = au_regions.upward(points)
    forehead = points[17:27] + au_regions.RAISED * up
    whole = regions.near_hull(np.concatenate([points[:17], forehead]), SIZE, 0)
    reach = EYE_MARGIN * float(np.linalg.norm(up))
    eyes = np.any(
        [regions.near_hull(points[list(eye)], SIZE, reach) for eye in _EYES],
        axis=0,
    )
    in_eyes = _share(eyes) > 0.25
    return View(
        crop=crop,
        inside=(_share(whole) > 0.5) & ~in_eyes,
        eyes=in_eyes,
        regions=np.stack([_share(mask) > 0.5 for mask in au_regions.region_masks(points, SIZE)]),
    )


_EYES = (au_regions.EYE_RIGHT, au_regions.EYE_LEFT)


def _share(mask):
    """The share of each cell that a mask [SIZE, SIZE] covers."""
    return mask.reshape(CELLS, CELL, CELLS, CELL).mean((1, 3))


def cut(gray: np.ndarray, crop: face.Crop) -> np.ndarray:
    """The crop of a frame, by a faster way than face.cut.

    The frame is shrunk first where the crop has fewer pixels, then sampled once.

    Args:
        gray: uint8[H, W].
        crop: where to cut.

    Returns:
        uint8[SIZE, SIZE].
    """
    height, width = gray.shape
    x0, y0 = np.clip(np.floor(crop.box[:2]).astype(int) - 2, 0, (width - 1, height - 1))
    x1, y1 = np.clip(np.ceil(crop.box[2:]).astype(int) + 2, (x0 + 1, y0 + 1), (width, height))
    part = gray[y0:y1, x0:x1]
    shrink = min(1.0, np.hypot(*crop.matrix[:, 0]))
    sides = [max(round(shrink * side), 1) for side in part.shape]
    ratio = np.array([sides[1] / part.shape[1], sides[0] / part.shape[0]])
    if shrink < 1:
        part = cv2.resize(part, (sides[1], sides[0]), interpolation=cv2.INTER_AREA)
    # pixel p of the frame lies at (p - corner) * ratio - .5 of the shrunk part
    linear = crop.matrix[:, :2] / ratio
    corner = np.array([x0, y0]) - 0.5
    offset = crop.matrix[:, 2] + crop.matrix[:, :2] @ corner + linear @ (0.5, 0.5)
    matrix = np.column_stack([linear, offset])
    return cv2.warpAffine(part, matrix, (SIZE, SIZE), borderMode=cv2.BORDER_REPLICATE)


def between(reference: np.ndarray, image: np.ndarray, place: View) -> Motion:
    """Motion of the cells from a reference crop to another.

    Args:
        reference, image: uint8[SIZE, SIZE], cut alike.
        place: which cells show the face.
    """
    flow = _estimator().calc(reference, image, None)
    cells = cv2.resize(flow, (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    head = _head(cells[place.inside].astype(np.float64), _CENTRES[place.inside])
    return Motion((cells - head_cells(head)).astype(np.float32), head)


def head_cells(head: np.ndarray) -> np.ndarray:
    """How the head moves each cell, float64[CELLS, CELLS, 2] pixels.

    Args:
        head: as Motion.head.
    """
    return np.concatenate([_CENTRES, np.ones((CELLS, CELLS, 1))], -1) @ head.T


_line = (np.arange(CELLS) + 0.5) * CELL - SIZE / 2
_CENTRES = np.stack(np.meshgrid(_line, _line), -1)  # of the cells, from the middle of the crop


def _estimator():
    return cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)


def _head(moved, centres):
    """Fit an affine motion to most cells: Tukey's biweight, from the median shift on.

    Args:
        moved: [n, 2] pixels.
        centres: [n, 2] pixels.

    Returns:
        float64[2, 3].
    """
    basis = np.column_stack([centres, np.ones(len(centres))])
    head = np.column_stack([np.zeros((2, 2)), np.median(moved, axis=0)])
    for _ in range(FITS):
        residual = np.linalg.norm(moved - basis @ head.T, axis=1)
        scale = max(4.0 * np.median(residual), LEAST_SCALE)
        weight = np.clip(1 - (residual / scale) ** 2, 0, 1) ** 2
        weighted = basis * weight[:, None]
        gram = basis.T @ weighted + 1e-6 * np.eye(3)
        head = np.linalg.solve(gram, weighted.T @ moved).T
    return head


class Track(NamedTuple):
    """A face that is followed through a recording."""

    place: View
    reference: np.ndarray  # uint8[SIZE, SIZE], the crop that flow is taken from
    since: float  # ms, when the reference was taken
    looked: float  # ms, when the face was last looked for
    before: Motion  # motion from the first frame to the reference
    detector: str  # path of the weights of MTCNN; '': Haar


def begin(gray: np.ndarray, ms: float, detector: str = '') -> Track | None:
    """Follow the face of a frame.

    Args:
        gray: uint8[H, W].
        ms: time of the frame.
        detector: path of the weights of MTCNN; '': Haar.

    Returns:
        None where there is no face.
    """
    place = view(gray, detector)
    if place is None:
        return None
    rest = Motion(np.zeros((CELLS, CELLS, 2), np.float32), np.zeros((2, 3)))
    return Track(place, cut(gray, place.crop), ms, ms, rest, detector)


def follow(track: Track, gray: np.ndarray, ms: float) -> tuple[Track | None, Motion | None]:
    """Motion of the face since the track began.

    The reference is taken anew where the head has moved on or time has passed, so that the flow is
    always between frames that look alike; the crop then moves along with the head.

    Args:
        track: as of the frame before.
        gray: uint8[H, W], the next frame.
        ms: its time.

    Returns:
        The track, and the sum of all motion; None and None where the face is lost.
    """
    image = cut(gray, track.place.crop)
    if _likeness(track.reference, image) < ALIKE:
        return None, None
    step = between(track.reference, image, track.place)
    shift = float(head_shift(step.head))
    if shift > LOST:
        return None, None
    total = Motion(track.before.cells + step.cells, track.before.head + step.head)
    if shift < MOVED and ms - track.since < OLD:
        return track, total
    looked, place = track.looked, track.place._replace(crop=_followed(track.place, step.head))
    if ms - looked >= LOOK:
        looked, place = ms, _seen_again(gray, place, track.detector)
    reference = cut(gray, place.crop)
    return Track(place, reference, ms, looked, total, track.detector), total


def _likeness(first, second):
    """Correlation of the features of two pictures, without light and noise; 0 for a blank."""
    first, second = (_features(image) for image in (first, second))
    size = np.sqrt((first**2).sum() * (second**2).sum())
    return float((first * second).sum() / size) if size else 0.0


def _features(image):
    fine = cv2.GaussianBlur(image.astype(np.float32), (0, 0), 2)
    return fine - cv2.GaussianBlur(fine, (0, 0), 6)


def head_shift(head: np.ndarray) -> np.ndarray:
    """How far the head moves a face, in pixels of the crop.

    Args:
        head: [..., 2, 3], as Motion.head.

    Returns:
        float64[...]: the shift of the middle, and what turn and approach do at a quarter of the
        crop from it.
    """
    shift = np.linalg.norm(head[..., 2], axis=-1)
    return shift + SIZE / 4 * np.linalg.norm(head[..., :2], axis=(-2, -1))


def _seen_again(gray, place, detector):
    """The view of the face that is found, where it is clearly off the place followed so far."""
    fresh = view(gray, detector)
    if fresh is None:
        return place
    points = face.EYES_AT * SIZE
    to_frame = cv2.invertAffineTransform(place.crop.matrix)
    now = face.transform(fresh.crop.matrix, face.transform(to_frame, points))
    return fresh if np.abs(now - points).max() > OFF else place


def _followed(place: View, head: np.ndarray) -> face.Crop:
    """The crop, moved along with the head since it was cut."""
    linear = np.eye(2) + head[:, :2]
    turn = complex(linear[0, 0] + linear[1, 1], linear[1, 0] - linear[0, 1]) / 2
    similar = np.array([[turn.real, -turn.imag], [turn.imag, turn.real]])
    middle = np.full(2, (SIZE - 1) / 2)
    # crop point p was at middle + c, is now at middle + similar c + shift: cut such that it is back
    back = np.linalg.inv(similar)
    matrix = back @ place.crop.matrix
    matrix[:, 2] += middle - back @ (middle + head[:, 2])
    corners = np.array([[0, 0], [SIZE, 0], [0, SIZE], [SIZE, SIZE]]) - 0.5
    edges = face.transform(cv2.invertAffineTransform(matrix), corners) + 0.5
    box = (*map(float, edges.min(0)), *map(float, edges.max(0)))
    return place.crop._replace(matrix=matrix, box=box)
