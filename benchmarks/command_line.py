"""The flag that all benchmarks have: --quick."""

import argparse
import sys
from collections.abc import Sequence

# settings of a config that make its run shorter still than `:quick`: no plan is measured
QUICK_RUN = (
    '--config.train.epochs=1',
    '--config.train.at_once=1',
    '--config.train.lowering=matmul',
)


def parse(
    parser: argparse.ArgumentParser, argv: Sequence[str] | None, **quick: str | int
) -> argparse.Namespace:
    """The flags of a benchmark.

    Args:
        parser: with all flags but --quick.
        argv: without the name of the program; None: that of this process.
        quick: defaults that --quick puts in the place of the others; a flag that is given counts.
    """
    return parser.parse_args(_prepared(parser, argv, quick))


def parse_some(
    parser: argparse.ArgumentParser, argv: Sequence[str] | None, **quick: str | int
) -> tuple[argparse.Namespace, list[str]]:
    """The same, and the arguments that the parser does not know."""
    return parser.parse_known_args(_prepared(parser, argv, quick))


def _prepared(parser, argv, quick):
    parser.add_argument(
        '--quick', action='store_true', help='the smallest sizes, once: shows only that it runs'
    )
    arguments = sys.argv[1:] if argv is None else list(argv)
    if '--quick' in arguments:
        parser.set_defaults(**quick)
    return arguments
