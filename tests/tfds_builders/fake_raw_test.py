"""The fakes of the official releases against published counts and rows, typed here as literals."""

import re
from collections import Counter

import numpy as np
import openpyxl
import pytest

from tests.support import au_strings, fake_raw
from tests.support.fake_raw import (
    casme2,
    casme2_rows,
    casme_squared,
    casme_squared_rows,
    composite,
    megc2019,
    samm,
    samm_rows,
    smic,
)

# clips per subject of the 246 in five classes (2019 sheet without fear, sadness and three surprise
# rows)
MIMICKED = {
    17: 33,
    5: 19,
    26: 16,
    19: 15,
    2: 13,
    9: 13,
    10: 13,
    12: 12,
    23: 12,
    20: 11,
    11: 10,
    24: 10,
    1: 9,
    7: 9,
    13: 8,
    25: 7,
    3: 6,
    4: 5,
    6: 5,
    14: 4,
    16: 4,
    8: 3,
    18: 3,
    15: 2,
    21: 2,
    22: 2,
}
SHAPES = {'EPdd_dd': 179, 'EPdd_ddf': 71, 'EPdd_d': 2, 'EPdd_dd_dd': 2, 'EPddf': 1}


@pytest.fixture(scope='module')
def full(tmp_path_factory):
    """Every release in full size, written once."""
    return composite.write(tmp_path_factory.mktemp('full'), size='full')


def keyed(rows):
    return {f'{r.subject}/{r.name}': r for r in rows}


def cells(release):
    """All rows of the first sheet of the workbook, as openpyxl gives them."""
    book = openpyxl.load_workbook(release.sheets[0])
    return [[c.value for c in row] for row in book.worksheets[0].iter_rows()]


@pytest.mark.parametrize(
    'edition, surprise, sadness, strings', [('2014', 25, 7, 68), ('2019', 28, 4, 74)]
)
def test_casme2_has_the_published_totals(edition, surprise, sadness, strings):
    """A fake with other totals would bless a reader that loses rows."""
    rows = casme2_rows.full(edition)
    assert len(rows) == 255 and len({r.subject for r in rows}) == 26 and len(keyed(rows)) == 255
    assert Counter(r.emotion for r in rows) == {
        'others': 99,
        'disgust': 63,
        'happiness': 32,
        'repression': 27,
        'fear': 2,
        'surprise': surprise,
        'sadness': sadness,
    }
    assert Counter(re.sub(r'\d', 'd', r.name) for r in rows) == SHAPES
    assert len({r.action_units for r in rows}) == strings
    gone = au_strings.CASME2_2019_ONLY if edition == '2014' else au_strings.CASME2_2014_ONLY
    assert {r.action_units for r in rows} == set(au_strings.strings(au_strings.CASME2)) - set(gone)
    kept = [r for r in rows if r.emotion not in ('fear', 'sadness')]
    assert len(kept) == casme2.COUNTS[edition]['five'] == {'2014': 246, '2019': 249}[edition]
    assert sum(r.emotion != 'others' for r in rows) == casme2.COUNTS[edition]['irawan3'] == 156


def test_casme2_editions_differ_as_published():
    """57 action-unit strings and three labels differ, no time."""
    old, new = keyed(casme2_rows.full('2014')), keyed(casme2_rows.full('2019'))
    assert old.keys() == new.keys()
    assert sum(old[k].action_units != new[k].action_units for k in old) == 57
    assert [k for k in old if old[k].emotion != new[k].emotion] == [
        '24/EP07_01',
        '24/EP07_04f',
        '24/EP10_03',
    ]
    assert all(
        (old[k].onset, old[k].apex, old[k].offset) == (new[k].onset, new[k].apex, new[k].offset)
        for k in old
    )
    assert sum(r.action_units.isdigit() for r in old.values()) == 133
    assert sorted(k for k in old if old[k].action_units == '?') == [
        '05/EP05_03',
        '05/EP07_01',
        '05/EP13_04f',
        '19/EP11_01f',
        '26/EP13_01',
    ]


