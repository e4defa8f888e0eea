"""synthetic_faces/many: each clip by itself, as FACS and published tables say, with its truth."""

import collections

import cv2
import numpy as np
import pytest

import mer_jax as mj
import tfds_builders
from mer_jax.errors import UserError
from mer_jax.preprocess import flow
from mer_jax.preprocess.action_units import parse
from mer_jax.preprocess.synthetic import (
    clips,
    distractors,
    exact,
    landmarks,
    many,
    motion,
    muscles,
    published,
)
from tfds_builders import fingerprint
from tfds_builders.synthetic_faces import many as builder
from tfds_builders.synthetic_faces import synthetic_faces_dataset_builder as others

# quicker than the default; what these tests ask does not depend on it
QUICK = many.Kind(optical_flow='dis')
EXACT = many.Kind(optical_flow='exact')
DISTRACTED = EXACT._replace(distractors='eyes')
# unit -> a landmark on the subject's right, and where FACS says that it goes
DIRECTIONS = {
    1: (21, (0, -1)),
    2: (17, (0, -1)),
    4: (20, (0.55, 0.8)),
    5: (37, (0, -1)),
    6: (41, (0, -1)),
    7: (41, (0, -1)),
    9: (31, (0, -1)),
    10: (50, (0, -1)),
    12: (48, (-1, -1)),
    14: (48, (-1, 0)),
    15: (48, (0, 1)),
    17: (57, (0, -1)),
}


@pytest.fixture(scope='module')
def subject():
    """One drawn person."""
    return many.person(QUICK, 3)


@pytest.fixture(scope='module')
def still(subject):
    """A clip as large as its frames, without noise and flicker."""
    kind = QUICK._replace(size=128)
    return many.render(kind, subject._replace(noise=0.0, flicker=0.0), 3, 1)


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """A data folder for small builds."""
    return tmp_path_factory.mktemp('many')


def built(name, folder):
    """Builder and records of a data set, by clip."""
    builder = tfds_builders.prepare(f'synthetic_faces/{name}', data_dir=folder, progress=False)
    return builder, {record['clip']: record for record in tfds_builders.records(builder)}


def same(first, second):
    """Whether two records hold the same values."""
    return first.keys() == second.keys() and all(
        np.array_equal(first[name], second[name]) for name in first if name != 'units'
    )


def test_fewer_clips_are_the_first_of_more(folder, monkeypatch):
    """Were they others, a curve over the number of clips would compare data sets, not numbers; and
    a build of two threads would be another data set than that of one.
    """
    monkeypatch.setattr(builder.machine, 'cores', lambda: 1)
    _, few = built('many,clips=9,optical_flow=dis', folder)
    monkeypatch.setattr(builder.machine, 'cores', lambda: 2)
    _, more = built('many,optical_flow=dis,clips=18', folder)
    assert len(few) == 9 and len(more) == 18 and [*more][:9] == [*few]
    assert all(same(few[clip], more[clip]) for clip in few)
    people = collections.Counter(record['subject'] for record in more.values())
    assert sorted(people.values()) == [2, 8, 8]


def test_another_draw_is_of_other_people(subject):
    """Drawings that share people are no repetitions of an experiment."""
    first, second = (many.choose(clips.generator(draw), QUICK) for draw in (0, 1))
    assert first != second
    assert not np.array_equal(many.person(QUICK._replace(draw=1), 3).points, subject.points)


def test_it_loads_as_the_published_features_do(folder, monkeypatch):
    """Channels in another order, or not stretched clip by clip, would teach what no clip shows."""
    monkeypatch.setenv('TFDS_DATA_DIR', str(folder))
    data = mj.load('synthetic_faces/many,clips=9,optical_flow=dis')
    _, records = built('many,clips=9,optical_flow=dis', folder)
    assert data.x.shape == (9, 28, 28, 3)
    assert (data.x.min((1, 2)) == 0).all() and (data.x.max((1, 2)) == 1).all()
    for image, record in zip(data.x, records.values(), strict=True):
        correlation = np.corrcoef(image[..., 1].ravel(), record['flow'][..., 1].ravel())
        assert correlation[0, 1] > 0.999
    assert data.classes == ('negative', 'positive', 'surprise')


def left_by_warping(clip):
    """What is left of the difference of apex and onset, once the truth warps it; and before."""
    onset, apex = np.float32(clip.frames)
    at = (motion.pixels() + clip.displacement).astype(np.float32)
    back = cv2.remap(apex, at[..., 0], at[..., 1], cv2.INTER_CUBIC)
    inside = np.s_[6:-6, 6:-6]
    return np.abs(back - onset)[inside].mean(), np.abs(apex - onset)[inside].mean()


