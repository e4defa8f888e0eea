"""SVMs and a network together: the regression that weighs them, and what it may see."""

import jax
import numpy as np
import pytest
from scipy.special import log_softmax
from sklearn.metrics import log_loss
from sklearn.utils.class_weight import compute_sample_weight

from mer_jax.classical import refuse_unexplained, stack, svm
from mer_jax.errors import UserError
from mer_jax.experiment import build, run
from mer_jax.experiment import settings as rules
from mer_jax.models import flow_cnn
from mer_jax.prediction import pack, trained
from mer_jax.presets import quick
from mer_jax.presets import svm as svm_config
from mer_jax.report import run_sections
from mer_jax.runfiles.predictions import PredictionTable
from mer_jax.runfiles.results import RecognitionResults
from mer_jax.runfiles.stacks import StackTable
from mer_jax.settings.sections import Head
from mer_jax.settings.tree import from_nested
from mer_jax.studies import compare
from mer_jax.types import Inputs

DRAWN = 'synthetic_faces/tiny'
RNG = np.random.default_rng(0)
LABEL = np.repeat([0, 0, 0, 1, 2], 12)
SUBJECT = np.tile(np.arange(6), 10)


def scores(strength):
    """Scores [60, 3] that show the class by `strength`."""
    return RNG.normal(0, 1, (60, 3)) + strength * np.eye(3)[LABEL]


def loss(fitted, members, label):
    """What the fit minimises, by scikit-learn."""
    logits = np.tensordot(fitted.weight / fitted.spread, members, 1) + fitted.offset
    weight = compute_sample_weight('balanced', label)
    fits = log_loss(label, np.exp(log_softmax(logits, 1)), sample_weight=weight)
    unequal = fitted.weight - fitted.weight.mean()
    return fits + stack.RIDGE * (np.sum(unequal**2) + np.sum(fitted.offset**2))


def test_the_loss_is_the_least_as_scikit_learn_computes_it():
    """A wrong slope or another balance of the classes stops elsewhere."""
    members = np.stack([scores(1.0), 5 * scores(0.5)])
    fitted = stack.fit(members, LABEL)
    least = loss(fitted, members, LABEL)
    for key in ('weight', 'offset'):
        values = getattr(fitted, key)
        for step in 0.02 * np.eye(len(values)):
            for sign in (1, -1):
                moved = fitted._replace(**{key: values + sign * step})
                assert loss(moved, members, LABEL) > least
    assert fitted.weight[0] > fitted.weight[1] > 0, 'the better member weighs more'


def test_a_member_that_is_wrong_gets_no_weight_and_scale_does_not_matter():
    """A negative weight would trust a member to be wrong; a unit must not decide."""
    members = np.stack([scores(1.0), scores(-1.0)])
    fitted = stack.fit(members, LABEL)
    assert fitted.weight[1] == 0 < fitted.weight[0]
    larger = stack.fit(members * np.array([9.0, 0.1])[:, None, None], LABEL)
    np.testing.assert_allclose(larger.weight, fitted.weight, atol=1e-3)
    combined = stack.combined(fitted, members)
    np.testing.assert_allclose(np.exp(combined).sum(1), 1, atol=1e-5)


def test_equal_weights_do_not_depend_on_scale_or_labels():
    """A member whose scores are ten times as large would decide alone."""
    members = np.stack([scores(1.0), scores(0.2)])
    fixed = stack.equal(members)
    larger = stack.equal(members * np.array([9.0, 0.1])[:, None, None])
    assert not fixed.offset.any() and len({*fixed.weight}) == 1
    expected = sum(member / np.sqrt(np.mean(around(member) ** 2)) for member in members)
    combined = around(stack.combined(fixed, members))
    np.testing.assert_allclose(combined, around(expected), atol=1e-5)
    again = stack.combined(larger, members * np.array([9.0, 0.1])[:, None, None])
    np.testing.assert_allclose(around(again), combined, atol=1e-5)


def around(member):
    """Scores around their mean over classes."""
    return member - member.mean(1, keepdims=True)


def test_a_class_without_training_rows_and_a_silent_member_are_numbers():
    """A fold may lack a class; a member may say nothing."""
    members = np.stack([scores(1.0), np.zeros((60, 3))])
    fitted = stack.fit(members, np.zeros(60, int))
    assert np.isfinite(stack.combined(fitted, members)).all()


TRAIN, TEST = np.flatnonzero(SUBJECT), np.flatnonzero(SUBJECT == 0)


