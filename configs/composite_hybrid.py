"""Hybrid of network, strain by regions and directions of flow across CASME II, SAMM and SMIC: each
data set is left out once; manual_dir is 'A+B+C'.
"""

from ml_collections import ConfigDict

from mer_jax.presets import ACROSS, across, hybrid, hybrid_variants, variants, without

VARIANTS = {**without(hybrid_variants(), ('split',)), **ACROSS}
DATA = 'casme2/flow+samm/flow+smic/flow'


def get_config(variant: str = '') -> ConfigDict:
    c = across(hybrid('composite_hybrid', DATA), DATA)
    c.train.seeds = 3
    return variants(c, variant, VARIANTS)
