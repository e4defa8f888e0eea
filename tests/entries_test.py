"""The entries of methods: what they name is there, and nothing else knows a method by name."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from mer_jax import entries
from mer_jax.classical import FEATURES, FITTED
from mer_jax.evaluation import METRICS
from mer_jax.experiment import LEARNERS, TASKS
from mer_jax.folds import PROTOCOLS, RESAMPLERS
from mer_jax.models import NETWORKS

ROOT = Path(__file__).parents[1]
METHODS = {
    f'{kind}.{name}': entry
    for kind, methods in {
        'protocol': PROTOCOLS,
        'resampler': RESAMPLERS,
        'network': NETWORKS,
        'feature': FEATURES,
        'fitted feature': FITTED,
        'metric': METRICS,
        'task': TASKS,
        'learner': LEARNERS,
    }.items()
    for name, entry in methods.items()
}


@pytest.mark.parametrize('name', METHODS)
def test_what_an_entry_names_is_there(name):
    """A misspelt path would show in the first run that takes the method."""
    targets = [
        value
        for value in METHODS[name]
        if isinstance(value, str) and value.startswith('mer_jax.') and ':' in value
    ]
    targets += getattr(METHODS[name], 'heads', {}).values()
    assert targets or name == 'resampler.none'
    for target in targets:
        entries.loaded(target)


def test_entries_import_nothing():
    """Help, checks and reports read them, where jax, OpenCV or scikit-learn would cost seconds."""
    code = (
        'import sys, mer_jax.folds, mer_jax.models, mer_jax.classical, mer_jax.evaluation, '
        'mer_jax.experiment; '
        'sys.exit(bool({"numpy", "jax", "cv2", "sklearn"} & set(sys.modules)))'
    )
    assert subprocess.run([sys.executable, '-c', code], cwd=ROOT).returncode == 0


def compared(path):
    """The texts that code of a file compares something with: 'x' of == 'x' and in ('x', 'y')."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Compare):
            for side in node.comparators:
                values = getattr(side, 'elts', [side])
                yield from (value.value for value in values if isinstance(value, ast.Constant))


def test_no_code_knows_a_method_by_its_name():
    """A fact that stands beside the entry is forgotten when the next method is added."""
    methods = {*NETWORKS, *RESAMPLERS, *FEATURES, *FITTED, *LEARNERS} - {
        'none',
        'spotting',
        'pixels',
    }
    for path in ROOT.glob('mer_jax/**/*.py'):
        assert not methods & set(compared(path)), path
