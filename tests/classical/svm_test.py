"""Machines in place of the last layer: against scikit-learn, against plain loops, and against noise
in the left-out subject.
"""

import csv
import json
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import orbax.checkpoint as ocp
import pytest
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import main
from mer_jax import cli
from mer_jax.classical import features, svm
from mer_jax.errors import UserError
from mer_jax.experiment import build, settings
from mer_jax.folds import protocols, resampling
from mer_jax.presets import base
from mer_jax.runfiles.explanations import ImportanceTable
from mer_jax.settings.sections import Balance, Head, Protocol
from mer_jax.training import checkpoint, held_out
from mer_jax.types import Inputs
from tests.conftest import make_samples
from tests.leakage_test import with_noise
from tests.support.compiling import unoptimised
from tests.support.messages import mentions

pytestmark = pytest.mark.usefixtures('undrawn')
ROOT = Path(__file__).parents[2]
ONE = Head('svm', cost=(100.0,), gamma=(0.001,))
SEVERAL = replace(ONE, cost=(0.3, 1.0, 30.0), gamma=(0.001, 0.02), inner_folds=3)
FLOW = ['u', 'v', 'strain']


def fit_fold(blocks, label, group, train, test, settings, *, classes, seed):
    """The SVMs of one fold, of clips that are given by their features, labels and subjects."""
    return svm.fit_fold(svm.Clips(blocks, label, group, classes), train, test, settings, seed=seed)


def clips(*lengths, views=1, classes=3, subjects=6, each=7, strength=0.7, seed=0):
    """(blocks [M, N, D] of these lengths, label, subject): classes show, weakly, and each feature
    has its own mean and spread.
    """
    draw = np.random.default_rng(seed)
    group = np.repeat(np.arange(subjects), each)
    label = np.concatenate(
        [draw.permutation(np.arange(each) % classes) for _ in range(subjects)]
    ).astype(np.int32)
    blocks = []
    for length in lengths:
        shown = strength * np.eye(max(classes, length))[label, :length]
        x = shown + draw.normal(0, 1, (views, len(label), length))
        blocks.append(
            (x * draw.uniform(0.1, 9, length) + draw.normal(0, 20, length)).astype(np.float32)
        )
    return blocks, label, group


def parted(group, out):
    """Training rows, in an order of their own, and test rows."""
    return np.random.default_rng(3).permutation(np.flatnonzero(group != out)), np.flatnonzero(
        group == out
    )


def reference(cost=100.0, gamma=0.001):
    return make_pipeline(StandardScaler(), SVC(C=cost, gamma=gamma, class_weight='balanced'))


def told_by(found, x, classes):
    """Decision values [m, classes] of a machine of scikit-learn on all classes."""
    values = found.decision_function(x)
    return np.stack([-values, values], -1) if classes == 2 else values


@pytest.mark.parametrize('classes', [2, 3, 4])
def test_one_choice_is_the_machine_of_scikit_learn(classes):
    """Two kinds of features, standardised on the training rows, C = 100 and gamma = 0.001: what the
    papers call their SVM.
    """
    blocks, label, group = clips(5, 9, classes=classes)
    train, test = parted(group, 2)
    x = np.concatenate(blocks, -1)[0].astype(np.float64)
    found, (machine,) = fit_fold(
        blocks, label, group, train, test, classes=classes, seed=0, settings=ONE
    )
    wanted = reference().fit(x[train], label[train])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, told_by(wanted, x[test], classes), atol=1e-4)
    np.testing.assert_array_equal(machine.support, train[wanted[-1].support_])
    np.testing.assert_allclose(machine.dual, wanted[-1].dual_coef_, atol=0.02)
    np.testing.assert_allclose(machine.intercept, wanted[-1].intercept_, atol=1e-3)
    assert (machine.cost, machine.gamma) == (100, 0.001) and np.isnan(machine.uf1)
    on_training = told_by(wanted, x[train], classes).argmax(1)
    assert machine.training_accuracy == np.mean(on_training == label[train])
    every = SVC(C=100, gamma=0.001, class_weight='balanced')
    scaled = StandardScaler().fit(x)  # on all rows
    leaky = told_by(
        every.fit(scaled.transform(x[train]), label[train]), scaled.transform(x[test]), classes
    )
    assert np.abs(leaky - found).max() > 1e-3, (
        'this test would not see a scale that is fitted to tested rows'
    )


def test_a_linear_machine_takes_raw_features():
    """The baseline on published flow: with scale 'none' nothing is standardised."""
    blocks, label, group = clips(4, 3)
    train, test = parted(group, 0)
    x = np.concatenate(blocks, -1)[0].astype(np.float64)
    found, _ = fit_fold(
        blocks,
        label,
        group,
        train,
        test,
        classes=3,
        seed=0,
        settings=replace(ONE, kernel='linear', scale='none', cost=(0.001,)),
    )
    wanted = SVC(kernel='linear', C=0.001, class_weight='balanced').fit(x[train], label[train])
    np.testing.assert_allclose(found, wanted.decision_function(x[test]), atol=2e-3)


