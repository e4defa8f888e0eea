"""heads.npz, held_out.npy and images.npy: arrays read back to the bit, damaged files named."""

import numpy as np
import pytest

from mer_jax.errors import UserError
from mer_jax.runfiles.detectors import DetectorArrays, UnitSvms
from mer_jax.runfiles.epoch_outputs import EpochOutputs
from mer_jax.runfiles.gan import GanImages
from mer_jax.runfiles.regressions import Regression, RegressionArrays
from mer_jax.runfiles.svms import SupportVectors, SvmArrays


def vectors(count):
    """Support vectors of one SVM of three classes."""
    dual = np.random.default_rng(count).normal(size=(2, count)).astype(np.float32)
    return SupportVectors(np.arange(count, dtype=np.int32), dual, np.zeros(3, np.float32))


def test_support_vectors_round_trip(tmp_path):
    """Another run's vectors under a run's number would decide for it."""
    svms = SvmArrays({(0, 1): vectors(4), (0, 2): vectors(0), (11, 1): vectors(3)})
    svms.write(tmp_path)
    again = SvmArrays.read(tmp_path).svms
    assert list(again) == list(svms.svms)
    for key, one in svms.svms.items():
        for first, second in zip(one, again[key], strict=True):
            assert first.dtype == second.dtype
            np.testing.assert_array_equal(first, second)


def test_damaged_support_vectors_are_named(tmp_path):
    """A file cut short must not end in a traceback of zipfile."""
    SvmArrays({(0, 1): vectors(4)._replace(support=np.arange(3))}).write(tmp_path)
    with pytest.raises(UserError, match='heads.npz.*0_1_dual.*2, 4.* 3 '):
        SvmArrays.read(tmp_path)
    np.savez(tmp_path / 'heads.npz', **{'0_1_support': np.arange(3)})
    with pytest.raises(UserError, match="heads.npz.*'0_1_dual'"):
        SvmArrays.read(tmp_path)
    (tmp_path / 'heads.npz').write_bytes((tmp_path / 'heads.npz').read_bytes()[:40])
    with pytest.raises(UserError, match='heads.npz'):
        SvmArrays.read(tmp_path)


def regression(classes):
    """A regression of four features."""
    rows = {1: 0, 2: 1}.get(classes, classes)
    draw = np.random.default_rng(classes)
    present = np.arange(classes, dtype=np.int32)
    return Regression(draw.normal(size=(rows, 4)), draw.normal(size=rows), present)


def test_regressions_round_trip_and_bad_ones_are_named(tmp_path):
    """Weights that do not fit their classes would predict others, or end in an error of numpy."""
    written = {(0, 1): regression(3), (0, 2): regression(2), (1, 1): regression(1)}
    RegressionArrays(written).write(tmp_path)
    again = RegressionArrays.read(tmp_path).fitted
    for key, one in written.items():
        for first, second in zip(one, again[key], strict=True):
            np.testing.assert_array_equal(first, second)
    for change in ({'present': np.arange(2)}, {'intercept': np.full(3, np.nan)}):
        RegressionArrays({(4, 1): regression(3)._replace(**change)}).write(tmp_path)
        with pytest.raises(UserError, match='regressions.npz: 4_1_weight'):
            RegressionArrays.read(tmp_path)
    (tmp_path / 'regressions.npz').unlink()
    with pytest.raises(UserError, match='regressions.npz.*evaluate'):
        RegressionArrays.read(tmp_path)


def unit_svms():
    """The detectors of two units, of which the first has no SVM."""
    return UnitSvms(
        gamma=np.float64(0.5),
        count=np.array([0, 3], np.int32),
        support=np.array([4, 1, 9], np.int32),
        dual=np.array([0.3, -0.5, 0.2]),
        intercept=np.array([0.0, 0.1]),
    )


def test_detectors_round_trip_and_bad_ones_are_named(tmp_path):
    """Support vectors of one unit under another would detect something else."""
    outputs = np.random.default_rng(0).normal(size=(1, 5, 2)).astype(np.float32)
    DetectorArrays(outputs, {(0, 1): unit_svms()}).write(tmp_path)
    again = DetectorArrays.read(tmp_path)
    np.testing.assert_array_equal(again.outputs, outputs)
    for first, second in zip(unit_svms(), again.svms[0, 1], strict=True):
        np.testing.assert_array_equal(first, second)
    for name, array in (('dual', np.zeros(2)), ('intercept', np.zeros(3))):
        wrong = unit_svms()._replace(**{name: array})
        DetectorArrays(outputs, {(0, 1): wrong}).write(tmp_path)
        with pytest.raises(UserError, match=f'detectors.npz: 0_1_{name}'):
            DetectorArrays.read(tmp_path)


def test_outputs_of_every_epoch_round_trip(tmp_path):
    """They feed the oracle block; a changed dtype would change its ties."""
    values = np.random.default_rng(0).normal(size=(3, 4, 2)).astype(np.float32)
    EpochOutputs(values).write(tmp_path)
    again = EpochOutputs.read(tmp_path).values
    assert again.dtype == np.float32
    np.testing.assert_array_equal(again, values)
    EpochOutputs.open_memmap(tmp_path)[1] = 7
    assert (EpochOutputs.read(tmp_path).values[1] == 7).all()


@pytest.mark.parametrize('array', [np.zeros((3, 4), np.float32), np.zeros((3, 4, 2))])
def test_outputs_of_another_shape_are_refused(tmp_path, array):
    """Outputs of another file would be scored as those of the run."""
    np.save(tmp_path / 'held_out.npy', array)
    with pytest.raises(UserError, match='held_out.npy.*float.*float32'):
        EpochOutputs.read(tmp_path)


def test_images_of_a_gan_round_trip_and_bad_ones_are_named(tmp_path):
    """Images that are not numbers would train beside the fold's own rows."""
    values = np.random.default_rng(0).normal(size=(2, 3, 4, 4, 2)).astype(np.float32)
    GanImages(values).write(tmp_path)
    np.testing.assert_array_equal(GanImages.read(tmp_path).values, values)
    values[0, 0, 0, 0, 0] = np.nan
    GanImages(values).write(tmp_path)
    with pytest.raises(UserError, match='images.npy.*float32.2, 3, 4, 4, 2.*finite'):
        GanImages.read(tmp_path)