def test_casme2_subjects_and_named_rows():
    """The per-subject counts of the 246, and rows that public corrections name."""
    rows = keyed(casme2_rows.full('2019'))
    out = ('03/EP01_2', '15/EP04_02', '17/EP01_13')
    five = [k for k, r in rows.items() if r.emotion not in ('fear', 'sadness') and k not in out]
    assert Counter(int(k[:2]) for k in five) == MIMICKED
    times = {k: (rows[k].onset, rows[k].apex, rows[k].offset) for k in rows}
    assert times['05/EP03_01'] == (41, 81, 101) and times['04/EP12_01f'] == (261, '/', 321)
    assert times['12/EP09_02'] == (16, 59, 101) and times['25/EP18_04f'] == (76, 116, 116)
    assert [k for k, (onset, apex, _) in times.items() if apex == onset] == ['05/EP09_05f']
    assert sorted(k for k, (_, apex, offset) in times.items() if apex == offset) == [
        '05/EP16_04f',
        '12/EP09_06',
        '20/EP16_01',
        '25/EP18_04f',
    ]
    assert rows['09/EP13_02'].emotion == rows['10/EP13_01'].emotion == 'fear'
    assert '09/EP02_02' in rows and '09/EP02_02f' not in rows and '24/EP02_07' not in rows


def test_casme2_on_disk(full):
    """257 folders, unpadded numbers, a folder that ends early, cells typed as in the real
    workbook.
    """
    release = full['casme2']
    assert sum(1 for _ in release.images.glob('sub*/*')) == 257
    assert sorted(p.parent.name + '/' + p.name for p in release.unannotated) == [
        'sub09/EP02_02f',
        'sub24/EP02_07',
    ]
    short = release.clips['sub16_EP01_08']
    assert (short.folder / 'reg_img96.jpg').exists() and not (
        short.folder / 'reg_img97.jpg'
    ).exists()
    assert (short.onset, short.apex, short.offset, short.repaired) == (73, 94, 96, True)
    assert (
        release.clips['sub04_EP12_01f'].apex is None
        and release.clips['sub05_EP09_05f'].apex is None
    )
    header, first = cells(release)[:2]
    assert header == [
        'Subject',
        'Filename',
        None,
        'OnsetFrame',
        'ApexFrame',
        'OffsetFrame',
        None,
        'Action Units',
        'Estimated Emotion',
    ]
    assert first[0] == '01' and type(first[3]) is int and len(cells(release)) == 256
    clip = list(release.clips.values())[100]
    row = cells(release)[clip.row - 1]
    assert f'sub{row[0]}_{row[1]}' == clip.clip and str(row[7]) == clip.action_units


def test_samm_has_the_published_totals(full):
    """159 rows of 29 subjects; 136 of 27 in five classes; classes 1 to 5: 68 clips of 21
    subjects.
    """
    rows = samm_rows.full()
    assert Counter(r.emotion for r in rows) == {
        'Anger': 57,
        'Happiness': 26,
        'Other': 26,
        'Surprise': 15,
        'Contempt': 12,
        'Disgust': 9,
        'Fear': 8,
        'Sadness': 6,
    }
    assert Counter(r.subject for r in rows) == {
        '011': 20,
        '026': 13,
        '006': 11,
        '014': 11,
        '007': 10,
        '020': 9,
        '035': 9,
        '013': 6,
        '017': 6,
        '032': 6,
        '016': 5,
        '022': 5,
        '033': 5,
        '009': 4,
        '010': 4,
        '018': 4,
        '025': 4,
        '012': 3,
        '015': 3,
        '019': 3,
        '028': 3,
        '030': 3,
        '034': 3,
        '037': 3,
        '021': 2,
        '023': 1,
        '024': 1,
        '031': 1,
        '036': 1,
    }
    five = [r for r in rows if r.emotion in ('Anger', 'Happiness', 'Other', 'Surprise', 'Contempt')]
    subjects = {r.subject for r in rows}
    assert len(five) == 136 and subjects - {r.subject for r in five} == {'024', '036'}
    assert Counter(r.more[1] for r in rows) == {1: 24, 2: 13, 3: 20, 4: 8, 5: 3, 6: 7, 7: 84}
    assert len({r.subject for r in rows if r.more[1] <= 5}) == 21
    assert {r.action_units for r in rows} == set(au_strings.strings(au_strings.SAMM))
    assert sum(bool(r.more[2]) for r in rows) == 61
    assert sorted(c.clip for c in full['samm'].clips.values() if c.repaired) == [
        '028_4_1',
        '032_3_1',
    ]


