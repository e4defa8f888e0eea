"""The tables of a run: read back as written; faults named by file, row and column."""

import pytest

from mer_jax.errors import UserError
from mer_jax.runfiles.apexes import ApexRow, ApexTable
from mer_jax.runfiles.dropped import DroppedClip, DroppedTable
from mer_jax.runfiles.explanations import (
    ImportanceRow,
    ImportanceTable,
    PictureRow,
    PictureTable,
)
from mer_jax.runfiles.folds import FoldRow, FoldTable
from mer_jax.runfiles.svms import SvmRow, SvmTable

NASTY = 'a,"b"\né'
FOLDS = FoldTable(
    ('low', NASTY),
    (FoldRow(0, 's1', 'smic', 1, 9, 2, 4, (1, 3)), FoldRow(1, NASTY, 'a+b', 2, 8, 0, 5, (5, 0))),
)
APEXES = ApexTable(
    ('max', 'midpoint'),
    (
        ApexRow('c1', 's1', 'smic', 0, 's1', 0, True, 1, 5, 9, {'max': 4, 'midpoint': 5}),
        ApexRow(NASTY, 's2', 'smic', 1, 's2', 3, False, 1, None, 9, {'max': 7, 'midpoint': 5}),
    ),
)
TABLES = (
    FOLDS,
    FoldTable((), (FoldRow(0, 's1', 'smic', 1, 9, 0, 4, ()),)),
    APEXES,
    ApexTable(('max',), ()),
    DroppedTable((DroppedClip('c1', 's1', 'smic', 'fear', NASTY),)),
    DroppedTable(()),
    SvmTable(
        (SvmRow('s1', 0, 1, 10.0, 0.5, 0.625, 31, 0.875), SvmRow(NASTY, 1, 2, 0.25, 2.0, None, 0))
    ),
    # of a stack
    SvmTable(
        (
            SvmRow('s1', 0, 1, 10.0, 0.5, 0.625, 31, 0.875, member='svm'),
            SvmRow('s1', 0, 2, 3.0, 0.5, 0.5, 0, 0.75, member='ridge'),
        )
    ),
    ImportanceTable(
        (
            ImportanceRow('hoof', 'features', 48, 0.125, -0.25, 0.5, 0.75),
            ImportanceRow(NASTY, 'region', 4, 0.0, None, None, None),
        )
    ),
    PictureTable((PictureRow('c1', 's1', 'smic', 'x', 'y', '1 12', '001_c1.png', 'face'),)),
    # of action units a row shows several, or none
    FoldTable(('AU1', 'AU4'), (FoldRow(0, 's1', 'samm', 1, 9, 0, 4, (3, 4)),), multi_label=True),
)


@pytest.mark.parametrize('table', TABLES, ids=lambda table: f'{table.FILE}-{len(table.rows)}')
def test_tables_round_trip(table, tmp_path):
    """A value that comes back otherwise would be believed by every reader."""
    table.write(tmp_path)
    assert type(table).read(tmp_path) == table
    written = (tmp_path / table.FILE).read_bytes()
    type(table).read(tmp_path).write(tmp_path)
    assert (tmp_path / table.FILE).read_bytes() == written


@pytest.mark.parametrize('table', TABLES[::2], ids=lambda table: table.FILE)
def test_a_table_without_a_column_or_cut_short_is_named(table, tmp_path):
    """A column that is missing must not become a KeyError, nor half a row a whole one."""
    path = tmp_path / table.FILE
    table.write(tmp_path)
    text = path.read_text()
    first = text.partition(',')[0]
    path.write_text(text.replace(first, 'other', 1))
    with pytest.raises(UserError, match=f"{table.FILE}.*'{first}'"):
        type(table).read(tmp_path)
    path.write_text(text + 'half,a\n')
    with pytest.raises(UserError, match=rf'{table.FILE}, row \d.*2'):
        type(table).read(tmp_path)
    path.write_text('')
    with pytest.raises(UserError, match=f'{table.FILE}'):
        type(table).read(tmp_path)
    path.unlink()
    with pytest.raises(UserError, match=f'{table.FILE}'):
        type(table).read(tmp_path)


@pytest.mark.parametrize(
    ('table', 'old', 'new', 'words'),
    [
        (FOLDS, '0,s1', 'zero,s1', "row 2: fold.*'zero'.*a whole number from 0"),
        (FOLDS, '0,s1', '3,s1', 'row 2: fold.*3.*0'),
        (FOLDS, '1,9,2,4', '1,-9,2,4', "row 2: train.*'-9'.*a whole number from 0"),
        (FOLDS, '2,4,1,3', '2,4,1,2', 'row 2: test.*4.*3'),
        (APEXES, '0,1,1,5,9', '0,2,1,5,9', "row 2: left_out.*'2'.*1 or 0"),
        (APEXES, '1,1,5,9', '1,1,nan,9', "row 2: apex.*'nan'.*a whole number"),
        (APEXES, '1,1,5,9,4', '1,1,5,9,', "row 2: max.*''.*a whole number"),
        (APEXES, '1,1,5,9', '1,10,5,9', 'row 2: offset.*9.*10'),
        (TABLES[6], '0.6250', '1.5', "row 2: inner_uf1.*'1.5'.*a number from 0 to 1"),
        (TABLES[6], '10,0.5', 'nan,0.5', "row 2: cost.*'nan'.*a number"),
    ],
)  # fmt: skip
def test_a_bad_cell_is_named(table, old, new, words, tmp_path):
    """A row edited by hand would otherwise end in a traceback, or in a figure."""
    table.write(tmp_path)
    path = tmp_path / table.FILE
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(UserError, match=f'{table.FILE}, {words}') as error:
        type(table).read(tmp_path)
    assert '\n' not in str(error.value)


def test_a_column_of_another_file_is_named(tmp_path):
    """Two tables mixed up would be read as one."""
    header = 'clip,subject,dataset,emotion,reason,more'
    (tmp_path / 'dropped.csv').write_text(f'{header}\nc1,s1,smic,fear,no apex,1\n')
    with pytest.raises(UserError, match="dropped.csv.*'more'"):
        DroppedTable.read(tmp_path)
