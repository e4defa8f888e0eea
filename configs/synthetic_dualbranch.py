"""The default of main.py: the dual-branch system, reduced, on synthetic faces; needs no data and
runs anywhere in minutes.
"""

from ml_collections import ConfigDict

from mer_jax.presets import dualbranch, dualbranch_variants, variants

VARIANTS = dualbranch_variants()


def get_config(variant: str = '') -> ConfigDict:
    c = dualbranch('synthetic_dualbranch')
    c.data.name = 'synthetic_faces/three'
    c.data.labels = 'samer3'
    c.data.size = 48
    # So narrow a network learns little by heart: with the published dropout it takes three times
    # the epochs.
    light = {'width': 16, 'blocks': 1, 'unstrided_layers': 1, 'dropout': 0.0, 'dropout_dense': 0.1}
    c.model.dual_branch.update({**light, 'hidden': 128})
    c.model.single_branch.update(light)
    c.augment.erase = 0.0  # noise over such small pictures costs more epochs than these
    c.train.epochs = 10  # where the first cycle of the rate ends
    c.train.batch_size = 16
    c.train.at_once = 1  # a trial would compile the network twice, as long as the training takes
    c.train.lowering = 'matmul'
    return variants(c, variant, VARIANTS)
