"""Tables of OpenFace: each row reaches the frame of its file, or the table is refused."""

import os

import numpy as np
import pytest

from mer_jax.errors import UserError
from mer_jax.preprocess import face
from tests.faults.releases import Copy
from tfds_builders import inputs

CLIP = 'sub01_EP03_02'  # 97 to 104: img100 comes before img97 in the order of names
NAMES = ('frame', 'success', *(f'x_{i}' for i in range(68)), *(f'y_{i}' for i in range(68)))


def table(frames, values, success=()):
    """Lines of a table: every point of row k lies at (values[k], values[k])."""
    lines = [', '.join(NAMES)]
    for frame, value, seen in zip(frames, values, success or [1] * len(values), strict=True):
        lines.append(', '.join(map(str, [frame, seen, *[value] * 136])))
    return '\n'.join(lines) + '\n'


def by_name(copy):
    """Frame numbers of the sheet in the order in which OpenFace reads the files of the clip."""
    paths = sorted(copy.place(CLIP).iterdir(), key=lambda path: os.fsencode(path.name))
    numbers = {
        copy.as_released(CLIP, number).stat().st_ino: number for number in copy.clips[CLIP].numbers
    }
    return [numbers[path.stat().st_ino] for path in paths]


def landmarks(copy, text):
    """{frame number: where its landmarks lie in the frame} of the clip, as a build stores them."""
    folder = copy.folder / 'openface'
    folder.mkdir()
    (folder / f'{CLIP}.csv').write_text(text)
    clip = copy.read()[0][CLIP]
    files = {'landmarks': str(folder), 'detector': '', 'magnet': ''}
    record = inputs.make(clip, kind='video', options={}, files=files)
    back = np.linalg.inv(np.vstack([record['matrix'], [0, 0, 1]]))[:2]
    points = face.transform(back, record['landmarks'].astype(float))
    return dict(zip(record['landmark_frames'].tolist(), points[:, 0, 0], strict=True))


READ = {  # name -> (layout, how the copy is renamed)
    'unpadded over 99': ('cropped', None),
    'padded': ('padded', None),
    'whole recording': ('raw', None),
    'from 1, unpadded': ('cropped', lambda index, number: index + 1),
    'from 5, over 9': ('cropped', lambda index, number: index + 5),
    'from 96, over 99': ('selected', lambda index, number: index + 96),
}


@pytest.mark.parametrize('case', READ)
def test_rows_in_the_order_of_names_reach_their_frames(case, tmp_path):
    """If this fails, landmarks of one frame are taken for those of another."""
    layout, number_of = READ[case]
    copy = Copy(tmp_path, 'casme2', layout)
    if number_of:
        copy.renumber(number_of)
    order = by_name(copy)
    points = landmarks(copy, table(range(1, len(order) + 1), order))
    assert list(points) == list(range(97, 105))
    np.testing.assert_allclose(list(points.values()), list(points), atol=1e-3)


ORDER = [100, 101, 102, 103, 104, 97, 98, 99]
REFUSED = {  # name -> (frames, line named)
    'numbers of the files': (sorted(ORDER), 'line 2: frame is 97'),
    'numbers of the files, by name': (ORDER, 'line 2: frame is 100'),
    'from 0': (range(8), 'line 2: frame is 0'),
    'a row missing': ([1, 2, 3, 5, 6, 7, 8], 'line 5: frame is 5'),
    'the last row missing': (range(1, 8), 'has 7 rows'),
    'a row more': (range(1, 10), 'has 9 rows'),
    'two faces in one frame': ([1, 2, 2, 3, 4, 5, 6, 7], 'line 4: frame is 2'),
    'another order': ([1, 3, 2, 4, 5, 6, 7, 8], 'line 3: frame is 3'),
    'a fraction': ([1, 2.5, 3, 4, 5, 6, 7, 8], 'line 3: frame is 2.5'),
}


@pytest.mark.parametrize('case', REFUSED)
def test_any_other_numbering_is_refused(case, tmp_path):
    """If this fails, a table whose rows cannot be matched is matched by guessing."""
    frames, words = REFUSED[case]
    with pytest.raises(UserError, match=words) as error:
        landmarks(Copy(tmp_path, 'casme2'), table(frames, list(frames)))
    text = str(error.value)
    assert f'{CLIP}.csv' in text and 'from 1 to 8' in text and '\n' not in text


WRONG = {  # name -> (what stands in the table in place of the row of frame 101, what is named)
    'decimal commas': (lambda row: row.replace('101', '101,5'), '274 cells below 138 names'),
    'a point that is none': (lambda row: row.replace('101', 'nan', 1), 'not finite'),
    'an infinite point': (lambda row: row.replace('101', '-inf', 1), 'not finite'),
    'a word': (lambda row: row.replace('101', 'left eye', 1), "'left eye'"),
    'a row cut off': (lambda row: row[:100], 'cells below 138 names'),
}


@pytest.mark.parametrize('case', WRONG)
def test_a_row_that_holds_no_landmarks_is_named(case, tmp_path):
    """If this fails, points of one column are read from another, or are no numbers at all."""
    change, words = WRONG[case]
    lines = table(range(1, 9), ORDER).splitlines()
    place = 1 + ORDER.index(101)
    lines[place] = change(lines[place])
    with pytest.raises(UserError, match=f'line {place + 1}: .*{words}') as error:
        landmarks(Copy(tmp_path, 'casme2'), '\n'.join(lines) + '\n')
    assert f'{CLIP}.csv' in str(error.value)


def test_a_frame_without_a_face_takes_those_of_its_neighbour(tmp_path):
    """If this fails, a gap is filled from the neighbouring row, which is another frame."""
    copy = Copy(tmp_path, 'casme2')
    success = [number != 99 for number in ORDER]
    points = landmarks(copy, table(range(1, 9), ORDER, list(map(int, success))))
    assert round(points[99]) in (98, 100) and round(points[100]) == 100
