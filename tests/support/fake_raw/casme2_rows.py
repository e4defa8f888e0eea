"""Annotation rows of CASME II in both editions: named rows as published, the others invented to
fit.
"""

from tests.support.au_strings import CASME2, CASME2_2014_ONLY, CASME2_2019_ONLY, strings
from tests.support.fake_raw import megc2019
from tests.support.fake_raw.truth import Annotation, spread

ROWS_PER_SUBJECT = {
    1: 9,
    2: 13,
    3: 7,
    4: 5,
    5: 19,
    6: 5,
    7: 9,
    8: 3,
    9: 14,
    10: 14,
    11: 10,
    12: 12,
    13: 8,
    14: 4,
    15: 3,
    16: 4,
    17: 36,
    18: 3,
    19: 16,
    20: 11,
    21: 2,
    22: 2,
    23: 12,
    24: 10,
    25: 7,
    26: 17,
}
EMOTIONS = {
    '2014': {
        'others': 99,
        'disgust': 63,
        'happiness': 32,
        'repression': 27,
        'surprise': 25,
        'sadness': 7,
        'fear': 2,
    },
    '2019': {
        'others': 99,
        'disgust': 63,
        'happiness': 32,
        'repression': 27,
        'surprise': 28,
        'sadness': 4,
        'fear': 2,
    },
}
TIMES = {  # rows of which onset, apex and offset are known; the same in both editions
    '04/EP12_01f': (261, '/', 321),
    '05/EP03_01': (41, 81, 101),
    '05/EP07_01': (49, 66, 106),
    '05/EP09_05f': (69, 69, 123),
    '05/EP16_04f': (141, 181, 181),
    '06/EP01_01': (81, 111, 136),
    '07/EP06_01': (15, 49, 68),
    '12/EP09_02': (16, 59, 101),
    '12/EP09_06': (66, 111, 111),
    '13/EP09_10': (51, 76, 126),
    '16/EP01_08': (73, 94, 110),
    '17/EP03_09': (96, 132, 161),
    '17/EP06_07': (216, 225, 246),
    '17/EP13_09': (6, 46, 101),
    '17/EP15_03': (319, 338, 356),
    '18/EP19_01': (95, 121, 140),
    '20/EP16_01': (71, 111, 111),
    '20/EP16_04': (81, 106, 121),
    '25/EP09_02': (76, 101, 111),
    '25/EP12_01': (131, 151, 186),
    '25/EP18_04f': (76, 116, 116),
}
DISK_ENDS = {'16/EP01_08': 96}  # the folder very likely ends before the sheet's offset
KNOWN_EMOTIONS = {
    '09/EP13_02': 'fear',
    '10/EP13_01': 'fear',
    '17/EP15_01': 'sadness',
    '17/EP15_03': 'sadness',
    '19/EP19_04': 'sadness',
    '26/EP15_01': 'sadness',
    '24/EP07_01': 'sadness',
    '24/EP07_04f': 'sadness',
    '24/EP10_03': 'sadness',
    '03/EP01_2': 'surprise',
    '15/EP04_02': 'surprise',
    '17/EP01_13': 'surprise',
    '05/EP12_03f': 'surprise',
    '05/EP09_05f': 'disgust',
    '04/EP12_01f': 'disgust',
}
RELABELLED = ('24/EP07_01', '24/EP07_04f', '24/EP10_03')  # sadness in 2014, surprise in 2019
# '?' in 2014
UNKNOWN_UNITS = ('05/EP05_03', '05/EP07_01', '05/EP13_04f', '19/EP11_01f', '26/EP13_01')
OTHER_NAMES = ('01/EP02_01f', '03/EP08_1', '07/EP06_02_01', '07/EP06_02_02', '09/EP09f')
NAMED = tuple(dict.fromkeys((*TIMES, *KNOWN_EMOTIONS, *UNKNOWN_UNITS, *OTHER_NAMES)))
# folders on disk without a row
UNANNOTATED = (('sub09', 'EP02_02f', 26, 171), ('sub24', 'EP02_07', 61, 106))
CHANGED_UNITS = 57  # rows whose action units differ between the editions


def full(edition):
    """All 255 rows of '2014' or '2019', in order of subject and name."""
    keys = [
        key for subject, count in ROWS_PER_SUBJECT.items() for key in sorted(_names(subject, count))
    ]
    emotions, units = _emotions(keys), _action_units(keys)[edition == '2019']
    rows = []
    for index, key in enumerate(keys):
        onset, apex, offset = TIMES.get(key) or _times(index)
        relabelled = edition == '2019' and key in RELABELLED
        emotion = 'surprise' if relabelled else emotions[key]
        frames = (onset, DISK_ENDS.get(key, offset))
        rows.append(
            Annotation(key[:2], key[3:], onset, apex, offset, units[key], emotion, frames=frames)
        )
    return rows


def _times(index):
    """Invented: 4 to 8 frames, often across 9/10 or 99/100, where sorting names as text breaks the
    order.
    """
    onset, length = (7, 8, 46, 97, 98, 3, 120, 96)[index % 8], 4 + index % 5
    return onset, onset + 1 + index % (length - 2), onset + length - 1


