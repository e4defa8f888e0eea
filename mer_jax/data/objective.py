"""Objective classes: micro-expressions by their action units instead of a named emotion.

Source: Davison, Merghani, Yap, "Objective Classes for Micro-Facial Expression Recognition", Journal
of Imaging 4(10), 2018; MEGC2018 (Yap et al., FG 2018) uses I to V. The paper counts 25, 15, 99, 26,
20 clips of CASME II in I to V (then 1 and 69), and 24, 13, 20, 8, 3 of SAMM (then 7 and 84). What
stands here gives SAMM's class of every clip; for CASME II it gives 24, 15, 98, 26, 21 by the sheet
of 2014, and 30, 18, 93, 23, 18 by that of 2019, whose units differ. Of part A of CAS(ME)^3 it gives
the class that the public sheet states in 857 of 860 rows.
"""

from mer_jax.data import Record
from mer_jax.preprocess import action_units

OTHERS = '*'  # stands for every set of units that no class lists
# Class -> its sets of action units, whatever their side and intensity. The paper prints 4+40 and
# 4+5+40 in IV. Neither release has a unit 40; read as 10, and with 4+9+10, which it does not print,
# IV has the 26 clips of CASME II that the paper counts.
CLASSES = {
    'I': '6 12 6+12 6+7+12 7+12',
    'II': '1+2 5 25 1+2+25 25+26 5+24',
    'III': '23 4 4+7 4+5 4+5+7 17+24 4+6+7 4+38',
    'IV': '10 9 4+9 4+10 4+5+10 4+7+9 4+9+10 4+9+17 4+7+10 4+5+7+9 7+10',
    'V': '1 15 1+4 6+15 15+17',
    'VI': '1+2+4 20',
    'VII': OTHERS,
}
# Clips whose class a sheet states otherwise than the sets above give it, or where the annotators
# left units open ('L12 or L14'): columns 'Objective Classes' of SAMM, 'Objective class' of
# CAS(ME)^3.
OF_SHEET = {
    'casme_cubed': {'spNO.150_a_355': 'VII', 'spNO.174_e_442': 'VII', 'spNO.7_c_406': 'VII'},
    'samm': {
        '006_5_10': 'VI',
        '007_6_1': 'VII',
        '007_6_5': 'VII',
        '011_2_1': 'IV',
        '011_3_4': 'I',
        '011_4_2': 'I',
        '012_3_1': 'VI',
        '012_3_2': 'VI',
        '014_3_4': 'I',
        '014_5_2': 'VII',
        '020_4_2': 'I',
        '026_2_2': 'III',
        '026_2_3': 'III',
        '033_1_3': 'I',
        '035_7_2': 'VII',
        '036_7_3': 'IV',
    },
}


def judge(record: Record, class_of_units: dict[str, str], scheme: str) -> tuple[str, str]:
    """Return the objective class of a record, or why it has none.

    Units that are uncertain, or in reference only, do not count.

    Args:
        record: with clip, dataset, action_units and action_units_known.
        class_of_units: set of units, as '4+7', or OTHERS, -> class; '' for one that is left out.
        scheme: its name, for the reason.

    Returns:
        (class, '') or ('', reason).
    """
    stated = OF_SHEET.get(record['dataset'], {}).get(record['clip'])
    if stated:
        kept = stated in class_of_units.values()
        return (stated, '') if kept else ('', f'objective class {stated} is not in {scheme}')
    if not record['action_units_known']:
        return '', f'no action units are coded, which {scheme} is made from'
    units = [
        unit
        for unit in action_units.parse(record['action_units'])
        if unit.certain and not unit.reference
    ]
    if len({unit.group for unit in units}) < len(units):
        return '', f'its action units are alternatives, of which {scheme} needs one'
    key = '+'.join(map(str, sorted({unit.number for unit in units})))
    name = class_of_units.get(key, class_of_units.get(OTHERS, ''))
    return (name, '') if name else ('', f'its action units are in no class of {scheme}')
