"""The page and the table of a run that detects action units, from outputs made by hand."""

import re

import numpy as np
import pytest

from mer_jax.errors import UserError
from mer_jax.evaluation import units
from mer_jax.preprocess.facs import facs_name
from mer_jax.report import action_units_page, action_units_tables
from mer_jax.runfiles.config import RunConfig
from mer_jax.runfiles.results import ACTION_UNITS, UnitResults
from mer_jax.runfiles.unit_predictions import UnitRow, UnitTable
from mer_jax.types import Names, Predictions
from tests.support.pages import Page

TARGETS = ('AU1', 'AU2', 'AU4', 'AU5', 'AU6', 'AU7', 'AU9', 'AU12', 'AU14', 'AU17')
SEEN = (1.0, 0.9, 2.0, 0.2, 0.0, 0.6, 0.0, 1.5, 0.3, 0.0)  # how well each is detected
SHARES = (0.25, 0.2, 0.4, 0.04, 0.03, 0.2, 0.0, 0.12, 0.1, 0.05)  # of clips that show each
LEAK = 'protocol.name=clip_kfold: clips of one subject stand on both sides of the split'
MARKUP = '<script>alert("x")</script>&'


def write(folder, *, name='demo', seeds=2, leaks=(), subjects=28, data_sets=1, better=0.0, **about):
    """Files of a run whose outputs are the truth and noise; returns results.json."""
    rng = np.random.default_rng(1)
    subject = np.repeat(np.arange(subjects), 5)
    rows, count = len(subject), len(TARGETS)
    truth = (rng.random((rows, count)) < SHARES).astype(np.float32)
    truth[rng.random(truth.shape) < 0.03] = np.nan
    signal = (np.array(SEEN) + better) * (np.nan_to_num(truth) - 0.4)
    output = rng.normal(0, 0.6, (seeds, rows, count)) + signal
    zeros, clip = np.zeros(seeds * rows, np.int32), np.tile(np.arange(rows), seeds)
    subject = np.tile(subject, seeds)
    seed = np.repeat(np.arange(seeds), rows)
    dataset = subject % data_sets
    predictions = Predictions(
        clip, zeros, subject, dataset, zeros, subject, seed, output.reshape(-1, count)
    )
    names = Names(
        TARGETS,
        tuple(f's{number:02d}' for number in range(subjects)),
        (MARKUP, 'samm')[:data_sets],
        tuple(f'clip{number}' for number in range(rows)),
        (),
    )
    truth = np.tile(truth, (seeds, 1))
    baseline = np.tile(units.most_frequent(truth), (len(truth), 1))
    folder.mkdir(exist_ok=True)
    RunConfig({'name': name}, 'print').write(folder)
    UnitTable.of(predictions, truth, names).write(folder)
    scores = units.score(units.Held(predictions, truth, baseline), names)
    results = UnitResults(
        name=name,
        scored='test',
        protocol='loso',
        leaks=list(leaks),
        folds=subjects,
        seeds=seeds,
        epochs=4,
        clips=rows,
        task=ACTION_UNITS,
        units=list(TARGETS),
        **scores,
        unseen={'AU5': ['s03']},
        notes=['AU9: no held-out clip shows it, so it has no score.'],
        plan={'lowering': 'matmul'},
        data={'name': 'demo', 'labels': 'action units'} | about,
        seconds={'train': 1.0},
        versions={'jax': '0.10'},
    )
    results.write(folder)
    return results.to_json()


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
    """The folder of a run on two data sets that leaks, and its results."""
    folder = tmp_path_factory.mktemp('runs') / 'run'
    return folder, write(folder, seeds=1, subjects=20, data_sets=2, leaks=[LEAK])


