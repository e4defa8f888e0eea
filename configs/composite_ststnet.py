"""STSTNet on the MEGC2019 composite built from the official releases: 442 clips of 68 subjects; manual_dir is 'A+B+C'."""

from configs.common import base, variants


def get_config(variant=''):
    c = base('composite_ststnet')
    c.data.name = 'casme2+samm+smic'
    c.data.channels = 'strain,v,u'
    c.data.value_range = '0..255'
    c.model.name = 'ststnet'
    c.train.epochs = 500
    c.train.batch_size = 256
    c.train.learning_rate = 5e-5
    return variants(c, variant)
