"""CASME II layout: editions, folder and file names as users have them, apex and interval repairs,
corrections, refusals.
"""

import functools
import shutil

import cv2
import numpy as np
import pytest

from mer_jax.errors import UserError
from tests.tfds_builders.sheets_test import write
from tfds_builders.casme2 import layout

HEADER = [
    'Subject',
    'Filename',
    None,
    'OnsetFrame',
    'ApexFrame',
    'OffsetFrame',
    None,
    'Action Units',
    'Estimated Emotion',
]
DEFAULTS = {name: values[0] for name, values in layout.OPTIONS.items()}
# subject, file, onset, apex, offset, action units, emotion
PLAIN = ('01', 'EP02_01f', 46, 48, 51, 12, 'happiness')
OTHER = ('02', 'EP01_11f', 98, 100, 103, '4+L10', 'disgust')
NEW_2019 = [('24', name, 5, 7, 9, '1', 'surprise') for name in ('EP07_01', 'EP07_04f', 'EP10_03')]
OLD_2014 = [(*row[:6], 'sadness') for row in NEW_2019]


@functools.cache
def picture(height=6):
    return cv2.imencode('.jpg', np.full((height, 8), 90, np.uint8))[1].tobytes()


def frames(folder, numbers, name='reg_img{}.jpg'):
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (folder / name.format(number)).write_bytes(picture())


def sheet(path, rows):
    lines = [
        [s, f, None, on, apex, off, None, units, word] for s, f, on, apex, off, units, word in rows
    ]
    return write(path, [HEADER, *lines])


def release(
    root,
    rows,
    *,
    name='CASME2-coding-20190701.xlsx',
    tree='Cropped',
    subject='sub{:02d}',
    file='reg_img{}.jpg',
):
    """A release of `rows`; every clip has all its frames from onset to offset."""
    sheet(root / name, rows)
    for row in rows:
        frames(root / tree / subject.format(int(row[0])) / row[1], range(row[2], row[4] + 1), file)
    return root


def read(root, **options):
    """({clip id: Clip}, {clip id or file: Row of the sheet}, all rows)."""
    clips, rows = layout.read(layout.find(root), options={**DEFAULTS, **options})
    return (
        {clip.clip: clip for clip in clips},
        {row.clip: row for row in rows if ' row ' in row.file},
        rows,
    )


def test_a_row_becomes_a_clip(tmp_path):
    """If this fails, a field of the sheet reaches training as another, or frames stand under other
    numbers.
    """
    clips, rows, _ = read(release(tmp_path, [PLAIN, OTHER]))
    clip = clips['sub01_EP02_01f']
    assert clip[:6] == ('sub01_EP02_01f', 'sub01', 'casme2', 'happiness', '12', True)
    assert clip[6:12] == (46, 48, 51, 'annotated', 200.0, True) and (clip.kind, clip.edition) == (
        'micro',
        '',
    )
    assert [(n, p.name) for n, p in clip.frames] == [(n, f'reg_img{n}.jpg') for n in range(46, 52)]
    # not img100 before img98
    assert [n for n, _ in clips['sub02_EP01_11f'].frames] == [98, 99, 100, 101, 102, 103]
    assert clips['sub02_EP01_11f'].action_units == '4+L10'
    row = rows['sub01_EP02_01f']
    assert row == ('CASME2-coding-20190701.xlsx row 2', 'used', '', 'sub01_EP02_01f', '', '')


