"""The dual-branch system of Ruan et al. 2022 on the official CASME II release, at the paper's size:
26 folds at 224x224.
"""

from ml_collections import ConfigDict

from mer_jax.presets import dualbranch, dualbranch_variants, variants

VARIANTS = dualbranch_variants()


def get_config(variant: str = '') -> ConfigDict:
    c = dualbranch('casme2_dualbranch')
    c.data.name = 'casme2/samer'
    return variants(c, variant, VARIANTS)
