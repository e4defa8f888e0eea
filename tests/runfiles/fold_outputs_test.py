"""What a user's code predicted, fold by fold."""

import numpy as np
import pytest

from mer_jax.errors import UserError
from mer_jax.runfiles import fold_outputs
from mer_jax.runfiles.fold_outputs import FoldOutput


def test_a_damaged_file_is_named(tmp_path):
    """It would be scored, or end the evaluation without a word on which fold to train again."""
    assert not fold_outputs.any_finished(tmp_path)
    values = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    FoldOutput(values, 1.5).write(tmp_path, seed=1, fold=2)
    read = FoldOutput.read(tmp_path, seed=1, fold=2)
    np.testing.assert_array_equal(read.values, values)
    assert read.seconds == 1.5 and fold_outputs.any_finished(tmp_path)
    path = fold_outputs.path_of(tmp_path, 1, 2)
    for content in (values.astype(np.float64), values[0], values * np.nan):
        FoldOutput(content, 1.5).write(tmp_path, seed=1, fold=2)
        with pytest.raises(UserError, match=path.name):
            FoldOutput.read(tmp_path, seed=1, fold=2)
    path.write_bytes(b'PK')
    with pytest.raises(UserError, match=path.name):
        FoldOutput.read(tmp_path, seed=1, fold=2)
