"""Complex steerable pyramid: an image as oriented bands.

Each band has a local amplitude and phase.

Every band is the image through a one-sided filter in the frequency domain, a bell an octave wide
times cos(angle)^(ORIENTATIONS - 1), kept at the size that its frequencies need. The squares of all
filters, mirrored ones included, are divided by their sum, so `reconstruct` gives back any image of
any size exactly. Source: Simoncelli, Freeman, ICIP 1995; Portilla, Simoncelli, IJCV 40(1), 2000;
Wadhwa et al., ACM TOG 32(4), 2013.
"""

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from mer_jax.errors import UserError

SMALLEST = 16  # pixels of a side
# cycles a pixel at the middle of the finest band, which also takes all that is finer
TOP = 0.5 / np.sqrt(2)
ORIENTATIONS = 4
# least cycles over the shorter padded side at the middle of a band: longer waves are the residual
COARSEST = 2.5
# least reflected border in pixels, so that opposite edges do not touch in the periodic transform
BORDER = 24


class Pyramid(NamedTuple):
    """An image [H, W] taken apart."""

    bands: list[
        np.ndarray
    ]  # complex [h, w] arrays, finest first, the ORIENTATIONS of a scale together
    residual: np.ndarray  # real [h, w], the longest waves
    shape: tuple[int, int]  # (H, W)


class Filter(NamedTuple):
    """One filter on the frequencies that it passes.

    spectrum[rows, columns] * values is the spectrum of its band.
    """

    rows: np.ndarray  # int[h, 1], indices into the padded image's spectrum
    columns: np.ndarray  # int[1, w]
    values: np.ndarray  # float32[h, w]


def build(image: np.ndarray) -> Pyramid:
    """The pyramid of an image.

    Amplitudes are in the image's unit: those of all bands of a grating of amplitude a square-sum to
    a^2 / 4.

    Args:
        image: real [H, W], 16 pixels a side or more.

    Returns:
        complex128 bands for a float64 image, complex64 for any other type.

    Raises:
        UserError: another shape, or a side under 16 pixels.
    """
    image = np.asarray(image)
    if image.ndim != 2 or min(image.shape) < SMALLEST:
        raise UserError(
            f'pyramid: image is {list(image.shape)}; needs [H, W] of at least {SMALLEST} pixels '
            'a side'
        )
    image = image.astype(np.float64 if image.dtype == np.float64 else np.float32)
    padded = np.pad(image, _margins(image.shape), mode='reflect')
    *filters, low = _filters(padded.shape)
    spectrum = np.fft.fft2(padded)
    bands = [_band_of(spectrum, each) for each in filters]
    return Pyramid(bands, _band_of(spectrum, low).real, image.shape)


def reconstruct(pyramid: Pyramid) -> np.ndarray:
    """Return the image of a pyramid.

    It is exact where no band was changed.

    Returns:
        float[H, W] of the bands' precision.
    """
    (top, _), (left, _) = _margins(pyramid.shape)
    shape = padded_shape(pyramid.shape)
    *filters, low = _filters(shape)
    spectrum = np.zeros(shape, pyramid.bands[0].dtype)
    for band, each in zip(pyramid.bands, filters, strict=True):
        # twice: a band holds one of each pair of mirrored frequencies; taking the real part halves
        # it
        spectrum[each.rows, each.columns] += _spectrum_of(2 * band, each, spectrum.size)
    spectrum[low.rows, low.columns] += _spectrum_of(pyramid.residual, low, spectrum.size)
    image = np.fft.ifft2(spectrum).real
    height, width = pyramid.shape
    return image[top : top + height, left : left + width]


def noise(shape: tuple[int, int]) -> list[float]:
    """Amplitude of camera noise in each band.

    Args:
        shape: (H, W) of the images.

    Returns:
        For each band the root mean square amplitude of white noise with standard deviation 1.
    """
    shape = padded_shape(shape)
    scale = np.sqrt(np.prod(shape))
    *filters, _ = _filters(shape)
    return [float(np.linalg.norm(each.values) / scale) for each in filters]


