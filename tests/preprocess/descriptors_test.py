"""Descriptors against plain loops and fields worked out by hand, regions of action units against
true motion of drawn faces.
"""

import numpy as np
import pytest

from mer_jax.errors import UserError
from mer_jax.preprocess import action_units, au_regions, descriptors, flow, landmarks, regions
from mer_jax.preprocess.synthetic import clips, emotions

SIZE = 129  # odd: the midline of the face below lies on a pixel


@pytest.fixture(scope='module')
def points():
    """A symmetric face: eyes at y 50, its midline at x 64."""
    return landmarks.mean_shape() * 40 + (64, 50)


def uniform_bins():
    """The bin of each of 256 patterns, from their strings: at most two changes round the circle, in
    order of value.
    """
    bins, found = {}, 0
    for value in range(256):
        bits = f'{value:08b}'
        changes = sum(bits[i] != bits[i - 1] for i in range(8))
        bins[value] = found if changes <= 2 else 58
        found += changes <= 2
    assert found == 58
    return bins


def lbp_top_by_loops(video, blocks, radii):
    """LBP-TOP pixel by pixel; the clip has its final length."""
    count, height, width = video.shape
    bins, radius = uniform_bins(), dict(zip('xyt', radii, strict=True))
    histograms = np.zeros((blocks, blocks, 3, 59))

    def gray(x, y, t):
        total = 0
        for i in (0, 1):
            for j in (0, 1):
                for k in (0, 1):
                    fx, fy, ft = x - np.floor(x), y - np.floor(y), t - np.floor(t)
                    weight = (fx if i else 1 - fx) * (fy if j else 1 - fy) * (ft if k else 1 - ft)
                    if weight > 1e-9:
                        total += weight * int(
                            video[int(np.floor(t)) + k, int(np.floor(y)) + j, int(np.floor(x)) + i]
                        )
        return total

    for t in range(radius['t'], count - radius['t']):
        for y in range(radius['y'], height - radius['y']):
            for x in range(radius['x'], width - radius['x']):
                for plane, axes in enumerate(('xy', 'xt', 'yt')):
                    code = 0
                    for p in range(8):
                        at = {'x': x, 'y': y, 't': t}
                        at[axes[0]] += radius[axes[0]] * np.cos(np.pi * p / 4)
                        at[axes[1]] += radius[axes[1]] * np.sin(np.pi * p / 4)
                        at = {axis: np.round(value, 9) for axis, value in at.items()}
                        code += 2**p * (round(gray(**at) - video[t, y, x], 5) >= 0)
                    histograms[y * blocks // height, x * blocks // width, plane, bins[code]] += 1
    return (histograms / histograms.sum(-1, keepdims=True)).ravel()


@pytest.mark.parametrize(
    'radii, shape', [((1, 1, 2), (6, 11, 13)), ((2, 1, 1), (4, 9, 12)), ((1, 3, 2), (5, 17, 9))]
)
def test_lbp_top_equals_plain_loops(radii, shape):
    """Swapped axes or radii, blocks across instead of down, or `>` for `>=` gives other
    histograms.
    """
    rng = np.random.default_rng(sum(shape))
    # few levels: ties with the centre are common
    video = rng.integers(0, 6, shape, dtype=np.uint8) * 20
    found = descriptors.lbp_top(video, blocks=2, radii=radii, frames=len(video))
    assert found.shape == (2 * 2 * 3 * 59,) and found.dtype == np.float32
    np.testing.assert_allclose(found, lbp_top_by_loops(video, 2, radii), atol=1e-6)


def test_lbp_top_of_ramps():
    """Patterns worked out by hand: neighbours at 0, 45, .. degrees from the first axis of a plane,
    equal ones count as 1.
    """
    bins, ramp = uniform_bins(), np.arange(12, dtype=np.uint8) * 20
    # brighter along the first axis, the second, neither
    ahead, aside, flat = bins[0b11000111], bins[0b00011111], bins[255]
    expected = {2: (ahead, ahead, flat), 1: (aside, flat, ahead), 0: (flat, aside, aside)}
    for axis, planes in expected.items():
        shape = [1, 1, 1]
        shape[axis] = 12
        video = np.broadcast_to(ramp.reshape(shape), (12, 12, 12))
        found = descriptors.lbp_top(video, blocks=3, radii=(1, 1, 1), frames=12).reshape(9, 3, 59)
        for plane, pattern in enumerate(planes):
            np.testing.assert_array_equal(
                found[:, plane, pattern], 1, err_msg=f'axis {axis}, plane {plane}'
            )


@pytest.mark.parametrize('length', [2, 7, 23])
def test_lbp_top_brings_any_clip_to_its_length(length):
    """Frames repeated or left out, or an end not reached, would depend on the frame rate."""
    video = np.random.default_rng(length).integers(0, 256, (length, 20, 20), dtype=np.uint8)
    at = np.linspace(0, length - 1, 10)
    even = np.empty((10, 20, 20))
    for y in range(20):
        for x in range(20):
            even[:, y, x] = np.interp(at, np.arange(length), video[:, y, x])
    expected = descriptors.lbp_top(np.rint(even).astype(np.uint8))
    assert expected.shape == (4425,)
    # a value of k + 0.5 may round either way
    assert np.abs(descriptors.lbp_top(video) - expected).sum() < 0.02 * expected.sum()
    assert np.abs(descriptors.lbp_top(video[::-1]) - expected).sum() > 0.2 * expected.sum()


def uniform(degrees, length=1.0, size=15):
    """A field of equal vectors, at this angle clockwise from the right."""
    angle = np.deg2rad(degrees)
    return np.zeros((size, size, 2)) + (length * np.cos(angle), length * np.sin(angle))


@pytest.mark.parametrize('number', range(8))
def test_each_direction_has_its_bin(number):
    """Bins whose edges lie on an axis split level motion with noise in two; a swapped u and v
    mirrors all directions.
    """
    expected = np.eye(8)[number]
    for off in (-22, 0, 22):
        field = uniform(45 * number + off, 0.3)
        np.testing.assert_allclose(
            descriptors.hoof(field).reshape(25, 8), np.tile(expected, (25, 1)), atol=1e-6
        )
        np.testing.assert_allclose(
            descriptors.bands(field).reshape(3, 8), np.tile(expected / 3, (3, 1)), atol=1e-6
        )
    apart = descriptors.hoof(uniform(45 * number + 23, 0.3)).reshape(25, 8)
    np.testing.assert_allclose(apart, np.tile(np.roll(expected, 1), (25, 1)), atol=1e-6)


def test_two_opposite_halves():
    """Counts without weights would be even; a mean vector would point one way only."""
    field = np.zeros((6, 8, 2))
    field[:, :4], field[:, 4:] = (1, 0), (-3, 0)
    np.testing.assert_allclose(
        descriptors.hoof(field, cells=1), [0.25, 0, 0, 0, 0.75, 0, 0, 0], atol=1e-6
    )
    np.testing.assert_allclose(
        descriptors.bands(field), np.tile([0.25, 0, 0, 0, 0.75, 0, 0, 0], 3) / 3, atol=1e-6
    )
    cells = descriptors.hoof(field, cells=2).reshape(2, 2, 8)
    np.testing.assert_allclose(cells[:, 0], np.eye(8)[[0, 0]], atol=1e-6)
    np.testing.assert_allclose(cells[:, 1], np.eye(8)[[4, 4]], atol=1e-6)


def test_a_rotation_turns_from_cell_to_cell():
    """Cells in order of columns, or angles that grow the other way, would turn against the
    field.
    """
    y, x = np.mgrid[-7.5:8, -7.5:8]
    # clockwise in the image
    cells = descriptors.hoof(np.stack([-y, x], -1), cells=2).reshape(2, 2, 8)
    first = cells[0, 0]  # there x, y < 0: u > 0, v < 0, from right to up
    assert set(np.flatnonzero(first)) == {0, 6, 7} and first[7] > first[0] > 0.05
    for cell, quarter in ((cells[0, 1], 1), (cells[1, 1], 2), (cells[1, 0], 3)):
        np.testing.assert_allclose(cell, np.roll(first, 2 * quarter), atol=1e-6)


def test_histograms_equal_plain_loops():
    """Uneven cells: a side of 13 or 17 in 5 parts must leave no pixel out and count none twice."""
    field = np.random.default_rng(0).standard_normal((13, 17, 2))
    strain = np.random.default_rng(1).random((13, 17))
    sums, bands, strains, pixels = (
        np.zeros((5, 5, 6)),
        np.zeros((2, 6)),
        np.zeros((5, 5)),
        np.zeros((5, 5)),
    )
    for y in range(13):
        for x in range(17):
            u, v = field[y, x]
            number = int(((np.degrees(np.arctan2(v, u)) + 30) % 360) // 60)
            cell = int(y / 13 * 5 + 1e-9), int(x / 17 * 5 + 1e-9)
            sums[cell][number] += np.sqrt(u**2 + v**2)
            bands[int(y / 13 * 2), number] += np.sqrt(u**2 + v**2)
            strains[cell] += strain[y, x]
            pixels[cell] += 1
    expected = sums / sums.sum(-1, keepdims=True)
    np.testing.assert_allclose(descriptors.hoof(field, bins=6), expected.ravel(), rtol=1e-5)
    np.testing.assert_allclose(
        descriptors.bands(field, bins=6, bands=2), bands.ravel() / bands.sum(), rtol=1e-5
    )
    weighted = sums * (strains / pixels)[..., None]
    np.testing.assert_allclose(
        descriptors.bi_woof_centred(field, strain, bins=6), weighted.ravel(), rtol=1e-5
    )


@pytest.mark.parametrize('shape', [(64, 64), (23, 31)])
def test_bi_woof_is_that_of_the_released_code(shape):
    """Other edges, means for sums or cells that do not overlap would be another baseline under a
    published name. The blocks are those of the released code, which counts from 1.
    """
    draw = np.random.default_rng(2)
    field, strain = draw.standard_normal((*shape, 2)), draw.random(shape)
    degrees = np.degrees(np.arctan2(field[..., 1], field[..., 0]))
    cells = []
    for k, m in np.ndindex(5, 5):
        first, last = [], []
        for number, side in ((k + 1, shape[0]), (m + 1, shape[1])):
            step = side // 5
            first.append(1 if number == 1 else (number - 1) * step)
            last.append(side if number == 5 else number * step + 1)
        block = slice(first[0] - 1, last[0]), slice(first[1] - 1, last[1])
        lengths = np.linalg.norm(field[block], axis=-1).ravel()
        edges = np.arange(-180, 181, 45)
        counts, _ = np.histogram(degrees[block].ravel(), edges, weights=lengths)
        cells.append(counts / counts.sum() * strain[block].sum())
    expected = np.ravel(cells) / np.linalg.norm(cells)
    np.testing.assert_allclose(descriptors.bi_woof(field, strain), expected, rtol=1e-5)


def test_bi_woof_counts_an_axis_in_the_bin_that_it_opens():
    """Motion along an axis lies on an edge: 180 and -180 degrees are one direction."""
    for degrees, number in ((-180, 0), (180, 0), (-90, 2), (0, 4), (90, 6), (135, 7), (179, 7)):
        found = descriptors.bi_woof(uniform(degrees, 2.0, 6), np.ones((6, 6)), cells=1)
        assert found.argmax() == number and found.max() == pytest.approx(1), degrees


def test_our_bi_woof_by_hand():
    """The local weight is a length, the global one a mean: a sum of strain would count large cells
    more.
    """
    field, strain = uniform(90, 2.0, 6), np.zeros((6, 6))
    strain[:3, 3:] = 0.5
    strain[3:, :3] = np.arange(9).reshape(3, 3)
    found = descriptors.bi_woof_centred(field, strain, cells=2).reshape(4, 8)
    expected = np.zeros((4, 8))
    expected[:, 2] = 9 * 2 * np.array([0, 0.5, 4, 0])
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_bands_say_which_part_of_the_face_moved():
    """Each band with sum 1 would show the noise of a still forehead as large as the mouth's
    motion.
    """
    field = np.zeros((9, 5, 2))
    field[:3], field[6:] = (0, -1), (3, 3)
    expected = np.zeros((3, 8))
    expected[0, 6], expected[2, 1] = 1 / (1 + 3 * np.sqrt(2)), 3 * np.sqrt(2) / (1 + 3 * np.sqrt(2))
    np.testing.assert_allclose(descriptors.bands(field), expected.ravel(), atol=1e-6)


def test_without_motion_all_is_zero(points):
    """0 / 0 is NaN, which a support vector machine refuses and a mean over clips spreads."""
    still, video = np.zeros((10, 10, 2)), np.full((3, SIZE, SIZE), 7, np.uint8)
    for found, length in (
        (descriptors.hoof(still), 200),
        (descriptors.bands(still), 24),
        (descriptors.bi_woof(still, np.zeros((10, 10))), 200),
        (descriptors.bi_woof_centred(still, np.zeros((10, 10))), 200),
        (descriptors.mdmo(video, points), 72),
    ):
        np.testing.assert_array_equal(found, np.zeros(length, np.float32))


def test_the_parts_of_mdmo_lie_where_they_are_said_to(points):
    """A part at another place, or a row that runs from the other side, would compare the brow of
    one with another's eye.
    """
    parts = descriptors.mdmo_regions(points, SIZE, SIZE)
    assert set(np.unique(parts)) == set(range(-1, 36))
    corners = {  # part: landmarks round it
        6: (17, 19, 36, 38),
        9: (21, 22, 22, 42, 28),
        14: (39, 28, 30, 31),
        15: (28, 42, 35, 30),
        19: (31, 2, 48),
        22: (35, 14, 54),
        26: (61, 66, 57, 58),
        33: (57, 56, 9, 8),
    }
    for part, around in corners.items():
        x, y = np.round(points[list(around)].mean(0)).astype(int)
        assert parts[y, x] == part, (part, parts[y, x])
    forehead = np.round(points[20] - (0, 4)).astype(int)
    assert parts[forehead[1], forehead[0]] == 1
    assert parts[2, 2] == parts[-1, -1] == parts[64, 2] == -1
    middle = parts[parts[:, 64] >= 0, 64]
    # an edge between two parts: the first has it
    assert len(middle) > 60 and (middle % 6 == 2).all()
    # the mirrored face has mirrored parts, up to pixels on an edge
    mirror = np.append(np.arange(36).reshape(6, 6)[:, ::-1].ravel(), -1)[parts[:, ::-1]]
    assert np.isin(parts, [-1]).mean() < 0.8 and (mirror != parts).mean() < 0.03
    np.testing.assert_array_equal(descriptors.mdmo_regions(points, 100, SIZE), parts[:100])


def of_fields(monkeypatch, fields, points):
    """MDMO of a clip in which the flow from frame 0 to frame k is fields[k - 1]."""
    monkeypatch.setattr(
        flow, 'farneback', lambda first, second: np.float32(fields[second[0, 0] - first[0, 0] - 1])
    )
    video = (
        np.zeros((len(fields) + 1, SIZE, SIZE), np.uint8)
        + np.arange(len(fields) + 1, dtype=np.uint8)[:, None, None]
    )
    found = descriptors.mdmo(video, points)
    assert found.shape == (72,) and found.dtype == np.float32
    return found[:36] / 0.8, found[36:] / 0.2


def test_mdmo_weighs_frames_by_their_motion(monkeypatch, points):
    """An even mean of frames would let the still ones at the start of a clip decide."""
    lengths, angles = of_fields(
        monkeypatch,
        [uniform(20, 2.0, SIZE), uniform(110, 4.0, SIZE), uniform(0, 0.0, SIZE)],
        points,
    )
    np.testing.assert_allclose(lengths, 1, rtol=1e-5)
    np.testing.assert_allclose(angles, np.deg2rad(20) + np.arctan2(4 * 2 / 3, 2 / 3), rtol=1e-5)


def test_mdmo_of_opposite_halves(monkeypatch, points):
    """Lengths count in parts of the longest; parts in another order would point away from the
    midline, not towards it.
    """
    field = uniform(0, 1.0, SIZE)
    field[:, 65:] = (-3, 0.01)  # just this side of the jump from pi to -pi
    lengths, angles = of_fields(monkeypatch, [field], points)
    left = np.tile([True] * 3 + [False] * 3, 6)
    np.testing.assert_allclose(lengths, np.where(left, 1 / 3, 1), atol=1e-3)
    np.testing.assert_allclose(angles, np.where(left, 0, np.pi), atol=5e-3)


def test_mdmo_takes_the_direction_of_most_vectors(monkeypatch, points):
    """Few long vectors, as noise makes them, must not win; a plain mean of 350 and 10 degrees is
    180, of 170 and -170 is 0.
    """
    y, x = np.mgrid[:SIZE, :SIZE]
    turn = np.deg2rad(np.where((x + y) % 2, 10, 350))
    field = np.stack([np.cos(turn), np.sin(turn)], -1)
    field[y % 4 == 0] = (0, 9)
    lengths, angles = of_fields(monkeypatch, [field], points)
    large = np.bincount(descriptors.mdmo_regions(points, SIZE, SIZE).ravel() + 1)[1:] >= 100
    assert large.sum() > 20
    np.testing.assert_allclose(lengths[large], 1, atol=0.03)
    np.testing.assert_allclose(angles[large], 0, atol=0.06)
    lengths, angles = of_fields(monkeypatch, [-field], points)
    np.testing.assert_allclose(np.abs(angles[large]), np.pi, atol=0.06)
    # a fourth moves down, a fourth right, half not at all: 0 is no direction
    field[y % 4 == 1] = field[y % 4 == 2] = 0
    field[(y % 4 == 3) & (x % 4 == 0)] = (0, 9)
    _, angles = of_fields(monkeypatch, [field], points)
    np.testing.assert_allclose(angles[large], np.pi / 2, atol=1e-3)


def test_mdmo_measures_a_moving_picture(points):
    """Flow from frame to frame, or from the last frame back, would have another length or the
    opposite direction.
    """
    rng = np.random.default_rng(0)
    picture = np.zeros((SIZE + 8, SIZE + 8))
    for sigma in (3, 6):
        layer = rng.standard_normal(picture.shape)
        kernel = np.exp(-0.5 * (np.arange(-3 * sigma, 3 * sigma + 1) / sigma) ** 2)
        for axis in (0, 1):
            layer = np.apply_along_axis(np.convolve, axis, layer, kernel, 'same')
        picture += layer / layer.std()
    picture = np.clip(128 + 40 * picture, 0, 255).astype(np.uint8)
    # k right, k up
    video = np.stack([picture[4 + k : 4 + k + SIZE, 4 - k : 4 - k + SIZE] for k in range(3)])
    found = descriptors.mdmo(video, points)
    np.testing.assert_allclose(found[36:] / 0.2, -np.pi / 4, atol=0.1)
    assert (found[:36] > 0.8 * 0.75).all() and found[:36].max() == np.float32(0.8)


def test_a_face_that_sticks_out_of_the_picture_has_empty_parts(points):
    """A landmark tool may place a chin below the crop; an empty part must be 0, not NaN."""
    low = points + (0, 40)
    video = np.random.default_rng(0).integers(0, 256, (2, SIZE, SIZE), dtype=np.uint8)
    found = descriptors.mdmo(video, low).reshape(2, 36)
    assert np.isfinite(found).all() and (found[:, 30:] == 0).all() and (found[0, :6] > 0).all()


def hull(points, more, reach):
    return regions.near_hull(np.concatenate([points, np.reshape(more, (-1, 2))]), SIZE, reach)


def test_region_masks_are_grown_hulls(points):
    """A region without its raised brow misses the forehead; one that grows in pixels differs from
    size to size.
    """
    masks = au_regions.region_masks(points, SIZE)
    assert masks.shape == (10, SIZE, SIZE) and masks.dtype == bool
    width = points[16, 0] - points[0, 0]
    raised, lowered, reach = (0, -0.1 * width), (0, 0.1 * width), 0.05 * width
    np.testing.assert_array_equal(
        masks[0], hull(points[[20, 21, 22, 23, 27]], points[20:24] + raised, reach)
    )
    np.testing.assert_array_equal(masks[2], hull(points[24:27], points[24:27] + raised, reach))
    np.testing.assert_array_equal(masks[3], hull(points[36:42], points[40:42] + lowered, reach))
    np.testing.assert_array_equal(masks[4], hull(points[42:48], points[46:48] + lowered, reach))
    np.testing.assert_array_equal(
        masks[5], hull(points[[27, 30, 39, 42, 31, 35]], points[28:30], reach)
    )
    np.testing.assert_array_equal(masks[7], hull(points[[35, 54, 14, 47]], points[:0], reach))
    np.testing.assert_array_equal(masks[8], hull(points[48:68], points[:0], reach))
    np.testing.assert_array_equal(
        masks[9], hull(points[[5, 6, 7, 8, 9, 10, 11, 57]], points[:0], reach)
    )
    # the right half is the left one's mirror image, up to rounding
    for first, second in ((1, 2), (3, 4), (6, 7)):
        assert (masks[first][:, ::-1] != masks[second]).sum() <= 4 < masks[first].sum()
    half = au_regions.region_masks(points / 2, SIZE // 2)
    np.testing.assert_array_equal(half, masks[:, : SIZE - 1 : 2, : SIZE - 1 : 2])


def test_regions_turn_with_the_face(points):
    """Copies raised up the image instead of up the face would leave a tilted forehead."""
    turned = (points - 64) @ [[0, 1], [-1, 0]] + 64  # a quarter
    found, expected = (
        au_regions.region_masks(turned, SIZE),
        np.rot90(au_regions.region_masks(points, SIZE), -1, (1, 2)),
    )
    assert (found != expected).mean() < 0.001


def test_regions_of_action_units():
    """A unit in the wrong region would be explained by another muscle."""
    expected = {
        1: [0],
        2: [1, 2],
        4: [0, 5],
        5: [3, 4],
        6: [3, 4, 6, 7],
        7: [3, 4],
        9: [5],
        10: [6, 7],
        11: [6, 7],
        12: [6, 7, 8],
        17: [9],
        26: [8, 9],
        27: [9],
        43: [3, 4],
        45: [3, 4],
        38: [],
        51: [],
        61: [],
    }
    expected |= {unit: [8] for unit in (13, 14, 15, 16, 18, 20, 22, 23, 24, 25, 28)}
    for unit, found in expected.items():
        assert list(au_regions.region_of(unit)) == found, unit


def test_statistics_of_strain_by_hand():
    """Another percentile, a sample's deviation, or a share of the whole picture gives other
    numbers.
    """
    strain, masks = np.full((6, 7), 50.0), np.zeros((4, 6, 7), bool)
    strain[:3] = np.arange(21).reshape(3, 7)  # its 95th percentile is 19 of 0..20
    strain[4, :4] = (1, 1, 3, 5)
    # the third lies in the second, the fourth nowhere
    masks[0, :3], masks[1, 4, :4], masks[2, 4, 1:3] = True, True, True
    found = au_regions.region_strain(strain, masks)
    assert found.shape == (16,) and found.dtype == np.float32
    expected = [
        10,
        np.sqrt((21**2 - 1) / 12),
        19,
        210 / 220,
        2.5,
        np.sqrt(2.75),
        4.7,
        10 / 220,
        2,
        1,
        2.9,
        4 / 220,
        0,
        0,
        0,
        0,
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    np.testing.assert_array_equal(au_regions.region_strain(np.zeros((6, 7)), masks), np.zeros(16))


def test_strain_within_one_region_is_found_there(points):
    """Statistics in another order than the masks would name another muscle."""
    masks = au_regions.region_masks(points, SIZE)
    for index in range(10):
        alone = masks[index] & ~np.delete(masks, index, 0).any(0)
        found = au_regions.region_strain(alone * 0.1, masks).reshape(10, 4)
        assert found[index, 3] == 1 and (np.delete(found, index, 0) == 0).all()
        assert found[index, 0] == pytest.approx(0.1 * alone.sum() / masks[index].sum())
    outside = au_regions.region_masks(points + (0, 60), SIZE)
    found = au_regions.region_strain(np.ones((SIZE, SIZE)), outside).reshape(10, 4)
    assert (found[9] == 0).all() and (found[:8, 3] > 0).all()


@pytest.fixture(scope='module')
def drawn():
    """20 drawn clips: (measured strain, landmarks, regions of the coded units) of 4 people by 5
    emotions.
    """
    found = []
    for number in range(1, 5):
        person = clips.person(0, number)
        for index, emotion in enumerate(emotions.EMOTIONS):
            clip = clips.make(0, number, index, emotion, person)
            onset, apex = clip.frames[[clip.onset - clip.first_frame, clip.apex - clip.first_frame]]
            units = action_units.parse(clip.action_units)
            held = {region for unit in units for region in au_regions.region_of(unit.number)}
            found.append((flow.strain(flow.farneback(onset, apex)), clip.landmarks[0], held))
    return found


def hits(drawn, down):
    """(clips whose region of largest mean strain holds one of their units, the same number under
    2000 shuffles).

    The regions are shifted down by a part of the face's width. A shuffle gives each clip another's
    units, so that chance knows how many regions a clip's units have, how large each region is and
    how often it wins whatever is shown.
    """
    best = []
    for strain, points, _ in drawn:
        shift = (0, down * np.linalg.norm(points[16] - points[0]))
        statistics = au_regions.region_strain(
            strain, au_regions.region_masks(points + shift, 128)
        ).reshape(10, 4)
        best.append(statistics[:, 0].argmax())
    hit = np.array([[region in held for _, _, held in drawn] for region in best])
    rng, rows = np.random.default_rng(0), np.arange(len(drawn))
    return np.trace(hit), np.array(
        [hit[rows, rng.permutation(len(drawn))].sum() for _ in range(2000)]
    )


def test_the_strongest_region_holds_the_units_of_the_clip(drawn):
    """Regions beside their muscles would explain a prediction by a part of the face that did not
    move.

    By mean strain: the share grows with a region's area. Chance would hit 8 of 20 clips (see hits),
    and one region drawn evenly 7, as a clip's units have 3 to 4 of the ten regions. The control is
    shifted down the face: a shift across it keeps brow from mouth, and with it much of what the
    regions know.
    """
    found, shuffled = hits(drawn, 0.0)
    even = sum(len(held) for _, _, held in drawn) / 10
    control, by_chance = hits(drawn, 0.25)
    print(
        f'{found} of 20; chance {shuffled.mean():.1f}, evenly {even:.1f}; shifted {control}, '
        f'chance {by_chance.mean():.1f}'
    )
    assert found >= 17 and (shuffled >= found).mean() < 0.001
    assert control < 0.6 * found and (by_chance >= control).mean() > 0.05


@pytest.mark.parametrize(
    'call, words',
    [
        (
            lambda p: descriptors.lbp_top(np.zeros((9, 20, 20), np.float32)),
            'needs 8-bit gray, uint8',
        ),
        (lambda p: descriptors.lbp_top(np.zeros((1, 20, 20), np.uint8)), 'T from 2'),
        (
            lambda p: descriptors.lbp_top(np.zeros((9, 20, 20), np.uint8), frames=8),
            r'frames from 2 \* 4 \+ 1',
        ),
        (lambda p: descriptors.lbp_top(np.zeros((9, 9, 20), np.uint8)), '5 blocks a side'),
        (
            lambda p: descriptors.hoof(np.zeros((20, 20, 3))),
            r'hoof.*flow.*\[20, 20, 3\].*\[H, W, 2\]',
        ),
        (lambda p: descriptors.hoof(np.zeros((4, 20, 2))), '5 x 5 pixels or more'),
        (lambda p: descriptors.bands(np.zeros((20, 20))), 'bands: flow'),
        (
            lambda p: descriptors.bi_woof(np.zeros((20, 20, 2)), np.zeros((20, 2))),
            r'strain.*\[20, 2\].*\[20, 20\]',
        ),
        (lambda p: descriptors.mdmo(np.zeros((1, 20, 20), np.uint8), p), 'T from 2'),
        (
            lambda p: descriptors.mdmo(np.zeros((2, 20, 20), np.uint8), p[:5]),
            r'mdmo: points are \[5, 2\]',
        ),
        (lambda p: au_regions.region_masks(p * np.nan, 20), 'needs finite numbers'),
        (
            lambda p: au_regions.region_strain(np.zeros((20, 20)), np.zeros((10, 20, 19), bool)),
            r'needs \[H, W\] and bool',
        ),
        (
            lambda p: au_regions.region_strain(np.zeros((20, 20)), np.zeros((10, 20, 20))),
            'masks are float64',
        ),
    ],
)
def test_mistakes_are_one_line(points, call, words):
    """A clip in floats, or features in place of flow, would give numbers that mean nothing."""
    with pytest.raises(UserError, match=words) as error:
        call(points)
    assert '\n' not in str(error.value)
