"""All runs on the devices: every layout gives the same results, groups and resumed runs the same
bits.
"""

from functools import partial

import flax.linen as nn
import jax
import numpy as np
import optax
import pytest

from mer_jax.folds import protocols
from mer_jax.settings.sections import Augment, Protocol
from mer_jax.training import augment, batches, checkpoint, fold_by_fold, held_out, plan
from mer_jax.training import programs as runs
from mer_jax.types import Inputs
from tests.conftest import make_samples
from tests.training.epoch_test import learner

# it changes at every step, so a run that forgets how far it was trains at another
RATE = optax.cosine_decay_schedule(1e-3, 24)


def setup(samples, names, *, seeds=1):
    return protocols.make(samples, names, Protocol(), seeds=seeds)[0]


def group_of(folds, samples, *, layout, members=None, size=None, chunk=4, change=None):
    members = np.arange(len(folds.fold)) if members is None else members
    programs = runs.compile_programs(
        learner(optimizer=optax.adam(RATE)),
        layout,
        samples,
        folds,
        runs.ProgramOptions(
            batches.BatchOptions(8, augment=change),
            runs=size or len(members),
            test_batch=4,
            chunk=chunk,
        ),
    )
    return runs.group_on_devices(programs, folds, members)


def fit(folds, samples, folder, *, epochs=3, interval=60.0, stop=None, **placing):
    """(states, outputs) of a training that goes on where one in `folder` was stopped, as a kill
    behind the log of epoch `stop` and before its checkpoint would.
    """
    group = group_of(folds, samples, **placing)
    with checkpoint.opened(folder) as manager:
        done = max(checkpoint.newest(folder), 0)
        states = runs.restore_group(group, manager, done) if done else runs.init_group(group)
        schedule = checkpoint.Schedule(interval)
        for chunk in runs.train_group_in_chunks(group, states, done=done, epochs=epochs):
            states = chunk.states
            if chunk.epoch == stop:
                raise KeyboardInterrupt
            if chunk.epoch == epochs or schedule.due():
                with schedule.writing():
                    checkpoint.save(manager, chunk.epoch, runs.to_host(group, states))
    return runs.to_host(group, states), runs.predict_group(group, states)


def layout(at_once=1, devices=2):
    return plan.Plan('matmul', at_once, devices, 'test')


@pytest.fixture(scope='module')
def reference(tmp_path_factory):
    samples, names = make_samples()
    folds = setup(samples, names)
    return (
        samples,
        folds,
        *fit(
            folds, samples, tmp_path_factory.mktemp('reference') / 'run', layout=layout(), epochs=2
        ),
    )


@pytest.mark.parametrize('at_once,devices', [(1, 1), (2, 2), (5, 1)])
def test_every_layout_trains_the_same(reference, tmp_path, at_once, devices):
    """A fold's result must not depend on who trains beside it: 5 runs on 2 devices also try the
    padding.
    """
    samples, folds, states, outputs = reference
    other, also = fit(folds, samples, tmp_path / 'other', layout=layout(at_once, devices), epochs=2)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), other, states)
    np.testing.assert_allclose(also, outputs, rtol=1e-4, atol=1e-5)


def test_groups_give_the_same_bits(reference, tmp_path):
    """Where memory holds three of five runs, the third group-mate must not change what a run
    becomes.
    """
    samples, folds, states, outputs = reference
    first, one = fit(
        folds,
        samples,
        tmp_path / 'a',
        layout=layout(),
        members=np.array([0, 1, 2]),
        size=4,
        epochs=2,
    )
    second, two = fit(
        folds, samples, tmp_path / 'b', layout=layout(), members=np.array([3, 4]), size=4, epochs=2
    )
    joined = jax.tree.map(lambda a, b: np.concatenate([a, b]), first, second)
    jax.tree.map(np.testing.assert_array_equal, joined, states)
    np.testing.assert_array_equal(np.concatenate([one, two]), outputs)


def test_fold_by_fold_trains_the_same_with_numbers_to_look_at():
    """What a user sees at a breakpoint must be what the compiled programs compute."""
    samples, names = make_samples(subjects=3, clips=(5, 5, 5), size=4, channels=1)
    folds = jax.tree.map(lambda rows: rows[[1]], setup(samples, names))
    means = []

    class Seen(nn.Module):
        """A layer and dropout: each operation here is compiled alone, for each shape."""

        @nn.compact
        def __call__(self, image, *, train):
            if not isinstance(image, jax.core.Tracer):
                means.append(float(image.mean()))
            x = nn.Dropout(0.5, deterministic=not train)(image.reshape(len(image), -1))
            return nn.Dense(3, use_bias=False)(x), {'features': x}

    tool = learner(model=Seen(), optimizer=optax.sgd(0.1))
    options = runs.ProgramOptions(batches.BatchOptions(5), runs=1, test_batch=5, chunk=2)
    trained = []
    for programs in (
        runs.compile_programs(tool, layout(devices=1), samples, folds, options),
        fold_by_fold.programs(tool, samples, folds, options),
    ):
        assert not means
        group = runs.group_on_devices(programs, folds, np.array([0]))
        start = runs.init_group(group)
        (*_, last) = runs.train_group_in_chunks(group, start, done=0, epochs=2)
        assert last.epoch == 2
        trained.append((runs.to_host(group, last.states), runs.predict_group(group, last.states)))
    assert len(set(means)) >= 4
    compiled, plain = trained
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5), plain, compiled)


