"""STSTNet on the official SMIC (HS) release: onset-to-apex flow and strain, its three classes."""

from configs.common import variants
from configs.systems import ststnet


def get_config(variant=''):
    c = ststnet('smic_ststnet')
    c.data.name = 'smic'
    c.data.labels = 'megc3'
    return variants(c, variant)
