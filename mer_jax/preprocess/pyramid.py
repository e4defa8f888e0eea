"""Complex steerable pyramid in the frequency domain: an image as oriented bands with a local
amplitude and phase.

Every band is the image through a one-sided filter, a bell an octave wide times
cos(angle)^(ORIENTATIONS - 1), kept at the size that its frequencies need. The squares of all
filters, mirrored ones included, are divided by their sum, so `reconstruct` gives back any image of
any size exactly.
Source: Simoncelli, Freeman, ICIP 1995; Portilla, Simoncelli, IJCV 40(1), 2000; Wadhwa et al., ACM
TOG 32(4), 2013.
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

    bands: list  # complex [h, w] arrays, finest first, the ORIENTATIONS of a scale together
    residual: np.ndarray  # real [h, w], the longest waves
    shape: tuple  # (H, W)


class Filter(NamedTuple):
    """One filter on the frequencies that it passes: spectrum[rows, columns] * values is the
    spectrum of its band.
    """

    rows: np.ndarray  # int[h, 1], indices into the padded image's spectrum
    columns: np.ndarray  # int[1, w]
    values: np.ndarray  # float32[h, w]


def build(image):
    """The Pyramid of a real image [H, W]; bands of a float64 image are complex128, of any other
    type complex64.

    Amplitudes are in the image's unit: those of all bands of a grating of amplitude a square-sum to
    a^2 / 4. Raises UserError for another shape or a side under 16 pixels.
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
    bands = [_passed(spectrum, band) for band in filters]
    return Pyramid(bands, _passed(spectrum, low).real, image.shape)


def reconstruct(pyramid):
    """The image float[H, W] of a Pyramid, of the bands' precision; exact where the bands were not
    changed.
    """
    (top, _), (left, _) = _margins(pyramid.shape)
    shape = _padded(pyramid.shape)
    *filters, low = _filters(shape)
    spectrum = np.zeros(shape, pyramid.bands[0].dtype)
    for band, one in zip(pyramid.bands, filters, strict=True):
        # twice: a band holds one of each pair of mirrored frequencies; taking the real part halves
        # it
        spectrum[one.rows, one.columns] += _spread(2 * band, one, spectrum)
    spectrum[low.rows, low.columns] += _spread(pyramid.residual, low, spectrum)
    return np.fft.ifft2(spectrum).real[top : top + pyramid.shape[0], left : left + pyramid.shape[1]]


def noise(shape):
    """Root mean square amplitude of each band of white noise with standard deviation 1, for images
    of shape (H, W).
    """
    padded = _padded(shape)
    return [
        float(np.linalg.norm(one.values) / np.sqrt(np.prod(padded)))
        for one in _filters(padded)[:-1]
    ]


def _passed(spectrum, band):
    """The part of the image behind `spectrum` that a Filter passes, sampled as densely as it needs,
    complex[h, w].
    """
    size = band.values.size / spectrum.size
    return np.fft.ifft2(spectrum[band.rows, band.columns] * (np.float32(size) * band.values))


def _spread(band, one, spectrum):
    """What a band adds to the spectrum of the whole image at its Filter's frequencies."""
    return np.float32(spectrum.size / band.size) * one.values * np.fft.fft2(band)


def _padded(shape):
    """(H, W) with the margins."""
    return tuple(side + sum(pixels) for side, pixels in zip(shape, _margins(shape), strict=True))


def _margins(shape):
    """Reflected pixels ((top, bottom), (left, right)) up to sizes that the Fourier transform does
    fast.
    """
    extra = [cv2.getOptimalDFTSize(side + 2 * BORDER) - side for side in shape]
    return tuple((pixels // 2, pixels - pixels // 2) for pixels in extra)


@lru_cache(maxsize=4)
def _filters(shape):
    """All Filters of a padded shape, finest first, the residual's last; their squares with mirrored
    ones sum to 1.
    """
    y, x = np.meshgrid(*(np.fft.fftfreq(side) for side in shape), indexing='ij')
    # -y: the Nyquist frequency, -0.5, is its own mirror image and would lie on the empty side of
    # every filter
    radius, angle = np.hypot(x, y), np.arctan2(-y, x)
    scales = 1 + int(np.log2(TOP * min(shape) / COARSEST))
    octaves = np.log2(np.maximum(radius, 1e-9) / TOP)
    full = [
        _ring(octaves + scale, outermost=scale == 0) * _fan(angle, number)
        for scale in range(scales)
        for number in range(ORIENTATIONS)
    ]
    low = _ring(np.maximum(octaves + scales, 0), outermost=False)
    total = np.sqrt(sum(one**2 + _mirrored(one) ** 2 for one in full) + low**2)
    reach = [0.5, *(TOP / 2**scale for scale in range(scales))]
    return [_cut(one / total, reach[n // ORIENTATIONS]) for n, one in enumerate([*full, low])]


def _ring(octaves, *, outermost):
    """Strength at `octaves` from a band's middle: a cosine, 0 from one octave away; the outermost
    stays 1 outwards.
    """
    return np.cos(np.pi / 2 * np.clip(octaves, -1, 0 if outermost else 1))


def _fan(angle, number):
    """Strength at an angle: cos^(orientations - 1) around the filter's own direction, 0 on the
    opposite side.
    """
    return np.maximum(np.cos(angle - number * np.pi / ORIENTATIONS), 0) ** (ORIENTATIONS - 1)


def _mirrored(values):
    """values at the negative frequencies."""
    return np.roll(values[::-1, ::-1], 1, (0, 1))


def _cut(values, reach):
    """The Filter of `values` without the frequencies beyond `reach` cycles a pixel, where
    it is 0.
    """
    kept = []
    for side in values.shape:
        need = min(cv2.getOptimalDFTSize(2 * int(np.ceil(reach * side)) + 1), side)
        kept.append(np.fft.fftfreq(need, 1 / need).round().astype(int) % side)
    rows, columns = kept[0][:, None], kept[1][None]
    return Filter(rows, columns, values[rows, columns].astype(np.float32))
