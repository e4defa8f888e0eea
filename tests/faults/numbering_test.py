"""Releases whose frames are numbered otherwise than in their sheet: the right frames or a stop."""

import os

import pytest

from mer_jax.errors import UserError
from tests.faults.releases import Copy
from tests.faults.sheets_test import rewrite
from tfds_builders import frames
from tfds_builders.casme2 import corrections
from tfds_builders.clip import KeyFrames

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


def lengthened(copy, clip, more):
    """Adds `more` files behind the last one of a recording."""
    last = copy.files(clip)[-1]
    for number in range(1, more + 1):
        os.link(last, last.with_name(f'img{frames.number(last) + number}{last.suffix}'))


def halved(copy, clips):
    """Every second frame of some recordings is gone, and the others are numbered anew."""
    for clip in clips:
        remove(copy, clip, *range(1, len(copy.files(clip)), 2))
    copy.renumber(lambda index, number: index + 1, clips=clips)


def with_offset_in_the_first_half(copy):
    """All recordings but three go on long after their clip; then every second frame is gone."""
    for clip in sorted(copy.clips)[3:]:
        lengthened(copy, clip, copy.clips[clip].offset)
    halved(copy, copy.clips)


def of_one_length(copy):
    longest = max(len(copy.files(clip)) for clip in copy.clips)
    for clip in copy.clips:
        lengthened(copy, clip, longest - len(copy.files(clip)))


RECORDINGS = {  # name -> (release, layout, how it is spoilt, what the message names)
    'every second frame, three of twelve outside': (
        'casme2', 'raw', with_offset_in_the_first_half, '3 of 12 clips have their onset or offset',
    ),
    'a quarter halved': (
        'casme2', 'raw', lambda copy: halved(copy, sorted(copy.clips)[:4]), 'of 12 clips have',
    ),
    'from 0': (
        'casme2', 'raw', lambda copy: copy.renumber(lambda index, number: index),
        '12 of 12 whole recordings begin at 0; the files start at 0',
    ),
    'milliseconds': (
        'casme2', 'raw', lambda copy: copy.renumber(lambda index, number: 5 * index + 5),
        'whole recordings are numbered in steps; .*steps of 5',
    ),
    'odd numbers': (
        'casme2', 'raw', lambda copy: copy.renumber(lambda index, number: 2 * index + 1),
        'steps of 2',
    ),
    'all of one length': ('casme2', 'raw', of_one_length, 'hold equally many .*files each'),
    'parts of videos of CAS(ME)^2 from 1': (
        'casme_squared', 'rawpic', lambda copy: copy.renumber(lambda index, number: index + 1),
        '9 of 11 clips have their onset or offset outside',
    ),
}  # fmt: skip


@pytest.mark.parametrize('case', RECORDINGS)
def test_whole_recordings_numbered_anew_stop(case, tmp_path):
    """If this fails, every key frame is another one and nothing lies outside to show it."""
    name, layout, spoil, words = RECORDINGS[case]
    copy = Copy(tmp_path, name, layout)
    spoil(copy)
    with pytest.raises(UserError, match=words) as error:
        copy.read()
    assert 'the first is ' in str(error.value) and '\n' not in str(error.value)


def test_a_recording_that_was_cut_off_does_not_stop_the_others(tmp_path):
    """If this fails, two damaged folders of a release make the whole of it useless."""
    copy = Copy(tmp_path, 'casme2', 'raw')
    for clip in sorted(copy.clips)[:2]:
        remove(copy, clip, *range(-12, 0))
    clips, rows = copy.read()
    assert len(clips) == 10
    copy.assert_right_frames(clips)
    assert len([row for row in rows if row.status == 'dropped']) == 2


def relative(number, cells):
    """The apex of a row counted from its onset: cells 3 and 4 of CASME II."""
    if number and isinstance(cells[4], int):
        cells[4] -= cells[3] - 1
    return cells


@pytest.mark.parametrize('layout', ['cropped', 'raw'])
def test_apexes_outside_their_clips_stop(layout, tmp_path):
    """If this fails, all apexes of a sheet that counts them from the onset are estimated."""
    copy = Copy(tmp_path, 'casme2', layout)
    rewrite(copy, relative)
    with pytest.raises(UserError, match='clips have their apex outside onset to offset') as error:
        copy.read()
    assert 'sub01_EP02_01f' in str(error.value)


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


