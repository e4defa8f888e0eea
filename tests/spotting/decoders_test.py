"""Labels, decisions and motion of one clip by hand and by loops; and the real engine on clips whose
motion is known.
"""

import numpy as np
import optax
import pytest
from flax import linen as nn

from mer_jax.data import apexes, loading
from mer_jax.folds import protocols
from mer_jax.preprocess.synthetic import clips, emotions, motion
from mer_jax.settings.sections import Protocol, Spotting
from mer_jax.spotting import decoders
from mer_jax.spotting import score as spotting_score
from mer_jax.training import batches, held_out, learners, parallel, plan, scaling
from mer_jax.training import programs as runs
from mer_jax.types import Names, Samples, Timing

HARD = {'label': 'impulse', 'steepness': 3.0, 'sigma': 0.0}
SHAPES = [
    {'label': kind, 'steepness': 3.0, 'sigma': 0.0} for kind in ('linear', 'exponential', 'log')
]
SHAPES += [HARD, {'label': 'impulse', 'steepness': 3.0, 'sigma': 2.0}]


def label(frame, onset, apex, offset, **changed):
    return decoders.continuous_labels(
        np.atleast_1d(frame), onset, apex, offset, **{**SHAPES[0], **changed}
    )


HALF = {'linear': 0.5, 'exponential': np.expm1(1.5) / np.expm1(3), 'log': np.log(10.542768) / 3}


@pytest.mark.parametrize('kind', sorted(HALF))
def test_labels_by_hand(kind):
    """A label that is not 0 at onset and offset and 1 at the apex alone teaches another apex than
    the annotated one.
    """
    found = label([3, 10, 12, 14, 18, 22, 30], 10, 14, 22, label=kind)
    np.testing.assert_allclose(found, [0, 0, HALF[kind], 1, HALF[kind], 0, 0], rtol=1e-5)
    assert found.dtype == np.float32 and HALF['exponential'] < 0.2 < 0.75 < HALF['log']


@pytest.mark.parametrize('kind', [*decoders.LABELS, 'impulse'])
def test_labels_of_clips_whose_apex_is_an_end(kind):
    """CASME II has apexes at onset and at offset: a division by 0 there would make the loss NaN for
    the whole fold.
    """
    half = HALF.get(kind, 0)
    np.testing.assert_allclose(
        label([9, 10, 14, 18], 10, 10, 18, label=kind), [0, 1, half, 0], rtol=1e-5
    )
    np.testing.assert_allclose(
        label([10, 14, 18, 19], 10, 18, 18, label=kind), [0, half, 1, 0], rtol=1e-5
    )
    np.testing.assert_array_equal(label([9, 10, 11], 10, 10, 10, label=kind), [0, 1, 0])


def test_impulses_by_hand():
    """The hard impulse is the apex alone; the soft one a bell that does not know onset and
    offset.
    """
    np.testing.assert_array_equal(
        label([12, 13, 14, 15], 10, 13, 22, label='impulse'), [0, 1, 0, 0]
    )
    found = label([11, 13, 15, 17], 10, 13, 14, label='impulse', sigma=2.0)
    np.testing.assert_allclose(found, np.exp([-0.5, 0, -0.5, -2]), rtol=1e-6)


def test_log_is_the_inverse_of_exponential():
    """With other constants the two labels would not be the mirror images that a comparison of them
    takes them for.
    """
    share = np.linspace(0, 1, 11)
    for steepness in (0.01, 3.0, 20.0):
        there = decoders.LABELS['exponential'](share, steepness)
        np.testing.assert_allclose(decoders.LABELS['log'](there, steepness), share, atol=1e-9)
        np.testing.assert_allclose(
            label(np.arange(11), 0, 10, 10, label='log', steepness=steepness),
            decoders.LABELS['log'](share, steepness),
            rtol=1e-5,
        )


