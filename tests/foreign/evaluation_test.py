"""mj.evaluate: what the user's code receives, what is made of its output, and where it goes on."""

import functools
import importlib
import json
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

import mer_jax as mj
from mer_jax import cli
from mer_jax.errors import UserError
from mer_jax.folds import RESAMPLERS, protocols
from mer_jax.runfiles.folds import FoldTable
from mer_jax.runfiles.predictions import PredictionTable
from tests.support.messages import mentions

ROOT = Path(__file__).parents[2]
CLASSES = ['negative', 'positive', 'surprise']


def arrays():
    """24 rows of four subjects; classes 0, 1, 2 have 12, 8 and 4 rows."""
    y = np.tile([0, 0, 0, 1, 1, 2], 4)
    x = np.random.default_rng(0).normal(size=(24, 4, 4, 2)) + y[:, None, None, None]
    return x, y, np.repeat(['anna', 'ben', 'cleo', 'dora'], 6)


def dataset(x=None):
    drawn, y, subject = arrays()
    return mj.dataset(drawn if x is None else x, y, subject, classes=CLASSES)


pytestmark = pytest.mark.usefixtures('undrawn')  # no test here looks at a plot


@pytest.fixture(scope='module')
def data():
    return dataset()


def nearest_mean(x, y, subject, seed):
    """Classes by the nearest mean."""
    flat = x.reshape(len(x), -1)
    means = np.stack([flat[y == label].mean(0) for label in range(3)])

    def predict(x):
        distance = np.square(x.reshape(len(x), 1, -1) - means).sum(-1)
        return -distance

    return predict


def keep(folder, x, y, subject, seed):
    """Store what fit receives, by its seed; each fold and seed has another one."""
    np.savez(Path(folder) / f'{seed}.npz', x=x, y=y, subject=subject)
    return lambda x: np.zeros(len(x), int)


def received(data, folder, prepare=None):
    """{name of the file: arrays} that fit receives."""
    folder.mkdir()
    options = {} if prepare is None else {'prepare': prepare}
    mj.evaluate(functools.partial(keep, folder), data, folder=folder / 'run', **options)
    return {path.stem: dict(np.load(path)) for path in sorted(folder.glob('*.npz'))}


@pytest.mark.parametrize(
    'prepare',
    [mj.Preparation(), mj.Preparation(balance='smote', scaler='standard')],
    ids=['plain', 'smote-standard'],
)
def test_the_left_out_subject_changes_nothing_that_fit_receives(tmp_path, prepare):
    """The promise of the whole: a fit cannot learn from rows that it is tested on."""
    x, _, subject = arrays()
    noisy = x.copy()
    noisy[subject == 'cleo'] += np.random.default_rng(1).normal(size=(6, 4, 4, 2))
    before = received(dataset(), tmp_path / 'before', prepare)
    after = received(dataset(noisy), tmp_path / 'after', prepare)
    assert before.keys() == after.keys() and len(before) == 4
    equal = []
    for key, arrays_of_fold in before.items():
        same = [np.array_equal(arrays_of_fold[name], after[key][name]) for name in ('x', 'y')]
        equal.append(all(same))
        if 2 not in arrays_of_fold['subject']:  # the fold that leaves cleo out
            assert all(same)
    assert sum(equal) == 1


def test_fit_receives_the_training_rows_of_its_fold(data, tmp_path):
    """X as in the data, y and subject of the same rows, in the types that PyTorch takes."""
    folds = received(data, tmp_path / 'rows')
    left_out = set()
    for arrays_of_fold in folds.values():
        (missing,) = {0, 1, 2, 3} - set(arrays_of_fold['subject'].tolist())
        rows = np.flatnonzero(data.subject != missing)
        np.testing.assert_array_equal(arrays_of_fold['x'], data.x[rows])
        np.testing.assert_array_equal(arrays_of_fold['y'], data.y[rows])
        np.testing.assert_array_equal(arrays_of_fold['subject'], data.subject[rows])
        assert arrays_of_fold['x'].dtype == np.float32
        assert arrays_of_fold['y'].dtype == arrays_of_fold['subject'].dtype == np.int64
        left_out.add(missing)
    assert left_out == {0, 1, 2, 3}


