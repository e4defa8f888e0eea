"""The summary of a build: a few lines, however many clips have the same fault."""

import pytest

from mer_jax.errors import UserError
from tests.support.fake_raw import casme2, casme_squared, samm, smic
from tests.tfds_builders.release_counts_test import read
from tfds_builders import audit
from tfds_builders.audit import Repair, Row

WRITERS = {'casme2': casme2, 'samm': samm, 'smic': smic, 'casme_squared': casme_squared}


def test_repairs_of_one_row_are_counted_one_by_one():
    """If this fails, a clip with two repairs hides the second, or makes a kind of its own."""
    missing = 'offset frame is missing: the nearest file is used'
    gap = 'missing or damaged frames: {}'
    rows = [
        audit.repaired('row 1', [Repair(missing, '9', '8'), Repair(gap.format(7), '', '')], 'a'),
        audit.repaired('row 2', [Repair(missing, '5', '3')], 'b'),
        audit.repaired('row 3', [], 'c'),
        Row('d/img1.jpg', 'dropped', 'cut off: its end is missing; unpack it again', 'd'),
    ]
    assert rows[0].old == '9; ' and rows[2] == Row('row 3', 'used', '', 'c')
    lines = audit.summary('samm', rows).splitlines()
    assert lines[0] == 'samm: 1 used, 2 repaired, 1 dropped'
    assert sorted(line.strip() for line in lines[1:]) == [
        'dropped: 1 x cut off',
        'repaired: 1 x missing or damaged frames',
        'repaired: 2 x offset frame is missing',
    ]


@pytest.mark.parametrize('name', sorted(WRITERS))
def test_the_summary_has_one_line_for_each_kind_of_fault(name, tmp_path):
    """If this fails, a frame number or a clip's name stands in a kind, and the summary has a line
    for each clip.
    """
    truth = WRITERS[name].write(tmp_path / 'whole', size='tiny')
    micro = [clip.clip for clip in truth.clips.values() if clip.kind == 'micro']
    # where half of the clips lack a frame, the build stops: the numbering is another
    spoilt = {clip: ('missing:offset',) for clip in micro[::3]}
    _, rows = read(name, WRITERS[name].write(tmp_path / 'gap', size='tiny', faults=spoilt).folder)
    if name != 'smic':  # its last file is the offset
        assert f'{len(spoilt)} x offset frame is missing' in audit.summary(name, rows)


def test_a_table_is_read_as_it_was_written(tmp_path):
    """Reasons hold commas, and describe counts them by kind."""
    rows = (Row('a, b', 'dropped', 'no frame: 1, 2', 'c', '1', ''), Row('d', 'used', ''))
    audit.write(tmp_path / 'audit.csv', rows)
    assert audit.read(tmp_path / 'audit.csv') == rows
    for damaged in ('', 'file,status\na,b\n'):
        (tmp_path / 'audit.csv').write_text(damaged)
        with pytest.raises(UserError, match=r'audit\.csv'):
            audit.read(tmp_path / 'audit.csv')
