"""Clips of the user, which a table lists: the same content as any other data set."""

import csv
import re
import unicodedata
from pathlib import Path

import cv2
import numpy as np
import pytest

import tfds_builders
from mer_jax.data import arrays, loading, sources
from mer_jax.data.drawn import COLUMNS
from mer_jax.errors import UserError
from mer_jax.settings import sections
from tests.support import videos

SAME = ('key_frames', 'flow', 'flow_offset', 'action_units', 'emotion', 'onset', 'apex', 'offset')
NAME = 'frames_csv/flow,optical_flow=farneback'  # the flow of tiny_data
BUILDER = tfds_builders.BUILDERS['frames_csv']
HEADER = 'clip,subject,label,path'


def row(record, **changes):
    """A line of the table about a drawn clip."""
    cells = {
        'clip': record['clip'],
        'subject': '006',
        'label': record['emotion'],
        'path': f'frames/{record["clip"]}',
        'onset': record['onset'],
        'apex': record['apex'],
        'offset': record['offset'],
        'fps': record['fps'],
        'action_units': record['action_units'],
        'cropped': 'yes',
    }
    return {**cells, **changes}


def table(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, 'w', newline='', encoding='utf-8') as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return path


def built(path, data_dir):
    return tfds_builders.prepare(NAME, data_dir=data_dir, manual_dir=path, progress=False)


@pytest.fixture(scope='module')
def own(tiny_data, tmp_path_factory):
    """(records of two drawn clips, table of their frames, data folder).

    The table has a third row: the first clip as a video without loss, numbered from 0.
    """
    folder = tmp_path_factory.mktemp('own')
    drawn = tfds_builders.prepare('synthetic_faces/tiny', data_dir=tiny_data, progress=False)
    by_emotion = {record['emotion']: record for record in tfds_builders.records(drawn)}
    records = [by_emotion['happiness'], by_emotion['disgust']]
    for record in records:
        place = folder / 'frames' / record['clip']
        place.mkdir(parents=True)
        for number, frame in enumerate(record['frames'], record['first_frame']):
            cv2.imwrite(str(place / f'img{number}.png'), frame)
    first = records[0]
    colour = np.repeat(first['frames'][..., None], 3, axis=-1)
    videos.write(folder / 'first.avi', colour, fps=100, codec='FFV1')
    numbers = {name: first[name] - first['first_frame'] for name in ('onset', 'apex', 'offset')}
    video = row(first, clip='as_video', path='first.avi', fps='', subject='7', **numbers)
    path = table(folder / 'clips.csv', [*map(row, records), video])
    return records, path, folder / 'data'


def test_frames_of_drawn_clips_give_what_the_drawn_data_set_holds(own):
    """Results on own clips could not be compared with those on a release."""
    records, path, data_dir = own
    by_clip = {record['clip']: record for record in tfds_builders.records(built(path, data_dir))}
    for drawn in records:
        mine = by_clip[drawn['clip']]
        for name in SAME:
            assert np.array_equal(mine[name], drawn[name]), name
    assert {record['subject'] for record in by_clip.values()} == {'006', '7'}, 'text stays text'


def test_a_video_gives_what_its_frames_give(own):
    """If this fails, a clip depends on the form in which it lies there."""
    records, path, data_dir = own
    by_clip = {record['clip']: record for record in tfds_builders.records(built(path, data_dir))}
    as_video, as_frames = by_clip['as_video'], by_clip[records[0]['clip']]
    for name in ('key_frames', 'flow', 'flow_offset', 'fps'):
        assert np.array_equal(as_video[name], as_frames[name]), name
    assert as_video['onset'] == as_frames['onset'] - records[0]['first_frame']


def test_every_label_is_a_class_unless_some_are_listed(own):
    """Otherwise a newcomer must learn of label schemes before the first run."""
    _, path, data_dir = own
    parsed = sources.parse(NAME, str(path))
    options = sources.BuildOptions(data_dir=str(data_dir))
    for labels, classes in (
        (sections.Data().labels, ('disgust', 'happiness')),
        ('classes:Happiness, disgust', ('Happiness', 'disgust')),
    ):
        settings = sections.Data(labels=labels)
        data = loading.load(parsed, options, settings, channels=('u', 'v'))
        assert data.names.classes == classes
    for labels, named in (
        ('five', 'five.*classes:'),
        ('classes:joy,anger', 'happiness 2.*disgust'),
    ):
        with pytest.raises(UserError, match=named):
            loading.load(parsed, options, sections.Data(labels=labels), channels=('u', 'v'))


def test_what_draw_returns_can_be_loaded(own, monkeypatch):
    """A path would be refused with an error of Python, in the first lines of a newcomer."""
    _, path, data_dir = own
    monkeypatch.setenv('TFDS_DATA_DIR', str(data_dir))
    assert arrays.load(NAME, manual_dir=path).classes == ('disgust', 'happiness')


