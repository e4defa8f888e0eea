"""Annotation rows of CAS(ME)^2: named rows as published, the others invented to fit the totals."""

from tests.support.au_strings import CAS2, CAS2_NOT_UPDATED_ONLY, strings
from tests.support.fake_raw.truth import Annotation, spread

FOLDERS = {  # participant code of the sheet -> folder
    1: 's15',
    2: 's16',
    3: 's19',
    4: 's20',
    5: 's21',
    6: 's22',
    7: 's23',
    8: 's24',
    9: 's25',
    10: 's26',
    11: 's27',
    12: 's29',
    13: 's30',
    14: 's31',
    15: 's32',
    16: 's33',
    17: 's34',
    18: 's35',
    19: 's36',
    20: 's37',
    21: 's38',
    22: 's40',
}
VIDEOS = {  # stem of the clip code -> code and title of the video, misspelt as they are
    'disgust1': '0101disgustingteeth',
    'disgust2': '0102eatingworms',
    'anger1': '0401girlcrashing',
    'anger2': '0402beatingpregnantwoman',
    'happy1': '0502funnyerrors',
    'happy2': '0503unnyfarting',
    'happy3': '0505funnyinnovations',
    'happy4': '0507climbingthewall',
    'happy5': '0508funnydunkey',
}
MICRO_PER_SUBJECT = {
    11: 11,
    2: 8,
    8: 8,
    14: 6,
    15: 6,
    9: 4,
    7: 3,
    1: 2,
    13: 2,
    18: 2,
    20: 2,
    3: 1,
    12: 1,
    21: 1,
}
# 33 videos with a micro-expression, by participant; the named rows decide some of the stems
MICRO_VIDEOS = {
    11: ('happy2', 'disgust1', 'anger1', 'happy4', 'disgust2'),
    2: ('disgust1', 'disgust2', 'anger1', 'happy1', 'happy5'),
    8: ('happy4', 'disgust1', 'anger2', 'happy2'),
    14: ('disgust1', 'anger1', 'happy3'),
    15: ('disgust2', 'anger2', 'happy1'),
    9: ('disgust2', 'anger1', 'happy4'),
    7: ('disgust1', 'anger1'),
    1: ('disgust2', 'anger1'),
    13: ('disgust1',),
    18: ('anger1',),
    20: ('happy1',),
    3: ('disgust1',),
    12: ('anger2',),
    21: ('disgust2',),
}
# position of a named micro
MICRO_AT = {(1, 'disgust2'): 3, (8, 'happy4'): 7, (11, 'happy2'): 2, (9, 'disgust2'): 4}
NO_MACRO = (3, 21)  # participants with micro-expressions only
# and those of NO_MACRO
MICRO_ONLY_VIDEOS = ((12, 'anger2'), (13, 'disgust1'), (18, 'anger1'), (20, 'happy1'))
# the other eleven participants have four: 89 in all
FIVE_MACRO_VIDEOS = (1, 2, 4, 5, 6, 7, 8, 9, 11)
MACRO_MUST_HAVE = {14: ('happy2',), 15: ('anger1',), 17: ('anger1',)}
MANY_MACRO = {(15, 'anger1'): 12, (11, 'disgust1'): 5, (8, 'happy4'): 6}
VALENCE = {
    'micro': {'negative': 21, 'positive': 8, 'others': 19, 'surprise': 9},
    'macro': {'negative': 105, 'positive': 116, 'others': 63, 'surprise': 16},
}
SELF_REPORT = {
    'happiness': 146,
    'disgust': 74,
    'anger': 55,
    'surprise': 36,
    'fear': 21,
    'sadness': 9,
    'helpless': 5,
    'pain': 5,
    'confused': 3,
    'sympathy': 2,
    'happyiness': 1,
}
MICRO_FRAMES = {14: 34, 13: 21, 9: 1}  # and one of 17: mean 13.6
TIMES = {  # rows of which times are known
    (9, 'disgust2', 4): (1018, 1026, 1034),
    (17, 'anger1', 1): (1763, 0, 1787),
    (11, 'disgust1', 5): (1221, 1230, 1224),
    (14, 'happy2', 1): (2169, 2203, 2202),
    (15, 'anger1', 12): (2407, 2455, 2451),
}
# and 3 + 5 macro rows
NULLS = {(1, 'disgust2', 3): 'NULL', (8, 'happy4', 7): 'null', (11, 'happy2', 2): 'null'}
ZERO_OFFSETS = 44  # macro rows
CHANGED_UNITS = 215  # rows whose action units the updated workbook changed


def full(*, updated=True):
    """All 357 rows in order of participant, video and occurrence; subject is the code, more =
    (stem, self-report).
    """
    keys = [
        (code, stem, n, kind)
        for code in FOLDERS
        for stem in VIDEOS
        for n, kind in enumerate(_kinds(code, stem), start=1)
    ]
    times, units = _times(keys), _action_units(keys, updated)
    valence = {kind: iter(spread(counts)) for kind, counts in VALENCE.items()}
    told = spread(SELF_REPORT)
    rows = []
    for index, (code, stem, n, kind) in enumerate(keys):
        onset, apex, offset, last = times[index]
        rows.append(
            Annotation(
                code,
                f'{stem}_{n}',
                onset,
                apex,
                offset,
                units[index],
                next(valence[kind]),
                f'{kind}-expression',
                (stem, told[index]),
                (onset, last),
            )
        )
    return rows


