"""The verb predict: what a trained model says of new recordings.

An input is a video, a folder of frames, a camera, or a published feature picture. Nothing of it
leaves the machine.
"""

import operator
import os
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypedDict, Unpack

import numpy as np

from mer_jax import provenance
from mer_jax.errors import UserError
from mer_jax.machine import versions
from mer_jax.prediction import answers, clips, face_check, records, spotter
from mer_jax.prediction.answers import Answer, Model
from mer_jax.prediction.clips import Way
from mer_jax.prediction.spotter import Spotter
from mer_jax.report import prediction_page
from mer_jax.runfiles import files
from mer_jax.runfiles import prediction_file as answer
from mer_jax.runfiles.folder import absolute
from mer_jax.runfiles.prediction_file import (
    PredictionFile,
    PredictionRows,
    RecordingAnswer,
    Statement,
)
from tfds_builders import videos
from tfds_builders.clip import KeyFrames

Frames = np.ndarray  # uint8[T, H, W], or uint8[T, H, W, 3] in red, green and blue
MOST_FRAMES = 2000  # of a clip with given key frames, which is kept in memory
NAMES = KeyFrames._fields
FEATURES = 'feature picture'


class Command(NamedTuple):
    """The command line of the verb, in the order of its entry in VERBS."""

    model: str
    onset: str
    apex: str
    offset: str
    fold: str
    fps: str
    spotter: str
    detector: str
    first: str  # the first input
    further: list[str]  # the other inputs
    cropped: bool


class Options(TypedDict, total=False):
    """Options of `predict`."""

    fps: float
    cropped: bool
    spotter: str | Path
    detector: str | Path


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
        spotter=command.spotter,
        detector=command.detector,
    )
    print(content)
    print(f'predictions: {absolute(folder) / files.PREDICTION_FILE} (and .csv, .html)')
    return content.to_json()


