"""From frames of a clip to the numbers of its run: networks, a hybrid, SVMs, feature pictures.

The parity is that of a whole chain: face crop, flow, image, scaling, networks and SVMs. One link
that differed from training would give other classes, and no one would see it.
"""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from safetensors.numpy import save_file

import main
from mer_jax import machine
from mer_jax.data import channels, loading
from mer_jax.data.images import stack_inputs
from mer_jax.errors import UserError
from mer_jax.prediction import answers, calibrated, clips, pack, predict, records, spotter
from mer_jax.preprocess import mtcnn
from mer_jax.report import action_units_page, recognition_page
from mer_jax.runfiles import prediction_file as answer
from mer_jax.runfiles import results
from mer_jax.runfiles.calibration import Calibration
from mer_jax.runfiles.prediction_file import PredictionFile, PredictionRows
from mer_jax.runfiles.predictions import PredictionTable
from mer_jax.runfiles.unit_predictions import UnitTable
from mer_jax.settings import tree
from tests.preprocess.mtcnn_test import random_weights
from tests.support import drawn_recordings, predicted
from tests.support.fake_raw import casme2, write_precomputed_flow
from tests.support.messages import pattern
from tfds_builders import frames
from tfds_builders import inputs as builder_inputs
from tfds_builders.casme2 import casme2_dataset_builder, layout
from tfds_builders.clip import KeyFrames

NETWORK = ('--config.train.epochs=1', '--config.head.features=network+au_strain')
RUNS = {  # the second network has the programs of the first
    'network': NETWORK,
    'hybrid': (*NETWORK, '--config.head.name=svm'),
    'svm': (
        '--config.train.epochs=0',
        '--config.head.name=svm',
        '--config.head.features=orientation',
    ),
}
UNITS = ('--config.data.task=action_units', '--config.data.units=1+2+4+10+12+14')
UNIT_RUNS = {
    'units': (*UNITS, '--config.train.epochs=1', '--config.train.class_weights=balanced'),
    'units_svm': (
        *UNITS,
        '--config.train.epochs=0',
        '--config.head.name=svm',
        '--config.head.features=orientation',
    ),
}


def train(folder, config, *changes):
    """Train a run in folder/run on data below folder."""
    arguments = [
        f'--config={config}',
        f'--config.data.data_dir={folder}/data',
        '--config.train.lowering=matmul',
        '--config.train.at_once=1',
        '--config.train.devices=1',
    ]
    assert main.main([*arguments, *changes]) == 0


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A folder with a fake CASME II and the runs of RUNS on it."""
    path = tmp_path_factory.mktemp('predict')
    casme2.write(path / 'raw')
    train_all(path, RUNS, recognition_page)
    return path


@pytest.fixture(scope='module')
def unit_runs(folder):
    """The same folder, with the runs of UNIT_RUNS on the same clips."""
    train_all(folder, UNIT_RUNS, action_units_page)
    return folder


def train_all(folder, runs, page):
    """Train some runs on the fake CASME II in folder/raw, without their report, a `page`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine, 'cores', lambda: 1)
        patch.setattr(page, 'report', lambda run: run)  # no test looks at it
        for name, changes in runs.items():
            train_on_fake(folder, name, changes)


def train_on_fake(folder, name, changes):
    """Train a run in folder/name on the fake CASME II in folder/raw."""
    train(
        folder,
        'casme2_ststnet',
        f'--config.data.manual_dir={folder}/raw',
        '--config.data.name=casme2/flow,optical_flow=dis',
        f'--workdir={folder}/{name}',
        *changes,
    )


@pytest.fixture(scope='module')
def truth(tmp_path_factory):
    """The same clips, each with its folder of frames."""
    return casme2.write(tmp_path_factory.mktemp('again') / 'raw').clips


def keys(clip):
    return (clip.onset, clip.apex, clip.offset)


