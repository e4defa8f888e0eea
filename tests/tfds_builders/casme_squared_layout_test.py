"""CAS(ME)^2: its workbook without a header and its image trees, against rows and numbers typed by
hand.
"""

import csv

import cv2
import numpy as np
import openpyxl
import pytest

from mer_jax.errors import UserError
from tfds_builders.casme_squared import coding, layout

JPEG = cv2.imencode('.jpg', np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8))[
    1
].tobytes()
MICRO, MACRO = 'micro-expression', 'macro-expression'
ROWS = [
    (1, 'disgust1_1', 95, 98, 104, '4+7', 'negative', MICRO, 'disgust'),
    (1, 'disgust1_2', 200, 205, 0, 4, 'negative', MACRO, 'disgust'),
    (1, 'disgust2_3', 699, 703, 707, 'NULL', 'others', MICRO, 'disgust'),
    (3, 'anger1_12', 41, 47, 49, '14or23', 'surprise', MICRO, 'anger'),
    (17, 'anger1_1', 1763, 0, 1770, 'null', 'negative', MACRO, 'fear'),
    (22, 'happy2_1', 21, 33, 30, '24,12', 'positive', MICRO, 'happiness'),
    (22, 'happy5_1', 998, 1001, 1003, '6+12', 'positive', MICRO, 'happiness'),
]
VIDEO = {
    'disgust1': '0101disgustingteeth',
    'disgust2': '0102eatingworms',
    'anger1': '0401girlcrashing',
    'happy2': '0503unnyfarting',
    'happy5': '0508funnydunkey',
}
FOLDER = {1: '15', 3: '19', 17: '34', 22: '40'}
MICRO_ONLY = {'macro': 'off', 'frames': 'auto'}


def options(**given):
    return {**MICRO_ONLY, **given}


def write_book(path, rows=ROWS, *, sheet='CASFEcode_final', rules=True, people=FOLDER, code='0101'):
    """The workbook of the release: no header, naming rule1 aligned with the rows, codes as text."""
    book = openpyxl.Workbook()
    book.active.title = sheet
    for row in rows:
        book.active.append(row)
    if rules:
        first, second = book.create_sheet('naming rule1'), book.create_sheet('naming rule2')
        for row in rows:
            first.append([people[row[0]], f's{people[row[0]]}', row[0]])
        for stem, name in VIDEO.items():
            second.append([code if stem == 'disgust1' else name[:4], stem])
    path.parent.mkdir(parents=True, exist_ok=True)
    book.save(path)


def write_frames(folder, numbers, form):
    folder.mkdir(parents=True, exist_ok=True)
    for number in numbers:
        (folder / form.format(number)).write_bytes(JPEG)


def write(root, *, tree='rawpic', form='img{:03d}.jpg', margin=3, rows=ROWS, **book):
    """Workbook and whole recordings with `margin` frames round each interval."""
    write_book(root / 'CAS(ME)^2code_final.xlsx', rows, **book)
    for participant, clip, onset, apex, offset, *_ in rows:
        person, stem = FOLDER[participant], clip.rsplit('_', 1)[0]
        last = max(apex, offset)
        folder = root / tree / f's{person}' / f'{person}_{VIDEO[stem]}'
        write_frames(folder, range(onset - margin, last + margin + 1), form)
    return root


def write_clips(root, *, tree, s='s'):
    for participant, clip, onset, apex, offset, *_ in ROWS:
        folder = root / tree / f'{s}{FOLDER[participant]}' / clip
        write_frames(folder, range(onset, (offset or apex) + 1), 'img{}.jpg')


def read(root, **given):
    return layout.read(layout.find(root), options=options(**given))


def told(rows):
    return {row.file: row[1:] for row in rows if row.status != 'used'}


