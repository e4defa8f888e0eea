"""What becomes of the rows of a user's table, and which tables are refused."""

from pathlib import Path

import cv2
import numpy as np
import openpyxl
import pytest

import tfds_builders
from mer_jax.errors import UserError
from tests.support import videos
from tests.support.messages import mentions
from tfds_builders import audit

LAYOUT = tfds_builders.BUILDERS['frames_csv'].LAYOUT
HEADER = 'clip,subject,label,path,onset,apex,offset,fps,action_units,cropped'
GOOD = 'good,006,joy,good,1,4,9,100,6+12,yes'


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """frames/ and good/ of img1.png to img9.png, gap/ without 4, torn/ with 9 cut off, a video."""
    folder = tmp_path_factory.mktemp('own')
    _, picture = cv2.imencode('.png', np.full((8, 8), 90, np.uint8))
    for name in ('frames', 'good', 'gap', 'torn'):
        (folder / name).mkdir()
        for number in range(1, 10):
            (folder / name / f'img{number}.png').write_bytes(picture)
    (folder / 'gap/img4.png').unlink()
    (folder / 'torn/img9.png').write_bytes(picture[:40])
    (folder / 'empty').mkdir()
    (folder / 'notes.txt').write_text('no video')
    videos.write(folder / 'clip.avi', videos.noise(8, 16, 16))
    return folder


def read(folder, *rows, header=HEADER):
    """(Clips by name, audit rows without that of the good clip) of a table."""
    table = folder / 'clips.csv'
    table.write_text('\n'.join([header, *rows]) + '\n', encoding='utf-8')
    clips, rows = LAYOUT.read(table)
    return {clip.clip: clip for clip in clips}, rows


CASES = {  # name -> (row, its status, what the reason names)
    'as it should be': ('a,007,fear,frames,1,4,9,,,', 'used', ''),
    'a whole folder': ('a,007,fear,frames,,,,,,', 'used', ''),
    'no clip': (',007,fear,frames,,,,,,', 'dropped', 'clip'),
    'no subject': ('a,,fear,frames,,,,,,', 'dropped', 'subject'),
    'no label': ('a,007,,frames,,,,,,', 'dropped', 'label'),
    'a label of two': ('a,007,"joy, fear",frames,,,,,,', 'dropped', 'label ... comma'),
    'no path': ('a,007,fear,,,,,,,', 'dropped', 'path'),
    'a path that is not there': ('a,007,fear,farmes,,,,,,', 'dropped', 'farmes'),
    'a folder without frames': ('a,007,fear,empty,,,,,,', 'dropped', 'empty'),
    'one picture': ('a,007,fear,frames/img1.png,,,,,,', 'dropped', 'img1.png ... folder'),
    'no video': ('a,007,fear,notes.txt,,,,,,', 'dropped', 'notes.txt'),
    'an onset in words': ('a,007,fear,frames,first,,9,,,', 'dropped', "onset ... 'first'"),
    'an onset after the offset': ('a,007,fear,frames,9,,1,,,', 'dropped', 'onset ... 9, 1'),
    'an offset far outside': ('a,007,fear,frames,1,4,90,,,', 'dropped', 'offset ... 90 ... 1 to 9'),
    'an offset just outside': ('a,007,fear,frames,3,4,10,,,', 'repaired', 'offset'),
    'counted from 0': ('a,007,fear,frames,0,3,8,,,', 'dropped', '0 to 8 ... 1 to 9'),
    'a damaged end': ('a,007,fear,torn,1,4,9,,,', 'dropped', 'offset ... 9 ... cut off'),
    'a damaged last file': ('a,007,fear,torn,,,,,,', 'dropped', 'offset ... 9 ... cut off'),
    'a gap': ('a,007,fear,gap,1,5,9,,,', 'repaired', 'missing'),
    'an apex in the gap': ('a,007,fear,gap,1,4,9,,,', 'repaired', 'apex'),
    'an apex outside': ('a,007,fear,frames,3,2,9,,,', 'repaired', 'apex'),
    'a frame rate in words': ('a,007,fear,frames,,,,fast,,', 'dropped', "fps ... 'fast'"),
    'a frame rate with a comma': ('a,007,fear,frames,,,,"29,97",,', 'used', ''),
    'neither cropped nor not': ('a,007,fear,frames,,,,,,maybe', 'dropped', "cropped ... 'maybe'"),
    'another spelling': ('a,007,Joy,frames,,,,,,', 'repaired', 'label'),
    'the same clip otherwise': ('GOOD,007,joy,frames,1,4,9,,,', 'error', 'clips.csv row 2'),
    'the same row again': (GOOD, 'ignored', 'clips.csv row 2'),
    'a video': ('a,007,fear,clip.avi,,,,,,', 'used', ''),
    'a video to its last frame': ('a,007,fear,clip.avi,0,3,7,,,', 'used', ''),
    'a video counted from 1': ('a,007,fear,clip.avi,1,3,8,,,', 'dropped', '1 to 8 ... 0 to 7'),
    'a path of Windows': ('a,007,fear,.\\frames,,,,,,', 'used', ''),
}


@pytest.mark.parametrize('case', CASES)
def test_a_row_is_used_repaired_or_dropped_with_its_reason(case, folder):
    """A row that goes missing without a word changes every score."""
    text, status, pieces = CASES[case]
    clips, rows = read(folder, GOOD, text)
    [row] = [row for row in rows if row.file == 'clips.csv row 3']
    assert row.status == status and mentions(row.reason, pieces), row
    assert ('a' in clips) == (status in ('used', 'repaired'))
    assert clips['good'].subject == '006' and clips['good'].cropped, 'the other row stays'


