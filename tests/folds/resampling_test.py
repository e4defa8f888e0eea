"""Rows made against unequal classes: equal to imbalanced-learn and scikit-learn, by hand, and from
the fold's own rows alone.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from mer_jax.data import loading
from mer_jax.errors import UserError
from mer_jax.folds import protocols, resampling
from mer_jax.settings.sections import Balance, Protocol
from mer_jax.training import batches
from mer_jax.types import Resampled, TrainRows
from tests.conftest import make_samples

MAKING = [
    ('oversample', {}),
    ('augment', {}),
    ('smote', {}),
    ('smote', {'space': 'features'}),
    ('smote', {'scope': 'all'}),
]


def uneven(**changed):
    """Samples of five subjects in which class 0 is most frequent and class 2 rare, and
    their Names.
    """
    samples, names = make_samples(clips=(8, 7, 9, 6, 8), size=6, **changed)
    label = np.where(np.arange(len(samples.label)) % 3 == 0, samples.label, 0).astype(np.int32)
    label[[5, 20]] = 2
    return samples._replace(label=label), names


def loso(samples, names, seeds=1):
    return protocols.make(samples, names, Protocol(), seeds=seeds)


def extend(samples, names, seeds=1, **settings):
    folds, titles = loso(samples, names, seeds)
    return resampling.extend(folds, samples, names, titles, Balance(**settings))[1]


def one(folds, run):
    return jax.tree.map(lambda a: jnp.asarray(a[run]), folds.train)


def made(folds, run, count):
    """(row, neighbour, gap) of the made rows that a run trains on."""
    used = folds.train.index[run][folds.train.mask[run] > 0]
    used = used[used >= count] - count
    assert len(set(used)) == len(used)
    return tuple(
        getattr(folds.train.resampled, name)[run][used] for name in ('row', 'neighbour', 'gap')
    )


@pytest.mark.parametrize('method,settings', MAKING)
def test_every_class_of_a_fold_becomes_as_frequent(method, settings):
    """What is named balanced must be; the rows of the fold themselves stay as they are."""
    samples, names = uneven()
    folds, before = extend(samples, names, method=method, **settings), loso(samples, names)[0]
    for run in range(5):
        rows = one(folds, run)
        used = rows.index[rows.mask > 0]
        own = before.train.index[run][before.train.mask[run] > 0]
        assert used[used < len(samples.label)].tolist() == own.tolist()
        counts = np.bincount(
            np.asarray(batches.labels(samples, rows))[np.asarray(used)], minlength=3
        )
        assert settings.get('scope') == 'all' or (counts == counts.max()).all()


@pytest.mark.parametrize('method,settings', MAKING)
def test_rows_are_made_of_training_rows_of_their_class(method, settings):
    """A mixture with a clip of the left-out subject, or of another class, would be a leak or a
    wrong label.
    """
    samples, names = uneven()
    folds, crossing = extend(samples, names, method=method, **settings), 0
    for run in range(5):
        row, neighbour, gap = made(folds, run, len(samples.label))
        assert len(row) and (samples.label[neighbour] == samples.label[row]).all()
        assert ((gap > 0) == (row != neighbour)).all() and (gap < 1).all()
        crossing += np.isin(
            np.concatenate([row, neighbour]), folds.test.index[run][folds.test.mask[run] > 0]
        ).sum()
    assert (crossing > 0) == (settings.get('scope') == 'all'), (
        'before the split, tested clips are mixed in: that is the leak'
    )


def test_smote_fed_with_the_draws_of_imbalanced_learn_gives_its_samples():
    """Chawla's method under its own name: the reference implementation, sample by sample."""
    over_sampling = pytest.importorskip('imblearn.over_sampling')
    samples, _ = uneven()
    flat = samples.image.reshape(len(samples.label), -1).astype(np.float64)
    expected, kinds = over_sampling.SMOTE(k_neighbors=2, random_state=7).fit_resample(
        flat, samples.label
    )
    counts = np.bincount(samples.label)
    found = []
    for kind in (1, 2):
        members = np.flatnonzero(samples.label == kind)
        near = resampling.nearest(resampling.distances(resampling.products(flat[members])), 2)
        draw = np.random.RandomState(7)
        wanted = counts.max() - counts[kind]
        pick, gap = draw.randint(0, near.size, wanted), draw.uniform(size=wanted)
        row, neighbour = resampling.mixtures(members, near, pick)
        rows = TrainRows(None, None, None, Resampled(row, neighbour, gap.astype(np.float32)))
        found.append(
            batches.gather(
                jax.tree.map(jnp.asarray, samples),
                jax.tree.map(jnp.asarray, rows),
                len(flat) + jnp.arange(wanted),
            )
        )
    images = np.concatenate([taken.image.reshape(len(taken.label), -1) for taken in found])
    np.testing.assert_allclose(images, expected[len(flat) :], rtol=1e-5, atol=1e-3)
    assert np.concatenate([taken.label for taken in found]).tolist() == kinds[len(flat) :].tolist()


