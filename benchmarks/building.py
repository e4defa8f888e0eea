"""Seconds, memory and disk of building each input from made-up clips, on one process and on every
core.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import command_line  # noqa: E402
from mer_jax import machine  # noqa: E402
from tests.support.fake_raw import pictures  # noqa: E402
from tfds_builders import inputs, workers  # noqa: E402
from tfds_builders.clip import Clip  # noqa: E402


def write(folder: str, count: int, length: int) -> list[Clip]:
    """`count` Clips of `length` frames, 280x340 colour JPEG as a release's face crops, one subject
    each.
    """
    clips, apex = [], length // 2 + 1
    for number in range(count):
        paths = []
        for frame in range(1, length + 1):
            strength = pictures.strength(frame, 1, apex, length)
            image = pictures.moving_face(
                number % 26, (340, 280), emotion='surprise', strength=strength, channels=3
            )
            paths.append(Path(folder, f'{number}_img{frame}.jpg'))
            paths[-1].write_bytes(pictures.encode('.jpg', image))
        clips.append(
            Clip(
                f'c{number:03d}',
                f's{number % 26}',
                'casme2',
                'surprise',
                '1+2',
                True,
                1,
                apex,
                length,
                'annotated',
                200.0,
                True,
                tuple(enumerate(paths, 1)),
            )
        )
    return clips


def main(argv: Sequence[str] | None = None) -> None:
    """Print a line for each input and number of processes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--clips', type=int, default=250)
    parser.add_argument(
        '--length', type=int, default=9, help='frames a clip (real ones have 11 to 141)'
    )
    parser.add_argument('--kinds', default=','.join(inputs.KINDS))
    flags = command_line.parse(parser, argv, clips=2, length=3, kinds='flow')
    with tempfile.TemporaryDirectory() as folder:
        clips = write(folder, flags.clips, flags.length)
        for kind in flags.kinds.split(','):
            options = {
                name: values[0] for name, values in inputs.options_of(kind, colour=False).items()
            }
            make = partial(
                inputs.make,
                kind=kind,
                options=options,
                files={'landmarks': '', 'detector': '', 'magnet': ''},
            )
            seconds = {}
            for processes in (1, machine.cores()):
                scratch = Path(folder, f'{kind}{processes}')
                start = time.perf_counter()
                workers.compute(
                    make,
                    clips,
                    scratch,
                    settings=kind,
                    processes=processes,
                    title=kind,
                    progress=False,
                )
                seconds[processes] = time.perf_counter() - start
            size = sum(path.stat().st_size for path in scratch.iterdir()) / 1e6
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3
            timings = ', '.join(f'{value:.1f} s on {count}' for count, value in seconds.items())
            ratio = seconds[1] / seconds[machine.cores()]
            print(
                f'{kind}: {len(clips)} clips of {flags.length} frames: {timings} (ratio '
                f'{ratio:.2f}); '
                f'{size:.0f} MB, {peak:.0f} MB a process at most',
                flush=True,
            )


if __name__ == '__main__':
    main()