@pytest.mark.parametrize('scale', ['none', 'features', 'blocks'])
@pytest.mark.parametrize('views', [1, 2])
def test_inner_products_and_kernels_by_loops(scale, views):
    """Feature by feature and pair by pair; a scale fitted to one view, or to test rows, moves every
    product.
    """
    blocks, _, group = clips(3, 8, views=views)
    train, test = parted(group, 4)
    scaled = []
    for block in blocks:
        own, other = (np.concatenate(block[:, rows]).astype(np.float64) for rows in (train, test))
        for column in range(own.shape[1]):
            mean, spread = own[:, column].mean(), own[:, column].std()
            weight = {'none': 1, 'features': 1, 'blocks': 1 / np.sqrt(own.shape[1] * len(blocks))}[
                scale
            ]
            if scale != 'none':
                own[:, column], other[:, column] = (
                    weight * (a[:, column] - mean) / spread for a in (own, other)
                )
        scaled.append((own, other))
    own, other = (np.concatenate(parts, -1) for parts in zip(*scaled, strict=True))
    found = svm.products(blocks, train, test, scale=scale)
    for a, b in zip(found, (own @ own.T, other @ own.T, (other**2).sum(1)), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        svm.kernels(found, 'linear', 9.0)[1], other @ own.T, rtol=1e-9, atol=1e-9
    )
    gamma = 0.001 if scale == 'none' else 0.2
    for kernel, rows in zip(svm.kernels(found, 'rbf', gamma), (own, other), strict=True):
        wanted = [[np.exp(-gamma * ((a - b) ** 2).sum()) for b in own] for a in rows]
        np.testing.assert_allclose(kernel, wanted, rtol=1e-6, atol=1e-12)


def test_every_block_weighs_the_same_whatever_its_length():
    """Pixels by the thousand beside 40 numbers of strain would decide alone; the kernel's width
    means the same for all: the mean squared distance of two training clips is 2.
    """
    blocks, _, group = clips(2, 50, 7)
    blocks[2][..., 3:] = 5  # dead features weigh nothing
    train, test = parted(group, 1)

    def mean_distance(product):
        own = np.diag(product)
        return np.mean(
            [
                [own[a] + own[b] - 2 * product[a, b] for a in range(len(own))]
                for b in range(len(own))
            ]
        )

    own, other, length = svm.products(blocks, train, test, scale='blocks')
    alone = [svm.products([block], train, test, scale='blocks') for block in blocks]
    assert mean_distance(own) == pytest.approx(2) and all(
        mean_distance(a[0]) == pytest.approx(2) for a in alone
    )
    for place, total in enumerate((own, other, length)):
        np.testing.assert_allclose(total, sum(a[place] for a in alone) / 3, rtol=1e-9, atol=1e-12)
    plain = svm.products(blocks, train, test, scale='features')[0]
    assert mean_distance(plain) == pytest.approx(2 * (2 + 50 + 3))


@pytest.mark.parametrize('scale', ['features', 'blocks'])
def test_features_that_are_constant_in_training_say_nothing(scale):
    """A pixel outside every training face has no spread: divided by it, one that moves in a test
    clip would decide alone.
    """
    (block,), label, group = clips(6)
    train, test = parted(group, 5)
    constant = np.tile(np.float32([0, 3, 1e6]), (1, len(label), 1))
    constant[0, train[0], 2] += 0.0625  # what rounding leaves
    constant[0, test] += 1e3
    both = np.concatenate([constant, block], -1)
    chosen = replace(ONE, scale=scale, gamma=(0.1,))
    found, one = (
        fit_fold([x], label, group, train, test, classes=3, seed=0, settings=chosen)
        for x in (both, block)
    )
    np.testing.assert_array_equal(found[0], one[0])
    nothing, _ = fit_fold([constant], label, group, train, test, classes=3, seed=0, settings=chosen)
    assert np.ptp(nothing, 0).max() == 0


def choices(x, label, group, train, *, costs, gammas, inner, seed, made=()):
    """[(gamma, cost, UF1)] by a plain loop with scikit-learn; each training row is answered without
    its subject, and rows `made` always train.
    """
    found = []
    for gamma in gammas:
        for cost in costs:
            answers = np.zeros(len(train), int)
            folds = StratifiedGroupKFold(inner, shuffle=True, random_state=seed)
            for rest, aside in folds.split(train, label[train], group[train]):
                assert not set(group[train[rest]]) & set(group[train[aside]])
                rest = np.concatenate([train[rest], np.array(made, int)])
                machine = reference(cost, gamma).fit(x[rest], label[rest])
                answers[aside] = told_by(machine, x[train[aside]], 3).argmax(1)
            found.append((gamma, cost, f1_score(label[train], answers, average='macro')))
    return found


