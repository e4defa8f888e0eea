"""Writes SMIC (HS, VIS, NIR): folders only; and SMIC-E, to be refused.

Quirks: 1 no sheet, no apex, no action units: the folder is the emotion, first and last file are
onset and offset; 2 subjects are unpadded on disk ('s1'), padded in the lists ('s01'); 3 frame
numbers are running counters of 4 (padded to 6) to 8 digits; 4 names padded to 6 digits outgrow the
padding (image999999, image1000000); 5 folders negative, positive, surprise, codes ne, po, sur; 6 no
subjects 7, 10, 16, 17; 7 NIR numbers have five digits and no word before them (those of VIS are
assumed to be as HS); 8 frames may be dropped inside a clip (fault 'missing'); 9 a folder
`non_micro` beside `micro`; 10 SMIC-E: long clips in JPEG, padded subject folders, a workbook.
"""

from pathlib import Path

from tests.support.fake_raw import disk, megc2019
from tests.support.fake_raw import faults as file_faults
from tests.support.fake_raw import workbook as books
from tests.support.fake_raw.truth import Annotation, Clip, Release

LAYOUTS = {
    'cropped': ('SMIC_all_cropped', 'reg_image'),
    'raw': ('SMIC_all_raw', 'image'),
    'bare': ('', 'image'),
}
WORDS = {'negative': 'ne', 'positive': 'po', 'surprise': 'sur'}
# the subjects whom VIS and NIR recorded, too
LAST_TEN = ('s11', 's12', 's13', 's14', 's15', 's18', 's19', 's20')
MAGNITUDE = {  # digits of the onset, by subject: 8 in 24 clips, 7 in 17, 5 in 21, 6 in 102
    's19': 8,
    's20': 8,
    's14': 7,
    's18': 7,
    's06': 5,
    's08': 5,
    's09': 5,
}
KNOWN = {  # clip -> (first, frames) of HS; the two longest clips have their length
    's01_ne_01': (559740, 7),
    's14_ne_01': (1203010, 51),
    's14_ne_03': (1204998, 58),
    's06_ne_01': (34208, 6),
    's05_ne_01': (999997, 6),
}
SMALL_SUBJECTS = {'s01': (2, 1, 1), 's03': (1, 1, 1), 's11': (1, 1, 1), 's20': (1, 0, 1)}
COUNTS = {'HS': {'megc3': 164}, 'VIS': {'megc3': 71}, 'NIR': {'megc3': 71}}


def write(folder, *, size='small', layout='cropped', parts=('HS',), faults=None):
    """Writes `parts` ('HS', 'VIS', 'NIR') below `folder`; returns the truth.Release of the first.

    Arguments as in casme2.write; there are no sheets to spoil. Ids of the clips do not name the
    part.
    """
    releases = [_write_part(Path(folder), size, layout, part, faults or {}) for part in parts]
    return releases[0]


def _write_part(folder, size, layout, part, faults):
    images, clips = folder / LAYOUTS[layout][0] / part, {}
    for row in rows(part, size):
        first, last = row.onset, row.offset
        numbers, clip = range(first, last + 1), row.name
        target = images / short(row.subject) / 'micro' / row.emotion / short(clip)
        prefix, digits = ('', 5) if part == 'NIR' else (LAYOUTS[layout][1], 6)
        paths = disk.write_frames(
            target, _namer(prefix, digits), numbers, _content(size, layout, part, row)
        )
        file_faults.spoil(faults.get(clip, ()), paths, {'onset': first, 'offset': last})
        clips[clip] = Clip(
            clip,
            row.subject,
            row.emotion,
            first,
            None,
            last,
            '',
            False,
            'micro',
            target,
            tuple(numbers),
            0,
        )
    _write_non_micro(images, size, layout)
    return Release(folder, images, (), clips, (), COUNTS[part] if size == 'full' else {}, faults)


def _namer(prefix, digits):
    return lambda number: f'{prefix}{number:0{digits}d}.bmp'


def _content(size, layout, part, row):
    if size != 'small':
        content = disk.tiny_pictures('.bmp', 1 if part == 'NIR' else 3)
    else:
        picture = (170, 140) if layout == 'cropped' else (480, 640)
        content = disk.moving_pictures('.bmp', 1 if part == 'NIR' else 3, lambda row: picture)
    return lambda number: content(row, number)


def _write_non_micro(images, size, layout):
    """Quirk 9: a clip without any expression under the first subject."""
    picture = disk.tiny_pictures('.bmp', 3)
    folder = images / 's1' / 'non_micro' / 's1_non_01'
    disk.write_frames(
        folder, _namer(LAYOUTS[layout][1], 6), range(559800, 559804), lambda n: picture(None, n)
    )


def short(name):
    """'s01_ne_01' -> 's1_ne_01': as the folders are called."""
    return f's{int(name[1:3])}{name[3:]}'


def rows(part, size):
    """Annotations of one part in order of subject: MEGC2019's table per subject, clips numbered
    from 1 per emotion.
    """
    table = megc2019.SMIC if size == 'full' else SMALL_SUBJECTS
    table = {s: c for s, c in table.items() if part == 'HS' or s in LAST_TEN}
    made = []
    for subject, counts in table.items():
        for word, count in zip(WORDS, counts, strict=True):
            names = [f'{subject}_{WORDS[word]}_{n:02d}' for n in range(1, count + 1)]
            made += [
                _row(part, size, subject, name, word, len(made) + i) for i, name in enumerate(names)
            ]
    return made


def _row(part, size, subject, name, word, index):
    digits = MAGNITUDE.get(subject, 6) if part == 'HS' else 4
    first = (10 ** (digits - 1)) * (1 + index % 8) + 97 * index + 3
    frames = 4 + index % 5 if size == 'full' else 6 + index % 3
    if part == 'HS' and size == 'full':
        first, frames = KNOWN.get(name, (first, frames))
    elif part == 'HS' and name in ('s01_ne_01', 's03_ne_01'):
        first = {'s01_ne_01': 559740, 's03_ne_01': 999997}[name]
    return Annotation(subject, name, first, '', first + frames - 1, '', word)


E_HEADER = ('Subject', 'Filename', 'OnsetF', 'ApexF', 'OffsetF', 'Emotion', 'FirstF')


def write_e(folder):
    """Writes the HS part of SMIC-E (quirk 10): long clips, of which the expression is a part."""
    folder, table, picture = Path(folder), [], disk.tiny_pictures('.jpg', 3)
    for clip, first in (('s20_ne_01', 17581039), ('s01_po_01', 559700), ('s03_sur_01', 34208)):
        subject, target = clip[:3], folder / 'SMIC_HS_E' / clip[:3] / clip
        disk.write_frames(
            target,
            lambda n: f'image{n:06d}.jpg',
            range(first, first + 20),
            lambda n: picture(None, n),
        )
        table.append((subject, clip, first + 5, first + 8, first + 12, clip[4:-3], first))
    prose = [('',), ('FirstF is the number of the first frame of the clip.',)]
    books.write(folder / 'SMIC-HS-E_annotation_2019.xlsx', {'Sheet1': [E_HEADER, *table, *prose]})
    return folder
