"""SSSNet (Varanka et al. 2021) on the official CASME II release: onset-to-apex flow and strain at
64x64 pixels, the five emotions of its protocol.
"""

from ml_collections import ConfigDict

from mer_jax.presets import sssnet, sssnet_variants, variants

VARIANTS = sssnet_variants()


def get_config(variant: str = '') -> ConfigDict:
    c = sssnet('casme2_sssnet', 'casme2/flow', size=64)
    c.data.labels = 'five'
    return variants(c, variant, VARIANTS)
