"""Hybrid of network, strain by regions and directions of flow under MEGC2018: objective classes,
train on CASME II and test on SAMM, and the other way; manual_dir is 'A+B'.
"""

from ml_collections import ConfigDict

from mer_jax.presets import hybrid, hybrid_variants, megc2018, megc2018_variants, variants, without

VARIANTS = {**without(hybrid_variants(), ('split',)), **megc2018_variants()}
DATA = 'casme2/flow,edition=2014+samm/flow'


def get_config(variant: str = '') -> ConfigDict:
    c = megc2018(hybrid('megc2018_hybrid', DATA), DATA)
    c.train.seeds = 3
    return variants(c, variant, VARIANTS)
