"""workdir: the files of a run survive kills, read back as written, and are refused in one line
where they cannot.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mer_jax.errors import UserError
from mer_jax.runfiles import files
from mer_jax.types import Names, Predictions

ROOT = Path(__file__).parents[2]


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


def test_json_round_trip_turns_numpy_plain_and_nan_null(tmp_path):
    """A NaN token is no JSON: strict readers, and every browser, refuse the whole file."""
    value = {
        'a': np.float32(0.5),
        'b': [np.int64(3), float('nan'), -np.inf],
        'c': {'d': np.arange(3), 'e': (True, None)},
        'long': list(range(80)),
        'table': [{'subject': 's01', 'accuracy': 0.25}] * 9,
        'empty': {},
        'path': Path('x'),
    }
    files.write_json(tmp_path / 'a.json', value)
    expected = {
        **value,
        'a': 0.5,
        'b': [3, None, None],
        'c': {'d': [0, 1, 2], 'e': [True, None]},
        'path': 'x',
    }
    assert files.read_json(tmp_path / 'a.json') == expected
    text = (tmp_path / 'a.json').read_text()
    assert 'NaN' not in text and 'Infinity' not in text
    assert '\n    {"subject": "s01", "accuracy": 0.25},\n' in text  # one table row, one line


def test_read_json_names_the_file_that_is_broken(tmp_path):
    """A traceback of the json module does not say which of the run's files is bad."""
    (tmp_path / 'plan.json').write_text('{"a": ')
    with pytest.raises(UserError, match='plan.json: is not JSON'):
        files.read_json(tmp_path / 'plan.json')
    with pytest.raises(UserError, match='none.json: no such file'):
        files.read_json(tmp_path / 'none.json')


def failing(*_):
    """A disk that fails."""
    raise OSError('disk full')


@pytest.mark.parametrize('step', ['fsync', 'replace'])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step):
    """Writing in place would leave half of results.json after a kill, and the finished run would be
    lost.
    """
    files.write_json(tmp_path / 'results.json', {'old': 1})
    monkeypatch.setattr(os, step, failing)
    with pytest.raises(OSError, match='disk full'):
        files.write_json(tmp_path / 'results.json', {'new': 2})
    assert files.read_json(tmp_path / 'results.json') == {'old': 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ['results.json']


def test_a_block_that_raises_leaves_the_old_file(tmp_path):
    """A plot that fails half-way would replace a good picture by a broken one."""
    files.write_text(tmp_path / 'a.txt', 'old')
    with pytest.raises(RuntimeError), files.replacing(tmp_path / 'a.txt') as file:
        file.write(b'half')
        raise RuntimeError
    assert (tmp_path / 'a.txt').read_text() == 'old'


def test_a_killed_write_leaves_the_old_file_and_the_next_run_sweeps_its_rest(tmp_path):
    """SIGKILL runs no handler: only the order write, fsync, rename protects the old file."""
    files.write_text(tmp_path / 'a.txt', 'old')
    code = (
        'import os, signal, sys\nfrom mer_jax.runfiles import files as workdir\n'
        'with workdir.replacing(sys.argv[1]) as file:\n'
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, '-c', code, tmp_path / 'a.txt'], cwd=ROOT, check=False)
    assert (tmp_path / 'a.txt').read_text() == 'old'
    assert len(list(tmp_path.iterdir())) == 2
    with files.lock(tmp_path):
        assert sorted(entry.name for entry in tmp_path.iterdir()) == ['.lock', 'a.txt']


def test_files_are_readable_to_others(tmp_path):
    """A temporary file of mkstemp is private, and a shared run folder would then hold results
    nobody can read.
    """
    files.write_text(tmp_path / 'a.txt', 'x')
    (tmp_path / 'b.txt').write_text('x')
    assert (tmp_path / 'a.txt').stat().st_mode == (tmp_path / 'b.txt').stat().st_mode


def test_csv_round_trip_with_commas_quotes_and_newlines(tmp_path):
    """A reason with a comma would shift every column behind it."""
    rows = [['a,b', 'say "no"', 'line\nbreak'], ['é', '', '1']]
    files.write_csv(tmp_path / 'a.csv', ['x', 'y', 'z'], rows)
    assert [list(row.values()) for row in files.read_csv(tmp_path / 'a.csv')] == rows
    assert b'\r' not in (tmp_path / 'a.csv').read_bytes()
    with pytest.raises(ValueError, match='a row of 1 under a header of 3'):
        files.write_csv(tmp_path / 'a.csv', ['x', 'y', 'z'], [[1]])
    (tmp_path / 'b.csv').write_text('x,y\n1,2\n3\n')
    with pytest.raises(UserError, match='b.csv, row 3: 1 columns'):
        files.read_csv(tmp_path / 'b.csv')


def test_array_round_trip(tmp_path):
    """The held-out outputs of every epoch feed the oracle block; a changed dtype would change its
    ties.
    """
    array = np.random.default_rng(0).normal(size=(3, 4, 2)).astype(np.float32)
    files.write_array(tmp_path / files.HELD_OUT, array)
    found = np.load(tmp_path / files.HELD_OUT)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, array)


