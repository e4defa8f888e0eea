"""Whole runs as a user starts them: every config, kills, published weights, more epochs, other
protocols.
"""

import contextlib
import csv
import functools
import importlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from sklearn import metrics as reference

import main
from benchmarks import explanation
from mer_jax import cli
from mer_jax.data import annotations, labels, loading, sources
from mer_jax.data.sources import BuildOptions
from mer_jax.experiment import settings
from mer_jax.training import checkpoint, fold_by_fold, plan
from tests.support import fake_raw, networks
from tests.support.compiling import optimised

ROOT = Path(__file__).parents[1]
CONFIGS = sorted(p.stem for p in ROOT.glob('configs/[a-z]*_*.py'))


RATES = ('dropout', 'dropout_dense', 'dropout_contrast')


def quick_settings(name):
    """What a quick run of a config depends on, as text.

    All settings but the name, the label scheme, those of networks that it does not use, and rates
    of learning and dropout: the same program runs with any of them, and
    `test_every_config_is_run_or_equals_one_that_is` checks their range.
    """
    values = importlib.import_module(f'configs.{name}').get_config('quick').to_dict()
    del values['data']['labels']
    model = values.pop('model')
    network = {key: value for key, value in model[model['name']].items() if key not in RATES}
    used = {'name': model['name'], 'init_from': model['init_from'], 'network': network}
    train = {**values['train'], 'learning_rate': 0}
    return json.dumps({**values, 'name': '', 'model': used, 'train': train}, sort_keys=True)


# Quick runs learn the same drawn clips, whatever a config is for: of those with equal settings one
# is run, and one of the drawn faces where it is among them, as other tests here need it.
RUN = {
    quick_settings(name): name
    for name in sorted(reversed(CONFIGS), key=lambda name: name.startswith('synthetic_'))
}
# Trained from releases: by release_training_test with their classes, batches and augmentation, and
# by apexes_test with leave-one-subject-out, which is all that smic_spotting has of its own. What
# else they have they share with synthetic_dualbranch, synthetic_cnn3d and synthetic_spotting.
TRAINED_FROM_A_RELEASE = {'casme2_cnn3d', 'casme2_dualbranch', 'smic_spotting'}
SPOTTING = ('synthetic_spotting',)
# the second one differs in the weights of units, and leaves out data sets where not quick
UNITS = ('synthetic_action_units', 'cd6me_sssnet')
# It computes for longer than it compiles.
SHORTER = {'megc2019_vggm': ('--config.train.epochs=1',)}
# Drawn faces teach it: the published clips that it is for are none, those of these tests are.
DRAWN_TWICE = (
    'model.pretrain: faces that are tested are drawn too, and may be among those that teach'
)
LEAKS = {'megc2019_best': [DRAWN_TWICE], 'megc2019_stack': [DRAWN_TWICE]}
pytestmark = pytest.mark.usefixtures('unrendered')
FILES = {
    'results.json',
    'predictions.csv',
    'report.html',
    'metrics.jsonl',
    'folds.csv',
    'dropped.csv',
    'config.json',
    'plan.json',
}


def run(*arguments, code=0):
    assert main.main(list(arguments)) == code


def rows(folder):
    with open(folder / 'predictions.csv', newline='') as file:
        return list(csv.DictReader(file))


def quick(tiny_data, folder, *more, config='synthetic_ststnet', verb='train'):
    return [
        verb,
        f'--config={ROOT}/configs/{config}.py:quick',
        f'--config.data.data_dir={tiny_data}',
        f'--workdir={folder}',
        *more,
    ]


@pytest.fixture(scope='module')
def quick_run(tiny_data, tmp_path_factory):
    """The function name of a config -> folder of its finished quick run, which is run once."""

    @functools.cache
    def finished(name):
        folder = tmp_path_factory.mktemp(name) / 'run'
        with networks.narrow_alexnet():
            run(*quick(tiny_data, folder, *SHORTER.get(name, ()), config=name))
        return folder

    return finished


