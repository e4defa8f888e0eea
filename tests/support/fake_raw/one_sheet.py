"""Writes CASME, MMEW, part A of CAS(ME)^3 and 4DME: one sheet, and folders of frames.

Quirks: 1 CASME's files bear the clip's name before a number ('reg_EP01_5-9'), and its sheet has two
apexes and two blank columns; 2 MMEW sorts clips by emotion, on the publisher's page below the
subject, and calls the folder of 'others' repression; 3 CAS(ME)^3 holds several clips of one
recording, whose folders are called by the onset ('spNo.1_b_166', the sheet has 'spNO.1'), depth
lies beside them, and one row says 'Others'; 4 4DME has clips with several tags and units with
'(k)'; 5 a workbook without emotions lies beside the sheet of CAS(ME)^3.
"""

from pathlib import Path
from typing import NamedTuple

from tests.support.fake_raw import disk, sheet_faults
from tests.support.fake_raw import faults as file_faults
from tests.support.fake_raw import workbook as books
from tests.support.fake_raw.truth import Annotation, Clip, Release, usable


class Facts(NamedTuple):
    """How one release is written."""

    sheet: str
    header: tuple
    cells: object  # cells(row) -> the cells of its row
    clip: object  # clip(row) -> the id that a reader must give
    subject: object  # subject(row) -> as a reader must give it
    folder: object  # folder(row, layout) -> where its frames lie
    file: object  # file(row, layout) -> the name of a frame, with {} for its number
    rows: tuple  # (subject, name, onset, apex, offset, units, emotion)


def _casme_folder(row, layout):
    tree = 'Cropped' if layout == 'cropped' else 'CASME_raw_selected'
    return f'{tree}/sub{row.subject}/{row.name}'


def _mmew_folder(row, layout):
    word = 'repression' if row.emotion == 'others' else row.emotion
    above = f'S{int(row.subject):02d}/' if layout == 'page' else ''
    return f'MMEW_Final/Micro_Expression/{above}{word}/{row.name}'


def _cubed_folder(row, layout):
    if layout == 'recordings':
        return f'part_A/{row.subject}/{row.name.lower()}/color'
    subject = row.subject.replace('NO', 'No')
    return f'Part_A_ME_clip/frame/{subject}_{row.name.lower()}_{row.onset}'


RELEASES = {
    'casme': Facts(
        'casme',
        ('Emotion', 'Subject', '', 'Filename', 'OnsetF', 'ApexF1', 'ApexF2', 'OffsetF', '', 'AU'),
        lambda r: (
            r.emotion, int(r.subject), '', r.name, r.onset, r.apex, r.offset, r.offset, '',
            books.cell(r.action_units),
        ),
        lambda r: f'sub{r.subject}_{r.name}',
        lambda r: f'sub{r.subject}',
        _casme_folder,
        lambda r, layout: ('reg_' if layout == 'cropped' else '') + f'{r.name}-{{}}.jpg',
        (
            ('01', 'EP01_5', 98, 101, 104, '4', 'tense'),
            ('01', 'EP03_2', 9, 12, 15, '12', 'happiness'),
            ('02', 'EP01_5', 30, 33, 37, '4+9', 'disgust'),
            ('02', 'EP08_1', 5, 8, 11, '15', 'sadness'),
            ('03', 'EP12_3f', 40, 44, 48, '1+2', 'surprise'),
            ('03', 'EP12_4', 60, 63, 67, 'L14', 'repression'),
        ),
    ),
    'mmew': Facts(
        'MMEW_Micro_Exp',
        (
            'Subject', 'Filename', 'OnsetFrame', 'ApexFrame', 'OffsetFrame', 'Action Units',
            'Estimated Emotion', 'remarks',
        ),
        lambda r: (
            int(r.subject), r.name, r.onset, r.apex, r.offset, books.cell(r.action_units),
            r.emotion, '',
        ),
        lambda r: r.name,
        lambda r: r.name[:3],
        _mmew_folder,
        lambda r, layout: '{}.jpg',
        (
            ('3', 'S03-01-002', 1, 4, 8, '12', 'happiness'),
            ('3', 'S03-07-001', 1, 3, 7, '4', 'anger'),
            ('5', 'S05-02-001', 1, 5, 11, '1+2', 'surprise'),
            ('5', 'S05-04-001', 1, 4, 8, 'L14', 'others'),
            ('12', 'S12-03-001', 1, 3, 6, '4+7', 'disgust'),
            ('12', 'S12-05-010', 1, 4, 9, '15', 'sadness'),
        ),
    ),
    'casme_cubed': Facts(
        'cas(me)3_part_A_ME_label_JpgIndex_v2',
        ('Subject', 'Filename', 'Onset', 'Apex', 'Offset', 'AU', 'Objective class', 'emotion'),
        lambda r: (
            r.subject, r.name, r.onset, r.apex, r.offset, books.cell(r.action_units), 'VII',
            r.emotion,
        ),
        lambda r: f'{r.subject}_{r.name.lower()}_{r.onset}',
        lambda r: r.subject,
        _cubed_folder,
        lambda r, layout: '{}.jpg',
        (
            ('spNO.1', 'b', 166, 170, 173, '4', 'disgust'),
            ('spNO.1', 'b', 98, 100, 104, '12', 'happy'),
            ('spNO.1', 'J', 20, 23, 26, '1+2', 'surprise'),
            ('spNO.40', 'e', 7, 10, 14, 'T28+14', 'fear'),
            ('spNO.216', 'm', 50, 53, 57, '38', 'Others'),
            ('spNO.216', 'a', 9, 12, 16, 'R12', 'happy'),
        ),
    ),
    'fourdme': Facts(
        '4DME_Labelling_Micro_release v1',
        ('sub_ID', 'fold_name', 'Emotion', 'Onset', 'Apex', 'Offset', 'AUs', 'AU4', 'Positive'),
        lambda r: (
            r.subject, r.name, r.emotion, r.onset, r.apex, r.offset, books.cell(r.action_units), 0,
            0,
        ),
        lambda r: f'{r.subject}_{r.name}',
        lambda r: r.subject,
        lambda r, layout: f'{layout}/{r.subject}/{r.name}',
        lambda r, layout: 'frame_{}.jpg',
        (
            ('S13', 'S13_001_01', 98, 101, 104, 'AU4(k)+L7', 'Negative'),
            ('S13', 'S13_001_02', 120, 123, 126, '12', 'Positive'),
            ('S14', 'S14_001_01', 20, 23, 27, '1+2', 'Surprise'),
            ('S14', 'S14_002_01', 30, 34, 38, '1+12', 'Surprise+Positive'),
            ('S15', 'S15_001_01', 40, 43, 46, '45', 'Others'),
            ('S15', 'S15_001_02', 50, 53, 56, 'L14', 'Repression'),
        ),
    ),
}  # fmt: skip
LAYOUTS = {  # the first is the default
    'casme': ('cropped', 'selected'),
    'mmew': ('code', 'page'),
    'casme_cubed': ('clips', 'recordings'),
    'fourdme': ('gray_micro', 'gray_micro_crop'),
}


