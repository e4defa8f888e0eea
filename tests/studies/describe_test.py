"""describe: a page about the data, before anything learns from it."""

import csv
import json

import numpy as np
import pytest

import main
from mer_jax.data.annotations import FROM_APEX, MAGNITUDES, TO_APEX, TO_MAGNIFIED
from mer_jax.errors import UserError
from mer_jax.preprocess import flow
from mer_jax.report import describe_page
from mer_jax.runfiles import files
from mer_jax.settings.sections import Settings
from mer_jax.studies import describe
from tests.support.fake_raw import precomputed_flow
from tests.support.pages import Page

SIDE = 24


def record(dataset, subject, number, label, **changed):
    """A clip as loading reads it, with its class; half a pixel of motion to the right."""
    shift = np.zeros((SIDE, SIDE, 3), np.float32)
    shift[..., 0] = 0.5
    values = {
        'clip': f'{subject}_{number}',
        'subject': subject,
        'dataset': dataset,
        'emotion': label.capitalize(),
        'class': label,
        'action_units': '4+7' if label == 'negative' else '12',
        'action_units_known': True,
        'kind': 'micro',
        'edition': '',
        'onset': 10,
        'apex': 20,
        'offset': 50,
        'apex_source': 'annotated',
        'fps': 200.0,
        'flow': shift,
    }
    return values | changed


@pytest.fixture
def two_data_sets():
    """Clips of two data sets; the second has no units, and an apex that the build estimated."""
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (3, SIDE, SIDE)).astype(np.uint8)
    records = [
        record('casme2', f'sub0{subject}', number, label, key_frames=frames)
        for subject in (1, 2)
        for number, label in enumerate(('negative', 'negative', 'positive'))
    ]
    unknown = {'action_units': '', 'action_units_known': False, 'apex_source': 'estimated'}
    records += [record('smic', 's1', number, 'positive', fps=0.0, **unknown) for number in (0, 1)]
    return records


@pytest.fixture
def described(two_data_sets):
    """The measured clips, and their figures."""
    clips = describe.measured(two_data_sets, 'casme2/flow+smic/flow')
    return clips, describe.described(clips, ('negative', 'positive'))


def test_counts_and_durations_are_by_data_set(described):
    """Durations of a data set that lacks a frame rate must not come from its neighbour."""
    _, figures = described
    assert figures['datasets'] == ('casme2', 'smic')
    assert figures['clips'].tolist() == [[4, 2], [0, 2]]
    assert [row['clips'] for row in figures['subjects']] == [[2, 1], [2, 1], [0, 2]]
    means = {(row['dataset'], row['what']): row['mean'] for row in figures['durations']}
    assert means['casme2', 'onset to offset'] == 200 and means['casme2', TO_APEX] == 50
    assert np.isnan(means['smic', 'onset to offset'])


def test_an_estimated_apex_is_no_annotation(described):
    """The build places an apex where most moves; a statistic of it says nothing of people."""
    clips, figures = described
    assert {(row['dataset'], row['source']) for row in figures['apex']} == {
        ('casme2', 'annotated'),
        ('smic', 'estimated'),
    }
    assert np.isnan(clips.times[TO_APEX][-2:]).all()


def test_what_is_missing_is_one_line_each_with_its_data_set(described):
    """A table with a gap leaves open whether the data or the program lacks a figure."""
    lines = describe.missing(described[0])
    assert all(line.startswith('smic: all 2') for line in lines)
    for word in ('frame rate', 'apex that nobody annotated', 'action units', 'magnified'):
        assert sum(word in line for line in lines) == 1


def test_action_units_are_counted_by_emotion(described):
    """Units of an emotion that nobody coded would otherwise look absent."""
    coded, uncoded = described[1]['units']
    assert coded['units'] == ['4', '7', '12'] and coded['uncoded'] == 0
    negative, positive = coded['emotions']
    assert negative['pairs'].tolist() == [[4, 4, 0], [4, 4, 0], [0, 0, 0]]
    assert positive['sets'] == [('12', 2)]
    assert uncoded['uncoded'] == 2 and uncoded['emotions'] == []


def test_motion_is_measured_to_the_apex_and_to_the_magnified_apex(described, two_data_sets):
    """The comparison of 003 needs both; a data set without key frames has the first alone."""
    clips, _ = described
    assert np.allclose(clips.motion[TO_APEX][:, :3], [0.5, 0, 0.5])
    measured = ~np.isnan(clips.motion[TO_MAGNIFIED][:, 0])
    assert measured.tolist() == [True] * 6 + [False] * 2
    stretched = [{**row, 'flow': row['flow'].astype(np.uint8)} for row in two_data_sets]
    assert np.isnan(describe.measured(stretched, 'precomputed_flow').motion[TO_APEX]).all()


