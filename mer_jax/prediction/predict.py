"""The verb predict: what a trained model says of new recordings.

An input is a video, a folder of frames, a camera, or a published feature picture. Nothing of it
leaves the machine.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypedDict, Unpack

import numpy as np

from mer_jax import provenance
from mer_jax.errors import UserError
from mer_jax.machine import versions
from mer_jax.prediction import answers, face_check, recording
from mer_jax.prediction.answers import Answer, Model
from mer_jax.prediction.recording import Frame, Recording
from mer_jax.report import prediction_page, prediction_tables
from mer_jax.runfiles import files
from mer_jax.runfiles import prediction_file as answer
from mer_jax.runfiles.folder import absolute
from mer_jax.runfiles.prediction_file import PredictionFile, PredictionRows, RecordingAnswer
from tfds_builders.clip import KeyFrames

Frames = np.ndarray  # uint8[T, H, W], or uint8[T, H, W, 3] in red, green and blue
MOST_FRAMES = 2000  # of a clip with given key frames, which is kept in memory
NAMES = KeyFrames._fields


class Command(NamedTuple):
    """The command line of the verb, in the order of its entry in VERBS."""

    model: str
    onset: str
    apex: str
    offset: str
    fold: str
    fps: str
    first: str  # the first input
    further: list[str]  # the other inputs
    cropped: bool


class Options(TypedDict, total=False):
    """Options of `predict`."""

    fps: float
    cropped: bool


class Way(NamedTuple):
    """How recordings are read."""

    key_frames: KeyFrames | None  # of the one clip; None: clips are searched
    fps: float  # 0: as the file says
    cropped: bool  # frames show the face alone


def run(folder: str, *values: str | bool | list[str]) -> dict:
    """Run the verb predict: write the answers into a folder, and print them.

    Args:
        folder: for predictions.json, .csv and .html.
        *values: of Command.

    Returns:
        The content of predictions.json.

    Raises:
        UserError: names the model, flag or input that is wrong.
    """
    command = Command(*values)
    numbers = [_whole(name, getattr(command, name)) for name in NAMES]
    try:
        fps = float(command.fps or 0)
    except ValueError:
        raise UserError(f'--fps={command.fps}: allowed: frames a second, as --fps=100') from None
    content = predict(
        command.model,
        command.first,
        *command.further,
        key_frames=tuple(numbers) if any(map(_is_given, numbers)) else None,
        fold=command.fold,
        folder=folder,
        fps=fps,
        cropped=command.cropped,
    )
    print(prediction_tables.text(content))
    print(f'predictions: {absolute(folder) / files.PREDICTION_FILE} (and .csv, .html)')
    return content.to_json()


def _whole(name, text):
    """The value of a flag with the number of a frame; None where it is not given."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise UserError(f'--{name}={text}: allowed: the number of a frame, as --{name}=46')
    return int(text)


def _is_given(number):
    return number is not None