FILLED = 255 - len(NAMED)
WITH_F = 71 - sum(key.endswith('f') and key != '09/EP09f' for key in NAMED)  # shape EPdd_ddf


def _names(subject, count):
    """Keys '05/EP03_01' of one subject: the named ones, then EP01_01, EP01_02, ...; 71 of all 255
    end in f.
    """
    named = [key for key in NAMED if int(key[:2]) == subject]
    before = sum(
        ROWS_PER_SUBJECT[s] - sum(int(k[:2]) == s for k in NAMED)
        for s in ROWS_PER_SUBJECT
        if s < subject
    )
    free = (f'{subject:02d}/EP{film:02d}_{n:02d}' for film in range(1, 20) for n in range(1, 5))
    free = [
        key
        for key in free
        if key not in named
        and f'{key}f' not in named
        and key != '24/EP02_07'
        and not key.startswith('07/EP06_02')
    ]
    tail = [
        'f' if i * WITH_F // FILLED != (i + 1) * WITH_F // FILLED else ''
        for i in range(before, FILLED)
    ]
    if subject == 9:  # EP02_02 has a row, EP02_02f only a folder: the f is part of the name
        free.remove('09/EP02_02')
        free.insert(tail.index(''), '09/EP02_02')
    return named + [key + end for key, end in zip(free, tail[: count - len(named)], strict=False)]


def _emotions(keys):
    """{key: emotion} of 2014: MEGC2019's table per subject, the named rows, and 'others' for what
    is left.
    """
    negative = iter(spread({'disgust': 61, 'repression': 27}))
    emotions = dict(KNOWN_EMOTIONS)
    for subject in ROWS_PER_SUBJECT:
        counts = megc2019.CASME2.get(f'sub{subject:02d}', (0, 0, 0))
        known = [emotions[key] for key in keys if int(key[:2]) == subject and key in emotions]
        free = [key for key in keys if int(key[:2]) == subject and key not in emotions]
        labels = [next(negative) for _ in range(counts[0])]
        labels += ['happiness'] * counts[1] + ['surprise'] * (counts[2] - known.count('surprise'))
        labels += ['others'] * (len(free) - len(labels))
        emotions.update(zip(free, _mixed(labels), strict=True))
    return emotions


def _mixed(labels):
    return spread({name: labels.count(name) for name in dict.fromkeys(labels)})


def _action_units(keys):
    """({key: string} of 2014, {key: string} of 2019): 57 differ, every string occurs, 133 integers
    in 2014.
    """
    free = [key for key in keys if key not in UNKNOWN_UNITS]
    changed = [*UNKNOWN_UNITS, *free[: 4 * (CHANGED_UNITS - 5) : 4]]
    common = [s for s in strings(CASME2) if s not in CASME2_2014_ONLY + CASME2_2019_ONLY]
    gone = [s for s in CASME2_2014_ONLY if s != '?']
    cycle = [common[i % len(common)] for i in range(200)]
    old = (['?'] * 5 + gone + cycle)[:CHANGED_UNITS]
    new = (list(CASME2_2019_ONLY) + cycle[7:])[:CHANGED_UNITS]
    kept = [key for key in keys if key not in changed]
    integers = [s for s in common if s.isdigit()]
    missing = 133 - sum(s.isdigit() for s in old) - len(integers)
    pool = {True: iter(integers * 20), False: iter([s for s in common if not s.isdigit()] * 20)}
    rest = len(kept) - len(common)
    filling = [next(pool[digit]) for digit in spread({True: missing, False: rest - missing})]
    same = dict(zip(kept, common + filling, strict=True))
    return same | dict(zip(changed, old, strict=True)), same | dict(zip(changed, new, strict=True))


SMALL = (  # key, emotion, action units (2014 and 2019), onset, apex, offset
    ('01/EP02_01f', 'happiness', '6+12', 46, 50, 54),
    ('01/EP03_02', 'disgust', '4+7', 97, 101, 104),
    ('01/EP04_04', 'others', '4', 5, 9, 12),
    ('02/EP01_11f', 'repression', '15+17', 8, 11, 15),
    ('02/EP06_01f', 'surprise', 'R1+R2', 118, 122, 125),
    ('02/EP09_10', 'disgust', 'L10', 92, 96, 99),
    ('05/EP03_01', 'disgust', '4+9', 41, 45, 49),
    ('05/EP12_03f', 'surprise', '1+2', 6, 11, 14),
    ('05/EP19_03', 'happiness', '12', 7, 10, 13),
    ('17/EP01_06', 'repression', '14', 93, 98, 101),
    ('17/EP03_09', 'happiness', 'L12', 96, 99, 103),
    ('17/EP06_02_01', 'others', '4+7+9', 58, 62, 66),
)


def small():
    """Twelve rows of four subjects, the same in both editions; every subject has two or three
    emotions.
    """
    return [
        Annotation(key[:2], key[3:], onset, apex, offset, units, emotion)
        for key, emotion, units, onset, apex, offset in SMALL
    ]
