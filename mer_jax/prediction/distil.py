"""Small networks in place of SVMs with a kernel, which are made of rows of their data set.

A network of one hidden layer learns the scores of a fold's SVMs (Hinton et al., "Distilling the
knowledge in a neural network", 2015) from their features. It sees training rows of its fold alone,
and mixtures of two of them, which the SVMs score as well.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from mer_jax import quiet  # noqa: F401, before jax

# isort: split
import jax
import jax.numpy as jnp
import numpy as np
import optax

from mer_jax.classical import svm, threads
from mer_jax.errors import UserError
from mer_jax.prediction.trained import SvmMember
from mer_jax.training import parallel
from mer_jax.types import Array

HIDDEN = 32  # units
STEPS = 300  # each on all rows
RATE = 3e-2  # learning rate of Adam at the start; it falls to 0
SMALLEST = 1e-6  # share of the largest squared length below which a direction is rounding
MIXTURES = 2  # mixtures for each training row


class Network(NamedTuple):
    """The network of one fold; the scale of the features is part of its weights.

    Those of all members have a leading axis [members, ...].
    """

    hidden: Array  # float32[D, H]
    hidden_bias: Array  # float32[H]
    output: Array  # float32[H, K]
    output_bias: Array  # float32[K]


class Lessons(NamedTuple):
    """What the network of one fold learns: row i is a mixture of two training rows.

    For a training row itself these are the same.
    """

    first: Array  # int32[L], positions in the data set
    second: Array  # int32[L]
    share: Array  # float32[L], of the second row
    scores: Array  # float32[L, K], of the SVMs
    mask: Array  # float32[L], 1 real, 0 padding
    trains: Array  # float32[N], 1 for a training row of the data set, else 0
    mean: Array  # float32[D], of the features of training rows
    spread: Array  # float32[D], standard deviation; 1 where a feature is constant


def train(members: Sequence[SvmMember], *, scale: str) -> Network:
    """Train a network in place of the SVMs of each member, all in one program.

    Args:
        members: what their SVMs are fitted to.
        scale: as of svm.products.

    Returns:
        Arrays [members, ...] on the host.
    """
    first = members[0].clips.blocks
    # features of a fold's network come first and are its; all others are the same arrays
    shared = [each for each in first if all(_holds(member, each) for member in members)]
    of_fold = [
        np.concatenate(member.clips.blocks[: len(first) - len(shared)] or [shared[0][..., :0]], -1)
        for member in members
    ]
    lengths = max(len(member.train) for member in members)
    numbers = range(len(members))
    learned = threads.mapped(lambda i: lessons(members[i], lengths, scale=scale, seed=i), numbers)
    lessons_of_all = jax.tree.map(lambda *leaves: np.stack(leaves), *learned)
    inputs = (np.stack(of_fold).astype(np.float32), lessons_of_all, np.arange(len(members)))
    devices = jax.devices()
    count = parallel.round_up(len(members), at_once=1, devices=devices)
    program = parallel.over_folds(_train_one, at_once=1, devices=devices)
    features = np.concatenate(shared or [of_fold[0][..., :0]], axis=-1).astype(np.float32)
    trained = program(
        parallel.replicate(features, devices=devices),
        *parallel.shard_runs(inputs, count, devices=devices),
    )
    return jax.tree.map(lambda leaf: np.asarray(leaf)[: len(members)], trained)


def _holds(member, block):
    return any(block is each for each in member.clips.blocks)


def lessons(member: SvmMember, longest: int, *, scale: str, seed: int) -> Lessons:
    """Return what the network of a member learns.

    Args:
        member: what its SVMs are fitted to.
        longest: most training rows of any member; shorter ones are padded.
        scale: as of svm.products.
        seed: of the mixtures.
    """
    clips, train = member.clips, member.train
    draw = np.random.default_rng(seed)
    count = MIXTURES * len(train)
    first = np.concatenate([train, draw.choice(train, count)]).astype(np.int32)
    second = np.concatenate([train, draw.choice(train, count)]).astype(np.int32)
    share = np.where(first == second, 0, draw.random(len(first))).astype(np.float32)
    blocks, means, spreads = [], [], []
    for block in clips.blocks:
        mixed = _mixed(block, first, second, share)
        blocks.append(np.concatenate([block, mixed], axis=1))
        rows = np.concatenate(block[:, train]).astype(np.float64)
        mean, spread = rows.mean(0), rows.std(0)
        varies = spread > 1e-6 * np.abs(mean) + 1e-12
        means.append(mean)
        spreads.append(np.where(varies, spread, 1.0))
    rows = len(clips.label) + np.arange(len(first))
    extended = clips._replace(blocks=blocks)
    scores = svm.stored_scores(extended, (train, rows), member.svms, scale=scale)
    length = (1 + MIXTURES) * longest
    padding = np.resize(np.arange(len(first)), length)
    return Lessons(
        first=first[padding],
        second=second[padding],
        share=share[padding],
        scores=scores[padding],
        mask=(np.arange(length) < len(first)).astype(np.float32),
        trains=np.isin(np.arange(len(clips.label)), train).astype(np.float32),
        mean=np.concatenate(means).astype(np.float32),
        spread=np.concatenate(spreads).astype(np.float32),
    )


def _mixed(features, first, second, share):
    """Return mixtures of rows of features [M, N, D]."""
    return features[:, first] + share[:, None] * (features[:, second] - features[:, first])


def _train_one(shared, of_fold, lessons, number):
    """Train the network of one member; features are [M, N, D].

    The hidden kernel stays in the space of the training rows: another part of it would add noise
    to the scores of other clips. In the coordinates of that space a step costs little.
    """
    rows = jnp.concatenate([of_fold, shared], axis=-1)
    views, count, length = rows.shape
    scaled = (rows - lessons.mean) / lessons.spread * lessons.trains[:, None]
    basis = _basis(scaled.reshape(views * count, length))
    inputs = _mixed(scaled @ basis, lessons.first, lessons.second, lessons.share)
    inputs = inputs / jnp.sqrt(length)  # of length 1, whatever the number of features
    weight = lessons.mask[:, None] / lessons.mask.sum()
    optimizer = optax.adam(optax.cosine_decay_schedule(RATE, STEPS))

    def loss(network: Network) -> jax.Array:
        return jnp.sum(weight * (forward(network, inputs) - lessons.scores) ** 2)

    def step(carried: tuple, _: None) -> tuple:
        network, state = carried
        updates, state = optimizer.update(jax.grad(loss)(network), state)
        return (optax.apply_updates(network, updates), state), None

    network = _start(number, basis.shape[-1], lessons.scores.shape[-1])
    (network, _), _ = jax.lax.scan(step, (network, optimizer.init(network)), length=STEPS)
    hidden = basis @ network.hidden / jnp.sqrt(length) / lessons.spread[:, None]
    return network._replace(hidden=hidden, hidden_bias=network.hidden_bias - lessons.mean @ hidden)


def _basis(rows):
    """Return orthonormal directions [D, R] that span R rows; those of rows of zeros are zero."""
    length, vectors = jnp.linalg.eigh(rows @ rows.T)
    spans = length > SMALLEST * length[-1]
    return rows.T @ (vectors * jnp.where(spans, jax.lax.rsqrt(jnp.where(spans, length, 1)), 0))


def _start(number, length, classes):
    """Return a network with random weights, for inputs of length 1."""
    keys = jax.random.split(jax.random.key(number))
    return Network(
        hidden=jax.random.normal(keys[0], (length, HIDDEN)) * jnp.sqrt(2.0),
        hidden_bias=jnp.zeros(HIDDEN),
        output=jax.random.normal(keys[1], (HIDDEN, classes)) * jnp.sqrt(2 / HIDDEN),
        output_bias=jnp.zeros(classes),
    )


def forward(network: Network, features: Array) -> Array:
    """Return the scores of clips, [N, K].

    Args:
        network: of one fold.
        features: [M, N, D]; the scores are the mean over the M views.
    """
    hidden = jax.nn.relu(features @ network.hidden + network.hidden_bias)
    return (hidden @ network.output + network.output_bias).mean(0)


def scores(network: Network, blocks: Sequence[np.ndarray]) -> np.ndarray:
    """Return the scores of clips, float32[N, K].

    Args:
        network: of one fold.
        blocks: features [M, N, D] each, as the SVMs take them.
    """
    features = np.concatenate(blocks, axis=-1).astype(np.float32)
    return np.asarray(forward(network, features))


def of_member(networks: Network, number: int) -> Network:
    """Return the network of one member.

    Args:
        networks: of all members.
        number: position of the member.
    """
    return Network(*(array[number] for array in networks))


def check(networks: Network, length: int, classes: int, path: str | Path) -> None:
    """Refuse networks of a file whose shapes do not fit.

    Args:
        networks: of the members that were read; a tensor that the file lacks is None.
        length: D.
        classes: K.
        path: of the file, for the message.
    """
    expected = Network((length, HIDDEN), (HIDDEN,), (HIDDEN, classes), (classes,))
    for name, shape in expected._asdict().items():
        array = getattr(networks, name)
        if array is None or array.shape[1:] != shape:
            held = None if array is None else array.shape[1:]
            raise UserError(f'{path}: distilled/{name} is {held}; allowed: {shape}')
