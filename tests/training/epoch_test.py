"""One fold: batches, order, determinism, and the learner against a hand-written step."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from mer_jax.folds import protocols, resampling
from mer_jax.settings.sections import Balance, Protocol
from mer_jax.training import batches, epoch, learners, loop, scaling
from mer_jax.types import Rows


class Net(nn.Module):
    """A small network with batch statistics and dropout."""

    @nn.compact
    def __call__(self, image, *, train):
        x = nn.Dense(8, use_bias=False)(image.reshape(len(image), -1))
        x = nn.BatchNorm(use_running_average=not train, momentum=0.9)(x)
        x = nn.Dropout(0.5, deterministic=not train)(nn.relu(x))
        return nn.Dense(3)(x), {'features': x}


def learner(scaler='none', model=None, optimizer=None):
    return learners.supervised(
        model or Net(),
        optimizer or optax.adam(1e-3),
        fit=partial(scaling.fit_input, scaler=scaler),
        scale_input=partial(scaling.scale_input, value_range=(0.0, 1.0)),
    )


def one_fold(samples, names, number=1):
    folds, _ = protocols.make(samples, names, Protocol(), seeds=1)
    return jax.tree.map(lambda a: a[number], folds)


@pytest.mark.parametrize(
    'rows,size,steps,batch',
    [
        (290, 256, 2, 145),
        (297, 256, 2, 149),
        (7, 256, 1, 7),
        (64, 64, 1, 64),
        (65, 64, 2, 33),
        (1, 1, 1, 1),
    ],
)
def test_batches_are_equal_and_repeat_less_than_a_step_each(rows, size, steps, batch):
    """Wrapping at the nominal batch size would train 1.76 times the rows on 297 clips at
    batch 256.
    """
    assert batches.batch_shape(rows, size) == (steps, batch)
    assert 0 <= steps * batch - rows < steps


def test_an_epoch_shows_every_row_once_and_wraps_round_to_the_folds_own(small):
    """A row left out of an epoch, or a row of the test in it, would show here."""
    samples, names = small
    fold = one_fold(samples, names)
    seen = []

    def step(state, batch, key):
        jax.debug.callback(lambda clip: seen.append(np.array(clip)), batch.clip, ordered=True)
        return state, {'loss': jnp.float32(0)}

    spy = learner()._replace(step=step)
    on_device = jax.tree.map(jnp.asarray, (samples, fold.train))
    epoch.train_epoch(
        0, *on_device, jax.random.key(0), learner=spy, options=batches.BatchOptions(4)
    )
    jax.effects_barrier()
    own = samples.clip[fold.train.index[fold.train.mask > 0]]
    counts = np.bincount(np.concatenate(seen), minlength=len(samples.label))
    assert set(np.flatnonzero(counts)) == set(own) and counts.max() <= 2
    assert counts.sum() == np.prod(batches.batch_shape(fold.train.index.shape[0], 4))


def test_shuffling_puts_real_rows_first_and_changes_with_the_key():
    """Padding before real rows would train on repeated rows and leave real ones out."""
    rows = Rows(jnp.arange(6), jnp.array([1, 1, 1, 1, 0, 0.0]))
    orders = [batches.shuffled(jax.random.key(k), rows) for k in range(8)]
    assert all(set(o[:4].tolist()) == {0, 1, 2, 3} for o in orders)
    assert len({tuple(o.tolist()) for o in orders}) > 1


def test_a_step_is_the_textbook_step(small):
    """Loss, gradient, Adam and batch statistics against the same written out by hand."""
    samples, names = small
    fold = one_fold(samples, names)
    tool = learner(model=Plain())
    state = tool.init(jax.random.key(1), samples, fold.train)
    batch = jax.tree.map(lambda a: a[:6], samples)
    new, logs = tool.step(state, batch, jax.random.key(2))
    image = batch.image.reshape(6, -1) / 255.0
    kernel, bias = (np.asarray(state.params['Dense_0'][k], np.float64) for k in ('kernel', 'bias'))
    logits = image @ kernel + bias
    share = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert logs['loss'] == pytest.approx(-np.log(share[np.arange(6), batch.label]).mean(), rel=1e-5)
    gradient = (share - np.eye(3)[batch.label]).mean(0)
    adam = bias - 1e-3 * gradient / (np.abs(gradient) + 1e-8)
    np.testing.assert_allclose(new.params['Dense_0']['bias'], adam, rtol=1e-4)
    assert logs['accuracy'] == np.mean(logits.argmax(1) == batch.label) and new.step == 1


class Plain(nn.Module):
    @nn.compact
    def __call__(self, image, *, train):
        return nn.Dense(3)(image.reshape(len(image), -1)), {}


def epochs_of(small, *, chunk):
    """(samples, one fold, epoch.train_epochs compiled for it, its state before the first epoch)."""
    samples, names = small
    fold = one_fold(samples, names)
    tool = learner()
    train_one = partial(epoch.train_epoch, learner=tool, options=batches.BatchOptions(8))
    run = jax.jit(partial(epoch.train_epochs, train_one=train_one, chunk=chunk))
    return (
        samples,
        fold,
        run,
        epoch.init_fold(samples, fold.train, fold.fold, fold.seed, learner=tool),
    )


def test_chunks_change_no_bit(small):
    """If the length of a compiled call mattered, a resumed run could not give the bits of an
    undisturbed one.
    """
    samples, fold, run, start = epochs_of(small, chunk=7)
    whole, logs = run((samples, 0, 7), start, fold.train, fold.fold, fold.seed)
    state, kept = start, []
    for first, count in [(0, 2), (2, 1), (3, 4)]:
        state, log = run((samples, first, count), state, fold.train, fold.fold, fold.seed)
        kept.append(log['loss'][:count])
    jax.tree.map(np.testing.assert_array_equal, state, whole)
    np.testing.assert_array_equal(np.concatenate(kept), logs['loss'])


def test_every_epoch_draws_anew(small):
    """With the same order and the same dropout in every epoch, a network would see one epoch a
    hundred times.
    """
    samples, fold, run, start = epochs_of(small, chunk=1)
    losses = [
        float(run((samples, first, 1), start, fold.train, fold.fold, fold.seed)[1]['loss'][0])
        for first in (0, 1, 2)
    ]
    assert len(set(losses)) == 3


def test_fit_covers_every_epoch_once_whatever_the_pace():
    """The host loop must neither repeat nor skip an epoch when calls get longer."""

    def train(state, done, count):
        return state, {'loss': np.full((2, 5), float(done))}

    chunks = list(loop.train_in_chunks(train, None, done=3, epochs=40, longest=5))
    ends, counts = [c.epoch for c in chunks], [c.logs['loss'].shape[1] for c in chunks]
    starts = [3, *ends[:-1]]
    assert ends[-1] == 40 and max(counts) == 5
    assert [end - count for end, count in zip(ends, counts, strict=True)] == starts
    assert [chunk.logs['loss'][0, 0] for chunk in chunks] == starts
    assert not list(loop.train_in_chunks(train, None, done=40, epochs=40))


def test_scale_is_fitted_on_training_rows_and_matches_numpy(small):
    """A scale taken over all rows would let the left-out subject shape the network's input."""
    samples, names = small
    flow = np.random.default_rng(0).normal(size=samples.image.shape).astype(np.float32)
    fold = one_fold(samples, names)
    measured = samples._replace(image=flow)
    fitted = scaling.fit_input(measured, fold.train, scaler='p995')
    expected = np.percentile(np.abs(flow[fold.train.index]), 99.5, axis=(0, 1, 2))
    np.testing.assert_allclose(fitted['scale'], expected, rtol=1e-5)
    seen = scaling.scale_input(flow[:2], fitted, value_range=(-1.0, 1.0))
    np.testing.assert_allclose(seen, np.clip(flow[:2] / expected, -1, 1), rtol=1e-4, atol=1e-6)
    noisy = flow.copy()
    noisy[fold.test.index[fold.test.mask > 0]] = 1e6
    again = scaling.fit_input(samples._replace(image=noisy), fold.train, scaler='p995')
    np.testing.assert_array_equal(fitted['scale'], again['scale'])