def assert_equal(scores, row):
    assert [*scores] == [*row.scores]
    np.testing.assert_allclose([*scores.values()], [*row.scores.values()], atol=1e-5)


def answer_to(model, clip):
    """What a model says of a clip of `truth`."""
    images = {}
    for number, path in frames.listing(clip.folder)[0].items():
        images[number] = frames.read_gray(path)
    read = clips.ClipFrames(KeyFrames(*keys(clip)), images, {}, None)
    return answers.of_clip(model, read, name=clip.clip, cropped=True).clip


@pytest.mark.parametrize(('kept', 'expected'), [(True, 'registered'), (False, 'mean')])
def test_a_run_says_how_new_apexes_are_estimated(folder, tmp_path, kept, expected):
    """A run of this version would estimate the apexes of new clips as earlier versions did, or
    one of an earlier version as this one does.
    """
    shutil.copytree(folder / 'network', tmp_path / 'run')
    path = tmp_path / 'run' / 'results.json'
    content = json.loads(path.read_text())
    assert content['data'].pop('default_apex_by') == 'registered'
    if not kept:
        path.write_text(json.dumps(content))
    assert answers.opened(str(tmp_path / 'run')).recipe.options['apex_by'] == expected


@pytest.mark.parametrize('run', RUNS)
def test_held_out_clips_get_the_scores_of_their_run(run, folder, truth):
    """Otherwise the figures of a run would not be those of the program that users run."""
    rows = PredictionTable.read(folder / run).rows
    model = answers.opened(str(folder / run), rows[0].subject)
    assert model.fold == rows[0].subject and not model.recipe.warnings
    compared = [row for row in rows if row.subject == model.fold]
    for row in compared:
        result = answer_to(model, truth[row.clip])
        assert_equal(result.scores, row)
        assert result.agreement_of_folds is None and result.key_frames_from == answer.GIVEN
    assert len(compared) > 1


@pytest.mark.parametrize('run', UNIT_RUNS)
def test_held_out_clips_get_the_units_of_their_run(run, unit_runs, truth):
    """Otherwise F1 and AP beside a unit would be those of another detector."""
    rows = UnitTable.read(unit_runs / run).rows
    model = answers.opened(str(unit_runs / run), 'sub17')
    compared = [row for row in rows if row.subject == model.fold]
    for row in compared:
        result = answer_to(model, truth[row.clip])
        units = {each.unit: each for each in result.action_units}
        assert [*units] == [*row.outputs]
        outputs = [each.output for each in units.values()]
        np.testing.assert_allclose(outputs, [*row.outputs.values()], atol=2e-5)
        for each in units.values():
            assert each.detected_by == (each.output > 0) == each.present
            if run == 'units_svm' or each.unit == 'AU14':
                assert each.probability is None
            else:
                assert each.probability == pytest.approx(1 / (1 + np.exp(-each.output)))
        # sub17 alone shows it, so that its fold cannot learn it
        assert not units['AU14'].present and units['AU14'].output <= 0
    assert len(compared) > 1
    facts = answers.facts(model, from_frames=True, cropped=True)
    learned = {each.unit: each.learned_by for each in facts.action_units.units}
    assert learned['AU14'] == 0 and learned['AU4'] == 1
    assert facts.classes == () and not facts.calibrated


