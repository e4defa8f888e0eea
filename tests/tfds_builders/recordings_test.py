"""The long recordings of CAS(ME)^2 as records, on a fake of the documented layout."""

import os
import shutil
from pathlib import Path

import pytest

import tfds_builders
from mer_jax.errors import UserError
from tests.support.fake_raw import casme_squared
from tfds_builders import audit, frames, recordings
from tfds_builders.casme_squared import layout

RAW, NAME = {'frames': 'raw'}, 'casme_squared/recordings'
SPOILT = 's15/15_0101disgustingteeth'


@pytest.fixture(scope='module')
def written(tmp_path_factory):
    return casme_squared.write(tmp_path_factory.mktemp('raw'), size='tiny', whole=True)


@pytest.fixture
def copy(written, tmp_path):
    """The release, to be spoilt."""
    return shutil.copytree(written.folder, tmp_path / 'copy', copy_function=os.link)


def read(folder, **options):
    return layout.read_recordings(layout.find(folder), options={**RAW, **options})


def changed(rows):
    return {row.file: row for row in rows if row.status != 'used'}


def built(folder, tmp_path, **options):
    where = {'data_dir': tmp_path / 'data', 'manual_dir': folder}
    return tfds_builders.prepare(NAME, progress=False, **where, **options)


def test_every_recording_with_all_its_expressions(written, tmp_path):
    """If this fails, hits count as false alarms, or a recording without expressions is forgotten,
    in which every interval that a search spots is a false alarm.
    """
    builder = built(written.folder, tmp_path)
    records = [recordings.from_record(record) for record in tfds_builders.records(builder)]
    by_id = {record.clip: record for record in records}
    assert len(records) == 11 and by_id['s16_0505'].intervals == ()
    annotated = [interval for record in records for interval in record.intervals]
    assert {interval.clip for interval in annotated} == set(written.clips)
    for interval in annotated:
        clip = written.clips[interval.clip]
        assert (interval.kind, interval.emotion) == (clip.kind, clip.emotion)
        if clip.offset:  # one was coded
            key_frames = interval.onset, interval.apex, interval.offset
            assert key_frames == (clip.onset, clip.apex or -1, clip.offset)
        assert (interval.action_units, interval.action_units_known) == (
            clip.action_units.strip(),
            clip.action_units_known,
        )
    first = by_id['s15_0101']
    assert [(item.onset, item.apex, item.offset) for item in first.intervals] == [
        (12, 30, 40),
        (95, 99, 103),
    ]
    # no offset was coded: the interval ends at its apex, as in the baseline of MEGC 2020
    assert by_id['s16_0502'].intervals[1][-3:] == (60, 66, 66)
    assert (first.subject, first.fps, first.cropped) == ('s15', 30.0, False)
    folder = layout.find(written.folder) / first.folder
    assert list(first.frame_numbers) == [number for number, _ in frames.numbered(folder)]
    # every field of a record came back from disk as it was read from the release
    direct = {record.clip: record for record in read(written.folder)[0]}
    for clip, record in by_id.items():
        same = record._replace(frame_numbers=()), direct[clip]._replace(frame_numbers=())
        assert same[0] == same[1]
    statuses = [row.status for row in audit.read(Path(builder.data_dir) / audit.FILENAME)]
    assert set(statuses) == {'used', 'repaired'} and len(statuses) == len(annotated) + len(records)


def test_a_build_notices_what_the_user_adds(copy, tmp_path):
    """If this fails, a recording that was unpacked later is never searched."""
    built(copy, tmp_path)
    images = copy / 'CAS(ME)^2/rawpic'
    (images / casme_squared.UNANNOTATED / 'img030.jpg').unlink()
    with pytest.raises(UserError, match='16_0505funnyinnovations'):
        built(copy, tmp_path)