def test_motion_of_flow_at_every_frame_is_that_at_the_apex():
    """A spotting data set has the flow of every frame, and no other to describe."""
    row = record('casme2', 'sub01', 0, 'negative')
    still = np.zeros((SIDE, SIDE, 2), np.float32)
    flows = np.stack([still, row.pop('flow')[..., :2], still])
    row |= {'flows': flows, 'flow_frames': np.array([10, 20, 30], np.int32)}
    clips = describe.measured([row], 'casme2/spotting')
    assert np.allclose(clips.motion[TO_APEX][0, :3], [0.5, 0, 0.5])
    assert np.isnan(clips.motion[FROM_APEX]).all()


def test_magnitudes_of_a_release_stand_under_their_target(two_data_sets):
    """On-A to the magnified apex under the title of the apex would hide what magnifying does."""
    image = np.zeros((SIDE, SIDE, 3), np.uint8)
    image[..., 1], image[..., 2] = 8, 14
    rows = [record('samm', '006', 0, 'negative', image=image, target='magnified')]
    values = describe.measured(rows, 'samm/samer').motion[MAGNITUDES]
    assert values[0, 1] == 8 and values[0, 3] == 14 and np.isnan(values[0, [0, 2]]).all()


def test_confounded_data_sets_are_named(described):
    """A gap between data sets is easily read as one between ethnic groups (document 004)."""
    _, figures = described
    words = ' '.join(describe_page.confounded(figures))
    assert 'confounded' in words and 'casme2: ' in words and 'smic: not stated' in words
    assert figures['association']['subject_rule'] == 6 / 8
    assert figures['association']['one_class_subjects'] == 1


def test_no_licensed_face_is_drawn(two_data_sets):
    """The release forms forbid it, whatever the settings say; the motion may be shown."""
    licensed = {**two_data_sets[0], 'dataset': 'casme2'}
    drawn = {**two_data_sets[0], 'dataset': 'synthetic'}
    titles = []
    for row in (licensed, drawn):
        clips = describe.measured([row], 'any')
        example = describe_page.Example(0, row['key_frames'], row['flow'], None)
        titles.append(set(describe_page.panels(clips, example)))
    assert titles == [{'u', 'v', 'strain'}, {'onset', 'apex', 'u', 'v', 'strain'}]


def test_clips_of_subjects_that_may_never_be_shown_are_no_examples(two_data_sets):
    """Subjects 12 and 22 of CASME II did not agree to any picture, of flow neither."""
    forbidden = [{**row, 'subject': 'sub12'} for row in two_data_sets[:6]]
    clips = describe.measured(forbidden + two_data_sets[6:], 'any')
    rows = describe.typical_rows(clips, ('negative', 'positive'))
    assert rows and min(rows) >= 6


def test_the_folder_of_a_run_is_refused(tmp_path):
    """A page about the data beside results.json would be overwritten with the next run."""
    (tmp_path / files.CONFIG).write_text('{}')
    with pytest.raises(UserError, match='holds a run'):
        describe.describe(Settings('x'), tmp_path)


def test_drawn_faces_from_the_command_line(tiny_data, tmp_path, monkeypatch, unrendered):
    """Every section of the page, its plots, a row of CSV for each clip, and faces in the open."""
    monkeypatch.setitem(flow.METHODS, 'tvl1', flow.dis)  # a tenth of the time
    flags = [f'--config.data.data_dir={tiny_data}', f'--workdir={tmp_path}']
    assert main.main(['describe', '--config=synthetic_ststnet:quick', *flags]) == 0
    found = json.loads((tmp_path / 'describe.json').read_text())
    assert sum(map(sum, found['clips'])) == 24 and found['missing'] == []
    page = Page((tmp_path / 'describe.html').read_text())
    pictures = [attributes for name, attributes in page.tags if name == 'img']
    assert len(pictures) == 8 and 'drawn: there is nothing to drop' in page.text
    for word in ('Subjects', 'told apart', 'Durations', 'apex', 'Action units', 'magnified'):
        assert word in page.text
    with open(tmp_path / 'describe.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 24 and float(rows[0]['onset to apex: magnitude']) > 0


def test_published_features_say_what_they_lack(tmp_path, capsys):
    """They hold neither frames, nor rates, nor units: every section says so and none fails."""
    precomputed_flow.write_precomputed_flow(tmp_path / 'raw')
    flags = ['--config=megc2019_ststnet', f'--config.data.manual_dir={tmp_path}/raw']
    flags += [f'--config.data.data_dir={tmp_path}/data', f'--workdir={tmp_path}/page']
    assert main.main(['describe', *flags]) == 0
    found = json.loads((tmp_path / 'page/describe.json').read_text())
    assert found['motion'] == [] and {row['clips'] for row in found['durations']} == {0}
    assert 'frame rate' in capsys.readouterr().out
    assert found['build'][0]['statuses']['used'] > 0
