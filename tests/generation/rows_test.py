"""A GAN a fold: whose images train where, what is kept of them, and that no left-out subject
reaches any of it.
"""

import csv
import importlib
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import jax
import numpy as np
import pytest

import main
from mer_jax import models
from mer_jax.errors import UserError
from mer_jax.experiment import folder as run_folder
from mer_jax.folds import protocols
from mer_jax.generation import GanRun
from mer_jax.generation import rows as generation
from mer_jax.runfiles.metrics_log import EpochRecord
from mer_jax.settings import tree
from mer_jax.settings.sections import Gan, Protocol
from mer_jax.training import parallel, plan
from mer_jax.training import programs as runs
from tests.conftest import make_samples
from tests.leakage_test import learner_of, trained, with_noise
from tests.support.pages import Page

pytestmark = pytest.mark.usefixtures('undrawn')
ROOT = Path(__file__).parents[2]
TINY = Gan(
    size=8,
    width=2,
    steps=4,
    batch_size=8,
    learning_rate=2e-4,
    smoothing=0.1,
    dropout=0.5,
    images_per_class=3,
)
# equal to matmul (dcgan_test.py), and compiled in less time at this size
LAYOUT = plan.Plan('native', 1, 2, '')


def extended(folder, samples, names, *, scope='fold', seeds=1):
    """(samples, folds, base folds) with the images of tiny GANs."""
    folds, titles = protocols.make(samples, names, Protocol(), seeds=seeds)
    folder.mkdir(parents=True, exist_ok=True)
    channels = ('u', 'v', 'strain')
    run = GanRun(folder / 'gan', interval=60.0, channels=channels, runs_in_memory=0)
    settings = replace(TINY, scope=scope)
    return *generation.extend(samples, folds, names, titles, LAYOUT, settings, run=run), folds


def rows_of(folds, run):
    return folds.train.index[run][folds.train.mask[run] > 0]


@pytest.fixture(scope='module')
def small():
    return make_samples(size=14, clips=(4, 2, 3, 6, 3))


@pytest.fixture(scope='module')
def programs():
    """What `made` compiled, which serves other samples of the same shapes."""
    return []


@pytest.fixture(scope='module')
def made(small, programs, tmp_path_factory):
    folder, compiled = tmp_path_factory.mktemp('run'), runs.compile_programs
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(generation, 'CHECKED', 2)
        patch.setattr(
            runs,
            'compile_programs',
            lambda *rest, **more: programs.append(compiled(*rest, **more)) or programs[-1],
        )
        return folder, *extended(folder, *small)


def test_noise_in_the_left_out_subject_changes_nothing_of_its_fold(
    small, made, programs, tmp_path, monkeypatch
):
    """The published GAN saw every subject: through it, tested clips would train the classifier that
    is tested on them.
    """
    monkeypatch.setattr(generation, 'write_checks', lambda *rest: None)
    samples, names = small
    noise = with_noise(samples, 3)
    # as many of each class: arrays of one shape, compiled once
    noise = noise._replace(label=samples.label)
    _, longer, folds, _ = made
    (kept,) = programs
    with monkeypatch.context() as patch:
        patch.setattr(
            runs,
            'compile_programs',
            lambda _, layout, samples, *rest, **more: kept._replace(
                samples=parallel.replicate(samples, devices=kept.devices)
            ),
        )
        noisy, again, _ = extended(tmp_path, noise, names)
    count = len(samples.label)
    own = rows_of(folds, 3)[rows_of(folds, 3) >= count]
    np.testing.assert_array_equal(rows_of(folds, 3), rows_of(again, 3))
    np.testing.assert_array_equal(longer.image[own], noisy.image[own])
    other = rows_of(folds, 0)[rows_of(folds, 0) >= count]
    assert (longer.image[other] != noisy.image[other]).any(), (
        'the noise reached no fold at all: this test would prove nothing'
    )
    learner, feed = learner_of(
        'plain', models.make('ststnet', classes=3, lowering='native'), 'none'
    )
    both = [
        each._replace(test=jax.tree.map(lambda a: a[:, :0], each.test)) for each in (folds, again)
    ]
    classifier = runs.compile_programs(
        learner,
        LAYOUT,
        longer,
        both[0],
        runs.ProgramOptions(feed, runs=5, test_batch=8, chunk=2),
    )
    (states, logs), (changed, also) = (
        trained(classifier, *each) for each in ((longer, both[0]), (noisy, both[1]))
    )
    same = [
        np.array_equal(a, b)
        for a, b in zip(
            jax.tree.leaves(states.params), jax.tree.leaves(changed.params), strict=True
        )
    ]
    assert not all(same)
    jax.tree.map(
        lambda a, b: np.testing.assert_array_equal(a[3], b[3]), (states, logs), (changed, also)
    )


