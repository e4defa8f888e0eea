"""Writes CAS(ME)^2: the workbook in both states and the folder layouts.

Quirks: 1 three sheets (`CASFEcode_final`, `naming rule1`, `naming rule2`), none with a header; 2
the first column is a participant code (1..22), the folder is another number (s15..s40); naming
rule1 gives one line per annotation; 3 a clip is found over its stem and naming rule2 ('disgust1' ->
text '0101') in a folder '15_0101disgustingteeth', titles misspelt; 4 file numbers are padded to
three digits and grow, or stand unpadded after an underscore (cropped long videos); 5 macro and
micro rows in one sheet; 6 offset 0 in 44 macro rows, apex 0 in one, apex after offset in three; 7
'NULL' and 'null' for no action units; 8 commas and 'or' without blanks in action units; 9
'happyiness'; 10 videos hold more than one expression; 11 CSV copies have an index column and a path
column; 12 both workbooks differ in action units only. `selectedpic` and `cropped` (one folder a
clip) are assumed: no public source tells their inside.
"""

from pathlib import Path

from tests.support.fake_raw import casme_squared_rows as tables
from tests.support.fake_raw import disk, sheet_faults
from tests.support.fake_raw import faults as file_faults
from tests.support.fake_raw import workbook as books
from tests.support.fake_raw.truth import Clip, Release, usable

LAYOUTS = {  # name -> (folders above the subject, file name)
    'rawpic': ('CAS(ME)^2/rawpic', 'img{:03d}.jpg'),
    'long_cropped': ('CAS(ME)2_longVideoFaceCropped/longVideoFaceCropped', 'img_{}.jpg'),
    'selectedpic': ('CAS(ME)^2/selectedpic', 'img{:03d}.jpg'),
    'cropped': ('CAS(ME)^2/cropped', 'img{:03d}.jpg'),
}
SHEETS = {'updated': 'CAS(ME)^2code_final(Updated)', 'final': 'CAS(ME)^2code_final'}
COLUMNS = (
    'Participant',
    'Filename',
    'Onset',
    'Apex',
    'Offset',
    'Action Units',
    'Valence',
    'Type',
    'Self-report',
)
COUNTS = {'micro': 57, 'macro': 300}
# frames of a long video written around each expression; a real one has them all
BEFORE, AFTER = 3, 4
# three of the 98 long videos have no annotation; this one is written where `whole` is asked for
UNANNOTATED, UNANNOTATED_FRAMES = 's16/16_0505funnyinnovations', 30


def write(
    folder,
    *,
    size='small',
    edition='updated',
    layout='rawpic',
    sheet='.xlsx',
    faults=None,
    workbook=(),
    whole=False,
):
    """Writes one release below `folder`; returns its truth.Release, clips of both kinds included.

    Arguments as in casme2.write; the sheet lies beside the folder of the frames. The fault
    'wrong_header' is here a wrong sheet name, `CASMEcode_final`, as some code spells it. whole:
    long videos have all their frames, from 1 on, and one of them has no annotation.
    """
    faults, folder = faults or {}, Path(folder)
    sheet_faults.check(faults, file_faults.FILES, workbook)
    rows = tables.full(updated=edition == 'updated') if size == 'full' else tables.small()
    path = _write_sheet(folder / 'CAS(ME)^2' / (SHEETS[edition] + sheet), rows, faults, workbook)
    images = folder / LAYOUTS[layout][0]
    one_folder = layout in ('selectedpic', 'cropped')
    content = _content(size, layout)
    wanted = {}  # clip folder -> {frame number: row that is seen there, or a neighbour}
    for row in rows:
        first, last = row.frames
        around = (
            range(first, last + 1)
            if one_folder
            else range(max(1, first - BEFORE), last + AFTER + 1)
        )
        numbers = wanted.setdefault(_folder(images, row, one_folder), {})
        numbers.update({n: row for n in around if n not in numbers or first <= n <= last})
    if whole:
        wanted = {target: _all_frames(numbers) for target, numbers in wanted.items()}
        wanted[images / UNANNOTATED] = dict.fromkeys(range(1, UNANNOTATED_FRAMES + 1), rows[0])
    paths = {
        target: disk.write_frames(
            target,
            LAYOUTS[layout][1].format,
            sorted(numbers),
            lambda n, numbers=numbers: content(numbers[n], n),
        )
        for target, numbers in wanted.items()
    }
    clips = {}
    for index, row in enumerate(rows):
        clip = _clip(_folder(images, row, one_folder), row, index + 1)
        clips[clip.clip] = clip
        own = {n: p for n, p in paths[clip.folder].items() if n in clip.numbers}
        file_faults.spoil(faults.get(clip.clip, ()), own, disk.keys_of(row, clip.numbers))
    return Release(folder, images, (path,), clips, (), COUNTS if size == 'full' else {}, faults)


def clip_id(row):
    """'s15_disgust1_1'."""
    return f'{tables.FOLDERS[row.subject]}_{row.name}'


def _folder(images, row, one_folder):
    subject = tables.FOLDERS[row.subject]
    return (
        images
        / subject
        / (row.name if one_folder else f'{subject[1:]}_{tables.VIDEOS[row.more[0]]}')
    )


def _all_frames(numbers):
    """The frames before the first and between two expressions too: those of the expression that
    follows, which is not there yet.
    """
    every, row = {}, None
    for number in range(max(numbers), 0, -1):
        row = numbers.get(number, row)
        every[number] = row
    return every


def _content(size, layout):
    if size != 'small':
        return disk.tiny_pictures('.jpg', 3)
    picture = (480, 640) if layout in ('rawpic', 'selectedpic') else (280, 240)
    return disk.moving_pictures('.jpg', 3, lambda row: picture)


def _clip(target, row, line):
    numbers = range(row.frames[0], row.frames[1] + 1)
    onset, apex, offset, repaired = usable(row, numbers)
    known = row.action_units.lower() != 'null'
    return Clip(
        clip_id(row),
        tables.FOLDERS[row.subject],
        row.emotion,
        onset,
        apex,
        offset,
        row.action_units,
        known,
        row.kind.removesuffix('-expression'),
        target,
        tuple(numbers),
        line,
        repaired,
    )


def _write_sheet(path, rows, faults, workbook):
    rule1 = [(int(f[1:]), f, r.subject) for r in rows for f in [tables.FOLDERS[r.subject]]]
    rule2 = [(title[:4], stem) for stem, title in tables.VIDEOS.items()]
    coded = []
    for r in sheet_faults.spoilt(rows, [clip_id(row) for row in rows], faults):
        units = books.cell(r.action_units)
        coded.append(
            (r.subject, r.name, r.onset, r.apex, r.offset, units, r.emotion, r.kind, r.more[1])
        )
    _, coded = books.spoilt(COLUMNS, coded, workbook)
    if path.suffix == '.csv':
        coded = [(i, *row, f's{row[0]}/{row[1]}') for i, row in enumerate(coded)]
    title = 'CASMEcode_final' if 'wrong_header' in workbook else 'CASFEcode_final'
    return books.write(
        path, {title: coded, 'naming rule1': rule1, 'naming rule2': rule2}, faults=workbook
    )
