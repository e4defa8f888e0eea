"""Digests of code: equal under every Python, changed by what the code does and by nothing else."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tfds_builders import fingerprint

ROOT = Path(__file__).parents[2]
# prints one digest a file; runs without the packages that this project needs
SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
import fingerprint
for path in sys.argv[2:]:
    with open(path, encoding='utf-8') as file:
        print(fingerprint.source_digest(file.read()))
"""
# what the syntax trees of 3.11, 3.12 and 3.13 hold otherwise
DIFFERENT_TREES = '''
"""A docstring
    whose second line is indented."""


class Empty:
    """Nothing but a docstring."""


def text(name, *values, width=3, **more):
    """Return text."""
    first = f'{name!r:>{width}} and {values[0]:.{width}f} ' 'and {more} ' f'{name=}{{}}'
    return f'{first} ' f'' '\\U0001fae8'


async def wait(value: "int" = -1):
    match value:
        case {'a': None, **rest}:
            return {**rest, 'b': u'c'}
        case [1 | 2.5, *_]:
            return [item async for item in value if (other := item)]
    try:
        raise ValueError(b'x', 1j, ...)
    except* (ValueError, TypeError):
        lambda: (yield)
'''


def version(python):
    """(major, minor) of an interpreter, () where it does not start."""
    code = 'import sys; print(*sys.version_info[:2])'
    try:
        done = subprocess.run([python, '-c', code], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return tuple(int(number) for number in done.stdout.split()) if done.returncode == 0 else ()


def interpreters():
    """{(major, minor): path} of every Python from 3.11 on, of pyenv and on the PATH."""
    candidates = [sys.executable]
    candidates += [shutil.which(f'python3.{minor}') for minor in range(11, 20)]
    pyenv = Path(os.environ.get('PYENV_ROOT') or '~/.pyenv').expanduser()
    candidates += [str(path) for path in sorted(pyenv.glob('versions/3.*/bin/python'))]
    by_version = {}
    for python in filter(None, candidates):
        by_version.setdefault(version(python), python)
    return {number: by_version[number] for number in sorted(by_version) if number >= (3, 11)}


def digests_under(python, files):
    package = str(Path(fingerprint.__file__).parent)
    command = [python, '-I', '-c', SCRIPT, package, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_code_has_one_digest_under_every_python(tmp_path):
    """If this fails, data built under one Python are refused under another as if the code had
    changed.
    """
    pythons = interpreters()
    if len(pythons) < 2:
        pytest.skip(f'needs two versions of Python; there is only {sys.version.split()[0]}')
    different = tmp_path / 'different.py'
    different.write_text(DIFFERENT_TREES, encoding='utf-8')
    files = [different]
    for folder in ('tfds_builders', 'mer_jax/preprocess'):
        files += sorted((ROOT / folder).rglob('*.py'))
    assert len(files) > 50
    here = [fingerprint.source_digest(path.read_text(encoding='utf-8')) for path in files]
    for number, python in pythons.items():
        there = digests_under(python, files)
        differ = [str(path) for path, a, b in zip(files, here, there, strict=True) if a != b]
        assert not differ, f'Python {number}: {differ}'


@pytest.mark.parametrize(
    'source, other, equal',
    [
        ('x = 1', '"""Text."""\n\nx = (1)  # a comment\n', True),
        ('def f():\n    return 1', 'def f():\n    """One."""\n    return 1', True),
        ('x = "a" "b"', "x = 'ab'", True),
        ('x = f"a{y}"', 'x = f"" "a" f"{y}"', True),
        ('x = 1', 'x = 2', False),
        ('x = 1', 'x = 1.0', False),
        ('x = 1', 'x = True', False),
        ('x = None', 'x = "None"', False),
        ('x = "a"', 'x = b"a"', False),
        ('f(a)', 'f(b)', False),
        ('x = f"{y}"', 'x = f"{y!r}"', False),
        ('x = {None: 1}', 'x = {**1}', False),
        ('def f(*, a, b=1): pass', 'def f(*, a=1, b): pass', False),
        ('x = 1\n"text"', 'x = 1', False),
    ],
)
def test_a_digest_follows_what_the_code_does(source, other, equal):
    """If this fails, data of other code are read as if nothing had changed, or a comment forces
    everybody to rebuild.
    """
    assert (fingerprint.source_digest(source) == fingerprint.source_digest(other)) is equal
