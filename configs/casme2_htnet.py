"""HTNet (Wang et al. 2023) at a quarter of its channels, on the official CASME II release:
onset-to-apex flow and strain, the five emotions of its protocol.
"""

from ml_collections import ConfigDict

from mer_jax.presets import htnet, htnet_variants, variants

VARIANTS = htnet_variants()


def get_config(variant: str = '') -> ConfigDict:
    c = htnet('casme2_htnet', 'casme2/flow')
    c.data.labels = 'five'
    return variants(c, variant, VARIANTS)
