"""compare of runs that detect action units: paired differences of means and of each unit."""

import numpy as np
import pytest

from mer_jax.errors import UserError
from mer_jax.evaluation import units
from mer_jax.studies import compare
from tests.report.action_units_page_test import TARGETS, write
from tests.studies.compare_test import csv_rows, finished

DRAWS = 200


@pytest.fixture(scope='module')
def compared(tmp_path_factory):
    """The folder of a comparison of three runs, the second of which is better and leaks."""
    root = tmp_path_factory.mktemp('runs')
    runs = [
        write(root / 'first', subjects=8, seeds=1),
        write(root / 'second', subjects=8, seeds=2, better=2.0, leaks=['a: leak']),
        write(root / 'other', subjects=6, seeds=1),
    ]
    result = compare.compare(root / 'out', f'{root}/first,{root}/second,{root}/other')
    return root / 'out', runs, result


def test_differences_are_those_of_the_scores(compared):
    """A difference of other figures than those that stand beside it, or of the wrong sign."""
    _, (first, second, _), result = compared
    (group,) = result['groups']
    against = group['runs'][1]['against']
    assert against['common'] == first['clips']
    for metric in ('f1', 'average_precision'):
        difference = second['metrics'][metric] - first['metrics'][metric]
        assert against[metric]['difference'] == pytest.approx(difference, abs=1e-6)
        low, high = against[metric]['interval']
        assert low < difference < high and against[metric]['p'] < 0.05
        for before, after in zip(first['per_unit'], second['per_unit'], strict=True):
            if before[metric] is not None:
                test = against['per_unit'][before['unit']][metric]
                gain = after[metric] - before[metric]
                assert test['difference'] == pytest.approx(gain, abs=1e-6)
                assert test['holm'] >= test['p']
    assert group['runs'][2]['against'] is None, 'its clips have another truth'


def test_the_files_name_units_leaks_and_what_needs_no_face(compared):
    """A gain of a leak, or a mean without the units, is what a reader would copy from the table."""
    folder, runs, _ = compared
    rows = csv_rows(folder / 'compare.csv')
    assert [row['unit'] for row in rows[: len(TARGETS) + 1]] == ['', *TARGETS]
    assert len(rows) == (len(TARGETS) + 1) * (len(runs) + 1)
    assert {row['honest'] for row in rows if row['run'] == 'second'} == {'no'}
    page = (folder / 'compare.html').read_text()
    for words in ('AU12 lip corner puller', 'not honest', 'without a face', 'a: leak'):
        assert words in page
    plots = {path.stem for path in (folder / 'plots').iterdir()}
    assert plots == {'units', 'differences'} and page.count('data:image/svg+xml') == 2


def test_the_scale_of_the_outputs_changes_no_test():
    """Decision values of an SVM beside logits: a permutation that ranks them together would always
    put one system first.
    """
    rng = np.random.default_rng(0)
    truth = (rng.random((40, 2)) < 0.4).astype(float)
    truth[::7, 1] = np.nan
    first, second = (rng.normal(size=(seeds, 40, 2)) for seeds in (2, 3))
    second += np.nan_to_num(truth)
    shared = units.Shared(truth, np.arange(40) % 5, np.zeros(5))
    tests, scaled = (
        units.difference(shared, first, scale * second, ('AU1', 'AU2'), draws=DRAWS)
        for scale in (1, 1000)
    )
    assert tests == scaled and {'f1', 'average_precision AU2'} <= tests.keys()
    same = units.difference(shared, first, first, ('AU1', 'AU2'), draws=DRAWS)
    assert same['average_precision']['p'] == 1 and same['f1']['difference'] == 0


def test_runs_of_another_task_and_published_figures_are_refused(tmp_path):
    """UF1 beside a mean over units is no table, and no publication of the list detects units."""
    write(tmp_path / 'units', subjects=4, seeds=1)
    finished(tmp_path / 'classes')
    with pytest.raises(UserError, match='units.*classes.*one task'):
        compare.compare(tmp_path / 'out', f'{tmp_path}/units,{tmp_path}/classes')
    with pytest.raises(UserError, match='--published.*detects action units'):
        compare.compare(tmp_path / 'out', f'{tmp_path}/units', with_published=True)
