"""Writes SAMM: the sheet of the micro-expressions and the tree of grey frames; and SAMM Long
Videos, to be refused.

Quirks: 1 the sheet has 13 preamble rows, the header is Excel row 14; 2 Subject is text ('006'),
frames are int, action units mixed; 3 the label is 'Other', singular and capitalised; 4 the middle
part of a name is the inducement code, no action unit; 5 Duration = offset - onset + 1 in every row;
6 apex after the offset (028_4_1) and before the onset (032_3_1); 7 file numbers are padded to five
digits and equal the sheet's; 8 a cropped tree in which 013_1_9 has 136 frames, not 82; 9 action
units with 'or', 'ref()', free text, stray blanks; 10 long videos: other workbook, 9 preamble rows,
frame numbers shifted by a constant.
"""

from pathlib import Path

from tests.support.fake_raw import disk, samm_rows, sheet_faults
from tests.support.fake_raw import faults as file_faults
from tests.support.fake_raw import workbook as books
from tests.support.fake_raw.truth import Clip, Release, usable

LAYOUTS = {'raw': 'SAMM', 'cropped': 'SAMM_Cropped', 'crop': 'SAMM_CROP'}
SHEETS = {'v2': 'SAMM_Micro_FACS_Codes_v2', '20181215': 'SAMM_20181215_Micro_FACS_Codes_v2'}
HEADER = (
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
)
PREAMBLE = (
    ('Micro-movement FACS codes (synthetic)',),
    ('',),
    ('Symbols',),
    ('/', 'or'),
    ('L', 'unilateral left'),
    ('R', 'unilateral right'),
    ('A', 'asymmetric: both sides, one stronger'),
    ('',),
    ('Emotion', 'self-report'),
    ('',),
    ('Objective Classes', '1 to 7'),
    ('',),
    ('Frame rate', 200),
)
COUNTS = {'five': 136, 'megc3': 133, 'samer3': 133}


def write(
    folder, *, size='small', edition='v2', layout='raw', sheet='.xlsx', faults=None, workbook=()
):
    """Writes one release below `folder`; returns its truth.Release. Arguments as in
    casme2.write.
    """
    faults, folder = faults or {}, Path(folder)
    sheet_faults.check(faults, file_faults.FILES, workbook)
    rows = samm_rows.full(cropped=layout != 'raw') if size == 'full' else samm_rows.small()
    path = _write_sheet(folder / (SHEETS[edition] + sheet), rows, faults, workbook)
    images, clips = folder / LAYOUTS[layout], {}
    height_width = (650, 960) if layout == 'raw' else (220, 200)
    content = disk.tiny_pictures('.jpg', 1)
    if size == 'small':
        content = disk.moving_pictures('.jpg', 1, lambda row: height_width)
    for index, row in enumerate(rows):
        clips[row.name] = _write_clip(images, content, row, index + 15, faults)
    return Release(folder, images, (path,), clips, (), COUNTS if size == 'full' else {}, faults)


def _write_sheet(path, rows, faults, workbook):
    cells = []
    for r in sheet_faults.spoilt(rows, [row.name for row in rows], faults):
        code, objective, note = r.more
        duration = (
            r.offset - r.onset + 1 if isinstance(r.onset, int) and isinstance(r.offset, int) else ''
        )
        cells.append(
            (
                r.subject,
                r.name,
                code,
                r.onset,
                r.apex,
                r.offset,
                duration,
                'Micro - 1/2',
                books.cell(r.action_units),
                r.emotion,
                objective,
                note,
            )
        )
    header, cells = books.spoilt(HEADER, cells, workbook)
    return books.write(path, {'MICRO_ONLY': [*PREAMBLE, header, *cells]}, faults=workbook)


def _write_clip(images, content, row, line, faults):
    first, last = row.frames or (row.onset, row.offset)
    numbers, target = range(first, last + 1), images / row.subject / row.name
    paths = disk.write_frames(
        target, lambda n: f'{row.subject}_{n:05d}.jpg', numbers, lambda n: content(row, n)
    )
    file_faults.spoil(faults.get(row.name, ()), paths, disk.keys_of(row, numbers))
    onset, apex, offset, repaired = usable(row, numbers)
    return Clip(
        row.name,
        row.subject,
        row.emotion,
        onset,
        apex,
        offset,
        row.action_units,
        True,
        'micro',
        target,
        tuple(numbers),
        line,
        repaired,
    )


LONG_HEADER = (
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
)
# frame numbers against the sheet of the micros
LONG_SHIFT = {'006_1': 2000, '014_1': 499, '018_1': 10000, '037_4': 1}


def write_long_videos(folder):
    """Writes SAMM Long Videos (workbook and tree of quirk 10), which has no emotions: not the data
    set asked for.
    """
    folder, rows, content = Path(folder), [], disk.tiny_pictures('.jpg', 1)
    for video in ('006_1', '014_1', '018_1', '037_4'):
        target = folder / 'SAMM_longvideos' / video
        disk.write_frames(
            target, lambda n, v=video: f'{v}_{n:04d}.jpg', range(1, 13), lambda n: content(None, n)
        )
        rows.append((video[:3], f'{video}_1', int(video[4]), 1, -1, 12, 12, 'Macro', 12, ''))
        rows.append(
            (video[:3], f'{video}_2', int(video[4]), 3, 5, 8, 6, 'Micro - 1/2', 'A1B+A2(B/C)', '')
        )
    preamble = [('Long videos (synthetic)',), *[('',)] * 8]
    books.write(
        folder / 'SAMM_LongVideos_V2_Release.xlsx',
        {'FACS_Movement_Only': [*preamble, LONG_HEADER, *rows]},
    )
    return folder
