"""score: tables of other software beside a data set, and beside runs in compare."""

import csv
import json

import pytest

from mer_jax import cli
from mer_jax.settings.sections import Data
from mer_jax.studies import compare, score_table
from tests.studies.compare_test import finished
from tests.support.messages import mentions
from tests.support.pages import Page

pytestmark = pytest.mark.usefixtures('unrendered')
HEAD = ('clip', 'subject', 'dataset', 'label', 'predicted')
DATA = ('--data=synthetic_faces/tiny', '--labels=samer3')


@pytest.fixture
def truth(tiny_data):
    """The clips of a data set and their classes."""
    data = Data(name='synthetic_faces/tiny', labels='samer3', data_dir=tiny_data)
    return score_table.read_data_set(data)


@pytest.fixture
def scored(capsys, tiny_data):
    """score(*arguments): (code, what it prints, its error)."""

    def run(*arguments):
        flags = [f'--config.data.data_dir={tiny_data}'] if DATA[0] in arguments else []
        code = cli.main(['score', *map(str, arguments), *flags])
        return code, *capsys.readouterr()

    return run


def write(path, rows):
    """Write a table of (clip, subject, dataset, label, predicted)."""
    with open(path, 'w', newline='') as file:
        csv.writer(file).writerows([HEAD, *rows])
    return path


def right(labels):
    """Rows that predict every label."""
    return [
        (clip, subject, dataset, label, label) for (dataset, subject, clip), label in labels.items()
    ]


def test_a_table_of_all_clips_has_the_scores_of_its_rows(truth, tmp_path, scored):
    """A row that is dropped or counted twice would move a published figure."""
    rows = right(truth.labels)
    other = next(name for name in truth.classes if name != rows[0][3])
    rows[0] = (*rows[0][:4], other)
    path = write(tmp_path / 'a.csv', rows)
    code, printed, _ = scored(path, *DATA, f'--workdir={tmp_path}/out')
    assert code == 0 and 'checked: the' in printed and 'INCOMPLETE' not in printed
    results = json.loads((tmp_path / 'out' / 'results.json').read_text())
    assert results['metrics']['accuracy'] == pytest.approx(1 - 1 / len(rows))
    assert results['clips'] == len(rows) and results['per_fold'] == []
    assert results['leaks'] and 'unknown' in results['leaks'][0]
    page = Page((tmp_path / 'out' / 'report.html').read_text())
    assert 'as reported by its authors' in page.text


def test_without_a_data_set_the_scores_are_equal_and_nothing_counts_as_checked(
    truth, tmp_path, scored
):
    """A figure whose clips nobody compared must say so."""
    path = write(tmp_path / 'a.csv', right(truth.labels))
    code, printed, _ = scored(path)
    assert code == 0 and 'NOT CHECKED: clips, subjects and labels' in ' '.join(printed.split())
    assert '1.000 [1.000, 1.000]' in printed


def test_differences_to_the_data_set_are_refused_or_named(truth, tmp_path, scored):
    """UF1 on easier labels, or without the hard clips, is no figure of that data set."""
    rows = right(truth.labels)
    clip, subject, dataset, label, _ = rows[0]
    other = next(name for name in truth.classes if name != label)
    cases = [
        ([(clip, subject, dataset, other, other), *rows[1:]], f'{clip} ({other}, not {label})'),
        ([*rows, ('nobody', subject, dataset, label, label)], '1 of ... nobody'),
        ([(clip, subject, 'CASME II', label, label), *rows[1:]], f"'CASME II' ... {dataset}"),
        ([(clip, subject.upper(), dataset, label, label), *rows[1:]], f'/{subject}/{clip} there'),
        ([(clip, subject, dataset, 'joy', 'joy'), *rows[1:]], "row 2: label is 'joy'"),
    ]
    for changed, pieces in cases:
        code, _, error = scored(write(tmp_path / 'a.csv', changed), *DATA)
        assert code == 2 and mentions(error, pieces), error
    code, printed, _ = scored(write(tmp_path / 'a.csv', rows[3:]), *DATA)
    words = ' '.join(printed.split())
    assert code == 0 and f'INCOMPLETE: 3 of {len(rows)} clips' in words and clip in words


def test_numbered_labels_take_the_classes_of_the_data_set(truth, tmp_path, scored):
    """The numbers of most code are those of the label scheme; another order must be said."""
    number = {name: i for i, name in enumerate(truth.classes)}
    rows = [(*row[:3], number[row[3]], number[row[4]]) for row in right(truth.labels)]
    path = write(tmp_path / 'a.csv', rows)
    assert scored(path, *DATA)[0] == 0
    turned = ','.join(reversed(truth.classes))
    code, _, error = scored(path, *DATA, f'--classes={turned}')
    assert code == 2 and 'label differs' in error


def of_run(path, folder, change=lambda number, cells: cells):
    """Write the predictions of a run's first seed as a table."""
    run = compare.read([folder])[0]
    rows = [row for row in run.rows if row.seed == 0]
    cells = [(row.clip, row.subject, row.dataset, row.label, row.predicted) for row in rows]
    return write(path, [change(number, one) for number, one in enumerate(cells)])


def test_tables_and_runs_are_compared_on_the_same_clips(tmp_path, capsys):
    """The table of a run's own predictions differs from it by nothing, with p 1."""
    folder = finished(tmp_path / 'run', seeds=1)
    table = of_run(tmp_path / 'a.csv', folder)
    shorter = write(tmp_path / 'b.csv', [*csv.reader(open(table))][1:51])
    assert (
        cli.main(['compare', f'{table}', f'{folder}', f'{shorter}', f'--workdir={tmp_path}/o']) == 0
    )
    printed = capsys.readouterr().out
    (group,) = json.loads((tmp_path / 'o' / 'compare.json').read_text())['groups']
    first, second, third = group['runs']
    assert first['reported'] and not second['reported'] and group['reference'] == first['title']
    assert first['metrics'] == second['metrics'] and second['against']['uf1']['p'] == 1
    assert third['against']['common'] == 50 and '7 more' in third['against']['unshared']
    assert 'a table, which cannot show' in printed and 'an unknown protocol' in printed
    rows = [*csv.DictReader(open(tmp_path / 'o' / 'compare.csv'))]
    assert [row['honest'] for row in rows] == ['unknown', 'yes', 'unknown']


def test_tables_of_other_labels_are_not_tested(tmp_path):
    """p of two runs with different truths says nothing of the networks."""
    folder = finished(tmp_path / 'run', seeds=1)

    def relabel(number, cells):
        return (*cells[:3], 'surprise', cells[4]) if number < 5 else cells

    paths = [folder, of_run(tmp_path / 'a.csv', folder, relabel)]
    (group,) = compare.table(compare.read(paths))['groups']
    row = group['runs'][1]
    assert row['against'] is None and 'casme2/s0' in row['not_compared']
    assert '(surprise, not' in row['not_compared']