@pytest.mark.parametrize(
    'tree, subject, file, cropped',
    [('Cropped', 'sub{:02d}', 'reg_img{}.jpg', True),
     ('CASME2_preprocessed_Li Xiaobai/Cropped', 'sub{:02d}', 'reg_img{}.jpg', True),
     ('CASME2_preprocessed_small_Li Xiaobai/x/Cropped', 'sub{}', 'img{}.jpg', True),
     ('Cropped_original', 'sub{:02d}', 'img{:03d}.jpg', True),
     ('Cropped-updated/Cropped', '{}', 'img{}.jpg', True),
     ('CASME2_RAW_selected/CASME2_RAW_selected', 'sub{:02d}', 'img{}.jpg', False),
     ('CASME2_RAW_selected', 'sub{}', 'img{:03d}.JPG', False),
     ('CASME2_RAW/CASME2-RAW', 'sub{:02d}', 'img{}.jpg', False)],
)  # fmt: skip
def test_folder_and_file_names_as_users_have_them(tmp_path, tree, subject, file, cropped):
    """If this fails, a user with one of the circulating packages is told that there are no
    frames.
    """
    clips, _, rows = read(
        release(
            tmp_path / 'any' / 'CASME II', [PLAIN, OTHER], tree=tree, subject=subject, file=file
        )
    )
    assert len(clips) == 2 and {row.status for row in rows} == {'used'}
    assert all(clip.cropped == cropped and len(clip.frames) == 6 for clip in clips.values())


def test_find_is_the_deepest_common_folder(tmp_path):
    """If this fails, the fingerprint changes with how far above the release the given
    folder lies.
    """
    root = release(tmp_path / 'data' / 'CASME2', [PLAIN], tree='a/Cropped')
    release(root, [PLAIN], tree='b/CASME2_RAW_selected', file='img{}.jpg')
    assert layout.find(tmp_path) == layout.find(root) == root
    sheets, images = layout.files(root)
    assert [path.name for path in sheets] == ['CASME2-coding-20190701.xlsx'] and len(images) == 12


def test_choice_of_frames(tmp_path):
    """If this fails, a build asked for raw frames reads crops, or reads part of a release where all
    of it is there.
    """
    rows = [PLAIN, OTHER]
    release(tmp_path, rows)
    release(tmp_path, rows, tree='CASME2_RAW_selected', file='img{}.jpg')
    clips, _, audit = read(tmp_path)
    assert (
        all('/Cropped/' in clip.frames[0][1].as_posix() for clip in clips.values())
        and len(clips) == 2
    )
    assert {row.file for row in audit if row.status == 'ignored'} == {'CASME2_RAW_selected'}
    assert not read(tmp_path, frames='selected')[0]['sub01_EP02_01f'].cropped
    with pytest.raises(UserError, match='frames=raw.*cropped, selected.*casme.psych.ac.cn'):
        read(tmp_path, frames='raw')


def test_raw_recordings_are_cut_to_the_clip(tmp_path):
    """If this fails, a clip from whole recordings holds frames before its onset, or is reported for
    having them.
    """
    sheet(tmp_path / 'a.xlsx', [PLAIN])
    frames(tmp_path / 'images/sub01/EP02_01f', range(1, 70), 'img{}.jpg')
    clips, _, rows = read(tmp_path)
    assert [n for n, _ in clips['sub01_EP02_01f'].frames] == list(range(46, 52)) and len(rows) == 1
    assert read(tmp_path, frames='raw')[0]


def test_frames_beyond_a_clip_are_told(tmp_path):
    """If this fails, a crop of more frames than the sheet knows is cut without a word."""
    release(tmp_path, [PLAIN])
    frames(tmp_path / 'Cropped/sub01/EP02_01f', (52, 53))
    clips, _, rows = read(tmp_path)
    assert clips['sub01_EP02_01f'].frames[-1][0] == 51
    (row,) = [row for row in rows if row.status == 'ignored']
    assert row.file == 'Cropped/sub01/EP02_01f' and '52 to 53' in row.reason


def test_editions_are_told_by_content(tmp_path):
    """If this fails, 2014 labels are published as 2019 ones, or the other way round."""
    release(tmp_path, [PLAIN, *OLD_2014], name='b.xlsx')  # names say nothing
    assert {clip.edition for clip in read(tmp_path)[0].values()} == {'2014'}
    sheet(tmp_path / 'a.xlsx', [PLAIN, *NEW_2019])
    newest, old = read(tmp_path), read(tmp_path, edition='2014')
    assert (
        newest[0]['sub24_EP07_01'].emotion == 'surprise'
        and newest[0]['sub24_EP07_01'].edition == '2019'
    )
    assert (
        old[0]['sub24_EP07_01'].emotion == 'sadness'
        and old[1]['sub24_EP07_01'].file == 'b.xlsx row 3'
    )
    assert [row.reason for row in newest[2] if row.file == 'b.xlsx'] == [
        'another sheet: a.xlsx is read'
    ]
    (tmp_path / 'b.xlsx').unlink()
    with pytest.raises(UserError, match=r'edition=2014.*a.xlsx \(2019\)'):
        read(tmp_path, edition='2014')


