"""The fakes of the official releases: truth against files, pictures that move, faults that do what
they say.
"""

import re

import cv2
import numpy as np
import openpyxl
import pytest

from tests.support.fake_raw import casme2, casme2_rows, composite, faults, sheet_faults


@pytest.fixture(scope='module')
def small(tmp_path_factory):
    """Every release in small size, written once."""
    return composite.write(tmp_path_factory.mktemp('small'))


def cells(release):
    """All rows of the first sheet of the workbook, as openpyxl gives them."""
    book = openpyxl.load_workbook(release.sheets[0])
    return [[c.value for c in row] for row in book.worksheets[0].iter_rows()]


@pytest.mark.parametrize('size', ['full', 'tiny', 'small'])
@pytest.mark.parametrize('name', composite.WRITERS)
def test_truth_agrees_with_the_files(tmp_path, small, name, size):
    """A truth that is not on disk would fail a right reader, or pass a wrong one."""
    release = (
        small[name] if size == 'small' else composite.write(tmp_path, (name,), size=size)[name]
    )
    for clip in release.clips.values():
        found = {int(re.search(r'\d+$', p.stem)[0]) for p in clip.folder.iterdir()}
        assert set(clip.numbers) <= found and clip.onset in found, clip
        if name != 'casme_squared':
            assert set(clip.numbers) == found
        assert clip.apex is None or clip.onset < clip.apex <= clip.offset
        assert clip.offset in found or clip.offset == 0 and clip.kind == 'macro'


@pytest.mark.parametrize(
    'name, size, channels',
    [
        ('casme2', None, 3),
        ('samm', (650, 960), 1),
        ('smic', (170, 140), 3),
        ('casme_squared', (480, 640), 3),
    ],
)
def test_small_clips_look_and_move(small, name, size, channels):
    """Pixel stages need texture, documented sizes, and most movement at the apex."""
    release = small[name]
    assert (
        10 <= len(release.clips) <= 14
        and 4 <= len({c.subject for c in release.clips.values()}) <= 6
    )
    sizes = set()
    for clip in [c for c in release.clips.values() if c.kind == 'micro'][:4]:
        paths = {int(re.search(r'\d+$', p.stem)[0]): str(p) for p in clip.folder.iterdir()}
        frames = {number: cv2.imread(path, cv2.IMREAD_UNCHANGED) for number, path in paths.items()}
        first = frames[clip.onset].astype(float)
        change = {n: np.abs(frames[n] - first).mean() for n in clip.numbers}
        peak = max(change, key=change.get)
        assert (
            peak == (clip.apex or (clip.onset + clip.offset) // 2)
            and change[peak] > 0.1
            and first.std() > 20
        )
        assert (first.ndim, size or first.shape[:2]) == (2 if channels == 1 else 3, first.shape[:2])
        sizes.add(first.shape)
    assert len(sizes) > 1 if name == 'casme2' else len(sizes) == 1


def test_small_movement_is_one_to_two_pixels(small):
    """Flow between onset and apex has the size of a real micro-expression."""
    clip = small['casme2'].clips['sub01_EP02_01f']
    first, apex = (
        cv2.imread(str(clip.folder / f'reg_img{n}.jpg'), 0) for n in (clip.onset, clip.apex)
    )
    flow = cv2.calcOpticalFlowFarneback(first, apex, None, 0.5, 3, 15, 3, 5, 1.2, 0)
    assert 1.0 < np.linalg.norm(flow, axis=-1).max() < 3.5


@pytest.mark.parametrize('name', faults.FILES)
def test_file_faults_change_the_folder(tmp_path, name):
    """A fault that does nothing makes its test pass for nothing."""
    plain = casme2.write(tmp_path / 'plain', size='tiny').clips['sub01_EP03_02']
    spoilt = casme2.write(tmp_path / 'spoilt', size='tiny', faults={plain.clip: (name,)}).clips[
        plain.clip
    ]
    before, after = (
        {p.name: p.read_bytes() for p in c.folder.rglob('*') if p.is_file()}
        if c.folder.is_dir()
        else None
        for c in (plain, spoilt)
    )
    assert before != after and (after is None) == (name == 'missing_folder')
    keys = {f'reg_img{n}.jpg' for n in (97, 101, 104)}
    if name not in ('missing_folder', 'empty_folder'):
        assert all(before[key] == after[key] for key in keys), 'a key frame was spoilt'


def test_faults_at_key_frames_and_in_rows(tmp_path):
    """'missing:apex' takes the apex; row and workbook faults reach the cells; a mistyped fault is
    refused.
    """
    ids = ('sub01_EP02_01f', 'sub01_EP03_02', 'sub01_EP04_04')
    spoilt = dict(
        zip(ids, (('missing:apex',), ('swapped_apex',), ('differing_duplicate',)), strict=True)
    )
    release = casme2.write(
        tmp_path,
        size='tiny',
        edition='2014',
        faults=spoilt,
        workbook=('subject_integers', 'header_style'),
    )
    assert not (release.clips[ids[0]].folder / 'reg_img50.jpg').exists()
    table = cells(release)
    assert table[0][1] == ' FILENAME ' and table[1][0] == 1
    assert (
        table[2][3:6] == [97, 104, 101]
        and [row[3] for row in table[3:5]] == [5, 6]
        and len(table) == 14
    )
    with pytest.raises(KeyError):
        casme2.write(tmp_path, faults={ids[0]: ('truncatd',)})


@pytest.mark.parametrize('fault', sheet_faults.ROWS)
def test_row_faults_change_the_row(fault):
    """Every row fault gives another list of rows."""
    row = casme2_rows.small()[0]
    assert list(map(repr, sheet_faults.ROWS[fault](row))) != [repr(row)]
