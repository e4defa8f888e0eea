"""The SVMs of megc2019_best together with a network that drawn faces alone trained, for the
published MEGC2019 flow features.

Each fold combines their scores by two weights and an offset for each class (classical/stack.py).
"""

from ml_collections import ConfigDict

from mer_jax.presets import best, variants

FACES = 'clips=20000,optical_flow=exact,balance=even'


def get_config(variant: str = '') -> ConfigDict:
    c = best('megc2019_stack')
    c.data.name = 'precomputed_flow'
    c.head.name = 'stack'
    c.model.name = 'flow_cnn'
    c.model.pretrain = f'synthetic_faces/many,{FACES}'
    c.pretrain.update({'epochs': 8, 'learning_rate': 2e-3})
    c.train.update(
        {'batch_size': 64, 'optimizer': 'adamw', 'weight_decay': 0.01, 'schedule': 'cosine'}
    )
    c.train.seeds = 5  # of the groups, and of the network
    return variants(c, variant)