@pytest.mark.parametrize('method', ['oversample', 'smote'])
def test_classes_are_equally_large_after_balancing(data, tmp_path, method):
    """Rows that are added lie between training rows of their class, and are counted."""
    prepare = mj.Preparation(balance=method, neighbours=2)
    for fold in received(data, tmp_path / method, prepare).values():
        assert np.bincount(fold['y']).tolist() == [9, 9, 9]
        added = fold['x'][18:]
        alone = [np.abs(fold['x'][:18] - row).max((1, 2, 3)).min() < 1e-6 for row in added]
        assert all(alone) if method == 'oversample' else not all(alone)
        for row, label in zip(added, fold['y'][18:], strict=True):
            same = fold['x'][:18][fold['y'][:18] == label]
            assert (row >= same.min(0) - 1e-5).all() and (row <= same.max(0) + 1e-5).all()
        if method == 'smote':
            assert -1 in fold['subject'][18:]  # of two subjects: no inner split may divide it
    table = FoldTable.read(tmp_path / method / 'run')
    assert [(row.train_rows, row.added_rows) for row in table.rows] == [(18, 9)] * 4


def test_a_scale_is_of_the_training_rows_and_used_for_all(data, tmp_path):
    """Standardised training rows, and left-out rows by the same figures."""
    for fold in received(data, tmp_path / 'scaled', mj.Preparation(scaler='standard')).values():
        np.testing.assert_allclose(fold['x'].mean((0, 1, 2)), 0, atol=1e-5)
        np.testing.assert_allclose(fold['x'].std((0, 1, 2)), 1, atol=1e-5)

    def first_pixel(x, y, subject, seed):
        return lambda x: np.abs(x[:, 0, 0, :1] * [1, 0, 0])

    run = mj.evaluate(
        first_pixel, data, folder=tmp_path / 'run', prepare=mj.Preparation(scaler='standard')
    )
    row = PredictionTable.read(run.folder).rows[0]
    train = data.x[data.subject != 0]
    value = abs(data.x[0, 0, 0, 0] - train[..., 0].mean()) / train[..., 0].std()
    score = row.scores['negative']
    assert np.log(2 * score / (1 - score)) == pytest.approx(value, rel=1e-3)


def test_an_evaluation_has_the_files_of_a_run(data, tmp_path, capsys):
    """compare, report and score read it; verbs that must build a network refuse it in one line."""
    run = mj.evaluate(nearest_mean, data, seeds=2, folder=tmp_path / 'run')
    results = json.loads((run.folder / 'results.json').read_text())
    assert results['protocol'] == 'loso' and results['leaks'] == []
    assert results['folds'] == 4 and results['seeds'] == 2 and results['clips'] == 24
    assert mj.score(run).uf1 > 0.8  # the classes are far apart
    for row in PredictionTable.read(run.folder).rows:
        number = int(row.clip.removeprefix('row '))
        assert data.subjects[data.subject[number]] == row.subject == data.subjects[row.fold]
        assert data.classes[data.y[number]] == row.label
    compared = mj.compare(run, run.folder)
    assert 'nearest_mean' in (run.folder / 'config.json').read_text()
    assert compared.groups[0]['runs'][0]['clips'] == 24
    assert cli.main(['report', f'--workdir={run.folder}']) == 0
    capsys.readouterr()
    config = '--config=configs/synthetic_ststnet.py:quick'
    for verb in ('train', 'evaluate'):
        assert cli.main([verb, config, f'--workdir={run.folder}']) == 2
        message = capsys.readouterr().err.strip().splitlines()[-1]
        assert 'nearest_mean' in message and 'mer_jax.evaluate' in message


def test_leaks_are_listed(data, tmp_path):
    """Rows of tested clips that train stand in every table, wherever they come from."""
    from sklearn.model_selection import KFold

    folds = mj.folds.from_sklearn(KFold(2, shuffle=True, random_state=0), data)
    prepare = mj.Preparation(
        balance='smote', balance_scope='all', scaler='standard', scaler_scope='all'
    )
    run = mj.evaluate(nearest_mean, data, folds, folder=tmp_path / 'run', prepare=prepare)
    split, scale, balance = mj.score(run).results.leaks
    assert 'KFold' in split and 'scaler_scope=all' in scale and 'balance.scope=all' in balance


