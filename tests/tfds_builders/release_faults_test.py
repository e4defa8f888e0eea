"""What becomes of damaged, missing and misplaced frames of every release: named, then used,
repaired or dropped by one rule.
"""

import pytest

from tests.support.fake_raw import casme2, casme_squared, faults, samm, sheet_faults, smic
from tests.tfds_builders.release_counts_test import read
from tfds_builders import audit

WRITERS = {'casme2': casme2, 'samm': samm, 'smic': smic, 'casme_squared': casme_squared}
# 16-bit grey, JPEG bytes in a .png, what systems leave behind
HARMLESS = ('png16', 'wrong_suffix', 'litter')
ABSENT = ('missing', 'misnamed')  # no file of that number
GONE = ('missing_folder', 'empty_folder')
DAMAGED = tuple(sorted(set(faults.FILES) - {*HARMLESS, *ABSENT, *GONE}))


def spoilt(name, folder, names, place=''):
    """[(fault, unspoilt truth of its clip)]; by (fault, clip id) the clip read, if any, and all
    audit rows of that release.
    """
    truth = WRITERS[name].write(folder / 'whole', size='tiny')
    sound = [
        clip
        for clip in truth.clips.values()
        if clip.kind == 'micro' and (name == 'smic' or not clip.repaired)
    ]
    cases, clips, rows = [], {}, {}
    for start in range(0, len(names), len(sound)):
        pairs = list(zip(names[start : start + len(sound)], sound, strict=False))
        spoil = {own.clip: (fault + place,) for fault, own in pairs}
        written = WRITERS[name].write(folder / str(start), size='tiny', faults=spoil)
        found, more = read(name, written.folder)
        cases += [(fault, own) for fault, own in pairs]
        clips |= {
            (fault, clip.clip): clip
            for fault, own in pairs
            for clip in found
            if clip.clip == own.clip
        }
        rows |= {(fault, own.clip): more for fault, own in pairs}
        untouched = {clip.clip for clip in truth.clips.values() if clip.kind == 'micro'} - {
            own.clip for _, own in pairs
        }
        assert untouched <= {clip.clip for clip in found}, 'a fault of one clip cost another'
        kinds = {kind for row in more for kind in audit.reason_kinds(row)} - {'offset is 0'}
        assert not [kind for kind in kinds if any(map(str.isdigit, kind))], 'a kind for each clip'
    return cases, clips, rows


def told(rows, fault, own):
    return [
        (row.status, row.reason, row.file) for row in rows[fault, own.clip] if row.clip == own.clip
    ]


@pytest.mark.parametrize('name', sorted(WRITERS))
def test_a_frame_that_is_no_key_frame(name, tmp_path):
    """A broken frame in the middle must be named and left out; it must neither cost the clip nor be
    read.
    """
    cases, clips, rows = spoilt(name, tmp_path, HARMLESS + ABSENT + DAMAGED)
    for fault, own in cases:
        clip, found = clips[fault, own.clip], told(rows, fault, own)
        assert (clip.onset, clip.offset, clip.apex) == (own.onset, own.offset, own.apex or -1), (
            fault
        )
        lost = fault not in HARMLESS
        assert len(clip.frames) == own.offset - own.onset + 1 - lost, fault
        assert (
            any(
                status == 'repaired' and 'missing or damaged frame' in reason
                for status, reason, _ in found
            )
            == lost
        ), fault
        if fault in DAMAGED:
            assert any(
                status == 'dropped' and own.folder.name in file and reason
                for status, reason, file in found
            ), fault


@pytest.mark.parametrize('name', sorted(set(WRITERS) - {'smic'}))
def test_an_apex_frame(name, tmp_path):
    """A missing apex is estimated and marked so; a damaged one drops the clip, because another copy
    would have it.
    """
    cases, clips, rows = spoilt(
        name, tmp_path, ('png16', 'wrong_suffix', *ABSENT, *DAMAGED), ':apex'
    )
    for fault, own in cases:
        found = told(rows, fault, own)
        if fault in DAMAGED:
            assert (fault, own.clip) not in clips, fault
            assert any(
                status == 'dropped' and f'apex frame cannot be used: {own.apex}' in reason
                for status, reason, _ in found
            )
        else:
            clip = clips[fault, own.clip]
            estimated = fault in ABSENT
            assert (clip.apex, clip.apex_source) == (
                (-1, 'estimated') if estimated else (own.apex, 'annotated')
            ), fault
            assert (
                any('estimated from the frames' in reason for _, reason, _ in found) == estimated
            ), fault


@pytest.mark.parametrize('name', sorted(WRITERS))
def test_an_onset_frame_and_a_whole_folder(name, tmp_path):
    """The next frame stands in for a missing onset where a sheet tells that one is missing; a clip
    without frames is dropped.
    """
    cases, clips, rows = spoilt(name, tmp_path / 'a', (*ABSENT, *DAMAGED), ':onset')
    for fault, own in cases:
        if fault in DAMAGED:
            assert (fault, own.clip) not in clips and any(
                row[0] == 'dropped' for row in told(rows, fault, own)
            ), fault
        else:
            assert clips[fault, own.clip].onset == own.onset + 1, fault
            assert name == 'smic' or any(
                'onset frame is missing' in row[1] for row in told(rows, fault, own)
            )
    cases, clips, rows = spoilt(name, tmp_path / 'b', GONE)
    assert not clips
    for fault, own in cases:
        assert (
            name == 'smic'
            and fault == 'missing_folder'
            or any(row[0] == 'dropped' for row in told(rows, fault, own))
        ), fault


ERRORS = (
    'unknown_emotion',
    'emotion_empty',
    'malformed_onset',
    'malformed_offset',
    'onset_empty',
    'differing_duplicate',
)
ESTIMATED = (
    'malformed_apex',
    'apex_slash',
    'apex_empty',
    'apex_zero',
    'apex_equals_onset',
    'swapped_apex',
    'apex_before_onset',
)
MOVED = ('onset_too_early', 'offset_too_late')
DROPPED = ('offset_zero', 'interval_elsewhere')
USED = ('emotion_case', 'apex_equals_offset', 'text_numbers', 'float_numbers', 'duplicate_row')


@pytest.mark.parametrize('fault', sorted(sheet_faults.ROWS))
def test_a_row_of_the_sheet(fault, tmp_path):
    """No malformed cell is ever guessed at: it is an error, a repair by the rule, or a drop, and
    the row is named.
    """
    own = list(casme2.write(tmp_path / 'whole', size='tiny').clips.values())[2]
    clips, rows = read(
        'casme2', casme2.write(tmp_path / 'spoilt', size='tiny', faults={own.clip: (fault,)}).folder
    )
    found = [clip for clip in clips if clip.clip == own.clip]
    status = [row.status for row in rows if f'row {own.row}' in row.file or row.clip == own.clip]
    if fault in ERRORS:
        errors = [row for row in rows if row.status == 'error']
        assert len(errors) == 1 and ' row ' in errors[0].file and errors[0].reason
    elif fault in ESTIMATED:
        assert found[0].apex == -1 and found[0].apex_source == 'estimated' and 'repaired' in status
    elif fault in MOVED:
        assert (found[0].onset, found[0].offset, found[0].apex) == (
            own.onset,
            own.offset,
            own.apex,
        ) and 'repaired' in status
    elif fault in DROPPED:
        assert not found and 'dropped' in status
    elif fault in USED:
        assert found[0].apex_source == 'annotated' and 'used' in status and 'error' not in status
    else:
        assert fault == 'row_missing' and not found
        assert any(row.status == 'ignored' and own.folder.name in row.file for row in rows)
