"""Dual-Inception (Zhou et al. 2019) on the published MEGC2019 flow features."""

from ml_collections import ConfigDict

from mer_jax.presets import base, two_stream_variants, variants

VARIANTS = two_stream_variants()


def get_config(variant: str = '') -> ConfigDict:
    c = base('megc2019_dual_inception')
    c.data.name = 'precomputed_flow'
    c.data.channels = 'u,v'
    c.model.name = 'dual_inception'
    c.train.epochs = 500
    c.train.seeds = 3
    c.train.batch_size = 256
    c.train.learning_rate = 1e-3
    return variants(c, variant, VARIANTS)
