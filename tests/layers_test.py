"""The order of the house: which module may import which, read from the source with ast."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# Each module may import those that stand before it; a line of several names: they do not know each
# other.
ORDER = [
    ['mer_jax.errors', 'mer_jax.machine', 'mer_jax.types', 'mer_jax.compilation', 'mer_jax.quiet'],
    ['mer_jax.preprocess'],
    ['tfds_builders', 'mer_jax.labels'],
    [
        'mer_jax.workdir',
        'mer_jax.metrics',
        'mer_jax.scenarios',
        'mer_jax.schematic',
        'mer_jax.spotting',
    ],
    ['mer_jax.apexes', 'mer_jax.pictures'],
    [
        'mer_jax.data',
        'mer_jax.protocol',
        'mer_jax.scaling',
        'mer_jax.balance',
        'mer_jax.augment',
        'mer_jax.models',
        'mer_jax.learners',
        'mer_jax.parallel',
        'mer_jax.checkpoint',
        'mer_jax.features',
    ],
    [
        'mer_jax.train',
        'mer_jax.plan',
        'mer_jax.resampling',
        'mer_jax.leaks',
        'mer_jax.spotting_data',
    ],
    [
        'mer_jax.evaluate',
        'mer_jax.score',
        'mer_jax.paired',
        'mer_jax.plots',
        'mer_jax.report_text',
        'mer_jax.gan_checks',
    ],
    ['mer_jax.explain', 'mer_jax.spotting_score', 'mer_jax.plots_spotting', 'mer_jax.heads'],
    ['mer_jax.settings'],
    ['mer_jax.runs', 'mer_jax.records', 'mer_jax.report_page', 'mer_jax.overlays'],
    ['mer_jax.report', 'mer_jax.compare_text', 'mer_jax.spotting_report', 'mer_jax.gan'],
    [
        'mer_jax.magnet_clips',
        'mer_jax.plots_compare',
        'mer_jax.compare_spotting',
        'mer_jax.plots_gan',
        'mer_jax.outcome',
    ],
    ['mer_jax.magnet_training', 'mer_jax.compare', 'mer_jax.generation'],
    ['mer_jax.audit_text', 'mer_jax.several'],
    ['mer_jax.grid'],
    ['mer_jax.audit'],
    ['mer_jax.parts'],
    ['mer_jax.experiment'],
    ['main'],
]
LEVEL = {name: level for level, names in enumerate(ORDER) for name in names}
FILES = [
    p
    for p in [ROOT / 'main.py', *ROOT.glob('mer_jax/**/*.py'), *ROOT.glob('tfds_builders/**/*.py')]
    if p.name != '__init__.py' or p.parent.name != 'mer_jax'
]


def unit(module):
    """'mer_jax.models.ststnet' -> 'mer_jax.models': the part that stands in ORDER."""
    parts = module.split('.')
    return '.'.join(parts[:2]) if parts[0] == 'mer_jax' else parts[0]


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f'{node.module}.{a.name}' for a in node.names)


@pytest.mark.parametrize('path', FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_import_points_up(path):
    """An import against the order makes two parts one: neither can be read or replaced alone."""
    own = unit('.'.join(path.relative_to(ROOT).with_suffix('').parts))
    assert own in LEVEL, f'{own} has no place in ORDER'
    for module in imports(path):
        other = unit(module)
        if other in LEVEL and other != own:
            assert LEVEL[other] < LEVEL[own], f'{path.name} imports {module}'


def test_data_sets_come_without_jax():
    """Other projects load the data sets; they must not have to install jax."""
    code = (
        'import sys, tfds_builders, mer_jax.preprocess, mer_jax.data; '
        'sys.exit("jax" in sys.modules or "tensorflow" in sys.modules)'
    )
    assert subprocess.run([sys.executable, '-c', code], cwd=ROOT).returncode == 0


def test_config_is_read_in_two_files_only():
    """A setting read deep inside cannot be found, and cannot be given as an argument."""
    for path in ROOT.glob('mer_jax/**/*.py'):
        if path.name not in ('experiment.py', 'parts.py'):
            arguments = {
                n.arg for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.arg)
            }
            assert 'config' not in arguments, f'{path.name} takes config'
            assert 'ml_collections' not in set(imports(path)), f'{path.name} imports ml_collections'
