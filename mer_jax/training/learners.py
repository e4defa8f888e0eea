"""How a network learns: three pure functions over one fold, bound once."""

import math

import jax
import jax.numpy as jnp
import optax

from mer_jax.settings import sections
from mer_jax.types import FoldState, Learner

OPTIMIZERS = {
    'adam': lambda rate, *, weight_decay, momentum: optax.adam(rate),
    'adamw': lambda rate, *, weight_decay, momentum: optax.adamw(rate, weight_decay=weight_decay),
    'sgd': lambda rate, *, weight_decay, momentum: optax.sgd(rate, momentum=momentum),
}


def warm_restarts(rate, steps, *, first=10):
    """Cosine from `rate` to 0 over `first` epochs of `steps` steps, then over twice as many, and so
    on, moved once an epoch (Loshchilov and Hutter 2017; PyTorch's CosineAnnealingWarmRestarts).
    Ends of cycles: epochs 10, 30, 70, 150.
    """

    def schedule(count):
        epoch = count // steps
        cycle = jnp.floor(jnp.log2(epoch / first + 1) + 1e-6)
        length = first * 2.0**cycle
        done = (epoch - (length - first)) / length
        return rate * (1 + jnp.cos(math.pi * done)) / 2

    return schedule


SCHEDULES = {  # (rate, steps an epoch, epochs)
    'constant': lambda rate, steps, epochs: rate,
    'cosine': lambda rate, steps, epochs: optax.cosine_decay_schedule(rate, max(steps * epochs, 1)),
    'restarts': lambda rate, steps, epochs: warm_restarts(rate, steps),
}


def optimizer(settings: sections.Train, *, steps: int) -> optax.GradientTransformation:
    """The optax optimizer of section train; steps: of an epoch.

    Only the schedule 'cosine' depends on how many epochs there are. It works on all parameters as
    one vector: the same numbers, from a few operations instead of some for each parameter, which
    takes a sixth off compiling.
    """
    rate = SCHEDULES[settings.schedule](settings.learning_rate, steps, settings.epochs)
    make = OPTIMIZERS[settings.optimizer]
    return optax.flatten(make(rate, weight_decay=settings.weight_decay, momentum=settings.momentum))


def supervised(model, optimizer, *, fit, scale_input, smoothing=0.0) -> Learner:
    """Softmax cross-entropy on labels, weighted by class where `fit` finds 'class_weight'.

    model: a flax module, (image, train) -> (logits [B, K], out). fit(samples, rows) -> dict is
    computed once from training rows (TrainRows) and kept in the state; scale_input(image, fitted)
    -> float32 image is what the network sees.
    """

    def loss(logits, out, batch, fitted):
        return cross_entropy(logits, batch.label, fitted.get('class_weight'), smoothing), _right(
            logits, batch
        )

    return _learner(model, optimizer, loss, fit, scale_input)


def contrastive(
    model, optimizer, *, fit, scale_input, smoothing, settings: sections.Alignment
) -> Learner:
    """(1 - weight) * cross-entropy of every region's head + weight * action unit alignment (Ruan et
    al. 2022, Eq. 8).

    settings: weight, variant and temperature of the alignment. The network's out holds heads
    [B, R, K], contrast and features [B, D].
    """

    weight = settings.weight

    def loss(logits, out, batch, fitted):
        heads = jnp.moveaxis(out['heads'], 1, 0)
        told = sum(
            cross_entropy(head, batch.label, fitted.get('class_weight'), smoothing)
            for head in heads
        )
        if not weight:
            return told, _right(logits, batch)
        feature = out['features' if settings.variant == 'paper' else 'contrast']
        aligned = alignment(
            feature,
            batch.extras['action_units'],
            same_source(batch.extras['half_source']),
            variant=settings.variant,
            temperature=settings.temperature,
        )
        return (1 - weight) * told + weight * aligned, {
            'cross_entropy': told,
            'alignment': aligned,
            **_right(logits, batch),
        }

    return _learner(model, optimizer, loss, fit, scale_input)


def spotting(model, optimizer, *, fit, scale_input, output) -> Learner:
    """Regression of each frame's continuous label (samples.extras), one output [B, 1] a frame (Koo
    et al. 2022).

    output: 'sigmoid' of the logit, or the logit itself ('linear'). The loss is the mean squared
    error.
    """

    def told(logits, out, batch, fitted):
        return jnp.mean((_finished(logits, fitted)[:, 0] - batch.extras['target']) ** 2), {}

    def _finished(logits, fitted):
        return jax.nn.sigmoid(logits) if output == 'sigmoid' else logits

    return _learner(model, optimizer, told, fit, scale_input, _finished)


