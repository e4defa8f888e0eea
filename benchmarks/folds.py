"""Milliseconds a fold and epoch for growing numbers of folds: the cost of one fold must not grow
with their number.
"""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import command_line, common, sizes  # noqa: E402


def main(argv: Sequence[str] | None = None) -> None:
    """Print a line for each number of folds; every fold trains on about as many rows throughout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--network', default='ststnet')
    parser.add_argument('--folds', default='8,22,44,88')
    parser.add_argument('--rows', type=int, default=297)
    parser.add_argument('--rounds', type=int, default=5)
    flags = command_line.parse(parser, argv, folds='2', rows=12, rounds=1)
    for count in map(int, flags.folds.split(',')):
        data, splits = common.experiment(sizes.INPUTS[flags.network], folds=count, rows=flags.rows)
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary, 'run')
            rounds = [
                common.seconds_per_epoch(flags.network, data, splits, folder, batch_size=256)
                for _ in range(flags.rounds)
            ]
        cost = 1000 * statistics.median(rounds) / count
        print(f'{flags.network}: {count} folds, {cost:.1f} ms a fold and epoch', flush=True)


if __name__ == '__main__':
    main()
