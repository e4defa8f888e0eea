"""`supervised` of the Python API: a flax module as a learner.

The module is a network of this project or of the user.
"""

import hashlib
import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from mer_jax.errors import UserError
from mer_jax.runfiles.plan import LOWERINGS
from mer_jax.training import balance, learners, scaling
from mer_jax.types import Folds, FoldState, Key, Learner, Samples

SCALERS = ('none', 'standard')
COLLECTIONS = {'params', 'batch_stats'}  # variables that training keeps


@dataclass(frozen=True)
class Supervised:
    """How a network learns classes or action units; made by `supervised`."""

    module: nn.Module
    optimizer: optax.GradientTransformation = field(repr=False)
    class_weights: str
    label_smoothing: float
    scaler: str
    # rows that class weights are counted on; 'all', a leak, only in an audit
    balance_scope: str = 'fold'
    # whether it detects action units, several in a row, in place of classes; by the data
    of_units: bool = False

    @property
    def name(self) -> str:
        """Return the name of the module's class."""
        return type(self.module).__name__

    @property
    def lowering(self) -> str:
        """Return how convolutions are computed.

        'auto': the plan sets the module's option `lowering`. A module without that option is
        'native'.
        """
        options = {option.name: option.default for option in fields(self.module)}
        if options.get('lowering') not in LOWERINGS:
            return 'native'
        lowering = getattr(self.module, 'lowering')  # noqa: B009, a field of some modules
        return 'auto' if lowering == options['lowering'] else lowering

    def learner(self, classes: int, lowering: str) -> Learner:
        """Return the three functions of one fold.

        Args:
            classes: K; of action units their number A.
            lowering: of the plan; used where `self.lowering` is 'auto'.
        """
        module = self.module
        if self.lowering == 'auto':
            module = module.clone(lowering=lowering)
        learner = partial(learners.supervised, smoothing=self.label_smoothing)
        fit_weight = balance.fit_class_weight
        if self.of_units:
            learner, fit_weight = learners.action_units, balance.fit_unit_weight
        weigh = partial(
            fit_weight, classes=classes, formula=self.class_weights, scope=self.balance_scope
        )
        scale = partial(scaling.fit_input, scaler=self.scaler)
        return learner(
            Network(module, _takes_train(module)),
            self.optimizer,
            fit=lambda samples, rows: scale(samples, rows) | weigh(samples, rows),
            scale_input=_scale_input,
        )


def supervised(
    module: nn.Module,
    optimizer: optax.GradientTransformation,
    *,
    class_weights: str = 'none',
    label_smoothing: float = 0.0,
    scaler: str = 'none',
) -> Supervised:
    """Learn classes, or action units, with a flax module.

    The module is a network of this project, or your own of flax.linen. It is called as
    module.apply(variables, x, train=True or False), or without `train` where its __call__ has no
    such argument; x is float32[B, ...]. It returns logits [B, K], or (logits, anything). Dropout
    takes its rng from the collection 'dropout'; batch norm keeps its averages in 'batch_stats', and
    needs `train`. On a CPU, convolutions of mer_jax.models.layers.Conv train many times as fast as
    nn.Conv, which is slow inside the loop over folds (see models/layers.py).

    The data say what is learned. Of `unit_dataset` the K outputs are those of action units, and the
    loss is the mean sigmoid cross-entropy over the known entries of a batch.

    Args:
        module: the network.
        optimizer: of optax, used as it is. For a schedule: an epoch has ceil(n / batch_size) steps,
            where n is the most training rows of any fold.
        class_weights: of the loss: none, max (n_max / n_c), total (n / n_c) or balanced
            (n / (K n_c)), where n_c of the n training rows of a fold are of class c, n_max of the
            most frequent class, and K classes have rows. Of action units each formula but none
            makes rows that show a unit weigh as much as those that do not.
        label_smoothing: of the cross-entropy, 0 to 0.99; of action units 0.
        scaler: none, or standard: each channel (the last axis) minus its mean, divided by its
            standard deviation, both over the training rows of the fold.

    Raises:
        UserError: names the argument and what is allowed.

    Examples:
        >>> import optax
        >>> learner = mj.supervised(mj.models.STSTNet(classes=3), optax.adam(5e-5))
        >>> learner.name
        'STSTNet'
    """
    if not isinstance(module, nn.Module):
        raise UserError(f'module is {module!r}; allowed: a module of flax.linen, with its options')
    if not isinstance(optimizer, optax.GradientTransformation):
        raise UserError(f'optimizer is {optimizer!r}; allowed: one of optax, as optax.adam(1e-3)')
    if class_weights not in balance.CLASS_WEIGHTS:
        allowed = ', '.join(balance.CLASS_WEIGHTS)
        raise UserError(f'class_weights is {class_weights!r}; allowed: {allowed}')
    if not 0 <= label_smoothing <= 0.99:
        raise UserError(f'label_smoothing is {label_smoothing}; allowed: 0 to 0.99')
    if scaler not in SCALERS:
        raise UserError(f'scaler is {scaler!r}; allowed: {", ".join(SCALERS)}')
    _takes_train(module)
    return Supervised(module, optimizer, class_weights, label_smoothing, scaler)


