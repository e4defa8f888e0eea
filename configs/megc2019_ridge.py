"""Kernel ridge regressions on the four kinds of features of megc2019_best, each by itself, for the
published MEGC2019 flow features.

Each fold chooses width and penalty by groups of its training subjects; the five best choices answer
together.
"""

from ml_collections import ConfigDict

from mer_jax.presets import best, variants


def get_config(variant: str = '') -> ConfigDict:
    c = best('megc2019_ridge')
    c.data.name = 'precomputed_flow'
    c.head.name = 'ridge'
    c.train.seeds = 5  # of the groups
    return variants(c, variant)
