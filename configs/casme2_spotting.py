"""Apex spotting (Koo et al. 2022) on CASME II: flow from the onset to every frame, 75x75, five
groups of subjects.
"""

from ml_collections import ConfigDict

from mer_jax.presets import spotting, spotting_variants, variants

VARIANTS = spotting_variants()


def get_config(variant: str = '') -> ConfigDict:
    return variants(spotting('casme2_spotting', 'casme2/spotting'), variant, VARIANTS)
