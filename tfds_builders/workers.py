"""Computes one record a clip on every core; of releases keeps finished ones until the build is
complete.
"""

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
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import tqdm

from mer_jax.errors import UserError

_FEW = 8  # clips that one process computes sooner than others have started


def compute(function, clips, scratch, *, settings, processes, title, progress):
    """function(clip) -> {name: array or text} for every clip, on `processes` processes. Returns
    {clip id: file in `scratch`}.

    A file is named by the bytes of the clip's frames and `settings` (JSON), so a killed build goes
    on where it was and other input or settings never meet an old record. Raises UserError where the
    disk cannot hold the data set.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    begun = any(scratch.glob('*.npz'))
    one = partial(_keep, function, scratch=str(scratch), settings=settings)
    files, waiting = {}, sorted(clips, key=lambda clip: len(clip.frames))
    if not waiting:
        return files
    typical = waiting.pop(len(waiting) // 2)
    start = time.perf_counter()
    files[typical.clip] = one(typical)
    seconds = 0.0 if begun else time.perf_counter() - start
    _announce(title, files[typical.clip], typical, waiting, scratch, processes, seconds, progress)
    bar = tqdm.tqdm(
        total=len(clips), initial=1, unit='clip', desc=title, disable=not progress, smoothing=0.05
    )
    with bar, _pool(processes if len(waiting) > _FEW else 1) as run:
        # the longest first: none of them is left to one core at the end
        for clip, file in run(one, waiting[::-1]):
            files[clip.clip] = file
            bar.update()
    return files


def threaded(function, jobs, *, cores, title, progress):
    """Yields function(job) for every one of `jobs` (a list), in their order, computed by `cores`
    threads of this process.

    For short work inside OpenCV and NumPy, which compute without Python's lock: nothing to start,
    nothing that outlives a killed build, and a script needs no `if __name__ == '__main__'`. Until
    the last is out OpenCV itself uses one thread.
    """
    before, asked = cv2.getNumThreads(), collections.deque()
    bar = tqdm.tqdm(total=len(jobs), unit='clip', desc=title, disable=not progress, smoothing=0.05)
    executor = concurrent.futures.ThreadPoolExecutor(cores)
    # more a job would fight over the cores: a sixth more work for the same result
    cv2.setNumThreads(1)
    try:
        for job in jobs:
            asked.append(executor.submit(function, job))
            if len(asked) > 2 * cores:  # not all at once: finished records wait in memory
                yield asked.popleft().result()
                bar.update()
        while asked:
            yield asked.popleft().result()
            bar.update()
    finally:
        executor.shutdown(cancel_futures=True)
        cv2.setNumThreads(before)
        bar.close()


def read(file):
    """The record in a file: arrays, and text as str."""
    with np.load(file, allow_pickle=False) as stored:
        return {
            name: stored[name].item() if stored[name].ndim == 0 else stored[name]
            for name in stored.files
        }


def _keep(function, clip, *, scratch, settings):
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
    known = clip._replace(frames=tuple(number for number, _ in clip.frames))
    total = hashlib.sha256(json.dumps([known, settings], sort_keys=True).encode())
    for _, path in clip.frames:
        total.update(hashlib.sha256(Path(path).read_bytes()).digest())
    return total.hexdigest()


def _announce(title, file, typical, waiting, scratch, processes, seconds, progress):
    """Say how long the rest will take (0 seconds: a killed build goes on) and how much disk; refuse
    where that is not free.
    """
    size = Path(file).stat().st_size / max(len(typical.frames), 1)
    frames = sum(len(clip.frames) for clip in waiting)
    kept = sum(path.stat().st_size for path in scratch.glob('*.npz'))
    # records until the end, and the data set
    needed, free = max(2 * size * frames - kept, 0), shutil.disk_usage(scratch).free
    if needed > free:
        raise UserError(
            f'{title}: needs about {needed / 1e9:.1f} GB in {scratch.parent}, {free / 1e9:.1f} '
            'GB are free; '
            'name a larger disk with --config.data.data_dir'
        )
    minutes = seconds / max(len(typical.frames), 1) * frames / processes / 60
    length = (
        f'about {max(minutes, 0.1):.1f} minutes on {processes} processes'
        if seconds
        else 'a build that was stopped goes on'
    )
    if progress:
        print(
            f'{title}: {len(waiting) + 1} clips, {frames + len(typical.frames)} frames; '
            f'{length}, at most '
            f'{max(needed, 1e6) / 1e6:.0f} MB',
            file=sys.stderr,
            flush=True,
        )


@contextlib.contextmanager
def _pool(processes):
    """with _pool(n) as run: run(function, items) yields (item, result) as they finish; n = 1 runs
    here.
    """
    if processes == 1:
        yield lambda function, items: ((item, function(item)) for item in items)
        return
    # spawn: a fork of a process that runs jax threads may hang
    executor = concurrent.futures.ProcessPoolExecutor(
        processes, multiprocessing.get_context('spawn'), initializer=_follow
    )
    try:
        yield partial(_as_completed, executor)
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _follow():
    """End this worker with its parent: after kill -9 of the build it would wait for work
    for ever.
    """
    threading.Thread(
        target=lambda: (multiprocessing.parent_process().join(), os._exit(1)), daemon=True
    ).start()


def _as_completed(executor, function, items):
    asked = {executor.submit(function, item): item for item in items}
    try:
        for done in concurrent.futures.as_completed(asked):
            yield asked[done], done.result()
    except concurrent.futures.process.BrokenProcessPool as error:
        raise UserError(
            'a process that computes clips was stopped from outside, perhaps for want of memory: '
            'the same command '
            'goes on from the clips that are done; a script of your own needs if __name__ == '
            "'__main__':"
        ) from error
