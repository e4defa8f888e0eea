"""SSSNet detects action units on the official CASME II release: flow and strain from onset to apex,
64x64.
"""

from ml_collections import ConfigDict

from mer_jax.presets import action_units, action_units_variants, variants

VARIANTS = action_units_variants()


def get_config(variant: str = '') -> ConfigDict:
    c = action_units('casme2_action_units', 'casme2/flow', size=64)
    return variants(c, variant, VARIANTS)
