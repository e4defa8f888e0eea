"""Protocols: who trains, who is tested."""

import numpy as np
import pytest

from mer_jax import protocol
from mer_jax.errors import UserError
from tests.conftest import make_samples


def make(name, samples, names, **changed):
    settings = {'folds': 3, 'holdout': 0.4, 'seed': 0, 'seeds': 1} | changed
    return protocol.make(name, samples, names, **settings)


def sides(folds, number):
    real = lambda rows: rows.index[number][rows.weight[number] > 0]  # noqa: E731
    return real(folds.train), real(folds.test)


@pytest.mark.parametrize('name', ['loso', 'lodo', 'kfold', 'clip_kfold'])
def test_every_row_is_tested_once_and_never_trains_its_own_fold(name, small):
    """A row tested twice or never would count double or vanish from the pooled confusion."""
    samples, names = small
    folds, titles = make(name, samples, names)
    tested = np.concatenate([sides(folds, f)[1] for f in range(len(titles))])
    assert sorted(tested) == list(range(len(samples.label)))
    for number in range(len(titles)):
        train, test = sides(folds, number)
        assert sorted([*train, *test]) == list(range(len(samples.label)))


@pytest.mark.parametrize('name', ['loso', 'lodo', 'kfold', 'holdout'])
def test_no_subject_stands_on_both_sides(name, small):
    """A subject on both sides is the leak that the honest protocols exist to prevent."""
    samples, names = small
    folds, titles = make(name, samples, names)
    for number in range(len(titles)):
        train, test = sides(folds, number)
        assert not set(samples.subject[train]) & set(samples.subject[test])
    assert name not in protocol.LEAKS


@pytest.mark.parametrize('name', ['random_split', 'clip_kfold'])
def test_a_split_by_clip_mixes_subjects_and_is_named_as_a_leak(name, small):
    """A split by clip without its flag would pass for an honest protocol."""
    samples, names = small
    folds, _ = make(name, samples, names)
    train, test = sides(folds, 0)
    assert set(samples.subject[train]) & set(samples.subject[test])
    assert name in protocol.LEAKS


def test_groups_of_clips_are_of_one_size(small):
    """A fold that trains on fewer clips than the honest one would hide what the leak adds."""
    samples, names = small
    folds, titles = make('clip_kfold', samples, names, folds=4)
    assert folds.test.weight.sum(1).tolist() == [7, 6, 6, 6] and len(titles) == 4
    other, _ = make('clip_kfold', samples, names, folds=4, seed=1)
    assert (folds.test.index != other.test.index).any()
    with pytest.raises(UserError, match='protocol.folds is 26, more than the 25 clips'):
        make('clip_kfold', samples, names, folds=26)


@pytest.mark.parametrize('name', ['loso', 'kfold', 'holdout', 'random_split', 'clip_kfold'])
def test_rows_set_aside_neither_train_nor_are_tested_in_any_fold(name, small):
    """What chooses the settings must not be what is reported, nor what was trained on, in whichever fold."""
    samples, names = small
    folds, titles = make(name, samples, names, validation=0.2)
    scored, same = make(name, samples, names, validation=0.2, scored='validation')
    unit = samples.clip if name in protocol.LEAKS else samples.subject
    aside = sides(scored, 0)[1]
    assert len(np.unique(unit[aside])) == round(0.2 * len(np.unique(unit))) and titles == same
    for number in range(len(titles)):
        train, test = sides(folds, number)
        assert train.tolist() == sides(scored, number)[0].tolist() and aside.tolist() == sides(scored, number)[1].tolist()
        assert not set(unit[aside]) & set(unit[train]) and not set(aside) & set(test)
        assert sorted([*train, *test, *aside]) == list(range(len(samples.label)))
    if name in ('loso', 'kfold', 'clip_kfold'):
        tested = np.concatenate([sides(folds, number)[1] for number in range(len(titles))])
        assert sorted([*tested, *aside]) == list(range(len(samples.label)))