@pytest.mark.parametrize('seed', [0, 1])
def test_cost_and_gamma_are_those_of_a_plain_nested_loop(seed):
    """A choice by rows of the same subject, or by rows that are tested, is the leak that nested
    validation is for.
    """
    blocks, label, group = clips(4, 6, each=9)
    train, test = parted(group, 3)
    x = np.concatenate(blocks, -1)[0].astype(np.float64)
    told = choices(
        x, label, group, train, costs=SEVERAL.cost, gammas=SEVERAL.gamma, inner=3, seed=seed
    )
    order = sorted(range(len(told)), key=lambda place: -told[place][2])
    assert len({uf1 for *_, uf1 in told}) > 3 and order[:2] != [0, 1], 'nothing to choose'
    single = []
    for best in (1, 2):
        found, machines = fit_fold(
            blocks,
            label,
            group,
            train,
            test,
            classes=3,
            seed=seed,
            settings=replace(SEVERAL, top_k=best),
        )
        assert [(m.gamma, m.cost) for m in machines] == [told[place][:2] for place in order[:best]]
        np.testing.assert_allclose(
            [m.uf1 for m in machines], [told[place][2] for place in order[:best]], rtol=1e-6
        )
        single = [
            reference(cost, gamma).fit(x[train], label[train]).decision_function(x[test])
            for gamma, cost, _ in (told[place] for place in order[:best])
        ]
        np.testing.assert_allclose(found, np.mean(single, 0), atol=1e-3)
    assert np.abs(single[0] - single[1]).max() > 0.05, 'an average of equal machines proves nothing'
    every, machines = fit_fold(
        blocks, label, group, train, test, classes=3, seed=seed, settings=replace(SEVERAL, top_k=99)
    )
    assert len(machines) == 6 and np.isfinite(every).all()
    _, (linear,) = fit_fold(
        blocks,
        label,
        group,
        train,
        test,
        classes=3,
        seed=seed,
        settings=replace(SEVERAL, kernel='linear', cost=(1.0,)),
    )
    assert np.isnan(linear.uf1), 'a linear kernel has no gamma to choose'


def test_generated_images_train_in_every_group_and_are_not_asked():
    """As a subject of their own, -1, they would be what cost and gamma are chosen by: made images,
    not people.
    """
    blocks, label, group = clips(4, 6, each=9)
    group[group == 5] = -1
    # their classes say nothing: it matters who is asked
    label[group < 0] = np.arange((group < 0).sum()) % 3
    train, test = parted(group, 3)
    x = np.concatenate(blocks, -1)[0].astype(np.float64)
    people, made = train[group[train] >= 0], train[group[train] < 0]
    told = choices(
        x,
        label,
        group,
        people,
        costs=SEVERAL.cost,
        gammas=SEVERAL.gamma,
        inner=3,
        seed=0,
        made=made,
    )
    _, machines = fit_fold(
        blocks, label, group, train, test, classes=3, seed=0, settings=replace(SEVERAL, top_k=6)
    )
    assert {(m.gamma, m.cost): pytest.approx(m.uf1) for m in machines} == {
        (gamma, cost): uf1 for gamma, cost, uf1 in told
    }
    assert set(made) & set(machines[0].support.tolist())


def test_of_equal_choices_the_widest_kernel_and_the_least_cost_answer():
    """Where everything is right the choice must not hang on the order in which machines end."""
    blocks, label, group = clips(4, strength=40)
    _, machines = fit_fold(
        blocks,
        label,
        group,
        *parted(group, 0),
        classes=3,
        seed=0,
        settings=replace(SEVERAL, cost=(10.0, 3.0, 10.0), gamma=(0.1, 0.01), top_k=3),
    )
    assert [(m.gamma, m.cost, m.uf1) for m in machines] == [
        (0.01, 3, 1),
        (0.01, 10, 1),
        (0.1, 3, 1),
    ]


@pytest.mark.parametrize('mirror', [True, False])
def test_noise_in_the_left_out_subject_changes_no_bit_of_its_machines(mirror):
    """Any path from tested rows to a machine, be it a mean, a cost or a mirror image, shows up as a
    changed bit.
    """
    samples, names = make_samples(size=14, clips=(6, 5, 6, 7, 5))
    noise = with_noise(samples, 3)
    folds, _ = protocols.make(samples, names, Protocol(), seeds=1)
    hidden = [None, None]
    # of each fold's own network: noise reaches what every network says of the left-out subject
    if not mirror:
        draw = np.random.default_rng(0)
        plain = draw.normal(size=(5, len(samples.label), 6)) + 2 * np.eye(6)[samples.label]
        hidden = [
            plain,
            np.where((samples.subject == 3)[:, None], 1e3 * draw.normal(size=plain.shape), plain),
        ]
    (_, machines), (_, also) = (
        svm.predict(
            features.extract(['pixels', 'motion'], each.image, None, channels=FLOW, mirror=mirror),
            own,
            each,
            folds,
            classes=3,
            settings=replace(SEVERAL, scale='blocks', gamma=(0.1, 1.0), top_k=2),
        )
        for each, own in zip((samples, noise), hidden, strict=True)
    )
    rows = []
    for run, own in enumerate(machines):
        for one, other in zip(own, also[run], strict=True):
            same = [np.array_equal(a, b) for a, b in zip(one, other, strict=True)]
            assert all(same) if run == 3 else not all(same), 'the noise must reach the other folds'
            assert (
                0 <= one.uf1 <= 1
                and one.support.dtype == np.int32
                and one.dual.dtype == one.intercept.dtype == np.float32
            )
            rows.append(one.support)
            assert not (samples.subject[one.support % len(samples.label)] == run).any(), (
                'a tested row supports'
            )
            assert one.dual.shape == (2, len(one.support)) and one.intercept.shape == (3,)
    assert (np.concatenate(rows) >= len(samples.label)).any() == mirror and max(
        map(max, rows)
    ) < 2 * len(samples.label)


