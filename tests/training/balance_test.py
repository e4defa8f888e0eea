"""Weights against unequal classes: by hand, as scikit-learn's, and blind to padding and to other
folds.
"""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from mer_jax.folds import protocols
from mer_jax.settings.sections import Protocol
from mer_jax.training import balance, batches
from mer_jax.types import Rows

# Of ten samples the fold trains on rows 0..6: four of class 0, two of class 1, one of class 3. Row
# 7 is left out, 8 and 9 are of other folds, rows 0 and 4 stand again as padding.
LABEL = jnp.array([0, 0, 1, 0, 3, 1, 0, 2, 2, 1])
ROWS = Rows(jnp.array([6, 0, 2, 4, 1, 5, 3, 0, 4]), jnp.array([1, 1, 1, 1, 1, 1, 1, 0, 0.0]))
BY_HAND = {
    'none': [1, 1, 0, 1],
    'max': [4 / 4, 4 / 2, 0, 4 / 1],
    'total': [7 / 4, 7 / 2, 0, 7 / 1],
    'balanced': [7 / (3 * 4), 7 / (3 * 2), 0, 7 / (3 * 1)],
}


@pytest.mark.parametrize('formula', sorted(balance.CLASS_WEIGHTS))
def test_class_weights_by_hand(formula):
    """Padding that counts would change a weight; a class that no row has would divide by zero."""
    found = balance.class_weight(LABEL, ROWS, classes=4, formula=formula)
    np.testing.assert_allclose(found, BY_HAND[formula], rtol=1e-6)


def test_every_formula_is_tested_by_hand():
    """A formula added without a row in BY_HAND would be tested by nothing."""
    assert set(BY_HAND) == set(balance.CLASS_WEIGHTS)


def test_balanced_is_that_of_scikit_learn():
    """The name promises their numbers."""
    label = np.repeat([0, 1, 2], [11, 5, 2])
    rows = Rows(jnp.arange(18), jnp.ones(18))
    found = balance.class_weight(jnp.asarray(label), rows, classes=3, formula='balanced')
    np.testing.assert_allclose(
        found, compute_class_weight('balanced', classes=np.arange(3), y=label), rtol=1e-6
    )


def test_only_the_rows_of_the_fold_are_counted():
    """A left-out subject whose labels move a weight leaks into training."""
    other = LABEL.at[jnp.array([7, 8, 9])].set(0)
    for formula in balance.CLASS_WEIGHTS:
        one, two = (
            balance.class_weight(label, ROWS, classes=4, formula=formula)
            for label in (LABEL, other)
        )
        np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(batches.row_weight(LABEL, ROWS), batches.row_weight(other, ROWS))


def test_a_longer_padding_changes_no_weight():
    """Folds are padded to the longest: what a fold learns must not depend on how long the others
    are.
    """
    longer = Rows(
        jnp.concatenate([ROWS.index, ROWS.index[:5]]), jnp.concatenate([ROWS.mask, jnp.zeros(5)])
    )
    for formula in balance.CLASS_WEIGHTS:
        one, two = (
            balance.class_weight(LABEL, rows, classes=4, formula=formula) for rows in (ROWS, longer)
        )
        np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(
        batches.row_weight(LABEL, longer)[:9], batches.row_weight(LABEL, ROWS)
    )


def test_what_is_fitted_is_what_the_loss_reads(small):
    """Another key would leave the loss unweighted without a word; 'none' must not change the
    compiled program.
    """
    samples, _ = small
    rows = protocols.make(*small, Protocol(), seeds=1)[0].train
    rows = jax.tree.map(lambda a: a[0], rows)
    assert balance.fit_class_weight(samples, rows, classes=3, formula='none') == {}
    ((name, weight),) = balance.fit_class_weight(samples, rows, classes=3, formula='max').items()
    assert name == 'class_weight' and weight.shape == (3,)


def test_the_classes_weigh_the_same():
    """By hand: a row of a class of four weighs a quarter."""
    np.testing.assert_allclose(
        batches.row_weight(LABEL, ROWS), [1 / 4, 1 / 4, 1 / 2, 1, 1 / 4, 1 / 2, 1 / 4, 0, 0]
    )


def test_the_weighted_order_draws_classes_as_often_and_rows_of_a_class_too():
    """6000 draws: 5 standard deviations around a third of them for each class, and around a quarter
    of that for a row.
    """
    drawn = np.asarray(batches.weighted_order(jax.random.key(0), LABEL, ROWS, 6000))
    assert set(drawn) == set(range(7)), 'a row of another fold, or one that is never seen'
    counts = np.bincount(np.asarray(LABEL)[drawn], minlength=4)
    assert counts[2] == 0 and (abs(counts[[0, 1, 3]] - 2000) < 5 * np.sqrt(6000 * 2 / 9)).all()
    rows = np.bincount(drawn, minlength=7)
    assert (abs(rows[[0, 1, 3, 6]] - 500) < 5 * np.sqrt(500)).all()
    again = np.asarray(batches.weighted_order(jax.random.key(1), LABEL, ROWS, 6000))
    assert (drawn != again).any()


def test_padding_is_never_drawn():
    """A padded row would count twice; here the padding alone holds row 5."""
    rows = Rows(jnp.array([0, 2, 5]), jnp.array([1, 1, 0.0]))
    drawn = np.asarray(batches.weighted_order(jax.random.key(0), LABEL, rows, 2000))
    assert set(drawn) == {0, 2}


def test_a_unit_is_weighted_by_its_known_training_rows():
    """A row of the left-out subject, a row of padding or an unknown entry that counts moves a
    weight; a unit without rows would divide by zero.
    """
    units = np.zeros((10, 5), np.float32)  # of ROWS 0 to 6 train
    units[[0, 1, 7, 8, 9], 0] = 1  # 2 of 7 show it
    units[:, 1] = np.nan
    units[[2, 3, 4], 1] = 1, 0, 0  # 1 of 3 known
    units[7:, 2] = 1  # no training row
    units[:, 3] = 1  # every training row
    units[:, 4] = np.nan  # never known
    samples = SimpleNamespace(extras={'action_units': jnp.asarray(units)})
    for formula in balance.CLASS_WEIGHTS:
        fitted = balance.fit_unit_weight(samples, ROWS, classes=5, formula=formula)
        expected = [1, 1, 1, 1, 1] if formula == 'none' else [5 / 2, 2 / 1, 1, 1, 1]
        np.testing.assert_allclose(fitted['unit_weight'], expected, rtol=1e-6)
        assert fitted['unit_seen'].tolist() == [True, True, False, True, False]