def test_noise_in_the_left_out_subject_changes_no_fitted_number():
    """Weights that saw a tested clip are a leak; so are SVMs that saw the row they predict."""
    train, test = TRAIN, TEST
    block = (np.eye(4)[LABEL] + RNG.normal(0, 0.7, (1, 60, 4))).astype(np.float32)
    outputs = log_softmax(scores(1.0), 1).astype(np.float32)
    head = Head('stack', cost=(0.5, 2.0), gamma=(0.1, 0.5), inner_folds=3, top_k=2)

    def fitted(block, outputs, label):
        clips = svm.Clips([block], label, SUBJECT, 3)
        decisions = svm.decide(clips, train, test, head, seed=0, nested=True)
        return decisions, stack.fit(np.stack([decisions.train, outputs[train]]), label[train])

    decisions, before = fitted(block, outputs, LABEL)
    noisy = block.copy(), outputs.copy(), LABEL.copy()
    noisy[0][:, test], noisy[1][test], noisy[2][test] = 1e3, 7.0, 2
    _, after = fitted(*noisy)
    for first, second in zip(before, after, strict=True):
        np.testing.assert_array_equal(first, second)
    alone, svms = svm.fit_fold(svm.Clips([block], LABEL, SUBJECT, 3), train, test, head, seed=0)
    np.testing.assert_array_equal(alone, decisions.test)
    # of inner folds: one that saw the row it predicts would be nearly always right
    splits = svm.inner_splits(LABEL[train], SUBJECT[train], 3, seed=0)
    kept, left_out = splits[0]
    choices = [svm.Choice('rbf', each.cost, each.gamma) for each in svms]
    clips = svm.Clips([block], LABEL, SUBJECT, 3)
    again = svm.predict_by(clips, train[kept], train[left_out], choices, scale='features')
    np.testing.assert_array_equal(decisions.train[left_out], again)


def settings_of(**changes):
    config = svm_config('x', 'gradient')
    config.head.update({'name': 'stack', 'mirror': True})
    config.model.name, config.model.pretrain = 'flow_cnn', DRAWN
    quick(config)
    config.update_from_flattened_dict(changes)
    return from_nested(config.to_dict())


def test_a_run_says_how_it_weighs_its_members(tiny_data, tmp_path, undrawn, monkeypatch):
    """Results of two members would pass for those of one; one network for the mean of two."""
    settings = settings_of(**{'data.data_dir': tiny_data, 'pretrain.networks': 2})
    seen = []
    head_scores = build.head_scores
    monkeypatch.setattr(
        build, 'head_scores', lambda *given: (seen.append(given), head_scores(*given))[1]
    )
    run.train_settings(settings, tmp_path)
    experiment, outputs = seen[0]
    of_runs = svm.by_run(outputs, experiment.folds, len(experiment.data.samples.label))
    expected = mean_of_networks(experiment)
    for of_run in of_runs:
        np.testing.assert_allclose(of_run, expected, atol=1e-4)
    results = RecognitionResults.read(tmp_path)
    table = StackTable.read(tmp_path)
    assert results.stack == table.mean_weights() and [*results.stack] == ['SVMs', 'network']
    assert len(table.rows) == results.folds * (2 + 3)
    assert results.data['pretraining']['name'] == DRAWN
    assert 'id="stack"' in (tmp_path / 'report.html').read_text()
    others = {'data.data_dir': tiny_data, 'data.labels': 'classes:disgust,happiness'}
    with pytest.raises(UserError, match='model.pretrain'):
        run.train_settings(settings_of(**others), tmp_path / 'others')
    with pytest.raises(UserError, match='head.name'):
        refuse_unexplained(settings_of(), tmp_path)
    # the network of another seed, or the scale of another fold, would be another recogniser
    predicts_its_own_clips(tmp_path)
    with pytest.raises(UserError, match='head.name is .stack., whose members'):
        pack.pack(tmp_path, '', [], False)


def predicts_its_own_clips(folder):
    """Opened again, a run gives each held-out clip the probabilities of predictions.csv."""
    model = trained.open_trained(folder)
    experiment = trained.experiment_of(folder, model.settings)
    scores = np.exp(log_softmax(model.scores(Inputs(experiment.data.samples.image, {})), -1))
    number = {clip: place for place, clip in enumerate(experiment.data.names.clips)}
    compared = PredictionTable.read(folder).rows
    for row in compared:
        run_of_fold = model.members.index((experiment.titles[row.fold], row.seed))
        of_clip = scores[run_of_fold, number[row.clip]]
        # coefficients of SVMs are stored as float32
        np.testing.assert_allclose(of_clip, [*row.scores.values()], atol=1e-4)
    assert len(compared) == RecognitionResults.read(folder).clips and np.ptp(scores[:, 0]) > 1e-3