def test_a_class_that_is_missing_in_training_is_never_answered():
    """A left-out subject may be the only one of a class: the fold answers by the others, and by the
    right names of them.
    """
    blocks, label, group = clips(5)
    train, test = parted(group, 0)
    x = blocks[0][0].astype(np.float64)
    for known in ([0, 2], [1, 2]):
        own = train[np.isin(label[train], known)]
        found, (machine,) = fit_fold(
            blocks, label, group, own, test, classes=3, seed=0, settings=ONE
        )
        wanted = reference().fit(x[own], label[own])
        np.testing.assert_allclose(found[:, known], told_by(wanted, x[test], 2), atol=1e-4)
        assert (np.delete(found, known, 1) == -2).all() and machine.dual.shape[0] == 1
        np.testing.assert_array_equal(found.argmax(1), wanted.predict(x[test]))
    found, (machine,) = fit_fold(
        blocks, label, group, train[label[train] == 1], test, classes=3, seed=0, settings=ONE
    )
    assert (
        (found.argmax(1) == 1).all()
        and len(machine.support) == 0
        and machine.support.dtype == np.int32
    )
    chosen = fit_fold(
        blocks, label, group, train[label[train] == 1], test, classes=3, seed=0, settings=SEVERAL
    )
    assert (chosen[0].argmax(1) == 1).all() and chosen[1][0].uf1 == 1
    # of one subject alone: missing where it is left out
    rare = np.where((label == 2) & (group != 1), 0, label)
    assert (
        0
        < fit_fold(blocks, rare, group, train, test, classes=3, seed=0, settings=SEVERAL)[1][0].uf1
        < 1
    )


@pytest.mark.parametrize(
    'subjects,each,told',
    [
        (
            2,
            7,
            'head ... 1 training subject ... 3 clips ... cost and gamma ... one value',
        ),
        (4, 1, 'head ... 3 training subjects ... 1 clips ... one value'),
    ],
)
def test_without_groups_to_choose_by_the_choice_is_the_users(subjects, each, told):
    """A choice by rows of the same subject would be made in silence; scikit-learn would end in a
    traceback.
    """
    blocks, label, group = clips(5, subjects=subjects, each=each)
    label = np.arange(subjects) % 3 if each == 1 else label
    train, test = parted(group, 0)
    with pytest.raises(UserError) as error:
        fit_fold(blocks, label, group, train, test, classes=3, seed=0, settings=SEVERAL)
    assert mentions(str(error.value), told) and '\n' not in str(error.value)
    fit_fold(blocks, label, group, train, test, classes=3, seed=0, settings=ONE)


def test_a_few_clips_are_parted_in_fewer_groups():
    """Five groups of training subjects need no five clips of a class: a small data set must not end
    in a traceback.
    """
    blocks, label, group = clips(5, subjects=7, each=1, strength=9)
    label = np.array([0, 0, 1, 1, 0, 1, 2])
    found, (machine,) = fit_fold(
        blocks,
        label,
        group,
        *parted(group, 6),
        classes=3,
        seed=0,
        settings=replace(SEVERAL, inner_folds=5),
    )
    assert 0 <= machine.uf1 <= 1 and found.shape == (1, 3)


@pytest.mark.parametrize('views', [1, 2])
def test_mirror_images_train_and_answer_too(views):
    """As if they were further clips of the fold; the answer to a clip is the mean of those
    to both.
    """
    blocks, label, group = clips(4, 6, views=views)
    train, test = parted(group, 2)
    found, (machine,) = fit_fold(blocks, label, group, train, test, classes=3, seed=0, settings=ONE)
    both = np.concatenate(blocks, -1).astype(np.float64)
    wanted = reference().fit(
        np.concatenate([view[train] for view in both]), np.concatenate([label[train]] * views)
    )
    np.testing.assert_allclose(
        found, np.mean([wanted.decision_function(view[test]) for view in both], 0), atol=1e-4
    )
    rows = np.concatenate([train + view * len(label) for view in range(views)])
    np.testing.assert_array_equal(machine.support, rows[wanted[-1].support_])


def several_runs(seeds=2):
    samples, names = make_samples(size=8, subjects=8, clips=(4, 2, 3, 5, 3, 4, 2, 4))
    folds, titles = protocols.make(samples, names, Protocol('kfold', 3, seed=1), seeds=seeds)
    return samples, names, folds, titles


def test_what_runs_say_of_all_rows_goes_to_their_runs():
    """Features of another fold's network, which has trained on the tested subject, would be the
    leak itself.
    """
    samples, _, folds, _ = several_runs()
    asked, count = (
        protocols.predict_all_rows(folds, len(samples.label), train_on_held_out=False),
        len(samples.label),
    )
    for run in range(6):
        assert sorted(asked.test.index[run][asked.test.mask[run] > 0]) == list(range(count))
        np.testing.assert_array_equal(asked.train.index[run], folds.train.index[run])
        np.testing.assert_array_equal(asked.train.mask[run], folds.train.mask[run])
    runs, places = held_out.order(asked)
    said = np.array(
        [[run, asked.test.index[run, place]] for run, place in zip(runs, places, strict=True)]
    )
    assert len(said) == 6 * count and not np.array_equal(said, said[np.lexsort(said.T[::-1])])
    found = svm.by_run(said, asked, count)
    for run in range(6):
        for row in range(count):
            assert found[run, row].tolist() == [run, row]


