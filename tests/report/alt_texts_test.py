"""alt_texts: the figures in the words are those of the picture."""

import numpy as np
import pytest

from mer_jax.report import alt_texts
from mer_jax.runfiles.explanations import ImportanceRow, PictureRow


def test_a_confusion_matrix_names_right_clips_and_the_most_frequent_error():
    """Rows and columns exchanged would tell a listener of another error than the picture shows."""
    text = alt_texts.confusion([[31, 2, 7], [1, 5, 0], [0, 3, 9]], ['negative', 'positive', 'x'])
    assert '31 of 40 negative' in text and '5 of 6 positive' in text
    assert 'negative as x (7)' in text
    assert 'no errors' in alt_texts.confusion([[2, 0], [0, 1]], ['a', 'b'])


def test_scores_of_data_sets_and_of_all_together():
    """A metric under the name of another data set would be believed by whoever cannot look."""
    blocks = {
        'casme2': {'uf1': 0.724, 'uar': 0.7, 'accuracy': 0.75},
        'samm': {'uf1': None, 'uar': 0.5, 'accuracy': 0.6},
    }
    text = alt_texts.datasets(blocks, {'uf1': 0.61, 'uar': 0.62, 'accuracy': 0.63})
    casme2, samm, together = text.split(';')
    assert 'UF1 0.72' in casme2 and 'accuracy 0.75' in casme2
    assert 'UF1 –' in samm and 'UAR 0.50' in samm
    assert 'UF1 0.61' in together
    assert ';' not in alt_texts.datasets({'samm': blocks['casme2']}, {})


def test_curves_go_from_the_first_figure_to_the_last():
    """An epoch without a figure, of a diverged run, would be read as the end of training."""
    epoch = np.array([1.0, 2, 3, 4])
    text = alt_texts.curves({'loss': (epoch, np.array([np.nan, 1.1, 0.5, np.nan]))})
    assert '1.10 at epoch 2' in text and '0.50 at epoch 3' in text
    assert 'No figures' in alt_texts.curves({'loss': (epoch, np.full(4, np.nan))})


def test_subjects_that_are_all_right_and_all_wrong():
    """Their numbers are what the bars show at a glance."""
    text = alt_texts.subjects([{'accuracy': value} for value in (1, 1, 0.5, 0.25, 0)])
    assert '5 subjects 2 with every clip right and 1 with none' in text and '0.50' in text


def test_confidence_is_weighted_by_rows():
    """A bin of one clip must not count as much as one of ninety."""
    bins = [
        {'rows': 90, 'confidence': 0.9, 'accuracy': 0.5},
        {'rows': 10, 'confidence': 0.4, 'accuracy': 1.0},
        {'rows': 0, 'confidence': None, 'accuracy': None},
    ]
    assert 'mean confidence 0.85, accuracy 0.55' in alt_texts.reliability({'raw': bins})


def test_importance_names_the_groups_that_are_worth_most():
    """A group whose loss is an accident below 0 must not stand among them."""
    rows = [
        ImportanceRow(group, 'features', 3, lost, None, None, None)
        for group, lost in (('strain', 0.04), ('network', 0.16), ('bands', -0.02))
    ]
    text = alt_texts.importance(rows)
    assert text.index('network 0.16') < text.index('strain 0.04') and 'bands' not in text
    assert '1 group of 3' in text
    assert 'no accuracy is lost' in alt_texts.importance(rows[2:])


def test_a_montage_counts_recognised_clips():
    """The picture says which predictions are wrong; the words must not flatter the network."""
    rows = [
        PictureRow('c1', 's1', 'samm', 'negative', 'negative', 'AU 4', 'a.png', ''),
        PictureRow('c2', 's1', 'samm', 'negative', 'surprise', 'AU 4', 'b.png', ''),
    ]
    text = alt_texts.montage(rows)
    assert '1 of 2 clips' in text and 'c2 is negative, predicted surprise' in text


@pytest.mark.parametrize(
    ('row', 'column', 'words'),
    [(0, 0, 'upper left'), (8, 4, 'lower middle'), (4, 4, 'middle'), (5, 8, 'middle right')],
)
def test_where_a_map_is_largest(row, column, words):
    """Axes exchanged would put the mouth's movement at the ear."""
    values = np.zeros((9, 9))
    values[row, column] = 1
    assert alt_texts.where(values) == words


def test_flow_has_a_direction_and_a_length():
    """The sign of v counts down: a raised brow must not be told as lowered."""
    field = np.zeros((9, 9, 2))
    field[0, 0] = (0.1, -1.2)
    text = alt_texts.flow(field)
    assert '1.2 pixels up,' in text and 'upper left' in text
    field[0, 0] = (-1, 1)
    assert 'down and left' in alt_texts.flow(field)


def test_maps_that_look_at_the_upper_half():
    """Half is by the place of the largest value, not by its size."""
    maps = np.zeros((2, 4, 4))
    maps[0, 0, 1], maps[1, 3, 2] = 0.1, 1
    assert 'in 1 of 2 clips' in alt_texts.peaks(maps)


def test_neighbours_of_one_kind():
    """Marks of no kind stand near anything by chance; they count as neighbours of nothing."""
    positions = np.array([[0, 0], [0, 1], [5, 5], [5, 5.5], [9, 9]], float)
    text = alt_texts.neighbours(positions, np.array([0, 0, 1, -1, 1]))
    assert '4 clips' in text and ' 2 stand' in text


def test_what_leaks_add_to_uf1():
    """A line that could not be trained has no figure, and must not be said to add nothing."""
    lines = [
        {'title': 'honest', 'why_not': '', 'against': None, 'metrics': {'uf1': 0.33}},
        {'title': 'split', 'why_not': '', 'against': {'uf1': {'difference': 0.091}}},
        {'title': 'frames', 'why_not': 'no frames'},
    ]
    text = alt_texts.added(lines)
    assert 'honest has UF1 0.33' in text and 'split adds +0.09' in text and 'frames' not in text


def test_data_sets_in_figures():
    """Most and least of a page about data, by the counts it draws."""
    assert 'a 3; b 6' in alt_texts.class_counts(np.array([[1, 2], [2, 4]]), ['a', 'b'])
    rows = [{'clips': [1, 2]}, {'clips': [0, 7]}, {'clips': [4, 0]}]
    assert '3 to 7 clips, in the median 4' in alt_texts.clips_of_subjects(rows)
    counts = np.array([[0, 5, 2]])
    assert 'joy AU 12 in 5 of 6' in alt_texts.unit_counts(counts, ['4', '12', '25'], [('joy', 6)])
    table = np.array([[6, 1, 4], [1, 5, 0], [4, 0, 4]])
    assert 'joy AU 4+25 in 4 clips' in alt_texts.unit_pairs({'joy': table}, ['4', '12', '25'])