def test_units_of_all_folds_are_a_mean_and_stand_in_every_file(unit_runs, truth, tmp_path, undrawn):
    """A new face is of no fold: a mean over others, or a file without units, would be no answer."""
    clip, run = truth['sub02_EP06_01f'], unit_runs / 'units'
    outputs = []
    for fold in ('sub01', 'sub02', 'sub05', 'sub17'):
        of_fold = answer_to(answers.opened(str(run), fold), clip)
        outputs.append([each.output for each in of_fold.action_units])
    outputs = np.array(outputs)
    options = {'key_frames': keys(clip), 'cropped': True}
    content = predict.predict(run, clip.folder, folder=tmp_path, **options)
    [result] = content.recordings[0].clips
    probabilities = (1 / (1 + np.exp(-outputs))).mean(0)
    for position, each in enumerate(result.action_units):
        assert each.output == pytest.approx(outputs[:, position].mean(), abs=1e-5)
        assert each.probability == pytest.approx(probabilities[position], abs=1e-5)
        assert each.present == (probabilities[position] > 0.5)
        assert each.detected_by == (outputs[:, position] > 0).sum()
    assert result.class_of_training_data is None and result.scores is None
    assert PredictionFile.read(tmp_path).recordings == content.recordings
    [row] = PredictionRows.read(tmp_path).rows
    assert [each.present for each in row.action_units] == [
        each.present for each in result.action_units
    ]
    page = (tmp_path / 'predictions.html').read_text()
    for text in (str(content), page):
        assert 'AU12 lip corner puller' in text and 'class of the training data' not in text
    assert 'AU14 (3 of 4)' in ' '.join(str(content).split()), 'one fold could not learn it'


def test_a_pack_of_units_answers_as_its_run(unit_runs, truth):
    """Which units a fold could learn is easily lost, and one that it could not would be named."""
    pack.pack(unit_runs / 'units', '', [], False)
    path, clip = unit_runs / 'units' / pack.FILE, truth['sub17_EP01_06']
    for fold in ('', 'sub17'):
        of_run, of_pack = (answers.opened(str(each), fold) for each in (unit_runs / 'units', path))
        assert answer_to(of_pack, clip) == answer_to(of_run, clip)
        first, second = (
            answers.facts(each, from_frames=True, cropped=True).action_units
            for each in (of_run, of_pack)
        )
        assert first == second
    with pytest.raises(UserError, match=pattern("head.name is 'svm' ... rows ... 'none'")):
        pack.pack(unit_runs / 'units_svm', '', [], False)
    with pytest.raises(UserError, match=pattern('calibrated_by ... not calibrated ... leave')):
        pack.pack(unit_runs / 'units', str(unit_runs / 'network'), [], False)


def test_the_command_writes_the_scores_of_the_run(folder, truth, tmp_path, undrawn, capsys):
    """The one command of the docs, from a folder of frames to files."""
    row = PredictionTable.read(folder / 'network').rows[0]
    clip = truth[row.clip]
    flags = [
        f'--{name}={number}' for name, number in zip(KeyFrames._fields, keys(clip), strict=True)
    ]
    flags += [f'--fold={row.subject}', '--fps=200', '--cropped', f'--workdir={tmp_path}/answer']
    assert main.main(['predict', f'--model={folder}/network', str(clip.folder), *flags]) == 0
    printed = capsys.readouterr().out
    content = PredictionFile.read(tmp_path / 'answer')
    [recording] = content.recordings
    [result] = recording.clips
    assert_equal(result.scores, row)
    assert content.model.input == answer.AS_TRAINED and content.model.fold == row.subject
    assert content.model.clips == 12 and content.model.subjects == 4
    assert (result.onset.ms, result.apex.frame) == (0.0, clip.apex)
    assert result.apex.ms == (clip.apex - clip.onset) * 5
    assert recording.frames == 3  # the others were not decoded
    assert result.movements, 'its face moves by two pixels'
    [line] = PredictionRows.read(tmp_path / 'answer').rows
    assert line.class_of_training_data == (result.class_of_training_data or '')
    assert (tmp_path / 'answer/predictions.html').exists()
    assert result.movements[0].words in printed


