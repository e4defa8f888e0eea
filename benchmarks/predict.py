"""Seconds of an answer to a clip of 640x480 pixels: with known key frames, and searched.

  python benchmarks/predict.py [--frames 200] [--fps 100] [--rounds 5] [--quick]

The model is STSTNet on drawn faces, trained for an epoch. Opening it and the first answer, which
compiles, are listed by themselves. Processor seconds are those of all cores: on a machine with
other work they say more than the clock.
"""

import argparse
import itertools
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

import main as program  # noqa: E402
from benchmarks import command_line  # noqa: E402
from mer_jax.prediction import answers, clips  # noqa: E402
from mer_jax.prediction.predict import predict  # noqa: E402
from tests.support import drawn_recordings, videos  # noqa: E402
from tfds_builders.clip import KeyFrames  # noqa: E402

HEIGHT, WIDTH, SIDE = 480, 640, 384  # of a frame; the face fills SIDE pixels
SECONDS = 3.0  # of the drawn recording, whose first frames are taken
RUN = ('--config=synthetic_ststnet', '--config.data.name=synthetic_faces/tiny')


def write(folder: Path, count: int, fps: int) -> tuple[tuple[int, int, int], dict[str, Path]]:
    """Write a drawn recording as a folder of frames and as a video.

    Returns:
        (onset, apex, offset) of its micro-expression, and {kind: path}.
    """
    plan = drawn_recordings.plan(0, SECONDS, micro=1, slow=0)
    frames = []
    for _, _, gray in itertools.islice(drawn_recordings.frames(plan, fps), count):
        whole = np.full((HEIGHT, WIDTH), gray[0, 0], np.uint8)
        top, left = (HEIGHT - SIDE) // 2, (WIDTH - SIDE) // 2
        face = cv2.resize(gray, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        whole[top : top + SIDE, left : left + SIDE] = face
        frames.append(whole)
    paths = {'folder': folder / 'frames', 'video': folder / 'video.avi'}
    paths['folder'].mkdir()
    for number, frame in enumerate(frames):
        cv2.imwrite(str(paths['folder'] / f'img{number}.png'), frame)
    videos.write(paths['video'], np.stack(frames), fps=fps)
    return drawn_recordings.micro(plan, fps)[0], paths


def answer(
    model: answers.Model, path: Path, key_frames: tuple[int, int, int] | None, fps: float
) -> int:
    """Answer one input, and return how many clips it has."""
    way = clips.Way(
        key_frames and KeyFrames(*key_frames),
        float(fps),
        cropped=False,
        colour=model.recipe.colour,
        every_frame=model.recipe.every_frame,
    )
    count = 0
    for item in clips.of(clips.source_of(path, way), way):
        if isinstance(item, clips.ClipFrames):
            answers.of_clip(model, item, name=path.name)
            count += 1
    return count


def fastest(call: Callable[[], int], rounds: int) -> tuple[float, float, int]:
    """(seconds, processor seconds) of the fastest of some calls, each for itself, and what they
    return.
    """
    seconds, used, count = [], [], 0
    for _ in range(rounds):
        start, before = time.perf_counter(), time.process_time()
        count = call()
        seconds.append(time.perf_counter() - start)
        used.append(time.process_time() - before)
    return min(seconds), min(used), count


def main(argv: Sequence[str] | None = None) -> None:
    """Print a line for each input and way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--frames', type=int, default=200)
    parser.add_argument('--fps', type=int, default=100)
    parser.add_argument('--rounds', type=int, default=5)
    flags = command_line.parse(parser, argv, frames=75, fps=25, rounds=1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        keys, paths = write(folder, flags.frames, flags.fps)
        arguments = [*RUN, *command_line.QUICK_RUN, f'--workdir={folder}/run']
        assert program.main(arguments) == 0
        start = time.perf_counter()
        model = answers.opened(str(folder / 'run'))
        print(f'open the run: {time.perf_counter() - start:.2f} s', flush=True)
        for kind, path in paths.items():
            for way, key_frames in (('known key frames', keys), ('searched', None)):
                call = partial(answer, model, path, key_frames, flags.fps)
                first, _, _ = fastest(call, 1)
                seconds, used, count = fastest(call, flags.rounds)
                print(
                    f'{flags.frames} frames of {WIDTH}x{HEIGHT}, {kind}, {way}: {seconds:.2f} s, '
                    f'processor {used:.2f} s, {count} clips; the first time {first:.2f} s',
                    flush=True,
                )
        predict(folder / 'run', paths['video'], key_frames=keys, folder=folder / 'answer')


if __name__ == '__main__':
    main()
