"""The leaderboard: one row a config, the first is the reference, nothing trains before all is
checked.
"""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest

import main
from mer_jax.errors import UserError
from mer_jax.evaluation import METRICS
from mer_jax.experiment.cost import Cost
from mer_jax.presets import base
from mer_jax.report import leaderboard_tables, study
from mer_jax.report import table as tables
from mer_jax.runfiles.config import RunConfig
from mer_jax.runfiles.predictions import PredictionTable
from mer_jax.settings.tree import from_nested
from mer_jax.studies import leaderboard
from mer_jax.types import Names, Predictions
from tests.support.run_folders import recognition_results

pytestmark = pytest.mark.usefixtures('undrawn')
ROOT = Path(__file__).parents[2]
CLASSES = ('negative', 'positive', 'surprise')
LIMITS = leaderboard.Limits(seeds=2, hours=6)
ORACLE = {
    'note': 'a leak',
    'test_best': {'metrics': dict.fromkeys(METRICS, 0.875), 'median_epoch': 7},
    'test_best_independent': {'metrics': dict.fromkeys(METRICS, 0.5), 'median_epochs': [1, 1]},
    'best_common_epoch': {'metrics': dict.fromkeys(METRICS, 0.5), 'epoch': 1},
    'last': {'metrics': dict.fromkeys(METRICS, 0.5), 'epoch': 2},
    'per_epoch': {'accuracy': [0.5], 'uf1': [0.5], 'uar': [0.5]},
}


def known(**changes):
    config = base('x')
    config.update_from_flattened_dict({'data.name': 'precomputed_flow'} | changes)
    return from_nested(config.to_dict())


def svm(**changes):
    return known(**{'head.name': 'svm', 'head.features': 'pixels', 'train.epochs': 0} | changes)


def cost(settings, folder):
    """Of fake runs; VGG-M takes seven hours."""
    if settings.head.name == 'svm':
        return Cost(None, None, None)
    return Cost(1683, 780000, 7.0 if settings.model.name == 'vggm' else 0.5)


