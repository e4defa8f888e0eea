"""SSSNet by the protocol of CD6ME (Varanka et al. 2024): 12 action units, six data sets, each left
out in turn; manual_dir is 'A+B+C+D+E+F'.
"""

from ml_collections import ConfigDict

from mer_jax.presets import action_units, variants


def get_config(variant: str = '') -> ConfigDict:
    c = action_units('cd6me_sssnet', 'casme+casme2+samm+fourdme+mmew+casme_cubed', size=64)
    c.protocol.update({'name': 'lodo', 'same_people': 'unknown'})
    # as in the public code
    c.train.update({'class_weights': 'none', 'seeds': 5})
    return variants(c, variant)
