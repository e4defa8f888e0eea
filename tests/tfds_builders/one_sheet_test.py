"""CASME, MMEW, part A of CAS(ME)^3 and 4DME: what is read of their sheets and folders."""

import collections

import pytest

import tfds_builders
from mer_jax import machine
from mer_jax.data import labels
from mer_jax.errors import UserError
from mer_jax.preprocess import action_units
from tests.support.fake_raw import one_sheet
from tfds_builders import audit, build
from tfds_builders.casme_cubed import corrections
from tfds_builders.clip import KeyFrames

PLACES = [(name, layout) for name, layouts in one_sheet.LAYOUTS.items() for layout in layouts]
# scheme -> clips of each class in the fakes
CLASSES = {
    ('casme', 'megc3'): {'negative': 3, 'positive': 1, 'surprise': 1},
    ('mmew', 'megc3'): {'negative': 3, 'positive': 1, 'surprise': 1},
    ('mmew', 'four'): {'disgust': 1, 'happiness': 1, 'others': 1, 'surprise': 1},
    ('casme_cubed', 'megc3'): {'negative': 2, 'positive': 2, 'surprise': 1},
    ('casme_cubed', 'seven'): {'disgust': 1, 'fear': 1, 'happy': 2, 'others': 1, 'surprise': 1},
    ('casme_cubed', 'objective7'): {'I': 2, 'II': 1, 'III': 1, 'VII': 2},
    ('fourdme', 'megc3'): {'negative': 1, 'positive': 1, 'surprise': 1},
    ('fourdme', 'five'): dict.fromkeys(labels.TAGS, 1),
}


def read(name, folder, **options):
    """({clip id: Clip}, audit rows) as the builder reads them."""
    layout = build.BUILDERS[name].LAYOUT
    chosen = {option: values[0] for option, values in layout.OPTIONS.items()} | options
    clips, rows = layout.read(layout.find(folder), options=chosen)
    return {clip.clip: clip for clip in clips}, rows


@pytest.mark.parametrize('name,layout', PLACES)
def test_every_clip_of_every_layout_is_read(name, layout, tmp_path):
    """A clip that is lost, or read from the frames of another, changes every published
    comparison.
    """
    truth = one_sheet.write(name, tmp_path, layout=layout)
    clips, rows = read(name, truth.folder)
    assert list(clips) == list(truth.clips)
    for own in truth.clips.values():
        clip = clips[own.clip]
        assert (clip.subject, clip.emotion, clip.dataset) == (
            own.subject,
            'others' if own.emotion == 'Others' else own.emotion,
            name,
        )
        assert (clip.onset, clip.apex, clip.offset) == (own.onset, own.apex, own.offset)
        assert clip.action_units == own.action_units and action_units.parse(clip.action_units)
        assert [number for number, _ in clip.frames] == list(range(own.onset, own.offset + 1))
        assert all(path.parent == own.folder for _, path in clip.frames)
        assert clip.cropped == (name == 'mmew' or 'crop' in layout)
    assert {row.status for row in rows} <= {'used', 'ignored'}
    sheets, paths = build.BUILDERS[name].LAYOUT.files(truth.folder)
    assert sheets == list(truth.sheets)
    assert {path for clip in clips.values() for _, path in clip.frames} <= {*paths}


@pytest.mark.parametrize('name,scheme', CLASSES)
def test_classes(name, scheme, tmp_path):
    """If this fails, a word has a class that its scheme does not say, or a tag was chosen."""
    clips, _ = read(name, one_sheet.write(name, tmp_path).folder)
    kept, dropped = labels.labelled([clip._asdict() for clip in clips.values()], scheme)
    assert collections.Counter(record['class'] for record in kept) == CLASSES[name, scheme]
    if name == 'fourdme':
        assert any(emotion == 'positive+surprise' for _, _, _, emotion, _ in dropped)


@pytest.mark.parametrize('name', one_sheet.RELEASES)
def test_every_emotion_of_a_release_has_its_place_in_every_scheme(name):
    """A word without one stops a finished build at the start of its training."""
    words = set(build.BUILDERS[name].LAYOUT.EMOTIONS)
    by_emotion = labels.SCHEMES.keys() - {*labels.BY_UNITS}
    schemes = [labels.SCHEMES[scheme] for scheme in by_emotion if name in labels.SCHEMES[scheme]]
    assert schemes
    for scheme in schemes:
        assert set(' '.join(scheme[name].values()).split()) == words


@pytest.mark.parametrize('name', one_sheet.RELEASES)
def test_what_is_spoilt_is_named(name, tmp_path):
    """If this fails, a damaged file or cell is used, or costs more than its clip."""
    ids = list(one_sheet.write(name, tmp_path / 'whole').clips)
    faults = {
        ids[0]: ('truncated:apex',),
        ids[1]: ('apex_slash',),
        ids[2]: ('missing_folder',),
        ids[3]: ('missing',),
        ids[4]: ('duplicate_row',),
    }
    clips, rows = read(name, one_sheet.write(name, tmp_path / 'spoilt', faults=faults).folder)
    assert set(clips) == set(ids) - {ids[0], ids[2]}
    assert clips[ids[1]].apex == -1 and clips[ids[1]].apex_source == 'estimated'
    reasons = {row.clip: row.reason for row in rows if row.status in ('dropped', 'repaired')}
    assert 'apex frame cannot be used' in ' '.join(row.reason for row in rows)
    assert 'no folder of this clip' in reasons[ids[2]]
    assert 'missing or damaged frames' in reasons[ids[3]]
    assert any(row.status == 'ignored' and 'stands twice' in row.reason for row in rows)


