"""STSTNet on the official CASME II release: onset-to-apex flow and strain, the five emotions of its
protocol.
"""

from ml_collections import ConfigDict

from mer_jax.presets import ststnet, ststnet_variants, variants

VARIANTS = ststnet_variants()


def get_config(variant: str = '') -> ConfigDict:
    c = ststnet('casme2_ststnet')
    c.data.name = 'casme2'
    c.data.labels = 'five'
    return variants(c, variant, VARIANTS)
