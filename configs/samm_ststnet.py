"""STSTNet on the official SAMM release: onset-to-apex flow and strain, the five emotions of its
protocol.
"""

from ml_collections import ConfigDict

from mer_jax.presets import ststnet, ststnet_variants, variants

VARIANTS = ststnet_variants()


def get_config(variant: str = '') -> ConfigDict:
    c = ststnet('samm_ststnet')
    c.data.name = 'samm'
    c.data.labels = 'five'
    return variants(c, variant, VARIANTS)