def _whole(name, text):
    """The value of a flag with the number of a frame; None where it is not given."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit()):
        raise UserError(f'--{name}={text}: allowed: the number of a frame, as --{name}=46')
    return int(text)


def _index(number):
    """A number of a frame as int, whatever kind of integer it is; None stays."""
    return None if number is None else operator.index(number)


def _is_given(number):
    return number is not None


def predict(
    model: str | Path,
    *recordings: str | Path | int | Frames,
    key_frames: tuple[int, int | None, int] | None = None,
    fold: str = '',
    folder: str | Path | None = None,
    **options: Unpack[Options],
) -> PredictionFile:
    """Predict new recordings with a trained model.

    It reports the movement of the face first, and second the class of the training data, or the
    action units of a model that detects them. It is an estimate, which is no better than the clips
    that trained the model, and no lie detector.

    Args:
        model: folder of a finished run, or a pack.
        *recordings: videos, folders of frames, numbers of cameras, feature pictures (PNG, for a
            model that was trained on such); or frames uint8[T, H, W], numbered from 0.
        key_frames: (onset, apex, offset), numbers of frames of the one recording; an apex of None
            is the frame with the largest motion. None: clips are searched.
        fold: title of a fold (the left-out subject), whose networks alone predict; '': all.
        folder: for predictions.json, predictions.csv and predictions.html; None writes nothing.
        **options: fps, frames a second where the input does not give them; cropped, whether frames
            show the face alone, as the crops of a release; spotter, the folder of a spotting run
            that gives the apex of each clip whose apex is not given; detector, weights of MTCNN
            that find faces in place of those of the run.

    Returns:
        The content of predictions.json; printed, a short table.

    Raises:
        UserError: names what is wrong.

    Examples:
        >>> mj.predict('runs/none', 'interview.mp4')
        Traceback (most recent call last):
        mer_jax.errors.UserError: runs/none: holds no run; name the folder of a finished run, or a
        pack
    """
    keys = _checked_keys(key_frames)
    videos.check_given_fps(options.get('fps', 0.0))
    if not recordings:
        raise UserError('predict: no input; allowed: videos, folders of frames, feature pictures')
    if keys is not None and len(recordings) > 1:
        raise UserError(
            f'--onset={keys.onset} is for one input, and {len(recordings)} are given; predict '
            'them one by one'
        )
    path = None if folder is None else _checked_folder(folder)
    opened = answers.opened(os.fspath(model), fold)
    if options.get('detector'):
        opened = answers.with_detector(opened, str(absolute(options['detector'], 'detector')))
    spotting = None
    if options.get('spotter'):
        spotting = spotter.opened(os.fspath(options['spotter']), opened.fold)
    way = Way(
        keys,
        options.get('fps', 0.0),
        options.get('cropped', False),
        colour=opened.recipe.colour,
        every_frame=opened.recipe.every_frame or spotting is not None,
        detector=opened.detector,
    )
    results, pictures = [], {}
    for number, source in enumerate(recordings):
        given = str(source) if isinstance(source, int) else source
        result, of_clips = _of_input(opened, given, way, spotting)
        results.append(result)
        if path is not None:
            of_clips = answers.with_looks(opened, of_clips)
        for position, one in enumerate(of_clips):
            if one.pictures is not None:
                pictures[number, position] = one.pictures
    from_frames = any(result.kind != FEATURES for result in results)
    facts = answers.facts(opened, from_frames=from_frames, cropped=way.cropped)
    content = PredictionFile(
        model=facts,
        recordings=tuple(results),
        versions=versions() | provenance.code(),
        held_out=opened.trained.held_out,
        statement=Statement.of(facts.data, units=facts.action_units is not None),
    )
    if path is not None:
        _write(path, content, pictures)
    return content


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
    try:
        onset, apex, offset = map(_index, numbers)
    except (TypeError, ValueError):
        raise UserError(
            f'key_frames={numbers}: allowed: whole numbers (onset, apex, offset), or None as apex'
        ) from None
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
    model: Model, given: str | Path | Frames, way: Way, spotting: Spotter | None
) -> tuple[RecordingAnswer, list[Answer]]:
    """Return what a model says of one input."""
    if not isinstance(given, np.ndarray) and _is_picture(given):
        return _of_picture(model, os.fspath(given), way)
    source, results, passed, read = clips.source_of(given, way), [], [], None
    for item in clips.of(source, way):
        if isinstance(item, clips.Read):
            read = item
            continue
        try:
            results.append(_of_clip(model, item, source.name, way, spotting))
        except records.NoFaceError as error:
            if way.key_frames is not None:
                raise
            passed.append(f'a candidate is passed over: {error}')
    results = [_with_spans(one, read.spans) for one in results]
    height, width = read.size
    moved = passed or read.lost or any(one.clip.outcome != answer.NOTHING for one in results)
    shown = RecordingAnswer(
        source=read.name,
        kind=read.kind,
        fps=read.fps or None,
        width=width,
        height=height,
        frames=read.frames,
        outcome=answer.MOVEMENT if moved else answer.NOTHING,
        clips=tuple(one.clip for one in results),
        motion=read.motion,
        warnings=(*read.warnings, *passed),
    )
    return shown, results


def _of_clip(model, clip, name, way, spotting):
    """What a model says of a clip, whose apex a spotting run may give."""
    spots = spotting is not None and (way.key_frames is None or way.key_frames.apex < 0)
    if spots:
        clip = spotter.with_apex(spotting, clip, name=name, cropped=way.cropped)
    one = answers.of_clip(model, clip, name=name, cropped=way.cropped)
    if spots:
        origin = answer.SEARCH_AND_SPOTTER if way.key_frames is None else answer.SPOTTER
        one = one._replace(clip=replace(one.clip, key_frames_from=origin))
    return one


def _with_spans(one, spans):
    """An answer that names what is wrong with the frames of its clip."""
    clip = one.clip
    texts = face_check.concerns(spans, clip.onset.frame, clip.offset.frame)
    lines = tuple(f'{text} within this clip' for text in texts)
    return one._replace(clip=replace(clip, warnings=(*clip.warnings, *lines)))


def _is_picture(given):
    return Path(given).suffix.lower() == '.png' and Path(given).is_file()


def _of_picture(model, path, way):
    """The answer to a published feature picture."""
    if way.key_frames is not None:
        raise UserError(f'{path}: is one picture; leave --onset, --apex and --offset out')
    one = answers.of_features(model, path)
    shown = RecordingAnswer(
        source=path,
        kind=FEATURES,
        fps=None,
        width=records.WIDTH,
        height=records.HEIGHT,
        frames=1,
        outcome=answer.MOVEMENT,
        clips=(one.clip,),
    )
    return shown, [one]
