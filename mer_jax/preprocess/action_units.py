"""Action units as annotators write them.

For example '6+12', 'L12A', '4D+ref(6)+7C' or '(R6 or R12)+R15'.
"""

import re
from typing import NamedTuple


class Unit(NamedTuple):
    """One action unit of a cell.

    Units of one `group` are alternatives to each other, where the cell says 'or'.
    """

    number: int
    side: str  # '', L, R one side; A both but unequal; T, B upper or lower lip; 'A/L' undecided
    intensity: str  # '', A..E, or a range 'B/C'
    certain: bool  # False where a '?' follows
    reference: bool  # in ref(...) or marked (k): there throughout, not a movement of this clip
    group: int


_SIDE, _LEVEL = r'[LRATB](?:/[LRATB])?', r'[A-E](?:/[A-E])?'
_TOKEN = re.compile(
    rf'(?P<reference>REF\s*\()|(?P<open>\()|(?P<close>\))|(?P<or>[|/])|'
    rf'(?<![A-Z0-9])(?:AU\s*)?(?P<side>{_SIDE})?(?P<number>\d+)(?P<level>{_LEVEL})?(?![A-Z])'
    r'(?P<kept>\(K\))?(?P<doubt>\s*\?)?'
)


def parse(cell: str) -> tuple[Unit, ...]:
    """The action units of one cell, in the order written.

    Separators are '+' and ','. Blanks, letter case, a missing '+' and unbalanced brackets do no
    harm; words are skipped. Codes above 46 (head, eyes, gross behaviour) are returned as any other.
    Units joined by '+' inside the brackets of one alternative become alternatives themselves.

    Returns:
        () where the cell holds no unit ('', 'NULL', '?').
    """
    units = []
    group = -1
    depth = 0  # of brackets
    in_reference = False
    after_or = False
    for token in _TOKEN.finditer(_normalise(str(cell))):
        kind = 'number' if token['number'] else token.lastgroup
        if kind == 'or':
            after_or = True
            continue
        if kind == 'close':
            depth = max(depth - 1, 0)
            in_reference = in_reference and depth > 0
            continue
        if depth == 0 and not after_or:
            group += 1
        after_or = False
        if kind == 'number':
            units.append(_unit(token, group, in_reference))
        else:
            depth += 1
            in_reference = in_reference or kind == 'reference'
    return tuple(units)


def count_references(cell: str) -> str:
    """A cell whose units of reference count as movements: '7B+ref(43)' becomes '7B+ (43)'.

    The released code of Ruan et al. 2022 reads the digits of a cell, whatever stands round them.
    """
    # a blank, so that a letter before the word is not taken for the side of what follows
    return re.sub(r'ref\s*(?=\()|\(k\)', ' ', str(cell), flags=re.IGNORECASE)


def _unit(token, group, in_reference):
    return Unit(
        number=int(token['number']),
        side=token['side'] or '',
        intensity=token['level'] or '',
        certain=not token['doubt'],
        reference=in_reference or bool(token['kept']),
        group=group,
    )


def _normalise(text):
    """Bring a cell into one notation.

    Upper case, 'or' as '|', sides and ranges out of their brackets.

    What surrounds a bracket is moved inside it.
    """
    text = text.upper().replace('\uff0c', ',')
    text = re.sub(r'(?<![A-Z])OR(?![A-Z])', '|', text)
    text = re.sub(rf'\(({_SIDE})\)(?=\d)', r'\1', text)
    text = re.sub(rf'(?<=\d)\(({_LEVEL})\)', r'\1', text)
    return re.sub(rf'(?<![A-Z])([LRAB])\(([^()]*)\)({_LEVEL})?', _distribute, text)


def _distribute(match):
    """'R(12|14)B' -> '(R12B|R14B)'."""
    side, inner, level = match[1], match[2], match[3] or ''
    spread = re.sub(r'\d+', lambda number: f'{side}{number[0]}{level}', inner)
    return f'({spread})'
