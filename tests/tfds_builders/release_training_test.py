"""From a release as shipped to trained folds: every config of one, and noise in the raw files of a
left-out subject.
"""

import csv
import json
import shutil
from functools import partial
from pathlib import Path

import cv2
import jax
import numpy as np
import openpyxl
import optax
import pytest

import main
from mer_jax import machine, models
from mer_jax.data import loading, sources
from mer_jax.folds import protocols
from mer_jax.settings.sections import Data, Protocol
from mer_jax.training import batches, learners, plan, scaling
from mer_jax.training import programs as runs
from tests.leakage_test import trained
from tests.support.fake_raw import casme2, casme_squared, composite

pytestmark = pytest.mark.usefixtures('undrawn')
ROOT = Path(__file__).parents[2]
# The variants of the 3-D network that are trained: `st` trains in end_to_end_test, and `da` is
# `dacwb` without class weights. What a variant changes is the same for every release: configs_test.
# That every release gives videos: release_test.
VARIANTS = ('dacwb', 'scb')


@pytest.fixture(autouse=True)
def one_process(monkeypatch):
    """Small builds: starting processes would take longer than the work."""
    monkeypatch.setattr(machine, 'cores', lambda: 1)


def train(name, folder, tmp_path, *changes):
    """Exit code and results.json of two epochs of configs/`name`_ststnet.py."""
    code = main.main(
        [
            f'--config={ROOT}/configs/{name}_ststnet.py',
            f'--config.data.manual_dir={folder}',
            f'--config.data.data_dir={tmp_path}/data',
            f'--workdir={tmp_path}/run',
            '--config.train.epochs=2',
            '--config.train.lowering=matmul',
            '--config.train.at_once=1',
            '--config.train.devices=1',
            *changes,
        ]
    )
    return code, json.loads((tmp_path / 'run/results.json').read_text())


def test_a_release_trains_from_its_folder(tmp_path):
    """The one command of a data set's page: folder in, results out; the other three train in the
    composite below.
    """
    truth = casme_squared.write(tmp_path / 'raw')
    code, results = train('casme_squared', truth.folder, tmp_path)
    assert code == 0 and results['leaks'] == [] and results['data']['name'] == 'casme_squared'
    micro = [clip for clip in truth.clips.values() if clip.kind == 'micro']
    assert results['clips'] + results['data']['dropped'] == len(micro)


def test_a_composite_takes_one_folder_each(tmp_path):
    """Three releases lie in three places; one subject is one fold, whichever release it is from."""
    truth = composite.write(tmp_path / 'raw', names=('casme2', 'samm', 'smic'))
    code, results = train(
        'composite',
        '+'.join(str(release.folder) for release in truth.values()),
        tmp_path,
        # TV-L1, the default, is that of the test above
        f'--config.data.name={"+".join(f"{name}/flow,optical_flow=farneback" for name in truth)}',
    )
    assert (
        code == 0
        and set(results['per_dataset']) == {'casme2', 'samm', 'smic'}
        and results['leaks'] == []
    )
    micro = [
        clip
        for release in truth.values()
        for clip in release.clips.values()
        if clip.kind == 'micro'
    ]
    assert results['clips'] + results['data']['dropped'] == len(micro)
    assert results['folds'] == len(
        {
            (name, clip.subject)
            for name, release in truth.items()
            for clip in release.clips.values()
            if clip.emotion.lower() not in ('others', 'other', 'sadness', 'fear')
        }
        | {
            ('samm', clip.subject)
            for clip in truth['samm'].clips.values()
            if clip.emotion.lower() in ('sadness', 'fear')
        }
    )


