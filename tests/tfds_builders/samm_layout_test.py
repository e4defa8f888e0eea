"""SAMM layout: preamble rows, subjects as numbers, Duration, corrections, crops, refusal of long
videos.
"""

import cv2
import numpy as np
import pytest

from mer_jax.errors import UserError
from tests.tfds_builders.sheets_test import write
from tfds_builders.casme2 import layout as casme2
from tfds_builders.samm import layout

HEADER = [
    'Subject',
    'Filename',
    'Inducement Code',
    'Onset Frame',
    'Apex Frame',
    'Offset Frame',
    'Duration',
    'Micro',
    'Action Units',
    'Estimated Emotion',
    'Objective Classes',
    'Notes',
]
LONG_HEADER = [
    'Subject',
    'Filename',
    'Inducement Code',
    'Onset',
    'Apex',
    'Offset',
    'Duration',
    'Type',
    'Action Units',
    'Notes',
]
PREAMBLE = [['SAMM'], [], ['/ means or', 'Onset Frame'], ['L', 'left']] + [[None]] * 9
DEFAULTS = {name: values[0] for name, values in layout.OPTIONS.items()}
PICTURE = cv2.imencode('.jpg', np.full((6, 9), 90, np.uint8))[1].tobytes()
# filename, onset, apex, offset, action units, emotion
FIRST = ('006_1_2', 5562, 5565, 5569, '4', 'Anger')
LATER = ('014_5_2', 9998, 10001, 10003, 'R12 or R14', 'Other')


def frames(folder, numbers, subject='006'):
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (folder / f'{subject}_{number:05d}.jpg').write_bytes(PICTURE)


def line(row, subject=str, duration=0):
    name, onset, apex, offset, units, emotion = row
    return [
        subject(name[:3]),
        name,
        1,
        onset,
        apex,
        offset,
        duration or offset - onset + 1,
        'Micro - 1/2',
        units,
        emotion,
        7,
    ]


def sheet(path, lines):
    return write(path, [*PREAMBLE, HEADER, *lines], title='MICRO_ONLY')


def release(root, rows, *, tree='SAMM', name='SAMM_Micro_FACS_Codes_v2.xlsx'):
    sheet(root / name, [line(row) for row in rows])
    for row in rows:
        frames(root / tree / row[0][:3] / row[0], range(row[1], row[3] + 1), row[0][:3])
    return root


def read(root, **options):
    """({clip id: Clip}, {clip id: Row of the sheet}, all rows)."""
    clips, rows = layout.read(layout.find(root), options={**DEFAULTS, **options})
    return (
        {clip.clip: clip for clip in clips},
        {row.clip: row for row in rows if ' row ' in row.file},
        rows,
    )


def test_a_row_becomes_a_clip(tmp_path):
    """If this fails, the preamble shifts the rows, or a field of the sheet reaches training as
    another.
    """
    clips, rows, _ = read(release(tmp_path, [FIRST, LATER]))
    clip = clips['006_1_2']
    assert clip[:6] == ('006_1_2', '006', 'samm', 'Anger', '4', True)
    assert clip[6:12] == (5562, 5565, 5569, 'annotated', 200.0, False) and clip.edition == ''
    assert [n for n, _ in clip.frames] == list(range(5562, 5570))
    assert [p.name for _, p in clips['014_5_2'].frames][1:4] == [
        '014_09999.jpg',
        '014_10000.jpg',
        '014_10001.jpg',
    ]
    assert rows['006_1_2'] == (
        'SAMM_Micro_FACS_Codes_v2.xlsx row 15',
        'used',
        '',
        '006_1_2',
        '',
        '',
    )


def test_subjects_that_became_numbers(tmp_path):
    """If this fails, a sheet that pandas saved gives subject '6' beside '006', and one person
    stands in two folds.
    """
    release(tmp_path, [FIRST, LATER])
    sheet(tmp_path / 'SAMM_Micro_FACS_Codes_v2.xlsx', [line(FIRST, int), line(LATER, int)])
    assert [clip.subject for clip in read(tmp_path)[0].values()] == ['006', '014']
    (tmp_path / 'SAMM/006').rename(tmp_path / 'SAMM/6')
    assert len(read(tmp_path)[0]) == 2


