"""Every distinct action-unit string of the public annotation sheets, by group of notation: test
material.

Counted over published copies of the sheets: CASME II (2014: 68 distinct, 2019: 74), SAMM micro
(97), CAS(ME)^2 (116, of which two of the 77 plain sorted lists are given here), SAMM Long Videos
(the 92 unusual ones of 314), CAS(ME)^3 (the unusual ones), 4DME (two examples). Blanks at the ends
are part of the strings.
"""

# Union of both editions; a single unit is an integer cell in the workbook.
CASME2 = {
    'single unit': (
        '1', '2', '4', '6', '7', '9', '12', '14', '15', '16', '17', '18', '20', '24', '25',
    ),
    '+ lists': (
        '1+2', '1+2+5+7', '1+4', '1+4+7', '1+12', '2+5', '4+5', '4+5+7+9', '4+6+7', '4+6+7+9', '4+7', '4+7+6',
        '4+7+9', '4+7+9+10', '4+7+10', '4+7+12', '4+9', '4+9+10', '4+9+17', '4+10', '4+12', '4+15+17', '4+16', '4+17',
        '4+38', '6+7', '6+7+12', '6+12', '6+12+17', '12+14+17', '12+15', '12+15+17', '12+16', '12+17', '14+15',
        '14+24', '15+17', '16+24',
    ),
    'L/R': (
        'L1', '1+L2', 'L1+L2', 'R1+R2', '1+R2+25', 'R2', 'L2+12', 'L2+14', 'R2+15', 'L2+26+38', 'L4', 'R4', '4+5+L10',
        '4+7+L2', '4+7+L9', '4+7+L10', '4+9+L10+14', '4+L9+14', '4+L10', '4+R10', 'R4+R10', '4+R12', '4+L14', 'L6',
        'L6+L7', 'R6+R12', 'L7+L10', 'L10', 'R10', 'L12', 'R12', '12+L14', 'L14', 'R14', 'L14+L15', 'L16', 'L20',
    ),
    'unknown': ('?',),
}

# Strings that the 2019 edition no longer has.
CASME2_2014_ONLY = (
    '2', '4+6+7+9', '4+7+6', '4+7+10', '4+9+10', '6+7+12', '6+12+17', '12+14+17', '14+15', '4+5+L10', '4+L9+14',
    'L6+L7', 'R6+R12', '12+L14', 'L14+L15', 'L16', '?',
)

# Strings that came with the 2019 edition.
CASME2_2019_ONLY = (
    '6', '9', '16', '1+2+5+7', '1+4+7', '2+5', '4+5', '4+7+9+10', '4+16', '4+17', '6+7', '12+15+17', '12+16', '12+17',
    '14+24', '16+24', '4+7+L2', '4+7+L9', '4+7+L10', '4+9+L10+14', 'L6', 'L14', 'L20',
)

# SAMM micro: each string in the first group that fits.
SAMM = {
    'or': (
        '(R6 or R12) + R15', '(R6 or R12)+R15', 'L12 or L14', 'R12 or R14', 'R14A or 17A or 24A',
    ),
    'ref()': (
        '12A+ref(24)', '4D+ref(6)+7C+43E', '7B+ ref(43)', '7D+ref(43)', 'A9E+ref(10)', 'ref(5)+20C+25+26',
        'ref(7B)+43', 'ref(7B)+43C', 'ref(L10)+A12B',
    ),
    'free text': ('R14+17+soft focus',),
    'slash alternatives': (
        '10A/B', '4A/B', 'A/L12',
    ),
    'stray blanks': (
        '12+15 ', 'L12 + 61',
    ),
    'T/B lip prefix': (
        '13+T18+39', '4+13+T18+39', 'B18+25', 'T18+39', 'T23',
    ),
    'A asymmetric prefix': (
        '7C+A12B', 'A1', 'A12', 'A12+A7', 'A14C', 'A1B+A2C', 'A7', 'A9+12',
    ),
    'L/R prefix': (
        '1A+2B+L14C', 'L10', 'L12A', 'L12A+25', 'L12C', 'L14', 'L14C', 'L2', 'L20+21', 'L2A', 'L2C+12', 'L4', 'L7A',
        'R10', 'R10A+25+26', 'R14', 'R14+R17', 'R2', 'R20', 'R20B', 'R2A', 'R2B', 'R6A+R12',
    ),
    'intensity': (
        '12A', '12B', '12C', '15A+17', '2C', '4+6+7+9+43E', '4A', '4B+7B+43E', '4D+9B', '5A', '5B', '5B+24', '5C',
        '7A', '7B', '7B+56', '7C', '7D',
    ),
    'plain + lists': (
        '1+2', '12+24', '12+39', '13+39', '14+25+26', '24+38', '25+26', '4+7', '4+7+43', '7+12', '7+20+26', '8+25',
    ),
    'integer cells': (
        '12', '17', '20', '24', '26', '31', '38', '4', '5', '7', '9',
    ),
}