def test_what_a_row_leaves_open(folder):
    """A guess in its place would be taken for an annotation."""
    clips, _ = read(folder, GOOD, 'a,007,fear,frames,,,,,,', 'b,007,fear,clip.avi,,,,,,')
    clip = clips['a']
    assert (clip.onset, clip.apex, clip.offset) == (1, -1, 9)
    assert (clip.apex_source, clip.fps, clip.cropped) == ('estimated', 0, False)
    assert not clip.action_units_known
    assert (clips['b'].onset, clips['b'].offset, clips['b'].fps) == (0, 7, videos.FPS)


@pytest.mark.parametrize(
    ('column', 'meant'),
    [
        ('onest', 'onset'),
        ('onst', 'onset'),
        ('Ofset', 'offset'),
        ('onset_ms', 'onset'),
        ('Apex Frmae', 'apex'),
        ('action unit', 'action_units'),
        ('crop', 'cropped'),
    ],
)
def test_a_misspelt_optional_column_is_refused(column, meant, folder):
    """It would be passed over: whole folders in place of clips, and no row looks wrong."""
    header = f'clip,subject,label,path,{column}'
    with pytest.raises(UserError) as refused:
        read(folder, 'a,007,fear,frames,3', header=header)
    assert mentions(str(refused.value), f'clips.csv ... {column} ... {meant}? ... note_{column}')
    clips, _ = read(folder, 'a,007,fear,frames,3', header=header.replace(column, f'note_{column}'))
    assert [*clips] == ['a'], 'the way out that the message names'


@pytest.mark.parametrize('column', ['rater', 'sex', 'notes', 'age', 'session', 'onset_ms'])
def test_columns_of_the_user_are_named_and_count_as_no_clips(column, folder):
    """A harmless column would stop the build, or read like a lost clip."""
    rows = read(folder, f'{GOOD},x', header=f'{HEADER},{column}')[1]
    (unread,) = [row for row in rows if audit.UNREAD in audit.reason_kinds(row)]
    assert column in unread.reason
    assert audit.summary('frames_csv', rows) == audit.summary('frames_csv', read(folder, GOOD)[1])


def test_names_of_one_person_are_named(folder):
    """One person under two names trains the fold that tests it."""
    rows = ['a,6,joy,frames,,,,,,', 'b,006,joy,good,,,,,,', 'c,7,joy,gap,,,,,,']
    clips, _ = read(folder, *rows)
    assert mentions(LAYOUT.alike(clips.values()), '006 and 6')
    assert not LAYOUT.alike([clips['a'], clips['c']])


TEXT = f'{HEADER}\n{GOOD}\nb,Zoë,joy,frames,1,4,9,,,\n'
ENCODINGS = {
    'UTF-8 with a mark': TEXT.encode('utf-8-sig'),
    'semicolons': TEXT.replace(',', ';').encode(),
    'UTF-16': TEXT.replace(',', '\t').encode('utf-16'),
    'ends of lines of Windows': TEXT.replace('\n', '\r\n').encode(),
}


@pytest.mark.parametrize('case', ENCODINGS)
def test_tables_as_spreadsheets_save_them(case, folder):
    """Names with accents would change, or a column be lost."""
    (folder / 'saved.csv').write_bytes(ENCODINGS[case])
    clips, _ = LAYOUT.read(folder / 'saved.csv')
    assert [clip.subject for clip in clips] == ['006', 'Zoë']


def test_a_workbook_is_read(folder):
    """Many keep their annotation in Excel."""
    book = openpyxl.Workbook()
    for line in TEXT.splitlines():
        book.active.append(line.split(','))
    book.save(folder / 'clips.xlsx')
    clips, _ = LAYOUT.read(folder / 'clips.xlsx')
    assert [clip.subject for clip in clips] == ['006', 'Zoë']


REFUSED = {  # name -> (content, what the message names)
    'another encoding': (TEXT.encode('latin-1'), 'row 3 ... UTF-8'),
    'a column less': (b'clip,subject,path\na,b,frames\n', 'label'),
    'another table': (b'time,value\n1,2\n', 'clip, subject, label, path'),
    'a header alone': (HEADER.encode(), 'clip, subject, label, path'),
    'nothing': (b'', 'clip, subject, label, path'),
    'no text': (b'\x89PNG\0\0', 'UTF-8'),
}


@pytest.mark.parametrize('case', REFUSED)
def test_what_is_no_table_is_refused_with_what_is_right(case, folder):
    """A traceback of the csv module does not say what to save how."""
    content, pieces = REFUSED[case]
    path = folder / 'refused.csv'
    path.write_bytes(content)
    with pytest.raises(UserError) as caught:
        tfds_builders.prepare('frames_csv', data_dir=folder / 'data', manual_dir=path)
    assert mentions(str(caught.value), f'refused.csv ... {pieces}')


@pytest.mark.parametrize(
    'given, pieces',
    [('', 'data.manual_dir ... FILE.csv'), ('{}', 'folder ... csv'), ('{}/no.csv', 'no.csv')],
)
def test_the_table_must_be_named(given, pieces, folder):
    """Whoever gives a folder, as for a release, learns that the file is needed."""
    path = given.format(folder)
    with pytest.raises(UserError) as caught:
        tfds_builders.prepare('frames_csv', data_dir=folder / 'data', manual_dir=path)
    assert mentions(str(caught.value), pieces)


def test_a_table_without_a_usable_row_names_the_first(folder):
    """Then nothing is built, and the reason is what the user needs."""
    path = Path(folder / 'none.csv')
    path.write_text('clip,subject,label,path\na,b,joy,nowhere\n')
    with pytest.raises(UserError) as caught:
        tfds_builders.prepare('frames_csv', data_dir=folder / 'data', manual_dir=path)
    assert mentions(str(caught.value), 'none.csv row 2 ... nowhere')
