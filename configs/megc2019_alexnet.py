"""AlexNet on the published MEGC2019 flow features, enlarged to 75 x 75 (the input of Koo et al.
2022).
"""

from ml_collections import ConfigDict

from mer_jax.presets import base, gan_variants, variants

VARIANTS = gan_variants()


def get_config(variant: str = '') -> ConfigDict:
    c = base('megc2019_alexnet')
    c.data.name = 'precomputed_flow'
    c.data.channels = 'u,v'
    c.data.size = 75
    c.data.value_range = '-1..1'
    c.model.name = 'alexnet'
    c.train.epochs = 500
    c.train.seeds = 3
    c.train.learning_rate = 6e-5
    return variants(c, variant, VARIANTS)
