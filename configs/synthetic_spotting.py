"""Apex spotting (Koo et al. 2022) on clips of 15 synthetic faces, reduced: an eighth of the
published width.
"""

from ml_collections import ConfigDict

from mer_jax.presets import spotting, spotting_variants, variants

VARIANTS = spotting_variants()


def get_config(variant: str = '') -> ConfigDict:
    c = spotting('synthetic_spotting', 'synthetic_faces/spotting')
    c.model.vggm.update({'width': 12, 'dropout': 0.0})
    c.train.update({'epochs': 4, 'learning_rate': 1e-3, 'at_once': 1, 'lowering': 'matmul'})
    return variants(c, variant, VARIANTS)
