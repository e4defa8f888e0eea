"""Apexes of CASME II clips as public projects publish them, by (subject, file name); a set is used
only on request.
"""

# Each set is complete as published, also where the official sheet has a usable apex; what lies
# outside the sheet's onset..offset (07/EP06_01, 12/EP09_02: that list has other intervals) is
# refused when it is applied, never moved. The estimates in github tvaranka/meb are left out: they
# belong to an edition of 256 rows without those apexes.
SETS = {
    'none': {},
    # github xiazhaoqiang/Benchmark-MicroExpressionRec, dataset/benchmark_db
    'xiazhaoqiang': {
        ('04', 'EP12_01f'): 294,
        ('05', 'EP03_01'): 60,
        ('05', 'EP07_01'): 60,
        ('05', 'EP09_05f'): 96,
        ('05', 'EP16_04f'): 174,
        ('06', 'EP01_01'): 98,
        ('07', 'EP06_01'): 89,
        ('12', 'EP09_02'): 176,
        ('12', 'EP09_06'): 72,
        ('13', 'EP09_10'): 80,
        ('16', 'EP01_08'): 91,
        ('17', 'EP03_09'): 133,
        ('17', 'EP06_07'): 235,
        ('17', 'EP13_09'): 32,
        ('18', 'EP19_01'): 109,
        ('20', 'EP16_01'): 97,
        ('20', 'EP16_04'): 97,
        ('25', 'EP09_02'): 98,
        ('25', 'EP12_01'): 143,
        ('25', 'EP18_04f'): 97,
    },
    # github Justin900429/mimicking-annotation-micro-expression-recognition, csv_file
    'mimicking': {('04', 'EP12_01f'): 312},
}

# The one clip of the release that neither official sheet has and public lists annotate: onset,
# apex, offset, emotion.
EXTRA = {'none': {}, 'ep02_07': {('24', 'EP02_07'): (61, 91, 106, 'disgust')}}
EXTRA_SOURCE = 'github xiazhaoqiang/Benchmark-MicroExpressionRec'
