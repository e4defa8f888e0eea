"""How many modules of mer_jax a run calls: a measure of how far a reader has to go.

  python benchmarks/calls.py [--quick] [--config=synthetic_ststnet:quick] [--config.KEY=VALUE ...]

Trains into a temporary folder with data that is built already. Counts calls of functions only:
importing a module calls nothing. Prints the modules that are called, and how many different pairs
of calling and called module there are.
"""

import argparse
import collections
import functools
import inspect
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import command_line  # noqa: E402
from mer_jax import cli  # noqa: E402


@functools.cache  # called for every frame of every library
def module(file: str) -> str:
    """'training.loop' of a file of mer_jax; '' of any other."""
    path = Path(file)
    if not path.is_relative_to(ROOT / 'mer_jax'):
        return ''
    return '.'.join(path.relative_to(ROOT / 'mer_jax').with_suffix('').parts)


def is_function(frame: FrameType) -> bool:
    """Whether a frame runs a function, not the body of a module or of a class."""
    return bool(frame.f_code.co_flags & inspect.CO_OPTIMIZED)


def caller(frame: FrameType | None) -> str | None:
    """The module of mer_jax that a call came from, past any library between.

    '' where it came from outside; None where an import is under way, which calls nothing that a
    reader has to follow.
    """
    while frame is not None:
        if name := module(frame.f_code.co_filename):
            return name if is_function(frame) else None
        frame = frame.f_back
    return ''


def counted(function: Callable[[], None]) -> collections.Counter[tuple[str, str]]:
    """Calls of each (calling, called) pair of modules while function() runs."""
    pairs = collections.Counter()

    def look(frame: FrameType, event: str, argument: object) -> None:
        if event == 'call' and (called := module(frame.f_code.co_filename)) and is_function(frame):
            calling = caller(frame.f_back)
            if calling is not None:
                pairs[calling, called] += 1

    threading.setprofile(look)
    sys.setprofile(look)
    try:
        function()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return pairs


def main(argv: Sequence[str] | None = None) -> None:
    """Print the modules that a run calls, the most called first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--config', default='synthetic_ststnet:quick')
    flags, settings = command_line.parse_some(parser, argv)
    if flags.quick:
        settings += command_line.QUICK_RUN
    with tempfile.TemporaryDirectory() as folder:
        command = [f'--config={flags.config}', *settings, f'--workdir={folder}/run']
        pairs = counted(lambda: cli.main(command))
    between = {(first, second) for first, second in pairs if first and first != second}
    called = collections.Counter()
    for (_, second), count in pairs.items():
        called[second] += count
    for name, count in called.most_common():
        print(f'{count:7} {name}')
    print(f'{len(called)} modules; {len(between)} different pairs of calling and called module')


if __name__ == '__main__':
    main()
