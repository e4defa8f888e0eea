"""How drawn persons show emotions, by action units.

The combinations are of the kind that FACS and the annotators of CASME II use (Yan et al. 2014); the
emotion names are CASME II's.
"""

from typing import NamedTuple

import numpy as np

from mer_jax.preprocess.synthetic.muscles import ACTION_UNITS

# emotion -> {combination: how often}
COMBINATIONS = {
    'disgust': {
        '4+9': 3, '4+7+9': 3, '4+7+10': 3, '10': 2, '9': 2, '4+9+17': 1, '10+17': 1, '4+10': 2,
        '4+7': 2, '2+10': 1,
    },
    'happiness': {'6+12': 6, '12': 4, '6+7+12': 2, '12+25': 1, '12+14': 1, '2+12': 1, '12+15': 1},
    'others': {
        '4': 4, '4+7': 5, '4+5': 1, '1+4': 1, '4+14': 2, '7': 1, '14': 1, '20+25': 1, '17+24': 1,
        '2': 1, '12+17': 1, '23': 1,
    },
    'repression': {
        '14': 3, '15': 3, '17': 3, '15+17': 3, '14+17': 2, '14+24': 1, '12+15+17': 2, '12+24': 1,
        '4+15+17': 1,
    },
    'surprise': {
        '1+2': 6, '1+2+5': 3, '1+2+25': 3, '1+2+26': 2, '5+26': 1, '1+2+5+26': 1, '1+4+25': 1,
        '2+12+25': 1,
    },
}  # fmt: skip
EMOTIONS = tuple(COMBINATIONS)
ONE_SIDED = (2, 10, 12, 14)  # action units that some people move on one side only
# small uncoded movements that people show whatever they feel
HABITS = (2, 4, 7, 12, 14, 17, 24, 25)


class Style(NamedTuple):
    """How one person expresses: preferences, strength, sides, pace and steadiness."""

    taste: dict[str, np.ndarray]  # emotion -> probability of each of its combinations
    gain: dict[int, float]  # action unit -> relative strength
    peak: float  # usual largest displacement, pixels
    lean: float  # right half stronger (> 0) or left half
    one_sided: float  # probability of showing a one-sided unit on one side
    habit: int  # unit that comes along uncoded
    habit_rate: float
    masking: float  # probability of showing the units of any emotion instead
    length: float  # usual frames from onset to offset
    shift: float  # wander of the head, pixels
    turn: float  # and radians
    noise: float  # camera noise, gray levels
    flicker: float  # of the light, relative


def style(rng: np.random.Generator) -> Style:
    """A random style."""
    taste = {}
    for emotion, combinations in COMBINATIONS.items():
        taste[emotion] = rng.dirichlet(0.25 * np.array(list(combinations.values())))
    return Style(
        taste=taste,
        gain={unit: float(rng.lognormal(0, 0.25)) for unit in ACTION_UNITS},
        peak=float(np.clip(rng.lognormal(np.log(1.3), 0.3), 0.9, 2.4)),
        lean=float(np.clip(rng.normal(0, 0.2), -0.45, 0.45)),
        one_sided=float(rng.beta(0.6, 1.8)),
        habit=int(rng.choice(HABITS)),
        habit_rate=float(rng.uniform(0.2, 0.7)),
        masking=float(rng.uniform(0.0, 0.2)),
        length=float(rng.uniform(26, 42)),
        shift=float(rng.uniform(0.2, 0.5)),
        turn=float(rng.uniform(0.002, 0.008)),
        noise=float(rng.uniform(1.2, 2.6)),
        flicker=float(rng.uniform(0.002, 0.008)),
    )


Move = tuple[int, float, float]  # action unit, its strength on the subject's right and left half


def express(rng: np.random.Generator, person: Style, emotion: str) -> tuple[str, list[Move]]:
    """One expression of an emotion.

    The moves may hold one more unit that is not coded: the person's habit. Where the person masks,
    the units are those of any emotion, as in recordings whose emotion is what people reported to
    have felt.

    Args:
        rng: draws the expression.
        person: whose style it has.
        emotion: that is coded.

    Returns:
        The coded action units ('6+L12') and the moves behind them.
    """
    shown = rng.choice(EMOTIONS) if rng.random() < person.masking else emotion
    combination = rng.choice(list(COMBINATIONS[shown]), p=person.taste[shown])
    coded, moves = [], []
    for number in map(int, combination.split('+')):
        side = ''
        if number in ONE_SIDED and rng.random() < person.one_sided:
            side = 'R' if rng.random() < 0.5 + person.lean else 'L'
        strength = person.gain[number] * rng.lognormal(0, 0.2)
        right, left = strength * (1 + person.lean), strength * (1 - person.lean)
        if side == 'L':
            right = 0.1 * right
        if side == 'R':
            left = 0.1 * left
        moves.append((number, right, left))
        coded.append(f'{side}{number}')
    moving = [number for number, _, _ in moves]
    if rng.random() < person.habit_rate and person.habit not in moving:
        moves.append((person.habit, *rng.uniform(0.3, 1.1, 2)))
    return '+'.join(coded), moves
