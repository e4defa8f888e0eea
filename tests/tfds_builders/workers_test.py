"""Building clip by clip on several processes or threads: kept results, keys, order of work,
disk.
"""

import collections
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from mer_jax.errors import UserError
from tfds_builders import workers
from tfds_builders.clip import Clip

Usage = collections.namedtuple('Usage', 'total used free')


def clips(folder, count=10, content=b'x'):
    """Clips of three one-byte files each; nothing here decodes them."""
    made = []
    for number in range(count):
        paths = [Path(folder, f'{number}_{frame}.jpg') for frame in range(1, 4)]
        for path in paths:
            path.write_bytes(content + path.name.encode())
        made.append(
            Clip(
                f'c{number:02d}',
                's1',
                'casme2',
                'disgust',
                '4',
                True,
                1,
                2,
                3,
                'annotated',
                200.0,
                False,
                tuple(enumerate(paths, 1)),
            )
        )
    return made


def record(clip):
    """A record that tells which clip it is; leaves a trace of each call beside the clip's first
    file.
    """
    with open(clip.frames[0][1].with_suffix('.calls'), 'a') as file:
        file.write('.')
    flow = np.full((2, 2), clip.apex, np.float32)
    return {'clip': clip.clip, 'apex': clip.apex, 'known': clip.action_units_known, 'flow': flow}


def failing(clip):
    if clip.clip == 'c04':
        raise UserError('casme2: clip c04 is broken')
    return record(clip)


def compute(function, made, scratch, *, processes=1, settings='a'):
    return workers.compute(
        function,
        made,
        scratch,
        settings=settings,
        processes=processes,
        title='test',
        progress=False,
    )


def calls(made):
    return [len(clip.frames[0][1].with_suffix('.calls').read_text()) for clip in made]


@pytest.mark.parametrize('processes', [1, 2])
def test_every_clip_gives_its_own_record(tmp_path, processes):
    """A record under another clip's name would give that clip a stranger's label."""
    made = clips(tmp_path)
    files = compute(record, made, tmp_path / 'scratch', processes=processes)
    assert set(files) == {clip.clip for clip in made}
    for name, file in files.items():
        found = workers.read(file)
        assert found['clip'] == name and found['apex'] == 2 and found['known'] is True
        np.testing.assert_array_equal(found['flow'], np.full((2, 2), 2, np.float32))


def test_a_build_that_stopped_goes_on_where_it_was(tmp_path):
    """Hours of flow would be computed again after every kill."""
    made = clips(tmp_path)
    with pytest.raises(UserError, match='c04 is broken'):
        compute(failing, made, tmp_path / 'scratch')
    before = len(list((tmp_path / 'scratch').glob('*.npz')))
    assert before >= 5
    compute(record, made, tmp_path / 'scratch')
    assert calls(made) == [1] * len(made) and len(list((tmp_path / 'scratch').iterdir())) == len(
        made
    )


def test_other_bytes_or_settings_are_computed_anew(tmp_path):
    """A record of old pixels, or of other settings, would slip into the new build."""
    made = clips(tmp_path)
    first = compute(record, made, tmp_path / 'scratch')
    compute(record, made, tmp_path / 'scratch', settings='b')
    assert calls(made) == [2] * len(made)
    made[3].frames[1][1].write_bytes(b'other')
    again = compute(record, made, tmp_path / 'scratch')
    assert (
        calls(made) == [2, 2, 2, 3] + [2] * 6
        and first['c03'] != again['c03']
        and first['c02'] == again['c02']
    )


def test_what_the_sheet_says_is_part_of_the_key(tmp_path):
    """A corrected apex with the old flow would look as if it had been used."""
    made = clips(tmp_path, 1)
    first = compute(record, made, tmp_path / 'scratch')
    other = compute(record, [made[0]._replace(apex=3)], tmp_path / 'scratch')
    assert first != other and workers.read(other['c00'])['apex'] == 3


def test_a_full_disk_is_told_before_the_work(tmp_path, monkeypatch):
    """A build of an hour would end with a traceback at its last megabyte."""
    monkeypatch.setattr(workers.shutil, 'disk_usage', lambda _: Usage(10, 10, 1))
    with pytest.raises(
        UserError,
        match=r'needs about .* GB in .*free; name a larger disk with --config.data.data_dir',
    ):
        compute(record, clips(tmp_path), tmp_path / 'scratch')


