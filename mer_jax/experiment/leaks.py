"""Every switch that shows training something of the left-out subjects: off by default, named in
results.json where it is on.
"""

from mer_jax.classical import features
from mer_jax.folds import RESAMPLERS, protocols
from mer_jax.models import torch_weights


def listed(settings: dict) -> list:
    """The leaks that nested `settings` switch on, a line each; [] is an honest run."""
    found = [
        protocols.leak(settings['protocol']['name']),
        torch_weights.leak(settings['model']['init_from']),
    ]
    data, balance = settings['data'], settings['balance']
    if fits(settings) and data['scale_scope'] == 'all':
        found.append('data.scale_scope=all: the scale is fitted to the tested clips too')
    if balanced(settings) and balance['scope'] == 'all':
        found.append(
            f'balance.scope=all: {balanced(settings)} before the split, from the tested clips too'
        )
    resampler = RESAMPLERS[balance['method']]
    one_file = resampler.file and '{subject}' not in balance['generated']
    one_network = resampler.trained and settings['gan']['scope'] == 'all'
    if one_file or one_network:
        found.append(resampler.leak)
    if settings['head']['name'] != 'none' and settings['head']['scope'] == 'all':
        found.append(
            'head.scope=all: the network whose features the machines take has trained on the '
            'tested clips too'
        )
    return [text for text in found if text]


def fits(settings: dict) -> bool:
    """Whether a scale of a network's input is fitted to rows at all."""
    return features.networked(settings['head']) and settings['data']['scale'] != 'stretch'


def balanced(settings: dict) -> str:
    """What is computed from class counts ('smote and class weights'); '' for nothing."""
    method = settings['balance']['method']
    computed = [method] if RESAMPLERS[method].fills else []
    if settings['train']['class_weights'] != 'none':
        computed.append('class weights')
    return ' and '.join(computed)
