"""Packs: equal to the run, without a row of its data, and honest about what trained on what."""

import shutil
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file
from scipy import signal

import mer_jax as mj
from mer_jax import cli
from mer_jax.classical import features, svm
from mer_jax.errors import UserError
from mer_jax.prediction import distil, pack, trained
from mer_jax.runfiles import pack_file
from mer_jax.runfiles.foreign_table import ForeignTable
from mer_jax.runfiles.predictions import PredictionTable, softmax
from mer_jax.runfiles.results import RecognitionResults
from mer_jax.runfiles.svms import SupportVectors
from mer_jax.settings.sections import Head
from mer_jax.types import Inputs
from tests.support.compiling import unoptimised
from tests.support.messages import mentions

pytestmark = pytest.mark.usefixtures('undrawn')
HYBRID = (
    '--config.head.name=svm',
    '--config.head.features=network+motion',
    '--config.head.kernel=linear',
    '--config.head.cost=1.0',
    '--config.head.gamma=1.0',
)
KERNEL = (
    '--config.head.name=svm',
    '--config.head.features=motion',
    '--config.head.scale=blocks',
    '--config.head.cost=2.0',
    '--config.head.gamma=0.5',
    '--config.head.mirror=True',
    '--config.train.epochs=0',
)
HEAD = Head('svm', cost=(2.0,), gamma=(0.5,), scale='blocks')
LINEAR = (*KERNEL, '--config.head.kernel=linear')
LOGISTIC = (*KERNEL, '--config.head.name=logistic')
ALL_ROWS = (*LINEAR, '--config.protocol.name=all_rows')


def run(folder: Path, *flags: str) -> Path:
    """Train a run on the tiny faces."""
    config = ('--config=synthetic_ststnet:quick', '--config.data.name=synthetic_faces/tiny')
    with unoptimised():
        assert cli.main([*config, '--config.train.epochs=1', *flags, f'--workdir={folder}']) == 0
    return folder


