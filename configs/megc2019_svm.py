"""A balanced linear support vector machine on the published MEGC2019 flow features: the simplest baseline."""

from configs.common import variants
from configs.systems import machines


def get_config(variant=''):
    c = machines('megc2019_svm', 'pixels')
    c.data.name = 'precomputed_flow'
    c.head.update({'kernel': 'linear', 'scale': 'none', 'cost': '0.001'})
    return variants(c, variant)