def test_truth_warps_the_apex_back_onto_the_onset(still):
    """A displacement that does not fit the frames would be a false yardstick for every flow."""
    left, before = left_by_warping(still)
    assert left < 0.8 and left < 0.4 * before


def test_frames_show_what_distracts():
    """Blinks that stand in the truth alone would be learnt as an error of every estimator."""
    kind = QUICK._replace(size=128, distractors='eyes')
    subject = many.person(kind, 2)._replace(noise=0.0, flicker=0.0)
    for index in range(3):
        left, before = left_by_warping(many.render(kind, subject, 2, index))
        assert left < 1.0 and left < 0.5 * before


@pytest.mark.parametrize('kind', [QUICK, QUICK._replace(distractors='eyes', size=56)])
def test_exact_shows_the_clips_that_pictures_show(kind):
    """A curve over estimators would compare other people and units."""
    drawn = many.clips_of(kind, 3, 2)
    computed = many.clips_of(kind._replace(optical_flow='exact'), 3, 2)
    for first, second in zip(drawn, computed, strict=True):
        assert not len(second.frames)
        np.testing.assert_allclose(first.displacement, second.displacement, atol=1e-4)
        for name in {*many.Clip._fields} - {'frames', 'flow', 'displacement'}:
            assert np.array_equal(getattr(first, name), getattr(second, name)), name


def test_exact_is_the_truth_and_an_error(monkeypatch):
    """An error of another size or in strain alone would be one that no estimator makes."""
    shown = many.clips_of(EXACT, 3, 8)
    errors = np.array([clip.flow[..., :2] - clip.displacement for clip in shown])
    lengths = np.sqrt(np.mean(errors**2, (1, 2, 3)))
    assert 0.01 < np.exp(np.log(lengths).mean()) < 0.09 and lengths.std() > 0.2 * lengths.mean()
    neighbours = [np.corrcoef(e[:, 1:].ravel(), e[:, :-1].ravel())[0, 1] for e in errors]
    assert 0.6 < np.mean(neighbours) < 0.95
    monkeypatch.setattr(exact, 'error', lambda rng, size: np.zeros((size, size, 2), np.float32))
    for before, clip in zip(shown, many.clips_of(EXACT, 3, 8), strict=True):
        assert np.array_equal(clip.flow[..., :2], clip.displacement)
        assert np.array_equal(clip.displacement, before.displacement)
        assert np.array_equal(clip.flow[..., 2], flow.strain(clip.displacement))


def test_the_error_is_as_large_in_the_face_at_every_size():
    """Else an experiment on the size of features would compare errors."""
    lengths = []
    for size in (28, 56):
        errors = [exact.error(clips.generator(4, n), size) / size for n in range(150)]
        lengths.append(np.exp(np.mean([np.log(np.std(error)) for error in errors])))
    assert abs(lengths[0] / lengths[1] - 1) < 0.2


def test_an_exact_clip_depends_on_its_number_alone():
    """Were it otherwise, more clips, or a build of two threads, would be another data set."""
    alone = many.render(DISTRACTED, many.person(DISTRACTED, 3), 3, 2)
    among = many.clips_of(DISTRACTED, 3, 4)[2]
    assert same(alone._asdict(), among._asdict())
    other = many.clips_of(DISTRACTED._replace(draw=1), 3, 1)[0]
    assert not np.array_equal(other.displacement, many.clips_of(DISTRACTED, 3, 1)[0].displacement)


def test_distractors_add_to_the_same_clips():
    """A comparison with and without them must differ in nothing else."""
    plain, other = many.person(EXACT, 3), many.person(DISTRACTED, 3)
    assert np.array_equal(plain.points, other.points) and plain.gain == other.gain
    added = 0
    for index in range(12):
        first = many.express(EXACT, plain, 3, index)
        second = many.express(DISTRACTED, other, 3, index)
        assert (first.word, first.action_units) == (second.word, second.action_units)
        assert first.numbers == second.numbers
        assert np.array_equal(first.bells, second.bells[: len(first.bells)])
        assert second.stretch.any() and not first.stretch.any()
        added += len(second.bells) > len(first.bells)
        line = np.arange(128.0)
        field = many.displacement(second.bells, line, line)
        assert max(np.abs(np.diff(field, axis=axis)).max() for axis in (0, 1)) < 1
    assert 3 < added < 12


