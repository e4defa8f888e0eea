"""Permutation importance of groups of features: against scikit-learn, on held-out rows alone."""

import numpy as np
import pytest
from sklearn.inspection import permutation_importance
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from mer_jax.classical import importance, svm
from mer_jax.errors import UserError
from mer_jax.explain import svms
from mer_jax.preprocess.au_regions import AU_REGIONS
from mer_jax.runfiles.svms import SvmRow, SvmTable
from mer_jax.settings.sections import Head

CHOICE = svm.Choice('rbf', 10.0, 0.05)
TRAIN, TEST = np.arange(60), np.arange(60, 90)


def experiment():
    """(blocks, clips): the first feature of the first block shows the class, and so does, less
    well, the second block; the others are noise.
    """
    draw = np.random.default_rng(0)
    label = draw.integers(0, 3, 90).astype(np.int32)
    first = draw.normal(0, 1, (1, 90, 3)).astype(np.float32)
    first[0, :, 0] = 3 * label + draw.normal(0, 0.5, 90)
    second = (label + draw.normal(0, 1, 90)).astype(np.float32)[None, :, None] * np.ones(2, 'f')
    blocks = [first, second.astype(np.float32)]
    return blocks, svm.Clips(blocks, label, np.arange(90) // 10, 3)


def one_by_one(count):
    """A group for each feature of the first block."""
    return [importance.Group(str(i), 'features', {0: np.array([i])}) for i in range(count)]


def test_it_is_that_of_scikit_learn():
    """Another formula would be no permutation importance; that of training rows would praise
    noise that an SVM learned by heart.
    """
    blocks, clips = experiment()
    clips = clips._replace(blocks=blocks[:1])
    correct, kept = importance.lost(clips, (TRAIN, TEST), [CHOICE], one_by_one(3), scale='features')
    x = blocks[0][0].astype(np.float64)
    machine = make_pipeline(StandardScaler(), SVC(C=10, gamma=0.05, class_weight='balanced'))
    machine.fit(x[TRAIN], clips.label[TRAIN])
    assert correct.mean() == machine.score(x[TEST], clips.label[TEST])
    wanted = permutation_importance(
        machine, x[TEST], clips.label[TEST], n_repeats=200, random_state=1
    )
    found = correct.mean() - kept.mean(1)
    spread = wanted.importances_std / np.sqrt(importance.REPEATS)
    assert np.all(np.abs(found - wanted.importances_mean) < 4 * spread + 0.005)
    assert found[0] > 0.3 and abs(found[1:]).max() < 0.1


@pytest.mark.parametrize('scale', ['none', 'features', 'blocks'])
def test_groups_are_permuted_together_whatever_the_scale(scale):
    """Columns exchanged one by one would tear apart what one region says with several numbers."""
    blocks, clips = experiment()
    groups = importance.groups(['pixels', 'hoof'], [3, 2])
    _, kept = importance.lost(clips, (TRAIN, TEST), [CHOICE], groups, scale=scale)
    draw = np.random.default_rng(importance.SEED)
    orders = [draw.permutation(len(TEST)) for _ in range(importance.REPEATS)]
    for number in (0, 1):
        right = np.zeros(len(TEST))
        for order in orders:
            moved = [block.copy() for block in blocks]
            moved[number][0, TEST] = blocks[number][0, TEST[order]]
            own = clips._replace(blocks=moved)
            scores = svm.predict_by(own, TRAIN, TEST, [CHOICE], scale=scale)
            right += scores.argmax(1) == clips.label[TEST]
        np.testing.assert_allclose(kept[number], right / importance.REPEATS)


def test_regions_hold_all_that_is_said_of_them():
    """A region permuted in one kind of features alone keeps its word in the other."""
    found = importance.groups(['network', 'au_strain', 'disgust'], [7, 40, 12])
    kinds = [group for group in found if group.kind == 'features']
    regions = [group for group in found if group.kind == 'region']
    assert [(group.title, group.size) for group in kinds] == [
        ('network', 7),
        ('au_strain', 40),
        ('disgust', 12),
    ]
    assert [group.title.partition(' (AU')[0] for group in regions] == [
        region.name for region in AU_REGIONS
    ]
    nose = regions[5]
    assert nose.columns[1].tolist() == [20, 21, 22, 23] and nose.columns[2].tolist() == [0, 1, 2, 3]
    assert [group.size for group in regions] == [4, 4, 4, 4, 4, 8, 8, 8, 4, 4]


def test_a_single_row_loses_nothing():
    """It cannot be exchanged with any other; a figure would be noise."""
    _, clips = experiment()
    correct, kept = importance.lost(
        clips, (TRAIN, TEST[:1]), [CHOICE], one_by_one(3), scale='features'
    )
    np.testing.assert_array_equal(kept, np.tile(correct, (3, 1)))


def test_choices_are_those_of_the_fold():
    """Importance of other SVMs than those that predict would explain nothing."""
    rows = (SvmRow('a', 0, 1, 0.333333, 0.5, 0.5, 9), SvmRow('b', 0, 1, 100, 0.1, None, 9))
    table = SvmTable((*rows, SvmRow('a', 0, 2, 100, 0.1, 0.4, 9)))
    head = Head('svm', cost=(1 / 3, 100.0), gamma=(0.1, 0.5))
    assert svms.chosen(table, 'a', 0, head) == [
        svm.Choice('rbf', 1 / 3, 0.5),
        svm.Choice('rbf', 100.0, 0.1),
    ]
    with pytest.raises(UserError, match="lacks the fold 'c' of seed 0"):
        svms.chosen(table, 'c', 0, head)
