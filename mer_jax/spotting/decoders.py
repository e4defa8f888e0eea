"""Apex spotting of one clip: continuous labels, and decoders of a network's output.

Source: Koo, Zulkifley and Kamari, Sensors 22(11):4011 (2022), who name the labels and the decisions
but print no formula for the labels: those here are ours, each 0 at onset and offset and 1 at the
apex.
"""

import numpy as np
from numpy.typing import ArrayLike

LABELS = {  # r: share of the way from onset to apex, or from offset back to it; k: how steep
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
    """Labels of frames: 1 at the apex, 0 at and outside onset and offset.

    Args:
        frame: int[T], numbers.
        onset, apex, offset: of the clip.
        label: a key of LABELS, or 'impulse', which is 1 at the apex alone, or with sigma > 0
            exp(-(t - apex)^2 / (2 sigma^2)).
        steepness: of 'exponential' and 'log'.
        sigma: of 'impulse', frames.

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
    """The place of the largest of `value` [T] (the paper's Max): the first of equal ones."""
    return int(np.argmax(value))


def window_peak(value: ArrayLike, *, width: int) -> int:
    """SW-Max: the middle frame of the window with the largest sum.

    Args:
        value: [T].
        width: of a window, frames; windows stay inside the clip, and a clip shorter than a window
            falls back on Max.
    """
    value = np.asarray(value, np.float64)
    if len(value) < width:
        return largest(value)
    total = np.convolve(value, np.ones(width), 'valid')
    # sums of equal windows may differ in their last bits
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
    """The apex whose continuous label fits the whole curve best.

    The posterior median, which has the least expected error in frames. Our own; Max and SW-Max look
    at a few frames only, and not at where apexes lie. A curve alpha * label + beta (alpha >= 0)
    with noise of unknown size has the likelihood (residual sum)^(-T / 2 width).

    Args:
        number, value: frames and outputs [T].
        onset, offset: of the clip.
        width: neighbouring frames that count as a single observation.
        prior: (mean, standard deviation) of the apex's place in the clip, 0 onset to 1 offset,
            among the fold's training clips.
        label: label, steepness and sigma of `continuous_labels`.
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
    residual = np.maximum(residual, 1e-9 * max(energy, 1e-12))  # a perfect fit must not divide by 0
    place = (candidates - onset) / (offset - onset)
    mean, deviation = prior
    log_likelihood = -len(curve) / (2 * width) * np.log(residual)
    log_posterior = log_likelihood - ((place - mean) / deviation) ** 2 / 2
    share = np.cumsum(np.exp(log_posterior - log_posterior.max()))
    return int(candidates[np.searchsorted(share, share[-1] / 2)])


def fitted_fraction(onset: np.ndarray, apex: np.ndarray, offset: np.ndarray) -> float:
    """The fraction of a clip at which apexes are off by the fewest frames in the mean.

    A median, in which a clip weighs as many times as it has frames.

    Args:
        onset, apex, offset: int[n] of clips.
    """
    span = np.asarray(offset - onset, np.float64)
    nonempty = span > 0
    fraction, weight = (apex - onset)[nonempty] / span[nonempty], span[nonempty]
    order = np.argsort(fraction, kind='stable')
    total = np.cumsum(weight[order])
    return float(fraction[order][np.searchsorted(total, total[-1] / 2)])
