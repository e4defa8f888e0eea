"""The leak audit: it measures leakage where there is some, none where there is none, and says what
does not apply.
"""

import contextlib
import csv
import importlib
import io
import json
import shutil
import xml.etree.ElementTree
from pathlib import Path

import numpy as np
import pytest

import main
from mer_jax.data import loading
from mer_jax.errors import UserError
from mer_jax.evaluation import HEADLINE, score
from mer_jax.experiment import leaks, run, settings
from mer_jax.presets import base
from mer_jax.report import audit_tables, study
from mer_jax.settings.tree import from_nested
from mer_jax.studies import leak_audit, verbs
from mer_jax.types import Names, Predictions
from tests.conftest import make_samples
from tests.support.compiling import unoptimised

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(
    p.stem
    for p in ROOT.glob('configs/[a-z]*_*.py')
    # the audit refuses the others
    if not p.stem.endswith(('_spotting', '_action_units')) and p.stem != 'cd6me_sssnet'
)


def of_config(name, changes=(), variant=''):
    config = importlib.import_module(f'configs.{name}').get_config(variant)
    config.update_from_flattened_dict(dict(changes))
    return config


def applied(config, folds=5, dropped=1):
    found = leak_audit.trials(from_nested(config.to_dict()), folds, dropped)
    return {trial.habit: trial for trial in found}


@pytest.mark.parametrize('name', CONFIGS)
def test_every_trial_of_every_config_is_one_that_main_accepts(name):
    """The audit works for every config: a trial that the rules refuse would end it half-way, after
    hours.
    """
    for changes in (
        {},
        {'protocol.name': 'random_split'},
        {'protocol.name': 'holdout'},
        {'protocol.name': 'all_rows'},
        {'balance.method': 'smote', 'train.class_weights': 'none'},
        {'train.epochs': 0},
        {'data.apex': 'every_frame'},
    ):
        config = of_config(name, changes)
        try:
            settings.checked(config)
        except UserError:
            assert changes
            continue  # refused as it is: nothing is balanced where no network is trained
        for trial in applied(config).values():
            if not trial.why_not:
                changed = of_config(
                    name, changes | leak_audit.clean(from_nested(config.to_dict())) | trial.changes
                )
                settings.checked(changed)
                leaky = bool(leaks.listed(from_nested(changed.to_dict()))) or trial.best_epoch
                assert leaky == (trial.habit not in ('honest', 'control')), trial


def test_a_leaky_config_is_made_honest_first():
    """What the habits add is told against an honest run, whatever the config itself does."""
    config = of_config('casme2_cnn3d', variant='published,variant=scb')
    changed = of_config(
        'casme2_cnn3d', leak_audit.clean(from_nested(config.to_dict())), 'published,variant=scb'
    )
    assert (
        leaks.listed(from_nested(config.to_dict()))
        and leaks.listed(from_nested(changed.to_dict())) == []
        and changed.protocol.name == 'loso'
    )
    kept = of_config('casme2_cnn3d', {'protocol.name': 'kfold'})
    assert 'protocol.name' not in leak_audit.clean(from_nested(kept.to_dict()))


NOT_APPLICABLE = [
    ({}, {'balance': 'nothing is balanced', 'scale': 'nothing is fitted'}),
    ({'train.class_weights': 'max'}, {'scale': 'nothing is fitted'}),
    (
        {
            'balance.method': 'smote',
            'data.clip_normalise': False,
            'data.input_scaler': 'standard',
        },
        {},
    ),
    (
        {'train.epochs': 0},
        {
            'balance': 'nothing is balanced',
            'scale': 'nothing is fitted',
            'epoch': 'nothing is trained',
        },
    ),
    (
        {'model.init_from': 'x/{subject}.pth', 'train.epochs': 0},
        {
            'split': 'one file per left-out subject',
            'balance': 'nothing',
            'scale': 'nothing',
            'epoch': 'nothing',
            'all': 'none of them',
            'control_split': 'one file per left-out subject',
        },
    ),
    (
        {'balance.method': 'generated', 'balance.file': 'x/{subject}.npz'},
        {
            'split': 'one file per left-out subject',
            'balance': 'train as they are',
            'scale': 'nothing',
            'control_split': 'one file per left-out subject',
        },
    ),
]


