"""STSTNet on the official 4DME release (gray clips): onset-to-apex flow and strain, negative,
positive, surprise. Clips with one tag only.
"""

from ml_collections import ConfigDict

from mer_jax.presets import ststnet, ststnet_variants, variants

VARIANTS = ststnet_variants()


def get_config(variant: str = '') -> ConfigDict:
    c = ststnet('fourdme_ststnet')
    c.data.name = 'fourdme'
    c.data.labels = 'megc3'
    return variants(c, variant, VARIANTS)
