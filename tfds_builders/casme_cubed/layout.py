"""The sheet and the folders of the micro-expressions in part A of CAS(ME)^3.

Source: J. Li, Z. Dong, S. Lu, S.-J. Wang, W.-J. Yan, Y. Ma, Y. Liu, C. Huang, X. Fu, "CAS(ME)^3: A
Third Generation Facial Spontaneous Micro-Expression Database with Depth Information and High
Ecological Validity", IEEE TPAMI 2023. The sheets are public (github jingtingEmmaLi/CAS-ME-3);
folders by public code: Part_A_ME_clip/frame/spNo.1_b_166/166.jpg (clips, called by their onset) and
part_A/spNO.1/b/color/166.jpg (whole recordings). Depth is not read.
"""

import re
from collections.abc import Mapping
from functools import partial

from tfds_builders import annotated, one_sheet
from tfds_builders.casme_cubed import corrections

INSTRUCTIONS = (
    'CAS(ME)^3: apply at http://casme.psych.ac.cn/casme/e4 (signed agreement), then unpack '
    'Part_A_ME_clip (frame/spNo.1_b_166/166.jpg) or part_A (spNO.1/b/color/166.jpg) into one '
    'folder together with cas(me)3_part_A_ME_label_JpgIndex_v2.xlsx'
)
EMOTIONS = ('anger', 'disgust', 'fear', 'happy', 'others', 'sad', 'surprise')
_SUBJECT = r'spNO\.?0*(\d{1,3})'


def _clip_id(name: str) -> str:
    """'spNo.1_b_166' -> 'spNO.1_b_166'; '' for anything else."""
    match = re.fullmatch(rf'{_SUBJECT}_([a-m])_0*(\d+)', name, re.IGNORECASE)
    return f'spNO.{match[1]}_{match[2].lower()}_{int(match[3])}' if match else ''


def _recording_id(subject: str, letter: str, *_: str) -> str:
    """('spNO.1', 'B') -> 'spNO.1_b'; '' for anything else."""
    match = re.fullmatch(_SUBJECT, subject, re.IGNORECASE)
    is_letter = re.fullmatch('[a-m]', letter, re.IGNORECASE)
    return f'spNO.{match[1]}_{letter.lower()}' if match and is_letter else ''


def _identify(record: Mapping[str, str]) -> tuple[str, str]:
    recording = _recording_id(record['subject'], record['filename'])
    if not recording:
        raise ValueError(
            f'Subject is {record["subject"]!r} and Filename {record["filename"]!r}; must be as '
            'spNO.1 and one letter from a to m'
        )
    # a recording holds several: subject, letter and onset together name one
    onset = annotated.frame_number('Onset', record['onset'])
    return f'{recording}_{onset}', recording.partition('_')[0]


FORMAT = one_sheet.Format(
    dataset='casme_cubed',
    title='CAS(ME)^3, part A',
    instructions=INSTRUCTIONS,
    columns={
        'subject': ('Subject',),
        'filename': ('Filename',),
        'onset': ('Onset',),
        'apex': ('Apex',),
        'offset': ('Offset',),
        'action_units': ('AU',),
        'emotion': ('emotion',),  # the sheets of all expressions have none
    },
    optional=('action_units',),
    rows=860,
    clip='[a-m]',
    clip_example='the letter b',
    identify=_identify,
    emotion=partial(annotated.emotion, emotions=EMOTIONS),
    places=(
        one_sheet.Place((rf'{_SUBJECT}_[a-m]_\d+',), _clip_id),
        one_sheet.Place((_SUBJECT, '[a-m]', 'colou?r'), _recording_id, kind='recordings'),
    ),
    frame=r'\d+\.(jpe?g|png|bmp)',
    frame_example='spNo.1_b_166/166.jpg or spNO.1/b/color/166.jpg',
    kinds=('clips', 'recordings'),
    words=(('depth', 'depth'), ('frame', 'clips'), ('clip', 'clips')),
    cropped=(),
    recordings=('recordings',),
    recording=lambda clip: clip.rpartition('_')[0],
    fps=30.0,
    corrections=corrections.SETS,
)
OPTIONS, KINDS, CODE = FORMAT.options, FORMAT.kinds, one_sheet.CODE
find, read, files = FORMAT.find, FORMAT.read, FORMAT.files
