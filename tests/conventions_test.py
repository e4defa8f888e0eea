"""Rules of the house that a reader relies on, held by reading the source."""

import ast
import inspect
import re
from pathlib import Path

import pytest

from mer_jax.entries import loaded
from mer_jax.experiment import LEARNERS, TASKS
from mer_jax.folds import resampling
from mer_jax.generation import gan, rows
from mer_jax.models import NETWORKS
from mer_jax.presets import base
from mer_jax.training import augment

ROOT = Path(__file__).parents[1]
SOURCES = [
    ROOT / 'main.py',
    *ROOT.glob('mer_jax/**/*.py'),
    *ROOT.glob('tfds_builders/**/*.py'),
    *ROOT.glob('configs/*.py'),
]
CONFIGS = sorted(p for p in ROOT.glob('configs/[a-z]*_*.py'))


def leaves(config, prefix=''):
    for key, value in config.items():
        yield from (
            leaves(value, f'{prefix}{key}.') if hasattr(value, 'items') else [(prefix + key, value)]
        )


@pytest.mark.parametrize('path', SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_module_and_public_function_says_what_it_is(path):
    """A public name without a docstring must be read to be used."""
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree) or not tree.body, 'module'
    for node in tree.body:
        if (
            isinstance(node, ast.FunctionDef | ast.ClassDef)
            and not node.name.startswith('_')
            and node.name != 'get_config'
        ):
            assert ast.get_docstring(node), node.name


# all that is given config
READERS = ('experiment/run.py', 'experiment/build.py', 'explain/draw.py', 'studies/verbs.py')
READER = '\n'.join((ROOT / 'mer_jax' / name).read_text() for name in READERS)
# Sections whose settings are keyword arguments of one function, or of one and the next that it
# hands the rest to.
PASSED = {
    'augment': augment.compose,
    'balance': resampling.extend,
    'gan': (rows.extend, gan.trained),
} | {f'model.{name}': loaded(network.module) for name, network in NETWORKS.items()}


# settings that an entry names
NAMED = {
    setting for entry in (*TASKS.values(), *LEARNERS.values()) for setting in entry.options.values()
}


def unread(config, reader):
    """Settings that neither `reader`, the text of READER, reads by name, nor an entry, nor a
    function that their section goes to.
    """
    for key, _ in leaves(config):
        section, _, name = key.rpartition('.')
        functions = PASSED.get(section)
        if key in NAMED:
            continue
        if functions is None:
            read = re.search(rf'\bconfig\.{re.escape(key)}\b(?!\.(?!split\())', reader)
        else:
            functions = functions if isinstance(functions, tuple) else (functions,)
            passed = (
                'config.model[config.model.name]'
                if section.startswith('model.')
                else f'**config.{section}'
            )
            sources = [
                inspect.getsource(cls)
                for function in functions
                for cls in getattr(function, '__mro__', (function,))
                if cls.__module__.split('.')[0] == 'mer_jax'
            ]
            inside = re.findall(rf'\b{name}\b', '\n'.join(sources))
            # named, and used
            read = re.search(rf'{re.escape(passed)}(?![\w.])', reader) and len(inside) > 1
            read = read and any(
                name in inspect.signature(function).parameters for function in functions
            )
        if not read:
            yield key


def test_every_setting_is_read():
    """A setting that nothing reads promises a user something that does not happen."""
    assert list(unread(base('any'), READER)) == []


@pytest.mark.parametrize(
    'section',
    [
        '',
        'data',
        'train',
        'augment',
        'explain',
        'alignment',
        'model.dual_branch',
        'gan',
        'spotting',
        'head',
    ],
)
def test_a_setting_that_nothing_reads_is_found(section):
    """The test above would pass whatever is added to a section that is handed over whole."""
    config, reader = base('any').unlock(), READER
    part = config
    for name in filter(None, section.split('.')):
        part = part[name]
    part.nothing_reads_this = 1
    assert list(unread(config, reader)) == [f'{section}.nothing_reads_this'.lstrip('.')]
    assert 'gan.steps' in list(unread(base('any'), reader.replace('**config.gan', '')))


def test_no_setting_is_none_or_a_list():
    """A locked ConfigDict refuses to override None or a list from the command line."""
    for key, value in leaves(base('any')):
        assert type(value) in (str, int, float, bool), key


@pytest.mark.parametrize('path', CONFIGS, ids=lambda p: p.stem)
def test_a_config_is_named_as_its_file(path):
    """The name stands in results.json: a copied file with the old name would label results
    wrongly.
    """
    spec = __import__('importlib').import_module(f'configs.{path.stem}')
    assert spec.get_config().name == path.stem
