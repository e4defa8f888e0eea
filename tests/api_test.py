"""The Python API: what each name promises, its examples, runs that stop, and folders of runs."""

import doctest
import json
import shutil
import subprocess
import sys
import types
from pathlib import Path

import flax.linen as nn
import jax
import numpy as np
import optax
import pytest
from sklearn.metrics import f1_score

import mer_jax as mj
from mer_jax import cli
from mer_jax.errors import UserError
from mer_jax.runfiles.predictions import PredictionTable
from mer_jax.runfiles.unit_predictions import UnitTable
from mer_jax.training import checkpoint, loop

ROOT = Path(__file__).parents[1]
CLASSES = ['negative', 'positive', 'surprise']


class Dense(nn.Module):
    """A user's own network: logits alone, no argument `train`."""

    classes: int = 3

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.classes)(x.reshape(len(x), -1))


class Deep(nn.Module):
    """A user's own network with dropout, batch norm, and a second output."""

    @nn.compact
    def __call__(self, x, train):
        x = nn.Dense(6)(x.reshape(len(x), -1))
        features = nn.relu(nn.BatchNorm(use_running_average=not train)(x))
        logits = nn.Dense(3)(nn.Dropout(0.3, deterministic=not train)(features))
        return logits, {'features': features}


def arrays(count=24):
    draw = np.random.default_rng(0)
    y = np.arange(count) % 3
    x = draw.normal(size=(count, 8, 8, 2)) + y[:, None, None, None]
    return x, y, np.repeat(['anna', 'ben', 'cleo', 'dora'], count // 4)


def learner(module=None, **options):
    return mj.supervised(module or Dense(), optax.adam(1e-2), **options)


# No test here looks at a plot; `finished` alone measures its plan.
pytestmark = pytest.mark.usefixtures('undrawn', 'first_plan')


@pytest.fixture(scope='module')
def data():
    return mj.dataset(*arrays(), classes=CLASSES)


@pytest.fixture(scope='module')
def finished(data, tmp_path_factory):
    """A run of Deep that nothing disturbed."""
    folder = tmp_path_factory.mktemp('api') / 'whole'
    return mj.train(learner(Deep()), data, mj.loso(data), epochs=3, seeds=2, folder=folder)


def test_importing_the_package_loads_nothing():
    """`import mer_jax` stands at the top of notebooks and scripts that only look something up."""
    code = (
        'import sys, mer_jax; '
        'sys.exit(bool({"jax", "flax", "numpy", "tensorflow_datasets"} & set(sys.modules)))'
    )
    assert subprocess.run([sys.executable, '-c', code], cwd=ROOT).returncode == 0


def test_every_name_is_there():
    """A name of __all__ that fails on use, or one that editors do not list."""
    for name in mj.__all__:
        assert name in dir(mj)
        assert isinstance(getattr(mj, name), types.ModuleType) or getattr(mj, name).__doc__
    with pytest.raises(AttributeError):
        mj.nothing  # noqa: B018, the access fails


def test_every_network_is_listed_for_editors():
    """A network that cannot be completed after `mj.models.` is not found by its users."""
    for name in mj.models.by_class():
        assert name in dir(mj.models)
        assert getattr(mj.models, name).__name__ == name


def examples():
    """(name, example) of everything public, in an order in which each has what it needs."""
    parser = doctest.DocTestParser()
    documents = {'mer_jax': mj.__doc__}
    for name in mj.__all__:
        value = getattr(mj, name)
        if not isinstance(value, types.ModuleType):
            documents[name] = value.__doc__
    for name in ('by_protocol', 'from_sklearn'):
        documents[f'folds.{name}'] = getattr(mj.folds, name).__doc__
    for name, text in documents.items():
        found = parser.get_examples(text or '')
        assert found, f'{name} has no example'
        yield name, found


def test_the_examples_run(tmp_path, monkeypatch, tiny_data):
    """Examples are copied before anything else is read."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('TFDS_DATA_DIR', tiny_data)
    names, said = {}, []
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    order = {name: number for number, name in enumerate(['mer_jax', 'dataset', 'loso'])}
    for name, found in sorted(examples(), key=lambda pair: order.get(pair[0], 9)):
        # what `train` and the verbs print for users is not part of an example
        quiet = [example for example in found if example.want]
        for example in found:
            if example not in quiet:
                with open('said.txt', 'w') as file, pytest.MonkeyPatch.context() as patch:
                    patch.setattr(sys, 'stdout', file)
                    exec(example.source, names)
                continue
            case = doctest.DocTest([example], names, name, None, 0, None)
            result = runner.run(case, clear_globs=False, out=said.append)
            names = case.globs
            assert not result.failed, ''.join(said)


def test_a_run_has_the_files_that_every_verb_reads(data, finished, tmp_path):
    """A folder of the API is compared and reported like one of a config."""
    folder = finished.folder
    results = json.loads((folder / 'results.json').read_text())
    assert results['protocol'] == 'loso' and results['leaks'] == []
    assert results['folds'] == 4 and results['seeds'] == 2 and results['clips'] == len(data)
    assert results['metrics']['uf1'] == mj.score(folder).uf1
    rows = PredictionTable.read(folder).rows
    assert len(rows) == 2 * len(data)
    assert {row.label for row in rows} == set(CLASSES)
    assert json.loads((folder / 'config.json').read_text())['format'] == 2
    assert (folder / 'report.html').exists() and (folder / 'folds.csv').exists()
    assert cli.main(['report', f'--workdir={folder}']) == 0
    out = tmp_path / 'compared'
    assert cli.main(['compare', f'--runs={folder}', f'--workdir={out}']) == 0


def test_each_row_is_predicted_by_the_fold_that_did_not_see_it(data, finished):
    """The API must not mix up folds, or a row would be scored by a network that learned it."""
    for row in PredictionTable.read(finished.folder).rows:
        number = int(row.clip.removeprefix('row '))
        assert row.subject == data.subjects[data.subject[number]]
        assert data.subjects[row.fold] == row.subject


@pytest.mark.parametrize('verb', ['evaluate', 'explain', 'train'])
def test_a_verb_that_needs_the_network_refuses(finished, verb, capsys):
    """No config can build a user's module again: training over its folder would destroy it."""
    config = '--config=configs/synthetic_dualbranch.py:quick'
    before = (finished.folder / 'results.json').read_bytes()
    code = cli.main([verb, config, f'--workdir={finished.folder}', '--config.train.epochs=3'])
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert code == 2 and 'Deep' in said and str(finished.folder) in said
    assert (finished.folder / 'results.json').read_bytes() == before


def test_a_stopped_run_goes_on_to_the_same_bits(data, finished, tmp_path, monkeypatch):
    """Killed and run again, a user gets what an undisturbed run gets, or cannot trust either."""
    folder = tmp_path / 'stopped'
    folder.mkdir()
    # a plan that is measured again may be another one, which rounds elsewhere
    for name in ('config.json', 'plan.json'):
        shutil.copy(finished.folder / name, folder)
    options = {'epochs': 3, 'seeds': 2, 'folder': folder}

    def stopping(*arguments, train=loop.train_in_chunks, **keywords):
        yield next(train(*arguments, **keywords))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loop, 'train_in_chunks', stopping)
        patch.setattr(checkpoint.Schedule, 'due', lambda self: True)
        with pytest.raises(KeyboardInterrupt):
            mj.train(learner(Deep()), data, mj.loso(data), **options)
    assert checkpoint.newest(folder / 'checkpoints' / 'group_0') == 1
    assert not (folder / 'results.json').exists()
    mj.train(learner(Deep()), data, mj.loso(data), **options)
    assert checkpoint.newest(folder / 'checkpoints' / 'group_0') == 3
    again, whole = (path / 'predictions.csv' for path in (folder, finished.folder))
    assert again.read_bytes() == whole.read_bytes()