def test_standard_scale_is_that_of_numpy_and_of_training_rows(small):
    """Mean and deviation over all rows would let the left-out subject shape the input; padding must
    weigh nothing.
    """
    samples, names = small
    fold = one_fold(samples, names)
    own = fold.train.index[fold.train.mask > 0]
    padded = fold.train._replace(
        scaler_rows=fold.train.scaler_rows._replace(
            index=np.concatenate([own, own[:7]]), mask=np.repeat([1.0, 0.0], [len(own), 7])
        )
    )
    for clips in (samples.image, np.moveaxis(samples.image, -1, 1)[..., None]):  # pictures, videos
        for rows in (fold.train, padded):
            fitted = scaling.fit_input(samples._replace(image=clips), rows, scaler='standard')
            values = clips[own].reshape(-1, clips.shape[-1]).astype(np.float64)
            np.testing.assert_allclose(fitted['mean'], values.mean(0), rtol=1e-5)
            np.testing.assert_allclose(fitted['deviation'], values.std(0), rtol=1e-5)
        seen = scaling.scale_input(clips[:2], fitted, value_range=(0.0, 1.0))
        np.testing.assert_allclose(
            seen, (clips[:2] - values.mean(0)) / values.std(0), rtol=1e-3, atol=1e-5
        )
    still = scaling.fit_input(
        samples._replace(image=0 * samples.image), fold.train, scaler='standard'
    )
    assert np.isfinite(scaling.scale_input(samples.image[:2], still, value_range=(0.0, 1.0))).all()


