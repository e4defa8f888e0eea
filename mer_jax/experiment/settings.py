"""Rules that settings must keep, and what may differ on resume.

All broken rules are reported at once, before anything is built or compiled. Only settings and
entries are imported here, so that a mistake is answered before jax is loaded.
"""

import os
from collections.abc import Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any, Protocol

from mer_jax import machine
from mer_jax.classical import (
    FEATURES,
    FITTED,
    HEADS,
    MEMBERS,
    NETWORK,
    combines_network,
    features_of_clips,
    fitted_features,
    has_network,
    missing_input,
)
from mer_jax.data import APEX_RULES, channels, labels, target_units
from mer_jax.errors import UserError
from mer_jax.experiment import LEARNERS, TASKS, spotter
from mer_jax.folds import PROTOCOLS, RESAMPLERS, leaves_subjects_out, people
from mer_jax.models import NETWORKS, options, regional, weights_files
from mer_jax.runfiles.config import differences
from mer_jax.settings import tree
from mer_jax.settings.check import mistakes
from mer_jax.settings.sections import Settings
from mer_jax.training.changes import CHANGES, augmentable

SETTINGS = tree.all_settings(options())  # every setting by its dotted key
# the section of config.json that only runs of mer_jax.train and mer_jax.evaluate have
PYTHON = 'python'
FIT = 'code'  # a key in it that only runs of mer_jax.evaluate have
PATHS = (
    'data.data_dir',
    'data.landmarks',
    'data.detector',
    'data.magnet',
    'data.action_units',
    'model.init_from',
    'balance.file',
)
NAMES = {  # the keys of the dictionaries of entries that settings name
    'HEADS': tuple(HEADS),
    'LEARNERS': tuple(sorted(LEARNERS)),
    'NETWORKS': tuple(sorted(NETWORKS)),
    'PROTOCOLS': tuple(sorted(PROTOCOLS)),
    'RESAMPLERS': tuple(sorted(RESAMPLERS)),
    'SCHEMES': tuple(sorted(labels.SCHEMES)),
    'TASKS': tuple(sorted(TASKS)),
}


class Config(Protocol):
    """What a config file makes: an ml_collections.ConfigDict."""

    def to_dict(self) -> dict[str, Any]:
        """Return its settings as nested dictionaries."""


def checked(config: Config) -> Settings:
    """Check and return the settings of a config.

    Raises:
        UserError: they break a rule; every broken one is named.
    """
    settings = tree.from_nested(config.to_dict())
    check(settings)
    return settings


def check(settings: Settings) -> None:
    """Refuse settings that break a rule.

    Raises:
        UserError: names every broken rule as key, value and what is allowed.
    """
    lines = mistakes(tree.flat(tree.to_nested(settings)), SETTINGS, NAMES)
    for rule in RULES:
        lines += rule(settings)
    if lines:
        raise UserError('; '.join(lines))


def check_resume(old: Mapping[str, Any], new: Mapping[str, Any], folder: Path) -> None:
    """Refuse to continue a run under other settings.

    More epochs may follow where no schedule depends on their number.

    Args:
        old: nested settings of the run.
        new: nested settings of its continuation.
        folder: of the run.
    """
    if PYTHON in new and PYTHON not in old:
        raise UserError(f'{folder} holds a run of a config; name another folder')
    changes = differ(old, new)
    if any(key == f'{PYTHON}.{FIT}' for key, _, _ in changes):
        raise UserError(
            f'{folder} holds a run of another fit, or of this one before it was changed; give '
            'another folder=, or delete that folder to start again'
        )
    lines = [f'{key} was {before!r}, is {now!r}' for key, before, now in changes]
    if lines:
        raise UserError(
            f'{folder} holds a run with other settings: {"; ".join(lines)}; '
            'give another --workdir, or delete that folder to start again'
        )


def check_hosts(config: Config) -> None:
    """Refuse what several hosts cannot share.

    Args:
        config: settings, nested, that keep all rules.

    Raises:
        UserError: names the setting.
    """
    settings = checked(config)
    method = settings.balance.method
    if RESAMPLERS[method].trained:
        raise UserError(
            f'balance.method is {method!r}, whose networks train on one host; leave out '
            '--distributed, or allowed: '
            + ', '.join(repr(name) for name, entry in RESAMPLERS.items() if not entry.trained)
        )
    if settings.train.fold_by_fold:
        raise UserError('train.fold_by_fold is True; allowed with --distributed: False')
    if settings.data.rebuild:
        raise UserError(
            'data.rebuild is True; allowed with --distributed: False; build the data set on one '
            'host first, by the verb build'
        )


