"""Data sets of the user's own arrays: what is kept, and what is refused by name."""

import numpy as np
import pytest

from mer_jax.data.arrays import dataset, load, unit_dataset
from mer_jax.errors import UserError

X = np.random.default_rng(0).normal(size=(8, 5))
Y = np.array([0, 1, 0, 1, 0, 1, 0, 1])
SUBJECT = ['a', 'a', 'a', 'a', 'b', 'b', 'b', 'b']


def test_arrays_are_kept_as_they_are():
    """Whoever has scaled x has a reason; scaling it again would change the result in silence."""
    data = dataset(X, Y, SUBJECT, classes=['no', 'yes'])
    np.testing.assert_array_equal(data.x, X.astype(np.float32))
    np.testing.assert_array_equal(data.y, Y)
    assert [data.subjects[number] for number in data.subject] == SUBJECT
    assert data.classes == ('no', 'yes') and len(data) == 8
    video = dataset(np.full((8, 4, 6, 6, 1), 255, np.uint8), Y, SUBJECT, scale=1 / 255)
    assert video.x.shape == (8, 4, 6, 6, 1)
    np.testing.assert_allclose(video.x, 1)


def test_labels_are_names_or_indices():
    """A name in another order than classes would give every row the wrong class."""
    named = dataset(X, np.where(Y, 'yes', 'no'), SUBJECT, classes=['yes', 'no'])
    np.testing.assert_array_equal(named.y, 1 - Y)
    np.testing.assert_array_equal(dataset(X, Y.astype(float), SUBJECT, ['no', 'yes']).y, Y)
    assert dataset(X, 10 * Y, SUBJECT).classes == ('0', '10')


def test_other_arrays_have_another_fingerprint():
    """A run must not go on with other data."""
    other = X.copy()
    other[3, 2] += 1
    prints = {dataset(x, Y, SUBJECT).content.fingerprint for x in (X, X.copy(), other)}
    assert len(prints) == 2


@pytest.mark.parametrize(
    'change,named',
    [
        ({'x': X[:, 0]}, 'x has shape (8,)'),
        ({'x': X.astype(str)}, 'x holds'),
        ({'x': np.where(np.arange(8)[:, None] == 5, np.nan, X)}, 'x: row 5'),
        ({'y': Y[:7]}, 'y has shape (7,)'),
        ({'y': Y.astype(float) * np.nan}, 'y: row 0'),
        ({'y': Y + 1}, 'y: row 1 is 2'),
        ({'y': np.where(Y, 'yes', 'maybe')}, "y: row 0 is 'maybe'"),
        ({'classes': ['no']}, 'classes'),
        ({'classes': ['no', 'yes', 'other']}, "classes: 'other'"),
        ({'subject': SUBJECT[:3]}, 'subject has shape (3,)'),
        ({'subject': ['a'] * 8}, "subject holds only 'a'"),
        ({'subject': Y}, 'subject: each subject has all rows of one class'),
        ({'clip': ['same'] * 8}, "clip: 'same'"),
    ],
)
def test_a_mistake_is_named(change, named):
    """NaN, a wrong length or a label out of range would end in a score, or in jax's own words."""
    arguments = {'x': X, 'y': Y, 'subject': SUBJECT, 'classes': ['no', 'yes']} | change
    with pytest.raises(UserError) as error:
        dataset(**arguments)
    assert named in str(error.value) and '\n' not in str(error.value)


UNITS = np.stack([Y, 1.0 - Y], 1)
NAMES = ['AU4', 'AUL12']


def changed(row, column, value):
    units = UNITS.copy()
    units[row, column] = value
    return units


def test_units_are_kept_with_what_is_unknown():
    """Unknown read as absent would be scored as an error of the detector, or as a success."""
    units = changed(3, 1, np.nan)
    data = unit_dataset(X, units, SUBJECT, NAMES)
    np.testing.assert_array_equal(data.y, units)
    assert data.of_units and data.classes == ('AU4', 'AUL12') and len(data) == 8
    assert data.content.names.action_units == ('4', 'L12')
    other = unit_dataset(X, UNITS, SUBJECT, NAMES)
    assert other.content.fingerprint != data.content.fingerprint
    assert not dataset(X, Y, SUBJECT).of_units


@pytest.mark.parametrize(
    'change,named',
    [
        ({'units': Y}, 'units is int64[8]'),
        ({'units': UNITS.astype(str)}, 'units is <U'),
        ({'units': np.where(UNITS == 1, 1, None)}, '; NaN where a unit is unknown'),
        ({'units': changed(6, 0, 2)}, 'units: row 6 has 2.0 of AU4'),
        ({'units': changed(2, [0, 1], np.nan)}, 'units: row 2 has no known unit'),
        ({'units': 0 * UNITS}, 'units: no row shows'),
        ({'names': ['AU4']}, '[8, 1]'),
        ({'names': ['AU4', 'AU4']}, "names is ['AU4', 'AU4']"),
        ({'names': ['AU4', 'smile']}, "names: 'smile'"),
        ({'subject': ['a'] * 8}, "subject holds only 'a'"),
    ],
)
def test_a_mistake_in_units_is_named(change, named):
    """A 2 (of a scale of intensity) would count as neither, in silence."""
    arguments = {'units': UNITS, 'subject': SUBJECT, 'names': NAMES} | change
    with pytest.raises(UserError) as error:
        unit_dataset(X, **arguments)
    assert named in str(error.value) and '\n' not in str(error.value)


def test_a_tfds_data_set(tiny_data, monkeypatch):
    """A published data set is what a network of the user is compared on."""
    monkeypatch.setenv('TFDS_DATA_DIR', tiny_data)
    data = load('synthetic_faces/tiny', channels='u,v', size=12, value_range='-1..1')
    assert data.x.shape[1:] == (12, 12, 2) and data.x.dtype == np.float32
    assert data.x.min() == -1 and data.x.max() == 1
    with pytest.raises(UserError, match='value_range'):
        load('synthetic_faces/tiny', value_range='0..2')
