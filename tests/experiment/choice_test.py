"""The choice of learning rate and epochs by training subjects, never by the tested one."""

import json
from types import SimpleNamespace

import numpy as np
import optax
import pytest

from mer_jax.errors import UserError
from mer_jax.experiment import build, choice, cost, run
from mer_jax.experiment import settings as rules
from mer_jax.experiment.cost import Cost
from mer_jax.folds import protocols
from mer_jax.presets import base, quick
from mer_jax.runfiles.choices import ChoiceTable
from mer_jax.runfiles.epoch_outputs import EpochOutputs
from mer_jax.runfiles.plan import Plan
from mer_jax.runfiles.predictions import PredictionTable
from mer_jax.settings.sections import Protocol, Train
from mer_jax.settings.tree import from_nested
from mer_jax.training import learners, plan
from tests.conftest import make_samples
from tests.support.compiling import unoptimised

pytestmark = pytest.mark.usefixtures('undrawn')
CHOOSES = {
    'choose.groups': 2,
    'choose.learning_rate': (1e-3, 3e-2),
    'choose.epochs': (1, 3),
    'train.epochs': 3,
    'evaluate.every_epoch': True,
}


def known(**changes):
    config = base('x')
    quick(config)
    config.update_from_flattened_dict(CHOOSES | changes)
    return from_nested(config.to_dict())


@pytest.fixture(scope='module')
def finished(tiny_data, tmp_path_factory):
    """The settings and folder of a run whose folds chose."""
    settings = known(**{'data.data_dir': tiny_data})
    folder = tmp_path_factory.mktemp('chosen')
    with unoptimised():
        run.train_settings(settings, folder)
    return settings, folder


def test_groups_of_training_subjects_are_left_out_once_and_never_the_tested_one():
    """A tested row among them would choose the settings that it is tested with."""
    samples, names = make_samples(subjects=5, clips=(3, 2, 3, 3, 2))
    folds, titles = protocols.make(samples, names, Protocol(), seeds=2)
    inner = protocols.leave_groups_out(folds, samples, names, 3)
    assert len(inner.fold) == 3 * len(titles) and not inner.seed.any()
    for number in range(len(titles)):
        rows = set(protocols.rows_of(folds.train, number))
        left_out = []
        for run_number in range(3 * number, 3 * number + 3):
            train = protocols.rows_of(inner.train, run_number)
            test = protocols.rows_of(inner.test, run_number)
            assert {*train, *test} == rows and not {*train} & {*test}
            assert not {*samples.subject[train]} & {*samples.subject[test]}
            assert {*inner.train.scaler_rows.index[run_number]} <= {*train}
            left_out += list(test)
        assert sorted(left_out) == sorted(rows)
    with pytest.raises(UserError, match='4 subjects'):
        protocols.leave_groups_out(folds, samples, names, 5)


@pytest.mark.parametrize('name', learners.OPTIMIZERS)
def test_a_learning_rate_in_the_state_is_the_learning_rate(name):
    """Folds that chose 0.01 would train with another rate than is written."""
    settings = Train(optimizer=name, learning_rate=0.5, weight_decay=0.1)
    fixed = learners.optimizer(Train(optimizer=name, learning_rate=0.01, weight_decay=0.1), steps=1)
    free = learners.optimizer(settings, steps=1, rate_in_state=True)
    params = {'w': np.array([1.0, -2.0], np.float32)}
    states = [fixed.init(params), free.init(params)]
    states[1] = optax.tree_utils.tree_set(states[1], **{choice.RATE: np.float32(0.01)})
    weights = [params, params]
    for step in range(3):
        gradient = {'w': np.array([0.3, step - 1.0], np.float32)}
        for number, optimizer in enumerate((fixed, free)):
            updates, states[number] = optimizer.update(gradient, states[number], weights[number])
            weights[number] = optax.apply_updates(weights[number], updates)
    np.testing.assert_allclose(weights[0]['w'], weights[1]['w'], rtol=1e-5)


def test_each_fold_is_scored_after_the_epoch_that_it_chose(finished):
    """Read at the last epoch, the choice would have no part in the result."""
    settings, folder = finished
    table = ChoiceTable.read(folder)
    assert len(table.rows) == 5 * 4 and len(table.chosen) == 5
    for row in table.chosen:
        of_fold = [other for other in table.rows if other.title == row.title]
        assert row.uf1 == max(other.uf1 for other in of_fold)
    rows = PredictionTable.read(folder).rows
    results = json.loads((folder / 'results.json').read_text())
    outputs = EpochOutputs.read(folder).values
    for number, row in enumerate(rows):
        epoch = table.chosen[row.fold].epochs
        assert row.predicted == results['classes'][outputs[epoch - 1, number].argmax()]
    assert not (folder / 'choice').exists()
    assert results['choice'] == table.describe()
    assert table.describe() in (folder / 'report.html').read_text()