def test_samm_on_disk(full, tmp_path):
    """Header in Excel row 14, Duration a checksum, padded file names, 136 frames of 013_1_9 in a
    cropped tree only.
    """
    table = cells(full['samm'])
    assert table[13][:6] == [
        'Subject',
        'Filename',
        'Inducement Code',
        'Onset Frame',
        'Apex Frame',
        'Offset Frame',
    ]
    assert len(table) == 14 + 159 and all(row[6] == row[5] - row[3] + 1 for row in table[14:])
    rows = {row[1]: row for row in table[14:]}
    assert rows['028_4_1'][3:6] == [1071, 1143, 1134] and rows['032_3_1'][3:6] == [4896, 1930, 4970]
    assert rows['032_3_2'][3:6] == [5126, 5127, 5207] and rows['007_6_5'][8] == '(R6 or R12) + R15'
    assert (full['samm'].images / '006/006_1_2/006_05562.jpg').exists()
    assert len(full['samm'].clips['013_1_9'].numbers) == 82
    assert len(samm.write(tmp_path, size='full', layout='cropped').clips['013_1_9'].numbers) == 136


@pytest.mark.parametrize(
    'part, counts, subjects',
    [
        ('HS', {'negative': 70, 'positive': 51, 'surprise': 43}, 16),
        ('VIS', {'negative': 23, 'positive': 28, 'surprise': 20}, 8),
        ('NIR', {'negative': 23, 'positive': 28, 'surprise': 20}, 8),
    ],
)
def test_smic_has_the_published_totals(part, counts, subjects):
    """164 clips of 16 subjects with HS, 71 of 8 with the others."""
    rows = smic.rows(part, 'full')
    assert Counter(r.emotion for r in rows) == counts and len({r.subject for r in rows}) == subjects
    if part == 'HS':
        assert Counter(len(str(r.onset)) for r in rows) == {6: 102, 8: 24, 5: 21, 7: 17}
        frames = {r.name: r.offset - r.onset + 1 for r in rows}
        assert frames['s14_ne_01'] == 51 and frames['s14_ne_03'] == 58
        assert {'s03_ne_20', 's03_po_08', 's09_sur_02', 's02_sur_05'} <= frames.keys()


def test_smic_on_disk(full, tmp_path):
    """Unpadded folders, six digits and more, a non_micro folder; NIR without the word before the
    number.
    """
    images = full['smic'].images
    assert (images / 's1/micro/negative/s1_ne_01/reg_image559740.bmp').exists()
    assert (images / 's6/micro/negative/s6_ne_01/reg_image034208.bmp').exists()
    assert (images / 's5/micro/negative/s5_ne_01/reg_image1000000.bmp').exists()
    assert (images / 's1/non_micro').is_dir() and not (images / 's01').exists()
    nir = smic.write(tmp_path, size='full', layout='raw', parts=('NIR',))
    assert all(re.fullmatch(r'\d{5}\.bmp', p.name) for p in nir.clips['s20_ne_01'].folder.iterdir())


@pytest.mark.parametrize(
    'name, table', [('samm', megc2019.SAMM), ('smic', megc2019.SMIC), ('casme2', megc2019.CASME2)]
)
def test_megc2019_per_subject(full, name, table):
    """The composite's table per subject: 442 clips, 250 negative, 109 positive, 83 surprise."""
    release, seen = full[name], {}
    for clip, word in megc2019.members(release).items():
        row = seen.setdefault(release.clips[clip].subject, [0, 0, 0])
        row[('negative', 'positive', 'surprise').index(word)] += 1
    assert {subject: tuple(row) for subject, row in seen.items()} == table
    every = [*megc2019.SAMM.values(), *megc2019.SMIC.values(), *megc2019.CASME2.values()]
    assert [sum(column) for column in zip(*every, strict=True)] == [250, 109, 83] and len(
        every
    ) == 68


