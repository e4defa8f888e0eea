"""Recordings as users have them: damaged, cut off, turned, of any size and rate, or none at all."""

import os
import types

import cv2
import numpy as np
import pytest

import main
from mer_jax.errors import UserError
from mer_jax.prediction import answers, candidates, face_check, predict
from mer_jax.prediction import clips as readings
from mer_jax.prediction.candidates import Candidate
from mer_jax.preprocess.synthetic import clips
from mer_jax.report import prediction_tables
from mer_jax.runfiles import prediction_file as answer
from tests.support import predicted, videos
from tests.support.messages import mentions, pattern
from tfds_builders.clip import KeyFrames
from tfds_builders.videos import MISSING, Span, open_recording

COUNT = 30
GRAY = videos.noise(COUNT, 96, 128)
COLOUR = np.repeat(GRAY[..., None], 3, axis=3)


def text(path):
    path.write_text('not a video\n' * 100)
    return path


def playlist(path):
    video = videos.write(path.with_name('other.avi'), GRAY[:3])
    path.write_text(f"ffconcat version 1.0\nfile '{video.name}'\n")
    return path


def folder(path, names, *, image=GRAY[0]):
    path.mkdir()
    for name in names:
        cv2.imwrite(str(path / name), image)
    return path


def without_index(path):
    return videos.cut_off(videos.write(path, COLOUR, codec='mp4v'), 0.5)


REFUSED = {  # name -> (what writes a file of that name, its name, what the message names)
    'no such file': (lambda path: path, 'a.mp4', 'a.mp4 ... no such file'),
    'a pattern of names': (lambda path: path, 'a%03d.png', 'a%03d.png ... no such file'),
    'a text': (text, 'a.mp4', 'a.mp4 ... no video'),
    'a playlist': (playlist, 'a.mp4', 'a.mp4 ... no video'),
    'a picture': (lambda path: videos.overwrite(text(path), 0, 1), 'a.png', 'a.png ... no video'),
    'an empty file': (lambda path: path.touch() or path, 'a.avi', 'a.avi ... empty'),
    'no frame': (lambda path: videos.write(path, GRAY[:0]), 'a.avi', 'a.avi ... not one frame'),
    'one frame': (lambda path: videos.write(path, GRAY[:1]), 'a.avi', 'a.avi ... a single frame'),
    'an .mp4 without its end': (without_index, 'a.mp4', 'a.mp4 ... cut off'),
    '24 frames a second': (
        lambda path: videos.write(path, GRAY, fps=24),
        'a.avi',
        'a.avi ... 24 ... 24.5',
    ),
    'frames that would fill memory': (
        lambda path: videos.write_jpegs(path, [np.zeros((5000, 9000), np.uint8)]),
        'a.avi',
        'a.avi ... 9000x5000 ... 40 million',
    ),
    'a folder without pictures': (lambda path: folder(path, ()), 'a', 'a: no frames ... JPEG'),
    'a folder of one picture': (lambda path: folder(path, ['img1.png']), 'a', 'a single frame'),
    'names without numbers': (
        lambda path: folder(path, ['onset.png', 'apex.png']),
        'a',
        'no frames ... apex.png ... number',
    ),
    'a folder without a rate': (
        lambda path: folder(path, ['img1.png', 'img2.png']),
        'a',
        'a: no frame rate ... --fps',
    ),
}


@pytest.mark.parametrize('case', REFUSED)
def test_what_is_no_recording_is_one_line(case, tmp_path, capfd):
    """If this fails, a traceback or FFmpeg's words stand where a user looks for the mistake."""
    make, name, pieces = REFUSED[case]
    with pytest.raises(UserError) as error:
        open_recording(make(tmp_path / name), search=True)
    assert mentions(str(error.value), pieces)
    assert capfd.readouterr() == ('', '')


@pytest.mark.parametrize(
    'source',
    ['http://127.0.0.1/a.mp4', 'rtsp://127.0.0.1/a', 'concat:a.avi|b.avi', 'file:a.avi', 'data:,a'],
)
def test_nothing_is_fetched(source):
    """If this fails, a recording of a face may come from, or be asked of, another computer."""
    with pytest.raises(UserError, match='address'):
        open_recording(source)