@pytest.fixture(scope='module')
def folders(tmp_path_factory, tiny_data):
    """Finished runs: networks with linear SVMs behind them, and SVMs alone."""
    root = tmp_path_factory.mktemp('runs')
    flags = {
        'hybrid': HYBRID,
        'kernel': KERNEL,
        'linear': LINEAR,
        'logistic': LOGISTIC,
        'all_rows': ALL_ROWS,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('TFDS_DATA_DIR', tiny_data)
        yield {name: run(root / name, *of_run) for name, of_run in flags.items()}


@pytest.fixture(scope='module')
def packs(folders):
    """{name of a run: its pack}."""
    paths = {name: packed(folders[name]) for name in ('hybrid', 'linear', 'logistic')}
    return paths | {'kernel': packed(folders['kernel'], '--distil')}


def packed(folder, *arguments):
    """The path of a pack of a run, written by the command."""
    with unoptimised():
        assert cli.main(['pack', f'--workdir={folder}', *arguments]) == 0
    return folder / pack.FILE


def difference(folder, model):
    """The largest difference of scores from predictions.csv of a run."""
    experiment = trained.experiment_of(folder, model.settings)
    outputs = softmax(model.scores(Inputs(experiment.data.samples.image, {})))
    position = {clip: number for number, clip in enumerate(experiment.data.names.clips)}
    members = {member: number for number, member in enumerate(model.members)}
    differences = []
    for row in PredictionTable.read(folder).rows:
        of_clip = outputs[members[experiment.titles[row.fold], row.seed], position[row.clip]]
        differences.append(np.abs(of_clip - list(row.scores.values())).max())
    return max(differences)


def shown_rows(path, rows):
    """How far the tensors of a file correlate with rows, whatever their scale; and whether their
    bytes stand in it.

    Every piece of a tensor is compared, as it stands and along its longest axis.
    """
    content = path.read_bytes()
    kinds = (np.uint8, np.float16, np.float32, np.float64)
    for row in rows:
        for scaled in (row, row / 255):
            if any(np.ascontiguousarray(scaled, kind).tobytes() in content for kind in kinds):
                return 1.0
    largest = 0.0
    flat = np.stack([row.ravel().astype(np.float32) for row in rows])
    flat -= flat.mean(1, keepdims=True)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    length = flat.shape[1]
    for tensor in load_file(path).values():
        for axis in {tensor.ndim - 1, int(np.argmax(tensor.shape))}:
            values = np.moveaxis(tensor, axis, -1).ravel().astype(np.float64)
            if len(values) < length:
                continue
            total = np.cumsum(np.concatenate([[0], values]))
            squares = np.cumsum(np.concatenate([[0], values**2]))
            mean = (total[length:] - total[:-length]) / length
            spread = np.sqrt(np.maximum(squares[length:] - squares[:-length] - length * mean**2, 0))
            pieces = values[None].astype(np.float32)
            products = signal.fftconvolve(pieces, flat[:, ::-1], mode='valid', axes=1)
            seen = spread > 1e-6 * np.sqrt(squares[-1])
            if seen.any():
                largest = max(largest, np.abs(products[:, seen] / spread[seen]).max())
    return largest


def test_a_pack_predicts_as_its_run(folders, packs):
    """A transposed weight, another fold or a scale of other rows would ship another model."""
    path = packs['linear']
    model = mj.load_pack(path)
    assert difference(folders['linear'], model) < 1e-5
    of_run = RecognitionResults.read(folders['linear'])
    assert model.facts['metrics'] == of_run.metrics and model.facts['intervals']['uf1']
    fold = model.members[1][0]
    one = trained.open_trained(path, fold)
    of_folder = trained.open_trained(folders['linear'])
    assert {title for title, _ in one.members} == {fold}
    assert one.calibration == trained.open_trained(folders['linear'], fold).calibration
    assert one.calibration != model.calibration == of_folder.calibration
    data = model.settings.data
    assert (data.data_dir, data.manual_dir) == ('', ''), 'folders of this machine'


def test_a_pack_of_regressions_predicts_as_its_run(folders, packs, tmp_path):
    """A weight of another fold, or a scale that is lost, would ship another model."""
    model, of_folder = mj.load_pack(packs['logistic']), trained.open_trained(folders['logistic'])
    assert difference(folders['logistic'], model) < 1e-5
    image = trained.experiment_of(folders['logistic'], model.settings).data.samples.image
    outputs = [each.scores(Inputs(image, {})) for each in (model, of_folder)]
    np.testing.assert_array_equal(*outputs)
    header = pack_file.read_header(packs['logistic'])
    tensors = pack_file.read_tensors(packs['logistic'], range(len(header.members)))
    short = {'regression/0/0/weight': tensors['regression/0/0/weight'][:, 1:]}
    pack_file.write(tmp_path / 'a.safetensors', header, tensors | short)
    with pytest.raises(UserError, match='regression/0/0 is no regression'):
        mj.load_pack(tmp_path / 'a.safetensors')


def test_networks_are_stored_bit_for_bit(folders, packs):
    """The fitted scale of a fold or its batch statistics are easily lost."""
    model = mj.load_pack(packs['hybrid'])
    of_run = trained.open_trained(folders['hybrid'])
    for name in ('params', 'batch_stats', 'fitted'):
        jax.tree.map(
            np.testing.assert_array_equal, getattr(model.states, name), getattr(of_run.states, name)
        )
    assert jax.tree.leaves(model.states.batch_stats)
    # SVMs on features that hardly vary magnify the rounding of another program
    assert difference(folders['hybrid'], model) < 1e-3


@pytest.mark.parametrize('name', ['hybrid', 'linear', 'logistic', 'kernel'])
def test_no_row_of_the_data_is_in_a_pack(folders, packs, name, tmp_path):
    """Whoever passes a pack on would pass on clips of a licensed data set."""
    path = packs[name]
    model = mj.load_pack(path)
    samples = trained.experiment_of(folders[name], model.settings).data.samples
    motion = features.extract(
        ['motion'], samples.image, None, channels=('u', 'v', 'strain'), mirror=True
    )
    described = motion[0].reshape(-1, motion[0].shape[-1])
    images = samples.image if name == 'hybrid' else samples.image[::6]
    for rows in (images, images[..., :2], described):
        assert shown_rows(path, rows) < 0.9
    tensors = load_file(path)
    tensors['hidden'] = np.concatenate([np.ones(5), described[3] * 3 + 7]).astype(np.float16)
    save_file(tensors, tmp_path / 'leaky.safetensors')
    assert shown_rows(tmp_path / 'leaky.safetensors', described) > 0.99, 'the search is blind'


def fitted(clips, train, head):
    """A member whose SVM is fitted to some rows."""
    _, (one,) = svm.fit_fold(clips, train, train, head, seed=0)
    vectors = SupportVectors(one.support, one.dual, one.intercept)
    choice = svm.Choice(head.kernel, one.cost, one.gamma)
    return trained.SvmMember(clips, train, (svm.Stored(choice, vectors),))


def test_weights_that_show_a_row_are_refused():
    """An SVM between one clip and a still one is that clip."""
    draw = np.random.default_rng(0)
    block = np.stack([draw.normal(size=40), np.zeros(40)])[None]
    clips = svm.Clips([block], np.array([0, 1]), np.array([0, 1]), 2)
    member = fitted(clips, np.arange(2), replace(HEAD, kernel='linear', scale='none'))
    weights = svm.linear(clips, member.train, member.svms[0], scale='none')
    with pytest.raises(UserError, match="fold 's01' trains on 2 clips"):
        pack.check_no_row(weights.weight, member, 's01')


def test_svms_with_a_kernel_are_distilled_or_refused(folders, packs, capsys, tmp_path):
    """Their support vectors are the clips of the data set."""
    folder, path = folders['kernel'], packs['kernel']
    assert cli.main(['pack', f'--workdir={folder}', str(tmp_path / 'rows.safetensors')]) == 2
    assert mentions(
        capsys.readouterr().err, "head.kernel is 'rbf' ... rows ... --distil ... linear"
    )
    assert not list(tmp_path.iterdir())
    values = pack_file.read_header(path).distilled
    assert values['rows'] == 24 and values['agreement'] > 0.6
    assert values['uf1_of_svms'] == RecognitionResults.read(folder).metrics['uf1']
    arguments = ['evaluate', f'--model={path}', '--config.data.name=synthetic_faces/tiny']
    assert cli.main([*arguments, f'--workdir={tmp_path}']) == 0
    scored = ForeignTable.read(tmp_path / 'predictions.csv', ())
    correct = np.mean([row.label == row.predicted for row in scored.rows])
    assert len(scored.rows) == 24 and 0 < correct < 1


def test_a_distilled_network_sees_training_rows_of_its_fold_alone():
    """Noise in the left-out subject that reached it would be the leak that packs promise not to
    have.
    """
    draw = np.random.default_rng(0)
    label, subject = np.arange(18) % 3, np.arange(18) // 6
    blocks = [draw.normal(size=(2, 18, 5)) + label[:, None], draw.normal(size=(2, 18, 4))]
    noisy = [
        np.where((subject == 2)[:, None], draw.normal(size=block.shape), block) for block in blocks
    ]
    networks = []
    for features_of_clips in (blocks, noisy):
        clips = svm.Clips(features_of_clips, label, subject, 3)
        members = []
        for fold in (2, 0):
            rows = np.flatnonzero(subject != fold)
            members.append(fitted(clips, rows, HEAD))
        networks.append(distil.train(members, scale='blocks'))
    for before, after in zip(*networks, strict=True):
        np.testing.assert_array_equal(before[0], after[0])
        assert (before[1] != after[1]).any(), 'the noise must reach the other fold'


def test_a_pack_to_ship_is_calibrated_by_a_run_that_tests(folders, capsys, tmp_path):
    """All clips train it, so it has no held-out rows: it takes those of a run of its settings, and
    is scored on no clip that it trained on.
    """
    folder = folders['all_rows']
    packed(folder)
    alone = mj.load_pack(folder / pack.FILE)
    assert alone.calibration is None and alone.facts['metrics']['uf1'] is None
    packed(folder, f'--calibrated_by={folders["linear"]}')
    model = mj.load_pack(folder / pack.FILE)
    assert model.calibration == trained.open_trained(folders['linear']).calibration
    assert model.facts['estimated_by']['protocol'] == 'loso'
    capsys.readouterr()
    for other, expected in ((folders['kernel'], 'head.kernel'), (folder, 'tests no clip')):
        assert cli.main(['pack', f'--workdir={folder}', f'--calibrated_by={other}']) == 2
        assert mentions(capsys.readouterr().err, f'--calibrated_by ... {expected} ... allowed')
    arguments = [
        'evaluate',
        f'--model={folder / pack.FILE}',
        '--config.data.name=synthetic_faces/tiny',
    ]
    assert cli.main([*arguments, f'--workdir={tmp_path / "scored"}']) == 2
    assert mentions(capsys.readouterr().err, 'every member trained on every clip ... loso')
    assert not (tmp_path / 'scored').exists()


def test_validation_rows_calibrate_nothing(folders, tmp_path, capsys):
    """The validation rows of other folds hold the subject that a fold tests: its labels would
    choose the temperature and the threshold of its scores.
    """
    folder = tmp_path / 'run'
    shutil.copytree(folders['linear'], folder)
    replace(RecognitionResults.read(folder), scored='validation').write(folder)
    fold = mj.load_pack(folders['linear'] / pack.FILE).members[0][0]
    for title in ('', fold):
        assert trained.open_trained(folder, title).calibration is None
    assert mj.load_pack(packed(folder)).calibration is None
    arguments = ['pack', f'--workdir={folders["all_rows"]}', f'--calibrated_by={folder}']
    assert cli.main([*arguments, str(tmp_path / 'x.safetensors')]) == 2
    assert mentions(capsys.readouterr().err, "evaluate_on is 'validation' ... 'test'")


def test_the_labels_of_a_clip_do_not_calibrate_its_scores(packs, folders, tmp_path):
    """Nobody of the pack may be scored with a temperature that was fitted to everybody in it."""
    header = pack_file.read_header(packs['linear'])
    tensors = pack_file.read_tensors(packs['linear'], range(len(header.members)))
    block = header.calibration | {'temperature': 50.0, 'folds': {}}
    path = tmp_path / 'a.safetensors'
    pack_file.write(path, replace(header, calibration=block), tensors)
    arguments = ['evaluate', f'--model={path}', '--config.data.name=synthetic_faces/tiny']
    assert cli.main([*arguments, f'--workdir={tmp_path}']) == 0
    of_run = {
        row.clip: [*row.scores.values()] for row in PredictionTable.read(folders['linear']).rows
    }
    scored = PredictionTable.read(tmp_path).rows
    assert {row.clip for row in scored} == of_run.keys()
    for row in scored:
        np.testing.assert_allclose([*row.scores.values()], of_run[row.clip], atol=1e-4)
