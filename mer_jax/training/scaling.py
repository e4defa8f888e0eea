"""From stored flow to what a network sees, inside the compiled step; what is fitted sees training
rows only.
"""

import math

import jax.numpy as jnp

# values of a channel that are sorted for a percentile: the flows of all frames would take minutes a
# fold
SORTED = 1_000_000


def fit_input(samples, rows, *, scaler, subtract_onset=False):
    """What an input scaler fits to rows.scaler_rows: {} for 'none'; float32[C] each.

    'p995': {'scale'}, the 99.5th percentile of each channel's |flow|, of every k-th pixel each way
    where there are more than SORTED; padding repeats rows of the fold, so it can move it by a
    fraction of a clip but never shows it a row of the test. 'standard': {'mean', 'deviation'} of
    each channel.
    subtract_onset: as in scale_input.
    """
    if scaler == 'none':
        return {}
    rows = rows.scaler_rows
    if scaler == 'standard':
        # Each row alone first: folds mapped side by side would otherwise hold a float copy of the
        # data set each.
        image = _moved(samples.image.astype(jnp.float32), subtract_onset)
        within = tuple(range(1, image.ndim - 1))
        middle, spread = image.mean(within)[rows.index], image.var(within)[rows.index]
        share = rows.mask / rows.mask.sum()
        mean = share @ middle
        return {
            'mean': mean,
            'deviation': jnp.maximum(jnp.sqrt(share @ (spread + (middle - mean) ** 2)), 1e-6),
        }
    apart = max(
        1, math.ceil(math.sqrt(rows.index.shape[0] * math.prod(samples.image.shape[1:3]) / SORTED))
    )
    flow = jnp.abs(samples.image[:, ::apart, ::apart][rows.index].astype(jnp.float32))
    # a still channel: no division by 0
    return {'scale': jnp.maximum(jnp.percentile(flow, 99.5, axis=(0, 1, 2)), 1e-6)}


def scale_input(image, fitted, *, value_range, subtract_onset=False):
    """Map bytes 0..255, or flow in [-scale, scale] and clipped there, onto value_range (low, high:
    one or one a channel); where a mean was fitted, subtract it and divide by the standard deviation
    instead.
    subtract_onset: of a clip [B, T, H, W, C] each frame minus the first: what moves remains.
    """
    if 'mean' in fitted:
        return (_moved(image.astype(jnp.float32), subtract_onset) - fitted['mean']) / fitted[
            'deviation'
        ]
    low, high = map(jnp.asarray, value_range)
    if 'scale' in fitted:
        share = (jnp.clip(image / fitted['scale'], -1, 1) + 1) / 2
    else:
        share = image.astype(jnp.float32) / 255
    return _moved(low + share * (high - low), subtract_onset)


def _moved(image, subtract_onset):
    return image - image[:, :1] if subtract_onset else image
