"""The sheet and the folders of MMEW's micro-expressions.

Source: X. Ben, Y. Ren, J. Zhang, S.-J. Wang, K. Kpalma, W. Meng, Y.-J. Liu, "Video-Based Facial
Micro-Expression Analysis: A Survey of Datasets, Features and Algorithms", IEEE TPAMI 2021; folders
by the publisher's page (S03/happiness/S03-01-002/1.jpg) and by public code, where the level of the
subject is missing.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from tfds_builders import annotated, one_sheet

INSTRUCTIONS = (
    'MMEW: apply at http://www.dpailab.com/database.html (signed agreement), then unpack '
    'MMEW_Final (Micro_Expression/happiness/S03-01-002/1.jpg) into one folder together with '
    'MMEW_Micro_Exp.xlsx'
)
EMOTIONS = ('anger', 'disgust', 'fear', 'happiness', 'others', 'sadness', 'surprise')
CLIP = r'S0*(\d{1,2})-0*(\d+)-0*(\d+)'
_FOLDERS = 'anger|disgust|fear|happiness|others?|repression|sadness|surprise'


def _clip_id(*names: str) -> str:
    """The name of a clip from the names of its folders: 'S03-01-002'."""
    match = re.fullmatch(CLIP, names[-1], re.IGNORECASE)
    return f'S{int(match[1]):02d}-{int(match[2]):02d}-{int(match[3]):03d}' if match else ''


def _identify(record: Mapping[str, str]) -> tuple[str, str]:
    clip = _clip_id(record['filename'])
    if not clip:
        raise ValueError(f'Filename is {record["filename"]!r}; must be as S03-01-002')
    subject = clip.partition('-')[0]
    digits = re.search(r'\d+', record['subject'])
    if not digits or int(digits[0]) != int(subject[1:]):
        raise ValueError(
            f'Subject {record["subject"]!r} and Filename {record["filename"]!r} contradict each '
            'other'
        )
    return clip, subject


def _emotion(cell: str) -> str:
    # The publisher's page calls the folder of the class repression that the sheet calls others.
    word = 'others' if cell.strip().lower() in ('repression', 'other') else cell
    return annotated.emotion(word, EMOTIONS)


def _contradiction(annotation: annotated.Annotation, folder: Path) -> str:
    word = folder.parent.name
    if _emotion(word) == annotation.emotion:
        return ''
    return f'{annotation.clip} is {annotation.emotion} in the sheet, but lies in a folder {word}'


FORMAT = one_sheet.Format(
    dataset='mmew',
    title='MMEW',
    instructions=INSTRUCTIONS,
    columns={
        'subject': ('Subject',),
        'filename': ('Filename',),
        'onset': ('OnsetFrame',),
        'apex': ('ApexFrame',),
        'offset': ('OffsetFrame',),
        'action_units': ('Action Units',),
        'emotion': ('Estimated Emotion',),
    },
    optional=('action_units',),
    rows=300,
    clip=CLIP,
    clip_example='S03-01-002',
    identify=_identify,
    emotion=_emotion,
    places=(
        one_sheet.Place((r'S\d{1,2}', _FOLDERS, CLIP), _clip_id),
        one_sheet.Place((_FOLDERS, CLIP), _clip_id),
    ),
    frame=r'\d+\.(jpe?g|png|bmp)',
    frame_example='<emotion>/<clip>/1.jpg',
    kinds=('cropped',),
    fps=90.0,
    contradiction=_contradiction,
)
OPTIONS, KINDS, CODE = FORMAT.options, FORMAT.kinds, one_sheet.CODE
find, read, files = FORMAT.find, FORMAT.read, FORMAT.files
