"""Files of a run that are JSON or CSV, but wrong inside."""

import csv
import json
import shutil

import pytest

from mer_jax.errors import UserError
from mer_jax.experiment import folder as run_folder
from mer_jax.experiment import results as outcome
from mer_jax.runfiles import files, metrics_log
from mer_jax.runfiles.config import RunConfig
from mer_jax.runfiles.explanations import Captions
from mer_jax.runfiles.folder import prepare
from mer_jax.runfiles.gan import FoldChecks, GanChecks
from mer_jax.runfiles.plan import Plan
from mer_jax.runfiles.svms import SvmRow, SvmTable
from mer_jax.studies import compare, diff
from mer_jax.training import plan
from tests.report.recognition_page_test import PIXEL, experiment, folder_of
from tests.report.spotting_page_test import write

STATISTICS = {'count': 3, 'level': 1.0, 'level_sd': 1.0, 'roughness': 1.0, 'energy': 1.0}


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
    """Folders of two finished runs, recognition and spotting, with files of every kind."""
    root = tmp_path_factory.mktemp('runs')
    (root / 'recognition').mkdir()
    folder = folder_of(root / 'recognition', *experiment())
    SvmTable((SvmRow('s00', 0, 1, 10.0, 0.5, 0.61, 31, 0.9),)).write(folder)
    (folder / files.GAN).mkdir()
    checks = FoldChecks(
        's00',
        {'ratio': 0.5, 'copies': 0.1},
        {'made': {'auc': 0.5}, 'chance': {'auc': 0.5}},
        {'negative': {'real': STATISTICS, 'made': STATISTICS}},
    )
    GanChecks((checks,)).write(folder / files.GAN)
    (folder / files.EXPLAIN).mkdir()
    (folder / files.EXPLAIN / 'montage.png').write_bytes(PIXEL)
    Captions({'montage.png': 'maps'}).write(folder / files.EXPLAIN)
    write(root / 'spotting')
    for run in root.iterdir():
        Plan('matmul', 1, 1, 'measured', 12).write(run)
    return root


def inside(*keys, value=None, drop=False):
    """Change the value at these keys of a JSON file, or drop the last of them."""

    def spoil(path):
        content = json.loads(path.read_text())
        block = content
        for key in keys[:-1]:
            block = block[key]
        if drop:
            del block[keys[-1]]
        else:
            block[keys[-1]] = value
        path.write_text(json.dumps(content))

    return spoil


def line(number, **changed):
    """Change keys in a line of metrics.jsonl."""

    def spoil(path):
        lines = path.read_text().splitlines()
        lines[number - 1] = json.dumps(json.loads(lines[number - 1]) | changed)
        path.write_text('\n'.join([*lines, '']))

    return spoil


def table(change):
    """Write a CSV file anew with change(header, rows)."""

    def spoil(path):
        with open(path, newline='') as file:
            header, *rows = csv.reader(file)
        with open(path, 'w', newline='') as file:
            csv.writer(file).writerows(change(header, rows))

    return spoil


def cell(row, column, text):
    def change(header, rows):
        rows[row - 2][header.index(column)] = text
        return [header, *rows]

    return table(change)


def report(folder):
    outcome.reported(folder)


def compared(folder):
    compare.compare(folder.parent / 'compared', f'{folder},{folder}', False)


def differences(folder):
    diff.compared(folder, folder)


def resumed(folder):
    """What training reads of a folder before it goes on."""
    run_folder.existing(prepare(folder))
    plan.read_for_resume(folder, 1, 0)
    metrics_log.cut(folder, 0, 1)


