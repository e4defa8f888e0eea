"""Drawn faces as files."""

import re

import numpy as np
import pytest

from mer_jax.data import drawn
from mer_jax.errors import UserError
from tfds_builders import videos

MOMENTS = re.compile('(?:onset|apex|offset) ([0-9]+) ms')


def test_a_table_of_the_user_is_not_overwritten(tmp_path):
    """A newcomer who draws into the folder of real data would lose the annotation."""
    (tmp_path / drawn.TABLE).write_text('clip,subject,label,path\n')
    with pytest.raises(UserError, match=drawn.TABLE):
        drawn.draw(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [drawn.TABLE]


def test_the_verb_says_what_its_video_shows(tmp_path, capsys, monkeypatch):
    """Whoever predicts on the video must be able to tell a right answer from a wrong one."""
    monkeypatch.chdir(tmp_path)
    drawn.run('faces')
    text = capsys.readouterr().out
    recording = videos.open_recording(f'faces/{drawn.VIDEO}')
    faces = np.stack([frame.gray for frame in recording]).astype(np.float32)
    apex, offset = (round(float(ms) / 1000 * recording.fps) for ms in MOMENTS.findall(text)[1:])
    # at rest frames differ by noise alone; the apex differs most from both rests
    moved = np.abs(faces - faces[: drawn.RESTING].mean(0)).mean((1, 2))
    assert drawn.RESTING < apex < offset and abs(int(moved.argmax()) - apex) <= 3
    assert drawn.SHOWN in text and f'faces/{drawn.TABLE}' in text and drawn.CONFIG in text