def test_max_and_window_by_hand():
    """The paper's two decisions; of equal frames, and of equal windows, the first."""
    value = [0.1, 0.9, 0.2, 0.6, 0.7, 0.65, 0.1, 0.3]
    assert decoders.largest(value) == 1 and decoders.largest([2, 5, 5]) == 1
    assert decoders.window_peak(value, width=3) == 4
    value[3] = 0.72
    assert decoders.window_peak(value, width=3) == 4
    assert decoders.window_peak([0.3, 0.2, 0.1] * 4, width=3) == 1, (
        'equal sums that differ in their last bits'
    )
    assert decoders.window_peak([0, 1, 1, 0, 1, 1], width=2) == 2
    assert decoders.window_peak([1, 2, 3, 4], width=4) == 2
    assert [decoders.window_peak([1, 4, 3], width=width) for width in (1, 4, 9)] == [
        1,
        1,
        1,
    ]


@pytest.mark.parametrize('width', [1, 2, 5, 9])
def test_window_equals_a_loop_over_windows(width):
    """A window that leaves the clip, or is off by one, answers beside the best one."""
    rng = np.random.default_rng(width)
    for _ in range(100):
        value = rng.integers(0, 4, rng.integers(width, 30))
        sums = [
            sum(value[first : first + width].tolist()) for first in range(len(value) - width + 1)
        ]
        first = sums.index(max(sums))
        assert decoders.window_peak(value, width=width) == first + width // 2


def answered(number, value, **changed):
    settings = {
        'onset': number[0],
        'offset': number[-1],
        'width': 9,
        'prior': (0.5, 0.15),
        **SHAPES[0],
        **changed,
    }
    return decoders.fit_curve(number, value, **settings)


def written_out(number, value, *, onset, offset, width, prior, rising=True, **shape):
    """The template's median in loops: least squares, likelihood of each apex, its share with the
    prior.
    """
    share, found = [], range(onset + 1, offset)
    for apex in found:
        curve = np.array(
            [
                decoders.continuous_labels(np.array([n]), onset, apex, offset, **shape)[0]
                for n in number
            ],
            float,
        )
        both = np.stack([curve, np.ones(len(curve))], 1)
        fit = np.linalg.lstsq(both, np.asarray(value, float), rcond=None)[0]
        rest = (
            np.sum((both @ fit - value) ** 2)
            if fit[0] > 0 or not rising
            else np.sum((value - np.mean(value)) ** 2)
        )
        place = (apex - onset) / (offset - onset)
        share.append(
            rest ** (-len(number) / 2 / width) * np.exp(-(((place - prior[0]) / prior[1]) ** 2) / 2)
        )
    return next(
        apex
        for apex, low in zip(found, np.cumsum(share) / np.sum(share), strict=True)
        if low >= 0.5
    )


@pytest.mark.parametrize('shape', SHAPES, ids=lambda shape: f'{shape["label"]}-{shape["sigma"]:g}')
def test_template_equals_the_median_written_out(shape):
    """Another likelihood, prior or sign of the fit would answer other frames than those that are
    documented.
    """
    rng = np.random.default_rng(0)
    for _ in range(40):
        count = int(rng.integers(4, 24))
        # a frame or two of the clip are missing
        number = 70 + np.sort(rng.permutation(count + 3)[:count])
        settings = {
            'onset': int(number[0]),
            'offset': int(number[-1]),
            'width': int(rng.integers(1, 12)),
            'prior': (rng.uniform(0.3, 0.7), rng.uniform(0.05, 0.5)),
            **shape,
        }
        value = rng.normal(size=count)
        assert decoders.fit_curve(number, value, **settings) == written_out(
            number, value, **settings
        )


@pytest.mark.parametrize('shape', SHAPES, ids=lambda shape: f'{shape["label"]}-{shape["sigma"]:g}')
@pytest.mark.parametrize('scale,shift', [(1, 0), (1e-3, 40), (250, -7)])
def test_template_finds_the_apex_of_an_exact_curve(shape, scale, shift):
    """Outputs of a network are no labels: too small, too large or off by a constant, the place must
    be found.
    """
    number = np.arange(100, 161)
    for apex in (108, 121, 130, 144, 153):
        value = scale * decoders.continuous_labels(number, 100, apex, 160, **shape) + shift
        assert abs(answered(number, value, **shape) - apex) <= 1, apex


def test_template_of_a_curve_that_says_nothing_is_the_middle_of_the_prior():
    """Where a spotter learned nothing, the answer without looking is the best one left, and a NaN
    would be none at all.
    """
    number = np.arange(40, 141)
    for value in (np.zeros(101), np.full(101, 0.1), np.full(101, 1e3, np.float32)):
        for place in (0.3, 0.515, 0.7):
            assert abs(answered(number, value, prior=(place, 0.1)) - (40 + 100 * place)) <= 1
    assert answered(np.array([5, 6]), np.array([0.0, 1.0])) in (5, 6), (
        'no frame between onset and offset'
    )
    assert answered(np.array([5, 6, 7]), np.array([1.0, 0.0, 3.0])) == 6


