"""The sheet and the folders of 4DME's gray micro-expression clips.

Source: X. Li, S. Cheng, Y. Li, M. Behzad, J. Shen, S. Zafeiriou, M. Pantic, G. Zhao, "4DME: A
Spontaneous 4D Micro-Expression Dataset With Multimodalities", IEEE TAFFC 2022; sheet and folders by
public code (github tvaranka/meb): gray_micro/<sub_ID>/<fold_name>/. How files are called is not
documented: they are found by the number at the end of their name.

A clip may have several of five emotion tags ('Surprise+Positive'). All its tags together are its
emotion here; label schemes leave such clips out, because choosing one tag would be a guess.
"""

import itertools
import re
from collections.abc import Mapping

from tfds_builders import annotated, one_sheet

INSTRUCTIONS = (
    '4DME: apply at the University of Oulu, '
    'https://www.oulu.fi/en/university/faculties-and-units/'
    'faculty-information-technology-and-electrical-engineering/'
    'center-machine-vision-and-signal-analysis (signed agreement), then unpack gray_micro '
    '(gray_micro/<sub_ID>/<fold_name>/) into one folder together with '
    '4DME_Labelling_Micro_release v1.xlsx'
)
TAGS = ('negative', 'others', 'positive', 'repression', 'surprise')
EMOTIONS = tuple(
    '+'.join(tags)
    for count in range(1, len(TAGS) + 1)
    for tags in itertools.combinations(TAGS, count)
)


def _emotion(cell: str) -> str:
    """'Surprise+Positive' -> 'positive+surprise': each tag once, in the order of TAGS."""
    tags = {annotated.emotion(word, TAGS) for word in re.split(r'\s*\+\s*', cell.strip())}
    return '+'.join(sorted(tags))


def _clip_id(subject: str, name: str) -> str:
    return f'{subject.strip()}_{name.strip()}'


def _identify(record: Mapping[str, str]) -> tuple[str, str]:
    for column, title in (('subject', 'sub_ID'), ('filename', 'fold_name')):
        if not record[column]:
            raise ValueError(f'{title} is empty')
    return _clip_id(record['subject'], record['filename']), record['subject'].strip()


FORMAT = one_sheet.Format(
    dataset='fourdme',
    title='4DME',
    instructions=INSTRUCTIONS,
    columns={
        'subject': ('sub_ID',),
        'filename': ('fold_name',),
        'onset': ('Onset',),
        'apex': ('Apex',),
        'offset': ('Offset',),
        'action_units': ('AUs',),
        'emotion': ('Emotion',),
    },
    optional=('action_units',),
    rows=267,
    clip='.+',
    clip_example='the name of a folder',
    identify=_identify,
    emotion=_emotion,
    places=(one_sheet.Place((r'[^.]*', r'[^.]*'), _clip_id),),
    frame=r'.*\d\.(jpe?g|png|bmp)',
    frame_example='gray_micro/<sub_ID>/<fold_name>/ and numbered pictures',
    kinds=('cropped', 'gray'),
    words=(
        ('macro', 'macro'),
        ('depth', 'depth'),
        ('kinect', 'colour'),
        ('colo', 'colour'),
        ('rgb', 'colour'),
        ('crop', 'cropped'),
        ('gray', 'gray'),
    ),
)
OPTIONS, KINDS, CODE = FORMAT.options, FORMAT.kinds, one_sheet.CODE
find, read, files = FORMAT.find, FORMAT.read, FORMAT.files