def test_the_scaling_of_microexpstcnn_is_that_of_its_code(small):
    """Its authors subtract the mean of all clips and divide by the largest value that is left; here
    both are those of the fold's training rows.
    """
    samples, names = small
    fold = one_fold(samples, names)
    clips = np.moveaxis(samples.image, -1, 1)[..., None].copy()
    left_out = np.setdiff1d(np.arange(len(clips)), fold.train.index)
    clips[left_out] = 255 - clips[left_out] // 2
    fitted = scaling.fit_input(
        samples._replace(image=clips), fold.train, scaler='mean_max', subtract_onset=False
    )
    rows = fold.train.index[fold.train.mask > 0]
    theirs = clips[rows].astype('float32')
    theirs -= np.mean(theirs)
    theirs /= np.max(theirs)
    seen = scaling.scale_input(clips[rows], fitted, value_range=(0.0, 1.0))
    np.testing.assert_allclose(seen, theirs, atol=1e-5)


def test_the_difference_to_the_first_frame_is_what_is_scaled(small):
    """A scale of the frames themselves would leave the motion, some 1 % of it, too small to learn
    from.
    """
    samples, names = small
    fold, clips = one_fold(samples, names), np.moveaxis(samples.image, -1, 1)[..., None]
    fitted = scaling.fit_input(
        samples._replace(image=clips), fold.train, scaler='standard', subtract_onset=True
    )
    own = clips[fold.train.index[fold.train.mask > 0]].astype(np.float64)
    moved = own - own[:, :1]
    np.testing.assert_allclose(
        [fitted['mean'][0], fitted['deviation'][0]], [moved.mean(), moved.std()], rtol=1e-5
    )
    seen = scaling.scale_input(clips[:2], fitted, value_range=(0.0, 1.0), subtract_onset=True)
    wanted = clips[:2].astype(np.float64)
    np.testing.assert_allclose(
        seen, (wanted - wanted[:, :1] - moved.mean()) / moved.std(), rtol=1e-3, atol=1e-5
    )
    plain = scaling.scale_input(clips[:2], {}, value_range=(0.0, 1.0), subtract_onset=True)
    np.testing.assert_allclose(plain, (wanted - wanted[:, :1]) / 255, atol=1e-6)


def test_bytes_reach_the_network_in_the_range_asked_for():
    """Published STSTNet weights expect raw 0..255: any other range gives other predictions."""
    image = np.array([[0, 255, 51]], np.uint8)
    for name, expected in (
        ((0, 255), [0, 255, 51]),
        ((0, 1), [0, 1, 0.2]),
        ((-1, 1), [-1, 1, -0.6]),
    ):
        np.testing.assert_allclose(
            scaling.scale_input(image, {}, value_range=name)[0], expected, rtol=1e-6
        )


def observed(samples, fold, *, epochs=1, batch_size=4, **settings):
    """What the learner is shown, step after step, in so many epochs."""
    seen = []

    def step(state, batch, key):
        jax.debug.callback(
            lambda *given: seen.append(jax.tree.map(np.array, given[0])), batch, ordered=True
        )
        return state, {'loss': jnp.float32(0)}

    on_device = jax.tree.map(jnp.asarray, (samples, fold.train))
    for number in range(epochs):
        epoch.train_epoch(
            0,
            *on_device,
            jax.random.key(number),
            learner=learner()._replace(step=step),
            options=batches.BatchOptions(batch_size, **settings),
        )
    jax.effects_barrier()
    return seen


def test_the_weighted_sampler_fills_the_same_steps_with_rows_of_the_fold(small):
    """As many equal steps as without it, classes as often, and never the left-out subject: its rows
    were counted as drawn.
    """
    samples, names = small
    samples = samples._replace(
        label=np.where(np.arange(len(samples.label)) % 6 == 0, samples.label % 2, 2).astype(
            np.int32
        )
    )
    fold = one_fold(samples, names)
    own = fold.train.index[fold.train.mask > 0]
    seen = observed(samples, fold, epochs=12, sampler='weighted')
    steps, batch = batches.batch_shape(fold.train.index.shape[0], 4)
    assert [len(one.label) for one in seen] == [batch] * steps * 12
    clips, labels = (
        np.concatenate([getattr(one, name) for one in seen]) for name in ('clip', 'label')
    )
    assert set(clips) == set(own), 'a row of the left-out subject, or one that never comes'
    present = np.unique(samples.label[own])
    counts, share = np.bincount(labels, minlength=3)[present], len(labels) / len(present)
    assert (
        len(present) == 3
        and (abs(counts - share) < 5 * np.sqrt(share)).all()
        and (samples.label[own] == 2).mean() > 0.7
    )
    np.testing.assert_array_equal(labels, samples.label[clips])


