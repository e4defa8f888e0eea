"""From stored flow to what a network sees, inside the compiled step; what is fitted sees training rows only."""

import jax.numpy as jnp


def fit_input(samples, rows, *, scale):
    """{'scale': float32[C]}: the 99.5th percentile of each channel's |flow| over the fold's training rows.

    For scale 'stretch' the images are bytes already and nothing is fitted. Padding repeats rows of the fold; it can
    move the percentile by a fraction of a clip but never shows it a row of the test.
    """
    if scale == 'stretch':
        return {}
    flow = jnp.abs(samples.image[rows.index].astype(jnp.float32))
    return {'scale': jnp.maximum(jnp.percentile(flow, 99.5, axis=(0, 1, 2)), 1e-6)}  # a still channel: no division by 0


def scale_input(image, fitted, *, value_range):
    """Map bytes 0..255, or flow in [-scale, scale] and clipped there, onto value_range (low, high: one or one a channel)."""
    low, high = map(jnp.asarray, value_range)
    if 'scale' in fitted:
        share = (jnp.clip(image / fitted['scale'], -1, 1) + 1) / 2
    else:
        share = image.astype(jnp.float32) / 255
    return low + share * (high - low)
