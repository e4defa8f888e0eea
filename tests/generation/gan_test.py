"""A GAN for every fold: one step by hand, what is drawn, no look at the left-out subject, the same
bits after a kill.
"""

import functools
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mer_jax.errors import UserError
from mer_jax.folds import protocols
from mer_jax.generation import GanRun, gan
from mer_jax.runfiles.metrics_log import MetricsLog
from mer_jax.settings.sections import Gan, Protocol
from mer_jax.training import batches, checkpoint, parallel, plan
from mer_jax.training import programs as runs
from mer_jax.training.epoch import run_key
from mer_jax.types import FoldState
from tests.conftest import make_samples
from tests.leakage_test import with_noise
from tests.models.dcgan_test import (
    assert_gradients,
    draw,
    start,
    to_torch,
    twin_discriminator,
    twin_generator,
)
from tests.support.compiling import quickly, unoptimised

SETTINGS = Gan(
    size=8,
    width=4,
    dropout=0.0,
    learning_rate=1e-3,
    smoothing=0.1,
    images_per_class=4,
    batch_size=16,
)
OPTIONS = {'batch_norm': True, 'discriminator_output': 'softmax', 'resize': 'crop'}
SHAPE = {'classes': 3, 'channels': 2, 'lowering': 'native'}
# equal to matmul (dcgan_test.py), and compiled in less time at this size
LAYOUT = plan.Plan('native', 1, 2, 'test')