def test_template_takes_no_inverted_curve_for_a_curve():
    """An output that is least at some frame tells of no apex there, as if a falling line fitted as
    well as a rising one.
    """
    number, prior = np.arange(61), (0.5, 0.2)
    valley = 1 - label(number, 0, 18, 60)
    settings = {'onset': 0, 'offset': 60, 'width': 9, 'prior': prior, **SHAPES[0]}
    assert abs(written_out(number, valley, rising=False, **settings) - 18) <= 1, (
        'this test would prove nothing'
    )
    assert (
        decoders.fit_curve(number, valley, **settings)
        == written_out(number, valley, **settings)
        > 25
    )


def test_the_fitted_fraction_has_the_least_error_of_all():
    """The baseline beside every spotter: a mean, or a median of clips instead of frames, would make
    it easier to beat.
    """
    rng = np.random.default_rng(0)
    for count in (1, 2, 7, 60):
        onset, span = rng.integers(0, 90, count), rng.integers(1, 100, count)
        apex, offset = onset + np.round(span * rng.beta(2, 4, count)).astype(int), onset + span
        error = lambda f: np.abs(apex - onset - f * span).sum()  # noqa: B023, E731
        found = decoders.fitted_fraction(onset, apex, offset)
        assert 0 <= found <= 1 and error(found) <= min(map(error, np.linspace(0, 1, 2001))) + 1e-9
    assert decoders.fitted_fraction(np.array([0, 5]), np.array([4, 5]), np.array([10, 5])) == 0.4, (
        'a clip of one frame'
    )
    unequal = [np.array(column) for column in ([0, 0, 0], [8, 9, 20], [10, 10, 100])]
    assert decoders.fitted_fraction(*unequal) == 0.2, (
        'the long clip weighs more than the two short ones'
    )


def test_the_midpoint_by_hand():
    """Half a frame later would be another baseline in every clip of odd length."""
    assert [int(middle) for middle in apexes.middle(np.array([10, 10]), np.array([20, 21]))] == [
        15,
        15,
    ]


# The real engine on clips timed and moved as drawn ones are; images hold the true motion of their
# frame, or noise.

SUBJECTS, EACH = 10, 7


class Dense(nn.Module):
    """The smallest spotter: two dense layers on the mean of |image|."""

    @nn.compact
    def __call__(self, image, *, train):
        x = nn.tanh(nn.Dense(8)(abs(image).mean((1, 2))))
        return nn.Dense(1)(x), {}


@pytest.fixture(scope='module')
def drawn():
    """(samples with the truth for images, names, timing): frames from onset to offset, timed by
    clips.varied_timing.
    """
    moved, times, subject = [], [], []
    for person in range(SUBJECTS):
        rng = clips.generator(0, person, 1)
        style = emotions.style(rng)
        for _ in range(EACH):
            onset, apex, offset, count = clips.varied_timing(rng, style.length)
            course = motion.time_course(count, onset, apex, offset) * rng.uniform(0.7, 2.4)
            first = int(rng.integers(1, 200))
            moved.append(course[onset : offset + 1])
            times.append((first + onset, first + apex, first + offset, 200.0))
            subject.append(person)
    timing = Timing(
        *(np.array(column, np.int32) for column in list(zip(*times, strict=True))[:3]),
        np.full(len(times), 200, np.float32),
    )
    clip = np.repeat(np.arange(len(moved), dtype=np.int32), list(map(len, moved)))
    frame = np.concatenate(
        [onset + np.arange(len(one)) for onset, one in zip(timing.onset, moved, strict=True)]
    ).astype(np.int32)
    target = np.concatenate(
        [
            label(frame[clip == c], *(int(column[c]) for column in timing[:3]))
            for c in range(len(moved))
        ]
    )
    count = len(clip)
    image = np.broadcast_to(np.concatenate(moved)[:, None, None, None], (count, 2, 2, 2)).astype(
        np.float32
    )
    zeros = np.zeros(count, np.int32)
    samples = Samples(
        image,
        zeros,
        np.array(subject, np.int32)[clip],
        zeros,
        clip,
        {'target': target, 'frame': frame},
    )
    names = Names(
        ('apex',),
        tuple(f's{i}' for i in range(SUBJECTS)),
        ('drawn',),
        tuple(f'c{i}' for i in range(len(moved))),
        (),
    )
    return samples, names, timing


