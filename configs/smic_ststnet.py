"""STSTNet on the official SMIC (HS) release: onset-to-apex flow and strain, its three classes."""

from configs.common import base, variants


def get_config(variant=''):
    c = base('smic_ststnet')
    c.data.name = 'smic'
    c.data.labels = 'megc3'
    c.data.channels = 'strain,v,u'
    c.data.value_range = '0..255'
    c.model.name = 'ststnet'
    c.train.epochs = 500
    c.train.batch_size = 256
    c.train.learning_rate = 5e-5
    return variants(c, variant)
