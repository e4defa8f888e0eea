"""Seconds a fold and epoch for growing numbers of folds: the cost of one fold must not grow with
their number.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks import common  # noqa: E402


def main():
    """Print a line for each number of folds; every fold trains on about as many rows throughout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--network', default='ststnet')
    parser.add_argument('--folds', default='8,22,44,88')
    parser.add_argument('--rounds', type=int, default=5)
    chosen = parser.parse_args()
    common.start()
    for count in map(int, chosen.folds.split(',')):
        samples, folds = common.experiment(chosen.network, folds=count, rows=297)
        _, train = common.engine(chosen.network, samples, folds, batch_size=256)
        train()
        took = []
        for _ in range(chosen.rounds):
            start = time.perf_counter()
            train()
            took.append(time.perf_counter() - start)
        cost = 1000 * statistics.median(took) / count / common.EPOCHS
        print(f'{chosen.network}: {count} folds, {cost:.1f} ms a fold and epoch', flush=True)


if __name__ == '__main__':
    main()