def test_duration_is_a_checksum_only(tmp_path):
    """If this fails, a mistyped offset passes unseen, or Duration decides over the annotated
    frames.
    """
    release(tmp_path, [FIRST, LATER])
    sheet(tmp_path / 'SAMM_Micro_FACS_Codes_v2.xlsx', [line(FIRST, duration=82), line(LATER)])
    clips, rows, _ = read(tmp_path)
    assert clips['006_1_2'].offset == 5569 and rows['014_5_2'].status == 'used'
    assert rows['006_1_2'][1] == 'repaired' and rows['006_1_2'][4:] == ('82', '8')
    assert 'Duration' in rows['006_1_2'].reason


def test_published_corrections(tmp_path):
    """If this fails, the two clips whose apex lies outside the interval cannot be corrected as
    public projects do.
    """
    wrong = [
        ('028_4_1', 1071, 1143, 1134, '4', 'Anger'),
        ('032_3_1', 4896, 1930, 4970, '4', 'Sadness'),
        ('032_3_2', 5126, 5127, 5207, '4', 'Fear'),
    ]
    release(tmp_path, wrong)
    apexes = {
        name: [
            (clip.apex, clip.apex_source) for clip in read(tmp_path, corrections=name)[0].values()
        ]
        for name in layout.OPTIONS['corrections']
    }
    assert apexes == {
        'none': [(-1, 'estimated'), (-1, 'estimated'), (5127, 'annotated')],
        'meb': [(1105, 'correction'), (4945, 'correction'), (5130, 'correction')],
        'xiazhaoqiang': [(1088, 'correction'), (4937, 'correction'), (5127, 'annotated')],
        'mimicking': [(1134, 'correction'), (4930, 'correction'), (5127, 'annotated')],
    }
    row = read(tmp_path)[1]['032_3_1']
    assert row[1:3] == (
        'repaired',
        'apex does not lie between onset and offset: estimated from the frames',
    )


def test_crops_are_told_from_whole_frames(tmp_path):
    """If this fails, faces are searched in crops, or whole frames pass for crops."""
    release(tmp_path, [FIRST], tree='SAMM_CROP')
    assert read(tmp_path)[0]['006_1_2'].cropped
    frames(tmp_path / 'SAMM/006/006_1_2', range(5562, 5570))
    assert not read(tmp_path)[0]['006_1_2'].cropped  # though this test's folder is called crops
    clips, _, rows = read(tmp_path, frames='cropped')
    assert clips['006_1_2'].cropped and [row.file for row in rows if row.status == 'ignored'] == [
        'SAMM'
    ]


def test_more_frames_than_the_sheet_knows(tmp_path):
    """If this fails, a crop with another offset (013_1_9) is cut at the sheet's without a word."""
    release(tmp_path, [FIRST])
    frames(tmp_path / 'SAMM/006/006_1_2', range(5570, 5580))
    clips, _, rows = read(tmp_path)
    assert clips['006_1_2'].offset == 5569 and '10 frames (5570 to 5579)' in rows[-1].reason


def test_errors_of_the_sheet(tmp_path):
    """If this fails, contradicting or mistyped rows are used or left out in silence."""
    release(tmp_path, [FIRST])
    frames(tmp_path / 'SAMM/006/006_9_9', (1, 2))
    (tmp_path / 'SAMM/006/notes').mkdir()
    bad = [
        line(('007_1_1', 1, 2, 3, '4', 'Anger'), lambda _: '008'),
        line(('7-1-1', 1, 2, 3, '4', 'Anger')),
        line(('007_1_2', 1, 2, 3, '4', 'Angry')),
        [None] * 11 + ['a remark below the table'],
    ]
    sheet(tmp_path / 'SAMM_Micro_FACS_Codes_v2.xlsx', [line(FIRST), *bad])
    clips, _, rows = read(tmp_path)
    errors = [row.reason for row in rows if row.status == 'error']
    assert (
        len(errors) == 3
        and 'contradict' in errors[0]
        and 'as 006_1_2' in errors[1]
        and 'did you mean anger' in errors[2]
    )
    assert list(clips) == ['006_1_2']
    assert [row.file for row in rows if row.status == 'ignored'] == [
        'SAMM/006/006_9_9',
        'SAMM/006/notes',
    ]


