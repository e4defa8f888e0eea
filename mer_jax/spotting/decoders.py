"""Apex spotting of one clip: labels of frames, and decoders.

A decoder turns the network's outputs for the frames of a clip into an apex. Koo, Zulkifley and
Kamari, Sensors 22(11):4011 (2022), name the labels and two decoders, but print no formula of the
labels. The formulas here are ours; each label is 0 at onset and offset and 1 at the apex.
"""

import numpy as np
from numpy.typing import ArrayLike

# r: share of the way from onset to apex, or from offset back to the apex; k: the steepness.
LABELS = {
    'linear': lambda r, k: r,
    'exponential': lambda r, k: np.expm1(k * r) / np.expm1(k),
    'log': lambda r, k: np.log1p(np.expm1(k) * r) / k,  # the inverse of the exponential
}


def continuous_labels(
    frame: ArrayLike,
    onset: int,
    apex: int,
    offset: int,
    *,
    label: str,
    steepness: float,
    sigma: float,
) -> np.ndarray:
    """Return the labels of frames: 1 at the apex, 0 at onset and offset.

    Before the onset and after the offset they are 0 as well.

    Args:
        frame: int[T], frame numbers.
        onset: frame number.
        apex: frame number.
        offset: frame number.
        label: a key of LABELS, or 'impulse', which is 1 at the apex alone, or with sigma > 0
            exp(-(t - apex)^2 / (2 sigma^2)).
        steepness: of 'exponential' and 'log'.
        sigma: of 'impulse', in frames.

    Returns:
        float32[T].
    """
    t = np.asarray(frame, np.float64)
    if label == 'impulse':
        values = np.exp(-((t - apex) ** 2) / (2 * sigma**2)) if sigma else t == apex
        return values.astype(np.float32)
    rise = (t - onset) / (apex - onset) if apex > onset else np.zeros_like(t)
    fall = (offset - t) / (offset - apex) if offset > apex else np.zeros_like(t)
    share = np.where(t == apex, 1, np.clip(np.where(t < apex, rise, fall), 0, 1))
    return LABELS[label](share, steepness).astype(np.float32)


def largest(value: ArrayLike) -> int:
    """Return the position of the largest output: the paper's Max.

    Of equal outputs, the first.

    Args:
        value: [T], outputs.
    """
    return int(np.argmax(value))


def window_peak(value: ArrayLike, *, width: int) -> int:
    """Return the middle of the window with the largest sum: SW-Max.

    Windows lie inside the clip. For a clip shorter than a window it is Max.

    Args:
        value: [T], outputs.
        width: of a window, in frames.

    Returns:
        A position in the clip, from 0.
    """
    value = np.asarray(value, np.float64)
    if len(value) < width:
        return largest(value)
    total = np.convolve(value, np.ones(width), 'valid')
    # Rounded, because the sums of equal windows may differ in their last bits.
    first = int(np.argmax(np.round(total, 9)))
    return first + width // 2


def fit_curve(
    number: ArrayLike,
    value: ArrayLike,
    *,
    onset: int,
    offset: int,
    width: int,
    prior: tuple[float, float],
    **label: str | float,
) -> int:
    """Return the apex whose label fits the whole curve of outputs best.

    This decoder is ours. Max and SW-Max look at a few frames only, and not at where in a clip
    apexes usually are. For each candidate apex, the outputs are modelled as alpha * label + beta
    with alpha >= 0 and noise of unknown size; the likelihood is then (sum of squared
    residuals)^(-T / (2 width)). The result is the median of the posterior, which has the least
    expected error in frames.

    Args:
        number: int[T], frame numbers.
        value: [T], outputs.
        onset: frame number.
        offset: frame number.
        width: number of neighbouring frames that count as one observation.
        prior: mean and standard deviation of (apex - onset) / (offset - onset) over the training
            clips of the fold.
        **label: `label`, `steepness` and `sigma` of continuous_labels.

    Returns:
        A frame number.
    """
    if offset > onset + 1:
        candidates = np.arange(onset + 1, offset)
    else:
        candidates = np.array([onset, offset])
    shapes = [continuous_labels(number, onset, apex, offset, **label) for apex in candidates]
    shapes = np.stack(shapes).astype(np.float64)
    shapes -= shapes.mean(1, keepdims=True)
    curve = np.asarray(value, np.float64) - np.mean(value)
    energy = curve @ curve
    size = np.maximum((shapes**2).sum(1), 1e-12)
    residual = energy - np.maximum(shapes @ curve, 0) ** 2 / size
    residual = np.maximum(residual, 1e-9 * max(energy, 1e-12))  # a perfect fit has no logarithm
    fraction = (candidates - onset) / (offset - onset)
    mean, deviation = prior
    log_likelihood = -len(curve) / (2 * width) * np.log(residual)
    log_posterior = log_likelihood - ((fraction - mean) / deviation) ** 2 / 2
    share = np.cumsum(np.exp(log_posterior - log_posterior.max()))
    return int(candidates[np.searchsorted(share, share[-1] / 2)])


def fitted_fraction(onset: np.ndarray, apex: np.ndarray, offset: np.ndarray) -> float:
    """Return the fraction of a clip that is nearest to the apexes.

    It has the least mean error in frames: the median of (apex - onset) / (offset - onset), in which
    a clip counts by its number of frames.

    Args:
        onset: int[n], frame number for each clip.
        apex: int[n], frame number for each clip.
        offset: int[n], frame number for each clip.
    """
    span = np.asarray(offset - onset, np.float64)
    nonempty = span > 0
    fraction, weight = (apex - onset)[nonempty] / span[nonempty], span[nonempty]
    order = np.argsort(fraction, kind='stable')
    total = np.cumsum(weight[order])
    return float(fraction[order][np.searchsorted(total, total[-1] / 2)])
