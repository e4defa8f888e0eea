"""The notebook as a newcomer runs it: every cell, in a kernel of its own, with the packages of the
wheel alone; and its first cell in a clone.
"""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / 'notebooks' / 'quickstart.ipynb'
PACKAGES = ('mer_jax', 'tfds_builders')  # of the wheel
CELL_SECONDS = 900  # the slowest trains; most of it is compiling
REASON = 'needs nbclient and ipykernel (requirements-dev.txt)'

nbformat = pytest.importorskip('nbformat', reason=REASON)
nbclient = pytest.importorskip('nbclient', reason=REASON)
pytest.importorskip('ipykernel', reason=REASON)


def read():
    return nbformat.read(NOTEBOOK, as_version=4)


def link_packages(folder):
    folder.mkdir()
    for name in PACKAGES:
        (folder / name).symlink_to(ROOT / name, target_is_directory=True)
    return folder


def shown(cell, kind):
    """What a cell displayed of a MIME type."""
    return [output.data[kind] for output in cell.outputs if kind in output.get('data', {})]


def printed(cell):
    return ''.join(output.text for output in cell.outputs if output.get('name') == 'stdout')


def test_every_cell_runs(tiny_data, tmp_path, monkeypatch):
    """The notebook is what a newcomer runs first, and nothing else of the tests reads it: any
    renamed function breaks it. Outside of a clone it must need nothing that the wheel lacks.
    """
    monkeypatch.setenv('TFDS_DATA_DIR', tiny_data)
    monkeypatch.setenv('IPYTHONDIR', str(tmp_path / 'ipython'))
    monkeypatch.setenv('JAX_DISABLE_MOST_OPTIMIZATIONS', '1')  # it waits for the compiler alone
    monkeypatch.setenv('JAX_NUM_CPU_DEVICES', '2')  # as here, where other tests compile the same
    monkeypatch.setenv('PYTHONPATH', str(link_packages(tmp_path / 'site')))
    monkeypatch.delenv('MPLBACKEND', raising=False)  # Agg would draw nothing in a notebook
    folder, book = tmp_path / 'elsewhere', read()
    folder.mkdir()
    cells = {cell.id: cell for cell in book.cells}
    assert cells['sizes'].source == "DATA, EPOCHS = 'synthetic_faces/three', 60"
    cells['sizes'].source = "DATA, EPOCHS = 'synthetic_faces/tiny', 1"
    nbclient.NotebookClient(
        book, timeout=CELL_SECONDS, resources={'metadata': {'path': folder}}
    ).execute()
    assert shown(cells['data'], 'image/png') and '5 folds' in printed(cells['data'])
    assert 'UF1' in printed(cells['score']) and 'honest: no leaks' in printed(cells['score'])
    assert shown(cells['report'], 'image/svg+xml')
    assert 'UF1 differs by' in printed(cells['compare'])
    runs = folder / 'runs'
    assert (runs / 'notebook-1-ststnet' / 'report.html').exists()
    assert (runs / 'notebook-1-compare' / 'compare.html').exists()


def test_it_finds_the_clone_that_it_lies_in(tmp_path, monkeypatch):
    """Else a newcomer who cloned, and installed nothing, would be asked where the project is."""
    clone = link_packages(tmp_path / 'clone')
    (clone / 'notebooks').mkdir()
    monkeypatch.chdir(clone / 'notebooks')
    monkeypatch.setattr(sys, 'path', [*sys.path])
    (install,) = (cell for cell in read().cells if cell.id == 'install')
    names = {}
    exec(install.source, names)
    assert Path(os.getcwd()) == clone.resolve() and Path(sys.path[0]) == clone.resolve()
    assert names['packages'] == []


def test_nothing_of_a_run_is_stored():
    """Stored outputs go stale, and could hold pictures that may not be shown."""
    book = read()
    nbformat.validate(book)
    assert book.metadata.kernelspec.name == 'python3'
    assert all(
        not cell.outputs and cell.execution_count is None
        for cell in book.cells
        if cell.cell_type == 'code'
    )