# CAS(ME)^2, updated workbook: of the 77 plain sorted lists only these two are known here.
CAS2 = {
    'comma': (
        '1+2+25,24', '14,12', '24,12', '24,14', '4+6,24', '4+7,14', '4,24', '4,24,6+12+15',
    ),
    'or without blanks': (
        '10or11', '14or23',
    ),
    'null': (
        'NULL', 'null',
    ),
    'L/R': (
        '4+7+L10', '4+L7', 'L1+L2', 'L12', 'L14', 'R1+R2', 'R2', 'R2+5',
    ),
    'unusual codes': (
        '43', '45', '74', '80',
    ),
    'unsorted lists': ('1+2+5+18+43+12',),
    'integers': (
        '12', '14', '15', '18', '21', '23', '24', '25', '38', '39', '4', '5', '7', '9',
    ),
    'plain sorted lists': (
        '4+7', '1+4+6+7+9+20+21+24+38',
    ),
}

# Strings that only the un-updated workbook of CAS(ME)^2 has.
CAS2_NOT_UPDATED_ONLY = ('45+62', '4+7+15+42')

# SAMM Long Videos: what does not fit [side]number[intensity] joined by + and is not in SAMM above.
SAMM_LONG_VIDEOS = {
    'alternative side in parentheses': (
        '(A/R)14B', '(L/A)12(B/A)', '(L/A)4B',
    ),
    'missing +': ('6C/D+ref(7)12E+25',),
    'unbalanced parenthesis': ('7A/B+L10A/B)+ref(11)+12C',),
    'free text': (
        '(1B+2A)or(loses AU4)', '(loses 1+2) or (4(B/C))', '26+ADR30', '4+glare', '4C+7B+glare', '7B+double 45',
        '7D+all of the above', '80 (big swallow) ', 'Chewing', 'double 45', 'reaction?',
        'subject do 2x  R2(C and then B)', 'twice - L1B+L2B+25',
    ),
    'or': (
        '12A or 14A', '24 or 31 or 80', '4C+6B+7B+10B/C+12C+14C+(17 or 19)+43E', '6B+12B+15C+26+((8+25)or(50))',
        '9A ref (L12 or L10)', 'A4C+R(12or14)B+38', 'B8 or B18',
    ),
    '?': (
        '12B ?', '31?',
    ),
    'ref()': (
        '10(B/C)+ref(11)+ref(12A)+25', '14D+20+ref(23)+24+37', '1A+2C+ref(5)+56+85', '1D+2D+ref(5)+25',
        '2+6C+R10B+A12D+Ref(14)+15B+43', '4(D/E)+6D+7(B/C)+ref(9)+10D+A14D+24', '4C+7C+R14+ref(18)+24',
        '4C+A12D+25+26+ref(43E)', '4C+ref(5)+ref(7)', '4D+7B+9B+ref(10)+24B', '4D+A12C+ref(14B)+38',
        '4D+ref(7)+17A+53', '6B+12D+15D+ref(17)+24', '6B+12D+ref(20)+24', '6B+7B+12C/D+ref(18)+24',
        '6B+7B+ref(10)+A12C+18B+24', '6B+ref(8)+A12D+25+26+62+64', '6C+12E+ref(23)+24',
        '6C+7(B/C)+ref(R10)+A12(D/E)+25+26', '6C+ref(10)+12D+15C+17C+24+43', '6D+ref(7)+12E+25+26', '7(B/C)+ref(43)',
        'A1B+A2B+12B+ref(14)', 'A1B+A2B+ref(5)', 'A1B+L2B+ref(5)', 'A4B+7B+ref(24)+80', 'A7C+ref(10A)+A12B',
        'L10B + ref(11)', 'R2C+4D/E+17+ref(23)+24', 'R6A+ref(12/14)+16+25', 'ref(12)+23', 'ref(12)+L13C+39',
        'ref(14)+24', 'ref(4)+7B', 'ref(4A)', 'ref(5)+15B+17(D/E)+20B', 'ref(5)+20D+25', 'ref(5A/B)+12B/C+14C+24',
        'ref(6)+12C+14D', 'ref(7)+12B', 'ref(7)+24', 'ref(A14)+24+61', 'ref(R6)+A7C',
    ),
    'slash alternatives': (
        '12(A/B)', '12B+14B+24(A/B)', '17(B/C)', '1D/E+2D/E+15D/E+17D/E ', '4(B/C)+7B', '4(D/E)+R10B+A11',
        '4B+12(B/C)+17B+(23/24) ', '4D+5(C/D)+17+39', '5(B/C)', '5A/B+14B', '5B/C', '6(B/C)+10C+12D+15D+17D+24',
        '6(B/C)+12E+25', '6B+7B+12C+17C+B18(A/B)', '6C+7(B/C)+12(D/E)+25+26', '6D+10B/C+12D+23', '6E+10(B/C)+12E+61',
        '7(C/D)', 'A(4B/C)+5B', 'A1B+A2(B/C)', 'L1B+L2B+5(B/C)',
    ),
    'trailing blank': ('7C ',),
}

