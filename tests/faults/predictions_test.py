"""Damaged predictions.json and predictions.csv of the verb predict: one line each, or whole."""

import pytest

from mer_jax.errors import UserError
from mer_jax.runfiles.prediction_file import PredictionFile, PredictionRows
from tests.faults.run_files_test import BIG, cell, inside
from tests.support import predicted

CLIP = ('recordings', 0, 'clips', 0)
JSON = {  # name -> (how the file is spoilt, what the message names)
    'a schema that is text': (inside('schema', value='1'), 'schema'),
    'a schema of 400 digits': (inside('schema', value=BIG), 'schema'),
    'a statement that is gone': (inside('statement', 'law', drop=True), 'statement.law'),
    'no recordings': (inside('recordings', value=None), 'recordings'),
    'classes of one text': (inside('model', 'classes', value='abc'), 'model.classes'),
    'a score of NaN': (inside('model', 'uf1', value=float('nan')), 'model.uf1'),
    'an interval of one edge': (inside('model', 'uf1_interval', value=[0.5]), 'uf1_interval'),
    'an unknown input': (inside('model', 'input', value='nearly'), 'model.input'),
    'an apex before the recording': (inside(*CLIP, 'apex', 'frame', value=-1), 'apex.frame'),
    'half a frame': (inside(*CLIP, 'onset', 'frame', value=4.5), 'onset.frame'),
    'a movement without words': (inside(*CLIP, 'movements', 0, 'words', drop=True), '0.words'),
    'a share above 1': (inside(*CLIP, 'agreement_of_folds', 'share', value=2), 'share'),
    'a clip that is a list': (inside(*CLIP, value=[]), 'clips.0'),
    'another side': (inside(*CLIP, 'movements', 1, 'side', value='top'), 'movements.1.side'),
    'a class that nobody gave': (inside(*CLIP, 'class_of_training_data', value=None), 'clips.0'),
}
CSV = {
    'a probability above 1': (cell(2, 'probability_positive', '7'), 'probability_positive'),
    'an unknown outcome': (cell(2, 'outcome', 'a lie'), 'outcome'),
    'a frame that is text': (cell(2, 'apex', 'late'), 'apex'),
    'calibrated maybe': (cell(2, 'calibrated', 'maybe'), 'calibrated'),
}
CASES = [(PredictionFile, *case) for case in JSON.values()]
CASES += [(PredictionRows, *case) for case in CSV.values()]


@pytest.fixture
def folder(tmp_path):
    """The answer of one command."""
    content = predicted.predictions()
    content.write(tmp_path)
    PredictionRows.of(content).write(tmp_path)
    return tmp_path


@pytest.mark.parametrize(('kind', 'spoil', 'named'), CASES, ids=[*JSON, *CSV])
def test_a_wrong_value_is_named_with_its_file(folder, kind, spoil, named):
    """A program of the user would else compute with it, or end in a traceback of ours."""
    spoil(folder / kind.FILE)
    with pytest.raises(UserError) as caught:
        kind.read(folder)
    message = str(caught.value)
    assert kind.FILE in message and named in message and '\n' not in message


@pytest.mark.parametrize('kind', [PredictionFile, PredictionRows])
def test_a_file_cut_anywhere_is_refused_or_whole(folder, kind):
    """A full disk or a broken copy leaves any beginning of a file, or none."""
    path = folder / kind.FILE
    whole = path.read_bytes()
    content = kind.read(folder)
    for length in [*range(0, len(whole), 97), len(whole) - 1]:
        path.write_bytes(whole[:length])
        try:
            read = kind.read(folder)
        except UserError as error:
            assert kind.FILE in str(error) and '\n' not in str(error)
        else:
            assert read == content or len(read.rows) < 1
    path.unlink()
    with pytest.raises(UserError, match='no such file'):
        kind.read(folder)
