"""Reads action units as annotators write them: '6+12', 'L12A', '4D+ref(6)+7C', '(R6 or R12)+R15',
'10or11', '4,L24'.
"""

import re
from typing import NamedTuple


class Unit(NamedTuple):
    """One action unit of a cell; units of one `group` are alternatives to each other where the cell
    says 'or'.
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


def parse(cell):
    """The action units of one cell, a tuple of Unit in order of writing; () where there is none
    ('', 'NULL', '?').

    Separators are '+' and ','. Blanks, letter case, a missing '+' and unbalanced brackets do no
    harm; words are skipped. Codes above 46 (head, eyes, gross behaviour) are returned as any other.
    Parts of one alternative that are joined by '+' inside brackets become alternatives themselves.
    """
    found, depth, group, reference, either = [], 0, -1, 0, False
    for token in _TOKEN.finditer(_plain(str(cell))):
        kind = token.lastgroup if not token['number'] else 'number'
        if kind == 'or':
            either = True
            continue
        if kind == 'close':
            depth = max(depth - 1, 0)
            reference = reference if depth else 0
            continue
        if depth == 0 and not either:
            group += 1
        either = False
        if kind == 'number':
            held = bool(reference or token['kept'])
            found.append(
                Unit(
                    int(token['number']),
                    token['side'] or '',
                    token['level'] or '',
                    not token['doubt'],
                    held,
                    group,
                )
            )
        else:
            depth, reference = depth + 1, reference or kind == 'reference'
    return tuple(found)


def _plain(text):
    """Upper case with 'or' as '|', sides and ranges out of their brackets, what surrounds a bracket
    moved inside.
    """
    text = re.sub(r'(?<![A-Z])OR(?![A-Z])', '|', text.upper().replace('\uff0c', ','))
    text = re.sub(rf'\(({_SIDE})\)(?=\d)', r'\1', text)
    text = re.sub(rf'(?<=\d)\(({_LEVEL})\)', r'\1', text)
    return re.sub(rf'(?<![A-Z])([LRAB])\(([^()]*)\)({_LEVEL})?', _spread, text)


def _spread(match):
    """'R(12|14)B' -> '(R12B|R14B)'."""
    side, inner, level = match[1], match[2], match[3] or ''
    return '(' + re.sub(r'\d+', lambda number: f'{side}{number[0]}{level}', inner) + ')'
