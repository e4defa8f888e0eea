"""The notebook as a newcomer runs it: every cell, in a kernel of its own, from the folder notebooks
of a clone.
"""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / 'notebooks' / 'quickstart.ipynb'
CLONED = ('configs', 'mer_jax', 'tfds_builders')  # what the notebook needs of a clone
CELL_SECONDS = 900  # the slowest trains; most of it is compiling

nbformat = pytest.importorskip(
    'nbformat', reason='needs nbclient and ipykernel (requirements-dev.txt)'
)
nbclient = pytest.importorskip(
    'nbclient', reason='needs nbclient and ipykernel (requirements-dev.txt)'
)
pytest.importorskip('ipykernel', reason='needs nbclient and ipykernel (requirements-dev.txt)')


def read():
    return nbformat.read(NOTEBOOK, as_version=4)


def clone(folder):
    """A clone in a temporary folder: what the notebook writes stays out of this one."""
    (folder / 'notebooks').mkdir(parents=True)
    for name in CLONED:
        (folder / name).symlink_to(ROOT / name, target_is_directory=True)
    return folder


def shown(cell, kind):
    """What a cell displayed of a MIME type."""
    return [output.data[kind] for output in cell.outputs if kind in output.get('data', {})]


def printed(cell):
    return ''.join(output.text for output in cell.outputs if output.get('name') == 'stdout')


def test_every_cell_runs(tiny_data, tmp_path, monkeypatch):
    """The notebook is what a newcomer runs first, and nothing else of the tests reads it: any
    renamed function breaks it.
    """
    monkeypatch.setenv('TFDS_DATA_DIR', tiny_data)
    monkeypatch.setenv('IPYTHONDIR', str(tmp_path / 'ipython'))
    monkeypatch.setenv('JAX_DISABLE_MOST_OPTIMIZATIONS', '1')  # it waits for the compiler alone
    # as here: end_to_end_test compiles the same programs
    monkeypatch.setenv('JAX_NUM_CPU_DEVICES', '2')
    monkeypatch.delenv('MPLBACKEND', raising=False)  # Agg would draw nothing in a notebook
    folder, book = clone(tmp_path / 'clone'), read()
    cells = {cell.id: cell for cell in book.cells}
    assert cells['variant'].source == "VARIANT = ''"
    cells['variant'].source = "VARIANT = 'quick'"
    nbclient.NotebookClient(
        book, timeout=CELL_SECONDS, resources={'metadata': {'path': folder / 'notebooks'}}
    ).execute()
    assert 'UF1' in printed(cells['result']) and 'honest: no leaks' in printed(cells['result'])
    assert shown(cells['confusion'], 'image/svg+xml')
    assert shown(cells['explain'], 'image/png') and shown(cells['data'], 'image/png')
    assert '| two branches | 0.' in shown(cells['compare'], 'text/markdown')[0]
    assert '| one branch | 0.' in shown(cells['compare'], 'text/markdown')[0]
    assert {path.name for path in (folder / 'runs').iterdir()} == {
        'notebook-quick',
        'notebook-quick-sb',
    }


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