def test_a_run_is_continued_by_the_same_module_only(data, tmp_path):
    """States of one module in another would be nonsense, or worse: fit by chance."""
    folder = tmp_path / 'run'
    folds = mj.loso(data)
    mj.train(learner(), data, folds, epochs=1, folder=folder)
    other = mj.supervised(Dense(), optax.adam(2e-2))
    with pytest.raises(UserError, match=r'python\.step'):
        mj.train(other, data, folds, epochs=1, folder=folder)
    with pytest.raises(UserError, match=r'python\.shapes.*BatchNorm'):
        mj.train(learner(Deep()), data, folds, epochs=1, folder=folder)
    with pytest.raises(UserError, match='batch_size was 64, is 8'):
        mj.train(learner(), data, folds, epochs=1, batch_size=8, folder=folder)
    x, y, subject = arrays()
    moved = mj.dataset(x + 1, y, subject, classes=CLASSES)
    with pytest.raises(UserError, match='data'):
        mj.train(learner(), moved, folds, epochs=1, folder=folder)
    mj.train(learner(), data, folds, epochs=2, folder=folder)
    assert checkpoint.newest(folder / 'checkpoints' / 'group_0') == 2


def test_a_leak_stands_in_results(data, tmp_path):
    """A splitter that mixes subjects is the commonest leak of the literature."""
    from sklearn.model_selection import KFold

    folds = mj.folds.from_sklearn(KFold(2, shuffle=True, random_state=0), data)
    run = mj.train(learner(), data, folds, epochs=0, folder=tmp_path / 'leaky')
    (leak,) = mj.score(run).results.leaks
    assert 'KFold' in leak and 'anna' in leak
    assert 'leak' in str(mj.score(run))


