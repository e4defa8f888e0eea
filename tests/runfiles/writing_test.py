"""writing: files survive kills, and are refused in one line where they cannot be read."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mer_jax.errors import UserError
from mer_jax.runfiles import reading, writing
from mer_jax.runfiles.folder import lock

ROOT = Path(__file__).parents[2]


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
    writing.write_json(tmp_path / 'a.json', value)
    expected = {
        **value,
        'a': 0.5,
        'b': [3, None, None],
        'c': {'d': [0, 1, 2], 'e': [True, None]},
        'path': 'x',
    }
    assert reading.read_json(tmp_path / 'a.json') == expected
    text = (tmp_path / 'a.json').read_text()
    assert 'NaN' not in text and 'Infinity' not in text
    assert '\n    {"subject": "s01", "accuracy": 0.25},\n' in text  # one table row, one line


def test_read_json_names_the_file_that_is_broken(tmp_path):
    """A traceback of the json module does not say which of the run's files is bad."""
    (tmp_path / 'plan.json').write_text('{"a": ')
    with pytest.raises(UserError, match='plan.json.*JSON'):
        reading.read_json(tmp_path / 'plan.json')
    with pytest.raises(UserError, match='none.json'):
        reading.read_json(tmp_path / 'none.json')


def failing(*_):
    """A disk that fails."""
    raise OSError('disk full')


@pytest.mark.parametrize('step', ['fsync', 'replace'])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch, step):
    """Writing in place would leave half of results.json after a kill, and the finished run would be
    lost.
    """
    writing.write_json(tmp_path / 'results.json', {'old': 1})
    monkeypatch.setattr(os, step, failing)
    with pytest.raises(OSError, match='disk full'):
        writing.write_json(tmp_path / 'results.json', {'new': 2})
    assert reading.read_json(tmp_path / 'results.json') == {'old': 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ['results.json']


def test_a_block_that_raises_leaves_the_old_file(tmp_path):
    """A plot that fails half-way would replace a good picture by a broken one."""
    writing.write_text(tmp_path / 'a.txt', 'old')
    with pytest.raises(RuntimeError), writing.replacing(tmp_path / 'a.txt') as file:
        file.write(b'half')
        raise RuntimeError
    assert (tmp_path / 'a.txt').read_text() == 'old'


def test_a_killed_write_leaves_the_old_file_and_the_next_run_sweeps_its_rest(tmp_path):
    """SIGKILL runs no handler: only the order write, fsync, rename protects the old file."""
    writing.write_text(tmp_path / 'a.txt', 'old')
    code = (
        'import os, signal, sys\nfrom mer_jax.runfiles import writing\n'
        'with writing.replacing(sys.argv[1]) as file:\n'
        "    file.write(b'half'); file.flush(); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, '-c', code, tmp_path / 'a.txt'], cwd=ROOT, check=False)
    assert (tmp_path / 'a.txt').read_text() == 'old'
    assert len(list(tmp_path.iterdir())) == 2
    with lock(tmp_path):
        assert sorted(entry.name for entry in tmp_path.iterdir()) == ['.lock', 'a.txt']


def test_what_a_killed_write_left_goes_when_the_file_is_written_again(tmp_path):
    """The folders of an audit, a grid or a comparison are not locked: nothing else would sweep
    them.
    """
    ended = subprocess.Popen([sys.executable, '-c', ''])
    ended.wait()
    killed, writes, other = (
        tmp_path / f'.{name}.{process}.part'
        for name, process in (
            ('a[1].txt', ended.pid),
            ('a[1].txt', os.getppid()),
            ('b.txt', ended.pid),
        )
    )
    for part in (killed, writes, other):
        part.write_bytes(b'half')
    writing.write_text(tmp_path / 'a[1].txt', 'whole')
    assert sorted(tmp_path.iterdir()) == sorted([tmp_path / 'a[1].txt', writes, other])


def test_files_are_readable_to_others(tmp_path):
    """A temporary file of mkstemp is private, and a shared run folder would then hold results
    nobody can read.
    """
    writing.write_text(tmp_path / 'a.txt', 'x')
    (tmp_path / 'b.txt').write_text('x')
    assert (tmp_path / 'a.txt').stat().st_mode == (tmp_path / 'b.txt').stat().st_mode


def test_csv_round_trip_with_commas_quotes_and_newlines(tmp_path):
    """A reason with a comma would shift every column behind it."""
    rows = [['a,b', 'say "no"', 'line\nbreak'], ['é', '', '1']]
    writing.write_csv(tmp_path / 'a.csv', ['x', 'y', 'z'], rows)
    table = reading.read_csv(tmp_path / 'a.csv')
    assert table.header == ['x', 'y', 'z'] and table.rows == rows
    assert b'\r' not in (tmp_path / 'a.csv').read_bytes()
    with pytest.raises(ValueError, match='1.*3'):
        writing.write_csv(tmp_path / 'a.csv', ['x', 'y', 'z'], [[1]])
    (tmp_path / 'b.csv').write_text('x,y\n1,2\n3\n')
    with pytest.raises(UserError, match='b.csv, row 3.*1'):
        reading.read_csv(tmp_path / 'b.csv')


def test_append_is_on_disk_before_it_returns(tmp_path):
    """A buffered line would be lost by the kill that the file is meant to survive."""
    path = tmp_path / 'm.jsonl'
    code = (
        'import os, sys\nfrom mer_jax.runfiles import writing\n'
        'writing.append_jsonl(sys.argv[1], [{"epoch": 1}]); os.kill(os.getpid(), 9)'
    )
    subprocess.run([sys.executable, '-c', code, path], cwd=ROOT, check=False)
    assert json.loads(path.read_text()) == {'epoch': 1}
