"""Writes CASME II: sheets of either edition and the folder layouts in circulation.

Quirks: 1 the header has two blank cells; 2 Subject is text ('01'); 3 a single action unit is an
integer cell, others text; 4 '/' stands for an unknown apex (04/EP12_01f); 5 apex = onset
(05/EP09_05f) and apex = offset (four rows); 6 frame numbers are not padded (img99, img100), but in
re-encoded copies they are; 7 the trailing f is part of the name; 8 a name is unique only with its
subject; 9 names of odd shape (EP01_2, EP06_02_01, EP09f); 10 two folders without a row
(sub09/EP02_02f, sub24/EP02_07); 11 a folder that ends before the sheet's offset (16/EP01_08 at 96);
12 subject folders 'sub01' or '1'; 13 face crops differ in size from clip to clip; 14 a second
workbook with the same clip names but no frames (CASME2-ObjectiveClasses.xlsx); 15 readme.pdf and
note.txt lie about.
"""

from pathlib import Path

from tests.support.fake_raw import casme2_rows, disk, sheet_faults
from tests.support.fake_raw import faults as file_faults
from tests.support.fake_raw import workbook as books
from tests.support.fake_raw.truth import Clip, Release, spread, usable

# name -> (folders above the subject, file prefix, subject folder, digits of the padding)
LAYOUTS = {
    'cropped': ('CASME2_preprocessed_Li Xiaobai/Cropped', 'reg_img', 'sub{:02d}', 1),
    'cropped_small': ('CASME2_preprocessed_small_Li Xiaobai/Cropped', 'reg_img', 'sub{:02d}', 1),
    'cropped_original': ('Cropped_original', 'reg_img', 'sub{:02d}', 1),
    'cropped_updated': ('Cropped-updated/Cropped', 'reg_img', '{}', 1),
    'selected': ('CASME2_RAW_selected', 'img', 'sub{:02d}', 1),
    'padded': ('CASME2_RAW_selected', 'img', 'sub{:02d}', 3),
    'raw': ('CASME2_RAW/CASME2-RAW', 'img', 'sub{:02d}', 1),  # whole recordings, from frame 1
}
SHEETS = {'2014': 'CASME2-coding-20140508', '2019': 'CASME2-coding-20190701'}
HEADER = (
    'Subject',
    'Filename',
    '',
    'OnsetFrame',
    'ApexFrame',
    'OffsetFrame',
    '',
    'Action Units',
    'Estimated Emotion',
)
COUNTS = {  # label scheme -> clips of the full size
    '2014': {'five': 246, 'four': 147, 'megc3': 145, 'samer3': 147, 'irawan3': 156},
    '2019': {'five': 249, 'four': 150, 'megc3': 145, 'samer3': 150, 'irawan3': 156},
}
OBJECTIVE_CLASSES = {1: 30, 2: 18, 3: 93, 4: 15, 5: 18, 6: 2, 7: 79}


def write(
    folder,
    *,
    size='small',
    edition='2019',
    layout='cropped',
    sheet='.xlsx',
    faults=None,
    workbook=(),
):
    """Writes one release below `folder`; returns its truth.Release.

    edition: '2014', '2019' or 'both' (both workbooks lie there; the truth is that of 2019). faults:
    {clip id: names of faults and sheet_faults}. workbook: names of sheet_faults.WORKBOOK, for every
    coding sheet.
    """
    faults, folder = faults or {}, Path(folder)
    sheet_faults.check(faults, file_faults.FILES, workbook)
    told = '2019' if edition == 'both' else edition
    rows = casme2_rows.full(told) if size == 'full' else casme2_rows.small()
    sheets = []
    for one in SHEETS if edition == 'both' else (edition,):
        table = casme2_rows.full(one) if size == 'full' else rows
        sheets.append(_write_sheet(folder / (SHEETS[one] + sheet), table, faults, workbook))
    _write_beside(folder, rows)
    images = folder / LAYOUTS[layout][0]
    clips = {}
    for index, row in enumerate(rows):
        clip = _write_clip(images, layout, size, row, index + 2, faults)
        clips[clip.clip] = clip
    extra = _write_unannotated(images, layout) if size == 'full' else ()
    counts = COUNTS[told] if size == 'full' else {}
    return Release(folder, images, tuple(sheets), clips, extra, counts, faults)


def clip_id(row):
    """'sub01_EP02_01f'."""
    return f'sub{int(row.subject):02d}_{row.name}'


def _write_sheet(path, rows, faults, workbook):
    rows = sheet_faults.spoilt(rows, [clip_id(row) for row in rows], faults)
    cells = [
        (
            r.subject,
            r.name,
            '',
            r.onset,
            r.apex,
            r.offset,
            '',
            books.cell(r.action_units),
            r.emotion,
        )
        for r in rows
    ]
    header, cells = books.spoilt(HEADER, cells, workbook)
    return books.write(path, {'Sheet1': [header, *cells]}, faults=workbook)


def _write_beside(folder, rows):
    classes = spread(OBJECTIVE_CLASSES)
    table = [('Subject', 'Filename', 'Objective Class')]
    table += [(r.subject, r.name, classes[i]) for i, r in enumerate(rows)]
    books.write(folder / 'CASME2-ObjectiveClasses.xlsx', {'Sheet1': table})
    (folder / 'readme.pdf').write_bytes(b'%PDF-1.4\n')
    (folder / 'note.txt').write_text('synthetic\n')


def _content(layout, size):
    if size != 'small':
        return disk.tiny_pictures('.jpg', 3)
    cropped = layout.startswith('cropped')
    return disk.moving_pictures('.jpg', 3, _crop_size if cropped else lambda row: (480, 640))


def _crop_size(row):
    """About 280x340, by clip."""
    seed = disk.seed_of(clip_id(row))
    return 330 + seed % 23, 272 + seed // 23 % 17


def _write_clip(images, layout, size, row, line, faults):
    _, prefix, subject_folder, digits = LAYOUTS[layout]
    first, last = row.frames or (row.onset, row.offset)
    numbers = range(1, last + 6) if layout == 'raw' else range(first, last + 1)
    content, target = (
        _content(layout, size),
        images / subject_folder.format(int(row.subject)) / row.name,
    )
    paths = disk.write_frames(
        target, lambda n: f'{prefix}{n:0{digits}d}.jpg', numbers, lambda n: content(row, n)
    )
    file_faults.spoil(faults.get(clip_id(row), ()), paths, disk.keys_of(row, numbers))
    onset, apex, offset, repaired = usable(row, numbers)
    return Clip(
        clip_id(row),
        clip_id(row)[:5],
        row.emotion,
        onset,
        apex,
        offset,
        row.action_units,
        row.action_units != '?',
        'micro',
        target,
        tuple(numbers),
        line,
        repaired,
    )


def _write_unannotated(images, layout):
    _, prefix, subject_folder, digits = LAYOUTS[layout]
    folders, content = [], disk.tiny_pictures('.jpg', 3)
    for subject, name, first, last in casme2_rows.UNANNOTATED:
        folders.append(images / subject_folder.format(int(subject[3:])) / name)
        numbers = range(first, last + 1)
        disk.write_frames(
            folders[-1],
            lambda n: f'{prefix}{n:0{digits}d}.jpg',
            numbers,
            lambda n: content(None, n),
        )
    return tuple(folders)
