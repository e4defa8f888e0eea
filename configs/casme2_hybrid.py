"""Hybrid of network, strain by regions of action units and directions of flow on CASME II, four
classes.
"""

from ml_collections import ConfigDict

from mer_jax.presets import hybrid, hybrid_variants, variants

VARIANTS = hybrid_variants()


def get_config(variant: str = '') -> ConfigDict:
    c = hybrid('casme2_hybrid', 'casme2/flow')
    c.train.seeds = 3
    return variants(c, variant, VARIANTS)
