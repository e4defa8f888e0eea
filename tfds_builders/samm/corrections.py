"""Key frames of SAMM clips as public projects publish them, by (subject, clip).

A set is used only on request.
"""

from tfds_builders.clip import KeyFrames

# The sheet's apexes of the first two lie outside onset..offset (1143 in 1071..1134; 1930 in
# 4896..4970, likely 4930 mistyped); that of 032_3_2 is the frame after its onset.
SETS = {
    'none': {},
    # github tvaranka/meb, meb/datasets/datasets.py
    'meb': {
        ('028', '028_4_1'): KeyFrames(apex=1105),
        ('032', '032_3_1'): KeyFrames(apex=4945),
        ('032', '032_3_2'): KeyFrames(apex=5130),
    },
    # github xiazhaoqiang/Benchmark-MicroExpressionRec, dataset/benchmark_db
    'xiazhaoqiang': {
        ('028', '028_4_1'): KeyFrames(apex=1088),
        ('032', '032_3_1'): KeyFrames(apex=4937),
    },
    # github Justin900429/mimicking-annotation-micro-expression-recognition, csv_file
    'mimicking': {
        ('028', '028_4_1'): KeyFrames(apex=1134),
        ('032', '032_3_1'): KeyFrames(apex=4930),
    },
}
