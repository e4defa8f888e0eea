"""The promise that everything else rests on: what a fold becomes cannot depend on the subject it
leaves out.
"""

from dataclasses import replace
from functools import partial

import jax
import numpy as np
import optax
import pytest

from mer_jax import entries, models
from mer_jax.data import loading
from mer_jax.experiment import LEARNERS, TASKS
from mer_jax.folds import RESAMPLERS, protocols, resampling
from mer_jax.settings.sections import Alignment, Augment, Balance, Protocol
from mer_jax.training import augment, batches, learners, parallel, plan, scaling
from mer_jax.training import programs as runs
from tests.conftest import make_samples
from tests.support import networks
from tests.support.compiling import unoptimised

# name -> (learner; its settings; class weights; sampler; augmentations)
TRAININGS = {
    'plain': ('supervised', {}, 'none', 'shuffle', {}),
    'weighted sampler': ('supervised', {}, 'none', 'weighted', {'flip': 0.5}),
    'balanced': ('supervised', {}, 'balanced', 'shuffle', {'flip': 0.5}),
    'clips': (
        'supervised',
        {},
        'balanced',
        'shuffle',
        {'flip': 0.5, 'rotate': 15.0, 'crop': 0.1, 'contrast': 0.3, 'brightness': 0.3},
    ),
    'contrastive': (
        'contrastive',
        {'settings': Alignment(), 'smoothing': 0.1},
        'max',
        'shuffle',
        {'flip': 0.5, 'erase': 0.5, 'replace': 0.5},
    ),
    'contrastive, weighted sampler': (
        'contrastive',
        {'settings': Alignment(variant='released'), 'smoothing': 0.1},
        'balanced',
        'weighted',
        {'replace': 0.9, 'replace_units': 'union', 'replace_region': 'either'},
    ),
    'spotting': ('spotting', {'output': 'sigmoid'}, 'none', 'shuffle', {}),
    'action units': ('action_units', {}, 'balanced', 'shuffle', {'flip': 0.5, 'erase': 0.5}),
}
# A network without an entry here trains 'contrastive' where it has regions, and 'plain' else.
TRAINING_OF = {'single_branch': 'contrastive, weighted sampler', 'cnn3d': 'clips'}
# The fitted scale does not depend on the network: one network with each that is not 'none'.
SCALER_OF = {'ststnet': 'p995', 'microexpstcnn': 'mean_max'}
CASES = [
    (
        name,
        SCALER_OF.get(name, 'none'),
        TRAINING_OF.get(name, 'contrastive' if models.NETWORKS[name].regional else 'plain'),
    )
    for name in networks.CASES
]
CASES += [
    ('ststnet', 'none', 'weighted sampler'),
    ('ststnet', 'p995', 'spotting'),
    ('ststnet', 'none', 'action units'),
]


def trained(programs, samples, folds):
    """States of all folds after two epochs on `samples`."""
    programs = programs._replace(samples=parallel.replicate(samples, devices=programs.devices))
    group = runs.group_on_devices(programs, folds, range(len(folds.fold)))
    states, logs = runs.train_group(group, runs.init_group(group), np.int32(0), np.int32(2))
    return runs.to_host(group, states), logs


def with_noise(samples, subject):
    """The same samples, pixels, labels, targets and action units of one subject replaced by
    noise.
    """
    draw = np.random.default_rng(9)
    own = samples.subject == subject
    image, label = samples.image.copy(), samples.label.copy()
    units = samples.extras['action_units'].copy()
    image[own] = draw.normal(0, 1e3, image[own].shape).astype(image.dtype)
    label[own] = (label[own] + draw.integers(1, 3, own.sum())) % 3  # each of them another one
    units[own] = 1 - units[own]
    assert (label != samples.label).any() and (units != samples.extras['action_units']).any()
    extras = {'action_units': units}
    if 'target' in samples.extras:
        target = np.where(own, draw.random(len(own)), samples.extras['target'])
        extras['target'] = target.astype(np.float32)
    return samples._replace(image=image, label=label).with_extras(**extras)


