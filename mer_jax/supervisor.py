"""A process that watches over one of several hosts, and prints one line where jax ends it.

jax's runtime aborts a process whose peer is lost, with a stack of C++ and without an exception that
Python could answer. So the program forks before it loads jax: the child trains, and the parent
waits and answers for it.
"""

import contextlib
import math
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Iterator

GONE = 'another host ended, or cannot be reached'
AGAIN = 'the same command on all hosts continues from the last checkpoint'
DONE = 'done'  # what the child writes to its parent at last; before, 'host 1' once it knows that

TWICE = 1.0  # seconds within which a second SIGINT is the first one again


class _Child:
    """What a child knows; a process without a parent that watches has no pipe."""

    pipe: int = -1  # to the parent
    host: str = ''  # 'host 1', once it is known


def start(coordinator: str) -> None:
    """Fork; returns in the child alone, which trains.

    Args:
        coordinator: address of the first host, for a message; '' where the cluster knows it.

    Raises:
        SystemExit: in the parent, with the exit code of the command, once the child has ended.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    from_child, to_parent = os.pipe()
    of_parent, held = os.pipe()  # ends when the parent does
    child = os.fork()
    if child:
        os.close(to_parent)
        os.close(of_parent)
        sys.exit(_answer(child, from_child, coordinator))
    os.close(from_child)
    os.close(held)
    _Child.pipe = to_parent
    _on_interruption(_Interruption())
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    threading.Thread(target=_end_with_parent, args=(of_parent,), daemon=True).start()
    _keep_streams_for_python()


def joined(host: int) -> None:
    """Record that this process has met the other hosts.

    Args:
        host: its number.
    """
    _Child.host = f'host {host}'
    os.write(_Child.pipe, f'{_Child.host}\n'.encode())


def prefix() -> str:
    """Return 'host 1: ' for messages; '' where there is one host."""
    return f'{_Child.host}: ' if _Child.host else ''


def is_child() -> bool:
    """Return whether a parent waits for this process."""
    return _Child.pipe >= 0


def end(code: int) -> None:
    """End the child at once, which has printed why.

    At a usual end, jax would wait for hosts that are lost.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # whoever read it is gone
            stream.flush()
    os.write(_Child.pipe, DONE.encode())
    os._exit(code)


@contextlib.contextmanager
def silent(where: bool) -> Iterator[None]:
    """Print nothing while the block runs.

    Args:
        where: whether to do so.
    """
    if not where:
        yield
        return
    with (
        open(os.devnull, 'w', encoding='utf-8') as nothing,
        contextlib.redirect_stdout(nothing),
        contextlib.redirect_stderr(nothing),
    ):
        yield


def _answer(child, from_child, coordinator):
    """Wait for the child, print what it could not print, and return the exit code."""
    _on_interruption(lambda *_: os.kill(child, signal.SIGINT))
    _, status = os.waitpid(child, 0)
    _on_interruption(signal.SIG_IGN)
    os.set_blocking(from_child, False)
    try:
        lines = os.read(from_child, 100).decode().splitlines()
    except BlockingIOError:  # a process that the child started has the pipe still
        lines = []
    if DONE in lines:
        return os.waitstatus_to_exitcode(status)
    prefix = ''.join(f'{host}: ' for host in lines)
    if sys.stderr.isatty():
        print(file=sys.stderr)  # below the progress bar of the child
    print(f'{prefix}error: {_reason(status, bool(prefix), coordinator)}', file=sys.stderr)
    return 2


def _on_interruption(handler):
    """Set what SIGINT does, unless this process was told to ignore it, as in the background."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, handler)


class _Interruption:
    """The answer of a child to SIGINT: one exception, also where the signal comes twice.

    Control-C in a terminal reaches parent and child, and the parent forwards it, because it cannot
    tell whether it came to the parent alone.
    """

    last = -math.inf

    def __call__(self, *_):
        before, self.last = self.last, time.monotonic()
        if self.last - before > TWICE:
            raise KeyboardInterrupt


def _reason(status, joined, coordinator):
    """Why a child ended that has printed nothing."""
    ended_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    if ended_by == signal.SIGKILL:
        return f'this host was killed, as a machine does whose memory is full; {AGAIN}'
    if ended_by not in (0, signal.SIGABRT):
        return f'this host ended by {signal.Signals(ended_by).name}; {AGAIN}'
    if joined:
        return f'{GONE}; {AGAIN}'
    where = f' at {coordinator}' if coordinator else ''
    return f'the hosts did not meet{where}; give the same command on all of them within 5 minutes'


def _end_with_parent(pipe):
    """End this process when its parent was killed."""
    os.read(pipe, 1)
    os._exit(1)


def _keep_streams_for_python():
    """Leave standard output and error to Python alone.

    Libraries written in C print stacks and the state of connections to the same numbers.
    """
    for name, number in (('stdout', 1), ('stderr', 2)):
        stream = getattr(sys, name)
        shown = os.dup(number)
        new = open(shown, 'w', 1, stream.encoding, stream.errors)  # noqa: SIM115, for good
        setattr(sys, name, new)
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, number)
        os.close(nothing)