def test_a_data_set_is_left_out_with_objective_classes(tmp_path):
    """The hold-out-database evaluation of MEGC2018: a fold a data set, five classes by action
    units.
    """
    truth = composite.write(tmp_path / 'raw', names=('casme2', 'samm'))
    code, results = train(
        'composite',
        '+'.join(str(release.folder) for release in truth.values()),
        tmp_path,
        f'--config.data.name={"+".join(f"{name}/flow,optical_flow=dis" for name in truth)}',
        '--config.data.labels=objective',
        '--config.protocol.name=lodo',
        '--config.train.epochs=1',
    )
    assert code == 0 and results['leaks'] == [] and results['folds'] == 2
    assert results['classes'] == ['I', 'II', 'III', 'IV', 'V']
    clips = [block['clips'] for block in results['per_fold']]
    assert clips == [results['per_dataset'][name]['n'] for name in ('casme2', 'samm')]
    dropped = (tmp_path / 'run/dropped.csv').read_text()
    assert 'alternatives' not in dropped and 'no class of objective' in dropped


def test_a_row_of_the_ablation_trains_and_explains_from_a_folder(tmp_path, capsys):
    """The command of the data set's page, at a size for a test; no licensed face may be drawn
    unasked.

    The row of the ablation with one branch, whose one head every reader of two must do with; both
    branches run in end_to_end_test.
    """
    truth = casme2.write(tmp_path / 'raw')
    arguments = [
        f'--config={ROOT}/configs/casme2_dualbranch.py:ablation=sb',
        f'--config.data.manual_dir={truth.folder}',
        '--config.data.name=casme2/samer,magnifier=none,optical_flow=farneback',
        f'--config.data.data_dir={tmp_path}/data',
        f'--workdir={tmp_path}/run',
        '--config.data.size=32',
        '--config.model.single_branch.width=8',
        '--config.model.single_branch.blocks=1',
        '--config.model.single_branch.attention=off',
        '--config.train.epochs=1',
        '--config.train.lowering=matmul',
        '--config.train.at_once=1',
        '--config.train.devices=1',
        '--config.explain.clips=2',
    ]
    assert main.main(arguments) == 0
    results = json.loads((tmp_path / 'run/results.json').read_text())
    micro = [clip for clip in truth.clips.values() if clip.kind == 'micro']
    assert (
        results['clips'] + results['data']['dropped'] == len(micro)
        and results['data']['labels'] == 'five'
    )
    assert results['leaks'] == []
    # a smaller network is not the published one
    assert results['name'].startswith('casme2_dualbranch (ablation=sb')
    for change in ('data.name=casme2/samer,magnifier=none', 'model.single_branch.width=8'):
        assert change in results['name']
    line = json.loads((tmp_path / 'run/metrics.jsonl').read_text().splitlines()[0])
    assert line['loss'] > 0 and 'alignment' not in line
    capsys.readouterr()
    assert main.main(['explain', *arguments]) == 0
    lines = (tmp_path / 'run/explain/index.csv').read_text().splitlines()
    assert len(lines) == 3 and all('schematic face' in line for line in lines[1:])
    assert main.main(['explain', *arguments, '--config.train.epochs=2']) == 2
    assert 'epoch 1 of 2' in capsys.readouterr().err


def test_the_variants_of_the_3d_network_train_from_a_folder(tmp_path):
    """The commands behind the tables of Irawan et al. 2024, at a size for a test, and these tables
    by compare.
    """
    truth = casme2.write(tmp_path / 'raw')
    for variant in VARIANTS:
        assert (
            main.main(
                [
                    f'--config={ROOT}/configs/casme2_cnn3d.py:variant={variant}',
                    f'--config.data.manual_dir={truth.folder}',
                    f'--config.data.data_dir={tmp_path}/data',
                    f'--workdir={tmp_path}/casme2_cnn3d-variant={variant}',
                    '--config.data.size=32',
                    '--config.data.frames=8',
                    '--config.model.cnn3d.width=8',
                    '--config.train.epochs=1',
                    '--config.protocol.name=kfold',
                    '--config.protocol.folds=2',
                    '--config.train.lowering=matmul',
                    '--config.train.at_once=1',
                    '--config.train.devices=1',
                ]
            )
            == 0
        )
        results = json.loads(
            (tmp_path / f'casme2_cnn3d-variant={variant}/results.json').read_text()
        )
        assert results['leaks'] == [] and results['data']['name'] == 'casme2/video'
        with open(tmp_path / f'casme2_cnn3d-variant={variant}/folds.csv', newline='') as file:
            made = [int(row['made']) for row in csv.DictReader(file)]
        assert any(made) == (variant == 'scb'), 'SMOTE alone makes rows'
    assert (
        main.main(['compare', f'--runs={tmp_path}/casme2_cnn3d-*', f'--workdir={tmp_path}/compare'])
        == 0
    )
    table = json.loads((tmp_path / 'compare/compare.json').read_text())
    (group,) = table['groups']
    assert {run['system'] for run in group['runs']} == {
        f'cnn3d-variant={variant}' for variant in VARIANTS
    }


