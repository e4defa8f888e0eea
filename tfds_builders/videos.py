"""Recordings as frames, one at a time: videos, folders of frames and cameras.

Nothing is fetched: only files of this machine and its cameras are opened.
"""

import itertools
import os
import re
import tempfile
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import cv2
import numpy as np

from mer_jax import machine, quiet
from mer_jax.errors import UserError
from tfds_builders import frames

LEAST_FPS = 24.5  # below it a search refuses: 24.97 and 25 frames a second pass, 24 do not
GOOD_FPS = 60.0  # a movement of 1/25 to 1/2 s then lasts at least 3 frames
MOST_PIXELS = 40_000_000  # of a frame of a video: 8K has 33 million
MEASURED = 25  # frames at the start whose time stamps give the frame rate: a second of most videos
DOUBTED = 100  # the same where they give too few: browsers and webcams begin slowly
# times the usual interval: phones drop a frame or two in dim light, which is no fault
LONGEST_INTERVAL = 3.5
# Containers that hold a video in themselves. Playlists (m3u8, ffconcat, sdp, mpd) name other files
# and addresses, and FFmpeg follows them, whatever their suffix.
FORMATS = (
    'mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,asf,flv,mpeg,mpegts,mpegvideo,m4v,h264,hevc,av1,obu,'
    'ivf,mjpeg,ogg,mxf,dv,nut,gif,vc1,rm,yuv4mpegpipe'
)
SPARE = 2.5  # frames by which durations of headers are off (.flv: 2)
OPTIONS = f'format_whitelist;{FORMATS}|protocol_whitelist;file'
OPTIONS_OF_FFMPEG = 'OPENCV_FFMPEG_CAPTURE_OPTIONS'  # read by OpenCV whenever it opens a file
# One thread: errors are then printed with the frame that they concern. It is not slower.
IN_ORDER = (cv2.CAP_PROP_N_THREADS, 1)
CAMERA = re.compile(r'[0-9]{1,4}')
ADDRESS = re.compile(r'[A-Za-z][A-Za-z0-9+.-]+:')  # also concat:, subfile,,: and the like; not C:
# What FFmpeg prints as errors of frames that are whole: reference pictures of streams that were cut
# or sent over a network, and data beside the pixels.
HARMLESS = (
    'co located POCs unavailable',
    'unref short failure',
    'number of reference frames',
    'Frame num gap',
    'SEI type',
    'APP fields',
)
# as FFmpeg prints them, or as OpenCV does where its user asked for more: levels up to 16 are errors
ERROR = re.compile(r'^\[(?:\w+ @ 0x[0-9a-f]+|OPENCV:FFMPEG:(?:0|8|16))\] (.*)$', re.MULTILINE)

DAMAGED = 'damaged after frame'  # begins the warning of a video that ends too early
MISSING = 'frames missing'
CUT = 'cut'
NO_FACE = 'no face'
SEVERAL_FACES = 'several faces'


class Frame(NamedTuple):
    """One frame of a recording."""

    number: int  # of a video from 0 on; of a folder the number in the file's name
    ms: float  # since the first frame; NaN where nothing gives times
    gray: np.ndarray  # uint8[H, W]
    rgb: np.ndarray | None = None  # uint8[H, W, 3], where colour was asked for


class Span(NamedTuple):
    """Frames of a recording that something is wrong with.

    MISSING and CUT lie between two frames: `first` is the last one before, `last` the first after.
    """

    first: int
    last: int
    what: str  # MISSING | CUT | NO_FACE | SEVERAL_FACES

    def touches(self, onset: int, offset: int) -> bool:
        """Return whether a movement from onset to offset has to do with it."""
        if self.what in (MISSING, CUT):
            return onset <= self.first and self.last <= offset
        return onset <= self.last and self.first <= offset


class About(NamedTuple):
    """What is said of a recording beside its frames."""

    name: str  # as the user wrote it
    fps: float  # frames a second, as measured from the time stamps of the start; 0 unknown
    size: tuple[int, int]  # (height, width) of the frames, upright
    count: int | None  # frames that the header or the folder announces; None unknown
    warnings: list[str]  # lines for the user; grows while frames are read
    spans: list[Span]  # where frames are missing; face_check.watch adds to it
    length: float = 0.0  # ms that the header announces
    camera: bool = False