def test_casme_squared_has_the_published_totals(full):
    """300 macro and 57 micro rows, subjects, videos, irregular values."""
    clips = list(full['casme_squared'].clips.values())
    micro, macro = ([c for c in clips if c.kind == kind] for kind in ('micro', 'macro'))
    assert Counter(c.emotion for c in micro) == {
        'negative': 21,
        'positive': 8,
        'others': 19,
        'surprise': 9,
    }
    assert Counter(c.emotion for c in macro) == {
        'negative': 105,
        'positive': 116,
        'others': 63,
        'surprise': 16,
    }
    assert [
        (len({c.subject for c in part}), len({c.folder for c in part}))
        for part in (micro, macro, clips)
    ] == [(14, 33), (20, 89), (22, 95)]
    assert Counter(c.subject for c in micro) == {
        's27': 11,
        's16': 8,
        's24': 8,
        's31': 6,
        's32': 6,
        's25': 4,
        's23': 3,
        's15': 2,
        's30': 2,
        's35': 2,
        's37': 2,
        's19': 1,
        's29': 1,
        's38': 1,
    }
    frames = [c.offset - c.onset + 1 for c in micro]
    assert (min(frames), max(frames), round(np.mean(frames), 1)) == (9, 17, 13.6) and not any(
        c.repaired for c in micro
    )
    nulls = [c for c in clips if not c.action_units_known]
    assert Counter(c.action_units for c in nulls) == {'NULL': 4, 'null': 7}
    assert sorted(c.clip for c in nulls if c.kind == 'micro') == [
        's15_disgust2_3',
        's24_happy4_7',
        's27_happy2_2',
    ]
    assert len({c.action_units for c in clips}) == 116
    assert {*au_strings.strings(au_strings.CAS2)} <= {c.action_units for c in clips}


def test_casme_squared_irregular_rows():
    """Zeros and apexes after the offset where they are published; the un-updated workbook differs
    in 215 strings.
    """
    rows, old = casme_squared_rows.full(), casme_squared_rows.full(updated=False)
    times = {(r.subject, r.name): (r.onset, r.apex, r.offset) for r in rows}
    zero = [r for r in rows if r.offset == 0]
    assert len(zero) == 44 and {r.kind for r in zero} == {'macro-expression'}
    assert times[17, 'anger1_1'] == (1763, 0, 1787) and sum(t[1] == 0 for t in times.values()) == 1
    assert {k: t for k, t in times.items() if t[1] > t[2] > 0} == {
        (11, 'disgust1_5'): (1221, 1230, 1224),
        (14, 'happy2_1'): (2169, 2203, 2202),
        (15, 'anger1_12'): (2407, 2455, 2451),
    }
    assert times[9, 'disgust2_4'][::2] == (1018, 1034)
    assert Counter(r.more[1] for r in rows) == {
        'happiness': 146,
        'disgust': 74,
        'anger': 55,
        'surprise': 36,
        'fear': 21,
        'sadness': 9,
        'helpless': 5,
        'pain': 5,
        'confused': 3,
        'sympathy': 2,
        'happyiness': 1,
    }
    assert sum(a.action_units != b.action_units for a, b in zip(rows, old, strict=True)) == 215
    assert {'45+62', '4+7+15+42'} <= {r.action_units for r in old} - {r.action_units for r in rows}


