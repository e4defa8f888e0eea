"""intervals.csv: read back as written; what other software writes, and its faults."""

import pytest

from mer_jax.errors import UserError
from mer_jax.runfiles.intervals import IntervalRow, IntervalTable

ROWS = (
    IntervalRow('s15_0101', 12, 40, 30, 'macro', 4.5, 's15_disgust1_1'),
    IntervalRow('a "b",c', 5, 5),
)


def test_what_is_written_is_read_back(tmp_path):
    """A second search could not be compared with the first, nor scored again."""
    IntervalTable(ROWS).write(tmp_path)
    assert IntervalTable.read(tmp_path / IntervalTable.FILE).rows == ROWS
    IntervalTable(()).write(tmp_path)
    assert IntervalTable.read(tmp_path / IntervalTable.FILE).rows == ()


def test_the_least_that_other_software_must_write(tmp_path):
    """Every further column that is asked for is a reason not to be compared."""
    path = tmp_path / 'theirs.csv'
    path.write_text('\ufeffoffset,score,recording,onset\n9,high,v1,3\n', encoding='utf-8')
    assert IntervalTable.read(path).rows == (IntervalRow('v1', 3, 9),)


@pytest.mark.parametrize(
    'text, said',
    [
        ('recording,onset\nv1,3\n', "'offset'"),
        ('recording,onset,offset\nv1,3,x\n', "row 2: offset is 'x'"),
        ('recording,onset,offset\nv1,3,9\nv1,9,3\n', 'row 3: offset is 3'),
        ('recording,onset,offset,apex\nv1,3,9,11\n', 'row 2: apex is 11'),
        ('recording,onset,offset,kind\nv1,3,9,me\n', "row 2: kind is 'me'"),
        ('recording,onset,offset\nv1,-3,9\n', "row 2: onset is '-3'"),
        ('recording;onset;offset\nv1;3;9\n', "'recording'"),
        ('', 'empty'),
    ],
)
def test_faults_are_named_by_row_and_column(text, said, tmp_path):
    """An interval that is read otherwise than it was meant is a hit or a miss by chance."""
    path = tmp_path / 'theirs.csv'
    path.write_text(text)
    with pytest.raises(UserError, match=said) as error:
        IntervalTable.read(path)
    assert str(path) in str(error.value)