def test_micro_expressions_of_the_recordings(tmp_path):
    """If this fails, a clip's frames come from another video or person, or macro-expressions enter
    a micro data set.
    """
    write(tmp_path / 'CAS(ME)^2')
    assert layout.find(tmp_path) == tmp_path / 'CAS(ME)^2'
    clips, rows = read(tmp_path)
    assert [
        (c.clip, c.subject, c.emotion, c.onset, c.apex, c.offset, c.apex_source) for c in clips
    ] == [
        ('s15_disgust1_1', 's15', 'negative', 95, 98, 104, 'annotated'),
        ('s15_disgust2_3', 's15', 'others', 699, 703, 707, 'annotated'),
        ('s19_anger1_12', 's19', 'surprise', 41, 47, 49, 'annotated'),
        ('s40_happy2_1', 's40', 'positive', 21, -1, 30, 'estimated'),
        ('s40_happy5_1', 's40', 'positive', 998, 1001, 1003, 'annotated'),
    ]
    assert [(c.action_units, c.action_units_known) for c in clips] == [
        ('4+7', True),
        ('NULL', False),
        ('14or23', True),
        ('24,12', True),
        ('6+12', True),
    ]
    first = clips[0]
    folder = tmp_path / 'CAS(ME)^2/rawpic/s15/15_0101disgustingteeth'
    assert first.frames == tuple(
        (number, folder / f'img{number:03d}.jpg') for number in range(95, 105)
    )
    assert clips[3].frames[0][1].parent.name == '40_0503unnyfarting'
    assert clips[4].frames[2][1].name == 'img1000.jpg'
    shared = {(c.dataset, c.fps, c.cropped, c.kind, c.edition) for c in clips}
    assert shared == {('casme_squared', 30.0, False, 'micro', '')}
    found = {
        file.removeprefix('CAS(ME)^2code_final.xlsx row '): row for file, row in told(rows).items()
    }
    status, reason, *row = found.pop('6')
    assert (status, row) == ('repaired', ['s40_happy2_1', '33', '']) and 'apex' in reason
    assert found == {
        '2': ('dropped', 'macro-expression: macro=on takes them too', 's15_disgust1_2', '', ''),
        '5': ('dropped', 'macro-expression: macro=on takes them too', 's34_anger1_1', '', ''),
    }


def test_macro_expressions_and_their_missing_offsets(tmp_path):
    """If this fails, a macro-expression without offset is lost or ends at frame 0."""
    clips, rows = read(write(tmp_path), macro='on')
    found = {clip.clip: clip for clip in clips}
    assert len(found) == 7 and found['s15_disgust1_1'].kind == 'micro'
    clip = found['s15_disgust1_2']
    assert (clip.kind, clip.onset, clip.apex, clip.offset, clip.action_units) == (
        'macro',
        200,
        205,
        205,
        '4',
    )
    clip = found['s34_anger1_1']
    assert (clip.onset, clip.apex, clip.offset, clip.apex_source) == (1763, -1, 1770, 'estimated')
    assert told(rows)['CAS(ME)^2code_final.xlsx row 2'] == (
        'repaired',
        'offset is 0: the apex is taken',
        's15_disgust1_2',
        '0',
        '205',
    )


def test_only_frames_of_the_interval_are_opened_and_decide_the_content(tmp_path):
    """If this fails, a damaged frame far from any expression matters, or every start reads whole
    recordings.
    """
    root = write(tmp_path)
    folder = root / 'rawpic/s15/15_0101disgustingteeth'
    (folder / 'img094.jpg').write_bytes(b'')
    clips, rows = read(root)
    assert len(clips) == 5 and not any('img094' in row.file for row in rows)
    sheets, found = layout.files(layout.find(root))
    assert sheets == [root / 'CAS(ME)^2code_final.xlsx']
    expected = [*range(95, 105), *range(200, 206)]
    assert [path.name for path in found if path.parent == folder] == [
        f'img{number:03d}.jpg' for number in expected
    ]


@pytest.mark.parametrize(
    'tree, form, cropped',
    [
        ('rawpic/rawpic', 'img{:03d}.jpg', False),
        ('CAS(ME)2_longVideoFaceCropped/longVideoFaceCropped', 'img_{}.jpg', True),
        ('images', 'img_{}.jpg', True),
        ('images', 'img{}.jpg', False),
    ],
)
def test_recordings_wherever_they_were_unpacked(tmp_path, tree, form, cropped):
    """If this fails, face crops are searched for faces once more, or whole frames are taken for
    crops.
    """
    clips, _ = read(write(tmp_path, tree=tree, form=form))
    assert len(clips) == 5 and {clip.cropped for clip in clips} == {cropped}


@pytest.mark.parametrize(
    'tree, s, cropped', [('selectedpic/selectedpic', 's', False), ('cropped/cropped', '', True)]
)
def test_trees_of_single_clips(tmp_path, tree, s, cropped):
    """If this fails, users who have the clips but not the recordings cannot build."""
    write_book(tmp_path / 'code.xlsx')
    write_clips(tmp_path, tree=tree, s=s)
    clips, rows = read(tmp_path, macro='on')
    assert len(clips) == 7 and {clip.cropped for clip in clips} == {cropped}
    assert clips[0].frames[0] == (95, tmp_path / tree / f'{s}15/disgust1_1/img95.jpg')
    assert {row.status for row in rows} == {'used', 'repaired'}
    _, rows = read(tmp_path)
    # folders of macro-expressions are annotated
    assert not any(row.status == 'ignored' for row in rows)


