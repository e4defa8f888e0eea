"""The training on drawn faces before the folds: what folds take of it, and what is refused."""

import json
import shutil

import jax
import numpy as np
import optax
import pytest

from mer_jax.errors import UserError
from mer_jax.experiment import build, choice, drawn, pretraining, run
from mer_jax.experiment import settings as rules
from mer_jax.presets import base, quick
from mer_jax.runfiles.choices import ChoiceRow
from mer_jax.runfiles.folder import entered
from mer_jax.settings.tree import changed, from_nested
from mer_jax.training import checkpoint, learners, pretrained
from mer_jax.training.pretrained import Pretrained
from mer_jax.types import FoldState
from tests.support.compiling import unoptimised

pytestmark = pytest.mark.usefixtures('undrawn')
DRAWN = 'synthetic_faces/tiny'


def settings_of(**changes):
    config = base('x')
    config.model.pretrain = DRAWN
    quick(config)
    config.update_from_flattened_dict(changes)
    return from_nested(config.to_dict())


@pytest.fixture(scope='module')
def finished(tiny_data, tmp_path_factory):
    """The settings, folder and experiment of a run that was pretrained."""
    settings = settings_of(**{'data.data_dir': tiny_data, 'train.seeds': 2, 'train.epochs': 1})
    folder = tmp_path_factory.mktemp('pretrained')
    with unoptimised():
        run.train_settings(settings, folder)
        experiment, _ = run.open_run(settings, folder)
        experiment = pretraining.trained(experiment, folder)
    return settings, folder, experiment


def trained_states(experiment, folder):
    """States of all runs after the last epoch."""
    runs = len(experiment.folds.fold)
    shapes = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct((runs, *leaf.shape), leaf.dtype),
        build.check_fit(experiment, folder),
    )
    with checkpoint.opened(folder / 'checkpoints' / 'group_0') as manager:
        return checkpoint.restore(manager, experiment.settings.train.epochs, shapes)


def test_outputs_of_one_name_begin_trained_and_all_others_as_they_were_drawn():
    """By position in place of name, the weights of a unit would begin an emotion."""
    start = Pretrained(
        outputs=('a', 'b', 'AU1'),
        params={'head': np.arange(12.0).reshape(2, 2, 3), 'body': np.array([[1.0], [2.0]])},
        batch_stats={'mean': np.array([5.0, 6.0])},
        by_output={'head': True, 'body': False},
        about={},
    )
    fresh = {'head': -np.ones((3, 2, 2)), 'body': np.zeros((3, 1))}
    states = FoldState(np.zeros(3), fresh, {'mean': np.zeros(3)}, 'optimizer', {'scale': 1})
    begun = pretrained.begin(start, np.array([0, 1, 2]), ('AU1', 'new'), states)
    np.testing.assert_array_equal(begun.params['body'].ravel(), [1, 2, 1])
    np.testing.assert_array_equal(begun.batch_stats['mean'], [5, 6, 5])
    np.testing.assert_array_equal(begun.params['head'][..., 0], [[2, 5], [8, 11], [2, 5]])
    assert (begun.params['head'][..., 1] == -1).all()
    assert begun.opt_state == 'optimizer' and begun.fitted == {'scale': 1}


def test_every_run_begins_with_the_pretraining_of_its_seed(finished):
    """Runs that begin elsewhere would be reported as pretrained."""
    _, _, experiment = finished
    members = np.arange(len(experiment.folds.fold))
    shapes = build.check_fit(experiment, finished[1])
    fresh = jax.tree.map(lambda leaf: np.zeros((len(members), *leaf.shape), leaf.dtype), shapes)
    begun = pretraining.begin(experiment)(members, fresh)
    start = experiment.pretrained
    assert start.outputs[:3] == experiment.data.names.classes and 'AU12' in start.outputs
    assert not np.array_equal(*jax.tree.leaves(start.params)[0])
    for path, leaf in jax.tree.leaves_with_path(begun.params):
        trained = dict(jax.tree.leaves_with_path(start.params))[path]
        np.testing.assert_array_equal(
            leaf, trained[experiment.folds.seed[members]][..., : leaf.shape[-1]]
        )


def test_a_fold_that_chose_its_learning_rate_begins_pretrained_too(finished):
    """The trainings that choose would else begin elsewhere than the one that is chosen for."""
    _, _, experiment = finished
    chosen = ChoiceRow('x', 0.25, 1, 1.0, 1)
    experiment = experiment._replace(choices=(chosen,) * len(experiment.titles))
    optimizer = learners.optimizer(experiment.settings.train, steps=1, rate_in_state=True)
    params = experiment.pretrained.params
    states = FoldState(0, params, {}, optimizer.init(params), {})
    wider = experiment._replace(
        data=experiment.data._replace(
            names=experiment.data.names._replace(classes=experiment.pretrained.outputs)
        )
    )
    begun = choice.begin(wider)(np.array([5, 0]), states)
    rates = optax.tree_utils.tree_get(begun.opt_state, choice.RATE)
    np.testing.assert_array_equal(rates, np.float32([0.25, 0.25]))
    for leaf, trained in zip(jax.tree.leaves(begun.params), jax.tree.leaves(params), strict=True):
        np.testing.assert_array_equal(leaf, trained[[1, 0]])


