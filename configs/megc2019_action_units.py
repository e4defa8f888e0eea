"""SSSNet detects action units on the published MEGC2019 flow features, which have none: they come
from a table of yours, `--config.data.action_units=FILE.csv`.
"""

from ml_collections import ConfigDict

from mer_jax.presets import action_units, action_units_variants, variants

VARIANTS = action_units_variants()


def get_config(variant: str = '') -> ConfigDict:
    c = action_units('megc2019_action_units', 'precomputed_flow', size=28)
    return variants(c, variant, VARIANTS)
