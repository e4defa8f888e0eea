"""What a row is that a fold trains on: the only place that looks at the marker of Samples.clip.

A row of a fold is a number into Samples. From N on it is a copy or a mixture of two rows, which
exists in a training step alone (training/batches.py).
"""

import numpy as np

from mer_jax.types import Samples


def stored(samples: Samples, index: np.ndarray) -> np.ndarray:
    """Return which rows have their image in `samples`, bool[n].

    They are rows of the data set, of a file or of a GAN; copies and mixtures are not stored.

    Args:
        samples: all rows.
        index: int[n], rows of a fold.
    """
    return np.asarray(index) < len(samples.clip)


def of_data_set(samples: Samples, index: np.ndarray | None = None) -> np.ndarray:
    """Return which rows are clips or frames of the data set, bool[n].

    Images of a file or of a GAN, copies and mixtures are not: they belong to nobody, and no result
    counts them.

    Args:
        samples: all rows.
        index: int[n], rows of a fold; None: all rows of `samples`.
    """
    index = np.arange(len(samples.clip)) if index is None else np.asarray(index)
    is_stored = stored(samples, index)
    clip = samples.clip[np.where(is_stored, index, 0)]
    return is_stored & (clip >= 0)
