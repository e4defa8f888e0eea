"""The recogniser of this project for the published MEGC2019 flow features: SVMs on four kinds
of features, mirrored too.

Cost and width of the kernel are chosen in each fold by groups of its training subjects; the five
best choices answer together.
"""

from ml_collections import ConfigDict

from mer_jax.presets import svm, variants


def get_config(variant: str = '') -> ConfigDict:
    c = svm('megc2019_best', 'motion+gradient+orientation+deformation')
    c.data.name = 'precomputed_flow'
    c.head.update(
        {
            'scale': 'blocks',
            'cost': (0.5, 1.0, 2.0, 4.0, 8.0),
            'gamma': (0.25, 0.5, 1.0, 2.0),
            'top_k': 5,
            'mirror': True,
        }
    )
    c.train.seeds = 5  # of the groups
    return variants(c, variant)