def toy(size=8, flow=True, clips=(9, 8, 8, 8, 9)):
    """Samples in which class k moves in another place, as flow or bytes; and their
    leave-one-subject-out folds.
    """
    samples, names = make_samples(size=size, channels=2, clips=clips)
    label = (np.arange(len(samples.label)) % 3).astype(np.int32)
    places = np.zeros((3, size, size, 2), np.float32)
    for k, (row, column) in enumerate(((0, 0), (0, size // 2), (size // 2, 0))):
        places[k, row : row + size // 2, column : column + size // 2, k % 2] = 1.0
    noise = np.random.default_rng(5)
    image = places[label] * noise.uniform(0.7, 1.3, (len(label), 1, 1, 1)) + noise.normal(
        0, 0.05, samples.image.shape
    )
    image = (
        image.astype(np.float32) if flow else (60 + 150 * np.clip(image, 0, 1.2)).astype(np.uint8)
    )
    samples = samples._replace(
        image=image,
        label=label,
        extras={'action_units': np.ones((len(label), 2), np.float32)},
    )
    return samples, protocols.make(samples, names, Protocol(), seeds=1)[0]


def make(samples, folds, folder, *, layout=LAYOUT, **changes):
    settings = replace(SETTINGS, **changes)
    return gan.train_all(
        samples, folds, layout, settings, classes=3, run=GanRun(folder, 0.0, ('u', 'v'), 0)
    )


def state_of(samples, rows, **options):
    """A state with parameters drawn by numpy: an initializer takes seconds to compile."""
    settings = replace(SETTINGS, **options)
    learner = gan.learner(settings, **SHAPE)
    shapes = jax.eval_shape(learner.init, jax.random.key(0), samples, rows)
    generator, discriminator = gan.networks(settings, **SHAPE)
    label = jnp.zeros(1, jnp.int32)
    params = {
        'g': start(generator, jnp.zeros((1, 100)), label),
        'd': start(discriminator, jnp.zeros((1, 8, 8, 2)), label, train=False),
    }
    empty = shapes.batch_stats, shapes.opt_state
    stats, moments = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), empty)
    return learner, shapes._replace(
        step=jnp.int32(0),
        params=params,
        batch_stats=stats,
        opt_state=moments,
        fitted=gan.fit(samples, rows, classes=3),
    )


class Descent:
    """Plain gradient descent in place of Adam, its rate in place of the moments: what it is given
    moves the parameters.
    """

    def update(self, gradient, rate, params):
        return jax.tree.map(lambda g: -rate * g, gradient), rate


@functools.cache
def stepped():
    """(state, step(params, rates, image, label, key), a batch), compiled once."""
    samples, folds = toy()
    _, state = state_of(samples, jax.tree.map(lambda a: a[0], folds.train))
    networks = gan.networks(SETTINGS, **SHAPE)

    def step(params, rates, image, label, key):
        return gan.train_step(
            state._replace(params=params, opt_state=rates),
            image,
            label,
            key,
            networks=networks,
            optimizer=Descent(),
            smoothing=0.1,
        )

    return (
        state,
        quickly(step),
        (np.clip(draw(6, 8, 8, 2), -1, 1), jnp.array([0, 1, 2, 2, 1, 0]), jax.random.key(3)),
    )


def test_a_step_equals_one_in_pytorch():
    """Both losses with smoothing, the generator judged by the discriminator as it became, each
    network moved by its own loss.
    """
    torch = pytest.importorskip('torch')
    state, step, (image, label, key) = stepped()
    after, logs = step(state.params, {'g': 1.0, 'd': 1.0}, image, label, key)
    params = after.params
    keys = jax.random.split(key, 4)
    z = torch.from_numpy(np.array(jax.random.normal(keys[0], (6, 100))))
    drawn = torch.from_numpy(
        np.array(jax.random.categorical(keys[1], jnp.zeros(3), shape=(6,)))
    ).long()
    g, d = (
        twin_generator(torch, state.params['g'], 8),
        twin_discriminator(torch, state.params['d'], 8),
    )
    probability = lambda x, y: torch.sigmoid(d(x, y))  # noqa: E731
    real, made = (
        probability(to_torch(image), torch.from_numpy(np.array(label)).long()),
        probability(g(z, drawn).detach(), drawn),
    )
    d_loss = -(0.9 * real.log() + 0.1 * (1 - real).log()).mean() - (1 - made).log().mean()
    d_loss.backward()
    assert_gradients(d, jax.tree.map(lambda a, b: a - b, state.params['d'], params['d']))
    with torch.no_grad():
        for parameter in d.parameters():
            parameter -= parameter.grad
    loss = -probability(g(z, drawn), drawn).log().mean()
    loss.backward()
    assert_gradients(g, jax.tree.map(lambda a, b: a - b, state.params['g'], params['g']))
    wanted = {'loss': loss, 'd_loss': d_loss, 'd_real': real.mean(), 'd_fake': made.mean()}
    for name, value in wanted.items():
        np.testing.assert_allclose(logs[name], value.item(), atol=1e-4, err_msg=name)


@pytest.mark.parametrize('part,other', [('g', 'd'), ('d', 'g')])
def test_a_part_moves_by_its_own_step_alone(part, other):
    """A generator that the discriminator's step also moves, or the reverse, would help its
    opponent.
    """
    state, step, batch = stepped()
    after = step(state.params, {part: 0.0, other: 1.0}, *batch)[0].params
    jax.tree.map(np.testing.assert_array_equal, after[part], state.params[part])
    assert not np.array_equal(
        after[other]['dense']['kernel'], state.params[other]['dense']['kernel']
    )


def test_labels_are_drawn_among_the_classes_of_the_fold():
    """Of a class without a training row the discriminator could learn only that it is fake."""
    samples, folds = toy()
    rows = jax.tree.map(lambda a: a[0], folds.train)
    kept = rows.index[samples.label[rows.index] != 1]
    rows = rows._replace(index=np.resize(kept, len(rows.index)))
    present = gan.fit(samples, rows, classes=3)['present']
    assert present.tolist() == [1, 0, 1]
    seen = []

    class Generator:
        latent = 100

        def apply(self, variables, z, label, **rest):
            seen.append(label)
            return jnp.zeros((len(z), 8, 8, 2)) + variables['params'], {}

    class Discriminator:
        def apply(self, variables, flow, label, **rest):
            return flow.mean((1, 2, 3)) + variables['params'], {}

    params = {'g': jnp.float32(0), 'd': jnp.float32(0)}
    gan.train_step(
        FoldState(jnp.int32(0), params, {}, {'g': 0.0, 'd': 0.0}, {'present': present}),
        samples.image[:40],
        samples.label[:40],
        jax.random.key(0),
        networks=(Generator(), Discriminator()),
        optimizer=Descent(),
        smoothing=0.1,
    )
    assert set(seen[0].tolist()) == {0, 2}


@pytest.mark.parametrize('flow,size', [(True, 8), (False, 11)])
def test_images_come_as_the_data_are(flow, size):
    """Another dtype, unit or size could not stand behind the samples; another order would give them
    each other's labels.
    """
    samples, folds = toy(size, flow)
    learner, state = state_of(samples, jax.tree.map(lambda a: a[0], folds.train))
    generator, _ = gan.networks(SETTINGS, **SHAPE)
    call = quickly(partial(gan.generate, samples, state, per_class=3, generator=generator))
    images = call(0, 0)
    assert images.shape == (9, size, size, 2) and images.dtype == samples.image.dtype
    np.testing.assert_array_equal(call(0, 0), images)
    assert not np.array_equal(call(0, 1), images) and not np.array_equal(call(1, 0), images)
    key = jax.random.fold_in(jax.random.fold_in(run_key(0, 0), gan.DRAWING), 2)
    made = generator.apply(
        {'params': state.params['g']}, jax.random.normal(key, (3, 100)), jnp.full(3, 2)
    )
    made = jax.image.resize(made, (3, size, size, 2), 'bilinear')
    wanted = made * state.fitted['scale'] if flow else np.rint(127.5 * (np.asarray(made) + 1))
    np.testing.assert_allclose(images[6:], wanted, atol=1e-5 if flow else 1)
    assert learner.predict(state, batches.inputs(samples, np.arange(5)))[0].shape == (5, 1)


@pytest.mark.parametrize('flow,size,method', [(True, 8, 'bilinear'), (False, 13, 'crop')])
def test_what_is_seen_comes_back(flow, size, method):
    """Scaling to -1..1 and back must be one map and its inverse, or made images would be brighter
    than real ones.
    """
    samples, folds = toy(flow=flow)
    fitted = gan.fit(samples, jax.tree.map(lambda a: a[0], folds.train), classes=3)
    seen = gan.preprocess(samples.image, fitted, size=size, method=method)
    assert seen.min() >= -1 and seen.max() <= 1 and seen.std() > 0.1
    back = gan.postprocess(samples.image, seen, fitted, method=method)
    assert back.dtype == samples.image.dtype
    scale = fitted.get('scale', np.inf)
    np.testing.assert_allclose(back, np.clip(samples.image, -scale, scale), atol=1e-5)
    assert gan.preprocess(samples.image, fitted, size=16).shape == (len(samples.label), 16, 16, 2)


def test_real_and_generated_images_have_batch_statistics_of_their_own():
    """Of a joined batch each would be judged by the other; running statistics of one kind alone do
    not fit the other.
    """
    samples, folds = toy()
    _, state = state_of(samples, jax.tree.map(lambda a: a[0], folds.train), **OPTIONS)
    state = state._replace(opt_state={'g': 0.0, 'd': 0.0})
    networks = gan.networks(replace(SETTINGS, **OPTIONS), **SHAPE)

    def step(image, label, key):
        return gan.train_step(
            state, image, label, key, networks=networks, optimizer=Descent(), smoothing=0.1
        )[0].batch_stats['d']

    def apart(image, label, key):
        keys = jax.random.split(key, 4)
        fake_label = jax.random.categorical(keys[1], jnp.zeros(3), shape=(6,))
        latent = jax.random.normal(keys[0], (6, 100))
        training = {'train': True, 'mutable': ['batch_stats']}
        fake, _ = networks[0].apply(gan.variables(state, 'g'), latent, fake_label, **training)
        stats = state.batch_stats['d']
        for batch in ((image, label), (fake, fake_label)):
            variables = {'params': state.params['d'], 'batch_stats': stats}
            stats = networks[1].apply(variables, *batch, **training)[1]['batch_stats']
        return stats

    batch = np.clip(draw(6, 8, 8, 2), -1, 1), jnp.array([0, 1, 2, 2, 1, 0]), jax.random.key(3)
    moved, wanted = quickly(lambda *batch: (step(*batch), apart(*batch)))(*batch)
    jax.tree.map(partial(np.testing.assert_allclose, atol=1e-6), moved, wanted)
    assert np.ptp(moved['conv2_norm']['mean']) > 0


@pytest.mark.parametrize('options', [{}, {**OPTIONS, 'size': 16}], ids=['default', 'options'])
@unoptimised()
def test_noise_in_the_left_out_subject_changes_no_bit_of_what_its_fold_makes(options):
    """One path from a tested clip into a generator, be it the scale or a label, and its images are
    no honest training rows.
    """
    samples, folds = toy(clips=(4, 2, 3, 5, 3))
    settings = replace(SETTINGS, **options)
    folds = folds._replace(test=jax.tree.map(lambda a: a[:, :0], folds.test))
    learner = gan.learner(settings, **SHAPE)
    programs = runs.compile_programs(
        learner,
        LAYOUT,
        samples,
        folds,
        runs.ProgramOptions(batches.BatchOptions(8), runs=5, test_batch=8, chunk=2),
    )
    generator, _ = gan.networks(settings, **SHAPE)
    call = parallel.over_folds(
        partial(gan.generate, per_class=2, generator=generator, method=settings.resize),
        at_once=1,
        devices=programs.devices,
    )
    noisy = with_noise(samples, 3)

    def made(samples):
        shared = parallel.replicate(samples, devices=programs.devices)
        group = runs.group_on_devices(programs._replace(samples=shared), folds, range(5))
        states, logs = runs.train_group(group, runs.init_group(group), np.int32(0), np.int32(2))
        images = call(shared, states, group.fold, group.seed)
        return *runs.to_host(group, (states, images)), logs

    one, other = made(samples), made(noisy)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((one[0].params, *one[1:])))
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[3], b[3]), one, other)
    for number in (0, 1, 2, 4):
        assert not np.array_equal(one[1][number], other[1][number]), (
            'the noise reached no other fold: this proves nothing'
        )
        for part in 'gd':
            a, b = (each[0].params[part]['dense']['kernel'][number] for each in (one, other))
            assert not np.array_equal(a, b)