# CAS(ME)^3 part C: commas, one of them full-width.
CAS3_PART_C = {
    'full-width comma': ('4，11',),
    '?': ('13?',),
    'trailing comma': (
        '14,L24,', 'L1,10,11,38,', 'L2,L4,10,24,38,',
    ),
    'comma with L/R': (
        '13,L14', '18,R14', '2,R4', '4,L14', '4,R9', '5,L14,24', 'L1,L24', 'L2,10', 'L2,12', 'L2,23', 'L2,25',
        'L2,43', 'L2,L14', 'L4,14,24', 'L4,17,24', 'L4,L9,L10,L14', 'R14,24', 'R2,14,22', 'R2,17', 'R2,23,25',
        'R2,24', 'R2,7', 'R4,14', 'R4,24', 'R4,43', 'R4,5', 'R4,5,16,38', 'R4,L10,43', 'R4,R45',
    ),
}

# CAS(ME)^3 part A: T and B are top and bottom lip.
CAS3_PART_A = {
    'T/B prefix': (
        '24+T18+16', 'B23', 'B28', 'T18', 'T24', 'T28+14',
    ),
    'L/R prefix': (
        '4+9+R14', '4+L2', '4+R12', '4+R2', 'L1+L2', 'L12', 'L14', 'L18', 'L2', 'L2+L1', 'L7', 'L9', 'R1+R2', 'R10',
        'R12', 'R14', 'R2', 'R2+R1', 'R20', 'R7',
    ),
    'unsorted': (
        '10+4', '14+9', '14+9+4', '16+23+2+1', '16+24+14', '17+14', '17+15', '17+4', '18+4', '2+1', '2+1+14', '2+1+5',
        '2+1+7', '23+14', '24+14', '24+14+4', '24+9+4', '25+12', '25+18', '26+25', '28+14', '38+24+10+9', '38+4',
        '4+10+5', '4+18+9+25', '5+2+1', '6+4', '6+9+4', '7+4', '9+4', '9+4+14', '9+6', '9+6+4',
    ),
}

# 4DME: the side follows the letters AU; (k) marks a unit present throughout the clip.
FOUR_DME = ('AU4(k)+L7', 'AUR2+12(k)+45')


def strings(groups):
    """All strings of one of the tables above, in order; none stands in two groups."""
    return tuple(text for group in groups.values() for text in group)
