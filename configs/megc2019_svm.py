"""A balanced linear support vector machine on the published MEGC2019 flow features: the simplest
baseline.
"""

from ml_collections import ConfigDict

from mer_jax.presets import HANDCRAFTED, svm, variants


def get_config(variant: str = '') -> ConfigDict:
    c = svm('megc2019_svm', 'pixels')
    c.data.name = 'precomputed_flow'
    c.update_from_flattened_dict(HANDCRAFTED['flow'])
    return variants(c, variant)
