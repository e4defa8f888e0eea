"""Rules of the house that a reader relies on, held by reading the source."""

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = [
    ROOT / 'main.py',
    *ROOT.glob('mer_jax/**/*.py'),
    *ROOT.glob('tfds_builders/**/*.py'),
    *ROOT.glob('configs/*.py'),
]
CONFIGS = sorted(p for p in ROOT.glob('configs/[a-z]*_*.py'))


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


@pytest.mark.parametrize('path', CONFIGS, ids=lambda p: p.stem)
def test_a_config_is_named_as_its_file(path):
    """The name stands in results.json: a copied file with the old name would label results
    wrongly.
    """
    module = importlib.import_module(f'configs.{path.stem}')
    assert module.get_config().name == path.stem
