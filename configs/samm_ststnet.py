"""STSTNet on the official SAMM release: onset-to-apex flow and strain, the five emotions of its
protocol.
"""

from mer_jax.presets import ststnet, ststnet_variants, variants

VARIANTS = ststnet_variants()


def get_config(variant=''):
    c = ststnet('samm_ststnet')
    c.data.name = 'samm'
    c.data.labels = 'five'
    return variants(c, variant, VARIANTS)
