"""A user's table of action units: what it gives to which clips, and every mistake in it."""

import pytest

from mer_jax.data import unit_table
from mer_jax.errors import UserError


def record(clip, dataset, units='', known=False):
    return {
        'clip': clip,
        'dataset': dataset,
        'action_units': units,
        'action_units_known': known,
    }


RECORDS = [
    record('006_1_2', 'samm'),
    record('006_1_3', 'samm'),
    record('s01_ne_01', 'smic'),
    record('EP02', 'casme2', '4', known=True),
    record('EP02', 'casme'),
]


def table(folder, text):
    path = folder / 'units.csv'
    path.write_text(text)
    return str(path)


def test_named_clips_get_their_units_and_all_others_stay_as_they_are(tmp_path):
    """Units of another clip, or an unknown clip read as one without units, would be learnt as
    truth.
    """
    path = table(tmp_path, 'clip,action_units\n006_1_3,4+7B\ns01_ne_01,\n019_1_1,12\n')
    changed, text = unit_table.annotate(RECORDS, unit_table.read(path))
    assert changed == [
        RECORDS[0],
        RECORDS[1] | {'action_units': '4+7B', 'action_units_known': True},
        *RECORDS[2:],
    ]
    assert RECORDS[1]['action_units_known'] is False  # the records given stay as they were
    assert '1 of 5 clips' in text and '3 rows 1' in text
    assert unit_table.annotate(RECORDS, unit_table.read('')) == (RECORDS, '')


def test_a_column_says_whose_clip_is_meant(tmp_path):
    """Two releases have clips of one name; the wrong one must not be annotated."""
    path = table(tmp_path, 'clip,dataset,action_units\nEP02,CASME,1+2\n')
    changed, _ = unit_table.annotate(RECORDS, unit_table.read(path))
    assert changed[-1]['action_units'] == '1+2' and changed[:-1] == RECORDS[:-1]


@pytest.mark.parametrize(
    'text, named',
    [
        ('', ('clip', 'action_units')),
        ('clip,units\n006_1_2,4\n', ('clip', 'action_units')),
        ('clip,action_units\n006_1_2,brows\n', ('row 2', "'brows'", '6+12')),
        ('clip,action_units\n006_1_2,4.7\n', ('row 2', "'4.7'")),
        ('clip,action_units\n006_1_2,4\n,7\n', ('row 3', 'clip')),
        ('clip,action_units\n006_1_2,4\n006_1_2,4\n', ('row 3', 'row 2', '006_1_2')),
        (
            'clip,action_units,dataset\n006_1_2,4,\n006_1_2,4,samm\n',
            ('row 3', 'row 2', '006_1_2'),
        ),
        ('clip,action_units\nEP02,12\n', ('row 2', 'casme2', 'casme', 'dataset')),
        (
            'clip,action_units,dataset\nEP02,12,casme2\n',
            ('row 2', 'EP02', "'4'", 'delete the row'),
        ),
        ('clip,action_units\n6-1-2,4\n', ("'6-1-2'", "'006_1_2' of samm", "'s01_ne_01' of smic")),
    ],
)
def test_a_wrong_table_is_refused_in_one_line(tmp_path, text, named):
    """A table that silently annotates nothing, or the wrong clip, looks like a result."""
    path = table(tmp_path, text)
    with pytest.raises(UserError) as error:
        unit_table.annotate(RECORDS, unit_table.read(path))
    for word in ('units.csv', *named):
        assert word in str(error.value)
    assert '\n' not in str(error.value)


def test_a_path_without_a_table_is_refused(tmp_path):
    """A typing mistake in the path must not read as clips without units."""
    for path in (tmp_path / 'none.csv', tmp_path):
        with pytest.raises(UserError, match='data.action_units') as error:
            unit_table.read(path)
        assert str(path) in str(error.value)
