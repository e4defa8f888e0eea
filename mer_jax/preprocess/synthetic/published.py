"""Published statistics that fix the drawings of `synthetic_faces/many`.

No number was chosen by a result, and but for `distractors=eyes` (see there) none was fitted to a
clip. Counts of units of CASME II and SAMM are left out on purpose, although they are published:
recognisers are scored on these clips. Sources:

[CD6ME] Varanka, Li, Peng, Zhao, "Data Leakage and Evaluation Issues in Micro-Expression Analysis",
    2022: action units of six data sets (table 4), units a clip, and how well units tell emotions.
[C3] Li et al., "CAS(ME)3", IEEE TPAMI 2023: the sheet of part A that its authors made public,
    860 micro-expressions of 94 people; counted here, rows with a unit that is not drawn left out.
[DAVISON] Davison, Merghani, Yap, "Objective Classes for Micro-Facial Expression Recognition",
    J. Imaging 4(10), 2018: the sets of units of each class.
[YAN] Yan et al., "CASME II", PLoS ONE 9(1), 2014: criteria of its labels.
[FACS] Ekman, Friesen, Hager, "Facial Action Coding System: Investigator's Guide", 2002: prototypes
    of emotions; of contempt Ekman, Friesen, Motivation and Emotion 10, 1986.
[BLINKS] Bentivoglio et al., "Analysis of Blink Rate Patterns in Normal Subjects", Movement
    Disorders 12(6), 1997; Ousler et al., "Blink patterns and lid-contact times in dry-eye and
    normal subjects", Clinical Ophthalmology 8, 2014.
[RAYNER] Rayner, "Eye Movements in Reading and Information Processing: 20 Years of Research",
    Psychological Bulletin 124(3), 1998.
[MEGC] See et al., "MEGC 2019", FG 2019; emotions of CASME II and SAMM behind its classes as their
    papers count them.
"""

