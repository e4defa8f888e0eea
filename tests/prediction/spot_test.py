"""spot: intervals of the long recordings of a fake CAS(ME)^2, scored as in MEGC."""

import json

import numpy as np
import pytest

from mer_jax import cli
from mer_jax.data.recordings import Recordings
from mer_jax.errors import UserError
from mer_jax.prediction import candidates, spot
from mer_jax.prediction.candidates import Candidate
from mer_jax.runfiles.intervals import IntervalRow, IntervalTable
from tests.support.fake_raw import casme_squared
from tests.support.messages import mentions, pattern
from tfds_builders.recordings import LongRecording

DATA = '--data=casme_squared/recordings'


@pytest.fixture(scope='module')
def release(tmp_path_factory):
    return casme_squared.write(tmp_path_factory.mktemp('raw'), size='tiny', whole=True)


@pytest.fixture
def spotted(release, tmp_path, tmp_path_factory, capsys):
    """spotted(rows): (exit code, what spot.json holds, its error); () searches the recordings."""
    data = tmp_path_factory.getbasetemp() / 'recordings'  # built once

    def spot(rows, *flags):
        IntervalTable(tuple(rows)).write(tmp_path)
        tables = [str(tmp_path / IntervalTable.FILE)] if rows else []
        code = cli.main(
            [
                'spot',
                *tables,
                *(flags or (DATA,)),
                f'--manual_dir={release.folder}',
                f'--config.data.data_dir={data}',
                f'--workdir={tmp_path}/out',
            ]
        )
        result = tmp_path / 'out' / 'spot.json'
        held = json.loads(result.read_text()) if result.exists() else {}
        return code, held, capsys.readouterr().err

    return spot


ROWS = (
    IntervalRow('s15_0101', 12, 40, 30),  # the macro-expression itself
    IntervalRow('s15/15_0101disgustingteeth', 97, 103),  # 7 of 9 frames of the micro-expression
    IntervalRow('15_0101disgustingteeth', 95, 99),  # a second one on it
    IntervalRow('s15_0507', 20, 29, kind='macro'),  # a micro-expression as macro
    IntervalRow('S16_0505', 3, 12),  # in a recording without expressions
)


def test_counts_over_all_recordings_and_kinds(spotted, tmp_path):
    """Recordings in which nothing was spotted, or nothing is annotated, must count too."""
    code, result, _ = spotted(ROWS)
    assert code == 0 and (result['recordings'], result['subjects']) == (11, 5)
    scores = result['scores']
    assert {kind: [block[key] for key in ('tp', 'fp', 'fn')] for kind, block in scores.items()} == {
        'macro': [1, 1, 2],
        'micro': [1, 2, 10],
        'overall': [2, 3, 12],
    }
    assert scores['overall']['f1'] == pytest.approx(4 / 19)
    assert (scores['macro']['annotated'], scores['micro']['annotated']) == (3, 11)
    assert len(result['missed']) == 12 and not result['leaks']
    assert 'as reported' in result['statement']
    rows = IntervalTable.read(tmp_path / 'out' / IntervalTable.FILE).rows
    assert [(row.recording, row.onset, row.kind, row.clip) for row in rows] == [
        ('s15_0101', 12, 'macro', 's15_disgust1_1'),
        ('s15_0101', 95, 'micro', ''),
        ('s15_0101', 97, 'micro', 's15_disgust1_2'),
        ('s15_0507', 20, 'macro', ''),
        ('s16_0505', 3, 'micro', ''),
    ]
    # scored again, intervals keep their scores
    assert spotted(rows)[1]['scores'] == scores


@pytest.mark.parametrize(
    'row, said',
    [
        (IntervalRow('s99_0101', 1, 9), "row 3: recording is 's99_0101'"),
        (IntervalRow('s15_0101', 0, 9), 'row 3: onset is 0; allowed: 1 to 107'),
        (IntervalRow('s15_0101', 100, 108), 'row 3: offset is 108; allowed: 1 to 107'),
        (IntervalRow('15_0101disgustingteeth', 12, 40, 13), 'row 3: the same interval as in row 2'),
    ],
)
def test_intervals_that_fit_no_recording_are_refused(row, said, spotted):
    """Frames counted from 0, or names of other videos, would be misses of the search."""
    code, result, error = spotted([ROWS[0], row])
    assert (code, result) == (2, {}) and said in error and error.count('\n') == 1


@pytest.mark.parametrize('name', ['intervals.csv', 'spot.csv', 'results.csv'])
def test_tables_of_the_user_are_not_written_over(name, tmp_path, capsys):
    """The table that was scored, or one of other software beside it, may exist only once."""
    IntervalTable(ROWS).write(tmp_path)
    table = (tmp_path / IntervalTable.FILE).rename(tmp_path / name)
    if name not in spot.WRITTEN:
        IntervalTable(ROWS[:1]).write(tmp_path)  # of other software
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    # refused before data are looked for
    assert cli.main(['spot', str(table), DATA, f'--workdir={tmp_path}']) == 2
    assert mentions(capsys.readouterr().err, f'error: --workdir={tmp_path} ... written over')
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_other_data_sets_have_no_recordings(spotted):
    """Clips cut to their expressions cannot show a false alarm."""
    code, _, error = spotted(ROWS, '--data=casme_squared/flow')
    assert code == 2 and "'casme_squared/flow' holds no whole recordings" in error


def test_crops_are_not_searched(tmp_path):
    """Haar finds few faces in crops: what it misses would be counted as misses of the search."""
    numbers = np.arange(1, 31, dtype=np.int32)
    crops = LongRecording('s15_0101', 's15', 'casme_squared', '', 'a', True, 30.0, numbers, ())
    with pytest.raises(UserError, match=pattern('crops ... frames=raw ... FILE.csv')):
        spot.searched(Recordings((crops,), tmp_path))


def test_a_search_is_given_every_frame_and_all_it_spots_counts(spotted, monkeypatch):
    """If this fails, what the end of a recording shows is lost, or frames are counted from 0."""
    seen = []

    def step(state, frame):
        seen.append((frame.number, frame.ms))
        return state, [Candidate(97, 99, 103, 4.0)] if frame.number == 105 else []

    monkeypatch.setattr(candidates, 'step', step)
    monkeypatch.setattr(candidates, 'finish', lambda state: [Candidate(20, 24, 29, 3.0)])
    code, result, printed = spotted(())
    assert code == 0 and len(seen) == sum(block['frames'] for block in result['per_recording'])
    assert seen[:2] == [(1, 0.0), (2, pytest.approx(1000 / 30))]
    assert printed.count(' candidates') == 11
    # one candidate in each of eleven recordings, and two in the three that have a frame 105
    assert result['scores']['micro']['spotted'] == 14
    hits = {'s15_disgust1_2', 's15_happy4_1', 's34_happy3_1'}
    missed = {item['clip'] for item in result['missed']}
    assert result['scores']['micro']['tp'] == len(hits) and not hits & missed
    assert 'experimental' in result['statement'] and result['search']['threshold'] > 0
