"""What a row is that a fold trains on: the only place that looks at the marker of `Samples.clip`.

A row of a fold is a number into Samples; from N on it is a copy or a mixture of two rows, which
exists in a training step alone (training/batches.py).
"""

import numpy as np


def stored(samples, index) -> np.ndarray:
    """bool[n]: rows whose image is in `samples`, of the data set, a file or a GAN; index int[n]."""
    return np.asarray(index) < len(samples.clip)


def of_data_set(samples, index=None) -> np.ndarray:
    """bool[n]: rows that are clips or frames of the data set.

    Images of a file or of a GAN, copies and mixtures are none: they belong to nobody, and no
    result counts them.

    Args:
        samples: Samples.
        index: int[n], rows of a fold; None: all rows of `samples`.
    """
    index = np.arange(len(samples.clip)) if index is None else np.asarray(index)
    clip = samples.clip[np.where(stored(samples, index), index, 0)]
    return stored(samples, index) & (clip >= 0)