@pytest.fixture(scope='module')
def spot(drawn):
    """image -> score of the spotter that is trained on it, by the programs of a real run, five
    groups of subjects.
    """
    samples, names, timing = drawn
    trainable = ~np.isnan(samples.extras['target'])
    folds, _ = protocols.make(samples, names, Protocol('kfold'), seeds=1, trainable=trainable)

    def scale_input(image, fitted):
        return scaling.scale_input(image, fitted, value_range=loading.VALUE_RANGES['-1..1'])

    learner = learners.spotting(
        Dense(),
        optax.adam(1e-2),
        output='sigmoid',
        scale_input=scale_input,
        fit=lambda samples, rows: scaling.fit_input(samples, rows, scaler='p995'),
    )
    programs = runs.compile_programs(
        learner,
        plan.Plan('matmul', 5, 1, ''),
        samples,
        folds,
        runs.ProgramOptions(batches.BatchOptions(64), runs=5, test_batch=256, chunk=4),
    )

    def score(image):
        seen = samples._replace(image=image.astype(np.float32))
        own = programs._replace(samples=parallel.replicate(seen, devices=programs.devices))
        group = runs.group_on_devices(own, folds, np.arange(5))
        states = runs.init_group(group)
        for chunk in runs.train_group_in_chunks(group, states, done=0, epochs=4):
            states = chunk.states
        outputs = runs.predict_group(group, states)
        predictions = held_out.predictions(held_out.in_stored_order(outputs, folds), seen, folds)
        found = spotting_score.decode(predictions, folds, seen, timing, Spotting(**SHAPES[0]))
        assert len(found.clip) == len(names.clips) and found.left_out.all()
        of_clip = np.repeat(np.arange(SUBJECTS), EACH)
        return spotting_score.score(found, timing, names, of_clip, np.zeros_like(of_clip))

    return score


def finds(blocks):
    """Max is off by a frame at most, the windows and the template by half a frame more (the motion
    falls slower than it rises, the label does not), and all are nearer than the midpoint by more
    than chance.
    """
    near = {'max': 1, 'sw_max': 1.5, 'template': 1.5}
    return all(
        blocks[name]['mae'] <= most and blocks[name]['against']['midpoint']['interval'][1] < 0
        for name, most in near.items()
    )


def guesses(blocks):
    """The template is no better than the fitted fraction by more than chance, and Max is worse."""
    gain = {name: blocks[name]['against']['fraction']['interval'] for name in ('max', 'template')}
    return gain['template'][1] >= 0 and gain['max'][0] > 0


def test_a_spotter_that_sees_the_true_motion_finds_the_apex(spot, drawn):
    """Rows in another order, a label of another frame or a decision off by one would show here,
    whatever the network.
    """
    blocks = spot(drawn[0].image)
    assert finds(blocks) and not guesses(blocks)
    assert blocks['fraction']['mae'] > 4, (
        'apexes that lie at one place would be found without looking'
    )


def test_a_spotter_that_sees_noise_does_no_better_than_the_fitted_fraction(spot, drawn):
    """If it did, its labels, the place of a row in its clip or a test clip's apex would leak into
    the answer.
    """
    blocks = spot(np.random.default_rng(5).normal(0, 1, drawn[0].image.shape))
    assert guesses(blocks) and not finds(blocks)
    blind = spot(np.ones(drawn[0].image.shape))
    assert abs(blocks['template']['mae'] - blind['template']['mae']) < 0.3, (
        'nor than one that sees nothing at all'
    )


def test_a_leaking_label_is_seen_in_the_noise(spot, drawn):
    """The test above would pass on any network that learns nothing: a trace of the label in the
    noise must fail it.
    """
    noise = np.random.default_rng(5).normal(0, 1, drawn[0].image.shape)
    assert not guesses(spot(noise + drawn[0].extras['target'][:, None, None, None]))