def test_a_changed_frame_or_table_is_refused(own, tmp_path):
    """A run would go on with clips that are no longer those of the user."""
    records, path, data_dir = own
    built(path, data_dir)
    frame = next((path.parent / 'frames' / records[1]['clip']).iterdir())
    for file, name in ((frame, records[1]['clip']), (path, 'clips.csv')):
        before = file.read_bytes()
        file.write_bytes(before + b'\n')
        with pytest.raises(UserError, match=name):
            built(path, data_dir)
        file.write_bytes(before)
    built(path, data_dir)


def test_two_tables_of_one_name_are_built_beside_each_other():
    """The second would be refused, or replace the first."""
    names = set()
    for path in ('/pilot/clips.csv', '/study/clips.csv'):
        files = {'landmarks': '', 'detector': '', 'magnet': '', 'table': path}
        names.add(BUILDER.parse_config('flow', files).name)
    assert len(names) == 2 and all('table=clips-' in name for name in names)


def test_the_documented_table_has_the_columns_that_are_read():
    """A column that was renamed would be passed over."""
    text = (Path(__file__).parents[2] / 'docs/own_data.md').read_text()
    named = {line.split('`')[1] for line in text.splitlines() if line.startswith('| `')}
    assert named | {'apex', 'offset'} >= {*BUILDER.LAYOUT.COLUMNS}


@pytest.fixture(scope='module')
def noise(tmp_path_factory):
    """A folder with `a` and `b`, each of which holds img1.png to img10.png of its own noise."""
    folder = tmp_path_factory.mktemp('noise')
    rng = np.random.default_rng(0)
    for name in 'ab':
        pictures(folder / name, rng, [f'img{number}.png' for number in range(1, 11)])
    return folder


def pictures(folder, rng, names):
    folder.mkdir(parents=True)
    for name in names:
        cv2.imwrite(str(folder / name), rng.integers(0, 255, (16, 16), dtype=np.uint8))


def read(folder, text, encoding='utf-8'):
    """({clip: Clip}, [Row that is not plainly used]) of a table with this text."""
    path = folder / 'clips.csv'
    path.write_bytes(text.encode(encoding))
    clips, rows = BUILDER.LAYOUT.read(path)
    return {clip.clip: clip for clip in clips}, [row for row in rows if row.status != 'used']


@pytest.mark.parametrize(
    ('text', 'named'),
    [
        ('clip,subject,label,label,path\nx,1,sad,happy,a', 'label and label'),
        ('clip,subject,label,path,AU,AUs\nx,1,sad,a,6,12', 'AU and AUs'),
        ('clip,person,emotion,path\nx,1,sad,a', 'subject, label: .*person'),
        ('', 'empty'),
        (f'{HEADER}\nx,1,"sad,a\ny,2,sad,b\nz,3,sad,b', 'row 2 .* quote'),
        (f'{HEADER},notes\nx,1,sad,a,"good\ny,2,sad,b,bad"', 'row 2 .* quote'),
    ],
)
def test_a_table_that_can_be_read_in_two_ways_is_refused(noise, text, named):
    """Rows would vanish, or another column than the meant one would be the label."""
    with pytest.raises(UserError, match=f'clips.csv: .*{named}'):
        read(noise, text)


def test_a_note_over_two_lines_is_none_of_the_table(noise):
    """Spreadsheets write such cells; they hold nothing that is read."""
    clips, _ = read(noise, f'{HEADER},notes\nx,1,sad,a,"look,\nagain"\ny,2,sad,b,')
    assert [*clips] == ['x', 'y']


@pytest.mark.parametrize(
    ('cells', 'named'),
    [
        ('x,1,sad,a,6,12', 'more cells.*12'),
        ('x,nan,sad,a,', 'subject is empty'),
        ('x,1,#N/A,a,', 'label is empty'),
        ('x,1,#REF!,a,', 'label is .#REF!'),
    ],
)
def test_a_row_without_a_certain_label_is_dropped(noise, cells, named):
    """A shifted cell would be a wrong label, and clips without a subject would be one person."""
    clips, rows = read(noise, f'{HEADER},AU\n{cells}\ny,2,sad,b,4')
    assert [*clips] == ['y']
    (row,) = rows
    assert (row.file, row.status) == ('clips.csv row 2', 'dropped')
    assert re.match(named, row.reason)


@pytest.mark.parametrize(
    ('one', 'other'),
    [('s 1', 's  1'), ('s1', ' s1\t'), ('Zo\u00eb', unicodedata.normalize('NFD', 'Zo\u00eb'))],
)
def test_one_person_is_one_subject_however_blanks_are_typed(noise, one, other):
    """A person under two names trains the fold that tests her."""
    clips, _ = read(noise, f'{HEADER}\nx,{one},sad,a\ny,{other},sad,b')
    assert clips['x'].subject == clips['y'].subject