def test_a_full_sheet_comes_before_an_extended_one(tmp_path):
    """If this fails, a circulating list of 256 rows is taken where the official sheet of 255 lies
    beside it.
    """
    filler = [('03', f'EP{n:02d}_01', 5, 7, 9, '1', 'others') for n in range(100, 352)]
    release(tmp_path, NEW_2019, name='z.xlsx')
    sheet(tmp_path / 'official.xlsx', [*NEW_2019, *filler])
    sheet(tmp_path / 'a_extended.xlsx', [*NEW_2019, *filler, OTHER])
    assert len(filler) + 3 == 255
    assert read(tmp_path)[1]['sub24_EP07_01'].file.startswith('official.xlsx')


def test_other_workbooks_are_not_mistaken(tmp_path):
    """If this fails, the objective classes or another release's sheet is read as the coding
    sheet.
    """
    release(tmp_path, [PLAIN])
    write(
        tmp_path / 'CASME2-ObjectiveClasses.xlsx',
        [['Subject', 'Filename', 'Objective Class'], ['01', 'EP02_01f', 1]],
    )
    write(tmp_path / 'SAMM.xlsx', [HEADER, ['006', '006_1_2', None, 1, 2, 3, None, 4, 'Anger']])
    clips, _, rows = read(tmp_path)
    assert list(clips) == ['sub01_EP02_01f']
    assert {row.file for row in rows if row.status == 'ignored'} == {
        'CASME2-ObjectiveClasses.xlsx',
        'SAMM.xlsx',
    }


def test_subjects_and_units_as_numbers(tmp_path):
    """If this fails, a sheet that pandas saved (01 became 1) loses its subjects."""
    rows = [
        (1, 'EP02_01f', 46, 48, 51, 12, 'happiness'),
        ('sub02', 'EP01_11f', 98, 100.0, '103', '?', ' Disgust '),
    ]
    sheet(tmp_path / 'a.xlsx', rows)
    for name, first in (('sub01/EP02_01f', 46), ('sub02/EP01_11f', 98)):
        frames(tmp_path / 'Cropped' / name, range(first, first + 6))
    clips, _, _ = read(tmp_path)
    assert [clip.subject for clip in clips.values()] == ['sub01', 'sub02']
    assert clips['sub02_EP01_11f'][3:9] == ('disgust', '?', False, 98, 100, 103)


@pytest.mark.parametrize(
    'apex, reason',
    [
        ('/', 'apex is no frame number: estimated'),
        (None, 'apex is no frame number: estimated'),
        (46, 'apex does not lie between onset and offset: estimated'),
        (45, 'apex does not lie between onset and offset: estimated'),
        (52, 'apex does not lie between onset and offset: estimated'),
    ],
)
def test_an_apex_that_cannot_be_is_estimated(tmp_path, apex, reason):
    """If this fails, flow is taken from the onset to itself or to a frame outside the clip."""
    clips, rows, _ = read(release(tmp_path, [(*PLAIN[:3], apex, *PLAIN[4:])]))
    clip, row = clips['sub01_EP02_01f'], rows['sub01_EP02_01f']
    assert (clip.apex, clip.apex_source) == (-1, 'estimated')
    assert row.status == 'repaired' and row.reason.startswith(reason) and row.new == ''
    assert row.old == ('' if apex is None else str(apex))


def test_an_apex_at_the_offset_is_the_annotation(tmp_path):
    """If this fails, four clips of the official sheet lose the apex that annotators gave them."""
    clips, rows, _ = read(release(tmp_path, [(*PLAIN[:3], 51, *PLAIN[4:])]))
    assert clips['sub01_EP02_01f'].apex == 51 and rows['sub01_EP02_01f'].status == 'used'