def long_videos(root):
    write(
        root / 'SAMM_LongVideos_V2_Release.xlsx',
        [['x']] * 9
        + [LONG_HEADER, ['006', '006_1_2', 1, 3562, 3565, 3569, 8, 'Micro - 1/2', '4', '']],
    )
    frames(root / 'SAMM_longvideos/006_1', range(1, 9), '006_1')


def test_long_videos_are_refused(tmp_path):
    """If this fails, clips are cut from the long videos by numbers that are shifted by thousands of
    frames.
    """
    long_videos(tmp_path)
    with pytest.raises(UserError, match='SAMM Long Videos.*differ.*helward') as error:
        layout.find(tmp_path)
    assert '\n' not in str(error.value)
    sheet(tmp_path / 'SAMM_Micro_FACS_Codes_v2.xlsx', [line(FIRST)])
    with pytest.raises(UserError, match='SAMM Long Videos'):
        layout.find(tmp_path)
    release(tmp_path, [FIRST])
    clips, _, rows = read(tmp_path)
    assert list(clips) == ['006_1_2']
    assert {row.file for row in rows if row.status == 'ignored'} == {
        'SAMM_LongVideos_V2_Release.xlsx',
        'SAMM_longvideos',
    }


def test_what_is_missing_is_named(tmp_path):
    """If this fails, a wrong folder ends in a traceback or an empty data set instead of one line
    saying what is needed.
    """
    frames(tmp_path / 'SAMM/006/006_1_2', (1, 2, 3))
    with pytest.raises(UserError, match='Onset Frame.*no workbook at all.*helward'):
        layout.find(tmp_path)
    release(tmp_path / 'b', [FIRST])
    (tmp_path / 'b/SAMM').rename(tmp_path / 'elsewhere')
    with pytest.raises(UserError, match='holds no frames'):
        layout.find(tmp_path / 'b')


def test_all_releases_in_one_folder(tmp_path):
    """If this fails, one manual folder for several data sets mixes their sheets or their frames."""
    release(tmp_path / 'SAMM release', [FIRST])
    header = [
        'Subject',
        'Filename',
        'OnsetFrame',
        'ApexFrame',
        'OffsetFrame',
        'Action Units',
        'Estimated Emotion',
    ]
    write(tmp_path / 'CASME2/coding.xlsx', [header, ['01', 'EP02_01f', 1, 2, 3, 4, 'others']])
    for number in (1, 2, 3):
        folder = tmp_path / 'CASME2/Cropped/sub01/EP02_01f'
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f'reg_img{number}.jpg').write_bytes(PICTURE)
    assert layout.find(tmp_path) == tmp_path / 'SAMM release'
    assert casme2.find(tmp_path) == tmp_path / 'CASME2'
    clips, rows = casme2.read(
        tmp_path, options={name: values[0] for name, values in casme2.OPTIONS.items()}
    )
    assert [clip.clip for clip in clips] == ['sub01_EP02_01f'] and list(read(tmp_path)[0]) == [
        '006_1_2'
    ]


def test_files_and_the_fullest_sheet(tmp_path):
    """If this fails, frames that decide the content are left out of the fingerprint, or a user's
    excerpt is read.
    """
    release(tmp_path, [FIRST, LATER])
    sheet(tmp_path / 'A_excerpt.xlsx', [line(FIRST)])
    sheets, images = layout.files(layout.find(tmp_path))
    assert len(sheets) == 2 and len(images) == 8 + 6
    assert len(read(tmp_path)[0]) == 2