@pytest.mark.parametrize('name', one_sheet.RELEASES)
@pytest.mark.parametrize('fault', ['unknown_emotion', 'malformed_onset', 'differing_duplicate'])
def test_a_cell_that_says_nothing_is_an_error(name, fault, tmp_path):
    """If this fails, a class or a frame is guessed."""
    last = list(one_sheet.RELEASES[name].rows)[-1]
    clip = list(one_sheet.write(name, tmp_path / 'whole').clips)[-1]
    truth = one_sheet.write(name, tmp_path / 'spoilt', faults={clip: (fault,)})
    _, rows = read(name, truth.folder)
    errors = [row for row in rows if row.status == 'error']
    if fault == 'differing_duplicate' and name == 'casme_cubed':
        # the onset names the clip there: the second row is a clip of its own, without a folder
        assert not errors and any(f'_{last[2] + 1}' in row.clip for row in rows)
    else:
        (error,) = errors
        assert truth.sheets[0].name in error.file and ' row ' in error.file


@pytest.mark.parametrize('name', one_sheet.RELEASES)
def test_what_is_missing_is_named_with_what_is_there(name, tmp_path):
    """If this fails, a user with another layout is told neither what was seen nor what is
    needed.
    """
    truth = one_sheet.write(name, tmp_path / 'a')
    (sheet,) = truth.sheets
    sheet.rename(sheet.with_name('notes.txt'))
    with pytest.raises(UserError, match='apply at'):
        read(name, truth.folder)
    bare = tmp_path / 'b'
    bare.mkdir()
    (bare / sheet.name).write_bytes((tmp_path / 'a' / 'notes.txt').read_bytes())
    (bare / 'film.avi').write_bytes(b'RIFF')
    with pytest.raises(UserError, match=r'film\.avi.*apply at'):
        read(name, bare)


def test_mmew_folders_and_sheet_must_agree(tmp_path):
    """If this fails, a clip has the class of its folder or of its row by chance."""
    truth = one_sheet.write('mmew', tmp_path / 'a')
    own = truth.clips['S03-07-001']
    target = own.folder.parents[1] / 'fear' / own.folder.name
    target.parent.mkdir()
    own.folder.rename(target)
    _, rows = read('mmew', truth.folder)
    (error,) = [row for row in rows if row.status == 'error']
    assert error.clip == own.clip and 'anger' in error.reason and 'fear' in error.reason


def test_casme_cubed_corrections_are_used_on_request(tmp_path, monkeypatch):
    """If this fails, key frames of the sheet are changed unasked, or a named set does nothing."""
    clip = 'spNO.1_b_166'
    monkeypatch.setitem(corrections.SETS['meb'], clip, KeyFrames(apex=171))
    truth = one_sheet.write('casme_cubed', tmp_path)
    clips, _ = read('casme_cubed', truth.folder)
    corrected, _ = read('casme_cubed', truth.folder, corrections='meb')
    assert (clips[clip].apex, clips[clip].apex_source) == (170, 'annotated')
    assert (corrected.pop(clip).apex, clips.pop(clip).edition) == (171, '')
    assert corrected == clips


def test_depth_of_casme_cubed_is_not_read(tmp_path):
    """If this fails, depth is trained on as if it were colour."""
    _, rows = read('casme_cubed', one_sheet.write('casme_cubed', tmp_path).folder)
    assert [row.reason for row in rows if 'depth' in row.file] == [
        'depth frames: clips ones are read from Part_A_ME_clip/frame'
    ]


@pytest.mark.parametrize('name', one_sheet.RELEASES)
def test_it_builds(name, tmp_path, monkeypatch):
    """If this fails, the release is read, but nothing can be trained on it."""
    monkeypatch.setattr(machine, 'cores', lambda: 1)
    truth = one_sheet.write(name, tmp_path / 'raw', moving=True)
    builder = tfds_builders.prepare(
        f'{name}/video', data_dir=tmp_path / 'data', manual_dir=truth.folder, progress=False
    )
    records = {record['clip']: record for record in tfds_builders.records(builder, ['emotion'])}
    assert set(records) == set(truth.clips)
    assert {row.clip for row in audit.read(builder.data_path / audit.FILENAME)} >= set(truth.clips)
    assert tfds_builders.takes_crops(f'{name}/flow') == (name != 'casme_cubed')


def test_dfme_says_what_to_do_instead():
    """If this fails, its users get a list of other data sets, or a guess at their folders."""
    with pytest.raises(UserError, match='dfme has no builder.*frames_csv'):
        tfds_builders.prepare('dfme/flow')
