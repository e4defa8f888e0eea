"""What each action unit moves, in the words of FACS."""

# {number: what moves}, of the face; of the codes of the head and of gaze see the manual. Source:
# Ekman and Friesen, Facial Action Coding System (1978).
NAMES = {
    1: 'inner brow raiser',
    2: 'outer brow raiser',
    4: 'brow lowerer',
    5: 'upper lid raiser',
    6: 'cheek raiser',
    7: 'lid tightener',
    8: 'lips toward each other',
    9: 'nose wrinkler',
    10: 'upper lip raiser',
    11: 'nasolabial deepener',
    12: 'lip corner puller',
    13: 'cheek puffer',
    14: 'dimpler',
    15: 'lip corner depressor',
    16: 'lower lip depressor',
    17: 'chin raiser',
    18: 'lip puckerer',
    19: 'tongue show',
    20: 'lip stretcher',
    21: 'neck tightener',
    22: 'lip funneler',
    23: 'lip tightener',
    24: 'lip pressor',
    25: 'lips part',
    26: 'jaw drop',
    27: 'mouth stretch',
    28: 'lip suck',
    29: 'jaw thrust',
    30: 'jaw sideways',
    31: 'jaw clencher',
    32: 'lip bite',
    33: 'cheek blow',
    34: 'cheek puff',
    35: 'cheek suck',
    36: 'tongue bulge',
    37: 'lip wipe',
    38: 'nostril dilator',
    39: 'nostril compressor',
    41: 'lid droop',
    42: 'slit',
    43: 'eyes closed',
    44: 'squint',
    45: 'blink',
    46: 'wink',
}
SIDES = {'L': 'left', 'R': 'right'}


def facs_name(code: str) -> str:
    """Return what a unit moves, in the words of FACS.

    Args:
        code: such as 'AU12', '12', or 'L12' of one side.

    Returns:
        Such as 'lip corner puller, left'; '' for a number without a name.
    """
    code = code.removeprefix('AU')
    side = SIDES.get(code[:1])
    name = NAMES.get(int(code[1:] if side else code), '')
    return f'{name}, {side}' if name and side else name