class Recording:
    """Frames of a recording, in order and once; a context manager that closes its source."""

    def __init__(
        self, about: About, frames: Generator[Frame, None, None], close: Callable[[], None]
    ) -> None:
        """Join what is said of a recording with its frames.

        Args:
            about: name, frame rate and the like; the lists in it grow.
            frames: in order.
            close: closes the file or the camera.
        """
        self.name = about.name
        self.fps = about.fps
        self.size = about.size
        self.count = about.count
        self.warnings = about.warnings
        self.spans = about.spans
        self._frames = frames
        self._close = close

    def __iter__(self) -> 'Recording':
        """Return itself."""
        return self

    def __next__(self) -> Frame:
        """Return the next frame."""
        return next(self._frames)

    def __enter__(self) -> 'Recording':
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file or the camera."""
        self.close()

    def close(self) -> None:
        """Close the file or the camera; no frame follows."""
        self._frames.close()
        self._close()


def open_recording(
    source: str | os.PathLike[str],
    *,
    fps: float = 0.0,
    search: bool = False,
    colour: bool = False,
    only: frozenset[int] | None = None,
) -> Recording:
    """Open a video, a folder of frames or a camera.

    Args:
        source: path of a file or folder, or the number of a camera, such as '0'.
        fps: frames a second at which it was taken, where the file does not say so or is wrong
            (folders; high-speed cameras, whose files play slowly); 0: as the file says.
        search: movements are searched in it, for which times and at least LEAST_FPS are needed.
        colour: give frames in colour too.
        only: numbers of the frames that are given, the others are passed over; None: all.

    Raises:
        UserError: an address, no such file, no video, no frames, a single frame, or a frame rate
            that is unknown or too low for a search.
    """
    name = os.fspath(source)
    check_given_fps(fps)
    if CAMERA.fullmatch(name) and not os.path.exists(name):
        recording = _camera(name, fps=fps, colour=colour)
    elif '://' in name or (ADDRESS.match(name) and not os.path.exists(name)):
        raise UserError(
            f'{name}: an address; nothing is fetched from anywhere: give a file of this computer'
        )
    elif os.path.isdir(name):
        recording = _folder(name, fps=fps, colour=colour, only=only)
    else:
        recording = _video(name, fps=fps, colour=colour, only=only)
    if search:
        try:
            check_fps(recording)
        except UserError:
            recording.close()
            raise
    return recording


def check_given_fps(fps: float) -> None:
    """Refuse a frame rate of the user that no camera has; 0: none is given.

    Raises:
        UserError: it is outside of .1 to 100000.
    """
    if fps and not 0.1 <= fps <= 100_000:
        raise UserError(f'--fps={fps:g}: frames a second, from 0.1 to 100000')


def check_fps(recording: Recording) -> None:
    """Refuse a frame rate too low to search; warn of a poor one.

    Raises:
        UserError: it is unknown or under LEAST_FPS.
    """
    name, fps = recording.name, recording.fps
    if not fps:
        raise UserError(f'{name}: no frame rate; give --fps, the frames a second of the camera')
    if fps < LEAST_FPS:
        raise UserError(
            f'{name}: {fps:.4g} frames a second; a search needs {LEAST_FPS:g} or more: the '
            'shortest micro-expressions, of 1/25 s, would fall between two frames'
        )
    if round(fps) < GOOD_FPS:
        recording.warnings.append(
            f'{fps:.4g} frames a second: a micro-expression may last only 2 or 3 frames; '
            f'record with {GOOD_FPS:g} or more'
        )


def _camera(name, *, fps, colour):
    """A camera, by its number."""
    with quiet.decoders():
        capture = cv2.VideoCapture(int(name))
    start = _start(capture)
    if not start.ms:
        capture.release()
        raise UserError(
            f'camera {name}: it is not there, another program uses it, or it gives no picture'
        )
    if _increase(start.ms):
        clock = _stamps(capture)
        fps = fps or _measured(start.ms)
    else:  # not all drivers stamp their frames
        clock = _arrival
        fps = fps or _announced_fps(capture)
    about = About(name, fps, start.size, None, [], [], camera=True)
    return Recording(about, _frames(about, capture, clock, None, colour=colour), capture.release)


def _video(name, *, fps, colour, only):
    """A file that holds a video."""
    _check_file(name)
    capture = _opened(name)
    _check_size(name, capture)
    start = _start(capture)
    announced = _announced_fps(capture)
    count = _announced_count(capture)
    capture.release()  # the frames of the start are read again below
    if not start.ms:
        raise UserError(
            f'{name}: not one frame can be read; it is no video, or damaged, or cut off (an .mp4 '
            'has its index at its end)'
        )
    if len(start.ms) == 1:
        raise UserError(f'{name}: a single frame; a movement takes two or more')
    stamped = _increase(start.ms)
    measured = _measured(start.ms) if stamped else announced
    warnings = []
    if fps and measured and _differ(fps, measured):
        warnings.append(f'times by --fps={fps:g}; its own frame rate is {measured:.4g}')
    elif not stamped and announced:
        warnings.append(f'no usable time stamps; times by its frame rate, {announced:.4g}')
    elif announced and _differ(announced, measured):
        warnings.append(
            f'its header says {announced:.4g} frames a second, its time stamps {measured:.4g}: '
            'the time stamps decide'
        )
    rate = fps or measured
    capture = _opened(name)
    clock, scale = _stamps(capture), announced
    if fps or not stamped:
        clock, scale = _by_rate(rate), rate
    length = 1000 * count / scale if count and scale else 0.0
    about = About(name, rate, start.size, count, warnings, [], length)
    return Recording(about, _frames(about, capture, clock, only, colour=colour), capture.release)


def _check_file(name):
    """Refuse what is no file that OpenCV could open."""
    if not os.path.exists(name):
        raise UserError(f'{name}: no such file or folder')
    if not os.path.isfile(name):
        raise UserError(f'{name}: neither a file nor a folder; a camera is given by its number')
    try:
        with open(name, 'rb') as file:
            empty = not file.read(1)
    except OSError as error:
        raise UserError(f'{name}: cannot be read: {error.strerror or error}') from None
    if empty:
        raise UserError(f'{name}: empty file')
    try:
        os.path.abspath(name).encode()
    except UnicodeEncodeError:  # OpenCV would end the process
        raise UserError(f'{name!a}: a path that is no UTF-8; rename it') from None


def _check_size(name, capture):
    """Refuse frames that would fill memory, before one is decoded."""
    width, height = capture.get(cv2.CAP_PROP_FRAME_WIDTH), capture.get(cv2.CAP_PROP_FRAME_HEIGHT)
    if width * height > MOST_PIXELS:
        raise UserError(
            f'{name}: frames of {width:.0f}x{height:.0f} pixels; up to {MOST_PIXELS // 10**6} '
            'million are read'
        )


def _opened(name):
    """A capture of a file, which opens no other file and no address."""
    before = os.environ.get(OPTIONS_OF_FFMPEG)
    os.environ[OPTIONS_OF_FFMPEG] = OPTIONS
    try:
        with quiet.decoders():
            # an absolute path cannot be read as a protocol of FFmpeg
            return cv2.VideoCapture(os.path.abspath(name), cv2.CAP_FFMPEG, IN_ORDER)
    finally:
        if before is None:
            del os.environ[OPTIONS_OF_FFMPEG]
        else:
            os.environ[OPTIONS_OF_FFMPEG] = before


class Start(NamedTuple):
    """The first frames of a capture."""

    ms: list[float]  # time stamps of at most DOUBTED frames
    size: tuple[int, int]  # (height, width) of the first


def _start(capture):
    """The time stamps of the first frames, and the size of the first."""
    ms, size = [], (0, 0)
    with quiet.decoders():
        while len(ms) < DOUBTED and capture.grab():
            if not ms:
                image = _retrieved(capture)
                if image is None:
                    break
                size = image.shape[:2]
            ms.append(capture.get(cv2.CAP_PROP_POS_MSEC))
            if len(ms) == MEASURED and (not _increase(ms) or _measured(ms) >= LEAST_FPS):
                break
    return Start(ms, size)


def _retrieved(capture):
    """The frame that was grabbed, [H, W, 3]; None where it cannot be decoded."""
    try:
        whole, image = capture.retrieve()
    except cv2.error:
        return None
    return image if whole and image is not None and image.size else None


def _increase(ms):
    return len(ms) > 1 and bool(np.all(np.diff(ms) > 0))


def _measured(ms):
    """Frames a second of time stamps, without the places where frames are missing."""
    intervals = np.diff(ms)
    usual = intervals[intervals <= LONGEST_INTERVAL * np.median(intervals)]
    return float(1000 / usual.mean())


def _announced_fps(capture):
    """The frame rate of the header; 0 where it is none."""
    fps = capture.get(cv2.CAP_PROP_FPS)
    return float(fps) if 0.1 <= fps <= 100_000 else 0.0


def _announced_count(capture):
    """The number of frames of the header; None where it is none."""
    count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    return round(count) if 1 <= count < 10**9 else None


def _differ(fps, other):
    return abs(fps / other - 1) > 0.02


def _stamps(capture):
    """A clock: the time stamp of the frame that was read last."""
    return lambda number: capture.get(cv2.CAP_PROP_POS_MSEC)


def _by_rate(fps):
    """A clock for frames at equal intervals; no frame rate, no times."""
    return lambda number: number * 1000 / fps if fps else np.nan


def _arrival(number):
    """A clock: the time at which a frame arrives."""
    return time.monotonic() * 1000


def _frames(about, capture, clock, only, *, colour):
    """Yield the frames of a capture until its end, or the first damage."""
    watch = _Watch(about)
    numbers = itertools.count() if only is None else range(max(only, default=-1) + 1)
    with tempfile.TemporaryFile() as log:
        for number in numbers:
            wanted = only is None or number in only
            with quiet.decoders(log.fileno()):
                whole = capture.grab()
                image = _retrieved(capture) if whole and wanted else None
            error = _error(log)
            # what is printed up to the first frame is of references that a cut video lacks
            if number and error:
                announced = f' of {about.count}' if about.count else ''
                about.warnings.append(
                    f'{DAMAGED} {number - 1}: {number}{announced} frames are read, up to '
                    f'there (FFmpeg: {error})'
                )
                return
            if not whole or (wanted and image is None):
                watch.end()
                return
            ms = watch.times(clock(number))
            if wanted:
                gray = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
                rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB) if colour else None
                yield Frame(number, ms, gray, rgb)


class _Watch:
    """The times of a video's frames, and what is wrong with them."""

    def __init__(self, about: About) -> None:
        self._about = about
        self._usual = 1000 / about.fps if about.fps else np.inf  # ms between two frames
        self._start = 0.0
        self._last = 0.0
        self._read = 0
        self._backwards = 0
        self._regular, self._total = 0, 0.0  # intervals, and the sum of their ms
        self._shortest, self._longest = np.inf, 0.0

    def times(self, ms: float) -> float:
        """Return the time of the next frame since the first; it always grows."""
        if not self._read:
            self._start = ms
        since = ms - self._start
        interval = since - self._last
        if self._read and interval <= 0:
            self._backwards += 1
            since = self._last + (self._usual if np.isfinite(self._usual) else 1)
        elif self._read and interval > LONGEST_INTERVAL * self._usual:
            self._about.spans.append(Span(self._read - 1, self._read, MISSING))
        elif self._read:
            self._regular += 1
            self._total += interval
            self._shortest = min(self._shortest, interval)
            self._longest = max(self._longest, interval)
        self._last = since
        self._read += 1
        return since

    def end(self) -> None:
        """Warn of what the whole recording shows."""
        about, warn = self._about, self._about.warnings.append
        if about.camera:
            warn('the camera gives no more frames')
        # many headers announce a duration, and the number of frames is computed from it
        expected = about.length * (self._read - 1) / self._last if self._last else self._read
        if about.length and abs(expected - self._read) > SPARE:
            short = self._read < expected
            warn(
                f'its header announces {expected:.0f} frames, {self._read} could be read: '
                + ('it is cut off or damaged' if short else 'the header is wrong')
            )
        if self._backwards:
            warn(f'{self._backwards} time stamps do not grow: replaced by the frame rate')
        missing = [span for span in about.spans if span.what == MISSING]
        if missing:
            warn(_missing(missing))
        # stamps of whole milliseconds are off by one
        if self._longest > 1.3 * self._shortest + 2:
            warn(
                f'variable frame rate: {self._shortest:.0f} to {self._longest:.0f} ms between '
                f'frames, {1000 * self._regular / self._total:.4g} a second; the time stamps decide'
            )


