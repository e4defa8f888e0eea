"""Losses and rates: each against the same written out slowly, or against PyTorch's."""

import math
from functools import partial
from types import SimpleNamespace

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from mer_jax.settings.sections import Alignment, Train
from mer_jax.training import learners
from mer_jax.types import Inputs
from tests.support.compiling import quickly

TEMPERATURE = 0.2
VARIANTS = ('clean', 'released', 'paper', 'equal')
CASES = ('plain', 'empty', 'unknown', 'wrapped', 'replaced', 'one', 'nothing', 'all unknown')


def batch(case, rows=7, width=5, units=6, seed=0):
    """(feature, action units, parts) of one batch, as hard as the case says."""
    draw = np.random.default_rng(seed)
    rows = 1 if case == 'one' else rows
    feature = draw.normal(size=(rows, width))
    present = (draw.random((rows, units)) < 0.4).astype(float)
    present[:, 0] = 1 if case == 'plain' else present[:, 0]
    present[-1] = present[0]  # 'equal' finds a partner
    parts = np.repeat(np.arange(rows)[:, None], 2, 1)
    if case == 'empty':
        present[[1, 4]] = 0
    if case == 'unknown':
        present[[2, 3]] = np.nan
    if case == 'wrapped':
        present[5:], parts[5:], feature[5:] = present[:2], parts[:2], feature[:2]
    if case == 'replaced':
        parts[3, 1], parts[4, 1] = parts[0, 1], parts[6, 1]
    if case == 'nothing':
        present[:] = 0
    if case == 'all unknown':
        present[:] = np.nan
    return feature / np.linalg.norm(feature, axis=1, keepdims=True), present, parts


def similarity(one, other, form):
    """Eq. 4 for two rows of action units; of 'equal' 1 for the same units."""
    one, other = set(np.flatnonzero(one)), set(np.flatnonzero(other))
    if not one | other:
        return 0.0
    return float(one == other) if form == 'equal' else len(one & other) / len(one | other)


def written_out(feature, units, parts, form, temperature=TEMPERATURE):
    """Eq. 5 of Ruan et al. 2022 in loops over rows, with the changes of each form."""
    rows = range(len(feature))
    own = form in ('released', 'paper')

    def comparable(i, j):
        """Two rows with known units; of different clips, where the form knows of clips."""
        unknown = np.isnan(units[i]).any() or np.isnan(units[j]).any()
        apart = i != j if own else parts[i][0] != parts[j][0] and parts[i][1] != parts[j][1]
        return not unknown and apart

    def weight(i, j):
        return similarity(units[i], units[j], form) if comparable(i, j) or own and i == j else 0.0

    def exponential(i, j):
        return math.exp(feature[i] @ feature[j] / temperature) + (1e-5 if form == 'released' else 0)

    terms = []
    for i in rows:
        others = [k for k in rows if comparable(i, k)]
        if not others:
            continue
        total = sum(weight(i, j) for j in rows)
        if not total:
            continue
        below = sum(exponential(i, k) for k in ([*others, i] if form == 'paper' else others))
        pulled = [*others, i] if form == 'released' else others
        terms.append(
            -sum(weight(i, j) * math.log(exponential(i, j) / below) for j in pulled) / total
        )
    return sum(terms) / (1 if form == 'paper' else max(len(terms), 1))


@partial(jax.jit, static_argnames='form')
def aligned(feature, units, parts, form):
    shared = learners.same_source(jnp.asarray(parts))
    return learners.alignment(
        jnp.asarray(feature), jnp.asarray(units), shared, variant=form, temperature=TEMPERATURE
    )


@pytest.mark.parametrize('case', CASES)
@pytest.mark.parametrize('form', VARIANTS)
def test_alignment_is_the_equation_written_out(form, case):
    """Another pair, weight or divisor would train another loss than the one that is named."""
    feature, units, parts = batch(case)
    for changed in (feature, 0.3 * feature):  # 'paper' sees features of any length
        expected = written_out(changed, units, parts, form)
        assert float(aligned(changed, units, parts, form)) == pytest.approx(
            expected, rel=2e-5, abs=1e-6
        )
    assert (expected == 0) == (case in ('one', 'nothing', 'all unknown')), (
        'this case would prove nothing'
    )