def test_a_camera_that_is_not_there_is_one_line(capfd):
    """If this fails, OpenCV's warnings are all that a user learns."""
    with pytest.raises(UserError, match='camera 97'):
        open_recording('97')
    assert capfd.readouterr() == ('', '')


def test_a_camera_has_no_end_and_its_own_clock(tmp_path, monkeypatch):
    """A camera is tried with a video in its place: none is connected where tests run."""
    path, capture = str(videos.write(tmp_path / 'a.avi', GRAY, fps=25)), cv2.VideoCapture
    monkeypatch.setattr(cv2, 'VideoCapture', lambda number: capture(path, cv2.CAP_FFMPEG))
    frames, recording = read('3', search=True)
    assert (recording.name, recording.count, recording.fps) == ('3', None, pytest.approx(25))
    assert len(frames) == 5  # the rate is measured with those before
    assert [frame.ms for frame in frames[:2]] == pytest.approx([0, 40])
    assert 'the camera gives no more frames' in recording.warnings


def test_a_file_without_a_count_is_no_camera(tmp_path):
    """If this fails, whoever gives a file is sent to look for a loose cable."""
    frames, recording = read(videos.write(tmp_path / 'a.mjpeg', COLOUR))
    assert len(frames) == COUNT and recording.count is None
    assert not any('camera' in line for line in recording.warnings)


def test_a_folder_of_gray_frames_has_no_colour(tmp_path):
    """If this fails, a model of colours gets nothing, and nobody is told why."""
    path = folder(tmp_path / 'a', ['img1.png', 'img2.png'])
    with pytest.raises(UserError) as error:
        read(path, colour=True)
    assert mentions(str(error.value), 'img1.png ... gray')


def test_a_name_that_is_no_utf8_ends_no_process(tmp_path):
    """OpenCV dies of such a name: no message, and all other recordings are lost."""
    path = os.path.join(os.fsencode(tmp_path), b'a\xff.avi')
    os.rename(videos.write(tmp_path / 'a.avi', GRAY), path)
    with pytest.raises(UserError, match='UTF-8'):
        open_recording(os.fsdecode(path))


def read(source, **options):
    """The frames of a recording, and the recording."""
    with open_recording(source, **options) as recording:
        return list(recording), recording


def varying(path):
    """25.9 frames a second in the mean; its header says 50."""
    return videos.with_intervals(videos.write(path, COLOUR, codec='mp4v'), [33, 50, 33] * 10)


NORMAL = {  # name -> (what writes it, its name, (height, width), frames a second)
    '25 frames a second': (lambda path: videos.write(path, GRAY, fps=25), 'a.avi', (96, 128), 25),
    '24.97 frames a second': (
        lambda path: videos.write(path, GRAY, fps=24.97),
        'a.avi',
        (96, 128),
        24.97,
    ),
    'variable frame rate': (varying, 'a.mp4', (96, 128), 25.9),
    '4K': (
        lambda path: videos.write_jpegs(path, [cv2.resize(GRAY[0], (3840, 2160))] * 2),
        'a.avi',
        (2160, 3840),
        videos.FPS,
    ),
    'portrait': (
        lambda path: videos.turn(videos.write(path, COLOUR, codec='mp4v')),
        'a.mp4',
        (128, 96),
        videos.FPS,
    ),
    'odd sizes': (
        lambda path: videos.write_jpegs(path, GRAY[:, :95, :127]),
        'a.avi',
        (95, 127),
        videos.FPS,
    ),
    '16 bits': (
        lambda path: videos.write(path, GRAY.astype(np.uint16) * 257, codec='FFV1'),
        'a.mkv',
        (96, 128),
        videos.FPS,
    ),
    'a name with a colon': (
        lambda path: videos.write(path, GRAY),
        'take:2 %03d.avi',
        (96, 128),
        videos.FPS,
    ),
}


@pytest.mark.parametrize('case', NORMAL)
def test_whatever_cameras_write_is_read(case, tmp_path):
    """If this fails, the recordings of phones are refused, lie on their side or run too fast."""
    make, name, size, fps = NORMAL[case]
    frames, recording = read(make(tmp_path / name), search=True)
    assert (recording.size, frames[0].gray.shape) == (size, size)
    assert recording.fps == pytest.approx(fps, rel=0.005)
    assert recording.count == len(frames)
    assert [frame.number for frame in frames] == list(range(len(frames)))
    assert [frame.ms for frame in frames[:2]] == pytest.approx([0, 1000 / fps], rel=0.3)
    assert not recording.spans
    if case == 'variable frame rate':
        assert [frame.ms for frame in frames[:4]] == pytest.approx([0, 33, 83, 116], abs=0.5)
        assert any('variable' in line for line in recording.warnings)