def test_each_fold_trains_on_its_own_images_and_tests_none(small, made):
    """A fold that trains on another's images trains on what its left-out subject taught."""
    samples, _ = small
    _, longer, folds, before = made
    count, seen = len(samples.label), []
    for run in range(5):
        rows, real = rows_of(folds, run), rows_of(before, run)
        np.testing.assert_array_equal(rows[: len(real)], real)
        new = rows[len(real) :]
        classes = np.unique(samples.label[real])
        np.testing.assert_array_equal(
            np.bincount(longer.label[new], minlength=3), 3 * np.isin(np.arange(3), classes)
        )
        seen.append(set(new.tolist()))
        assert (
            (new >= count).all()
            and (longer.clip[new] == -1).all()
            and np.isnan(longer.extras['action_units'][new]).all()
        )
    assert sum(map(len, seen)) == len(set().union(*seen))
    np.testing.assert_array_equal(folds.test.index, before.test.index)
    np.testing.assert_array_equal(longer.image[:count], samples.image)


def stub(samples, folds, layout, settings, *, classes, run, loss=0.0):
    """gan.train_all without training: images that tell their run apart."""
    (run.folder / 'checkpoints').mkdir(parents=True)
    made = np.random.default_rng(0).integers(
        0, 256, (len(folds.fold), classes * settings.images_per_class, *samples.image.shape[1:])
    )
    record = EpochRecord(1, 0, 5, 0.1, {'loss': loss, 'd_loss': 0.0})
    return made.astype(np.uint8), (record,)


def test_a_class_that_the_fold_lacks_is_not_made(small, tmp_path, monkeypatch):
    """What a generator draws for a label that it never saw is noise under that label."""
    monkeypatch.setattr(generation.gan, 'train_all', stub)
    monkeypatch.setattr(generation, 'write_checks', lambda *rest: None)
    samples, names = small
    label = np.where(samples.subject == 3, 2, samples.label % 2).astype(np.int32)
    longer, folds, before = extended(tmp_path, samples._replace(label=label), names)
    new = np.setdiff1d(rows_of(folds, 3), rows_of(before, 3))
    assert set(longer.label[new].tolist()) == {0, 1}


def test_finished_images_are_read_again(small, made):
    """Otherwise a run that goes on would train on other images than it began with, or wait for its
    GANs again.
    """
    samples, names = small
    folder, longer, folds, _ = made
    stamp = (folder / 'gan' / 'metrics.jsonl').stat().st_mtime_ns
    again, also, _ = extended(folder, samples, names)
    np.testing.assert_array_equal(again.image, longer.image)
    jax.tree.map(np.testing.assert_array_equal, also, folds)
    assert (folder / 'gan' / 'metrics.jsonl').stat().st_mtime_ns == stamp and not (
        folder / 'gan' / 'checkpoints'
    ).exists()
    checks = json.loads((folder / 'gan' / 'checks.json').read_text())['folds']
    assert [block['fold'] for block in checks] == [names.subjects[0], names.subjects[-1]]
    assert {path.name for path in (folder / 'gan').glob('*.png')} == set(generation.KINDS)