def test_with_the_leak_the_tested_rows_train_too():
    """head.scope=all must show the network every row of the data set once, or the audit would tell
    too small a leak.
    """
    samples, names, folds, titles = several_runs()
    asked = protocols.predict_all_rows(folds, len(samples.label), train_on_held_out=True)
    for run in range(6):
        own = asked.train.index[run][asked.train.mask[run] > 0]
        assert sorted(own) == list(range(len(samples.label))) == sorted(asked.test.index[run])
    _, made = resampling.extend(folds, samples, names, titles, Balance('oversample'))
    rows = protocols.predict_all_rows(made, len(samples.label), train_on_held_out=True).train
    for run in range(6):
        own, before = (
            index[mask > 0]
            for index, mask in (
                (rows.index[run], rows.mask[run]),
                (made.train.index[run], made.train.mask[run]),
            )
        )
        made_up = own[own >= len(samples.label)]
        np.testing.assert_array_equal(made_up, before[before >= len(samples.label)])
        assert len(made_up) and len(own) == len(made_up) + len(samples.label)


def test_answers_are_those_of_each_run_in_the_order_of_predictions():
    """Answers of one clip under the name of another, or of one seed under the next; rows made for a
    fold take no part.
    """
    samples, names, folds, titles = several_runs()
    draw = np.random.default_rng(0)
    count = len(samples.label)
    blocks = [draw.normal(size=(1, count, 5)) + np.eye(5)[samples.label]]
    hidden = draw.normal(size=(6, count, 4)) + np.eye(4)[samples.label]
    # of five training subjects: another seed groups them otherwise
    chosen = replace(SEVERAL, inner_folds=2)
    found, machines = svm.predict(blocks, hidden, samples, folds, classes=3, settings=chosen)
    predictions = held_out.predictions(found, samples, folds)
    assert (
        predictions.clip.tolist() == [*range(count)] * 2
        and predictions.seed.tolist() == [0] * count + [1] * count
    )
    uf1 = set()
    for run in range(6):
        of_run = (predictions.seed == folds.seed[run]) & (predictions.fold == folds.fold[run])
        test = predictions.clip[of_run]
        train = np.setdiff1d(np.arange(count), test)
        assert set(test) == set(folds.test.index[run][folds.test.mask[run] > 0])
        wanted, (machine,) = fit_fold(
            [hidden[run][None], *blocks],
            samples.label,
            samples.subject,
            train,
            test,
            classes=3,
            seed=int(folds.seed[run]),
            settings=chosen,
        )
        np.testing.assert_array_equal(predictions.output[of_run], wanted)
        assert (machines[run][0].cost, machines[run][0].gamma, machines[run][0].uf1) == (
            machine.cost,
            machine.gamma,
            machine.uf1,
        )
        uf1.add((run % 3, machine.uf1))
    assert len(uf1) > 3, 'the groups of both seeds are the same'
    _, made = resampling.extend(folds, samples, names, titles, Balance('oversample'))
    assert (made.train.index >= count).any()
    again, _ = svm.predict(blocks, hidden, samples, made, classes=3, settings=chosen)
    np.testing.assert_array_equal(again, found)
    without, _ = svm.predict(blocks, None, samples, folds, classes=3, settings=chosen)
    assert not np.array_equal(without, found)


def test_a_network_that_diverged_is_told_in_one_line():
    """One fold's NaN would end in a traceback of scikit-learn, after hours of training all
    of them.
    """
    samples, _, folds, _ = several_runs(seeds=1)
    hidden = np.zeros((3, len(samples.label), 4))
    hidden[2, 5, 1] = np.nan
    with pytest.raises(UserError, match='head.*not finite.*diverged'):
        svm.predict([], hidden, samples, folds, classes=3, settings=ONE)


