"""The 3-D network of Irawan et al. 2024 on SAMM, at 16 frames of 128x128; wants a GPU."""

from ml_collections import ConfigDict

from mer_jax.presets import cnn3d, cnn3d_variants, variants

VARIANTS = cnn3d_variants()


def get_config(variant: str = '') -> ConfigDict:
    return variants(cnn3d('samm_cnn3d', 'samm/video'), variant, VARIANTS)