def test_results_say_what_was_drawn(finished):
    """A result of pretrained networks would pass for one without."""
    settings, folder, experiment = finished
    results = json.loads((folder / 'results.json').read_text())
    about = results['data']['pretraining']
    assert about['name'] == DRAWN and about['clips'] == 24 and about['epochs'] == 1
    assert about['fingerprint'] == experiment.drawn.data.fingerprint
    assert about['generator'] == drawn.generator(experiment.drawn.settings.data)
    assert DRAWN in (folder / 'report.html').read_text()
    assert [text for text in results['leaks'] if 'model.pretrain' in text], 'it tests drawn faces'


def test_noise_in_the_left_out_subject_changes_no_bit_of_its_pretrained_fold(finished, tmp_path):
    """The promise of the project holds for what a fold begins with."""
    settings, folder, experiment = finished
    samples = experiment.data.samples
    own = samples.subject == samples.subject[0]
    image, label = samples.image.copy(), samples.label.copy()
    noise = np.random.default_rng(3).normal(0, 1e3, image[own].shape)
    image[own], label[own] = noise.astype(image.dtype), (label[own] + 1) % 3
    noisy = experiment.data._replace(samples=samples._replace(image=image, label=label))
    noisy = experiment._replace(data=noisy)
    with unoptimised():
        plan = build.choose_plan(noisy, build.check_fit(noisy, tmp_path), tmp_path)
        run.train_groups(noisy, plan, build.learner(noisy, plan.lowering), tmp_path, {})
    before, after = (trained_states(experiment, path).params for path in (folder, tmp_path))
    tested = int(np.unique(samples.subject).tolist().index(samples.subject[0]))
    same = [
        np.array_equal(*pair) for pair in zip(*map(jax.tree.leaves, (before, after)), strict=True)
    ]
    assert not all(same), 'the noise reached no fold: this test would prove nothing'
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[tested], b[tested]), before, after)


def test_a_run_does_not_go_on_with_other_drawn_faces(finished):
    """Folds of one run would begin with two trainings."""
    settings, folder, experiment = finished
    others = experiment.drawn._replace(data=experiment.drawn.data._replace(fingerprint='other'))
    with pytest.raises(UserError, match=DRAWN):
        pretraining.trained(experiment._replace(drawn=others), folder)
    with pytest.raises(UserError, match='pretrain.epochs was 1, is 2'):
        run.train_settings(changed(settings, {'pretrain.epochs': 2}), folder)


def test_a_pretraining_may_be_copied_from_another_run(finished, tmp_path):
    """A curve over training subjects would else pretrain the same network hundreds of times."""
    settings, folder, experiment = finished
    shutil.copytree(folder / 'pretraining', tmp_path / 'pretraining')
    with entered(tmp_path):
        others, _ = run.open_run(changed(settings, {'train.learning_rate': 0.5}), tmp_path)
        others = pretraining.trained(others, tmp_path)
    for pair in zip(
        *(jax.tree.leaves(each.pretrained.params) for each in (experiment, others)), strict=True
    ):
        np.testing.assert_array_equal(*pair)
    assert (tmp_path / 'config.json').exists()


def test_units_compete_in_no_softmax():
    """Of outputs that add up to 1 all are above 0: every unit would count as present."""
    softmax = {'model.name': 'sssnet', 'model.sssnet.softmax': True}
    options = pretraining.settings_of(settings_of(**softmax)).model.options
    assert options['sssnet'] == {**options['sssnet'], 'softmax': False}
    with pytest.raises(UserError, match='model.sssnet.softmax is True'):
        rules.check(settings_of(**softmax, **{'data.task': 'action_units'}))


REFUSED = {
    'people': ({'model.pretrain': 'casme2/flow'}, 'model.pretrain', 'drawn faces'),
    'people among them': ({'model.pretrain': f'{DRAWN}+samm/flow'}, 'model.pretrain', 'drawn'),
    'weights too': ({'model.init_from': 'x.pth'}, 'model.init_from', 'one of them'),
    'no network': (
        {'head.name': 'svm', 'head.features': 'pixels', 'train.epochs': 0},
        'model.pretrain',
        "allowed: ''",
    ),
}


@pytest.mark.parametrize('changes,key,remedy', REFUSED.values(), ids=REFUSED)
def test_people_and_contradictions_are_refused(changes, key, remedy):
    """A network that learned a tested person before the folds leaks, whatever the folds do."""
    with pytest.raises(UserError, match=key) as error:
        rules.check(settings_of(**changes))
    assert remedy in str(error.value)