def test_missing_files_move_onset_and_offset_inwards(tmp_path):
    """If this fails, a clip is lost whose annotated offset is not on disk (16/EP01_08), or frames
    are invented.
    """
    release(tmp_path, [PLAIN])
    for number in (46, 48, 51):
        (tmp_path / f'Cropped/sub01/EP02_01f/reg_img{number}.jpg').unlink()
    clips, rows, _ = read(tmp_path)
    clip, row = clips['sub01_EP02_01f'], rows['sub01_EP02_01f']
    assert (clip.onset, clip.apex, clip.offset) == (47, -1, 50) and [n for n, _ in clip.frames] == [
        47,
        49,
        50,
    ]
    assert (
        row.status == 'repaired'
        and row.old == '46; 51; 4 frames; 48'
        and row.new == '47; 50; 3 frames; '
    )
    for part in (
        'onset frame is missing',
        'offset frame is missing',
        'missing or damaged frames: 48',
        'apex has no file',
    ):
        assert part in row.reason


@pytest.mark.parametrize('number, used', [(46, False), (48, False), (51, False), (47, True)])
def test_a_damaged_key_frame_drops_the_clip(tmp_path, number, used):
    """If this fails, a broken copy of a key frame is silently replaced by its neighbour."""
    release(tmp_path, [PLAIN])
    (tmp_path / f'Cropped/sub01/EP02_01f/reg_img{number}.jpg').write_bytes(picture()[:-20])
    clips, rows, audit = read(tmp_path)
    assert ('sub01_EP02_01f' in clips) == used
    assert rows['sub01_EP02_01f'].status == ('repaired' if used else 'dropped')
    assert [row.status for row in audit if row.file.endswith(f'img{number}.jpg')] == ['dropped']


def test_rows_without_frames(tmp_path):
    """If this fails, an annotated clip disappears without a row in the audit."""
    release(tmp_path, [PLAIN, OTHER])
    shutil.rmtree(tmp_path / 'Cropped/sub02')
    frames(tmp_path / 'Cropped/sub03/EP01_2', (1, 2, 3))
    sheet(
        tmp_path / 'CASME2-coding-20190701.xlsx',
        [PLAIN, OTHER, ('03', 'EP01_2', 40, 45, 50, '1', 'others')],
    )
    clips, rows, _ = read(tmp_path)
    assert list(clips) == ['sub01_EP02_01f']
    assert rows['sub02_EP01_11f'][1:3] == ('dropped', 'no folder of this clip: none in Cropped')
    assert (
        rows['sub03_EP01_2'].status == 'dropped'
        and 'the folder has 1 to 3' in rows['sub03_EP01_2'].reason
    )


def test_folders_without_a_row(tmp_path):
    """If this fails, the two unannotated folders of the release pass unseen, or come in unasked."""
    release(tmp_path, [PLAIN])
    for name in ('sub09/EP02_02f', 'sub24/EP02_07'):
        frames(tmp_path / 'Cropped' / name, range(61, 107))
    clips, _, rows = read(tmp_path)
    assert len(clips) == 1
    assert {row.file: row.status for row in rows[1:]} == {
        'Cropped/sub09/EP02_02f': 'ignored',
        'Cropped/sub24/EP02_07': 'ignored',
    }
    clips, _, rows = read(tmp_path, extra='ep02_07')
    clip = clips['sub24_EP02_07']
    assert (clip.onset, clip.apex, clip.offset, clip.emotion) == (61, 91, 106, 'disgust')
    assert (clip.apex_source, clip.action_units_known) == ('correction', False)
    (row,) = [row for row in rows if row.clip == clip.clip]
    assert row.status == 'repaired' and 'not in the sheet' in row.reason