def predict(
    model: str | Path,
    *recordings: str | Path | Frames,
    key_frames: tuple[int, int | None, int] | None = None,
    fold: str = '',
    folder: str | Path | None = None,
    **options: Unpack[Options],
) -> PredictionFile:
    """Estimate what a trained model says of new recordings.

    It reports the movement of the face first, and second the class of the training data. It is an
    estimate of models that were trained on laboratory recordings, and no lie detector.

    Args:
        model: folder of a finished run, or a pack.
        *recordings: videos, folders of frames, numbers of cameras, feature pictures (PNG, for a
            model that was trained on such); or frames uint8[T, H, W], numbered from 0.
        key_frames: (onset, apex, offset), numbers of frames of the one recording; an apex of None
            is the frame with the largest motion. None: clips are searched.
        fold: title of a fold (the left-out subject), whose networks alone predict; '': all.
        folder: for predictions.json, predictions.csv and predictions.html; None writes nothing.
        **options: fps, frames a second where the input does not give them; cropped, whether frames
            show the face alone, as the crops of a release.

    Raises:
        UserError: names what is wrong.

    Examples:
        >>> mj.predict('runs/ststnet', 'interview.mp4')
        Traceback (most recent call last):
        mer_jax.errors.UserError: runs/ststnet was trained from Python, as no config can build it
    """
    keys = _checked_keys(key_frames)
    if not recordings:
        raise UserError('predict: no input; allowed: videos, folders of frames, feature pictures')
    if keys is not None and len(recordings) > 1:
        raise UserError(
            f'--onset={keys.onset} is for one input, and {len(recordings)} are given; predict '
            'them one by one'
        )
    path = None if folder is None else _checked_folder(folder)
    way = Way(keys, options.get('fps', 0.0), options.get('cropped', False))
    opened = answers.opened(os.fspath(model), fold)
    results, pictures = [], {}
    for number, source in enumerate(recordings):
        result, of_clips = _of_input(opened, source, way)
        results.append(result)
        for position, one in enumerate(of_clips):
            if one.pictures is not None:
                pictures[number, position] = one.pictures
    from_frames = any(result.kind != FEATURES for result in results)
    content = PredictionFile(
        model=answers.facts(opened, from_frames=from_frames),
        recordings=tuple(results),
        versions=versions() | provenance.code(),
    )
    if path is not None:
        _write(path, content, pictures)
    return content


FEATURES = 'feature picture'


def _write(path, content, pictures):
    path.mkdir(parents=True, exist_ok=True)
    content.write(path)
    PredictionRows.of(content).write(path)
    prediction_page.write(path, content, pictures)


def _checked_folder(folder):
    """The absolute folder for the answers; UserError where a run lies in it."""
    path = absolute(folder)
    if (path / files.CONFIG).exists():
        raise UserError(
            f'--workdir={folder}: holds a run, whose {files.PREDICTIONS} would be lost; name '
            'another'
        )
    return path


def _checked_keys(numbers: tuple[int | None, ...] | None) -> KeyFrames | None:
    """Return key frames, the apex -1 where it is not given."""
    if numbers is None:
        return None
    onset, apex, offset = numbers
    if onset is None or offset is None:
        missing = 'onset' if onset is None else 'offset'
        raise UserError(
            f'--{missing} is not given; allowed: both --onset and --offset, with or without '
            '--apex; or none of them, to search'
        )
    if not 0 <= onset < offset:
        raise UserError(f'--onset={onset}: allowed: 0 or more, and less than --offset={offset}')
    if offset - onset >= MOST_FRAMES:
        raise UserError(
            f'--offset={offset}: {offset - onset} frames behind the onset; allowed: less than '
            f'{MOST_FRAMES}; leave the key frames out to search a long recording'
        )
    if apex is None:
        return KeyFrames(onset, -1, offset)
    if not onset < apex <= offset:
        raise UserError(f'--apex={apex}: allowed: above --onset={onset}, up to --offset={offset}')
    return KeyFrames(onset, apex, offset)


def _of_input(
    model: Model, source: str | Path | Frames, way: Way
) -> tuple[RecordingAnswer, Sequence[Answer]]:
    """Return what a model says of one input."""
    if not isinstance(source, np.ndarray) and _is_picture(source):
        return _of_picture(model, os.fspath(source), way)
    if way.key_frames is None:
        raise UserError(
            f'{source}: no key frames; give --onset, --apex and --offset, the numbers of frames'
        )
    return _of_given(model, source, way)


def _is_picture(source):
    return Path(source).suffix.lower() == '.png' and Path(source).is_file()


def _of_picture(model, source, way):
    """The answer to a published feature picture."""
    if way.key_frames is not None:
        raise UserError(f'{source}: is one picture; leave --onset, --apex and --offset out')
    one = answers.of_features(model, source)
    shown = RecordingAnswer(
        source=source,
        kind=FEATURES,
        fps=None,
        width=answers.records.WIDTH,
        height=answers.records.HEIGHT,
        frames=1,
        outcome=answer.MOVEMENT,
        clips=(one.clip,),
    )
    return shown, [one]