def test_neighbours_are_those_of_a_brute_force_search_and_of_scikit_learn():
    """Mixing far rows is another method."""
    image = np.random.default_rng(2).integers(0, 256, (40, 5, 4, 3)).astype(np.uint8)
    near = resampling.nearest(resampling.distances(resampling.products(image)), 6)
    flat = image.reshape(40, -1).astype(float)
    for row in range(40):
        order = sorted(
            (other for other in range(40) if other != row),
            key=lambda o, r=row: ((flat[r] - flat[o]) ** 2).sum(),
        )
        assert near[row].tolist() == order[:6]
    _, expected = NearestNeighbors(n_neighbors=7).fit(flat).kneighbors(flat)
    np.testing.assert_array_equal(near, expected[:, 1:])


def test_neighbours_among_features_are_those_of_a_principal_component_analysis():
    """The components that hold 95 % of the variance of the fold's rows, as scikit-learn
    finds them.
    """
    draw = np.random.default_rng(3)
    image = (
        draw.normal(size=(30, 4)) @ (draw.normal(size=(4, 60)) * 40) + draw.normal(size=(30, 60))
    ).reshape(30, 5, 4, 3)
    place = resampling.components(resampling.products(image))
    expected = PCA(n_components=0.95, svd_solver='full').fit_transform(image.reshape(30, -1))
    assert place.shape == expected.shape and place.shape[1] < 10
    np.testing.assert_allclose(np.abs(place), np.abs(expected), rtol=1e-6, atol=1e-6)


def test_products_of_bytes_are_exact_over_blocks():
    """Distances are differences of large numbers: float32 would find other neighbours."""
    image = np.random.default_rng(4).integers(0, 256, (6, 4, 40, 40, 1)).astype(np.uint8)
    flat = image.reshape(6, -1).astype(np.int64)
    np.testing.assert_array_equal(resampling.products(image), flat @ flat.T)


def test_few_rows_of_a_class_have_few_neighbours():
    """imbalanced-learn fails where a fold has fewer than k + 1 rows of a class; here k shrinks, and
    a lone row is copied.
    """
    assert resampling.nearest(np.ones((3, 3)), 5).shape == (3, 2) and resampling.nearest(
        np.zeros((1, 1)), 5
    ).shape == (1, 0)
    label = np.array([0] * 6 + [1] * 2 + [2])
    near = {kind: resampling.nearest(np.ones((n, n)), 5) for kind, n in ((0, 6), (1, 2), (2, 1))}
    found = resampling.fill(np.random.default_rng(0), label, np.arange(9), near)
    assert np.bincount(label[found.row]).tolist() == [0, 4, 5]
    assert (
        (found.row[4:] == 8).all() and (found.gap[4:] == 0).all() and set(found.row[:4]) <= {6, 7}
    )
    assert (found.neighbour[:4] != found.row[:4]).all()