IN_PIXELS = {'data.clip_normalise': False, 'data.input_scaler': 'p995'}
STILL = {'train.epochs': 0, 'head.features': 'pixels'}
DETECTED = STILL | {'head.features': 'detected_units'}
MISTAKES = [
    (
        {'head.features': 'network+hof'},
        "head.features ... 'network+hof' ... au_strain, bands, bi_woof, bi_woof_centred, def",
    ),
    ({'head.features': 'network+network'}, "head.features ... 'network+network'"),
    ({'head.features': ''}, "head.features ... ''"),
    ({'head.features': 'network,pixels'}, 'each once, + between'),
    ({'head.features': 'pixels'}, 'train.epochs ... 100 ... head.features pixels ... 0'),
    (
        STILL | {'balance.method': 'smote'},
        "balance.method ... 'smote' ... head.features pixels ... 'none' or 'generated'",
    ),
    (
        STILL | {'head.scope': 'all'},
        "head.scope ... 'all' ... head.features pixels ... 'fold'",
    ),
    (
        STILL | {'evaluate.every_epoch': True},
        'evaluate.every_epoch ... True ... head.features pixels ... False',
    ),
    (
        {'evaluate.every_epoch': True},
        'evaluate.every_epoch ... True ... head.features network ... False',
    ),
    (
        {'data.apex': 'runs/spotting', 'data.channels': 'u,v'},
        "data.apex ... 'runs/spotting' ... head.features network",
    ),
    (
        {'train.learner': 'contrastive', 'model.name': 'dual_branch'},
        "train.learner ... 'contrastive' ... head.features network ... 'supervised'",
    ),
    (
        {'head.features': 'network+au_strain', 'balance.method': 'gan'},
        "balance.method ... 'gan' ... landmarks ... 'none'",
    ),
    ({'head.mirror': True}, 'head.mirror ... True ... network ... False'),
    (
        STILL | {'head.features': 'pixels+au_strain', 'head.mirror': True},
        'head.mirror ... True ... au_strain ... False',
    ),
    (
        {'head.features': 'network+detected_units'},
        "head.features ... 'network+detected_units' ... detected_units without network",
    ),
    (
        DETECTED | {'detectors.features': 'motion+hof'},
        "detectors.features ... 'motion+hof' ... au_strain, bands, bi_woof",
    ),
    (
        DETECTED | {'detectors.features': 'hoof'},
        'detectors.features hoof ... flow in pixels ... data.clip_normalise',
    ),
    (
        DETECTED | {'detectors.features': 'pixels+au_strain'},
        'detectors.mirror ... True ... au_strain ... False',
    ),
    (
        DETECTED | {'data.lateral_units': True},
        'detectors.mirror ... True ... data.lateral_units ... False',
    ),
    (
        DETECTED | {'data.task': 'action_units'},
        "head.features ... 'detected_units' ... data.task action_units ... features of clips",
    ),
    (DETECTED | {'head.mirror': True}, 'head.mirror ... True ... detected_units ... False'),
    ({'data.task': 'spotting'}, "head.name ... 'svm' ... data.task spotting ... 'none'"),
    (
        STILL | {'data.task': 'action_units', 'data.lateral_units': True, 'head.mirror': True},
        'head.mirror ... True ... data.lateral_units',
    ),
    (
        {'head.features': 'network+bands'},
        'head.features bands ... u,v,u2,v2',
    ),
    (
        {'head.features': 'network+hoof'},
        'head.features hoof ... flow in pixels ... data.clip_normalise',
    ),
]


def mistakes(config):
    """What the program answers to a config; '' where it keeps all rules."""
    try:
        settings.checked(config)
    except UserError as error:
        return str(error)
    return ''


@pytest.mark.parametrize('changes,told', MISTAKES, ids=[told[:50] for _, told in MISTAKES])
def test_each_mistake_is_one_line_before_anything_is_trained(changes, told):
    """A network would be trained for hours before its machines refuse, or a setting would be read
    by nothing.
    """
    config = base('any')
    config.update_from_flattened_dict(changes)
    config.head.name = 'svm'
    text = mistakes(config)
    assert mentions(text, told) and '\n' not in text, text
    config.head.name = 'none'
    assert 'head.' not in mistakes(config).replace(f'head.{changes.get("head.features")}', '')


@pytest.mark.parametrize(
    'changes',
    [
        {},
        STILL,
        STILL | {'head.mirror': True},
        DETECTED,
        STILL | {'data.task': 'action_units', 'head.mirror': True},
        {'head.scope': 'all', 'balance.method': 'smote'},
        STILL | {'head.features': 'au_strain'} | IN_PIXELS,
        {'head.features': 'network+hoof'} | IN_PIXELS | {'data.input_scaler': 'standard'},
    ],
)
def test_what_fits_is_not_refused(changes):
    """A rule that is too strict closes an experiment."""
    config = base('any')
    config.update_from_flattened_dict(changes | {'head.name': 'svm'})
    settings.checked(config)