def test_all_folds_vote_and_an_apex_is_estimated_as_in_a_build(folder, truth):
    """Frames in memory, no apex: what a user has who films and writes a few lines of Python."""
    clip = truth['sub05_EP03_01']
    listed = frames.listing(clip.folder)[0]
    images = np.stack([frames.read_gray(path) for path in listed.values()])
    last = len(images) - 1
    content = predict.predict(
        folder / 'network', images, key_frames=(0, None, last), fps=100, cropped=True
    )
    [result] = content.recordings[0].clips
    assert result.agreement_of_folds.members == 4
    assert sum(result.agreement_of_folds.votes.values()) == 4
    assert result.apex.frame == clip.apex - clip.onset
    assert result.apex.ms == 10 * result.apex.frame
    assert content.model.calibrated and sum(result.probabilities.values()) == pytest.approx(1)
    json.dumps(content.to_json())


def test_held_out_counts_are_those_of_the_run(folder):
    """Recall and precision beside a class would be of other clips than the report's."""
    run = results.read(folder / 'network')
    known = calibrated.held_out(
        folder / 'network', run, calibrated.outputs(folder / 'network', run)
    )
    confusion = np.array(run.confusion)
    for number, counts in enumerate(known.classes.values()):
        assert counts.right == confusion[number, number]
        assert (counts.labelled, counts.named) == (
            confusion[number].sum(),
            confusion.sum(0)[number],
        )
    assert [*known.classes] == run.classes and known.clips == confusion.sum() / run.seeds
    measured = Calibration.read(folder / 'network')
    assert known.losses == (measured.raw['loss'], measured.calibrated['loss'])


@pytest.fixture(scope='module')
def published(tmp_path_factory):
    """A folder with a run on feature pictures, and {clip: its picture}."""
    path = tmp_path_factory.mktemp('published')
    write_precomputed_flow(path)
    train(path, 'megc2019_svm', f'--config.data.manual_dir={path}', f'--workdir={path}/run')
    pictures = {}
    for picture in (path / 'norm_u_v_os').glob('*/u_test/*/*.png'):
        pictures[picture.stem.strip()] = picture
    return path / 'run', pictures


def test_feature_pictures_get_the_scores_of_their_run(published):
    """They are what the model was trained on: nothing about them is approximate."""
    run, pictures = published
    for row in PredictionTable.read(run).rows[:3]:
        names = [name for name in pictures if name in (row.clip, f'{row.subject}_{row.clip}')]
        content = predict.predict(run, pictures[names[0]], fold=row.subject)
        [result] = content.recordings[0].clips
        assert_equal(result.scores, row)
        assert content.model.input == answer.AS_TRAINED and not content.model.warnings
        assert result.movements == () and result.onset is None


def test_frames_are_approximate_for_a_model_of_published_features(published, truth):
    """Its authors' crops are not public: a user must learn that the input is another one."""
    clip = truth['sub01_EP02_01f']
    run, _ = published
    content = predict.predict(run, clip.folder, key_frames=keys(clip), cropped=True)
    assert content.model.input == answer.APPROXIMATE
    assert any('28x28' in text for text in content.model.warnings)
    [result] = content.recordings[0].clips
    assert result.scores and result.movements


NOBODY = np.zeros((9, 64, 64), np.uint8)


def test_a_clip_that_a_search_finds_is_answered_as_if_its_key_frames_were_given(folder):
    """A search only chooses frames: what is said of them must not depend on who chose."""
    drawn = drawn_recordings.plan(0, 3.0, micro=1, slow=0)
    images = np.stack([gray for _, _, gray in drawn_recordings.frames(drawn, 60)])
    [recording] = predict.predict(folder / 'network', images, fps=60).recordings
    [result] = recording.clips
    assert result.key_frames_from == answer.SEARCH and result.strength > 1
    assert recording.outcome == answer.MOVEMENT and recording.frames == len(images)
    assert max(recording.motion.motion) == pytest.approx(result.strength, rel=0.2)
    [(onset, apex, offset)] = drawn_recordings.micro(drawn, 60)
    assert onset < result.apex.frame < offset
    chosen = (result.onset.frame, result.apex.frame, result.offset.frame)
    given = predict.predict(folder / 'network', images, key_frames=chosen, fps=60)
    assert given.model.input == answer.APPROXIMATE, 'the run trained on crops of the release'
    [as_given] = given.recordings[0].clips
    assert as_given.scores == result.scores and as_given.movements == result.movements
    assert as_given.onset.ms == result.onset.ms


