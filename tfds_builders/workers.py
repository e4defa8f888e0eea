"""Computes one record per clip on every core.

Records of a release are kept on disk until the build is complete, so that a killed build goes on.
"""

import ast
import collections
import concurrent.futures
import contextlib
import hashlib
import json
import multiprocessing
import os
import shutil
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
import tqdm

from mer_jax.errors import UserError
from tfds_builders.clip import Clip

_FEW = 8  # clips that one process computes sooner than others have started
Job = TypeVar('Job')
Result = TypeVar('Result')


def compute(
    function: Callable[[Clip], dict],
    clips: Sequence[Clip],
    scratch: Path,
    *,
    settings: dict,
    processes: int,
    title: str,
    progress: bool,
) -> dict[str, Path]:
    """Computes function(clip), {name: array or text}, of every clip on several processes.

    A file is named by the bytes of the clip's frames and `settings` (JSON), so a killed build goes
    on where it was, and other input or settings never meet an old record.

    Returns:
      {clip id: file in `scratch`}.

    Raises:
      UserError: the disk cannot hold the data set.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    resumed = any(scratch.glob('*.npz'))
    compute_file = partial(_computed_file, function, scratch=str(scratch), settings=settings)
    files, waiting = {}, sorted(clips, key=lambda clip: len(clip.frames))
    if not waiting:
        return files
    typical = waiting.pop(len(waiting) // 2)
    if processes > 1 and len(waiting) > _FEW:
        _refuse_unguarded_script()
    start = time.perf_counter()
    files[typical.clip] = compute_file(typical)
    seconds = 0.0 if resumed else time.perf_counter() - start
    needed = _bytes_needed(files[typical.clip], typical, waiting, scratch)
    _refuse_full_disk(title, needed, scratch)
    if progress:
        _announce(title, _duration(seconds, typical, waiting, processes), clips, needed)
    bar = tqdm.tqdm(
        total=len(clips), initial=1, unit='clip', desc=title, disable=not progress, smoothing=0.05
    )
    with bar, _pool(processes if len(waiting) > _FEW else 1) as run:
        # the longest first: none of them is left to one core at the end
        for clip, file in run(compute_file, waiting[::-1]):
            files[clip.clip] = file
            bar.update()
    return files


def threaded(
    function: Callable[[Job], Result],
    jobs: Sequence[Job],
    *,
    cores: int,
    title: str,
    progress: bool,
    unit: str = 'clip',
) -> Iterator[Result]:
    """Yields function(job) of every job, in their order, computed by threads of this process.

    For short work inside OpenCV and NumPy, which compute without Python's lock: nothing to start,
    nothing that outlives a killed build, and a script needs no `if __name__ == '__main__'`. Until
    the last is out OpenCV itself uses one thread.
    """
    threads_before, running = cv2.getNumThreads(), collections.deque()
    bar = tqdm.tqdm(total=len(jobs), unit=unit, desc=title, disable=not progress, smoothing=0.05)
    executor = concurrent.futures.ThreadPoolExecutor(cores)
    # more a job would fight over the cores: a sixth more work for the same result
    cv2.setNumThreads(1)
    try:
        for job in jobs:
            running.append(executor.submit(function, job))
            if len(running) > 2 * cores:  # not all at once: finished records wait in memory
                yield running.popleft().result()
                bar.update()
        while running:
            yield running.popleft().result()
            bar.update()
    finally:
        executor.shutdown(cancel_futures=True)
        cv2.setNumThreads(threads_before)
        bar.close()


def read(file: Path) -> dict:
    """The record in a file: arrays, and text as str."""
    record = {}
    with np.load(file, allow_pickle=False) as stored:
        for name in stored.files:
            value = stored[name]
            record[name] = value.item() if value.ndim == 0 else value
    return record


def _computed_file(function, clip, *, scratch, settings):
    """The file that holds function(clip), computed unless it is there."""
    cv2.setNumThreads(1)  # one process a core already
    file = Path(scratch, f'{_key(clip, settings)}.npz')
    if not zipfile.is_zipfile(file):  # not there, or cut off when the machine went down
        temporary = file.with_name(f'{file.name}.{os.getpid()}.tmp')
        with open(temporary, 'wb') as stream:
            np.savez(stream, **function(clip))
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, file)
    return file


def _key(clip, settings):
    # the clip without the folder in which it lies
    annotation = clip._replace(frames=tuple(number for number, _ in clip.frames))
    total = hashlib.sha256(json.dumps([annotation, settings], sort_keys=True).encode())
    for path in dict.fromkeys(path for _, path in clip.frames):  # of a video all are one
        with open(path, 'rb') as file:
            total.update(hashlib.file_digest(file, 'sha256').digest())
    return total.hexdigest()


def _bytes_needed(file, typical, waiting, scratch):
    """Free bytes that the rest of a build takes: records until its end, and the data set."""
    bytes_of_frame = Path(file).stat().st_size / max(len(typical.frames), 1)
    kept = sum(path.stat().st_size for path in scratch.glob('*.npz'))
    return max(2 * bytes_of_frame * _frames(waiting) - kept, 0)


def _refuse_full_disk(title, needed, scratch):
    free = shutil.disk_usage(scratch).free
    if needed > free:
        raise UserError(
            f'{title}: needs about {needed / 1e9:.1f} GB in {scratch.parent}, {free / 1e9:.1f} '
            'GB are free; name a larger disk with --config.data.data_dir'
        )


def _duration(seconds, typical, waiting, processes):
    """How long the rest will take, as text; 0 seconds: a killed build goes on."""
    if not seconds:
        return 'a build that was stopped goes on'
    minutes = seconds / max(len(typical.frames), 1) * _frames(waiting) / processes / 60
    return f'about {max(minutes, 0.1):.1f} minutes on {processes} processes'


def _announce(title, duration, clips, needed):
    """Says before the work how long it will take and how much disk."""
    print(
        f'{title}: {len(clips)} clips, {_frames(clips)} frames; {duration}, at most '
        f'{max(needed, 1e6) / 1e6:.0f} MB',
        file=sys.stderr,
        flush=True,
    )


def _refuse_unguarded_script():
    """Stops a script that every new process would run again from its first line.

    Raises:
      UserError: the script that runs has no `if __name__ == '__main__':`.
    """
    main = sys.modules['__main__']
    script = getattr(main, '__file__', None)
    name = getattr(getattr(main, '__spec__', None), 'name', '')
    if not script or name.endswith('__main__'):  # a console; `python -m` a package: not run again
        return
    try:
        tree = ast.parse(Path(script).read_bytes())
    except (OSError, SyntaxError, ValueError):  # a compiled program, an archive
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and "'__main__'" in ast.unparse(node):
            return
    raise UserError(
        f"{script}: needs the line if __name__ == '__main__': above what it runs, and that "
        'indented below it; clips are computed by several processes, each of which reads the '
        'script again'
    )


def _frames(clips):
    return sum(len(clip.frames) for clip in clips)


@contextlib.contextmanager
def _pool(processes):
    """A function run(function, items) that yields (item, result) as they finish.

    One process is this one.
    """
    if processes == 1:
        yield lambda function, items: ((item, function(item)) for item in items)
        return
    # spawn: a fork of a process that runs jax threads may hang
    executor = concurrent.futures.ProcessPoolExecutor(
        processes, multiprocessing.get_context('spawn'), initializer=_end_with_parent
    )
    try:
        yield partial(_as_completed, executor)
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _end_with_parent():
    """Ends this worker with its parent: after kill -9 of the build it would wait for ever."""

    def wait() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _as_completed(executor, function, items):
    item_of = {executor.submit(function, item): item for item in items}
    try:
        for future in concurrent.futures.as_completed(item_of):
            yield item_of[future], future.result()
    except concurrent.futures.process.BrokenProcessPool as error:
        raise UserError(
            'a process that computes clips was stopped from outside, perhaps for want of memory: '
            'the same command goes on from the clips that are done; a script of your own needs '
            "if __name__ == '__main__':"
        ) from error
