"""Every switch that shows training something of the left-out subjects: off by default, named in
results.json where it is on.
"""

from mer_jax.classical import has_network
from mer_jax.folds import RESAMPLERS, protocols
from mer_jax.models import torch_weights
from mer_jax.settings.sections import Settings


def listed(settings: Settings) -> list[str]:
    """The leaks that settings switch on, a line each; [] is an honest run."""
    balance, head = settings.balance, settings.head
    lines = [
        protocols.leak(settings.protocol.name),
        torch_weights.leak(settings.model.init_from),
    ]
    if fits_scaler(settings) and settings.data.scaler_scope == 'all':
        lines.append('data.scaler_scope=all: the scale is fitted to the tested clips too')
    if counted(settings) and balance.scope == 'all':
        lines.append(
            f'balance.scope=all: {counted(settings)} before the split, from the tested clips too'
        )
    resampler = RESAMPLERS[balance.method]
    one_file = resampler.file and '{subject}' not in balance.file
    one_network = resampler.trained and settings.gan.scope == 'all'
    if one_file or one_network:
        lines.append(resampler.leak)
    if head.name != 'none' and head.scope == 'all':
        lines.append(
            'head.scope=all: the network whose features the SVM takes has trained on the tested '
            'clips too'
        )
    return [text for text in lines if text]


def fits_scaler(settings: Settings) -> bool:
    """Whether a scaler of a network's input is fitted to rows at all."""
    return has_network(settings.head) and settings.data.input_scaler != 'none'


def counted(settings: Settings) -> str:
    """What is computed from class counts ('smote and class weights'); '' for nothing."""
    method = settings.balance.method
    computed = [method] if RESAMPLERS[method].fills else []
    if settings.train.class_weights != 'none':
        computed.append('class weights')
    return ' and '.join(computed)
