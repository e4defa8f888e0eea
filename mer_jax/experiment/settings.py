"""Rules that a config must keep, all told at once, before anything is built or compiled; and what
may differ on resume.
"""

import math
from pathlib import Path

from mer_jax.classical.svm import ALLOWED
from mer_jax.classical.svm import wrong as _head
from mer_jax.data import sources
from mer_jax.data.apexes import RULES
from mer_jax.data.labels import SCHEMES
from mer_jax.data.loading import CHANNELS, MASKS, SCALES, VALUE_RANGES
from mer_jax.errors import UserError
from mer_jax.experiment import LEARNERS, TASKS
from mer_jax.folds import PROTOCOLS, RESAMPLERS, Protocol, Resampler
from mer_jax.folds.protocols import SCORED
from mer_jax.folds.resampling import SCOPES, SPACES
from mer_jax.models import NETWORKS, RANGES, regional
from mer_jax.runfiles.config import differences, flat
from mer_jax.spotting.decoders import DECISIONS
from mer_jax.spotting.decoders import KINDS as CONTINUOUS
from mer_jax.training.augment import CHANGES, REGIONS, UNITS, augmentable
from mer_jax.training.balance import CLASS_WEIGHTS
from mer_jax.training.batches import SAMPLERS
from mer_jax.training.learners import FORMS, OPTIMIZERS, SCHEDULES

_CHOICES = {
    **ALLOWED,
    'data.rows': TASKS,
    'data.labels': SCHEMES,
    'data.mask': MASKS,
    'data.scale': SCALES,
    'data.scale_scope': SCOPES,
    'data.value_range': VALUE_RANGES,
    'gan.scope': SCOPES,
    'spotting.label': CONTINUOUS,
    'spotting.decision': DECISIONS,
    'spotting.output': ('sigmoid', 'linear'),
    'protocol.name': PROTOCOLS,
    'protocol.scored': SCORED,
    'model.name': NETWORKS,
    'train.optimizer': OPTIMIZERS,
    'train.schedule': SCHEDULES,
    'train.learner': LEARNERS,
    'train.class_weights': CLASS_WEIGHTS,
    'train.sampler': SAMPLERS,
    'balance.method': RESAMPLERS,
    'balance.space': SPACES,
    'balance.scope': SCOPES,
    'alignment.form': FORMS,
    'augment.replace_region': REGIONS,
    'augment.replace_units': UNITS,
    'explain.aucam': ('fixed', 'released'),
    'train.lowering': ('auto', 'matmul', 'native'),
} | {
    f'model.{name}.{option}': allowed
    for name, network in NETWORKS.items()
    for option, allowed in network.choices.items()
}
_RANGES = {  # key: (least, most); a share or a rate of 0 would train or test nothing
    'head.inner': (2, 1000),
    'head.best': (1, 1000),
    'data.size': (1, 1024),
    'data.frames': (1, 1000),
    'gan.each': (1, 10**5),
    'gan.size': (8, 1024),
    'gan.width': (1, 1024),
    'gan.steps': (1, 10**7),
    'gan.batch_size': (2, 10**5),
    'gan.learning_rate': (1e-12, 1e3),
    'gan.smoothing': (0, 0.99),
    'gan.dropout': (0, 0.99),
    'spotting.steepness': (1e-3, 50),
    'spotting.sigma': (0, 1000),
    'spotting.window': (1, 1000),
    'protocol.folds': (2, math.inf),
    'protocol.holdout': (0.01, 0.99),
    'protocol.validation': (0, 0.9),
    'protocol.seed': (0, 2**31 - 1),
    'train.epochs': (0, 10**7),
    'train.seeds': (1, 1000),
    'train.batch_size': (1, 10**6),
    'train.learning_rate': (1e-12, 1e3),
    'train.weight_decay': (0, 1e3),
    'train.momentum': (0, 1),
    'train.label_smoothing': (0, 0.99),
    'balance.neighbours': (1, 10**4),
    'alignment.share': (0, 1),
    'alignment.temperature': (1e-3, 1e3),
    'augment.flip': (0, 1),
    'augment.erase': (0, 1),
    'augment.replace': (0, 1),
    'augment.rotate': (0, 180),
    'augment.crop': (0, 0.9),
    'augment.contrast': (0, 1),
    'augment.brightness': (0, 1),
    'augment.noise': (0, 100),
    'augment.strength': (0, 1),
    'explain.clips': (1, 10**5),
    'train.at_once': (0, 10**5),
    'train.devices': (0, 10**4),
    'train.group': (0, 10**6),
    'train.checkpoint_seconds': (0, math.inf),
    'evaluate.batch_size': (1, 10**6),
}
# What may differ between a run and its continuation: where things lie and how often they are
# written, never a result.
_FREE_ON_RESUME = {
    'name',
    'data.data_dir',
    'data.manual_dir',
    'data.landmarks',
    'data.magnet',
    'data.rebuild',
    'train.epochs',
    'train.checkpoint_seconds',
    'explain.clips',
    'explain.aucam',
    'explain.faces',
}


