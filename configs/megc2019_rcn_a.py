"""RCN-A, a recurrent convolution with attention (Xia et al. 2020), on the published MEGC2019 flow
features.
"""

from ml_collections import ConfigDict

from mer_jax.presets import rcn_a, rcn_a_variants, variants

VARIANTS = rcn_a_variants()


def get_config(variant: str = '') -> ConfigDict:
    c = rcn_a('megc2019_rcn_a', 'precomputed_flow', size=28)
    c.train.seeds = 3
    return variants(c, variant, VARIANTS)
