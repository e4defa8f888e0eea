"""Handcrafted descriptors of one clip or one flow field: LBP-TOP, HOOF, Bi-WOOF, bands of
orientations, MDMO.

Angles of flow are atan2(v, u): 0 to the right, growing clockwise in the image (v points down). With
8 bins, bin k holds what lies within 22.5 degrees of k times 45, so edges lie at odd multiples of
22.5 and motion along an axis in the middle of a bin, where noise does not tip it into the next one.
"""

import functools

import numpy as np

from mer_jax.errors import UserError
from mer_jax.preprocess import au_regions, flow, regions

NEIGHBOURS = 8  # of a pixel in local binary patterns
PATTERNS = 59  # 58 with at most two changes round the circle, and one bin for all others
# gray levels by which a neighbour may be darker and count as equal: what rounding does to
# interpolated ones
TIE = 1e-4


def lbp_top(video, *, blocks=5, radii=(1, 1, 4), frames=10) -> np.ndarray:
    """Uniform local binary patterns on three planes of a clip: float32[blocks * blocks * 3 * 59],
    each 59 with sum 1.

    video: uint8[T, H, W], brought to `frames` frames by linear interpolation in time, rounded to
    whole gray levels.
    radii: whole pixels along x and y, whole frames along t. Order: block (row by row), plane (XY,
    XT, YT), pattern. Eight neighbours on the circle or ellipse of a plane, bilinear between pixels,
    1 where not darker than the centre. Centres are
    the same in all planes: pixels with all neighbours inside the clip, so with the defaults frames
    4 and 5 of 10. Blocks do not overlap. Raises UserError on another type, one frame, and blocks or
    frames too small for the radii.
    Source: Zhao and Pietikainen 2007. Published baselines bring clips to their length by a graph
    embedding (TIM) instead.
    """
    video = _clip(video, 'lbp_top')
    rx, ry, rt = radii
    _, height, width = video.shape
    if min(radii) < 1 or frames < 2 * rt + 1:
        raise UserError(
            f'lbp_top: radii are {radii}, frames {frames}; needs radii from 1, frames from 2 * '
            f'{rt} + 1'
        )
    if height // blocks <= ry or width // blocks <= rx:
        raise UserError(
            f'lbp_top: frames are {height} x {width}; {blocks} blocks a side need over '
            f'{max(rx, ry)} pixels each'
        )
    volume = _resampled(video, frames)
    rows, columns = (
        np.arange(radius, side - radius) * blocks // side
        for radius, side in ((ry, height), (rx, width))
    )
    block = rows[:, None] * blocks + columns
    bins = [
        (block * 3 + plane) * PATTERNS + _patterns(volume, first, second, (rt, ry, rx))
        # axes of the volume [t, y, x]
        for plane, (first, second) in enumerate(((2, 1), (2, 0), (1, 0)))
    ]
    counts = np.bincount(np.ravel(bins), minlength=blocks * blocks * 3 * PATTERNS).reshape(
        -1, PATTERNS
    )
    return (counts / counts.sum(-1, keepdims=True)).astype(np.float32).ravel()


def _resampled(video, frames):
    """float32[frames, H, W] in whole gray levels, evenly from the first frame to the last."""
    at = np.linspace(0, len(video) - 1, frames)
    before = np.minimum(at.astype(int), len(video) - 2)
    part = (at - before).astype(np.float32)[:, None, None]
    return np.rint(video[before] * (1 - part) + video[before + 1] * part)


def _patterns(volume, first, second, radii):
    """Uniform patterns int[t, y, x] of the centres of one plane; neighbour p stands at angle 45 p
    from axis `first`.
    """
    centre, codes = _shifted(volume, radii, (0, 0, 0)), 0
    for neighbour in range(NEIGHBOURS):
        angle = 2 * np.pi * neighbour / NEIGHBOURS
        # rounded: the cosine of a right angle is not quite 0 and would reach for a pixel beyond
        offsets = {
            first: round(radii[first] * np.cos(angle), 9),
            second: round(radii[second] * np.sin(angle), 9),
        }
        brighter = sum(
            np.float32(weight) * (_shifted(volume, radii, shift) - centre)
            for weight, shift in _corners(offsets)
        )
        codes = codes + ((brighter >= -TIE).astype(np.int64) << neighbour)
    return _uniform()[codes]


def _corners(offsets):
    """(weight, shift along t, y, x) of the pixels between which a neighbour lies: one, two
    or four.
    """
    corners = [(1.0, (0, 0, 0))]
    for axis, offset in offsets.items():
        low = int(np.floor(offset))
        steps = [(1 - (offset - low), low), (offset - low, low + 1)]
        corners = [
            (weight * part, (*shift[:axis], step, *shift[axis + 1 :]))
            for weight, shift in corners for part, step in steps if part
        ]  # fmt: skip
    return corners