@pytest.mark.parametrize('form', VARIANTS)
def test_alignment_has_the_gradient_of_the_equation_everywhere(form):
    """One NaN in a batch without partners would end the training of its fold; a masked pair must
    send nothing back.
    """
    gradient = jax.grad(partial(aligned, form=form))
    for case in CASES:
        feature, units, parts = batch(case)
        found, step = gradient(feature, units, parts), np.zeros_like(feature)
        assert np.isfinite(found).all(), case
        for place in ((0, 0), (len(feature) - 1, 2)):
            step[:] = 0
            step[place] = 1e-5
            up, down = (written_out(feature + sign * step, units, parts, form) for sign in (1, -1))
            assert float(found[place]) == pytest.approx((up - down) / 2e-5, rel=2e-3, abs=2e-4), (
                case
            )
    feature, units, parts = batch('unknown')
    assert (np.asarray(gradient(feature, units, parts))[2:4] == 0).all()


def test_forms_differ_as_they_say():
    """Four names for one loss would make the comparison of the forms a comparison of noise."""
    losses = [float(aligned(*batch('plain'), form)) for form in VARIANTS]
    assert len(np.unique(np.round(losses, 4))) == 4


def test_a_clip_shown_twice_is_no_partner_of_itself():
    """Wrapped rows and replaced halves are almost the same picture: pulling them together teaches
    nothing about units.
    """
    parts = jnp.array([[0, 0], [1, 1], [0, 0], [2, 1], [3, 2]])
    expected = np.eye(5, dtype=bool)
    for i, j in ((0, 2), (1, 3)):  # a wrapped duplicate; the same mouth under other eyes
        expected[i, j] = expected[j, i] = True
    # row 4 shows the upper, row 3 the lower half of clip 2
    np.testing.assert_array_equal(learners.same_source(parts), expected)


@pytest.mark.parametrize('form', ['clean', 'equal'])
def test_a_duplicate_changes_no_pair_of_others(form):
    """Which pairs count may not depend on how often a batch wraps round: rows 5 and 6 are 0 and 1
    once more.
    """
    feature, units, parts = batch('wrapped')
    apart = ~np.asarray(learners.same_source(parts))
    np.testing.assert_array_equal(apart[:5, :5], ~np.eye(5, dtype=bool))
    np.testing.assert_array_equal(apart[5:, :5], apart[:2, :5])
    assert not apart[0, 5] and not apart[1, 6] and apart[0, 6] and apart[5, 6]
    once, twice = (
        aligned(*(np.concatenate([part] * n) for part in batch('plain')), form) for n in (1, 2)
    )
    # every partner stands twice in the sums of a row: the loss moves by log 2 and by nothing else
    assert float(twice) == pytest.approx(float(once) + math.log(2), rel=1e-5)


@pytest.mark.parametrize('case', ['replaced', 'wrapped'])
def test_the_released_loss_knows_no_clips(case):
    """The authors' code masks the diagonal alone: two rows that show the same mouth are a pair
    like any other.
    """
    feature, units, parts = batch(case)
    plain = np.repeat(np.arange(len(feature))[:, None], 2, 1)
    for form in ('released', 'paper'):
        assert aligned(feature, units, parts, form) == aligned(feature, units, plain, form)
    assert aligned(feature, units, parts, 'clean') != aligned(feature, units, plain, 'clean')


def test_units_that_both_rows_have_over_those_of_either():
    """Eq. 4 by hand: {1, 2} and {2, 4} share one of three."""
    units = jnp.array([[1, 1, 0], [0, 1, 1], [0, 0, 0], [1, 1, 0.0]])
    third = 1 / 3
    np.testing.assert_allclose(
        learners.jaccard(units), [[1, third, 0, 1], [third, 1, 0, third], [0] * 4, [1, third, 0, 1]]
    )
    np.testing.assert_array_equal(
        learners.equal_sets(units), [[1, 0, 0, 1], [0, 1, 0, 0], [0] * 4, [1, 0, 0, 1]]
    )


@pytest.mark.parametrize('smoothing', [0.0, 0.1])
@pytest.mark.parametrize('weighted', [False, True])
def test_cross_entropy_is_that_of_pytorch(smoothing, weighted):
    """Divided by the number of rows instead of their weights, the rate would follow the classes in
    the batch.
    """
    torch = pytest.importorskip('torch')
    draw = np.random.default_rng(1)
    logits, label = draw.normal(0, 3, (9, 5)).astype(np.float32), draw.integers(0, 4, 9)
    weight = np.array([3.9, 1, 0.5, 2, 0], np.float32) if weighted else None
    expected = torch.nn.functional.cross_entropy(
        torch.from_numpy(logits),
        torch.from_numpy(label),
        None if weight is None else torch.from_numpy(weight),
        label_smoothing=smoothing,
    )
    found = learners.cross_entropy(jnp.asarray(logits), jnp.asarray(label), weight, smoothing)
    assert float(found) == pytest.approx(float(expected), rel=1e-5)


