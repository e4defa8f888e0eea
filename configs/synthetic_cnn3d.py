"""The 3-D network of Irawan et al. 2024 on clips of synthetic faces, reduced: 8 frames of 32x32."""

from configs.common import base, variants


def get_config(variant=''):
    c = base('synthetic_cnn3d')
    c.data.channels = 'gray'
    c.data.labels = 'irawan3'
    c.data.frames = 8
    c.data.size = 32
    c.data.mask = 'background'
    c.model.name = 'cnn3d'
    c.train.epochs = 50
    c.train.batch_size = 16
    return variants(c, variant)
