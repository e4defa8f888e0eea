"""STSTNet on the official CASME II release: onset-to-apex flow and strain, the five emotions of its
protocol.
"""

from configs.common import variants
from configs.systems import ststnet


def get_config(variant=''):
    c = ststnet('casme2_ststnet')
    c.data.name = 'casme2'
    c.data.labels = 'five'
    return variants(c, variant)