def test_which_frames_are_taken(tmp_path):
    """If this fails, whole frames and crops are mixed, or the incomplete crops stand in for
    complete recordings.
    """
    root = write(tmp_path)
    write(root, tree='longVideoFaceCropped', form='img_{}.jpg')
    write_clips(root, tree='selectedpic')
    write_clips(root, tree='cropped', s='')

    def first(kind):
        clips, rows = read(root, frames=kind)
        ignored = {row.file for row in rows if row.status == 'ignored'}
        return clips[0].frames[0][1].relative_to(root).parts[0], len(ignored)

    assert [first(kind) for kind in ('auto', 'cropped', 'selected', 'raw')] == [
        ('longVideoFaceCropped', 3),
        ('longVideoFaceCropped', 3),
        ('selectedpic', 3),
        ('rawpic', 3),
    ]
    (root / 'longVideoFaceCropped').rename(root / '.gone')
    assert [first(kind) for kind in ('auto', 'cropped')] == [('selectedpic', 2), ('cropped', 2)]
    (root / 'cropped').rename(root / '.gone too')
    with pytest.raises(
        UserError, match='frames=cropped: there are no such frames in .*, but raw, selected;'
    ):
        read(root, frames='cropped')


@pytest.mark.parametrize('sheet', ['CASMEcode_final', 'Sheet1'])
def test_the_name_of_the_coding_sheet_does_not_matter(tmp_path, sheet):
    """If this fails, a workbook whose sheet is spelt the other way is refused."""
    assert len(read(write(tmp_path, sheet=sheet))[0]) == 5


@pytest.mark.parametrize('header, shift', [(False, 0), (True, 0), (True, 1)])
def test_csv_copies(tmp_path, header, shift):
    """If this fails, the CSV copies that circulate (index, header of numbers, path) cannot
    be read.
    """
    root = write(tmp_path)
    (root / 'CAS(ME)^2code_final.xlsx').unlink()
    with open(
        root / 'CAS(ME)^2code_final(Updated).csv', 'w', newline='', encoding='utf-8-sig'
    ) as file:
        rows = [
            [*range(1)][:shift] + list(row) + [12, 's15/15_0101disgustingteeth'] for row in ROWS
        ]
        csv.writer(file).writerows(([['', *range(9)][1 - shift :]] if header else []) + rows)
    clips, rows = read(root)
    assert [clip.clip for clip in clips] == [
        's15_disgust1_1',
        's15_disgust2_3',
        's19_anger1_12',
        's40_happy2_1',
        's40_happy5_1',
    ]
    assert clips[3].action_units == '24,12'
    assert not any(row.status == 'error' for row in rows)


def test_the_updated_workbook_is_read(tmp_path):
    """If this fails, outdated action units are used although the newer workbook lies beside
    them.
    """
    newer = [(*ROWS[0][:5], '4+9', *ROWS[0][6:])]
    older = [(*ROWS[0][:5], '45+62', *ROWS[0][6:])]
    numbers = range(1, coding.ROWS)
    filling = [
        (2, f'anger1_{n}', 10 * n, 10 * n + 2, 10 * n + 5, '4', 'negative', MACRO, '')
        for n in numbers
    ]
    root = write(tmp_path, rows=ROWS[:1])
    (root / 'CAS(ME)^2code_final.xlsx').unlink()
    write_book(root / 'CAS(ME)^2code_final.xlsx', older + filling, people={1: '15', 2: '16'})
    write_book(
        root / 'x/CAS(ME)^2code_final(Updated).xlsx', newer + filling, people={1: '15', 2: '16'}
    )
    clips, rows = read(root)
    assert (clips[0].action_units, clips[0].edition) == ('4+9', 'updated')
    name = 'CAS(ME)^2code_final(Updated).xlsx'
    assert told(rows)['CAS(ME)^2code_final.xlsx'][:2] == (
        'ignored',
        f'another sheet: {name} is read',
    )
    assert layout.files(layout.find(root))[0] == [root / 'x' / name]
    (root / 'x' / name).unlink()
    assert (read(root)[0][0].action_units, read(root)[0][0].edition) == ('45+62', 'original')


def test_wrong_cells_are_all_named(tmp_path):
    """If this fails, a mistyped cell is guessed at, or a user finds one mistake per attempt."""
    good = ROWS[0]
    wrong = [
        (99, *good[1:]),
        (*good[:1], 'disgust1', *good[2:]),
        (*good[:1], 'anger7_1', *good[2:]),
        (*good[:2], '9a', *good[3:]),
        (*good[:4], '', *good[5:]),
        (*good[:6], 'negativ', *good[7:]),
        (*good[:7], 'mini-expression', good[8]),
        (*good[:2], 96, *good[3:]),
    ]
    root = write(tmp_path)
    write_book(
        root / 'CAS(ME)^2code_final.xlsx',
        [*ROWS, good, *wrong],
        people={**FOLDER, 99: '99'},
        rules=False,
    )
    _, rows = read(root)
    found = {
        row.file.split()[-1]: (row.status, row.reason)
        for row in rows
        if row.status in ('error', 'ignored')
    }
    # row 1 again, and with another onset
    assert found.pop('8')[0] == 'ignored' and found.pop('16')[0] == 'error'
    assert found == {
        '9': ('error', "participant is '99'; must be 1 to 22"),
        '10': ('error', "clip code is 'disgust1'; must be as disgust1_2"),
        '11': ('error', "clip code is 'anger7_1'; known videos: " + ', '.join(coding.VIDEOS)),
        '12': ('error', "onset is '9a'; must be a frame number"),
        '13': ('error', "offset is ''; must be a frame number"),
        '14': (
            'error',
            "emotion is 'negativ' (did you mean negative?); must be one of "
            + ', '.join(coding.EMOTIONS),
        ),
        '15': ('error', "type is 'mini-expression'; must be micro-expression or macro-expression"),
    }


