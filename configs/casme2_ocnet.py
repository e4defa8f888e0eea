"""OC-Net (Koo et al. 2022) on CASME II: flow from onset to apex, 75x75; `gan=on` adds images of
each fold's own GAN.
"""

from ml_collections import ConfigDict

from mer_jax.presets import ocnet, ocnet_variants, variants

VARIANTS = ocnet_variants()


def get_config(variant: str = '') -> ConfigDict:
    return variants(ocnet('casme2_ocnet', 'casme2/flow'), variant, VARIANTS)
