"""Annotation rows of SAMM: 159 rows; named rows as published, the others invented to fit the
totals.
"""

from tests.support.au_strings import SAMM, strings
from tests.support.fake_raw import megc2019
from tests.support.fake_raw.truth import Annotation, spread

ROWS_PER_SUBJECT = {
    '006': 11,
    '007': 10,
    '009': 4,
    '010': 4,
    '011': 20,
    '012': 3,
    '013': 6,
    '014': 11,
    '015': 3,
    '016': 5,
    '017': 6,
    '018': 4,
    '019': 3,
    '020': 9,
    '021': 2,
    '022': 5,
    '023': 1,
    '024': 1,
    '025': 4,
    '026': 13,
    '028': 3,
    '030': 3,
    '031': 1,
    '032': 6,
    '033': 5,
    '034': 3,
    '035': 9,
    '036': 1,
    '037': 3,
}
EMOTIONS = {
    'Anger': 57,
    'Happiness': 26,
    'Other': 26,
    'Surprise': 15,
    'Contempt': 12,
    'Disgust': 9,
    'Fear': 8,
    'Sadness': 6,
}
OBJECTIVE_CLASSES = {1: 24, 2: 13, 3: 20, 4: 8, 5: 3, 6: 7, 7: 84}
# so that classes 1 to 5 have 21 subjects
ONLY_CLASS_7 = ('012', '015', '019', '021', '023', '024', '031', '036')
# rows of which times are known; the onset of 006_1_2 and the apex of 013_1_9 only in part
TIMES = {
    '028_4_1': (1071, 1143, 1134),  # apex after the offset
    '032_3_1': (4896, 1930, 4970),  # apex before the onset
    '032_3_2': (5126, 5127, 5207),  # apex = onset + 1
    '013_1_9': (5658, 5700, 5739),
    '006_1_2': (5562, 5565, 5569),
}
LATER_END = {'013_1_9': 5793}  # the cropped tree has 136 frames where sheet and raw tree have 82
ALTERNATIVES = {
    '007_6_1': '(R6 or R12)+R15',
    '007_6_5': '(R6 or R12) + R15',
    '011_4_2': 'L12 or L14',
    '014_5_2': 'R12 or R14',
    '035_7_2': 'R14A or 17A or 24A',
}
NAMED = (*TIMES, *ALTERNATIVES)
NOTES = {'eye movement': 30, 'blink': 30, 'L12?': 1}


def full(*, cropped=False):
    """All 159 rows in order of subject; more = (inducement code, objective class, note)."""
    names = [
        name
        for subject, count in ROWS_PER_SUBJECT.items()
        for name in sorted(_names(subject, count))
    ]
    emotions, units, classes = _emotions(names), _action_units(names), _objective_classes(names)
    notes = spread(NOTES | {'': 159 - sum(NOTES.values())})
    rows = []
    for index, name in enumerate(names):
        onset, apex, offset = TIMES.get(name) or _times(index)
        last = LATER_END.get(name, offset) if cropped else offset
        more = (int(name[4]), classes[name], notes[index])
        rows.append(
            Annotation(
                name[:3],
                name,
                onset,
                apex,
                offset,
                units[name],
                emotions[name],
                more=more,
                frames=(onset, last),
            )
        )
    return rows


def _names(subject, count):
    named = [name for name in NAMED if name.startswith(subject)]
    free = [f'{subject}_{code}_{n}' for n in range(1, 12) for code in (1, 3, 4, 6, 7, 2, 5)]
    return (named + [name for name in free if name not in named])[:count]


def _times(index):
    """Invented: 4 to 8 frames; some counters pass from 9999 to 10000, where the padding of 5 digits
    still holds.
    """
    onset, length = (102, 9997, 2450, 996, 7, 13001, 99)[index % 7], 4 + index % 5
    return onset, onset + 1 + index % (length - 2), onset + length - 1


def _emotions(names):
    """MEGC2019's table per subject; every subject but 024 and 036 keeps one of the five large
    classes.
    """
    rest = iter(spread({'Anger': 32, 'Contempt': 12, 'Disgust': 8, 'Fear': 7, 'Sadness': 6}))
    first = {'024': 'Disgust', '036': 'Fear'}
    emotions = {}
    for subject in ROWS_PER_SUBJECT:
        own = [name for name in names if name.startswith(subject)]
        negative, positive, surprise = megc2019.SAMM.get(subject, (0, 0, 0))
        labels = [first.get(subject, 'Anger')][:negative] + [
            next(rest) for _ in range(negative - 1)
        ]
        labels += ['Happiness'] * positive + ['Surprise'] * surprise
        labels += ['Other'] * (len(own) - len(labels))
        emotions.update(
            zip(own, spread({e: labels.count(e) for e in dict.fromkeys(labels)}), strict=True)
        )
    return emotions


def _objective_classes(names):
    rest = iter(
        spread(OBJECTIVE_CLASSES | {7: 84 - sum(ROWS_PER_SUBJECT[s] for s in ONLY_CLASS_7)})
    )
    return {name: 7 if name[:3] in ONLY_CLASS_7 else next(rest) for name in names}


def _action_units(names):
    """Every one of the 97 strings occurs; the five with 'or' in the rows where they stand."""
    others = [text for text in strings(SAMM) if text not in SAMM['or']]
    free = [name for name in names if name not in ALTERNATIVES]
    again = list(SAMM['integer cells'] + SAMM['plain + lists'] + SAMM['L/R prefix']) * 2
    return ALTERNATIVES | dict(zip(free, others + again[: len(free) - len(others)], strict=True))


SMALL = (  # name, emotion, action units, onset, apex, offset
    ('006_1_2', 'Anger', '7A', 5562, 5566, 5570),
    ('006_1_3', 'Surprise', 'A1B+A2C', 102, 106, 109),
    ('006_5_1', 'Happiness', '12+25', 995, 1000, 1003),
    ('007_6_1', 'Happiness', '(R6 or R12)+R15', 96, 99, 103),
    ('007_6_5', 'Contempt', 'L14C', 9996, 10000, 10004),
    ('011_4_2', 'Anger', 'L12 or L14', 2450, 2455, 2458),
    ('011_6_1', 'Other', '12', 13001, 13004, 13008),
    ('011_7_3', 'Happiness', '12A', 7, 10, 13),
    ('026_1_1', 'Surprise', 'R2', 300, 304, 308),
    ('026_2_1', 'Disgust', 'A9E+ref(10)', 4100, 4103, 4107),
    ('026_3_10', 'Sadness', '12+15 ', 6001, 6005, 6008),
    ('026_3_2', 'Happiness', 'A12', 31, 35, 39),
)


def small():
    """Twelve rows of four subjects; every subject has at least two classes of three."""
    return [
        Annotation(name[:3], name, onset, apex, offset, units, emotion, more=(int(name[4]), 7, ''))
        for name, emotion, units, onset, apex, offset in SMALL
    ]