@pytest.mark.parametrize(
    'changes,expected', NOT_APPLICABLE, ids=[str(changes) for changes, _ in NOT_APPLICABLE]
)
def test_what_does_not_apply_says_why(changes, expected):
    """A habit that changes nothing would show as one that adds nothing."""
    found = {
        habit: trial.why_not
        for habit, trial in applied(of_config('megc2019_ststnet', changes)).items()
    }
    expected = expected | {'network': 'the network itself predicts', 'frames': 'every_frame'}
    assert {habit for habit, why in found.items() if why} == set(expected)
    assert all(text in found[habit] for habit, text in expected.items())


def test_machines_on_features_of_a_network_have_a_leak_of_their_own():
    """The network may have seen the tested clips; what machines answer after the last epoch, no
    epoch can be chosen for.
    """
    config = of_config('casme2_hybrid')
    found = {habit: trial.why_not for habit, trial in applied(config).items() if trial.why_not}
    assert found.pop('frames')
    assert found == {'epoch': 'head.name svm predicts once, after the last epoch'}
    assert leak_audit.clean(from_nested(config.to_dict()))['evaluate.every_epoch'] is False
    together = applied(config)['all']
    assert not together.best_epoch and together.changes == applied(config)['split'].changes | {
        'balance.scope': 'all',
        'data.scaler_scope': 'all',
        'head.scope': 'all',
    }
    alone = {
        habit: trial.why_not for habit, trial in applied(of_config('casme2_handcrafted')).items()
    }
    assert (
        alone['network'] == 'no network is trained (train.epochs 0)'
        and 'nothing is trained' in alone['epoch']
    )


def test_all_together_is_every_habit_that_applies():
    """One left out would make the sum look smaller than a part."""
    trial = applied(of_config('synthetic_cnn3d', variant='variant=scb'), folds=12)['all']
    assert trial.best_epoch and trial.changes == {
        'protocol.name': 'clip_kfold',
        'protocol.folds': 12,
        'balance.scope': 'all',
        'data.scaler_scope': 'all',
    }


def test_a_holdout_is_audited_on_the_clips_it_tests():
    """A random split would test other clips than the honest holdout: nothing could be paired."""
    trial = applied(
        of_config('megc2019_ststnet', {'protocol.name': 'holdout', 'protocol.holdout': 0.25}),
        folds=1,
    )['split']
    assert trial.changes == {'protocol.name': 'clip_kfold', 'protocol.folds': 4}


def test_frames_are_split_where_rows_are_frames():
    """A split by frame of clips would be a split by clip under another name."""
    config = of_config('synthetic_ststnet', {'data.apex': 'every_frame'})
    trial = applied(config, folds=7)['frames']
    assert trial.changes == {'protocol.name': 'frame_kfold', 'protocol.folds': 7}
    assert applied(config, folds=7)['all'].changes['protocol.name'] == 'clip_kfold'


def test_no_clip_counts_as_a_class_where_every_clip_has_one():
    """It would train hours for a difference of 0."""
    config = of_config('synthetic_ststnet')
    assert applied(config, dropped=0)['first_class'].why_not == 'every clip has a class'
    assert applied(config)['first_class'].changes == {'data.without_class': 'first_class'}


def coded(seed=0, subjects=9, groups=2, clips=4):
    """Data whose every clip shows which group of one subject it is of, and nothing else: classes
    are drawn at random a group.
    """
    draw = np.random.default_rng(seed)
    samples, names = make_samples(subjects=subjects, clips=(groups * clips,) * subjects, datasets=1)
    group = np.arange(len(samples.label)) // clips
    pattern = draw.integers(40, 216, (group[-1] + 1, 7, 7, 3)).repeat(4, 1).repeat(4, 2)
    image = np.clip(pattern[group] + draw.normal(0, 8, samples.image.shape), 0, 255).astype(
        np.uint8
    )
    label = draw.integers(0, 3, group[-1] + 1)[group].astype(np.int32)
    return loading.Data(
        samples._replace(image=image, label=label), names, [], f'coded {seed}', 'drawn', ()
    )


