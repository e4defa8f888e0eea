"""calibration.json: written, read and refused."""

import json

import numpy as np
import pytest

from mer_jax.errors import UserError
from mer_jax.runfiles.calibration import Calibration
from mer_jax.types import Names, Predictions

NAMES = Names(('negative', 'positive'), ('s01', 's01'), ('casme2', 'samm'), (), ())


def predictions(rows=40, subjects=2):
    """Held-out outputs of subjects of two data sets."""
    rng = np.random.default_rng(0)
    subject = (np.arange(rows) % subjects).astype(np.int32)
    label = rng.integers(0, 2, rows).astype(np.int32)
    output = rng.normal(0, 3, (rows, 2)).astype(np.float32)
    zeros = np.zeros(rows, np.int32)
    return Predictions(zeros, zeros, subject, subject, label, subject, zeros, output)


def test_a_calibration_is_read_as_it_was_written(tmp_path):
    """The report would show other temperatures than were fitted."""
    written = Calibration.of(predictions(), NAMES)
    written.write(tmp_path)
    assert Calibration.read(tmp_path) == written
    assert [row['dataset'] for row in written.temperatures] == ['casme2', 'samm']
    assert sum(one['rows'] for one in written.raw['bins']) == 40
    assert written.calibrated['loss'] < written.raw['loss']


def test_one_subject_has_no_calibration():
    """Its temperature could only be fitted to itself."""
    assert Calibration.of(predictions(subjects=1), NAMES) is None


def test_a_damaged_file_is_refused(tmp_path):
    """An error of 7 would be printed as if it were measured."""
    Calibration.of(predictions(), NAMES).write(tmp_path)
    path = tmp_path / Calibration.FILE
    content = json.loads(path.read_text())
    content['raw']['ece'] = 7
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match='calibration.json: raw.ece is 7'):
        Calibration.read(tmp_path)