def test_without_data_one_line_says_what_to_do(tmp_path, capsys):
    """Who starts the paper's config first has the data set's name and nothing else."""
    for name in ('casme2', 'samm'):
        assert (
            main.main(
                [
                    f'--config={ROOT}/configs/{name}_dualbranch.py',
                    f'--config.data.data_dir={tmp_path}/data',
                    f'--workdir={tmp_path}/run',
                ]
            )
            == 2
        )
        told = capsys.readouterr().err.strip()
        assert (
            told.startswith('error: ')
            and '\n' not in told
            and '--config.data.manual_dir=' in told
            and name in told
        )


def spoilt(release, target, subject):
    """A copy of a release in which one subject's frames are noise and its emotions are others."""
    shutil.copytree(release.folder, target)
    draw = np.random.default_rng(3)
    for clip in release.clips.values():
        if clip.subject == subject:
            for path in (target / clip.folder.relative_to(release.folder)).iterdir():
                cv2.imwrite(
                    str(path), draw.integers(0, 256, cv2.imread(str(path)).shape, dtype=np.uint8)
                )
    for path in target.rglob('*coding*.xlsx'):
        book = openpyxl.load_workbook(path)
        sheet = book.active
        for row in sheet.iter_rows(min_row=2):
            if f'sub{row[0].value}' == subject:
                row[8].value = 'happiness' if row[8].value == 'surprise' else 'surprise'
        book.save(path)
    return target


def fold_states(folder, data_dir):
    """(subject names, states of all folds after two epochs, labels) of the release in `folder`."""
    loaded = loading.load(
        sources.parse('casme2/flow,optical_flow=farneback', str(folder)),
        sources.BuildOptions(data_dir=str(data_dir)),
        Data(labels='five', clip_normalise=False, input_scaler='p995'),
        channels=('u', 'v', 'strain'),
    )
    folds, titles = protocols.make(loaded.samples, loaded.names, Protocol(), seeds=1)
    learner = learners.supervised(
        models.make('ststnet', classes=5, lowering='matmul', dropout=0.5),
        optax.adam(1e-3),
        fit=partial(scaling.fit_input, scaler='p995'),
        scale_input=partial(scaling.scale_input, value_range=(0.0, 1.0)),
    )
    programs = runs.compile_programs(
        learner,
        plan.Plan('matmul', 1, 1, ''),
        loaded.samples,
        folds,
        runs.ProgramOptions(batches.BatchOptions(8), runs=len(folds.fold), test_batch=8, chunk=2),
    )
    return loaded.names.subjects, trained(programs, loaded.samples, folds)[0], loaded.samples


def test_noise_in_the_raw_files_of_a_subject_changes_no_bit_of_its_fold(tmp_path):
    """A scale, a mean face or a label looked up across subjects in the builder would show as a
    changed bit.
    """
    release = casme2.write(tmp_path / 'raw')
    subject = sorted(clip.subject for clip in release.clips.values())[0]
    names, clean, samples = fold_states(release.folder, tmp_path / 'clean')
    _, noisy, other = fold_states(spoilt(release, tmp_path / 'copy', subject), tmp_path / 'noisy')
    own = samples.subject == names.index(subject)
    assert (samples.label[own] != other.label[own]).all() and (
        samples.image[own] != other.image[own]
    ).any()
    np.testing.assert_array_equal(samples.image[~own], other.image[~own])
    same = [
        all(
            (a[fold] == b[fold]).all()
            for a, b in zip(jax.tree.leaves(clean), jax.tree.leaves(noisy), strict=True)
        )
        for fold in range(len(names))
    ]
    assert same == [name == subject for name in names]
