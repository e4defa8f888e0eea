"""The types that travel between modules: NamedTuples of arrays, readable without jax.

Letters: N samples, n/m rows of one fold (train/test), F runs (folds x seeds), B batch, H W C image,
K classes, A action units. Singular means one fold; plural means stacked with a leading F.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

Array = Any  # numpy or jax


class Samples(NamedTuple):
    """All rows of an experiment, in dataset order; every array has a leading N.

    A row that is not of the data set, an image of a file or of a GAN, has clip -1.
    """

    image: Array  # [N, H, W, C] uint8, or float32 where the data set stores measured flow
    label: Array  # int32[N], index into Names.classes
    subject: Array  # int32[N], index into Names.subjects; unique over a composite of data sets
    dataset: Array  # int32[N], index into Names.datasets
    clip: Array  # int32[N], index into Names.clips; -1 where the row is of no data set
    # arrays [N, ...] that some tasks need; one that a task does not need is absent:
    #   action_units  float32[N, A], 1 present, 0 absent, NaN unknown (unknown is not absent)
    #   frame         int32[N], frame number, where rows are frames
    #   target        float32[N], what spotting regresses
    #   half_source   int32[N, 2], rows that the upper and the lower half of the image show: the row
    #                 itself, until training replaces a region
    extras: dict[str, Array] = {}

    def with_extras(self, **arrays) -> 'Samples':
        """The same rows with further extras, or with other values of them."""
        return self._replace(extras=self.extras | arrays)


class Inputs(NamedTuple):
    """What a network may see of the rows that it predicts: nothing that somebody annotated."""

    image: Array  # [B, H, W, C], as in Samples
    extras: dict[str, Array]  # those of Samples that were recorded with the images, [B, ...]


class Rows(NamedTuple):
    """Rows of one fold; padding (mask 0) stands behind the real rows."""

    index: Array  # int32[n] into Samples
    mask: Array  # float32[n], 1 real, 0 padding


class Resampled(NamedTuple):
    """Rows made for one fold against unequal classes, each of two rows of one class
    (folds/resampling.py).
    """

    row: Array  # int32[e] into Samples
    # int32[e] into Samples; the mixture is image[row] + gap * (image[neighbour] - image[row])
    neighbour: Array
    gap: Array  # float32[e]; 0 is a copy of the row


class TrainRows(NamedTuple):
    """What one fold trains on; padding (mask 0) stands behind the real rows."""

    index: Array  # int32[n] into Samples; from N on into resampled: N + i is its row i
    mask: Array  # float32[n], 1 real, 0 padding
    # what a scaler is fitted to: the fold's rows of Samples, unless a leak is wanted
    scaler_rows: Rows
    resampled: Resampled


class Folds(NamedTuple):
    """Every run of an experiment (folds x seeds), stacked: each array has a leading F."""

    fold: Array  # int32[F], number of the fold; its title stands in the fold table
    seed: Array  # int32[F]
    train: TrainRows
    test: Rows


class FoldState(NamedTuple):
    """All that training changes, arrays only, so that it stacks, shards and saves as it is."""

    step: Array  # int32[], optimizer steps taken
    params: Any
    batch_stats: Any
    opt_state: Any
    fitted: Any  # dict: computed from training rows once (flow scale); read by step and predict


class Learner(NamedTuple):
    """Three pure functions over one fold."""

    init: Callable  # (key, samples: Samples, rows: TrainRows) -> FoldState
    step: Callable  # (state, batch: Samples, key) -> (state, logs: dict of scalars)
    predict: Callable  # (state, inputs: Inputs) -> (output [B, K], out: dict)


class Predictions(NamedTuple):
    """Held-out outputs on the host, one row per (seed, test row), in dataset order within a
    seed.
    """

    clip: Array  # int32[R], index into Names.clips
    frame: Array  # int32[R]
    subject: Array  # int32[R], index into Names.subjects
    dataset: Array  # int32[R], index into Names.datasets
    label: Array  # int32[R]
    fold: Array  # int32[R], number of the fold that did not see this row
    seed: Array  # int32[R]
    output: Array  # float32[R, K], logits


class Names(NamedTuple):
    """What the integers mean: tuples of str."""

    classes: tuple
    # names as the data set has them; two data sets may both hold an 's01' under two indices
    subjects: tuple
    datasets: tuple
    clips: tuple
    action_units: tuple


class Timing(NamedTuple):
    """When each clip of Names.clips happens, in numbers of its frames."""

    onset: Array  # int32[clips]
    apex: Array  # int32[clips], -1 where nobody annotated it
    offset: Array  # int32[clips]
    fps: Array  # float32[clips], 0 unknown


class Explained(NamedTuple):
    """What a trained network looks at, on the host: one row a held-out clip of one seed, by the
    fold that did not see it.
    """

    clip: Array  # int32[R], index into Names.clips
    subject: Array  # int32[R], index into Names.subjects
    dataset: Array  # int32[R], index into Names.datasets
    label: Array  # int32[R]
    predicted: Array  # int32[R]
    # float32[R, A], columns by Names.action_units; 1 present, 0 absent, NaN unknown
    action_units: Array
    # float32[R, H, W], 0..1: maps of all regions stacked (eyes over mouth), each scaled by itself
    au_cam: Array
    grad_cam: Array  # float32[R, H, W], 0..1, as au_cam
    gray: Array  # uint8[R, H, W], the face (magnified apex) that the network saw
    # uint8[R, H, W], magnitude of the flow from onset to target, the network's second channel
    on_a: Array
    features: Array  # float32[R, D], the weighted AU features
