"""Handcrafted descriptors: LBP-TOP, HOOF, Bi-WOOF and MDMO.

Each describes one clip or one flow field.

Angles of flow are atan2(v, u): 0 to the right, growing clockwise in the image (v points down). With
8 bins, bin k holds what lies within 22.5 degrees of k times 45, so edges lie at odd multiples of
22.5 and motion along an axis in the middle of a bin, where noise does not tip it into the next one.
Bi-WOOF as published alone has its edges at multiples of 45.
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


def lbp_top(
    video: np.ndarray,
    *,
    blocks: int = 5,
    radii: tuple[int, int, int] = (1, 1, 4),
    frames: int = 10,
) -> np.ndarray:
    """Uniform local binary patterns on three planes of a clip.

    Eight neighbours on the circle or ellipse of a plane, bilinear between pixels, 1 where not
    darker than the centre. Centres are the same in all planes: pixels with all neighbours inside
    the clip, so with the defaults frames 4 and 5 of 10. Blocks do not overlap.
    Source: Zhao and Pietikainen 2007. Published baselines bring clips to their length by a graph
    embedding (TIM) instead.

    Args:
        video: uint8[T, H, W].
        blocks: blocks along each side of the image.
        radii: whole pixels along x and y, whole frames along t.
        frames: length to which the video is brought by linear interpolation in time, rounded to
            whole gray levels.

    Returns:
        float32[blocks * blocks * 3 * 59] in the order block (row by row), plane (XY, XT, YT),
        pattern; each 59 sum to 1.

    Raises:
        UserError: another type, one frame, and blocks or frames too small for the radii.
    """
    video = _check_video(video, 'lbp_top')
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
    volume = _interpolate(video, frames)
    block_row = np.arange(ry, height - ry) * blocks // height
    block_column = np.arange(rx, width - rx) * blocks // width
    block = block_row[:, None] * blocks + block_column
    t, y, x = range(3)  # axes of the volume
    bins = []
    for plane, (first, second) in enumerate(((x, y), (x, t), (y, t))):
        pattern = _patterns(volume, first, second, (rt, ry, rx))
        bins.append((block * 3 + plane) * PATTERNS + pattern)
    counts = np.bincount(np.ravel(bins), minlength=blocks * blocks * 3 * PATTERNS)
    counts = counts.reshape(-1, PATTERNS)
    return (counts / counts.sum(-1, keepdims=True)).astype(np.float32).ravel()


def _interpolate(video, frames):
    """Interpolate a clip to a number of frames.

    They lie evenly from the first frame to the last. Returns float32[frames, H, W] in whole gray
    levels.
    """
    time = np.linspace(0, len(video) - 1, frames)
    before = np.minimum(time.astype(int), len(video) - 2)
    weight = (time - before).astype(np.float32)[:, None, None]
    return np.rint(video[before] * (1 - weight) + video[before + 1] * weight)


def _patterns(volume, first, second, radii):
    """Return the uniform patterns of one plane, int[t, y, x].

    Neighbour p stands at angle 45 p from axis `first`.
    """
    centre = _shifted(volume, radii, (0, 0, 0))
    codes = 0
    for neighbour in range(NEIGHBOURS):
        angle = 2 * np.pi * neighbour / NEIGHBOURS
        # rounded: the cosine of a right angle is not quite 0 and would reach for a pixel beyond
        offsets = {
            first: round(radii[first] * np.cos(angle), 9),
            second: round(radii[second] * np.sin(angle), 9),
        }
        brighter = 0
        for weight, shift in _corners(offsets):
            brighter = brighter + np.float32(weight) * (_shifted(volume, radii, shift) - centre)
        codes = codes + ((brighter >= -TIE).astype(np.int64) << neighbour)
    return _uniform()[codes]


def _corners(offsets):
    """Return weight and shift of the pixels around a neighbour.

    There are one, two or four; a shift is along t, y, x.
    """
    corners = [(1.0, (0, 0, 0))]
    for axis, offset in offsets.items():
        low = int(np.floor(offset))
        steps = [(1 - (offset - low), low), (offset - low, low + 1)]
        steps = [(share, step) for share, step in steps if share]
        finer = []
        for weight, shift in corners:
            for share, step in steps:
                finer.append((weight * share, (*shift[:axis], step, *shift[axis + 1 :])))
        corners = finer
    return corners


def _shifted(volume, radii, shift):
    """What lies `shift` from the centres of the volume."""
    axes = zip(radii, shift, volume.shape, strict=True)
    return volume[tuple(slice(radius + by, side - radius + by) for radius, by, side in axes)]


@functools.cache
def _uniform():
    """int[256]: the bin of each pattern.

    0..57 in order of value where its circle of bits changes at most twice, else 58.
    """
    bits = np.arange(256)[:, None] >> np.arange(NEIGHBOURS) & 1
    smooth = (bits != np.roll(bits, 1, axis=1)).sum(1) <= 2
    return np.where(smooth, np.cumsum(smooth) - 1, PATTERNS - 1)


def hoof(field: np.ndarray, *, bins: int = 8, cells: int = 5) -> np.ndarray:
    """Histograms of oriented flow, weighted by magnitude.

    Source: Chaudhry et al. 2009, with bins as above instead of their mirrored ones.

    Args:
        field: flow [H, W, 2].
        bins: directions.
        cells: cells along each side of the image.

    Returns:
        float32[cells * cells * bins], row by row; each cell sums to 1, or 0 without motion.

    Raises:
        UserError: another shape.
    """
    counts = _orientations(field, cells, cells, bins, 'hoof')
    return _shares(counts).astype(np.float32).ravel()


def bi_woof(field: np.ndarray, strain: np.ndarray, *, bins: int = 8, cells: int = 5) -> np.ndarray:
    """Oriented flow of each cell, weighted by the cell's summed strain.

    Bins count from -180 degrees, so that their edges lie at multiples of 45. Each cell is brought
    to sum 1 before it is weighted, and all to length 1 after. A cell takes a pixel of its
    neighbours on either side, and the last one what is left over.
    Source: Liong et al. 2018, as the authors' released code computes it.

    Args:
        field: flow [H, W, 2].
        strain: magnitude [H, W], from flow.strain.
        bins: directions.
        cells: cells along each side of the image.

    Returns:
        float32[cells * cells * bins], row by row; zeros without motion.

    Raises:
        UserError: other shapes.
    """
    field, strain = _checked(field, strain, cells, 'bi_woof')
    turns = np.arctan2(field[..., 1], field[..., 0]) / (2 * np.pi / bins)
    direction = np.floor(turns + bins / 2).astype(np.int64) % bins
    length = _lengths(field)
    blocks = []
    for rows in _overlapping(field.shape[0], cells):
        for columns in _overlapping(field.shape[1], cells):
            weights = length[rows, columns].ravel()
            counts = np.bincount(direction[rows, columns].ravel(), weights, bins)
            blocks.append(_shares(counts) * strain[rows, columns].sum())
    vector = np.concatenate(blocks)
    return (vector / max(np.linalg.norm(vector), 1e-12)).astype(np.float32)


def _overlapping(side, cells):
    """Slices of the cells along one side, which share two pixels with the next one."""
    step = side // cells
    slices = []
    for cell in range(cells):
        end = side if cell == cells - 1 else (cell + 1) * step + 1
        slices.append(slice(max(cell * step - 1, 0), end))
    return slices


def bi_woof_centred(
    field: np.ndarray, strain: np.ndarray, *, bins: int = 8, cells: int = 5
) -> np.ndarray:
    """Oriented flow of each cell times the cell's mean strain.

    Our form of Bi-WOOF: bins have the axes in their middle, cells do not overlap, and lengths of
    flow stay comparable between clips.

    Args:
        field: flow [H, W, 2].
        strain: magnitude [H, W], from flow.strain.
        bins: directions.
        cells: cells along each side of the image.

    Returns:
        float32[cells * cells * bins], row by row.

    Raises:
        UserError: other shapes.
    """
    field, strain = _checked(field, strain, cells, 'bi_woof_centred')
    counts = _orientations(field, cells, cells, bins, 'bi_woof_centred')
    cell = _grid(strain.shape, cells, cells).ravel()
    total = np.bincount(cell, strain.ravel(), cells * cells)
    mean = total / np.bincount(cell, minlength=cells * cells)
    return (counts * mean[:, None]).astype(np.float32).ravel()


def _checked(field, strain, cells, name):
    """Flow and strain in float64, or UserError where their shapes do not fit."""
    field, strain = _check_field(field, cells, cells, name), np.asarray(strain, np.float64)
    if strain.shape != field.shape[:2]:
        raise UserError(
            f'{name}: strain is {list(strain.shape)}; needs {list(field.shape[:2])}, as the flow'
        )
    return field, strain


def bands(field: np.ndarray, *, bins: int = 8, bands: int = 3) -> np.ndarray:
    """Oriented flow in bands across the image, top first.

    One sum over all bands, so that they also say which band moved. Two phases of a clip, 24 each,
    are the 48 handcrafted numbers of the hybrid; its authors do not say which quantities they took.

    Args:
        field: flow [H, W, 2].
        bins: directions.
        bands: bands from top to bottom.

    Returns:
        float32[bands * bins], which sum to 1 over all; zeros for a flow of zeros.
    """
    counts = _orientations(field, bands, 1, bins, 'bands')
    return _shares(counts.ravel()).astype(np.float32)


def orientations(field: np.ndarray, *, bins: int = 8, cells: int = 5) -> np.ndarray:
    """Summed lengths of the vectors of each cell and direction.

    Args:
        field: flow [H, W, 2].
        bins: directions.
        cells: cells along each side of the image.

    Returns:
        float32[cells * cells * bins], row by row.
    """
    return _orientations(field, cells, cells, bins, 'orientations').ravel().astype(np.float32)


def _orientations(field, rows, columns, bins, name):
    """float64[rows * columns, bins]: summed lengths of the vectors of each cell and direction."""
    field = _check_field(field, rows, columns, name)
    direction, _ = _directions(field, bins)
    where = _grid(field.shape[:2], rows, columns) * bins + direction
    counts = np.bincount(where.ravel(), _lengths(field).ravel(), rows * columns * bins)
    return counts.reshape(-1, bins)


def _check_field(field, rows, columns, name):
    field = np.asarray(field, np.float64)
    if field.ndim != 3 or field.shape[-1] != 2 or field.shape[0] < rows or field.shape[1] < columns:
        raise UserError(
            f'{name}: flow has shape {list(field.shape)}; needs [H, W, 2], {rows} x {columns} '
            'pixels or more'
        )
    return field


def _lengths(field):
    """float64[H, W]: length of each vector."""
    return np.hypot(*field.T).T


def _directions(field, bins):
    """Return the bin of each vector, int[H, W], and its distance.

    The distance is its angle minus that of the bin's middle, in radians.
    """
    turns = np.arctan2(field[..., 1], field[..., 0]) / (2 * np.pi / bins)
    nearest = np.rint(turns)
    return nearest.astype(np.int64) % bins, (turns - nearest) * (2 * np.pi / bins)


def _grid(shape, rows, columns):
    """Return the cell of each pixel, int[H, W], row by row."""
    row = np.arange(shape[0]) * rows // shape[0]
    column = np.arange(shape[1]) * columns // shape[1]
    return np.add.outer(row * columns, column)


def _shares(counts):
    """Divide counts by their sum over the last axis.

    The result is 0 where the sum is 0.
    """
    total = counts.sum(-1, keepdims=True)
    return np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)


def _check_video(video, name):
    video = np.asarray(video)
    if video.dtype != np.uint8 or video.ndim != 3 or len(video) < 2 or not video.size:
        raise UserError(
            f'{name}: video is {video.dtype}{list(video.shape)}; needs 8-bit gray, uint8[T, H, '
            'W] with T from 2'
        )
    return video


# A mesh of 7 x 7 points on the face, from the forehead to the edge of the jaw, each the mean of the
# landmarks named; its 6 x 6 cells are the regions of MDMO. The row of the forehead is that of the
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
MDMO_REGIONS = 36


def mdmo_regions(points: np.ndarray, height: int, width: int) -> np.ndarray:
    """The region of the face in which each pixel lies.

    The regions are our own division into 36, three columns on each side of the midline by six rows
    (forehead, brow to eye, eye to nose, nose to mouth, mouth to lower lip, to the jaw); that of
    Liu et al. 2016 has other outlines. A pixel on a shared edge goes to the first.

    Args:
        points: landmarks [68, 2] (x, y) in pixels.
        height, width: of the image in pixels.

    Returns:
        int[height, width]: index 0..35, row by row; -1 outside the face.

    Raises:
        UserError: other points.
    """
    points = au_regions.check_landmarks(points, 'mdmo')
    mesh = np.stack([_mesh_row(points, row) for row in _MESH])
    mesh[0] += au_regions.RAISED * au_regions.upward(points)
    corners = np.stack([mesh[:-1, :-1], mesh[:-1, 1:], mesh[1:, 1:], mesh[1:, :-1]], axis=2)
    corners = corners.reshape(MDMO_REGIONS, 4, 2)
    size = max(height, width)
    index = np.full((height, width), -1)
    for region in reversed(range(MDMO_REGIONS)):
        inside = regions.near_hull(corners[region], size, 0)
        index[inside[:height, :width]] = region
    return index


def _mesh_row(points, row):
    """Return the mesh points of a row, float64[7, 2].

    Each is the mean of its landmarks.
    """
    return np.stack([points[list(landmarks)].mean(0) for landmarks in row])


def mdmo(video: np.ndarray, points: np.ndarray, *, bins: int = 8, beta: float = 0.8) -> np.ndarray:
    """Main directional mean optical flow of a clip.

    Farneback flow from the first frame to each other one; in each of the 36 regions (mdmo_regions)
    the mean length and angle of the vectors in the bin that holds most; over frames their mean as
    vectors, a frame weighted by the sum of its 36 lengths; lengths divided by the longest (0..1),
    angles in radians (-pi..pi). The head's motion stays in: faces are taken to be aligned.
    Source: Liu et al. 2016. The weights follow Varanka et al. 2024 (tvaranka/meb), whose code adds
    up angles in their place.

    Args:
        video: uint8[T, H, W].
        points: landmarks [68, 2] of its first frame, in pixels.
        bins: directions.
        beta: weight of the lengths; the angles have 1 - beta.

    Returns:
        float32[72]: 36 lengths, then 36 angles; 0 for a region without pixels and a clip without
        motion.

    Raises:
        UserError: another type or shape, or one frame.
    """
    video = _check_video(video, 'mdmo')
    index = mdmo_regions(points, *video.shape[1:])
    fields = [flow.farneback(video[0], frame) for frame in video[1:]]
    mains = np.array([_main_direction(field, index, bins) for field in fields])
    lengths, angles = mains[:, 0], mains[:, 1]
    weights = _shares(lengths.sum(-1))
    u = weights @ (lengths * np.cos(angles))
    v = weights @ (lengths * np.sin(angles))
    length = np.hypot(u, v)
    scaled = beta * length / max(length.max(), 1e-12)
    return np.concatenate([scaled, (1 - beta) * np.arctan2(v, u)]).astype(np.float32)


def _main_direction(field, index, bins):
    """Return the main direction of each region, float64[2, 36].

    It is the mean length and angle of the vectors in the fullest bin; 0 for a region without any.
    index: of the region of each pixel.
    """
    length = _lengths(field.astype(np.float64))
    counted = (index >= 0) & (length > 0)  # a vector of length 0 has no direction
    direction, beyond = _directions(field, bins)
    where = index[counted] * bins + direction[counted]
    votes = np.bincount(where, minlength=MDMO_REGIONS * bins).reshape(MDMO_REGIONS, bins)
    fullest = votes.argmax(1)
    main = np.arange(MDMO_REGIONS), fullest

    def mean(values: np.ndarray) -> np.ndarray:
        total = np.bincount(where, values[counted], MDMO_REGIONS * bins)
        return total.reshape(MDMO_REGIONS, bins)[main] / np.maximum(votes[main], 1)

    # Angles are averaged about the middle of their bin: about 0 those of one bin would average to
    # the opposite direction.
    return np.stack([mean(length), fullest * (2 * np.pi / bins) + mean(beyond)])
