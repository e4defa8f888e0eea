"""overlays: whose face is shown, what the maps look like, and the files that a report shows."""

import csv
import json

import cv2
import numpy as np
import pytest

from mer_jax.errors import UserError
from mer_jax.preprocess import face
from mer_jax.preprocess.landmarks import mean_shape
from mer_jax.preprocess.schematic import schematic
from mer_jax.report import overlays, plots
from mer_jax.runfiles.explanations import PictureRow
from mer_jax.types import Explained, Names

FACE = 77  # value of every pixel of the faces below: none of the schematic face


def explained(rows=9, size=32, dataset='samm', subjects=('s1', 's2', 's3')):
    """Explained and Names of made-up clips; the face is a plain grey, the flow another."""
    rng = np.random.default_rng(1)
    index = np.arange(rows)
    cams = rng.random((2, rows, size, size)).astype('f')
    units = np.eye(4, dtype='f')[index % 4] + np.eye(4, dtype='f')[(index + index // 4) % 4]
    found = Explained(
        clip=index,
        subject=index % len(subjects),
        dataset=np.zeros(rows, int),
        label=index % 2,
        predicted=index // 2 % 2,
        action_units=np.minimum(units, 1),
        au_cam=cams[0],
        grad_cam=cams[1],
        gray=np.full((rows, size, size), FACE, np.uint8),
        on_a=np.full((rows, size, size), 200, np.uint8),
        features=rng.normal(0, 1, (rows, 6)).astype('f'),
    )
    return found, Names(
        ('a', 'b'),
        tuple(subjects),
        (dataset,),
        tuple(f'c{i}' for i in index),
        ('1', '4', '12', '15'),
    )


def table(path):
    with open(path, newline='') as file:
        return list(csv.DictReader(file))


@pytest.fixture
def drawn(monkeypatch):
    """Every picture handed to the drawing, {file name: groups}, and the small print below, {file
    name: text}.
    """
    groups, feet = {}, {}

    def pictures(path, shown, bars, *, foot='', **_):
        groups[path.name], feet[path.name] = shown, foot
        path.write_bytes(b'x')

    monkeypatch.setattr(overlays.picture_grid, 'draw', pictures)
    monkeypatch.setattr(plots, 'tsne', lambda features: features[:, :2])
    return groups, feet


def images(groups):
    """Every picture of some groups, as bytes."""
    return [
        None if image is None else image.tobytes()
        for group in groups
        for row in group.rows
        for image in row
    ]


def written(folder, drawn, found, names, faces):
    """{file name: its pictures} of one call."""
    drawn[0].clear()
    overlays.write(folder, found, names, faces=faces, count=4)
    return {name: images(groups) for name, groups in drawn[0].items()}


def test_overlay_is_half_the_face_and_half_the_colours_of_the_map():
    """Swapped channels turn the hottest places blue, unlike their colour bar; a face that shines
    through too little cannot be seen.
    """
    image = overlays.overlay(np.full((8, 8), 100, np.uint8), np.tile([[0.0, 1.0]], (2, 1)))
    assert image.shape == (8, 8, 3) and image.dtype == np.uint8
    np.testing.assert_allclose(image[4, 0], (84, 50, 92), atol=1)  # viridis starts at (68, 1, 84)
    np.testing.assert_allclose(image[4, -1], (176, 166, 68), atol=1)  # and ends at (253, 231, 37)


def test_overlay_keeps_the_place_of_a_map():
    """A map laid over turned or mirrored would credit the mouth with what the brows did."""
    cam = np.zeros((4, 4), 'f')
    cam[3, 0] = 1
    green = overlays.overlay(np.zeros((64, 64), np.uint8), cam)[..., 1]
    nothing = green[0, -1]
    assert green[-16:, :16].mean() > nothing + 40
    assert (green[:32] == nothing).all() and (green[:, 32:] == nothing).all()


@pytest.mark.parametrize('size', [64, 112, 224])
def test_schematic_has_its_features_where_a_face_crop_has_them(size):
    """Maps are drawn at the places of a face crop: features elsewhere would be credited with the
    wrong motion.
    """
    image = schematic(size).astype(int)
    assert image.shape == (size, size) and image.min() < 120 < 220 < np.median(image)
    eyes = face.EYES_AT * size - 0.5
    points = eyes.mean(0) + mean_shape() * (eyes[1, 0] - eyes[0, 0])
    dark = cv2.dilate((image < 190).astype(np.uint8), np.ones((3, 3)))
    lines = points[[*range(2, 15), *range(17, 27), *range(36, 60)]].round().astype(int)
    assert dark[lines[:, 1], lines[:, 0]].mean() > 0.95
    np.testing.assert_allclose(image, image[:, ::-1], atol=8)


def test_who_is_shown():
    """A licensed face on a page by default, or a synthetic one hidden from a first report, are both
    wrong.
    """
    gray = np.full((64, 64), FACE, np.uint8)
    for dataset, faces, own in (
        ('synthetic', False, True),
        ('samm', False, False),
        ('casme2', False, False),
        ('unheard of', False, False),
        ('samm', True, True),
        ('casme2', True, True),
    ):
        behind = overlays.background(gray, dataset, 'sub01', faces=faces)
        assert (
            (behind.image == FACE).all() == own
            and ('own' in behind.kind) == own
            and not behind.hidden
        )
    assert 'Xiaolan Fu' in overlays.background(gray, 'casme2', 'sub01', faces=True).notice
    assert 'licence' in overlays.background(gray, 'samm', '006', faces=True).notice
    assert 'agreed' in overlays.background(gray, 'frames_csv', '6', faces=True).notice
    assert not overlays.background(gray, 'casme2', 'sub01', faces=False).notice


@pytest.mark.parametrize(
    'subject', ['sub12', 'sub22', 'SUB12', '12', '22', 'Sub022', 's12', '12.0']
)
@pytest.mark.parametrize('dataset', ['casme2', 'CASME2', 'CASME II', 'casme_2'])
def test_two_subjects_of_casme2_are_never_shown(subject, dataset):
    """Their pictures must not be published, whatever somebody asks for and however a sheet writes
    them.
    """
    behind = overlays.background(np.full((64, 64), FACE, np.uint8), dataset, subject, faces=True)
    assert behind.hidden
    np.testing.assert_array_equal(behind.image, schematic(64))


@pytest.mark.parametrize(
    ('dataset', 'subject'),
    [('casme2', 'sub02'), ('casme2', 'sub21'), ('samm', '012'), ('smic', 's12')],
)
def test_others_are_not_taken_for_these_two(dataset, subject):
    """A rule that is too wide would hide whole subjects of other releases."""
    assert not overlays.background(
        np.full((64, 64), FACE, np.uint8), dataset, subject, faces=True
    ).hidden


@pytest.mark.parametrize(
    ('dataset', 'faces'),
    [('synthetic', False), ('casme2', False), ('casme2', True), ('samm', True)],
)
def test_write_draws_faces_only_where_they_may_be(tmp_path, drawn, dataset, faces):
    """One picture that takes the face itself instead of the background puts it on the report."""
    found, names = explained(dataset=dataset, subjects=('sub01', 'sub02', 'sub03'))
    one = written(tmp_path, drawn, found, names, faces)
    other = written(tmp_path, drawn, found._replace(gray=found.gray + 50), names, faces)
    shown = faces or dataset == 'synthetic'
    assert len(one) == 4 + 2 and all((one[name] != other[name]) == shown for name in one)
    notice = {'casme2': 'Xiaolan Fu', 'samm': 'licence'}.get(dataset, 'nothing')
    assert all((notice in foot) == (faces and dataset != 'synthetic') for foot in drawn[1].values())


def test_write_hides_face_and_flow_of_the_two_subjects_everywhere(tmp_path, drawn):
    """Montage and scenarios draw the same clips again, each a chance to forget the rule."""
    found, names = explained(dataset='casme2', subjects=('Sub12', 'sub22'))
    one = written(tmp_path, drawn, found, names, True)
    other = found._replace(gray=found.gray + 50, on_a=found.on_a - 90)
    assert one == written(tmp_path, drawn, other, names, True)
    assert drawn[0]['montage.png'][0].rows[0][1] is None
    kinds = {line['background'] for line in table(tmp_path / 'explain' / 'index.csv')}
    assert kinds == {'schematic face (this subject may not be shown)'}


def test_files_and_index(tmp_path):
    """The report and a reader's own script find the pictures by these names."""
    found, names = explained()
    names = names._replace(clips=('../../etc/a', 'b b', 'ü$x$', *names.clips[3:]))
    paths = overlays.write(tmp_path, found, names, faces=False, count=5)
    folder = tmp_path / 'explain'
    assert sorted(paths) == sorted(folder.iterdir()) and len(paths) == 5 + 6
    lines = table(folder / 'index.csv')
    assert tuple(lines[0]) == PictureRow._fields and len(lines) == 5
    assert {'montage.png', 'scenarios.png', 'au_features.png'} < {path.name for path in paths}
    for line in lines:
        image = cv2.imread(str(folder / line['file']))
        assert image.shape[1] > 900 and image.shape[0] > 250 and image.std() > 10
        assert line['background'] == 'schematic face' and line['dataset'] == 'samm'
    row = found.clip[names.clips.index(lines[1]['clip'])]
    assert (lines[1]['truth'], lines[1]['predicted']) == (
        names.classes[found.label[row]],
        names.classes[found.predicted[row]],
    )


def test_pictures_are_the_same_bytes_twice(tmp_path):
    """Pictures that change by themselves would make every report look changed; t-SNE starts from
    random numbers.
    """
    found, names = explained()
    before = {
        path: path.read_bytes()
        for path in overlays.write(tmp_path, found, names, faces=False, count=2)
    }
    assert before == {
        path: path.read_bytes()
        for path in overlays.write(tmp_path, found, names, faces=False, count=2)
    }


def test_faces_of_an_earlier_call_are_removed(tmp_path, drawn):
    """Somebody who draws again without faces wants none in the folder that goes on a page; other
    files are theirs.
    """
    found, names = explained()
    overlays.write(tmp_path, found, names, faces=True, count=6)
    (tmp_path / 'explain' / 'mine.png').write_bytes(b'x')
    paths = overlays.write(tmp_path, found, names, faces=False, count=2)
    assert {*(tmp_path / 'explain').iterdir()} == {*paths, tmp_path / 'explain' / 'mine.png'}


def test_a_scenario_that_is_missing_is_said(tmp_path, drawn):
    """A figure of two scenarios without a word looks as if the third was forgotten."""
    found, names = explained(subjects=('one',))
    overlays.write(tmp_path, found, names, faces=False, count=2)
    words = json.loads((tmp_path / 'explain' / 'captions.json').read_text())['scenarios.png']
    assert (
        'These clips do not include: two subjects with the same emotion' in words
        and 'two clips of one' not in words
    )
    assert len(drawn[0]['scenarios.png']) == 2
    overlays.write(
        tmp_path,
        found._replace(action_units=found.action_units * np.nan),
        names,
        faces=False,
        count=2,
    )
    assert (
        'none' in json.loads((tmp_path / 'explain' / 'captions.json').read_text())['scenarios.png']
    )
    assert not (tmp_path / 'explain' / 'scenarios.png').exists()


def test_few_clips_get_no_feature_plot_but_a_reason(tmp_path, drawn):
    """t-SNE of four points is an error of scikit-learn, and no picture of anything."""
    found, names = explained(rows=4)
    overlays.write(tmp_path, found, names, faces=False, count=2)
    assert (
        '4 clips'
        in json.loads((tmp_path / 'explain' / 'captions.json').read_text())['au_features.png']
    )
    assert not (tmp_path / 'explain' / 'au_features.png').exists()


def test_a_map_of_one_network_is_named_as_no_held_out_map(tmp_path, drawn):
    """Clips that were trained on stand together by themselves: read as held out, it would claim
    what the per-fold map does not show.
    """
    found, names = explained()
    whole = found._replace(features=found.features[::-1])
    paths = overlays.write(tmp_path, found, names, faces=False, count=2, whole=whole)
    words = json.loads((tmp_path / 'explain' / 'captions.json').read_text())
    assert tmp_path / 'explain' / overlays.OF_ALL_ROWS in paths
    assert words[overlays.OF_ALL_ROWS].startswith('No held-out map: one network, trained on all')
    assert 'held-out clip' in words['au_features.png']
    # one of an earlier call would stand beside another run
    overlays.write(tmp_path, found, names, faces=False, count=2)
    assert not (tmp_path / 'explain' / overlays.OF_ALL_ROWS).exists()


@pytest.mark.parametrize(
    'case', ['five rows', 'one feature', 'all unknown', 'every set once', 'two equal rows']
)
def test_feature_plot_of_hostile_tables(tmp_path, case):
    """Five clips, networks of one feature or data without action units must not end in a
    traceback.
    """
    features = np.random.default_rng(0).normal(0, 1, (5, 1 if case == 'one feature' else 7))
    features[1] = features[0] if case == 'two equal rows' else features[1]
    sets = (
        [None] * 5
        if case == 'all unknown'
        else [(str(i),) for i in range(5)]
        if case == 'every set once'
        else [()] * 5
    )
    assert 't-SNE' in plots.au_features(tmp_path / 'a.png', features, sets)
    # without a fixed seed the picture of one feature would differ
    plots.au_features(tmp_path / 'b.png', features, sets)
    assert (tmp_path / 'b.png').read_bytes() == (tmp_path / 'a.png').read_bytes()
    assert (tmp_path / 'a.png').read_bytes().startswith(b'\x89PNG')


def test_equal_features_are_said_and_not_drawn(tmp_path):
    """A collapsed network gives every clip the same feature: t-SNE would draw its own start as if
    it were structure.
    """
    assert 'equal' in plots.au_features(tmp_path / 'a.png', np.ones((9, 3)), [()] * 9)
    assert not (tmp_path / 'a.png').exists()


def test_neighbouring_colours_share_action_units():
    """Colours that jump between alike sets hide that their clips stand together."""
    sets = [('1',), ('4', '7'), ('1', '2'), ('4',), ('2',)]
    assert plots.chain_similar(sets) == [('1',), ('1', '2'), ('2',), ('4', '7'), ('4',)]


@pytest.mark.parametrize('name', ['au_cam', 'grad_cam', 'features'])
def test_what_is_not_finite_is_one_line(tmp_path, name):
    """NaN drawn as blue would look like a network that sees nothing there."""
    found, names = explained()
    broken = getattr(found, name).copy()
    broken[3, 2] = np.nan
    with pytest.raises(UserError, match=f'{name} holds values that are not finite'):
        overlays.write(tmp_path, found._replace(**{name: broken}), names, faces=False, count=2)


def test_nothing_to_draw_is_one_line(tmp_path):
    """No clip, or a count of 0, would end in an IndexError or an empty montage."""
    found, names = explained()
    with pytest.raises(UserError, match='count.*0'):
        overlays.write(tmp_path, found, names, faces=False, count=0)
    with pytest.raises(UserError, match='no clip was held out'):
        overlays.write(
            tmp_path, Explained(*(array[:0] for array in found)), names, faces=False, count=3
        )
