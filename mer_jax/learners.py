"""How a network learns: three pure functions over one fold, bound once."""

import jax
import jax.numpy as jnp
import optax

from mer_jax.types import FoldState, Learner

OPTIMIZERS = {
    'adam': lambda rate, *, weight_decay, momentum: optax.adam(rate),
    'adamw': lambda rate, *, weight_decay, momentum: optax.adamw(rate, weight_decay=weight_decay),
    'sgd': lambda rate, *, weight_decay, momentum: optax.sgd(rate, momentum=momentum),
}
SCHEDULES = {
    'constant': lambda rate, steps: rate,
    'cosine': lambda rate, steps: optax.cosine_decay_schedule(rate, max(steps, 1)),
}


def optimizer(name, *, learning_rate, weight_decay, momentum, schedule, steps):
    """The optax optimizer `name`; `steps` in the whole training, on which only schedules other than constant depend."""
    return OPTIMIZERS[name](SCHEDULES[schedule](learning_rate, steps), weight_decay=weight_decay, momentum=momentum)


def supervised(model, optimizer, *, fit_input, scale_input) -> Learner:
    """Softmax cross-entropy on labels.

    model: a flax module, (image, train) -> (logits [B, K], out). fit_input(samples, rows) -> dict is computed once from
    training rows and kept in the state; scale_input(image, fitted) -> float32 image is what the network sees.
    """

    def init(key, samples, rows):
        fitted = fit_input(samples, rows)
        image = scale_input(samples.image[rows.index[:2]], fitted)
        variables = model.init({'params': key, 'dropout': key}, image, train=False)
        params = variables['params']
        return FoldState(jnp.int32(0), params, variables.get('batch_stats', {}), optimizer.init(params), fitted)

    def step(state, batch, key):
        image = scale_input(batch.image, state.fitted)

        def loss_of(params):
            variables = {'params': params, 'batch_stats': state.batch_stats}
            (logits, _), moved = model.apply(variables, image, train=True, mutable=['batch_stats'], rngs={'dropout': key})
            loss = optax.softmax_cross_entropy_with_integer_labels(logits, batch.label).mean()
            return loss, (logits, moved.get('batch_stats', {}))

        (loss, (logits, batch_stats)), gradient = jax.value_and_grad(loss_of, has_aux=True)(state.params)
        updates, opt_state = optimizer.update(gradient, state.opt_state, state.params)
        logs = {'loss': loss, 'accuracy': jnp.mean(jnp.argmax(logits, -1) == batch.label)}
        params = optax.apply_updates(state.params, updates)
        return FoldState(state.step + 1, params, batch_stats, opt_state, state.fitted), logs

    def predict(state, image):
        variables = {'params': state.params, 'batch_stats': state.batch_stats}
        return model.apply(variables, scale_input(image, state.fitted), train=False)

    return Learner(init, step, predict)
