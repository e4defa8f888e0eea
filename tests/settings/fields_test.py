"""Every setting: what it may be, why it is there, and that something reads it."""

import ast
import inspect
import math
from pathlib import Path

import pytest

from mer_jax.classical import FEATURES, HEADS
from mer_jax.data import loading
from mer_jax.data.labels import SCHEMES
from mer_jax.entries import loaded
from mer_jax.experiment import LEARNERS, PRETRAINING, TASKS
from mer_jax.experiment.settings import NAMES, SETTINGS
from mer_jax.folds import PROTOCOLS, RESAMPLERS
from mer_jax.models import NETWORKS
from mer_jax.settings import tree
from mer_jax.settings.check import mistakes
from mer_jax.settings.fields import Setting, allowed, is_allowed
from mer_jax.settings.renamed import RENAMED
from mer_jax.spotting import decoders
from mer_jax.training import balance, batches, learners, scaling

ROOT = Path(__file__).parents[2] / 'mer_jax'
# the rules, which read a setting to refuse it
RULES = {ROOT / 'experiment' / 'settings.py'}
SOURCES = [path for path in sorted(ROOT.glob('*/**/*.py')) if path not in RULES]
SECTION_OF = {kind.__name__: section for section, kind in tree.sections().items()}


def sections_of(node):
    """The sections whose class a module or an annotation names, as `sections.Gan`."""
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and getattr(part.value, 'id', '') == 'sections':
            yield SECTION_OF.get(part.attr, '')


def read_settings(sources):
    """The dotted keys of all settings that code reads by name, or that an entry names."""
    keys = set()
    for text in sources:
        module = ast.parse(text)
        here = set(sections_of(module))
        for node in ast.walk(module):
            if not isinstance(node, ast.Attribute):
                continue
            owner = getattr(node.value, 'attr', getattr(node.value, 'id', ''))
            keys.add(f'{owner}.{node.attr}')
            if owner == 'settings':
                keys |= {f'{section}.{node.attr}' for section in here}
    for entry in (*TASKS.values(), *LEARNERS.values(), PRETRAINING):
        keys |= set(entry.options.values())
        if getattr(entry, 'learner', None) and not isinstance(entry.learner, str):
            keys |= set(entry.learner.options.values())
    return keys


# a function of the product in miniature
READER = 'def train(settings: sections.Gan):\n    return range(settings.steps)\n'


def test_every_setting_is_read():
    """A setting that nothing reads promises a user something that does not happen."""
    keys = read_settings(path.read_text() for path in SOURCES)
    of_networks = {
        f'model.{name}.{option}' for name in NETWORKS for option in NETWORKS[name].options
    }
    assert [key for key in SETTINGS if key not in keys | of_networks] == []
    assert 'gan.nothing_reads_this' not in keys, 'this test would prove nothing'
    assert 'gan.steps' in read_settings([READER])
    assert 'gan.steps' not in read_settings([READER.replace('steps', 'stages')])


def attributes_of_self(kind):
    """Names of the attributes that methods of a class read of `self`."""
    for node in ast.walk(ast.parse(inspect.getsource(kind))):
        if isinstance(node, ast.Attribute) and getattr(node.value, 'id', '') == 'self':
            yield node.attr


@pytest.mark.parametrize('name', sorted(NETWORKS))
def test_the_options_of_a_network_are_those_of_its_module(name):
    """An option without a keyword ends in a TypeError, one that is not used changes nothing; and
    another default would train another network than the module says.
    """
    module = loaded(NETWORKS[name].module)
    fields = {
        key: value
        for key, value in module.__dataclass_fields__.items()
        if key not in ('classes', 'lowering', 'parent', 'name')
    }
    kinds = [kind for kind in module.__mro__ if kind.__module__.startswith('mer_jax.')]
    read = set().union(*map(attributes_of_self, kinds))
    for option, setting in NETWORKS[name].options.items():
        assert fields[option].default == setting.default, option
        assert option in read, option
    assert set(NETWORKS[name].quick) <= set(NETWORKS[name].options)


@pytest.mark.parametrize('key', SETTINGS)
def test_a_setting_has_a_reason_and_allows_its_default(key):
    """Help and docs show the reason; a default that is refused stops every run."""
    setting = SETTINGS[key]
    names = NAMES.get(setting.entries, ())
    assert setting.reason.endswith('.') and '\n' not in setting.reason
    assert is_allowed(setting.default, setting, names) and allowed(setting, names)
    # a locked ConfigDict takes no None and no list from the command line
    assert type(setting.default) in (str, bool, int, float, tuple)
    assert not (setting.choices and setting.entries)
    if isinstance(setting.default, int | float) and not isinstance(setting.default, bool):
        assert setting.low <= setting.default <= setting.high