def test_rates_restart_as_pytorchs_do():
    """A cycle that ends one epoch early restarts before the last epoch, and the result is taken at
    the highest rate.
    """
    torch = pytest.importorskip('torch')
    steps, rate = 3, 3e-3
    schedule = learners.warm_restarts(rate, steps)
    rates = np.asarray(jax.jit(jax.vmap(schedule))(np.arange(161 * steps))).reshape(161, steps)
    tool = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=rate)
    theirs = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(tool, T_0=10, T_mult=2)
    for epoch in range(161):
        assert len({*rates[epoch]}) == 1, 'moves once an epoch'
        assert rates[epoch, 0] == pytest.approx(theirs.get_last_lr()[0], rel=1e-4, abs=1e-9), epoch
        tool.step()
        theirs.step()
    assert rates[69, 0] == pytest.approx(4.6e-6, rel=0.01)  # the 70th epoch
    # the 100th, in the middle of a cycle
    assert rates[99, 0] == pytest.approx(2.13e-3, rel=0.002)


def test_schedules_end_where_they_say():
    """cosine must end at 0 on the last of steps x epochs; every optimizer must take a step."""
    rate = learners.SCHEDULES['cosine'](0.1, 5, 10)
    assert float(rate(0)) == pytest.approx(0.1) and float(rate(25)) == pytest.approx(0.05)
    assert float(rate(50)) == pytest.approx(0, abs=1e-8)
    for name in learners.OPTIMIZERS:
        for schedule in learners.SCHEDULES:
            settings = Train(
                optimizer=name,
                learning_rate=0.1,
                weight_decay=0.01,
                momentum=0.9,
                schedule=schedule,
                epochs=2,
            )
            tool = learners.optimizer(settings, steps=1)
            updates, _ = tool.update(
                {'w': jnp.ones(2)}, tool.init({'w': jnp.ones(2)}), {'w': jnp.ones(2)}
            )
            assert (np.asarray(updates['w']) < 0).all(), (name, schedule)


@pytest.mark.parametrize('name, theirs', [('adam_l2', 'Adam'), ('adamw', 'AdamW')])
def test_weights_decay_as_in_pytorch(name, theirs):
    """The weight_decay of Adam in PyTorch is L2: Adam divides it by the size of the gradient, which
    AdamW does not.
    """
    torch = pytest.importorskip('torch')
    draw = np.random.default_rng(3)
    start = draw.normal(0, 1, 4).astype(np.float32)
    weights = torch.nn.Parameter(torch.tensor(start))
    reference = getattr(torch.optim, theirs)([weights], lr=0.01, weight_decay=0.1)
    settings = Train(optimizer=name, learning_rate=0.01, weight_decay=0.1)
    tool = learners.optimizer(settings, steps=1)
    params = {'w': jnp.asarray(start)}
    state = tool.init(params)
    for _ in range(20):
        gradient = draw.normal(0, 1, 4).astype(np.float32)
        weights.grad = torch.tensor(gradient)
        reference.step()
        updates, state = tool.update({'w': jnp.asarray(gradient)}, state, params)
        params = optax.apply_updates(params, updates)
    np.testing.assert_allclose(params['w'], weights.detach(), atol=1e-5)


class Regions(nn.Module):
    """Two heads and two features, as the dual-branch network returns them."""

    @nn.compact
    def __call__(self, image, *, train):
        x = nn.Dense(6)(image.reshape(len(image), -1))
        heads = jnp.stack([nn.Dense(3)(x), nn.Dense(3)(x)], 1)
        return heads.sum(1), {
            'heads': heads,
            'features': x,
            'contrast': x / jnp.linalg.norm(x, axis=1, keepdims=True),
        }


def rows_of(size=6):
    draw = np.random.default_rng(2)
    return SimpleNamespace(
        image=draw.normal(size=(size, 2, 2, 1)).astype(np.float32),
        label=draw.integers(0, 3, size),
        extras={
            'action_units': (draw.random((size, 4)) < 0.5).astype(np.float32),
            'half_source': np.repeat(np.arange(size)[:, None], 2, 1),
        },
    )


