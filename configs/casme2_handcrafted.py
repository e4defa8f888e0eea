"""Handcrafted features and a support vector machine on CASME II, four classes; `features=` says
which.
"""

from mer_jax.presets import handcrafted, handcrafted_variants, variants

VARIANTS = handcrafted_variants()


def get_config(variant=''):
    return variants(handcrafted('casme2_handcrafted', 'casme2/flow'), variant, VARIANTS)