def _shifted(volume, radii, shift):
    """The part of the volume that lies `shift` from the centres."""
    inside = (
        slice(r + s, side - r + s) for r, s, side in zip(radii, shift, volume.shape, strict=True)
    )
    return volume[tuple(inside)]


@functools.cache
def _uniform():
    """int[256]: the bin of each pattern; 0..57 in order of value where its circle of bits changes
    at most twice, else 58.
    """
    bits = np.arange(256)[:, None] >> np.arange(NEIGHBOURS) & 1
    smooth = (bits != np.roll(bits, 1, axis=1)).sum(1) <= 2
    return np.where(smooth, np.cumsum(smooth) - 1, PATTERNS - 1)


def hoof(field, *, bins=8, cells=5) -> np.ndarray:
    """Orientations of a flow [H, W, 2], weighted by magnitude: float32[cells * cells * bins], row
    by row, each cell's sum 1.

    A cell without motion is 0. Raises UserError on another shape. Source: Chaudhry et al. 2009,
    with bins as above instead of their mirrored ones.
    """
    counts = _orientations(field, cells, cells, bins, 'hoof')
    return _shares(counts).astype(np.float32).ravel()


def bi_woof(field, strain, *, bins=8, cells=5) -> np.ndarray:
    """The sums of hoof, not brought to 1, times the mean strain of their cell: float32[cells *
    cells * bins].

    strain: magnitude [H, W] of the flow [H, W, 2], from flow.strain. Raises UserError on other
    shapes.
    Source: Liong et al. 2018; the authors' released code also brings each cell to sum 1 before and
    all to length 1 after.
    """
    strain = np.asarray(strain, np.float64)
    counts = _orientations(field, cells, cells, bins, 'bi_woof')
    if strain.shape != np.shape(field)[:2]:
        raise UserError(
            f'bi_woof: strain is {list(strain.shape)}; needs {list(np.shape(field)[:2])}, as '
            'the flow'
        )
    cell = _grid(strain.shape, cells, cells).ravel()
    mean = np.bincount(cell, strain.ravel(), cells * cells) / np.bincount(
        cell, minlength=cells * cells
    )
    return (counts * mean[:, None]).astype(np.float32).ravel()


def bands(field, *, bins=8, bands=3) -> np.ndarray:
    """Orientations of a flow [H, W, 2] in bands across the image, top first: float32[bands * bins]
    with sum 1 over all.

    One sum over all bands, so that they also say which band moved; a flow of zeros gives zeros. Two
    phases of a clip, 24 each, are the 48 handcrafted numbers of the hybrid; which quantities its
    authors took they do not say.
    """
    counts = _orientations(field, bands, 1, bins, 'bands')
    return _shares(counts.ravel()).astype(np.float32)


def orientations(field, *, bins=8, cells=5) -> np.ndarray:
    """float32[cells * cells * bins]: lengths of the vectors of each cell and direction, added up;
    cells and bins as of `hoof`.
    """
    return _orientations(field, cells, cells, bins, 'orientations').ravel().astype(np.float32)


def _orientations(field, rows, columns, bins, name):
    """float64[rows * columns, bins]: lengths of the vectors of each cell and direction,
    added up.
    """
    field = np.asarray(field, np.float64)
    if field.ndim != 3 or field.shape[-1] != 2 or field.shape[0] < rows or field.shape[1] < columns:
        raise UserError(
            f'{name}: flow has shape {list(field.shape)}; needs [H, W, 2], {rows} x {columns} '
            'pixels or more'
        )
    direction, _ = _directions(field, bins)
    where = _grid(field.shape[:2], rows, columns) * bins + direction
    return np.bincount(where.ravel(), np.hypot(*field.T).T.ravel(), rows * columns * bins).reshape(
        -1, bins
    )


def _directions(field, bins):
    """Bin int[H, W] of each vector, and by how much (radians) its angle exceeds the middle of that
    bin.
    """
    turns = np.arctan2(field[..., 1], field[..., 0]) / (2 * np.pi / bins)
    nearest = np.rint(turns)
    return nearest.astype(np.int64) % bins, (turns - nearest) * (2 * np.pi / bins)


def _grid(shape, rows, columns):
    """int[H, W]: index of the cell of each pixel, row by row."""
    return np.add.outer(
        np.arange(shape[0]) * rows // shape[0] * columns, np.arange(shape[1]) * columns // shape[1]
    )


def _shares(counts):
    """Counts divided by their sum over the last axis; 0 where that is 0."""
    total = counts.sum(-1, keepdims=True)
    return np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)