def cross_entropy(logits, label, weight=None, smoothing=0.0):
    """Mean softmax cross-entropy; weighted by class (float32[K]) and smoothed as PyTorch's, divided
    by the labels' weights.
    """
    weight = jnp.ones(logits.shape[-1]) if weight is None else weight
    log = jax.nn.log_softmax(logits)
    told = -jnp.take_along_axis(log * weight, label[:, None], 1).sum()
    spread = -jnp.sum(log * weight) / logits.shape[-1]
    return ((1 - smoothing) * told + smoothing * spread) / jnp.maximum(weight[label].sum(), 1e-12)


def alignment(feature, action_units, shared, *, variant, temperature):
    """Weighted supervised contrastive loss (Ruan et al. 2022, Eq. 5): scalar, from feature [B, D]
    and action_units [B, A].

    shared: bool[B, B], pairs that show parts of one clip, the diagonal included: they are left out,
    as are pairs with unknown units (NaN). variant: 'clean' (no pair of a row with itself anywhere,
    mean over the rows that have a partner), 'equal' (the same with weight 1 for equal sets of
    units, else 0: plain supervised contrastive), 'released' (weights include the row itself, mean)
    or 'paper' (denominator includes the row itself, sum).
    """
    known = ~jnp.isnan(action_units).any(1)
    units = jnp.nan_to_num(action_units)
    itself = jnp.eye(len(feature), dtype=bool)
    apart = ~shared & known[:, None] & known
    similar = (equal_sets if variant == 'equal' else jaccard)(units)
    weights = jnp.where(
        apart | (itself & known if variant in ('released', 'paper') else False), similar, 0
    )
    score = feature @ feature.T / temperature
    # the code adds 1e-5 to each exponential; in the mean of logarithms that is not a shift
    if variant == 'released':
        others = jnp.sum(jnp.where(apart, jnp.exp(score) + 1e-5, 0), 1, keepdims=True)
        log = jnp.log(jnp.exp(score) + 1e-5) - jnp.log(jnp.maximum(others, 1e-30))
    else:
        others = apart | (itself if variant == 'paper' else False)
        log = score - jax.nn.logsumexp(jnp.where(others, score, -1e30), axis=1, keepdims=True)
    # a row without any other to compare with has nothing to learn
    total = jnp.where(apart.any(1), weights.sum(1), 0)
    pulled = jnp.where(itself & (variant == 'paper'), 0, weights)
    rows = -jnp.sum(jnp.where((pulled > 0) & (total > 0)[:, None], pulled * log, 0), 1) / jnp.where(
        total > 0, total, 1
    )
    if variant == 'paper':
        return rows.sum()
    return rows.sum() / jnp.maximum(jnp.sum(total > 0), 1)


def jaccard(units):
    """[B, B]: shared units over units of either row (Eq. 4); 0 where neither has any."""
    both = units @ units.T
    either = units.sum(1)[:, None] + units.sum(1) - both
    return both / jnp.maximum(either, 1)


def equal_sets(units):
    """[B, B]: 1 where both rows have the same units and any at all."""
    return jnp.all(units[:, None] == units, -1) * (units.sum(1) > 0)


def same_source(half_source):
    """bool[B, B]: rows whose upper halves, or whose lower halves, show the same row of the data;
    always a row and itself.
    """
    return jnp.any(half_source[:, None] == half_source, -1)


def _right(logits, batch):
    return {'accuracy': jnp.mean(jnp.argmax(logits, -1) == batch.label)}


def _learner(model, optimizer, loss, fit, scale_input, finish=lambda logits, fitted: logits):
    """init, step and predict of a network under loss(logits, out, batch, fitted) -> (scalar,
    further logs); finish makes the outputs of its logits.
    """

    def init(key, samples, rows):
        fitted = fit(samples, rows)
        image = scale_input(samples.image[rows.scaler_rows.index[:2]], fitted)
        variables = model.init({'params': key, 'dropout': key}, image, train=False)
        params = variables['params']
        return FoldState(
            jnp.int32(0), params, variables.get('batch_stats', {}), optimizer.init(params), fitted
        )

    def step(state, batch, key):
        image = scale_input(batch.image, state.fitted)

        def loss_of(params):
            variables = {'params': params, 'batch_stats': state.batch_stats}
            (logits, out), moved = model.apply(
                variables, image, train=True, mutable=['batch_stats'], rngs={'dropout': key}
            )
            value, logs = loss(logits, out, batch, state.fitted)
            return value, (moved.get('batch_stats', {}), logs)

        (value, (batch_stats, logs)), gradient = jax.value_and_grad(loss_of, has_aux=True)(
            state.params
        )
        updates, opt_state = optimizer.update(gradient, state.opt_state, state.params)
        logs = {'loss': value, **logs}
        params = optax.apply_updates(state.params, updates)
        return FoldState(state.step + 1, params, batch_stats, opt_state, state.fitted), logs

    def predict(state, inputs):
        variables = {'params': state.params, 'batch_stats': state.batch_stats}
        image = scale_input(inputs.image, state.fitted)
        logits, out = model.apply(variables, image, train=False)
        return finish(logits, state.fitted), out

    return Learner(init, step, predict)
