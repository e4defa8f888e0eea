"""Regions and masks against a pixel-by-pixel loop, and the split of action units against its
published lists.
"""

import numpy as np
import pytest

from mer_jax.errors import UserError
from mer_jax.preprocess import regions
from mer_jax.preprocess.synthetic import identity, landmarks


@pytest.fixture(scope='module')
def points():
    """Landmarks of one drawn face at half its size: 64 pixels."""
    return landmarks.place(identity.draw(np.random.default_rng(5))) / 2


def within(points, x, y, reach):
    """True where (x, y) lies in a triangle of three of the points (their convex hull), or near a
    line between two.
    """

    def side(a, b):
        return (b[0] - a[0]) * (y - a[1]) - (b[1] - a[1]) * (x - a[0])

    def distance(a, b):
        along = ((x - a[0]) * (b[0] - a[0]) + (y - a[1]) * (b[1] - a[1])) / (
            np.sum((b - a) ** 2) + 1e-12
        )
        along = np.clip(along, 0, 1)
        return np.hypot(x - a[0] - along * (b[0] - a[0]), y - a[1] - along * (b[1] - a[1]))

    pairs = [(i, j) for i in range(len(points)) for j in range(i)]
    if min(distance(points[i], points[j]) for i, j in pairs) <= reach:
        return True
    for i, j in pairs:
        for k in range(j):
            sides = [
                side(points[i], points[j]),
                side(points[j], points[k]),
                side(points[k], points[i]),
            ]
            if min(sides) >= 0 or max(sides) <= 0:
                return True
    return False


@pytest.mark.parametrize('reach', [0.0, 2.5])
def test_near_hull_equals_a_loop_over_triangles(reach):
    """Swapped x and y, or a hull through the inner points, marks other pixels."""
    corners = np.array([[3.0, 4.5], [11.2, 2.1], [9.0, 6.0], [14.0, 9.7], [6.3, 13.4], [8.0, 8.0]])
    found = regions.near_hull(corners, 18, reach)
    expected = [[within(corners, x, y, reach) for x in range(18)] for y in range(18)]
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize(
    'corners', [[[5.0, 6.0]], [[5.0, 6.0], [9.0, 6.0]], [[2.0, 2.0], [4.0, 4.0], [7.0, 7.0]]]
)
def test_points_without_area_still_have_surroundings(corners):
    """A closed eye is a line: its hull has no inside, and the whole image must not count as one."""
    found = regions.near_hull(np.array(corners), 14, 1.5)
    pixels = np.stack(np.meshgrid(np.arange(14), np.arange(14)), -1)
    steps = np.linspace(corners[0], corners[-1], 2001)
    nearest = np.linalg.norm(pixels[:, :, None] - steps, axis=-1).min(-1)
    np.testing.assert_array_equal(found, nearest <= 1.5 + 1e-6)


def test_the_three_readings_of_the_mask(points):
    """Two readings contradict each other: mixed up, a network would see exactly what the other
    should not.
    """
    everything, kept, blacked = (regions.mask(points, 64, keep=keep) for keep in regions.KEEP)
    assert everything.all() and everything.shape == kept.shape == (64, 64) and kept.dtype == bool
    np.testing.assert_array_equal(kept, ~blacked)
    rows = {
        name: np.round(points[list(part)].mean(0)).astype(int)
        for name, part in {
            'eye': range(36, 42),
            'brow': range(22, 27),
            'mouth': range(48, 68),
            'nose': range(29, 31),
        }.items()
    }
    for name in ('eye', 'brow', 'mouth'):
        assert kept[rows[name][1], rows[name][0]], name
    assert not kept[rows['nose'][1], rows['nose'][0]] and not kept[0, 0] and not kept[63, 32]
    assert 0.08 < kept.mean() < 0.4


def test_a_mask_is_the_union_of_grown_hulls(points):
    """The margin counts in widths of the face: in pixels it would differ from release to
    release.
    """
    reach = 0.05 * np.hypot(*(points[16] - points[0]))
    parts = [[*range(17, 22), *range(36, 42)], [*range(22, 27), *range(42, 48)], [*range(48, 60)]]
    expected = np.any([regions.near_hull(points[part], 64, reach) for part in parts], axis=0)
    np.testing.assert_array_equal(regions.mask(points, 64, keep='background'), expected)
    wider = regions.mask(points, 64, keep='background', margin=0.1)
    assert wider[expected].all() and wider.sum() > expected.sum()
    np.testing.assert_array_equal(
        regions.mask(points * 2, 128, keep='background')[::2, ::2], expected
    )


def test_the_split_of_action_units():
    """A unit on the wrong side would pair an eye's label with a mouth's picture."""
    eyes = [*range(1, 10), 41, 42, 43, 44, 45, 46, *range(61, 70)]
    mouth = [*range(10, 29), 31, 36, 37, 38, 39]
    assert {regions.action_unit_region(unit) for unit in eyes} == {'eyes'}
    assert {regions.action_unit_region(unit) for unit in mouth} == {'mouth'}
    assert {regions.action_unit_region(unit) for unit in (0, 40, 51, 54, 56, 58, 70, 80)} == {''}


def test_mistakes_are_one_line(points):
    """A misspelt mask would silently mask nothing."""
    with pytest.raises(UserError, match="mask.*'eyes'.*none, background, eyes_mouth"):
        regions.mask(points, 64, keep='eyes')
    with pytest.raises(UserError, match='needs finite numbers'):
        regions.mask(np.full((68, 2), np.nan), 64, keep='background')