def check(settings: dict) -> None:
    """Raise one UserError that names every broken rule as key, value and what is allowed."""
    values = flat(settings)
    wrong = [
        f'{key} is {values[key]!r}; allowed: {", ".join(sorted(allowed))}'
        for key, allowed in _CHOICES.items()
        if values[key] not in allowed
    ]
    wrong += [
        f'{key} is {values[key]}; allowed: {low} to {high}'
        for key, (low, high) in _RANGES.items()
        if not low <= values[key] <= high
    ]
    wrong += _channels(values['data.channels'])
    wrong += _networks(settings['model']) + _training(settings) + _task(settings)
    wrong += _balance(settings) + _head(settings)
    wrong += _init_from(values['model.init_from'], values['protocol.name'])
    if not values['name'].strip():
        wrong.append('name is empty; give the title of the report')
    if not values['data.name'].strip('+ '):
        wrong.append("data.name is empty; give a data set such as 'precomputed_flow'")
    if wrong:
        raise UserError('; '.join(wrong))


def check_resume(old: dict, new: dict, folder) -> None:
    """Refuse to continue a run under other settings; more epochs may follow where no schedule
    depends on their number.
    """
    told = [f'{key} was {before!r}, is {now!r}' for key, before, now in differ(old, new)]
    if told:
        raise UserError(
            f'{folder} holds a run with other settings: {"; ".join(told)}; '
            'give another --workdir, or delete that folder to start again'
        )


def differ(old: dict, new: dict) -> list:
    """[(key, old, new)] of settings that may not differ between a run and its continuation."""
    free = (
        _FREE_ON_RESUME
        if new['train']['schedule'] != 'cosine'
        else _FREE_ON_RESUME - {'train.epochs'}
    )
    return differences(old, new, ignore=free)


def _channels(text):
    channels = sources.channels(text)
    if len(channels) == len(set(channels)) and any(
        {*channels} <= {*known} for known in CHANNELS.values()
    ):
        return []
    return [
        f'data.channels is {text!r}; allowed: '
        f'{" or ".join(", ".join(known) for known in CHANNELS.values())}, each once, '
        'comma between'
    ]


def _networks(model):
    """Options of the networks that are numbers, and whether groups of channels divide a width."""
    wrong = []
    for network in NETWORKS:
        options = model[network]
        for key, value in options.items():
            low, high = RANGES.get(key, (value, value))
            if not low <= value <= high:
                wrong.append(f'model.{network}.{key} is {value}; allowed: {low} to {high}')
        groups = options.get('groups', 0)
        if groups > 0 and options['width'] % (2 * groups):
            wrong.append(
                f'model.{network}.groups is {groups}; allowed: so many that twice of them divide '
                f'width, {options["width"]}'
            )
    return wrong


def _training(settings):
    """What one setting asks of another."""
    train, model, wrong = settings['train'], settings['model']['name'], []
    learner = LEARNERS.get(train['learner'])
    if learner and learner.regional and model not in regional():
        others = [
            repr(name)
            for name, entry in LEARNERS.items()
            if entry.rows == learner.rows and not entry.regional
        ]
        wrong.append(
            f'train.learner is {train["learner"]!r}, which needs heads of regions; allowed: '
            f'model.name {" or ".join(regional())}, or train.learner {" or ".join(others)}'
        )
    allowed = augmentable(sources.channels(settings['data']['channels']), settings['data']['scale'])
    wrong += [
        f'augment.{change} is {settings["augment"][change]}, which is not made for data.channels '
        f'{settings["data"]["channels"]} and data.scale {settings["data"]["scale"]}; allowed: 0'
        for change in CHANGES
        if settings['augment'][change] and change not in allowed
    ]
    if settings['data']['difference'] and settings['data']['channels'] != 'gray':
        wrong.append(
            "data.difference is True, which takes frames; allowed: False, or data.channels 'gray'"
        )
    if (
        settings['data']['value_range'] == 'imagenet'
        and len(sources.channels(settings['data']['channels'])) != 3
    ):
        wrong.append(
            "data.value_range is 'imagenet', for three channels; data.channels is "
            f'{settings["data"]["channels"]!r}'
        )
    return wrong


