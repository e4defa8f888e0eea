"""The default of main.py: the dual-branch system, reduced, on synthetic faces; needs no data and runs anywhere in minutes."""

from configs.systems import dualbranch, dualbranch_variants


def get_config(variant=''):
    c = dualbranch('synthetic_dualbranch')
    c.data.name = 'synthetic_faces'
    c.data.labels = 'samer3'
    c.data.size = 64
    c.model.dual_branch.update({'width': 16, 'blocks': 1, 'hidden': 128, 'fine': 1})
    c.model.single_branch.update({'width': 16, 'blocks': 1, 'fine': 1})
    c.augment.erase = 0.0  # noise over such small pictures costs more epochs than these
    c.train.epochs = 30
    c.train.batch_size = 16
    c.train.at_once = 1  # a trial would compile the network twice, as long as the training takes
    c.train.lowering = 'matmul'
    return dualbranch_variants(c, variant)