@pytest.mark.parametrize('protocol', ['holdout', 'random_split', 'all_rows'])
def test_every_protocol_has_its_leak(data, tmp_path, protocol):
    """One fold, a leaky one, one that tests nothing: what training sees stands in results.json."""
    folds = mj.folds.by_protocol(protocol, data, holdout=0.5)
    run = mj.evaluate(nearest_mean, data, folds, folder=tmp_path / 'run')
    results = mj.score(run).results
    assert results.protocol == protocol and results.folds == 1
    assert results.leaks == [leak for leak in [protocols.leak(protocol)] if leak]
    tested = 0 if protocol == 'all_rows' else 12
    assert len(PredictionTable.read(run.folder).rows) == tested


def test_classes_and_probabilities_are_scores_too(data, tmp_path):
    """Scikit-learn predicts names or probabilities: both must arrive as they are."""

    def names_of(x, y, subject, seed):
        predict = nearest_mean(x, y, subject, seed)
        return lambda x: np.array(CLASSES)[predict(x).argmax(1)]

    def probabilities(x, y, subject, seed):
        return lambda x: np.tile([0.25, 0.75, 0.0], (len(x), 1))

    by_scores = mj.evaluate(nearest_mean, data, folder=tmp_path / 'scores')
    by_names = mj.evaluate(names_of, data, folder=tmp_path / 'names')
    assert mj.score(by_names).results.confusion == mj.score(by_scores).results.confusion
    assert set(PredictionTable.read(by_names.folder).rows[0].scores.values()) == {0.0, 1.0}
    run = mj.evaluate(probabilities, data, folder=tmp_path / 'probabilities')
    scores = PredictionTable.read(run.folder).rows[0].scores
    assert list(scores.values()) == pytest.approx([0.25, 0.75, 0], abs=1e-5)


def test_every_epoch_that_is_yielded_is_scored(data, tmp_path):
    """The oracle block needs all epochs; what predict does to itself must not reach training."""

    def fit(x, y, subject, seed):
        state = {'calls': 0}

        def predict(x):
            state['calls'] += 1  # as batch statistics that move while left-out rows pass
            return np.tile([state['epoch'] == 1, state['epoch'] == 2, 0], (len(x), 1)).astype(float)

        for epoch in range(1, 4):
            assert state['calls'] == 0
            state['epoch'] = epoch
            yield predict

    run = mj.evaluate(fit, data, folder=tmp_path / 'run')
    results = mj.score(run).results
    assert results.epochs == 3
    assert results.oracle_epoch['per_epoch']['accuracy'] == pytest.approx([1 / 2, 1 / 3, 1 / 2])
    assert results.metrics['accuracy'] == pytest.approx(1 / 2)  # the last epoch, not the best


def test_after_an_error_only_missing_folds_are_fitted(data, tmp_path):
    """An error in the last of 68 folds must cost one fold, and the files must not show it."""
    attempts, healed = tmp_path / 'attempts', tmp_path / 'healed'

    def fit(x, y, subject, seed):
        with open(attempts, 'a') as file:
            file.write(f'{seed}\n')
        if 2 not in subject and not healed.exists():
            raise ZeroDivisionError('half of nothing')
        weight = np.random.rand(3)  # of the global generator, which must be that of the fold
        return lambda x: x.mean((1, 2, 3))[:, None] * weight

    with pytest.raises(UserError) as caught:
        mj.evaluate(fit, data, folder=tmp_path / 'run')
    message = str(caught.value)
    assert 'cleo' in message and 'seed 0' in message and 'ZeroDivisionError' in message
    assert '2 of 4' in message and '\n' not in message
    (trace,) = caught.value.__notes__
    assert 'evaluation_test.py' in trace and "raise ZeroDivisionError('half" in trace
    assert 'mer_jax' not in trace
    assert not (tmp_path / 'run' / 'results.json').exists()
    healed.touch()
    again = mj.evaluate(fit, data, folder=tmp_path / 'run')
    seeds = attempts.read_text().split()
    assert len(seeds) == 5 and seeds[2] == seeds[3] and len(set(seeds)) == 4
    whole = mj.evaluate(fit, data, folder=tmp_path / 'whole')
    for name in ('predictions.csv', 'folds.csv'):
        assert (again.folder / name).read_bytes() == (whole.folder / name).read_bytes()