@pytest.fixture(scope='module')
def once():
    """`trained` with its programs compiled once for all tests below, which train the same networks
    two runs at a time.
    """
    compiled, kept = runs.compile_programs, []

    def instead(*inputs, **settings):
        kept.extend([] if kept else [compiled(*inputs, **settings)])
        return kept[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, 'compile_programs', instead)
        yield partial(
            make, images_per_class=20, learning_rate=2e-3, width=8, layout=replace(LAYOUT, group=2)
        )


def test_a_killed_training_goes_on_to_the_same_images(once, tmp_path, capsys):
    """Sixty-seven GANs take hours: a second start must not begin again, nor end elsewhere. Two
    groups, one of them alone.
    """
    samples, folds = toy()
    folds = jax.tree.map(lambda a: a[:3], folds)
    images, logs = once(samples, folds, tmp_path / 'whole', steps=4 * 3)
    capsys.readouterr()
    once(samples, folds, tmp_path / 'cut', steps=2 * 3)
    assert '2 epochs of 3 steps' in capsys.readouterr().out
    assert checkpoint.newest(tmp_path / 'cut' / 'checkpoints' / 'group_0') == 2
    again, also = once(samples, folds, tmp_path / 'cut', steps=4 * 3)
    np.testing.assert_array_equal(again, images)
    assert images.shape == (3, 60, 8, 8, 2) and images.dtype == np.float32
    order = lambda record: (record.group, record.epoch)  # noqa: E731
    plain = [[line._replace(seconds=0) for line in sorted(log, key=order)] for log in (logs, also)]
    assert plain[0] == plain[1] and len(logs) == 2 * 4
    assert MetricsLog.read(tmp_path / 'cut').records == also