def write(name, folder, *, layout='', sheet='.xlsx', faults=None, workbook=(), moving=False):
    """Writes one release below `folder`; returns its truth.Release.

    faults: {clip id: names of faults and sheet_faults}. workbook: names of sheet_faults.WORKBOOK.
    moving: whether pictures look like faces and move; else all are the same.
    """
    facts, faults, folder = RELEASES[name], faults or {}, Path(folder)
    layout = layout or LAYOUTS[name][0]
    sheet_faults.check(faults, file_faults.FILES, workbook)
    rows = [Annotation(*row) for row in facts.rows]
    path = _write_sheet(folder, facts, sheet, rows, faults, workbook)
    content = disk.tiny_pictures('.jpg', 3)
    if moving:
        content = disk.moving_pictures('.jpg', 3, lambda row: (120, 120))
    clips = {}
    for index, row in enumerate(rows):
        clip = _write_clip(folder, facts, row, layout, content, faults, index + 2)
        clips[clip.clip] = clip
    if name == 'casme_cubed':
        table = [facts.header[:-1], *[facts.cells(row)[:-1] for row in rows]]
        books.write(folder / 'CAS(ME)3_part_A_v2.xlsx', {'AU+Emotion': table})
        if layout == 'clips':
            depth = folder / 'Part_A_ME_clip/depth/spNo.1_b_166'
            disk.write_frames(
                depth, '{}.png'.format, range(166, 174), lambda n: content(rows[0], n)
            )
    return Release(folder, folder, (path,), clips, (), {}, faults)


def _write_sheet(folder, facts, suffix, rows, faults, workbook):
    spoilt = sheet_faults.spoilt(rows, [facts.clip(row) for row in rows], faults)
    header, cells = books.spoilt(facts.header, [facts.cells(row) for row in spoilt], workbook)
    path = folder / (facts.sheet + suffix)
    return books.write(path, {'label': [header, *cells]}, faults=workbook)


def _write_clip(folder, facts, row, layout, content, faults, line):
    numbers = range(row.onset, row.offset + 1)
    if layout == 'recordings':  # from the first frame on, each longer than the others
        numbers = range(1, 200 + line)
    place, name = folder / facts.folder(row, layout), facts.file(row, layout)
    paths = disk.write_frames(place, name.format, numbers, lambda n: content(row, n))
    file_faults.spoil(faults.get(facts.clip(row), ()), paths, disk.keys_of(row, numbers))
    onset, apex, offset, repaired = usable(row, numbers)
    return Clip(
        facts.clip(row),
        facts.subject(row),
        '+'.join(sorted(row.emotion.lower().split('+'))),
        onset,
        apex,
        offset,
        row.action_units,
        True,
        'micro',
        place,
        tuple(numbers),
        line,
        repaired,
    )
