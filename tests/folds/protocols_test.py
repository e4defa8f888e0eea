"""Protocols: who trains, who is tested.

The general tests take their protocols from the entries: a new one is tested without a change here.
"""

import jax
import numpy as np
import pytest

from mer_jax.data import apexes
from mer_jax.entries import loaded
from mer_jax.errors import UserError
from mer_jax.folds import PROTOCOLS, protocols
from mer_jax.settings.sections import Protocol
from tests.conftest import make_samples

HONEST = [name for name, entry in PROTOCOLS.items() if entry.tests and not entry.leak]
LEAKY = [name for name, entry in PROTOCOLS.items() if entry.leak]
TESTING = [name for name, entry in PROTOCOLS.items() if entry.tests]
# Protocols of one fold test a share of the units; all others test every row once.
TESTING_EVERY_ROW = [name for name in TESTING if not PROTOCOLS[name].uses_holdout]


def make(name, samples, names, *, seeds=1, scaler_scope='fold', trainable=None, **changed):
    settings = Protocol(name, **{'folds': 3, 'holdout': 0.4} | changed)
    return protocols.make(
        samples, names, settings, seeds=seeds, scaler_scope=scaler_scope, trainable=trainable
    )


def sides(folds, number):
    real = lambda rows: rows.index[number][rows.mask[number] > 0]  # noqa: E731
    return real(folds.train), real(folds.test)


@pytest.mark.parametrize('name', TESTING_EVERY_ROW)
def test_every_row_is_tested_once_and_never_trains_its_own_fold(name, small):
    """A row tested twice or never would count double or vanish from the pooled confusion."""
    samples, names = small
    folds, titles = make(name, samples, names)
    tested = np.concatenate([sides(folds, f)[1] for f in range(len(titles))])
    assert sorted(tested) == list(range(len(samples.label)))
    for number in range(len(titles)):
        train, test = sides(folds, number)
        assert sorted([*train, *test]) == list(range(len(samples.label)))


@pytest.mark.parametrize('name', HONEST)
def test_no_subject_stands_on_both_sides(name, small):
    """A subject on both sides is the leak that the honest protocols exist to prevent."""
    samples, names = small
    folds, titles = make(name, samples, names)
    for number in range(len(titles)):
        train, test = sides(folds, number)
        assert not set(samples.subject[train]) & set(samples.subject[test])
    assert not protocols.leak(name)


@pytest.mark.parametrize('name', LEAKY)
def test_a_split_by_clip_mixes_subjects_and_is_named_as_a_leak(name, small):
    """A split by clip without its flag would pass for an honest protocol."""
    samples, names = small
    folds, _ = make(name, samples, names)
    train, test = sides(folds, 0)
    assert set(samples.subject[train]) & set(samples.subject[test])
    assert protocols.leak(name)


def test_groups_of_clips_are_of_one_size(small):
    """A fold that trains on fewer clips than the honest one would hide what the leak adds."""
    samples, names = small
    folds, titles = make('clip_kfold', samples, names, folds=4)
    assert folds.test.mask.sum(1).tolist() == [7, 6, 6, 6] and len(titles) == 4
    other, _ = make('clip_kfold', samples, names, folds=4, seed=1)
    assert (folds.test.index != other.test.index).any()
    with pytest.raises(UserError, match='protocol.folds.*26.*25 clips'):
        make('clip_kfold', samples, names, folds=26)


