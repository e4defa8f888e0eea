"""The recogniser of this project for the published MEGC2019 flow features: machines on four kinds
of features, mirrored too.

Cost and width of the kernel are chosen in each fold by groups of its training subjects; the five
best choices answer together.
"""

from configs.common import variants
from configs.systems import machines


def get_config(variant=''):
    c = machines('megc2019_best', 'motion+gradient+orientation+deformation')
    c.data.name = 'precomputed_flow'
    c.head.update(
        {
            'scale': 'blocks',
            'cost': '0.5,1,2,4,8',
            'gamma': '0.25,0.5,1,2',
            'best': 5,
            'mirror': True,
        }
    )
    c.train.seeds = 5  # of the groups
    return variants(c, variant)