@pytest.mark.parametrize(
    'name', sorted({*RUN.values()} - {*SPOTTING, *UNITS} - TRAINED_FROM_A_RELEASE)
)
def test_every_config_runs_quick(name, quick_run):
    """A config that does not run from the command line is a promise broken to whoever types its
    name.
    """
    folder = quick_run(name)
    results = json.loads((folder / 'results.json').read_text())
    trained = results['epochs'] > 0  # not so where machines answer by features of the clips alone
    assert {p.name for p in folder.iterdir()} >= (
        FILES if trained else FILES - {'plan.json', 'metrics.jsonl'}
    )
    assert (
        results['name'] == f'{name} (quick)'
        and results['leaks'] == LEAKS.get(name, [])
        and results['folds'] == 5
        and results['seeds'] == 1
    )
    predicted = rows(folder)
    assert len(predicted) == results['clips'] == len({row['clip'] for row in predicted})
    assert sum(map(sum, results['confusion'])) == len(predicted)
    right = sum(row['label'] == row['predicted'] for row in predicted)
    assert results['metrics']['accuracy'] == pytest.approx(right / len(predicted))


@pytest.fixture(scope='module')
def tiny_annotations(tiny_data):
    """What is annotated of the clips of every quick run but those of spotting."""
    options = BuildOptions(data_dir=tiny_data)
    (source,) = sources.parse('synthetic_faces/tiny')
    return loading.read(source, annotations.FEATURES, options)


@pytest.mark.parametrize('name', CONFIGS)
def test_every_config_is_run_or_equals_one_that_is(name, tiny_annotations):
    """Its command must be understood, down to settings of some run, as which it runs; and the few
    clips of a quick run must have every class of its label scheme.
    """
    command = cli.parse([f'--config={ROOT}/configs/{name}.py:quick'])
    settings.checked(command.config)
    assert command.config.name == f'{name} (quick)' and command.folder == f'runs/{name}-quick'
    twin = importlib.import_module(f'configs.{RUN[quick_settings(name)]}').get_config('quick')
    twin.data.labels = scheme = command.config.data.labels
    assert twin.data == command.config.data
    kept, _ = labels.labelled(tiny_annotations, scheme)
    assert {row['class'] for row in kept} == {*labels.classes(scheme, ['synthetic'])}


@pytest.mark.parametrize('name', SPOTTING)
def test_every_spotting_config_runs_quick(name, tiny_data, tmp_path):
    """As above; every clip is answered once by every decision, and what does not look stands beside
    it.
    """
    with optimised():  # its frames take longer to compute than the program to compile
        run(*quick(tiny_data, tmp_path / 'run', config=name))
    assert {p.name for p in (tmp_path / 'run').iterdir()} >= FILES | {'apexes.csv'}
    results = json.loads((tmp_path / 'run' / 'results.json').read_text())
    assert (
        results['name'] == f'{name} (quick)'
        and results['leaks'] == []
        and results['folds'] == 5
        and results['task'] == 'spotting'
    )
    assert set(results['spotting']) == {'max', 'sw_max', 'template', 'midpoint', 'fraction'}
    with open(tmp_path / 'run' / 'apexes.csv', newline='') as file:
        told = list(csv.DictReader(file))
    assert len(told) == results['clips'] == len({row['clip'] for row in told})
    for decision, block in results['spotting'].items():
        off = [abs(int(row[decision]) - int(row['apex'])) for row in told]
        assert block['mae'] == pytest.approx(np.mean(off)) and block['mae_ms'] == pytest.approx(
            5 * np.mean(off)
        )


def test_action_units_run_quick(tiny_data, tmp_path):
    """The scores must follow from predictions.csv, also where the run is scored again from its
    checkpoint.
    """
    folder = tmp_path / 'run'
    run(*quick(tiny_data, folder, config=UNITS[0]))
    assert {p.name for p in folder.iterdir()} >= FILES
    results = json.loads((folder / 'results.json').read_text())
    assert results['task'] == 'action_units' and results['leaks'] == [] and results['folds'] == 5
    predicted = rows(folder)
    assert len(predicted) == results['clips'] == len({row['clip'] for row in predicted})
    for block in results['per_unit']:
        truth, output = (
            np.array([float(row[f'{kind}_{block["unit"]}']) for row in predicted])
            for kind in ('truth', 'output')
        )
        assert block['present'] == truth.sum() > 0
        assert block['f1'] == pytest.approx(reference.f1_score(truth, output > 0))
        assert block['average_precision'] == pytest.approx(
            reference.average_precision_score(truth, output)
        )
    before = (folder / 'predictions.csv').read_bytes()
    (folder / 'results.json').unlink()
    run(*quick(tiny_data, folder, config=UNITS[0], verb='evaluate'))
    assert (folder / 'predictions.csv').read_bytes() == before
    scored = json.loads((folder / 'results.json').read_text())
    assert scored['per_unit'] == results['per_unit']


