"""predictions.csv of action units."""

import numpy as np
import pytest

from mer_jax.errors import UserError
from mer_jax.runfiles.unit_predictions import UnitTable
from mer_jax.types import Names, Predictions

NAMES = Names(('AU1', 'AU12'), ('s1',), ('samm',), ('c1', 'c2'), ('1', '12'))


def table():
    """Two clips, with an unknown unit and an output just above 0."""
    zeros = np.zeros(2, np.int32)
    clip = np.arange(2, dtype=np.int32)
    output = np.array([[1e-9, -2.5], [0.1234567, -1e-9]], np.float32)
    predictions = Predictions(clip, zeros, zeros, zeros, zeros, zeros, zeros, output)
    return UnitTable.of(predictions, np.array([[1, np.nan], [0, 1]], np.float32), NAMES)


def test_what_is_written_is_read(tmp_path):
    """An unknown unit that returns as absent, or a sign that rounding loses, changes the scores."""
    table().write(tmp_path)
    again = UnitTable.read(tmp_path)
    assert again == table() and again.units == ('AU1', 'AU12')
    first, second = again.rows
    assert first.truth == {'AU1': True, 'AU12': None} and second.truth['AU1'] is False
    assert first.outputs['AU1'] > 0 > second.outputs['AU12'] and second.clip == 'c2'


def test_a_damaged_cell_is_refused_by_row_and_column(tmp_path):
    """A truth of 2 would be neither."""
    table().write(tmp_path)
    path = tmp_path / UnitTable.FILE
    path.write_text(path.read_text().replace('s1,samm,0,0,0,', 's1,samm,0,0,2,'))
    with pytest.raises(UserError, match='row 3: truth_AU1'):
        UnitTable.read(tmp_path)