def mean_of_networks(experiment):
    """Log probabilities of the two pretrained networks, computed without the program of a run."""
    start, image = experiment.pretrained, experiment.data.samples.image
    classes = [start.outputs.index(name) for name in experiment.data.names.classes]
    network = flow_cnn.FlowCNN(len(start.outputs), **experiment.settings.model.options['flow_cnn'])
    total = []
    for number in range(2):
        params = jax.tree.map(lambda leaf, number=number: leaf[number], start.params)
        for mirrored in (False, True):
            seen = image.astype(np.float32) / 255
            if mirrored:
                seen = seen[:, :, ::-1] * (-1, 1, 1) + (1, 0, 0)
            logits, _ = network.apply({'params': params}, seen, train=False)
            total.append(log_softmax(np.asarray(logits)[:, classes], 1))
    assert not np.allclose(total[0], total[2], atol=1e-3), 'the networks differ'
    return np.mean(total, 0)


def test_members_need_no_network_and_count_alike(tiny_data, tmp_path, undrawn):
    """A member that is left out must not train, and one that is named must count."""
    changes = {'head.members': 'svm+ridge', 'head.combine': 'equal', 'model.pretrain': ''}
    changes |= {'data.data_dir': tiny_data, 'model.name': 'ststnet', 'head.scale': 'blocks'}
    run.train_settings(settings_of(**changes), tmp_path / 'both')
    both = StackTable.read(tmp_path / 'both')
    assert both.mean_weights() == {'SVMs': 1.0, 'regressions': 1.0}
    assert not (tmp_path / 'both' / 'pretraining').exists()
    apart = {}
    for member in ('svm', 'ridge'):
        run.train_settings(settings_of(**changes | {'head.name': member}), tmp_path / member)
        apart[member] = scores_in(tmp_path / member)
    # one listing of both would mix the costs of SVMs and regressions
    for folder, ids in {'both': ['svm', 'ridge'], 'ridge': ['ridge']}.items():
        listings = run_sections.svms(tmp_path / folder)
        assert [listing['title'].split()[-1] for listing in listings] == [
            {'svm': 'machines', 'ridge': 'regressions'}[kind] for kind in ids
        ]
        assert all(listing['has_gamma'] for listing in listings)
    assert compare.training_accuracy(tmp_path / 'both') is None, 'that of its SVMs alone'
    # choices of regressions taken for those of SVMs would predict new clips otherwise than scored
    for folder in ('both', 'ridge'):
        predicts_its_own_clips(tmp_path / folder)
    mixed = scores_in(tmp_path / 'both')
    assert not np.allclose(mixed, apart['svm']) and not np.allclose(mixed, apart['ridge'])
    # one fold has one weight for each member: scores are a sum, but for what softmax leaves out
    sides = np.stack([apart[member].ravel() for member in apart], 1)
    weight, left, *_ = np.linalg.lstsq(sides, mixed.ravel(), rcond=None)
    assert left[0] < 1e-6 * np.sum(mixed**2) and np.all(weight > 0)


def scores_in(folder):
    """Logits of the first fold, around their mean over classes."""
    rows = PredictionTable.read(folder).rows
    return around(np.log([[*row.scores.values()] for row in rows if row.fold == 0]))


REFUSED = {
    'a member that does not exist': ({'head.members': 'svm+forest'}, 'head.members'),
    'a member twice': ({'head.members': 'svm+svm+network'}, 'head.members'),
    'a network that the fold trains': ({'train.epochs': 1}, 'train.epochs'),
    'no drawn faces': ({'model.pretrain': ''}, 'model.pretrain'),
    'people': ({'model.pretrain': 'samm/flow'}, 'model.pretrain'),
    'hidden layers': ({'head.features': 'network+gradient'}, 'head.features'),
    'a name that does not exist': ({'head.name': 'stacks'}, 'head.name'),
    'networks without a stack': ({'head.name': 'svm', 'pretrain.networks': 2}, 'pretrain.networks'),
    'networks that nothing teaches': (
        {'head.name': 'none', 'model.pretrain': '', 'pretrain.networks': 2},
        'pretrain.networks',
    ),
    'a stack without the network': ({'head.members': 'svm+ridge'}, 'head.members'),
    'a leak': ({'head.scope': 'all'}, 'head.scope'),
}


@pytest.mark.parametrize('changes,key', REFUSED.values(), ids=REFUSED)
def test_members_that_were_fitted_to_the_rows_of_the_fold_are_refused(changes, key):
    """On rows that it learned a network looks better than it is, and gets too much weight."""
    rules.check(settings_of())
    with pytest.raises(UserError, match=key):
        rules.check(settings_of(**changes))