def _task(settings):
    """Rows and learner belong to one task, which needs some settings and has no use for others."""
    rows, learner = settings['data']['rows'], settings['train']['learner']
    if rows not in TASKS or learner not in LEARNERS:
        return []  # errors of their own
    if LEARNERS[learner].rows != rows:
        fitting = [name for name, entry in LEARNERS.items() if entry.rows == rows]
        return [
            f'data.rows is {rows!r} and train.learner {learner!r}; allowed: {rows} with '
            f'{" or ".join(fitting)}, {LEARNERS[learner].rows} with {learner}'
        ]
    task, values = TASKS[rows], flat(settings)
    wrong = [] if 'data.apex' in task.unused else _apex(settings)
    wrong += [
        f'{key} is {values[key]!r}; allowed with data.rows {rows}: {value!r}'
        for key, value in task.needs.items()
        if values[key] != value
    ]
    wrong += [
        f'{key} is {values[key]!r}, which {task.name} has no use for; allowed: {off!r}'
        for key, off in task.unused.items()
        if values[key] != off
    ]
    if not task.augments:
        wrong += [
            f'augment.{name} is {settings["augment"][name]}; allowed in {task.name}: 0'
            for name in CHANGES
            if settings['augment'][name]
        ]
    return wrong


def _balance(settings):
    """Made rows, and rows set aside to choose by."""
    balance, protocol, wrong = settings['balance'], settings['protocol'], []
    method, source = balance['method'], balance['generated']
    resampler = RESAMPLERS.get(method, Resampler())  # an unknown name has an error of its own
    if resampler.augmented and not any(settings['augment'][name] for name in CHANGES):
        wrong.append(
            f'balance.method is {method!r}, but no augmentation is on; allowed: with '
            f'{" or ".join(f"augment.{name}" for name in CHANGES)} above 0'
        )
    if resampler.file != bool(source):
        of_files = [name for name, entry in RESAMPLERS.items() if entry.file]
        wrong.append(
            f'balance.generated is {source!r} and balance.method {method!r}; allowed: a .npz '
            f"file with {' or '.join(map(repr, of_files))}, '' otherwise"
        )
    if resampler.trained:
        wrong += _gan(settings)
    if resampler.images and balance['scope'] == 'all':
        line = (
            "balance.scope is 'all', which new images have no part in; allowed with "
            f"{method!r}: 'fold'"
        )
        if resampler.scope != 'balance.scope':
            line += f' ({resampler.scope} is its own)'
        wrong.append(line)
    if '{subject}' in source and not _protocol(protocol['name']).one_subject:
        wrong.append(
            f"balance.generated holds '{{subject}}', one file a left-out subject, but "
            'protocol.name is '
            f'{protocol["name"]!r}; allowed: {_one_subject()}'
        )
    if protocol['scored'] == 'validation' and not protocol['validation']:
        wrong.append(
            "protocol.scored is 'validation', but protocol.validation is 0; allowed: above 0"
        )
    both = protocol['holdout'] + protocol['validation']
    if _protocol(protocol['name']).share and protocol['validation'] and both > 0.99:
        wrong.append(
            f'protocol.holdout and protocol.validation are {both:g} together; allowed: up to '
            '0.99, the rest trains'
        )
    if settings['data']['scale'] == 'standard' and settings['data']['value_range'] != '0..1':
        wrong.append(
            f'data.value_range is {settings["data"]["value_range"]!r}, which data.scale '
            "'standard' has no use for; "
            "allowed: '0..1'"
        )
    return wrong


def _protocol(name):
    """The entry of a protocol; of an unknown name, which is told apart, one without any facts."""
    return PROTOCOLS.get(name, Protocol(''))


def _one_subject():
    """The protocols whose folds leave out one subject each, for a message: "'loso'"."""
    return ', '.join(repr(name) for name, protocol in PROTOCOLS.items() if protocol.one_subject)


def _apex(settings):
    """Apexes of a spotting run are told a left-out subject."""
    apex, protocol = settings['data']['apex'], settings['protocol']
    if apex in RULES:
        return []
    if settings['balance']['scope'] == 'all':
        return [
            f"balance.scope is 'all' and data.apex {apex!r}, which has an apex a fold; allowed: "
            "balance.scope 'fold'"
        ]
    if _protocol(protocol['name']).one_subject and not protocol['validation']:
        return []
    return [
        f'data.apex is {apex!r}, a spotter a left-out subject, but protocol.name is '
        f'{protocol["name"]!r} and '
        f'protocol.validation {protocol["validation"]:g}; allowed: {_one_subject()} and 0'
    ]


def _gan(settings):
    """What a GAN asks of the data."""
    wrong, size = [], settings['gan']['size']
    if size % 8:
        wrong.append(f'gan.size is {size}; allowed: a multiple of 8')
    if settings['data']['channels'] == 'gray':
        wrong.append(
            f"data.channels is 'gray', and balance.method {settings['balance']['method']!r} makes "
            'pictures; allowed: other channels'
        )
    return wrong


def _init_from(text, protocol):
    if not text:
        return []
    if '{subject}' in text and not _protocol(protocol).one_subject:
        return [
            f"model.init_from holds '{{subject}}', one file a left-out subject, but "
            f'protocol.name is {protocol!r}; allowed: {_one_subject()}'
        ]
    if '{subject}' not in text and Path(text).is_dir():
        return [
            f'model.init_from is a folder, {text}; name a file, or one a fold: '
            f"'{text.rstrip('/')}/{{subject}}.pth'"
        ]
    return []
