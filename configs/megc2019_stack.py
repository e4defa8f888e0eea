"""The SVMs of megc2019_best:first together with a network that drawn faces alone trained, for the
published MEGC2019 flow features.

Each fold combines their scores by two weights and an offset for each class (classical/stack.py).
"""

from ml_collections import ConfigDict

from mer_jax.presets import best, variants, with_drawn_network

FACES = 'clips=20000,optical_flow=exact,balance=even'


def get_config(variant: str = '') -> ConfigDict:
    c = with_drawn_network(best('megc2019_stack'), f'synthetic_faces/many,{FACES}')
    c.data.name = 'precomputed_flow'
    c.train.seeds = 5  # of the groups, and of the network
    return variants(c, variant)
