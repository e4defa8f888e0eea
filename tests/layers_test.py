"""The order of the house: which package may import which, read from the source with ast."""

import ast
import functools
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# A package may import packages of the lines above it, and those to its left in its own line.
LAYERS = (
    (
        'mer_jax.errors',
        'mer_jax.types',
        'mer_jax.provenance',
        'mer_jax.machine',
        'mer_jax.bounded',
        'mer_jax.quiet',
        'mer_jax.supervisor',
        'mer_jax.entries',
        'mer_jax.settings',
    ),
    ('mer_jax.preprocess', 'tfds_builders', 'mer_jax.evaluation', 'mer_jax.runfiles'),
    ('mer_jax.data', 'mer_jax.folds', 'mer_jax.models', 'mer_jax.report'),
    ('mer_jax.training', 'mer_jax.classical', 'mer_jax.generation', 'mer_jax.spotting'),
    ('mer_jax.presets', 'mer_jax.config_files', 'mer_jax.experiment'),
    (
        'mer_jax.explain',
        'mer_jax.studies',
        'mer_jax.prediction',
        'mer_jax.foreign',
        'mer_jax.api',
        'mer_jax.usage',
        'mer_jax.cli',
        'mer_jax.__main__',
        'main',
    ),
    ('contrib',),
)
ORDER = [package for layer in LAYERS for package in layer]
WITH_JAX = ('models', 'training', 'generation', 'explain', 'prediction', 'experiment')
JAX = {'jax', 'flax', 'optax', 'orbax'}
FILES = [
    ROOT / 'main.py',
    *ROOT.glob('mer_jax/*/**/*.py'),
    *ROOT.glob('tfds_builders/**/*.py'),
    *ROOT.glob('contrib/**/*.py'),
]
FILES += [path for path in ROOT.glob('mer_jax/*.py') if path.name != '__init__.py']


def package(module):
    """'mer_jax.models.ststnet' -> 'mer_jax.models': the part that stands in LAYERS."""
    parts = module.split('.')
    return '.'.join(parts[:2]) if parts[0] == 'mer_jax' else parts[0]


@functools.cache
def tree_of(path):
    """The syntax tree of a file, which several tests walk."""
    return ast.parse(path.read_text())


@functools.cache
def imports(path, *, at_run_time=False):
    """The modules that a file imports, those inside of functions too.

    at_run_time: without those that only a type checker imports.
    """
    tree, modules = tree_of(path), []
    skipped = for_type_checkers(tree) if at_run_time else set()
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            modules += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            modules.append(node.module)
            modules += [f'{node.module}.{alias.name}' for alias in node.names]
    return modules


def for_type_checkers(tree):
    """The statements of `if TYPE_CHECKING`."""
    statements = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == 'TYPE_CHECKING':
            statements.update(node.body)
    return statements


@pytest.mark.parametrize('path', FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_import_points_down(path):
    """An import against the order makes two parts one: neither can be read or replaced alone."""
    own = package('.'.join(path.relative_to(ROOT).with_suffix('').parts))
    assert own in ORDER, f'{own} has no place in LAYERS'
    for module in imports(path):
        other = package(module)
        if other in ORDER and other != own:
            assert ORDER.index(other) < ORDER.index(own), f'{path.name} imports {module}'


@pytest.mark.parametrize('path', FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_jax_is_imported_in_few_packages(path):
    """Data sets, reports and scores are used where jax is not installed."""
    allowed = [('mer_jax', name) for name in WITH_JAX] + [('contrib', 'magnet')]
    if path.relative_to(ROOT).parts[:2] not in allowed:
        modules = imports(path, at_run_time=True)
        assert not JAX & {module.split('.')[0] for module in modules}


def test_data_sets_come_without_jax():
    """Other projects load the data sets; they must not have to install jax."""
    code = (
        'import sys, tfds_builders, mer_jax.preprocess, mer_jax.data.loading; '
        'sys.exit("jax" in sys.modules or "tensorflow" in sys.modules)'
    )
    assert subprocess.run([sys.executable, '-c', code], cwd=ROOT).returncode == 0


def test_config_is_read_by_few():
    """A setting read deep inside cannot be found, and cannot be given as an argument."""
    readers = {'experiment/run.py', 'experiment/settings.py', 'explain/draw.py'}
    readers |= {'studies/verbs.py', 'studies/score_table.py'}
    readers |= {'prediction/spot.py', 'prediction/score_pack.py'}
    for path in ROOT.glob('mer_jax/*/**/*.py'):
        name = str(path.relative_to(ROOT / 'mer_jax'))
        if name in readers:
            continue
        arguments = {node.arg for node in ast.walk(tree_of(path)) if isinstance(node, ast.arg)}
        if name != 'studies/compare.py':  # a verb, which is given a config like every other
            assert 'config' not in arguments, f'{name} takes config'
        assert 'ml_collections' not in set(imports(path)), f'{name} imports ml_collections'


def test_settings_as_a_whole_stop_at_the_experiment():
    """A function that is given all settings can be read only with all of them in mind."""
    above = {'settings', 'experiment', 'explain', 'studies', 'prediction', 'presets', 'cli'}
    for path in FILES:
        part = path.relative_to(ROOT).with_suffix('').parts[1:2]
        if path.is_relative_to(ROOT / 'mer_jax') and part[0] not in above:
            assert 'mer_jax.settings.sections.Settings' not in set(imports(path)), path


def test_a_mistake_is_answered_before_anything_heavy_is_imported():
    """Seconds of imports before one line are seconds of every user."""
    heavy = {'jax', 'flax', 'tensorflow_datasets', 'matplotlib', 'sklearn', 'cv2', 'pandas'}
    code = (
        'import sys, main; code = main.main(["--config.train.epochs=-5"]); '
        f'print(sorted({heavy} & set(sys.modules))); sys.exit(code)'
    )
    done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout.strip() == '[]'
    assert 'train.epochs is -5' in done.stderr


def test_the_table_of_the_architecture_is_that_of_the_imports():
    """A drawing of what once was leads every new reader astray."""
    spec = importlib.util.spec_from_file_location('draw_layers', ROOT / 'docs/draw_layers.py')
    draw_layers = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(draw_layers)
    page = (ROOT / 'docs' / 'architecture.md').read_text()
    assert draw_layers.table() in page, 'run python docs/draw_layers.py'
