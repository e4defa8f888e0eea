"""Maps of what a network looks at: against heads whose answer is known, and one gradient a
region.
"""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mer_jax as mj
from mer_jax import models
from mer_jax.data import loading
from mer_jax.errors import UserError
from mer_jax.experiment import build
from mer_jax.explain import draw
from mer_jax.explain import maps as explain
from mer_jax.folds import protocols
from mer_jax.settings.sections import Protocol
from mer_jax.settings.tree import from_nested
from mer_jax.types import FoldState, Inputs, Learner
from tests.conftest import make_samples
from tests.support.compiling import quickly

WEIGHT = jnp.array([[2.0, -1.0, 0.5], [-3.0, 1.0, 4.0]])  # region, channel


def maps_of(seed=0, regions=2, features=3):
    return jnp.asarray(np.random.default_rng(seed).random((regions, 4, 5, features)), jnp.float32)


def linear(maps):
    """Logits: the weighted means over all pixels, and the same once more with other signs."""
    told = jnp.sum(WEIGHT * maps.mean((1, 2)))
    return jnp.stack([told, -told]), {}


def scaled(cam):
    low, high = cam.min((1, 2), keepdims=True), cam.max((1, 2), keepdims=True)
    return (cam - low) / (high - low)


def by_hand(maps, weight):
    """Channels weighted by known numbers, the positive part, each region from 0 to 1."""
    return scaled(np.maximum(np.einsum('rhwd,rd->rhw', np.asarray(maps, float), weight), 0))


def test_grad_cam_of_a_linear_head_shows_its_weights():
    """A sum over the wrong axis, or the gradient of another class, would colour other places."""
    maps = maps_of()
    sign = float(jnp.sign(linear(maps)[0][0]))  # the larger logit decides
    np.testing.assert_allclose(
        explain.grad_cam(linear, maps), by_hand(maps, sign * np.asarray(WEIGHT)), atol=1e-5
    )
    other = -maps
    np.testing.assert_allclose(
        explain.grad_cam(linear, other), by_hand(other, -sign * np.asarray(WEIGHT)), atol=1e-5
    )


def test_the_weight_of_a_channel_is_its_mean_gradient():
    """Gradients that differ from pixel to pixel are averaged before, not after, they meet
    the maps.
    """
    maps, gradient = maps_of(), maps_of(1) - 0.5
    np.testing.assert_allclose(
        explain.class_activation(maps, gradient),
        by_hand(maps, np.asarray(gradient).mean((1, 2))),
        atol=1e-5,
    )


def normalised(maps):
    """A head as the dual-branch network's: weighted, and joined at length 1 in `features`."""
    pooled = maps.mean((1, 2))
    weights = jnp.array([[1.0, 0.2, 0.5], [0.3, 0.9, 0.8]])
    joined = pooled / jnp.linalg.norm(pooled, axis=1, keepdims=True)
    return jnp.zeros(2), {
        'pooled': pooled,
        'weights': weights,
        'features': (joined * weights).reshape(-1),
    }


def test_au_cam_shows_the_strongest_feature_of_each_region():
    """Eq. 13: of a region's weighted means the largest decides, so its own channel alone is the
    map.
    """
    maps = maps_of()
    strongest = np.argmax(np.asarray(maps.mean((1, 2)) * normalised(maps)[1]['weights']), 1)
    weight = np.eye(3)[strongest]
    assert strongest[0] != strongest[1]
    np.testing.assert_allclose(explain.au_cam(normalised, maps), by_hand(maps, weight), atol=1e-5)


def test_the_released_map_of_the_eyes_comes_from_the_mouth():
    """models.md 3.8: only the last gradient is kept, and the regions meet in the length that both
    are divided by.
    """
    maps = maps_of()

    def mouth(m):
        joined = normalised(m)[1]['features'].reshape(2, 3)
        return (joined / jnp.sqrt(jnp.sum(joined**2)))[1].max()

    gradient = np.asarray(jax.grad(mouth)(maps)).mean((1, 2))
    assert np.abs(gradient[0]).max() > 1e-4, (
        'the eyes have no part in it: this test would prove nothing'
    )
    expected = by_hand(maps, gradient)
    released = explain.au_cam(normalised, maps, kind='released')
    np.testing.assert_allclose(released, expected, atol=1e-4)
    assert np.abs(released[0] - explain.au_cam(normalised, maps)[0]).max() > 0.2


@pytest.mark.parametrize(
    'cam', [explain.grad_cam, explain.au_cam, lambda h, m: explain.au_cam(h, m, kind='released')]
)
def test_maps_without_anything_stay_zero(cam):
    """Dividing by a largest value of 0 made NaN of whole pictures in the released code."""

    def head(maps):
        out = {
            'pooled': maps.mean((1, 2)),
            'weights': jnp.ones((2, 3)),
            'features': 1 + maps.mean((1, 2)).reshape(-1),
        }
        return linear(maps)[0], out

    found = np.asarray(cam(head, jnp.zeros((2, 4, 5, 3))))
    assert found.shape == (2, 4, 5) and (found == 0).all()
    # no positive part anywhere
    negative = explain.class_activation(-maps_of(), jnp.ones((2, 4, 5, 3)))
    assert (np.asarray(negative) == 0).all()
    # one value everywhere: no place stands out
    still = explain.class_activation(jnp.ones((2, 4, 5, 3)), jnp.ones((2, 4, 5, 3)))
    assert (np.asarray(still) == 0).all()