def log(path, epochs):
    """A metrics.jsonl with one record an epoch."""
    for epoch in epochs:
        files.append_jsonl(
            path, [{'epoch': epoch, 'loss': float('nan') if epoch == 2 else 1 / epoch}]
        )


def test_cut_drops_the_epochs_after_the_checkpoint(tmp_path):
    """Without the cut a resumed run would list the epochs between checkpoint and kill twice."""
    path = tmp_path / 'metrics.jsonl'
    log(path, range(1, 6))
    files.cut_jsonl(path, lambda record: record['epoch'] <= 3)
    log(path, [4])
    assert [record['epoch'] for record in files.read_jsonl(path)] == [1, 2, 3, 4]
    assert files.read_jsonl(path)[1]['loss'] is None
    files.cut_jsonl(tmp_path / 'none.jsonl', lambda record: record['epoch'] <= 3)
    assert not (tmp_path / 'none.jsonl').exists()


@pytest.mark.parametrize(
    'rest', [b'{"epoch": 6, "lo', b'{"epoch": 6, "name": "\xc3', b'\x00\x00\x00', b'6']
)
def test_a_half_written_last_line_is_dropped(tmp_path, rest):
    """A kill within the last write must not make a run of hours impossible to resume."""
    path = tmp_path / 'metrics.jsonl'
    log(path, range(1, 6))
    with open(path, 'ab') as file:
        file.write(rest)
    assert len(files.read_jsonl(path)) == 5
    files.cut_jsonl(path, lambda record: record['epoch'] <= 9)
    log(path, [6])
    assert [record['epoch'] for record in files.read_jsonl(path)] == [1, 2, 3, 4, 5, 6]


def test_a_bad_line_elsewhere_is_an_error_with_its_number(tmp_path):
    """Dropping it silently would hide a damaged file behind a curve with a gap."""
    path = tmp_path / 'metrics.jsonl'
    path.write_text('{"epoch": 1}\n{"epoch": \n{"epoch": 3}\n')
    with pytest.raises(UserError, match='metrics.jsonl, line 2: is not a JSON record'):
        files.cut_jsonl(path, lambda record: record['epoch'] <= 3)
    path.write_text('{"epoch": 1}\n{"step": 2}\n')
    with pytest.raises(UserError, match="metrics.jsonl, line 2: holds no 'epoch'"):
        files.cut_jsonl(path, lambda record: record['epoch'] <= 3)


def test_predictions_round_trip(tmp_path):
    """predictions.csv is what other tools re-score: names, folds, seeds and scores must be those of
    the run.
    """
    run = predictions()
    files.write_predictions(tmp_path / 'p.csv', run, NAMES)
    found = files.read_predictions(tmp_path / 'p.csv')
    exact = np.exp(run.output.astype(np.float64))
    exact /= exact.sum(1, keepdims=True)
    for i, row in enumerate(found):
        assert row['clip'] == NAMES.clips[run.clip[i]]
        assert (row['subject'], row['dataset']) == (
            NAMES.subjects[run.subject[i]],
            NAMES.datasets[run.dataset[i]],
        )
        assert (row['fold'], row['seed']) == (run.fold[i], run.seed[i])
        assert row['label'] == NAMES.classes[run.label[i]]
        assert row['predicted'] == NAMES.classes[run.output[i].argmax()]
        assert list(row['scores']) == list(NAMES.classes)
        np.testing.assert_allclose(list(row['scores'].values()), exact[i], rtol=1e-5)
    header = (tmp_path / 'p.csv').read_text().splitlines()[0]
    assert (
        header
        == 'clip,subject,dataset,fold,seed,label,predicted,"score_nega""tive","score_posi,tive"'
    )


def test_predictions_are_the_same_bytes_twice_and_name_frames_where_rows_are_frames(tmp_path):
    """Digits that vary would make two equal runs look different; frames of one clip need their
    number.
    """
    for name in 'ab':
        files.write_predictions(tmp_path / name, predictions(frames=(3, 9, 0, 0)), NAMES)
    assert (tmp_path / 'a').read_bytes() == (tmp_path / 'b').read_bytes()
    assert files.read_predictions(tmp_path / 'a')[1]['frame'] == '9'


def test_predictions_of_nothing_and_with_a_bad_row(tmp_path):
    """A run on all rows holds nothing out; a row edited by hand must be named."""
    nothing = Predictions(*[np.zeros(0, np.int32)] * 7, np.zeros((0, 2), np.float32))
    files.write_predictions(tmp_path / 'p.csv', nothing, NAMES)
    assert files.read_predictions(tmp_path / 'p.csv') == []
    (tmp_path / 'q.csv').write_text('clip,fold,seed,score_a\nx,0,0,1\ny,one,0,1\n')
    with pytest.raises(UserError, match="q.csv, row 3: .*'one'"):
        files.read_predictions(tmp_path / 'q.csv')