def test_eighty_ten_ten(small):
    """The split of Irawan et al. 2024, by clip: 0.1 is of all clips, not of what the test leaves."""
    samples, names = make_samples(subjects=5, clips=(20, 20, 20, 20, 20))
    settings = {'holdout': 0.1, 'validation': 0.1}
    folds, _ = make('random_split', samples, names, **settings)
    assert [len(side) for side in sides(folds, 0)] == [80, 10]
    assert len(sides(make('random_split', samples, names, **settings, scored='validation')[0], 0)[1]) == 10


def test_a_scale_is_fitted_to_training_rows_unless_a_leak_is_asked_for(small):
    """`fit` tells the rows of every scale."""
    samples, names = small
    folds, _ = make('loso', samples, names)
    np.testing.assert_array_equal(folds.train.fit.index, folds.train.index)
    leaking, _ = make('loso', samples, names, scale_scope='all')
    assert all(rows.tolist() == list(range(25)) for rows in leaking.train.fit.index) and leaking.train.fit.weight.all()
    np.testing.assert_array_equal(folds.train.index, leaking.train.index)


def test_loso_folds_are_the_subjects_by_hand(small):
    """A fold whose title is not its left-out subject would load the wrong `{subject}.pth`."""
    samples, names = small
    folds, titles = make('loso', samples, names)
    assert titles == ['s0', 's1', 's2', 's3', 's4']
    assert sides(folds, 1)[1].tolist() == [7, 8, 9, 10]
    assert folds.train.weight.sum(1).tolist() == [18, 21, 20, 22, 19]


def test_lodo_leaves_out_a_data_set(small):
    samples, names = small
    folds, titles = make('lodo', samples, names)
    assert titles == ['set0', 'set1']
    assert set(samples.dataset[sides(folds, 0)[1]]) == {0}


def test_kfold_groups_are_balanced_by_clips(small):
    """Groups of very different size would make folds that train on little."""
    samples, names = small
    folds, _ = make('kfold', samples, names)
    assert folds.test.weight.sum(1).max() - folds.test.weight.sum(1).min() <= 3


def test_holdout_and_split_follow_their_share_and_seed(small):
    samples, names = small
    tests = [sides(make('holdout', samples, names, seed=s)[0], 0)[1] for s in range(6)]
    assert all(len(set(samples.subject[t])) == 2 for t in tests)
    assert len({tuple(t) for t in tests}) > 1
    assert len(sides(make('random_split', samples, names)[0], 0)[1]) == 10


def test_all_rows_has_an_empty_test(small):
    samples, names = small
    folds, _ = make('all_rows', samples, names)
    assert folds.test.index.shape == (1, 0) and folds.train.weight.sum() == len(samples.label)


def test_seeds_repeat_the_folds(small):
    samples, names = small
    folds, titles = make('loso', samples, names, seeds=3)
    assert folds.seed.tolist() == [0] * 5 + [1] * 5 + [2] * 5 and folds.fold.tolist() == [0, 1, 2, 3, 4] * 3
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
        with pytest.raises(UserError, match=r'leaves no row to train on'):
            make(name, samples, names)
    with pytest.raises(UserError, match='protocol.folds is 3, more than the 1 subjects'):
        make('kfold', samples, names)
    with pytest.raises(UserError, match='it needs a further subject, or no protocol.validation'):
        make('loso', *make_samples(subjects=2, clips=(9, 4)), validation=0.1)


def test_table_counts_what_is_left_out(small):
    samples, names = small
    header, rows = protocol.table(*make('loso', samples, names), samples, names)
    assert header[:7] == ['fold', 'title', 'dataset', 'subjects', 'train', 'made', 'test']
    assert rows[1][:7] == [1, 's1', 'set1', 1, 21, 0, 4]
    assert sum(rows[1][7:]) == 4
