"""score: the blocks of results.json against scikit-learn and loops over made-up predictions."""

import json

import numpy as np
import pytest
from sklearn import metrics as reference

from mer_jax.errors import UserError
from mer_jax.evaluation import metrics, score
from mer_jax.types import Names, Predictions

NAMES = Names(
    ('negative', 'positive', 'surprise'),
    ('s01', 's02', 's03', 's01', 's02'),
    ('casme2', 'samm'),
    (),
    (),
)
DATASET = np.array([0, 0, 0, 1, 1])  # of each subject; two of the names occur in both data sets


def made_up(seeds=2, rows=40, epochs=6, folds=None):
    """Predictions of LOSO over five subjects, and outputs [E, R, K] whose last epoch they hold."""
    rng = np.random.default_rng(0)
    subject = np.sort(np.concatenate([np.arange(5), rng.integers(0, 5, rows - 5)]))
    label = rng.integers(0, 3, rows)
    outputs = rng.normal(0, 1, (epochs, seeds * rows, 3)) + 1.2 * np.eye(3)[np.tile(label, seeds)]
    outputs = outputs.astype(np.float32)
    arrays = [
        np.arange(rows),
        np.zeros(rows),
        subject,
        DATASET[subject],
        label,
        subject if folds is None else folds,
    ]
    arrays = [np.tile(array, seeds).astype(np.int32) for array in arrays]
    seed = np.repeat(np.arange(seeds) + 7, rows).astype(np.int32)
    return Predictions(*arrays, seed, outputs[-1]), outputs


def empty():
    """What a run on all rows holds out: nothing."""
    return Predictions(*[np.zeros(0, np.int32)] * 7, np.zeros((0, 3), np.float32))


def uf1(label, predicted):
    """UF1 by scikit-learn."""
    return reference.f1_score(
        label, predicted, labels=np.unique(label), average='macro', zero_division=0
    )


def test_metrics_are_means_over_seeds_and_sd_their_spread():
    """Pooling seeds before scoring gives another figure than the mean of the seeds' scores."""
    predictions, _ = made_up(seeds=3)
    found = score.score(predictions, NAMES)
    predicted = predictions.output.argmax(-1)
    singles = [
        uf1(predictions.label[predictions.seed == s], predicted[predictions.seed == s])
        for s in (7, 8, 9)
    ]
    assert found['metrics']['uf1'] == pytest.approx(np.mean(singles))
    assert found['sd']['uf1'] == pytest.approx(np.std(singles, ddof=1))
    assert [one['seed'] for one in found['per_seed']] == [7, 8, 9]
    assert [one['metrics']['uf1'] for one in found['per_seed']] == pytest.approx(singles)


def test_confusion_is_a_sum_over_seeds_and_classes_keep_their_order():
    """A transposed or averaged matrix would be read wrong by every tool that takes results.json."""
    predictions, _ = made_up()
    found = score.score(predictions, NAMES)
    assert (
        found['confusion']
        == reference.confusion_matrix(predictions.label, predictions.output.argmax(-1)).tolist()
    )
    assert found['classes'] == ['negative', 'positive', 'surprise']


def test_per_dataset_scores_only_its_rows():
    """The composite protocol quotes each data set; its classes and clips must not leak into the
    next.
    """
    predictions, _ = made_up()
    found = score.score(predictions, NAMES)['per_dataset']
    assert list(found) == ['casme2', 'samm']
    for d, title in enumerate(found):
        singles = []
        for s in (7, 8):
            rows = (predictions.dataset == d) & (predictions.seed == s)
            singles.append(uf1(predictions.label[rows], predictions.output[rows].argmax(-1)))
        assert found[title]['uf1'] == pytest.approx(np.mean(singles))
        assert found[title]['n'] == rows.sum()
        assert (
            found[title]['intervals']['uf1'][0]
            <= found[title]['uf1']
            <= found[title]['intervals']['uf1'][1]
        )
    assert [found[title]['subjects'] for title in found] == [3, 2]


def test_subjects_of_two_datasets_with_one_name_stay_two():
    """Keying by name would merge 's01' of both data sets and shrink the interval's sample."""
    predictions, _ = made_up()
    found = score.score(predictions, NAMES)['per_subject']
    assert [(one['dataset'], one['subject']) for one in found] == [
        ('casme2', 's01'), ('casme2', 's02'), ('casme2', 's03'), ('samm', 's01'), ('samm', 's02'),
    ]  # fmt: skip
    right = predictions.output.argmax(-1) == predictions.label
    for s, one in enumerate(found):
        assert one['clips'] == (predictions.subject == s).sum() / 2
        assert one['correct'] == right[predictions.subject == s].sum() / 2
        assert one['accuracy'] == pytest.approx(right[predictions.subject == s].mean())


