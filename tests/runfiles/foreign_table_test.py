"""ForeignTable: what is read of a table of other software, and which row a mistake names."""

import pytest

from mer_jax.errors import UserError
from mer_jax.evaluation import score
from mer_jax.runfiles.foreign_table import ForeignTable
from tests.support.messages import mentions

HEAD = 'clip,subject,dataset,label,predicted'
ROWS = (
    'c1,006,samm,negative,negative',
    'c2,006,samm,positive,negative',
    'c3,7,samm,surprise,surprise',
)


def write(path, *lines):
    """Write a table."""
    path.write_text('\n'.join(lines), encoding='utf-8')
    return path


def read(tmp_path, *lines, classes=()):
    """The table of these lines."""
    return ForeignTable.read(write(tmp_path / 'a.csv', *lines), classes)


def test_cells_are_kept_as_text_whatever_separates_them(tmp_path):
    """Subject 006 would become 6, whom no data set has; Excel of half of Europe writes ;"""
    expected = read(tmp_path, HEAD, *ROWS).rows
    assert [row.subject for row in expected] == ['006', '006', '7']
    for delimiter in ';\t':
        lines = [line.replace(',', delimiter) for line in (HEAD, *ROWS)]
        assert read(tmp_path, '\ufeff' + lines[0] + '\r', *lines[1:], '', '').rows == expected
    quoted = [','.join(f'"{cell}" ' for cell in line.split(',')).strip() for line in ROWS]
    assert read(tmp_path, HEAD, *(line.replace(' ', '') for line in quoted)).rows == expected


def test_numbers_of_classes_need_names(tmp_path):
    """0, 1, 2 of one group may be the order of another: a guess would swap classes."""
    lines = [HEAD, 'c1,s1,a,0,0', 'c2,s1,a,2,1']
    with pytest.raises(UserError, match='--classes'):
        read(tmp_path, *lines)
    table = read(tmp_path, *lines, classes=('negative', 'positive', 'surprise'))
    assert [(row.label, row.predicted) for row in table.rows] == [
        ('negative', 'negative'),
        ('surprise', 'positive'),
    ]
    assert any('positive' in remark for remark in table.remarks)  # no clip has it


def test_scores_are_compared_with_the_predictions(tmp_path):
    """Columns in another order than the classes are the commonest slip; it must not pass."""
    head = f'{HEAD},score_positive,score_negative,score_surprise'
    lines = [f'{ROWS[0]},.1,.8,.1', f'{ROWS[1]},.2,.7,.1', f'{ROWS[2]},.1,.2,.7']
    table = read(tmp_path, head, *lines)
    assert table.remarks == () and table.rows[0].scores['negative'] == 0.8
    swapped = read(
        tmp_path, head.replace('positive,score_negative', 'negative,score_positive'), *lines
    )
    assert len(swapped.remarks) == 1 and '2 rows' in swapped.remarks[0]
    logits = read(tmp_path, head, *(line.replace(',.1', ',-3') for line in lines))
    assert any('sum to 1' in remark for remark in logits.remarks)


def test_a_subject_in_two_folds_and_seeds_of_other_clips_are_named(tmp_path):
    """The one is the sign of a random split, the other of figures over different clips."""
    head = f'{HEAD},seed,fold,notes'
    lines = [
        f'{ROWS[0]},0,sub1,x',
        f'{ROWS[1]},0,sub2,x',
        f'{ROWS[2]},0,sub3,x',
        f'{ROWS[0]},1,sub1,x',
    ]
    table = read(tmp_path, head, *lines)
    assert table.ignored == ('notes',)
    assert any('samm/006' in remark and 'fold' in remark for remark in table.remarks)
    assert any('seed 1' in remark and '2 of 3' in remark for remark in table.remarks)


def test_predictions_give_the_scores_of_the_rows(tmp_path):
    """Two of three right, over two subjects."""
    blocks = score.score(*read(tmp_path, HEAD, *ROWS).predictions())
    assert blocks['metrics']['accuracy'] == pytest.approx(2 / 3)
    assert [row['clips'] for row in blocks['per_subject']] == [2, 1]


MISTAKES = [
    ([''], 'no rows'),
    ([HEAD], 'no rows'),
    (['clip;subject;label', 'a;b;c'], "'dataset'"),
    ([f'{HEAD},clip', f'{ROWS[0]},c1'], "'clip' twice"),
    ([HEAD, ROWS[0], 'c2,006,samm,positive'], 'row 3 ... 4 ... 5'),
    ([HEAD, ROWS[0], '', 'c2,006,samm,,positive'], "row 4 ... label is ''"),
    ([HEAD, 'c2,nan,samm,positive,positive'], "row 2 ... subject is 'nan'"),
    ([HEAD, 'c2\u200b,006,samm,positive,positive'], 'row 2 ... clip ... ZERO WIDTH SPACE'),
    ([HEAD, 'c2\xa0,006,samm,positive,positive'], 'clip ... NO-BREAK SPACE'),
    ([HEAD, ROWS[0], ROWS[0]], "row 3 ... 'c1' ... row 2 ... seed"),
    (
        [f'{HEAD},seed', f'{ROWS[0]},0', 'c1,006,samm,positive,negative,1'],
        'row 3 ... label ... row 2',
    ),
    ([f'{HEAD},seed', f'{ROWS[0]},1.0'], "row 2 ... seed is '1.0' ... whole number"),
    ([HEAD, 'c1,s,a,0.0,1.0'], "row 2 ... label is '0.0' ... whole number"),
    ([HEAD, *ROWS, 'c4,7,samm,surprise,joy'], "row 5 ... predicted is 'joy' ... negative"),
    ([f'{HEAD},score_negative', f'{ROWS[0]},inf'], "row 2 ... score_negative is 'inf'"),
    ([f'{HEAD},score_negative', f'{ROWS[0]},"0,5"'], "score_negative is '0,5'"),
    ([HEAD, '"c1,006,samm,negative,negative'], 'row 2 ... quote'),
]


@pytest.mark.parametrize('lines,pieces', MISTAKES, ids=[pieces for _, pieces in MISTAKES])
def test_a_mistake_names_row_and_column(tmp_path, lines, pieces):
    """Of a thousand rows one is wrong: which?"""
    with pytest.raises(UserError, match=r'a\.csv') as error:
        read(tmp_path, *lines)
    assert mentions(str(error.value), pieces), error.value
    assert '\n' not in str(error.value)


def test_files_that_are_no_tables_are_one_line(tmp_path):
    """Excel saves as it likes; UnicodeDecodeError would name a byte and no remedy."""
    for content in ('ä'.encode('latin-1'), HEAD.encode('utf-16'), b'PK\x03\x04'):
        (tmp_path / 'a.csv').write_bytes(content)
        with pytest.raises(UserError, match='UTF-8'):
            ForeignTable.read(tmp_path / 'a.csv')
    for path in (tmp_path, tmp_path / 'none.csv'):
        with pytest.raises(UserError, match='folder|no such file'):
            ForeignTable.read(path)