def test_the_start_tells_time_and_disk(tmp_path, capsys):
    """Nobody starts a build on a laptop without knowing whether it takes minutes or days."""
    workers.compute(
        record,
        clips(tmp_path),
        tmp_path / 'scratch',
        settings='',
        processes=1,
        title='casme2/flow',
        progress=True,
    )
    assert 'casme2/flow: 10 clips, 30 frames; about' in capsys.readouterr().err


SCRIPT = """
import sys
from pathlib import Path
from tests.tfds_builders import workers_test
folder = Path(sys.argv[1])
workers_test.compute(workers_test.record, workers_test.clips(folder), folder / 's', processes=2)
"""


def test_a_script_without_its_guard_is_stopped_before_the_work(tmp_path):
    """It ended in 70 lines of two processes' tracebacks, and a last line about memory."""
    script, root = tmp_path / 'mine.py', Path(__file__).parents[2]
    script.write_text(SCRIPT)
    refused = subprocess.run(
        [sys.executable, script, tmp_path],
        env={**os.environ, 'PYTHONPATH': str(root)},
        capture_output=True,
        text=True,
    )
    last = refused.stderr.strip().split('\n')[-1]
    assert refused.returncode and 'mine.py' in last and "if __name__ == '__main__':" in last
    assert not any((tmp_path / 's').iterdir()) and 'spawn' not in refused.stderr


def dying(clip):
    os._exit(9)


def test_a_worker_that_dies_is_one_line(tmp_path):
    """The kernel kills the largest process when memory runs out; a traceback of the pool says
    nothing of that.
    """
    made = clips(tmp_path)
    # the first clip of a build is computed here, not by a worker
    compute(record, made[:6], tmp_path / 'scratch')
    with pytest.raises(
        UserError,
        match='stopped from outside, perhaps for want of memory: the same command goes on',
    ):
        compute(dying, made, tmp_path / 'scratch', processes=2)


def test_a_build_that_goes_on_says_so(tmp_path, capsys):
    """An estimate from a clip that is there already would promise hours of work in seconds."""
    made = clips(tmp_path)
    compute(record, made, tmp_path / 'scratch')
    workers.compute(
        record, made, tmp_path / 'scratch', settings='a', processes=1, title='t', progress=True
    )
    assert 'a build that was stopped goes on' in capsys.readouterr().err


def threaded(function, jobs, *, cores=2, progress=False):
    return workers.threaded(function, jobs, cores=cores, title='drawn/tiny', progress=progress)


def test_threads_give_every_result_in_order():
    """A result under another job's place, or one left out, would lose a clip."""
    assert list(threaded(lambda n: n * n, list(range(50)), cores=3)) == [n * n for n in range(50)]
    assert list(threaded(str, [])) == []


def test_threads_do_not_run_far_ahead():
    """All records of a large plan at once would fill the memory while they wait to be written."""
    begun = []
    results = threaded(begun.append, list(range(50)))
    next(results)
    time.sleep(0.2)  # they would run on now
    assert len(begun) <= 5
    results.close()


def break_at_three(number):
    if number == 3:
        raise UserError(f'clip {number} is broken')


@pytest.mark.parametrize('end', ['stopped', 'broken', 'done'])
def test_threads_leave_nothing_behind(end):
    """OpenCV on one thread for the rest of a program, or threads that work on, would slow down what
    comes after a build.
    """
    before, running = cv2.getNumThreads(), threading.active_count()
    cv2.setNumThreads(2)
    results = threaded(break_at_three if end == 'broken' else abs, list(range(20)))
    next(results)
    assert cv2.getNumThreads() == 1
    if end == 'stopped':
        results.close()
    elif end == 'broken':
        with pytest.raises(UserError, match='clip 3 is broken'):
            list(results)
    else:
        list(results)
    assert cv2.getNumThreads() == 2 and threading.active_count() == running
    cv2.setNumThreads(before)


def test_threads_tell_how_long_it_takes(capsys):
    """A first run of a minute without a sign of life looks like one that hangs."""
    list(threaded(abs, list(range(4))))
    assert capsys.readouterr().err == ''
    list(threaded(abs, list(range(4)), progress=True))
    told = capsys.readouterr().err
    assert 'drawn/tiny: 100%' in told and '4/4' in told and 'clip/s' in told
