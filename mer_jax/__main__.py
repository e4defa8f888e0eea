"""python -m mer_jax: the program of mer_jax/cli.py."""

import sys

from mer_jax.cli import main

if __name__ == '__main__':
    sys.exit(main())
