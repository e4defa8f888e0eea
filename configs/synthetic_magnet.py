"""The learned motion magnifier (MagNet, Oh et al. 2018) at small size, on made-up pictures;
data.magnet takes its weights.
"""

from configs.common import base, variants


def get_config(variant=''):
    c = base('synthetic_magnet')
    c.model.name = 'magnet'
    return variants(c, variant)
