"""RCN-A (Xia et al. 2020) on the official CASME II release: onset-to-apex flow and strain at 60x60
pixels, the five emotions of its protocol.
"""

from ml_collections import ConfigDict

from mer_jax.presets import rcn_a, rcn_a_variants, variants

VARIANTS = rcn_a_variants()


def get_config(variant: str = '') -> ConfigDict:
    c = rcn_a('casme2_rcn_a', 'casme2/flow', size=60)
    c.data.labels = 'five'
    return variants(c, variant, VARIANTS)