@pytest.mark.parametrize(
    'form,share', [('clean', 0.3), ('paper', 0.3), ('released', 1.0), ('clean', 0.0)]
)
def test_a_contrastive_step_adds_what_it_says(form, share):
    """Eq. 8: both heads weighted and smoothed, and the alignment of the features that the form
    names; alone where off.
    """
    weight, data = jnp.array([1, 2, 0.5]), rows_of()
    tool = learners.contrastive(
        Regions(),
        optax.sgd(0.1),
        fit=lambda samples, rows: {'class_weight': weight},
        scale_input=lambda image, fitted: image,
        smoothing=0.1,
        settings=Alignment(share, form, temperature=0.1),
    )
    rows = SimpleNamespace(scaler_rows=SimpleNamespace(index=np.arange(6)))

    @quickly
    def stepped(first, second):
        state = tool.init(first, data, rows)
        _, out = tool.predict(state, Inputs(data.image, {}))
        return state, out, *tool.step(state, data, second)

    state, out, new, logs = stepped(jax.random.key(0), jax.random.key(1))
    told = sum(
        float(learners.cross_entropy(out['heads'][:, r], data.label, weight, 0.1)) for r in (0, 1)
    )
    feature = np.asarray(out['features' if form == 'paper' else 'contrast'], float)
    pulled = written_out(
        feature, data.extras['action_units'], data.extras['half_source'], form, 0.1
    )
    assert pulled != pytest.approx(0, abs=1e-3)
    assert float(logs['loss']) == pytest.approx((1 - share) * told + share * pulled, rel=1e-4)
    assert set(logs) == {'loss', 'accuracy'} | ({'cross_entropy', 'alignment'} if share else set())
    assert new.step == 1 and any(
        (a != b).any()
        for a, b in zip(*map(jax.tree.leaves, (state.params, new.params)), strict=True)
    )


class Frame(nn.Module):
    """One logit a frame."""

    @nn.compact
    def __call__(self, image, *, train):
        return nn.Dense(1)(image.reshape(len(image), -1)), {}


@pytest.mark.parametrize('output', ['sigmoid', 'linear'])
def test_a_spotting_step_regresses_the_label_of_each_frame(output):
    """[B, 1] less [B] is [B, B]: every frame would be drawn to the labels of all; and outputs must
    be those that are trained.
    """
    batch = rows_of()
    target = np.array([0, 0.25, 0.5, 1, 0.75, 0], np.float32)
    batch.extras['target'] = target
    tool = learners.spotting(
        Frame(),
        optax.sgd(0.1),
        fit=lambda samples, rows: {},
        scale_input=lambda image, fitted: image,
        output=output,
    )
    state = tool.init(
        jax.random.key(0), batch, SimpleNamespace(scaler_rows=SimpleNamespace(index=np.arange(6)))
    )
    new, logs = tool.step(state, batch, jax.random.key(1))
    told = np.asarray(tool.predict(state, Inputs(batch.image, {}))[0], float)
    logits = np.asarray(Frame().apply({'params': state.params}, batch.image, train=False)[0], float)
    np.testing.assert_allclose(
        told, 1 / (1 + np.exp(-logits)) if output == 'sigmoid' else logits, rtol=1e-5
    )
    expected = np.mean((told[:, 0] - target) ** 2)
    assert set(logs) == {'loss'} and float(logs['loss']) == pytest.approx(expected, rel=1e-5)
    before = float(logs['loss'])
    for number in range(20):
        new, logs = tool.step(new, batch, jax.random.key(number))
    assert float(logs['loss']) < before and new.step == 21


def test_the_loss_of_units_is_that_of_pytorch_over_the_known_entries():
    """An unknown entry that counts as absent teaches absence; one NaN in a gradient would end the
    training of its fold.
    """
    torch = pytest.importorskip('torch')
    draw = np.random.default_rng(2)
    logits = draw.normal(0, 3, (6, 4)).astype(np.float32)
    units = (draw.random((6, 4)) < 0.4).astype(np.float32)
    units[draw.random((6, 4)) < 0.3] = np.nan
    weight = np.array([1, 3, 0.5, 8], np.float32)
    known = ~np.isnan(units)
    entropy = torch.nn.BCEWithLogitsLoss(pos_weight=torch.tensor(weight), reduction='none')
    given = torch.tensor(logits, requires_grad=True)
    expected = entropy(given, torch.tensor(np.nan_to_num(units)))[torch.tensor(known)].mean()
    expected.backward()
    loss, gradient = jax.value_and_grad(learners.unit_cross_entropy)(
        jnp.asarray(logits), jnp.asarray(units), jnp.asarray(weight)
    )
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)
    np.testing.assert_allclose(gradient, given.grad.numpy(), rtol=1e-4, atol=1e-7)
    assert (np.asarray(gradient)[~known] == 0).all()
    nothing = jnp.full((6, 4), jnp.nan)
    assert float(learners.unit_cross_entropy(jnp.asarray(logits), nothing, weight)) == 0