BIG = 10**400
CASES = {  # name -> (task, file, how it is spoilt, the verb that reads it, what the message names)
    'a score that is text': (
        'recognition', 'results.json', inside('metrics', 'uf1', value='high'), report,
        'metrics.uf1',
    ),
    'a count of 400 digits': (
        'recognition', 'results.json', inside('clips', value=BIG), compared, 'clips',
    ),
    'a key that is gone': (
        'recognition', 'results.json', inside('per_fold', 2, 'uf1', drop=True), report,
        'per_fold.2.uf1',
    ),
    'a share of NaN': (
        'spotting', 'results.json', inside('spotting', 'template', 'mae', value=float('nan')),
        report, 'spotting.template.mae',
    ),
    'a confusion of two classes': (
        'recognition', 'results.json', inside('confusion', value=[[1, 2], [3, 4]]), compared,
        'confusion',
    ),
    'versions in a list': (
        'spotting', 'results.json', inside('versions', value=['0.10']), differences, 'versions',
    ),
    'settings of another kind': (
        'recognition', 'config.json', inside('settings', value='all'), differences, 'settings',
    ),
    'a format in words': (
        'spotting', 'config.json', inside('format', value='two'), resumed, 'format',
    ),
    'data that are no fingerprint': (
        'recognition', 'config.json', inside('data', value={'a': 1}), report, 'data is',
    ),
    'no folds at once': (
        'recognition', 'plan.json', inside('at_once', value=0), resumed, 'at_once',
    ),
    'a fraction of a device': (
        'spotting', 'plan.json', inside('devices', value=1.5), resumed, 'devices',
    ),
    'a loss in words': (
        'recognition', 'metrics.jsonl', line(2, loss='low'), resumed, 'line 2: loss',
    ),
    'a loss of 400 digits': (
        'spotting', 'metrics.jsonl', line(1, loss=BIG), report, 'line 1: loss',
    ),
    'an epoch before the first': (
        'recognition', 'metrics.jsonl', line(3, epoch=0), report, 'line 3: epoch',
    ),
    'a fold that no array holds': (
        'recognition', 'predictions.csv', cell(4, 'fold', str(10**10)), compared, 'row 4: fold',
    ),
    'a cell of a thousand digits': (
        'recognition', 'predictions.csv', cell(5, 'seed', '7' * 1000), report, 'row 5: seed',
    ),
    'a score above one': (
        'recognition', 'predictions.csv', cell(2, 'score_positive', '1.5'), report,
        'row 2: score_positive',
    ),
    'a column twice': (
        'recognition', 'predictions.csv',
        table(lambda header, rows: [[*row, row[0]] for row in (header, *rows)]), report,
        "two columns 'clip'",
    ),
    'a class of no column': (
        'recognition', 'predictions.csv', cell(3, 'label', 'anger'), compared, 'row 3: label',
    ),
    'a column of another file': (
        'spotting', 'predictions.csv',
        table(lambda header, rows: [[*header, 'loss'], *([*row, '1'] for row in rows)]), report,
        "column 'loss'",
    ),
    'an output that is infinite': (
        'spotting', 'predictions.csv', cell(6, 'output', 'inf'), report, 'row 6: output',
    ),
    'an offset before the onset': (
        'spotting', 'apexes.csv', cell(2, 'offset', '-5'), report, 'row 2: offset',
    ),
    'an apex of ten digits': (
        'spotting', 'apexes.csv', cell(3, 'template', '9999999999'), compared, 'row 3: template',
    ),
    'folds in another order': (
        'recognition', 'folds.csv', table(lambda header, rows: [header, *rows[::-1]]), report,
        'row 2: fold',
    ),
    'half of a row': (
        'recognition', 'dropped.csv',
        table(lambda header, rows: [header, *rows[:1], rows[1][:2]]), report, 'row 3',
    ),
    'a cost below nothing': (
        'recognition', 'heads.csv', cell(2, 'cost', '-1'), report, 'row 2: cost',
    ),
    'captions in numbers': (
        'recognition', 'explain/captions.json', inside('montage.png', value=3), report,
        'montage.png is 3',
    ),
    'a check without its AUC': (
        'recognition', 'gan/checks.json',
        inside('folds', 0, 'two_sample', 'made', 'auc', drop=True), report,
        'folds.0.two_sample.made.auc',
    ),
}  # fmt: skip


@pytest.mark.parametrize('case', CASES)
def test_what_is_wrong_inside_a_file_is_named(case, runs, tmp_path, undrawn):
    """A file that a program or a disk changed ended in a traceback of whatever read it last."""
    task, name, spoil, verb, words = CASES[case]
    folder = shutil.copytree(runs / task, tmp_path / 'run')
    spoil(folder / name)
    with pytest.raises(UserError) as error:
        verb(folder)
    text = str(error.value)
    assert name in text and words in text and '\n' not in text and len(text) < 600


def test_the_files_as_they_were_written_are_read(runs, tmp_path, undrawn):
    """If this fails, the cases above prove nothing."""
    for task in ('recognition', 'spotting'):
        folder = shutil.copytree(runs / task, tmp_path / task)
        for verb in (report, compared, differences, resumed):
            verb(folder)
        assert RunConfig.read(folder).data == 'print'
