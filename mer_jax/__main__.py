"""python -m mer_jax and mer-jax: the program of mer_jax/cli.py."""

import sys


def main(argv: list[str] | None = None) -> int:
    """Load the program and run one command line; see cli.main."""
    try:
        from mer_jax import cli

        return cli.main(argv)
    # while the program is still being loaded; cli.main answers it afterwards
    except KeyboardInterrupt:
        print('stopped', file=sys.stderr)
        return 130


if __name__ == '__main__':
    sys.exit(main())