def finishes(monkeypatch, folders, failing=()):
    """Let a trial of `folders` {habit: folder of a finished run} end as that run, one of `failing`
    as a diverged one; others are trained.

    Returns:
        {habit: settings}, which fills as habits are tried.
    """
    train, tried = run.train_settings, {}

    def instead(settings, folder):
        tried[folder.name] = settings
        if folder.name in failing:
            raise UserError('outputs are not finite')
        if folder.name not in folders:
            return train(settings, folder)
        shutil.copytree(folders[folder.name], folder)
        return json.loads((folder / 'results.json').read_text())

    monkeypatch.setattr(run, 'train_settings', instead)
    return tried


def quick_audit(monkeypatch, folder, loaded, **changes):
    monkeypatch.setattr(
        loading,
        'load',
        lambda _, options, settings, **more: loaded._replace(
            labels=f'{loaded.labels}{settings.random_subject_labels}'
        ),
    )
    monkeypatch.setattr(loading, 'check_inputs', lambda *a, **k: None)
    config = base('coded')
    config.update_from_flattened_dict(
        {
            'train.epochs': 16,
            'train.batch_size': 32,
            'train.learning_rate': 3e-3,
            'train.at_once': 1,
            'train.lowering': 'matmul',
            'train.devices': 2,
        }
        | changes
    )
    return {line['habit']: line for line in verbs.audit(config, folder)['lines']}


@pytest.fixture(scope='module')
def audited(tmp_path_factory):
    """(folder, lines, what was printed) of an audit of coded(). Its classes are drawn at random
    already, and no scale or balance is fitted: the controls and all together would train the same
    once more, and are copied.
    """
    folder = tmp_path_factory.mktemp('audited') / 'a'
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(io.StringIO()) as printed,
    ):
        finishes(
            patch,
            {
                'control': folder / 'honest',
                'control_split': folder / 'split',
                'all': folder / 'split',
            },
        )
        return folder, quick_audit(patch, folder, coded()), printed.getvalue()


def test_random_classes_of_subject_coded_clips_are_told_by_the_clip_split_alone(audited):
    """The control that the audit measures leakage: chance under LOSO, far above it where clips are
    split, with its interval.
    """
    folder, found, printed = audited
    honest, split = found['honest'], found['split']
    assert honest['metrics']['uar'] < 0.43 and honest['intervals']['uar'][0] < 1 / 3, (
        'chance is 1/3'
    )
    assert (
        split['metrics']['uar'] > 0.8
        and split['against']['uar']['interval'][0] > 0.25
        and split['against']['uf1']['p'] < 0.01
    )
    assert found['epoch']['against']['uf1']['difference'] > 0.03, (
        'many epochs, few clips a fold: choosing claims something'
    )
    assert found['all']['metrics']['uf1'] >= split['metrics']['uf1']
    assert found['balance']['why_not'] and found['scale']['why_not'] and 'n/a' in printed
    for habit in ('honest', 'epoch'):
        assert found[habit]['clips'] == len(coded().samples.label) and found[habit]['subjects'] == 9
    blocks = json.loads((folder / 'honest/results.json').read_text())
    assert blocks['oracle_epoch']['test_best']['metrics']['uf1'] == pytest.approx(
        found['epoch']['metrics']['uf1']
    )
    assert blocks['metrics']['uf1'] == pytest.approx(found['honest']['metrics']['uf1'])
    check_files(folder, found)


# SVMs on pixels, which need no compilation
BY_PIXELS = {
    'head.name': 'svm',
    'head.features': 'pixels',
    'train.epochs': 0,
    'data.channels': 'u,v,strain',
}


