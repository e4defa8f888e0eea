"""A recogniser by action units on synthetic faces: SVMs detect the units, and a logistic regression
maps their outputs to the class.
"""

from ml_collections import ConfigDict

from mer_jax.presets import units, variants


def get_config(variant: str = '') -> ConfigDict:
    c = units('synthetic_units')
    c.data.name = 'synthetic_faces'
    return variants(c, variant)
