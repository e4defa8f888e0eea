"""The one table of networks in the tests: a new network is tested by its line here."""

import contextlib
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from mer_jax.models import NETWORKS, alexnet
from mer_jax.settings.fields import Value


class NetworkCase(NamedTuple):
    """What the tests need of a network; shapes are of one input, [H, W, C] or [T, H, W, 1]."""

    published: tuple[int, ...]  # shape as published
    parameters: int  # number of parameters for that shape and three classes
    small: tuple[int, ...]  # a shape near the smallest that it takes, H equal to W
    small_options: dict[str, Value] = {}  # which make it quick
    # For the comparison with PyTorch: a shape whose sides the strides do not divide, and options.
    odd: tuple[int, ...] | None = None
    odd_options: dict[str, Value] = {}
    without_gradient: tuple[str, ...] = ()  # parameters, by path, that nothing can teach


CASES = {
    'alexnet': NetworkCase(
        published=(75, 75, 2),
        parameters=57_008_387,
        small=(63, 63, 2),
        small_options={'hidden': 32},
        odd=(75, 75, 2),
        odd_options={'hidden': 64},
    ),
    'cnn3d': NetworkCase(
        published=(16, 128, 128, 1),
        parameters=596_419,
        small=(8, 32, 32, 1),
        small_options={'width': 8},
        odd=(17, 40, 40, 1),
        odd_options={'width': 16},
    ),
    'dual_branch': NetworkCase(
        published=(224, 224, 3),
        parameters=24_311_462,
        small=(32, 32, 3),
        small_options={'width': 8, 'blocks': 1, 'hidden': 16, 'attention': 'off'},
    ),
    'dual_inception': NetworkCase(
        published=(28, 28, 2), parameters=6_449_867, small=(8, 8, 2), odd=(28, 28, 2)
    ),
    'flow_cnn': NetworkCase(
        published=(28, 28, 3), parameters=65_043, small=(14, 14, 3), small_options={'width': 4}
    ),
    'htnet': NetworkCase(
        published=(28, 28, 3),
        parameters=8_722_310,
        small=(2, 2, 3),  # four tokens
        small_options={'dim': 4, 'depth': 1, 'patch': 1, 'hierarchies': 1},
        odd=(28, 28, 3),
        # one patch to a block, as published, but one level less, which compiles sooner
        odd_options={'dim': 8, 'depth': 1, 'patch': 14, 'hierarchies': 2},
    ),
    'hybrid_cnn': NetworkCase(
        published=(64, 64, 9),
        parameters=11_238_339,
        small=(16, 16, 9),
        small_options={'width': 8, 'blocks': 1},
        odd=(33, 33, 9),
        odd_options={'width': 8},
    ),
    'microexpstcnn': NetworkCase(
        published=(18, 64, 64, 1), parameters=1_643_267, small=(17, 8, 8, 1), odd=(20, 16, 15, 1)
    ),
    'ocnet': NetworkCase(
        published=(75, 75, 2),
        parameters=1_650_947,
        small=(23, 23, 2),
        small_options={'width': 4},
        odd=(31, 31, 2),
    ),
    'offapexnet': NetworkCase(
        published=(28, 28, 2), parameters=2_664_475, small=(8, 8, 2), odd=(28, 28, 2)
    ),
    'rcn_a': NetworkCase(
        published=(28, 28, 3),
        parameters=15_331,
        small=(8, 8, 3),
        small_options={'width': 4},
        odd=(17, 17, 3),
        # each is added before a batch norm, which takes it off again
        without_gradient=('conv1/bias', 'conv2/bias', 'conv3/bias'),
    ),
    'single_branch': NetworkCase(
        published=(224, 224, 3),
        parameters=11_446_051,
        small=(32, 32, 3),
        small_options={'width': 8, 'blocks': 1, 'attention': 'off'},
    ),
    'sssnet': NetworkCase(
        published=(64, 64, 3), parameters=1_349_251, small=(16, 16, 3), odd=(28, 28, 3)
    ),
    'ststnet': NetworkCase(
        published=(28, 28, 3), parameters=1_683, small=(28, 28, 3), odd=(28, 28, 3)
    ),
    'vggm': NetworkCase(
        published=(75, 75, 2),
        parameters=6_606_499,
        small=(75, 75, 2),
        small_options={'width': 6},
        odd=(75, 75, 2),
    ),
}
# Networks with regions have tests of their own, in models/dual_branch_test.py.
WITHOUT_REGIONS = [name for name in CASES if name in NETWORKS and not NETWORKS[name].regional]


@contextlib.contextmanager
def narrow_alexnet() -> Iterator[None]:
    """AlexNet with an eighth of its filters, for which it has no option.

    It computes for longer than all other networks together, and what its width changes is tested by
    models_test.
    """
    narrow = [(name, filters // 8, *rest) for name, filters, *rest in alexnet.CONVOLUTIONS]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alexnet, 'CONVOLUTIONS', narrow)
        yield
