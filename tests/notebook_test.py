"""The notebook: its first cell, and what is stored. .ci/notebook.sh runs all cells."""

import json
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / 'notebooks' / 'quickstart.ipynb'


def cells():
    return json.loads(NOTEBOOK.read_text())['cells']


@pytest.fixture
def install(monkeypatch):
    """A function that runs the first cell of code and returns its names."""
    monkeypatch.setattr(sys, 'path', [*sys.path])
    monkeypatch.setenv('TF_CPP_MIN_LOG_LEVEL', '3')  # the cell sets it
    first = next(cell for cell in cells() if cell['cell_type'] == 'code')

    def run():
        names = {}
        exec(''.join(first['source']), names)
        return names

    return run


@pytest.mark.parametrize('place', ['clone/notebooks', 'clone', '.'])
def test_it_finds_the_clone(place, tmp_path, monkeypatch, install):
    """Else a newcomer who cloned, and installed nothing, would be asked where the project is."""
    clone = tmp_path / ('mer_jax' if place == '.' else 'clone')
    (clone / 'notebooks').mkdir(parents=True)
    (clone / 'mer_jax').symlink_to(ROOT / 'mer_jax', target_is_directory=True)
    monkeypatch.chdir(tmp_path / place)
    names = install()
    assert Path(os.getcwd()) == clone.resolve() and Path(sys.path[0]) == clone.resolve()
    assert names['packages'] == []


def test_without_the_project_it_says_what_to_do(tmp_path, monkeypatch, install):
    """Its first cell once died of an assertion that told nobody what to do."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr('importlib.util.find_spec', lambda name: None)
    with pytest.raises(Exception, match='wheel') as caught:
        install()
    (shown, *others) = caught.value._render_traceback_()
    assert shown.startswith('mer_jax is not here yet') and len(others) >= 3
    assert all(word in '\n'.join(others) for word in ('wheel', 'checkout', 'ADDRESS'))


def test_nothing_of_a_run_is_stored():
    """Stored outputs go stale, and could hold pictures that may not be shown."""
    code = [cell for cell in cells() if cell['cell_type'] == 'code']
    assert code
    assert not any(cell['outputs'] or cell['execution_count'] for cell in code)