def _of_given(model, source, way):
    """The answer to the clip that key frames give."""
    keys = way.key_frames
    every = model.recipe.every_frame or keys.apex < 0
    only = range(keys.onset, keys.offset + 1) if every else keys
    with _opened(model, source, way, only=frozenset(only)) as read:
        frames, times = _kept(read, frozenset(only), way, every=every)
        _check_inside(source, read, frames, keys)
        one = answers.of_clip(
            model,
            frames,
            keys,
            times.get,
            name=read.name,
            cropped=way.cropped,
        )
        warnings = (*read.warnings, *face_check.warnings(read.spans))
    return _shown(source, read, len(frames), [one], warnings), [one]


def _shown(source, read, count, clips, warnings):
    """Return the RecordingAnswer of a recording that was read."""
    height, width = read.size
    moved = any(one.clip.outcome != answer.NOTHING for one in clips)
    return RecordingAnswer(
        source=read.name,
        kind=_kind(source),
        fps=read.fps or None,
        width=width,
        height=height,
        frames=count,
        outcome=answer.MOVEMENT if moved else answer.NOTHING,
        clips=tuple(one.clip for one in clips),
        warnings=warnings,
    )


def _kind(source):
    if isinstance(source, np.ndarray):
        return 'array'
    if os.path.isdir(source):
        return 'folder of frames'
    return 'video' if os.path.exists(source) else 'camera'


def _opened(model, source, way, *, only=None) -> Recording:
    """A recording of an input, or of frames in memory."""
    if isinstance(source, np.ndarray):
        return _in_memory(source, way.fps)
    return recording.open_recording(
        os.fspath(source), fps=way.fps, colour=model.recipe.colour, only=only
    )


def _in_memory(frames, fps):
    """Frames in memory as a recording."""
    fits = frames.dtype == np.uint8 and frames.shape[3:] in ((), (3,))
    if frames.ndim not in (3, 4) or not fits or len(frames) < 2:
        raise UserError(
            f'frames are {frames.dtype}{list(frames.shape)}; allowed: uint8[T, H, W] or '
            'uint8[T, H, W, 3], two frames or more'
        )

    def each():
        for number, frame in enumerate(frames):
            ms = number * 1000 / fps if fps else np.nan
            colour = frame if frame.ndim == 3 else None
            yield Frame(number, ms, answers.records.gray(frame), colour)

    about = recording.About('frames', fps, frames.shape[1:3], len(frames), [], [])
    return Recording(about, each(), lambda: None)


def _kept(
    read: Recording, wanted: frozenset[int], way: Way, *, every: bool
) -> tuple[dict[int, np.ndarray], dict[int, float]]:
    """Read the wanted frames, and check faces and cuts on the way.

    Returns:
        ({number: frame}, {number: its time in ms}); no time where nothing gives times.
    """
    interval = face_check.every(read.fps) if every else 1
    state = face_check.init(0 if way.cropped else interval)
    frames, times = {}, {}
    for frame in read:
        if frame.number > max(wanted):
            break
        if frame.number not in wanted:
            continue
        state, spans = face_check.step(state, frame)
        read.spans.extend(spans)
        frames[frame.number] = frame.gray if frame.rgb is None else frame.rgb
        if np.isfinite(frame.ms):
            times[frame.number] = float(frame.ms)
    read.spans.extend(face_check.finish(state))
    return frames, times


def _check_inside(source, read: Recording, frames: Mapping[int, np.ndarray], keys: KeyFrames):
    """Refuse key frames that the recording does not hold."""
    for name, number in keys._asdict().items():
        if number >= 0 and number not in frames:
            raise UserError(f'--{name}={number}: {read.name} has {_numbers(source, read)}')


def _numbers(source, read):
    """The numbers of the frames of a recording, in words."""
    if not isinstance(source, np.ndarray) and os.path.isdir(source):
        listed, _ = recording.frames.listing(Path(source))
        gaps = max(listed) - min(listed) + 1 - len(listed)
        missing = f', {gaps} missing between them' if gaps else ''
        return f'frames {min(listed)} to {max(listed)}{missing}'
    return f'frames 0 to {read.count - 1}' if read.count else 'no such frame'