@pytest.mark.parametrize('other', ['S1', 's01', 's_1', 's-01'])
def test_subjects_of_nearly_one_name_are_named(noise, other):
    """Nobody would see that one person counts as two."""
    clips, _ = read(noise, f'{HEADER}\nx,s1,sad,a\ny,{other},sad,b')
    assert f's1 and {other}' in BUILDER.LAYOUT.alike(clips.values()) or (
        f'{other} and s1' in BUILDER.LAYOUT.alike(clips.values())
    )


@pytest.mark.parametrize('path', ['a', './a/', 'link'])
@pytest.mark.parametrize(
    ('subject', 'label', 'status'),
    [('2', 'sad', 'error'), ('1', 'happy', 'error'), ('1', 'sad', 'ignored')],
)
def test_frames_are_those_of_one_clip(noise, path, subject, label, status):
    """A left-out person's frames would train under another name, or with two labels."""
    if not (noise / 'link').exists():
        (noise / 'link').symlink_to(noise / 'a')
    _, (row,) = read(noise, f'{HEADER}\nx,1,sad,a\ny,{subject},{label},{path}')
    assert (row.clip, row.status) == ('y', status)
    assert 'x in clips.csv row 2' in row.reason


def test_a_folder_may_hold_several_clips(noise):
    """Recordings of a whole session are cut by their numbers alone."""
    header = f'{HEADER},onset,offset'
    text = f'{header}\nx,1,sad,a,1,5\ny,2,happy,a,6,10\nz,1,happy,a,3,5'
    clips, rows = read(noise, text)
    assert ([*clips], rows) == (['x', 'y', 'z'], [])
    _, (row,) = read(noise, f'{text}\nu,1,happy,a,5,7')
    assert (row.clip, row.status) == ('u', 'error')


@pytest.mark.parametrize(
    ('names', 'is_one'),
    [
        (['happy_{}.png', 'sad_1{}.png'], False),
        (['cam1_{}.png', 'cam2_{}.png'], False),
        (['0.9{}.png', '1.0{}.png', '1.1{}.png'], False),
        (['12_00_{}.png', '12_01_1{}.png'], True),
        (['img{}.png', 'IMG1{}.png'], True),
    ],
)
def test_frames_of_two_series_are_no_clip(noise, tmp_path, names, is_one):
    """Frames of two movements, or in a wrong order, would make a flow that nobody showed."""
    files = [name.format(digit) for name in names for digit in range(1, 7)]
    pictures(tmp_path / 'mixed', np.random.default_rng(1), files)
    clips, _ = read(noise, f'{HEADER}\nx,1,sad,{tmp_path}/mixed\ny,2,sad,b')
    assert ('x' in clips) == is_one


@pytest.mark.parametrize(
    ('onset', 'units', 'named'),
    [
        ('0', '', '0 to 10 in the table, 1 to 10'),
        ('1', 'smile', 'action_units is .smile'),
        ('1', '6.12', 'action_units is .6.12'),
    ],
)
def test_what_a_row_cannot_mean_is_dropped(noise, onset, units, named):
    """Frames would be off by one, and a word would count as a face that shows no unit."""
    text = f'{HEADER},onset,offset,AU\nx,1,sad,a,{onset},10,{units}\ny,2,sad,b,1,10,6.0'
    clips, (row,) = read(noise, text)
    assert (row.clip, row.status) == ('x', 'dropped')
    assert re.search(named, row.reason)
    assert clips['y'].action_units == '6'


def test_doubts_about_a_video_stand_in_the_audit(noise):
    """Frames that a camera left out would be a faster movement, which nobody knows of."""
    path = videos.write(noise / 'steady.mp4', videos.noise(30, 48, 64), codec='mp4v')
    videos.with_intervals(path, [40] * 10 + [400] + [40] * 18)
    clips, (row,) = read(noise, f'{HEADER}\nx,1,sad,steady.mp4\ny,2,sad,b')
    assert [*clips] == ['x', 'y']
    assert (row.clip, row.status) == ('x', 'repaired') and 'missing' in row.reason


def test_a_path_too_long_for_a_disk_is_not_there(noise):
    """The whole table would be refused, with a word on the wrong folder."""
    layout = BUILDER.LAYOUT
    clips, (row,) = read(noise, f'{HEADER}\nx,1,sad,{"a" * 5000}\ny,2,sad,b')
    layout.files(noise / 'clips.csv')
    assert [*clips] == ['y'] and row.status == 'dropped' and len(row.reason) < 500
