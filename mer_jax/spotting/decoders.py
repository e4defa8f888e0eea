"""Apex spotting, for one clip: continuous labels, decisions, answers without looking (numpy only).

Source: Koo, Zulkifley and Kamari, Sensors 22(11):4011 (2022), who name the labels and the decisions
but print no formula for
the labels: those here are ours, each 0 at onset and offset and 1 at the apex.
"""

import numpy as np

LABELS = {  # r: share of the way from onset to apex, or from offset back to it; k: how steep
    'linear': lambda r, k: r,
    'exponential': lambda r, k: np.expm1(k * r) / np.expm1(k),
    'log': lambda r, k: np.log1p(np.expm1(k) * r) / k,  # the inverse of the exponential
}


def continuous(frame, onset, apex, offset, *, label, steepness, sigma):
    """Labels float32[T] of frames int[T]: 1 at the apex, 0 at and outside onset and offset.

    label: a key of LABELS, or 'impulse', which is 1 at the apex alone, or with sigma > 0 (frames)
    exp(-(t - apex)^2 / (2 sigma^2)).
    """
    t = np.asarray(frame, np.float64)
    if label == 'impulse':
        return (np.exp(-((t - apex) ** 2) / (2 * sigma**2)) if sigma else t == apex).astype(
            np.float32
        )
    rise = (t - onset) / (apex - onset) if apex > onset else np.zeros_like(t)
    fall = (offset - t) / (offset - apex) if offset > apex else np.zeros_like(t)
    way = np.where(t == apex, 1, np.clip(np.where(t < apex, rise, fall), 0, 1))
    return LABELS[label](way, steepness).astype(np.float32)


def largest(value) -> int:
    """The place of the largest of `value` [T] (the paper's Max): the first of equal ones."""
    return int(np.argmax(value))


def window(value, *, width) -> int:
    """SW-Max: the middle frame of the window of `width` frames with the largest sum.

    value: [T]; windows stay inside the clip, and a clip shorter than one falls back on Max.
    """
    value = np.asarray(value, np.float64)
    if len(value) < width:
        return largest(value)
    total = np.convolve(value, np.ones(width), 'valid')
    # sums of equal windows may differ in their last bits
    first = int(np.argmax(np.round(total, 9)))
    return first + width // 2


def template(number, value, *, onset, offset, width, prior, **label) -> int:
    """The apex whose continuous label fits the whole curve best, as the median of what is possible:
    of all answers the one with the least expected error in frames. Our own; Max and SW-Max look at
    a few frames only, and not at where apexes lie.

    number, value: frames and outputs [T]; width: neighbouring frames that count as one observation;
    prior: (mean, standard deviation) of the apex's place in the clip, 0 onset to 1 offset, among
    the fold's training clips; label: of `continuous`. A curve alpha * label + beta (alpha >= 0)
    with noise of unknown size has the likelihood (residual sum)^(-T / 2 width).
    """
    found = np.arange(onset + 1, offset) if offset > onset + 1 else np.array([onset, offset])
    shapes = np.stack([continuous(number, onset, apex, offset, **label) for apex in found]).astype(
        np.float64
    )
    shapes -= shapes.mean(1, keepdims=True)
    curve = np.asarray(value, np.float64) - np.mean(value)
    size = np.maximum((shapes**2).sum(1), 1e-12)
    rest = curve @ curve - np.maximum(shapes @ curve, 0) ** 2 / size
    rest = np.maximum(rest, 1e-9 * max(curve @ curve, 1e-12))  # a perfect fit must not divide by 0
    place = (found - onset) / (offset - onset)
    log = -len(curve) / (2 * width) * np.log(rest) - ((place - prior[0]) / prior[1]) ** 2 / 2
    share = np.cumsum(np.exp(log - log.max()))
    return int(found[np.searchsorted(share, share[-1] / 2)])


def fitted_fraction(onset, apex, offset) -> float:
    """The one fraction of clips (int[n] each) whose place is off by the fewest frames in the mean:
    a median, in which a clip weighs as many times as it has frames.
    """
    span = np.asarray(offset - onset, np.float64)
    known = span > 0
    fraction, weight = (apex - onset)[known] / span[known], span[known]
    order = np.argsort(fraction, kind='stable')
    total = np.cumsum(weight[order])
    return float(fraction[order][np.searchsorted(total, total[-1] / 2)])
