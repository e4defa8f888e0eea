"""Which rows of a fold are real clips or frames.

A row of a fold is an integer. With N = len(samples.clip), a row below N is a position in Samples: a
clip (or a frame of it), or an image of a file or of a GAN. Row N + i is row i of the fold's
`Resampled`: a copy or a mixture, which exists only inside a training step (training/batches.py).

The clip of an image of a file or of a GAN is -1. Only this file tests whether a clip is -1.
"""

import numpy as np

from mer_jax.types import Samples


def stored(samples: Samples, index: np.ndarray) -> np.ndarray:
    """Return which rows have their image in `samples`.

    They are clips, and images of a file or of a GAN. Copies and mixtures are not stored;
    batches.is_resampled finds these inside a training step.

    Args:
        samples: all samples.
        index: int[n], rows of a fold.

    Returns:
        bool[n].
    """
    return np.asarray(index) < len(samples.clip)


def of_data_set(samples: Samples, index: np.ndarray | None = None) -> np.ndarray:
    """Return which rows are clips or frames of the data set.

    Images of a file or of a GAN, copies and mixtures are not: they have no subject, and no result
    counts them.

    Args:
        samples: all samples.
        index: int[n], rows of a fold; None: all rows of `samples`.

    Returns:
        bool[n].
    """
    index = np.arange(len(samples.clip)) if index is None else np.asarray(index)
    is_stored = stored(samples, index)
    clip = samples.clip[np.where(is_stored, index, 0)]
    return is_stored & (clip >= 0)