SCRIPT = """
import glob, os, sys, time
import numpy as np
import mer_jax as mj

FOLDER = sys.argv[1]

def fit(X, y, subject, seed):
    while os.path.exists(FOLDER + '.stop') and len(glob.glob(FOLDER + '/fold_outputs/*.npz')) > 1:
        time.sleep(0.1)
    weight = np.random.rand(3)
    return lambda X: X.mean((1, 2, 3))[:, None] * weight

y = np.arange(24) % 3
X = np.random.default_rng(0).normal(size=(24, 4, 4, 2))
data = mj.dataset(X, y, np.repeat(list('abcd'), 6))
mj.evaluate(fit, data, folder=FOLDER, processes=int(sys.argv[2]))
"""


def test_a_killed_evaluation_goes_on_to_the_same_files(tmp_path, monkeypatch):
    """Functions of a script in two processes, killed by kill -9, continued in one process."""
    script, stop = tmp_path / 'script.py', tmp_path / 'run.stop'
    script.write_text(SCRIPT)
    stop.touch()
    killed = subprocess.Popen(
        [sys.executable, script, tmp_path / 'run', '2'],
        env=os.environ | {'PYTHONPATH': str(ROOT)},
        stderr=subprocess.DEVNULL,
    )
    outputs = tmp_path / 'run' / 'fold_outputs'
    deadline = time.time() + 120
    while len(list(outputs.glob('*.npz'))) < 2:
        assert killed.poll() is None and time.time() < deadline
        time.sleep(0.05)
    children = psutil.Process(killed.pid).children(recursive=True)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    _, alive = psutil.wait_procs(children, timeout=60)
    assert children and not alive  # none goes on training, or holds a GPU
    finished = {path.name: path.stat().st_mtime_ns for path in outputs.glob('*.npz')}
    assert not (tmp_path / 'run' / 'results.json').exists()
    stop.unlink()
    for folder in ('run', 'whole'):
        monkeypatch.setattr(sys, 'argv', ['script.py', str(tmp_path / folder), '1'])
        monkeypatch.setattr(sys.modules['__main__'], '__doc__', None)
        runpy.run_path(str(script), run_name='__main__')
    for name in finished:
        assert (outputs / name).stat().st_mtime_ns == finished[name]
    for name in ('predictions.csv', 'folds.csv'):
        whole = (tmp_path / 'whole' / name).read_bytes()
        assert (tmp_path / 'run' / name).read_bytes() == whole


def test_another_fit_or_other_data_is_refused(data, tmp_path):
    """Folds of two systems in one table would be a result of neither."""

    def fit_with(value):
        def fit(x, y, subject, seed):
            return lambda x: np.full(len(x), value)

        return fit

    folder = tmp_path / 'run'
    mj.evaluate(fit_with(1), data, folder=folder)
    mj.evaluate(fit_with(1), data, folder=folder)
    kfold = mj.folds.by_protocol('kfold', data, folds=2)
    for arguments, key in (
        ((fit_with(2), data), 'another fit'),
        ((fit_with(1), dataset(data.x + 1)), 'data'),
        ((fit_with(1), data, kfold), 'protocol'),
        ((fit_with(1), data, None, 2), 'seeds'),
    ):
        with pytest.raises(UserError, match=key):
            mj.evaluate(*arguments, folder=folder)
    with pytest.raises(UserError, match='balance.method'):
        mj.evaluate(fit_with(1), data, folder=folder, prepare=mj.Preparation('oversample'))


def returns(output):
    """A fit whose predict returns output(X)."""
    return lambda x, y, subject, seed: output