def test_pixels_are_those_that_were_written(tmp_path):
    """If this fails, a model sees other brightnesses than those of the file."""
    frames, _ = read(videos.write(tmp_path / 'a.mkv', COLOUR, codec='FFV1'), colour=True)
    assert np.array_equal([frame.gray for frame in frames], GRAY)
    assert np.array_equal([frame.rgb for frame in frames], COLOUR)


@pytest.mark.parametrize('kind', ['video', 'folder'])
def test_only_the_frames_that_are_wanted_are_given(kind, tmp_path):
    """If this fails, known key frames of a long recording cost the reading of all of it."""
    if kind == 'video':
        source = videos.write(tmp_path / 'a.avi', GRAY)
    else:
        source = folder(tmp_path / 'a', [f'img{number}.png' for number in range(6)])
    frames, recording = read(source, only=frozenset((2, 4)))
    assert [frame.number for frame in frames] == [2, 4]
    assert recording.warnings == []


def test_a_slow_start_is_no_slow_recording(tmp_path):
    """Browsers begin with few frames a second: a search would refuse what is fast enough."""
    colour = np.repeat(videos.noise(60, 48, 64)[..., None], 3, axis=3)
    path = videos.write(tmp_path / 'a.mp4', colour, codec='mp4v')
    _, recording = read(videos.with_intervals(path, [60] * 24 + [20] * 36), search=True)
    assert recording.fps == pytest.approx(27.6, abs=0.3)


def test_a_rate_that_is_given_decides(tmp_path):
    """Files of high-speed cameras play slowly: their own rate would make times eight times long."""
    frames, recording = read(videos.write(tmp_path / 'a.avi', GRAY, fps=25), fps=200, search=True)
    assert recording.fps == 200 and frames[-1].ms == pytest.approx(5 * 29)
    assert mentions(' '.join(recording.warnings), '--fps=200 ... 25')


DAMAGED = {  # name -> (what writes it, its name, the frames read, what the warning names)
    'noise in an .avi': (
        lambda path: videos.overwrite(videos.write(path, GRAY), 0.5, 0.55),
        'a.avi',
        (10, 18),
        'damaged after frame ... of 30',
    ),
    'noise in an .mp4': (
        lambda path: videos.overwrite(videos.write(path, COLOUR, codec='mp4v'), 0.5, 0.55),
        'a.mp4',
        (10, 20),
        'damaged after frame ... of 30',
    ),
    'cut off': (
        lambda path: videos.cut_off(videos.write(path, GRAY), 0.5),
        'a.avi',
        (10, 16),
        'of 30',
    ),
    'a header with too many': (
        lambda path: videos.announce(videos.write(path, GRAY), 60),
        'a.avi',
        (30, 30),
        'announces 60 frames, 30 could be read',
    ),
    'a header with too few': (
        lambda path: videos.announce(videos.write(path, GRAY), 10),
        'a.avi',
        (30, 30),
        'announces 10 frames, 30 could be read',
    ),
}


@pytest.mark.parametrize('case', DAMAGED)
def test_a_damaged_video_is_read_up_to_there(case, tmp_path, capfd):
    """If this fails, what was lost is taken for still, or nothing comes of an hour's recording."""
    make, name, (least, most), pieces = DAMAGED[case]
    path = make(tmp_path / name)
    capfd.readouterr()
    frames, recording = read(path)
    assert least <= len(frames) <= most
    error = max(np.abs(frame.gray - GRAY[frame.number].astype(float)).mean() for frame in frames)
    assert error < 5  # no damaged picture is among them
    assert mentions(' '.join(recording.warnings), pieces)
    assert capfd.readouterr() == ('', '')


def test_a_video_may_begin_between_two_key_frames(tmp_path):
    """Copies cut without encoding begin so: what FFmpeg says of frame 0 is no fault of frame 1."""
    path = videos.write(tmp_path / 'a.ts', COLOUR, codec='FMP4')
    frames, recording = read(videos.cut_off_beginning(path, 0.2))
    assert len(frames) == recording.count > 20 and recording.warnings == []


