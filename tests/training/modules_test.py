"""Modules of the user as learners: which are taken, what they see, and what is recorded."""

import flax.linen as nn
import jax
import numpy as np
import optax
import pytest

from mer_jax import folds, models
from mer_jax.data.arrays import dataset
from mer_jax.errors import UserError
from mer_jax.training import batches, epoch, modules
from mer_jax.training.modules import supervised


@pytest.fixture(scope='module')
def data():
    x = np.random.default_rng(0).normal(3, 2, size=(12, 8, 8, 2))
    return dataset(x, np.arange(12) % 3, np.repeat(['a', 'b', 'c'], 4))


def network(body, **fields):
    """A module class with this __call__."""
    return type('Own', (nn.Module,), {'__call__': nn.compact(body), **fields})()


def logits_alone(self, x):
    return nn.Dense(3)(x.reshape(len(x), -1))


def by_keyword(self, x, *, train):
    x = nn.Dropout(0.5, deterministic=not train)(x)
    return logits_alone(self, x), {'x': x}


def normalised(self, x, train=False):
    return logits_alone(self, nn.BatchNorm(use_running_average=not train)(x))


def checked(module, data, **options):
    recipe = supervised(module, optax.adam(1e-2), **options)
    runs = folds.loso(data).runs(1)
    shapes = modules.check(recipe, data.content.samples, runs, 3)
    return recipe, runs, shapes


@pytest.mark.parametrize('body', [logits_alone, by_keyword, normalised])
def test_every_kind_of_module_trains_and_predicts(data, body):
    """Logits alone or with more, with or without train, dropout and batch norm."""
    recipe, runs, shapes = checked(network(body), data)
    learner, samples = recipe.learner(3, 'matmul'), data.content.samples
    rows = jax.tree.map(lambda a: a[0], runs.train)
    state = learner.init(jax.random.key(0), samples, rows)
    assert jax.tree.map(np.shape, state) == jax.tree.map(np.shape, shapes)
    batch = batches.gather(samples, rows, np.arange(4))
    after, logs = learner.step(state, batch, jax.random.key(1))
    assert np.isfinite(logs['loss'])
    moved = jax.tree.map(lambda a, b: bool(np.any(a != b)), after.params, state.params)
    assert any(jax.tree.leaves(moved))
    logits, _ = learner.predict(after, batches.inputs(samples, np.arange(12)))
    again, _ = learner.predict(after, batches.inputs(samples, np.arange(12)))
    assert logits.shape == (12, 3)
    np.testing.assert_array_equal(logits, again)  # no dropout in what is scored


def test_a_module_sees_x_as_it_is_unless_a_scaler_is_fitted(data):
    """x in the user's own scale; the scaler sees training rows only."""

    def first_values(self, x):
        self.param('unused', nn.initializers.zeros, (1,))
        return x[:, 0, 0, :1] * np.array([1.0, 1.0, 1.0])

    rows = np.arange(12)
    samples = data.content.samples
    for scaler in modules.SCALERS:
        recipe, runs, _ = checked(network(first_values), data, scaler=scaler)
        learner = recipe.learner(3, 'matmul')
        fold = jax.tree.map(lambda a: a[0], runs.train)
        state = learner.init(jax.random.key(0), samples, fold)
        seen = learner.predict(state, batches.inputs(samples, rows))[0][:, 0]
        train = samples.image[runs.train.index[0]][..., 0]
        expected = samples.image[:, 0, 0, 0]
        if scaler == 'standard':
            expected = (expected - train.mean()) / train.std()
        np.testing.assert_allclose(seen, expected, rtol=1e-5, atol=1e-5)


def test_noise_over_the_left_out_subject_changes_no_bit(data):
    """Neither the scaler, the class weights nor a step may see a row that is tested."""
    recipe, runs, _ = checked(network(normalised), data, scaler='standard', class_weights='max')
    learner, samples = recipe.learner(3, 'matmul'), data.content.samples
    rows = jax.tree.map(lambda a: a[1], runs.train)
    image, label = samples.image.copy(), samples.label.copy()
    image[runs.test.index[1]] = np.random.default_rng(1).normal(size=image[:4].shape)
    label[runs.test.index[1]] = 0

    @jax.jit
    def trained(samples, rows):
        state = epoch.init_fold(samples, rows, 1, 0, learner=learner)
        key = epoch.run_key(0, 1)
        options = batches.BatchOptions(3)
        return epoch.train_epoch(state, samples, rows, key, learner=learner, options=options)[0]

    states = trained(samples, rows), trained(samples._replace(image=image, label=label), rows)
    jax.tree.map(np.testing.assert_array_equal, *states)
    assert np.any(states[0].fitted['mean'] != 0)


@pytest.mark.parametrize(
    'body,named',
    [
        (lambda self, x: nn.Dense(2)(x.reshape(len(x), -1)), '(2, 3)'),
        (lambda self, x: x[:, 0, 0, :1] * np.ones(3), 'no parameters'),
        (
            lambda self, x: logits_alone(self, nn.BatchNorm(use_running_average=False)(x)),
            'no argument train',
        ),
        (
            lambda self, x: (
                logits_alone(self, x) + self.variable('memory', 'sum', lambda: 0.0).value
            ),
            "'memory'",
        ),
    ],
)
def test_a_module_that_cannot_be_trained_is_named(data, body, named):
    """Each would end in an error deep inside jax, or in a score that means nothing."""
    with pytest.raises(UserError) as error:
        checked(network(body), data)
    assert named in str(error.value)


def test_arguments_are_checked():
    """A mistake in the recipe is named where it is made."""
    module, optimizer = network(logits_alone), optax.sgd(0.1)
    for arguments, options, named in (
        ((models.STSTNet, optimizer), {}, 'module'),
        ((module, 'adam'), {}, 'optimizer'),
        ((module, optimizer), {'class_weights': 'most'}, 'class_weights'),
        ((module, optimizer), {'label_smoothing': 1.0}, 'label_smoothing'),
        ((module, optimizer), {'scaler': 'p995'}, 'scaler'),
        ((network(lambda self, x, mask: x), optimizer), {}, '__call__'),
    ):
        with pytest.raises(UserError, match=named):
            supervised(*arguments, **options)


def test_the_record_names_what_a_step_depends_on(data):
    """A run may only go on with the step that it began with; another process writes it alike."""

    def recorded(module, rate=1e-2, **options):
        recipe = supervised(module, optax.adam(rate), **options)
        shapes = modules.check(recipe, data.content.samples, folds.loso(data).runs(1), 3)
        return modules.record(recipe, data.content.samples, shapes, 3)

    first = recorded(network(by_keyword))
    assert recorded(network(by_keyword)) == first
    assert first['shapes'] == {
        'params/Dense_0/bias': 'float32[3]',
        'params/Dense_0/kernel': 'float32[128, 3]',
    }
    others = [
        recorded(network(by_keyword), rate=2e-2),
        recorded(network(by_keyword), label_smoothing=0.1),
        recorded(network(logits_alone)),
    ]
    assert len({first['step'], *(other['step'] for other in others)}) == 4
    dropout = recorded(models.STSTNet(classes=3, dropout=0.1))
    assert dropout['options']['dropout'] == '0.1'