def test_lids_move_as_often_as_the_table_says(subject):
    """Eyes that never move, or always, teach that lids tell a class."""
    frame, count, blinks, down = np.array([10.0, 10, 100, 100]), 700, 0, 0
    for number in range(count):
        others = distractors.draw(clips.generator(6, number), subject.points, frame)
        lids = others.bells[(others.bells[:, 2] == 0) & (others.bells[:, 4] == distractors.LID[0])]
        if len(lids):
            assert len(lids) == 2 and lids[0, 3] * lids[1, 3] > 0
            assert np.abs(lids[:, 1] - subject.points[[37, 44], 1]).max() < 1.5
            blinks, down = blinks + 1, down + (lids[0, 3] > 0)
    rate, closing = published.BLINKS, published.CLOSING
    assert abs(blinks / count - rate) < 4 * np.sqrt(rate * (1 - rate) / count)
    assert abs(down / blinks - closing) < 4 * np.sqrt(closing * (1 - closing) / blinks)


def test_crops_reach_beyond_both_published_ones(subject):
    """Eyes of another data set may be in a row that no drawn clip has."""
    seen = []
    for number in range(300):
        left, top, width, height = distractors.crop(clips.generator(7, number), subject.points)
        points = (subject.points + 0.5 - (left, top)) * 28 / (width, height) - 0.5
        right, left = points[36:42].mean(0), points[42:48].mean(0)
        seen.append((left[0] - right[0], right[1], points[33, 1] - right[1]))
    low, high = np.min(seen, 0), np.max(seen, 0)
    assert (low < (13, 5, 6.7)).all() and (high > (16, 7.3, 8.5)).all()


def test_landmarks_follow_the_truth(still):
    """Landmarks in other pixels than the flow would put regions beside the muscles."""
    x, y = np.float32(still.landmarks[0]).T
    moved = cv2.remap(still.displacement, x[None], y[None], cv2.INTER_LINEAR)[0]
    inside = (still.landmarks[0] > 1).all(1) & (still.landmarks[0] < 126).all(1)
    error = still.landmarks[0] + moved - still.landmarks[1]
    assert inside.sum() > 40 and np.abs(error[inside]).max() < 0.05


def test_every_size_shows_the_same_clip(subject, still):
    """Else an experiment on the size of features would compare other faces."""
    large = many.render(QUICK._replace(size=224), subject, 3, 1)
    small = many.render(QUICK, subject, 3, 1)
    assert large.frames.shape == (2, 224, 224) and small.frames.shape == (2, 128, 128)
    assert large.action_units == small.action_units == still.action_units
    shrunk = flow.resize_flow(large.displacement, 28)
    np.testing.assert_allclose(shrunk, small.displacement, atol=0.01)
    np.testing.assert_allclose(
        (large.landmarks + 0.5) / 8, small.landmarks + 0.5, atol=1e-3, rtol=0
    )


def test_a_bell_is_the_product_of_two_curves(subject):
    """The quick sum must be the motion that muscles.py describes."""
    bells = muscles.pushes(subject.points, [(4, 1, 1), (12, 1, 0.4), (17, 1, 1)])
    line = np.arange(0, 128, 8.0)
    grid = np.stack(np.meshgrid(line, line), -1)
    np.testing.assert_allclose(
        many.displacement(bells, line, line), muscles.displacement(bells, grid), atol=1e-12
    )


def test_coded_units_move_as_facs_says(subject):
    """A unit in the label and not in the picture, or the wrong way round, cannot be learnt."""
    seen = set()
    for index in range(250):
        shown = many.express(QUICK, subject, 3, index)
        units = parse(shown.action_units)
        if len(units) > 1 or units[0].number not in DIRECTIONS:
            continue
        landmark, direction = DIRECTIONS[units[0].number]
        if units[0].side == 'L':
            landmark, direction = landmarks.MIRROR[landmark], np.multiply(direction, (-1, 1))
        move = muscles.displacement(shown.bells, subject.points)[landmark]
        length = np.linalg.norm(move)
        expected = len(muscles.pushes(subject.points, [(units[0].number, 1, 1)]))
        if len(shown.bells) == expected:  # nothing uncoded moves beside it
            assert length > 0.15 and move @ direction / length / np.linalg.norm(direction) > 0.8
            seen.add(units[0].number)
    assert len(seen) >= 8


def expected_rates(kind):
    """Share of clips with each unit, and of each class, as the tables say."""
    units, classes = collections.Counter(), many.class_chances(kind.balance)
    for word, chance in classes.items():
        emotions = published.EMOTIONS[word]
        for emotion, count in emotions.items():
            for combination, share in many.chances(emotion).items():
                for unit in combination.split('+'):
                    units[int(unit)] += chance * count / sum(emotions.values()) * share
    return units, classes