def with_frames(samples):
    """The same rows as frames of two clips a subject, labelled from 0 to 1; those of one clip of
    subject 1 have no label.
    """
    clip = (2 * samples.subject + np.arange(len(samples.label)) % 2).astype(np.int32)
    target = np.where(clip == 2, np.nan, np.random.default_rng(4).random(len(clip))).astype(
        np.float32
    )
    frame = np.arange(len(clip), dtype=np.int32)
    return samples._replace(clip=clip).with_extras(frame=frame, target=target)


def learner_of(training, model, scaler):
    """The learner of TRAININGS and the options of its batches."""
    learner, settings, weights, sampler, changes = TRAININGS[training]
    value_range = loading.VALUE_RANGES['imagenet' if learner == 'contrastive' else '0..1']
    change = augment.compose(
        Augment(**changes),
        names=('4', '12', '25'),
        in_bytes=scaler == 'none',
        channels=['gray'] if training == 'clips' else ['u', 'v', 'strain'],
    )

    entry = TASKS[learner].learner if learner in TASKS else LEARNERS[learner]

    def fit(samples, rows):
        return scaling.fit_input(samples, rows, scaler=scaler) | entries.loaded(entry.fit)(
            samples, rows, classes=3, formula=weights
        )

    made = getattr(learners, learner)(
        model,
        optax.adam(1e-3),
        fit=fit,
        **settings,
        scale_input=partial(scaling.scale_input, value_range=value_range),
    )
    return made, batches.BatchOptions(8, sampler=sampler, augment=change)


# resampler -> settings; each with class weights on top. A generator is trained first:
# generation/rows_test.
BALANCING = {
    name: {} for name, entry in RESAMPLERS.items() if entry.extend and not entry.trained
} | {'smote, features': {'space': 'features'}}


def test_every_network_is_tested():
    """A network without a line in tests/support/networks.py could look at the rows that it is
    tested on.
    """
    assert set(networks.CASES) == set(models.NETWORKS) == {name for name, _, _ in CASES}


def test_every_learner_is_tested():
    """A learner added without a line in TRAININGS could compare its rows with those that it is
    tested on.
    """
    every = {*LEARNERS, *(name for name, task in TASKS.items() if task.learner)}
    assert every == {TRAININGS[training][0] for _, _, training in CASES}
    assert set(TRAININGS) == {training for _, _, training in CASES} | {'balanced'}


@pytest.mark.parametrize('name,scaler,training', CASES)
@networks.narrow_alexnet()
@unoptimised()
def test_noise_in_the_left_out_subject_changes_no_bit_of_its_fold(name, scaler, training):
    """Any path from test rows to training, be it a scaler, a class weight, a donor or a partner,
    shows up as a changed bit.
    """
    case = networks.CASES[name]
    is_video = len(case.small) == 4
    size, channels = case.small[-2], case.small[0 if is_video else -1]
    # nine rows train at most, in two steps
    samples, names = make_samples(subjects=4, size=size, channels=channels, clips=(3, 2, 3, 3))
    units = np.random.default_rng(1).integers(0, 2, (len(samples.label), 3)).astype(np.float32)
    samples = augment.with_half_source(samples.with_extras(action_units=units))
    if is_video:
        samples = samples._replace(image=np.moveaxis(samples.image, -1, 1)[..., None])
    if scaler == 'p995':
        samples = samples._replace(image=samples.image.astype(np.float32) / 100 - 1)
    frames = training == 'spotting'
    samples = with_frames(samples) if frames else samples
    trainable = ~np.isnan(samples.extras['target']) if frames else None
    folds, _ = protocols.make(samples, names, Protocol(), seeds=1, trainable=trainable)
    # nothing to predict: compiled in half the time
    folds = folds._replace(test=jax.tree.map(lambda a: a[:, :0], folds.test))
    learner, feed = learner_of(
        training,
        models.make(name, classes=1 if frames else 3, lowering='matmul', **case.small_options),
        scaler,
    )
    programs = runs.compile_programs(
        learner,
        plan.Plan('matmul', 1, 2, ''),
        samples,
        folds,
        runs.ProgramOptions(feed, runs=4, test_batch=8, chunk=2),
    )
    states, logs = trained(programs, samples, folds)
    noisy, also = trained(programs, with_noise(samples, 3), folds)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((states.params, logs)))
    if training.startswith('contrastive'):  # of one head or two
        parts = 0.7 * logs['cross_entropy'] + 0.3 * logs['alignment']
        np.testing.assert_allclose(logs['loss'], parts, rtol=1e-4)
        assert logs['alignment'].all()
    same = [
        np.array_equal(a, b)
        for a, b in zip(jax.tree.leaves(states.params), jax.tree.leaves(noisy.params), strict=True)
    ]
    assert not all(same), 'the noise reached no fold at all: this test would prove nothing'
    jax.tree.map(
        lambda a, b: np.testing.assert_array_equal(a[3], b[3]), (states, logs), (noisy, also)
    )


