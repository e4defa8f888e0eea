"""Clips per subject of the MEGC2019 composite: [negative, positive, surprise], 442 clips of 68
subjects.

Source: See et al., "MEGC 2019 - The Second Facial Micro-Expressions Grand Challenge", FG 2019, and
the published list.
"""

SAMM = {
    '006': (9, 0, 2),
    '007': (1, 5, 2),
    '009': (3, 0, 1),
    '010': (4, 0, 0),
    '011': (13, 7, 0),
    '012': (2, 0, 1),
    '013': (6, 0, 0),
    '014': (2, 7, 1),
    '015': (2, 0, 1),
    '016': (2, 1, 2),
    '017': (3, 0, 1),
    '018': (2, 0, 1),
    '019': (0, 1, 0),
    '020': (2, 2, 0),
    '021': (2, 0, 0),
    '022': (3, 2, 0),
    '023': (1, 0, 0),
    '024': (1, 0, 0),
    '026': (9, 0, 0),
    '028': (1, 0, 2),
    '030': (3, 0, 0),
    '031': (1, 0, 0),
    '032': (4, 0, 0),
    '033': (4, 1, 0),
    '034': (3, 0, 0),
    '035': (7, 0, 1),
    '036': (1, 0, 0),
    '037': (1, 0, 0),
}
SMIC = {
    's01': (3, 2, 1),
    's02': (0, 1, 5),
    's03': (22, 11, 6),
    's04': (10, 4, 5),
    's05': (1, 0, 1),
    's06': (2, 0, 2),
    's08': (9, 4, 0),
    's09': (0, 1, 3),
    's11': (3, 3, 1),
    's12': (0, 8, 1),
    's13': (0, 10, 0),
    's14': (3, 2, 5),
    's15': (1, 1, 2),
    's18': (2, 0, 5),
    's19': (0, 1, 1),
    's20': (14, 3, 5),
}
CASME2 = {
    'sub01': (2, 1, 0),
    'sub02': (5, 1, 3),
    'sub03': (4, 0, 1),
    'sub04': (2, 0, 0),
    'sub05': (0, 1, 5),
    'sub06': (1, 1, 2),
    'sub07': (5, 0, 0),
    'sub08': (1, 0, 0),
    'sub09': (5, 5, 0),
    'sub11': (4, 0, 0),
    'sub12': (5, 2, 4),
    'sub13': (0, 2, 0),
    'sub14': (0, 3, 0),
    'sub15': (1, 1, 1),
    'sub16': (1, 2, 0),
    'sub17': (23, 7, 1),
    'sub19': (3, 3, 5),
    'sub20': (2, 0, 0),
    'sub21': (1, 0, 0),
    'sub22': (2, 0, 0),
    'sub23': (7, 1, 0),
    'sub24': (2, 0, 1),
    'sub25': (3, 0, 2),
    'sub26': (9, 2, 0),
}
# In the sheet and on disk, and yet not in the list: apex '/' and apex = onset.
CASME2_LEFT_OUT = ('sub04_EP12_01f', 'sub05_EP09_05f')
# Sadness in the 2014 sheet, from which the list was made; surprise in the 2019 sheet.
CASME2_RELABELLED = ('sub24_EP07_01', 'sub24_EP07_04f', 'sub24_EP10_03')
CLASSES = {
    'negative': (
        'disgust',
        'repression',
        'Anger',
        'Contempt',
        'Disgust',
        'Fear',
        'Sadness',
        'negative',
    ),
    'positive': ('happiness', 'Happiness', 'positive'),
    'surprise': ('surprise', 'Surprise'),
}


def members(release):
    """{clip id: class} of the release's clips in the list (CASME II of either edition, SAMM,
    SMIC-HS).
    """
    out = CASME2_LEFT_OUT + CASME2_RELABELLED
    named = {emotion: name for name, emotions in CLASSES.items() for emotion in emotions}
    return {
        c.clip: named[c.emotion]
        for c in release.clips.values()
        if c.emotion in named and c.clip not in out
    }
