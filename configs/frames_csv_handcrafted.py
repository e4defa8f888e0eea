"""Handcrafted features and a support vector machine on your own clips, which a CSV lists
(docs/own_data.md): seconds on two cores; `features=` says which.
"""

from ml_collections import ConfigDict

from mer_jax.data.labels import DEFAULT
from mer_jax.presets import handcrafted, handcrafted_variants, variants

VARIANTS = handcrafted_variants()


def get_config(variant: str = '') -> ConfigDict:
    c = handcrafted('frames_csv_handcrafted', 'frames_csv/flow')
    c.data.labels = DEFAULT
    return variants(c, variant, VARIANTS)
