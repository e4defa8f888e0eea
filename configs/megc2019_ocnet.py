"""OC-Net (Koo et al. 2022) on the published MEGC2019 flow features, 28x28 bytes; `gan=on` adds
images of each fold's own GAN.

Where the releases are built: --config.data.name=casme2/flow+samm/flow+smic/flow
--config.data.size=75 --config.gan.size=80 --noconfig.data.clip_normalise
--config.data.input_scaler=p995.
"""

from ml_collections import ConfigDict

from mer_jax.presets import ocnet, ocnet_variants, variants

VARIANTS = ocnet_variants()


def get_config(variant: str = '') -> ConfigDict:
    c = ocnet('megc2019_ocnet', 'precomputed_flow', size=28)
    c.data.update({'clip_normalise': True, 'input_scaler': 'none'})
    c.gan.size = 32
    return variants(c, variant, VARIANTS)
