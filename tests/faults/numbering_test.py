"""Releases whose frames are numbered otherwise than in their sheet: the right frames or a stop."""

import os

import pytest

from mer_jax.errors import UserError
from tests.faults.releases import Copy

SPOILT = 'sub01_EP03_02'  # 97 to 104, apex 101


def resample(copy, count, first=1):
    """Every folder holds `count` files, numbered from `first`."""
    for clip in copy.clips:
        paths = copy.files(clip)
        suffix = paths[0].suffix
        for index in range(count):
            target = copy.place(clip) / f'new{first + index}{suffix}'
            os.link(paths[index * len(paths) // count], target)
        for path in paths:
            path.unlink()
        for path in list(copy.place(clip).iterdir()):
            path.rename(path.with_name(path.name.replace('new', 'reg_img')))


def remove(copy, clip, *positions):
    paths = copy.files(clip)
    for position in positions:
        paths[position].unlink()


READ = {  # name -> (release, layout, number_of, pattern)
    'from 1': ('casme2', 'cropped', lambda index, number: index + 1, ''),
    'from 0, padded': ('casme2', 'selected', lambda index, number: index, 'img{:04d}.jpg'),
    'SAMM from 1': ('samm', 'raw', lambda index, number: index + 1, '{:05d}.jpg'),
    'SAMM as in the long videos': ('samm', 'raw', lambda index, number: number + 2000, ''),
    'CAS(ME)^2 from 0': ('casme_squared', 'selectedpic', lambda index, number: index, ''),
    'crops of CAS(ME)^2 from 1': ('casme_squared', 'cropped', lambda index, number: index + 1, ''),
    'seven later': ('casme2', 'cropped_updated', lambda index, number: number + 7, ''),
}


@pytest.mark.parametrize('case', READ)
def test_a_complete_clip_is_read_whatever_its_numbers(case, tmp_path):
    """If this fails, key frames are moved by up to a whole clip and the build ends well."""
    name, layout, number_of, pattern = READ[case]
    copy = Copy(tmp_path, name, layout)
    copy.renumber(number_of, pattern)
    clips, rows = copy.read()
    complete = {
        clip: own
        for clip, own in copy.clips.items()
        if len(own.numbers) == own.offset - own.onset + 1  # one folder of CAS(ME)^2 has one more
    }
    assert set(clips) == set(complete) and len(complete) + 1 >= len(copy.clips)
    copy.assert_right_frames(clips)
    for clip, own in complete.items():
        read = clips[clip]
        assert (read.onset, read.apex, read.offset) == (own.onset, own.apex or -1, own.offset)
        (row,) = [row for row in rows if row.clip == clip]
        first = number_of(0, own.onset)
        renumbered = first != own.onset
        assert ('numbered otherwise' in row.reason) == renumbered
        assert not renumbered or row.old.startswith(f'{first} to ')


def test_a_folder_without_a_telling_name_is_no_recording_because_it_starts_at_1(tmp_path):
    """If this fails, onset to offset is cut out of a clip that was numbered from 1."""
    copy = Copy(tmp_path, 'casme2', 'selected')
    copy.renumber(lambda index, number: index + 1)
    (copy.folder / 'CASME2_RAW_selected').rename(copy.folder / 'CASME2_RAW')
    clips, _ = copy.read()
    assert set(clips) == set(copy.clips)
    copy.assert_right_frames(clips)


def part_of_recordings(copy):
    """Whole recordings of another count: every number is 1000 larger."""
    copy.renumber(lambda index, number: number + 1000)


STOPPED = {  # name -> (layout, how it is spoilt, what the message names)
    'resampled to 3, from 1': ('cropped', lambda copy: resample(copy, 3), '1 to 3 .3 files'),
    'resampled to 10, from 0': (
        'cropped', lambda copy: resample(copy, 10, 0), 'start at 0 in .* hold 10 files',
    ),
    'resampled to 130, from 1': (
        'cropped', lambda copy: resample(copy, 130), '12 of 12 .*hold 130 files',
    ),
    'one frame lost in each clip, from 1': (
        'cropped',
        lambda copy: (copy.renumber(lambda i, n: i + 1), [remove(copy, c, 3) for c in copy.clips]),
        'start at 1',
    ),
    'every second number': (
        'selected', lambda copy: copy.renumber(lambda index, number: 2 * index), 'start at 0',
    ),
    'recordings of another count': ('raw', part_of_recordings, '1001 to '),
    'half of the clips': (
        'cropped',
        lambda copy: (
            copy.renumber(lambda i, n: i + 1, clips=sorted(copy.clips)[::2]),
            [remove(copy, clip, 0) for clip in sorted(copy.clips)[::2]],
        ),
        '6 of 12 clips',
    ),
}  # fmt: skip


@pytest.mark.parametrize('case', STOPPED)
def test_a_release_that_fits_no_numbering_stops(case, tmp_path):
    """If this fails, most clips of such a release are "repaired" to other frames, exit 0."""
    layout, spoil, words = STOPPED[case]
    copy = Copy(tmp_path, 'casme2', layout)
    spoil(copy)
    with pytest.raises(UserError, match=words) as error:
        copy.read()
    text = str(error.value)
    assert 'sub01_EP02_01f' in text and '46 to 54' in text and '\n' not in text


REPAIRED = {  # name -> (files removed of 97..104, key frames as read)
    'two frames late': ((0, 1), (99, 101, 104)),
    'two frames early': ((-1, -2), (97, 101, 102)),
    'ends at the apex': ((-1, -2, -3), (97, 101, 101)),
    'without its apex': ((4,), (97, -1, 104)),
    'every second frame': ((1, 3, 5, 7), (97, 101, 103)),
}
DROPPED = {  # name -> files removed
    'three frames late': (0, 1, 2),
    'ends before the apex': (-1, -2, -3, -4),
    'late, and ends early': (0, -1, -2, -3),
}


@pytest.mark.parametrize('case', [*REPAIRED, *DROPPED])
def test_one_clip_with_missing_ends(case, tmp_path):
    """If this fails, a key frame moves by more than two frames, or a clip that ends early goes."""
    copy = Copy(tmp_path, 'casme2')
    positions, key_frames = REPAIRED.get(case, (DROPPED.get(case), ()))
    remove(copy, SPOILT, *positions)
    clips, rows = copy.read()
    (row,) = [row for row in rows if row.clip == SPOILT]
    assert row.status == ('repaired' if key_frames else 'dropped') and row.reason
    assert len(clips) == len(copy.clips) - (not key_frames)
    if key_frames:
        clip = clips[SPOILT]
        assert (clip.onset, clip.apex, clip.offset) == key_frames
        copy.assert_right_frames({SPOILT: clip})


def test_an_incomplete_clip_of_a_renumbered_release_is_dropped(tmp_path):
    """If this fails, 1 to 13 of 14 frames are read as frames 6 to 13 of the sheet."""
    copy = Copy(tmp_path, 'casme2')
    copy.renumber(lambda index, number: index + 1)
    lost = 'sub05_EP12_03f'  # 6 to 14 in the sheet
    remove(copy, lost, 2)
    os.link(copy.files('sub01_EP02_01f')[0], copy.place('sub17_EP06_02_01') / 'reg_img10.jpg')
    clips, rows = copy.read()
    dropped = {row.clip: row for row in rows if row.status == 'dropped'}
    assert set(dropped) == {lost, 'sub17_EP06_02_01'} and len(clips) == 10
    assert '1 to 9 (8 files) for the 9 frames from 6 to 14' in dropped[lost].reason


STRAY = {  # name -> (release, names of the strays of a file)
    'a flow beside the first frame of SMIC': ('smic', ['{}_1'], 1),
    'three flows beside every frame of SMIC': ('smic', ['{}_1', '{}_2', '{}_3'], 99),
    'flows before the frames of SMIC': ('smic', ['flow_0', 'flow_1'], 1),
    'three flows beside every frame': ('casme2', ['{}_1', '{}_2', '{}_3'], 99),
    'a mean face': ('casme2', ['mean_50'], 1),
    'a flow beside SAMM': ('samm', ['{}_flow_7'], 1),
}


@pytest.mark.parametrize('case', STRAY)
def test_pictures_made_of_frames_are_no_frames(case, tmp_path):
    """If this fails, image559740_1 is frame 1 of a clip that begins with frame 559740."""
    name, strays, frames_with = STRAY[case]
    copy = Copy(tmp_path, name)
    clips, _ = copy.read()
    for clip in copy.clips:
        for path in copy.files(clip)[:frames_with]:
            for stray in strays:
                os.link(path, path.with_stem(stray.format(path.stem)))
    spoilt, rows = copy.read()
    assert {clip: read[6:] for clip, read in spoilt.items()} == {
        clip: read[6:] for clip, read in clips.items()
    }
    ignored = [row for row in rows if row.clip in clips and row.status == 'ignored']
    assert ignored and all('no frame of this clip' in row.reason for row in ignored)


def test_a_clip_numbered_by_its_sheet_among_others_that_are_not(tmp_path):
    """If this fails, a release mended by hand in part is read by one rule for all."""
    copy = Copy(tmp_path, 'casme2')
    copy.renumber(lambda index, number: index + 1, clips=sorted(copy.clips)[3:])
    clips, rows = copy.read()
    copy.assert_right_frames(clips)
    assert len(clips) == 12 and sum('numbered otherwise' in row.reason for row in rows) == 9