# [MEGC]: clips of each class of 442
CLASSES = {'negative': 250, 'positive': 109, 'surprise': 83}
# [MEGC]: clips of CASME II (disgust 63, repression 27) and of SAMM (anger 57, contempt 12,
# disgust 9, fear 8, sadness 6) behind 'negative'. SMIC names no emotion.
EMOTIONS = {
    'negative': {
        'anger': 57,
        'contempt': 12,
        'disgust': 72,
        'fear': 8,
        'repression': 27,
        'sadness': 6,
    },
    'positive': {'happiness': 1},
    'surprise': {'surprise': 1},
}
# Combinations that sources give for an emotion. No source says how often; each is drawn in
# proportion to the rate of its rarest unit (UNITS), which bounds how often it can be seen.
# Objective class III holds 4+38 too, whose 38 (nostrils) is not drawn. [YAN] asks for AU9, AU10 or
# AU4+7 in disgust.
PROTOTYPES = {
    'anger': '4 23 4+5 4+7 4+5+7 4+6+7 17+24 4+5+7+23',  # [DAVISON] III; the last [FACS]
    'contempt': '14 12+14',  # [FACS], on one side
    'disgust': '9 10 4+9 4+10 7+10 4+5+10 4+7+9 4+9+10 4+9+17 4+7+10 4+5+7+9 '  # [DAVISON] IV
    '4+7 9+17 10+17',  # [YAN]; [FACS]
    'fear': '20 1+2+4 1+2+4+5 5+20',  # [DAVISON] VI; the last two [FACS]
    'happiness': '6 12 6+12 7+12 6+7+12',  # [DAVISON] I, [YAN]
    'repression': '15 17 15+17',  # [YAN]
    'sadness': '1 15 1+4 6+15 15+17 1+4+15',  # [DAVISON] V; the last [FACS]
    'surprise': '1+2 5 25 1+2+25 25+26 5+24 2 1+2+5 1+2+26 1+2+5+26',  # [DAVISON] II; [YAN]; [FACS]
}
ONE_SIDED = ('contempt',)  # emotions that [FACS] shows on one side of the face
# [C3]: clips of each combination, by emotion; 'others' stands for emotions that it has not
OBSERVED = {
    'anger': {
        '14': 36, '1': 7, '4+9+14': 5, '4': 4, '7': 4, '12': 1, '14+24': 1, '4+14+24': 1, '10': 1,
        '14+17': 1, '1+2+14': 1,
    },
    'disgust': {
        '4': 152, '4+9': 14, '24': 12, '14': 10, '9': 9, '7': 7, '1+2': 5, '1': 4, '17': 3,
        '4+6+9': 3, '14+24': 2, '12': 2, '4+10': 2, '4+17': 2, '9+14': 2, '25': 1, '4+7': 1,
        '4+6': 1, '4+9+24': 1, '10': 1, '1+2+7': 1, '2+4': 1, '4+9+14': 1, '9+10': 1, '15': 1,
        '6+9': 1, '1+4': 1, '4+5+10': 1,
    },
    'fear': {
        '4': 33, '14': 12, '1+2': 5, '1': 4, '20': 3, '24': 3, '2': 2, '12': 2, '5': 2, '4+9': 2,
        '9': 2, '7': 2, '15': 2, '14+24': 1, '17': 1, '4+9+14': 1, '9+14': 1,
    },
    'happiness': {
        '14': 21, '24': 10, '4': 5, '12': 4, '15': 2, '10': 2, '9': 2, '12+25': 1, '17': 1,
    },
    'others': {
        '14': 56, '24': 10, '4': 9, '1+2': 9, '17': 7, '2': 5, '7': 5, '1': 4, '5': 3, '12': 3,
        '14+24': 3, '9': 2, '10': 1, '25': 1, '26': 1, '25+26': 1, '23': 1, '1+2+14': 1, '15+17': 1,
        '1+4': 1, '1+14': 1, '14+23': 1,
    },
    'sadness': {
        '14': 23, '4': 13, '1': 7, '17': 3, '14+24': 2, '24': 2, '9': 1, '1+2': 1, '7': 1, '6+7': 1,
    },
    'surprise': {
        '1+2': 84, '5': 35, '4': 15, '1': 13, '2': 8, '7': 5, '14': 4, '25': 3, '24': 3, '1+2+5': 3,
        '6': 2, '25+26': 1, '12': 1, '14+17': 1, '2+4': 1, '4+12': 1,
    },
}  # fmt: skip
# Clips whose units are not those of their emotion, as in recordings whose emotion is what people
# say they felt. [CD6ME]: gradient boosting on all units tells the emotions of CASME with a macro F1
# of .826 and of MMEW with .958, on the clips it was fitted to; 1 minus the mean.
OTHERWISE = 0.108
# Of the rest, half is drawn as PROTOTYPES say and half as OBSERVED says, where it has so many clips
# whose units all stand in the prototypes of the emotion. No source weighs the two.
LEAST = 20
# [CD6ME], table 4: clips with a unit in CASME, CAS(ME)^3 part A, 4DME and MMEW, which have 189,
# 860, 267 and 300 clips
UNITS = {
    1: (23, 153, 46, 50), 2: (17, 128, 54, 41), 4: (70, 274, 102, 109), 5: (0, 44, 8, 70),
    6: (1, 8, 25, 10), 7: (4, 27, 89, 47), 9: (40, 50, 1, 8), 10: (3, 10, 2, 38),
    12: (9, 15, 53, 37), 14: (23, 193, 4, 17), 15: (14, 6, 6, 6), 17: (13, 20, 11, 11),
}  # fmt: skip
CLIPS = (189, 860, 267, 300)
# [C3]: clips with one of the other units that are drawn, of its 860
RARE_UNITS = {20: 3, 23: 3, 24: 59, 25: 10, 26: 3}
# [C3]: clips that show a unit on one side, of all that show it; other units never are
SIDES = {
    1: (23, 153), 2: (39, 128), 7: (5, 27), 9: (1, 50), 10: (4, 10), 12: (6, 15), 14: (29, 193),
}  # fmt: skip
RIGHT = 0.62  # [C3]: 66 of these 107 sides are the right one
# Movements that nobody coded: two coders agree on .846 [YAN] and .82 (SAMM: Davison et al., IEEE
# TAFFC 2018) of all units, so that about one unit in six escapes one of them; 1 minus the mean.
UNCODED = 0.167
# Seconds from onset to offset: means of CASME II .336, SAMM .372, SMIC .337 and CAS(ME)^2 .453 as
# their sheets give them; the spread is that of these means, no source gives it for clips.
SECONDS = (0.375, 0.05)
# [C3]: the apex lies at .331 of the clip in the mean, with a standard deviation of .150; the beta
# distribution that has both
APEX = (2.92, 5.90)
# Clips a person: [MEGC] has 6.5 (442 of 68), [C3] 9.1 (860 of 94)
CLIPS_A_PERSON = 8
# Shares of the eye distance across a crop of the face: .35 of the side is where builders of
# releases here put the eyes; at 1.8 only the facial area is left, as in the crops of CASME II, 280
# pixels wide and 340 high [YAN]. Nobody says how the published features were cropped.
CROP = (1.8, 2.85)

