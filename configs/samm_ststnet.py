"""STSTNet on the official SAMM release: onset-to-apex flow and strain, the five emotions of its protocol."""

from configs.common import base, variants


def get_config(variant=''):
    c = base('samm_ststnet')
    c.data.name = 'samm'
    c.data.labels = 'five'
    c.data.channels = 'strain,v,u'
    c.data.value_range = '0..255'
    c.model.name = 'ststnet'
    c.train.epochs = 500
    c.train.batch_size = 256
    c.train.learning_rate = 5e-5
    return variants(c, variant)
