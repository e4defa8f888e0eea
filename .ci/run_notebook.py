"""Runs every cell of a notebook, and checks that a newcomer sees results and no alarms.

python run_notebook.py quickstart.ipynb
"""

import sys
import time

import nbclient
import nbformat

CELL_SECONDS = 900
ALARMS = ('slow compile', 'warning', 'error', 'xla_flags')
SHOWN = {  # by cell: what it must show
    'train': ('26 folds', 'honest: no leaks'),
    'data': ('image/png',),
    'report': ('image/svg+xml',),
    'own': ('UF1 differs by',),
    'predict': ('movement found', 'class: '),
}


def shown(cell) -> str:
    """The texts and MIME types of all that a cell shows."""
    texts = [output.get('text', '') for output in cell.outputs]
    kinds = [kind for output in cell.outputs for kind in output.get('data', {})]
    return '\n'.join([*texts, *kinds])


def main() -> None:
    """Run the notebook that the command line names."""
    start = time.monotonic()
    book = nbformat.read(sys.argv[1], as_version=4)
    nbformat.validate(book)
    nbclient.NotebookClient(book, timeout=CELL_SECONDS).execute()
    cells = {cell.id: shown(cell) for cell in book.cells if cell.cell_type == 'code'}
    for name, text in cells.items():
        for alarm in ALARMS:
            assert alarm not in text.lower(), f'cell {name} shows an alarm: {text}'
        for words in SHOWN.get(name, ()):
            assert words in text, f'cell {name} does not show {words!r}: {text}'
    print(f'notebook: {len(cells)} cells in {time.monotonic() - start:.0f} s')


if __name__ == '__main__':
    main()