# `distractors=eyes`. Fixed after a look at the 297 published flow features of SAMM and SMIC without
# their labels: no class, no action unit and no score of a real clip was used. Of two numbers the
# first is SAMM's, the second SMIC's. Shares of drawn clips are those of 480 with `exact`.
# Blinks: strain is largest at an eye in .45, .37 of the clips, vertical flow in .32, .29; at .25
# in .45 and .32 of drawn clips, since units 5, 7 and gaze are there too. Rates alone would give
# .12: 17 blinks a minute at rest [BLINKS] of about .3 s, .124 s from onset to apex (SECONDS, APEX).
BLINKS = 0.25
# Where the vertical flow of a clip is largest at an eye, it goes down in .55, .66; the mean
CLOSING = 0.6
# Share of the opening by which the lids move from onset to apex: about half of the blinks of people
# who watch a video are partial (.53 [BLINKS]); no source says which part of one is seen.
LIDS = (0.15, 1.0)
# A fixation lasts .33 s in scenes [RAYNER], so that 1 - exp(-.124 / .33) of the clips see a saccade
GAZES = 0.31
SACCADE = 4.0  # degrees, mean in scenes [RAYNER]
EYEBALL = 0.19  # its radius of 12 mm over the distance of the pupils, 63 mm
# At the crop's edge (two rows or columns) strain is largest in .12, .11 of the clips, vertical flow
# in .24, .15; with these in .10 and .20 of drawn clips, without in .01 and .13.
EDGES = 0.3
EDGE_LENGTH = (0.5, 0.5)  # mean and spread of its logarithm, pixels of 128
# Head: .20 of the flow's variance within a published clip is affine (median; its shift is lost), of
# a drawn one without distractors .33. Mean and spread of the logarithm of a factor of shift and
# turn, and the standard deviation of each of four slopes (approach, nod, turn out of the plane):
# with these .21 is affine, and one head in six moves 1.5 times as far as without, or further.
SWAY = (-0.6, 1.0)
STRETCH = 0.0015
# Layout in pixels of 28: eyes apart, row of the eyes, rows from there to the end of the nose, and
# middle of the face off the middle of the picture. The mean strain of the published features shows
# the eyes 13, 16 apart in row 5, 7.3, and the nose 8.5, 6.7 rows below. Limits are wider than both,
# since a recogniser is to read crops that nobody here has seen.
LAYOUT = ((10.5, 18.5), (3.5, 9.5), (5.7, 9.7), (-1.2, 1.2))

# `optical_flow=exact`: what TV-L1 is off by on drawn faces of 28x28, once its flow is divided by
# the share of the truth that it sees (40 clips of 8 people of draw 1; benchmarks/drawing.py prints
# it for others); no real clip. Geometric mean in pixels of 28, and spread of the logarithm over
# clips; it does not grow with the motion.
ERROR = 0.030
ERROR_SPREAD = 0.58
ERROR_WIDTHS = {0.9: 0.67, 4.5: 0.33}  # width of the bell that smooths noise -> share of variance
