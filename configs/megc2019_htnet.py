"""HTNet (Wang et al. 2023) at a quarter of its channels, on the MEGC2019 features that its authors
used, those of STSTNet. One seed, as it takes hours on two cores.
"""

from ml_collections import ConfigDict

from mer_jax.presets import htnet, htnet_variants, variants

VARIANTS = htnet_variants()


def get_config(variant: str = '') -> ConfigDict:
    c = htnet('megc2019_htnet', 'precomputed_flow')
    return variants(c, variant, VARIANTS)
