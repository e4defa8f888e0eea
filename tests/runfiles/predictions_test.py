"""predictions.csv: names, folds, seeds and scores of a run, read back as written."""

import numpy as np
import pytest

from mer_jax.errors import UserError
from mer_jax.runfiles.predictions import FrameRow, FrameTable, PredictionTable, softmax
from mer_jax.types import Names, Predictions


def predictions(seeds=2, frames=(0, 0, 0, 0)):
    """Four clips of three subjects, two of which carry the same name in two data sets."""
    rows = {
        'clip': [0, 1, 2, 3], 'frame': frames, 'subject': [0, 0, 1, 2], 'dataset': [0, 0, 0, 1],
        'label': [0, 1, 1, 0], 'fold': [0, 0, 1, 2],
    }  # fmt: skip
    arrays = [np.tile(np.array(values, np.int32), seeds) for values in rows.values()]
    output = np.random.default_rng(0).normal(0, 3, (4 * seeds, 2)).astype(np.float32)
    return Predictions(*arrays, np.repeat(np.arange(seeds, dtype=np.int32), 4), output)


NAMES = Names(
    ('nega"tive', 'posi,tive'),
    ('s01', 's02', 's01'),
    ('casme2', 'samm'),
    ('a', 'b\nc', 'é', 'd'),
    (),
)


def test_predictions_round_trip(tmp_path):
    """predictions.csv is what other tools re-score: names, folds, seeds and scores must be those of
    the run.
    """
    run = predictions()
    written = PredictionTable.of(run, NAMES)
    written.write(tmp_path)
    table = PredictionTable.read(tmp_path)
    assert table == written and table.classes == NAMES.classes
    exact = np.exp(run.output.astype(np.float64))
    exact /= exact.sum(1, keepdims=True)
    for i, row in enumerate(table.rows):
        assert row.clip == NAMES.clips[run.clip[i]]
        assert (row.subject, row.dataset) == (
            NAMES.subjects[run.subject[i]],
            NAMES.datasets[run.dataset[i]],
        )
        assert (row.fold, row.seed) == (run.fold[i], run.seed[i])
        assert row.label == NAMES.classes[run.label[i]]
        assert row.predicted == NAMES.classes[run.output[i].argmax()]
        assert list(row.scores) == list(NAMES.classes)
        np.testing.assert_allclose(list(row.scores.values()), exact[i], rtol=1e-5)
    header = (tmp_path / 'predictions.csv').read_text().splitlines()[0]
    assert (
        header
        == 'clip,subject,dataset,fold,seed,label,predicted,"score_nega""tive","score_posi,tive"'
    )


def test_predictions_are_the_same_bytes_twice_and_name_frames_where_rows_are_frames(tmp_path):
    """Digits that vary would make two equal runs look different; frames of one clip need their
    number.
    """
    for name in 'ab':
        (tmp_path / name).mkdir()
        PredictionTable.of(predictions(frames=(3, 9, 0, 0)), NAMES).write(tmp_path / name)
    one, other = (tmp_path / name / 'predictions.csv' for name in 'ab')
    assert one.read_bytes() == other.read_bytes()
    assert [row.frame for row in PredictionTable.read(tmp_path / 'a').rows][:4] == [3, 9, 0, 0]


def test_predictions_of_nothing(tmp_path):
    """A run on all rows holds nothing out."""
    nothing = Predictions(*[np.zeros(0, np.int32)] * 7, np.zeros((0, 2), np.float32))
    PredictionTable.of(nothing, NAMES).write(tmp_path)
    assert PredictionTable.read(tmp_path) == PredictionTable(NAMES.classes, ())


@pytest.mark.parametrize(
    ('row', 'words'),
    [
        ('c,s,d,one,0,a,a,1,0', "row 2: fold.*'one'.*a whole number from 0"),
        ('c,s,d,0,-1,a,a,1,0', "row 2: seed.*'-1'.*a whole number from 0"),
        ('c,s,d,0,0,a,q,1,0', "row 2: predicted.*'q'.*'a' or 'b'"),
        ('c,s,d,0,0,a,a,nan,0', "row 2: score_a.*'nan'.*a number from 0 to 1"),
        ('c,s,d,0,0,a,a,1,1.5', "row 2: score_b.*'1.5'.*a number from 0 to 1"),
        ('c,s,d,0,0,a,a,1', 'row 2.*8.*9'),
    ],
)
def test_a_bad_row_of_predictions_is_named(tmp_path, row, words):
    """A row edited by hand would be counted as a prediction of the run."""
    header = 'clip,subject,dataset,fold,seed,label,predicted,score_a,score_b'
    (tmp_path / 'predictions.csv').write_text(f'{header}\n{row}\n')
    with pytest.raises(UserError, match=f'predictions.csv, {words}') as error:
        PredictionTable.read(tmp_path)
    assert '\n' not in str(error.value)


def test_outputs_of_frames_round_trip_and_bad_ones_are_named(tmp_path):
    """Curves of a report are drawn from this file."""
    rows = [
        FrameRow('c', 's', 'd', 0, 0, frame, output) for frame, output in ((4, -0.5), (5, 2.25))
    ]
    FrameTable(tuple(rows)).write(tmp_path)
    assert FrameTable.read(tmp_path).rows == tuple(rows)
    path = tmp_path / 'predictions.csv'
    text = path.read_text()
    path.write_text(text.replace('2.25', 'nan'))
    with pytest.raises(UserError, match="row 3: output.*'nan'.*a number"):
        FrameTable.read(tmp_path)
    path.write_text(text.replace(',output', ',score'))
    with pytest.raises(UserError, match="predictions.csv.*'output'"):
        FrameTable.read(tmp_path)


def test_softmax_of_large_logits_is_finite():
    """exp(1000) overflows and would write nan into predictions.csv."""
    np.testing.assert_allclose(
        softmax([[1000.0, 999.0], [-1e4, 0.0]])[:, 0], [1 / (1 + np.exp(-1)), 0]
    )
