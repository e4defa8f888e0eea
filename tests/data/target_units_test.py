"""target_units: from coded action units to what is detected."""

import numpy as np
import pytest

from mer_jax.data import target_units
from mer_jax.errors import UserError

NAN = float('nan')
CELLS = [  # cell, and what it says of 4, 7, 12 and 14
    ('4+7', [1, 1, 0, 0]),
    ('L12A', [0, 0, 1, 0]),
    ('12?', [0, 0, NAN, 0]),
    ('L12 or L14', [0, 0, NAN, NAN]),
    ('(L12 or R12)+4', [1, 0, 1, 0]),
    ('12 or 14+12', [0, 0, 1, NAN]),
    ('ref(7B)+43', [0, 0, 0, 0]),
    ('43', [0, 0, 0, 0]),
]


def record(cell, known=True):
    return {'action_units': cell, 'action_units_known': known}


@pytest.mark.parametrize('cell,expected', CELLS, ids=[cell for cell, _ in CELLS])
def test_what_a_coder_doubts_is_unknown(cell, expected):
    """A doubted unit as absent, or both of two alternatives as present, would be a made-up
    truth.
    """
    np.testing.assert_array_equal(target_units.row(record(cell), ('4', '7', '12', '14')), expected)


def test_sides_are_targets_of_their_own():
    """A mirror image swaps the columns: a unit in both of them could not be told apart."""
    names = target_units.columns((4, 12), lateral=True)
    assert names == ('L4', 'R4', 'L12', 'R12')
    assert target_units.row(record('L12+4'), names) == [1, 1, 1, 0]
    np.testing.assert_array_equal(target_units.row(record('R12?'), names), [0, 0, 0, NAN])


def test_why_a_clip_is_left_out():
    """A clip that nobody coded is not one without units."""
    unknown = target_units.row(record('', known=False), ('4', '12'))
    assert np.isnan(unknown).all() and 'known' in target_units.why_dropped({}, unknown)
    assert target_units.why_dropped({}, [0, NAN]) == ''
    assert 'macro' in target_units.why_dropped({'kind': 'macro'}, [0, 1])


@pytest.mark.parametrize('text', ['', '1+', '1+x', '1+1', '0+4', '1,2', '99'])
def test_targets_that_are_no_units_are_refused_in_one_line(text):
    """Found in training, a mistyped list costs hours."""
    assert target_units.parse('1+ 2+12') == (1, 2, 12)
    with pytest.raises(UserError, match='data.units is'):
        target_units.parse(text)
