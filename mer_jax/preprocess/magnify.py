"""Motion magnification: the apex frame, moved further from the onset.

alpha has one meaning in all methods: output motion / input motion. 1 changes nothing, 6 is common
in work on micro-expressions, 0 takes the motion out. Beyond RANGES no method is right: motion comes
out too small, and edges turn into dark and bright contours (eulerian) or into blur and ripples
(phase).
"""

import math

import cv2
import numpy as np

from mer_jax.errors import UserError
from mer_jax.preprocess import pyramid

BLUR = 1.0  # pixels (standard deviation) on the difference image; see `eulerian`
SMOOTH = 1.0  # samples of a band (standard deviation) over which phases are averaged
MOST = 100  # alpha beyond which a motion of a tenth of a pixel leaves every face
NOISE = 1.0  # gray levels of camera noise below which a phase is not trusted


def magnify(onset: np.ndarray, apex: np.ndarray, *, method: str, alpha: float) -> np.ndarray:
    """Return the apex frame with its motion times alpha.

    Args:
        onset, apex: uint8[H, W], equal shapes, 16 pixels a side or more.
        method: a key of METHODS.
        alpha: output motion / input motion, 0 to MOST; 1 gives `apex` itself; 'none'
            ignores it.

    Returns:
        uint8[H, W].

    Raises:
        UserError: anything else.
    """
    if method not in METHODS:
        raise UserError(f'magnify: method is {method!r}; known: {", ".join(METHODS)}')
    if not 0 <= alpha <= MOST:
        raise UserError(
            f'magnify: alpha is {alpha}; needs a number from 0 to {MOST} (output motion / input '
            'motion)'
        )
    for name, frame in (('onset', onset), ('apex', apex)):
        if frame.dtype != np.uint8 or frame.ndim != 2 or min(frame.shape) < pyramid.SMALLEST:
            raise UserError(
                f'magnify: {name} frame is {frame.dtype}{list(frame.shape)}; '
                f'needs 8-bit gray, uint8[H, W], at least {pyramid.SMALLEST} pixels a side'
            )
    if onset.shape != apex.shape:
        raise UserError(
            f'magnify: onset frame is {list(onset.shape)}, apex {list(apex.shape)}; needs equal '
            'shapes'
        )
    return METHODS[method](onset, apex, alpha)


def none(onset: np.ndarray, apex: np.ndarray, alpha: float) -> np.ndarray:
    """The apex frame as it is."""
    return apex.copy()


def eulerian(onset: np.ndarray, apex: np.ndarray, alpha: float) -> np.ndarray:
    """apex + (alpha - 1) * blur(apex - onset).

    The first term of the Taylor series of a moved picture. The blur, a Gaussian of 1 pixel, halves
    waves of 5 pixels: an output motion above an eighth of a wave breaks it, so shorter ones would
    only add contours. It makes magnified camera noise 3.5 times weaker. On drawn faces (noise 2
    gray levels, alpha 6, output 0.6 pixels) a blur of 2 pixels loses a third of the motion; without
    one, noise adds half. Source: Wu et al., ACM TOG 31(4), 2012, for two frames: the temporal
    band-pass is the difference to the onset.
    """
    difference = cv2.GaussianBlur(apex.astype(np.float32) - onset, (0, 0), BLUR)
    return _bytes(apex + np.float32(alpha - 1) * difference)


def phase(onset: np.ndarray, apex: np.ndarray, alpha: float) -> np.ndarray:
    """Magnify by phases: each band of the pyramid times alpha.

    Each band of a complex steerable pyramid of `apex` is turned by (alpha - 1) times its phase from
    `onset`. The longest waves, the pyramid's residual, stay those of the apex. A motion of more
    than half a wave between the frames is taken for the opposite one, so the finest detail of large
    motions is lost first. Source: Wadhwa et al., ACM TOG 32(4), 2013, for two frames: the temporal
    band-pass is the difference to the onset.
    """
    before, after = pyramid.build(onset), pyramid.build(apex)
    amplitudes = pyramid.noise(apex.shape)
    bands = []
    for first, second, amplitude in zip(before.bands, after.bands, amplitudes, strict=True):
        bands.append(_turn(first, second, alpha - 1, NOISE * amplitude))
    return _bytes(pyramid.reconstruct(after._replace(bands=bands)))


def _turn(first, second, factor, noise):
    """Turn band `second` on by `factor` times its phase from `first`."""
    angle, trust = phase_difference(first, second, noise)
    turn = np.float32(factor) * angle * trust
    return second * (np.cos(turn) + 1j * np.sin(turn))


def phase_difference(
    first: np.ndarray, second: np.ndarray, noise: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the difference of phase between two images of a band.

    The angle is that of the smoothed product second * conj(first): a circular mean weighted by
    amplitudes, so phases on both sides of pi do not average to 0.

    Args:
        first, second: complex bands [h, w].
        noise: amplitude that camera noise alone has in this band.

    Returns:
        angle float32[h, w] in (-pi, pi], and trust float32[h, w] in 0..1: it falls to 0 where that
        product is small against noise^2, as a phase there is random.
    """
    product = second * first.conj()
    real, imaginary = _smooth(product.real), _smooth(product.imag)
    size = np.hypot(real, imaginary)
    return np.arctan2(imaginary, real), size / (size + np.float32(noise**2))


def _smooth(values):
    return cv2.GaussianBlur(np.ascontiguousarray(values, np.float32), (0, 0), SMOOTH)


def _bytes(image):
    """Rounded and clipped to uint8."""
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


METHODS = {'none': none, 'eulerian': eulerian, 'phase': phase}
# Largest output motion in pixels at which TV-L1 measures alpha times the true motion within
# TOLERANCE. Measured on drawn faces about 90 pixels wide, alpha 3 and 6, noise 1.5 gray levels,
# input motion of 0.1 pixels or more (benchmarks/magnification.py); it grows with the width of the
# face. 'none' claims nothing and has no limit.
RANGES = {'none': math.inf, 'eulerian': 1.0, 'phase': 6.0}
TOLERANCE = 0.3