def test_a_learner_is_audited(data, tmp_path):
    """What a habit adds to a network here: trained, named in leaks, or said not to apply."""
    mine = learner(class_weights='max', scaler='standard')
    audit = mj.audit(mine, data, epochs=2, folder=tmp_path / 'audit')
    lines = {line['habit']: line for line in audit.lines}
    trained = {'honest', 'split', 'balance', 'scale', 'epoch', 'all', 'control', 'control_split'}
    assert {habit for habit, line in lines.items() if not line['why_not']} == trained
    assert lines['honest']['leaks'] == [] and len(lines['all']['leaks']) == 4
    honest, scaled = (tmp_path / 'audit' / name for name in ('honest', 'scale'))
    predictions = [(folder / 'predictions.csv').read_bytes() for folder in (honest, scaled)]
    assert predictions[0] != predictions[1]
    with pytest.raises(UserError, match='epochs'):
        mj.audit(mine, data, folder=tmp_path / 'other')


class Detector(nn.Module):
    """A user's own detector of two units: the weight of one pixel each."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(x.reshape(len(x), -1))


def units_of(y):
    """Two units, of which the second is unknown in the rows 5 and 6."""
    units = np.stack([y == 0, y == 1], axis=1).astype(float)
    units[5:7, 1] = np.nan
    return units


@pytest.fixture(scope='module')
def coded():
    x, y, subject = arrays()
    return mj.unit_dataset(x, units_of(y), subject, ['AU4', 'AU12'])


@pytest.fixture(scope='module')
def detected(coded, tmp_path_factory):
    """A run that detects units."""
    folder = tmp_path_factory.mktemp('units') / 'run'
    mine = learner(Detector(), class_weights='balanced')
    return mj.train(mine, coded, mj.loso(coded), epochs=8, seeds=2, folder=folder)


def test_units_of_a_user_are_detected_scored_and_compared(coded, detected, tmp_path):
    """A run of arrays must have the scores and the comparison of the command line, by unit."""
    score = mj.score(detected)
    rows = UnitTable.read(detected.folder).rows
    assert len(rows) == 2 * len(coded)
    for row in rows:
        number = int(row.clip.removeprefix('row '))
        assert row.subject == coded.subjects[row.fold]
        wanted = [None if np.isnan(value) else bool(value) for value in coded.y[number]]
        assert [*row.truth.values()] == wanted
    blocks = {block['unit']: block for block in score.per_unit}
    assert [*blocks] == ['AU4', 'AU12'] and blocks['AU12']['clips'] == len(coded) - 2
    f1 = []
    for seed in (0, 1):
        known = [row for row in rows if row.seed == seed and row.truth['AU12'] is not None]
        detects = [row.outputs['AU12'] > 0 for row in known]
        f1.append(f1_score([row.truth['AU12'] for row in known], detects))
    assert blocks['AU12']['f1'] == pytest.approx(np.mean(f1))
    assert score.uf1 is None and score.f1 > 0.3 and 'AU12' in str(score)
    other = mj.train(
        learner(Detector()), coded, mj.loso(coded), epochs=0, folder=tmp_path / 'other'
    )
    compared = mj.compare(other, detected, folder=tmp_path / 'compared')
    against = compared.groups[0]['runs'][1]['against']
    assert against['common'] == len(coded) and [*against['per_unit']] == ['AU4', 'AU12']
    assert 'AU12' in str(compared)
    assert cli.main(['report', f'--workdir={detected.folder}']) == 0


def test_rows_of_which_a_unit_is_unknown_teach_it_nothing(tmp_path):
    """Read as absent, they would teach that a face which may smile does not."""
    x, y, subject = arrays()
    noisy = x.copy()
    noisy[5:7] += 100 * np.random.default_rng(1).normal(size=x[5:7].shape)
    outputs = []
    for name, images in (('as it is', x), ('noisy', noisy)):
        data = mj.unit_dataset(images, units_of(y), subject, ['AU4', 'AU12'])
        run = mj.train(learner(Detector()), data, mj.loso(data), epochs=2, folder=tmp_path / name)
        rows = UnitTable.read(run.folder).rows
        kept = [row for row in rows if row.clip not in ('row 05', 'row 06')]
        outputs.append([(row.outputs['AU4'], row.outputs['AU12']) for row in kept])
    before, after = map(np.array, outputs)
    assert (before[:, 0] != after[:, 0]).any(), 'the noise reached no output'
    np.testing.assert_array_equal(before[:, 1], after[:, 1])


def test_units_are_refused_where_classes_are_needed(coded, tmp_path):
    """Each would end in scores of classes that nobody has, or in an error of numpy."""
    with pytest.raises(UserError, match='evaluate: .*action units'):
        mj.evaluate(lambda *_: None, coded, folder=tmp_path / 'run')
    with pytest.raises(UserError, match='audit: .*action units'):
        mj.audit(learner(Detector()), coded, epochs=1, folder=tmp_path / 'run')
    with pytest.raises(UserError, match='label_smoothing is 0.1'):
        mine = learner(Detector(), label_smoothing=0.1)
        mj.train(mine, coded, mj.loso(coded), epochs=1, folder=tmp_path / 'run')
    with pytest.raises(UserError, match=r'\(2, 2\), one for each action unit'):
        mj.train(learner(), coded, mj.loso(coded), epochs=1, folder=tmp_path / 'run')
    assert not (tmp_path / 'run' / 'results.json').exists()


def test_rows_tested_often_or_never_are_counted_as_such(data, tmp_path):
    """A repeated or a partial test must neither crash nor pass for a full one."""
    from sklearn.model_selection import GroupShuffleSplit

    splitter = GroupShuffleSplit(3, test_size=1, random_state=1)
    folds = mj.folds.from_sklearn(splitter, data)
    run = mj.train(learner(), data, folds, epochs=0, folder=tmp_path / 'run')
    rows = PredictionTable.read(run.folder).rows
    assert len(rows) == sum(len(split.test) for split in folds.splits)
    results = mj.score(run).results
    assert sum(block['clips'] for block in results.per_subject) == len(rows)
    assert 'never tested' in results.protocol and results.leaks == []


def test_counts_and_folds_are_checked(data, tmp_path):
    """A mistake must be named before anything is compiled or written."""
    folder = tmp_path / 'none'
    for wrong in ({'epochs': -1}, {'epochs': 1, 'seeds': 0}, {'epochs': 1, 'batch_size': 2.5}):
        with pytest.raises(UserError, match=[*wrong][-1]):
            mj.train(learner(), data, mj.loso(data), folder=folder, **wrong)
    few = mj.dataset(*(part[:12] for part in arrays()))
    with pytest.raises(UserError, match='folds'):
        mj.train(learner(), few, mj.loso(data), epochs=1, folder=folder)
    assert not folder.exists()
    with pytest.raises(UserError, match='runs'):
        mj.compare()


def test_a_config_by_its_name():
    """What the command line trains is at hand in Python, its variants too."""
    assert mj.config('synthetic_ststnet:quick').train.epochs == 2
    with pytest.raises(UserError, match='nothing_of_this_name'):
        mj.config('nothing_of_this_name')


def test_jax_keeps_its_devices():
    """A user has computed something with jax before; training must take the devices there are."""
    assert jax.device_count() == 2