def train(settings, folder):
    """A finished run of 48 clips of 8 subjects; networks are better than SVMs."""
    by_network = settings.head.name == 'none'
    seeds, clips = settings.train.seeds, 48
    names = Names(CLASSES, tuple(f's{i}' for i in range(8)), ('smic', 'samm'), ('c',) * 48, ())
    names = names._replace(clips=tuple(f'c{i}' for i in range(clips)))
    label, person = np.arange(clips) % 3, np.arange(clips) // 6
    noise = np.random.default_rng(settings.train.batch_size).normal(0, 1, (seeds, clips, 3))
    output = noise + (4.0 if by_network else 0.5) * np.eye(3)[label]
    columns = [np.arange(clips), np.zeros(clips), person, person // 4, label, person]
    arrays = [np.tile(column, seeds).astype(np.int32) for column in columns]
    seed = np.repeat(np.arange(seeds), clips).astype(np.int32)
    run = Predictions(*arrays, seed, output.reshape(-1, 3).astype('f'))
    results = recognition_results(
        run,
        names,
        folds=8,
        seeds=seeds,
        clips=clips,
        data={'name': settings.data.name, 'labels': settings.data.labels},
        oracle_epoch=ORACLE if settings.evaluate.every_epoch else None,
        seconds={'train': 32.0} if by_network else {},
    )
    folder.mkdir(parents=True, exist_ok=True)
    results.write(folder)
    PredictionTable.of(run, names).write(folder)
    RunConfig({'name': 'fake'}, 'print').write(folder)
    return results.to_json()


CONFIGS = {
    'linear SVM': svm(),
    'STSTNet (published)': known(),
    'OC-Net': known(**{'model.name': 'ocnet', 'train.batch_size': 32}),
    'VGG-M': known(**{'model.name': 'vggm'}),
}


@pytest.fixture(scope='module')
def written(tmp_path_factory):
    """The folder of a leaderboard, and its content."""
    folder = tmp_path_factory.mktemp('leaderboard')
    return folder, leaderboard.leaderboard(CONFIGS, folder, LIMITS, train, cost)


def test_each_config_is_a_row_with_what_it_costs_and_claims(written):
    """A row without its cost, leaks or the oracle beside it is what this table should replace."""
    folder, result = written
    assert result == json.loads((folder / 'leaderboard.json').read_text())
    reference, ststnet, *_ = result['rows']
    assert reference['against'] is None and reference['oracle'] is None
    assert reference['parameters'] is None and reference['seconds_per_fold'] is None
    assert ststnet['parameters'] == 1683 and ststnet['mflops'] == 0.78
    assert ststnet['seconds_per_fold'] == 2.0, '32 s, 8 folds, 2 seeds'
    assert ststnet['oracle']['metrics']['uf1'] == 0.875
    assert ststnet['against']['uf1']['difference'] > 0.3
    assert ststnet['against']['uf1']['holm'] >= ststnet['against']['uf1']['p']
    assert {*ststnet['per_dataset']} == {'smic', 'samm'} and not ststnet['leaks']
    assert reference['rank'] == 3 and reference['rank_interval'] == [3, 3]
    with open(folder / 'leaderboard.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert [row['config'] for row in rows] == list(CONFIGS)
    assert float(rows[1]['samm_uf1_low']) <= float(rows[1]['samm_uf1'])


def test_a_config_that_takes_too_long_is_a_row_that_says_so(written):
    """Left out silently, the table would look complete."""
    folder, result = written
    row = result['rows'][-1]
    assert row['not_run'].startswith('not run here') and '7' in row['not_run']
    assert not Path(row['folder']).exists() and 'metrics' not in row
    for kind in ('md', 'html', 'tex'):
        assert 'not run here' in (folder / f'leaderboard.{kind}').read_text()
    page = (folder / 'leaderboard.md').read_text()
    scores, _, cost_block = page.partition('**size and cost**')
    assert scores.count('| VGG-M |') == 1 and '| VGG-M | 1,683 | 0.78 |' in cost_block


def test_a_config_that_this_machine_cannot_train_has_no_hours(tmp_path, capsys):
    """'about inf hours' would wait for a machine with more time, not with more memory."""

    def too_large(settings, folder):
        return cost(settings, folder)._replace(hours=math.inf)

    with pytest.raises(UserError, match='the reference, is not run here .too large for'):
        leaderboard.leaderboard(
            dict(list(CONFIGS.items())[1:]), tmp_path / 'large', LIMITS, train, too_large
        )
    printed = capsys.readouterr().out
    assert 'MFLOPs a clip, too large for this machine' in printed and ' inf' not in printed


@pytest.mark.parametrize('clips', [48, 24])
def test_annotated_units_are_a_row_without_a_rank(clips, written):
    """Ranked, annotations of tested clips would win; on other clips they would be compared with
    what they are not.
    """
    figures = dict.fromkeys(('uf1', 'uar', 'accuracy'), 0.885)
    edges = dict.fromkeys(figures, [0.8, 0.95])
    datasets = {'samm': 24, 'smic': 24} if clips == 48 else {'samm': 24}
    block = {'note': 'No recogniser.', 'clips': clips, 'subjects': clips // 6}
    block |= {'datasets': datasets, 'metrics': figures, 'intervals': edges}
    block |= {'run_metrics': figures, 'run_intervals': edges}
    made = leaderboard_tables.study({**written[1], 'ceiling': block})
    header, rows = tables.csv_rows(made.tables)
    row = dict(zip(header, rows[-1], strict=True))
    assert row['config'].startswith('ceiling') and row['rank'] == row['uf1_difference'] == ''
    assert (row['uf1'], row['samm_uf1']) == ((0.885, '') if clips == 48 else ('', 0.885))
    shown = tables.text(made.tables[0])
    assert '0.885' in shown and '24 clips of samm' in shown and 'No recogniser.' in shown
    assert len(rows) == len(CONFIGS) + 1


def test_a_network_smaller_than_released_carries_its_size_in_its_name(written, tmp_path):
    """Its score would pass for that of the published network."""
    configs = {'linear SVM': svm(), 'SSSNet': known(**{'model.name': 'sssnet'})}
    leaderboard.leaderboard(configs, tmp_path, LIMITS, train, cost)
    with open(tmp_path / 'leaderboard.csv', newline='') as file:
        names = [row['config'] for row in csv.DictReader(file)]
    assert 'linear SVM' in names
    assert any('SSSNet' in name and '1.35 M' in name for name in names)
    assert {row['released_parameters'] for row in written[1]['rows']} == {None}


def test_figures_of_authors_stand_as_reported(written):
    """A published figure beside measured ones without these words would look measured."""
    folder, result = written
    ststnet, ocnet = result['rows'][1:3]
    assert ststnet['as_reported'][0]['printed']['uf1'] == '0.7353'
    assert {row['epoch'] for row in ststnet['as_reported']} > {'', 'the last'}
    text = study.text(leaderboard_tables.study(result))
    head, _, below = text.partition('as reported')
    assert '0.7353' not in head and '0.7353' in below
    assert not all(check['holds'] for check in ocnet['as_reported'][0]['checks'])
    page = (folder / 'leaderboard.md').read_text()
    assert page.count('0.7353') == 1 and '**as reported' in page


def test_all_configs_are_checked_before_the_first_is_opened(tmp_path):
    """A mistake in the last config must not cost the hours of the others."""
    refused = {
        'samm': {'data.name': 'samm/flow'},
        'five': {'data.labels': 'five'},
        'odd': {'train.sampler': 'odd'},
        'smic_spotting': {'data.apex': 'smic_spotting'},
    }
    for word, changes in refused.items():
        with pytest.raises(UserError, match=word):
            leaderboard.leaderboard(
                CONFIGS | {'last': known(**changes)}, tmp_path / 'b', LIMITS, None, None
            )
    with pytest.raises(UserError, match='two configs'):
        leaderboard.leaderboard({'one': known()}, tmp_path / 'b', LIMITS, None, None)
    assert not (tmp_path / 'b').exists()


def test_a_run_that_fails_keeps_the_others_and_a_reference_that_fails_ends(tmp_path):
    """Hours of trainings must not be lost to one that diverged; without reference is no test."""

    def fails(settings, folder):
        if settings.model.name == 'ocnet':
            raise UserError('training diverged')
        return train(settings, folder)

    result = leaderboard.leaderboard(CONFIGS, tmp_path / 'a', LIMITS, fails, cost)
    assert [bool(row['not_run']) for row in result['rows']] == [False, False, True, True]
    first = {'OC-Net': CONFIGS['OC-Net'], **CONFIGS}
    with pytest.raises(UserError, match='reference'):
        leaderboard.leaderboard(first, tmp_path / 'b', LIMITS, fails, cost)


def test_the_command_trains_and_resumes(tiny_data, tmp_path, capsys):
    """The verb as a user types it, and again: a finished leaderboard computes the same."""
    command = [
        'leaderboard',
        f'--configs={ROOT}/configs/megc2019_svm.py:quick,megc2019_ridge:quick',
        '--seeds=1',
        f'--config.data.data_dir={tiny_data}',
        '--config.head.inner_folds=3',
        f'--workdir={tmp_path}/b',
    ]
    assert main.main(command) == 0
    path = tmp_path / 'b' / 'leaderboard.json'
    first = json.loads(path.read_text())
    assert [row['title'] for row in first['rows']] == [
        'megc2019_svm (quick)',
        'megc2019_ridge (quick)',
    ]
    runs = sorted(folder.name for folder in path.parent.iterdir() if folder.is_dir())
    assert runs == ['megc2019_ridge-quick', 'megc2019_svm-quick', 'plots']
    for run in runs[:2]:
        assert RunConfig.read(path.parent / run).settings['head']['inner_folds'] == 3
    assert main.main(command) == 0
    assert json.loads(path.read_text()) == first
    capsys.readouterr()
    for flags, word in (
        (['--seeds=none'], 'seeds'),
        (['--max_hours=0'], 'max_hours'),
        (['--config=megc2019_svm'], '--configs'),
        (['--config.train.epochs=3'], 'megc2019_svm'),
    ):
        assert main.main([*command, *flags]) == 2
        assert word in capsys.readouterr().err


def test_with_an_equal_budget_all_networks_choose_from_the_same_points(tmp_path):
    """Another grid for one network would make its row better or worse than the others for that."""
    limits = LIMITS._replace(equal_budget=True)
    svm_entry, *networks = leaderboard.entered(CONFIGS, tmp_path, limits)
    assert svm_entry.settings.choose.groups == 0
    for entry in networks:
        choose = entry.settings.choose
        assert choose.groups == 3 and len(choose.learning_rate) * len(choose.epochs) == 12
        assert entry.settings.train.epochs == max(choose.epochs)
    other = CONFIGS | {'other': known(**{'choose.epochs': (5, 10)})}
    with pytest.raises(UserError, match='other'):
        leaderboard.entered(other, tmp_path, limits)
