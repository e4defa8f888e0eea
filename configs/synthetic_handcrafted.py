"""Handcrafted features and a support vector machine on synthetic faces, four classes; `features=`
says which.
"""

from ml_collections import ConfigDict

from mer_jax.presets import handcrafted, handcrafted_variants, variants

VARIANTS = handcrafted_variants()


def get_config(variant: str = '') -> ConfigDict:
    return variants(handcrafted('synthetic_handcrafted', 'synthetic_faces'), variant, VARIANTS)
