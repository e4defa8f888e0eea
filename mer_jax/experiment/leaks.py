"""The leaks that settings switch on.

A leak lets training see something of the left-out subjects, or scores clips that have no class.
Each is a switch that is off by default and named in results.json where it is on. Leaks of a user's
scikit-learn splitter are named by folds/splits.py.
"""

from mer_jax.classical import has_network
from mer_jax.folds import RESAMPLERS, leaves_subjects_out, people, protocols
from mer_jax.models import torch_weights
from mer_jax.settings import sections
from mer_jax.settings.sections import Settings

# The option of drawn faces whose numbers come from published features, without their labels: see
# preprocess/synthetic/published.py.
LOOKED_UP = 'distractors=eyes'


def listed(settings: Settings) -> list[str]:
    """Return the leaks that settings switch on, a sentence each; [] of an honest run."""
    balance, head = settings.balance, settings.head
    lines = [
        protocols.leak(settings.protocol.name),
        torch_weights.leak(settings.model.init_from),
    ]
    shared = people.leak(people.data_sets(settings.data.name))
    if shared and leaves_subjects_out(settings.protocol.name):
        lines.append(f'protocol.same_people={settings.protocol.same_people}: {shared}')
    if settings.data.without_class != 'dropped':
        lines.append(
            'data.without_class=first_class: clips without a class count as one of the first'
        )
    if fits_scaler(settings) and settings.data.scaler_scope == 'all':
        lines.append('data.scaler_scope=all: the scale is fitted to the tested clips too')
    computed = from_class_counts(settings)
    if computed and balance.scope == 'all':
        lines.append(f'balance.scope=all: {computed} before the split, from the tested clips too')
    resampler = RESAMPLERS[balance.method]
    one_file = resampler.reads_file and '{subject}' not in balance.file
    one_network = resampler.trained and settings.gan.scope == 'all'
    if one_file or one_network:
        lines.append(resampler.leak)
    if head.name != 'none' and head.scope == 'all':
        lines.append(
            'head.scope=all: the network whose features the SVM takes has trained on the tested '
            'clips too'
        )
    drawn = people.DRAWN in people.data_sets(settings.data.name)
    teachers = {
        'model.pretrain': settings.model.pretrain,
        'head.drawn': settings.head.drawn,
        'detectors.drawn': settings.detectors.drawn,
    }
    lines += [
        f'{key}: faces that are tested are drawn too, and may be among those that teach'
        for key, name in teachers.items()
        if name and drawn
    ]
    lines += [
        f'{key}: {LOOKED_UP} was laid out by a look at the published features of SAMM and SMIC, '
        'without their labels; they may be tested here'
        for key, name in teachers.items()
        if LOOKED_UP in name
    ]
    return [text for text in lines if text]


def of_rows(data: sections.Data, balance: sections.Balance, class_weights: str) -> list[str]:
    """Return the leaks of a run of Python code, without those of its folds.

    Args:
        data: says what a scaler is fitted to.
        balance: says what rows are added, and from which.
        class_weights: of the loss.
    """
    train = sections.Train(class_weights=class_weights)
    return listed(Settings('', data=data, balance=balance, train=train))


def fits_scaler(settings: Settings) -> bool:
    """Say whether a scaler of a network's input is fitted to rows."""
    return has_network(settings.head) and settings.data.input_scaler != 'none'


def from_class_counts(settings: Settings) -> str:
    """Name what is computed from class counts.

    Returns:
        'smote and class weights', one of them, or '' for nothing.
    """
    method = settings.balance.method
    computed = [method] if RESAMPLERS[method].fills else []
    if settings.train.class_weights != 'none':
        computed.append('class weights')
    return ' and '.join(computed)
