"""The promise that everything else rests on: what a fold becomes cannot depend on the subject it leaves out."""

from functools import partial

import jax
import numpy as np
import optax
import pytest

from mer_jax import learners, models, parallel, plan, protocol, runs, scaling
from tests.conftest import make_samples

# network -> (smallest comfortable size, channels, keywords)
NETWORKS = {
    'ststnet': (28, 3, {}),
    'offapexnet': (28, 2, {}),
    'dual_inception': (12, 2, {}),
    'alexnet': (63, 2, {'hidden': 32}),
    'vggm': (75, 2, {}),
    'ocnet': (23, 2, {}),
}


def trained(programs, samples, folds, epochs=2):
    """States of all folds after two epochs on `samples`."""
    programs = programs._replace(samples=parallel.replicated(samples, devices=programs.devices))
    rows, fold, seed, _ = runs.place(folds, range(len(folds.fold)), programs.length, 8, programs.devices)
    states = programs.init(programs.samples, rows, fold, seed)
    states, logs = programs.run((programs.samples, np.int32(0), np.int32(epochs)), states, rows, fold, seed)
    return jax.tree.map(np.asarray, states), jax.tree.map(np.asarray, logs)


def with_noise(samples, subject):
    """The same samples, pixels and labels of one subject replaced by noise."""
    draw = np.random.default_rng(9)
    own = samples.subject == subject
    image, label = samples.image.copy(), samples.label.copy()
    image[own] = draw.normal(0, 1e3, image[own].shape).astype(image.dtype)
    label[own] = draw.integers(0, 3, own.sum())
    assert (label != samples.label).any()
    return samples._replace(image=image, label=label)


@pytest.mark.parametrize('scale', ['stretch', 'p995'])
@pytest.mark.parametrize('name', sorted(NETWORKS))
def test_noise_in_the_left_out_subject_changes_no_bit_of_its_fold(name, scale):
    """Any path from test rows to training, be it a scaler, a batch or a gather, shows up as a changed bit."""
    if scale == 'p995' and name not in ('ststnet', 'offapexnet'):
        pytest.skip('the fitted scale does not depend on the network')
    size, channels, keywords = NETWORKS[name]
    samples, names = make_samples(size=size, channels=channels, clips=(4, 2, 3, 2, 3))
    if scale == 'p995':
        samples = samples._replace(image=samples.image.astype(np.float32) / 100 - 1)
    folds, _ = protocol.make('loso', samples, names, folds=2, holdout=0.5, seed=0, seeds=1)
    learner = learners.supervised(
        models.make(name, classes=3, lowering='matmul', **keywords), optax.adam(1e-3),
        fit_input=partial(scaling.fit_input, scale=scale),
        scale_input=partial(scaling.scale_input, value_range=(0.0, 1.0)))
    programs = runs.compiled(learner, plan.Plan('matmul', 1, 2, ''), samples, folds, runs=5, batch_size=8, test_batch=8,
                             chunk=2)
    states, logs = trained(programs, samples, folds)
    noisy, also = trained(programs, with_noise(samples, 3), folds)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves((states.params, logs)))
    same = [np.array_equal(a, b) for a, b in zip(jax.tree.leaves(states.params), jax.tree.leaves(noisy.params), strict=True)]
    assert not all(same), 'the noise reached no fold at all: this test would prove nothing'
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[3], b[3]), (states, logs), (noisy, also))
