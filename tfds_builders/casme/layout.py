"""The sheet and the folders of CASME.

Source: W.-J. Yan, Q. Wu, Y.-J. Liu, S.-J. Wang, X. Fu, "CASME Database: A Dataset of Spontaneous
Micro-Expressions Collected From Neutralized Faces", FG 2013; sheet and folders by public code
(github tvaranka/meb): Cropped/sub01/EP01_5/reg_EP01_5-113.jpg and
CASME_raw_selected/sub01/EP01_5/EP01_5-113.jpg.
"""

import re
from collections.abc import Mapping
from functools import partial

from tfds_builders import annotated, one_sheet

INSTRUCTIONS = (
    'CASME: apply at http://casme.psych.ac.cn/casme/e1 (signed agreement), then unpack Cropped '
    '(Cropped/sub01/EP01_5/reg_EP01_5-113.jpg) or CASME_raw_selected into one folder together '
    'with the coding sheet (casme.xlsx)'
)
# amusement: the word of the paper; happiness: that of other lists
EMOTIONS = (
    'amusement',
    'contempt',
    'disgust',
    'fear',
    'happiness',
    'repression',
    'sadness',
    'surprise',
    'tense',
)


def _clip_id(subject: str, filename: str) -> str:
    """('1', 'EP01_5') -> 'sub01_EP01_5'; '' where the subject is none of 1..99."""
    match = re.fullmatch(r'(?:sub)?0*([1-9]\d?)', subject.strip(), re.IGNORECASE)
    return f'sub{int(match[1]):02d}_{filename.strip()}' if match else ''


def _identify(record: Mapping[str, str]) -> tuple[str, str]:
    clip = _clip_id(record['subject'], record['filename'])
    if not clip:
        raise ValueError(f'Subject is {record["subject"]!r}; must be a number as 01')
    if not record['filename']:
        raise ValueError('Filename is empty')
    return clip, clip.partition('_')[0]


FORMAT = one_sheet.Format(
    dataset='casme',
    title='CASME',
    instructions=INSTRUCTIONS,
    columns={
        'subject': ('Subject',),
        'filename': ('Filename',),
        'onset': ('OnsetF',),
        'apex': ('ApexF1',),  # of two; the second ends a plateau
        'offset': ('OffsetF',),
        'action_units': ('AU',),
        'emotion': ('Emotion',),
    },
    optional=('action_units',),
    rows=189,
    clip=r'EP\d.*',
    clip_example='EP01_5',
    identify=_identify,
    emotion=partial(annotated.emotion, emotions=EMOTIONS),
    places=(one_sheet.Place((r'(sub)?\d{1,2}', r'EP\d.*'), _clip_id),),
    frame=r'(reg_)?EP\d.*-\d+\.(jpe?g|png|bmp)',
    frame_example='<subject>/<clip>/EP01_5-113.jpg or reg_EP01_5-113.jpg',
    kinds=('cropped', 'selected'),
    words=(('crop', 'cropped'), ('select', 'selected')),
    crop_prefix='reg_',
    fps=60.0,
)
OPTIONS, KINDS, CODE = FORMAT.options, FORMAT.kinds, one_sheet.CODE
find, read, files = FORMAT.find, FORMAT.read, FORMAT.files