def test_a_stopped_run_continues_to_the_same_bits(tmp_path):
    """The promise behind resuming: stop anywhere, go on, get what an undisturbed run gets. Flips,
    erased rectangles, donors, dropout and the rate must follow from the epoch alone, not from what
    was drawn since the start.
    """
    samples, names = make_samples()
    folds = setup(samples, names)
    units = np.random.default_rng(1).integers(0, 2, (len(samples.label), 3)).astype(np.float32)
    samples = augment.with_half_source(samples.with_extras(action_units=units))
    changed = {
        'layout': layout(),
        'epochs': 6,
        'chunk': 1,  # one program for all three; epoch_test has other chunks
        'change': augment.compose(
            Augment(flip=0.5, erase=0.5, replace=0.5),
            names=('4', '12', '25'),
            in_bytes=True,
            channels=['u', 'v', 'strain'],
        ),
    }
    whole, outputs = fit(folds, samples, tmp_path / 'whole', **changed)

    with pytest.raises(KeyboardInterrupt):
        fit(folds, samples, tmp_path / 'cut', interval=0.0, stop=4, **changed)
    assert checkpoint.newest(tmp_path / 'cut') == 3
    states, again = fit(folds, samples, tmp_path / 'cut', **changed)
    jax.tree.map(np.testing.assert_array_equal, states, whole)
    np.testing.assert_array_equal(again, outputs)


def test_a_checkpoint_restores_onto_another_device_count(reference, tmp_path):
    """Without an abstract tree Orbax refuses this; a finished run must open on any machine."""
    samples, folds, _, _ = reference
    before, outputs = fit(folds, samples, tmp_path / 'x', layout=layout(devices=2), epochs=2)
    after, again = fit(folds, samples, tmp_path / 'x', layout=layout(devices=1), epochs=2)
    jax.tree.map(np.testing.assert_array_equal, before, after)
    np.testing.assert_allclose(again, outputs, rtol=1e-5, atol=1e-6)


def test_a_run_of_two_devices_continues_on_one_to_the_same_bits(reference, tmp_path):
    """Who loses a device in the middle of a run must not lose the run, nor get another result."""
    samples, folds, _, _ = reference
    whole, outputs = fit(folds, samples, tmp_path / 'whole', layout=layout(devices=2), epochs=4)
    fit(folds, samples, tmp_path / 'cut', layout=layout(devices=2), epochs=2)
    states, again = fit(folds, samples, tmp_path / 'cut', layout=layout(devices=1), epochs=4)
    jax.tree.map(np.testing.assert_array_equal, states, whole)
    np.testing.assert_array_equal(again, outputs)


def test_seeds_differ_and_folds_differ(reference, tmp_path):
    """Runs that share a random stream would make three seeds one."""
    samples, folds, _, _ = reference
    doubled = jax.tree.map(lambda a: np.concatenate([a, a]), folds)._replace(
        seed=np.repeat([0, 1], 5).astype(np.int32)
    )
    states, _ = fit(doubled, samples, tmp_path / 'seeds', layout=layout(), epochs=0)
    kernels = states.params['Dense_0']['kernel'].reshape(10, -1)
    assert len(np.unique(kernels[:, 0])) == 10


def test_outputs_return_to_the_order_of_the_data_set(reference):
    """Concatenating folds instead of scattering by row would pair outputs with the wrong clips."""
    samples, folds, _, outputs = reference
    gathered = held_out.in_stored_order(outputs, folds)
    found = held_out.predictions(gathered, samples, folds)
    np.testing.assert_array_equal(found.clip, samples.clip)
    np.testing.assert_array_equal(found.subject, samples.subject)
    row = 9  # the third clip of subject 1
    np.testing.assert_array_equal(found.output[row], outputs[1].reshape(-1, 3)[2])
    assert found.fold[row] == 1


def test_outputs_are_the_networks(reference):
    """The compiled, mapped, batched prediction equals calling the network on the row."""
    samples, folds, states, outputs = reference
    tool = learner()
    one = jax.tree.map(lambda a: a[2], states)
    logits, _ = tool.predict(one, batches.inputs(samples, folds.test.index[2]))
    np.testing.assert_allclose(
        outputs[2].reshape(-1, 3)[: len(logits)], logits, rtol=1e-5, atol=1e-6
    )


def test_nothing_that_predicts_can_see_a_label(reference):
    """Neither by its type nor by its bits: a label, unit or target that reached a network would
    make every score of a held-out clip worthless.
    """
    samples, folds, states, _ = reference
    count = len(samples.label)
    samples = samples.with_extras(target=np.zeros(count), frame=np.arange(count))
    one, tool, seen = jax.tree.map(lambda a: a[0], states), learner(), []

    def predict(state, inputs):
        seen.append(inputs)
        return tool.predict(state, inputs)

    spied = jax.jit(partial(held_out.predict_rows, learner=tool._replace(predict=predict)))
    index = np.arange(count)[None]
    outputs = spied(samples, one, index)
    (inputs,) = seen
    assert isinstance(inputs, Inputs) and Inputs._fields == ('image', 'extras')
    assert set(inputs.extras) == {'frame'}, 'what somebody annotated'
    noise = np.random.default_rng(0).random((count, 2)).astype(np.float32)
    other = samples._replace(label=2 - samples.label, subject=0 * samples.subject)
    other = other.with_extras(action_units=noise, target=noise[:, 0])
    np.testing.assert_array_equal(spied(other, one, index), outputs)


def test_half_a_checkpoint_does_not_count(tmp_path):
    """A kill during a save leaves a temporary folder; taking it for a checkpoint would lose the
    run.
    """
    (tmp_path / '12.orbax-checkpoint-tmp').mkdir()
    (tmp_path / '7').mkdir()
    assert checkpoint.newest(tmp_path) == 7
    assert checkpoint.newest(tmp_path / 'none') == -1