def test_casme_squared_on_disk(full):
    """Three sheets without a header; rule 1 a line per annotation, rule 2 with text codes; misspelt
    titles.
    """
    release = full['casme_squared']
    book = openpyxl.load_workbook(release.sheets[0])
    assert book.sheetnames == ['CASFEcode_final', 'naming rule1', 'naming rule2']
    coded, rule1, rule2 = (
        [[c.value for c in row] for row in page.iter_rows()] for page in book.worksheets
    )
    assert len(coded) == len(rule1) == 357 and all(len(row) == 9 for row in coded)
    assert [row[2] for row in rule1] == [row[0] for row in coded] and rule1[0] == [15, 's15', 1]
    assert ['0101', 'disgust1'] in rule2 and len(rule2) == 9
    clip = release.clips['s25_disgust2_4']
    assert coded[clip.row - 1][:5] == [9, 'disgust2_4', 1018, 1026, 1034]
    assert (release.images / 's25/25_0102eatingworms/img1018.jpg').exists()
    assert any(
        (p / 'img099.jpg').exists() and (p / 'img100.jpg').exists()
        for p in release.images.glob('*/*')
    )
    assert any(p.name.endswith('0503unnyfarting') for p in release.images.glob('*/*'))


@pytest.mark.parametrize(
    'layout, path',
    [
        ('cropped_updated', 'Cropped-updated/Cropped/1/EP02_01f/reg_img46.jpg'),
        ('padded', 'CASME2_RAW_selected/sub01/EP02_01f/img046.jpg'),
        ('raw', 'CASME2_RAW/CASME2-RAW/sub01/EP02_01f/img1.jpg'),
        ('selected', 'CASME2_RAW_selected/sub01/EP02_01f/img46.jpg'),
    ],
)
def test_casme2_layouts(tmp_path, layout, path):
    """The folder and file names that circulate."""
    release = casme2.write(tmp_path, size='tiny', layout=layout, edition='both')
    assert (tmp_path / path).exists() and len(release.sheets) == 2


def test_what_must_be_refused_is_there(tmp_path):
    """SMIC-E and SAMM Long Videos carry workbooks of their own and other frame numbers."""
    smic.write_e(tmp_path / 'e')
    samm.write_long_videos(tmp_path / 'long')
    assert (tmp_path / 'e/SMIC_HS_E/s20/s20_ne_01/image17581039.jpg').exists()
    assert (tmp_path / 'long/SAMM_longvideos/006_1/006_1_0001.jpg').exists()
    page = openpyxl.load_workbook(tmp_path / 'long/SAMM_LongVideos_V2_Release.xlsx')[
        'FACS_Movement_Only'
    ]
    assert [c.value for c in page[10]][:4] == ['Subject', 'Filename', 'Inducement Code', 'Onset']


def test_csv_copies(tmp_path):
    """Byte order mark, CRLF, ';' on request; CAS(ME)^2 copies gain an index and a path."""
    sheet = (
        samm.write(tmp_path / 'a', size='full', sheet='.csv', workbook=('semicolons',))
        .sheets[0]
        .read_bytes()
    )
    assert sheet.startswith(b'\xef\xbb\xbf') and sheet.count(b'\r\n') == 14 + 159
    assert b';028_4_1;4;1071;1143;1134;' in sheet
    sheet = (
        casme_squared.write(tmp_path / 'b', size='full', sheet='.csv')
        .sheets[0]
        .read_text('utf-8-sig')
    )
    assert sheet.split('\n')[0].startswith('0,1,disgust1_1,')


def test_same_bytes_every_time(tmp_path):
    """The fakes may not depend on the process: fingerprints are compared across builds."""
    a, b = (smic.write(tmp_path / name, size='tiny').images for name in 'ab')
    files = sorted(p.relative_to(a) for p in a.rglob('*.bmp'))
    assert files and all((a / f).read_bytes() == (b / f).read_bytes() for f in files)


def test_earlier_names_still_import():
    """Other tests write the published flow features by these names."""
    assert all(
        hasattr(fake_raw, name)
        for name in ('write_precomputed_flow', 'flow_name', 'write_png', 'EMOTIONS')
    )


@pytest.mark.parametrize(
    'name, distinct', [('CASME2', 91), ('SAMM', 97), ('SAMM_LONG_VIDEOS', 92), ('CAS3_PART_C', 34)]
)
def test_au_strings_are_complete(name, distinct):
    """Counts of distinct strings as published."""
    texts = au_strings.strings(getattr(au_strings, name))
    assert len(texts) == len(set(texts)) == distinct
