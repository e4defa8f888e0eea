"""Action units as the annotators of the data sets write them."""

import re

import pytest

from mer_jax.preprocess.action_units import Unit, count_references, parse
from tests.support import au_strings


@pytest.mark.parametrize(
    'cell, numbers',
    [
        ('6+12', [6, 12]),
        (4, [4]),
        ('', []),
        ('NULL', []),
        ('?', []),
        ('14,L24,', [14, 24]),
        ('4\uff0c11', [4, 11]),
        ('R14+17+soft focus', [14, 17]),
        ('80 (big swallow) ', [80]),
        ('26+ADR30', [26]),
        ('subject do 2x  R2(C and then B)', [2]),
        ('6C/D+ref(7)12E+25', [6, 7, 12, 25]),
        ('7A/B+L10A/B)+ref(11)+12C', [7, 10, 11, 12]),
    ],
)
def test_numbers(cell, numbers):
    """A unit that is lost or invented changes what a model is taught."""
    assert [unit.number for unit in parse(cell)] == numbers


@pytest.mark.parametrize(
    'cell, expected',
    [
        ('L12A', [Unit(12, 'L', 'A', True, False, 0)]),
        ('A12', [Unit(12, 'A', '', True, False, 0)]),
        ('12A', [Unit(12, '', 'A', True, False, 0)]),
        ('B18+25', [Unit(18, 'B', '', True, False, 0), Unit(25, '', '', True, False, 1)]),
        ('r18', [Unit(18, 'R', '', True, False, 0)]),
        ('10(B/C)', [Unit(10, '', 'B/C', True, False, 0)]),
        ('(L/A)12(B/A)', [Unit(12, 'L/A', 'B/A', True, False, 0)]),
        ('A(4B/C)', [Unit(4, 'A', 'B/C', True, False, 0)]),
        ('12B ?', [Unit(12, '', 'B', False, False, 0)]),
        ('AU4(k)+L7', [Unit(4, '', '', True, True, 0), Unit(7, 'L', '', True, False, 1)]),
        ('9A ref (6)', [Unit(9, '', 'A', True, False, 0), Unit(6, '', '', True, True, 1)]),
        ('ref(R6)+A7C', [Unit(6, 'R', '', True, True, 0), Unit(7, 'A', 'C', True, False, 1)]),
    ],
)
def test_side_intensity_doubt_and_reference(cell, expected):
    """'A12' is asymmetric and '12A' is weak; a reference is no movement of the clip."""
    assert list(parse(cell)) == expected


@pytest.mark.parametrize(
    'cell, groups',
    [
        ('10or11', [0, 0]),
        ('(R6 or R12) + R15', [0, 0, 1]),
        ('R14A or 17A or 24A', [0, 0, 0]),
        ('4B+12C+(23/24) ', [0, 1, 2, 2]),
        ('R6A+ref(12/14)+16', [0, 1, 1, 2]),
        ('A4C+R(12or14)B+38', [0, 1, 1, 2]),
    ],
)
def test_alternatives_share_a_group(cell, groups):
    """Alternatives counted as separate units would make a clip show both."""
    assert [unit.group for unit in parse(cell)] == groups


EVERY = sorted(
    {
        text
        for name in ('CASME2', 'SAMM', 'CAS2', 'SAMM_LONG_VIDEOS', 'CAS3_PART_A', 'CAS3_PART_C')
        for text in au_strings.strings(getattr(au_strings, name))
    }
    | {*au_strings.CAS2_NOT_UPDATED_ONLY, *au_strings.FOUR_DME}
)
# a head movement's code; 'twice'
NOT_UNITS = {'26+ADR30': [26], 'subject do 2x  R2(C and then B)': [2]}
SILENT = {'?', 'NULL', 'null', 'Chewing', 'reaction?'}
PLAIN = re.compile(r'(AU)?([LRATB]?)(\d+)([A-E]?)')


def test_every_published_cell():
    """All notations of the public sheets: no number is lost or invented, and what is said of a unit
    stays with it.
    """
    assert len(EVERY) >= 370
    misread = {cell: wrong for cell in EVERY if (wrong := misreadings(cell))}
    assert not misread


def misreadings(cell):
    """What the parser gets wrong of one cell, against the regular expressions above."""
    units = parse(cell)
    numbers = [unit.number for unit in units]
    held = [
        n for inside in re.findall(r'[Rr]ef ?\(([^)]*)\)', cell) for n in re.findall(r'\d+', inside)
    ]
    held += re.findall(r'(\d+)\(k\)', cell)
    alternatives = len(units) - len({unit.group for unit in units})
    written = bool(re.search(r'\d\s*[A-E]?\)*\s*(or|/)\s*\(*(loses AU)?[LRAB]?\d', cell))
    right = {
        'numbers': numbers == NOT_UNITS.get(cell, [int(n) for n in re.findall(r'\d+', cell)]),
        'silence': bool(units) == (cell not in SILENT),
        'certainty': all(unit.certain for unit in units) == ('?' not in cell or cell in SILENT),
        'references': sorted(u.number for u in units if u.reference) == sorted(map(int, held)),
        'alternatives': (alternatives > 0) == written,
    }
    parts = [
        PLAIN.fullmatch(part.strip())
        for part in re.split(r'[+,\uff0c]', cell.strip())
        if part.strip()
    ]
    if all(parts):
        told = [(u.side, u.intensity, u.group) for u in units]
        right['sides and intensities'] = told == [(p[2], p[4], i) for i, p in enumerate(parts)]
    return [name for name, is_right in right.items() if not is_right]


def test_references_counted_are_the_same_units_moving():
    """A published list counts them; losing a side or an alternative with them would be another
    list.
    """
    changed = []
    for cell in EVERY:
        moving = tuple(unit._replace(reference=False) for unit in parse(cell))
        assert parse(count_references(cell)) == moving, cell
        changed += [cell] if moving != parse(cell) else []
    assert len(changed) >= 10
    assert count_references('7B+ ref(43)') != '7B+ ref(43)' and count_references('4+7') == '4+7'
