"""Handcrafted features and a support vector machine on CASME II, four classes; `features=` says
which.
"""

from mer_jax.presets import handcrafted, handcrafted_variants


def get_config(variant=''):
    return handcrafted_variants(handcrafted('casme2_handcrafted', 'casme2/flow'), variant)
