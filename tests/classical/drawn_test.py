"""Drawn faces that train SVMs beside the clips of a fold, with a weight that the fold chooses."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mer_jax.classical import svm, unit_svms
from mer_jax.errors import UserError
from mer_jax.experiment import run
from mer_jax.experiment import settings as rules
from mer_jax.presets import HANDCRAFTED, base, quick
from mer_jax.presets import svm as svm_config
from mer_jax.runfiles.detectors import DetectorTable
from mer_jax.runfiles.results import RecognitionResults
from mer_jax.runfiles.svms import SvmTable
from mer_jax.settings.sections import Head
from mer_jax.settings.tree import changed, from_nested

pytestmark = pytest.mark.usefixtures('undrawn')
FACES = 'synthetic_faces/tiny'
TRAIN, TEST = np.arange(24), np.arange(24, 30)


def rows(count, seed):
    """Features [1, count, 4] of three classes that show weakly, and their labels."""
    draw = np.random.default_rng(seed)
    label = (np.arange(count) % 3).astype(np.int32)
    block = np.eye(4)[label] + draw.normal(0, 0.7, (1, count, 4)) + 5
    return block.astype(np.float32), label


BLOCK, LABEL = rows(30, 0)
CLIPS = svm.Clips([BLOCK], LABEL, np.repeat(np.arange(5), 6), 3)
FOLDS = SimpleNamespace(fold=[0], seed=[0])
DRAWN = svm.Drawn([rows(9, 1)[0] * 1.5], np.array([0, 0, 0, 0, 1, 1, 1, 2, 2], np.int32), None)


def fitted(weights, clips=CLIPS, drawn=DRAWN, **head):
    """Scores and SVMs of the fold that tests subject 4."""
    settings = Head('svm', cost=(3.0,), gamma=(0.1,), inner_folds=3, drawn_weight=weights, **head)
    both = svm.with_drawn(clips, drawn) if drawn else clips
    return svm.fit_fold(both, TRAIN, TEST, settings, seed=0)


@pytest.mark.parametrize('kernel', ['rbf', 'linear'])
def test_a_weight_of_two_is_every_drawn_face_twice_as_scikit_learn_sees_it(kernel):
    """A weight that means something else, or a scale fitted to drawn faces, shows here."""
    scores, _ = fitted((2.0,), kernel=kernel)
    scale = StandardScaler().fit(BLOCK[0, TRAIN].astype(np.float64))
    faces = np.tile(DRAWN.blocks[0][0], (2, 1))
    train = scale.transform(np.concatenate([BLOCK[0, TRAIN], faces]).astype(np.float64))
    oracle = SVC(kernel=kernel, C=3.0, gamma=0.1, class_weight='balanced')
    oracle.fit(train, np.concatenate([LABEL[TRAIN], DRAWN.label, DRAWN.label]))
    expected = oracle.decision_function(scale.transform(BLOCK[0, TEST].astype(np.float64)))
    np.testing.assert_allclose(scores, expected, atol=5e-3)


def test_a_weight_of_zero_is_no_drawn_face():
    """Else the choice could not say no."""
    scores, (of_zero,) = fitted((0.0,))
    without, (alone,) = fitted((0.0,), drawn=None)
    np.testing.assert_allclose(scores, without, atol=1e-6)
    assert of_zero.drawn == 0 and alone.drawn is None
    assert of_zero.training_accuracy == alone.training_accuracy


def test_each_fold_chooses_the_weight_by_its_training_subjects_alone():
    """A weight chosen by tested clips would leak; one that is not chosen could only harm."""
    wrong = DRAWN._replace(blocks=[np.repeat(rows(9, 1)[0], 20, axis=1)])
    wrong = wrong._replace(label=np.repeat((np.arange(9) + 1) % 3, 20).astype(np.int32))
    _, (chosen,) = fitted((0.0, 5.0), drawn=wrong)
    assert chosen.drawn == 0, 'drawn faces with wrong labels are chosen'
    scores, svms = fitted((0.0, 0.5, 2.0), top_k=3)
    noisy, label = BLOCK.copy(), LABEL.copy()
    noisy[:, TEST], label[TEST] = 1e3, (LABEL[TEST] + 1) % 3
    others, also = fitted((0.0, 0.5, 2.0), CLIPS._replace(blocks=[noisy], label=label), top_k=3)
    assert not np.array_equal(scores, others)
    for before, after in zip(svms, also, strict=True):
        assert before[:3] == after[:3] and before.drawn == after.drawn
        np.testing.assert_array_equal(before.dual, after.dual)
        np.testing.assert_array_equal(before.intercept, after.intercept)


@pytest.mark.parametrize('weight,times', [(2.0, 2), (0.0, 0)])
def test_drawn_units_weigh_as_if_they_were_there_so_often(weight, times, tmp_path):
    """Detectors would else learn something else from drawn faces than SVMs of classes."""
    shown = np.stack([LABEL == 0, LABEL == 1], 1).astype(np.float32)
    shown[:24, 1] = 0  # no clip that trains shows the second unit
    shown[3, 0] = np.nan
    faces = np.stack([DRAWN.label == 0, DRAWN.label == 1], 1).astype(np.float32)
    coded = unit_svms.Coded([BLOCK], shown, CLIPS.subject)
    coded = unit_svms.with_drawn(coded, DRAWN._replace(units=faces))
    settings = Head('svm', cost=(3.0,), gamma=(0.1,), drawn_weight=(weight,))
    detected = unit_svms.fit_fold(coded, TRAIN, TEST, settings, seed=0, nested=False)
    first, second = detected.fitted.detectors
    assert (first.clips, first.present, first.choice.drawn) == (23, 7, weight)
    assert (second.choice is None) == (times == 0), 'a unit that only drawn faces show'
    table = unit_svms.table([detected.fitted.detectors], FOLDS, ['4'], ['AU1', 'AU2'])
    table.write(tmp_path)
    assert DetectorTable.read(tmp_path) == table
    # row 3 has its other unit known, so that the scale is fitted to it too
    scale = StandardScaler().fit(BLOCK[0, TRAIN].astype(np.float64))
    drawn = np.tile(DRAWN.blocks[0][0], (times, 1))
    x = scale.transform(np.concatenate([BLOCK[0, np.delete(TRAIN, 3)], drawn]).astype(np.float64))
    units = np.concatenate([shown[np.delete(TRAIN, 3), 0], np.tile(faces[:, 0], times)])
    oracle = SVC(C=3.0, gamma=0.1, class_weight='balanced').fit(x, units)
    expected = oracle.decision_function(scale.transform(BLOCK[0, TEST].astype(np.float64)))
    np.testing.assert_allclose(detected.test[:, 0], expected, atol=5e-3)


def settings_of(**changes):
    config = svm_config('x', 'gradient')
    config.update_from_flattened_dict(HANDCRAFTED['flow'])
    config.head.drawn = FACES
    quick(config)
    config.update_from_flattened_dict(changes)
    return from_nested(config.to_dict())


def test_a_run_says_which_faces_trained_with_which_weight(tiny_data, tmp_path):
    """A result with drawn rows would pass for one without; a folder, for a run of its own."""
    settings = settings_of(**{'data.data_dir': tiny_data, 'head.drawn_weight': (0.0, 1.0)})
    run.train_settings(settings, tmp_path)
    results = RecognitionResults.read(tmp_path)
    assert results.data['drawn']['name'] == FACES and results.data['drawn']['clips'] == 24
    assert FACES in (tmp_path / 'report.html').read_text()
    assert {row.drawn_weight for row in SvmTable.read(tmp_path).rows} <= {0.0, 1.0}
    with pytest.raises(UserError, match='head.drawn_weight'):
        run.train_settings(changed(settings, {'head.drawn_weight': (0.0, 2.0)}), tmp_path)


@pytest.mark.parametrize(
    'changes',
    [
        {'head.drawn': 'samm/flow'},
        {'head.features': 'network'},
        {'head.name': 'none'},
        {'head.name': 'logistic'},
        {'detectors.drawn': FACES},
    ],
)
def test_people_and_networks_are_refused(changes):
    """People among the drawn faces may be tested; features of a network differ in every fold."""
    with pytest.raises(UserError, match='head.drawn|detectors.drawn'):
        rules.check(settings_of(**changes))
    assert base('x').head.drawn == ''