@pytest.mark.parametrize('searched', [False, True])
def test_an_apex_of_a_spotting_run_does_not_hide_the_search(searched, monkeypatch):
    """Of given key frames the answer would speak of a search; of a search it would be silent."""
    options, of = {'key_frames': (1, None, 5)}, clips.of
    if searched:
        options, way_of_clip = {}, {'key_frames': KeyFrames(1, -1, 5)}
        monkeypatch.setattr(clips, 'of', lambda given, way: of(given, way._replace(**way_of_clip)))
    model = SimpleNamespace(
        recipe=SimpleNamespace(colour=False, every_frame=True),
        fold='',
        detector='',
        trained=SimpleNamespace(held_out=None),
    )
    one = answers.Answer(predicted.clip(key_frames_from=answer.GIVEN), None, None)
    stubs = {'opened': model, 'of_clip': one, 'facts': predicted.model()}
    for name, value in stubs.items():
        monkeypatch.setattr(answers, name, lambda *_, value=value, **__: value)
    monkeypatch.setattr(spotter, 'opened', lambda path, fold: path)
    monkeypatch.setattr(spotter, 'with_apex', lambda run, clip, **_: clip)
    content = predict.predict('model', NOBODY, fps=60, spotter='run', **options)
    [result] = content.recordings[0].clips
    assert result.key_frames_from == (answer.SEARCH_AND_SPOTTER if searched else answer.SPOTTER)


def test_a_still_face_is_no_micro_expression(folder):
    """The floor is the recording's own noise: a camera always sees some motion."""
    drawn = drawn_recordings.still(drawn_recordings.plan(0, 3.0, micro=1, slow=0))
    images = np.stack([gray for _, _, gray in drawn_recordings.frames(drawn, 60)][:90])
    [recording] = predict.predict(folder / 'network', images, fps=60).recordings
    assert recording.outcome == answer.NOTHING and recording.clips == ()


def test_a_detector_of_the_user_finds_the_face(folder, tmp_path, monkeypatch):
    """The crop of a turned face stayed that of Haar, or its answer did not say what found it."""
    save_file(random_weights(), tmp_path / 'w.safetensors')
    looked = []

    def faces(gray, tensors):
        height, width = gray.shape
        looked.append(gray.shape)
        points = np.array([[0.4, 0.45], [0.6, 0.45], [0.5, 0.55], [0.45, 0.65], [0.55, 0.65]])
        return [mtcnn.Face((0.0, 0.0, width, height), 0.9, points * (width, height))]

    monkeypatch.setattr(mtcnn, 'faces', faces)
    content = predict.predict(
        folder / 'network', NOBODY, key_frames=(0, 1, 2), detector=tmp_path / 'w.safetensors'
    )
    assert len(content.recordings[0].clips) == 1 and len(looked) > 1
    assert content.model.input == answer.APPROXIMATE
    assert answers.OTHER_DETECTOR in content.model.warnings


REFUSED = {  # arguments of predict -> what the line names
    'unknown fold': ({'fold': 'sub99'}, 'fold=sub99 ... sub01, sub02, sub05, sub17'),
    'frames that are not there': ({'key_frames': (46, 50, 99)}, 'offset=99 ... 46 to 54'),
    'no detector': ({'detector': 'none.safetensors'}, 'none.safetensors ... mtcnn_weights'),
    'no face': ({'given': NOBODY, 'cropped': False}, 'no face ... 1 ... --cropped'),
    'an array of floats': ({'given': np.zeros((4, 8, 8))}, 'float64[4, 8, 8] ... uint8[T, H, W]'),
    'a cropped recording to search': ({'key_frames': None}, '--cropped ... --onset'),
}