def test_scope_all_is_one_gan_a_seed_for_every_fold(small, tmp_path, monkeypatch):
    """As published: all folds share what one generator learned of every subject."""
    learned = []
    monkeypatch.setattr(generation, 'write_checks', lambda *rest: None)
    monkeypatch.setattr(
        generation.gan,
        'train_all',
        lambda samples, folds, *rest, **more: (
            learned.append(folds),
            stub(samples, folds, *rest, **more),
        )[1],
    )
    longer, folds, before = extended(tmp_path, *small, scope='all', seeds=2)
    new = [np.setdiff1d(rows_of(folds, run), rows_of(before, run)).tolist() for run in range(10)]
    assert len(longer.label) == len(small[0].label) + 2 * 9 and len(new[0]) == 9
    assert len(learned[0].fold) == 2 and all(
        set(rows_of(learned[0], run)) == set(range(18)) for run in (0, 1)
    )
    assert (
        all(each == new[0] for each in new[:5])
        and all(each == new[5] for each in new[5:])
        and new[0] != new[5]
    )


def test_a_run_with_a_gan(tiny_data, tmp_path, monkeypatch, capsys):
    """From the command line: images made, told from real ones, counted and reported; a finished run
    trains no GAN again.
    """
    monkeypatch.setattr(generation, 'CHECKED', 2)
    arguments = [
        f'--config={ROOT}/configs/synthetic_ocnet.py:gan=on,quick',
        f'--config.data.data_dir={tiny_data}',
        f'--workdir={tmp_path}/run',
        '--config.model.name=ststnet',
        '--config.train.lowering=native',
    ]
    assert main.main(arguments) == 0
    results = json.loads((tmp_path / 'run' / 'results.json').read_text())
    checks = json.loads((tmp_path / 'run' / 'gan' / 'checks.json').read_text())['folds']
    auc = np.mean([block['two_sample']['made']['auc'] for block in checks])
    assert (
        f'tells its images from real ones with AUC {auc:.2f}' in capsys.readouterr().out
        and len(checks) == 2
    )
    assert results['leaks'] == [] and results['clips'] == 24
    with open(tmp_path / 'run' / 'folds.csv', newline='') as file:
        assert {row['made'] for row in csv.DictReader(file)} == {'12'}
    assert 'Images of the GAN' in Page((tmp_path / 'run' / 'report.html').read_text()).text
    stamp = (tmp_path / 'run' / 'gan' / 'images.npy').stat().st_mtime_ns
    assert main.main(['evaluate', *arguments]) == 0
    assert (tmp_path / 'run' / 'gan' / 'images.npy').stat().st_mtime_ns == stamp
    assert (
        json.loads((tmp_path / 'run' / 'results.json').read_text())['metrics'] == results['metrics']
    )


def test_a_diverged_gan_is_an_error_in_one_line(small, tmp_path, monkeypatch):
    """As bytes, images that are not numbers pass for pictures, and the classifier would train on
    them.
    """
    monkeypatch.setattr(
        generation.gan, 'train_all', lambda *rest, **more: stub(*rest, **more, loss=None)
    )
    with pytest.raises(UserError, match='diverged.*gan.learning_rate'):
        extended(tmp_path, *small)
    assert not (tmp_path / 'gan' / 'images.npy').exists()


def test_a_free_setting_does_not_throw_finished_images_away(tmp_path):
    """A restart with other epochs, or another folder for data, must not wait for its GANs again;
    other settings must.
    """
    config = importlib.import_module('configs.synthetic_ocnet').get_config('gan=on')
    settings = tree.from_nested(config.to_dict())
    loaded = SimpleNamespace(fingerprint='data')
    run_folder.enter(tmp_path, settings, loaded)
    (tmp_path / 'gan').mkdir()
    free = tree.changed(settings, {'train.epochs': 7, 'train.checkpoint_seconds': 1.0})
    run_folder.enter(tmp_path, free, loaded)
    assert (tmp_path / 'gan').exists()
    run_folder.enter(tmp_path, tree.changed(free, {'gan.steps': 5}), loaded)
    assert not (tmp_path / 'gan').exists()
