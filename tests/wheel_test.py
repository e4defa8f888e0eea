"""The wheel: what `pip install .` gives to a user who has no copy of the repository.

.ci/installed.sh also trains with it, which takes longer.
"""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytest.importorskip('setuptools', minversion='77', reason='builds a wheel')
ROOT = Path(__file__).parents[1]
SOURCES = ('mer_jax', 'tfds_builders', 'configs')
FILES = ('pyproject.toml', 'setup.py', 'LICENSE', *ROOT.glob('requirements*.txt'))
BUILD = 'import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])'


@pytest.fixture(scope='module')
def installed(tmp_path_factory):
    """The folder of an installed wheel, which was built from a copy of the sources."""
    folder = tmp_path_factory.mktemp('wheel')
    for name in SOURCES:
        ignored = shutil.ignore_patterns('__pycache__')
        shutil.copytree(ROOT / name, folder / 'source' / name, ignore=ignored)
    for name in FILES:
        shutil.copy(ROOT / name, folder / 'source')
    subprocess.run(
        [sys.executable, '-c', BUILD, str(folder)],
        cwd=folder / 'source',
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob('*.whl')
    zipfile.ZipFile(wheel).extractall(folder / 'site')
    return folder / 'site'


def run(installed, folder, *arguments):
    """What Python prints in a folder outside the repository, with the wheel alone."""
    folder.mkdir(exist_ok=True)
    environment = {**os.environ, 'PYTHONPATH': str(installed)}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_holds_the_program_and_its_data_and_nothing_else(installed):
    """A top-level package `configs` would be hidden by a folder of the user, or hide it."""
    packages = {path.name for path in installed.iterdir() if path.suffix != '.dist-info'}
    assert packages == {'mer_jax', 'tfds_builders'}
    # configs, templates of pages, what TFDS reads beside a builder
    for folder, target in (
        ('configs', 'mer_jax/configs'),
        ('mer_jax', 'mer_jax'),
        ('tfds_builders', 'tfds_builders'),
    ):
        files = [path for path in (ROOT / folder).rglob('*') if path.is_file()]
        names = {path.relative_to(ROOT / folder) for path in files if path.suffix != '.pyc'}
        missing = {name for name in names if not (installed / target / name).exists()}
        assert not missing
    (scripts,) = installed.glob('*.dist-info/entry_points.txt')
    assert 'mer-jax = mer_jax.__main__:main' in scripts.read_text()


def test_its_extras_are_the_lists_of_requirements(installed):
    """An extra without packages installs nothing, and says so to nobody."""
    (metadata,) = installed.glob('*.dist-info/METADATA')
    text = metadata.read_text()
    for extra, package in (
        ('gpu', 'jax[cuda13]'),
        ('export', 'onnxruntime'),
        ('docs', 'sphinx'),
        ('dev', 'pytest'),
        ('dev', 'onnxruntime'),
    ):
        pattern = f'^Requires-Dist: {re.escape(package)}[ ;<>=].*; extra == .{extra}.$'
        assert re.search(pattern, text, re.M), (extra, package)


def test_configs_are_found_from_an_empty_folder(installed, tmp_path):
    """Without the repository there is no folder configs/ but that of the package."""
    code = 'import sys, mer_jax.cli as cli; print(cli.__file__); sys.exit(cli.main(sys.argv[1:]))'
    text = run(installed, tmp_path, '-c', code, '--config=casme2_dualbranch', '--help')
    assert str(installed) in text and 'model.name = dual_branch' in text
    text = run(installed, tmp_path, '-m', 'mer_jax', '--help')
    assert '  synthetic_ststnet ' in text
    # no commit: the code lies in no checkout
    assert 'commit' not in run(installed, tmp_path, '-m', 'mer_jax', '--version')


def test_a_folder_configs_of_the_user_disturbs_nothing(installed, tmp_path):
    """The wheel once needed `import configs`, which found the folder of the user."""
    (tmp_path / 'configs').mkdir()
    (tmp_path / 'configs' / '__init__.py').write_text('raise ImportError("not yours")')
    text = run(
        installed, tmp_path, '-m', 'mer_jax', '--config=synthetic_ststnet:quick', '--print_config'
    )
    assert '--config.data.name=synthetic_faces/tiny' in text
