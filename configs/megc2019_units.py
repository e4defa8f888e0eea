"""A recogniser by action units for the published MEGC2019 flow features: SVMs detect the units, and
a logistic regression maps their outputs to the class.

The features have no units of their own: name a table with
--config.data.action_units=FILE.csv. Clips that it does not name train the regression alone.
"""

from ml_collections import ConfigDict

from mer_jax.presets import units, variants


def get_config(variant: str = '') -> ConfigDict:
    c = units('megc2019_units')
    c.data.name = 'precomputed_flow'
    return variants(c, variant)