@pytest.mark.parametrize(
    'book, reason',
    [
        ({'people': {**FOLDER, 3: '20'}}, 'naming rule1 row 4: 3 is 20, but 19'),
        ({'code': '0102'}, 'naming rule2 row 1: disgust1 is 0102, but 0101'),
    ],
)
def test_naming_rules_that_contradict_the_release_stop_the_build(tmp_path, book, reason):
    """If this fails, the frames of another person or film are read under a clip's name."""
    _, rows = read(write(tmp_path, **book))
    errors = [f'{row.file}: {row.reason}' for row in rows if row.status == 'error']
    assert len(errors) == 1 and reason in errors[0]


def test_codes_that_became_numbers(tmp_path):
    """If this fails, a workbook saved by a program that drops leading zeros is refused."""
    assert len(read(write(tmp_path, code=101))[0]) == 5


def test_folders_without_a_row_and_rows_without_a_folder(tmp_path):
    """If this fails, a recording under a wrong person is read, or clips vanish without a word."""
    root = write(tmp_path)
    (root / 'rawpic/s15/15_0102eatingworms').rename(root / 'rawpic/s19/15_0102eatingworms')
    write_frames(root / 'rawpic/s40/40_0507climbingthewall', [1], 'img{:03d}.jpg')
    clips, rows = read(root)
    assert 's15_disgust2_3' not in [clip.clip for clip in clips]
    found = told(rows)
    assert found['CAS(ME)^2code_final.xlsx row 3'][0] == 'dropped'
    assert found['rawpic/s40/40_0507climbingthewall'][:2] == (
        'ignored',
        'no row of the sheet names it',
    )
    assert found['rawpic/s19/15_0102eatingworms'][:2] == (
        'dropped',
        'whose recording it is cannot be seen: it stands under s19',
    )


def test_missing_frames_are_repaired_and_damaged_key_frames_drop_the_clip(tmp_path):
    """If this fails, frames are taken by position, so that a gap shifts onset, apex and offset."""
    root = write(tmp_path)
    folder = root / 'rawpic/s15/15_0101disgustingteeth'
    for number in (95, 98, 101):
        (folder / f'img{number:03d}.jpg').unlink()
    (root / 'rawpic/s19/19_0401girlcrashing/img041.jpg').write_bytes(JPEG[:50])
    clips, rows = read(root)
    assert (clips[0].onset, clips[0].apex, clips[0].offset) == (96, -1, 104)
    assert [number for number, _ in clips[0].frames] == [96, 97, 99, 100, 102, 103, 104]
    status, reason, _, old, new = told(rows)['CAS(ME)^2code_final.xlsx row 1']
    assert status == 'repaired' and 'onset' in reason and 'apex' in reason
    assert old.startswith('95; ') and new.startswith('96; ') and new.endswith('; ')
    assert 's19_anger1_12' not in [clip.clip for clip in clips]
    assert told(rows)['CAS(ME)^2code_final.xlsx row 4'][0] == 'dropped'


def test_what_is_missing_altogether_is_said_in_one_line(tmp_path):
    """If this fails, a user with a wrong folder sees a traceback, or an empty data set."""
    write_book(tmp_path / 'a/CAS(ME)^2code_final.xlsx')
    write_frames(tmp_path / 'b/rawpic/s15/15_0101disgustingteeth', [1, 2], 'img{:03d}.jpg')
    (tmp_path / 'b/notes.csv').write_text('Subject,Filename\n1,EP02_01f\n')
    (tmp_path / 'a/Cropped/sub01/EP02_01f').mkdir(parents=True)
    for folder, reason in (
        ('a', 'holds no frames'),
        ('b', 'holds no workbook'),
        ('nowhere', 'holds no frames'),
    ):
        with pytest.raises(UserError, match=reason) as error:
            layout.find(tmp_path / folder)
        assert str(error.value).endswith(layout.INSTRUCTIONS) and '\n' not in str(error.value)