def test_missing_frames_are_marked(tmp_path):
    """If this fails, a pause of the camera is one movement, from before it to after it."""
    path = videos.write(tmp_path / 'a.mp4', COLOUR, codec='mp4v')
    frames, recording = read(videos.with_intervals(path, [20] * 10 + [500] + [20] * 19))
    assert recording.spans == [Span(10, 11, MISSING)]
    assert face_check.concerns(recording.spans, 5, 15) == [MISSING]
    assert face_check.concerns(recording.spans, 11, 15) == []
    assert frames[11].ms - frames[10].ms == pytest.approx(500, abs=1)


def test_a_folder_is_read_by_the_rules_of_the_data_sets(tmp_path):
    """Numbers decide: by name alone img10 comes before img2, and lost frames are not seen."""
    names = [f'img{number}.png' for number in (*range(8, 13), 40, 41)]
    path = folder(tmp_path / 'a', names, image=np.zeros((33, 47, 4), np.uint8))
    (path / 'img42.png').write_bytes(b'\x89PNG')
    (path / 'notes.txt').touch()
    frames, recording = read(path, fps=100, search=True)
    assert [frame.number for frame in frames] == [8, 9, 10, 11, 12, 40, 41]
    assert [frame.ms for frame in frames[:2]] == [0, 10] and frames[-1].ms == 330
    assert (recording.size, recording.count) == ((33, 47), 7)
    assert recording.spans == [Span(12, 40, MISSING)]
    assert mentions(' '.join(recording.warnings), '1 of 8 ... img42.png')


ARGUMENTS = {  # arguments of mj.predict -> what the line names
    'key frames in seconds': (
        {'key_frames': (0.5, None, 1.0)},
        'key_frames=(0.5, None, 1.0) ... whole numbers',
    ),
    'two key frames': ({'key_frames': (1, 9)}, 'key_frames=(1, 9) ... onset, apex, offset'),
    'a rate below 0': ({'fps': -5}, 'fps=-5 ... from 0.1'),
    'no rate': ({'fps': float('nan')}, 'fps=nan ... from 0.1'),
}


@pytest.mark.parametrize('case', ARGUMENTS)
def test_arguments_of_python_are_checked_before_the_model(case, tmp_path):
    """If this fails, a traceback names a line of ours, or times run backwards in the answer."""
    arguments, pieces = ARGUMENTS[case]
    with pytest.raises(UserError, match=pattern(pieces)):
        predict.predict(tmp_path / 'none', GRAY, **arguments)


# what an opened model says of itself before it scores a clip
MODEL = types.SimpleNamespace(
    recipe=types.SimpleNamespace(colour=False, every_frame=False),
    detector='',
    trained=types.SimpleNamespace(held_out=None),
)


def test_python_may_name_a_camera_by_an_int(monkeypatch, capfd):
    """OpenCV takes 0 for the first camera, and so will whoever writes Python."""
    monkeypatch.setattr(answers, 'opened', lambda *model: MODEL)
    with pytest.raises(UserError, match='camera 97'):
        predict.predict('x', 97)


FACELESS = {  # name -> (frames, what the line names)
    'a black video': (np.zeros_like(GRAY[:8]), 'a.avi ... no face ... black'),
    'no face': (GRAY[:8], 'a.avi ... no face'),
    'one frame': (GRAY[:1], 'a.avi ... a single frame'),
}


@pytest.mark.parametrize('case', FACELESS)
def test_predict_of_no_face_is_one_line(case, tmp_path, monkeypatch, capfd):
    """If this fails, movement of nothing gets a class."""
    frames, pieces = FACELESS[case]
    monkeypatch.setattr(answers, 'opened', lambda *model: MODEL)
    path = videos.write(tmp_path / 'a.avi', frames)
    capfd.readouterr()
    arguments = ['predict', '--model=x', str(path), f'--workdir={tmp_path}/out']
    assert main.main(arguments) == 2
    out, err = capfd.readouterr()
    assert out == '' and err.count('\n') == 1 and mentions(err, pieces)
    assert not (tmp_path / 'out').exists()


