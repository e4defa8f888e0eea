"""The 3-D network of Irawan et al. 2024 on clips of synthetic faces, reduced: 8 frames of 32x32."""

from configs.common import cnn3d, cnn3d_variants


def get_config(variant=''):
    c = cnn3d('synthetic_cnn3d', 'synthetic_faces')
    c.data.frames = 8
    c.data.size = 32
    return cnn3d_variants(c, variant)