def test_published_corrections(tmp_path):
    """If this fails, a published apex is applied to another clip, unasked, or outside the clip's
    interval.
    """
    rows = [
        ('04', 'EP12_01f', 290, '/', 300, '1', 'disgust'),
        ('07', 'EP06_01', 15, 49, 68, '4', 'others'),
        ('05', 'EP03_01', 58, 61, 63, '1', 'surprise'),
        ('04', 'EP03_01', 58, 61, 63, '1', 'surprise'),
    ]
    release(tmp_path, rows)
    clips = read(tmp_path)[0]
    assert [clips[name].apex for name in ('sub04_EP12_01f', 'sub07_EP06_01', 'sub05_EP03_01')] == [
        -1,
        49,
        61,
    ]
    clips, audit, more = read(tmp_path, corrections='xiazhaoqiang')
    found = {name: (clip.apex, clip.apex_source) for name, clip in clips.items()}
    assert found == {
        'sub04_EP12_01f': (294, 'correction'),
        'sub07_EP06_01': (49, 'annotated'),
        'sub05_EP03_01': (60, 'correction'),
        'sub04_EP03_01': (61, 'annotated'),
    }
    assert audit['sub04_EP12_01f'][1:] == (
        'repaired',
        'apex of corrections=xiazhaoqiang',
        'sub04_EP12_01f',
        '/',
        '294',
    )
    (refused,) = [row for row in more if row.status == 'ignored']
    assert refused.clip == 'sub07_EP06_01' and refused.reason == (
        'offset has no file: 116; the folder has 15 to 68'
    )
    # 312 lies outside this short clip
    assert read(tmp_path, corrections='mimicking')[0]['sub04_EP12_01f'].apex == -1


def test_all_errors_of_a_sheet_are_collected(tmp_path):
    """If this fails, a user mends a sheet one error a run, or a mistyped row is left out in
    silence.
    """
    bad = [
        ('01', 'EP02_02', '4o', 45, 50, 1, 'happiness'),
        ('01', 'EP02_03', 40, 45, '', 1, 'happiness'),
        ('01', 'EP02_04', 40, 45, 50, 1, 'hapiness'),
        ('xx', 'EP02_05', 40, 45, 50, 1, 'others'),
        (*PLAIN[:6], 'disgust'),
        OTHER,
        OTHER,
        ('see note.txt', None, None, None, None, None, None),
    ]
    release(tmp_path, [PLAIN])
    sheet(tmp_path / 'CASME2-coding-20190701.xlsx', [PLAIN, *bad])
    _, _, rows = read(tmp_path)
    errors = [(row.file.split()[-1], row.reason) for row in rows if row.status == 'error']
    assert [number for number, _ in errors] == ['3', '4', '5', '6', '7']
    for (_, reason), part in zip(
        errors,
        (
            "OnsetFrame is '4o'",
            "OffsetFrame is ''",
            'did you mean happiness',
            "'xx'",
            'stands otherwise',
        ),
        strict=True,
    ):
        assert part in reason
    assert [row.file.split()[-1] for row in rows if row.status == 'ignored'] == ['9', '10']


def test_a_clip_that_lies_twice_is_an_error(tmp_path):
    """If this fails, which of two folders of one clip is read depends on their order."""
    release(tmp_path, [PLAIN])
    frames(tmp_path / 'Cropped/1/EP02_01f', range(46, 52))
    assert [row.file for row in read(tmp_path)[2] if row.status == 'error'] == [
        'Cropped/sub01/EP02_01f'
    ]


def test_what_is_missing_is_named(tmp_path):
    """If this fails, a wrong folder ends in a traceback or an empty data set instead of one line
    saying what is needed.
    """
    with pytest.raises(UserError, match='no workbook at all.*casme.psych.ac.cn'):
        layout.find(tmp_path)
    write(
        tmp_path / 'a.xlsx', [['Subject', 'Filename', 'Onset', 'Apex'], ['01', 'EP02_01f', 46, 48]]
    )
    with pytest.raises(UserError, match='OnsetFrame.*there is a.xlsx'):
        layout.find(tmp_path)
    sheet(tmp_path / 'b.xlsx', [PLAIN])
    with pytest.raises(UserError, match='holds no frames') as error:
        layout.find(tmp_path)
    assert str(error.value).endswith(layout.INSTRUCTIONS) and '\n' not in str(error.value)
    frames(tmp_path / 'Cropped/sub01/EP01_5', range(5), 'EP01_5-{}.jpg')  # CASME of 2013
    with pytest.raises(UserError, match='holds no frames'):
        layout.find(tmp_path)
