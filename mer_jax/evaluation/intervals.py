"""Spotted intervals against annotated ones: the measures of the MEGC spotting challenges.

The rule is that of MEGC 2020 (He, Wang, Li, Yap, "Spotting macro- and micro-expression intervals in
long video sequences", FG 2020, section II.C), which later editions kept:

- A spotted interval is a true positive where its intersection over union with an annotated interval
  of the same kind is at least .5. Frames are counted, both ends included.
- Of m annotated and n spotted intervals of a recording, a true positives leave n - a false
  positives and m - a false negatives, with a <= m and a <= n. So an annotated interval counts once,
  however many spotted intervals meet it, and a spotted interval counts once.
- No recording is scored by itself, because many have no expression of a kind. The counts of all
  recordings are added as if the data set were one long recording, for macro-expressions and for
  micro-expressions; their sums are the overall result. Precision, recall and F1 come from these.

The kind of an annotated interval is the annotated one. A spotted interval without a kind is a
micro-expression up to MICRO_SECONDS: at 30 frames a second up to 16 frames, as in the baseline of
the challenge.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import optimize

KINDS = ('macro', 'micro')
OVERALL = 'overall'
IOU = 0.5  # k of the challenge
MICRO_SECONDS = 0.5  # from onset to offset


class Counts(NamedTuple):
    """How many intervals agree, over any number of recordings."""

    tp: int  # pairs of a spotted and an annotated interval
    fp: int  # spotted intervals without a pair
    fn: int  # annotated intervals without a pair


class Matches(NamedTuple):
    """The intervals of one recording, in pairs."""

    counts: Counts
    pairs: tuple[tuple[int, int], ...]  # (index of the annotated interval, of the spotted one)


class Scores(NamedTuple):
    """Shares of the counts; NaN where a share has no denominator."""

    precision: float
    recall: float
    f1: float


def overlaps(annotated: ArrayLike, spotted: ArrayLike) -> np.ndarray:
    """Return the intersection over union of all pairs.

    Args:
        annotated: int[M, 2], onset and offset, both inside of the interval.
        spotted: int[N, 2].

    Returns:
        float64[M, N], from 0 to 1.

    Raises:
        ValueError: an offset lies before its onset.
    """
    first, second = _intervals('annotated', annotated), _intervals('spotted', spotted)
    begin = np.maximum(first[:, None, 0], second[None, :, 0])
    end = np.minimum(first[:, None, 1], second[None, :, 1])
    common = np.maximum(end - begin + 1, 0)
    frames = np.diff(first, axis=1) + 1 + (np.diff(second, axis=1) + 1).T
    return common / (frames - common)


def matches(annotated: ArrayLike, spotted: ArrayLike, *, iou: float = IOU) -> Matches:
    """Pair the intervals of one recording and one kind.

    As many pairs as possible are formed, and of these choices the one with the largest sum of
    overlaps. So the counts do not depend on the order of the intervals.

    Args:
        annotated: int[M, 2], onset and offset, both inside of the interval.
        spotted: int[N, 2].
        iou: least intersection over union of a pair, above 0.

    Raises:
        ValueError: an offset lies before its onset.
    """
    overlap = overlaps(annotated, spotted)
    count, spotted_count = overlap.shape
    # A pair more outweighs all overlaps together.
    worth = np.where(overlap >= iou, 1 + overlap / (1 + min(overlap.shape)), 0)
    rows, columns = optimize.linear_sum_assignment(worth, maximize=True)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    paired = tuple(pair for pair in pairs if overlap[pair] >= iou)
    tp = len(paired)
    return Matches(Counts(tp, spotted_count - tp, count - tp), paired)


def kind_of(onset: int, offset: int, *, fps: float) -> str:
    """Return the kind of an interval by its length.

    Args:
        onset, offset: frame numbers.
        fps: frames a second.
    """
    return 'micro' if offset - onset <= MICRO_SECONDS * fps else 'macro'


def added(counts: Iterable[Counts]) -> Counts:
    """Add the counts of recordings, or of kinds."""
    tp, fp, fn = 0, 0, 0
    for one in counts:
        tp, fp, fn = tp + one.tp, fp + one.fp, fn + one.fn
    return Counts(tp, fp, fn)


def over_recordings(counts: Sequence[Mapping[str, Counts]]) -> dict[str, Counts]:
    """Add the counts of all recordings, for each kind and overall.

    Args:
        counts: of each recording, {kind: its counts}.

    Returns:
        {'macro', 'micro' and 'overall': counts}.
    """
    totals = {kind: added(one[kind] for one in counts) for kind in KINDS}
    return {**totals, OVERALL: added(totals.values())}


def precision_recall_f1(counts: Counts) -> Scores:
    """Return precision, recall and F1 of counts."""
    tp, fp, fn = counts
    return Scores(
        precision=_share(tp, tp + fp),
        recall=_share(tp, tp + fn),
        f1=_share(2 * tp, 2 * tp + fp + fn),
    )


def _share(part, whole):
    return part / whole if whole else float('nan')


def _intervals(name, values):
    """The intervals as int64[N, 2]."""
    intervals = np.asarray(values, np.int64).reshape(-1, 2)
    backward = intervals[:, 1] < intervals[:, 0]
    if backward.any():
        onset, offset = intervals[backward][0]
        raise ValueError(f'{name}: offset {offset} lies before onset {onset}')
    return intervals
