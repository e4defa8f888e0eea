"""STSTNet on the MEGC2019 features its authors published (Liong et al. 2019): raw 0..255 in the order cv2 reads them."""

from configs.common import base, variants


def get_config(variant=''):
    c = base('megc2019_ststnet')
    c.data.name = 'precomputed_flow'
    c.data.channels = 'strain,v,u'
    c.data.value_range = '0..255'
    c.model.name = 'ststnet'
    c.train.epochs = 500
    c.train.seeds = 3
    c.train.batch_size = 256
    c.train.learning_rate = 5e-5
    return variants(c, variant)
