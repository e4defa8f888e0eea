"""How much an SVM needs a group of its features: permutation importance on held-out rows.

Breiman 2001, and scikit-learn's permutation_importance: the accuracy that is lost when the values
of a group are exchanged between rows. Only held-out rows are exchanged, within their fold; the SVM
and its scale stay those of the fold's training rows.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mer_jax.classical import FEATURES
from mer_jax.classical.svm import Choice, Clips, predict_by
from mer_jax.entries import loaded
from mer_jax.preprocess.au_regions import AU_REGIONS

REPEATS = 20
SEED = 0
KINDS = 'features', 'region'  # a kind of features, or the region of some action units


class Group(NamedTuple):
    """Features that are permuted together."""

    title: str
    kind: str  # of KINDS
    columns: dict[int, np.ndarray]  # number of the block -> int[d], its features

    @property
    def size(self) -> int:
        """How many features."""
        return sum(map(len, self.columns.values()))


def groups(names: Sequence[str], lengths: Sequence[int]) -> list[Group]:
    """Return each kind of features, then each region of action units that any of them describes.

    Args:
        names: of the blocks, keys of FEATURES or 'network'.
        lengths: features of each block.
    """
    of_kind, of_region = [], {}
    for block, (name, length) in enumerate(zip(names, lengths, strict=True)):
        of_kind.append(Group(name, KINDS[0], {block: np.arange(length)}))
        if name not in FEATURES or not FEATURES[name].regions:
            continue
        numbers = loaded(FEATURES[name].regions)
        columns = np.split(np.arange(length), len(numbers))
        for region, of_block in zip(numbers, columns, strict=True):
            of_region.setdefault(region, {})[block] = of_block
    regions = []
    for region, columns in sorted(of_region.items()):
        units = ', '.join(map(str, AU_REGIONS[region].units))
        regions.append(Group(f'{AU_REGIONS[region].name} (AU {units})', KINDS[1], columns))
    return of_kind + regions


def lost(
    clips: Clips,
    rows: tuple[np.ndarray, np.ndarray],
    choices: Sequence[Choice],
    of: Sequence[Group],
    *,
    scale: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Return what the held-out rows of one fold lose when a group is permuted.

    Args:
        clips: of the data set.
        rows: int[n] that the fold trains on, int[m] that it holds out.
        choices: of the fold's SVMs, whose scores are averaged.
        of: groups of features.
        scale: head.scale.

    Returns:
        Whether each row is classified correctly, float[m]; and the share of REPEATS permutations
        that leave it so, float[G, m].
    """
    train, test = rows
    label = clips.label[test]
    scores = predict_by(clips, train, test, choices, scale=scale)
    correct = (scores.argmax(1) == label).astype(float)
    draw = np.random.default_rng(SEED)
    # the same exchanges for every group
    orders = np.stack([draw.permutation(len(test)) for _ in range(REPEATS)])
    kept = []
    for group in of:
        blocks = [
            _with_permuted(block, test, orders, group.columns.get(number))
            for number, block in enumerate(clips.blocks)
        ]
        made = np.arange(len(clips.label), len(clips.label) + orders.size)
        scores = predict_by(clips._replace(blocks=blocks), train, made, choices, scale=scale)
        right = scores.argmax(1).reshape(orders.shape) == label
        kept.append(right.mean(0))
    return correct, np.stack(kept)


def _with_permuted(block, test, orders, columns):
    """A block [M, N, D], and behind it the test rows once for each order, columns exchanged."""
    made = np.tile(block[:, test], (1, len(orders), 1))
    if columns is not None:
        exchanged = block[:, test[orders.ravel()]]
        made[..., columns] = exchanged[..., columns]
    return np.concatenate([block, made], axis=1)
