"""MicroExpSTCNN (Reddy et al. 2019) on SMIC: one convolution over 18 frames of 64x64."""

from ml_collections import ConfigDict

from mer_jax.presets import microexpstcnn, microexpstcnn_variants, variants

VARIANTS = microexpstcnn_variants()


def get_config(variant: str = '') -> ConfigDict:
    return variants(microexpstcnn('smic_microexpstcnn', 'smic/video'), variant, VARIANTS)