def test_frames_of_one_clip_stand_on_both_sides_of_a_split_by_frame_alone():
    """A split by clip that cut clips in two would measure the wrong habit, and vice versa."""
    samples, names = make_samples(subjects=3, clips=(8, 8, 8))
    samples = samples._replace(clip=samples.clip // 4)
    for name, mixes in (('clip_kfold', False), ('frame_kfold', True)):
        folds, titles = make(name, samples, names)
        shared = [
            set(samples.clip[train]) & set(samples.clip[test])
            for train, test in (sides(folds, number) for number in range(len(titles)))
        ]
        assert all(shared) if mixes else not any(shared)
    with pytest.raises(UserError, match='protocol.folds.*25.*24'):
        make('frame_kfold', samples, names, folds=25)


@pytest.mark.parametrize('name', TESTING)
def test_rows_set_aside_neither_train_nor_are_tested_in_any_fold(name, small):
    """What chooses the settings must not be what is reported, nor what was trained on, in whichever
    fold.
    """
    samples, names = small
    folds, titles = make(name, samples, names, validation=0.2)
    scored, same = make(name, samples, names, validation=0.2, evaluate_on='validation')
    unit = getattr(samples, PROTOCOLS[name].unit, np.arange(len(samples.label)))  # or a row
    aside = sides(scored, 0)[1]
    assert len(np.unique(unit[aside])) == round(0.2 * len(np.unique(unit))) and titles == same
    for number in range(len(titles)):
        train, test = sides(folds, number)
        assert (
            train.tolist() == sides(scored, number)[0].tolist()
            and aside.tolist() == sides(scored, number)[1].tolist()
        )
        assert not set(unit[aside]) & set(unit[train]) and not set(aside) & set(test)
        assert sorted([*train, *test, *aside]) == list(range(len(samples.label)))
    if name in TESTING_EVERY_ROW:
        tested = np.concatenate([sides(folds, number)[1] for number in range(len(titles))])
        assert sorted([*tested, *aside]) == list(range(len(samples.label)))


def test_eighty_ten_ten(small):
    """The split of Irawan et al. 2024, by clip: 0.1 is of all clips, not of what the test
    leaves.
    """
    samples, names = make_samples(subjects=5, clips=(20, 20, 20, 20, 20))
    settings = {'holdout': 0.1, 'validation': 0.1}
    folds, _ = make('random_split', samples, names, **settings)
    assert [len(side) for side in sides(folds, 0)] == [80, 10]
    assert (
        len(
            sides(make('random_split', samples, names, **settings, evaluate_on='validation')[0], 0)[
                1
            ]
        )
        == 10
    )


@pytest.mark.parametrize('name', HONEST)
def test_fewer_training_subjects_are_among_more_and_never_tested(name, small):
    """A curve over their number would compare other people; a tested one among them would leak."""
    samples, names = small
    whole, titles = make(name, samples, names)
    few, more = (make(name, samples, names, train_subjects=count)[0] for count in (1, 2))
    for number, title in enumerate(titles):
        (train, test), (one, _), (two, _) = (sides(folds, number) for folds in (whole, few, more))
        people = [set(samples.subject[rows]) for rows in (one, two, train, test)]
        assert len(people[0]) == 1 and len(people[1]) == 2, title
        assert people[0] < people[1] <= people[2] and not people[1] & people[3]
        np.testing.assert_array_equal(two, train[np.isin(samples.subject[train], [*people[1]])])
        assert {*more.train.scaler_rows.index[number]} == {*two}
    drawn = [make('loso', samples, names, train_subjects=1, seed=seed)[0] for seed in range(9)]
    assert len({tuple(folds.train.index[0]) for folds in drawn}) > 1
    with pytest.raises(UserError, match='train_subjects'):
        make(name, samples, names, train_subjects=99)


def test_a_scale_is_fitted_to_training_rows_unless_a_leak_is_asked_for(small):
    """A scaler is fitted to `scaler_rows`: a test row among them would be an unnamed leak."""
    samples, names = small
    folds, _ = make('loso', samples, names)
    np.testing.assert_array_equal(folds.train.scaler_rows.index, folds.train.index)
    leaking, _ = make('loso', samples, names, scaler_scope='all')
    assert (
        all(rows.tolist() == list(range(25)) for rows in leaking.train.scaler_rows.index)
        and leaking.train.scaler_rows.mask.all()
    )
    np.testing.assert_array_equal(folds.train.index, leaking.train.index)


def test_loso_folds_are_the_subjects_by_hand(small):
    """A fold whose title is not its left-out subject would load the wrong `{subject}.pth`."""
    samples, names = small
    folds, titles = make('loso', samples, names)
    assert titles == ['s0', 's1', 's2', 's3', 's4']
    assert sides(folds, 1)[1].tolist() == [7, 8, 9, 10]
    assert folds.train.mask.sum(1).tolist() == [18, 21, 20, 22, 19]


def test_lodo_leaves_out_a_data_set(small):
    samples, names = small
    folds, titles = make('lodo', samples, names)
    assert titles == ['set0', 'set1']
    assert set(samples.dataset[sides(folds, 0)[1]]) == {0}


def test_kfold_groups_are_balanced_by_clips(small):
    """Groups of very different size would make folds that train on little."""
    samples, names = small
    folds, _ = make('kfold', samples, names)
    assert folds.test.mask.sum(1).max() - folds.test.mask.sum(1).min() <= 3


def test_holdout_and_split_follow_their_share_and_seed(small):
    samples, names = small
    tests = [sides(make('holdout', samples, names, seed=s)[0], 0)[1] for s in range(6)]
    assert all(len(set(samples.subject[t])) == 2 for t in tests)
    assert len({tuple(t) for t in tests}) > 1
    assert len(sides(make('random_split', samples, names)[0], 0)[1]) == 10


def test_all_rows_has_an_empty_test(small):
    samples, names = small
    folds, _ = make('all_rows', samples, names)
    assert folds.test.index.shape == (1, 0) and folds.train.mask.sum() == len(samples.label)


def test_seeds_repeat_the_folds(small):
    samples, names = small
    folds, titles = make('loso', samples, names, seeds=3)
    assert (
        folds.seed.tolist() == [0] * 5 + [1] * 5 + [2] * 5
        and folds.fold.tolist() == [0, 1, 2, 3, 4] * 3
    )
    assert (folds.train.index[:5] == folds.train.index[10:]).all() and len(titles) == 5


def test_padding_wraps_round_to_the_folds_own_rows(small):
    """Padding that pointed at row 0 would show a fold a clip that it may have to be tested on."""
    samples, names = small
    folds, _ = make('loso', samples, names)
    for number in range(5):
        assert set(folds.train.index[number]) == set(sides(folds, number)[0])


def test_a_composite_keeps_subjects_of_one_name_apart():
    """Two data sets with an 's0' would otherwise share a fold title."""
    samples, names = make_samples()
    folds, titles = make('loso', samples, names._replace(subjects=('s0', 's0', 's1', 's2', 's3')))
    assert titles[:3] == ['set0/s0', 'set1/s0', 's1']


def test_nobody_to_train_on_is_an_error():
    samples, names = make_samples(subjects=1, clips=(9,), datasets=1)
    for name in ('loso', 'lodo'):
        with pytest.raises(UserError, match='no row to train on'):
            make(name, samples, names)
    with pytest.raises(UserError, match='protocol.folds.*3.*1 subjects'):
        make('kfold', samples, names)
    with pytest.raises(UserError, match='further subject.*protocol.validation'):
        make('loso', *make_samples(subjects=2, clips=(9, 4)), validation=0.1)


def test_table_counts_what_is_left_out(small):
    samples, names = small
    row = protocols.table(*make('loso', samples, names), samples, names).rows[1]
    assert row[:7] == (1, 's1', 'set1', 1, 21, 0, 4)
    assert sum(row.test_rows_per_class) == 4


@pytest.mark.parametrize('name', PROTOCOLS)
def test_rows_that_cannot_train_are_held_out_in_every_fold(name, small):
    """A frame without a label would make the loss NaN; a clip that no fold answers has no apex to
    hand on.
    """
    samples, names = small
    trains = np.ones(25, bool)
    trains[[0, 8, 9, 20]] = False
    folds, titles = make(name, samples, names, trainable=trains, seeds=2)
    plain, same = make(name, samples, names, seeds=2)
    assert titles == same
    for number in range(len(folds.fold)):
        (train, test), (all_train, all_test) = sides(folds, number), sides(plain, number)
        assert train.tolist() == [row for row in all_train if trains[row]]
        assert test.tolist() == sorted({*all_test.tolist(), 0, 8, 9, 20})
    leaking, _ = make(name, samples, names, trainable=trains, scaler_scope='all')
    assert not {0, 8, 9, 20} & set(leaking.train.scaler_rows.index.ravel().tolist()), (
        'no scale of theirs either'
    )
    assert (
        make(name, samples, names, trainable=np.ones(25, bool))[0].train.index.tolist()
        == make(name, samples, names)[0].train.index.tolist()
    )


def test_rows_that_cannot_train_are_not_scored_by_the_validation_part(small):
    """What chooses the settings are the rows set aside, and they alone."""
    samples, names = small
    trains = np.arange(25) != 3
    scored, _ = make(
        'loso', samples, names, trainable=trains, validation=0.2, evaluate_on='validation'
    )
    plain, _ = make('loso', samples, names, validation=0.2, evaluate_on='validation')
    assert scored.test.index.tolist() == plain.test.index.tolist()


def test_a_fold_whose_rows_cannot_train_is_an_error(small):
    """Two data sets, one without any apex: leaving the other out leaves frames, but none with a
    label.
    """
    samples, names = small
    with pytest.raises(UserError, match="'set0'.*further data set"):
        make('lodo', samples, names, trainable=samples.dataset == 0)


def samples_with_candidates():
    """Samples of 10 clips of 5 subjects, where clips 1, 4 and 7 have a row for each of the frames
    10, 20 and 30; (samples, names, annotated).
    """
    clip = np.repeat(np.arange(10), np.where(np.isin(np.arange(10), (1, 4, 7)), 3, 1)).astype(
        np.int32
    )
    frame = np.concatenate([[10, 20, 30] if c in (1, 4, 7) else [5 + c] for c in range(10)]).astype(
        np.int32
    )
    samples, names = make_samples(clips=(2, 2, 2, 2, 2))
    samples = jax.tree.map(lambda a: a[clip], samples)._replace(clip=clip)
    return samples.with_extras(frame=frame), names, ~np.isin(clip, (1, 4, 7))


def spotted_apexes(names, samples, titles, seeds, frame=lambda title, seed, clip: 10):
    """apexes.Spotted in which each fold answers frame(title, seed, clip)."""
    of_clip = {c: names.datasets[samples.dataset[samples.clip == c][0]] for c in (1, 4, 7)}
    return apexes.Spotted(
        'runs/spotter',
        {
            (title, seed): {(of_clip[c], names.clips[c]): frame(title, seed, c) for c in of_clip}
            for title in titles
            for seed in range(seeds)
        },
        seeds,
    )


def test_each_fold_keeps_the_frame_that_its_own_spotter_answered():
    """The frame of any other fold's spotter was found by a network that had seen the left-out
    subject: the leak to prevent.
    """
    samples, names, annotated = samples_with_candidates()
    folds, titles = make('loso', samples, names, seeds=4, scaler_scope='all')
    answer = lambda title, seed, clip: 10 + 10 * ((int(title[1:]) + seed + clip) % 3)  # noqa: E731
    kept = protocols.select_apex_per_fold(
        folds, titles, samples, names, annotated, spotted_apexes(names, samples, titles, 2, answer)
    )
    for number in range(len(folds.fold)):
        title, seed = titles[folds.fold[number]], int(folds.seed[number]) % 2
        right = [
            row
            for row in range(len(annotated))
            if annotated[row]
            or samples.extras['frame'][row] == answer(title, seed, int(samples.clip[row]))
        ]
        assert len(right) == 10 and len({int(samples.clip[row]) for row in right}) == 10
        train, test = sides(kept, number)
        assert test.tolist() == [
            row for row in right if names.subjects[samples.subject[row]] == title
        ]
        assert train.tolist() == [row for row in right if row not in test]
        fit = kept.train.scaler_rows.index[number][kept.train.scaler_rows.mask[number] > 0]
        assert fit.tolist() == right
        assert set(kept.train.index[number].tolist()) == set(train.tolist()), 'padding, too'
    assert len({tuple(sides(kept, number)[0].tolist()) for number in range(0, 20, 5)}) > 1, (
        'seeds differ'
    )
    assert (
        kept.fold.tolist() == folds.fold.tolist()
        and kept.train.resampled.row.shape == folds.train.resampled.row.shape
    )


def test_a_spotter_that_did_not_leave_out_the_subject_is_refused():
    """Its answer for a clip of any subject would be one that the left-out subject had a part in."""
    samples, names, annotated = samples_with_candidates()
    folds, titles = make('loso', samples, names)
    with pytest.raises(
        UserError,
        match="data.apex.*runs/spotter.*'s3'.*loso on",
    ):
        protocols.select_apex_per_fold(
            folds,
            titles,
            samples,
            names,
            annotated,
            spotted_apexes(names, samples, ['s0', 's1', 's2', 's4'], 1),
        )
    folds, titles = make('kfold', samples, names)
    with pytest.raises(UserError, match="'group 1'"):
        protocols.select_apex_per_fold(
            folds,
            titles,
            samples,
            names,
            annotated,
            spotted_apexes(names, samples, ['s0', 's1', 's2', 's3', 's4'], 1),
        )


def test_annotated_apexes_need_no_spotter():
    """A data set whose apexes are all annotated is the same with every value of data.apex."""
    samples, names, _ = samples_with_candidates()
    folds, titles = make('kfold', samples, names)
    kept = protocols.select_apex_per_fold(
        folds, titles, samples, names, np.ones(len(samples.clip), bool), apexes.Spotted('x', {}, 1)
    )
    for number in range(3):
        assert [side.tolist() for side in sides(kept, number)] == [
            side.tolist() for side in sides(folds, number)
        ]


@pytest.mark.parametrize('name', [name for name in PROTOCOLS if PROTOCOLS[name].repeated])
def test_repeated_groups_are_drawn_with_further_seeds(name, small):
    """A draw that repeats the first would show no spread; one that mixes draws would train on
    tested rows.
    """
    samples, names = small
    repeated, titles = make(name, samples, names, seeds=2, repeat=3, seed=5)
    assert repeated.seed.tolist() == np.repeat(np.arange(6), len(titles)).tolist()
    for draw in range(3):
        once = loaded(PROTOCOLS[name].repeated)(samples, names, folds=3, holdout=0.4, seed=5 + draw)
        for seed in (2 * draw, 2 * draw + 1):
            for number in range(len(titles)):
                run = seed * len(titles) + number
                assert repeated.fold[run] == number
                train, test = sides(repeated, run)
                assert sorted(test) == np.flatnonzero(once[number][1]).tolist()
                assert sorted([*train, *test]) == list(range(len(samples.label)))
    first, last = sides(repeated, 0)[1], sides(repeated, len(repeated.fold) - len(titles))[1]
    assert sorted(first) != sorted(last)