def test_a_finished_choice_is_read_and_not_made_again(finished):
    """A run that goes on under another choice would mix two trainings."""
    settings, folder = finished
    before = [(folder / name).read_bytes() for name in ('choices.csv', 'predictions.csv')]
    with unoptimised():
        run.train_settings(settings, folder)
    after = [(folder / name).read_bytes() for name in ('choices.csv', 'predictions.csv')]
    assert before == after


def test_noise_in_the_left_out_subject_changes_no_bit_of_its_choice(finished, tmp_path):
    """The promise of the project holds for what chooses too."""
    settings, folder = finished
    experiment = build.experiment(settings, tmp_path)
    samples = experiment.data.samples
    own = samples.subject == samples.subject[0]
    image, label = samples.image.copy(), samples.label.copy()
    noise = np.random.default_rng(3).normal(0, 1e3, image[own].shape)
    image[own], label[own] = noise.astype(image.dtype), (label[own] + 1) % 3
    noisy = experiment.data._replace(samples=samples._replace(image=image, label=label))
    experiment = experiment._replace(data=noisy)
    shapes = build.check_fit(experiment, tmp_path)
    with unoptimised():
        choice.choose(experiment, shapes, tmp_path)
    tested = experiment.titles[int(np.unique(samples.subject).tolist().index(samples.subject[0]))]
    before, after = ChoiceTable.read(folder), ChoiceTable.read(tmp_path)
    same = [row for row in before.rows if row.title == tested]
    assert same == [row for row in after.rows if row.title == tested]
    assert before.rows != after.rows, 'the noise reached no fold: this test would prove nothing'


def test_the_best_point_is_chosen_the_first_of_equals_and_never_one_that_diverged(finished):
    """A diverged training has no score, and must not stop a fold that has others."""
    settings, folder = finished
    experiment = build.Experiment(settings, None, None, ['a', 'b'])
    uf1 = np.array([[[0.5, 0.6], [0.6, np.nan]], [[np.nan, 0.1], [0.2, 0.2]]])
    chosen = choice.table(experiment, uf1).chosen
    assert [(row.learning_rate, row.epochs) for row in chosen] == [(1e-3, 3), (3e-2, 1)]
    with pytest.raises(UserError, match="'b'"):
        choice.table(experiment, np.where([[[True]], [[False]]], uf1, np.nan))


def test_a_choice_costs_its_trainings_too(finished, monkeypatch):
    """A leaderboard would start a network that takes days."""
    settings, folder = finished
    assert cost.of_run(settings, folder) == Cost(1683, 780000, 0.0), 'nothing is left to train'
    monkeypatch.setattr(cost.programs, 'seconds_per_round', lambda *_, **__: 1800.0)
    experiment = build.experiment(settings, folder)
    # five folds, each with one training of all rows, and two of half of them at two rates
    devices = Plan.read(folder).devices
    assert cost.hours(experiment) == 3 * (5 + 5 * 2) / 2 / devices
    # A stopped leaderboard would refuse what it has trained for hours.
    assert cost.hours(experiment, done=2) == 5 / 2 / devices


def test_a_network_too_large_for_the_disk_has_its_hours(finished, tmp_path, monkeypatch):
    """The largest network of a leaderboard ended it before the first training."""
    settings, _ = finished
    monkeypatch.setattr(plan.shutil, 'disk_usage', lambda _: SimpleNamespace(free=100_000))
    monkeypatch.setattr(cost.programs, 'seconds_per_round', lambda *_, **__: 1800.0)
    assert cost.of_run(settings, tmp_path).hours > 0
    with pytest.raises(UserError, match='GB free'):
        run.train_settings(settings, tmp_path)


REFUSED = [
    ({'choose.groups': 1}, 'choose.groups'),
    ({'choose.epochs': (3, 1)}, 'choose.epochs'),
    ({'choose.epochs': (1.5, 3)}, 'choose.epochs'),
    ({'choose.learning_rate': (1e-3, 1e-3)}, 'choose.learning_rate'),
    ({'train.epochs': 4}, 'train.epochs'),
    ({'evaluate.every_epoch': False}, 'evaluate.every_epoch'),
    ({'train.schedule': 'cosine'}, 'train.schedule'),
    ({'balance.method': 'smote', 'balance.scope': 'all'}, 'balance.scope'),
    ({'balance.method': 'gan'}, 'balance.method'),
    ({'protocol.name': 'clip_kfold'}, 'protocol.name'),
    ({'protocol.name': 'kfold', 'protocol.repeat': 2}, 'protocol.repeat'),
]


@pytest.mark.parametrize('changes,key', REFUSED)
def test_what_cannot_choose_honestly_is_refused(changes, key):
    """A leak, or a schedule that depends on the epochs, would make another choice than it says."""
    with pytest.raises(UserError, match=key):
        rules.check(known(**changes))
    rules.check(known())