def test_intervals_resample_subjects_with_their_seeds():
    """Resampling clips, or seeds as if they were subjects, would give intervals that are far too
    narrow.
    """
    predictions, _ = made_up()
    cube = np.zeros((5, 2, 3, 3), int)
    for s, r, t, p in zip(
        predictions.subject,
        predictions.seed - 7,
        predictions.label,
        predictions.output.argmax(-1),
        strict=True,
    ):
        cube[s, r, t, p] += 1
    assert score.score(predictions, NAMES)['intervals'] == metrics.intervals(cube, [0, 0, 0, 1, 1])


def test_per_fold_and_per_class_agree_with_the_totals():
    """Rows lost or counted twice between the tables."""
    predictions, _ = made_up()
    found = score.score(predictions, NAMES)
    assert sum(one['clips'] for one in found['per_fold']) == 40
    assert sum(one['correct'] for one in found['per_fold']) / 40 == pytest.approx(
        found['metrics']['accuracy']
    )
    assert np.mean([one['f1'] for one in found['per_class'].values()]) == pytest.approx(
        found['metrics']['uf1']
    )
    assert sum(one['support'] for one in found['per_class'].values()) == 40


def test_seeds_that_test_other_rows_are_averaged_over_the_seeds_that_tested():
    """A random split tests other subjects in each seed; dividing by all seeds would halve their
    clip counts.
    """
    predictions, _ = made_up()
    keep = ~((predictions.seed == 7) & (predictions.subject == 4))
    part = Predictions(*(array[keep] for array in predictions))
    last = score.score(part, NAMES)['per_subject'][-1]
    assert last['clips'] == (predictions.subject == 4).sum() / 2
    assert last['accuracy'] == pytest.approx(last['correct'] / last['clips'])


def test_one_seed_has_no_spread():
    """A spread of 0.0 from one seed would be printed as perfect agreement."""
    found = score.score(made_up(seeds=1)[0], NAMES)
    assert set(found['sd'].values()) == {None}
    assert len(found['per_seed']) == 1


def test_spread_over_draws_is_apart_from_that_over_seeds():
    """Draws of the folds whose seeds are far apart would look like training sets that matter."""
    predictions, _ = made_up(seeds=4)
    block = score.score(predictions, NAMES, draws=2)['repeats']
    assert (block['draws'], block['seeds']) == (2, 2)
    seeds = score.score(predictions, NAMES)['per_seed']
    values = np.array([one['metrics']['uf1'] for one in seeds]).reshape(2, 2)
    means, spread = values.mean(1), block['spread']['uf1']
    assert [one['metrics']['uf1'] for one in block['per_draw']] == pytest.approx(means)
    assert spread['sd'] == pytest.approx(means.std(ddof=1))
    assert (spread['low'], spread['high']) == pytest.approx((means.min(), means.max()))
    within = values.var(axis=1, ddof=1).mean()
    assert spread['sd_seeds'] == pytest.approx(np.sqrt(within))
    between = max(means.var(ddof=1) - within / 2, 0)
    assert spread['sd_training_sets'] == pytest.approx(np.sqrt(between))


def test_one_seed_a_draw_cannot_tell_seeds_from_training_sets():
    """An sd of training sets from one seed would hold the spread of seeds under another name."""
    block = score.score(made_up(seeds=3)[0], NAMES, draws=3)['repeats']
    assert block['spread']['uf1']['sd'] > 0
    assert block['spread']['uf1']['sd_seeds'] is block['spread']['uf1']['sd_training_sets'] is None
    assert score.score(made_up(seeds=3)[0], NAMES)['repeats'] is None


def test_empty_predictions_give_nulls():
    """A run on all rows, made to ship a model, must end with a valid results.json."""
    found = score.score(empty(), NAMES)
    assert set(found['metrics'].values()) == set(found['intervals'].values()) == {None}
    assert (found['per_dataset'], found['per_seed'], found['per_subject'], found['per_fold']) == (
        {},
        [],
        [],
        [],
    )
    assert found['confusion'] == [[0, 0, 0]] * 3
    block = score.oracle(np.zeros((4, 0, 3), np.float32), empty(), NAMES)
    assert block['test_best']['metrics']['uf1'] is None
    json.dumps([found, block], allow_nan=False)


def test_blocks_are_plain_json():
    """numpy numbers and NaN stop json.dumps at the end of a run of hours."""
    predictions, outputs = made_up()
    json.dumps(
        [score.score(predictions, NAMES), score.oracle(outputs, predictions, NAMES)],
        allow_nan=False,
    )


