"""SSSNet detects the action units of drawn faces, whose truth is known; needs no data and runs
anywhere in minutes.
"""

from ml_collections import ConfigDict

from mer_jax.presets import action_units, action_units_variants, variants

VARIANTS = action_units_variants()


def get_config(variant: str = '') -> ConfigDict:
    c = action_units('synthetic_action_units', 'synthetic_faces', size=28)
    return variants(c, variant, VARIANTS)
