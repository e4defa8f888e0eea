"""Temperatures that make held-out scores probabilities, and how far scores are from them.

The temperature of a subject is fitted to held-out outputs of the other subjects. So the labels of a
subject never enter its scores. But the networks that made those outputs trained on this subject:
the temperature is that of networks like the one that tests the subject, not independent of it.

A trained model that is used on other recordings takes a `Calibrated` along: one temperature, and
the least confidence at which its class is clear.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize, special

BINS = 15  # of equal width, as in Guo et al., "On calibration of modern neural networks", ICML 2017
RANGE = (0.01, 100.0)  # of temperatures; outputs that are never wrong would want 0
CLEAR = 0.5  # a class is clear where predictions are right at least as often as wrong
ROUNDING = 1e-9  # of a share


class Calibrated(NamedTuple):
    """What makes probabilities of outputs, and says which classes are clear."""

    temperature: float
    threshold: float  # least clear probability; infinity where no class is ever clear


class Bin(NamedTuple):
    """Rows whose largest score lies in (low, high]."""

    low: float
    high: float
    rows: int
    confidence: float  # mean of the largest scores; NaN without rows
    accuracy: float  # share of rows classified correctly; NaN without rows


def temperatures(output: ArrayLike, label: ArrayLike, subject: ArrayLike) -> np.ndarray:
    """Fit a temperature for each subject to the rows of all others.

    Guo et al., ICML 2017, section 4.2. All seeds of a row count.

    Args:
        output: [R, K], held-out outputs: logits, or decision values of SVMs.
        label: int[R].
        subject: [R], unique over data sets.

    Returns:
        float64[R], that of each row's subject; 1 where there is no other subject.
    """
    output, label, subject = np.asarray(output, np.float64), np.asarray(label), np.asarray(subject)
    of_rows = np.ones(len(label))
    for number in np.unique(subject):
        others = subject != number
        if others.any():
            of_rows[~others] = fit(output[others], label[others])
    return of_rows


def fit(output: np.ndarray, label: np.ndarray) -> float:
    """Return the temperature of the largest likelihood.

    Args:
        output: [R, K]; the scores are softmax(output / temperature).
        label: int[R].
    """
    best = optimize.minimize_scalar(
        lambda power: likelihood_loss(output / np.exp(power), label),
        bounds=np.log(RANGE),
        method='bounded',
    )
    return float(np.exp(best.x))


def calibrated(output: ArrayLike, label: ArrayLike, clip: ArrayLike) -> Calibrated:
    """Fit a temperature and a threshold to held-out outputs.

    The rows must not be of the subject that the result is used on. The threshold is that of
    `clear_from`, where the confidence in a clip is the largest mean probability over its outputs.

    Args:
        output: [R, K], logits, or decision values of SVMs; R above 0.
        label: int[R].
        clip: int[R], equal where several seeds predict the same clip.
    """
    output = np.asarray(output, np.float64)
    label = np.asarray(label)
    temperature = fit(output, label)
    _, first, number = np.unique(clip, return_index=True, return_inverse=True)
    total = np.zeros((len(first), output.shape[1]))
    np.add.at(total, number, special.softmax(output / temperature, axis=-1))
    mean = total / np.bincount(number)[:, None]
    correct = mean.argmax(-1) == label[first]
    return Calibrated(temperature, clear_from(mean.max(-1), correct))


def clear_from(confidence: ArrayLike, correct: ArrayLike) -> float:
    """Return the confidence from which on predictions are right as often as wrong.

    The share of correct predictions is a function of the confidence that never falls, fitted by
    isotonic regression (Zadrozny and Elkan, "Transforming classifier scores into accurate
    multiclass probability estimates", KDD 2002). The result is the least confidence where it
    reaches CLEAR; infinity where it does not.

    Args:
        confidence: [R], largest probabilities; R above 0.
        correct: bool[R].
    """
    value, number = np.unique(np.asarray(confidence, np.float64), return_inverse=True)
    rows = np.bincount(number)
    share = np.bincount(number, weights=np.asarray(correct, np.float64)) / rows
    rising = optimize.isotonic_regression(share, weights=rows).x
    clear = value[rising >= CLEAR - ROUNDING]
    return float(clear[0]) if len(clear) else np.inf


def probabilities(outputs: ArrayLike, temperature: float) -> np.ndarray:
    """Return the mean probabilities of the members of a model.

    Args:
        outputs: [members, N, K], logits, or decision values of SVMs.
        temperature: of each member.

    Returns:
        float64[N, K].
    """
    scaled = np.asarray(outputs, np.float64) / temperature
    return special.softmax(scaled, axis=-1).mean(0)


def likelihood_loss(output: ArrayLike, label: ArrayLike) -> float:
    """Return the mean negative log likelihood of the labels, in nats.

    Args:
        output: [R, K], logits.
        label: int[R].
    """
    scores = special.log_softmax(np.asarray(output, np.float64), axis=-1)
    return float(-np.mean(np.take_along_axis(scores, np.asarray(label)[:, None], -1)))


def reliability(output: ArrayLike, label: ArrayLike) -> list[Bin]:
    """Compare confidence with accuracy in BINS bins of equal width.

    Args:
        output: [R, K], logits.
        label: int[R].
    """
    output, label = np.asarray(output, np.float64), np.asarray(label)
    confidence = special.softmax(output, axis=-1).max(-1, initial=0)
    correct = output.argmax(-1) == label
    number = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    bins = []
    for i in range(BINS):
        rows = number == i
        means = (np.nan, np.nan)
        if rows.any():
            means = float(confidence[rows].mean()), float(correct[rows].mean())
        bins.append(Bin(i / BINS, (i + 1) / BINS, int(rows.sum()), *means))
    return bins


def expected_error(output: ArrayLike, label: ArrayLike, seed: ArrayLike) -> float:
    """Return the expected calibration error (ECE), the mean over seeds.

    It is the difference of confidence and accuracy in each bin, weighted by its rows (Guo et al.,
    ICML 2017, equation 3). With few rows it is too large: chance alone parts the two in a bin.

    Args:
        output: [R, K], logits.
        label: int[R].
        seed: int[R].
    """
    output, label, seed = np.asarray(output), np.asarray(label), np.asarray(seed)
    errors = []
    for number in np.unique(seed):
        rows = seed == number
        parts = [
            one.rows * abs(one.confidence - one.accuracy)
            for one in reliability(output[rows], label[rows])
            if one.rows
        ]
        errors.append(sum(parts) / rows.sum())
    return float(np.mean(errors))