def test_the_report_is_whole_and_safe(finished):
    """One file that opens anywhere; a unit that nobody can name by its number has its name."""
    folder, results = finished
    text = action_units_page.report(folder).read_text()
    assert '<script' not in text and 'src="http' not in text
    shown = Page(text).text
    assert MARKUP in shown and LEAK in shown and 'not honest: 1 leak' in shown
    for block in results['per_unit']:
        assert f'{block["unit"]} {facs_name(block["unit"])}' in shown
    for part in ('By the rule of CD6ME', 'Most certain mistakes', *results['notes']):
        assert part in shown
    plots = {path.name for path in (folder / 'plots').iterdir()}
    assert plots == {'units.svg', 'confused.svg'} and text.count('data:image/svg+xml') == 2
    assert not re.search('<img[^>]+alt=""', text)


def test_the_table_has_every_unit_beside_what_needs_no_face(finished):
    """A mean alone hides that a run detects two units of twelve, or less than no face would."""
    _, results = finished
    text = action_units_page.table(results)
    assert max(map(len, text.splitlines())) <= 100
    for block in results['per_unit']:
        (line,) = re.findall(f'^ *{block["unit"]} .*', text, re.M)
        figures = ('f1', 'average_precision', 'chance_average_precision')
        for key in figures:
            assert '–' in line if block[key] is None else f'{block[key]:.3f}' in line
    detected = re.search('Detected above chance: (.*?)[.]', ' '.join(text.split()))[1].split(', ')
    assert {'AU1', 'AU2', 'AU4', 'AU12'} <= {*detected} <= {*TARGETS} - {'AU6', 'AU9'}


def test_a_unit_of_few_subjects_is_not_called_detected(tmp_path):
    """With one subject who shows a unit, the interval over subjects is empty of meaning."""
    results = write(tmp_path / 'run', seeds=1, better=9.0)
    rare = results['per_unit'][TARGETS.index('AU6')]
    assert rare['average_precision'] == 1 and rare['subjects'] < 5
    assert not action_units_tables.is_detected(rare)
    assert action_units_tables.is_detected(results['per_unit'][0])


def test_confused_pairs_do_not_count_clips_that_show_both():
    """Inner and outer brow rise together: a raw count would call each the other's mistake."""
    rows = [
        UnitRow('a', 's', 'd', 0, 0, {'AU1': True, 'AU2': True}, {'AU1': 1, 'AU2': 1}),
        UnitRow('b', 's', 'd', 0, 0, {'AU1': True, 'AU2': False}, {'AU1': -1, 'AU2': 1}),
        UnitRow('c', 's', 'd', 0, 0, {'AU1': True, 'AU2': None}, {'AU1': 1, 'AU2': 1}),
        UnitRow('d', 's', 'd', 0, 0, {'AU1': False, 'AU2': False}, {'AU1': 1, 'AU2': -1}),
    ]
    shares, counts = action_units_page.confusions(('AU1', 'AU2'), rows)
    assert counts.tolist() == [3, 1, 1]
    assert shares == pytest.approx(np.array([[2 / 3, 1], [np.nan, 1], [1, 0]]), nan_ok=True)


def test_predictions_of_another_run_are_refused(tmp_path):
    """The page would show the mistakes of one run beside the scores of another."""
    write(tmp_path / 'run', seeds=1, subjects=4)
    write(tmp_path / 'other', seeds=1, subjects=4, better=1.0)
    (tmp_path / 'run/predictions.csv').write_bytes(
        (tmp_path / 'other/predictions.csv').read_bytes()
    )
    with pytest.raises(UserError, match='predictions.csv'):
        action_units_page.report(tmp_path / 'run')
    (tmp_path / 'run/predictions.csv').unlink()
    with pytest.raises(UserError, match='predictions.csv'):
        action_units_page.report(tmp_path / 'run')


def test_a_run_that_scores_nothing_says_so(tmp_path):
    """A model to ship trains on all rows; its page must open and hold no figure."""
    results = write(tmp_path / 'run', seeds=1, subjects=0)
    assert 'nothing was held out' in action_units_page.table(results)
    assert 'nothing was held out' in action_units_page.report(tmp_path / 'run').read_text()
