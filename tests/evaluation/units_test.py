"""units: the scores of detected action units against scikit-learn, with unknown entries."""

import itertools
import json

import numpy as np
import pytest
from sklearn import metrics as reference

from mer_jax.errors import UserError
from mer_jax.evaluation import UNIT_METRICS, units
from mer_jax.types import Names, Predictions

UNITS = ('AU1', 'AU4', 'AU12', 'AU45')  # no clip shows the last one
NAMES = Names(UNITS, ('s01', 's02', 's03', 's01', 's02'), ('casme2', 'samm'), (), ())
DATASET = np.array([0, 0, 0, 1, 1])  # of each subject; two of the names occur in both data sets


def made_up(seeds=2, rows=60, unknown=0.2):
    """Held-out rows of five subjects, with outputs that have ties; samm shows no AU1."""
    rng = np.random.default_rng(3)
    subject = np.sort(np.concatenate([np.arange(5), rng.integers(0, 5, rows - 5)]))
    truth = (rng.random((rows, 4)) < [0.3, 0.6, 0.15, 0]).astype(np.float32)
    truth[DATASET[subject] == 1, 0] = 0
    output = np.round(rng.normal(0, 1, (seeds, rows, 4)) + 1.2 * truth - 0.5, 1)
    truth[rng.random(truth.shape) < unknown] = np.nan
    arrays = [
        np.arange(rows),
        np.zeros(rows),
        subject,
        DATASET[subject],
        np.zeros(rows),
        subject,
    ]
    arrays = [np.tile(array, seeds).astype(np.int32) for array in arrays]
    seed = np.repeat(np.arange(seeds, dtype=np.int32), rows)
    predictions = Predictions(*arrays, seed, output.reshape(-1, 4).astype(np.float32))
    baseline = np.tile([False, True, False, False], (seeds * rows, 1))
    return units.Held(predictions, np.tile(truth, (seeds, 1)), baseline)


def by_sklearn(held, rows, column):
    """(F1, macro F1, average precision) of a unit in the rows in which it is known."""
    rows = rows & ~np.isnan(held.truth[:, column])
    truth, output = held.truth[rows, column], held.predictions.output[rows, column]
    detected = output > 0
    return (
        reference.f1_score(truth, detected),
        reference.f1_score(truth, detected, average='macro'),
        reference.average_precision_score(truth, output),
    )


def test_scores_are_those_of_scikit_learn_in_the_known_entries():
    """A masked entry that counts as absent, or a tie that is split, gives another figure."""
    held = made_up()
    scores = units.score(held, NAMES)
    seed, dataset = held.predictions.seed, held.predictions.dataset
    every = np.array([[by_sklearn(held, seed == s, column) for column in range(3)] for s in (0, 1)])
    for column, row in enumerate(scores['per_unit'][:3]):
        expected = every[:, column].mean(0)
        assert [row['f1'], row['macro_f1'], row['average_precision']] == pytest.approx(expected)
        known = ~np.isnan(held.truth[:, column])
        assert row['clips'] == known.sum() / 2
        assert row['chance_average_precision'] > held.truth[known, column].mean()
    means = scores['metrics']
    assert [means['f1'], means['macro_f1'], means['average_precision']] == pytest.approx(
        every.mean((0, 1))
    )
    assert scores['sd']['f1'] == pytest.approx(every.mean(1)[:, 0].std(ddof=1))
    samm = scores['per_dataset']['samm']
    expected = np.mean([by_sklearn(held, (seed == s) & (dataset == 1), 1) for s in (0, 1)], axis=0)
    assert samm['per_unit'][1]['f1'] == pytest.approx(expected[0])
    assert samm['per_unit'][1]['average_precision'] == pytest.approx(expected[2])
    assert samm['subjects'] == 2
    both = [block['metrics']['f1'] for block in scores['per_dataset'].values()]
    assert scores['dataset_means']['metrics']['f1'] == pytest.approx(np.mean(both))
    json.dumps(scores, allow_nan=False)


@pytest.mark.parametrize(('present', 'clips'), [(1, 5), (2, 6), (3, 3)])
def test_chance_is_the_mean_over_all_orders(present, clips):
    """The share of clips is lower: a rare unit that is guessed would seem to be detected."""
    orders = set(itertools.permutations([1] * present + [0] * (clips - present)))
    scores = [reference.average_precision_score(order, -np.arange(clips)) for order in orders]
    showing = np.arange(clips) < present  # each clip is of another subject
    (chance,) = units.random_precision(np.ones((1, clips)), showing, np.ones(clips))
    assert chance == pytest.approx(np.mean(scores))


