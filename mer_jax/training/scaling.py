"""Scaling of stored images for a network.

It happens inside the compiled step. A scaler is fitted to scaler_rows:
the training rows of a fold, unless data.scaler_scope=all, a leak, asks for all rows.
"""

import math

import jax
import jax.numpy as jnp

from mer_jax.types import Array, Fitted, Rows, Samples, TrainRows

# Most values of a channel that are sorted for a percentile. To sort those of all frames would take
# minutes per fold.
SORTED = 1_000_000


def fit_input(
    samples: Samples, rows: TrainRows, *, scaler: str, subtract_onset: bool = False
) -> Fitted:
    """Fit an input scaler to the rows of a fold.

    Args:
        samples: all rows.
        rows: training rows of the fold; the scaler is fitted to rows.scaler_rows.
        scaler: a key of SCALERS.
        subtract_onset: as in scale_input.

    Returns:
        A dictionary of arrays float32[C]. For 'p995': 'scale', the 99.5th percentile of the
        absolute flow of each channel. For 'standard': 'mean' and 'deviation' of each channel. For
        'mean_max': 'mean' and 'largest' (maximum - mean) over all channels (Reddy et al. 2019). For
        'none' it is empty.
    """
    return SCALERS[scaler](samples, rows.scaler_rows, subtract_onset)


def _fit_nothing(samples: Samples, rows: Rows, subtract_onset):
    return {}


def _fit_mean_max(samples: Samples, rows: Rows, subtract_onset):
    image = _relative_to_onset(samples.image.astype(jnp.float32), subtract_onset)
    values = tuple(range(1, image.ndim))
    mean = (rows.mask / rows.mask.sum()) @ image.mean(values)[rows.index]
    largest = jnp.max(image.max(values)[rows.index]) - mean  # padding repeats rows of the fold
    channels = jnp.ones(image.shape[-1])
    return {'mean': mean * channels, 'largest': jnp.maximum(largest, 1e-6) * channels}


def _fit_standard(samples: Samples, rows: Rows, subtract_onset):
    # Mean and variance of each row are computed once for all folds. Otherwise each fold that trains
    # at once would hold a float copy of the data.
    image = _relative_to_onset(samples.image.astype(jnp.float32), subtract_onset)
    pixels = tuple(range(1, image.ndim - 1))
    row_mean = image.mean(pixels)[rows.index]
    row_variance = image.var(pixels)[rows.index]
    share = rows.mask / rows.mask.sum()
    mean = share @ row_mean
    variance = share @ (row_variance + (row_mean - mean) ** 2)
    return {'mean': mean, 'deviation': jnp.maximum(jnp.sqrt(variance), 1e-6)}


def _fit_percentile(samples: Samples, rows: Rows, subtract_onset):
    """Return the 99.5th percentile of the absolute flow.

    Where there are more than SORTED pixels, it is that of every k-th row and column of the images.
    Padding rows count too. They repeat training rows, so no test row is seen.
    """
    pixels = rows.index.shape[0] * math.prod(samples.image.shape[1:3])
    stride = max(1, math.ceil(math.sqrt(pixels / SORTED)))
    flow = jnp.abs(samples.image[:, ::stride, ::stride][rows.index].astype(jnp.float32))
    scale = jnp.percentile(flow, 99.5, axis=(0, 1, 2))
    return {'scale': jnp.maximum(scale, 1e-6)}  # a still channel would divide by 0


# (samples, rows, subtract_onset) -> what is fitted
SCALERS = {
    'none': _fit_nothing,
    'p995': _fit_percentile,
    'standard': _fit_standard,
    'mean_max': _fit_mean_max,
}


def scale_input(
    image: Array,
    fitted: Fitted,
    *,
    value_range: tuple,
    subtract_onset: bool = False,
) -> jax.Array:
    """Scale stored images to what a network sees.

    Where 'mean' is fitted, images become (image - mean) / deviation, or (image - mean) / largest.
    Otherwise [-scale, scale] (clipped, where 'scale' is fitted) or [0, 255] maps to the value
    range.

    Args:
        image: [B, H, W, C], or a clip [B, T, H, W, C].
        fitted: the dictionary that fit_input returned.
        value_range: (low, high), each a number, or a number for each channel.
        subtract_onset: whether the first frame of a clip is subtracted from all its frames, so that
            only what moves remains.

    Returns:
        float32, in the shape of image.
    """
    if 'mean' in fitted:
        moved = _relative_to_onset(image.astype(jnp.float32), subtract_onset)
        divisor = fitted['deviation'] if 'deviation' in fitted else fitted['largest']
        return (moved - fitted['mean']) / divisor
    low, high = map(jnp.asarray, value_range)
    if 'scale' in fitted:
        share = (jnp.clip(image / fitted['scale'], -1, 1) + 1) / 2
    else:
        share = image.astype(jnp.float32) / 255
    return _relative_to_onset(low + share * (high - low), subtract_onset)


def _relative_to_onset(image, subtract_onset):
    if not subtract_onset:
        return image
    return image - image[:, :1]
