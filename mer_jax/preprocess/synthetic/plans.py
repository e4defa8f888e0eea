"""How many clips of which emotion each drawn subject shows."""

# plan -> subject -> clips of (disgust, happiness, others, repression, surprise)
PLANS = {
    # the sums of CASME II's 246 clips over its 26 subjects, as uneven over subjects as there
    'default': {
        's01': (5, 1, 1, 1, 1), 's02': (2, 2, 6, 3, 0), 's03': (1, 1, 4, 0, 0),
        's04': (1, 0, 2, 1, 1), 's05': (1, 4, 8, 3, 3), 's06': (0, 0, 2, 1, 2),
        's07': (1, 6, 2, 0, 0), 's08': (1, 0, 2, 0, 0), 's09': (0, 2, 8, 2, 1),
        's10': (2, 0, 7, 1, 3), 's11': (6, 0, 1, 1, 2), 's12': (0, 3, 8, 1, 0),
        's13': (5, 1, 2, 0, 0), 's14': (0, 2, 1, 0, 1), 's15': (0, 0, 0, 1, 1),
        's16': (0, 0, 3, 1, 0), 's17': (14, 4, 8, 0, 7), 's18': (2, 0, 1, 0, 0),
        's19': (9, 1, 2, 2, 1), 's20': (2, 2, 7, 0, 0), 's21': (1, 0, 1, 0, 0),
        's22': (0, 1, 1, 0, 0), 's23': (1, 2, 4, 4, 1), 's24': (1, 0, 4, 5, 0),
        's25': (2, 0, 4, 0, 1), 's26': (6, 0, 10, 0, 0),
    },
    # 120 clips of 12 subjects, as unequal over three classes as the releases are: for what trains
    # many times over
    'small': {
        's01': (6, 3, 0, 2, 2), 's02': (4, 2, 0, 3, 3), 's03': (3, 4, 0, 1, 2),
        's04': (5, 2, 0, 2, 1), 's05': (2, 3, 0, 2, 3), 's06': (4, 1, 0, 1, 2),
        's07': (6, 4, 0, 2, 3), 's08': (3, 2, 0, 3, 1), 's09': (2, 3, 0, 1, 2),
        's10': (4, 2, 0, 2, 2), 's11': (3, 3, 0, 2, 2), 's12': (2, 1, 0, 1, 1),
    },
    # every class of the three-class protocol in several subjects, and small enough for a test
    'tiny': {
        's01': (2, 2, 1, 1, 2), 's02': (1, 1, 2, 1, 1), 's03': (2, 1, 1, 0, 2),
        's04': (1, 2, 1, 1, 0), 's05': (1, 1, 1, 1, 1),
    },
}  # fmt: skip
# The clips of default that have a class among three, the very same ones: others keeps its places
# but is not drawn.
PLANS['three'] = PLANS['default']
# plan -> emotions that take up numbers of clips and are left out
NOT_DRAWN = {'three': ('others',)}
# four times CASME II's counts: what more clips than any release has would bring
_four_times = 4 * list(PLANS['default'].values())
PLANS['large'] = {f's{number:02d}': counts for number, counts in enumerate(_four_times, 1)}
# For spotting: the counts of small, with three subjects more; and a few clips for a test.
PLANS['spotting'] = PLANS['small'] | {
    's13': PLANS['small']['s01'],
    's14': PLANS['small']['s02'],
    's15': PLANS['small']['s03'],
}
PLANS['spotting_tiny'] = {
    's01': (1, 1, 0, 0, 1), 's02': (1, 0, 0, 0, 1), 's03': (0, 1, 0, 0, 1),
    's04': (1, 1, 0, 0, 0), 's05': (0, 1, 0, 0, 1),
}  # fmt: skip
# plans whose clips are as long, and whose apexes as uneven, as CASME II's
VARIED = ('spotting', 'spotting_tiny')