def test_it_learns_where_each_class_moves(once, tmp_path):
    """The end of it all: a made image of a class must look like that class, not like all of
    them.
    """
    samples, folds = toy()
    folds = jax.tree.map(lambda a: a[:2], folds)
    images, logs = once(samples, folds, tmp_path, steps=360)
    for run, made in enumerate(images):
        own = folds.train.index[run]
        means = [np.ravel(samples.image[own][samples.label[own] == k].mean(0)) for k in range(3)]
        likeness = np.corrcoef(means, made.reshape(3, 20, -1).mean(1))[:3, 3:]
        others = likeness[~np.eye(3, dtype=bool)]
        assert np.diag(likeness).min() > 0.6 and others.max() < 0.3, likeness.round(2)
    assert all(np.isfinite(record.figures['loss']) for record in logs)


def test_clips_and_odd_sizes_are_refused():
    """A video would end in a shape error deep inside; 28 pixels inside the network cannot be
    doubled three times.
    """
    samples, folds = toy()
    rows = jax.tree.map(lambda a: a[0], folds.train)
    with pytest.raises(UserError, match='pictures, not video'):
        jax.eval_shape(
            gan.learner(SETTINGS, **SHAPE).init,
            jax.random.key(0),
            samples._replace(image=samples.image[:, None]),
            rows,
        )
    with pytest.raises(UserError, match='multiple of 8'):
        gan.learner(replace(SETTINGS, size=28), **SHAPE).init(jax.random.key(0), samples, rows)
