"""Seconds and memory of an hour of video, and what compression does to the flow of drawn faces.

  python benchmarks/recordings.py [--minutes 60] [--stages read,check,search] [--clips 12] [--quick]

A stage is a new process: `read` takes every frame, `check` looks for faces and cuts as well,
`search` for candidates too. Its memory is the peak less what the idle process had before, after a
tenth of the frames and at the end: a recording is read in bounded memory where both are equal.
Linux only.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import command_line  # noqa: E402
from mer_jax.preprocess import flow  # noqa: E402
from mer_jax.preprocess.synthetic import clips  # noqa: E402
from tests.support import videos  # noqa: E402

FPS, HEIGHT, WIDTH, SIDE = 25, 480, 640, 384  # of the hour; the face fills SIDE pixels
PLAN, SEED = 'large', 0  # of the clips
CODECS = {'MJPG': '.avi', 'mp4v': '.mp4'}
SIDES = (128, 256)  # pixels of a face in a compressed frame
MOVED = 0.5  # pixels from which on a place counts as moved

# {frames}: an expression of `recording`
PROCESS = """
import sys, time
from pathlib import Path
from mer_jax.prediction import face_check
from tfds_builders.videos import open_recording
def searched(recording):
    from mer_jax.prediction import candidates
    state = candidates.init()
    for frame in face_check.watch(recording):
        state, _ = candidates.step(state, frame)
        yield frame
    candidates.finish(state)
def megabytes(name):
    # the peak that getrusage returns begins with that of the parent process
    return int(Path('/proc/self/status').read_text().split(name + ':')[1].split()[0]) / 1024
idle, peaks, start, used = megabytes('VmRSS'), [], time.perf_counter(), time.process_time()
with open_recording(sys.argv[1]) as recording:
    for number, frame in enumerate({frames}, 1):
        if number == recording.count // 10:
            peaks.append(megabytes('VmHWM') - idle)
seconds = time.perf_counter() - start
assert number == recording.count and not recording.spans, recording.warnings
print(seconds, time.process_time() - used, *peaks, megabytes('VmHWM') - idle)
"""
STAGES = {
    'read': 'recording',
    'check': 'face_check.watch(recording)',
    'search': 'searched(recording)',
}


def write_recording(path: Path, frames: int) -> None:
    """Write a face that moves to and fro, before a wall."""
    subject = clips.person(SEED, 1)
    clip = clips.make(SEED, 1, 0, 'happiness', subject)
    once = [cv2.resize(frame, (SIDE, SIDE)) for frame in clip.frames]
    top, left = (HEIGHT - SIDE) // 2, (WIDTH - SIDE) // 2
    pictures = np.full((2 * len(once), HEIGHT, WIDTH), 90, np.uint8)
    pictures[:, top : top + SIDE, left : left + SIDE] = once + once[::-1]
    order = np.arange(frames) % len(pictures)
    videos.write_jpegs(path, pictures, fps=FPS, order=order.tolist())


def print_stages(path: Path, stages: Sequence[str], frames: int) -> None:
    """Print what each stage costs."""
    print(f'{frames / FPS / 60:.2f} minutes of {WIDTH}x{HEIGHT} at {FPS} frames a second:')
    for stage in stages:
        code = PROCESS.format(frames=STAGES[stage])
        done = subprocess.run(
            [sys.executable, '-c', code, str(path)], cwd=ROOT, capture_output=True, text=True
        )
        if done.returncode:
            raise SystemExit(done.stderr)
        seconds, used, early, late = map(float, done.stdout.split())
        length = frames / FPS
        print(
            f'{stage:7} {seconds:.1f} s, {length / seconds:.1f} times as fast as it lasts '
            f'({length / used:.1f} times by {used:.1f} s of a processor); memory {early:.0f} MB '
            f'after a tenth, {late:.0f} MB at the end',
            flush=True,
        )


def compressed(frames: np.ndarray, codec: str, side: int, folder: Path) -> tuple[np.ndarray, int]:
    """Frames uint8[T, 128, 128] through a codec, in which they have `side` pixels.

    Returns:
        The frames, at their size before, and bytes of a frame.
    """
    large = np.stack([cv2.resize(frame, (side, side)) for frame in frames])
    path = folder / f'clip{CODECS[codec]}'
    videos.write(path, np.repeat(large[..., None], 3, axis=3), fps=100, codec=codec)
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    read = []
    for _ in frames:
        gray = cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2GRAY)
        read.append(cv2.resize(gray, frames.shape[:0:-1], interpolation=cv2.INTER_AREA))
    return np.stack(read), path.stat().st_size // len(frames)


def print_losses(count: int, method: str, folder: Path) -> None:
    """Print how far flow from onset to apex is off, with and without compression."""
    jobs = clips.jobs(PLAN, seed=SEED)
    drawn = [clips.render(job) for job in jobs[:: max(1, len(jobs) // count)][:count]]
    ways = ['frames', *(f'{codec} {side} px' for side in SIDES for codec in CODECS)]
    errors, differences, sizes = ({way: [] for way in ways} for _ in range(3))
    for clip in drawn:
        truth = clip.displacement
        moved = np.linalg.norm(truth, axis=-1) > MOVED
        plain = _flow(clip, clip.frames, method)
        for way in ways:
            field, size = plain, clip.frames[0].size
            if way != 'frames':
                codec, side, _ = way.split()
                frames, size = compressed(clip.frames, codec, int(side), folder)
                field = _flow(clip, frames, method)
            errors[way].append(np.linalg.norm(field - truth, axis=-1)[moved].mean())
            differences[way].append(np.linalg.norm(field - plain, axis=-1)[moved].mean())
            sizes[way].append(size)
    lengths = [np.linalg.norm(clip.displacement, axis=-1) for clip in drawn]
    mean = statistics.fmean(length[length > MOVED].mean() for length in lengths)
    print(f'{len(drawn)} drawn faces, places that move by {MOVED} pixels or more, {mean:.2f} in')
    print(f'the mean, from onset to apex; {method} flow of 128 pixels, errors in pixels:')
    for way in ways:
        print(
            f'{way:12} {statistics.fmean(sizes[way]) / 1000:5.1f} KB a frame, off the truth by '
            f'{statistics.fmean(errors[way]):.3f}, off the flow of the frames by '
            f'{statistics.fmean(differences[way]):.3f}'
        )


def _flow(clip, frames, method):
    onset, apex = frames[clip.onset - clip.first_frame], frames[clip.apex - clip.first_frame]
    return flow.estimate(onset, apex, method=method)


def main(argv: Sequence[str] | None = None) -> None:
    """Print both."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--minutes', type=float, default=60)
    parser.add_argument('--stages', default=','.join(STAGES))
    parser.add_argument('--clips', type=int, default=12)
    parser.add_argument('--flow', choices=('tvl1', 'farneback', 'dis'), default='tvl1')
    options = command_line.parse(parser, argv, minutes=0.04, stages='check', clips=1, flow='dis')
    with tempfile.TemporaryDirectory() as folder:
        print_losses(options.clips, options.flow, Path(folder))
        frames = round(options.minutes * 60 * FPS)
        path = Path(folder) / 'recording.avi'
        write_recording(path, frames)
        print_stages(path, options.stages.split(','), frames)


if __name__ == '__main__':
    main()
