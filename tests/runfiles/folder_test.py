"""folder: who may begin a run where, and what keeps two processes apart."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mer_jax.errors import UserError
from mer_jax.runfiles import files, writing
from mer_jax.runfiles.config import RunConfig
from mer_jax.runfiles.folder import lock, prepare

ROOT = Path(__file__).parents[2]


def test_prepare_makes_and_reuses_the_folder_of_a_run(tmp_path):
    """Orbax refuses relative paths, so the folder must come back absolute."""
    path = prepare(tmp_path / 'runs' / 'a')
    assert path.is_dir() and path.is_absolute()
    with lock(path):
        pass
    assert prepare(path) == path  # a run that was killed before it wrote its config
    RunConfig({}, 'print').write(path)
    writing.write_text(path / 'other.txt', '')
    assert prepare(path) == path


def test_prepare_refuses_what_is_no_run(tmp_path, monkeypatch):
    """--workdir=~/photos must not be filled with the files of a run."""
    (tmp_path / 'file').write_text('')
    (tmp_path / 'photos').mkdir()
    (tmp_path / 'photos' / 'cat.png').write_text('')
    with pytest.raises(UserError, match="file'"):
        prepare(tmp_path / 'file')
    with pytest.raises(UserError, match='cannot be created'):
        prepare(tmp_path / 'file' / 'run')
    with pytest.raises(UserError, match="'cat.png'.*config.json"):
        prepare(tmp_path / 'photos')
    monkeypatch.setattr(os, 'access', lambda *_: False)
    with pytest.raises(UserError, match='permission'):
        prepare(tmp_path / 'new')


def test_lock_refuses_a_second_process_and_frees_itself_when_killed(tmp_path):
    """Two processes in one folder would interleave checkpoints; a stale lock would forbid resuming
    after a kill.
    """
    code = (
        'import sys, time\nfrom mer_jax.runfiles.folder import lock\n'
        'with lock(sys.argv[1]):\n    print(1, flush=True); time.sleep(60)'
    )
    other = subprocess.Popen(
        [sys.executable, '-c', code, tmp_path], cwd=ROOT, stdout=subprocess.PIPE
    )
    assert other.stdout.readline() == b'1\n'
    with pytest.raises(UserError, match=f'process {other.pid} is training'), lock(tmp_path):
        pass
    other.send_signal(signal.SIGKILL)
    other.communicate()
    with lock(tmp_path):
        assert (tmp_path / files.LOCK).read_text() == f'{os.getpid()}\n'
    with lock(tmp_path):  # let go at the end of the block
        pass
