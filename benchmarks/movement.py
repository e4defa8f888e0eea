"""Movement in words against motion that is known: action units of drawn faces, whose head moves
too and whose camera has noise.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parent.parent))

import numpy as np  # noqa: E402

from benchmarks import command_line  # noqa: E402
from mer_jax.prediction import movement  # noqa: E402
from mer_jax.preprocess import flow  # noqa: E402
from mer_jax.preprocess.synthetic import clips, motion, muscles  # noqa: E402
from mer_jax.runfiles.prediction_file import PHASES, Movement  # noqa: E402

SEED = 12  # of the persons; thresholds were chosen on those of 11
STILL = 4  # pairs of each person in which only the head moves
SIDES = ((1, 1), (1, 0), (0, 1))  # of the face that move: right, left
NEAR = 0.8  # a region that moves so much of what the first one does may come first


class Pair(NamedTuple):
    """Two frames, and what moves between them."""

    frames: np.ndarray  # uint8[2, S, S]
    landmarks: np.ndarray  # float[68, 2]
    true: tuple[Movement, ...]  # of the known motion; () where only the head moves
    one_sided: bool


def main(argv: Sequence[str] | None = None) -> None:
    """Print how often region, direction and side are right, for each method of flow."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--persons', type=int, default=6)
    parser.add_argument('--methods', default='tvl1,dis')
    parser.add_argument('--units', type=int, default=len(muscles.ACTION_UNITS))
    flags = command_line.parse(parser, argv, persons=1, methods='dis', units=2)
    units = [*muscles.ACTION_UNITS][: flags.units] + [0] * STILL
    rng = np.random.default_rng(SEED)
    pairs = []
    for number in range(1, flags.persons + 1):
        person = clips.person(SEED, number)
        pairs += [_pair(rng, person, unit) for unit in units]
    for method in flags.methods.split(','):
        print(f'{method}: {_judged(pairs, method)}')


def _pair(rng, person, unit):
    """Draw a pair of frames; unit 0 is a still face."""
    right, left = SIDES[rng.integers(len(SIDES))]
    moves = [(unit, right, left)] if unit else []
    field = muscles.displacement(muscles.pushes(person.points, moves), motion.pixels())
    if unit:
        field *= rng.uniform(1, 2) / np.linalg.norm(field, axis=-1).max()
    pose = np.array([*rng.normal(0, 1, 2), rng.normal(0, 0.01)])
    poses = np.stack([np.zeros(3), pose])
    film = motion.film(person.drawing, field, np.array([0.0, 1.0]), poses, np.zeros(2))
    frames = motion.expose(rng, film, noise=2.0, flicker=0.01)
    whole = motion.apply_pose(motion.pixels() + field, pose) - motion.pixels()
    true = movement.of_flow(whole, person.points, phase=PHASES[0])
    return Pair(frames, person.points, true, bool(unit) and right != left)


def _judged(pairs, method):
    """Count right answers of one method, in words."""
    region, direction, lengths, sides, words_of_still = 0, 0, [], [], 0
    for pair in pairs:
        field = flow.estimate(*pair.frames, method=method)
        moved = movement.of_flow(field, pair.landmarks, phase=PHASES[0])
        if not pair.true:
            words_of_still += bool(moved)
        elif moved:
            first = moved[0]
            near = [one for one in pair.true if one.pixels >= NEAR * pair.true[0].pixels]
            region += first.region in {one.region for one in near}
            same = next((one for one in pair.true if one.region == first.region), None)
            if same:
                direction += same.direction.split()[0] == first.direction.split()[0]
                lengths.append(first.pixels / same.pixels)
                if pair.one_sided and same.side in ('left', 'right'):
                    sides.append(first.side == same.side)
    moving = sum(bool(pair.true) for pair in pairs)
    return (
        f'of {moving} movements the first region is right in {region}, its direction in '
        f'{direction}, its side in {sum(sides)} of {len(sides)}; length {np.median(lengths):.2f} '
        f'of the true one; words for {words_of_still} of {len(pairs) - moving} still faces'
    )


if __name__ == '__main__':
    main()
