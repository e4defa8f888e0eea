"""A report is made from the predictions that the results count, or not at all."""

import csv
import re
import shutil
import sys
import types
from pathlib import Path

import pytest

from mer_jax.errors import UserError
from mer_jax.experiment import results as outcome
from mer_jax.runfiles import files
from tests.report.recognition_page_test import experiment, folder_of
from tests.report.spotting_page_test import write


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
    """Folders of two finished runs: recognition and spotting."""
    root = tmp_path_factory.mktemp('runs')
    (root / 'recognition').mkdir()
    folder_of(root / 'recognition', *experiment())
    write(root / 'spotting')
    return root


def rewrite(change):
    """Writes predictions.csv anew with change(its rows)."""

    def spoil(path):
        with open(path, newline='') as file:
            rows = list(csv.DictReader(file))
        changed = change(rows)
        with open(path, 'w', newline='') as file:
            writer = csv.DictWriter(file, changed[0] if changed else rows[0])
            writer.writeheader()
            writer.writerows(changed)

    return spoil


def with_cell(column, value):
    return rewrite(lambda rows: [row | {column: value(row[column])} for row in rows])


def other_predictions(rows):
    """Two rows of different truth exchange what was predicted for them."""
    first = rows[0]
    second = next(row for row in rows if row['label'] != first['label'] != row['predicted'])
    first['predicted'], second['predicted'] = second['predicted'], first['predicted']
    return rows


CASES = {  # name -> (task, how predictions.csv is spoilt, what the message names)
    'missing': ('recognition', lambda path: path.unlink(), 'holds no predictions.csv'),
    'missing of a spotter': ('spotting', lambda path: path.unlink(), 'holds no predictions.csv'),
    'another data set': (
        'recognition', with_cell('dataset', lambda name: 'smic'), 'predictions.csv: ',
    ),
    'other subjects': (
        'recognition', with_cell('subject', lambda name: f'x{name}'), 'predictions.csv: ',
    ),
    'half of the rows': ('recognition', rewrite(lambda rows: rows[::2]), 'predictions.csv: '),
    'no rows': ('recognition', rewrite(lambda rows: []), 'predictions.csv: '),
    'every row twice': ('recognition', rewrite(lambda rows: rows + rows), 'predictions.csv: '),
    'another run': ('recognition', rewrite(other_predictions), 'predictions.csv: '),
    'clips of another spotter': (
        'spotting', with_cell('clip', lambda name: f'{name}x'), 'other clips than apexes.csv',
    ),
    'half of the clips of a spotter': (
        'spotting', rewrite(lambda rows: rows[: len(rows) // 2]), 'other clips than apexes.csv',
    ),
    'another data set of a spotter': (
        'spotting', with_cell('dataset', lambda name: 'smic'), 'other clips than apexes.csv',
    ),
}  # fmt: skip


@pytest.mark.parametrize('case', CASES)
def test_a_report_without_its_predictions_is_refused(case, runs, tmp_path):
    """If this fails, a page shows the mistakes of one run under the figures of another."""
    task, spoil, words = CASES[case]
    folder = shutil.copytree(runs / task, tmp_path / 'run')
    (folder / files.REPORT).unlink(missing_ok=True)
    spoil(folder / files.PREDICTIONS)
    with pytest.raises(UserError, match=words) as error:
        outcome.reported(folder)
    text = str(error.value)
    assert files.PREDICTIONS in text and 'score the run again' in text and '\n' not in text
    assert not (folder / files.REPORT).exists()


@pytest.mark.parametrize('task', ('recognition', 'spotting'))
def test_the_run_as_it_was_written_is_reported(task, runs, tmp_path):
    """If this fails, no run can be reported again."""
    folder = shutil.copytree(runs / task, tmp_path / 'run')
    outcome.reported(folder)
    assert (folder / files.REPORT).exists()


def read_csv(path, dtype):
    """Reads a table as pandas does: columns of digits become numbers unless `dtype` says str."""
    with open(path, newline='') as file:
        rows = list(csv.DictReader(file))
    columns = {}
    for name in rows[0]:
        cells = [row[name] for row in rows]
        if dtype.get(name) is not str and all(cell.isdigit() for cell in cells):
            cells = [int(cell) for cell in cells]
        columns[name] = cells
    return columns


def test_the_docs_read_predictions_without_losing_zeros(tmp_path, monkeypatch):
    """If this fails, who follows the page counts subject 006 of SAMM as subject 6."""
    page = (Path(__file__).parents[2] / 'docs' / 'running.md').read_text()
    (block,) = [
        code for code in re.findall(r'```python\n(.*?)```', page, re.DOTALL) if 'pandas' in code
    ]
    table = tmp_path / 'runs/NAME' / files.PREDICTIONS
    table.parent.mkdir(parents=True)
    table.write_text('clip,subject,dataset,fold,seed,label\n01,006,samm,3,0,anger\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, 'pandas', types.SimpleNamespace(read_csv=read_csv))
    names = {}
    exec(block, names)
    predictions = names['predictions']
    assert (predictions['clip'], predictions['subject']) == (['01'], ['006'])
    assert predictions['fold'] == [3]
