"""STSTNet on the official SMIC (HS) release: onset-to-apex flow and strain, its three classes."""

from ml_collections import ConfigDict

from mer_jax.presets import ststnet, ststnet_variants, variants

VARIANTS = ststnet_variants()


def get_config(variant: str = '') -> ConfigDict:
    c = ststnet('smic_ststnet')
    c.data.name = 'smic'
    c.data.labels = 'megc3'
    return variants(c, variant, VARIANTS)
