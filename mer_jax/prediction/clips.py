"""The clips of a recording: that of given key frames, or those that a search finds.

A search reads a file twice: once to find candidates, once for their frames alone. A camera is read
once; its last frames are kept until the search has judged them.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mer_jax.errors import UserError
from mer_jax.prediction import candidates, face_check
from mer_jax.prediction.candidates import Candidate
from mer_jax.prediction.records import gray
from mer_jax.report.formats import plural
from mer_jax.runfiles.prediction_file import MotionCurve
from tfds_builders import frames, videos
from tfds_builders.clip import KeyFrames
from tfds_builders.videos import Frame, Recording, Span

CAMERA, ARRAY = 'camera', 'array'  # kinds of input
FLOOR = 1.0  # the noise floor of a search: it measures in multiples of it
# Bytes of a camera's frames that wait for the search, which is up to 9.2 s behind at its beginning
# and then 3.7: 9.6 s of 1920x1080 pixels, gray, at 60 frames a second.
MOST_WAITING = 1_200_000_000
MOST_GIVEN = 2_000_000_000  # bytes of the frames of a clip whose key frames are given


class Way(NamedTuple):
    """How recordings are read."""

    key_frames: KeyFrames | None  # of the one clip; None: clips are searched
    fps: float  # 0: as the file says
    cropped: bool  # frames show the face alone
    colour: bool  # frames in colour are needed
    every_frame: bool  # all frames of a clip are needed, not its key frames alone
    detector: str = ''  # path of the weights of MTCNN, which then finds faces; '': Haar


class ClipFrames(NamedTuple):
    """The frames of a clip that a model needs."""

    key_frames: KeyFrames
    frames: dict[int, np.ndarray]  # uint8[H, W], or in colour uint8[H, W, 3]
    ms: dict[int, float]  # time of each; {} where nothing gives times
    strength: float | None  # multiples of the noise floor; None where key frames are given


class Read(NamedTuple):
    """What is known of a recording after it was read."""

    name: str
    kind: str
    fps: float  # 0 unknown
    size: tuple[int, int]  # (height, width)
    frames: int  # that were read
    warnings: tuple[str, ...]
    spans: tuple[Span, ...]  # frames that something is wrong with
    motion: MotionCurve | None = None  # of a search
    lost: int = 0  # candidates whose frames were no longer in memory


class Source(NamedTuple):
    """What frames are read from."""

    name: str
    kind: str  # 'video', 'folder of frames', CAMERA or ARRAY
    # (search, numbers of the frames that are wanted or None) -> a new reading
    open: Callable[[bool, frozenset[int] | None], Recording]


def source_of(given: str | Path | np.ndarray, way: Way) -> Source:
    """Return what the frames of an input are read from.

    Args:
        given: path, number of a camera, or frames uint8[T, H, W] or uint8[T, H, W, 3].
        way: how it is read.
    """
    if isinstance(given, np.ndarray):
        _check_array(given)
        return Source('frames', ARRAY, lambda search, only: _in_memory(given, way, search, only))
    name = os.fspath(given)
    kind = 'video'
    if os.path.isdir(name):
        kind = 'folder of frames'
    elif name.isascii() and name.isdigit() and not os.path.exists(name):
        kind = CAMERA

    def opened(search: bool, only: frozenset[int] | None) -> Recording:
        return videos.open_recording(name, fps=way.fps, search=search, colour=way.colour, only=only)

    return Source(name, kind, opened)


def _check_array(frames):
    """Refuse an array that holds no frames."""
    fits = frames.dtype == np.uint8 and frames.shape[3:] in ((), (3,))
    if frames.ndim not in (3, 4) or not fits or len(frames) < 2:
        raise UserError(
            f'frames are {frames.dtype}{list(frames.shape)}; allowed: uint8[T, H, W] or '
            'uint8[T, H, W, 3], two frames or more'
        )


def _in_memory(frames, way, search, only):
    """Frames in memory as a recording."""

    def each() -> Iterator[Frame]:
        for number, frame in enumerate(frames):
            if only is None or number in only:
                ms = number * 1000 / way.fps if way.fps else np.nan
                yield Frame(number, ms, gray(frame), frame if frame.ndim == 3 else None)

    about = videos.About('frames', way.fps, frames.shape[1:3], len(frames), [], [])
    read = Recording(about, each(), lambda: None)
    if search:
        videos.check_fps(read)
    return read


def of(source: Source, way: Way) -> Iterator['ClipFrames | Read']:
    """Read the clips of a recording.

    Args:
        source: to read. A camera is searched until it ends, or until Ctrl-C.
        way: how it is read.

    Yields:
        Each clip as soon as it is read; last, what is known of the recording.

    Raises:
        UserError: the recording lacks the key frames, cannot be searched, or shows no face.
    """
    return _searched(source, way) if way.key_frames is None else _given(source, way)


def _given(source, way):
    """The clip of given key frames."""
    keys = way.key_frames
    every = way.every_frame or keys.apex < 0
    only = frozenset(range(keys.onset, keys.offset + 1) if every else keys)
    with source.open(False, only) as read:
        _check_memory(source, read, way, len(only))
        interval = face_check.every(read.fps) if every else 1
        state = face_check.init(0 if way.cropped else interval, way.detector)
        clip = ClipFrames(keys, {}, {}, None)
        for frame in read:
            state, spans = face_check.step(state, frame)
            read.spans.extend(spans)
            _keep(clip, frame)
        read.spans.extend(face_check.finish(state))
        for name, number in keys._asdict().items():
            if number >= 0 and number not in clip.frames:
                why = f' ({"; ".join(read.warnings)})' if read.warnings else ''
                raise UserError(f'--{name}={number}: {read.name} has {_numbers(source, read)}{why}')
        yield clip
        yield _read(source, read, len(clip.frames))


def _check_memory(source, read, way, count):
    """Refuse a clip of `count` frames that would fill memory, before one is read."""
    if os.path.isdir(source.name):
        count = min(count, read.count)  # numbers of files may have gaps
    height, width = read.size
    size = count * height * width * (3 if way.colour else 1)
    if size > MOST_GIVEN and source.kind != ARRAY:
        remedy = 'a shorter clip' if way.every_frame else '--apex, or a shorter clip'
        raise UserError(
            f'--offset={way.key_frames.offset}: {count} frames of {width}x{height} pixels are '
            f'{size / 1e9:.1f} GB; allowed: {MOST_GIVEN / 1e9:.1f}; give {remedy}'
        )


def _keep(clip, frame):
    """Add a frame to those of a clip."""
    clip.frames[frame.number] = frame.gray if frame.rgb is None else frame.rgb
    if np.isfinite(frame.ms):
        clip.ms[frame.number] = float(frame.ms)


def _numbers(source, read):
    """The numbers of the frames of a recording, in words."""
    if os.path.isdir(source.name):
        listed, _ = frames.listing(Path(source.name))
        gaps = max(listed) - min(listed) + 1 - len(listed)
        missing = f', {gaps} missing between them' if gaps else ''
        return f'frames {min(listed)} to {max(listed)}{missing}'
    return f'frames 0 to {read.count - 1}' if read.count else 'no such frame'


def _read(source, read, count, motion=None):
    lines = (*read.warnings, *face_check.warnings(read.spans))
    warnings = tuple(dict.fromkeys(lines))
    spans = tuple(read.spans)
    return Read(read.name, source.kind, read.fps, read.size, count, warnings, spans, motion)


def _searched(source, way):
    """The clips that a search finds."""
    if way.cropped:
        raise UserError(
            f'{source.name}: --cropped is for clips with --onset, --apex and --offset; a search '
            'needs the whole frame, in which it follows the face'
        )
    once = source.kind == CAMERA
    state = candidates.init(detector=way.detector)
    count, clips, waiting = 0, [], _Waiting()
    with source.open(True, None) as read:
        try:
            for frame in face_check.watch(read, detector=way.detector):
                count += 1
                state, new = candidates.step(state, frame)
                if once:
                    waiting.add(frame)
                    yield from waiting.clips(new, way)
                    waiting.forget(state.frames[0][0] if state.frames else frame.number + 1)
                else:
                    clips += new
        except KeyboardInterrupt:
            if not once:
                raise
        state, new = candidates.ended(state)
        yield from waiting.clips(new if once else (), way)
        if waiting.lost:
            read.warnings.append(
                f'{plural(waiting.lost, "candidate")} passed over: the frames were no longer in '
                'memory; let the camera give smaller pictures, or record a video and predict it'
            )
        ms, motion = zip(*state.curve, strict=True) if state.curve else ((), ())
        result = _read(source, read, count, MotionCurve.thinned(ms, motion, FLOOR))
        result = result._replace(lost=waiting.lost)
    if not once:
        yield from _again(source, way, [*clips, *new])
    yield result


class _Waiting:
    """The frames of a camera that candidates may still need."""

    def __init__(self) -> None:
        self._frames, self._bytes = deque(), 0
        self.lost = 0  # candidates whose frames are not all here

    def add(self, frame: Frame) -> None:
        """Keep a frame, and as many before it as memory may hold."""
        self._frames.append(frame)
        self._bytes += _bytes(frame)
        while self._bytes > MOST_WAITING:
            self._drop()

    def forget(self, first: int) -> None:
        """Drop the frames before number `first`, which the search is done with."""
        while self._frames and self._frames[0].number < first:
            self._drop()

    def _drop(self):
        self._bytes -= _bytes(self._frames.popleft())

    def clips(self, new: Iterable[Candidate], way: Way) -> Iterator[ClipFrames]:
        """Yield the clips of candidates whose frames are all here."""
        for candidate in new:
            clip, wanted = _clip(candidate), _wanted(candidate, way)
            for frame in self._frames:
                if frame.number in wanted:
                    _keep(clip, frame)
            if wanted <= clip.frames.keys():
                yield clip
            else:
                self.lost += 1


def _bytes(frame):
    return frame.gray.nbytes + (0 if frame.rgb is None else frame.rgb.nbytes)


def _again(source, way, clips):
    """Read the frames of candidates, and yield each clip after its last frame."""
    if not clips:
        return
    only = frozenset().union(*(_wanted(candidate, way) for candidate in clips))
    rest = deque(map(_clip, clips))
    with source.open(False, only) as read:
        for frame in read:
            _keep(rest[0], frame)
            if frame.number == rest[0].key_frames.offset:
                yield rest.popleft()
                if not rest:
                    return


def _clip(candidate: Candidate) -> ClipFrames:
    return ClipFrames(KeyFrames(*candidate[:3]), {}, {}, candidate.strength)


def _wanted(candidate, way):
    """Numbers of the frames of a candidate that a model needs."""
    numbers = candidate[:3]
    return frozenset(range(numbers[0], numbers[2] + 1) if way.every_frame else numbers)
