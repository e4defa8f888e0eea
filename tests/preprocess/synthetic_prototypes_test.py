"""synthetic_faces/prototypes: each clip by itself, by tables, and seen where faces have edges."""

import collections

import numpy as np
import pytest

import mer_jax as mj
import tfds_builders
from mer_jax.errors import UserError
from mer_jax.preprocess import flow
from mer_jax.preprocess.synthetic import clips, exact, many, muscles, prototypes, published
from tfds_builders import fingerprint
from tfds_builders.synthetic_faces import many as builder_of_many
from tfds_builders.synthetic_faces import prototypes as builder

KIND = prototypes.Kind(balance='even')
DISTRACTED = prototypes.Kind(distractors='eyes')


@pytest.fixture(scope='module')
def subject():
    """One drawn person."""
    return prototypes.person(KIND, 3)


def same(first, second):
    return all(map(np.array_equal, first, second))


@pytest.mark.parametrize('kind', [KIND, DISTRACTED])
def test_a_clip_depends_on_its_number_alone(kind):
    """Were it otherwise, more clips, or a build of two threads, would be another data set."""
    alone = prototypes.render(kind, prototypes.person(kind, 3), 3, 2)
    assert same(alone, prototypes.clips_of(kind, 3, 3)[2])
    other = prototypes.clips_of(kind._replace(draw=1), 3, 3)[2]
    assert not np.array_equal(alone.displacement, other.displacement)
    assert alone.clip != other.clip
    assert np.array_equal(alone.flow[..., 2], flow.strain(alone.flow[..., :2]))


def test_people_are_those_of_many():
    """A curve over drawings would compare other faces."""
    first, second = many.person(many.Kind(optical_flow='exact'), 5), prototypes.person(KIND, 5)
    assert np.array_equal(first.points, second.points) and first.gain == second.gain


def test_emotions_show_published_combinations_of_their_own_units():
    """A combination without a source, or with units of another emotion, is no prototype."""
    assert {*prototypes.UNITS} == {*published.PROTOTYPES}
    for emotion, units in prototypes.UNITS.items():
        shown = prototypes.combinations(emotion)
        assert {*shown} <= {*published.PROTOTYPES[emotion].split()}
        assert {unit for text in shown for unit in text.split('+')} == {*map(str, units)}


def test_units_say_nothing_of_the_class_in_as_many_clips_as_stated():
    """Else rare single units would belong to one class alone, or nothing could be learnt."""
    count, foreign, classes = 3000, collections.Counter(), collections.Counter()
    own = {
        word: {text for emotion in emotions for text in prototypes.combinations(emotion)}
        for word, emotions in published.EMOTIONS.items()
    }
    for number in range(count):
        word, units = prototypes.choose(clips.generator(9, number), KIND)
        classes[word] += 1
        foreign[word] += '+'.join(str(unit) for unit, _ in units) not in own[word]
    assert all(abs(n / count - 1 / 3) < 0.04 for n in classes.values())
    # at random a clip may show a prototype of its class too
    rates = [foreign[word] / classes[word] for word in classes]
    assert 0.6 * prototypes.ANY < min(rates) and max(rates) < 1.15 * prototypes.ANY


def test_contempt_is_on_one_side():
    """A smile of both sides would be called contempt."""
    sides = []
    for number in range(2000):
        _, units = prototypes.choose(clips.generator(10, number), KIND)
        if [unit for unit, _ in units] == [12, 14]:  # hardly ever at random
            sides.append(all(side for _, side in units))
    assert len(sides) > 5 and np.mean(sides) > 0.6


def test_bells_vary_and_never_fold(subject):
    """A face that folds has no displacement; bells that never vary are one person's."""
    first = []
    for index in range(12):
        shown = prototypes.express(KIND, subject, 3, index)
        field = many.displacement(shown.bells, many.LINE, many.LINE)
        assert max(np.abs(np.diff(field, axis=axis)).max() for axis in (0, 1)) < 0.75
        length = np.sqrt((field**2).sum(-1).max())
        assert 0.2 < length < 1.05 * prototypes.LARGEST
        first.append(shown.bells[0, 4] / muscles.ACTION_UNITS[shown.units[0][0]][0].width[0])
    assert np.std(first) > 0.05


def test_edges_show_motion_and_smooth_skin_shows_less(subject):
    """An estimator that sees everything is the one of `exact`; one that sees nothing is noise."""
    weight = prototypes.contrast(clips.generator(11), subject.points, subject.crop, 56)
    left, top, width, height = subject.crop
    at = ((subject.points + 0.5 - (left, top)) * 56 / (width, height) - 0.5).round().astype(int)
    brow, cheek = at[19], (at[31] + at[2]) // 2
    assert weight[brow[1], brow[0]] > 4 * weight[cheek[1], cheek[0]] > 0
    still = np.ones((56, 56, 2), np.float32)
    shown = prototypes.seen(still, weight, 2.5, 0.1)
    assert np.all(shown > 0) and np.all(shown < 1)
    assert shown[brow[1], brow[0], 0] > 0.7 > shown[cheek[1], cheek[0], 0]
    less = prototypes.seen(still, weight, 2.5, 0.4)
    assert np.all(less < shown)


def test_flow_is_near_the_truth_at_edges_without_an_error(subject, monkeypatch):
    """Flow that is mirrored, or of another size, would teach units that move elsewhere."""
    monkeypatch.setattr(exact, 'error', lambda rng, size: np.zeros((size, size, 2), np.float32))
    alike = []
    for index in range(6):
        clip = prototypes.render(KIND, subject, 3, index)
        seen, truth = clip.flow[..., :2].ravel(), clip.displacement.ravel()
        alike.append(np.corrcoef(seen, truth)[0, 1])
        assert 0.2 < np.sqrt(np.mean(seen**2) / np.mean(truth**2)) < 1
    assert np.median(alike) > 0.75


def test_it_loads_and_leaves_other_data_sets_as_they_are(tmp_path, monkeypatch):
    """A digest that holds this module would have every build of `many` made again."""
    monkeypatch.setenv('TFDS_DATA_DIR', str(tmp_path))
    data = mj.load('synthetic_faces/prototypes,clips=9')
    assert data.x.shape == (9, 28, 28, 3) and data.classes == ('negative', 'positive', 'surprise')
    made_by = builder.Builder(config='prototypes', data_dir=tmp_path).made_by()
    assert 'code of mer_jax.preprocess.synthetic.prototypes' in made_by
    assert 'code of mer_jax.preprocess.synthetic.published' in made_by
    others = builder_of_many.Builder(config='many', data_dir=tmp_path).made_by()
    assert not {name for name in others if 'prototypes' in name}
    assert fingerprint.differing(made_by, others)


@pytest.mark.parametrize(
    'config, part',
    [
        ('prototypes,clips=0', 'clips is 0'),
        ('prototypes,size=56', "'size'"),
        ('prototypes,distractors=ears', "distractors is 'ears'"),
        ('prototype', "did you mean 'prototypes'"),
    ],
)
def test_a_wrong_setting_is_named(config, part, tmp_path):
    """A mistyped setting that is left out draws another data set in silence."""
    with pytest.raises(UserError, match=part):
        tfds_builders.prepare(f'synthetic_faces/{config}', data_dir=tmp_path)
