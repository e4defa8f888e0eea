"""STSTNet on the MEGC2019 composite built from the official releases: 442 clips of 68 subjects;
manual_dir is 'A+B+C'.
"""

from ml_collections import ConfigDict

from mer_jax.presets import ststnet, ststnet_variants, variants

VARIANTS = ststnet_variants()


def get_config(variant: str = '') -> ConfigDict:
    c = ststnet('composite_ststnet')
    c.data.name = 'casme2+samm+smic'
    return variants(c, variant, VARIANTS)
