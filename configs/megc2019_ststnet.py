"""STSTNet on the MEGC2019 features its authors published (Liong et al. 2019): raw 0..255 in the
order cv2 reads them.
"""

from ml_collections import ConfigDict

from mer_jax.presets import ststnet, ststnet_variants, variants

VARIANTS = ststnet_variants()


def get_config(variant: str = '') -> ConfigDict:
    c = ststnet('megc2019_ststnet')
    c.data.name = 'precomputed_flow'
    c.train.seeds = 3
    return variants(c, variant, VARIANTS)
