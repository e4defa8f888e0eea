"""Hybrid of network, strain by regions and directions of flow on synthetic faces, reduced: 32x32, a
quarter of the width.
"""

from ml_collections import ConfigDict

from mer_jax.presets import hybrid, hybrid_variants, variants

VARIANTS = hybrid_variants()


def get_config(variant: str = '') -> ConfigDict:
    c = hybrid('synthetic_hybrid', 'synthetic_faces')
    c.data.size = 32
    c.model.hybrid_cnn.update({'width': 16, 'blocks': 1})
    c.train.epochs = 20
    return variants(c, variant, VARIANTS)
