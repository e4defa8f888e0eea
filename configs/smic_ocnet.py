"""OC-Net (Koo et al. 2022) on SMIC, which has no apexes: flow of every frame, that at the middle of
the clip unless data.apex names a spotting config (`smic_spotting` is trained first) or the folder
of a finished spotting run; `gan=on` adds images of each fold's own GAN.
"""

from ml_collections import ConfigDict

from mer_jax.presets import ocnet, ocnet_variants, variants

VARIANTS = ocnet_variants()


def get_config(variant: str = '') -> ConfigDict:
    c = ocnet('smic_ocnet', 'smic/spotting')
    c.data.apex = 'midpoint'
    return variants(c, variant, VARIANTS)