@pytest.mark.parametrize('name', REFUSED)
def test_what_cannot_be_predicted_is_one_line(name, folder, truth):
    """The user learns which flag or frame it is, and what would be right."""
    changes, pieces = REFUSED[name]
    values = {'key_frames': (1, 2, 3), 'cropped': True, 'fps': 100, **changes}
    given = values.pop('given', truth['sub01_EP02_01f'].folder)
    with pytest.raises(UserError, match=pattern(pieces)):
        predict.predict(folder / 'network', given, **values)


def test_a_picture_is_for_a_model_of_pictures(folder, published):
    """One picture shows no movement, but for a model that was trained on pictures of flow."""
    picture = next(iter(published[1].values()))
    with pytest.raises(UserError, match=pattern('one picture ... casme2/flow ... a video')):
        predict.predict(folder / 'network', picture)
    with pytest.raises(UserError, match=pattern('one picture ... leave --onset')):
        predict.predict(published[0], picture, key_frames=(1, 2, 3))


INPUTS = {  # settings of a run -> input of its recipe, and the shape of one image
    'casme2/flow': ({}, 'flow', (28, 28, 3)),
    'phases': ({'data.channels': 'onset,u,v2'}, 'flow', (28, 28, 3)),
    'samer': (
        {'data.name': 'casme2/samer,optical_flow=dis', 'data.channels': 'magnified,on_a,off_a'},
        'samer',
        (28, 28, 3),
    ),
    'video': (
        {'data.name': 'casme2/video', 'data.channels': 'gray', 'data.frames': 5},
        'video',
        (5, 28, 28, 1),
    ),
    'flow of every frame': (
        {
            'data.name': 'casme2/spotting,optical_flow=dis',
            'data.channels': 'u,v',
            'data.apex': 'peak',
        },
        'spotting',
        (28, 28, 2),
    ),
    'masked pixels': (
        {'data.mask': 'eyes_mouth', 'data.clip_normalise': False, 'data.input_scaler': 'p995'},
        'flow',
        (28, 28, 3),
    ),
}


@pytest.mark.parametrize('name', INPUTS)
def test_every_input_is_that_of_the_data_set(name, folder, truth):
    """Each kind of input has a way of its own from frames to an image; all must end alike."""
    changes, kind, shape = INPUTS[name]
    changes = {'data.name': 'casme2/flow,optical_flow=dis', **changes}
    settings = tree.changed(answers.trained.settings_of(folder / 'network'), changes)
    recipe = records.recipe(settings)
    assert recipe.kind == kind
    clip = truth['sub05_EP03_01']
    images = {n: frames.read_gray(path) for n, path in frames.listing(clip.folder)[0].items()}
    record = records.make(images, KeyFrames(*keys(clip)), recipe, name=clip.clip, cropped=True)
    inputs = records.inputs_of([record], recipe, settings)
    assert inputs.image.shape == (1, *shape) == (1, *answers.trained.image_shape(settings))
    assert inputs.image.dtype == answers.trained.dtype(settings)
    builder = casme2_dataset_builder.Builder(
        config=recipe.source.name.partition('/')[2], data_dir=folder / 'data'
    )
    options = builder.options()
    found, _ = layout.read(folder / 'raw', options={name: options[name] for name in layout.OPTIONS})
    [as_found] = [each for each in found if each.clip == clip.clip]
    built = builder_inputs.make(
        as_found, kind=kind, options=options, files={'landmarks': '', 'detector': '', 'magnet': ''}
    )
    if recipe.stored == 'flows':
        [built] = loading.at_apexes([built], settings.data.apex)
    names = channels.parse(settings.data.channels)
    expected = stack_inputs([built], recipe.stored, names, settings.data, 'casme2')
    np.testing.assert_array_equal(inputs.image, expected)
