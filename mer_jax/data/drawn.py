"""Drawn faces as files: what a user without recordings tries the program on."""

import csv
import io
import os
from pathlib import Path

import cv2
import numpy as np

from mer_jax import machine, provenance
from mer_jax.errors import UserError
from mer_jax.preprocess.synthetic import clips, motion

SEED = 0
PLAN = 'tiny'  # of the folders: 30 clips of 5 subjects
STRANGER, SHOWN = 8, 'happiness'  # in the video: a face that is in no folder, and its expression
WALL = 90  # grey value around the face
MARGINS = (24, 24, 32, 32)  # pixels of wall above, below, left and right of the face
RESTING = 100  # frames of the video before and after the clip: a second each
TABLE, VIDEO = 'clips.csv', 'new_face.mp4'
CONFIG = 'frames_csv_ststnet'  # that is named as the next step
COLUMNS = (
    'clip', 'subject', 'label', 'path', 'onset', 'apex', 'offset', 'fps', 'action_units',
    'cropped',
)  # fmt: skip


def draw(folder: str | Path) -> Path:
    """Write drawn faces as frames, with a CSV and a video.

    The folder then holds clips.csv, a table as `frames_csv` reads it; a folder frames/CLIP for each
    of 30 clips of five subjects, numbered as in the table; and new_face.mp4, another subject at 100
    frames a second. Nothing of it is licensed: it is drawn here, the same at every call.

    Args:
        folder: created where it is not there; about 15 MB.

    Returns:
        The path of clips.csv.

    Raises:
        UserError: the folder holds another clips.csv, or cannot be written.

    Examples:
        >>> table = mj.draw('drawn')
        >>> table.name, sorted(path.name for path in table.parent.iterdir())
        ('clips.csv', ['clips.csv', 'frames', 'new_face.mp4'])
    """
    folder = machine.absolute(folder, 'folder')
    drawn = [clips.render(job) for job in clips.jobs(PLAN, seed=SEED)]
    table, text = folder / TABLE, _table(drawn)
    try:
        if table.exists() and table.read_bytes() != text.encode():
            raise UserError(f'{table}: another table is there already; name a new folder')
        for clip in drawn:
            _write_frames(folder / _path(clip), clip)
        _write_video(folder / VIDEO)
        table.write_bytes(text.encode())
    except OSError as error:
        raise UserError(f'{folder}: cannot be written: {error.strerror or error}') from None
    return table


def run(folder: str) -> None:
    """Draw the files and print what they are.

    Args:
        folder: of the verb's argument.
    """
    table = draw(folder)
    shown = os.path.relpath(table.parent)
    program = 'python main.py' if provenance.checkout() else 'mer-jax'
    print(
        f'{shown}/{TABLE}: 30 drawn clips of 5 subjects, their frames in {shown}/frames\n'
        f'{shown}/{VIDEO}: a sixth face, which is in none of them; {_shown_in_video()}\n'
        'Next, train on the clips and predict on the video:\n'
        f'  {program} --config={CONFIG} --config.data.manual_dir={shown}/{TABLE}\n'
        f'  {program} predict --model=runs/{CONFIG} {shown}/{VIDEO}'
    )


def _shown_in_video():
    """What the video shows and when, in words: what a prediction can be compared with."""
    clip, _ = _of_stranger()
    moments = {
        'onset': RESTING,
        'apex': RESTING + clip.apex - clip.onset,
        'offset': RESTING + clip.offset - clip.onset,
    }
    times = [f'{name} {1000 * frame / clip.fps:.0f} ms' for name, frame in moments.items()]
    return (
        f'it rests, shows {clip.emotion} (AU {clip.action_units}; {", ".join(times)}), and rests '
        'again'
    )


def _of_stranger():
    """The clip of the face in the video, and how it is drawn."""
    person = clips.person(SEED, STRANGER)
    return clips.make(SEED, STRANGER, 0, SHOWN, person), person.style


def _path(clip):
    return f'frames/{clip.clip}'


def _table(drawn):
    """The text of the CSV."""
    text = io.StringIO(newline='')
    writer = csv.writer(text, lineterminator='\n')
    writer.writerow(COLUMNS)
    for clip in drawn:
        key_frames = (clip.onset, clip.apex, clip.offset)
        row = (clip.clip, clip.subject, clip.emotion, _path(clip), *key_frames)
        writer.writerow((*row, f'{clip.fps:g}', clip.action_units, 'no'))
    return text.getvalue()


def _before_wall(face):
    """uint8[H, W]: a drawn face as a camera would show it, with some room around it."""
    return cv2.copyMakeBorder(face, *MARGINS, cv2.BORDER_CONSTANT, value=WALL)


def _write_frames(folder, clip):
    folder.mkdir(parents=True, exist_ok=True)
    for number, face in enumerate(clip.frames, clip.first_frame):
        _, content = cv2.imencode('.png', _before_wall(face))
        (folder / f'img{number:04d}.png').write_bytes(content)


def _write_video(path):
    """Write a stranger that rests, shows one expression, and rests."""
    clip, style = _of_stranger()
    onset, offset = clip.onset - clip.first_frame, clip.offset - clip.first_frame
    before = _at_rest(clip.frames[:onset], style)
    after = _at_rest(clip.frames[offset:], style)
    faces = np.concatenate([before, clip.frames[onset:offset], after])
    height, width = _before_wall(faces[0]).shape
    writer = cv2.VideoWriter(
        str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*'mp4v'), clip.fps, (width, height)
    )
    if not writer.isOpened():
        raise UserError(f'{path}: OpenCV cannot write a video there')
    for face in faces:
        writer.write(cv2.cvtColor(_before_wall(face), cv2.COLOR_GRAY2BGR))
    writer.release()


def _at_rest(faces, style):
    """RESTING frames of a face that holds still, each with a camera noise of its own."""
    still = np.repeat(faces.mean(0, dtype=np.float32)[None], RESTING, axis=0)
    rng = clips.generator(SEED, STRANGER, len(faces))
    return motion.expose(rng, still, noise=style.noise, flicker=style.flicker)
