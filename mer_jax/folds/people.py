"""Which data sets are known to share no participants.

Leaving a subject out is honest only where nobody stands in two data sets under two names. Pairs
that the table does not name are unknown: no publication that we read says anything of them.
"""

import itertools
from collections.abc import Iterable
from typing import NamedTuple


class Pair(NamedTuple):
    """What is known of the people of two data sets."""

    data_sets: tuple[str, str]
    shared: str  # 'none' or 'unknown'
    source: str


MEGC2019 = (
    'See et al., FG 2019: the composite counts 24 + 28 + 16 = 68 different subjects, recorded in '
    'Beijing, Manchester and Oulu'
)
DRAWN = 'synthetic'  # faces that are drawn are nobody's
_ONE_LABORATORY = 'recorded by one laboratory'
_CAS = f'{_ONE_LABORATORY}, Institute of Psychology, Chinese Academy of Sciences; no paper says'
PAIRS = (
    Pair(('casme2', 'samm'), 'none', MEGC2019),
    Pair(('casme2', 'smic'), 'none', MEGC2019),
    Pair(('samm', 'smic'), 'none', MEGC2019),
    Pair(('casme', 'casme2'), 'unknown', _CAS),
    Pair(('casme', 'casme_squared'), 'unknown', _CAS),
    Pair(('casme', 'casme_cubed'), 'unknown', _CAS),
    Pair(('casme2', 'casme_squared'), 'unknown', _CAS),
    Pair(('casme2', 'casme_cubed'), 'unknown', _CAS),
    Pair(('casme_squared', 'casme_cubed'), 'unknown', _CAS),
    Pair(('smic', 'fourdme'), 'unknown', f'{_ONE_LABORATORY}, University of Oulu; no paper says'),
)
# the data sets whose clips another one holds
_HOLDS = {'precomputed_flow': ('casme2', 'samm', 'smic'), 'synthetic_faces': (DRAWN,)}
_DISJOINT = {frozenset(pair.data_sets) for pair in PAIRS if pair.shared == 'none'}


def data_sets(name: str) -> tuple[str, ...]:
    """Return the data sets whose people data.name holds.

    Args:
        name: such as 'casme2/flow,edition=2014+precomputed_flow'.
    """
    of_clips = []
    for source in name.split('+'):
        release = source.partition('/')[0]
        of_clips += _HOLDS.get(release, (release,))
    return tuple(dict.fromkeys(of_clips))


def unclear(datasets: Iterable[str]) -> list[tuple[str, str]]:
    """Return the pairs of data sets that are not known to share nobody.

    Args:
        datasets: names as in Names; drawn faces share nobody with anyone.
    """
    real = sorted({*datasets} - {DRAWN})
    return [pair for pair in itertools.combinations(real, 2) if frozenset(pair) not in _DISJOINT]


def leak(datasets: Iterable[str]) -> str:
    """Name the leak of pooling data sets that may share people; '' where there is none."""
    return _named(unclear(datasets))


def leak_between(trained: Iterable[str], tested: Iterable[str]) -> str:
    """Name the leak of testing on other data sets than trained; '' where there is none.

    Args:
        trained: names of the data sets that trained.
        tested: names of those that are tested.
    """
    trained, tested = {*trained}, {*tested}
    pairs = unclear(trained | tested)
    return _named(
        [
            (first, second)
            for first, second in pairs
            if (first in trained and second in tested) or (second in trained and first in tested)
        ]
    )


def _named(pairs):
    if not pairs:
        return ''
    return f'people may stand in both of {in_words(pairs)}: they then train and are tested'


def in_words(pairs: Iterable[tuple[str, str]]) -> str:
    """Return pairs as text: 'casme and casme2, casme and mmew'."""
    return ', '.join(' and '.join(pair) for pair in pairs)