def _missing(spans):
    """The warning of missing frames."""
    more = f', and at {len(spans) - 1} other places' if len(spans) > 1 else ''
    return f'frames are missing between {spans[0].first} and {spans[0].last}{more}'


def _folder(name, *, fps, colour, only):
    """A folder of frames, by the rules of the data sets."""
    try:
        files, problems = frames.listing(Path(name))
    except OSError as error:
        raise UserError(f'{name}: cannot be read: {error.strerror or error}') from None
    if not files:
        reason = f'; {problems[0][0].name}: {problems[0][1]}' if problems else ''
        raise UserError(f'{name}: no frames (JPEG, PNG or BMP, with a number at the end){reason}')
    if len(files) == 1:
        raise UserError(f'{name}: a single frame; a movement takes two or more')
    warnings = []
    if problems:
        path, reason = problems[0]
        warnings.append(
            f'{len(problems)} of {len(files) + len(problems)} pictures are passed over, such as '
            f'{path.name}: {reason}'
        )
    numbers = np.array(list(files))
    steps = np.diff(numbers)
    jumps = np.flatnonzero(steps > LONGEST_INTERVAL * np.median(steps))
    spans = [Span(int(numbers[at]), int(numbers[at + 1]), MISSING) for at in jumps]
    if spans:
        warnings.append(_missing(spans))
    size = frames.size(next(iter(files.values())))
    about = About(name, float(fps), size, len(files), warnings, spans)
    return Recording(about, _files(about, files, only, colour=colour), lambda: None)


