"""One pass through JPEG against Pillow, which stored the published pictures."""

import io

import numpy as np
import pytest
from PIL import Image

from mer_jax.preprocess import jpeg


@pytest.mark.parametrize('shape', [(224, 224), (83, 61), (8, 8)])
def test_bytes_equal_those_of_pillow(shape):
    """OpenCV's quality is 95 and its first channel blue: both would give other pictures than the
    published ones.
    """
    draw = np.random.default_rng(sum(shape))
    image = draw.integers(0, 256, (*shape, 3), dtype=np.uint8)
    image[: shape[0] // 2] = (200, 40, 90)
    file = io.BytesIO()
    Image.fromarray(image).save(file, 'JPEG')
    expected = np.array(Image.open(file).convert('RGB'))
    once = jpeg.round_trip(image)
    assert once.dtype == np.uint8
    np.testing.assert_array_equal(once, expected)