def _clip(video, name):
    video = np.asarray(video)
    if video.dtype != np.uint8 or video.ndim != 3 or len(video) < 2 or not video.size:
        raise UserError(
            f'{name}: video is {video.dtype}{list(video.shape)}; needs 8-bit gray, uint8[T, H, '
            'W] with T from 2'
        )
    return video


# A mesh of 7 x 7 places on the face, from the forehead to the edge of the jaw, each the mean of the
# landmarks named; its 6 x 6 meshes are the regions of MDMO. The row of the forehead is that of the
# brows, raised.
_BROWS = ((17,), (19,), (21,), (21, 22), (22,), (24,), (26,))
_MESH = (
    _BROWS,
    _BROWS,
    ((36,), (37, 38, 40, 41), (39,), (28,), (42,), (43, 44, 46, 47), (45,)),
    ((2,), (2, 31), (31,), (30,), (35,), (14, 35), (14,)),
    ((3, 4), (48,), (61, 67), (62, 66), (63, 65), (54,), (12, 13)),
    ((5,), (5, 59), (58,), (57,), (56,), (11, 55), (11,)),
    ((6,), (6, 7), (7,), (8,), (9,), (9, 10), (10,)),
)
PARTS = 36


def mdmo_parts(points, height, width) -> np.ndarray:
    """int[height, width]: index 0..35 of the part of the face in which a pixel lies, row by row; -1
    outside the face.

    points: [68, 2] (x, y) in pixels. The parts are our own division into 36, three columns on each
    side of the midline by six rows (forehead, brow to eye, eye to nose, nose to mouth, mouth to
    lower lip, to the jaw); that of Liu et al. 2016 has other outlines. A pixel on a shared edge
    goes to the first. Raises UserError on other points.
    """
    points = au_regions.landmarks(points, 'mdmo')
    mesh = np.array([[points[list(place)].mean(0) for place in row] for row in _MESH])
    mesh[0] += au_regions.RAISED * au_regions.upward(points)
    corners = np.stack(
        [mesh[:-1, :-1], mesh[:-1, 1:], mesh[1:, 1:], mesh[1:, :-1]], axis=2
    ).reshape(PARTS, 4, 2)
    size = max(height, width)
    found = np.full((height, width), -1)
    for part in reversed(range(PARTS)):
        found[regions.near_hull(corners[part], size, 0)[:height, :width]] = part
    return found


def mdmo(video, points, *, bins=8, beta=0.8) -> np.ndarray:
    """Main directional mean optical flow of a clip: float32[72], beta x 36 lengths, then (1 - beta)
    x 36 angles.

    video: uint8[T, H, W]; points: landmarks [68, 2] of its first frame, in pixels. Farneback flow
    from the first frame to each other one; in each of the 36 parts (mdmo_parts) the mean length and
    angle of the vectors in the bin that holds most; over frames their mean as vectors, a frame
    weighted by the sum of its 36 lengths; lengths divided by the longest (0..1), angles in radians
    (-pi..pi). A part without pixels and a clip without motion give 0. The head's motion stays in:
    faces are taken to be aligned. Raises UserError on another type or shape, or one frame.
    Source: Liu et al. 2016. The weights follow Varanka et al. 2024 (tvaranka/meb), whose code adds
    up angles in their place.
    """
    video = _clip(video, 'mdmo')
    parts = mdmo_parts(points, *video.shape[1:])
    lengths, angles = np.moveaxis(
        np.array(
            [_main_direction(flow.farneback(video[0], frame), parts, bins) for frame in video[1:]]
        ),
        1,
        0,
    )
    weights = _shares(lengths.sum(-1))
    u, v = (weights @ (lengths * part(angles)) for part in (np.cos, np.sin))
    length = np.hypot(u, v)
    return np.concatenate(
        [beta * length / max(length.max(), 1e-12), (1 - beta) * np.arctan2(v, u)]
    ).astype(np.float32)


def _main_direction(field, parts, bins):
    """float64[2, 36]: mean length and angle of those vectors of each part that lie in its fullest
    bin; 0 without any.
    """
    length = np.hypot(*field.astype(np.float64).T).T
    counted = (parts >= 0) & (length > 0)  # a vector of length 0 has no direction
    direction, beyond = (part[counted] for part in _directions(field, bins))
    where = parts[counted] * bins + direction
    votes = np.bincount(where, minlength=PARTS * bins).reshape(PARTS, bins)
    main = np.arange(PARTS), votes.argmax(1)
    mean_length, mean_beyond = (
        np.bincount(where, values, PARTS * bins).reshape(PARTS, bins)[main]
        / np.maximum(votes[main], 1)
        for values in (length[counted], beyond)
    )
    # Angles are averaged about the middle of their bin: about 0 those of one bin would average to
    # the opposite direction.
    return np.stack([mean_length, main[1] * (2 * np.pi / bins) + mean_beyond])