def test_softmax_of_large_logits_is_finite():
    """exp(1000) overflows and would write nan into predictions.csv."""
    np.testing.assert_allclose(
        files.softmax([[1000.0, 999.0], [-1e4, 0.0]])[:, 0], [1 / (1 + np.exp(-1)), 0]
    )


def test_prepare_makes_and_reuses_the_folder_of_a_run(tmp_path):
    """Orbax refuses relative paths, so the folder must come back absolute."""
    path = files.prepare(tmp_path / 'runs' / 'a')
    assert path.is_dir() and path.is_absolute()
    with files.lock(path):
        pass
    assert files.prepare(path) == path  # a run that was killed before it wrote its config
    files.write_json(path / files.CONFIG, {})
    files.write_text(path / 'other.txt', '')
    assert files.prepare(path) == path


def test_prepare_refuses_what_is_no_run(tmp_path, monkeypatch):
    """--workdir=~/photos must not be filled with the files of a run."""
    (tmp_path / 'file').write_text('')
    (tmp_path / 'photos').mkdir()
    (tmp_path / 'photos' / 'cat.png').write_text('')
    with pytest.raises(UserError, match=r"file'.*it is a file"):
        files.prepare(tmp_path / 'file')
    with pytest.raises(UserError, match='cannot be made a folder'):
        files.prepare(tmp_path / 'file' / 'run')
    with pytest.raises(UserError, match="holds 'cat.png' but no config.json"):
        files.prepare(tmp_path / 'photos')
    monkeypatch.setattr(os, 'access', lambda *_: False)
    with pytest.raises(UserError, match='no permission to write'):
        files.prepare(tmp_path / 'new')


@pytest.mark.parametrize(
    ('config', 'variant', 'expected'),
    [
        ('configs/casme2_dualbranch.py', '', 'runs/casme2_dualbranch'),
        (
            'configs/casme2_dualbranch.py',
            'classes=3,quick',
            'runs/casme2_dualbranch-classes=3,quick',
        ),
        ('/a b/my config.py', 'x/../y:z', 'runs/my_config-x_.._y_z'),
    ],
)
def test_default_folder_of_a_run(config, variant, expected):
    """A slash or colon of a variant would leave runs/ or fail on another system."""
    assert files.default(config, variant) == expected


def test_differences_of_nested_settings():
    """Resuming under changed settings would mix two experiments in one results.json."""
    old = {
        'model': {'name': 'a', 'width': 3},
        'sizes': (1, 2),
        'data': {'data_dir': '/a'},
        'gone': 1,
        'empty': {},
    }
    new = {
        'model': {'name': 'b', 'width': 3.0},
        'sizes': [1, 2],
        'data': {'data_dir': '/b'},
        'more': {'x': 2},
        'empty': {},
    }
    found = files.differences(old, new, ignore=('data.data_dir',))
    assert found == [('model.name', 'a', 'b'), ('gone', 1, None), ('more.x', None, 2)]
    assert files.differences(old, new, ignore=('data', 'model', 'gone', 'more')) == []
    assert files.differences({'da': 1}, {'da': 2}, ignore=('d',)) == [('da', 1, 2)]


def test_settings_survive_the_file_without_differences(tmp_path):
    """A tuple or numpy number that reads back otherwise would make every resume impossible."""
    config = {'a': (1, 2), 'b': {'c': 1e-3, 'd': np.float32(0.5), 'e': ''}}
    files.write_json(tmp_path / 'config.json', config)
    assert files.differences(files.read_json(tmp_path / 'config.json'), config) == []


def test_lock_refuses_a_second_process_and_frees_itself_when_killed(tmp_path):
    """Two processes in one folder would interleave checkpoints; a stale lock would forbid resuming
    after a kill.
    """
    code = (
        'import sys, time\nfrom mer_jax.runfiles import files as workdir\n'
        'with workdir.lock(sys.argv[1]):\n    print(1, flush=True); time.sleep(60)'
    )
    other = subprocess.Popen(
        [sys.executable, '-c', code, tmp_path], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert other.stdout.readline() == b'1\n'
    with pytest.raises(UserError, match=f'process {other.pid} is training'), files.lock(tmp_path):
        pass
    other.send_signal(signal.SIGKILL)
    other.communicate()
    with files.lock(tmp_path):
        assert (tmp_path / files.LOCK).read_text() == f'{os.getpid()}\n'
    with files.lock(tmp_path):  # let go at the end of the block
        pass


def test_append_is_on_disk_before_it_returns(tmp_path):
    """A buffered line would be lost by the kill that the file is meant to survive."""
    path = tmp_path / 'm.jsonl'
    code = (
        'import os, sys\nfrom mer_jax.runfiles import files as workdir\n'
        'workdir.append_jsonl(sys.argv[1], [{"epoch": 1}]); os.kill(os.getpid(), 9)'
    )
    subprocess.run([sys.executable, '-c', code, path], cwd=ROOT, check=False)
    assert json.loads(path.read_text()) == {'epoch': 1}
