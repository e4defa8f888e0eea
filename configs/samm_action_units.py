"""SSSNet detects action units on the official SAMM release: onset-to-apex flow and strain."""

from ml_collections import ConfigDict

from mer_jax.presets import action_units, action_units_variants, variants

VARIANTS = action_units_variants()


def get_config(variant: str = '') -> ConfigDict:
    c = action_units('samm_action_units', 'samm/flow', size=64)
    return variants(c, variant, VARIANTS)