@pytest.mark.parametrize('balance', ['published', 'even'])
def test_units_and_classes_are_as_frequent_as_the_tables_say(balance):
    """Other frequencies than those with a source would be numbers that somebody chose."""
    kind, count = QUICK._replace(balance=balance), 2000
    units, classes = collections.Counter(), collections.Counter()
    for number in range(count):
        word, _, coded = many.choose(clips.generator(9, number), kind)
        classes[word] += 1
        units.update(unit for unit, _ in coded)
    expected_units, expected_classes = expected_rates(kind)
    assert {*published.UNITS} <= {*units} <= {*muscles.ACTION_UNITS}
    for drawn, expected in ((units, expected_units), (classes, expected_classes)):
        for key, rate in expected.items():
            error = np.sqrt(rate * (1 - rate) / count)
            assert abs(drawn[key] / count - rate) < 4 * error, key
    if balance == 'published':
        # units a clip: 1.25 to 1.70 in the data sets of the tables (Varanka et al. 2022)
        assert 1.25 < sum(expected_units.values()) < 1.70
        assert abs(expected_classes['positive'] - 109 / 442) < 1e-12


def test_one_sided_units_are_as_frequent_as_published():
    """Sides that are always equal would teach that a smile is symmetric."""
    sides = collections.Counter()
    for number in range(1500):
        _, emotion, coded = many.choose(clips.generator(10, number), QUICK)
        if emotion not in published.ONE_SIDED:
            sides.update((unit, bool(side)) for unit, side in coded)
        else:
            assert any(side for _, side in coded if (14, side) in coded) or (14, '') not in coded
    for unit in (2, 12, 4, 5):
        one_sided, shown = published.SIDES.get(unit, (0, 1))
        count = sides[unit, True] + sides[unit, False]
        rate = one_sided / shown
        assert abs(sides[unit, True] / count - rate) <= 4 * np.sqrt(rate * (1 - rate) / count)


def test_controls_change_what_they_say(subject):
    """A control that changes more, or nothing, shows nothing."""
    exchanged = many.exchanged(0)
    assert sorted(exchanged) == sorted(exchanged.values()) == sorted(published.UNITS)
    assert sum(exchanged[unit] != unit for unit in exchanged) > 6
    for index in range(12):
        true, units, head = (
            many.express(QUICK._replace(control=control), subject, 3, index)
            for control in ('none', 'units', 'head')
        )
        assert true.word == units.word == head.word and head.action_units == true.action_units
        numbers = [{unit.number for unit in parse(one.action_units)} for one in (true, units)]
        assert {exchanged.get(unit, unit) for unit in numbers[0]} == numbers[1]
        assert np.array_equal(true.pose, units.pose) and np.array_equal(true.pose, head.pose)
        assert true.bells[:, 2:4].any() and not head.bells[:, 2:4].any()


def test_the_digest_of_the_generator_stands_in_the_metadata(folder):
    """results.json names by it what drew the faces; other data sets must not depend on it."""
    first, second = (built(f'many,clips={count},optical_flow=dis', folder)[0] for count in (9, 18))
    metadata = [dict(data.info.metadata) for data in (first, second)]
    assert metadata[0]['generator'] == metadata[1]['generator'] == first.generator()
    assert metadata[0]['fingerprint'] != metadata[1]['fingerprint']
    tables = 'code of mer_jax.preprocess.synthetic.published'
    assert tables in metadata[0]['made_by']
    other = others.Builder(config='tiny', data_dir=folder).made_by()
    assert not {name for name in other if 'many' in name or 'published' in name}
    assert fingerprint.differing(metadata[0]['made_by'], metadata[1]['made_by']) == [
        'setting clips',
        'setting config',
    ]


@pytest.mark.parametrize(
    'config, part',
    [
        ('many,clips=0', 'clips is 0'),
        ('many,clips=2.5', 'clips is 2.5'),
        ('many,draw=1000', 'draw is 1000'),
        ('many,size=30', "size is '30'"),
        ('many,distractors=ears', "distractors is 'ears'"),
        ('many,optical_flow=exakt', "optical_flow is 'exakt'"),
        ('many,clip=3', "'clip'"),
        ('manny', "did you mean 'many'"),
    ],
)
def test_a_wrong_setting_is_named(config, part, tmp_path):
    """A mistyped setting that is left out draws another data set in silence."""
    with pytest.raises(UserError, match=part):
        tfds_builders.prepare(f'synthetic_faces/{config}', data_dir=tmp_path)