@pytest.fixture
def camera(monkeypatch):
    """camera(room, back): the answer to a camera, of whose frames `room` fit into memory.

    The search goes back to the last `back` frames. Two candidates are certain at frame 12; no model
    is loaded.
    """
    images = clips.make(0, 1, 0, 'happiness', clips.person(0, 1)).frames[:16]
    both = [Candidate(2, 3, 4, 4.0), Candidate(8, 9, 10, 4.0)]

    def opened(given, way):
        return source_of(images, way)._replace(name=given, kind=readings.CAMERA)

    source_of = readings.source_of
    one = answers.Answer(predicted.clip(), None, None)
    monkeypatch.setattr(readings, 'source_of', opened)
    monkeypatch.setattr(answers, 'opened', lambda *names: MODEL)
    monkeypatch.setattr(answers, 'facts', lambda *of, **of_frames: predicted.model())
    monkeypatch.setattr(answers, 'of_clip', lambda *of, **options: one)

    def read(room, back):
        def step(state, frame):
            frames = (*state.frames, (frame.number, frame.ms))[-back:]
            return state._replace(frames=frames), both if frame.number == 12 else []

        monkeypatch.setattr(candidates, 'step', step)
        monkeypatch.setattr(readings, 'MOST_WAITING', room * images[0].nbytes)
        return predict.predict('x', '0', fps=60)

    return read


# in the last one memory would do, but it is not filled with what the search has judged
LOST = [(16, 16, 0), (6, 16, 1), (2, 16, 2), (16, 6, 1)]


@pytest.mark.parametrize('room, back, lost', LOST)
def test_a_camera_tells_what_it_lost(room, back, lost, camera, tmp_path):
    """If this fails, a camera with large pictures shows no movement, however much there was."""
    content = camera(room, back)
    [recording] = content.recordings
    assert len(recording.clips) == 2 - lost and recording.outcome == answer.MOVEMENT
    warnings = [line for line in recording.warnings if 'passed over' in line]
    assert [line.split()[0] for line in warnings] == [str(lost)] * bool(lost)
    content.write(tmp_path)
    assert answer.PredictionFile.read(tmp_path) == content
    outcomes = {row.outcome for row in answer.PredictionRows.of(content).rows}
    shown = prediction_tables.text(content)
    assert answer.NOTHING not in outcomes and answer.NOTHING not in shown


def test_a_clip_that_would_fill_memory_is_refused(tmp_path, monkeypatch):
    """2000 frames of 4K are 16 GB: the process is killed, and nobody learns that --apex helps."""
    monkeypatch.setattr(readings, 'MOST_GIVEN', 5 * GRAY[0].nbytes)
    video = videos.write(tmp_path / 'a.avi', GRAY)
    sparse = folder(tmp_path / 'b', [f'img{number}.png' for number in range(0, 30, 10)])

    def count(source, apex, **changes):
        way = readings.Way(
            KeyFrames(0, apex, 20), 0.0, cropped=True, colour=False, every_frame=False
        )
        way = way._replace(**changes)
        clip, _ = readings.of(readings.source_of(source, way), way)
        return len(clip.frames)

    assert [count(video, 7), count(sparse, -1), count(GRAY, -1)] == [3, 3, 21]
    with pytest.raises(UserError, match=pattern('offset=20: 21 frames of 128x96 ... --apex')):
        count(video, -1)
    with pytest.raises(UserError, match='give a shorter clip'):
        count(video, 7, every_frame=True)


def test_a_damaged_recording_is_searched_up_to_there(tmp_path):
    """If this fails, an hour is lost for a bad sector, or nobody learns what was not seen."""
    clip = clips.make(0, 1, 0, 'happiness', clips.person(0, 1))
    path = videos.overwrite(videos.write(tmp_path / 'a.avi', clip.frames, fps=100), 0.5, 0.55)
    way = readings.Way(None, 0.0, cropped=False, colour=False, every_frame=False)
    *_, read = readings.of(readings.source_of(path, way), way)
    assert 10 < read.frames < len(clip.frames) * 0.6
    assert mentions(' '.join(read.warnings), 'damaged after frame')
    far = way._replace(key_frames=KeyFrames(2, 4, len(clip.frames) - 1))
    with pytest.raises(UserError) as error:
        list(readings.of(readings.source_of(path, far), far))
    assert mentions(str(error.value), '--offset ... damaged after frame')
