"""Key frames of clips in part A of CAS(ME)^3 as a public project publishes them, by clip id.

A set is used only on request.
"""

from tfds_builders.clip import KeyFrames

# The ids hold the onset of the sheet, also where that is wrong. Left out: the apex of
# spNO.216_e_0, which that project sets to the onset.
SETS = {
    'none': {},
    # github tvaranka/meb, meb/datasets/datasets.py
    'meb': {
        'spNO.149_d_112': KeyFrames(apex=123),  # apex 83 lies before the onset
        'spNO.214_c_5': KeyFrames(offset=34),  # offset 3460
        'spNO.216_d_3647': KeyFrames(onset=2647),  # onset 3647 lies after the offset, 2694
        'spNO.216_e_0': KeyFrames(onset=1),
        'spNO.40_e_1812': KeyFrames(offset=1845),  # offset 0
        'spNO.40_e_2327': KeyFrames(offset=2403),  # offset 0
    },
}