def test_a_picture_is_eyes_over_mouth():
    """Maps joined side by side, or mouth over eyes, would lie over the wrong part of the face."""
    cam = np.stack([np.zeros((3, 6)), np.ones((3, 6))])
    found = explain.enlarge(cam, 24)
    assert found.shape == (24, 24) and found.dtype == np.float32
    assert (found[:12] == 0).all() and (found[12:] == 1).all()
    # one region: the whole face
    ramp = explain.enlarge(np.arange(6.0).reshape(1, 1, 6).repeat(3, 1), 24)
    assert (
        ramp.shape == (24, 24)
        and (np.diff(ramp, axis=1) >= 0).all()
        and ramp[0, 0] == 0
        and ramp[0, -1] == 5
    )


@pytest.fixture(scope='module')
def network():
    """(model, state, image) of a small dual-branch network with random numbers for weights."""
    draw = np.random.default_rng(0)
    model = models.make(
        'dual_branch',
        classes=3,
        lowering='matmul',
        width=8,
        hidden=16,
        attention='off',
        unstrided_layers=2,
    )
    image = draw.normal(size=(2, 32, 32, 3)).astype(np.float32)
    shapes = jax.eval_shape(
        lambda key: model.init({'params': key, 'dropout': key}, image, train=False),
        jax.random.key(0),
    )
    filled = jax.tree.map(lambda a: draw.normal(0, 0.3, a.shape).astype(a.dtype), shapes['params'])
    return (
        model,
        FoldState(
            0,
            filled,
            jax.tree.map(lambda a: np.ones(a.shape, a.dtype), shapes['batch_stats']),
            None,
            {},
        ),
        image,
    )


def test_one_gradient_serves_all_regions_of_the_network(network):
    """The maps of `explain` come from one sum over regions: it must equal each region's own
    gradient, for every clip.
    """
    model, state, image = network
    variables = {'params': state.params, 'batch_stats': state.batch_stats}
    predict = lambda state, inputs: model.apply(  # noqa: E731
        {'params': state.params, 'batch_stats': state.batch_stats}, inputs.image, train=False
    )
    explained = explain.predictor(model, predict, kind='fixed')
    (found, nothing), (logits, out) = quickly(lambda *given: (explained(*given), predict(*given)))(
        state, Inputs(image, {})
    )
    assert (
        nothing == {}
        and found['output'].shape == (2, 3)
        and found['au_cam'].shape == out['maps'].shape[:-1]
    )
    np.testing.assert_allclose(found['output'], logits, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found['features'], out['features'], rtol=1e-4, atol=1e-5)

    @quickly
    def alone(attended, skipped, region):
        def target(m):
            told = model.apply(variables, jax.nn.relu(m + skipped)[None], method='head')[1]
            return jnp.max(told['pooled'][0, region] * told['weights'][0, region])

        return explain.class_activation(attended, jax.grad(target)(attended))

    for clip in range(2):
        for region in range(2):
            wanted = alone(out['attended'][clip], out['skipped'][clip], region)[region]
            np.testing.assert_allclose(found['au_cam'][clip, region], wanted, atol=1e-5)
            assert found['au_cam'][clip, region].max() > 0.999, (
                'a map of nothing would prove nothing'
            )


def test_rows_keep_their_clips(small):
    """Maps of one clip under the name of another would look right and be wrong: 5 folds, 2 seeds,
    channels in another order.
    """
    samples, names = make_samples(size=8, clips=(3, 2, 2, 1, 2))
    folds, _ = protocols.make(samples, names, Protocol(), seeds=2)
    count = len(samples.label)
    level = np.tile(np.arange(count), 2).astype(np.float32)  # row after row, seed after seed
    level[count:] += 100  # of the second seed, which is not drawn
    cams = {
        name: np.full((2 * count, 2, 4, 8), factor) * level[:, None, None, None]
        for name, factor in (('au_cam', 1.0), ('grad_cam', 2.0))
    }
    found = {'output': np.eye(3)[np.tile(samples.label, 2)], 'features': level[:, None], **cams}
    explained = explain.explained_clips(found, samples, folds, ('off_a', 'magnified', 'on_a'))
    assert len(explained.clip) == count
    np.testing.assert_array_equal(explained.clip, np.arange(count))
    np.testing.assert_array_equal(explained.features[:, 0], explained.clip)
    np.testing.assert_array_equal(
        explained.au_cam, np.ones((1, 8, 8)) * explained.clip[:, None, None]
    )
    np.testing.assert_array_equal(explained.grad_cam, 2 * explained.au_cam)
    np.testing.assert_array_equal(explained.gray, samples.image[..., 1])
    np.testing.assert_array_equal(explained.on_a, samples.image[..., 2])
    np.testing.assert_array_equal(explained.predicted, samples.label)
    np.testing.assert_array_equal(explained.subject, samples.subject)