def start(arguments):
    # as in this process
    environment = {**os.environ, 'PYTHONPATH': str(ROOT), 'JAX_DISABLE_MOST_OPTIMIZATIONS': '1'}
    return subprocess.Popen(
        [sys.executable, str(ROOT / 'main.py'), *arguments],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def killed(arguments, folder):
    """Start a run and kill -9 it once its log is two epochs ahead of its newest checkpoint."""
    process, log, deadline = start(arguments), folder / 'metrics.jsonl', time.monotonic() + 120
    group = folder / 'checkpoints' / 'group_0'
    # the checkpoint first: one that comes between the two looks is no harm
    while not 1 <= checkpoint.newest(group) <= log.read_bytes().count(b'\n') - 2:
        assert process.poll() is None, 'the run ended before it was killed'
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()


# of the run that is killed, whose checkpoints wait for twenty times what one took
EPOCHS = 16
LONG = (f'--config.train.epochs={EPOCHS}', '--config.evaluate.every_epoch')


@pytest.fixture(scope='module')
def finished(tiny_data, tmp_path_factory):
    """The folder of a finished tiny run."""
    folder = tmp_path_factory.mktemp('finished') / 'run'
    run(*quick(tiny_data, folder, *LONG))
    return folder


def test_a_killed_run_ends_at_the_same_bits(finished, tiny_data, tmp_path):
    """kill -9 at any moment and the same command again: predictions.csv and every parameter as if
    nothing had happened.
    """
    undisturbed, disturbed = finished, tmp_path / 'disturbed'
    again = quick(tiny_data, disturbed, *LONG, '--config.train.checkpoint_seconds=0.01')
    killed(again, disturbed)
    assert not (disturbed / 'results.json').exists()
    run(*again)
    assert (disturbed / 'predictions.csv').read_bytes() == (
        undisturbed / 'predictions.csv'
    ).read_bytes()
    np.testing.assert_array_equal(
        np.load(disturbed / 'held_out.npy'), np.load(undisturbed / 'held_out.npy')
    )
    for one, other in zip(*(restored(f) for f in (disturbed, undisturbed)), strict=True):
        np.testing.assert_array_equal(one, other)
    logged = [
        json.loads(line)['epoch'] for line in (disturbed / 'metrics.jsonl').read_text().splitlines()
    ]
    assert logged == list(range(1, EPOCHS + 1))


def restored(folder):
    """Every array of the last checkpoint, in a fixed order."""
    import jax
    import orbax.checkpoint as ocp

    group = folder / 'checkpoints' / 'group_0'
    with ocp.CheckpointManager(group) as manager:
        return jax.tree.leaves(
            manager.restore(checkpoint.newest(group), args=ocp.args.StandardRestore())
        )


def test_a_finished_run_is_scored_again_and_not_trained_again(finished, tiny_data, capsys):
    """Re-running must be harmless: it may neither change a checkpoint nor a prediction."""
    before = (finished / 'predictions.csv').read_bytes()
    stamp = (finished / 'checkpoints' / 'group_0' / str(EPOCHS)).stat().st_mtime_ns
    (finished / 'results.json').unlink()
    run(*quick(tiny_data, finished, *LONG, verb='evaluate'))
    assert (finished / 'predictions.csv').read_bytes() == before
    assert (finished / 'checkpoints' / 'group_0' / str(EPOCHS)).stat().st_mtime_ns == stamp
    assert (finished / 'results.json').exists()
    (finished / 'report.html').unlink()
    run(*quick(tiny_data, finished, verb='report'))
    assert (finished / 'report.html').exists()


def test_every_epoch_feeds_nothing_back(finished, tiny_data, tmp_path):
    """Looking at the held-out rows after each epoch must leave every parameter as it is without
    looking.
    """
    run(*quick(tiny_data, tmp_path / 'blind', LONG[0]))
    assert (tmp_path / 'blind' / 'predictions.csv').read_bytes() == (
        finished / 'predictions.csv'
    ).read_bytes()
    looked, blind = (
        json.loads((f / 'results.json').read_text()) for f in (finished, tmp_path / 'blind')
    )
    assert blind['oracle_epoch'] is None and looked['metrics'] == blind['metrics']
    assert looked['oracle_epoch']['last']['metrics']['uf1'] == pytest.approx(
        looked['metrics']['uf1']
    )
    assert (
        looked['oracle_epoch']['test_best']['metrics']['accuracy']
        >= looked['metrics']['accuracy'] - 1e-9
    )


def test_more_epochs_continue_a_finished_run(quick_run, tiny_data, tmp_path):
    """Two epochs and then four must be the same as four, where no schedule depends on the
    total.
    """
    shutil.copytree(quick_run('synthetic_ststnet'), tmp_path / 'a')
    run(*quick(tiny_data, tmp_path / 'a', '--config.train.epochs=4'))
    run(*quick(tiny_data, tmp_path / 'b', '--config.train.epochs=4'))
    assert (tmp_path / 'a' / 'predictions.csv').read_bytes() == (
        tmp_path / 'b' / 'predictions.csv'
    ).read_bytes()


def test_groups_stay_as_they_began(tiny_data, tmp_path, monkeypatch):
    """Groups follow from the memory free at the start. With other groups on a later start,
    checkpoints would go to other
    runs: networks that trained on a subject would be asked to predict it.
    """
    folder = tmp_path / 'grouped'
    with monkeypatch.context() as scarce:
        scarce.setattr(plan, 'group_size', lambda *a, **k: 2)
        run(*quick(tiny_data, folder, '--config.train.devices=2'))
    before = (folder / 'predictions.csv').read_bytes()
    assert len(list(folder.glob('checkpoints/group_*'))) == 3
    run(*quick(tiny_data, folder, '--config.train.devices=2', verb='evaluate'))
    assert (folder / 'predictions.csv').read_bytes() == before
    (folder / 'checkpoints' / 'group_2' / '2').rename(folder / 'kept')
    # it never trains
    run(*quick(tiny_data, folder, '--config.train.devices=2', verb='evaluate'), code=2)
    (folder / 'checkpoints' / 'group_0' / '2').rename(folder / 'checkpoints' / 'group_2' / '2')
    run(*quick(tiny_data, folder, '--config.train.devices=2'), code=2)  # two runs where one belongs


def test_a_run_can_train_fold_by_fold(tiny_data, tmp_path, monkeypatch):
    """A user who wants to look into a network would stop at tracers: the setting must reach the
    programs, and the plan must not use what plain Python lacks.
    """

    def stop(*arguments, **settings):
        raise KeyboardInterrupt

    monkeypatch.setattr(fold_by_fold, 'programs', stop)
    folder = tmp_path / 'run'
    run(*quick(tiny_data, folder, '--config.train.fold_by_fold=True'), code=130)
    layout = json.loads((folder / 'plan.json').read_text())
    assert (layout['at_once'], layout['devices']) == (1, 1)


@pytest.fixture(scope='module')
def explained(quick_run, tiny_data):
    """(folder of a run whose maps are drawn, what that printed, predictions.csv before)."""
    dual = quick_run('synthetic_dualbranch')
    before = (dual / 'predictions.csv').read_bytes()
    assert 'python -m mer_jax explain' in (dual / 'report.html').read_text()
    arguments = quick(
        tiny_data,
        dual,
        '--config.explain.clips=3',
        config='synthetic_dualbranch',
        verb='explain',
    )
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        run(*arguments)
    return dual, printed.getvalue(), before


def test_what_a_run_looks_at_is_drawn(explained):
    """Pictures, their list and a section of the report, without another epoch of training."""
    dual, printed, before = explained
    with open(dual / 'explain' / 'index.csv', newline='') as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 3 and {line['background'] for line in lines} == {'own face (synthetic)'}
    truth = {row['clip']: row for row in rows(dual)}
    for line in lines:
        assert (line['truth'], line['predicted']) == (
            truth[line['clip']]['label'],
            truth[line['clip']]['predicted'],
        )
        assert cv2.imread(str(dual / 'explain' / line['file'])).std() > 10
    for name in ('montage.png', 'captions.json'):
        assert (dual / 'explain' / name).exists()
    assert 'What the network looks at' in (dual / 'report.html').read_text()
    assert 'explain/montage.png' in printed and (dual / 'predictions.csv').read_bytes() == before


def test_the_benchmark_of_maps_measures_them(explained, monkeypatch, capsys):
    """As those of benchmarks_test, of which it is the only one that needs a trained network; the
    maps of an untrained one take as long as training it.
    """
    dual, _, _ = explained
    with np.load(dual / 'explain' / 'maps.npz') as stored:
        maps = dict(stored)
    runs = []

    def drawn(arguments, folder):
        runs.append((cli.parse(arguments).config.train.epochs, folder))
        return maps | {'au_cam': maps['au_cam'] * bool(runs[-1][0])}

    monkeypatch.setattr(explanation, 'explained', drawn)
    explanation.main(['--config=synthetic_dualbranch:quick', f'--workdir={dual}'])
    assert runs == [(2, str(dual)), (0, f'{dual}-untrained')]
    printed = capsys.readouterr().out
    assert re.search(r'AU-CAM, trained, over AU-CAM, untrained +[+-][\d.]+', printed), printed


# SVMs on pixels, which need no compilation; where nothing is tested, a network has no program that
# predicts.
BY_PIXELS = ('--config.head.name=svm', '--config.head.features=pixels', '--config.train.epochs=0')


@pytest.mark.parametrize(
    'protocol,folds,more',
    [('kfold', 2, BY_PIXELS), ('random_split', 1, BY_PIXELS), ('all_rows', 1, ())],
)
def test_other_protocols_run_from_the_command_line(protocol, folds, more, tiny_data, tmp_path):
    """A leaky protocol must carry its flag into results.json; one with an empty test must still end
    well.
    """
    run(
        *quick(
            tiny_data,
            tmp_path / 'run',
            f'--config.protocol.name={protocol}',
            '--config.protocol.folds=2',
            f'--config.protocol.repeat={2 if protocol == "kfold" else 1}',
            *more,
        )
    )
    results = json.loads((tmp_path / 'run' / 'results.json').read_text())
    assert (results['repeats'] is not None) == (results['seeds'] == 2) == (protocol == 'kfold')
    assert results['folds'] == folds and bool(results['leaks']) == (protocol == 'random_split')
    assert (results['metrics']['uf1'] is None) == (protocol == 'all_rows')


def test_published_weights_predict_as_their_authors_did(tmp_path):
    """STSTNet's released files, one a left-out subject: fed by cv2.imread as their authors fed
    them, same scores here.
    """
    torch = pytest.importorskip('torch')
    from tests.support.torch_networks import torch_networks

    truth = fake_raw.write_precomputed_flow(tmp_path / 'release')
    subjects = sorted({subject for subject, _, _ in truth.values()})  # as {number} counts them
    (tmp_path / 'weights').mkdir()
    expected = {}
    for number, subject in enumerate(subjects, 1):
        torch.manual_seed(number)
        network = torch_networks(torch.nn, torch)['ststnet']()
        for module in network.children():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.uniform_(20, 60)
                module.running_var.uniform_(500, 3000)
        torch.save(network.eval().state_dict(), tmp_path / 'weights' / f'{number}.pt')
        for path in (tmp_path / 'release' / 'norm_u_v_os' / subject / 'u_test').rglob('*.png'):
            image = torch.from_numpy(cv2.imread(str(path))).permute(2, 0, 1)[None].float()
            expected[path.stem.rstrip()] = torch.softmax(network(image), 1)[0].detach().numpy()
    run(
        f'--config={ROOT}/configs/megc2019_ststnet.py',
        f'--config.data.manual_dir={tmp_path / "release"}',
        f'--config.data.data_dir={tmp_path / "built"}',
        f'--config.model.init_from={tmp_path / "weights"}/{{number}}.pt',
        '--config.train.epochs=0',
        '--config.train.seeds=1',
        '--config.train.at_once=1',
        '--config.train.lowering=matmul',
        f'--workdir={tmp_path / "run"}',
    )
    found = rows(tmp_path / 'run')
    assert len(found) == len(expected)
    for row in found:
        clip = row['clip']
        if row['dataset'] == 'casme2':
            clip = clip.removeprefix(row['subject'] + '_')
        stem = f'{row["subject"]}_{clip}'
        scores = [float(row[f'score_{c}']) for c in ('negative', 'positive', 'surprise')]
        np.testing.assert_allclose(scores, expected[stem], atol=1e-4)