def _files(about, files, only, *, colour):
    """Yield the frames of a folder; damaged ones are passed over."""
    depth = _depth(files.values())
    clock = _by_rate(about.fps)
    first = previous = next(iter(files))
    whole, damaged = 0, []
    for number, path in files.items():
        if only is not None and number not in only:
            continue
        try:
            with quiet.decoders():
                gray = frames.read_gray(path, depth=depth)
                rgb = frames.read_rgb(path, depth=depth) if colour else None
        except (ValueError, OSError) as error:
            damaged.append(f'{path.name}: {error}')
            about.spans.append(Span(previous, number, MISSING))
            continue
        previous, whole = number, whole + 1
        yield Frame(number, clock(number - first), gray, rgb)
    if damaged and not whole:
        raise UserError(f'{about.name}: not one frame can be read; {damaged[0]}')
    if damaged:
        about.warnings.append(f'{len(damaged)} frames are passed over, such as {damaged[0]}')


def _depth(paths):
    """The bits that the values of 16-bit files fill."""
    with ThreadPoolExecutor(machine.cores()) as executor:
        deep = [path for path in paths if frames.is_deep(path)]
        return frames.depth_of(max(executor.map(frames.largest_value, deep), default=0))


def _error(log):
    """The first error that FFmpeg printed, '' without one; empties the file."""
    if not os.fstat(log.fileno()).st_size:
        return ''
    log.seek(0)
    text = log.read().decode(errors='replace')
    log.seek(0)
    log.truncate()
    for line in ERROR.findall(text):
        if not any(words in line for words in HARMLESS):
            return line.strip()
    return ''
