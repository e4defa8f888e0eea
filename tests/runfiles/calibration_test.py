"""calibration.json: written, read and refused."""

import json

import numpy as np
import pytest

from mer_jax.errors import UserError
from mer_jax.evaluation.calibration import CLEAR
from mer_jax.runfiles.calibration import Calibration, of_held_out
from mer_jax.runfiles.predictions import PredictionTable
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


def test_a_model_is_calibrated_by_the_rows_of_held_out():
    """Rows of the tested subject would fit temperature and threshold to the test."""
    names = NAMES._replace(clips=('c0',))
    of_run = predictions()
    written = Calibration.of(of_run, names)
    table = PredictionTable.of(of_run, names)
    for fold in (0, 1):
        calibrated = of_held_out(table, fold)
        temperature = written.temperatures[fold]['temperature']
        assert calibrated.temperature == pytest.approx(temperature, rel=1e-3)
        flipped = np.where(of_run.subject == fold, 1 - of_run.label, of_run.label)
        changed = PredictionTable.of(of_run._replace(label=flipped), names)
        assert of_held_out(changed, fold) == calibrated
        assert of_held_out(changed) != of_held_out(table)
    assert of_held_out(table).threshold >= CLEAR
    assert of_held_out(PredictionTable(table.classes, ())) is None
