"""SVMs of action units: against scikit-learn, masks, rare units, and who predicts whom."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import main
from mer_jax.classical import logistic, svm, unit_svms
from mer_jax.errors import UserError
from mer_jax.experiment import build
from mer_jax.folds import protocols
from mer_jax.prediction import trained
from mer_jax.runfiles.detectors import DetectorTable
from mer_jax.settings.sections import Detectors, Head, Protocol
from mer_jax.training import held_out
from mer_jax.types import Inputs
from tests.conftest import make_samples

pytestmark = pytest.mark.usefixtures('undrawn')
ROOT = Path(__file__).parents[2]
ONE = Head('svm', cost=(2.0,), gamma=(0.02,))
UNITS = 4


def coded(*, subjects=6, each=8, views=1, seed=0):
    """Clips whose features show three units, weakly; the fourth shows in a single clip."""
    draw = np.random.default_rng(seed)
    subject = np.repeat(np.arange(subjects), each)
    units = (draw.random((len(subject), UNITS)) < 0.3).astype(np.float32)
    units[:, 3] = 0
    units[0, 3] = 1
    x = draw.normal(0, 1, (views, len(subject), 9))
    x[:, :, :3] += 1.5 * units[:, :3]
    spread, mean = draw.uniform(0.1, 9, 9), draw.normal(0, 20, 9)
    blocks = [(x[..., :5] * spread[:5] + mean[:5]), (x[..., 5:] * spread[5:] + mean[5:])]
    blocks = [block.astype(np.float32) for block in blocks]
    return unit_svms.Coded(blocks, units, subject)


def parted(clips, subject):
    """Training rows and test rows."""
    return np.flatnonzero(clips.subject != subject), np.flatnonzero(clips.subject == subject)


def reference(cost=2.0, gamma=0.02):
    return make_pipeline(StandardScaler(), SVC(C=cost, gamma=gamma, class_weight='balanced'))


def test_a_unit_has_the_svm_of_scikit_learn():
    """Decision values of each unit, standardised on training rows; the sign says "present"."""
    clips = coded()
    train, test = parted(clips, 2)
    x = np.concatenate(clips.blocks, -1)[0].astype(np.float64)
    detected = unit_svms.fit_fold(clips, train, test, ONE, seed=0, nested=False)
    assert detected.test.dtype == np.float32 and detected.test.shape == (8, UNITS)
    for unit in range(3):
        wanted = reference().fit(x[train], clips.units[train, unit])
        np.testing.assert_allclose(
            detected.test[:, unit], wanted.decision_function(x[test]), atol=1e-3
        )
        detector = detected.fitted.detectors[unit]
        assert detector.support_vectors == len(wanted[-1].support_)
        assert detector.present == clips.units[train, unit].sum() and detector.clips == len(train)


def test_a_unit_that_one_training_clip_shows_is_absent_and_listed(tmp_path):
    """An SVM of one example would be a guess that looks like a detection."""
    clips = coded()
    train, test = parted(clips, 2)
    always = clips.units.copy()
    always[:, 2] = 1
    clips = clips._replace(units=always)
    detected = unit_svms.fit_fold(clips, train, test, ONE, seed=0, nested=False)
    assert (detected.test[:, 2:] < 0).all()
    assert [each.choice is None for each in detected.fitted.detectors] == [False, False, True, True]
    samples, names = make_samples(subjects=3, clips=(2, 2, 2), size=2)
    folds, titles = protocols.make(samples, names, Protocol(), seeds=1)
    table = unit_svms.table([detected.fitted.detectors] * 3, folds, titles, ['1', '2', '4', '12'])
    table.write(tmp_path)
    read = DetectorTable.read(tmp_path)
    assert read.unfitted() == {'4': 3, '12': 3} and len(read.rows) == 3 * UNITS
    assert read.rows[3][:6] == (titles[0], 0, '12', 1, len(train), 1)
    assert (read.rows[0].cost, read.rows[0].gamma) == (2, 0.02)


def test_rows_of_which_a_unit_is_unknown_take_no_part_in_its_svm():
    """Unknown read as absent teaches that a face does not move."""
    clips = coded()
    train, test = parted(clips, 2)
    units = clips.units.copy()
    units[10:14, 1] = np.nan
    units[30] = np.nan
    kept = np.setdiff1d(train, [30])
    x = np.concatenate(clips.blocks, -1)[0].astype(np.float64)
    scale = StandardScaler().fit(x[kept])
    detected = unit_svms.fit_fold(
        clips._replace(units=units), train, test, ONE, seed=0, nested=False
    )
    for unit, rows in ((0, kept), (1, np.setdiff1d(kept, range(10, 14)))):
        one = SVC(C=2.0, gamma=0.02, class_weight='balanced')
        one.fit(scale.transform(x[rows]), units[rows, unit])
        np.testing.assert_allclose(
            detected.test[:, unit], one.decision_function(scale.transform(x[test])), atol=1e-3
        )
        assert detected.fitted.detectors[unit].clips == len(rows)


def test_training_rows_are_predicted_by_detectors_of_other_subjects():
    """A detector's outputs on the clips that it learned are better than on any new clip: what
    learns from them would trust it too much.
    """
    clips = coded(subjects=7)
    train, test = parted(clips, 2)
    units = clips.units.copy()
    units[clips.subject == 6] = np.nan  # SMIC: nobody coded its clips
    clips = clips._replace(units=units)
    settings = Detectors(
        cost=(0.5, 20.0), gamma=(0.02, 0.5), inner_folds=3, scale='features', mirror=False
    )
    detected = unit_svms.fit_fold(clips, train, test, settings, seed=4, nested=True)
    x = np.concatenate(clips.blocks, -1)[0].astype(np.float64)
    known = train[clips.subject[train] != 6]
    splits = svm.inner_splits(unit_svms.rarest(units[known]), clips.subject[known], 3, seed=4)
    outputs, scores = {}, {}
    for gamma in settings.gamma:
        for cost in settings.cost:
            of_choice = np.full((len(known), UNITS), unit_svms.ABSENT)
            for kept, left_out in splits:
                assert not {*clips.subject[known[kept]]} & {*clips.subject[known[left_out]]}
                for unit in range(3):
                    one = reference(cost, gamma).fit(x[known[kept]], units[known[kept], unit])
                    of_choice[left_out, unit] = one.decision_function(x[known[left_out]])
            outputs[gamma, cost] = of_choice
            f1 = [f1_score(units[known, unit], of_choice[:, unit] > 0) for unit in range(UNITS)]
            scores[gamma, cost] = np.mean(f1)
    best = max(scores, key=scores.get)
    choice = detected.fitted.detectors[0].choice
    assert (choice.gamma, choice.cost) == best and len(set(scores.values())) > 1
    rows = np.flatnonzero(clips.subject[train] != 6)
    np.testing.assert_allclose(detected.train[rows], outputs[best], atol=1e-3)
    of_all = reference(best[1], best[0]).fit(x[known], units[known, 0])
    unknown = train[clips.subject[train] == 6]
    np.testing.assert_allclose(
        detected.train[clips.subject[train] == 6, 0],
        of_all.decision_function(x[unknown]),
        atol=1e-3,
    )
    np.testing.assert_allclose(detected.test[:, 0], of_all.decision_function(x[test]), atol=1e-3)


def test_mirror_images_train_and_their_outputs_are_averaged():
    """A view that is lost, or paired with another clip, weakens every detector unseen."""
    clips = coded(views=2)
    train, test = parted(clips, 1)
    both = [np.concatenate(block) for block in np.concatenate(clips.blocks, -1)[:, None]]
    x, mirrored = (view.astype(np.float64) for view in both)
    detected = unit_svms.fit_fold(clips, train, test, ONE, seed=0, nested=False)
    one = reference().fit(
        np.concatenate([x[train], mirrored[train]]), np.tile(clips.units[train, 0], 2)
    )
    wanted = (one.decision_function(x[test]) + one.decision_function(mirrored[test])) / 2
    np.testing.assert_allclose(detected.test[:, 0], wanted, atol=1e-3)


def test_one_subject_with_units_predicts_nobody():
    """Its clips would have to be predicted by detectors that learned them."""
    clips = coded()
    units = clips.units.copy()
    units[clips.subject > 0] = np.nan
    train, test = parted(clips, 2)
    with pytest.raises(UserError, match='1 training subject'):
        unit_svms.fit_fold(
            clips._replace(units=units), train, test, Detectors(), seed=0, nested=True
        )


def runs_of(noise):
    """Detector outputs of all runs, of clips of which one subject may be noise."""
    clips = coded(subjects=5)
    samples, names = make_samples(subjects=5, clips=(8,) * 5, size=2)
    blocks = [block.copy() for block in clips.blocks]
    units = clips.units.copy()
    if noise:
        own = clips.subject == 3
        for block in blocks:
            block[:, own] = np.random.default_rng(1).normal(0, 1e3, block[:, own].shape)
        units[own] = 1 - units[own]
    folds, _ = protocols.make(samples, names, Protocol(), seeds=1)
    settings = Detectors(cost=(0.5, 20.0), gamma=(0.02,), inner_folds=2, scale='blocks')
    outputs, fitted = unit_svms.outputs_of_runs(blocks, units, samples, folds, settings)
    return samples, folds, outputs, [of_run.detectors for of_run in fitted]


def test_noise_in_the_left_out_subject_changes_no_detector_of_its_fold():
    """What the classifier learns from, and the detectors themselves, must not depend on tested
    clips.
    """
    samples, folds, outputs, detectors = runs_of(noise=False)
    _, _, noisy, also = runs_of(noise=True)
    (run,) = np.flatnonzero([samples.subject[rows[0]] == 3 for rows in folds.test.index])
    others = samples.subject != 3
    np.testing.assert_array_equal(outputs[run, others], noisy[run, others])
    assert detectors[run] == also[run]
    assert not np.array_equal(outputs[run], noisy[run]), 'the tested rows'
    of_classes = []
    for each, shift in ((outputs, 0), (noisy, 1)):
        label = np.where(others, samples.label, (samples.label + shift) % 3)
        clips = svm.Clips([each[run][None]], label, samples.subject, 3)
        head = Head('logistic', cost=(0.1, 1.0), inner_folds=2)
        train = np.flatnonzero(others)
        scores, (fitted,) = logistic.fit_fold(clips, train, train, head, seed=0)
        of_classes.append((scores.tobytes(), fitted.chosen.cost, fitted.chosen.uf1))
    assert of_classes[0] == of_classes[1]
    rest = np.arange(len(outputs)) != run
    assert not np.array_equal(outputs[rest], noisy[rest]), 'the noise reached no fold at all'


@pytest.mark.parametrize('top_k', [1, 2])
def test_outputs_of_the_best_choices_are_averaged(top_k):
    """The mean of other choices than the best ones is another detector."""
    clips = coded()
    train, test = parted(clips, 2)
    several = replace(ONE, cost=(0.5, 20.0), gamma=(0.02,), inner_folds=3, top_k=top_k)
    detected = unit_svms.fit_fold(clips, train, test, several, seed=0, nested=False)
    assert len(detected.fitted.detectors) == top_k * UNITS
    single = []
    for detector in detected.fitted.detectors[::UNITS]:
        one = replace(ONE, cost=(detector.choice.cost,), gamma=(0.02,))
        single.append(unit_svms.fit_fold(clips, train, test, one, seed=0, nested=False).test)
    np.testing.assert_allclose(detected.test, np.mean(single, axis=0), atol=1e-6)


def command(config, folder, data_dir, *flags):
    """Arguments of a quick run whose detectors choose nothing."""
    return [
        f'--config={ROOT}/configs/{config}',
        f'--config.data.data_dir={data_dir}',
        f'--workdir={folder}',
        *(f'--config.{flag}' for flag in flags),
    ]


SMALL = ('detectors.features=motion', 'detectors.mirror=False')


def test_a_recogniser_by_units_is_a_run_as_any_other(tiny_data, tmp_path, capsys):
    """It stands beside its ceiling, resumes, and says what it cannot predict."""
    folder = tmp_path / 'run'
    arguments = command('synthetic_units.py:quick', folder, tiny_data, *SMALL)
    assert main.main(['train', *arguments]) == 0
    results = json.loads((folder / 'results.json').read_text())
    assert results['leaks'] == [] and results['plan'] is None and results['folds'] == 5
    assert results['ceiling']['clips'] == results['clips'] == 24
    assert results['ceiling']['run_metrics']['uf1'] == pytest.approx(results['metrics']['uf1'])
    assert results['ceiling']['metrics']['uf1'] > results['metrics']['uf1']
    table = DetectorTable.read(folder)
    assert len(table.rows) == 5 * 12 and {row.cost for row in table.rows} == {2, None}
    assert table.rows[0].unit == 'AU1'
    assert 'Detectors of action units' in (folder / 'report.html').read_text()
    before = (folder / 'predictions.csv').read_bytes()
    (folder / 'results.json').unlink()  # as a killed run leaves it
    assert main.main(['train', *arguments]) == 0
    assert (folder / 'predictions.csv').read_bytes() == before
    capsys.readouterr()
    assert main.main(['explain', *arguments]) == 2
    error = capsys.readouterr().err
    assert "'detected_units'" in error and 'explain' in error and error.count('\n') == 1


KEPT = {  # settings of a run -> how far its members may be from its own scores
    # detectors and regressions are kept as they were fitted, so to the bit
    'regressions': (('detectors.mirror=True', 'detectors.top_k=2', 'detectors.cost=(0.5,2.0)'), 0),
    # support vectors of heads.npz have 32 bits
    'SVMs': (('detectors.mirror=False', 'head.name=svm', 'head.cost=2'), 1e-5),
}


@pytest.mark.parametrize('flags,tolerance', KEPT.values(), ids=KEPT)
def test_a_recogniser_by_units_predicts_clips_as_it_did(flags, tolerance, tiny_data, tmp_path):
    """Another row among the support vectors, or the scale of another fold, would be another
    recogniser under the figures of this one.
    """
    folder = tmp_path / 'run'
    flags = ('detectors.features=motion', 'data.units=4+12', *flags)
    assert (
        main.main(['train', *command('synthetic_units.py:quick', folder, tiny_data, *flags)]) == 0
    )
    model = trained.open_trained(folder)
    experiment = trained.experiment_of(folder, model.settings)
    scores = model.scores(Inputs(experiment.data.samples.image, {}))
    fitted = build.head_scores(experiment, None).scores
    run, position = held_out.order(experiment.folds)
    own = scores[run, experiment.folds.test.index[run, position]]
    np.testing.assert_allclose(own, fitted, rtol=0, atol=tolerance)
    fold = experiment.titles[2]
    alone = trained.open_trained(folder, fold)
    np.testing.assert_array_equal(
        alone.scores(Inputs(experiment.data.samples.image, {}))[0], scores[2]
    )
    (folder / 'detectors.npz').unlink()
    with pytest.raises(UserError, match='detectors.npz.*evaluate'):
        trained.open_trained(folder)


def test_units_that_no_clip_shows_cannot_be_detected(tiny_data, tmp_path, capsys):
    """Features of nothing would be a recogniser that guesses."""
    arguments = command('synthetic_units.py:quick', tmp_path / 'run', tiny_data, 'data.units=31')
    assert main.main(['train', *arguments]) == 2
    error = capsys.readouterr().err
    assert "'31'" in error and 'data.action_units=FILE.csv' in error
    assert not (tmp_path / 'run').exists()


def test_svms_are_a_head_of_the_task(tiny_data, tmp_path):
    """Units are detected by SVMs as by networks: the same files, and no training."""
    folder = tmp_path / 'run'
    flags = ('head.features=motion', 'head.cost=2', 'head.gamma=0.5', 'head.mirror=False')
    config = 'synthetic_action_units.py:head=svm,quick'
    assert main.main(['train', *command(config, folder, tiny_data, *flags)]) == 0
    results = json.loads((folder / 'results.json').read_text())
    assert results['task'] == 'action_units' and results['leaks'] == []
    assert results['plan'] is None and results['metrics']['f1'] is not None
    assert {row.unit for row in DetectorTable.read(folder).rows} == {*results['units']}
