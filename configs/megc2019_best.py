"""The recogniser of this project for the published MEGC2019 flow features: SVMs on four kinds
of features, mirrored too.

Cost and width of the kernel are chosen in each fold by groups of its training subjects; the five
best choices answer together.
"""

from ml_collections import ConfigDict

from mer_jax.presets import best, variants


def get_config(variant: str = '') -> ConfigDict:
    c = best('megc2019_best')
    c.data.name = 'precomputed_flow'
    c.train.seeds = 5  # of the groups
    return variants(c, variant)
