"""Losses, optimizers and learners.

A learner joins a network with a loss and an optimizer, as three pure functions of one fold; see
Learner in mer_jax/types.py.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import jax
import jax.numpy as jnp
import optax

from mer_jax.settings import sections
from mer_jax.types import Array, Fitted, FoldState, Inputs, Learner, Logs, Out, Samples, TrainRows

Fit = Callable[[Samples, TrainRows], Fitted]
ScaleInput = Callable[[Array, Fitted], jax.Array]  # from stored images to the network's input
# (logits, out, batch, fitted) -> (loss, further logs)
Loss = Callable[[jax.Array, Out, Samples, Fitted], tuple[jax.Array, Logs]]


class Model(Protocol):
    """A flax module, or an object with the same two methods."""

    @property
    def init(self) -> Callable[..., Mapping]:
        """Return a function (rngs, image, train) -> variables."""
        ...

    @property
    def apply(self) -> Callable[..., tuple]:
        """Return a function (variables, image, train) -> (logits [B, K], out).

        If `mutable` names collections, it returns ((logits, out), new collections).
        """
        ...


def _adam(rate, settings):
    return optax.adam(rate)


def _adamw(rate, settings):
    return optax.adamw(rate, weight_decay=settings.weight_decay)


def _adam_l2(rate, settings):
    decay = optax.add_decayed_weights(settings.weight_decay)
    return optax.chain(decay, optax.adam(rate))  # the decay is part of the gradient


def _sgd(rate, settings):
    return optax.sgd(rate, momentum=settings.momentum)


def _constant(rate, steps, epochs):
    return rate


def _cosine(rate, steps, epochs):
    return optax.cosine_decay_schedule(rate, max(steps * epochs, 1))


def _restarts(rate, steps, epochs):
    return warm_restarts(rate, steps)


# {name: (rate, settings of section train) -> optimizer}
OPTIMIZERS = {'adam': _adam, 'adamw': _adamw, 'adam_l2': _adam_l2, 'sgd': _sgd}
# {name: (rate, steps of an epoch, epochs) -> rate, or a schedule of it}
SCHEDULES = {'constant': _constant, 'cosine': _cosine, 'restarts': _restarts}


def warm_restarts(rate: float, steps: int, *, first: int = 10) -> optax.Schedule:
    """Return a cosine schedule with warm restarts.

    The rate falls from `rate` to 0 over `first` epochs, then over twice as many, and so on: by
    default, cycles end after epochs 10, 30, 70 and 150. It changes once per epoch (Loshchilov and
    Hutter 2017; PyTorch's CosineAnnealingWarmRestarts).

    Args:
        rate: learning rate at the beginning of each cycle.
        steps: of an epoch.
        first: epochs of the first cycle.
    """

    def schedule(count: jax.Array | int) -> jax.Array:
        epoch = count // steps
        cycle = jnp.floor(jnp.log2(epoch / first + 1) + 1e-6)
        length = first * 2.0**cycle
        done = (epoch - (length - first)) / length
        return rate * (1 + jnp.cos(math.pi * done)) / 2

    return schedule


def optimizer(
    settings: sections.Train, *, steps: int, rate_in_state: bool = False
) -> optax.GradientTransformation:
    """Return the optimizer of a training.

    It updates all parameters as one vector. The numbers are the same, and compiling takes a sixth
    less time than with operations for each parameter.

    Args:
        settings: of section train; only the schedule 'cosine' depends on the number of epochs.
        steps: of an epoch.
        rate_in_state: whether the learning rate is an array of the state, `step_size`, so that
            each run may have another in one program. The steps of all OPTIMIZERS are proportional
            to it.
    """
    first = 1.0 if rate_in_state else settings.learning_rate
    rate = SCHEDULES[settings.schedule](first, steps, settings.epochs)
    steps_of = OPTIMIZERS[settings.optimizer](rate, settings)
    if rate_in_state:
        scale = optax.inject_hyperparams(optax.scale)(step_size=settings.learning_rate)
        steps_of = optax.chain(steps_of, scale)
    return optax.flatten(steps_of)


def supervised(
    model: Model,
    optimizer: optax.GradientTransformation,
    *,
    fit: Fit,
    scale_input: ScaleInput,
    smoothing: float = 0.0,
) -> Learner:
    """Learn labels by softmax cross-entropy.

    Args:
        model: (image, train) -> (logits [B, K], out).
        optimizer: of its parameters.
        fit: computes FoldState.fitted from training rows. Where that has a 'class_weight', the loss
            is weighted by class.
        scale_input: from stored images to what the network sees.
        smoothing: of the labels, 0 to 1.
    """

    def loss(logits: jax.Array, out: Out, batch: Samples, fitted: Fitted) -> tuple[jax.Array, Logs]:
        value = cross_entropy(logits, batch.label, fitted.get('class_weight'), smoothing)
        return value, _accuracy(logits, batch)

    return _learner(_Network(model, optimizer, fit, scale_input), loss)


def contrastive(
    model: Model,
    optimizer: optax.GradientTransformation,
    *,
    fit: Fit,
    scale_input: ScaleInput,
    smoothing: float,
    settings: sections.Alignment,
) -> Learner:
    """Learn labels, and align features by action units.

    The loss of Ruan et al. 2022, Eq. 8: (1 - weight) * (sum of the cross-entropies of the regions'
    heads) + weight * alignment.

    Args:
        model: (image, train) -> (logits [B, K], out). `out` holds 'heads' [B, regions, K],
            'contrast' [B, D'] and 'features' [B, D].
        optimizer: of its parameters.
        fit: as in supervised.
        scale_input: as in supervised.
        smoothing: of the labels, 0 to 1.
        settings: weight, variant and temperature of the alignment.
    """
    weight = settings.weight
    aligned_feature = 'features' if settings.variant == 'paper' else 'contrast'

    def loss(logits: jax.Array, out: Out, batch: Samples, fitted: Fitted) -> tuple[jax.Array, Logs]:
        class_weight = fitted.get('class_weight')
        heads = jnp.moveaxis(out['heads'], 1, 0)
        entropy = sum(cross_entropy(head, batch.label, class_weight, smoothing) for head in heads)
        if not weight:
            return entropy, _accuracy(logits, batch)
        aligned = alignment(
            out[aligned_feature],
            batch.extras['action_units'],
            same_source(batch.extras['half_source']),
            variant=settings.variant,
            temperature=settings.temperature,
        )
        logs = {'cross_entropy': entropy, 'alignment': aligned, **_accuracy(logits, batch)}
        return (1 - weight) * entropy + weight * aligned, logs

    return _learner(_Network(model, optimizer, fit, scale_input), loss)


def emotions_and_units(
    model: Model,
    optimizer: optax.GradientTransformation,
    *,
    fit: Fit,
    scale_input: ScaleInput,
    share: float,
) -> Learner:
    """Learn emotions and action units together, before the folds.

    The loss is (1 - share) * cross-entropy of the emotions + share * the sum of the cross-entropies
    of the action units, which is the likelihood of all that is annotated.

    Args:
        model: (image, train) -> (logits [B, K + A], out): emotions, then the action units of
            extras['action_units'].
        optimizer: of its parameters.
        fit: as in supervised.
        scale_input: as in supervised.
        share: of the action units, 0 to 1.
    """

    def loss(logits: jax.Array, out: Out, batch: Samples, fitted: Fitted) -> tuple[jax.Array, Logs]:
        units = batch.extras['action_units']
        emotions, of_units = jnp.split(logits, [logits.shape[-1] - units.shape[-1]], axis=-1)
        entropy = cross_entropy(emotions, batch.label)
        count = units.shape[-1]
        detection = count * unit_cross_entropy(of_units, units, jnp.ones(count))
        logs = {'cross_entropy': entropy, 'units': detection, **_accuracy(emotions, batch)}
        return (1 - share) * entropy + share * detection, logs

    return _learner(_Network(model, optimizer, fit, scale_input), loss)


def spotting(
    model: Model,
    optimizer: optax.GradientTransformation,
    *,
    fit: Fit,
    scale_input: ScaleInput,
    output: str,
) -> Learner:
    """Regress the target of each frame (Koo et al. 2022).

    The loss is the mean squared difference from extras['target'].

    Args:
        model: (image, train) -> (logits [B, 1], out).
        optimizer: of its parameters.
        fit: as in supervised.
        scale_input: as in supervised.
        output: 'sigmoid' of the logit, or 'linear', the logit itself.
    """

    def finish(logits: jax.Array, fitted: Fitted) -> jax.Array:
        return jax.nn.sigmoid(logits) if output == 'sigmoid' else logits

    def loss(logits: jax.Array, out: Out, batch: Samples, fitted: Fitted) -> tuple[jax.Array, Logs]:
        error = finish(logits, fitted)[:, 0] - batch.extras['target']
        return jnp.mean(error**2), {}

    return _learner(_Network(model, optimizer, fit, scale_input), loss, finish)


def action_units(
    model: Model, optimizer: optax.GradientTransformation, *, fit: Fit, scale_input: ScaleInput
) -> Learner:
    """Detect action units, several in a row.

    The loss is the mean sigmoid cross-entropy over the known entries of a batch. An output above 0
    means that the unit is present; a unit that no training row shows has none.

    Args:
        model: (image, train) -> (logits [B, A], out).
        optimizer: of its parameters.
        fit: as in supervised. FoldState.fitted then has 'unit_weight' and 'unit_seen', see
            balance.fit_unit_weight.
        scale_input: as in supervised.
    """

    def loss(logits: jax.Array, out: Out, batch: Samples, fitted: Fitted) -> tuple[jax.Array, Logs]:
        units = batch.extras['action_units']
        known = ~jnp.isnan(units)
        right = jnp.where(known, (logits > 0) == (units == 1), False)
        accuracy = jnp.sum(right) / jnp.maximum(jnp.sum(known), 1)
        return unit_cross_entropy(logits, units, fitted['unit_weight']), {'accuracy': accuracy}

    def finish(logits: jax.Array, fitted: Fitted) -> jax.Array:
        return jnp.where(fitted['unit_seen'], logits, jnp.minimum(logits, 0))

    return _learner(_Network(model, optimizer, fit, scale_input), loss, finish)


def unit_cross_entropy(logits: jax.Array, units: jax.Array, weight: jax.Array) -> jax.Array:
    """Return the mean sigmoid cross-entropy of the known entries.

    It is that of torch.nn.BCEWithLogitsLoss with pos_weight, if all entries are known.

    Args:
        logits: [B, A].
        units: float32[B, A], 1 present, 0 absent, NaN unknown.
        weight: float32[A], of the entries that are present.

    Returns:
        A scalar; 0 where no entry is known.
    """
    known = ~jnp.isnan(units)
    target = jnp.nan_to_num(units)  # a NaN would reach the gradient in spite of the mask
    entropy = optax.sigmoid_binary_cross_entropy(logits, target)
    weighted = jnp.where(known, jnp.where(target > 0, weight, 1) * entropy, 0)
    return weighted.sum() / jnp.maximum(known.sum(), 1)


def cross_entropy(
    logits: jax.Array,
    label: jax.Array,
    weight: jax.Array | None = None,
    smoothing: float = 0.0,
) -> jax.Array:
    """Return the mean softmax cross-entropy, as in PyTorch.

    Weights and smoothing mean what they mean in torch.nn.functional.cross_entropy.

    Args:
        logits: [B, K].
        label: int32[B].
        weight: float32[K], of the classes. The sum over the rows is divided by the sum of the
            weights of their labels.
        smoothing: share of the target that is spread evenly over all classes.

    Returns:
        A scalar.
    """
    weight = jnp.ones(logits.shape[-1]) if weight is None else weight
    log = jax.nn.log_softmax(logits)
    at_label = -jnp.take_along_axis(log * weight, label[:, None], 1).sum()
    spread = -jnp.sum(log * weight) / logits.shape[-1]
    total = (1 - smoothing) * at_label + smoothing * spread
    return total / jnp.maximum(weight[label].sum(), 1e-12)


def alignment(
    feature: jax.Array,
    action_units: jax.Array,
    shared: jax.Array,
    *,
    variant: str,
    temperature: float,
) -> jax.Array:
    """Return the weighted supervised contrastive loss.

    Ruan et al. 2022, Eq. 5: rows with similar action units should have similar features.

    Args:
        feature: [B, D].
        action_units: [B, A], 1 present, 0 absent. A row with unknown units (NaN) is in no pair.
        shared: bool[B, B], pairs that show regions of the same clip, the diagonal included. 'clean'
            and 'equal' leave them out; the others leave out only a row and itself.
        variant: 'clean': no pair shares a clip; mean over the rows with a partner.
            'equal': as 'clean', with weight 1 for equal sets of units and else 0, which is the
            usual supervised contrastive loss. 'released': as the released code, where the weights
            include the row itself; the mean over rows. 'paper': as the paper, where both the
            softmax's denominator and the sum of weights include the row itself; the sum over rows.
        temperature: by which the similarities of features are divided.

    Returns:
        A scalar.
    """
    annotated = ~jnp.isnan(action_units).any(1)
    units = jnp.nan_to_num(action_units)
    itself = jnp.eye(len(feature), dtype=bool)
    as_in_source = variant in ('released', 'paper')
    apart = ~(itself if as_in_source else shared) & annotated[:, None] & annotated
    similar = equal_sets(units) if variant == 'equal' else jaccard(units)
    with_itself = itself & annotated if as_in_source else False
    weights = jnp.where(apart | with_itself, similar, 0)
    score = feature @ feature.T / temperature
    # The released code adds 1e-5 to each exponential, which changes its result.
    if variant == 'released':
        denominator = jnp.sum(jnp.where(apart, jnp.exp(score) + 1e-5, 0), 1, keepdims=True)
        log = jnp.log(jnp.exp(score) + 1e-5) - jnp.log(jnp.maximum(denominator, 1e-30))
    else:
        in_denominator = apart | (itself if variant == 'paper' else False)
        masked = jnp.where(in_denominator, score, -1e30)
        log = score - jax.nn.logsumexp(masked, axis=1, keepdims=True)
    # A row without any partner adds nothing.
    total = jnp.where(apart.any(1), weights.sum(1), 0)
    compared = total > 0
    pulled = jnp.where(itself & (variant == 'paper'), 0, weights)
    summed = jnp.sum(jnp.where((pulled > 0) & compared[:, None], pulled * log, 0), 1)
    row_loss = -summed / jnp.where(compared, total, 1)
    if variant == 'paper':
        return row_loss.sum()
    return row_loss.sum() / jnp.maximum(jnp.sum(compared), 1)


def jaccard(units: jax.Array) -> jax.Array:
    """Return how similar the action units of rows are.

    It is the number of units in both rows, divided by that in at least one (Ruan et al. 2022, Eq.
    4).

    Args:
        units: float32[B, A], 1 present, 0 absent.

    Returns:
        [B, B]; 0 where neither row has a unit.
    """
    both = units @ units.T
    either = units.sum(1)[:, None] + units.sum(1) - both
    return both / jnp.maximum(either, 1)


def equal_sets(units: jax.Array) -> jax.Array:
    """Return which rows have the same action units.

    Args:
        units: float32[B, A], 1 present, 0 absent.

    Returns:
        [B, B], 1 where the sets are equal and not empty.
    """
    return jnp.all(units[:, None] == units, -1) * (units.sum(1) > 0)


def same_source(half_source: jax.Array) -> jax.Array:
    """Return which pairs of images share a half.

    Args:
        half_source: int32[B, 2], rows of the data whose image the upper and the lower half show.

    Returns:
        bool[B, B]; True on the diagonal.
    """
    return jnp.any(half_source[:, None] == half_source, -1)


def _accuracy(logits, batch):
    return {'accuracy': jnp.mean(jnp.argmax(logits, -1) == batch.label)}


@dataclass(frozen=True)
class _Network:
    """What every learner needs, whatever its loss."""

    model: Model
    optimizer: optax.GradientTransformation
    fit: Fit
    scale_input: ScaleInput


def _learner(
    network: _Network,
    loss: Loss,
    finish: Callable[[jax.Array, Fitted], jax.Array] | None = None,
) -> Learner:
    """Return the learner that minimises a loss.

    Args:
        network: the network, and how it is fitted and updated.
        loss: to minimise.
        finish: from logits and what is fitted to outputs; None: the outputs are the logits.
    """
    model, optimizer = network.model, network.optimizer
    scale_input = network.scale_input

    def init(key: jax.Array, samples: Samples, rows: TrainRows) -> FoldState:
        fitted = network.fit(samples, rows)
        image = scale_input(samples.image[rows.scaler_rows.index[:2]], fitted)
        variables = model.init({'params': key, 'dropout': key}, image, train=False)
        params = variables['params']
        batch_stats = variables.get('batch_stats', {})
        return FoldState(jnp.int32(0), params, batch_stats, optimizer.init(params), fitted)

    def step(state: FoldState, batch: Samples, key: jax.Array) -> tuple[FoldState, Logs]:
        image = scale_input(batch.image, state.fitted)

        def loss_of(params: optax.Params) -> tuple[jax.Array, tuple[dict, Logs]]:
            variables = {'params': params, 'batch_stats': state.batch_stats}
            (logits, out), updated = model.apply(
                variables, image, train=True, mutable=['batch_stats'], rngs={'dropout': key}
            )
            value, logs = loss(logits, out, batch, state.fitted)
            return value, (updated.get('batch_stats', {}), logs)

        differentiated = jax.value_and_grad(loss_of, has_aux=True)
        (value, (batch_stats, logs)), gradient = differentiated(state.params)
        updates, opt_state = optimizer.update(gradient, state.opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        trained = FoldState(state.step + 1, params, batch_stats, opt_state, state.fitted)
        return trained, {'loss': value, **logs}

    def predict(state: FoldState, inputs: Inputs) -> tuple[jax.Array, Out]:
        variables = {'params': state.params, 'batch_stats': state.batch_stats}
        image = scale_input(inputs.image, state.fitted)
        logits, out = model.apply(variables, image, train=False)
        return finish(logits, state.fitted) if finish else logits, out

    return Learner(init, step, predict)


def log_probabilities(
    learner: Learner, *, mirror: Callable[[jax.Array], jax.Array] | None
) -> Learner:
    """Return a learner, predicting log probabilities [B, K] of the classes.

    Args:
        learner: whose outputs are logits.
        mirror: images -> their mirror images, whose outputs count as much; None without.
    """

    def predict(state: FoldState, inputs: Inputs) -> tuple[Array, Out]:
        logits, _ = learner.predict(state, inputs)
        log_p = jax.nn.log_softmax(logits)
        if mirror is not None:
            mirrored, _ = learner.predict(state, inputs._replace(image=mirror(inputs.image)))
            log_p = (log_p + jax.nn.log_softmax(mirrored)) / 2
        return log_p, {}

    return learner._replace(predict=predict)