def test_gaps_and_damaged_frames_are_said_and_no_frame_is_guessed(copy):
    """If this fails, frames are counted by position, so that every later interval is shifted."""
    folder = copy / 'CAS(ME)^2/rawpic' / SPOILT
    for number in (1, 2, 30, 60):
        (folder / f'img{number:03d}.jpg').unlink()
    (folder / 'img070.jpg').unlink()  # a link: the other copies keep theirs
    (folder / 'img070.jpg').write_bytes(b'')
    records, rows = read(copy)
    record = next(record for record in records if record.clip == 's15_0101')
    assert {1, 2, 30, 60, 70}.isdisjoint(record.frame_numbers) and len(record.frame_numbers) == 102
    first, second = record.intervals
    assert first[-3:] == (12, -1, 40) and second[-3:] == (95, 99, 103)
    found = changed(rows)
    assert '1, 2, 30, 60, 70' in found[f'rawpic/{SPOILT}'].reason
    assert found[f'rawpic/{SPOILT}/img070.jpg'].status == 'dropped'


def test_an_expression_outside_of_its_recording_is_dropped_and_named(copy):
    """If this fails, the ground truth has an interval that no search of these frames can find."""
    folder = copy / 'CAS(ME)^2/rawpic' / SPOILT
    for number in range(50, 108):
        (folder / f'img{number:03d}.jpg').unlink()
    shutil.rmtree(copy / 'CAS(ME)^2/rawpic/s34/34_0401girlcrashing')
    records, rows = read(copy)
    assert len(records) == 10
    dropped = {row.clip: row for row in rows if row.status == 'dropped'}
    assert set(dropped) == {'s15_disgust1_2', 's34_anger1_1'}
    assert '95' in dropped['s15_disgust1_2'].reason
    assert 'rawpic' in dropped['s34_anger1_1'].reason


def test_whose_recording_it_is_must_be_seen(copy):
    """If this fails, a recording is searched for another person's expressions."""
    images = copy / 'CAS(ME)^2/rawpic'
    (images / SPOILT).rename(images / 's16/15_0101disgustingteeth')
    records, rows = read(copy)
    assert 's15_0101' not in {record.clip for record in records}
    assert changed(rows)['rawpic/s16/15_0101disgustingteeth'].status == 'dropped'


def test_a_recording_in_two_folders_stops_the_build(copy):
    """If this fails, one of two copies is read by chance."""
    images = copy / 'CAS(ME)^2/rawpic'
    shutil.copytree(images / SPOILT, images / 's15/15_0101other')
    _, rows = read(copy)
    assert changed(rows)['rawpic/s15/15_0101other'].status == 'error'


@pytest.mark.parametrize(
    'layout_name, there', [('selectedpic', 'selected'), ('cropped', 'cropped')]
)
def test_single_clips_are_no_recordings(layout_name, there, tmp_path):
    """If this fails, a search sees expressions only, and none of its alarms is false."""
    casme_squared.write(tmp_path, size='tiny', layout=layout_name)
    with pytest.raises(UserError, match=f'frames=raw: .*but {there} frames of single clips'):
        read(tmp_path)


def test_clips_under_the_names_of_recordings_are_refused(copy):
    """If this fails, folders cut to their expressions pass for recordings."""
    for folder, first, last in (
        ('s15/15_0507climbingthewall', 20, 29),
        ('s24/24_0508funnydunkey', 5, 13),
        ('s25/25_0503unnyfarting', 90, 99),
        ('s16/16_0102eatingworms', 997, 1006),
        ('s25/25_0102eatingworms', 1018, 1034),
        ('s34/34_0401girlcrashing', 63, 80),
        (SPOILT, 12, 40),
    ):
        for number, path in frames.numbered(copy / 'CAS(ME)^2/rawpic' / folder):
            if not first <= number <= last:
                path.unlink()
    with pytest.raises(UserError, match='single clips, not whole recordings'):
        read(copy)


def test_frames_from_0_are_refused(copy):
    """If this fails, every interval is one frame early."""
    for folder in (copy / 'CAS(ME)^2/rawpic').glob('*/*'):
        for number, path in frames.numbered(folder):
            path.rename(folder / f'img{number - 1:03d}.jpg')
    with pytest.raises(UserError, match='begin at 0'):
        read(copy)


def test_the_face_crops_of_recordings_are_read_on_request(tmp_path):
    """If this fails, who has the cropped recordings alone cannot score a search."""
    casme_squared.write(tmp_path, size='tiny', layout='long_cropped')
    records, _ = read(tmp_path, frames='cropped')
    assert len(records) == 10 and all(record.cropped for record in records)
    with pytest.raises(UserError, match='but cropped frames of whole recordings'):
        read(tmp_path)