def test_machines_are_written_so_that_they_can_be_used(tmp_path):
    """Whoever asks which clips a fold decides by, or wants its machine, has the two files alone."""
    samples, _, folds, titles = several_runs()
    label = samples.label % 2
    samples = samples._replace(label=label)
    x = np.random.default_rng(0).normal(size=(2, len(label), 4)) + np.eye(4)[label]
    found, machines = svm.predict(
        [x],
        None,
        samples,
        folds,
        classes=2,
        settings=replace(SEVERAL, kernel='linear', scale='none', top_k=2),
    )
    svm.table(machines, folds, titles).write(tmp_path)
    svm.arrays(machines).write(tmp_path)
    with open(tmp_path / 'heads.csv', newline='') as file:
        table = list(csv.DictReader(file))
    assert (
        list(table[0])
        == ['title', 'seed', 'place', 'cost', 'gamma', 'inner_uf1', 'support_vectors']
        + ['training_accuracy']
        and len(table) == 12
    )
    rows = np.concatenate(x)
    with np.load(tmp_path / 'heads.npz') as file:
        assert len(file.files) == 36
        for run, own in enumerate(machines):
            test = np.sort(folds.test.index[run][folds.test.mask[run] > 0])
            told = []
            for place, one in enumerate(own, 1):
                line = table[2 * run + place - 1]
                assert (line['title'], line['seed'], line['place']) == (
                    titles[run % 3],
                    str(run // 3),
                    str(place),
                )
                assert (float(line['cost']), float(line['inner_uf1'])) == (
                    one.cost,
                    pytest.approx(one.uf1, abs=1e-4),
                )
                support, dual, intercept = (
                    file[f'{run}_{place}_{name}'] for name in ('support', 'dual', 'intercept')
                )
                assert int(line['support_vectors']) == len(support)
                weight = dual[0] @ rows[support]
                told += [x[view, test] @ weight + intercept for view in (0, 1)]
            np.testing.assert_allclose(
                np.mean(told, 0), found[held_out.order(folds)[0] == run, 1], atol=1e-4
            )
    _, unchosen = svm.predict([x], None, samples, folds, classes=2, settings=ONE)
    svm.table(unchosen, folds, titles).write(tmp_path)
    with open(tmp_path / 'heads.csv', newline='') as file:
        assert {line['inner_uf1'] for line in csv.DictReader(file)} == {''}, 'nothing was chosen'


# End to end, as a user starts it.


def command(
    tiny_data, folder, *more, config='synthetic_handcrafted', variant='quick', verb='train'
):
    return [
        verb,
        f'--config={ROOT}/configs/{config}.py:{variant}',
        f'--config.data.data_dir={tiny_data}',
        f'--workdir={folder}',
        *[f'--config.{one}' for one in more],
    ]


def read(folder):
    with open(folder / 'predictions.csv', newline='') as file:
        return list(csv.DictReader(file))


def results(folder):
    return json.loads((folder / 'results.json').read_text())


def loaded(arguments):
    """The experiment of a command line."""
    command = cli.parse(arguments[1:])
    return build.experiment(settings.checked(command.config), Path(command.folder))


def check_answers(folder, data, folds, block_of):
    """Every line of predictions.csv is what scikit-learn answers for the fold that leaves its
    subject out.
    """
    told = {row['clip']: row['predicted'] for row in read(folder)}
    answered, label = {}, data.samples.label
    for run in range(5):
        train, test = (rows.index[run][rows.mask[run] > 0] for rows in (folds.train, folds.test))
        x = block_of(run)
        values = reference().fit(x[train], label[train]).decision_function(x[test])
        for row, value in zip(test, values, strict=True):
            answered[data.names.clips[row]] = data.names.classes[value.argmax()]
    assert told == answered and len(set(told.values())) > 1


@pytest.mark.parametrize('name', ['flow', 'hoof', 'bi_woof', 'lbp_top', 'mdmo'])
def test_handcrafted_features_answer_without_a_network(name, tiny_data, tmp_path, capsys):
    """Nothing is compiled or trained; the files are those of any run, but for a plan, and say that
    nothing leaks.
    """
    folder = tmp_path / 'run'
    again = command(tiny_data, folder, variant=f'features={name},quick')
    assert main.main(again) == 0
    found = results(folder)
    assert (
        found['leaks'] == []
        and found['plan'] is None
        and found['folds'] == 5
        and found['epochs'] == 0
    )
    names = {path.name for path in folder.iterdir()}
    assert (
        names
        >= {
            'results.json',
            'predictions.csv',
            'report.html',
            'folds.csv',
            'dropped.csv',
            'config.json',
            'heads.csv',
            'heads.npz',
        }
        and not {'checkpoints', 'plan.json'} & names
    )
    before = (folder / 'predictions.csv').read_bytes()
    assert len(read(folder)) == found['clips'] == 24
    if name != 'hoof':
        return
    experiment = loaded(again)
    data, folds = experiment.data, experiment.folds
    (block,) = features.extract(['hoof'], data.samples.image, None, channels=FLOW, mirror=False)
    check_answers(folder, data, folds, lambda run: block[0].astype(np.float64))
    check_importance(folder, again, found['metrics']['accuracy'], before)
    (folder / 'results.json').unlink()  # as a killed run leaves it
    assert main.main(again) == 0 and (folder / 'predictions.csv').read_bytes() == before
    assert (
        main.main(['evaluate', *again[1:]]) == 0
        and (folder / 'predictions.csv').read_bytes() == before
    )
    assert main.main([*again, '--config.head.cost=1']) == 2
    assert 'head.cost was [100.0], is [1]' in capsys.readouterr().err
    assert main.main(command(tiny_data, tmp_path / 'ship', 'protocol.name=all_rows')) == 0
    assert (
        results(tmp_path / 'ship')['metrics']['uf1'] is None
        and (tmp_path / 'ship' / 'heads.npz').exists()
    )


def check_importance(folder, command, accuracy, predictions):
    """The verb explain measures what the features of a run are worth, and trains nothing."""
    assert main.main(['explain', *command[1:]]) == 0
    (row,) = ImportanceTable.read(folder / 'explain').rows
    assert (row.group, row.kind) == ('hoof', 'features') and row.lost <= accuracy
    words = json.loads((folder / 'explain' / 'captions.json').read_text())['importance.png']
    assert f'({accuracy:.3f})' in words, 'the SVMs are those of the run'
    assert 'accuracy lost' in (folder / 'report.html').read_text()
    assert (folder / 'predictions.csv').read_bytes() == predictions


NETWORK = (
    'head.name=svm',
    'head.features=network+hoof',
    'data.clip_normalise=False',
    'data.input_scaler=p995',
    'data.value_range=0..1',
)


def states_of(folder, learner, data, folds):
    """The states of all runs in the last checkpoint."""
    group = folder / 'checkpoints' / 'group_0'
    like = jax.tree.map(
        lambda a: np.zeros((5, *a.shape), a.dtype),
        held_out.state_shapes(learner, data.samples, folds.train),
    )
    with ocp.CheckpointManager(group) as manager:
        return checkpoint.restore(manager, checkpoint.newest(group), like)


@unoptimised()
@unoptimised()
def test_machines_answer_by_the_features_of_each_folds_network(
    tiny_data, tmp_path, monkeypatch, capsys
):
    """The last hidden layer of the network that did not see the subject, beside features of the
    clip; killed and started again, the same answers; with head.scope=all other ones, and the leak
    is named.
    """
    folder = tmp_path / 'run'
    again = command(
        tiny_data, folder, *NETWORK, 'train.checkpoint_seconds=0', config='synthetic_ststnet'
    )

    def stop(manager, done, states, save=checkpoint.save):
        save(manager, done, states)
        raise KeyboardInterrupt

    with monkeypatch.context() as stopped:
        stopped.setattr(checkpoint, 'save', stop)
        assert main.main(again) == 130
    assert (
        checkpoint.newest(folder / 'checkpoints' / 'group_0') == 1
        and not (folder / 'heads.csv').exists()
    )
    assert (
        main.main(['evaluate', *again[1:]]) == 2
        and 'is trained to epoch 1 of 2; finish it first' in capsys.readouterr().err
    )
    assert (
        main.main(again) == 0 and results(folder)['leaks'] == [] and (folder / 'plan.json').exists()
    )
    before = (folder / 'predictions.csv').read_bytes()
    assert (
        main.main(['evaluate', *again[1:]]) == 0
        and (folder / 'predictions.csv').read_bytes() == before
    )

    experiment = loaded(again)
    settings, data, folds = experiment.settings, experiment.data, experiment.folds
    learner = build.learner(experiment, 'matmul')
    channels = settings.data.channels.split(',')
    (block,) = features.extract(['hoof'], data.samples.image, None, channels=channels, mirror=False)
    states = states_of(folder, learner, data, folds)
    predict = jax.jit(
        lambda state: learner.predict(state, Inputs(data.samples.image, {}))[1]['features']
    )
    check_answers(
        folder,
        data,
        folds,
        lambda run: np.concatenate(
            [predict(jax.tree.map(lambda a: a[run], states)), block[0]], 1
        ).astype(np.float64),
    )

    whole, leaky = tmp_path / 'whole', tmp_path / 'leaky'
    assert main.main(command(tiny_data, whole, *NETWORK, config='synthetic_ststnet')) == 0
    assert (whole / 'predictions.csv').read_bytes() == before
    assert (
        main.main(command(tiny_data, leaky, *NETWORK, 'head.scope=all', config='synthetic_ststnet'))
        == 0
    )
    assert (leaky / 'predictions.csv').read_bytes() != before
    (leak,) = results(leaky)['leaks']
    assert (
        leak.startswith('head.scope=all')
        and (leaky / 'folds.csv').read_bytes() == (whole / 'folds.csv').read_bytes()
    )


def test_explain_of_svms_needs_their_run_and_no_network(tmp_path, capsys):
    """Maps of a last layer that has no say would be shown as the reason of an answer."""
    arguments = [
        'explain',
        f'--config={ROOT}/configs/synthetic_dualbranch.py:quick',
        '--config.head.name=svm',
        '--config.train.learner=supervised',
        f'--workdir={tmp_path}/run',
    ]
    assert main.main(arguments) == 2
    assert 'holds no run' in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    'classes,views,scale', [(3, 2, 'blocks'), (2, 1, 'features'), (4, 1, 'none')]
)
def test_a_linear_svm_as_weights_scores_as_it_was_fitted(classes, views, scale):
    """A pack holds the weights in place of the rows: a wrong sign, pair or scale would ship another
    classifier than was scored.
    """
    blocks, label, group = clips(4, 9, views=views, classes=classes)
    blocks[0][..., 2] = 5.0  # a constant feature counts as 0
    train, test = parted(group, 2)
    cost = 0.3 if scale != 'none' else 1e-4
    settings = replace(ONE, kernel='linear', cost=(cost,), scale=scale)
    of_clips = svm.Clips(blocks, label, group, classes)
    tested = [block[:, test] for block in blocks]
    for missing in (None, 0, classes - 1):
        rows = train[label[train] != missing]
        expected, (one,) = svm.fit_fold(of_clips, rows, test, settings, seed=0)
        vectors = svm.SupportVectors(one.support, one.dual, one.intercept)
        stored = svm.Stored(svm.Choice('linear', cost, one.gamma), vectors)
        weights = svm.linear(of_clips, rows, stored, scale=scale)
        scores = svm.linear_scores(weights, tested, classes=classes)
        np.testing.assert_allclose(scores, expected, atol=1e-5)
        assert missing is not None or len({*scores.argmax(1)}) > 1, 'equal scores prove nothing'