def test_the_names_of_methods_are_those_of_the_entries():
    """A method that a setting does not allow cannot be used; one that exists nowhere ends in a
    KeyError after the data are built.
    """
    entries = {
        'HEADS': HEADS,
        'LEARNERS': LEARNERS,
        'NETWORKS': NETWORKS,
        'PROTOCOLS': PROTOCOLS,
        'RESAMPLERS': RESAMPLERS,
        'SCHEMES': SCHEMES,
        'TASKS': TASKS,
    }
    assert {name: set(keys) for name, keys in NAMES.items()} == {
        name: set(methods) for name, methods in entries.items()
    }
    named = {setting.entries for setting in SETTINGS.values()} - {''}
    assert named == {*NAMES, 'FEATURES'} and FEATURES


@pytest.mark.parametrize(
    'key,methods',
    [
        ('data.value_range', loading.VALUE_RANGES),
        ('spotting.label', {*decoders.LABELS, 'impulse'}),
        ('train.optimizer', learners.OPTIMIZERS),
        ('train.schedule', learners.SCHEDULES),
        ('data.input_scaler', scaling.SCALERS),
        ('train.class_weights', balance.CLASS_WEIGHTS),
        ('train.sampler', batches.SAMPLERS),
    ],
)
def test_choices_are_what_the_code_has(key, methods):
    """A choice without code ends in a KeyError, after the data are built."""
    assert set(SETTINGS[key].choices) == set(methods)


NUMBER = Setting(1.0, 'A number.', low=0, high=2)
WHOLE = Setting(1, 'A whole number.', low=0, high=2)
SWITCH = Setting(False, 'A switch.')
TEXT = Setting('a', 'A text.')
CHOICE = Setting('a', 'One of two.', choices=('a', 'b'))
ENTRY = Setting('a', 'A method.', entries='METHODS')
SEVERAL = Setting((1.0,), 'Numbers.', low=0.5, high=2)
VALUES = [  # setting, what it may be, what it may not be
    (NUMBER, [0, 0.5, 2.0, 2], [-0.1, 2.1, math.nan, math.inf, True, '1', None]),
    (WHOLE, [0, 2], [-1, 3, 1.0, True, '1']),
    (SWITCH, [True, False], [0, 1, 'True']),
    (TEXT, ['', 'any'], [1, None]),
    (CHOICE, ['a', 'b'], ['', 'c', 1]),
    (ENTRY, ['a', 'b'], ['c', 1]),
    (SEVERAL, [(1,), (0.5, 2.0)], [(), (0.4,), (1.0, 3), ('1',), (math.nan,), [1.0], 1.0, (True,)]),
]


@pytest.mark.parametrize('setting,right,wrong', VALUES, ids=[each[0].reason for each in VALUES])
def test_a_value_has_the_type_and_the_range_of_its_setting(setting, right, wrong):
    """NaN passes every comparison that is written the other way round, and True counts as 1."""
    names = {'METHODS': ('a', 'b')}
    for value in right:
        assert mistakes({'x.y': value}, {'x.y': setting}, names) == []
    for value in wrong:
        (line,) = mistakes({'x.y': value}, {'x.y': setting}, names)
        assert line.startswith(f'x.y is {value!r}; allowed: ')


def test_a_message_says_what_is_allowed():
    """Who reads it must be able to mend the command."""
    assert allowed(NUMBER) == allowed(WHOLE) == '0 to 2'
    assert allowed(Setting(1, 'Of any size.', low=1)) == '1 or more'
    assert allowed(SWITCH) == 'True, False' and allowed(TEXT) == 'a text'
    assert allowed(CHOICE) == allowed(ENTRY, ('a', 'b')) == 'a, b'
    assert 'numbers' in allowed(SEVERAL) and '0.5 to 2' in allowed(SEVERAL)


def test_renamed_settings_are_gone_and_lead_to_settings():
    """'data.scale is now data.scaler' would send the reader from one error to the next."""
    for old, new in RENAMED.items():
        assert old not in SETTINGS
        keys = [word for word in new.replace(',', ' ').split() if word.count('.')]
        assert keys and set(keys) <= set(SETTINGS), new


def test_a_list_of_names_is_allowed_beside_the_keys_of_entries():
    """data.labels could name no classes of the user."""
    setting = Setting('megc3', '', entries='SCHEMES', further=('annotated', 'classes:A,B'))
    keys = ('megc3', 'five')
    for text in ('five', 'annotated', 'classes:joy,fear'):
        assert is_allowed(text, setting, keys)
    for text in ('annotated:', 'classes', 'six'):
        assert not is_allowed(text, setting, keys)
    assert allowed(setting, keys) == 'megc3, five, annotated, classes:A,B'