@dataclass(frozen=True)
class Network:
    """A module with the interface that learners need.

    Whatever the user's module takes and returns, this one takes `train` and returns (logits, out).
    """

    module: nn.Module
    takes_train: bool

    def init(self, rngs: dict[str, Key], x: jax.Array, *, train: bool) -> Mapping[str, Any]:
        """Return the variables of the module."""
        return self.module.init(rngs, x, **self._keywords(train))

    def apply(
        self,
        variables: Mapping[str, Any],
        x: jax.Array,
        *,
        train: bool,
        mutable: Sequence[str] | bool = False,
        rngs: dict[str, Key] | None = None,
    ) -> tuple:
        """Return (logits, out).

        If `mutable` names collections, return ((logits, out), new collections).
        """
        result = self.module.apply(
            variables, x, rngs=rngs, mutable=mutable, **self._keywords(train)
        )
        if mutable:
            output, changed = result
            return _pair(output), changed
        return _pair(result)

    def _keywords(self, train) -> dict[str, Any]:
        return {'train': train} if self.takes_train else {}


def check(recipe: Supervised, samples: Samples, folds: Folds, classes: int) -> FoldState:
    """Check that a module can be trained on these rows.

    Args:
        recipe: the module, and how it learns.
        samples: all rows.
        folds: all runs.
        classes: K.

    Returns:
        The shapes and dtypes of one fold's state.

    Raises:
        UserError: the module has no parameters, has variables other than COLLECTIONS, has batch
            norm but no argument `train`, or its logits are not [B, K].
    """
    learner = recipe.learner(classes, 'matmul')
    one_fold = jax.tree.map(lambda a: a[0], folds.train)
    x = jax.eval_shape(lambda: jnp.zeros((2, *samples.image.shape[1:])))
    network = Network(recipe.module, _takes_train(recipe.module))
    keys = {name: jax.random.key(0) for name in ('params', 'dropout')}
    variables = jax.eval_shape(lambda x: network.init(keys, x, train=False), x)
    other = sorted(set(variables) - COLLECTIONS)
    if other:
        raise UserError(
            f'module {recipe.name} keeps variables in {other[0]!r}; allowed: params, batch_stats'
        )
    if not variables.get('params'):
        raise UserError(f'module {recipe.name} has no parameters; allowed: one that can train')
    if variables.get('batch_stats') and not network.takes_train:
        raise UserError(
            f'module {recipe.name} keeps batch statistics, but its __call__ has no argument '
            'train; add train: bool, and use_running_average=not train'
        )
    logits, _ = jax.eval_shape(lambda v, x: network.apply(v, x, train=False), variables, x)
    shape = getattr(logits, 'shape', None)
    if shape != (2, classes):
        raise UserError(
            f'module {recipe.name} returns logits of shape {shape} for 2 rows; allowed: '
            f'(2, {classes}), one for each {"action unit" if recipe.of_units else "class"} of the '
            'data'
        )
    return jax.eval_shape(learner.init, jax.random.key(0), samples, one_fold)


def record(recipe: Supervised, samples: Samples, shapes: FoldState, classes: int) -> dict:
    """Return what config.json records of a user's module.

    No settings describe it, so a resumed run compares this record.

    Args:
        recipe: the module, and how it learns.
        samples: all rows; only their shapes count.
        shapes: shapes and dtypes of one fold's state, as `check` returns them.
        classes: K.

    Returns:
        Options of the module, shapes of parameters and batch statistics, the version of jax, and a
        digest of the jaxpr of a training step: another loss, network or optimizer has another one.
    """
    learner = recipe.learner(classes, 'matmul')
    batch = jax.tree.map(lambda a: jax.ShapeDtypeStruct((2, *a.shape[1:]), a.dtype), samples)
    step = jax.make_jaxpr(learner.step)(shapes, batch, jax.random.key(0))
    digest = hashlib.sha256(_without_addresses(str(step)).encode())
    for constant in step.consts:
        digest.update(np.asarray(constant).tobytes())
    variables = {'params': shapes.params, 'batch_stats': shapes.batch_stats}
    leaves = jax.tree_util.tree_leaves_with_path(variables)
    options = {
        option.name: _without_addresses(repr(getattr(recipe.module, option.name)))
        for option in fields(recipe.module)
        if option.name not in ('parent', 'name')
    }
    return {
        'options': options,
        'shapes': {
            jax.tree_util.keystr(
                path, simple=True, separator='/'
            ): f'{leaf.dtype}{list(leaf.shape)}'
            for path, leaf in leaves
        },
        'jax': jax.__version__,
        'step': digest.hexdigest(),
    }


def _without_addresses(text):
    """Remove addresses of functions, which differ between processes."""
    return re.sub(r' at 0x[0-9a-f]+', '', text)


def _scale_input(image, fitted):
    if 'mean' in fitted:
        return (image - fitted['mean']) / fitted['deviation']
    return image


def _takes_train(module):
    """Return whether __call__ of a module has an argument `train`.

    Raises:
        UserError: __call__ needs other arguments than (x) or (x, train).
    """
    parameters = list(inspect.signature(type(module).__call__).parameters.values())[1:]
    names = [parameter.name for parameter in parameters]
    needed = [
        parameter.name
        for parameter in parameters[1:]
        if parameter.default is parameter.empty
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        and parameter.name != 'train'
    ]
    if not names or needed:
        raise UserError(
            f'module {type(module).__name__}: __call__ takes {", ".join(names) or "nothing"}; '
            'allowed: (x) or (x, train: bool)'
        )
    return 'train' in names[1:]


def _pair(output):
    """Return (logits, out) of a module that returns one or both."""
    return output if isinstance(output, tuple) and len(output) == 2 else (output, {})