def _band_of(spectrum, filter_):
    """Return what a Filter passes of a spectrum, complex[h, w].

    It is sampled as densely as needed.
    """
    share = filter_.values.size / spectrum.size
    passed = spectrum[filter_.rows, filter_.columns] * (np.float32(share) * filter_.values)
    return np.fft.ifft2(passed)


def _spectrum_of(band, filter_, size):
    """Return what a band adds to a whole spectrum of `size` values."""
    return np.float32(size / band.size) * filter_.values * np.fft.fft2(band)


def padded_shape(shape: tuple[int, int]) -> tuple[int, int]:
    """(H, W) with the margins."""
    height, width = shape
    rows, columns = _margins(shape)
    return height + sum(rows), width + sum(columns)


def _margins(shape):
    """Return how many pixels are reflected at each edge.

    ((top, bottom), (left, right)), so that the sizes transform fast.
    """
    extra = [cv2.getOptimalDFTSize(side + 2 * BORDER) - side for side in shape]
    return tuple((pixels // 2, pixels - pixels // 2) for pixels in extra)


@lru_cache(maxsize=4)
def _filters(shape):
    """Return all Filters of a padded shape, finest first.

    That of the residual is last.

    Their squares with mirrored ones sum to 1.
    """
    rows, columns = (np.fft.fftfreq(side) for side in shape)
    y, x = np.meshgrid(rows, columns, indexing='ij')
    # -y: the Nyquist frequency, -0.5, is its own mirror image and would lie on the empty side of
    # every filter
    radius, angle = np.hypot(x, y), np.arctan2(-y, x)
    scales = 1 + int(np.log2(TOP * min(shape) / COARSEST))
    octaves = np.log2(np.maximum(radius, 1e-9) / TOP)
    strengths, reach = [], []
    for scale in range(scales):
        ring = _ring(octaves + scale, outermost=scale == 0)
        for number in range(ORIENTATIONS):
            strengths.append(ring * _fan(angle, number))
            reach.append(0.5 if scale == 0 else TOP / 2 ** (scale - 1))
    low = _ring(np.maximum(octaves + scales, 0), outermost=False)
    squares = sum(strength**2 + _mirror(strength) ** 2 for strength in strengths)
    total = np.sqrt(squares + low**2)
    strengths.append(low)
    reach.append(TOP / 2 ** (scales - 1))
    return [_cut(each / total, limit) for each, limit in zip(strengths, reach, strict=True)]


def _ring(octaves, *, outermost):
    """Strength at `octaves` from a band's middle.

    A cosine, 0 from one octave away; the outermost band stays 1 outwards.
    """
    limit = 0 if outermost else 1
    return np.cos(np.pi / 2 * np.clip(octaves, -1, limit))


def _fan(angle, number):
    """Return a filter's strength at an angle.

    It is cos^(orientations - 1) around the filter's direction.

    0 on the opposite side.
    """
    return np.maximum(np.cos(angle - number * np.pi / ORIENTATIONS), 0) ** (ORIENTATIONS - 1)


def _mirror(values):
    """Values at the negative frequencies."""
    return np.roll(values[::-1, ::-1], 1, (0, 1))


def _cut(values, reach):
    """Return the Filter of `values` up to the frequency `reach`.

    Beyond it the values are 0.

    reach: in cycles a pixel.
    """
    kept = []
    for side in values.shape:
        count = cv2.getOptimalDFTSize(2 * int(np.ceil(reach * side)) + 1)
        count = min(count, side)
        kept.append(np.fft.fftfreq(count, 1 / count).round().astype(int) % side)
    rows, columns = kept[0][:, None], kept[1][None]
    return Filter(rows, columns, values[rows, columns].astype(np.float32))