def _macro_videos(code):
    """Stems of the videos in which this participant has a macro-expression."""
    if code in NO_MACRO:
        return ()
    wanted = [s for s in MICRO_VIDEOS.get(code, ()) if (code, s) not in MICRO_ONLY_VIDEOS]
    wanted += [s for s in MACRO_MUST_HAVE.get(code, ()) if s not in wanted]
    barred = [s for c, s in MICRO_ONLY_VIDEOS if c == code]
    wanted += [s for s in VIDEOS if s not in wanted and s not in barred]
    return tuple(wanted[: 5 if code in FIVE_MACRO_VIDEOS else 4])


def _macro_count(code, stem):
    """Three in a video, more in the named ones and in nineteen others: 300."""
    if stem not in _macro_videos(code):
        return 0
    videos = [
        (c, s)
        for c in FOLDERS
        for s in VIDEOS
        if s in _macro_videos(c) and (c, s) not in MANY_MACRO
    ]
    return MANY_MACRO.get((code, stem)) or (4 if videos.index((code, stem)) < 19 else 3)


def _kinds(code, stem):
    """'macro' or 'micro' of each occurrence in one video: the micro-expressions last, or where a
    named row has it.
    """
    videos = MICRO_VIDEOS.get(code, ())
    total = MICRO_PER_SUBJECT.get(code, 0)
    micro = sum(videos[i % len(videos)] == stem for i in range(total)) if videos else 0
    kinds = ['macro'] * _macro_count(code, stem) + ['micro'] * micro
    if (code, stem) in MICRO_AT:
        kinds.insert(MICRO_AT[code, stem] - 1, kinds.pop())
    return kinds


def _times(keys):
    """[(onset, apex, offset, last frame on disk)]: one after the other in each video; invented ones
    are short.
    """
    micro = iter(spread(MICRO_FRAMES))
    macro = [key for key in keys if key[3] == 'macro' and key[:3] not in TIMES]
    zero = set(macro[3 : 3 + 5 * ZERO_OFFSETS : 5])
    free, made = {}, []
    for index, key in enumerate(keys):
        onset = free.get(key[:2], 93)
        length = next(micro) if key[3] == 'micro' and key[:3] not in TIMES else 4 + index % 5
        onset, apex, offset = TIMES.get(key[:3]) or (
            onset,
            onset + 1 + index % (length - 2),
            onset + length - 1,
        )
        last = max(apex, offset)
        free[key[:2]] = last + 6
        made.append((onset, apex, 0 if key in zero else offset, last))
    return made


def _action_units(keys, updated):
    """116 distinct strings in the updated workbook; in the other, 215 rows differ and two strings
    are its own.
    """
    macro_nulls = dict.fromkeys([key[:3] for key in keys if key[3] == 'macro'][2:120:15], 'null')
    macro_nulls.update(dict.fromkeys(list(macro_nulls)[:3], 'NULL'))
    nulls = NULLS | macro_nulls
    coded = [text for text in strings(CAS2) if text.lower() != 'null'] + plain_lists()
    free = [key for key in keys if key[:3] not in nulls]
    texts = {key: coded[7 * i % len(coded)] for i, key in enumerate(free)}
    if not updated:
        changed = free[:CHANGED_UNITS]
        texts |= {key: coded[(7 * i + 1) % len(coded)] for i, key in enumerate(changed)}
        texts |= dict(zip(changed[100:102], CAS2_NOT_UPDATED_ONLY, strict=True))
    return [nulls.get(key[:3]) or texts[key] for key in keys]


def plain_lists():
    """75 invented sorted lists of two to six units, so that with the two known ones there
    are 77.
    """
    units = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 18, 20, 23, 24, 25, 26, 38, 39)
    runs = [units[i : i + n] for n in range(2, 7) for i in range(len(units) - n + 1)]
    return ['+'.join(map(str, run)) for run in runs][:75]


SMALL = (  # participant, stem, occurrence, onset, apex, offset, units, valence, kind, self-report
    (1, 'disgust1', 1, 12, 30, 40, '4+7', 'negative', 'macro', 'disgust'),
    (1, 'disgust1', 2, 95, 99, 103, '4+7+L10', 'negative', 'micro', 'disgust'),
    (1, 'happy4', 1, 20, 24, 29, '12', 'positive', 'micro', 'happiness'),
    (2, 'disgust2', 1, 997, 1001, 1006, '4,24', 'negative', 'micro', 'disgust'),
    (2, 'happy1', 1, 33, 38, 41, '24,12', 'positive', 'micro', 'happiness'),
    (2, 'happy1', 2, 60, 66, 0, '6+12', 'positive', 'macro', 'happiness'),
    (8, 'anger1', 1, 48, 52, 57, 'NULL', 'others', 'micro', 'anger'),
    (8, 'anger1', 2, 70, 74, 78, 'R1+R2', 'surprise', 'micro', 'surprise'),
    (8, 'happy5', 1, 5, 9, 13, '14or23', 'negative', 'micro', 'happyiness'),
    (9, 'disgust2', 4, 1018, 1026, 1034, '4+7', 'negative', 'micro', 'disgust'),
    (9, 'happy2', 1, 90, 95, 99, 'L1+L2', 'surprise', 'micro', 'surprise'),
    (17, 'anger1', 1, 63, 0, 80, '4', 'negative', 'macro', 'anger'),
    (17, 'happy3', 1, 18, 22, 26, 'R2', 'surprise', 'micro', 'confused'),
    (17, 'happy3', 2, 40, 43, 48, '25', 'positive', 'micro', 'happiness'),
)


def small():
    """Eleven micro and three macro rows of five participants."""
    return [
        Annotation(
            code,
            f'{stem}_{n}',
            onset,
            apex,
            offset,
            units,
            valence,
            f'{kind}-expression',
            (stem, told),
            (onset, max(offset, apex + 4)),
        )
        for code, stem, n, onset, apex, offset, units, valence, kind, told in SMALL
    ]
