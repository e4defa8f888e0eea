"""Rules of the house that a reader relies on, held by reading the source."""

import ast
import re
from pathlib import Path

import pytest

from configs.common import base

ROOT = Path(__file__).parent.parent
SOURCES = [ROOT / 'main.py', *ROOT.glob('mer_jax/**/*.py'), *ROOT.glob('tfds_builders/**/*.py'), *ROOT.glob('configs/*.py')]
CONFIGS = sorted(p for p in ROOT.glob('configs/[a-z]*_*.py'))


def leaves(config, prefix=''):
    for key, value in config.items():
        yield from leaves(value, f'{prefix}{key}.') if hasattr(value, 'items') else [(prefix + key, value)]


@pytest.mark.parametrize('path', SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_files_and_functions_stay_small(path):
    """Long files and functions are where the next reader gets lost."""
    text = path.read_text()
    assert text.count('\n') <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < 50, node.name


@pytest.mark.parametrize('path', SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_module_and_public_function_says_what_it_is(path):
    """A public name without a docstring must be read to be used."""
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree) or not tree.body, 'module'
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith('_') and node.name != 'get_config':
            assert ast.get_docstring(node), node.name


def test_every_setting_is_read():
    """A setting that nothing reads promises a user something that does not happen."""
    reader = (ROOT / 'mer_jax' / 'experiment.py').read_text()
    networks = (ROOT / 'mer_jax' / 'models' / '__init__.py').read_text()
    for key, _ in leaves(base('any')):
        section, name, *rest = key.split('.') if '.' in key else ('', key)
        if f'**config.{section}.{name}' in reader:
            continue
        if rest:  # keyword arguments of a network: config.model[config.model.name]
            assert f"'{name}'" in networks and 'config.model[config.model.name]' in reader, key
        else:
            assert re.search(rf'config\.{section + "." if section else ""}{name}\b', reader), key


def test_no_setting_is_none_or_a_list():
    """A locked ConfigDict refuses to override None or a list from the command line."""
    for key, value in leaves(base('any')):
        assert type(value) in (str, int, float, bool), key


@pytest.mark.parametrize('path', CONFIGS, ids=lambda p: p.stem)
def test_a_config_is_named_as_its_file(path):
    """The name stands in results.json: a copied file with the old name would label results wrongly."""
    spec = __import__('importlib').import_module(f'configs.{path.stem}')
    assert spec.get_config().name == path.stem
