"""Keeps from the user what libraries print for their developers.

Import this before jax and OpenCV: both then keep their alarms to themselves, such as that a program
compiles slowly, which users read as a failure. What fails raises an exception all the same. A level
that the user has set stays.
"""

import contextlib
import logging
import os
import sys
import threading
import warnings
from collections.abc import Iterator

# read once, when the library is loaded
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
os.environ.setdefault('OPENCV_LOG_LEVEL', 'SILENT')
LONG = 4.0  # seconds without a line, after which a program looks dead; our choice
STDERR = 2  # its number, to which libraries written in C print


@contextlib.contextmanager
def libraries() -> Iterator[None]:
    """Discard log lines and warnings of Python libraries while the block runs."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            if not sys.warnoptions:  # python -W asks for them
                warnings.simplefilter('ignore')
            yield
    finally:
        logging.disable(before)


@contextlib.contextmanager
def loading(seconds: float = LONG) -> Iterator[None]:
    """Say on stderr that the program is being loaded.

    Args:
        seconds: that pass before the line; most machines load jax sooner, and print none.
    """
    line = 'loading jax and the program (seconds; minutes on a busy machine) ...'
    timer = threading.Timer(seconds, print, [line], {'file': sys.stderr, 'flush': True})
    timer.daemon = True  # an error ends the program without waiting for it
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextlib.contextmanager
def decoders(log: int | None = None) -> Iterator[None]:
    """Discard what libraries in C print on stderr while the block runs.

    libpng and libjpeg print a line for every damaged picture; they cannot be asked not to. What
    Python prints is still shown.

    Args:
        log: number of an open file that takes their lines; None: nothing does.
    """
    stream = sys.stderr
    with contextlib.ExitStack() as stack:
        try:
            shown = os.dup(STDERR)
        except OSError:  # it is closed: nothing is shown anyway
            yield
            return
        stack.callback(os.close, shown)
        if log is None:
            log = os.open(os.devnull, os.O_WRONLY)
            stack.callback(os.close, log)
        if _writes_to(stream, STDERR):
            stream.flush()
            sys.stderr = open(  # noqa: SIM115, closed with its number
                shown, 'w', 1, stream.encoding, stream.errors, closefd=False
            )
            stack.callback(setattr, sys, 'stderr', stream)
        os.dup2(log, STDERR)
        stack.callback(os.dup2, shown, STDERR)
        try:
            yield
        finally:
            if sys.stderr is not stream:
                sys.stderr.flush()


def _writes_to(stream, number):
    """Whether a stream of Python writes to the file of that number."""
    try:
        return stream.fileno() == number
    except (AttributeError, OSError, ValueError):  # none, or one in memory
        return False
