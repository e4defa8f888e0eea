"""STSTNet on synthetic faces; needs no data and runs anywhere in minutes."""

from ml_collections import ConfigDict

from mer_jax.presets import base, variants


def get_config(variant: str = '') -> ConfigDict:
    c = base('synthetic_ststnet')
    c.data.channels = 'strain,v,u'
    c.data.value_range = '0..255'
    c.model.name = 'ststnet'
    c.train.epochs = 60
    c.train.seeds = 3
    c.train.batch_size = 256
    c.train.learning_rate = 1e-3
    return variants(c, variant)