@pytest.mark.parametrize('name', sorted(BALANCING))
@unoptimised()
def test_noise_in_the_left_out_subject_changes_no_made_row_of_its_fold(name, tmp_path):
    """Made rows are drawn again from the noisy data: a neighbour, a count or a component of a
    tested clip changes a bit.
    """
    samples, names = make_samples(size=14, clips=(4, 2, 3, 6, 3))
    label = np.where(np.arange(len(samples.label)) % 4 == 0, samples.label, 0).astype(np.int32)
    label[[1, 9, 10]] = 1, 2, 1  # of subjects 0 and 3
    units = np.ones((len(label), 3), np.float32)
    samples = samples._replace(label=label).with_extras(action_units=units)
    noise = with_noise(samples, 3)  # but as many of each class: arrays of one shape, compiled once
    noise = noise._replace(
        label=np.where(samples.subject == 3, np.roll(label, 1), label).astype(np.int32)
    )
    assert (noise.label != label).any() and (np.bincount(noise.label) == np.bincount(label)).all()
    for number, subject in enumerate(names.subjects):
        image = (
            np.random.default_rng(number)
            .integers(0, 256, (4, *samples.image.shape[1:]))
            .astype(np.uint8)
        )
        np.savez(tmp_path / f'{subject}.npz', image=image, label=['a', 'b', 'c', 'c'])
    method = name.partition(',')[0]
    file = f'{tmp_path}/{{subject}}.npz' if RESAMPLERS[method].reads_file else ''
    settings = Balance(method, file=file, **BALANCING[name])
    folds, titles = protocols.make(samples, names, Protocol(), seeds=1)
    folds = folds._replace(test=jax.tree.map(lambda a: a[:, :0], folds.test))
    both = [resampling.extend(folds, each, names, titles, settings) for each in (samples, noise)]
    learner, feed = learner_of(
        'balanced', models.make('ststnet', classes=3, lowering='matmul'), 'standard'
    )
    feed = replace(feed, augment_resampled_only=RESAMPLERS[method].augmented)
    programs = runs.compile_programs(
        learner,
        plan.Plan('matmul', 1, 2, ''),
        *both[0],
        runs.ProgramOptions(feed, runs=5, test_batch=8, chunk=2),
    )
    (states, logs), (noisy, also) = (trained(programs, *each) for each in both)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((states.params, logs)))
    assert len(states.fitted) == 3, 'class weights, mean and deviation'
    same = [
        np.array_equal(a, b)
        for a, b in zip(jax.tree.leaves(states.params), jax.tree.leaves(noisy.params), strict=True)
    ]
    assert not all(same), 'the noise reached no fold at all: this test would prove nothing'
    jax.tree.map(
        lambda a, b: np.testing.assert_array_equal(a[3], b[3]), (states, logs), (noisy, also)
    )
