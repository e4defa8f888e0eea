"""STSTNet on the official CASME II release: onset-to-apex flow and strain, the five emotions of its protocol."""

from configs.common import base, variants


def get_config(variant=''):
    c = base('casme2_ststnet')
    c.data.name = 'casme2'
    c.data.labels = 'five'
    c.data.channels = 'strain,v,u'
    c.data.value_range = '0..255'
    c.model.name = 'ststnet'
    c.train.epochs = 500
    c.train.batch_size = 256
    c.train.learning_rate = 5e-5
    return variants(c, variant)
