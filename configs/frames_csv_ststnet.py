"""STSTNet on your own clips, which a CSV lists (docs/own_data.md); every label of it is a class."""

from ml_collections import ConfigDict

from mer_jax.presets import ststnet, ststnet_variants, variants

VARIANTS = ststnet_variants()


def get_config(variant: str = '') -> ConfigDict:
    c = ststnet('frames_csv_ststnet')
    c.data.name = 'frames_csv/flow'
    return variants(c, variant, VARIANTS)
