"""STSTNet on part A of the official CAS(ME)^3 release: onset-to-apex flow and strain, negative,
positive, surprise.
"""

from ml_collections import ConfigDict

from mer_jax.presets import ststnet, ststnet_variants, variants

VARIANTS = ststnet_variants()


def get_config(variant: str = '') -> ConfigDict:
    c = ststnet('casme_cubed_ststnet')
    c.data.name = 'casme_cubed'
    c.data.labels = 'megc3'
    return variants(c, variant, VARIANTS)