CORRECTED = {  # name -> (numbers of the files of 97..104, published key frames, source of the apex)
    'onset and offset': (range(101, 120), (102, 106, 118), 'correction'),
    'offset': (range(97, 100), (-1, 98, 99), 'correction'),
    'onset': (range(100, 105), (100, -1, -1), 'annotated'),
    'numbered from 1': (range(1, 20), (102, 106, 120), 'correction'),
}


@pytest.mark.parametrize('case', CORRECTED)
def test_a_named_correction_moves_key_frames(case, tmp_path, monkeypatch):
    """If this fails, a clip whose frames are others than in the sheet can only be left out."""
    numbers, key_frames, source = CORRECTED[case]
    published = KeyFrames(*key_frames)
    monkeypatch.setitem(corrections.SETS, 'mimicking', {('01', 'EP03_02'): published})
    copy = Copy(tmp_path, 'casme2')
    content = copy.files(SPOILT)[0]
    for path in copy.files(SPOILT)[1:]:
        path.unlink()
    for number in numbers:
        os.link(content, content.with_name(f'reg_img{1000 + number}.jpg'))
    content.unlink()
    for path in copy.files(SPOILT):
        path.rename(path.with_name(f'reg_img{frames.number(path) - 1000}.jpg'))
    clips, rows = copy.read(corrections='mimicking')
    clip = clips[SPOILT]
    wanted = [new if new >= 0 else old for new, old in zip(published, (97, 101, 104), strict=True)]
    assert [clip.onset, clip.apex, clip.offset] == wanted and clip.apex_source == source
    assert clip.frames[0][0] == wanted[0] and clip.frames[-1][0] == wanted[2]
    (row,) = [row for row in rows if row.clip == SPOILT and 'corrections=' in row.reason]
    assert row.reason.count('of corrections=mimicking') == sum(new >= 0 for new in published)
    assert SPOILT not in copy.read()[0]  # unasked, it is left out


UNFIT = {  # name -> (published key frames, what the audit says)
    'onset that is not there': (KeyFrames(onset=90), 'onset has no file: 90'),
    'offset that is not there': (KeyFrames(98, 100, 110), 'offset has no file: 110'),
    'apex behind the offset': (KeyFrames(apex=103, offset=102), '103 is not in 98..102'),
    'apex at the onset': (KeyFrames(onset=101), ''),
}


@pytest.mark.parametrize('case', UNFIT)
def test_a_correction_that_does_not_fit_is_refused_as_a_whole(case, tmp_path, monkeypatch):
    """If this fails, a clip gets one key frame of the sheet and one of another list."""
    published, words = UNFIT[case]
    monkeypatch.setitem(corrections.SETS, 'mimicking', {('01', 'EP03_02'): published})
    copy = Copy(tmp_path, 'casme2')
    clips, rows = copy.read(corrections='mimicking')
    clip = clips[SPOILT]
    (row, *more) = [row for row in rows if row.clip == SPOILT]
    if words:
        assert (clip.onset, clip.apex, clip.offset) == (97, 101, 104)
        assert [row.status for row in more] == ['ignored'] and words in more[0].reason
    else:  # the sheet's apex is then none; it is estimated
        assert (clip.onset, clip.apex, clip.offset) == (101, -1, 104)


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


def test_a_release_of_key_frames_alone_is_read(tmp_path):
    """If this fails, who keeps the three frames that matter reads that they are resampled."""
    copy = Copy(tmp_path, 'casme2')
    for clip, own in copy.clips.items():
        for path in copy.files(clip):
            if frames.number(path) not in (own.onset, own.apex, own.offset):
                path.unlink()
    clips, _ = copy.read()
    copy.assert_right_frames(clips)
    assert len(clips) == 12 and max(len(clip.frames) for clip in clips.values()) == 3


def test_a_clip_numbered_by_its_sheet_among_others_that_are_not(tmp_path):
    """If this fails, a release mended by hand in part is read by one rule for all."""
    copy = Copy(tmp_path, 'casme2')
    copy.renumber(lambda index, number: index + 1, clips=sorted(copy.clips)[3:])
    clips, rows = copy.read()
    copy.assert_right_frames(clips)
    assert len(clips) == 12 and sum('numbered otherwise' in row.reason for row in rows) == 9
