"""SSSNet, one shallow stream (Varanka et al. 2021), on the published MEGC2019 flow features."""

from ml_collections import ConfigDict

from mer_jax.presets import sssnet, sssnet_variants, variants

VARIANTS = sssnet_variants()


def get_config(variant: str = '') -> ConfigDict:
    c = sssnet('megc2019_sssnet', 'precomputed_flow', size=28)
    c.train.seeds = 3
    return variants(c, variant, VARIANTS)