def test_a_class_that_a_fold_lacks_is_not_made():
    """There is nothing to make it from."""
    found = resampling.fill(np.random.default_rng(0), np.array([0, 0, 2, 1]), np.array([0, 1, 2]))
    assert found.row.tolist() == [2]


def test_a_wrapped_duplicate_changes_no_count():
    """Folds are padded to the longest: rows that stand twice must not make their class look
    frequent.
    """
    samples, names = uneven()
    folds, titles = loso(samples, names)
    longer = folds._replace(
        train=folds.train._replace(
            index=np.concatenate([folds.train.index, folds.train.index[:, :9]], 1),
            mask=np.concatenate([folds.train.mask, np.zeros((5, 9), np.float32)], 1),
        )
    )
    for method, settings in MAKING:
        first, second = (
            resampling.extend(each, samples, names, titles, Balance(method, **settings))[1].train
            for each in (folds, longer)
        )
        jax.tree.map(
            np.testing.assert_array_equal,
            first._replace(scaler_rows=None),
            second._replace(scaler_rows=None),
        )


def test_seeds_and_folds_draw_their_own_and_again_the_same():
    """Three seeds with one set of mixtures would hide what the mixing adds to the spread; a rerun
    must be the same.
    """
    samples, names = uneven()
    folds = extend(samples, names, seeds=2, method='smote')
    again = extend(samples, names, seeds=2, method='smote')
    jax.tree.map(np.testing.assert_array_equal, folds, again)
    gaps = [tuple(made(folds, run, len(samples.label))[2]) for run in range(10)]
    assert len(set(gaps)) == 10
    alone = made(extend(samples, names, method='smote'), 3, len(samples.label))
    jax.tree.map(np.testing.assert_array_equal, alone, made(folds, 3, len(samples.label)))
    before = extend(samples, names, seeds=2, method='smote', scope='all')
    gaps = [tuple(made(before, run, len(samples.label))[2]) for run in range(10)]
    assert len(set(gaps[:5])) == 1 and gaps[0] != gaps[5], 'made once a seed, before the split'


def test_a_row_is_taken_as_told():
    """By hand: a row of the data set, a copy, and three quarters of the way to a neighbour."""
    samples, names = uneven()
    samples = samples.with_extras(action_units=np.ones((len(samples.label), 2), np.float32))
    rows = jax.tree.map(
        jnp.asarray,
        TrainRows(
            0, 0, 0, Resampled(np.array([4, 6]), np.array([4, 9]), np.array([0, 0.75], np.float32))
        ),
    )
    count = len(samples.label)
    taken = batches.gather(
        jax.tree.map(jnp.asarray, samples), rows, jnp.array([7, count, count + 1])
    )
    image = samples.image.astype(np.float32)
    np.testing.assert_array_equal(
        taken.image, [image[7], image[4], image[6] + 0.75 * (image[9] - image[6])]
    )
    for name in ('label', 'subject', 'clip'):
        assert getattr(taken, name).tolist() == getattr(samples, name)[[7, 4, 6]].tolist()
    assert np.isnan(taken.extras['action_units']).all(1).tolist() == [False, False, True], (
        'units of a mixture are unknown'
    )


def npz(path, samples, labels, count=4, **changed):
    image = (
        np.random.default_rng(count)
        .integers(0, 256, (count, *samples.image.shape[1:]))
        .astype(samples.image.dtype)
    )
    np.savez(path, **{'image': image, 'label': np.resize(labels, count)} | changed)
    return image