def test_chance_knows_that_a_draw_repeats_its_subjects():
    """A clip that is drawn twice has two neighbours that are right: as chance of so many different
    clips, every run would look worse than chance.
    """
    weight, showing = np.array([3.0, 1, 2, 1, 1]), np.array([1, 0, 1, 0, 0])
    scores = [
        reference.average_precision_score(showing, -np.array(order), sample_weight=weight)
        for order in itertools.permutations(range(5))
    ]
    (chance,) = units.random_precision(weight[None], showing, np.ones(5))
    assert chance == pytest.approx(np.mean(scores), rel=0.03)
    (of_clips,) = units.random_precision(np.ones((1, 8)), np.arange(8) < 5, np.ones(8))
    assert chance > of_clips + 0.04


def test_a_unit_that_no_clip_shows_is_undefined_and_in_no_mean():
    """As 0 it would pull down the mean of every run on such data."""
    scores = units.score(made_up(), NAMES)
    absent = scores['per_unit'][3]
    assert absent['present'] == 0 and absent['clips'] > 0
    assert absent['f1'] is absent['average_precision'] is absent['f1_interval'] is None
    assert scores['per_dataset']['samm']['per_unit'][0]['f1'] is None
    assert scores['per_dataset']['samm']['scored_units'] == 2
    assert scores['per_dataset']['casme2']['scored_units'] == 3
    shown = [row['f1'] for row in scores['per_unit'][:3]]
    assert scores['metrics']['f1'] == pytest.approx(np.mean(shown))


def test_notes_name_units_that_are_not_scored_or_not_learned():
    """A score of 0 of a unit that could not be learned reads as a fault of the network."""
    held = made_up()
    trained = {'samm': np.array([[0, np.nan, 1, 0.0]]), 'casme2': np.eye(4)}
    unseen = units.unseen(trained, NAMES)
    assert unseen == {'AU1': ['samm'], 'AU4': ['samm'], 'AU45': ['samm']}
    lines = units.notes(held.truth, held.predictions.dataset, unseen, NAMES)
    assert [line.partition(':')[0] for line in lines] == ['AU1', 'AU1, AU4', 'AU45']
    assert 'casme2 alone' in lines[0] and 'no training clip of 1 of the folds (samm)' in lines[1]
    assert 'no clip shows it' in lines[2]


def test_the_means_of_cd6me_count_every_unit_as_its_code_does():
    """MEB averages f1_score over all units, also those that a data set does not show."""
    held = made_up(seeds=1, unknown=0)
    block = units.score(held, NAMES)['all_units']
    dataset, detected = held.predictions.dataset, held.predictions.output > 0
    for metric, average in (('f1', 'binary'), ('macro_f1', 'macro')):
        means = []
        for rows in (dataset >= 0, dataset == 0, dataset == 1):
            of_units = [
                reference.f1_score(
                    held.truth[rows, column],
                    detected[rows, column],
                    average=average,
                    zero_division=0,
                )
                for column in range(4)
            ]
            means.append(np.mean(of_units))
        assert block[metric]['units'] == pytest.approx(means[0])
        assert block[metric]['data_sets'] == pytest.approx(np.mean(means[1:]))


def test_intervals_hold_their_estimate():
    """An interval beside its figure is of another figure; a gain must be that of the means."""
    held = made_up()
    scores = units.score(held, NAMES)
    for metric in UNIT_METRICS:
        low, high = scores['intervals'][metric]
        assert low < scores['metrics'][metric] < high
        low, high = scores['per_unit'][1][f'{metric}_interval']
        assert low < scores['per_unit'][1][metric] < high
    block = scores['baselines']['most_frequent']
    assert block['f1_gain'] == pytest.approx(scores['metrics']['f1'] - block['f1'])
    assert block['f1_gain_interval'][0] < block['f1_gain'] < block['f1_gain_interval'][1]


def test_the_baseline_detects_as_many_units_as_a_training_clip_shows():
    """A baseline that detects nothing, or everything, would be easy to beat."""
    truth = np.array([[1, 0, 0, np.nan], [1, 1, 0, np.nan], [1, 1, 0, 0], [0, 1, 1, 0]])
    assert units.most_frequent(truth).tolist() == [True, True, False, False]
    assert units.most_frequent(truth[:, 2:]).tolist() == [True, False]
    assert not units.most_frequent(np.zeros((3, 2))).any()


def test_nothing_held_out_has_no_scores_and_a_diverged_fold_is_refused():
    """A NaN is not above 0: it would count as a unit that is absent."""
    held = made_up(seeds=1)
    none = Predictions(*[array[:0] for array in held.predictions])
    scores = units.score(units.Held(none, held.truth[:0], held.most_frequent[:0]), NAMES)
    assert set(scores['metrics'].values()) == {None} and scores['per_dataset'] == {}
    held.predictions.output[7, 2] = np.nan
    with pytest.raises(UserError, match='fold'):
        units.score(held, NAMES)
