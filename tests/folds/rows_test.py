"""Rows of the data set are told from rows that were made for a fold."""

import numpy as np

from mer_jax.folds import resampling, rows


def test_rows_of_the_data_set_are_neither_images_of_a_file_nor_copies(small):
    """A made row that counts as a clip of the data set would be scored, or choose an SVM."""
    samples, _ = small
    count = len(samples.clip)
    longer, added = resampling.append(samples, {'file': (samples.image[:2], samples.label[:2])})
    assert added['file'].tolist() == [count, count + 1]
    index = np.array([0, count - 1, count, count + 1, count + 2, count + 9])
    assert rows.of_data_set(longer, index).tolist() == [True, True, *[False] * 4]
    assert rows.stored(longer, index).tolist() == [*[True] * 4, False, False]
    assert rows.of_data_set(longer).tolist() == [*[True] * count, False, False]
    assert rows.of_data_set(samples).all()
    assert rows.of_data_set(samples, np.array([], int)).shape == (0,)