def test_generated_images_train_beside_the_fold_that_they_were_made_for(tmp_path):
    """A generator of one's own, one file a left-out subject: another fold's images may show its
    left-out subject.
    """
    samples, names = uneven()
    files = {
        name: npz(tmp_path / f'{name}.npz', samples, ['b', 'c'], count=3 + number)
        for number, name in enumerate(names.subjects)
    }
    folds, titles = loso(samples, names, seeds=2)
    more, extended = resampling.extend(
        folds,
        samples,
        names,
        titles,
        Balance('generated', file=f'{tmp_path}/{{subject}}.npz'),
    )
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[: len(b)], b), more, samples)
    assert len(more.label) == len(samples.label) + sum(map(len, files.values())), (
        'each image once, however many seeds'
    )
    for run in range(10):
        used = extended.train.index[run][extended.train.mask[run] > 0]
        own = folds.train.index[run][folds.train.mask[run] > 0]
        assert used[: len(own)].tolist() == own.tolist()
        image = files[names.subjects[run % 5]]
        np.testing.assert_array_equal(more.image[used[len(own) :]], image)
        assert more.label[used[len(own) :]].tolist() == np.resize([1, 2], len(image)).tolist()
    assert (
        np.isnan(more.extras['action_units'][len(samples.label) :]).all()
        and (more.subject[len(samples.label) :] == -1).all()
    )
    row = protocols.table(extended, titles, more, names).rows[2]
    assert (row.train_rows, row.added_rows) == (29, 5)


WRONG = [
    ({'label': np.array(['b', 'x', 'b', 'b'])}, "holds the label 'x'; known: a, b, c"),
    ({'label': np.array(['b'])}, r'labels \[1\]'),
    ({'image': np.zeros((4, 5, 5, 3), np.uint8)}, r"needed: uint8\['n', 6, 6, 3\]"),
    ({'image': np.zeros((4, 6, 6, 3))}, 'images float64'),
    ({'image': np.zeros((0, 6, 6, 3), np.uint8), 'label': np.zeros(0, str)}, 'at least one'),
    ({'image': np.array([{}], object)}, "is no .npz file with 'image' and 'label'"),
]


@pytest.mark.parametrize('changed,told', WRONG, ids=[told for _, told in WRONG])
def test_a_file_that_does_not_fit_is_told_in_one_line(changed, told, tmp_path):
    """Images of another size or a label nobody knows would fail hours later, or train as
    class 0.
    """
    samples, names = uneven()
    npz(tmp_path / 'x.npz', samples, ['b'], **changed)
    with pytest.raises(UserError, match=told) as error:
        resampling.read(tmp_path / 'x.npz', samples, names)
    assert 'x.npz' in str(error.value) and '\n' not in str(error.value)


def test_a_missing_file_and_images_that_are_not_finite_are_told(tmp_path):
    """NaN images would turn the whole fold to NaN."""
    samples, names = uneven()
    for name, content in (('empty.npz', b''), ('cut.npz', b'PK\x03\x04 and no more')):
        (tmp_path / name).write_bytes(content)
    np.save(tmp_path / 'array.npy', np.zeros(3))
    for name in ('empty.npz', 'cut.npz', 'array.npy'):
        with pytest.raises(UserError, match=f'{name} is no .npz file'):
            resampling.read(tmp_path / name, samples, names)
    with pytest.raises(UserError, match='none.npz'):
        resampling.read(tmp_path / 'none.npz', samples, names)
    flow = samples._replace(image=samples.image.astype(np.float32))
    npz(tmp_path / 'x.npz', flow, ['b'], image=np.full((4, 6, 6, 3), np.nan, np.float32))
    with pytest.raises(UserError, match='not finite'):
        resampling.read(tmp_path / 'x.npz', flow, names)


def test_other_images_or_labels_are_other_data(tmp_path):
    """A killed run that goes on with a new generator's images, or with corrected labels, would be
    neither run.
    """
    samples, names = uneven()
    folds, titles = loso(samples, names)
    told = set()
    for count, labels in ((4, ['b']), (5, ['b']), (4, ['c'])):
        npz(tmp_path / 'x.npz', samples, labels, count=count)
        settings = Balance('generated', file=f'{tmp_path}/x.npz')
        more, _ = resampling.extend(folds, samples, names, titles, settings)
        told.add(loading.fingerprint(more, names))
    assert len(told) == 3
    for method in ('none', 'smote'):
        assert resampling.extend(folds, samples, names, titles, Balance(method))[0] is samples