@pytest.mark.usefixtures('undrawn')
def test_frames_split_at_random_recognise_the_clip(monkeypatch, tmp_path):
    """Classes are drawn at random a clip: whatever is above chance is its other frames."""
    loaded = coded()
    samples, clips = loaded.samples, loaded.samples.clip
    samples = samples._replace(clip=clips // 4).with_extras(frame=1 + clips % 4)
    copied = set(leak_audit.TITLES) - {'honest', 'split', 'frames', 'first_class'}
    finishes(monkeypatch, {habit: tmp_path / 'a/honest' for habit in copied})
    changes = BY_PIXELS | {'data.apex': 'every_frame'}
    found = quick_audit(monkeypatch, tmp_path / 'a', loaded._replace(samples=samples), **changes)
    assert found['honest']['metrics']['uar'] < 0.43 and found['split']['metrics']['uar'] < 0.43
    assert found['frames']['metrics']['uar'] > 0.8
    assert found['frames']['against']['uar']['interval'][0] > 0.25
    assert 'frame_kfold' in found['frames']['leaks'][0]
    assert found['frames']['against']['common'] == len(samples.label)


@pytest.mark.usefixtures('undrawn')
def test_clips_without_a_class_are_measured_on_those_that_have_one(
    tiny_data, monkeypatch, tmp_path
):
    """Their made-up class would be paired with nothing; the table must show that it leaks."""
    copied = set(leak_audit.TITLES) - {'honest', 'first_class'}
    finishes(monkeypatch, {habit: tmp_path / 'a/honest' for habit in copied})
    changes = {'data.name': 'synthetic_faces/tiny', 'data.data_dir': str(tiny_data)} | BY_PIXELS
    config = base('tiny')
    config.update_from_flattened_dict(changes)
    found = {line['habit']: line for line in verbs.audit(config, tmp_path / 'a')['lines']}
    honest, habit = found['honest'], found['first_class']
    assert habit['clips'] > honest['clips'] == habit['against']['common']
    assert 'data.without_class' in habit['leaks'][0] and honest['leaks'] == []


def check_files(folder, found):
    """Every file of an audit holds its figures, and marks what leaks and what does not apply."""
    with open(folder / 'audit.csv', newline='') as file:
        table = {row['habit']: row for row in csv.DictReader(file)}
    assert list(table) == list(leak_audit.TITLES)
    assert float(table['split']['uf1_adds']) == found['split']['against']['uf1']['difference']
    assert (
        table['balance']['applies'] == 'no'
        and table['balance']['uf1'] == ''
        and table['balance']['why_not']
    )
    assert (
        table['honest']['leaks'] == ''
        and (table['honest']['honest'], table['split']['honest']) == ('yes', 'no')
        and 'clip_kfold' in table['all']['leaks']
        and 'epoch' in table['all']['leaks']
    )
    page, tex = (folder / 'audit.html').read_text(), (folder / 'audit.tex').read_text()
    for text in (page, tex):
        assert all(title in text for title in leak_audit.TITLES.values()) and 'n/a' in text
    rows = tex[tex.index(r'\toprule') :].splitlines()
    assert {line.count(' & ') for line in rows if ' & ' in line} == {6, 1}
    assert sum(line.count(' & ') == 1 for line in rows) == tex.count('n/a:')
    assert '_' not in tex.replace(r'\_', '')
    assert xml.etree.ElementTree.parse(folder / 'plots/audit.svg')
    assert json.loads((folder / 'audit.json').read_text())['lines'][1]['habit'] == 'split'


def test_best_epochs_are_those_of_the_oracle():
    """By hand: fold 0 is right at epoch 2 alone, fold 1 at all epochs (the first counts)."""
    outputs = np.zeros((3, 4, 2), np.float32)
    outputs[:, :, 0] = 1  # class 0 everywhere
    outputs[1, :2] = [0, 1]  # epoch 2 answers class 1 in fold 0
    none = np.zeros(4, np.int32)
    predictions = Predictions(
        none, none, none, none, np.array([1, 1, 0, 0]), np.array([0, 0, 1, 1]), none, outputs[-1]
    )
    assert score.best_epoch(outputs, predictions, Names(('a', 'b'), (), (), (), ())).tolist() == [
        1,
        1,
        0,
        0,
    ]


@unoptimised()
@pytest.mark.usefixtures('undrawn')
def test_a_quick_audit_of_a_network_with_everything(tiny_data, tmp_path, monkeypatch, capsys):
    """From the command line: every habit of a network that answers itself applies to SMOTE with a
    fitted scale. The honest run is trained, and all habits at once, which are the others together.
    """
    copied = ('split', 'balance', 'scale', 'control', 'control_split')
    tried = finishes(monkeypatch, dict.fromkeys(copied, tmp_path / 'a/honest'))
    arguments = [
        'audit',
        f'--config={ROOT}/configs/synthetic_ststnet.py:quick',
        f'--config.data.data_dir={tiny_data}',
        '--config.data.labels=five',  # which has a class for every clip
        '--config.balance.method=smote',
        '--noconfig.data.clip_normalise',
        '--config.data.input_scaler=standard',
        '--config.data.value_range=0..1',
        f'--workdir={tmp_path}/a',
    ]
    assert main.main(arguments) == 0
    told = capsys.readouterr().out
    assert (
        told.count('n/a') == 3
        and max(map(len, told[told.index('Leak audit of') : told.index('audit: /')].splitlines()))
        <= 100
    )
    found = json.loads((tmp_path / 'a/audit.json').read_text())
    unused = [line['habit'] for line in found['lines'] if line['why_not']]
    assert unused == ['network', 'frames', 'first_class']
    drawn = [habit for habit in tried if tried[habit].data.random_subject_labels]
    assert drawn == ['control', 'control_split']
    assert len(list(tmp_path.glob('a/*/results.json'))) == 7
    with open(tmp_path / 'a/honest/folds.csv', newline='') as file:
        made = [int(row['made']) for row in csv.DictReader(file)]
    assert len(made) == 5 and all(made), 'SMOTE makes rows in every fold'


def test_a_trial_that_fails_costs_its_own_line_alone(audited, monkeypatch, tmp_path, capsys):
    """One diverging training must not lose hours of the others; a failing honest run must
    be told.
    """
    failing = ['control']
    finishes(monkeypatch, {habit: audited[0] / 'honest' for habit in leak_audit.TITLES}, failing)
    found = quick_audit(monkeypatch, tmp_path / 'a', coded())
    assert (
        found['control']['why_not'] == 'failed: outputs are not finite'
        and found['split']['against']
    )
    assert 'failed: outputs are not finite' in capsys.readouterr().out
    failing.append('honest')
    with pytest.raises(UserError, match='not finite'):
        quick_audit(monkeypatch, tmp_path / 'b', coded())


def test_a_baseline_that_leaks_is_not_called_honest():
    """One file of weights for all folds stays as asked for: the reader must see that the baseline
    itself leaks.
    """
    line = {
        'habit': 'honest',
        'title': 'honest',
        'why_not': '',
        'leaks': ['init_from: one file'],
        'protocol': 'loso',
        'seeds': 1,
        'clips': 9,
        'subjects': 3,
        'metrics': dict.fromkeys(HEADLINE, 0.5),
        'intervals': dict.fromkeys(HEADLINE),
        'against': None,
    }
    found = {
        'name': 'x',
        'lines': [
            line,
            {**line, 'habit': 'all', 'title': 'all together', 'why_not': 'none of them applies'},
        ],
    }
    words = audit_tables.study(found)
    page = study.html(words, [])
    for text in (study.text(words), page, study.latex(words)):
        assert 'init' in text and 'leaks' in text
    assert 'Not honest: UF1' in page and 'verdict leaky' in page


def test_mistakes_are_told_in_one_line(tmp_path):
    """A run's folder must not be filled with those of an audit."""
    (tmp_path / 'config.json').write_text('{}')
    with pytest.raises(UserError, match='audit'):
        leak_audit.audit({}, None, tmp_path)


def test_words_stand_for_every_habit():
    """A habit without words is a line that no reviewer understands."""
    assert set(audit_tables.MEANINGS) == set(leak_audit.TITLES)
