"""The recogniser of this project for the published MEGC2019 flow features: SVMs, kernel ridge
regressions, and networks that drawn faces alone trained, with equal weights.

SVMs and regressions learn four kinds of features, mirrored too. Their costs and widths of kernels
are chosen in each fold by groups of its training subjects; the five best choices answer together.
`first` is the first edition: the SVMs alone, which `pack --distil` takes.
"""

from ml_collections import ConfigDict

from mer_jax.presets import best, variants, with_drawn_network

VARIANTS = {'first': lambda c: None}
FACES = 'clips=20000,balance=even'


def get_config(variant: str = '') -> ConfigDict:
    c = best('megc2019_best')
    c.data.name = 'precomputed_flow'
    c.train.seeds = 5  # of the groups, and of the networks
    if 'first' not in variant.split(','):
        with_drawn_network(c, f'synthetic_faces/prototypes,{FACES}')
        c.head.update({'members': 'svm+ridge+network', 'combine': 'equal'})
        c.pretrain.networks = 2
    return variants(c, variant, VARIANTS)