def differ(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """List the settings that differ and may not, between a run and its continuation.

    Args:
        old: nested settings of the run.
        new: nested settings of its continuation.

    Returns:
        [(key, old value, new value)].
    """
    free = {'name'} | {key for key, setting in SETTINGS.items() if setting.free}
    if new['train'].get('schedule') == 'cosine':
        free.discard('train.epochs')
    before = old.get(PYTHON, {}).get('jax')
    if before != new.get(PYTHON, {}).get('jax'):
        # another version writes the same step in other words; its shapes are still compared
        free |= {f'{PYTHON}.jax', f'{PYTHON}.step'}
    return [
        (key, before, now)
        for key, before, now in differences(old, new, ignore=free)
        if not _is_newer(key, before, now)
    ]


def _is_newer(key, before, now):
    """Whether a setting is newer than the run, and has the value that the run had without it."""
    if before is not None or key not in SETTINGS:
        return False
    default = SETTINGS[key].default
    return now == (list(default) if isinstance(default, tuple) else default)


def _texts(settings):
    """Texts that must not be empty, and lists of channels and features."""
    lines = []
    if not settings.name.strip():
        lines.append('name is empty; give the title of the report')
    if not settings.data.name.strip('+ '):
        lines.append("data.name is empty; give a data set such as 'precomputed_flow'")
    try:
        labels.parse(settings.data.labels)
    except UserError as error:
        lines.append(str(error))
    text = settings.data.channels
    names = channels.parse(text)
    fits = any({*names} <= {*group} for group in channels.CHANNELS.values())
    if not fits or len(names) > len(set(names)):
        groups = ' or '.join(', '.join(group) for group in channels.CHANNELS.values())
        lines.append(
            f'data.channels is {text!r}; allowed: {groups}, each once, separated by commas'
        )
    return lines


def _units(settings):
    """The action units to detect."""
    try:
        target_units.parse(settings.data.units)
    except UserError as error:
        return [str(error)]
    return []


def _scales(settings):
    """One scale of the input, and a range for it."""
    data, lines = settings.data, []
    if data.clip_normalise and data.input_scaler != 'none':
        lines.append(
            f'data.clip_normalise is True and data.input_scaler {data.input_scaler!r}; allowed: '
            "data.clip_normalise False, or data.input_scaler 'none'"
        )
    if not data.clip_normalise and data.input_scaler == 'none':
        lines.append(
            "data.clip_normalise is False and data.input_scaler 'none'; allowed: "
            "data.input_scaler 'p995', 'standard' or 'mean_max', or data.clip_normalise True"
        )
    if data.input_scaler in ('standard', 'mean_max') and data.value_range != '0..1':
        lines.append(
            f'data.value_range is {data.value_range!r}, which data.input_scaler '
            f"{data.input_scaler!r} has no use for; allowed: '0..1'"
        )
    if data.value_range == 'imagenet' and len(channels.parse(data.channels)) != 3:
        lines.append(
            "data.value_range is 'imagenet', for three channels; data.channels is "
            f'{data.channels!r}'
        )
    if data.subtract_onset and data.channels != 'gray':
        lines.append(
            'data.subtract_onset is True, which takes frames; allowed: False, or data.channels '
            "'gray'"
        )
    return lines


def _groups(settings):
    """Groups of channels divide the width of a network."""
    lines = []
    for network, values in settings.model.options.items():
        groups = values.get('groups', 0)
        if groups > 0 and values['width'] % (2 * groups):
            lines.append(
                f'model.{network}.groups is {groups}; allowed: so many that twice of them divide '
                f'width, {values["width"]}'
            )
    return lines


def _learner(settings):
    """A learner of regions needs a network that has them."""
    name = settings.train.learner
    if name not in LEARNERS or not LEARNERS[name].regional or settings.model.name in regional():
        return []
    others = [repr(other) for other, entry in LEARNERS.items() if not entry.regional]
    return [
        f'train.learner is {name!r}, which needs heads of regions; allowed: model.name '
        f'{" or ".join(regional())}, or train.learner {" or ".join(others)}'
    ]


def _apart(settings):
    """Units are detected each by itself: a softmax over outputs would let them compete."""
    task, name = TASKS.get(settings.data.task), settings.model.name
    if task is None or task.learner is None or not task.learner.apart or name not in NETWORKS:
        return []
    values = settings.model.options[name]
    return [
        f'model.{name}.{option} is {values[option]!r}; allowed with data.task '
        f'{settings.data.task}: {value!r}'
        for option, value in NETWORKS[name].apart.items()
        if values[option] != value
    ]


def _augment(settings):
    """Changes are made for the input."""
    data = settings.data
    allowed = augmentable(channels.parse(data.channels), data.clip_normalise)
    return [
        f'augment.{change} is {value}, which is not made for data.channels {data.channels} and '
        f'data.clip_normalise {data.clip_normalise}; allowed: 0'
        for change, value in _changes(settings)
        if change not in allowed
    ]


def _changes(settings):
    """(name, value) of the changes that are on."""
    values = [(change, getattr(settings.augment, change)) for change in CHANGES]
    return [(change, value) for change, value in values if value]


def _task(settings):
    """A task needs some settings and has no use for others."""
    name = settings.data.task
    if name not in TASKS:
        return []  # a mistake of its own
    task = TASKS[name]
    values = {key: attrgetter(key)(settings) for key in (*task.needs, *task.unused)}
    lines = [
        f'{key} is {values[key]!r}; allowed with data.task {name}: {value!r}'
        for key, value in task.needs.items()
        if values[key] != value
    ]
    lines += [
        f'{key} is {values[key]!r}, which {name} has no use for; allowed: {off!r}'
        for key, off in task.unused.items()
        if values[key] != off
    ]
    if not task.augments:
        lines += [
            f'augment.{change} is {value}; allowed in {name}: 0'
            for change, value in _changes(settings)
        ]
    return lines


def _apex(settings):
    """Apexes of a spotting run come from a spotter per left-out subject."""
    apex, protocol = settings.data.apex, settings.protocol
    task = TASKS.get(settings.data.task)
    if apex in APEX_RULES or task is None or 'data.apex' in task.unused:
        return []
    if settings.balance.scope == 'all':
        return [
            f"balance.scope is 'all' and data.apex {apex!r}, which has an apex per fold; allowed: "
            "balance.scope 'fold'"
        ]
    if _one_subject(protocol.name) and not protocol.validation:
        return []
    return [
        f'data.apex is {apex!r}, a spotter per left-out subject, but protocol.name is '
        f'{protocol.name!r} and protocol.validation {protocol.validation:g}; allowed: '
        f'{_one_subject_names()} and 0'
    ]


def _spotter(settings):
    """A spotting config that data.apex names keeps the rules too."""
    apex, task = settings.data.apex, TASKS.get(settings.data.task)
    if task is None or 'data.apex' in task.unused or not spotter.is_config(apex):
        return []
    try:
        _, spotting = spotter.split(settings)
        check(spotting)
    except UserError as error:
        return [f'data.apex is {apex!r}: {error}']
    return []


def _protocol(settings):
    """What is set aside to choose by."""
    protocol, lines = settings.protocol, []
    if protocol.evaluate_on == 'validation' and not protocol.validation:
        lines.append(
            "protocol.evaluate_on is 'validation', but protocol.validation is 0; allowed: above 0"
        )
    if protocol.train_subjects and not leaves_subjects_out(protocol.name):
        lines.append(
            f'protocol.train_subjects is {protocol.train_subjects}, but protocol.name '
            f'{protocol.name!r} leaves no subject out; allowed: 0'
        )
    entry = PROTOCOLS.get(protocol.name)
    if protocol.repeat > 1 and entry and not entry.repeated:
        drawn = ', '.join(name for name, entry in PROTOCOLS.items() if entry.repeated)
        lines.append(
            f'protocol.repeat is {protocol.repeat}, but protocol.name {protocol.name!r} has no '
            f'groups to draw again; allowed: 1, or protocol.name {drawn}'
        )
    both = protocol.holdout + protocol.validation
    shares = protocol.name in PROTOCOLS and PROTOCOLS[protocol.name].uses_holdout
    if shares and protocol.validation and both > 0.99:
        lines.append(
            f'protocol.holdout and protocol.validation are {both:g} together; allowed: up to '
            '0.99, the rest trains'
        )
    return lines


def _same_people(settings):
    """Pooled data sets share nobody, where subjects are left out."""
    protocol = settings.protocol
    if protocol.same_people != 'none' or not leaves_subjects_out(protocol.name):
        return []
    pairs = people.unclear(people.data_sets(settings.data.name))
    if not pairs:
        return []
    return [
        f'data.name is {settings.data.name!r}, but {people.in_words(pairs)} may share people, who '
        f'would train and be tested by {protocol.name}; allowed: data sets that are known to share '
        'nobody (docs/participants.md), or protocol.same_people unknown, which results.json lists '
        'as a leak'
    ]


def _balance(settings):
    """Rows that are added."""
    balance, lines = settings.balance, []
    if balance.method not in RESAMPLERS:
        return []  # a mistake of its own
    resampler = RESAMPLERS[balance.method]
    if resampler.augmented and not _changes(settings):
        lines.append(
            f'balance.method is {balance.method!r}, but no augmentation is on; allowed: with '
            f'{" or ".join(f"augment.{name}" for name in CHANGES)} above 0'
        )
    if resampler.reads_file != bool(balance.file):
        of_files = [repr(name) for name, entry in RESAMPLERS.items() if entry.reads_file]
        lines.append(
            f'balance.file is {balance.file!r} and balance.method {balance.method!r}; allowed: a '
            f".npz file with {' or '.join(of_files)}, '' otherwise"
        )
    if resampler.adds_images and balance.scope == 'all':
        elsewhere = ''
        if resampler.scope != 'balance.scope':
            elsewhere = f' (it has {resampler.scope})'
        lines.append(
            "balance.scope is 'all', which new images have no part in; allowed with "
            f"{balance.method!r}: 'fold'{elsewhere}"
        )
    if '{subject}' in balance.file and not _one_subject(settings.protocol.name):
        lines.append(
            "balance.file holds '{subject}', one file per left-out subject, but protocol.name is "
            f'{settings.protocol.name!r}; allowed: {_one_subject_names()}'
        )
    if resampler.trained:
        lines += _gan(settings)
    return lines


def _gan(settings):
    """What a GAN needs of the data."""
    lines = []
    if settings.gan.size % 8:
        lines.append(f'gan.size is {settings.gan.size}; allowed: a multiple of 8')
    if settings.gan.resize == 'crop' and settings.gan.size < settings.data.size:
        lines.append(
            f"gan.resize is 'crop' and gan.size {settings.gan.size}, less than data.size "
            f"{settings.data.size}; allowed: gan.size of at least that, or gan.resize 'bilinear'"
        )
    if settings.data.channels == 'gray':
        lines.append(
            f"data.channels is 'gray', and balance.method {settings.balance.method!r} makes "
            'images; allowed: other channels'
        )
    return lines


def _head(settings):
    """What an SVM needs of all other settings."""
    head = settings.head
    if head.name == 'none' or head.name not in HEADS:
        return []  # a wrong name is a mistake of its own
    lines = _wrong_features('head.features', head.features, {NETWORK, *FEATURES, *FITTED})
    if lines:
        return lines
    if fitted_features(head):
        lines += _detectors(settings)
    if HEADS[head.name].combines:
        lines += _combined(settings)
    task = TASKS.get(settings.data.task)
    if task is not None and head.name not in task.heads:
        lines.append(
            f'head.name is {head.name!r}; allowed with data.task {settings.data.task}: '
            f'{", ".join(map(repr, ("none", *task.heads)))}'
        )
    of_clips = features_of_clips(head)
    lines += missing_input(
        of_clips,
        channels.parse(settings.data.channels),
        stretched=settings.data.clip_normalise,
    )
    for key, allowed in _needed_by_svm(head).items():
        value = attrgetter(key)(settings)
        if value not in allowed:
            lines.append(
                f'{key} is {value!r}; allowed with head.features {head.features}: '
                f'{" or ".join(map(repr, allowed))}'
            )
    placed = [name for name in of_clips if FEATURES[name].points]
    method = settings.balance.method
    if placed and method in RESAMPLERS and RESAMPLERS[method].adds_images:
        lines.append(
            f'balance.method is {method!r}, whose images have no landmarks, which {placed[0]} '
            "takes; allowed: 'none'"
        )
    unmirrored = [*placed, *fitted_features(head)]
    if NETWORK in head.features.split('+'):
        unmirrored.append(NETWORK)
    if head.mirror and unmirrored:
        lines.append(f'head.mirror is True, which {unmirrored[0]} is not made for; allowed: False')
    if head.mirror and settings.data.lateral_units and not (task is None or task.by_class):
        lines.append(
            'head.mirror is True and data.lateral_units True, whose units a mirror image would '
            'exchange; allowed: one of them'
        )
    return lines


def _combined(settings):
    """Members of a stack, whose outputs on training rows are as good as on others."""
    head, lines = settings.head, []
    members = head.members.split('+')
    if len(set(members)) < len(members) or not {*MEMBERS}.issuperset(members):
        lines.append(
            f'head.members is {head.members!r}; allowed: {", ".join(MEMBERS)}, each once, + between'
        )
    if combines_network(head) and not settings.model.pretrain:
        lines.append(
            f"model.pretrain is ''; allowed with head.name {head.name!r}: drawn faces that train "
            "the network, such as 'synthetic_faces/many'"
        )
    apart = [name for name in head.features.split('+') if name not in FEATURES]
    if apart:
        lines.append(
            f'head.features is {head.features!r}; allowed with head.name {head.name!r}: features '
            f'of clips, without {apart[0]}'
        )
    return lines


def _wrong_features(key, text, known):
    """A line where a setting is not a list of features."""
    names = text.split('+')
    if len(set(names)) == len(names) and known.issuperset(names):
        return []
    return [f'{key} is {text!r}; allowed: {", ".join(sorted(known))}, each once, + between']


def _detectors(settings):
    """What features that are fitted in each fold need."""
    head, detectors, data = settings.head, settings.detectors, settings.data
    lines = _wrong_features('detectors.features', detectors.features, {*FEATURES})
    if lines:
        return lines
    names = detectors.features.split('+')
    lines += missing_input(
        names,
        channels.parse(data.channels),
        stretched=data.clip_normalise,
        key='detectors.features',
    )
    if has_network(head):
        lines.append(
            f'head.features is {head.features!r}; allowed: {fitted_features(head)[0]} without '
            f'{NETWORK}'
        )
    if not TASKS[data.task].by_class:
        lines.append(
            f'head.features is {head.features!r}, which detects action units for a class; allowed '
            f'with data.task {data.task}: features of clips'
        )
    placed = [name for name in names if FEATURES[name].points]
    unmirrored = [*placed, *(['data.lateral_units'] if data.lateral_units else [])]
    if detectors.mirror and unmirrored:
        lines.append(
            f'detectors.mirror is True, which {unmirrored[0]} is not made for; allowed: False'
        )
    return lines


def _needed_by_svm(head):
    """Setting -> the values that it may have with an SVM."""
    needs = {
        'evaluate.every_epoch': (False,),
        'data.apex': APEX_RULES,
        'train.learner': ('supervised',),
    }
    if has_network(head) and not combines_network(head):
        return needs
    without_counts = tuple(name for name, entry in RESAMPLERS.items() if not entry.fills)
    return needs | {
        'train.epochs': (0,),
        'balance.method': without_counts,
        'head.scope': ('fold',),
        'train.class_weights': ('none',),
    }


def _init_from(settings):
    """Weights to start from: one file, or one per left-out subject."""
    text, protocol = settings.model.init_from, settings.protocol.name
    placeholder = weights_files.placeholder(text)
    if placeholder and not _one_subject(protocol):
        return [
            f'model.init_from holds {placeholder!r}, one file per left-out subject, but '
            f'protocol.name is {protocol!r}; allowed: {_one_subject_names()}'
        ]
    if text and not placeholder and os.path.isdir(text):
        return [
            f'model.init_from is a folder, {text}; name a file, or one per fold: '
            f"'{text.rstrip('/')}/{{subject}}.pth'"
        ]
    return []


def _pretrain(settings):
    """Networks begin with what drawn faces taught them, and people teach nothing before."""
    name, networks, head = settings.model.pretrain, settings.pretrain.networks, settings.head
    lines = []
    if networks > 1 and not combines_network(head):
        lines.append(
            f'pretrain.networks is {networks}; allowed: 1, but for a stack (head.name) with a '
            'network among head.members'
        )
    if not name:
        return lines
    lines += _only_drawn('model.pretrain', name)
    if settings.model.init_from:
        lines.append(
            f'model.pretrain is {name!r} and model.init_from {settings.model.init_from!r}; '
            "allowed: one of them, the other ''"
        )
    if not has_network(head):
        entry = HEADS.get(head.name)
        key, value = 'head.features', head.features
        if entry and entry.combines:
            key, value = 'head.members', head.members
        lines.append(f"model.pretrain is {name!r}, but {key} {value!r} has no network; allowed: ''")
    return lines


def _drawn(settings):
    """Drawn faces train SVMs on features of clips."""
    head, detectors, lines = settings.head, settings.detectors, []
    for_svms = HEADS.get(head.name) and HEADS[head.name].drawn
    if head.drawn:
        lines += _only_drawn('head.drawn', head.drawn)
        if not for_svms or has_network(head) or fitted_features(head):
            lines.append(
                f'head.drawn is {head.drawn!r}; allowed with SVMs (head.name) on features of clips '
                "(head.features): otherwise ''"
            )
    if detectors.drawn:
        lines += _only_drawn('detectors.drawn', detectors.drawn)
        if not fitted_features(head):
            lines.append(
                f'detectors.drawn is {detectors.drawn!r}, but head.features {head.features!r} has '
                "no detectors; allowed: ''"
            )
    return lines


def _only_drawn(key, name):
    """Whether a setting names drawn faces alone, who are nobody."""
    if people.data_sets(name) == (people.DRAWN,):
        return []
    return [
        f'{key} is {name!r}, whose people may be tested by a fold that they train; allowed: drawn '
        "faces alone, such as 'synthetic_faces/many'"
    ]


def _choose(settings):
    """What the choice by training subjects needs of other settings."""
    choose = settings.choose
    if not choose.groups:
        return []
    lines = []
    if choose.groups == 1:
        lines.append('choose.groups is 1; allowed: 0, or 2 or more')
    whole = all(float(number).is_integer() for number in choose.epochs)
    if not whole or list(choose.epochs) != sorted(set(choose.epochs)):
        lines.append(
            f'choose.epochs is {choose.epochs!r}; allowed: whole numbers, each larger than the '
            'one before'
        )
    if len(set(choose.learning_rate)) < len(choose.learning_rate):
        lines.append(f'choose.learning_rate is {choose.learning_rate!r}; allowed: each once')
    needs = {
        'train.epochs': (int(max(choose.epochs)),),
        # its rates depend on the number of epochs, of which several are read off one training
        'train.schedule': ('constant', 'restarts'),
        'evaluate.every_epoch': (True,),
        'data.task': tuple(name for name, task in TASKS.items() if task.by_class),
        'data.apex': APEX_RULES,
        'data.scaler_scope': ('fold',),
        'balance.scope': ('fold',),
        'balance.method': tuple(
            name for name, entry in RESAMPLERS.items() if not entry.adds_images
        ),
        'protocol.name': tuple(filter(leaves_subjects_out, PROTOCOLS)),
        'protocol.evaluate_on': ('test',),
        # another draw has other training subjects in the fold of that number
        'protocol.repeat': (1,),
        'model.init_from': ('',),
        'head.name': ('none',),
    }
    for key, allowed in needs.items():
        value = attrgetter(key)(settings)
        if value not in allowed:
            lines.append(
                f'{key} is {value!r}; allowed with choose.groups: {" or ".join(map(repr, allowed))}'
            )
    return lines


def _paths(settings):
    """Files and folders whose names a disk takes."""
    lines = []
    for key in PATHS:
        try:
            machine.absolute(attrgetter(key)(settings), key)
        except UserError as error:
            lines.append(str(error))
    return lines


def _one_subject(protocol):
    """Whether each fold leaves out one subject; an unknown name is a mistake of its own."""
    return protocol in PROTOCOLS and PROTOCOLS[protocol].one_subject


def _one_subject_names():
    """The protocols whose folds leave out one subject each, for a message: "'loso'"."""
    return ', '.join(repr(name) for name, protocol in PROTOCOLS.items() if protocol.one_subject)


RULES = (
    _texts,
    _units,
    _scales,
    _groups,
    _learner,
    _apart,
    _augment,
    _task,
    _apex,
    _spotter,
    _protocol,
    _same_people,
    _balance,
    _head,
    _paths,
    _init_from,
    _pretrain,
    _drawn,
    _choose,
)
