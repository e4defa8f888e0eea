"""Key frames of CASME II clips as public projects publish them, by (subject, file name).

A set is used only on request.
"""

from tfds_builders.clip import KeyFrames

# Each set is complete as published: all clips of its list whose key frames are not those of the
# official sheets. What the folder of a clip does not hold (07/EP06_01 and 12/EP09_02, whose
# intervals are those of other files) is refused when it is applied, never moved. The estimates in
# github tvaranka/meb are left out: they belong to an edition of 256 rows without those apexes.
SETS = {
    'none': {},
    # github xiazhaoqiang/Benchmark-MicroExpressionRec, dataset/benchmark_db
    'xiazhaoqiang': {
        ('04', 'EP12_01f'): KeyFrames(apex=294),
        ('05', 'EP03_01'): KeyFrames(apex=60),
        ('05', 'EP07_01'): KeyFrames(apex=60),
        ('05', 'EP09_05f'): KeyFrames(apex=96),
        ('05', 'EP16_04f'): KeyFrames(apex=174),
        ('06', 'EP01_01'): KeyFrames(apex=98),
        ('07', 'EP06_01'): KeyFrames(56, 89, 116),
        ('12', 'EP09_02'): KeyFrames(161, 176, 206),
        ('12', 'EP09_06'): KeyFrames(apex=72, offset=106),
        ('13', 'EP09_10'): KeyFrames(apex=80),
        ('16', 'EP01_08'): KeyFrames(apex=91, offset=96),
        ('17', 'EP03_09'): KeyFrames(apex=133),
        ('17', 'EP06_07'): KeyFrames(apex=235),
        ('17', 'EP13_09'): KeyFrames(apex=32),
        ('18', 'EP19_01'): KeyFrames(apex=109),
        ('20', 'EP16_01'): KeyFrames(apex=97, offset=106),
        ('20', 'EP16_04'): KeyFrames(apex=97),
        ('25', 'EP09_02'): KeyFrames(apex=98),
        ('25', 'EP12_01'): KeyFrames(apex=143),
        ('25', 'EP18_04f'): KeyFrames(apex=97),
    },
    # github Justin900429/mimicking-annotation-micro-expression-recognition, csv_file
    'mimicking': {
        ('04', 'EP12_01f'): KeyFrames(apex=312),
        ('16', 'EP01_08'): KeyFrames(offset=96),
    },
}

# The one clip of the release that neither official sheet has and public lists annotate: onset,
# apex, offset, emotion.
EXTRA = {'none': {}, 'ep02_07': {('24', 'EP02_07'): (61, 91, 106, 'disgust')}}
EXTRA_SOURCE = 'github xiazhaoqiang/Benchmark-MicroExpressionRec'
