"""The dual-branch system of Ruan et al. 2022 on the official SAMM release; the flows go to the
magnified apex there.
"""

from ml_collections import ConfigDict

from mer_jax.presets import dualbranch, dualbranch_variants, variants

VARIANTS = dualbranch_variants()


def get_config(variant: str = '') -> ConfigDict:
    c = dualbranch('samm_dualbranch')
    c.data.name = 'samm/samer'
    return variants(c, variant, VARIANTS)
