"""Rows that a user's code receives are those that a compiled training step computes."""

import jax
import jax.numpy as jnp
import numpy as np

from mer_jax.folds import protocols, resampling
from mer_jax.foreign import preparation
from mer_jax.settings import sections
from mer_jax.training import batches, scaling
from tests.conftest import make_samples


def loso(method):
    samples, names = make_samples(size=6)
    samples = samples._replace(image=samples.image.astype(np.float32))
    folds, titles = protocols.make(samples, names, sections.Protocol(), seeds=1)
    balance = sections.Balance(method=method)
    return resampling.extend(folds, samples, names, titles, balance)


def test_mixtures_are_those_of_the_training_step():
    """The same SMOTE under one name in both worlds, or a comparison compares two things."""
    samples, folds = loso('smote')
    run = 2
    rows = preparation.rows_of_run(folds, run, None)
    received = preparation.training_rows(samples, rows)
    assert len(received.y) > np.sum(rows.train < len(samples.label))
    train = jax.tree.map(lambda column: column[run], folds.train)
    batch = batches.gather(jax.tree.map(jnp.asarray, samples), train, jnp.asarray(rows.train))
    np.testing.assert_allclose(received.x, batch.image, rtol=1e-6)
    np.testing.assert_array_equal(received.y, batch.label)


def test_the_scale_is_that_of_the_training_step():
    """The same figures from the same rows."""
    samples, folds = loso('none')
    rows = preparation.rows_of_run(folds, 0, None)
    scale = preparation.fit_scale(samples.image, rows.scaler_rows, 'standard')
    train = jax.tree.map(lambda column: column[0], folds.train)
    fitted = scaling.fit_input(samples, train, scaler='standard')
    np.testing.assert_allclose(scale.mean, fitted['mean'], rtol=1e-5)
    np.testing.assert_allclose(scale.deviation, fitted['deviation'], rtol=1e-5)
