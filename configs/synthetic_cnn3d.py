"""The 3-D network of Irawan et al. 2024 on clips of 12 synthetic faces, reduced: 8 frames
of 32x32.
"""

from ml_collections import ConfigDict

from mer_jax.presets import cnn3d, cnn3d_variants, variants

VARIANTS = cnn3d_variants()


def get_config(variant: str = '') -> ConfigDict:
    c = cnn3d('synthetic_cnn3d', 'synthetic_faces/small')
    c.data.frames = 8
    c.data.size = 32
    # so few pixels and faces show who it is before what moves: without it UF1 stays at chance
    c.data.subtract_onset = True
    # less than published: the network is narrower
    c.model.cnn3d.update({'width': 16, 'dropout': 0.0, 'dropout_dense': 0.3})
    c.train.epochs = 30
    c.train.seeds = 3
    c.train.at_once = 1  # measuring takes as long as two variants
    c.train.lowering = 'matmul'
    return variants(c, variant, VARIANTS)
