"""STSTNet on the official MMEW release: onset-to-apex flow and strain, negative, positive,
surprise.
"""

from ml_collections import ConfigDict

from mer_jax.presets import ststnet, ststnet_variants, variants

VARIANTS = ststnet_variants()


def get_config(variant: str = '') -> ConfigDict:
    c = ststnet('mmew_ststnet')
    c.data.name = 'mmew'
    c.data.labels = 'megc3'
    return variants(c, variant, VARIANTS)