def test_rows_in_order_are_the_same_every_epoch(small):
    """STSTNet's authors read the folders of the classes one after another and never shuffle: a
    first batch of one class moves other batch statistics than a mixture.
    """
    samples, names = small
    fold = one_fold(samples, names)
    rows = fold.train.index[fold.train.mask > 0]
    by_class = [row for label in range(3) for row in np.sort(rows) if samples.label[row] == label]
    seen = observed(samples, fold, epochs=2, sampler='in_order')
    steps, batch = batches.batch_shape(fold.train.index.shape[0], 4)
    wrapped = [by_class[number % len(by_class)] for number in range(steps * batch)]
    shown = np.concatenate([one.clip for one in seen])
    np.testing.assert_array_equal(shown, 2 * list(samples.clip[wrapped]))


def test_every_row_is_changed_anew_with_a_donor_of_its_class(small):
    """One key for a whole batch would change all rows alike; a donor of another class or of the
    test would spoil the label.
    """
    samples, names = small
    fold = one_fold(samples, names)

    def augment(key, sample, donor):
        return sample.with_extras(draw=jax.random.uniform(key), donor=donor.clip)

    seen = observed(samples, fold, epochs=3, augment=augment)
    clip, label = (
        np.concatenate([getattr(one, name) for one in seen]) for name in ('clip', 'label')
    )
    donor, draw = (np.concatenate([one.extras[name] for one in seen]) for name in ('donor', 'draw'))
    own = set(fold.train.index[fold.train.mask > 0])
    assert (
        set(donor) <= own and (samples.label[donor] == label).all() and (donor != clip).mean() > 0.5
    )
    assert len(np.unique(draw)) == len(draw), (
        'the same numbers twice, in a batch, a step or an epoch'
    )


def balanced(samples, names, fold):
    """A fold of `samples` with copies that balance it, and so many rows in all."""
    place = np.arange(len(samples.label))
    samples = samples._replace(label=np.where(place % 5 == 0, 1 + place % 2, 0).astype(np.int32))
    folds, titles = protocols.make(samples, names, Protocol(), seeds=1)
    _, folds = resampling.extend(folds, samples, names, titles, Balance('oversample'))
    return samples, jax.tree.map(lambda a: a[fold], folds)


def test_made_rows_train_once_an_epoch_beside_the_folds_own(small):
    """Balanced means that an epoch shows every class as often, and still every row of the fold."""
    samples, fold = balanced(*small, 1)
    seen = observed(samples, fold, epochs=1)
    labels, clips = (
        np.concatenate([getattr(one, name) for one in seen]) for name in ('label', 'clip')
    )
    real = int(fold.train.mask.sum())
    counts = np.bincount(labels[:real])
    assert (
        len(counts) == 3
        and (counts == counts.max()).all()
        and counts.sum() == real > fold.train.scaler_rows.mask.sum()
    )
    assert (
        set(clips) == set(fold.train.scaler_rows.index) and (samples.label[clips] == labels).all()
    )


def test_balanced_augmentation_changes_made_rows_alone(small):
    """The rows of the fold stay as recorded; without the switch every row is changed."""
    samples, fold = balanced(*small, 1)
    samples = samples.with_extras(changed=np.zeros(len(samples.label), np.float32))

    def augment(key, sample, donor):
        return sample.with_extras(changed=jnp.float32(1))

    real = int(fold.train.mask.sum())
    for switch, expected in ((True, real - fold.train.scaler_rows.mask.sum()), (False, real)):
        seen = observed(samples, fold, augment=augment, augment_resampled_only=switch)
        assert np.concatenate([one.extras['changed'] for one in seen])[:real].sum() == expected


def test_augmentation_without_effect_changes_no_bit(small):
    """The order of rows and the dropout must not depend on whether rows are changed: else two
    settings differ by chance.
    """
    samples, names = small
    fold = one_fold(samples, names)
    start = epoch.init_fold(samples, fold.train, fold.fold, fold.seed, learner=learner())
    states = [
        jax.jit(
            partial(
                epoch.train_epoch,
                learner=learner(),
                options=batches.BatchOptions(8, augment=change),
            )
        )(start, samples, fold.train, jax.random.key(0))[0]
        for change in (None, lambda key, sample, donor: sample)
    ]
    jax.tree.map(np.testing.assert_array_equal, *states)