WRONG = {  # what predict, or fit, gives: what the message names
    'too few classes': (lambda x: np.zeros((len(x), 2)), '[6, 2] ... [6, 3] ... negative'),
    'one number': (lambda x: 1, '[] ... [6]'),
    'NaN': (lambda x: np.full((len(x), 3), np.nan), 'nan ... row 0 ... finite'),
    'unknown class': (lambda x: np.full(len(x), 3), '3 ... 0 to 2 ... surprise'),
    'unknown name': (lambda x: ['angry'] * len(x), 'angry ... surprise'),
    'not a function': (None, 'fit ... None ... predict(X)'),
    'depends on the batch': (lambda x: (x - x.mean(0))[:, 0, 0, :1] * [1, 2, 3], 'alone ... eval'),
    'ragged': (lambda x: [[1], [2, 3]], 'list ... array'),
}


@pytest.mark.parametrize('name', WRONG)
def test_a_wrong_output_is_named(data, tmp_path, name):
    """One line with the fold and what is allowed; NaN or a wrong shape must not become a score."""
    output, pieces = WRONG[name]
    with pytest.raises(UserError) as caught:
        mj.evaluate(returns(output), data, folder=tmp_path / 'run')
    message = str(caught.value)
    assert mentions(message, f"fold 0 ... 'anna' ... seed 0 ... {pieces}"), message
    assert '\n' not in message


def test_wrong_arguments_are_refused_before_anything_is_written(data, tmp_path):
    """A mistake of the call must not leave a folder that the corrected call stumbles over."""
    folder = tmp_path / 'none'
    inside = [name for name, entry in RESAMPLERS.items() if entry.augmented or entry.trained]
    assert inside
    for prepare in [*map(mj.Preparation, inside), mj.Preparation(scaler='p995'), 'smote']:
        with pytest.raises(UserError, match='allowed'):
            mj.evaluate(nearest_mean, data, folder=folder, prepare=prepare)
    with pytest.raises(UserError, match='processes'):
        mj.evaluate(nearest_mean, data, folder=folder, processes=0)
    with pytest.raises(UserError, match='fit is 3'):
        mj.evaluate(3, data, folder=folder)
    with pytest.raises(UserError, match='cannot be copied'):
        mj.evaluate(functools.partial(keep, threading.Lock()), data, folder=folder)
    assert not folder.exists()


HANDED = """
import numpy as np

network = {'folds': 0}

def fit(x, y, subject, seed):
    network['folds'] += 1
    return lambda x: np.full(len(x), network['folds'] - 1)
"""


@pytest.mark.parametrize('place', ['script', 'module'])
def test_nothing_is_handed_from_fold_to_fold(data, tmp_path, monkeypatch, place):
    """A network made once, outside of fit, would have trained on the subjects that follow."""
    (tmp_path / 'handed.py').write_text(HANDED)
    monkeypatch.syspath_prepend(tmp_path)
    if place == 'script':
        names = {'__name__': '__main__'}
        exec(HANDED, names)
    else:
        names = vars(importlib.import_module('handed'))
    run = mj.evaluate(names['fit'], data, folder=tmp_path / 'run')
    assert {row.predicted for row in PredictionTable.read(run.folder).rows} == {'negative'}
    assert names['network'] == {'folds': 0}


def test_a_network_of_pytorch(data, tmp_path):
    """Tensors in and out, dropout and batch norm, seeded by the fold: equal when run again."""
    torch = pytest.importorskip('torch')

    def fit(x, y, subject, seed):
        net = torch.nn.Sequential(
            torch.nn.Flatten(),
            torch.nn.Linear(32, 8),
            torch.nn.BatchNorm1d(8),
            torch.nn.ReLU(),
            torch.nn.Dropout(0.2),
            torch.nn.Linear(8, 3),
        )
        optimizer = torch.optim.Adam(net.parameters(), 0.05)
        inputs, labels = torch.from_numpy(x), torch.from_numpy(y)
        for _ in range(12):
            net.train()
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(net(inputs), labels).backward()
            optimizer.step()
            yield lambda x: net.eval()(torch.from_numpy(x))

    first = mj.evaluate(fit, data, folder=tmp_path / 'first')
    second = mj.evaluate(fit, data, folder=tmp_path / 'second')
    results = mj.score(first).results
    assert results.metrics['accuracy'] > 0.8 and results.epochs == 12
    assert 'torch' in results.versions
    predictions = [(run.folder / 'predictions.csv').read_bytes() for run in (first, second)]
    assert predictions[0] == predictions[1]
