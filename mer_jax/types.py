"""Types that several packages share: NamedTuples of arrays.

Letters in shapes: N samples, n training rows of a fold, m its test rows, F runs (folds x seeds),
R held-out outputs of all runs, B batch, H W C image, K classes, A action units, D features.
A singular name (state) is of one fold; a plural name (states) is of F runs, stacked with a leading
F. This file needs no jax.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import jax
    import numpy as np

    Array = np.ndarray | jax.Array
    Key = jax.Array
else:  # without jax, which is imported only where it computes
    Array = Key = Any

Logs = dict[str, 'jax.Array']  # scalars of a training step, by name
Fitted = dict[str, 'jax.Array']  # computed once from training rows: scale of inputs, class weights
Out = dict[str, 'jax.Array']  # what a network returns beside logits: see mer_jax/models/__init__.py


class Samples(NamedTuple):
    """All rows of an experiment, in data set order.

    A row is a clip; for spotting, a frame of a clip. Images of a file or of a GAN may follow, which
    have clip -1.
    """

    image: Array  # [N, H, W, C] uint8, or float32 where the data set stores measured flow
    label: Array  # int32[N], index into Names.classes
    subject: Array  # int32[N], index into Names.subjects; unique over a composite of data sets
    dataset: Array  # int32[N], index into Names.datasets
    clip: Array  # int32[N], index into Names.clips; -1 for an image of a file or of a GAN
    # Arrays [N, ...] that only some tasks need:
    #   action_units  float32[N, A], 1 present, 0 absent, NaN unknown (unknown is not absent)
    #   frame         int32[N], frame number, where rows are frames
    #   target        float32[N], what spotting regresses; NaN unknown
    #   half_source   int32[N, 2], rows that the upper and the lower half come from: the row itself,
    #                 or a donor after augmentation
    extras: dict[str, Array] = {}

    def with_extras(self, **arrays: Array) -> 'Samples':
        """Return the rows with extras added or replaced."""
        return self._replace(extras=self.extras | arrays)


class Inputs(NamedTuple):
    """What a network may see of rows to predict.

    No label and no other annotation is among them.
    """

    image: Array  # [B, H, W, C], as in Samples
    extras: dict[str, Array]  # [B, ...], those of Samples that were recorded with the images


class Rows(NamedTuple):
    """Rows of one fold; padding (mask 0) comes last."""

    index: Array  # int32[n], positions in Samples
    mask: Array  # float32[n], 1 real, 0 padding


class Resampled(NamedTuple):
    """Copies and mixtures that balance the classes of a fold.

    folds/resampling.py chooses them; training/batches.py computes their images:
    image[row] + gap * (image[neighbour] - image[row]). Both rows have the same class.
    """

    row: Array  # int32[e], positions in Samples
    neighbour: Array  # int32[e], positions in Samples
    gap: Array  # float32[e], 0 to 1; 0 is a copy of `row`


class TrainRows(NamedTuple):
    """Training rows of one fold; padding (mask 0) comes last."""

    index: Array  # int32[n]; below N a position in Samples; N + i is row i of `resampled`
    mask: Array  # float32[n], 1 real, 0 padding
    scaler_rows: Rows  # rows a scaler is fitted to: training rows, or all rows (a leak)
    resampled: Resampled


class Folds(NamedTuple):
    """All runs of an experiment, stacked: arrays [F, ...].

    A run is one fold with one seed.
    """

    fold: Array  # int32[F], number of the fold of each run
    seed: Array  # int32[F], seed of each run
    train: TrainRows
    test: Rows  # the held-out rows: test rows, or validation rows where these are evaluated


class FoldState(NamedTuple):
    """The state of one fold: arrays only.

    So it can be stacked, split over devices and saved as it is.
    """

    step: Array  # int32[], number of optimizer steps taken
    params: Any
    batch_stats: Any
    opt_state: Any
    fitted: Fitted  # by `init`


class Learner(NamedTuple):
    """Three pure functions of one fold."""

    init: Callable[[Key, Samples, TrainRows], FoldState]
    step: Callable[[FoldState, Samples, Key], tuple[FoldState, Logs]]
    # returns (output [B, K], `out` of the network); explain/maps.py sets a `predict` whose output
    # is a dict of arrays
    predict: Callable[[FoldState, Inputs], tuple[Array, Out]]


class Predictions(NamedTuple):
    """Held-out outputs, a row for each seed and test row.

    Within a seed they have the order of the data set. The arrays are on the host.
    """

    clip: Array  # int32[R], index into Names.clips
    frame: Array  # int32[R]
    subject: Array  # int32[R], index into Names.subjects
    dataset: Array  # int32[R], index into Names.datasets
    label: Array  # int32[R]
    fold: Array  # int32[R], number of the fold that held this row out
    seed: Array  # int32[R]
    output: Array  # float32[R, K], logits


class Names(NamedTuple):
    """What the integers of Samples mean."""

    classes: tuple[str, ...]
    # as the data sets name them: two subjects of two data sets may both be an 's01'
    subjects: tuple[str, ...]
    datasets: tuple[str, ...]
    clips: tuple[str, ...]
    action_units: tuple[str, ...]


class Timing(NamedTuple):
    """Onset, apex and offset of each clip, as frame numbers."""

    onset: Array  # int32[clips]
    apex: Array  # int32[clips], -1 where nobody annotated it
    offset: Array  # int32[clips]
    fps: Array  # float32[clips], 0 unknown


class Explained(NamedTuple):
    """What trained networks look at.

    It has one row for each held-out clip of one seed, from the fold that held it out. The arrays
    are on the host.
    """

    clip: Array  # int32[R], index into Names.clips
    subject: Array  # int32[R], index into Names.subjects
    dataset: Array  # int32[R], index into Names.datasets
    label: Array  # int32[R]
    predicted: Array  # int32[R]
    # float32[R, A], columns by Names.action_units; 1 present, 0 absent, NaN unknown
    action_units: Array
    # float32[R, H, W], 0..1: maps of the regions, eyes above mouth, each scaled separately
    au_cam: Array
    grad_cam: Array  # float32[R, H, W], 0..1, as au_cam
    gray: Array  # uint8[R, H, W], the face (magnified apex) that the network saw
    # uint8[R, H, W], magnitude of the flow from onset to target, the network's second channel
    on_a: Array
    features: Array  # float32[R, D], the weighted AU features