def test_one_network_trains_on_all_clips_and_predicts_all(monkeypatch, tmp_path):
    """A fold's network would show its own held-out clips as if it had been taught them."""
    config = mj.config('synthetic_dualbranch:quick')
    config.train.seeds, config.protocol.validation = 3, 0.2
    settings = from_nested(config.to_dict())
    samples, names = make_samples(size=8, clips=(3, 2, 2, 1, 2))
    count = len(samples.label)
    twice = {
        name: np.concatenate([getattr(samples, name)] * 2)
        for name in ('image', 'label', 'subject', 'dataset')
    }
    # a GAN adds images behind the clips
    with_images = samples._replace(**twice, clip=np.append(samples.clip, [-1] * count))
    data = loading.Data(samples, names, [], '', '', ())

    def opened(changed, folder):
        assert changed.train.epochs == settings.train.epochs and folder == tmp_path / 'one'
        folds, titles = protocols.make(samples, names, changed.protocol, seeds=changed.train.seeds)
        return build.Experiment(changed, data, folds, titles), None

    def trained(experiment, *_):
        folds = experiment.folds
        assert len(folds.fold) == 1
        for rows in (folds.train, folds.test):
            assert sorted(protocols.rows_of(rows, 0)) == list(range(count))
        cams = np.zeros((count, 2, 4, 8), np.float32)
        features = np.arange(count, dtype=np.float32)[:, None]
        output = np.eye(3)[samples.label]
        return {'output': output, 'features': features, 'au_cam': cams, 'grad_cam': cams}

    def with_generated(experiment, folder):
        return experiment._replace(data=data._replace(samples=with_images))

    monkeypatch.setattr(draw.run, 'open_run', opened)
    monkeypatch.setattr(draw.run, 'train_groups', trained)
    monkeypatch.setattr(draw.build, 'choose_plan', lambda *_: SimpleNamespace(lowering='matmul'))
    monkeypatch.setattr(draw.build, 'learner', lambda *_: Learner(None, None, None))
    monkeypatch.setattr(draw.build, 'model', lambda *_: None)
    monkeypatch.setattr(draw.build, 'with_generated', with_generated)
    found = draw.explained_by_one(settings, tmp_path / 'one')
    np.testing.assert_array_equal(found.clip, np.arange(count))
    np.testing.assert_array_equal(found.features[:, 0], found.clip)


def test_what_cannot_be_explained_is_told(small):
    """A traceback, or a flow drawn as a face, is what a user would get."""
    for model, channels, told in (
        ('ststnet', 'magnified,on_a', "model.name is 'ststnet'; explain knows: dual_branch"),
        ('dual_branch', 'u,v,strain', 'explain needs magnified and on_a'),
        ('single_branch', 'magnified', 'explain needs magnified and on_a'),
    ):
        with pytest.raises(UserError, match=told):
            explain.refuse(model, tuple(channels.split(',')))
    explain.refuse('single_branch', ('on_a', 'magnified'))
    samples, names = small
    folds, _ = protocols.make(samples, names, Protocol('all_rows'), seeds=1)
    with pytest.raises(UserError, match='leaves no clip out'):
        explain.explained_clips(None, samples, folds, ('magnified', 'on_a', 'off_a'))


@pytest.mark.parametrize(
    'strides, pool, size', [((2, 2, 2), True, 64), ((2, 2, 1), False, 48), ((2, 2, 2), True, 112)]
)
def test_a_cell_is_drawn_at_the_pixel_it_looks_at(strides, pool, size):
    """Spread over tiles, as a plain resize does, maps of small faces lie up to 16 pixels too low
    and too far right.
    """

    def looked_at(x):
        """The strides of a branch, with kernels that keep the middle pixel alone."""
        for width, stride in ((7, 2), *((3, stride) for stride in (2,) * pool + strides)):
            kernel = jnp.zeros((width, width, 1, 1)).at[width // 2, width // 2].set(1)
            x = jax.lax.conv_general_dilated(
                x[None, ..., None],
                kernel,
                (stride, stride),
                [(width // 2,) * 2] * 2,
                dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
            )[0, ..., 0]
        return np.asarray(x)

    for ramp in np.mgrid[: size // 2, :size].astype(np.float32):
        cells = looked_at(ramp)
        drawn = explain.enlarge(np.stack([cells, cells]), size)
        assert drawn.shape == (size, size)
        inside = ramp <= cells.max()  # beyond the last cell nothing is known
        np.testing.assert_allclose(drawn[: size // 2][inside], ramp[inside], atol=1e-3)
        np.testing.assert_array_equal(drawn[: size // 2], drawn[size // 2 :])