def test_outputs_that_are_not_finite_are_refused_with_their_fold():
    """argmax takes NaN for the largest, so a diverged fold would be scored as answers of
    class 0.
    """
    predictions, outputs = made_up()
    broken = predictions.output.copy()
    row = np.flatnonzero(predictions.fold == 3)[0]
    broken[row] = np.nan
    with pytest.raises(UserError, match='fold 3, seed 7: .*diverged'):
        score.score(predictions._replace(output=broken), NAMES)
    with pytest.raises(UserError, match='fold 3, seed 7.*epoch 2'):
        score.oracle(np.stack([outputs[0], broken]), predictions, NAMES)


def chosen(outputs, predictions, key):
    """{(fold, seed): (epoch, accuracy, UF1)} by a loop; `key` orders (accuracy, uf1) pairs."""
    found = {}
    for fold in np.unique(predictions.fold):
        for seed in np.unique(predictions.seed):
            rows = (predictions.fold == fold) & (predictions.seed == seed)
            best = None
            for epoch, output in enumerate(outputs):
                predicted = output[rows].argmax(-1)
                pair = (
                    np.mean(predicted == predictions.label[rows]),
                    uf1(predictions.label[rows], predicted),
                )
                if best is None or tuple(np.round(key(pair), 12)) > tuple(
                    np.round(key(best[1]), 12)
                ):
                    best = (epoch, pair)
            found[fold, seed] = best[0]
    return found


def pooled(outputs, predictions, choice):
    """Mean over seeds of (accuracy, UF1) pooled over folds, each fold and seed at its epoch."""
    picked = np.array(
        [choice[fold, seed] for fold, seed in zip(predictions.fold, predictions.seed, strict=True)]
    )
    predicted = outputs[picked, np.arange(len(picked))].argmax(-1)
    singles = []
    for seed in np.unique(predictions.seed):
        rows = predictions.seed == seed
        right = np.mean(predicted[rows] == predictions.label[rows])
        singles.append((right, uf1(predictions.label[rows], predicted[rows])))
    return np.mean(singles, axis=0)


def test_oracle_equals_a_loop_over_folds_and_epochs():
    """The block is evidence about published numbers; a wrong tie-break would claim another gap."""
    predictions, outputs = made_up(epochs=7)
    block = score.oracle(outputs, predictions, NAMES)
    by_accuracy = chosen(outputs, predictions, lambda pair: pair)
    by_f1 = chosen(outputs, predictions, lambda pair: pair[::-1])
    accuracy, f1 = pooled(outputs, predictions, by_accuracy)
    best = block['test_best']
    assert (best['metrics']['accuracy'], best['metrics']['uf1']) == pytest.approx((accuracy, f1))
    assert best['median_epoch'] == np.median(list(by_accuracy.values())) + 1
    mixed = block['test_best_independent']['metrics']
    assert (mixed['accuracy'], mixed['uf1']) == pytest.approx(
        (accuracy, pooled(outputs, predictions, by_f1)[1])
    )


def test_oracle_common_epoch_and_last_epoch():
    """`last` must be the figures of the run itself, else the gap compares two things."""
    predictions, outputs = made_up(epochs=7)
    block = score.oracle(outputs, predictions, NAMES)
    keys = {(fold, seed) for fold, seed in zip(predictions.fold, predictions.seed, strict=True)}
    curve = [pooled(outputs, predictions, dict.fromkeys(keys, epoch))[1] for epoch in range(7)]
    assert block['per_epoch']['uf1'] == pytest.approx(curve)
    assert block['best_common_epoch']['epoch'] == int(np.argmax(curve)) + 1
    assert block['best_common_epoch']['metrics']['uf1'] == pytest.approx(max(curve))
    assert block['last'] == {'metrics': score.score(predictions, NAMES)['metrics'], 'epoch': 7}
    assert 'leak' in block['note']


def test_oracle_takes_the_earliest_of_equal_epochs():
    """Taking the latest would hide how early the literature's choice stops."""
    predictions, outputs = made_up()
    block = score.oracle(np.repeat(outputs[-1:], 5, axis=0), predictions, NAMES)
    assert block['test_best']['median_epoch'] == block['best_common_epoch']['epoch'] == 1
    assert block['test_best']['metrics'] == block['last']['metrics']


def test_oracle_refuses_outputs_of_other_rows():
    """Outputs of another run would be scored against these labels."""
    predictions, outputs = made_up()
    with pytest.raises(ValueError, match='outputs must be'):
        score.oracle(outputs[:, 1:], predictions, NAMES)
