"""Whether printed figures can be: shares of whole clips, above chance, in agreement.

A figure is judged by the digits that its source prints.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

ROUNDING = 1e-9


class Printed(NamedTuple):
    """A share of 0 to 1, and how far its printed digits may be from the truth."""

    value: float
    half: float  # half a unit of the last digit


def printed(text: str) -> Printed:
    """A printed figure as a share.

    Args:
        text: '0.9127', or '91.3 %'.

    Raises:
        ValueError: it is no number.
    """
    number, percent, _ = text.strip().partition('%')
    number = number.strip()
    scale = 0.01 if percent else 1.0
    digits = len(number.partition('.')[2])
    return Printed(float(number) * scale, 0.5 * 10.0**-digits * scale)


def agree(first: Printed, second: Printed) -> bool:
    """Whether two printings can be of one figure."""
    return abs(first.value - second.value) <= max(first.half, second.half) + ROUNDING


def is_of(figure: Printed, share: float) -> bool:
    """Whether a share, rounded, prints as this figure."""
    return abs(share - figure.value) <= figure.half + ROUNDING


def correct_clips(accuracy: Printed, clips: int) -> list[int]:
    """Each number of correct clips that prints as this accuracy; [] where none does."""
    return [k for k in range(clips + 1) if is_of(accuracy, k / clips)]


def cut_clips(accuracy: Printed, clips: int) -> list[int]:
    """The same for digits that were cut off instead of rounded."""
    middle = Printed(accuracy.value + accuracy.half, accuracy.half)
    return [k for k in range(clips) if is_of(middle, k / clips)]


def clip_counts(accuracies: Sequence[Printed], most: int) -> list[int]:
    """Each number of clips, up to `most`, of which every accuracy can be a share."""
    counts = np.arange(1, most + 1)
    possible = np.ones(most, bool)
    for accuracy in accuracies:
        nearest = np.round(accuracy.value * counts)
        possible &= np.abs(nearest / counts - accuracy.value) <= accuracy.half + ROUNDING
    return counts[possible].tolist()


def is_one_vs_rest(accuracy: Printed, share: Printed, classes: int) -> bool:
    """Whether an accuracy is that of each class against the rest, averaged.

    Each wrong clip is wrong for two of K classes, so that accuracy is 1 - 2 (1 - share) / K.

    Args:
        accuracy: as printed.
        share: what may be the share of clips classified correctly, often printed as F1.
        classes: K.
    """
    expected = 1 - 2 * (1 - share.value) / classes
    return abs(accuracy.value - expected) <= accuracy.half + 2 * share.half / classes + ROUNDING


def is_below(figure: Printed, limit: float) -> bool:
    """Whether a figure is below a limit, however its digits were rounded."""
    return figure.value + figure.half < limit - ROUNDING


def fewest_errors(accuracy: Printed, most: int) -> int | None:
    """The fewest errors with which somebody of up to `most` clips has this accuracy.

    None where no number of clips has it.
    """
    fewest = [
        min(clips - k for k in correct_clips(accuracy, clips))
        for clips in clip_counts([accuracy], most)
    ]
    return min(fewest, default=None)


def most_imperfect(errors: int, fewest: Sequence[int]) -> int:
    """The most subjects that can have an error.

    Args:
        errors: of all subjects together.
        fewest: the least number of errors of each subject of whom something is printed.
    """
    with_errors = [count for count in fewest if count]
    return len(with_errors) + max(0, errors - sum(with_errors))


def recalls(confusion: ArrayLike) -> np.ndarray:
    """Recall of each class of a confusion matrix [K, K], rows truth."""
    counts = np.asarray(confusion, np.float64)
    return np.diagonal(counts) / counts.sum(1)
