"""TV-L1 flow and strain against hand-computed fields, a plain loop, OpenCV itself and known warps."""

import cv2
import numpy as np
import pytest

from mer_jax.errors import UserError
from mer_jax.preprocess import flow


def texture(size=96, seed=0):
    """A smooth random 8-bit picture with structure at several scales."""
    rng = np.random.default_rng(seed)
    layers = [cv2.GaussianBlur(rng.standard_normal((size, size)), (0, 0), sigma) for sigma in (1.5, 3, 8)]
    total = sum(layer / layer.std() for layer in layers)
    return np.clip(128 + 30 * total, 0, 255).astype(np.uint8)


def moved(picture, field):
    """The picture whose pixel x + field lies where pixel x was, for a slowly varying field."""
    y, x = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)
    return cv2.remap(picture, x - field[..., 0], y - field[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def linear_field(matrix, size=12):
    """Field (u, v) = matrix @ (x, y) on a square grid."""
    y, x = np.mgrid[:size, :size].astype(np.float64)
    return np.stack([x, y], -1) @ np.array(matrix).T


@pytest.mark.parametrize(
    'matrix, expected',
    [
        ([[0, 0], [0, 0]], 0),  # translation (below with an offset)
        ([[0, 0.1], [0, 0]], 0.1 / np.sqrt(2)),  # shear: exy = 0.05, sqrt(2 * 0.05^2)
        ([[0.1, 0], [0, 0.1]], 0.1 * np.sqrt(2)),  # expansion: exx = eyy = 0.1
        ([[0.2, 0], [0, 0]], 0.2),  # stretch along x
        ([[0, -0.1], [0.1, 0]], 0),  # rotation: exy = (-0.1 + 0.1) / 2
        ([[0, 0.1], [0.1, 0]], 0.1 * np.sqrt(2)),  # pure shear: exy = 0.1
    ],
)
def test_strain_of_linear_fields(matrix, expected):
    """A lost cross term, swapped axes or a missing factor 2 gives other numbers; a shift or a turn must not strain."""
    strain = flow.strain(linear_field(matrix) + (3.0, -2.0))
    assert strain.dtype == np.float32
    np.testing.assert_allclose(strain[1:-1, 1:-1], expected, atol=1e-6)


def test_strain_equals_a_plain_loop_up_to_the_border():
    """An off-by-one in the padding would show at the border only."""
    field = np.random.default_rng(1).standard_normal((7, 9, 2)).astype(np.float32)
    height, width, _ = field.shape

    def at(row, column):
        row = -row if row < 0 else 2 * (height - 1) - row if row >= height else row
        column = -column if column < 0 else 2 * (width - 1) - column if column >= width else column
        return field[row, column]

    expected = np.zeros((height, width))
    for i in range(height):
        for j in range(width):
            (ux, vx), (uy, vy) = (at(i, j + 1) - at(i, j - 1)) / 2, (at(i + 1, j) - at(i - 1, j)) / 2
            expected[i, j] = np.sqrt(ux**2 + vy**2 + 2 * ((uy + vx) / 2) ** 2)
    np.testing.assert_allclose(flow.strain(field), expected, rtol=1e-5, atol=1e-6)


def test_tvl1_is_opencv_with_scale_step_half():
    """Any other parameter would make our features differ from those of published work."""
    first, second = texture(64, 0), moved(texture(64, 0), np.full((64, 64, 2), 0.7, np.float32))
    for step in (0.5, 0.8):
        reference = cv2.optflow.createOptFlow_DualTVL1()
        reference.setScaleStep(step)
        np.testing.assert_array_equal(flow.tvl1(first, second, scale_step=step), reference.calc(first, second, None))


@pytest.mark.parametrize('shift', [(1.5, 0.0), (0.0, -2.0), (-0.6, 0.8)])
def test_tvl1_finds_a_known_shift(shift):
    """Swapped frames or components would give the opposite or the transposed motion."""
    first = texture()
    found = flow.tvl1(first, moved(first, np.broadcast_to(np.float32(shift), (96, 96, 2))))
    assert found.shape == (96, 96, 2) and found.dtype == np.float32
    error = np.linalg.norm(found - shift, axis=-1)[8:-8, 8:-8]
    assert np.median(error) < 0.06


def test_tvl1_finds_a_local_bump():
    """Smoothing that is too strong would wash out motion of the size of a mouth corner."""
    y, x = np.mgrid[:96, :96].astype(np.float32)
    bell = np.exp(-((x - 48) ** 2 + (y - 48) ** 2) / (2 * 10**2))
    field = np.stack([1.5 * bell, -1.0 * bell], -1)
    first = texture()
    found = flow.tvl1(first, moved(first, field))
    assert np.corrcoef(found.ravel(), field.ravel())[0, 1] > 0.95


def test_features_are_u_v_and_strain():
    """Another channel order would train on one quantity and explain another."""
    first = texture(48)
    second = moved(first, linear_field([[0.02, 0], [0, 0]], 48).astype(np.float32))
    features = flow.flow_features(first, second)
    assert features.shape == (48, 48, 3) and features.dtype == np.float32
    np.testing.assert_array_equal(features[..., :2], flow.tvl1(first, second))
    np.testing.assert_array_equal(features[..., 2], flow.strain(features[..., :2]))


@pytest.mark.parametrize(
    'first, second, words',
    [
        (np.zeros((8, 8), np.float32), np.zeros((8, 8), np.uint8), 'first frame is float32'),
        (np.zeros((8, 8), np.uint8), np.zeros((8, 8, 3), np.uint8), 'second frame is uint8[8, 8, 3]'),
        (np.zeros((8, 8), np.uint8), np.zeros((8, 9), np.uint8), 'equal shapes'),
    ],
)
def test_tvl1_refuses_what_it_would_misread(first, second, words):
    """OpenCV scales float frames by 255 and fails on colour with a C++ message of several lines."""
    with pytest.raises(UserError) as error:
        flow.tvl1(first, second)
    assert words in str(error.value) and '\n' not in str(error.value)


def test_strain_refuses_a_field_without_two_components():
    """Features with strain appended would silently be strained again."""
    with pytest.raises(UserError, match='needs'):
        flow.strain(np.zeros((8, 8, 3)))
